package storetest

import (
	"penstock"
)

var producerCases = []test{
	{"producer/a request again", "a producer needs neither ids nor a window: what its number says was there has no second effect", producerAgain},
	{"producer/gaps and numbers that come late", "what is not above the highest was there, or was given up by its sender", producerGaps},
	{"producer/each name, stream and partition by itself", "numbers of another sender say nothing about this one's", producerApart},
	{"producer/and ids", "an id that was seen stays seen, and a record that its number makes a repeat is not seen", producerIDs},
	{"producer/a dead letter of a request", "the letter is the item's effect: the request again must not make another", producerDead},
}

func (s *script) made(name string, seq uint64, stream string, items ...[]fated) []penstock.Place {
	return s.sendAs(penstock.Producer{Name: name, Seq: seq}, stream, items...)
}

func producerAgain(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	var items, others []penstock.Event
	for _, e := range s.log.events(20) {
		e.Flags = penstock.ServerID
		items = append(items, e)
	}
	others = append(others, c.event(a, c.key(a, 0), "x", ""))
	c.made("one", 1, a, stored(items...))
	c.made("one", 1, a, repeated(items...))
	c.made("one", 2, a, stored(items...))
	c.made("one", 1, a, repeated(items...))
	c.made("one", 2, a, repeated(items...))
	c.send(a, stored(others...), stored(others...))
	c.made("one", 3, a, stored(others...))
	c.play()
}

func producerGaps(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	e := func(id string) penstock.Event { return c.event(a, c.key(a, 0), id, "") }
	c.made("one", 5, a, stored(e("a"), e("b")))
	c.made("one", 1<<63+7, a, stored(e("c")))
	c.made("one", 6, a, repeated(e("d"), e("e"), e("f")))
	c.made("one", 1<<63+7, a, repeated(e("c")), stored(e("g"))) // an item more: it was not there
	c.made("one", 1<<63+8, a, stored(e("h")))
	c.made("one", 1<<64-1, a, stored(e("i")), stored(e("j")))
	c.made("one", 1<<64-1, a, repeated(e("i"), e("j")))
	c.play()
}

func producerApart(s *suite) {
	a, b := s.Streams[0], s.Streams[1]
	c := newScript(s, penstock.Stream{Name: a}, penstock.Stream{Name: b})
	for _, name := range []string{"one", "two", "One", "one ", "~"} {
		c.made(name, 3, a, stored(c.event(a, c.key(a, 0), "1", "")))
		c.made(name, 2, b, stored(c.event(b, c.key(b, 0), "1", "")))
		c.made(name, 1, a, repeated(c.event(a, c.key(a, 0), "2", "")))
		c.made(name, 1, b, repeated(c.event(b, c.key(b, 0), "2", "")))
	}
	// A request whose first part came with another one: only where that went is its number taken.
	key, other := c.key(a, 0), c.apart(a)
	c.made("parts", 1, a, stored(c.event(a, key, "1", "")))
	c.made("parts", 1, a, repeated(c.event(a, key, "1", "")), stored(c.event(a, other, "2", "")))
	c.play()
}

// apart returns a key whose events go to another partition than those of the first key.
func (s *script) apart(stream string) string { return s.other(stream, false) }

// beside returns a key whose events go to the partition of those of the first key.
func (s *script) beside(stream string) string { return s.other(stream, true) }

func (s *script) other(stream string, same bool) string {
	p := s.partitioner()
	of := func(key string) penstock.Partition { return p.Of(penstock.DefaultTenant, stream, []byte(key), nil) }
	for n := 1; ; n++ {
		if key := s.key(stream, n); (of(key) == of(s.key(stream, 0))) == same {
			return key
		}
	}
}

func producerIDs(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	e := func(id string) penstock.Event { return c.event(a, c.key(a, 0), id, "") }
	c.send(a, stored(e("a")))
	c.made("one", 4, a, repeated(e("a")), stored(e("b")))
	c.made("one", 3, a, repeated(e("c"))) // its number is taken, so its id is not
	c.send(a, stored(e("c")), repeated(e("b")))
	c.made("one", 5, a, repeated(e("c")))
	c.made("one", 5, a, repeated(e("d"))) // the number moved although the record was a repeat
	c.send(a, stored(e("d")))
	c.play()
}

func producerDead(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	good, bad := c.event(a, c.key(a, 0), "1", ""), c.event(a, c.key(a, 0), "2", "x")
	c.made("one", 1, a, stored(good), dead("bad_json", bad), stored(good))
	c.made("one", 1, a, repeated(good, bad, good))
	c.play()
}
