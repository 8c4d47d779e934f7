// Package load sends events to a Penstock server over plain HTTP, as fast as asked, and keeps account of every answer.
//
// It shares the machine with the server that it measures, so it is lean: requests are written by hand onto raw
// connections, events are copied from a pool of prepared ones, and only id, key and time are set in place. It uses no
// code of the server or of its client: what it measures and proves, it sees from outside.
//
// Event ids are cCCCC-SSSSSSSSSS: the client's number and a sequence that has no gaps, so what a client had accepted is
// a short list of Ranges.
package load

import (
	"context"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"penstock"
)

// Options says what to send. The zero value of each field but URL works.
type Options struct {
	URL    string // http://host:port
	Stream string // default bench
	Token  string // default none

	Shape       Shape
	Batch       int // events a request; default 1: one JSON object, otherwise NDJSON
	Connections int // default 64; each is one client with one request in flight

	Rate     float64       // events a second, open loop; 0: closed loop
	Events   int64         // stop after so many; 0: no limit
	Duration time.Duration // stop after so long; 0: no limit, or 10 s when Events is 0 too

	Drop        bool          // what is refused is not sent again
	FirstClient int           // number of the first client; default 0
	First       int64         // sequence that each client begins with; default 0
	Seed        int64         // of the choice of keys
	Age         time.Duration // how old the events say they are; default 0
	Path        string        // default /v1/streams/STREAM/events

	Trace Trace
}

// Trace reports what happens; nil functions mean silence. They may be called concurrently.
type Trace struct {
	// Progress is called about once a second with the number of events accepted so far.
	Progress func(accepted int64)
	// Answered is called for every request that was accepted whole.
	Answered func(Answer)
}

// Answer is an accepted request.
type Answer struct {
	Client      int
	First       int64 // sequence of its first event
	Count       int
	Status      int
	Sent, Ended time.Time
	Body        []byte // of the response; valid during the call
}

// Result is the account of a run.
type Result struct {
	Events   int64  // accepted
	Sent     int64  // events whose request was written, whole or in part; each id counts once
	Requests int64  // accepted
	Bytes    int64  // of the accepted events
	Refused  int64  // answers 429 and 503 "not_stored"; each was sent again after its Retry-After, or not at all
	Errors   int64  // other answers, lost connections: their events are in none of the Acked ranges
	Problem  string // the first error, in words

	NoRetryAfter int64 // of the refused ones, those that did not say when to come again

	Elapsed time.Duration
	Latency *Latency // of accepted requests, from the (intended) start to the answer
	Acked   []Acked
}

// Acked is what one client knows to be accepted.
type Acked struct {
	Client int
	Sent   int64 // sequences below were sent, accepted or not
	Ranges Ranges
}

// PerSecond returns the events accepted per second.
func (r *Result) PerSecond() float64 { return float64(r.Events) / r.Elapsed.Seconds() }

func (o Options) withDefaults() Options {
	if o.Stream == "" {
		o.Stream = "bench"
	}
	if o.Path == "" {
		o.Path = "/v1/streams/" + o.Stream + "/events"
	}
	if o.Batch < 1 {
		o.Batch = 1
	}
	if o.Connections < 1 {
		o.Connections = 64
	}
	if o.Events == 0 && o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	return o
}

// run is what the workers of a run share.
type run struct {
	opts     Options
	host     string
	template *template
	keys     chooser
	start    time.Time
	due      chan time.Time // open loop: intended times; closed when no more is due

	claimed  atomic.Int64
	accepted atomic.Int64
	stop     atomic.Bool

	latency *Latency

	mu     sync.Mutex
	result Result
}

// Run sends events until the number or the time is reached or ctx ends, waits for open answers, and returns the account.
// It fails with Invalid for options that make no sense, and with Unavailable when no connection can be made at first.
func Run(ctx context.Context, opts Options) (*Result, error) {
	const op = "run load"
	r, err := newRun(opts.withDefaults())
	if err != nil {
		return nil, penstock.Wrap(penstock.Invalid, op, err)
	}
	clients := make([]*client, r.opts.Connections)
	for i := range clients {
		c, err := newClient(r, r.opts.FirstClient+i)
		if err != nil {
			closeAll(clients)
			return nil, penstock.Wrap(penstock.Unavailable, op, err)
		}
		clients[i] = c
	}
	defer closeAll(clients)
	r.drive(ctx, clients)
	r.result.Latency = r.latency
	for _, c := range clients {
		r.result.Acked = append(r.result.Acked, Acked{c.number, c.next, c.acked})
		r.result.Sent += c.next - r.opts.First
	}
	return &r.result, nil
}

func newRun(o Options) (*run, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" || u.Host == "" {
		return nil, penstock.Errorf(penstock.Invalid, "check url", "%q is not http://host:port", o.URL)
	}
	if o.FirstClient < 0 || o.FirstClient+o.Connections > maxClients {
		return nil, penstock.Errorf(penstock.Invalid, "check clients", "%d connections are too many", o.Connections)
	}
	t, err := newTemplate(o.Shape)
	if err != nil {
		return nil, err
	}
	keys, err := newChooser(o.Shape)
	if err != nil {
		return nil, err
	}
	return &run{
		opts: o, host: u.Host, template: t, keys: keys,
		latency: NewLatency(),
	}, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		if c != nil {
			c.conn.close()
		}
	}
}

// drive runs the clients to the end.
func (r *run) drive(ctx context.Context, clients []*client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.start = time.Now()
	if r.opts.Duration > 0 {
		timer := time.AfterFunc(r.opts.Duration, func() { r.stop.Store(true) })
		defer timer.Stop()
	}
	defer context.AfterFunc(ctx, func() { r.stop.Store(true) })()
	var pacing sync.WaitGroup
	if r.opts.Rate > 0 {
		r.due = make(chan time.Time, 1<<12)
		pacing.Go(func() { r.pace(ctx) })
	}
	if r.opts.Trace.Progress != nil {
		go r.report(ctx)
	}
	var working sync.WaitGroup
	for _, c := range clients {
		working.Go(func() { c.work(ctx) })
	}
	working.Wait()
	r.result.Elapsed = time.Since(r.start)
	r.result.Events = r.accepted.Load()
	cancel()
	pacing.Wait()
}

// report calls Progress every second until ctx ends.
func (r *run) report(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.opts.Trace.Progress(r.accepted.Load())
		}
	}
}

// claim returns how many events the next request carries: 0 when the run is over.
func (r *run) claim() int {
	if r.stop.Load() {
		return 0
	}
	n := int64(r.opts.Batch)
	if r.opts.Events == 0 {
		return int(n)
	}
	before := r.claimed.Add(n) - n
	return int(max(0, min(n, r.opts.Events-before)))
}

// tally is how one request ended.
type tally struct {
	events, bytes   int64
	refused, failed int64
	unsaid          int64 // refused without a Retry-After
	problem         string
}

func (r *run) add(t tally, latency time.Duration) {
	if t.events > 0 {
		r.accepted.Add(t.events)
	}
	if t.events > 0 {
		r.latency.Record(latency)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Bytes += t.bytes
	r.result.Refused += t.refused
	r.result.NoRetryAfter += t.unsaid
	r.result.Errors += t.failed
	if r.result.Problem == "" {
		r.result.Problem = t.problem
	}
	if t.events > 0 {
		r.result.Requests++
	}
}
