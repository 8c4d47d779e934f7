package check

import (
	"slices"
	"sort"
)

// Told is how many events of a stream a view said there were, or of one key of it. The question named the receipts of those of the
// client's events that had been answered.
type Told struct {
	View   string `json:"view"`
	Key    string `json:"key,omitempty"`
	Events int64  `json:"events"`
}

// question is one that was answered with Told.
type question struct {
	Told
	client    uint32
	of        pile
	call, ret int64
	who       string
}

// pile is a stream, or one of its keys.
type pile struct {
	stream uint16
	key    uint32 // 0: all
}

// moments are when the stored events of a pile were first sent, and when those of each client were answered, ascending.
type moments struct {
	called   []int64
	answered map[uint32][]int64
}

// takeTold keeps a question for when all rows are known.
func (j *judge) takeTold(rec *Record) error {
	if rec.Outcome != Ok || rec.Told == nil {
		return nil
	}
	j.verdict.Judged["P10"] = true
	stream, err := j.streams.id(rec.Tenant, rec.Stream)
	if err != nil {
		return err
	}
	of := pile{stream, j.keys.id(stream, rec.Told.Key)}
	j.told = append(j.told, question{*rec.Told, rec.Client, of, rec.Call, rec.Ret, rec.who()})
	j.verdict.Counts.Told++
	return nil
}

// judgeTold wants each answer to have counted all that its client had been answered before, and nothing that was not sent before it
// came. Of a stream that halts keys rows may come later than their answers.
func (j *judge) judgeTold() error {
	if len(j.told) == 0 {
		return nil
	}
	piles := j.pile()
	for _, q := range j.told {
		at := piles[q.of]
		about := subject{name: q.View}
		mine := at.answered[q.client]
		least := int64(sort.Search(len(mine), func(i int) bool { return mine[i] >= q.call }))
		most := int64(sort.Search(len(at.called), func(i int) bool { return at.called[i] > q.ret }))
		if q.Events < least && !j.streams.all[q.of.stream].halts {
			j.found(ViewMisses, about, "%s: %s said %d events of key %q, and %d of the client's own had been answered", q.who, q.View, q.Events, q.Key, least)
		}
		if q.Events > most {
			j.found(ViewExceeds, about, "%s: %s said %d events of key %q, and only %d had been sent", q.who, q.View, q.Events, q.Key, most)
		}
	}
	return nil
}

// pile collects the moments of all piles that were asked about.
func (j *judge) pile() map[pile]*moments {
	piles := map[pile]*moments{}
	for _, q := range j.told {
		if piles[q.of] == nil {
			piles[q.of] = &moments{answered: map[uint32][]int64{}}
		}
	}
	for number, c := range j.clients {
		for i := range c.ops {
			o := &c.ops[i]
			for slot := o.slot; slot < o.slot+o.count; slot++ {
				if j.events.flags[slot]&stored == 0 {
					continue
				}
				at := [...]*moments{piles[pile{o.stream, 0}], nil}
				if key := j.events.keys[slot]; key != 0 {
					at[1] = piles[pile{o.stream, key}]
				}
				for _, m := range at {
					if m != nil {
						m.called = append(m.called, o.call)
						m.answered[number] = append(m.answered[number], o.ret)
					}
				}
			}
		}
	}
	for _, m := range piles {
		slices.Sort(m.called)
		for _, rets := range m.answered {
			slices.Sort(rets)
		}
	}
	return piles
}
