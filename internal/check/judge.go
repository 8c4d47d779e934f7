// Package check judges what a server kept of what it answered, from outside: clients record every attempt and its outcome, the
// nemesis records what it did, and in the end log, rows, dead letters, audit and read models are exported. Judge compares them.
// It uses no code of the server, only the nouns of the vocabulary.
// What views say is counted again from the bodies that were sent, one for each event that is a row (Recount).
//
// Retries of an event are one operation: it is called with the first attempt that was not refused, and has returned with the first
// answer that said yes. An event is
//   - ok if any attempt was answered yes;
//   - unknown if none was, but one has no answer, or one that leaves it open (it is worth sending such an event again in the end);
//   - failed if every attempt was refused: what was refused must never be there.
//
// Everything is one pass over each file, with sums and sorts, no search: O(n log n). An event costs 18 bytes, a request 48, a
// record of the log 12, a position in a receipt 32, and a key some hundred.
package check

import (
	"cmp"
	"iter"
	"slices"

	"penstock"
)

// Run is what there is to judge. Its sequences may yield the same place again and again: a line is valid until the next.
type Run struct {
	Config  Config
	History iter.Seq2[*Record, error] // gone through twice
	Faults  []Fault

	Log     iter.Seq2[*Entry, error] // nil: not exported
	Rows    iter.Seq2[*Entry, error]
	Letters iter.Seq2[*Entry, error] // nil: not exported, there must be none
	Bounds  []Bound
	Audit   []Tally
	Views   iter.Seq2[*ViewRow, error] // nil: not exported
	Models  []penstock.View            // that Views has all rows of
	Counted *Recount                   // of rows that are not among Rows, which are added to it; nil: there are none
}

// Judge returns what is wrong with a run. It fails when the run cannot be read, or makes no sense as one: that says nothing about
// the server.
func Judge(run Run) (*Verdict, error) {
	j, err := newJudge(run)
	if err != nil {
		return nil, err
	}
	for _, name := range run.Config.Halts {
		id, err := j.streams.id("", name)
		if err != nil {
			return nil, err
		}
		j.streams.all[id].halts = true
	}
	for _, step := range [...]func() error{
		j.readHistory, j.readBounds, j.readLog, j.readLetters, j.readRows, j.readReads,
		j.judgeBatches, j.judgeEvents, j.judgeReceipts, j.judgeAudit, j.judgeTold, j.judgeViews,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(j.verdict.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(rank(a.Property), rank(b.Property)), cmp.Compare(a.Class, b.Class))
	})
	return j.verdict, nil
}

func rank(p Property) int {
	for i, q := range properties {
		if p == q.Property {
			return i
		}
	}
	return len(properties)
}

// judge is one judgement under way.
type judge struct {
	run     Run
	verdict *Verdict

	clients map[uint32]*client
	events  events
	streams streams
	keys    keys
	repeats map[uint32]int // records of the log beyond the first, by slot

	faults   windows
	watches  map[watch]*ratchet
	receipts receipts
	reads    bool // there are some
	drained  bool // as far as is known

	first   penstock.Positions // the oldest records that the log keeps
	applied penstock.Positions // of the store

	book    book
	letters map[uint32]letter            // by slot
	halted  map[uint32]penstock.Position // by key: of the first letter that still halts it
	recount *Recount                     // nil: no views are judged
	told    []question
	inLog   order
	inRows  order
}

func newJudge(run Run) (*judge, error) {
	j := &judge{
		run: run, verdict: &Verdict{OK: true, Classes: map[Class]int64{}, Judged: map[Property]bool{}},
		clients: map[uint32]*client{}, streams: streams{ids: map[string]uint16{}}, keys: newKeys(), repeats: map[uint32]int{},
		faults: newWindows(run.Faults, run.Config.Grace), watches: map[watch]*ratchet{},
		receipts: receipts{floors: map[penstock.Partition]*ratchet{}, most: penstock.Positions{}}, drained: true,
		first: penstock.Positions{}, applied: penstock.Positions{},
		book: newBook(), letters: map[uint32]letter{}, halted: map[uint32]penstock.Position{},
	}
	j.inLog, j.inRows = order{judge: j, where: "log"}, order{judge: j, where: "store"}
	for _, p := range [...]Property{"P1", "P2", "P3", "P4", "P5", "P6", "P7"} {
		j.verdict.Judged[p] = true
	}
	j.verdict.Judged["P8"] = run.Log != nil
	j.verdict.Judged["P11"] = len(run.Audit) > 0 || run.Views != nil
	j.verdict.Judged["P14"] = run.Config.Explain
	j.verdict.Judged["P16"] = run.Letters != nil
	var err error
	if j.recount = run.Counted; run.Views != nil && j.recount == nil {
		j.recount, err = NewRecount(run.Models...)
	}
	return j, err
}

func (j *judge) found(class Class, about subject, format string, args ...any) {
	j.verdict.found(class, about, format, args...)
}

// tells reports whether another violation of a class would be told, for callers to whom its words are dear.
func (j *judge) tells(class Class) bool { return j.verdict.Classes[class] < maxExamples }

// readBounds takes what is known about the ends of log and store.
func (j *judge) readBounds() error {
	for _, b := range j.run.Bounds {
		j.first[b.Partition] = b.First
		most, answered := j.receipts.most[b.Partition]
		if answered && b.Next.Less(most) {
			j.found(LogShort, subject{name: partitionName(b.Partition)}, "the log of partition %d ends at %v, and a receipt says %v", b.Partition, b.Next, most)
		}
		if b.Applied == (penstock.Position{}) {
			continue
		}
		j.verdict.Judged["P0"] = true
		if answered && b.Applied.Less(most) {
			j.drained = false
			j.found(NotDrained, subject{name: partitionName(b.Partition)}, "the store of partition %d stands at %v, and a receipt says %v", b.Partition, b.Applied, most)
		}
	}
	return nil
}
