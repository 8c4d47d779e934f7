package storetest

import (
	"fmt"
	"maps"
	"slices"

	"penstock"
)

// settle notes the outcome of the record at a place.
func (k *take) settle(at penstock.Place) {
	o, r := k.outcomes[at], k.records[at]
	switch {
	case o.void:
	case r.ReplayOf != (penstock.Position{}):
		k.replayed(&r, o)
	default:
		k.count(&r, o.fate)
		switch o.fate {
		case penstock.FateStored:
			k.row(&r)
		case penstock.FateDead:
			k.letters[at] = letterOf(&r, penstock.LetterOpen, o)
		case penstock.FateParked:
			k.letters[at] = letterOf(&r, penstock.LetterParked, o)
		}
	}
}

func (k *take) replayed(r *penstock.Record, o outcome) {
	l := k.letters[o.letter]
	l.Since = r.LogTime
	if o.reason != "" {
		l.Reason, l.Detail = o.reason, o.detail
		k.letters[o.letter] = l
		return
	}
	l.State = penstock.LetterReplayed
	k.letters[o.letter] = l
	k.move(o.letter, penstock.FateDead, penstock.FateStored)
	k.row(r)
	for _, f := range o.freed {
		k.free(f)
	}
}

// free notes that a parked record's turn came.
func (k *take) free(f freed) {
	at := f.place
	if f.id != "" {
		at = k.waiting[f.id]
	}
	l, r := k.letters[at], k.records[at]
	l.Since = unknownTime
	if f.reason != "" {
		l.State, l.Reason, l.Detail = penstock.LetterOpen, f.reason, k.condemned[at].Detail
		k.letters[at] = l
		k.move(at, penstock.FateParked, penstock.FateDead)
		return
	}
	l.State = penstock.LetterReplayed
	k.letters[at] = l
	k.move(at, penstock.FateParked, penstock.FateStored)
	k.row(&r)
}

// unknownTime is a Since that the suite does not compare: when its turn came, for a record that was parked.
const unknownTime = -1

func letterOf(r *penstock.Record, state penstock.LetterState, o outcome) penstock.Letter {
	row := RowOf(r).Row
	return penstock.Letter{
		Stream: r.Stream, Row: row, Reason: o.reason, Detail: o.detail, State: state, Since: r.LogTime,
		Flags: r.Flags, Sum: r.Sum, LogTime: r.LogTime,
	}
}

func (k *take) row(r *penstock.Record) { k.want[place{r.Partition, r.Position}] = RowOf(r) }

func laneOf(r *penstock.Record) penstock.Lane {
	return penstock.Lane{Tenant: r.Tenant, Stream: r.Stream, Partition: r.Partition}
}

func (k *take) count(r *penstock.Record, f penstock.Fate) {
	t := k.tallies[laneOf(r)]
	t[f].Add(r.Sum)
	k.tallies[laneOf(r)] = t
}

func (k *take) move(at penstock.Place, from, to penstock.Fate) {
	r := k.records[at]
	var one penstock.Total
	one.Add(r.Sum)
	t := k.tallies[laneOf(&r)]
	t[from], t[to] = t[from].Minus(one), t[to].Plus(one)
	k.tallies[laneOf(&r)] = t
}

// check compares positions, rows, letters and tallies.
func (k *take) check() {
	k.Helper()
	k.suite.check()
	k.checkLetters()
	k.checkTallies()
}

// checkLetters reads all letters, now and then in several pages.
func (k *take) checkLetters() {
	k.Helper()
	pages := 1
	if k.random.IntN(4) == 0 {
		pages = 2 + k.random.IntN(3)
	}
	got := k.list(penstock.LetterQuery{Limit: 1 + len(k.letters)/pages})
	want := slices.SortedFunc(maps.Keys(k.letters), comparePlaces)
	for i, at := range want {
		if i >= len(got) {
			k.Fatalf("%d letters, want %d: the last are missing, from %s on", len(got), len(want), lettered(k.letters[at]))
		}
		if why := k.differs(got[i], k.letters[at]); why != "" {
			k.Fatalf("%d letters, want %d: of the first that differs %s\n%s, want\n%s", len(got), len(want), why, lettered(got[i]), lettered(k.letters[at]))
		}
	}
	if len(got) > len(want) {
		k.Fatalf("%d letters, want %d: too many, from %s on", len(got), len(want), lettered(got[len(want)]))
	}
}

// list returns all letters that a query asks for, in pages of its limit.
func (k *take) list(q penstock.LetterQuery) []penstock.Letter {
	k.Helper()
	var all []penstock.Letter
	for {
		page, err := k.store.(penstock.DeadLetters).Letters(k.ctx, q)
		if err != nil {
			k.Fatalf("Letters: %v", err)
		}
		if len(page) > q.Limit {
			k.Fatalf("%d letters, the limit is %d", len(page), q.Limit)
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		last := page[len(page)-1]
		q.After = penstock.Place{Partition: last.Partition, Position: last.Position}
	}
}

// differs names what is not as it must be, or returns "". Why a letter was one is compared while it is open and when it was
// dropped, and what is for people only if the caller gave it.
func (k *take) differs(got, want penstock.Letter) string {
	open := want.State == penstock.LetterOpen
	switch {
	case got.Stream != want.Stream || got.Row != want.Row:
		return "the event is not the same"
	case got.Flags != want.Flags || got.Sum != want.Sum || got.LogTime != want.LogTime:
		return fmt.Sprintf("flags, checksum or log time are %d, %d, %d, not %d, %d, %d", got.Flags, got.Sum, got.LogTime, want.Flags, want.Sum, want.LogTime)
	case got.State != want.State:
		return "the state is not the same"
	case (open || want.State == penstock.LetterDropped) && got.Reason != want.Reason:
		return "the reason is not the same"
	case open && (got.Detail == "" || want.Detail != "" && got.Detail != want.Detail):
		return "the detail is not the same"
	case want.State != penstock.LetterDropped && want.Since != unknownTime && got.Since != want.Since:
		return fmt.Sprintf("the time since is %d, not %d", got.Since, want.Since)
	}
	return ""
}

func lettered(l penstock.Letter) string {
	return fmt.Sprintf("%s %s %q (%s)", l.State, l.Reason, l.Detail, Row{l.Stream, l.Row})
}

func comparePlaces(a, b penstock.Place) int {
	switch {
	case a.Less(b):
		return -1
	case b.Less(a):
		return 1
	}
	return 0
}

// checkTallies compares what became of the events of each lane.
func (k *take) checkTallies() {
	k.Helper()
	tallies, at, err := k.store.(penstock.Auditor).Tallies(k.ctx)
	if err != nil {
		k.Fatalf("Tallies: %v", err)
	}
	if !maps.Equal(at, k.at) {
		k.Fatalf("Tallies of %v, the store stands at %v", at, k.at)
	}
	for lane, want := range k.tallies {
		if got := tallies[lane]; got != want {
			k.Fatalf("tally of %v (stored, duplicate, dead, parked, dropped, expired):\n%v, want\n%v", lane, got, want)
		}
	}
	for lane, got := range tallies {
		if _, ok := k.tallies[lane]; !ok && got != (penstock.Tally{}) {
			k.Fatalf("tally of %v, which has no events: %v", lane, got)
		}
	}
}
