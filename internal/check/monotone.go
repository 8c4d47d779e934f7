package check

import (
	"cmp"
	"slices"
	"sort"

	"penstock"
)

// ratchet remembers how far something was known to be at a time. What is asked for is what had been seen before a call began.
// It forgets the details of what is long past: then it may miss a step back, and never sees one that was none.
type ratchet struct {
	rets  []int64 // ascending
	highs []penstock.Position
}

const maxSteps = 1 << 14

// before returns the furthest position seen by an answer that came before a call.
func (r *ratchet) before(call int64) (penstock.Position, bool) {
	i := sort.Search(len(r.rets), func(i int) bool { return r.rets[i] >= call })
	if i == 0 {
		return penstock.Position{}, false
	}
	return r.highs[i-1], true
}

// raise notes an answer. Answers come about in the order of their times; one that is late counts from the latest.
func (r *ratchet) raise(ret int64, at penstock.Position) {
	n := len(r.rets)
	if n > 0 && !r.highs[n-1].Less(at) {
		return
	}
	if n > 0 {
		ret = max(ret, r.rets[n-1])
	}
	if n == maxSteps {
		r.rets = slices.Delete(r.rets, 0, n/2)
		r.highs = slices.Delete(r.highs, 0, n/2)
	}
	r.rets, r.highs = append(r.rets, ret), append(r.highs, at)
}

// watch is something that a node tells positions of.
type watch struct {
	node, what string
	partition  penstock.Partition
}

func (j *judge) takeWatch(rec *Record) {
	if rec.Outcome != Ok {
		return
	}
	j.verdict.Judged["P9"] = true
	for _, m := range rec.At {
		w := watch{rec.Node, rec.What, m.Partition}
		r := j.watches[w]
		if r == nil {
			r = &ratchet{}
			j.watches[w] = r
		}
		if high, ok := r.before(rec.Call); ok && m.Position.Less(high) {
			about := subject{name: rec.What, at: penstock.Place{Partition: m.Partition, Position: m.Position}}
			j.found(WatchGoesBack, about, "%s of partition %d, told by %q, was %v and later %v", rec.What, m.Partition, rec.Node, high, m.Position)
		}
		r.raise(rec.Ret, m.Position)
	}
}

// receipts is what the answers said about places.
type receipts struct {
	spans  []receiptSpan
	floors map[penstock.Partition]*ratchet
	most   penstock.Positions // the furthest
}

type receiptSpan struct {
	Span
	op int64
}

// takeReceipt notes the positions of an answer and returns where in spans they are.
func (j *judge) takeReceipt(rec *Record) (at uint32, n uint16) {
	if rec.Outcome != Ok {
		return 0, 0
	}
	spans := rec.Spans
	if len(spans) == 0 && j.run.Config.Cluster != "" {
		r, err := penstock.ParseReceipt(rec.Receipt, j.run.Config.Cluster)
		if err != nil {
			j.found(ReceiptShort, subject{name: rec.who()}, "%s: the answer has no receipt that can be read: %v", rec.who(), err)
		}
		for _, p := range r.Positions.Partitions() {
			at := r.Positions[p]
			spans = append(spans, Span{p, at.Epoch, at.Offset, at.Offset})
		}
	}
	if len(spans) > 0 {
		j.verdict.Judged["P9"] = true
	}
	at = uint32(len(j.receipts.spans))
	for _, s := range spans {
		j.receipts.spans = append(j.receipts.spans, receiptSpan{s, rec.Op})
		j.raiseReceipt(rec, s)
	}
	return at, uint16(len(spans))
}

func (j *judge) raiseReceipt(rec *Record, s Span) {
	r := j.receipts.floors[s.Partition]
	if r == nil {
		r = &ratchet{}
		j.receipts.floors[s.Partition] = r
	}
	next := penstock.Position{Epoch: s.Epoch, Offset: s.Next}
	if high, ok := r.before(rec.Call); ok && next.Less(high) {
		j.found(ReceiptGoesBack, subject{name: rec.who()}, "%s: its receipt ends at %v in partition %d, and one that was answered before it was sent at %v",
			rec.who(), next, s.Partition, high)
	}
	r.raise(rec.Ret, next)
	j.receipts.most.Raise(penstock.Positions{s.Partition: next})
}

// judgeReceipts compares the places that answers name with each other: each request has its own.
func (j *judge) judgeReceipts() error {
	var index []uint32
	for i, s := range j.receipts.spans {
		if s.First < s.Next {
			index = append(index, uint32(i))
		}
	}
	of := func(i uint32) receiptSpan { return j.receipts.spans[i] }
	slices.SortFunc(index, func(a, b uint32) int {
		s, t := of(a), of(b)
		return cmp.Or(cmp.Compare(s.Partition, t.Partition), cmp.Compare(s.Epoch, t.Epoch), cmp.Compare(s.First, t.First), cmp.Compare(a, b))
	})
	for i := 1; i < len(index); i++ {
		s, t := of(index[i-1]), of(index[i])
		if s.Partition == t.Partition && s.Epoch == t.Epoch && t.First < s.Next {
			at := penstock.Place{Partition: t.Partition, Position: penstock.Position{Epoch: t.Epoch, Offset: t.First}}
			j.found(ReceiptsOverlap, subject{name: partitionName(t.Partition), at: at}, "the answers to op %d and op %d both name the place %s", s.op, t.op, placeName(at))
		}
	}
	return nil
}

// judgeInReceipt compares the place of an answered event with its receipt: who waits for that must see the event.
func (j *judge) judgeInReceipt(at penstock.Place, r ref) {
	if r.op.spans == 0 || j.events.flags[r.slot]&saidOk == 0 {
		return
	}
	about := subject{of: r, at: at}
	for _, s := range j.receipts.spans[r.op.span : r.op.span+uint32(r.op.spans)] {
		if s.Partition != at.Partition {
			continue
		}
		if next := (penstock.Position{Epoch: s.Epoch, Offset: s.Next}); !at.Position.Less(next) {
			j.found(ReceiptShort, about, "%s lies at %s, and its receipt ends at %v", r.id(), about.place(), next)
		}
		return
	}
	j.found(ReceiptShort, about, "%s lies at %s, and its receipt does not name that partition", r.id(), about.place())
}

// windows is the times at which refusals are explained, ascending and apart from each other.
type windows []Fault

func newWindows(faults []Fault, grace int64) windows {
	sorted := slices.Clone(faults)
	for i, f := range sorted {
		if sorted[i].To = f.To + grace; f.To == 0 {
			sorted[i].To = never
		}
	}
	slices.SortFunc(sorted, func(a, b Fault) int { return cmp.Compare(a.From, b.From) })
	var apart windows
	for _, f := range sorted {
		if n := len(apart); n > 0 && f.From <= apart[n-1].To {
			apart[n-1].To = max(apart[n-1].To, f.To)
			continue
		}
		apart = append(apart, f)
	}
	return apart
}

// meets reports whether a fault lasted at some moment between two.
func (w windows) meets(from, to int64) bool {
	i := sort.Search(len(w), func(i int) bool { return w[i].To >= from })
	return i < len(w) && w[i].From <= to
}

// judgeRefusal compares a refusal, or an answer that never came, with what was done to the server.
func (j *judge) judgeRefusal(rec *Record) {
	later := rec.Status == 429 || rec.Status == 503
	if later && rec.RetryAfter == "" {
		j.found(NoRetryAfter, subject{name: rec.who()}, "%s: answered %d without Retry-After", rec.who(), rec.Status)
	}
	lost := rec.Outcome == Unknown && (rec.Status == 0 || rec.Status >= 500)
	if !j.run.Config.Explain || !later && !lost {
		return
	}
	ret := rec.Ret
	if ret == 0 {
		ret = never
	}
	if !j.faults.meets(rec.Call, ret) {
		j.found(Unexplained, subject{name: rec.who()}, "%s: status %d, outcome %s between %d and %d, while nothing was done to the server",
			rec.who(), rec.Status, rec.Outcome, rec.Call, rec.Ret)
	}
}

func (j *judge) takeSample(rec *Record) {
	limits := j.run.Config.Limits
	if rec.Usage == nil || limits == (Usage{}) {
		return
	}
	j.verdict.Judged["P15"] = true
	for _, x := range [...]struct {
		what      string
		have, max int64
	}{
		{"memory", int64(rec.Usage.Memory), int64(limits.Memory)}, {"disk", int64(rec.Usage.Disk), int64(limits.Disk)},
		{"files", rec.Usage.Files, limits.Files}, {"goroutines", rec.Usage.Goroutines, limits.Goroutines},
	} {
		if x.max > 0 && x.have > x.max {
			j.found(OverLimit, subject{name: x.what}, "%s was %d at %d, the limit is %d", x.what, x.have, rec.Call, x.max)
		}
	}
}
