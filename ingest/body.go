package ingest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"penstock"
)

const (
	smallBuffer = 16 << 10 // kept with each visit; what most single events fit in
	firstBuffer = 1 << 20  // what a sender may claim by announcing it, before it sent anything
	keptBuffer  = 1 << 20  // larger buffers are left to the garbage collector
)

// readBody reads and decompresses the request's body into v.body.
func (v *visit) readBody(w http.ResponseWriter, r *http.Request, e encoding) error {
	limit := v.door.o.Limits.Body
	if r.ContentLength > int64(limit) {
		return errTooLarge
	}
	v.source = source{w: w, body: r.Body, limits: &v.door.o.Limits, done: r.ContentLength == 0, chunked: r.ContentLength < 0}
	size := penstock.Bytes(max(r.ContentLength, 0))
	if e == identity {
		return v.fill(&v.source, min(size+1, firstBuffer))
	}
	return v.decompress(e, size)
}

// fill reads from r to its end, or until the body is larger than allowed. Its buffer grows as bytes arrive, each time
// with leave of the gate.
func (v *visit) fill(r io.Reader, size penstock.Bytes) error {
	if err := v.grow(size); err != nil {
		return err
	}
	limit := int(v.door.o.Limits.Body)
	for {
		n, err := r.Read(v.body[len(v.body):cap(v.body)])
		v.body = v.body[:len(v.body)+n]
		switch {
		case len(v.body) > limit:
			return errTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(v.body) == cap(v.body):
			// Four times: few copies, and all the buffers together stay below twice the limit.
			if err := v.grow(4 * penstock.Bytes(cap(v.body))); err != nil {
				return err
			}
		}
	}
}

// grow makes room for size bytes in all, or for one more than a body may have.
func (v *visit) grow(size penstock.Bytes) error {
	return v.hold(min(size, v.door.o.Limits.Body+1))
}

// hold makes v.body a buffer with room for size bytes, with what is in it already, if the gate lets it.
func (v *visit) hold(size penstock.Bytes) error {
	if more := size - v.held; more > 0 {
		if !v.door.gate.take(more) {
			return penstock.Errorf(penstock.Overloaded, "admit request", "%d bytes are in flight", v.door.InFlight())
		}
		v.held = size
	}
	if size <= smallBuffer {
		if v.small == nil {
			v.small = make([]byte, 0, smallBuffer)
		}
		v.body = v.small[:0]
		return nil
	}
	grown := v.door.buffer(int(size))
	grown = append(grown, v.body...)
	v.releaseBody()
	v.body = grown
	return nil
}

// buffer returns an empty buffer with room for size bytes.
func (d *Door) buffer(size int) []byte {
	if b, ok := d.large.Get().(*[]byte); ok {
		if cap(*b) >= size {
			return (*b)[:0]
		}
		d.large.Put(b)
	}
	return make([]byte, 0, size)
}

// releaseBody gives the body's buffer back.
func (v *visit) releaseBody() {
	v.door.release(v.body)
	v.body = nil
}

// release keeps a buffer for other bodies, unless it belongs to a visit, or is too large to be kept.
func (d *Door) release(b []byte) {
	if c := cap(b); c > smallBuffer && c <= keptBuffer {
		kept := b[:0] // of its own, so that b need not live on the heap for every body
		d.large.Put(&kept)
	}
}

// source is the body as it comes off the wire: paced and capped. A body of known length that is there with the first read
// sets no timer: until then the server's own deadline holds. Of a chunked body net/http returns nothing before the buffer
// is full or the chunk ends, so its first bytes are asked for in small pieces.
type source struct {
	w       http.ResponseWriter
	body    io.Reader
	limits  *Limits
	chunked bool
	done    bool  // the body was read to its end
	failed  error // what ended it before; decoders hide such errors behind their own

	read     penstock.Bytes
	begun    time.Time // of the first read that was paced
	deadline time.Time
}

// Read implements io.Reader. Its errors are penstock's own, but for io.EOF.
func (s *source) Read(p []byte) (int, error) {
	if s.read > 0 || s.chunked {
		s.pace()
	}
	if s.chunked && s.read < smallBuffer {
		p = p[:min(len(p), smallBuffer/4)]
	}
	n, err := s.body.Read(p)
	s.read += penstock.Bytes(n)
	switch {
	case err == nil:
	case err == io.EOF:
		s.done = true
		return n, err
	default:
		s.failed = bodyError(err)
		return n, s.failed
	}
	if s.read > s.limits.Body {
		s.failed = errTooLarge
	}
	return n, s.failed
}

// pace moves the deadline on: at any time the body may lag behind the slowest rate by the grace.
func (s *source) pace() {
	now := time.Now()
	if s.begun.IsZero() {
		s.begun = now
	}
	earned := time.Duration(float64(s.read) / float64(s.limits.BodyFloor) * float64(time.Second))
	deadline := s.begun.Add(min(s.limits.BodyGrace+earned, s.limits.BodyTime))
	if !s.deadline.IsZero() && deadline.Sub(s.deadline) < s.limits.BodyGrace/8 {
		return // not worth a call
	}
	s.deadline = deadline
	_ = http.NewResponseController(s.w).SetReadDeadline(deadline) // a writer that cannot has no socket to wait for
}

const opReadBody = "read body"

var (
	errTooLarge = penstock.Refusef("body_too_large", opReadBody, "the body is larger than allowed: send smaller batches")
	errTooSlow  = penstock.Refusef("body_too_slow", opReadBody, "the body came too slowly")
	errCut      = penstock.Refusef("body_cut", opReadBody, "the body ended before it was whole")
	errBadBody  = penstock.Refusef("bad_body", opReadBody, "the body is not well formed")
)

func bodyError(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTooSlow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	}
	return errBadBody
}
