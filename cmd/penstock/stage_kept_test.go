package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"penstock"
	"penstock/audit"
	"penstock/consumer"
	"penstock/internal/checksum"
	"penstock/letters"
	store "penstock/store/memory"
)

// keep gives the stage a store that applies what the log brings, and the routes of letters and of the audit. Streams that
// are declared later are mended with mend.
func (s *stage) keep() {
	s.kept = store.Open(store.Options{Cluster: stageCluster, Partitions: []penstock.Partition{0, 1, 2, 3}, Streams: s.list()})
	dead := letters.New(letters.Options{Letters: s.kept, Log: s.log, Cluster: stageCluster})
	dead.Register(s.guard)
	sums := audit.New(audit.Options{Log: s.log, Reader: s.log, Store: s.kept, Hasher: checksum.NewHasher(stageCluster)})
	sums.Register(s.guard)
	s.resume()
	s.t.Cleanup(func() { dead.Close(); sums.Close(); s.halt() })
}

// resume lets the store apply; halt ends that.
func (s *stage) resume() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	pump := consumer.New(consumer.Options{Reader: s.log, Store: s.kept})
	go func() { done <- pump.Run(ctx) }()
	s.halt = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		s.halt = func() {}
	}
}

// put appends an event to the log that the door has not looked at.
func (s *stage) put(stream, id, key, body string) error {
	sum := checksum.NewHasher(stageCluster).Stream(penstock.DefaultTenant, stream).Sum([]byte(key), []byte(id), []byte(body))
	b := penstock.NewBlockBuilder(penstock.NewPartitioner(stageCluster))
	b.Reset(penstock.DefaultTenant, stream, penstock.MicrosOf(stageNoon), 0)
	b.Add(penstock.Event{ID: []byte(id), Key: []byte(key), Time: penstock.MicrosOf(stageNoon), Body: []byte(body), Sum: sum})
	return s.log.Append(s.t.Context(), b.Take())
}

// settle waits until the store has what the log holds.
func (s *stage) settle() error {
	_, next, err := s.log.Bounds(s.t.Context())
	maps.DeleteFunc(next, func(_ penstock.Partition, at penstock.Position) bool { return at.Offset == 0 })
	for began := time.Now(); err == nil; {
		if time.Since(began) > patience {
			return fmt.Errorf("the store has not all of %v", next)
		}
		at := penstock.Positions{}
		for p := range next {
			if at[p], err = s.position(s.t.Context(), p); err != nil {
				return err
			}
		}
		if at.Reached(next) {
			return nil
		}
	}
	return err
}

// position is the store's, or the beginning while there is none.
func (s *stage) position(ctx context.Context, p penstock.Partition) (penstock.Position, error) {
	if s.kept == nil {
		return penstock.Position{}, nil
	}
	return s.kept.Position(ctx, p)
}

// canned lets the server answer a path with what follows it.
func (s *stage) canned(path, body string) {
	s.before = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte(body)) // a client that went away asks again
		}
	}
}
