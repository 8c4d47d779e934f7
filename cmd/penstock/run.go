package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"penstock"
	"penstock/audit"
	"penstock/eventlog/writebehind"
	"penstock/ingest"
	"penstock/internal/edge"
	"penstock/letters"
	"penstock/protocol/jsonevents"
	"penstock/query"
)

// server is an engine with its doors open.
type server struct {
	*engine
	guard       *edge.Guard
	door        *ingest.Door
	query       *query.API
	letters     *letters.API
	audit       *audit.Audit
	certificate *edge.Certificate // nil: plain HTTP
	listener    net.Listener
	http        *http.Server
	ending      atomic.Bool // requests are refused from now on
}

// The steps of an end. The storage is closed whatever becomes of the requests.
const (
	refusePeriod = 200 * time.Millisecond // new requests are still answered, with shutting_down, so that balancers notice
	httpPatience = 10 * time.Second       // for requests under way
)

// openServer makes the routes of the engine's roles and begins to listen; nothing is answered before run.
func openServer(e *engine) (*server, error) {
	s := &server{engine: e}
	c := e.config
	s.guard = edge.NewGuard(edge.GuardOptions{Tokens: c.tokens(), Hosts: []string{c.Listen}, Trace: e.guardTrace()})
	if e.o.roles.ingest {
		s.openDoor()
	}
	if e.o.roles.query {
		s.openQuery()
		if err := s.openAccounts(); err != nil {
			return nil, err
		}
	}
	s.registerHealth()
	var err error
	if s.certificate, err = c.certificate(); err != nil {
		return nil, err
	}
	s.listener, err = edge.Listen(c.Listen, edge.ListenOptions{
		Guarded: len(c.Tokens) > 0, Certificate: s.certificate, MaxConns: e.maxConnections(),
	})
	if err != nil {
		return nil, err
	}
	s.http = edge.NewServer(s.guard, edge.ServerOptions{Log: func(line string) { e.log.Warn("http", "detail", line) }})
	return s, nil
}

func (s *server) openDoor() {
	behind := writebehind.New(s.journal, writebehind.Options{Dropped: s.dropped})
	s.onClose("write-behind", behind.Close)
	limits := s.config.Limits
	s.door = ingest.New(ingest.Options{
		Protocols: []penstock.Protocol{jsonevents.New()},
		Log:       s.journal,
		Memory:    behind,
		Streams:   s.streams,
		Cluster:   s.cluster,
		Limits: ingest.Limits{
			Body: penstock.Bytes(limits.Body), Event: penstock.Bytes(limits.Event), Batch: limits.Batch,
			InFlight: penstock.Bytes(limits.InFlight),
		},
		Applied:   s.waitApplied(),
		DrainRate: s.drainRate,
		Trace:     s.doorTrace(),
	})
	s.door.Register(s.guard)
	s.metrics.value("in_flight_bytes", "Bytes of requests between admission and answer.", func() float64 {
		return float64(s.door.InFlight())
	})
}

func (s *server) openQuery() {
	s.query = query.New(query.Options{
		Querier:    s.database,
		Log:        s.journal,
		Position:   s.store.Position,
		Cluster:    s.cluster,
		Durability: s.journal.Durability(),
		Streams:    s.readable,
		Counts:     s.streamCounts,
		Lag:        s.lag,
		Viewer:     s.viewer,
		Views:      s.database.Views,
		ViewStates: s.database.ViewStates,
		Rebuild:    s.database.Rebuild,
		Trace:      s.queryTrace(),
	})
	s.query.Register(s.guard)
}

// waitApplied returns the wait of ?wait=applied, or nil where no store is at hand.
func (s *server) waitApplied() func(context.Context, penstock.Positions) error {
	if s.store == nil {
		return nil
	}
	return query.Waiter(s.store.Position)
}

// unmeasured is the rate at which bytes leave the door, as long as there was too little to measure.
const unmeasured = 32 << 20

// drainRate returns how many bytes a second leave the door. While the log takes nothing, that is what it took of late, which
// goes to nothing: then the answer is to come back late.
func (s *server) drainRate() float64 {
	rate := s.traffic.bytes.perSecond()
	const little = 64 << 10
	if rate < little && s.journal.Ready(0) == nil {
		return unmeasured
	}
	return rate
}

// URL returns where the server can be reached.
func (s *server) URL() string {
	scheme := "http"
	if s.certificate != nil {
		scheme = "https"
	}
	host := strings.Replace(s.listener.Addr().String(), "[::]", "localhost", 1)
	return scheme + "://" + strings.Replace(host, "0.0.0.0", "127.0.0.1", 1)
}

// run serves until ctx ends, or until a part fails for good. It closes everything before it returns.
func (s *server) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.Background())
	defer stop()
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	var running sync.WaitGroup
	if s.o.roles.consumer {
		for _, p := range s.pumps {
			running.Go(func() {
				if err := p.Run(work); err != nil {
					fail(err)
				}
			})
		}
		running.Go(func() { s.keepHouse(work) })
		running.Go(func() { s.tendViews(work) })
	}
	running.Go(func() { s.traffic.run(work) })
	go func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			fail(err)
		}
	}()
	err := s.await(ctx, failed)
	s.stopHTTP()
	stop()
	running.Wait()
	err = errors.Join(err, s.close())
	s.log.Info("stopped")
	return err
}

// await returns when the server is to end: nil if it was asked to.
func (s *server) await(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
		s.log.Info("shutting down")
		return nil
	case err := <-failed:
		s.log.Error("stopping", "error", err)
		return err
	case err := <-s.broken:
		s.log.Error("stopping", "error", err)
		return err
	case <-s.failed:
		err := penstock.Errorf(penstock.Corrupt, "write log", "a flush failed, so nothing more can be promised on this disk")
		s.log.Error("stopping", "error", err)
		return err
	}
}

// stopHTTP refuses what is new, lets what is under way end, and cuts off what does not.
func (s *server) stopHTTP() {
	s.ending.Store(true)
	if s.door != nil {
		s.door.Close()
	}
	if s.query != nil {
		s.query.Close()
		s.letters.Close()
		s.audit.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), httpPatience)
	defer cancel()
	wait(ctx, refusePeriod)
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		_ = s.http.Close() // what could not end in order is ended now
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// How often retention looks for what may go. The log fills fast, rows expire slowly.
const (
	logInterval   = time.Second
	storeInterval = 10 * time.Second
)

// keepHouse removes what is past its time, in the log as far as the stores are safe and in the stores, and says when the
// door begins to refuse and when that is over.
func (s *server) keepHouse(ctx context.Context) {
	tick := time.NewTicker(logInterval)
	defer tick.Stop()
	var stores time.Time
	narrow := map[string]bool{}
	refusing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.retainLog(ctx)
		if time.Since(stores) >= storeInterval {
			stores = time.Now()
			err = errors.Join(err, s.retainStore(ctx))
			s.watchWindows(narrow)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("retention", "error", err)
		}
		refusing = s.reportRefusals(refusing)
	}
}

// retainStore removes rows that are past their time, unless nobody knows what time it is.
func (e *engine) retainStore(ctx context.Context) error {
	if e.doubtful != nil && e.doubtful() {
		return nil
	}
	return e.database.Retain(ctx)
}

func (s *server) retainLog(ctx context.Context) error {
	safe, err := s.store.Safe(ctx)
	if err != nil {
		return err
	}
	return s.journal.Retain(ctx, safe)
}

// reportRefusals logs a change in whether the log takes events, and returns whether it refuses them.
func (s *server) reportRefusals(before bool) bool {
	err := s.journal.Ready(penstock.Bytes(s.config.Limits.Event))
	switch now := err != nil; {
	case now && !before:
		s.log.Error("events are refused until the log takes them again", "reason", edge.Reason(err), "error", err)
	case before && !now:
		s.log.Info("events are accepted again")
	}
	return err != nil
}
