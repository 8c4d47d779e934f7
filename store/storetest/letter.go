package storetest

import (
	"fmt"
	"slices"

	"penstock"
)

var letterCases = []test{
	{"letter/what cannot be encoded", "an event that was accepted is never lost: its bytes wait until somebody decides", letterBad},
	{"letter/what is condemned", "what ends the process or is refused by the database is found by the caller, and must not be tried again", letterCondemned},
	{"letter/a checksum that differs", "a row that is not what was accepted must not pass for it; without a checksum nothing can be told", letterSum},
	{"letter/a column's type", "a row with NULL in place of what was sent would hide it", letterColumn},
	{"letter/pages and what is asked for", "letters are listed by people, a page at a time, and replayed by what they have in common", letterPages},
	{"letter/drop", "what somebody gave up stays counted as dropped, and cannot come back", letterDrop},
	{"letter/drop while batches are applied", "somebody drops what arises: nobody's letter twice, and no batch is lost between", letterDropMeanwhile},
	{"letter/drop after close", "what is dropped must be durable", letterDropClosed},
}

func letterBad(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key, id := c.key(a, 0), c.id(a, 0)
	c.send(a, stored(c.event(a, key, "1", "")), dead("bad_json", c.unsummed(a, key, "2", "{\"\x00\xff")), stored(c.event(a, key, "3", "")))
	c.send(a, dead("bad_shape", c.unsummed(a, "", id, "[]")))
	c.play()
}

// unsummed returns an event without a checksum: a store cannot know that the door checked it.
func (s *script) unsummed(stream, key, id, body string) penstock.Event {
	e := s.event(stream, key, id, body)
	e.Body, e.Sum = []byte(body), 0
	return e
}

// doomed is dead, for events that the caller condemns with a detail.
func doomed(reason penstock.LetterReason, detail string, events ...penstock.Event) []fated {
	all := dead(reason, events...)
	for i := range all {
		all[i].detail, all[i].condemn = detail, penstock.Condemned{Reason: reason, Detail: detail}
	}
	return all
}

func letterCondemned(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key := c.key(a, 0)
	c.send(a, stored(c.event(a, key, "1", "")), doomed(penstock.ReasonCrashes, "the process ended twice", c.event(a, key, "2", "")),
		repeated(c.event(a, key, "2", "")), stored(c.event(a, key, "3", "")))
	c.send(a, doomed(penstock.ReasonRefused, "out of range", c.unsummed(a, key, "4", "x")), stored(c.event(a, key, "5", "")))
	c.play()
}

func letterSum(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	key := c.key(a, 0)
	change := func(f func(*penstock.Event)) penstock.Event {
		e := c.event(a, key, "changed", `{"n":1}`)
		f(&e)
		return e
	}
	c.send(a,
		stored(change(func(*penstock.Event) {})),
		stored(change(func(e *penstock.Event) { e.Sum = 0 })),
		dead(penstock.ReasonSum,
			change(func(e *penstock.Event) { e.Sum ^= 1 }),
			change(func(e *penstock.Event) { e.Body = []byte(`{"n":2}`) }),
			change(func(e *penstock.Event) { e.ID = []byte("changes") }),
			change(func(e *penstock.Event) { e.Key = []byte(c.key(a, 1)) }),
			change(func(e *penstock.Event) { e.Body = []byte(`x`) })),
		stored(change(func(*penstock.Event) {})))
	c.send(s.Streams[1], dead(penstock.ReasonSum, c.event(a, c.key(s.Streams[1], 0), "of another stream", "")))
	c.play()
}

func letterColumn(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Columns: []penstock.Column{
		{Name: "amount", Type: penstock.Bigint, Path: "amount"},
		{Name: "city", Type: penstock.Text, Path: "geo.city"},
	}})
	key := c.key(a, 0)
	c.send(a, stored(c.event(a, key, "1", `{"amount":1,"geo":{"city":"Ulm"}}`), c.event(a, key, "2", `{}`), c.event(a, key, "3", `{"amount":null,"geo":7}`)),
		dead("bad_type", c.event(a, key, "4", `{"amount":"1"}`), c.event(a, key, "5", `{"geo":{"city":1}}`), c.unsummed(a, key, "6", `{"amount":1.5}`)),
		stored(c.event(a, key, "7", `{"amount":7}`)))
	c.send(s.Streams[1], stored(c.event(s.Streams[1], c.key(s.Streams[1], 0), "8", `{"amount":"any"}`)))
	c.play()
}

// letterPages lists the same letters in every way.
func letterPages(s *suite) {
	a, b := s.Streams[0], s.Streams[1]
	c := newScript(s, penstock.Stream{Name: a}, penstock.Stream{Name: b})
	for i := range 20 {
		for _, stream := range []string{a, b} {
			id := fmt.Sprint(i % 7)
			c.send(stream, dead("bad_json", c.unsummed(stream, c.key(stream, i), id, "x")), dead("bad_shape", c.unsummed(stream, c.key(stream, i), id, "[]")))
		}
	}
	all := slices.SortedFunc(slices.Values(c.places()), comparePlaces)
	c.drop(3, all[4:7])
	k := c.take(s.T)
	k.run(func(*take) int { return 1 << 30 }, false)
	for _, q := range []penstock.LetterQuery{
		{}, {Stream: a}, {Stream: b}, {ID: "3"}, {Reason: "bad_json"}, {State: penstock.LetterOpen}, {State: penstock.LetterDropped},
		{State: penstock.LetterParked}, {Stream: a, ID: "0", Reason: "bad_shape", State: penstock.LetterOpen}, {Stream: "unknown"}, {After: all[9]},
		{After: all[len(all)-1]}, {Stream: b, After: all[0]},
	} {
		limits := []int{7, 1000}
		if q.ID != "" {
			limits = append(limits, 1)
		}
		for _, q.Limit = range limits {
			k.asks(q, all)
		}
	}
}

// places returns where the script's records are.
func (s *script) places() []penstock.Place {
	var all []penstock.Place
	for at := range s.records {
		all = append(all, at)
	}
	return all
}

// asks compares what a query returns with what it asks for.
func (k *take) asks(q penstock.LetterQuery, all []penstock.Place) {
	k.Helper()
	var want []penstock.Place
	for _, at := range all {
		l := k.letters[at]
		if q.After.Less(at) && (q.Stream == "" || l.Stream == q.Stream) && (q.ID == "" || l.ID == q.ID) &&
			(q.Reason == "" || l.Reason == q.Reason) && (q.State == "" || l.State == q.State) {
			want = append(want, at)
		}
	}
	var got []penstock.Place
	for _, l := range k.list(q) {
		got = append(got, penstock.Place{Partition: l.Partition, Position: l.Position})
	}
	if !slices.Equal(got, want) {
		k.Fatalf("Letters of %+v: %v, want %v", q, got, want)
	}
}

func letterDrop(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key := c.key(a, 0)
	row := c.send(a, stored(c.event(a, key, "1", "")))
	bad := c.send(a, dead("bad_json", c.unsummed(a, key, "2", "x"), c.unsummed(a, key, "3", "x"), c.unsummed(a, c.key(a, 1), "4", "x")))
	nowhere := []penstock.Place{
		{Partition: bad[0].Partition, Position: penstock.Position{Epoch: 1, Offset: 1 << 40}}, {Partition: penstock.MaxPartitions - 1, Position: bad[0].Position}, {},
	}
	c.drop(0, slices.Concat(row, nowhere))
	c.drop(1, bad[:1])
	c.drop(0, bad[:1])
	c.drop(2, slices.Concat(bad, bad, row, nowhere))
	c.send(a, void(bad[0], c.event(a, key, "2", "")), repeated(c.event(a, key, "2", ""), c.event(a, key, "3", "")), stored(c.event(a, key, "5", "")))
	c.drop(0, bad)
	c.play()
}

func letterDropClosed(s *suite) {
	k := newScript(s).take(s.T)
	if err := k.store.Close(); err != nil {
		s.Fatal(err)
	}
	_, err := k.store.(penstock.DeadLetters).Drop(s.ctx, []penstock.Place{{Position: penstock.Position{Epoch: 1}}})
	s.expect(err, penstock.Unavailable)
}

// letterDropMeanwhile drops whatever letters are open while batches bring more, and compares the sums.
func letterDropMeanwhile(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, HaltKey: true})
	rounds := 30
	if s.Brief {
		rounds = 8
	}
	for n := range rounds {
		for i := range 8 {
			id := func(name string) string { return fmt.Sprint(name, n, "-", i) }
			c.send(a, stored(c.event(a, c.key(a, i), id("row"), "")), dead("bad_json", c.unsummed(a, "", c.id(a, 8*n+i), "x")))
		}
	}
	k := c.take(s.T)
	whole := c.acts[0]
	failed := make(chan error, 1)
	go func() { failed <- k.applyEach(whole.blocks) }()
	dropped := 0
	for applied := false; !applied || k.open() > 0; {
		n, err := k.store.(penstock.DeadLetters).Drop(k.ctx, k.openPlaces())
		if err != nil {
			s.Fatalf("Drop: %v", err)
		}
		dropped += n
		k.equation()
		select {
		case err := <-failed:
			if applied = true; err != nil {
				s.Fatalf("Apply: %v", err)
			}
		default:
		}
	}
	b := penstock.Batch{From: k.at.Clone(), Next: k.reach(whole), Blocks: whole.blocks}
	k.note(b)
	for at, l := range k.letters {
		l.State = penstock.LetterDropped
		k.letters[at] = l
		k.move(at, penstock.FateDead, penstock.FateDropped)
	}
	if dropped != len(k.letters) {
		s.Fatalf("%d letters were dropped, of %d", dropped, len(k.letters))
	}
	k.check()
}

func (k *take) open() int { return len(k.openPlaces()) }

// openPlaces returns where the store has open letters.
func (k *take) openPlaces() []penstock.Place {
	k.Helper()
	var places []penstock.Place
	for _, l := range k.list(penstock.LetterQuery{State: penstock.LetterOpen, Limit: 1000}) {
		places = append(places, penstock.Place{Partition: l.Partition, Position: l.Position})
	}
	return places
}
