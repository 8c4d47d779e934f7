package storetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"penstock"
	"penstock/internal/checksum"
)

// script is a history together with what must become of each of its records. It is written once, by a case, and then played
// several times, each time cut into other batches: what becomes of a record must not depend on these.
type script struct {
	*suite
	sums      checksum.Hasher
	streams   []penstock.Stream
	acts      []act
	records   map[penstock.Place]penstock.Record
	outcomes  map[penstock.Place]outcome
	waiting   map[string]penstock.Place // of parked records, by their ids
	condemned map[penstock.Place]penstock.Condemned
	few       bool // played once as a whole and once cut, since it is long
}

// act is a step of a script: blocks that come, or letters that somebody drops.
type act struct {
	blocks []*penstock.Block
	next   penstock.Positions // of the log, after the blocks
	drop   []penstock.Place
	open   int     // of those dropped
	freed  []freed // by dropping them
}

// outcome is what must become of a record.
type outcome struct {
	fate   penstock.Fate
	reason penstock.LetterReason // of a letter; of a replay: the letter's new one, "" if it becomes a row
	detail string                // of a letter that was condemned
	letter penstock.Place        // of a replay
	void   bool                  // a replay that does nothing
	freed  []freed
}

// freed is a parked record, by its id or by its place, whose turn comes: a row, or with a reason an open letter.
type freed struct {
	id     string
	reason penstock.LetterReason
	place  penstock.Place
}

// fated is an event with its outcome.
type fated struct {
	penstock.Event
	outcome
	condemn penstock.Condemned // by the caller
}

func stored(events ...penstock.Event) []fated { return fate(penstock.FateStored, "", events) }

func repeated(events ...penstock.Event) []fated { return fate(penstock.FateDuplicate, "", events) }

func parked(events ...penstock.Event) []fated { return fate(penstock.FateParked, "", events) }

func dead(reason penstock.LetterReason, events ...penstock.Event) []fated {
	return fate(penstock.FateDead, reason, events)
}

func fate(f penstock.Fate, reason penstock.LetterReason, events []penstock.Event) []fated {
	var all []fated
	for _, e := range events {
		all = append(all, fated{Event: e, outcome: outcome{fate: f, reason: reason}})
	}
	return all
}

// again is another attempt at a letter: it becomes a row, and with it those that waited for it.
func again(at penstock.Place, e penstock.Event, free ...freed) []fated {
	e.ReplayOf = at.Position
	return []fated{{Event: e, outcome: outcome{letter: at, freed: free}}}
}

// inVain is another attempt at a letter that leaves it open, with another reason.
func inVain(at penstock.Place, e penstock.Event, reason penstock.LetterReason) []fated {
	e.ReplayOf = at.Position
	return []fated{{Event: e, outcome: outcome{letter: at, reason: reason}}}
}

// void is an attempt at what is no open letter.
func void(at penstock.Place, e penstock.Event) []fated {
	e.ReplayOf = at.Position
	return []fated{{Event: e, outcome: outcome{letter: at, void: true}}}
}

// rows says that parked records become rows.
func rows(ids ...string) []freed {
	var all []freed
	for _, id := range ids {
		all = append(all, freed{id: id})
	}
	return all
}

// newScript begins a script for stores that know the streams.
func newScript(s *suite, streams ...penstock.Stream) *script {
	return &script{
		suite: s, sums: checksum.NewHasher(s.Cluster), streams: streams, records: map[penstock.Place]penstock.Record{},
		outcomes: map[penstock.Place]outcome{}, waiting: map[string]penstock.Place{}, condemned: map[penstock.Place]penstock.Condemned{},
	}
}

// send adds a request for a stream and returns the places of its records.
func (s *script) send(stream string, items ...[]fated) []penstock.Place {
	return s.sendAs(penstock.Producer{}, stream, items...)
}

// sendAs adds a request of a producer.
func (s *script) sendAs(p penstock.Producer, stream string, items ...[]fated) []penstock.Place {
	all := slices.Concat(items...)
	var events []penstock.Event
	for _, f := range all {
		events = append(events, f.Event)
	}
	var places []penstock.Place
	for r := range s.append(p, stream, events).Records() {
		at := penstock.Place{Partition: r.Partition, Position: r.Position}
		f := all[r.Item]
		if f.condemn != (penstock.Condemned{}) {
			s.condemned[at] = f.condemn
		}
		if f.fate == penstock.FateParked {
			s.waiting[string(r.ID)] = at
		}
		s.records[at], s.outcomes[at] = *r, f.outcome
		places = append(places, at)
	}
	return places
}

// append adds a block of events whose outcomes are not told yet.
func (s *script) append(p penstock.Producer, stream string, events []penstock.Event) *penstock.Block {
	block := s.log.appendAs(p, stream, events...)
	if len(s.acts) == 0 || s.acts[len(s.acts)-1].drop != nil {
		s.pause()
	}
	a := &s.acts[len(s.acts)-1]
	a.blocks, a.next = append(a.blocks, block), s.log.next.Clone()
	return block
}

// pause lets all that was sent be applied before what is sent from now on.
func (s *script) pause() { s.acts = append(s.acts, act{}) }

// drop adds that somebody gives letters up, of which so many are open.
func (s *script) drop(open int, places []penstock.Place, free ...freed) {
	s.acts = append(s.acts, act{drop: places, open: open, freed: free})
}

// event returns an event with its checksum. Without a body it gets one of its own.
func (s *script) event(stream, key, id, body string) penstock.Event {
	e := s.log.events(1)[0]
	e.ID, e.Key = []byte(id), []byte(key)
	if body != "" {
		e.Body = []byte(body)
	}
	if json.Valid(e.Body) { // no door takes a checksum of anything else
		e.Sum = s.sums.Stream(penstock.DefaultTenant, stream).Sum(e.Key, e.ID, e.Body)
	}
	return e
}

// key returns the n-th key of a stream whose events come to the store.
func (s *script) key(stream string, n int) string {
	return s.find("key", n, func(text []byte) penstock.Partition {
		return s.partitioner().Of(penstock.DefaultTenant, stream, text, nil)
	})
}

// id returns the n-th id of a stream that comes to the store without a key.
func (s *script) id(stream string, n int) string {
	return s.find("id", n, func(text []byte) penstock.Partition {
		return s.partitioner().Of(penstock.DefaultTenant, stream, nil, text)
	})
}

func (s *script) find(what string, n int, of func([]byte) penstock.Partition) string {
	for i := 0; ; i++ {
		text := fmt.Sprintf("%s-%d", what, i)
		if slices.Contains(s.held, of([]byte(text))) {
			if n--; n < 0 {
				return text
			}
		}
	}
}

func (s *script) partitioner() penstock.Partitioner { return penstock.NewPartitioner(s.Cluster) }

// play plays the script as one batch, record by record, and cut at random.
func (s *script) play() {
	s.Helper()
	seeds := uint64(3)
	if s.few || s.Brief {
		seeds = 1
	} else {
		s.Run("record by record", func(t *testing.T) { s.take(t).run(func(*take) int { return 1 }, false) })
	}
	if !s.Cut {
		s.Run("whole", func(t *testing.T) { s.take(t).run(func(*take) int { return 1 << 30 }, false) })
	}
	for seed := range seeds {
		s.Run(fmt.Sprint("cut by seed ", seed), func(t *testing.T) {
			k := s.take(t)
			k.random = rand.New(rand.NewPCG(seed, 7))
			k.run(func(k *take) int { return 1 + k.random.IntN(1+len(s.records)/3) }, true)
		})
	}
}

// in returns the script for a part of its case.
func (s *script) in(t *testing.T) *script {
	part, inner := *s, *s.suite
	inner.T = t
	part.suite = &inner
	return &part
}

// take begins to play the script on a store of its own.
func (s *script) take(t *testing.T) *take {
	t.Helper()
	k := &take{script: s, random: rand.New(rand.NewPCG(1, 7)), letters: map[penstock.Place]penstock.Letter{}, tallies: map[penstock.Lane]penstock.Tally{}}
	k.suite = &suite{T: t, Backend: s.Backend, ctx: s.ctx, log: s.log, want: map[place]Row{}}
	k.use(s.OpenWith(t, s.streams))
	for _, p := range k.held {
		k.at[p] = penstock.Position{}
	}
	return k
}

// take is a script being played: what the store must hold so far.
type take struct {
	*script
	*suite
	random  *rand.Rand
	letters map[penstock.Place]penstock.Letter
	tallies map[penstock.Lane]penstock.Tally
}

// run plays all acts in batches of so many records; partly also partition by partition, with restarts in between.
func (k *take) run(size func(*take) int, restarts bool) {
	k.Helper()
	for _, a := range k.acts {
		if a.drop != nil {
			k.dropped(a)
			continue
		}
		for !k.at.Reached(k.reach(a)) {
			b := penstock.Batch{From: k.at.Clone(), Next: k.reach(a), Blocks: a.blocks, Condemned: k.condemned}
			if restarts {
				b = b.Only(k.some())
			}
			b, _ = b.Cut(size(k))
			k.play(b)
			if restarts {
				k.again(b)
				k.restart()
			}
		}
	}
	k.check()
}

// reach returns where the store stands after the act.
func (k *take) reach(a act) penstock.Positions {
	next := k.at.Clone()
	for _, p := range k.held {
		next.Raise(penstock.Positions{p: a.next[p]})
	}
	return next
}

// some returns about three of four partitions.
func (k *take) some() []penstock.Partition {
	return slices.DeleteFunc(slices.Clone(k.held), func(penstock.Partition) bool { return k.random.IntN(4) == 0 })
}

// again applies a batch a second time, now and then.
func (k *take) again(b penstock.Batch) {
	k.Helper()
	if k.random.IntN(4) == 0 && !b.From.Reached(b.Next) {
		k.expect(k.store.Apply(k.ctx, b), penstock.Stale)
		k.check()
	}
}

// restart opens the store again, now and then.
func (k *take) restart() {
	k.Helper()
	odds := 4
	if k.few && k.Brief {
		odds = 8
	}
	for _, again := range []func(*testing.T, penstock.Store) penstock.Store{k.Reopen, k.Crash} {
		if again != nil && k.random.IntN(odds) == 0 {
			k.use(again(k.T, k.store))
			k.check()
		}
	}
}

// play applies a batch, notes what must have come of it, and compares.
func (k *take) play(b penstock.Batch) {
	k.Helper()
	if err := k.store.Apply(k.ctx, b); err != nil {
		k.Fatalf("Apply of %d records from %v to %v: %v", b.Len(), b.From, b.Next, err)
	}
	k.note(b)
	k.check()
}

// note notes what must come of a batch.
func (k *take) note(b penstock.Batch) {
	for r := range b.Records() {
		k.settle(penstock.Place{Partition: r.Partition, Position: r.Position})
	}
	for p, next := range b.Next {
		k.at[p] = next
	}
}

// dropped drops letters and compares.
func (k *take) dropped(a act) {
	k.Helper()
	d := k.store.(penstock.DeadLetters)
	if n, err := d.Drop(k.ctx, slices.Clone(a.drop)); err != nil || n != k.openOf(a) {
		k.Fatalf("Drop of %v: %d, %v, want %d", a.drop, n, err, k.openOf(a))
	}
	for _, at := range a.drop {
		if l, ok := k.letters[at]; ok && l.State == penstock.LetterOpen {
			l.State = penstock.LetterDropped
			k.letters[at] = l
			k.move(at, penstock.FateDead, penstock.FateDropped)
		}
	}
	for _, f := range a.freed {
		k.free(f)
	}
	k.check()
}

// openOf returns how many letters of an act are open in partitions that the store holds.
func (k *take) openOf(a act) int {
	n := 0
	for at := range maps.Keys(k.letters) {
		if slices.Contains(a.drop, at) && k.letters[at].State == penstock.LetterOpen {
			n++
		}
	}
	if n > a.open || n < a.open && len(k.held) == k.Cluster.Partitions {
		k.Fatalf("the suite expects %d open letters of %v, its case says %d", n, a.drop, a.open)
	}
	return n
}
