package consumer

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"penstock"
	eventmemory "penstock/eventlog/memory"
	"penstock/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var cluster = penstock.Cluster{Partitions: 4}

// rig is a consumer between a log and a store in memory, both of which can be made to fail.
type rig struct {
	*testing.T
	log    *faultyLog
	store  *faultyStore
	c      *Consumer
	events int // appended
	cancel func()
	ended  chan error // what Run returned

	mu     sync.Mutex
	pauses []time.Duration
	stales int
	errs   []error
}

// newRig makes the parts. Its options need neither reader nor store.
func newRig(t *testing.T, o Options) *rig {
	r := &rig{T: t, log: &faultyLog{Log: eventmemory.New(eventmemory.Options{Partitions: cluster.Partitions})}}
	r.store = &faultyStore{Store: memory.New(penstock.All(cluster.Partitions)...)}
	o.Reader, o.Store = r.log, r.store
	o.Trace = Trace{
		Stale: func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.stales++
		},
		Outage: func(err error, pause time.Duration) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.errs, r.pauses = append(r.errs, err), append(r.pauses, pause)
		},
	}
	r.c = New(o)
	return r
}

// start runs the consumer until stop, or until the test ends.
func (r *rig) start() {
	ctx, cancel := context.WithCancel(r.Context())
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- r.c.Run(ctx) }()
}

// stop ends Run and returns what it returned.
func (r *rig) stop() error {
	r.cancel()
	return <-r.ended
}

// append adds blocks of n events each. Keys and ids name the order of the events.
func (r *rig) append(blocks, n int) {
	r.Helper()
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(cluster))
	for range blocks {
		builder.Reset(penstock.DefaultTenant, "clicks", penstock.MicrosOf(time.Now()), 0)
		for range n {
			builder.Add(penstock.Event{
				ID:   fmt.Appendf(nil, "%08d", r.events),
				Key:  fmt.Appendf(nil, "key-%d", r.events%9),
				Body: []byte(`{"some":"text"}`),
			})
			r.events++
		}
		if err := r.log.Append(r.Context(), builder.Take()); err != nil {
			r.Fatal(err)
		}
	}
}

// complete fails unless the store has every event once, those of a key in order.
func (r *rig) complete() {
	r.Helper()
	records := r.store.Records()
	if len(records) != r.events {
		r.Fatalf("%d rows of %d events", len(records), r.events)
	}
	last := map[string]string{}
	for _, rec := range records {
		key, id := string(rec.Key), string(rec.ID)
		if id <= last[key] {
			r.Fatalf("%s: %s comes after %s", key, id, last[key])
		}
		last[key] = id
	}
}

// faultyStore is a store in memory whose Apply takes time and fails as the test says.
type faultyStore struct {
	*memory.Store
	takes time.Duration
	// fault is asked with the number of the call, from 0: before fails without effect, after in spite of it. nil: never.
	fault func(ctx context.Context, call int, b penstock.Batch) (before, after error)
	// position fails Position. nil: never.
	position func() error

	mu    sync.Mutex
	calls []call
}

// call is one call of Apply.
type call struct {
	batch penstock.Batch
	began time.Time
	err   error
}

func (s *faultyStore) Apply(ctx context.Context, b penstock.Batch) error {
	s.mu.Lock()
	n := len(s.calls)
	s.calls = append(s.calls, call{batch: b, began: time.Now()})
	s.mu.Unlock()
	sleep(ctx, s.takes)
	var before, after error
	if s.fault != nil {
		before, after = s.fault(ctx, n, b)
	}
	err := before
	if err == nil {
		if err = s.Store.Apply(ctx, b); err == nil {
			err = after
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[n].err = err
	return err
}

func (s *faultyStore) Position(ctx context.Context, p penstock.Partition) (penstock.Position, error) {
	if s.position != nil {
		if err := s.position(); err != nil {
			return penstock.Position{}, err
		}
	}
	return s.Store.Position(ctx, p)
}

// applied returns the calls so far.
func (s *faultyStore) applied() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

// faultyLog is a log in memory whose readers take time and fail as the test says.
type faultyLog struct {
	*eventmemory.Log
	takes time.Duration // of a Next before it reads
	wakes time.Duration // of a Next after it has read, whatever happens
	open  func() error  // fails Open. nil: never
	next  func() error  // fails Next. nil: never

	mu     sync.Mutex
	opened int
	nexts  int // calls of Next that began
	read   int // records that cursors returned
	active int // calls of Next that have not returned
}

func (l *faultyLog) Open(ctx context.Context, from penstock.Positions) (penstock.Cursor, error) {
	l.mu.Lock()
	l.opened++
	l.mu.Unlock()
	if l.open != nil {
		if err := l.open(); err != nil {
			return nil, err
		}
	}
	c, err := l.Log.Open(ctx, from)
	if err != nil {
		return nil, err
	}
	return &faultyCursor{Cursor: c, log: l}, nil
}

func (l *faultyLog) counts() (opened, nexts, read int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened, l.nexts, l.read
}

// faultyCursor also fails the test if two goroutines use it, by the race detector.
type faultyCursor struct {
	penstock.Cursor
	log  *faultyLog
	used int
}

func (c *faultyCursor) Next(ctx context.Context, most penstock.Bytes) (b penstock.Batch, err error) {
	c.used++
	c.log.mu.Lock()
	c.log.nexts++
	c.log.active++
	c.log.mu.Unlock()
	sleep(ctx, c.log.takes)
	if c.log.next != nil {
		err = c.log.next()
	}
	if err == nil {
		b, err = c.Cursor.Next(ctx, most)
	}
	sleep(context.Background(), c.log.wakes)
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.log.read += b.Len()
	c.log.active--
	return b, err
}
