package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"penstock"
	"penstock/internal/failpoint"
)

// Apply implements penstock.Store.
func (s *shard) Apply(ctx context.Context, b penstock.Batch) error {
	if err := s.prepare(ctx, b); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.closed {
		return s.ended("apply batch")
	}
	if err := s.compare(b); err != nil {
		return err
	}
	if err := s.completeIdentities(ctx, *s.db.streams.Load()); err != nil {
		return err
	}
	post := s.post(b.Condemned)
	defer post.end()
	if post.todo = b; len(b.Blocks) == 0 {
		if err := post.batch(b); err != nil { // positions alone
			return err
		}
	}
	if err := s.carry(ctx, post); err != nil {
		return s.mendIdentities(ctx, post, err)
	}
	s.logged += b.Size()
	if s.logged >= s.db.o.Checkpoint {
		s.tryCheckpoint(ctx)
	}
	return nil
}

// carry commits a posting and makes it the shard's present state. The caller holds applying.
func (s *shard) carry(ctx context.Context, post *posting) error {
	if s.doubt != nil {
		return penstock.Wrap(penstock.Corrupt, "apply batch in shard "+s.spec.Name, s.doubt)
	}
	err := s.commit(ctx, post)
	if post.failed != nil {
		return post.failed
	}
	if penstock.Is(err, penstock.Unknown) {
		err = s.settle(ctx, post.next, err)
	}
	if err != nil {
		if isOutOfMemory(err) {
			s.db.shed()
		}
		return s.outage("apply batch", err)
	}
	failpoint.Hit("store.committed")
	post.keep()
	post.tell()
	s.unsafe, s.committed = true, time.Now()
	return nil
}

// settle finds out what became of a transaction whose COMMIT failed: nil if it is there, Unavailable if it is not. If that cannot be
// told the shard is of no use until it is opened again: what was in hand might be applied twice.
func (s *shard) settle(ctx context.Context, next state, why error) error {
	var there state
	var text string
	query := "SELECT state FROM " + s.newest().table("state")
	err := s.conn.QueryRowContext(context.WithoutCancel(ctx), query).Scan(&text)
	if err = errors.Join(err, json.Unmarshal([]byte(text), &there)); err != nil {
		s.doubt = errors.Join(why, err)
		return s.doubt
	}
	if there.Serial == next.Serial {
		return nil
	}
	return penstock.Wrap(penstock.Unavailable, "commit", why)
}

// prepare makes what the batch needs and what takes the catalog's lock: streams that the shards do not know yet, and a
// file of its own for a new period.
func (s *shard) prepare(ctx context.Context, b penstock.Batch) error {
	streams := *s.db.streams.Load()
	for _, block := range b.Blocks {
		if _, ok := streams[streamKey{block.Tenant, block.Stream}]; !ok {
			if err := s.db.learn(ctx, block.Stream); err != nil {
				return err
			}
			streams = *s.db.streams.Load()
		}
	}
	if s.rollDue(b) || s.db.unshown.Load() {
		return s.db.roll(ctx, s, b)
	}
	return nil
}

// rollDue reports whether a batch begins a new file: it lies in a later period than the newest file, or that is full. Beyond
// maxFiles each file holds a period more than the one before, so that years do not become thousands of files.
func (s *shard) rollDue(b penstock.Batch) bool {
	if len(b.Blocks) == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	held := s.files[len(s.files)-1].state
	if held.Since == 0 {
		return false
	}
	period := penstock.Micros(s.db.o.Period.Microseconds())
	periods := b.Blocks[0].LogTime/period - held.Since/period
	return periods > penstock.Micros(max(0, len(s.files)-maxFiles)) || held.rows() >= s.db.o.FileRows && len(s.files) < maxFiles
}

// compare refuses a batch that does not begin where the shard stands.
func (s *shard) compare(b penstock.Batch) error {
	for p, from := range b.From {
		at, err := s.Position(context.Background(), p)
		if err != nil {
			return err
		}
		if at != from {
			return penstock.Errorf(penstock.Stale, "apply batch", "partition %d: the batch begins at %s, shard %s stands at %s", p, from, s.spec.Name, at)
		}
	}
	return nil
}

// encoder returns the encoder of the table that a stream's rows go to, a new one when its columns have changed.
func (s *shard) encoder(r registered) (*encoder, error) {
	if e := s.encoders[r.table()]; e != nil && slices.Equal(e.declared, r.Columns) {
		return e, nil
	}
	e, err := newEncoder(r.table(), r.Columns)
	if err != nil {
		return nil, penstock.Wrap(penstock.Internal, "encode stream "+r.Name, err)
	}
	s.encoders[r.table()] = e
	return e, nil
}

// sheets returns all that rows are collected on.
func (s *shard) sheets() []*sheet {
	all := s.ledger.sheets()
	for _, e := range s.encoders {
		all = append(all, &e.sheet)
	}
	return append(all, s.modelSheets()...)
}

// forget clears the sheets for the next batch.
func (s *shard) forget() {
	for _, one := range s.sheets() {
		one.reset()
	}
	for _, f := range s.foldings {
		if f != nil {
			f.clear()
		}
	}
}

// publish makes the committed state the present one.
func (s *shard) publish(next state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[len(s.files)-1].state = next
	s.position = next.Positions
}
