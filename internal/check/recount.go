package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"penstock"
)

// Recount says what views have to say of stored rows. It counts by other means than the server: it keeps maps, every number that a
// quantile is of and every value that an estimate is of, and sums in math/big. It is used by one goroutine.
type Recount struct {
	views   []*view
	streams map[string]bool // those that some view counts
}

// view is one view and what it should say.
type view struct {
	penstock.View
	where  []condition
	groups map[string]*counted // by their names
}

// counted is a group of a view, in one window.
type counted struct {
	rows    int64
	figures []figure
	shown   bool // by the answer that is judged
}

// NewRecount returns a recount of no rows. It fails with Invalid for a view that it cannot count: it knows text, bigint, decimal and
// double, and conditions of comparisons with "and" between them.
func NewRecount(views ...penstock.View) (*Recount, error) {
	r := &Recount{streams: map[string]bool{}}
	for _, v := range views {
		one := &view{View: v, groups: map[string]*counted{}}
		var err error
		if one.where, err = parseConditions(v.Where); err == nil {
			err = one.check()
		}
		if err != nil {
			return nil, penstock.Errorf(penstock.Invalid, "recount view "+v.Name, "%w", err)
		}
		r.views, r.streams[v.Stream] = append(r.views, one), true
	}
	return r, nil
}

// check refuses what is not counted here.
func (v *view) check() error {
	for _, f := range v.Group {
		if f.Type != penstock.Text && f.Type != penstock.Bigint && f.Type != penstock.Decimal {
			return fmt.Errorf("a group by %s", f.Type)
		}
	}
	for _, m := range v.Measures {
		number := m.Of.Type == penstock.Bigint || m.Of.Type == penstock.Decimal || m.Of.Type == penstock.Double
		switch m.Kind {
		case penstock.MeasureCount:
			continue
		case penstock.MeasureSum, penstock.MeasureAvg, penstock.MeasureQuantile:
			if !number {
				return fmt.Errorf("%s of %s", m.Kind, m.Of.Type)
			}
		case penstock.MeasureUnique, penstock.MeasureTop:
			if m.Of.Type == penstock.Double {
				return fmt.Errorf("%s of %s", m.Kind, m.Of.Type)
			}
		case penstock.MeasureMin, penstock.MeasureMax, penstock.MeasureLatest, penstock.MeasureFirst:
		default:
			return fmt.Errorf("a measure %s", m.Kind)
		}
		if !number && m.Of.Type != penstock.Text {
			return fmt.Errorf("%s of %s", m.Kind, m.Of.Type)
		}
	}
	return nil
}

// of returns a view by its name, nil if there is none.
func (r *Recount) of(name string) *view {
	for _, v := range r.views {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Add counts a row. Whoever adds one twice counts it twice.
func (r *Recount) Add(e *Entry) {
	if !r.streams[e.Stream] {
		return
	}
	row := openRow(e)
	for _, v := range r.views {
		if v.Stream == e.Stream && v.counts(row) {
			v.add(row)
		}
	}
}

func (v *view) counts(row *row) bool {
	for _, c := range v.where {
		if !c.holds(row) {
			return false
		}
	}
	return true
}

func (v *view) add(row *row) {
	window := penstock.Micros(0)
	if length := penstock.Micros(v.Window.Microseconds()); length > 0 {
		window = row.time - ((row.time%length)+length)%length
	}
	values := make([]value, len(v.Group))
	for i, f := range v.Group {
		values[i] = row.value(f)
	}
	name := groupName(window, values)
	g := v.groups[name]
	if g == nil {
		g = &counted{figures: make([]figure, len(v.Measures))}
		v.groups[name] = g
	}
	g.rows++
	for i, m := range v.Measures {
		if m.Kind == penstock.MeasureCount {
			continue
		}
		if of := row.value(m.Of); !of.null {
			g.figures[i].add(m, of, row.order)
		}
	}
}

// groupName names a group in a window: no two have the same name.
func groupName(window penstock.Micros, values []value) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", window)
	for _, one := range values {
		if one.null {
			b.WriteString(" NULL")
		} else {
			fmt.Fprintf(&b, " %q", one.text)
		}
	}
	return b.String()
}

// row is a stored row as views see it.
type row struct {
	entry   *Entry
	members map[string]json.RawMessage // nil: the body is no object
	time    penstock.Micros
	order   turn
}

// turn is what latest and first go by.
type turn struct {
	time, received penstock.Micros
	at             penstock.Place
}

func (o turn) less(than turn) bool {
	switch {
	case o.time != than.time:
		return o.time < than.time
	case o.received != than.received:
		return o.received < than.received
	}
	return o.at.Less(than.at)
}

// openRow reads a row's body. Its time is what the body says; if it says nothing, what the store does.
func openRow(e *Entry) *row {
	r := &row{entry: e, time: e.Time}
	_ = json.Unmarshal(e.Body, &r.members) // what is no object has no members, and is told as corrupt
	var sent time.Time
	if text, ok := r.members["time"]; ok && json.Unmarshal(text, &sent) == nil {
		r.time = penstock.MicrosOf(sent)
	}
	r.order = turn{r.time, e.ReceivedAt, e.Place()}
	return r
}

// member returns what stands at a path; nil if there is nothing.
func (r *row) member(path string) json.RawMessage {
	names := strings.Split(path, ".")
	members := r.members
	for _, name := range names[:len(names)-1] {
		var below map[string]json.RawMessage
		if json.Unmarshal(members[name], &below) != nil {
			return nil
		}
		members = below
	}
	return members[names[len(names)-1]]
}

// value returns what a row has in a field.
func (r *row) value(f penstock.Field) value {
	if f.Path == "" && !f.Loose {
		text := r.entry.ID
		if f.Name == "key" {
			text = r.entry.Key
		}
		return value{text: text, null: text == ""}
	}
	raw := r.member(f.Path)
	if f.Type == penstock.Text {
		return textOf(raw, f.Loose)
	}
	return numberOf(raw, f.Column)
}

// check compares what views said with what they should. Their rows may come in any order.
func (r *Recount) check(j *judge, views []penstock.View) error {
	for _, one := range views {
		if v := r.of(one.Name); v == nil {
			return penstock.Errorf(penstock.Invalid, "judge views", "nothing was counted for view %s", one.Name)
		}
	}
	for _, v := range r.views {
		for _, g := range v.groups {
			g.shown = false
		}
	}
	for said, err := range j.run.Views {
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(views, func(v penstock.View) bool { return v.Name == said.View }) {
			return penstock.Errorf(penstock.Invalid, "judge views", "a row of view %q, which is not judged", said.View)
		}
		j.verdict.Counts.ViewRows++
		r.of(said.View).judge(j, said.Row)
	}
	for _, one := range views {
		r.of(one.Name).judgeMissing(j)
	}
	return nil
}
