package embedded

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"penstock"
	"penstock/internal/delta"
)

// A model's table has a row for each group that a batch has changed, or that several such rows were merged to: place and time, the
// group, the measures' states, and the log times of the first and the last row in it. docs/format/shard.md.

// levelColumn says what a row is: 0 of a batch, higher ones of so many merges.
const levelColumn = "_level"

// placeColumns is how many columns there are before the group's.
const placeColumns = 5

// groupName returns the name of a group's column in the table: users' names may be anything.
func groupName(i int) string { return fmt.Sprintf("g%d", i) }

// tableColumn is a column of a model's table.
type tableColumn struct {
	name string
	penstock.Column
}

// columnsOf returns the columns of a model's table behind the partition, the level and the time.
func (m model) columns() []tableColumn {
	var all []tableColumn
	for i, g := range m.View.Group {
		all = append(all, tableColumn{groupName(i), g.Column})
	}
	for _, c := range delta.Columns(&m.View) {
		all = append(all, tableColumn{c.Name, c.Column})
	}
	return all
}

// modelColumns returns a model's columns as CREATE TABLE has them.
func modelColumns(m model) (string, error) {
	var b strings.Builder
	b.WriteString("_partition INTEGER, " + levelColumn + " INTEGER, _since TIMESTAMPTZ, _changed TIMESTAMPTZ, _time TIMESTAMPTZ")
	for _, c := range m.columns() {
		b.WriteString(", " + c.name + " " + sqlType(c.Column))
	}
	return b.String(), nil
}

func (m model) sheet() sheet {
	fields := []arrow.Field{integerField("_partition"), integerField(levelColumn), arrowField("_since", penstock.Timestamp, 0, 0),
		arrowField("_changed", penstock.Timestamp, 0, 0), arrowField("_time", penstock.Timestamp, 0, 0)}
	bulk := 2
	for i, c := range m.columns() {
		field := arrowField(c.name, c.Type, c.Precision, c.Scale)
		if c.Type == delta.Blob {
			field.Type = arrow.BinaryTypes.Binary
		}
		if c.Type == delta.Blob || c.Type == penstock.Text && bulk == 2 {
			bulk = placeColumns + i
		}
		fields = append(fields, field)
	}
	return newSheet(modelTable(m.ID), bulk, fields)
}

// folding folds the rows of one stream into deltas of its models.
type folding struct {
	delta.Folder
	version int // of the stream
	models  []model
	sheets  []*sheet

	standings [][]standing // that what is on the sheets changes, of leaderboards
}

// folding returns what folds the rows of a stream in this shard, nil if no view counts them. The caller holds applying.
func (s *shard) folding(r registered) (*folding, error) {
	if f, ok := s.foldings[r.ID]; ok && (f == nil || f.version == r.Version) {
		return f, nil
	}
	f := &folding{version: r.Version}
	for _, m := range s.models.sorted() {
		if m.View.Stream == r.Name {
			one := m.sheet()
			f.models, f.sheets = append(f.models, m), append(f.sheets, &one)
		}
	}
	if len(f.models) == 0 {
		s.foldings[r.ID] = nil
		return nil, nil
	}
	var err error
	if f.Folder, err = s.db.o.folder(r.stream(), f.models); err != nil {
		return nil, err
	}
	s.foldings[r.ID] = f
	return f, nil
}

// write puts the deltas of what was folded on the sheets.
func (f *folding) write() {
	for i := range f.models {
		f.writeModel(i)
	}
	f.Reset()
}

func (f *folding) writeModel(i int) {
	for len(f.standings) < len(f.models) {
		f.standings = append(f.standings, nil)
	}
	board := f.models[i].holdable()
	to, columns, windows := f.sheets[i], f.models[i].columns(), f.models[i].View.Window > 0
	for d := range f.Deltas(i) {
		if board {
			f.standings[i] = appendStanding(f.standings[i], f.models[i], d)
		}
		c := to.row()
		c[0].int32(int32(d.Partition))
		c[1].int32(0)
		c[2].int64(int64(d.Since))
		c[3].int64(int64(d.Changed))
		if windows {
			c[4].int64(int64(d.Window))
		} else {
			c[4].null()
		}
		for j, cell := range d.Group {
			c[placeColumns+j].cell(columns[j].Type, cell)
		}
		for j, cell := range d.State {
			at := len(d.Group) + j
			c[placeColumns+at].cell(columns[at].Type, cell)
		}
	}
}

// count adds how many states each model got.
func (f *folding) count(unmerged map[int32]int64) {
	for i, m := range f.models {
		unmerged[m.ID] += f.sheets[i].rows()
	}
}

// tell gives leaderboards what was committed.
func (f *folding) tell(b *boards) {
	for i := range f.standings {
		b.note(f.models[i].ID, f.standings[i])
	}
}

// clear forgets what was folded.
func (f *folding) clear() {
	f.Reset()
	for i := range f.standings {
		f.standings[i] = f.standings[i][:0]
	}
}

// modelSheets returns the sheets of all models that rows were folded for since they last changed.
func (s *shard) modelSheets() []*sheet {
	var all []*sheet
	for _, f := range s.foldings {
		if f != nil {
			all = append(all, f.sheets...)
		}
	}
	return all
}
