package query

import (
	"net/http"
	"time"

	"penstock"
)

// piece is what a reader has to take within the limit of time, and what is written at once.
const piece = 32 << 10

// output writes an answer to a reader that may be slow or gone. Nothing reaches it, the headers included, before the
// first Write: until then a refusal can be the answer. The deadline moves with every piece that was taken.
type output struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	head     func(http.Header) // called before the first byte
	begun    bool
	written  penstock.Bytes
}

func (a *API) output(w http.ResponseWriter, head func(http.Header)) *output {
	return &output{w: w, control: http.NewResponseController(w), patience: a.o.Limits.Write, head: head}
}

// errReader says that the reader is gone, or took longer than it may. There is nobody to tell it to.
var errReader = penstock.Errorf(penstock.Unavailable, "write answer", "the reader is gone or too slow")

// Write implements io.Writer. It fails with errReader.
func (o *output) Write(p []byte) (int, error) {
	if !o.begun {
		o.begun = true
		o.head(o.w.Header())
	}
	n := 0
	for n < len(p) {
		o.hurry()
		m, err := o.w.Write(p[n:min(n+piece, len(p))])
		n += m
		o.written += penstock.Bytes(m)
		if err != nil {
			return n, errReader
		}
	}
	o.rest()
	return n, nil
}

// flush hands over what the server still holds back.
func (o *output) flush() error {
	o.hurry()
	if o.control.Flush() != nil {
		return errReader
	}
	o.rest()
	return nil
}

// finish is called before the handler returns, for the bytes that the server writes then.
func (o *output) finish() { o.hurry() }

// hurry gives the reader its time from now on. A writer that knows no deadlines has no reader to wait for.
func (o *output) hurry() { _ = o.control.SetWriteDeadline(time.Now().Add(o.patience)) }

// rest takes the deadline away while nothing is written: HTTP/2 would end the stream when it passes.
func (o *output) rest() { _ = o.control.SetWriteDeadline(time.Time{}) }

// hurry gives the reader of a short answer its time.
func (a *API) hurry(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(a.o.Limits.Write))
}

// unhurried takes away the server's deadline for the whole answer, which would end one that is begun late, or never ends.
// Each write has its own.
func unhurried(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}
