package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"penstock"
)

var courseCases = []test{
	{"course/random", "what no case above thought of: records of every kind in any order, judged by the letter of the six steps", courses},
}

// courses plays seeded random histories. A failure names its seed, which makes the same history again.
func courses(s *suite) {
	seeds := uint64(6)
	if s.Brief {
		seeds = 2
	}
	for seed := range seeds {
		s.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inner := *s
			inner.T, inner.log = t, newTape(s.Cluster)
			c := newCourse(&inner, seed)
			for range 150 {
				c.step()
			}
			c.few = seed > 0
			c.play()
		})
	}
}

// course makes a history of few keys, ids and producers, so that they meet.
type course struct {
	*script
	judge  *judge
	random *rand.Rand
	seqs   map[string]uint64
}

func newCourse(s *suite, seed uint64) *course {
	a, b := s.Streams[0], s.Streams[1]
	small := penstock.Dedup{Window: 5 * time.Second, MaxIDs: 6 * int64(s.Cluster.Partitions)}
	columns := []penstock.Column{{Name: "n", Type: penstock.Bigint, Path: "n"}}
	streams := []penstock.Stream{{Name: a, Dedup: small, HaltKey: true, Columns: columns}, {Name: b, Dedup: small}}
	if seed%3 == 1 {
		streams = []penstock.Stream{{Name: a, HaltKey: true}, {Name: b, Dedup: day(), HaltKey: true, Columns: columns}}
	}
	c := &course{script: newScript(s, streams...), random: rand.New(rand.NewPCG(seed, 11)), seqs: map[string]uint64{}}
	c.judge = newJudge(s.Cluster.Partitions, streams)
	return c
}

func (c *course) step() {
	switch n := c.random.IntN(100); {
	case n < 12:
		c.giveUp()
	case n < 16:
		c.log.begin(c.log.epoch + 1)
	case n < 30:
		c.log.now += penstock.Micros(c.random.IntN(4_000_000))
	default:
		c.request()
	}
}

// giveUp drops a letter, or what is none.
func (c *course) giveUp() {
	if at, ok := c.any(); ok {
		open, free := c.judge.drop([]penstock.Place{at})
		c.drop(open, []penstock.Place{at}, free...)
	}
}

// any returns the place of a letter, mostly one that is open.
func (c *course) any() (penstock.Place, bool) {
	var open, all []penstock.Place
	for _, l := range c.judge.letters {
		if all = append(all, l.place); l.state == penstock.LetterOpen {
			open = append(open, l.place)
		}
	}
	if len(open) > 0 && c.random.IntN(4) > 0 {
		all = open
	}
	if len(all) == 0 {
		return penstock.Place{}, false
	}
	return all[c.random.IntN(len(all))], true
}

// mostItems is how many events a request has at most.
const mostItems = 6

// request appends a few events, sometimes as a producer's, sometimes as the same one again.
func (c *course) request() {
	stream := c.Streams[c.random.IntN(2)]
	var by penstock.Producer
	if name := c.random.IntN(6); name < 3 {
		by.Name = fmt.Sprint("producer-", name)
		c.seqs[by.Name] += uint64(c.random.IntN(3))
		by.Seq = 1 + c.seqs[by.Name] - uint64(c.random.IntN(2))*min(1, c.seqs[by.Name])
	}
	var events []penstock.Event
	var flaws []penstock.LetterReason
	for range 1 + c.random.IntN(mostItems) {
		e, flaw := c.one(stream)
		events, flaws = append(events, e), append(flaws, flaw)
	}
	block := c.append(by, stream, events)
	for r := range block.Records() {
		at := penstock.Place{Partition: r.Partition, Position: r.Position}
		flaw := flaws[r.Item]
		detail := ""
		if c.random.IntN(40) == 0 {
			flaw, detail = penstock.ReasonRefused, "not with this one"
			c.condemned[at] = penstock.Condemned{Reason: flaw, Detail: detail}
		}
		o := c.judge.decide(r, flaw)
		o.detail = detail
		c.records[at], c.outcomes[at] = *r, o
	}
}

// one returns an event and what is wrong with it.
func (c *course) one(stream string) (penstock.Event, penstock.LetterReason) {
	key, id := "", c.id(stream, c.random.IntN(12))
	if c.random.IntN(4) > 0 {
		key = c.key(stream, c.random.IntN(6))
	}
	if c.judge.parked(c.partitioner().Of(penstock.DefaultTenant, stream, []byte(key), []byte(id))) > parkedEach-mostItems {
		key = "" // enough are waiting
	}
	at, replay := c.any()
	if replay = replay && c.random.IntN(5) == 0; replay {
		r := c.records[at]
		key, id = string(r.Key), string(r.ID)
	}
	e, flaw := c.body(stream, key, id)
	if replay {
		e.ReplayOf = at.Position
	} else if c.random.IntN(8) == 0 {
		e.Flags = penstock.ServerID
	}
	return e, flaw
}

// body returns an event, bad in one way or another in one of four cases.
func (c *course) body(stream, key, id string) (penstock.Event, penstock.LetterReason) {
	switch c.random.IntN(20) {
	case 0, 1:
		return c.unsummed(stream, key, id, "x"), "bad_json"
	case 2:
		return c.unsummed(stream, key, id, "[]"), "bad_shape"
	case 3:
		e := c.event(stream, key, id, "")
		e.Sum ^= 1 << 60
		return e, penstock.ReasonSum
	case 4:
		e := c.event(stream, key, id, `{"n":"text"}`)
		for _, s := range c.streams {
			if s.Name == stream && len(s.Columns) > 0 {
				return e, "bad_type"
			}
		}
		return e, ""
	}
	return c.event(stream, key, id, ""), ""
}
