package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"penstock"
)

var repeatCases = []test{
	{"repeat/the first one counts", "a sender that got no answer sends again: one effect, that of the first in log order", repeatFirst},
	{"repeat/another key, stream, or none", "the same id elsewhere is another event, and would be lost", repeatElsewhere},
	{"repeat/ids of the server", "they never repeat: one that a sender happens to use must not hide the sender's event", repeatServer},
	{"repeat/a stream that recognises none", "a window of zero means that every event is a row", repeatOff},
	{"repeat/window of time", "within it a repeat has no effect; beyond it an id is new, and the repeats in between do not make it longer", repeatTime},
	{"repeat/window of ids", "memory is bounded by the partition's share, which follows from the log: a rebuild decides the same", repeatCount},
	{"repeat/share is rounded up", "with fewer ids than partitions every partition remembers at least one", repeatShare},
	{"repeat/shares are each lane's own", "what other streams and partitions bring must not make a window shorter", repeatLanes},
	{"repeat/of a dead letter", "the letter is the event's one effect: a repeat beside it would be a second", repeatDead},
	{"repeat/over epochs", "a restored log is another life of the same events", repeatEpochs},
}

// day is a window that is longer than any case.
func day() penstock.Dedup { return penstock.Dedup{Window: 24 * time.Hour, MaxIDs: 1 << 30} }

func repeatFirst(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key, id := c.key(a, 0), c.id(a, 0)
	c.send(a, stored(c.event(a, key, "1", `{"n":1}`)), repeated(c.event(a, key, "1", `{"n":1}`)), stored(c.event(a, "", id, `{"n":1}`)))
	c.send(a, repeated(c.event(a, key, "1", `{"n":1}`), c.event(a, "", id, `{"n":1}`)), stored(c.event(a, key, "2", `{"n":1}`)))
	c.send(a, repeated(c.event(a, key, "1", `{"n":"other"}`), c.event(a, "", id, `{"n":"other"}`), c.event(a, key, "2", "")))
	c.send(a, repeated(c.event(a, key, "2", "no JSON")))
	c.play()
}

func repeatElsewhere(s *suite) {
	a, b := s.Streams[0], s.Streams[1]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()}, penstock.Stream{Name: b, Dedup: day()})
	id := c.id(a, 0)
	for i := range 2 {
		want := stored
		if i > 0 {
			want = repeated
		}
		c.send(a, want(c.event(a, "", id, ""), c.event(a, c.key(a, 0), id, ""), c.event(a, c.key(a, 1), id, ""), c.event(a, id, id, "")))
		c.send(b, want(c.event(b, c.key(b, 0), id, ""), c.event(b, "", c.id(b, 0), "")))
	}
	c.play()
}

func repeatServer(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key := c.key(a, 0)
	given := c.event(a, key, "1", "")
	given.Flags = penstock.ServerID
	c.send(a, stored(given, given, c.event(a, key, "1", "")), repeated(c.event(a, key, "1", "")), stored(given))
	c.play()
}

func repeatOff(s *suite) {
	for _, off := range []penstock.Dedup{{}, {Window: time.Hour}, {MaxIDs: 100}} {
		a := s.Streams[0]
		c := newScript(s, penstock.Stream{Name: a, Dedup: off})
		e := c.event(a, c.key(a, 0), "1", "")
		c.send(a, stored(e, e))
		c.send(a, stored(e))
		s.Run(fmt.Sprint(off), func(t *testing.T) { c.in(t).play() })
	}
}

func repeatTime(s *suite) {
	a := s.Streams[0]
	const window, most = 10 * time.Second, 10_000_000
	c := newScript(s, penstock.Stream{Name: a, Dedup: penstock.Dedup{Window: window, MaxIDs: 1 << 30}})
	e := c.event(a, c.key(a, 0), "1", "")
	s.log.now = 1_750_000_000_900_000
	at := func(past penstock.Micros, items []fated) {
		s.log.now = 1_750_000_000_900_000 + past
		c.send(a, items)
	}
	at(0, stored(e))
	at(most/2, repeated(e))
	at(most-100_000, repeated(e))
	// Log time is counted in seconds, of which the last may be begun: the next full one is beyond in any case.
	at(most+1_100_000, stored(e))
	at(most+1_100_000+most/2, repeated(e))
	at(2*most+1_000_000, repeated(e))
	at(2*most+2_200_000, stored(e))
	c.play()
}

// repeatCount counts first occurrences: repeats, ids of the server and what is stored without an id are none of them.
func repeatCount(s *suite) {
	a := s.Streams[0]
	const share = 4
	c := newScript(s, penstock.Stream{Name: a, Dedup: penstock.Dedup{Window: time.Hour, MaxIDs: share * int64(s.Cluster.Partitions)}})
	key := c.key(a, 0)
	e := func(id string) penstock.Event { return c.event(a, key, id, "") }
	given := e("given")
	given.Flags = penstock.ServerID
	c.send(a, stored(e("1"), e("2")), repeated(e("1"), e("1"), e("2"), e("1")), stored(given, given, given))
	c.send(a, stored(e("3"), e("4")), repeated(e("1"), e("2"), e("3"), e("4"))) // 1 was followed by three
	c.send(a, stored(e("5")), repeated(e("2"), e("3"), e("4"), e("5")))         // by four
	c.send(a, stored(e("1")), repeated(e("3"), e("4"), e("5"), e("1")), stored(e("2"), e("3")))
	c.send(a, dead("bad_json", c.event(a, key, "6", "x")), repeated(e("1"), e("2"), e("3"), e("6")), stored(e("5")), repeated(e("2")))
	c.play()
}

func repeatShare(s *suite) {
	a := s.Streams[0]
	for most, share := range map[int64]int{1: 1, int64(s.Cluster.Partitions): 1, int64(s.Cluster.Partitions) + 1: 2} {
		c := newScript(s, penstock.Stream{Name: a, Dedup: penstock.Dedup{Window: time.Hour, MaxIDs: most}})
		key := c.key(a, 0)
		e := func(n int) penstock.Event { return c.event(a, key, fmt.Sprint("id", n), "") }
		for n := range 6 {
			c.send(a, stored(e(n)), repeated(e(n)))
			if n >= share {
				c.send(a, repeated(e(n-share+1)))
			}
		}
		c.send(a, stored(e(0)))
		s.Run(fmt.Sprint(most, " ids"), func(t *testing.T) { c.in(t).play() })
	}
}

func repeatLanes(s *suite) {
	a, b := s.Streams[0], s.Streams[1]
	one := penstock.Dedup{Window: time.Hour, MaxIDs: 1}
	c := newScript(s, penstock.Stream{Name: a, Dedup: one}, penstock.Stream{Name: b, Dedup: one})
	p := c.partitioner()
	keys := []string{c.key(a, 0)}
	for n := 1; len(keys) < 3; n++ { // of other partitions
		if k := c.key(a, n); !slices.ContainsFunc(keys, func(other string) bool {
			return p.Of(penstock.DefaultTenant, a, []byte(k), nil) == p.Of(penstock.DefaultTenant, a, []byte(other), nil)
		}) {
			keys = append(keys, k)
		}
	}
	for i := range 4 {
		want := stored
		if i > 0 {
			want = repeated
		}
		for _, key := range keys {
			c.send(a, want(c.event(a, key, "1", "")))
		}
		c.send(b, stored(c.event(b, c.key(b, 0), fmt.Sprint(2*i), ""), c.event(b, c.key(b, 0), fmt.Sprint(2*i+1), "")))
	}
	c.play()
}

func repeatDead(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key := c.key(a, 0)
	c.send(a, dead("bad_json", c.event(a, key, "1", "x")), repeated(c.event(a, key, "1", "x"), c.event(a, key, "1", `{"mended":true}`)))
	c.send(a, repeated(c.event(a, key, "1", "x")))
	c.play()
}

func repeatEpochs(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	e := c.event(a, c.key(a, 0), "1", "")
	c.send(a, stored(e))
	s.log.begin(4)
	c.send(a, repeated(e), stored(c.event(a, c.key(a, 0), "2", "")))
	c.play()
}
