package storetest

import (
	"fmt"

	"penstock"
)

// tape plays the log: it gives blocks their places. Its offsets have gaps, as those of a log may have.
type tape struct {
	builder *penstock.BlockBuilder
	epoch   penstock.Epoch
	now     penstock.Micros
	offset  map[penstock.Partition]penstock.Offset // within the epoch
	next    penstock.Positions                     // that follow the newest record of each partition
	serial  int
	filler  uint64
}

func newTape(c penstock.Cluster) *tape {
	return &tape{
		builder: penstock.NewBlockBuilder(penstock.NewPartitioner(c)),
		epoch:   1,
		now:     1_750_000_000_123_456,
		offset:  map[penstock.Partition]penstock.Offset{},
		next:    penstock.Positions{},
	}
}

// append makes a block of the events and gives it the next places.
func (t *tape) append(stream string, events ...penstock.Event) *penstock.Block {
	return t.appendAs(penstock.Producer{}, stream, events...)
}

// appendAs makes a block that is a request of a producer.
func (t *tape) appendAs(p penstock.Producer, stream string, events ...penstock.Event) *penstock.Block {
	t.builder.Reset(penstock.DefaultTenant, stream, t.now+17, 0)
	t.builder.Produced(p)
	for _, e := range events {
		t.builder.Add(e)
	}
	b := t.builder.Take()
	t.now += 1003
	b.Epoch, b.LogTime = t.epoch, t.now
	for i := range b.Groups {
		g := &b.Groups[i]
		at := t.offset[g.Partition]
		g.First = at + at%3
		t.offset[g.Partition] = g.End()
		t.next[g.Partition] = penstock.Position{Epoch: t.epoch, Offset: g.End()}
	}
	return b
}

// skip makes a gap in every partition.
func (t *tape) skip(n penstock.Offset) {
	for p := range t.next {
		t.offset[p] += n
	}
}

// begin begins another epoch, whose offsets start anew.
func (t *tape) begin(e penstock.Epoch) {
	t.epoch = e
	clear(t.offset)
}

// events returns n events whose ids never repeat. Half of them have keys, of which there are seven; without a key an
// event is spread by its id.
func (t *tape) events(n int) []penstock.Event {
	events := make([]penstock.Event, n)
	for i := range events {
		t.serial++
		e := penstock.Event{
			ID:   fmt.Appendf(nil, "id-%07d", t.serial),
			Time: t.now - penstock.Micros(t.serial%1000)*777,
			Body: fmt.Appendf(nil, `{"n": %d, "word": %q}`, t.serial, t.word()),
		}
		if t.serial%2 == 0 {
			e.Key = fmt.Appendf(nil, "key-%d", t.serial%7)
		}
		events[i] = e
	}
	return events
}

// word returns text that does not repeat soon.
func (t *tape) word() string {
	t.filler = t.filler*6364136223846793005 + 1442695040888963407
	return fmt.Sprintf("%016x", t.filler)
}

// body returns a JSON object of exactly that many bytes, with texts of up to 64 KiB, the longest that the door lets pass.
func (t *tape) body(size penstock.Bytes) []byte {
	const longest, end = 64 << 10, `"}`
	b := []byte(`{"text":"`)
	for member, from := 1, len(b); len(b) < int(size); {
		b = append(b, t.word()...)
		if len(b)-from > longest-1024 && int(size)-len(b) > 64 {
			b = fmt.Appendf(b, `","text-%d":"`, member)
			member, from = member+1, len(b)
		}
	}
	return append(b[:int(size)-len(end)], end...)
}
