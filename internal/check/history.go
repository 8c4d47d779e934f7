package check

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"penstock"
)

// never is later than everything.
const never = math.MaxInt64

// op is a run of events of one client that were always sent together: a request, or a part of one of which only that part was
// sent again.
type op struct {
	first  uint64 // sequence
	call   int64  // of the first attempt that was not refused; never: all were
	ret    int64  // of the first answer that said yes; never: there is none
	slot   uint32 // of the first event
	count  uint32
	span   uint32 // of the receipt, in receipts.spans
	spans  uint16
	may    uint16 // attempts that were not refused
	stream uint16
}

func (o *op) end() uint64 { return o.first + uint64(o.count) }

// client holds its operations in the order of their sequences.
type client struct {
	number uint32
	ops    []op
}

// find returns the operation that holds a sequence, or the place where it would be.
func (c *client) find(seq uint64) (int, bool) {
	i := sort.Search(len(c.ops), func(i int) bool { return c.ops[i].end() > seq })
	return i, i < len(c.ops) && c.ops[i].first <= seq
}

// cut sees to it that an operation begins at seq, if one holds it.
func (c *client) cut(seq uint64) {
	i, ok := c.find(seq)
	if !ok || c.ops[i].first == seq {
		return
	}
	left := uint32(seq - c.ops[i].first)
	right := c.ops[i]
	right.first, right.slot, right.count = seq, right.slot+left, right.count-left
	c.ops[i].count = left
	c.ops = slices.Insert(c.ops, i+1, right)
}

// cover sees to it that operations without a gap hold the sequences from lo to hi-1, and no others, and returns the first one.
func (c *client) cover(lo, hi uint64, add func(first, end uint64) op) int {
	if n := len(c.ops); n == 0 || c.ops[n-1].end() <= lo {
		c.ops = append(c.ops, add(lo, hi))
		return n
	}
	c.cut(lo)
	c.cut(hi)
	begin, _ := c.find(lo)
	for i, at := begin, lo; at < hi; i++ {
		if i == len(c.ops) || c.ops[i].first > at {
			end := hi
			if i < len(c.ops) {
				end = min(end, c.ops[i].first)
			}
			c.ops = slices.Insert(c.ops, i, add(at, end))
		}
		at = c.ops[i].end()
	}
	return begin
}

// What is known of an event.
const (
	saidOk uint16 = 1 << iota
	saidUnknown
	poison
	dropAsked
	logged
	stored
	isLetter
	seen
)

// events is the state of all events, by slot.
type events struct {
	flags []uint16
	sums  []uint32 // of their bodies; 0: not known yet
	keys  []uint32 // 0: none, or not known yet
}

func (e *events) grow(n int) (slot uint32) {
	slot = uint32(len(e.flags))
	e.flags = append(e.flags, make([]uint16, n)...)
	e.sums = append(e.sums, make([]uint32, n)...)
	e.keys = append(e.keys, make([]uint32, n)...)
	return slot
}

func (e *events) outcome(slot uint32) Outcome {
	switch f := e.flags[slot]; {
	case f&saidOk != 0:
		return Ok
	case f&saidUnknown != 0:
		return Unknown
	}
	return Fail
}

// ref is an event that was sent.
type ref struct {
	client uint32
	seq    uint64
	slot   uint32
	op     *op
}

func (r ref) id() string { return EventID(r.client, r.seq) }

// find returns an event, if it was sent. The op is valid until the history goes on.
func (j *judge) find(number uint32, seq uint64) (ref, bool) {
	c := j.clients[number]
	if c == nil {
		return ref{}, false
	}
	i, ok := c.find(seq)
	if !ok {
		return ref{}, false
	}
	o := &c.ops[i]
	return ref{number, seq, o.slot + uint32(seq-o.first), o}, true
}

// owner returns the event of a slot. It is slow, for sentences only.
func (j *judge) owner(slot uint32) ref {
	for number, c := range j.clients {
		for i := range c.ops {
			if o := &c.ops[i]; slot >= o.slot && slot-o.slot < o.count {
				return ref{number, o.first + uint64(slot-o.slot), slot, o}
			}
		}
	}
	return ref{}
}

func (j *judge) readHistory() error {
	for rec, err := range j.run.History {
		if err == nil {
			err = rec.check()
		}
		if err == nil {
			err = j.take(rec)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take notes one record.
func (j *judge) take(rec *Record) error {
	if rec.Lane != Flood {
		j.verdict.Counts.Unjudged++
		return nil
	}
	switch rec.Kind {
	case Post:
		return j.takePost(rec)
	case Read:
		j.reads, j.verdict.Judged["P10"] = true, true
	case Tail:
		j.reads = true
	case View:
		return j.takeTold(rec)
	case Watch:
		j.takeWatch(rec)
	case Sample:
		j.takeSample(rec)
	case Drop:
		j.takeDrop(rec)
	case Replay:
	case Drained:
		j.verdict.Judged["P0"] = true
		if rec.Outcome != Ok {
			j.drained = false
			j.found(NotDrained, subject{name: "run"}, "what was answered could not be queried in the end: %s", rec.Code)
		}
	default:
		return penstock.Errorf(penstock.Invalid, "read history", "op %d: kind %q", rec.Op, rec.Kind)
	}
	return nil
}

func (j *judge) takePost(rec *Record) error {
	j.verdict.Counts.Attempts++
	j.judgeRefusal(rec)
	stream, err := j.streams.id(rec.Tenant, rec.Stream)
	if err != nil {
		return err
	}
	c := j.clients[rec.Client]
	if c == nil {
		c = &client{number: rec.Client}
		j.clients[rec.Client] = c
	}
	if len(j.events.flags)+rec.Count >= int(repeated) {
		return penstock.Errorf(penstock.Full, "read history", "more than %d events", repeated)
	}
	end := rec.Seq + uint64(rec.Count)
	at := c.cover(rec.Seq, end, func(first, end uint64) op {
		n := int(end - first)
		return op{first: first, call: never, ret: never, slot: j.events.grow(n), count: uint32(n), stream: stream}
	})
	span, spans := j.takeReceipt(rec)
	outcomes := rec.outcomes()
	for i := at; i < len(c.ops) && c.ops[i].first < end; i++ {
		o := &c.ops[i]
		if o.stream != stream {
			return penstock.Errorf(penstock.Invalid, "read history", "op %d: %s went to another stream before", rec.Op, EventID(rec.Client, o.first))
		}
		o.fold(rec, span, spans)
		j.foldItems(rec, o, outcomes[o.first-rec.Seq:])
	}
	for _, i := range rec.Poison {
		if r, ok := j.find(rec.Client, rec.Seq+uint64(i)); ok {
			j.events.flags[r.slot] |= poison
		}
	}
	return nil
}

// fold adds an attempt to an operation.
func (o *op) fold(rec *Record, span uint32, spans uint16) {
	if rec.Outcome == Fail {
		return
	}
	o.may = max(o.may, o.may+1) // and no further than it goes
	o.call = min(o.call, rec.Call)
	if rec.Outcome == Ok && o.ret == never {
		o.ret, o.span, o.spans = rec.Ret, span, spans
	}
}

func (j *judge) foldItems(rec *Record, o *op, outcomes []Outcome) {
	flags := j.events.flags[o.slot:]
	for i := range int(o.count) {
		switch outcomes[i] {
		case Ok:
			flags[i] |= saidOk
		case Unknown:
			flags[i] |= saidUnknown
		}
		at := o.first - rec.Seq + uint64(i)
		if len(rec.Keys) > 0 {
			j.events.keys[o.slot+uint32(i)] = j.keys.id(o.stream, rec.Keys[at])
		}
		if len(rec.Sums) > 0 {
			var sum uint64
			if _, err := fmt.Sscanf(rec.Sums[at], "%16x", &sum); err == nil {
				j.events.sums[o.slot+uint32(i)] = shortSum(sum)
			}
		}
	}
}

// shortSum is what is kept of a body's hash; never 0.
func shortSum(sum uint64) uint32 { return uint32(sum>>32) | 1 }

func (j *judge) takeDrop(rec *Record) {
	if rec.Outcome == Fail {
		return
	}
	if rec.Count == 0 {
		if id, err := j.streams.id(rec.Tenant, rec.Stream); err == nil {
			j.streams.all[id].dropAsked = true
		}
	}
	for i := range rec.Count {
		if r, ok := j.find(rec.Client, rec.Seq+uint64(i)); ok {
			j.events.flags[r.slot] |= dropAsked
		}
	}
}
