package check

import (
	"fmt"

	"penstock"
)

// streams numbers the streams and counts what the exports show of each.
type streams struct {
	ids map[string]uint16
	all []stream
}

type stream struct {
	name      string
	dropAsked bool  // for any of its letters
	halts     bool  // the keys of its letters
	records   int64 // of the log, replays not counted
	distinct  int64 // events in the log
	rows      int64
	letters   map[penstock.LetterState]int64
}

// id returns the number of a stream, a new one at its first use.
func (s *streams) id(tenant, name string) (uint16, error) {
	if tenant != "" && tenant != penstock.DefaultTenant {
		name = tenant + "/" + name
	}
	id, ok := s.ids[name]
	if ok {
		return id, nil
	}
	if len(s.all) == 1<<16 {
		return 0, penstock.Errorf(penstock.Full, "judge", "more than %d streams", len(s.all))
	}
	id = uint16(len(s.all))
	s.ids[name] = id
	s.all = append(s.all, stream{name: name, letters: map[penstock.LetterState]int64{}})
	return id, nil
}

// keys numbers the keys of all streams, from 1 on.
type keys struct {
	ids     map[string]uint32
	names   []string
	scratch []byte
}

func newKeys() keys { return keys{ids: map[string]uint32{}, names: []string{""}} }

// id returns the number of a key, a new one at its first use; 0 for no key.
func (k *keys) id(stream uint16, name string) uint32 {
	if name == "" {
		return 0
	}
	k.scratch = append(k.scratch[:0], byte(stream>>8), byte(stream))
	k.scratch = append(k.scratch, name...)
	id, ok := k.ids[string(k.scratch)]
	if !ok {
		id = uint32(len(k.names))
		full := string(k.scratch)
		k.ids[full] = id
		k.names = append(k.names, full)
	}
	return id
}

func (k *keys) name(id uint32) string {
	if id == 0 {
		return ""
	}
	return k.names[id][2:]
}

func partitionName(p penstock.Partition) string { return fmt.Sprintf("partition %d", p) }

// placeName spells a place partition/epoch:offset.
func placeName(p penstock.Place) string { return fmt.Sprintf("%d/%v", p.Partition, p.Position) }
