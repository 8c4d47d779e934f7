package storetest

import (
	"time"

	"penstock"
)

var replayCases = []test{
	{"replay/becomes a row", "the letter is closed with the row: both at once, or an event has two effects or none", replayRow},
	{"replay/twice", "a replay that is repeated, or runs in two places, has one effect", replayTwice},
	{"replay/of what is no open letter", "only an open letter lacks its effect", replayNothing},
	{"replay/that fails again", "the letter stays, with what is wrong now", replayFails},
	{"replay/is no repeat", "the event's id was seen when it became a letter, its number too: else no letter could ever be a row", replayNoRepeat},
	{"replay/is not seen", "whether an id counts as seen follows from first occurrences, and a replay is none", replayNotSeen},
	{"replay/that is condemned", "a letter whose replay ends the process stays a letter", replayCondemned},
}

func replayRow(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key := c.key(a, 0)
	bad := c.send(a, stored(c.event(a, key, "1", "")), dead("bad_json", c.unsummed(a, key, "2", "x"), c.unsummed(a, "", c.id(a, 0), "x")), stored(c.event(a, key, "3", "")))[1:3]
	c.send(a, stored(c.event(a, key, "4", "")), again(bad[0], c.unsummed(a, key, "2", `{"n":2}`)), stored(c.event(a, key, "5", "")))
	c.send(a, again(bad[1], c.unsummed(a, "", c.id(a, 0), `{"n":3}`)))
	c.play()
}

func replayTwice(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	key := c.key(a, 0)
	e := c.unsummed(a, key, "1", `{"n":1}`)
	bad := c.send(a, dead("bad_json", c.unsummed(a, key, "1", "x")))[0]
	c.send(a, again(bad, e), void(bad, e), void(bad, e))
	c.send(a, void(bad, e), void(bad, c.unsummed(a, key, "1", "x")))
	c.play()
}

func replayNothing(s *suite) {
	a, b := s.Streams[0], s.Streams[1]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()}, penstock.Stream{Name: b})
	key := c.key(a, 0)
	e := c.unsummed(a, key, "2", `{"n":1}`)
	row := c.send(a, stored(c.event(a, key, "1", "")))[0]
	bad := c.send(a, dead("bad_json", c.unsummed(a, key, "2", "x")))[0]
	c.send(a, void(row, e))
	for _, at := range []penstock.Position{
		{Epoch: 1, Offset: 1 << 40}, {Epoch: 2, Offset: bad.Position.Offset}, {Epoch: bad.Position.Epoch, Offset: bad.Position.Offset + 1},
	} {
		c.send(a, void(penstock.Place{Partition: bad.Partition, Position: at}, e))
	}
	// The same position of another partition is another place.
	c.send(a, void(bad, c.unsummed(a, c.apart(a), "2", `{"n":1}`)))
	c.drop(1, []penstock.Place{bad})
	c.send(a, void(bad, e), void(bad, c.unsummed(a, key, "new", `{"n":1}`)), void(bad, c.unsummed(a, key, "2", "x")))
	c.send(a, stored(c.event(a, key, "new", ""))) // what did nothing was not seen
	c.play()
}

func replayFails(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Columns: []penstock.Column{{Name: "n", Type: penstock.Bigint, Path: "n"}}})
	key := c.key(a, 0)
	bad := c.send(a, dead("bad_json", c.unsummed(a, key, "1", "x"), c.unsummed(a, key, "2", "x")))
	c.send(a, inVain(bad[0], c.unsummed(a, key, "1", "[]"), "bad_shape"))
	c.send(a, inVain(bad[0], c.event(a, key, "1", `{"n":"1"}`), "bad_type"), stored(c.event(a, key, "3", "")))
	other := c.event(a, key, "1", `{"n":1}`)
	other.Sum++
	c.send(a, inVain(bad[0], other, penstock.ReasonSum))
	c.send(a, again(bad[0], c.event(a, key, "1", `{"n":1}`)))
	c.send(a, inVain(bad[1], c.unsummed(a, key, "2", "{"), "bad_json"))
	c.drop(1, bad)
	c.play()
}

func replayNoRepeat(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: day()})
	key := c.key(a, 0)
	bad := c.made("one", 7, a, dead("bad_json", c.unsummed(a, key, "1", "x")), stored(c.event(a, key, "2", "")))[0]
	c.made("one", 8, a, stored(c.event(a, key, "3", "")))
	c.made("one", 7, a, again(bad, c.unsummed(a, key, "1", `{"n":1}`)), repeated(c.event(a, key, "2", "")))
	c.send(a, repeated(c.event(a, key, "1", "")))
	c.play()
}

func replayNotSeen(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a, Dedup: penstock.Dedup{Window: 10 * time.Second, MaxIDs: 1 << 30}})
	key := c.key(a, 0)
	bad := c.send(a, dead("bad_json", c.unsummed(a, key, "1", "x")))[0]
	s.log.now += 8_000_000
	c.send(a, again(bad, c.unsummed(a, key, "1", `{"n":1}`)))
	s.log.now += 4_000_000
	c.send(a, stored(c.event(a, key, "1", "")), repeated(c.event(a, key, "1", "")))
	c.play()
}

func replayCondemned(s *suite) {
	a := s.Streams[0]
	c := newScript(s, penstock.Stream{Name: a})
	key := c.key(a, 0)
	bad := c.send(a, dead("bad_json", c.unsummed(a, key, "1", "x")))[0]
	attempt := inVain(bad, c.unsummed(a, key, "1", `{"n":1}`), penstock.ReasonCrashes)
	attempt[0].detail, attempt[0].condemn = "the process ended", penstock.Condemned{Reason: penstock.ReasonCrashes, Detail: "the process ended"}
	c.send(a, attempt)
	c.send(a, stored(c.event(a, key, "2", "")), again(bad, c.unsummed(a, key, "1", `{"n":1}`)))
	c.play()
}
