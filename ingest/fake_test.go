package ingest

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"

	"penstock"
)

// lines is a protocol as plain as can be: each line of the body is an event. A line "bad" is rejected, "broken" refuses the
// request, "panic" is a defect.
type lines struct{}

func (*lines) Routes() []string { return []string{"POST /v1/streams/{stream}/lines"} }

func (*lines) Accepts(r *penstock.Request) error {
	if r.ContentType == "image/png" {
		return penstock.Refusef("unsupported_media_type", "check content type", "lines only")
	}
	return nil
}

func (*lines) Decode(r *penstock.Request, add func(penstock.Event), reject func(penstock.Rejection)) error {
	var id [8]byte
	body := r.Body
	n := 0
	for ; len(body) > 0; n++ {
		line := body
		if i := bytes.IndexByte(body, '\n'); i >= 0 {
			line, body = body[:i], body[i+1:]
		} else {
			body = nil
		}
		switch string(line) {
		case "bad":
			reject(penstock.Rejection{Index: n, Code: "bad_json", Message: "it says so"})
		case "broken":
			return penstock.Refusef("bad_json", "decode body", "line %d is broken", n)
		case "panic":
			panic("secret text")
		default:
			add(penstock.Event{ID: strconv.AppendInt(id[:0], int64(n), 10), Time: r.ReceivedAt, Body: line})
		}
	}
	if n == 0 {
		return penstock.Refusef("empty_batch", "decode body", "the body is empty")
	}
	if n > r.Limits.Batch {
		return penstock.Refusef("too_many_items", "decode body", "more than %d items", r.Limits.Batch)
	}
	r.Single = n == 1
	return nil
}

func (*lines) Reply(_ *penstock.Request, o *penstock.Outcome) (int, string, []byte) {
	status := 202
	if o.Accepted == 0 {
		status = 422
	}
	body := make([]byte, 0, 256)
	body = append(body, `{"accepted":`...)
	body = strconv.AppendInt(body, int64(o.Accepted), 10)
	body = append(body, `,"rejected_count":`...)
	body = strconv.AppendInt(body, int64(o.RejectedCount), 10)
	for _, r := range o.Rejected {
		body = fmt.Appendf(body, `,"rejected_%d":%q`, r.Index, r.Code)
	}
	if o.Applied != nil {
		body = fmt.Appendf(body, `,"applied":%v`, *o.Applied)
	}
	if len(o.IDs) > 0 {
		body = fmt.Appendf(body, `,"ids":%d`, len(o.IDs))
	}
	if len(o.Positions) > 0 {
		body = fmt.Appendf(body, `,"positions":%d`, len(o.Positions))
	}
	body = append(body, `,"receipt":"`...)
	body = append(body, o.Receipt...)
	return status, "application/json", append(body, '"', '}')
}

// counter is a log that counts, and fails with what it is told to.
type counter struct {
	mu     sync.Mutex
	events int
	next   [penstock.MaxPartitions]penstock.Offset
	fail   error
	block  chan struct{} // if set, appends wait until it is closed
	keep   []*penstock.Block
	kept   bool // keep the blocks
}

func (c *counter) Append(_ context.Context, blocks ...*penstock.Block) error {
	if c.block != nil {
		<-c.block
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	for _, b := range blocks {
		b.Epoch = 1
		c.events += b.Len()
		for i := range b.Groups {
			g := &b.Groups[i]
			g.First = c.next[g.Partition]
			c.next[g.Partition] = g.End()
		}
		if c.kept {
			c.keep = append(c.keep, b)
		}
	}
	return nil
}

func (c *counter) Durability() penstock.Durability { return penstock.DurabilityDisk }

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events
}

// anyStream knows every legal name. The stream "volatile" is kept in memory, "removed" is unknown.
type anyStream struct{}

var (
	plainStream    = &penstock.Stream{Name: "clicks"}
	volatileStream = &penstock.Stream{Name: "volatile", Durability: penstock.DurabilityMemory}
)

func (anyStream) Stream(_, name string) (*penstock.Stream, error) {
	switch name {
	case "volatile":
		return volatileStream, nil
	case "removed":
		return nil, &penstock.Error{Code: penstock.NotFound, Op: "find stream", Reason: "unknown_stream"}
	case "one_too_many":
		return nil, &penstock.Error{Code: penstock.Overloaded, Op: "make stream", Reason: "cardinality"}
	}
	return plainStream, nil
}

func (anyStream) Use(string, *penstock.Stream) error { return nil }

// firstUse is anyStream, and counts which streams it is told to make.
type firstUse struct {
	anyStream
	mu   sync.Mutex
	made []string
	fail error
}

func (f *firstUse) Use(tenant string, s *penstock.Stream) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.made = append(f.made, tenant+"/"+s.Name)
	return nil
}

func testCluster() penstock.Cluster {
	return penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 64}
}
