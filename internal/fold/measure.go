package fold

import (
	"encoding/binary"
	"math"

	"penstock"
	"penstock/internal/jsonscan"
	"penstock/internal/sketch"
)

// measure is a measure of a view, made ready.
type measure struct {
	kind  penstock.MeasureKind
	of    int // the field; -1: none
	typ   penstock.Column
	shape shape
	at    int // its first slot in a group's
	sign  int // 1: the greatest is kept, -1: the least
	k     int // of a top

	// add takes in a value, which is not NULL.
	add func(t *table, m *measure, s []slot, of sample)
	// state appends the columns, of which all but counts are NULL if nothing was measured.
	state func(t *table, m *measure, s []slot, dst []jsonscan.Cell) []jsonscan.Cell
}

// sample is a value with the record that it is of.
type sample struct {
	*jsonscan.Cell
	*penstock.Record
}

// slots returns how many slots a measure has.
func (m *measure) slots() int {
	if m.kind == penstock.MeasureLatest || m.kind == penstock.MeasureFirst {
		return 2
	}
	return 1
}

// choose sets the functions of a measure whose kind and type are known to fit.
func (m *measure) choose() {
	m.sign = 1
	switch m.kind {
	case penstock.MeasureCount:
		m.add, m.state = addCount, stateCount
	case penstock.MeasureSum, penstock.MeasureAvg:
		m.add = map[shape]func(*table, *measure, []slot, sample){integral: addInteger, fixed: addDecimal, floating: addDouble}[m.shape]
		m.state = stateSum
	case penstock.MeasureMin:
		m.sign = -1
		m.add, m.state = addExtreme, stateExtreme
	case penstock.MeasureMax:
		m.add, m.state = addExtreme, stateExtreme
	case penstock.MeasureFirst:
		m.sign = -1
		m.add, m.state = addInOrder, stateInOrder
	case penstock.MeasureLatest:
		m.add, m.state = addInOrder, stateInOrder
	case penstock.MeasureUnique:
		m.add, m.state = addUnique, stateSketch
	case penstock.MeasureQuantile:
		m.add, m.state = addQuantile, stateSketch
	case penstock.MeasureTop:
		m.add, m.state = addTop, stateSketch
	}
}

func addCount(_ *table, _ *measure, s []slot, _ sample) { s[0].n++ }

func stateCount(_ *table, _ *measure, s []slot, dst []jsonscan.Cell) []jsonscan.Cell {
	return append(dst, jsonscan.Cell{Int: s[0].n})
}

func addInteger(_ *table, _ *measure, s []slot, v sample) {
	s[0].n++
	s[0].plus(v.Int>>63, uint64(v.Int))
}

func addDecimal(_ *table, _ *measure, s []slot, v sample) {
	s[0].n++
	s[0].plus(v.Hi, v.Lo)
}

func addDouble(_ *table, _ *measure, s []slot, v sample) {
	s[0].n++
	s[0].lo = math.Float64bits(math.Float64frombits(s[0].lo) + v.Float)
}

func stateSum(t *table, m *measure, s []slot, dst []jsonscan.Cell) []jsonscan.Cell {
	of := fixed
	if m.shape == floating {
		of = floating
	}
	dst = append(dst, t.orNull(&s[0], of))
	if m.kind == penstock.MeasureAvg {
		dst = append(dst, jsonscan.Cell{Int: s[0].n})
	}
	return dst
}

func addExtreme(t *table, m *measure, s []slot, v sample) {
	if s[0].n == 0 || t.compare(v.Cell, &s[0], m.shape) == m.sign {
		t.put(&s[0], m.shape, v.Cell)
		s[0].n = 1
	}
}

func stateExtreme(t *table, m *measure, s []slot, dst []jsonscan.Cell) []jsonscan.Cell {
	return append(dst, t.orNull(&s[0], m.shape))
}

// orNull returns the slot's value, or NULL if there is none.
func (t *table) orNull(s *slot, of shape) jsonscan.Cell {
	if s.n == 0 {
		return jsonscan.Cell{Null: true}
	}
	return t.get(s, of)
}

func addInOrder(t *table, m *measure, s []slot, v sample) {
	if s[0].n != 0 && before(v.Record, s) != (m.sign < 0) {
		return
	}
	t.put(&s[0], m.shape, v.Cell)
	s[0].n = int64(v.Position.Epoch) + 1
	s[1] = slot{int64(v.Time), int64(v.ReceivedAt), uint64(v.Position.Offset)}
}

// before reports whether a record comes before the one that is kept: by time, received_at, epoch, offset. The partition is that of the
// group. No record comes twice.
func before(r *penstock.Record, s []slot) bool {
	switch {
	case int64(r.Time) != s[1].n:
		return int64(r.Time) < s[1].n
	case int64(r.ReceivedAt) != s[1].hi:
		return int64(r.ReceivedAt) < s[1].hi
	case int64(r.Position.Epoch)+1 != s[0].n:
		return int64(r.Position.Epoch)+1 < s[0].n
	}
	return uint64(r.Position.Offset) < s[1].lo
}

func stateInOrder(t *table, m *measure, s []slot, dst []jsonscan.Cell) []jsonscan.Cell {
	if s[0].n == 0 {
		return append(dst, jsonscan.Cell{Null: true}, jsonscan.Cell{Null: true})
	}
	start := len(t.blob)
	t.blob = appendSigned(t.blob, s[1].n)
	t.blob = appendSigned(t.blob, s[1].hi)
	t.blob = binary.BigEndian.AppendUint16(t.blob, uint16(t.delta.Partition))
	t.blob = binary.BigEndian.AppendUint32(t.blob, uint32(s[0].n-1))
	t.blob = binary.BigEndian.AppendUint64(t.blob, s[1].lo)
	return append(dst, t.get(&s[0], m.shape), jsonscan.Cell{Bytes: t.blob[start:len(t.blob):len(t.blob)]})
}

// The sketches are made when there is something to measure.

func addUnique(t *table, m *measure, s []slot, v sample) {
	if s[0].n == 0 {
		s[0] = slot{n: 1, lo: uint64(len(t.uniques))}
		t.uniques = append(t.uniques, sketch.Unique{})
	}
	t.uniques[s[0].lo].Add(t.spelling(m, v.Cell))
}

func addQuantile(t *table, m *measure, s []slot, v sample) {
	if s[0].n == 0 {
		s[0] = slot{n: 1, lo: uint64(len(t.quantiles))}
		t.quantiles = append(t.quantiles, sketch.Quantile{})
	}
	t.quantiles[s[0].lo].Add(number(&m.typ, v.Cell))
}

func addTop(t *table, m *measure, s []slot, v sample) {
	if s[0].n == 0 {
		s[0] = slot{n: 1, lo: uint64(len(t.tops))}
		t.tops = append(t.tops, sketch.NewTop(m.k))
	}
	t.tops[s[0].lo].Add(t.spelling(m, v.Cell), 1)
}

// spelling returns the text under which sketches know a value, until the next is asked for.
func (t *table) spelling(m *measure, c *jsonscan.Cell) []byte {
	if m.shape == textual {
		return c.Bytes
	}
	t.text = appendText(t.text[:0], &m.typ, c)
	return t.text
}

func stateSketch(t *table, m *measure, s []slot, dst []jsonscan.Cell) []jsonscan.Cell {
	if s[0].n == 0 {
		return append(dst, jsonscan.Cell{Null: true})
	}
	start := len(t.blob)
	switch m.kind {
	case penstock.MeasureUnique:
		t.blob = t.uniques[s[0].lo].AppendTo(t.blob)
	case penstock.MeasureQuantile:
		t.blob = t.quantiles[s[0].lo].AppendTo(t.blob)
	default:
		t.blob = t.tops[s[0].lo].AppendTo(t.blob)
	}
	return append(dst, jsonscan.Cell{Bytes: t.blob[start:len(t.blob):len(t.blob)]})
}
