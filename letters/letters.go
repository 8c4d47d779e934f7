// Package letters is the way to what could not be stored: over HTTP it lists dead letters, shows them, appends them to the
// log once more, and gives them up.
//
//	GET ─▶ DeadLetters.Letters ─▶ letters, page by page
//	POST replay ─▶ open letters in the order of their places ─▶ check, pace ─▶ Appender ─▶ … ─▶ Store.Apply closes them
//	POST drop ─▶ open letters in the order of their places ─▶ DeadLetters.Drop
//
// It remembers nothing between two requests. A replay is many requests, each of which does a bounded part and names where the
// next one begins; any of them may be repeated, since a store gives a letter one effect however often it is replayed.
// docs/dlq.md is its page for users.
package letters

import (
	"context"
	"errors"
	"net/http"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/edge"
)

// Options joins the API to what it needs. A route whose part is missing answers 503.
type Options struct {
	Letters penstock.DeadLetters // of all shards
	Log     penstock.Appender    // for replays; the cluster's own, whatever the durability of a stream
	Cluster penstock.Cluster
	Limits  Limits
	Trace   Trace
}

// Limits bounds what requests can cost. A zero value means the default.
type Limits struct {
	Page     int            // letters that a request may list, replay or drop, and places that it may name; 10,000
	Rate     int            // letters a second that a request may ask for; 1,000,000
	Body     penstock.Bytes // of a request; 512 KiB
	Work     time.Duration  // after which a replay or a drop that has done something answers; 10 s
	Timeout  time.Duration  // of a request, from its first question to the store; 30 s
	Write    time.Duration  // for a reader to take the answer; 20 s
	Reading  int            // requests at once that list or show; 4
	Changing int            // requests at once that replay or drop; 2
}

// Trace hears what the API does. Functions may be nil and are called concurrently.
type Trace struct {
	Changed func(Change) // a request to replay or to drop has ended
}

// Change says what a request to replay or to drop did.
type Change struct {
	Kind                    string // "replay" or "drop"
	DryRun                  bool
	Matched, Done, Rejected int // letters; Done were replayed or dropped
	Elapsed                 time.Duration
	Err                     error // what ended it early, also when the answer tells of what was done before
}

// API answers the routes of dead letters. Its methods may be called concurrently.
type API struct {
	o           Options
	partitioner penstock.Partitioner
	sums        checksum.Hasher
	reading     chan struct{} // a place for each request under way
	changing    chan struct{}
	ctx         context.Context // ends with Close
	close       context.CancelFunc
}

// New returns an API.
func New(o Options) *API {
	o.Limits = o.Limits.withDefaults()
	a := &API{o: o, partitioner: penstock.NewPartitioner(o.Cluster), sums: checksum.NewHasher(o.Cluster)}
	a.reading = make(chan struct{}, o.Limits.Reading)
	a.changing = make(chan struct{}, o.Limits.Changing)
	a.ctx, a.close = context.WithCancel(context.Background())
	return a
}

func (l Limits) withDefaults() Limits {
	def(&l.Page, 10_000)
	def(&l.Rate, 1_000_000)
	def(&l.Body, 512<<10)
	def(&l.Work, 10*time.Second)
	def(&l.Timeout, 30*time.Second)
	def(&l.Write, 20*time.Second)
	def(&l.Reading, 4)
	def(&l.Changing, 2)
	return l
}

func def[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Close ends the requests under way, so that a server can stop: replays and drops answer with what they have done. It
// returns at once.
func (a *API) Close() { a.close() }

// Register adds the routes to a guard. Who may read may list and show; replaying and dropping is for admins.
func (a *API) Register(g *edge.Guard) {
	handle := func(pattern string, scope edge.Scope, turns chan struct{}, h func(context.Context, http.ResponseWriter, *http.Request) error) {
		g.Handle(pattern, scope, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := a.serve(w, r, turns, h); err != nil {
				a.hurry(w)
				edge.WriteError(w, r, err)
			}
		}))
	}
	handle("GET /v1/dlq", edge.Read, a.reading, a.serveList)
	handle("GET /v1/dlq/{place}", edge.Read, a.reading, a.serveOne)
	handle("POST /v1/dlq/replay", edge.Admin, a.changing, a.serveReplay)
	handle("POST /v1/dlq/drop", edge.Admin, a.changing, a.serveDrop)
}

// serve calls a handler if there is a turn for it, with a context that ends with the request, the API and its time.
func (a *API) serve(w http.ResponseWriter, r *http.Request, turns chan struct{}, h func(context.Context, http.ResponseWriter, *http.Request) error) error {
	if a.o.Letters == nil {
		return refuse(w, r, missing("store of dead letters"))
	}
	if r.Method != http.MethodPost && r.ContentLength != 0 {
		return refuse(w, r, penstock.Refusef("bad_body", "check request", "this route takes no body"))
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	default:
		return refuse(w, r, &penstock.Error{Code: penstock.Overloaded, Op: "wait for a turn", Reason: "too_many_queries"})
	}
	ctx, cancel := a.lifetime(r)
	defer cancel()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the answer has its own time, once it is there
	return a.ended(ctx, h(ctx, w, r))
}

// refuse returns err, for a request whose body nobody will read.
func refuse(w http.ResponseWriter, r *http.Request, err error) error {
	if r.ContentLength != 0 {
		edge.Abandon(w)
	}
	return err
}

// errClosing ends what is under way when the API closes.
var errClosing = &penstock.Error{Code: penstock.Unavailable, Op: "answer request", Reason: "shutting_down"}

func (a *API) lifetime(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(a.ctx, func() { end(errClosing) })
	ctx, cancel := context.WithTimeout(ctx, a.o.Limits.Timeout)
	return ctx, func() { stop(); cancel(); end(context.Canceled) }
}

// ended returns err, or what ended the context, if err only came of that. What leaves doubt stays.
func (a *API) ended(ctx context.Context, err error) error {
	switch {
	case err == nil || penstock.Is(err, penstock.Unknown):
	case errors.Is(context.Cause(ctx), errClosing):
		return errClosing
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return penstock.Errorf(penstock.Expired, "answer request", "it took longer than %s", a.o.Limits.Timeout)
	}
	return err
}

// hurry gives the reader of an answer its time.
func (a *API) hurry(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(a.o.Limits.Write))
}

func (a *API) answer(w http.ResponseWriter, v any) {
	a.hurry(w)
	edge.WriteJSON(w, http.StatusOK, v)
}

func missing(what string) error {
	return penstock.Errorf(penstock.Unavailable, "answer request", "this server has no %s", what)
}
