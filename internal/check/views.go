package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"penstock"
)

// ViewRow is a row of a view as an answer had it, by column.
type ViewRow struct {
	View string                     `json:"view"`
	Row  map[string]json.RawMessage `json:"row"`
}

// judgeViews compares what views said in the end with what the rows come to, each event of which is what its sender sent.
func (j *judge) judgeViews() error {
	if j.run.Views == nil {
		return nil
	}
	return j.recount.check(j, j.run.Models)
}

// judge compares a row of an answer with the group that it is of.
func (v *view) judge(j *judge, said map[string]json.RawMessage) {
	name, err := v.groupOf(said)
	if err != nil {
		j.found(ViewStray, subject{name: v.Name}, "%s has a row that is none of its: %v", v.Name, err)
		return
	}
	g := v.groups[name]
	if g == nil && len(v.Group) == 0 && v.Window == 0 { // all rows are one group, also when there are none
		g = &counted{figures: make([]figure, len(v.Measures))}
	}
	switch {
	case g == nil:
		j.found(ViewStray, subject{name: v.Name}, "%s has the group %s, and no row is of it", v.Name, name)
		return
	case g.shown:
		j.found(ViewTwice, subject{name: v.Name}, "%s has the group %s twice", v.Name, name)
		return
	}
	g.shown = true
	for i, m := range v.Measures {
		wrong, estimate := g.figures[i].says(m, g.rows, said[m.Name])
		class := ViewDiffers
		if estimate {
			class = ViewOff
		}
		if wrong != "" {
			j.found(class, subject{name: v.Name}, "%s says of the group %s, which has %d rows, that %s is %s", v.Name, name, g.rows, m.Name, wrong)
		}
	}
}

// groupOf names the group that a row of an answer is of.
func (v *view) groupOf(said map[string]json.RawMessage) (string, error) {
	columns := len(v.Group) + len(v.Measures)
	window := penstock.Micros(0)
	if v.Window > 0 {
		columns++
		var at time.Time
		if err := json.Unmarshal(said[penstock.TimeColumn], &at); err != nil {
			return "", fmt.Errorf("time %s", said[penstock.TimeColumn])
		}
		window = penstock.MicrosOf(at)
	}
	if len(said) != columns {
		return "", fmt.Errorf("%d columns, want %d", len(said), columns)
	}
	values := make([]value, len(v.Group))
	for i, f := range v.Group {
		raw, ok := said[f.Name]
		if !ok {
			return "", fmt.Errorf("it lacks %s", f.Name)
		}
		if values[i] = numberOf(raw, f.Column); f.Type == penstock.Text {
			values[i] = textOf(raw, false)
		}
	}
	return groupName(window, values), nil
}

// judgeMissing wants every group that has rows.
func (v *view) judgeMissing(j *judge) {
	var missing []string
	for name, g := range v.groups {
		if !g.shown {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	for _, name := range missing {
		j.found(ViewLacks, subject{name: v.Name}, "%s lacks the group %s, which has %d rows", v.Name, name, v.groups[name].rows)
	}
}
