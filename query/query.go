// Package query is the way out: SQL over the shards, the events of one key, the live tail, views, and how far everything is.
//
//	request ─▶ parameters ─▶ wait for receipts ─▶ wait for a turn ─▶ Querier │ Viewer │ Log ─▶ rows, encoded as they come
//
// It holds no rows of its own: what it answers comes from a penstock.Querier, a penstock.Viewer and a penstock.Reader, and it decides only
// what may be asked, when it runs, for how long, and how it is written. docs/sql.md is its page for users.
package query

import (
	"context"
	"errors"
	"net/http"
	"time"

	"penstock"
	"penstock/internal/edge"
)

// Options joins the API to what it asks. Querier, Position and Cluster are needed for SQL, events and receipts; Log
// for the tail. A route whose part is missing answers 503.
type Options struct {
	Querier    penstock.Querier
	Log        penstock.Reader
	Position   func(context.Context, penstock.Partition) (penstock.Position, error) // the store's
	Cluster    penstock.Cluster
	Durability penstock.Durability                                    // the log's, as the receipts of answers name it; "" is disk
	Streams    func() []penstock.Stream                               // the streams there are, in any order; called for each request
	Counts     func(context.Context) (map[string]StreamCounts, error) // what is known of them; nil: nothing
	Lag        func(context.Context) (Lag, error)
	Viewer     penstock.Viewer                                      // nil: there are no views, and no routes of theirs
	Views      func() []penstock.View                               // also those that are being built; of several versions the one that answers
	ViewStates func(context.Context) ([]penstock.ViewStatus, error) // what is known of them
	Rebuild    func(ctx context.Context, view string) error         // begins to count a view anew, beside the version that answers
	Limits     Limits
	Trace      Trace
}

// Limits bounds what requests can cost. A zero value means the default.
type Limits struct {
	Timeout  time.Duration  // of a statement, from its wait for a turn to the last byte of its answer; 30 s
	Wait     time.Duration  // for receipts when the request names no timeout, 10 s; the longest it may name is Timeout
	Rows     int            // of an answer; 100,000. What is beyond is left out and the answer says so
	Bytes    penstock.Bytes // of an answer, about; 256 MiB, likewise
	Page     int            // events of a key, or rows of a view, in an answer; 10,000
	PageSize penstock.Bytes // of the rows of a view in an answer, about; 4 MiB. What is beyond is on the next page
	Body     penstock.Bytes // of a request; 256 KiB
	Receipts int            // in a request; 64
	Running  int            // statements at once; 4
	Waiting  int            // statements that wait for their turn; 64
	Tails    int            // open at once; 64
	Write    time.Duration  // for a reader to take 32 KiB, then it is cut off; 20 s
	Beat     time.Duration  // between comments in an idle tail; 15 s
}

// Trace hears what the API does. Functions may be nil and are called concurrently.
type Trace struct {
	Statement func(Statement)
	Tails     func(open int)
}

// Statement says how a SQL request ended.
type Statement struct {
	Elapsed time.Duration
	Waited  time.Duration // for its turn
	Rows    int
	Err     error // nil: answered; also when the reader went away or was cut off
}

// API answers the routes of the way out. Its methods may be called concurrently.
type API struct {
	o       Options
	turns   *gate // SQL
	lookups *gate // the events of a key: short, so they do not wait behind SQL
	views   *gate // pages of views
	tails   *gate
	tokens  signer
	ctx     context.Context // ends with Close
	close   context.CancelFunc
}

// New returns an API. Close ends what is open.
func New(o Options) *API {
	o.Limits = o.Limits.withDefaults()
	def(&o.Durability, penstock.DurabilityDisk)
	if o.Streams == nil {
		o.Streams = func() []penstock.Stream { return nil }
	}
	if o.Views == nil {
		o.Views = func() []penstock.View { return nil }
	}
	a := &API{o: o, tokens: newSigner(o.Cluster)}
	a.turns = newGate(o.Limits.Running, o.Limits.Waiting)
	a.lookups = newGate(4*o.Limits.Running, 16*o.Limits.Waiting)
	a.views = newGate(2*o.Limits.Running, 4*o.Limits.Waiting)
	a.tails = newGate(o.Limits.Tails, 0)
	a.ctx, a.close = context.WithCancel(context.Background())
	return a
}

func (l Limits) withDefaults() Limits {
	def(&l.Timeout, 30*time.Second)
	def(&l.Wait, 10*time.Second)
	def(&l.Rows, 100_000)
	def(&l.Bytes, 256<<20)
	def(&l.Page, 10_000)
	def(&l.PageSize, 4<<20)
	def(&l.Body, 256<<10)
	def(&l.Receipts, 64)
	def(&l.Running, 4)
	def(&l.Waiting, 64)
	def(&l.Tails, 64)
	def(&l.Write, 20*time.Second)
	def(&l.Beat, 15*time.Second)
	return l
}

func def[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Close ends the tails and the statements that run, so that a server can stop. It returns at once.
func (a *API) Close() { a.close() }

// Register adds the routes to a guard. Reading a receipt is open to who may write, all others to who may read.
func (a *API) Register(g *edge.Guard) {
	handle := func(pattern string, scope edge.Scope, h func(http.ResponseWriter, *http.Request) error) {
		g.Handle(pattern, scope, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := refuseBody(w, r)
			if err == nil {
				err = h(w, r)
			}
			if err != nil {
				a.hurry(w)
				edge.WriteError(w, r, err)
			}
		}))
	}
	handle("POST /v1/sql", edge.Read, a.serveSQL)
	handle("GET /v1/streams", edge.Read, a.serveStreams)
	handle("GET /v1/streams/{stream}", edge.Read, a.serveStream)
	handle("GET /v1/streams/{stream}/events", edge.Read, a.serveEvents)
	handle("GET /v1/streams/{stream}/tail", edge.Read, a.serveTail)
	handle("GET /v1/receipts/{receipt}", edge.Write, a.serveReceipt)
	handle("GET /v1/lag", edge.Read, a.serveLag)
	if a.o.Viewer != nil {
		handle("GET /v1/views", edge.Read, a.serveViews)
		handle("GET /v1/views/{view}", edge.Read, a.serveView)
		handle("GET /v1/views/{view}/rank", edge.Read, a.serveRank)
		handle("POST /v1/views/{view}/rebuild", edge.Admin, a.serveRebuild)
	}
}

// refuseBody refuses a body where none belongs. While one is unread net/http does not notice that the client went away.
func refuseBody(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost || r.ContentLength == 0 {
		return nil
	}
	edge.Abandon(w)
	return penstock.Refusef("bad_body", "check request", "this route takes no body")
}

// errClosing ends what is open when the API closes.
var errClosing = &penstock.Error{Code: penstock.Unavailable, Op: "answer query", Reason: "shutting_down"}

// lifetime returns a context that ends with the request and with the API.
func (a *API) lifetime(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(a.ctx, func() { cancel(errClosing) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// goneOr returns err, or what made a lifetime end before its time: then err is only what came of it.
func goneOr(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errClosing) {
		return errClosing
	}
	return err
}

// limitReached turns the end of a statement's time into query_limit. The context is the statement's own.
func (a *API) limitReached(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if !penstock.Is(err, penstock.Expired) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return penstock.Refusef("query_limit", "run statement", "the statement took longer than %s", a.o.Limits.Timeout)
}

func missing(what string) error {
	return penstock.Errorf(penstock.Unavailable, "answer query", "this server has no %s", what)
}
