package check

import (
	"maps"
	"slices"

	"penstock"
)

// numbers returns the clients in ascending order.
func (j *judge) numbers() []uint32 { return slices.Sorted(maps.Keys(j.clients)) }

// readReads goes through the history again, for what answers showed.
func (j *judge) readReads() error {
	if !j.reads {
		return nil
	}
	for rec, err := range j.run.History {
		if err != nil {
			return err
		}
		if rec.Lane == Flood && rec.Outcome == Ok && (rec.Kind == Read || rec.Kind == Tail) {
			j.judgeSeen(rec)
		}
	}
	return nil
}

// judgeSeen compares one answer with what is there in the end.
func (j *judge) judgeSeen(rec *Record) {
	shown := make(map[uint32]bool, len(rec.Seen))
	last := penstock.Positions{}
	for _, s := range rec.Seen {
		at := penstock.Place{Partition: s.Partition, Position: s.Position}
		about := subject{name: s.ID, at: at}
		if before, some := last[s.Partition]; rec.Kind == Tail && some && !before.Less(s.Position) {
			j.found(LogGoesBack, about, "%s showed %s at %s, behind %v", rec.who(), s.ID, about.place(), before)
		}
		last[s.Partition] = s.Position
		r, ok := ref{}, false
		if client, seq, ours := ParseEventID(s.ID); ours {
			r, ok = j.find(client, seq)
		}
		if !ok {
			j.found(Phantom, about, "%s showed %q at %s, which was never sent", rec.who(), s.ID, about.place())
			continue
		}
		if shown[r.slot] && rec.Kind == Read {
			j.found(ReadTwice, about, "%s showed %s twice, once at %s", rec.who(), r.id(), about.place())
		}
		shown[r.slot] = true
		present := j.events.flags[r.slot]&(logged|stored|isLetter) != 0
		if j.events.flags[r.slot] |= seen; present {
			j.checkPlace(at, r, "an answer", false)
		}
	}
	j.judgeContains(rec, shown)
}

// judgeContains wants a read to have shown all that was answered before it began. Letters are not rows.
func (j *judge) judgeContains(rec *Record, shown map[uint32]bool) {
	if rec.Kind != Read {
		return
	}
	for i := range rec.Count {
		r, ok := j.find(rec.Client, rec.Seq+uint64(i))
		if !ok || j.events.flags[r.slot]&saidOk == 0 || r.op.ret >= rec.Call || shown[r.slot] || j.events.flags[r.slot]&isLetter != 0 {
			continue
		}
		j.found(ReadMisses, subject{of: r}, "%s asked for what was answered until then, and did not get %s", rec.who(), r.id())
	}
}

// judgeEvents looks at what became of each event that was sent.
func (j *judge) judgeEvents() error {
	for _, number := range j.numbers() {
		c := j.clients[number]
		for i := range c.ops {
			o := &c.ops[i]
			for n := range o.count {
				j.judgeEvent(ref{number, o.first + uint64(n), o.slot + n, o})
			}
		}
	}
	return nil
}

func (j *judge) judgeEvent(r ref) {
	flags := j.events.flags[r.slot]
	of := j.events.outcome(r.slot)
	j.count(of, flags)
	has := func(mask uint16) bool { return flags&mask != 0 }
	about := subject{of: r}
	switch {
	case of == Fail && has(logged|stored|isLetter|seen):
		j.found(RefusedPresent, about, "%s was refused, and is in %s", r.id(), whereabouts(flags))
	case of == Fail:
	case has(isLetter) && j.letters[r.slot].state == penstock.LetterReplayed && !has(stored):
		j.found(ReplayLost, about, "the letter of %s was replayed, and there is no row of it", r.id())
	case has(stored | isLetter):
	case has(logged):
		if j.drained {
			j.found(NotApplied, about, "%s (%s) is in the log, and neither a row nor a dead letter", r.id(), of)
		}
	case of == Ok && (j.drained || j.run.Log != nil):
		j.found(Lost, about, "%s was answered at %d, and is neither a row nor a dead letter", r.id(), r.op.ret)
	case of == Unknown && has(seen):
		j.found(Vanished, about, "%s has no answer, was shown to a reader, and is not there in the end", r.id())
	}
	if records := 1 + j.repeats[r.slot]; of != Fail && has(logged) && records > int(r.op.may) {
		j.found(RefusedAppended, about, "%s is in the log %d times, and of the attempts at it only %d were not refused", r.id(), records, r.op.may)
	}
}

// count counts an event.
func (j *judge) count(of Outcome, flags uint16) {
	c := &j.verdict.Counts
	c.Events++
	switch of {
	case Ok:
		c.Ok++
		if flags&saidUnknown != 0 {
			c.Resolved++
		}
	case Fail:
		c.Failed++
	case Unknown:
		c.Unknown++
		if flags&(stored|isLetter|logged) != 0 {
			c.Present++
		}
	}
}

func whereabouts(flags uint16) string {
	switch {
	case flags&stored != 0:
		return "the store"
	case flags&isLetter != 0:
		return "the dead letters"
	case flags&logged != 0:
		return "the log"
	}
	return "an answer"
}

// judgeAudit compares what the server says of each stream with what was exported.
func (j *judge) judgeAudit() error {
	for _, t := range j.run.Audit {
		id, err := j.streams.id("", t.Stream)
		if err != nil {
			return err
		}
		about := subject{name: t.Stream}
		sum := t.Stored + t.Duplicates + t.Dead + t.Dropped + t.Expired + t.Pending
		if t.Missing != 0 || t.Accepted != sum {
			j.found(AuditUnbalanced, about, "the audit of %s has %d accepted, %d in all that became of them, and %d missing", t.Stream, t.Accepted, sum, t.Missing)
		}
		if !t.ChecksumOK {
			j.found(AuditChecksum, about, "the audit of %s says that checksums differ", t.Stream)
		}
		for _, x := range j.expected(t, &j.streams.all[id]) {
			if x.said != x.is {
				j.found(AuditDiffers, about, "the audit of %s says %d %s, and there are %d", t.Stream, x.said, x.what, x.is)
			}
		}
	}
	return nil
}

type expectation struct {
	what     string
	said, is int64
}

// expected returns what can be counted of a stream. Pending ones are there only when the store has come to rest.
func (j *judge) expected(t Tally, s *stream) []expectation {
	all := []expectation{{"stored", t.Stored, s.rows}}
	if j.run.Letters != nil {
		all = append(all, expectation{"dead", t.Dead, s.letters[penstock.LetterOpen]}, expectation{"dropped", t.Dropped, s.letters[penstock.LetterDropped]})
		if j.drained {
			all = append(all, expectation{"pending", t.Pending, s.letters[penstock.LetterParked]})
		}
	}
	if j.run.Log != nil && j.wholeLog() {
		all = append(all, expectation{"accepted", t.Accepted, s.records}, expectation{"duplicates", t.Duplicates, s.records - s.distinct})
	}
	return all
}

// wholeLog reports whether nothing was removed from the log.
func (j *judge) wholeLog() bool {
	for _, at := range j.first {
		if at.Offset > 0 || at.Epoch > 1 {
			return false
		}
	}
	return true
}
