package check

import (
	"penstock"
)

// identify returns the event that an entry says it is. What is wrong with it is told, under torn if it is not whole.
func (j *judge) identify(e *Entry, where string, torn Class) (ref, bool) {
	about := subject{name: e.ID, at: e.Place()}
	ev, err := ParseEvent(e.Body)
	if err != nil {
		return j.identifyTorn(e, where, torn, err)
	}
	client, seq, ok := ParseEventID(e.ID)
	if !ok || client != ev.Client || seq != ev.Seq || e.Key != ev.Key {
		j.found(ColumnsDiffer, about, "%s has id %q and key %q at %s, and the body there is that of %s with key %q",
			where, e.ID, e.Key, about.place(), EventID(ev.Client, ev.Seq), ev.Key)
	}
	if seed := j.run.Config.Seed; seed != 0 && ev.Nonce != NonceOf(seed, ev.Client, ev.Seq) {
		j.found(OtherRun, about, "%s has %s at %s, and its nonce is of another run", where, EventID(ev.Client, ev.Seq), about.place())
		return ref{}, false
	}
	r, ok := j.find(ev.Client, ev.Seq)
	if !ok {
		j.found(Phantom, about, "%s has %s at %s, which was never sent", where, EventID(ev.Client, ev.Seq), about.place())
		return ref{}, false
	}
	if stream, err := j.streams.id(e.Tenant, e.Stream); err == nil && stream != r.op.stream {
		j.found(OtherStream, about, "%s has %s in stream %s, and it was sent to %s", where, r.id(), e.Stream, j.streams.all[r.op.stream].name)
	}
	j.compare(e, ev, r, where, torn)
	return r, true
}

// identifyTorn does so for an entry whose body is not whole.
func (j *judge) identifyTorn(e *Entry, where string, torn Class, why error) (ref, bool) {
	about := subject{name: e.ID, at: e.Place()}
	var r ref
	client, seq, ok := ParseEventID(e.ID)
	if ok {
		r, ok = j.find(client, seq)
	}
	if !ok {
		j.found(Phantom, about, "%s has %q at %s, which was never sent", where, e.ID, about.place())
		return r, false
	}
	j.torn(r, about, where, torn, why.Error())
	return r, true
}

func (j *judge) torn(r ref, about subject, where string, torn Class, why string) {
	if torn == Corrupt && j.events.outcome(r.slot) == Unknown {
		torn = UnknownTorn
	}
	j.found(torn, about, "%s has %s at %s, and its body is not what was sent: %s", where, r.id(), about.place(), why)
}

// compare compares an entry with what is known of its event from elsewhere.
func (j *judge) compare(e *Entry, ev Event, r ref, where string, torn Class) {
	key, sum := j.keys.id(r.op.stream, ev.Key), shortSum(ev.Sum)
	sums, known := &j.events.sums[r.slot], &j.events.keys[r.slot]
	about := subject{name: e.ID, at: e.Place()}
	switch {
	case *sums != 0 && *sums != sum:
		j.torn(r, about, where, torn, "its hash is another")
		return
	case *known != 0 && *known != key:
		j.torn(r, about, where, torn, "its key is another")
		return
	}
	*sums, *known = sum, key
}

// readLog takes the records of the log.
func (j *judge) readLog() error {
	if j.run.Log == nil {
		return nil
	}
	last := penstock.Positions{}
	for e, err := range j.run.Log {
		if err != nil {
			return err
		}
		j.verdict.Counts.LogRecords++
		at := e.Place()
		r, ok := j.identify(e, "the log", Corrupt)
		before, some := last[e.Partition]
		switch {
		case some && before == at.Position:
			j.takePlaceAgain(at, r, ok)
			continue
		case some && at.Position.Less(before):
			j.found(LogGoesBack, subject{name: e.ID, at: at}, "the log has %s at %s, behind %v", e.ID, placeName(at), before)
		default:
			last[e.Partition] = at.Position
		}
		if !ok {
			j.book.add(at, nobody)
			continue
		}
		j.takeRecord(e, r)
	}
	return nil
}

func (j *judge) takePlaceAgain(at penstock.Place, r ref, ok bool) {
	if have, _ := j.book.at(at); ok && have&slots == r.slot {
		j.found(LogGoesBack, subject{of: r, at: at}, "the log has %s twice at %s", r.id(), placeName(at))
	} else if ok {
		j.checkPlace(at, r, "the log", false)
	}
}

func (j *judge) takeRecord(e *Entry, r ref) {
	s := &j.streams.all[r.op.stream]
	if e.ReplayOf != (penstock.Position{}) {
		j.book.add(e.Place(), r.slot)
		return
	}
	s.records++
	if flags := &j.events.flags[r.slot]; *flags&logged == 0 {
		*flags |= logged
		s.distinct++
		j.book.add(e.Place(), r.slot)
		j.inLog.visit(r, e.Partition)
		return
	}
	j.repeats[r.slot]++
	j.book.add(e.Place(), r.slot|repeated)
}

// letter is a dead letter.
type letter struct {
	place penstock.Place
	state penstock.LetterState
}

// readLetters takes the dead letters. A parked one is an event whose turn has not come.
func (j *judge) readLetters() error {
	if j.run.Letters == nil {
		return nil
	}
	for e, err := range j.run.Letters {
		if err != nil {
			return err
		}
		j.verdict.Counts.Letters++
		r, ok := j.identify(e, "the list of letters", LetterCorrupt)
		if ok {
			j.takeLetter(e, r)
		}
	}
	return nil
}

func (j *judge) takeLetter(e *Entry, r ref) {
	at := e.Place()
	about := subject{of: r, at: at}
	flags := &j.events.flags[r.slot]
	if before, twice := j.letters[r.slot]; twice {
		j.found(LetterTwice, about, "%s is a dead letter at %s and at %s", r.id(), placeName(before.place), about.place())
		return
	}
	*flags |= isLetter
	j.letters[r.slot] = letter{at, e.State}
	j.streams.all[r.op.stream].letters[e.State]++
	if e.State == penstock.LetterOpen {
		j.halt(r, at.Position)
	}
	j.checkPlace(at, r, "the list of letters", true)
	judgeable := j.events.outcome(r.slot) != Fail
	waits := e.State == penstock.LetterOpen || e.State == penstock.LetterDropped
	switch {
	case !waits && e.State != penstock.LetterParked && e.State != penstock.LetterReplayed:
		j.found(LetterBare, about, "the letter of %s has the state %q", r.id(), e.State)
	case waits && e.Reason == "":
		j.found(LetterBare, about, "the letter of %s gives no reason", r.id())
	case waits && judgeable && *flags&poison == 0:
		j.found(Swallowed, about, "%s is a dead letter, %s, for %s, and nothing is wrong with it", r.id(), e.State, e.Reason)
	case e.State == penstock.LetterDropped && *flags&dropAsked == 0 && !j.streams.all[r.op.stream].dropAsked:
		j.found(DroppedUnasked, about, "the letter of %s was dropped, and nobody asked for it", r.id())
	}
}

// halt notes that an open letter halts its key.
func (j *judge) halt(r ref, at penstock.Position) {
	key := j.events.keys[r.slot]
	if before, is := j.halted[key]; key != 0 && j.streams.all[r.op.stream].halts && (!is || at.Less(before)) {
		j.halted[key] = at
	}
}

// readRows takes the rows of the store.
func (j *judge) readRows() error {
	last := penstock.Positions{}
	for e, err := range j.run.Rows {
		if err != nil {
			return err
		}
		at := e.Place()
		if at.Position.Less(last[e.Partition]) {
			return penstock.Errorf(penstock.Invalid, "read rows", "%s is exported behind %v: they are wanted in the order of their positions", placeName(at), last[e.Partition])
		}
		last[e.Partition] = at.Position
		j.verdict.Counts.Rows++
		if r, ok := j.identify(e, "the store", Corrupt); ok {
			j.takeRow(e, r)
		}
	}
	return nil
}

func (j *judge) takeRow(e *Entry, r ref) {
	at := e.Place()
	about := subject{of: r, at: at}
	j.streams.all[r.op.stream].rows++
	flags := &j.events.flags[r.slot]
	if *flags&stored != 0 {
		class := StoredTwice
		if j.events.outcome(r.slot) == Unknown {
			class = UnknownTwice
		}
		j.found(class, about, "%s is stored again at %s", r.id(), about.place())
		return
	}
	*flags |= stored
	replay := e.ReplayOf != (penstock.Position{})
	j.judgeReplay(e, r, replay)
	j.checkPlace(at, r, "the store", !replay)
	if !replay {
		if halt, is := j.halted[j.events.keys[r.slot]]; is && halt.Less(at.Position) {
			j.found(Overtook, about, "%s is stored at %s, and an open letter of its key at %v halts it", r.id(), about.place(), halt)
		}
		j.inRows.visit(r, e.Partition)
		j.judgeInReceipt(at, r)
	}
	if j.recount != nil {
		j.recount.Add(e)
	}
}

// judgeReplay compares a row with the letter that its event is or was.
func (j *judge) judgeReplay(e *Entry, r ref, replay bool) {
	about := subject{of: r, at: e.Place()}
	l, was := j.letters[r.slot]
	of := penstock.Place{Partition: e.Partition, Position: e.ReplayOf}
	switch {
	case was && l.state != penstock.LetterReplayed:
		j.found(StoredAndLetter, about, "%s is stored at %s, and a dead letter, %s, at %s", r.id(), about.place(), l.state, placeName(l.place))
	case replay && j.run.Letters != nil && (!was || l.place != of):
		j.found(ReplayStray, about, "%s is stored at %s as a replay of %s, where no letter of it is", r.id(), about.place(), placeName(of))
	case !replay && was && l.place != e.Place():
		j.found(ReplayStray, about, "%s is stored at %s, and its row does not say that it was the letter of %s", r.id(), about.place(), placeName(l.place))
	}
}
