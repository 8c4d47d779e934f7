package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"penstock"
)

const (
	formatEvents = "text/event-stream"
	tailBatch    = 1 << 20 // bytes read from the log at once
)

// tail is one reader of GET /v1/streams/{stream}/tail: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)
// whose ids are cursors. Each event carries the place right behind it in every partition that is read, so that a
// reader who comes back with the last id it saw misses nothing and sees nothing twice.
type tail struct {
	api         *API
	stream, key string
	fromStart   bool
	question    string
	order       []penstock.Partition // that are read, ascending
	at          penstock.Positions   // behind what was looked at
	moved       bool                 // at is not what the reader was told last
	out         *output
	buffer      []byte
}

func (a *API) serveTail(w http.ResponseWriter, r *http.Request) error {
	if a.o.Log == nil {
		return missing("log")
	}
	t, err := a.tailOf(r)
	if err != nil {
		return err
	}
	ctx, cancel := a.lifetime(r)
	defer cancel()
	if err := a.tails.enter(ctx); err != nil {
		return goneOr(ctx, err)
	}
	defer a.traceTails()
	defer a.tails.leave()
	a.traceTails()
	cursor, err := t.open(ctx, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return goneOr(ctx, err)
	}
	unhurried(w)
	t.out = a.output(w, func(h http.Header) {
		h.Set("Content-Type", formatEvents)
		h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	})
	if r.Method == http.MethodHead {
		_ = cursor.Close()
		return nil
	}
	if err := t.follow(ctx, cursor); err != nil {
		panic(http.ErrAbortHandler) // the reader comes back with its cursor, and is told then
	}
	return nil
}

func (a *API) traceTails() {
	if a.o.Trace.Tails != nil {
		a.o.Trace.Tails(a.tails.open())
	}
}

// tailOf reads what is asked for.
func (a *API) tailOf(r *http.Request) (*tail, error) {
	p := paramsOf(r, "key", "from")
	t := &tail{api: a, stream: r.PathValue("stream"), key: p.Values.Get("key")}
	switch from := p.Values.Get("from"); from {
	case "", "now":
	case "start":
		t.fromStart = true
	default:
		p.Fail("bad_parameter", "from is now or start")
	}
	if len(t.key) > int(penstock.MaxKeyLen) {
		p.Fail("bad_parameter", "key is at most %d bytes", penstock.MaxKeyLen)
	}
	if p.Err != nil {
		return nil, p.Err
	}
	if _, err := accepted(r, formatEvents); err != nil {
		return nil, err
	}
	t.question = fmt.Sprintf("tail %q %q", t.stream, t.key)
	t.order = penstock.All(a.o.Cluster.Partitions)
	if t.key != "" {
		partitioner := penstock.NewPartitioner(a.o.Cluster)
		t.order = []penstock.Partition{partitioner.Of(penstock.DefaultTenant, t.stream, []byte(t.key), nil)}
	}
	return t, a.checkStream(t.stream)
}

// open opens a cursor behind the event that the reader saw last, or else where it asked to begin. A place that the log
// no longer keeps is Trimmed, never passed over.
func (t *tail) open(ctx context.Context, lastID string) (penstock.Cursor, error) {
	log := t.api.o.Log
	if lastID != "" {
		at, err := t.api.tokens.open(t.question, lastID)
		if err != nil {
			return nil, err
		}
		if err := t.take(at); err != nil {
			return nil, penstock.Refusef("bad_cursor", "read cursor", "the cursor is not of these partitions")
		}
		return log.Open(ctx, t.at)
	}
	for {
		first, next, err := log.Bounds(ctx)
		if err != nil {
			return nil, err
		}
		if t.fromStart {
			next = first
		}
		if err := t.take(next); err != nil {
			return nil, err
		}
		cursor, err := log.Open(ctx, t.at)
		if !penstock.Is(err, penstock.Trimmed) || ctx.Err() != nil {
			return cursor, err
		}
		// Retention came between the two calls: the oldest record is another one now.
	}
}

// take sets the place to what positions say of the partitions that are read.
func (t *tail) take(positions penstock.Positions) error {
	t.at = make(penstock.Positions, len(t.order))
	for _, p := range t.order {
		at, ok := positions[p]
		if !ok {
			return penstock.Errorf(penstock.Internal, "open tail", "the log says nothing of partition %d", p)
		}
		t.at[p] = at
	}
	return nil
}

// fed is what a cursor gave.
type fed struct {
	batch penstock.Batch
	err   error
}

// feed reads a cursor until it fails or ctx ends, and closes it. The channel is closed afterwards. A Next that is given up
// may take what it had read with it, so none is: it waits in a goroutine of its own.
func feed(ctx context.Context, cursor penstock.Cursor) <-chan fed {
	c := make(chan fed)
	go func() {
		defer close(c)
		defer cursor.Close()
		for {
			batch, err := cursor.Next(ctx, tailBatch)
			select {
			case c <- fed{batch, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}

// follow writes events as they come until ctx ends. It fails when the reader does not keep up, or the log cannot be read on.
func (t *tail) follow(ctx context.Context, cursor penstock.Cursor) error {
	ctx, cancel := context.WithCancel(ctx)
	batches := feed(ctx, cursor)
	defer func() {
		cancel()
		for range batches { // until the cursor is closed
		}
	}()
	beat := time.NewTimer(t.api.o.Limits.Beat)
	defer beat.Stop()
	t.moved = true // the reader has no cursor yet
	if err := t.beat(); err != nil {
		return err
	}
	for {
		wrote := false
		var err error
		select {
		case <-ctx.Done():
			t.out.finish()
			return nil
		case <-beat.C:
			wrote, err = true, t.beat()
		case f := <-batches:
			if err = f.err; err == nil {
				wrote, err = t.show(f.batch)
			}
		}
		switch {
		case err != nil && ctx.Err() != nil: // it was the end, not a failure
		case err != nil:
			return err
		case wrote:
			beat.Reset(t.api.o.Limits.Beat)
		}
	}
}

// show writes the events of a batch that the reader asked for, and reports whether there were any.
func (t *tail) show(batch penstock.Batch) (wrote bool, err error) {
	for r := range batch.Records() {
		next := penstock.Position{Epoch: r.Position.Epoch, Offset: r.Position.Offset + 1}
		t.at[r.Partition], t.moved = next, true
		if !t.wants(r) {
			continue
		}
		if err = t.event(r); err != nil {
			return wrote, err
		}
		wrote = true
		if len(t.buffer) < piece {
			continue
		}
		if err = t.send(); err != nil {
			return wrote, err
		}
	}
	for p, next := range batch.Next {
		if t.at[p].Less(next) {
			t.at[p], t.moved = next, true
		}
	}
	if len(t.buffer) == 0 {
		return wrote, nil
	}
	if err = t.send(); err != nil {
		return wrote, err
	}
	return wrote, t.out.flush()
}

func (t *tail) wants(r *penstock.Record) bool {
	return r.Stream == t.stream && r.Tenant == penstock.DefaultTenant && (t.key == "" || string(r.Key) == t.key)
}

// event adds a record, with the cursor behind it, to the buffer.
func (t *tail) event(r *penstock.Record) error {
	data, err := json.Marshal(eventOf(penstock.Row{
		ID: string(r.ID), Key: string(r.Key), Time: r.Time, ReceivedAt: r.ReceivedAt, Body: penstock.Raw(r.Body),
		Partition: r.Partition, Position: r.Position,
	})) // without line ends, which would end the field
	if err != nil {
		return penstock.Wrap(penstock.Internal, "write event", err)
	}
	t.id()
	t.buffer = append(append(append(t.buffer, "data: "...), data...), "\n\n"...)
	return nil
}

// id adds the reader's place to the buffer.
func (t *tail) id() {
	t.buffer = append(append(append(t.buffer, "id: "...), t.api.tokens.sign(t.question, t.at, t.order)...), '\n')
	t.moved = false
}

// beat shows that the connection lives. Where other streams' records went by it moves the reader's cursor, too, so that
// it does not stay behind until the log forgets its place.
func (t *tail) beat() error {
	if t.moved {
		t.id()
	} else {
		t.buffer = append(t.buffer, ":\n"...)
	}
	t.buffer = append(t.buffer, '\n')
	if err := t.send(); err != nil {
		return err
	}
	return t.out.flush()
}

func (t *tail) send() error {
	_, err := t.out.Write(t.buffer)
	t.buffer = t.buffer[:0]
	return err
}
