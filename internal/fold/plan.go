package fold

import (
	"fmt"
	"time"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/jsonscan"
	"penstock/internal/predicate"
)

// Plan is the views of a stream, made ready. It never changes and may be shared.
type Plan struct {
	fields   []field
	selector *jsonscan.Selector
	views    []view
}

// view is a view, made ready. Fields are given by their index in the plan.
type view struct {
	where    *predicate.Predicate // nil: all rows count
	group    []int
	window   penstock.Micros
	measures []measure
	width    int // slots of all measures
}

// compiler collects what a plan's views read.
type compiler struct {
	plan   *Plan
	stream *penstock.Stream
	paths  []jsonscan.Path
	slots  map[string]int         // of paths
	known  map[penstock.Field]int // fields, without the names of those that have a path
}

// Compile makes the views of a stream ready. It fails with Invalid, reason bad_view, and says why if one cannot be: of another stream, with a field
// or a measure that makes no sense, with two columns of one name, with a condition that cannot be read, or a leaderboard that is none.
func Compile(stream penstock.Stream, views []penstock.View) (*Plan, error) {
	c := &compiler{plan: &Plan{}, stream: &stream, slots: map[string]int{}, known: map[penstock.Field]int{}}
	for i := range views {
		v, err := c.view(&views[i])
		if err != nil {
			return nil, penstock.Refusef("bad_view", "compile view "+views[i].Name, "%w", err)
		}
		c.plan.views = append(c.plan.views, v)
	}
	c.plan.selector = jsonscan.NewSelector(c.paths...)
	return c.plan, nil
}

func (c *compiler) view(of *penstock.View) (v view, err error) {
	if of.Stream != c.stream.Name {
		return v, fmt.Errorf("it is of the stream %s, not %s", of.Stream, c.stream.Name)
	}
	if of.Window < 0 || of.Window%time.Microsecond != 0 {
		return v, fmt.Errorf("a window of %v: want whole microseconds, or none", of.Window)
	}
	if err := checkNames(of); err != nil {
		return v, err
	}
	v.window = penstock.Micros(of.Window / time.Microsecond)
	if v.where, err = c.where(of.Where); err != nil {
		return v, err
	}
	for _, g := range of.Group {
		at, err := c.field(g)
		if err != nil {
			return v, fmt.Errorf("group %s: %w", g.Name, err)
		}
		v.group = append(v.group, at)
	}
	for i := range of.Measures {
		m, err := c.measure(&of.Measures[i])
		if err != nil {
			return v, fmt.Errorf("measure %s: %w", of.Measures[i].Name, err)
		}
		m.at = v.width
		v.width += m.slots()
		v.measures = append(v.measures, m)
	}
	return v, checkBoard(of)
}

// where returns the condition, bound to the slots of the plan's paths.
func (c *compiler) where(text string) (*predicate.Predicate, error) {
	if text == "" {
		return nil, nil
	}
	p, err := predicate.Parse(text, c.stream.Columns)
	if err != nil {
		return nil, fmt.Errorf("where: %w", err)
	}
	var at []int
	for _, o := range p.Operands() {
		if o.Source != predicate.BuiltIn {
			at = append(at, c.slot(o.Path))
		}
	}
	return p.Bind(at), nil
}

// slot returns where the value at a path is found.
func (c *compiler) slot(path jsonscan.Path) int {
	at, known := c.slots[path.String()]
	if !known {
		at = len(c.paths)
		c.slots[path.String()] = at
		c.paths = append(c.paths, path)
	}
	return at
}

// field returns the index of a field.
func (c *compiler) field(of penstock.Field) (int, error) {
	if of.Path != "" {
		of.Name = ""
	}
	if at, known := c.known[of]; known {
		return at, nil
	}
	d := field{Field: of, reading: readingOf(of), shape: shapeOf(of.Type)}
	switch {
	case d.shape == noShape:
		return 0, fmt.Errorf("the type %q is not known", of.Type)
	case d.shape == fixed && (of.Precision < 1 || of.Precision > delta.SumDigits || of.Scale < 0 || of.Scale > of.Precision):
		return 0, fmt.Errorf("there is no decimal(%d,%d)", of.Precision, of.Scale)
	case of.Path == "":
		var t penstock.ColumnType
		if d.source, t = builtIn(of.Name); d.source == fromBody || of.Loose {
			return 0, fmt.Errorf("%s has no path, and is not id, key, time or received_at", of.Name)
		} else if t != of.Type {
			return 0, fmt.Errorf("%s is a %s, not a %s", of.Name, t, of.Type)
		}
	default:
		path, err := jsonscan.ParsePath(of.Path)
		if err != nil {
			return 0, err
		}
		d.slot = c.slot(path)
	}
	c.known[of] = len(c.plan.fields)
	c.plan.fields = append(c.plan.fields, d)
	return c.known[of], nil
}
