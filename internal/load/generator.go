package load

import (
	"time"

	"penstock"
)

// Generator makes the events of one client for whoever needs them without HTTP. It is used by one goroutine.
type Generator struct {
	template *template
	keys     chooser
	stamp    stamp
	random   splitmix
	next     int64
	line     []byte
}

// NewGenerator returns the generator of a client's events; it fails with Invalid for a shape that makes no sense.
func NewGenerator(s Shape, client int) (*Generator, error) {
	t, err := newTemplate(s)
	if err != nil {
		return nil, err
	}
	keys, err := newChooser(s)
	if err != nil {
		return nil, err
	}
	return &Generator{template: t, keys: keys, stamp: newStamp(client), random: splitmix(client)}, nil
}

// Next returns the next event. Its bytes are valid until the next call.
func (g *Generator) Next() penstock.Event {
	now := time.Now()
	g.stamp.at(now)
	g.line = g.template.appendBatch(g.line[:0], &g.stamp, 1, g.next, func() uint32 { return g.keys(g.random.next()) })
	g.next++
	return penstock.Event{
		ID:   g.line[idAt : idAt+idLen],
		Key:  g.line[keyAt : keyAt+keyLen],
		Time: penstock.MicrosOf(now),
		Body: g.line[:len(g.line)-1],
	}
}
