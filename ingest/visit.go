package ingest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/edge"
	"penstock/internal/failpoint"
)

// visit is one request's way through the door. Visits are pooled with all that they need, so that an ordinary request costs the
// block that the log keeps and little else. leave resets a visit on every path, a panic's too.
type visit struct {
	door     *Door
	protocol penstock.Protocol
	builder  *penstock.BlockBuilder
	add      func(penstock.Event)
	reject   func(penstock.Rejection)

	request  penstock.Request
	producer penstock.Producer
	wishes   wishes
	lane     *lane
	source   source
	small    []byte         // of up to smallBuffer bytes, kept with the visit
	spare    []byte         // another, for what a small body unfolds to
	body     []byte         // in small, or in a buffer of its own
	held     penstock.Bytes // of the gate
	begun    bool           // the builder holds a block
	sums     checksum.Stream

	firstID       []byte
	ids           [1]string // of a single object's answer
	rejected      []penstock.Rejection
	rejectedCount int
	rejectedBy    []codeCount
	outcome       penstock.Outcome
}

type codeCount struct {
	code  string
	count int
}

const maxRejected = 20 // rejections that an answer lists

func (d *Door) enter(p penstock.Protocol) *visit {
	v, ok := d.visits.Get().(*visit)
	if !ok {
		v = &visit{door: d, builder: penstock.NewBlockBuilder(penstock.NewPartitioner(d.o.Cluster))}
		v.add, v.reject = v.addEvent, v.rejectItem
	}
	v.protocol = p
	return v
}

// leave gives back what the visit holds and makes it fit for the next request.
func (d *Door) leave(v *visit) {
	v.releaseBody()
	v.releaseGate()
	v.request, v.wishes, v.lane, v.source, v.outcome = penstock.Request{}, wishes{}, nil, source{}, penstock.Outcome{}
	v.producer = penstock.Producer{}
	v.firstID = v.firstID[:0]
	clear(v.rejected)
	v.rejected, v.rejectedCount, v.rejectedBy = v.rejected[:0], 0, v.rejectedBy[:0]
	if v.begun {
		v.builder.Take()
		v.begun = false
	}
	d.visits.Put(v)
}

func (v *visit) releaseGate() {
	v.door.gate.give(v.held)
	v.held = 0
}

// serve takes a request through all steps. It returns an error if it has not answered.
func (v *visit) serve(w http.ResponseWriter, r *http.Request) error {
	if err := v.ready(); err != nil {
		return err
	}
	if err := v.read(w, r); err != nil {
		return err
	}
	block, err := v.decode()
	if err != nil {
		return err
	}
	if v.wishes.debug {
		v.explain(w, block)
		return nil
	}
	if err := v.append(block); err != nil {
		return err
	}
	failpoint.Hit("door.appended")
	return v.answer(w, r, block)
}

func (v *visit) ready() error {
	if v.door.closed.Load() {
		return &penstock.Error{Code: penstock.Unavailable, Op: "admit request", Reason: "shutting_down"}
	}
	if v.door.o.Ready != nil {
		return v.door.o.Ready()
	}
	return nil
}

// read checks the headers, cheapest first, and then reads the body.
func (v *visit) read(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("stream")
	if err := penstock.CheckStreamName(name); err != nil {
		return err
	}
	stream, err := v.door.o.Streams.Stream(penstock.DefaultTenant, name)
	if err != nil {
		return err
	}
	v.lane = &v.door.log
	if stream.Durability == penstock.DurabilityMemory {
		v.lane = &v.door.memory
	}
	v.request.Stream = stream
	if err := v.readHeaders(r); err != nil {
		return err
	}
	encoding, err := encodingOf(w.Header(), r.Header["Content-Encoding"])
	if err != nil {
		return err
	}
	if !v.wishes.applied { // else what is waited for may be of no use any more
		edge.Unwatch(r)
	}
	return v.readBody(w, r, encoding)
}

func (v *visit) readHeaders(r *http.Request) error {
	req, limits := &v.request, &v.door.o.Limits
	if r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return penstock.Refusef("bad_query", "read query", "the query string is not well formed")
		}
		req.Query = query
		if v.wishes, err = wishesOf(query, limits.Wait); err != nil {
			return err
		}
	}
	req.ContentType = first(r.Header["Content-Type"])
	req.IdempotencyKey = first(r.Header["Idempotency-Key"])
	if values := r.Header[producerHeader]; len(values) > 0 {
		var err error
		if v.producer, err = penstock.ParseProducer(strings.Join(values, ", ")); err != nil { // of two headers it is none
			return err
		}
		if req.IdempotencyKey == "" { // ids that are given must be the same again, or a repeat would lie in other partitions
			req.IdempotencyKey = producerHeader + " " + v.producer.String()
		}
	}
	req.FromBrowser = len(r.Header["Origin"]) > 0 || len(r.Header["Sec-Fetch-Site"]) > 0
	req.Limits = penstock.ItemLimits{Event: limits.Event, Batch: limits.Batch}
	return v.protocol.Accepts(req)
}

// producerHeader names the sender and numbers its request.
const producerHeader = "Penstock-Producer"

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// recordRoom is what a record takes besides its share of the body, guessed: header and a given id.
const recordRoom = 64

// decode makes a block of the body, and lets go of the body.
func (v *visit) decode() (*penstock.Block, error) {
	v.request.ReceivedAt = penstock.MicrosOf(v.door.o.Now())
	v.request.Body = v.body
	size := penstock.Bytes(len(v.body))
	v.builder.Reset(penstock.DefaultTenant, v.request.Stream.Name, v.request.ReceivedAt, size+size/5+recordRoom)
	v.builder.Produced(v.producer)
	v.begun = true
	v.sums = v.door.sums.Stream(penstock.DefaultTenant, v.request.Stream.Name)
	if err := v.protocol.Decode(&v.request, v.add, v.reject); err != nil {
		return nil, err
	}
	v.request.Body = nil
	v.releaseBody()
	v.traceRejected()
	if v.rejectedCount > 0 && !v.wishes.partial() {
		bad := v.rejected[0]
		return nil, penstock.Refusef("bad_item", "check items", "item %d: %s: %s", bad.Index, bad.Code, bad.Message)
	}
	v.begun = false
	return v.builder.Take(), nil
}

func (v *visit) addEvent(e penstock.Event) {
	if len(v.firstID) == 0 {
		v.firstID = append(v.firstID, e.ID...)
	}
	e.Sum = v.sums.Sum(e.Key, e.ID, e.Body)
	v.builder.Add(e)
}

func (v *visit) rejectItem(item penstock.Rejection) {
	if v.rejectedCount++; len(v.rejected) < maxRejected {
		v.rejected = append(v.rejected, item)
	}
	for i := range v.rejectedBy {
		if v.rejectedBy[i].code == item.Code {
			v.rejectedBy[i].count++
			return
		}
	}
	v.rejectedBy = append(v.rejectedBy, codeCount{item.Code, 1})
}

func (v *visit) traceRejected() {
	if v.door.o.Trace.Rejected == nil {
		return
	}
	for _, by := range v.rejectedBy {
		v.door.o.Trace.Rejected(v.request.Stream.Name, by.code, by.count)
	}
}

// append makes the block durable, and the stream if these are its first events. It waits for the outcome even if the client goes away: nobody would hear that it is unknown,
// and a context that can end costs each request more than the receipt does.
func (v *visit) append(block *penstock.Block) error {
	ctx := context.Background()
	if block.Len() == 0 {
		return nil
	}
	if err := v.door.o.Streams.Use(penstock.DefaultTenant, v.request.Stream); err != nil {
		return err
	}
	accepted := v.door.o.Trace.Accepted
	if accepted == nil {
		return appendError(v.lane.Append(ctx, block))
	}
	start := time.Now()
	if err := v.lane.Append(ctx, block); err != nil {
		return appendError(err)
	}
	accepted(v.request.Stream.Name, block.Len(), block.Size(), time.Since(start))
	return nil
}

// appendError keeps the codes after which nothing was added. Of any other error that is not known, so the answer must not
// promise it.
func appendError(err error) error {
	if err == nil {
		return nil
	}
	switch penstock.CodeOf(err) {
	case penstock.Overloaded, penstock.Full, penstock.Invalid, penstock.Unavailable, penstock.Unknown:
		return err
	}
	return penstock.Wrap(penstock.Unknown, "append events", err)
}

// refuse answers an error. A body that was not read whole ends the connection, except when the server is only busy and the
// sender will come back.
func (v *visit) refuse(w http.ResponseWriter, r *http.Request, err error) {
	reason := edge.Reason(err)
	if v.door.o.Trace.Refused != nil {
		v.door.o.Trace.Refused(reason, err)
	}
	if penstock.Is(err, penstock.Overloaded) || penstock.Is(err, penstock.Full) {
		w.Header()["Retry-After"] = []string{v.door.retryAfter()}
	}
	if r.ContentLength != 0 && !v.source.done && !penstock.Is(err, penstock.Overloaded) {
		edge.Abandon(w)
	}
	edge.WriteError(w, r, err)
}
