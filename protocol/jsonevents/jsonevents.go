// Package jsonevents is Penstock's own protocol: POST /v1/streams/{stream}/events with one JSON object, an array of
// objects, or NDJSON. The event is the sender's own object, kept byte for byte; its id, key and time are read from
// members of it.
//
// Every byte is checked once, by internal/jsonscan; docs/contract.md says what an answer promises.
package jsonevents

import (
	"sync"

	"penstock"
)

// Protocol implements penstock.Protocol. Make it with New.
type Protocol struct {
	decoders sync.Pool // of *decoder
	plans    plans
}

// New returns the protocol.
func New() *Protocol {
	return &Protocol{decoders: sync.Pool{New: func() any { return new(decoder) }}}
}

// Routes returns the one route.
func (p *Protocol) Routes() []string { return []string{"POST /v1/streams/{stream}/events"} }

// Accepts checks the content type. It fails with Invalid, reason unsupported_media_type, and shows a command that works.
func (p *Protocol) Accepts(r *penstock.Request) error {
	_, err := formatOf(r)
	return err
}

// Decode calls add for each good event and reject for each bad one, in the order of the body; r.Single tells whether the
// body is one object. It fails with Invalid: when the body is not JSON or nests too deeply, is empty, holds no objects or
// too many of them, or is one object with a member twice or text that is not UTF-8. Where the lines of NDJSON
// are broken, these lines are bad items.
func (p *Protocol) Decode(r *penstock.Request, add func(penstock.Event), reject func(penstock.Rejection)) error {
	format, err := formatOf(r)
	if err != nil {
		return err
	}
	plan, err := p.plans.of(r)
	if err != nil {
		return err
	}
	d := p.decoders.Get().(*decoder)
	defer p.decoders.Put(d)
	d.begin(r, plan, sink{add, reject})
	defer d.end()
	if format == guess {
		format = d.recognise()
	}
	if format == ndjson {
		return d.lines()
	}
	return d.document()
}
