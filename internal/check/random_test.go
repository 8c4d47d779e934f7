package check

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"penstock"
)

// TestOrderIsThatOfAllPairs compares the pass over each key with a comparison of all pairs.
func TestOrderIsThatOfAllPairs(t *testing.T) {
	broken := 0
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 0))
		history, rows := randomOrder(random, 24)
		v, err := Judge(Run{Config: Config{Seed: 1}, History: each(history), Rows: each(rows)})
		if err != nil {
			t.Fatal(err)
		}
		var want int64
		for a := range rows {
			if slices.ContainsFunc(rows[:a], func(b Entry) bool { return mustPrecede(history, rows[a], b) }) {
				want++
			}
		}
		if v.Classes[Order] != want {
			t.Fatalf("seed %d: %d events out of order, by pairs %d\n%s", seed, v.Classes[Order], want, v.Table())
		}
		if want > 0 {
			broken++
		}
	}
	if broken < 40 || broken > 360 {
		t.Errorf("%d of 400 histories are out of order: they prove little", broken)
	}
}

// randomOrder returns events of one request each, and rows that nearly keep their order.
func randomOrder(random *rand.Rand, n int) (history []Record, rows []Entry) {
	type placed struct {
		at  int64
		row Entry
	}
	var all []placed
	for i := range n {
		call := 1 + random.Int64N(400)
		rec := Record{Kind: Post, Client: uint32(i), Count: 1, Stream: "s", Call: call, Ret: call + random.Int64N(60), Outcome: Ok}
		if random.IntN(4) == 0 {
			rec.Outcome = Unknown
		}
		history = append(history, rec)
		key := string('a' + rune(random.IntN(3)))
		body := AppendEvent(nil, Event{Client: rec.Client, Key: key, Nonce: NonceOf(1, rec.Client, 0)}, "")
		at := call + random.Int64N(rec.Ret-call+1)
		if random.IntN(8) == 0 {
			at += random.Int64N(100) - 50
		}
		all = append(all, placed{at, Entry{Epoch: 1, Stream: "s", ID: EventID(rec.Client, 0), Key: key, Body: body}})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	for i, p := range all {
		p.row.Offset = penstock.Offset(i)
		rows = append(rows, p.row)
	}
	return history, rows
}

// mustPrecede reports whether a was answered before b, of the same key, was sent.
func mustPrecede(history []Record, a, b Entry) bool {
	of := func(e Entry) Record {
		client, _, _ := ParseEventID(e.ID)
		return history[client]
	}
	return a.Key == b.Key && of(a).Outcome == Ok && of(a).Ret < of(b).Call
}

// TestAttemptsFoldAsOneByOne compares operations, which are split where attempts overlap, with what is folded for each event alone.
func TestAttemptsFoldAsOneByOne(t *testing.T) {
	type folded struct {
		call, ret int64
		may       int
		outcome   Outcome
	}
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		want := map[uint64]folded{}
		var history []Record
		for at := int64(1); at < 30; at++ {
			rec := Record{Kind: Post, Client: 1, Stream: "s", Seq: uint64(random.IntN(20)), Count: 1 + random.IntN(8), Call: at, Ret: at + random.Int64N(9),
				Outcome: []Outcome{Ok, Fail, Unknown}[random.IntN(3)]}
			history = append(history, rec)
			for i := range uint64(rec.Count) {
				f, known := want[rec.Seq+i]
				if !known {
					f = folded{never, never, 0, Fail}
				}
				if rec.Outcome != Fail {
					f.call, f.may = min(f.call, rec.Call), f.may+1
				}
				if rec.Outcome == Ok && f.ret == never {
					f.ret = rec.Ret
				}
				if rec.Outcome == Ok || f.outcome == Fail {
					f.outcome = rec.Outcome
				}
				want[rec.Seq+i] = f
			}
		}
		j, err := newJudge(Run{History: each(history)})
		if err == nil {
			err = j.readHistory()
		}
		if err != nil {
			t.Fatal(err)
		}
		slots := map[uint32]bool{}
		for seq, w := range want {
			r, ok := j.find(1, seq)
			if !ok {
				t.Fatalf("seed %d: event %d is unknown", seed, seq)
			}
			slots[r.slot] = true
			if got := (folded{r.op.call, r.op.ret, int(r.op.may), j.events.outcome(r.slot)}); got != w {
				t.Fatalf("seed %d: event %d is %+v, want %+v", seed, seq, got, w)
			}
			if j.owner(r.slot).seq != seq {
				t.Fatalf("seed %d: the owner of event %d is %d", seed, seq, j.owner(r.slot).seq)
			}
		}
		if len(slots) != len(want) || len(j.events.flags) != len(want) {
			t.Fatalf("seed %d: %d slots, %d of them used, for %d events", seed, len(j.events.flags), len(slots), len(want))
		}
	}
}

// TestRatchetRemembersWhatWasBefore compares it with a look at all that came before.
func TestRatchetRemembersWhatWasBefore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var r ratchet
	var rets []int64
	var highs []penstock.Position
	for i := range int64(2000) {
		ret, at := i*3, penstock.Position{Epoch: 1, Offset: penstock.Offset(i + random.Int64N(50))}
		r.raise(ret, at)
		rets, highs = append(rets, ret), append(highs, at)
		call := random.Int64N(ret + 2)
		var want penstock.Position
		for n := range rets {
			if rets[n] < call && want.Less(highs[n]) {
				want = highs[n]
			}
		}
		if got, _ := r.before(call); got != want {
			t.Fatalf("before %d: %v, want %v", call, got, want)
		}
	}
	for i := range int64(3 * maxSteps) {
		r.raise(10_000+i, penstock.Position{Epoch: 2, Offset: penstock.Offset(i)})
	}
	if got, ok := r.before(never); !ok || len(r.rets) > maxSteps || got.Offset != 3*maxSteps-1 {
		t.Errorf("%d steps, the last is %v", len(r.rets), got)
	}
	if _, ok := r.before(5); ok {
		t.Error("what was forgotten is still compared")
	}
}

// server is a small one that keeps its promises: what reaches it is in the log at one moment between call and answer.
type server struct {
	random  *rand.Rand
	now     int64
	history []Record
	log     []Entry
	stored  map[string]bool
	rows    []Entry
	letters []Entry
	next    [4]penstock.Offset
}

// TestWhatKeepsItsPromisesPasses judges histories of a server that keeps them, with lost answers, refusals, repeats and dead letters,
// and then the same ones with one thing wrong.
func TestWhatKeepsItsPromisesPasses(t *testing.T) {
	for seed := range uint64(200) {
		s := &server{random: rand.New(rand.NewPCG(seed, 3)), stored: map[string]bool{}}
		s.serve(6, 40)
		run := Run{Config: Config{Seed: 1}, History: each(s.history), Log: each(s.log), Rows: each(s.rows), Letters: each(s.letters)}
		v, err := Judge(run)
		if err != nil || !v.OK {
			t.Fatalf("seed %d: %v\n%s", seed, err, v.Table())
		}
		if v.Counts.Ok == 0 || v.Counts.Unknown == 0 || v.Counts.Failed == 0 || v.Counts.Letters == 0 || v.Counts.Resolved == 0 {
			t.Fatalf("seed %d proves little: %+v", seed, v.Counts)
		}
		at := s.random.IntN(len(s.rows))
		run.Rows = each(append(slices.Clone(s.rows[:at]), s.rows[at+1:]...))
		if v, err = Judge(run); err != nil || v.Classes[NotApplied] != 1 || len(v.Classes) != 1 {
			t.Fatalf("seed %d, a row removed: %v, %v", seed, v.Classes, err)
		}
		run.Rows = each(append(slices.Clone(s.rows[:at+1]), s.rows[at:]...))
		if v, err = Judge(run); err != nil || v.Classes[StoredTwice]+v.Classes[UnknownTwice] != 1 || len(v.Classes) != 1 {
			t.Fatalf("seed %d, a row doubled: %v, %v", seed, v.Classes, err)
		}
	}
}

// serve lets clients post by turns. A turn begins before those of others have ended, so requests overlap.
func (s *server) serve(clients, turns int) {
	makers := make([]*Maker, clients)
	for i := range makers {
		makers[i] = NewMaker(1, uint32(i))
	}
	free := make([]int64, clients)
	for range turns {
		for client := range makers {
			s.now += s.random.Int64N(5)
			free[client] = s.turn(makers[client], max(s.now, free[client]+1))
		}
	}
	slices.SortStableFunc(s.history, func(a, b Record) int { return cmp.Compare(a.Ret, b.Ret) })
	s.apply()
}

// turn posts one request until it is answered, or given up, and returns when that was.
func (s *server) turn(m *Maker, call int64) int64 {
	rec := Record{Kind: Post, Client: m.client, Stream: "s", Seq: m.Next(), Count: 1 + s.random.IntN(4)}
	var events []Entry
	for i := range rec.Count {
		key := []string{"a", "b", "c", ""}[s.random.IntN(4)]
		events = append(events, Entry{Stream: "s", ID: EventID(m.client, m.Next()), Key: key, Body: m.Append(nil, key, "")})
		if s.random.IntN(20) == 0 {
			rec.Poison = append(rec.Poison, i)
			events[i].Reason = "bad_type"
		}
	}
	for rec.Attempt = 1; ; rec.Attempt++ {
		rec.Call, rec.Ret = call, call+1+s.random.Int64N(20)
		rec.Outcome = []Outcome{Ok, Ok, Ok, Unknown, Fail}[s.random.IntN(5)]
		if rec.Outcome == Ok || rec.Outcome == Unknown && s.random.IntN(2) == 0 {
			s.reach(events, call+s.random.Int64N(rec.Ret-call))
		}
		s.history = append(s.history, rec)
		if rec.Outcome == Ok || s.random.IntN(2) == 0 {
			return rec.Ret
		}
		call = rec.Ret + 1
	}
}

// reach notes a request for the log; its time is kept in the offset until all are there.
func (s *server) reach(events []Entry, at int64) {
	for _, e := range events {
		e.Epoch, e.Offset = 1, penstock.Offset(at)
		for _, c := range []byte(e.Key) {
			e.Partition = penstock.Partition(c % 4)
		}
		s.log = append(s.log, e)
	}
}

// apply orders the log by time and applies it.
func (s *server) apply() {
	slices.SortStableFunc(s.log, func(a, b Entry) int { return cmp.Compare(a.Offset, b.Offset) })
	for i := range s.log {
		e := &s.log[i]
		reason := e.Reason
		e.Offset, e.Reason = s.next[e.Partition], ""
		s.next[e.Partition] += penstock.Offset(1 + s.random.IntN(2))
		if s.stored[e.ID] {
			continue
		}
		s.stored[e.ID] = true
		if row := *e; reason == "" {
			s.rows = append(s.rows, row)
		} else {
			row.Reason, row.State = reason, penstock.LetterOpen
			s.letters = append(s.letters, row)
		}
	}
}

// TestManyViolationsAreCounted wants a thousand of a kind to be counted and a few to be told.
func TestManyViolationsAreCounted(t *testing.T) {
	history := []Record{{Kind: Post, Client: 1, Stream: "s", Count: 1000, Call: 1, Ret: 2, Outcome: Ok}}
	v, err := Judge(Run{History: each(history), Rows: each([]Entry(nil))})
	if err != nil || v.Classes[Lost] != 1000 || len(v.Violations) != maxExamples {
		t.Fatalf("%v, %d told, %v", v.Classes, len(v.Violations), err)
	}
	if want := fmt.Sprintf("lost: %d more", 1000-maxExamples); !slices.Contains(lines(v.Table()), want) {
		t.Errorf("the table lacks %q:\n%s", want, v.Table())
	}
}

// TestRunsThatMakeNoSense are told apart from servers that do wrong.
func TestRunsThatMakeNoSense(t *testing.T) {
	good := Record{Kind: Post, Stream: "s", Count: 1, Call: 1, Ret: 2, Outcome: Ok}
	for what, change := range map[string]func(*Record){
		"kind":    func(r *Record) { r.Kind = "song" },
		"outcome": func(r *Record) { r.Outcome = "" },
		"no ret":  func(r *Record) { r.Ret = 0 },
		"times":   func(r *Record) { r.Call = 3 },
		"count":   func(r *Record) { r.Count = 0 },
		"index":   func(r *Record) { r.Rejected = []int{1} },
		"hashes":  func(r *Record) { r.Sums = []string{"1", "2"} },
	} {
		bad := good
		change(&bad)
		if _, err := Judge(Run{History: each([]Record{bad}), Rows: each([]Entry(nil))}); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	rows := []Entry{{Epoch: 1, Offset: 1}, {Epoch: 1}}
	if _, err := Judge(Run{History: each([]Record{good}), Rows: each(rows)}); !penstock.Is(err, penstock.Invalid) {
		t.Errorf("rows out of order: %v", err)
	}
	other := good
	other.Stream = "t"
	if _, err := Judge(Run{History: each([]Record{good, other}), Rows: each([]Entry(nil))}); !penstock.Is(err, penstock.Invalid) {
		t.Errorf("one event in two streams: %v", err)
	}
}

func lines(text string) []string { return strings.Split(text, "\n") }

// TestReceiptsAreRead judges events by their tokens alone, as an answer without positions has them.
func TestReceiptsAreRead(t *testing.T) {
	const cluster = "00112233445566778899aabbccddeeff"
	token := penstock.Receipt{Cluster: cluster, Durability: penstock.DurabilityDisk,
		Positions: penstock.Positions{3: {Epoch: 1, Offset: 8}, 5: {Epoch: 1, Offset: 1}}}.String()
	row := Entry{Epoch: 1, Stream: "s", ID: EventID(1, 0), Key: "k", Body: NewMaker(1, 1).Append(nil, "k", "")}
	for _, c := range []struct {
		partition penstock.Partition
		offset    penstock.Offset
		token     string
		short     int64
	}{{3, 7, token, 0}, {5, 0, token, 0}, {3, 8, token, 1}, {4, 0, token, 1}, {3, 7, token[:20], 1}} {
		row.Partition, row.Offset = c.partition, c.offset
		history := []Record{{Kind: Post, Client: 1, Stream: "s", Count: 1, Call: 1, Ret: 2, Outcome: Ok, Receipt: c.token}}
		v, err := Judge(Run{Config: Config{Seed: 1, Cluster: cluster}, History: each(history), Rows: each([]Entry{row})})
		if err != nil || v.Classes[ReceiptShort] != c.short || len(v.Classes) != int(c.short) {
			t.Errorf("%d/%d with %.20s: %v, %v", c.partition, c.offset, c.token, v.Classes, err)
		}
	}
}
