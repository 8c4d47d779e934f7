package storetest

import (
	"time"

	"penstock"
)

// judge says what must become of records, in the most literal way: it looks through all that came before. It is the suite's
// own reading of the six steps, beside that of any store.
type judge struct {
	streams    map[string]penstock.Stream
	partitions int
	firsts     []first
	taken      []taken
	letters    []*tried
}

// first is a first occurrence of an identity.
type first struct {
	lane    penstock.Lane
	key, id string
	second  int64
}

// taken is a record of a producer that was no repeat of an earlier one.
type taken struct {
	lane penstock.Lane
	by   penstock.Producer
	item int
}

// tried is a letter.
type tried struct {
	place penstock.Place
	lane  penstock.Lane
	key   string
	flaw  penstock.LetterReason // that will show when it is tried
	state penstock.LetterState
}

func newJudge(partitions int, streams []penstock.Stream) *judge {
	j := &judge{streams: map[string]penstock.Stream{}, partitions: partitions}
	for _, s := range streams {
		j.streams[s.Name] = s
	}
	return j
}

// decide returns the outcome of a record, of which it is known what is wrong with it.
func (j *judge) decide(r *penstock.Record, flaw penstock.LetterReason) outcome {
	if r.ReplayOf != (penstock.Position{}) {
		return j.replay(r, flaw)
	}
	switch {
	case j.sentBefore(r) || j.seenBefore(r):
		return outcome{fate: penstock.FateDuplicate}
	case j.streams[r.Stream].HaltKey && j.waitFor(laneOf(r), string(r.Key)):
		j.letter(r, flaw, penstock.LetterParked)
		return outcome{fate: penstock.FateParked}
	case flaw != "":
		j.letter(r, flaw, penstock.LetterOpen)
		return outcome{fate: penstock.FateDead, reason: flaw}
	}
	return outcome{fate: penstock.FateStored}
}

func (j *judge) letter(r *penstock.Record, flaw penstock.LetterReason, state penstock.LetterState) {
	at := penstock.Place{Partition: r.Partition, Position: r.Position}
	j.letters = append(j.letters, &tried{at, laneOf(r), string(r.Key), flaw, state})
}

func (j *judge) replay(r *penstock.Record, flaw penstock.LetterReason) outcome {
	of := penstock.Place{Partition: r.Partition, Position: r.ReplayOf}
	for _, l := range j.letters {
		if l.place != of || l.lane != laneOf(r) || l.state != penstock.LetterOpen {
			continue
		}
		if flaw != "" {
			return outcome{letter: of, reason: flaw}
		}
		l.state = penstock.LetterReplayed
		return outcome{letter: of, freed: j.release(l.lane, l.key)}
	}
	return outcome{letter: of, void: true}
}

// release lets those of a key go that wait for nothing any more.
func (j *judge) release(lane penstock.Lane, key string) []freed {
	var free []freed
	for _, l := range j.letters {
		if l.lane != lane || l.key != key || key == "" {
			continue
		}
		switch l.state {
		case penstock.LetterOpen:
			return free
		case penstock.LetterParked:
			free = append(free, freed{place: l.place, reason: l.flaw})
			if l.flaw != "" {
				l.state = penstock.LetterOpen
				return free
			}
			l.state = penstock.LetterReplayed
		}
	}
	return free
}

// drop gives up letters of which none is behind another one.
func (j *judge) drop(places []penstock.Place) (open int, free []freed) {
	for _, at := range places {
		for _, l := range j.letters {
			if l.place == at && l.state == penstock.LetterOpen {
				open++
				l.state = penstock.LetterDropped
				free = append(free, j.release(l.lane, l.key)...)
			}
		}
	}
	return open, free
}

func (j *judge) sentBefore(r *penstock.Record) bool {
	if r.Producer.Name == "" {
		return false
	}
	for _, t := range j.taken {
		if t.lane == laneOf(r) && t.by.Name == r.Producer.Name && (t.by.Seq > r.Producer.Seq || t.by.Seq == r.Producer.Seq && t.item >= r.Item) {
			return true
		}
	}
	j.taken = append(j.taken, taken{laneOf(r), r.Producer, r.Item})
	return false
}

// seenBefore looks at as many first occurrences of the lane as its share, from the newest on.
func (j *judge) seenBefore(r *penstock.Record) bool {
	d := j.streams[r.Stream].Dedup
	if !d.On() || r.Flags&penstock.ServerID != 0 {
		return false
	}
	one := first{laneOf(r), string(r.Key), string(r.ID), r.LogTime.Time().Unix()}
	left := d.Share(j.partitions)
	for i := len(j.firsts) - 1; i >= 0 && left > 0; i-- {
		f := j.firsts[i]
		if f.lane != one.lane {
			continue
		}
		if left--; f.key == one.key && f.id == one.id {
			if one.second-f.second <= int64(d.Window/time.Second) {
				return true
			}
			break // it was seen longer ago, and before that longer still
		}
	}
	j.firsts = append(j.firsts, one)
	return false
}

// waitFor reports whether events of a key have to wait.
func (j *judge) waitFor(lane penstock.Lane, key string) bool {
	for _, l := range j.letters {
		if key != "" && l.lane == lane && l.key == key && (l.state == penstock.LetterOpen || l.state == penstock.LetterParked) {
			return true
		}
	}
	return false
}

// parked counts those that wait in a partition.
func (j *judge) parked(p penstock.Partition) int {
	n := 0
	for _, l := range j.letters {
		if l.place.Partition == p && l.state == penstock.LetterParked {
			n++
		}
	}
	return n
}
