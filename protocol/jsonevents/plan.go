package jsonevents

import (
	"sync"
	"sync/atomic"

	"penstock"
	"penstock/internal/jsonscan"
)

// plan is what is read out of the events of a stream: the values of the selector are id, key, time and the columns.
type plan struct {
	selector *jsonscan.Selector
	columns  []penstock.Column
}

const (
	idValue = iota
	keyValue
	timeValue
	columnValues // the first of them
)

// fields are the paths to id, key and time, as text; empty ones are the members of those names.
type fields struct{ id, key, time string }

var plainPlan = &plan{selector: jsonscan.NewSelector(jsonscan.Path{"id"}, jsonscan.Path{"key"}, jsonscan.Path{"time"})}

// plans keeps the plans of streams that need one of their own.
type plans struct {
	known sync.Map // *penstock.Stream to *plan
	count atomic.Int32
}

// of returns the plan for a request.
func (ps *plans) of(r *penstock.Request) (*plan, error) {
	s := r.Stream
	f := fields{s.IDField, s.KeyField, s.TimeField}
	if asked := f.asked(r); asked != f {
		p, err := newPlan(asked, s.Columns)
		if err != nil {
			return nil, penstock.Refusef("bad_query", "read query", "%s", err.Error())
		}
		return p, nil
	}
	if f == (fields{}) && len(s.Columns) == 0 {
		return plainPlan, nil
	}
	if p, ok := ps.known.Load(s); ok {
		return p.(*plan), nil
	}
	p, err := newPlan(f, s.Columns)
	if err != nil {
		return nil, penstock.Wrap(penstock.Internal, "read stream "+s.Name, err)
	}
	// A changed configuration brings new streams; the old ones are forgotten now and then.
	if ps.count.Add(1) > 2*penstock.MaxStreams {
		ps.count.Store(1)
		ps.known.Clear()
	}
	ps.known.Store(s, p)
	return p, nil
}

// asked returns the fields with those that the query names in their place.
func (f fields) asked(r *penstock.Request) fields {
	if len(r.Query) == 0 {
		return f
	}
	or := func(name, otherwise string) string {
		if v := r.Query.Get(name); v != "" {
			return v
		}
		return otherwise
	}
	return fields{or("id_field", f.id), or("key_field", f.key), or("time_field", f.time)}
}

func newPlan(f fields, columns []penstock.Column) (*plan, error) {
	texts := make([]string, columnValues, columnValues+len(columns))
	for i, t := range [][2]string{idValue: {f.id, "id"}, keyValue: {f.key, "key"}, timeValue: {f.time, "time"}} {
		if texts[i] = t[0]; t[0] == "" {
			texts[i] = t[1]
		}
	}
	for _, c := range columns {
		texts = append(texts, c.Path)
	}
	paths := make([]jsonscan.Path, len(texts))
	for i, text := range texts {
		path, err := jsonscan.ParsePath(text)
		if err != nil {
			return nil, err
		}
		paths[i] = path
	}
	return &plan{jsonscan.NewSelector(paths...), columns}, nil
}
