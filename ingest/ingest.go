// Package ingest is the door: what happens between a request's headers and the answer "stored", written once for all
// protocols.
//
//	stream ─▶ Accepts ─▶ admit ─▶ read, decompress ─▶ Decode ─▶ Append ─▶ Reply
//	          (headers)  (bytes)   (pace, caps)       (blocks)  (durable)
//
// Whatever refuses a request does so before the next and more expensive step, and says whether anything was stored.
package ingest

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/edge"
)

// Options configures a Door. Log, Streams and Cluster are needed, the rest may be zero.
type Options struct {
	Protocols []penstock.Protocol
	Log       penstock.Appender
	Memory    penstock.Appender // for streams with durability memory; nil: those go to Log too
	Streams   penstock.Streams
	Cluster   penstock.Cluster
	Limits    Limits
	// Applied returns nil when queries see what lies below the positions, and Expired when the context ended before. Nil: wait=applied
	// is answered with applied false.
	Applied func(ctx context.Context, upTo penstock.Positions) error
	// DrainRate returns how many bytes a second leave the door at present. Retry-After is made from it.
	DrainRate func() float64
	// Ready returns why no event can be accepted now, such as Unavailable or Full, or nil. It is asked for each request.
	Ready func() error
	Now   func() time.Time
	Trace Trace
}

// Limits bounds what a request, and what all of them together, may occupy. Zero values mean the defaults.
type Limits struct {
	Body      penstock.Bytes // of a body, on the wire and decompressed alike; 8 MiB
	Event     penstock.Bytes // of an event; 256 KiB
	Batch     int            // items of a request; 5,000
	InFlight  penstock.Bytes // of all bodies between admission and answer; 64 MiB
	BodyFloor penstock.Bytes // a second that a body must bring on average; 1 KiB
	BodyGrace time.Duration  // that a body may lag behind that; 5 s
	BodyTime  time.Duration  // for a whole body; 30 s
	Wait      time.Duration  // longest timeout of wait=applied; 30 s
}

// Trace hears what the door does. Functions may be nil and are called concurrently.
type Trace struct {
	Accepted func(stream string, events int, size penstock.Bytes, appended time.Duration)
	Rejected func(stream, code string, events int)
	Refused  func(reason string, err error) // a request of which nothing is known to be stored
}

// Door turns requests into appends. Its methods may be called concurrently.
type Door struct {
	o      Options
	sums   checksum.Hasher
	gate   gate
	log    lane
	memory lane
	closed atomic.Bool
	visits sync.Pool // *visit
	large  sync.Pool // *[]byte, of largeBuffer bytes or more
	gzips  sync.Pool // *gzip.Reader
	zstds  sync.Pool // *zstd.Decoder
}

// lane is a log with what its answers say.
type lane struct {
	penstock.Appender
	durability penstock.Durability
	header     []string
}

func laneOf(a penstock.Appender) lane {
	d := a.Durability()
	return lane{a, d, []string{string(d)}}
}

// New returns an open door.
func New(o Options) *Door {
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Memory == nil {
		o.Memory = o.Log
	}
	d := &Door{o: o, sums: checksum.NewHasher(o.Cluster), log: laneOf(o.Log), memory: laneOf(o.Memory)}
	d.gate.limit = int64(o.Limits.InFlight)
	return d
}

func (l Limits) withDefaults() Limits {
	for _, v := range []struct {
		field *penstock.Bytes
		value penstock.Bytes
	}{{&l.Body, 8 << 20}, {&l.Event, 256 << 10}, {&l.InFlight, 64 << 20}, {&l.BodyFloor, 1 << 10}} {
		if *v.field == 0 {
			*v.field = v.value
		}
	}
	for _, v := range []struct {
		field *time.Duration
		value time.Duration
	}{{&l.BodyGrace, 5 * time.Second}, {&l.BodyTime, 30 * time.Second}, {&l.Wait, 30 * time.Second}} {
		if *v.field == 0 {
			*v.field = v.value
		}
	}
	if l.Batch == 0 {
		l.Batch = 5000
	}
	return l
}

// Register adds the routes of all protocols.
func (d *Door) Register(g *edge.Guard) {
	for _, p := range d.o.Protocols {
		for _, pattern := range p.Routes() {
			g.Handle(pattern, edge.Write, entrance{d, p})
		}
	}
}

// Close refuses every request from now on with shutting_down. Requests under way are answered as usual.
func (d *Door) Close() { d.closed.Store(true) }

// InFlight returns the bytes held by requests that are not answered yet.
func (d *Door) InFlight() penstock.Bytes { return penstock.Bytes(d.gate.held.Load()) }

// entrance is the handler of one protocol.
type entrance struct {
	door     *Door
	protocol penstock.Protocol
}

// ServeHTTP implements http.Handler.
func (e entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer edge.Watch(r)
	v := e.door.enter(e.protocol)
	defer e.door.leave(v) // also when a protocol panics: what is held must come back
	if err := v.serve(w, r); err != nil {
		v.refuse(w, r, err)
	}
}
