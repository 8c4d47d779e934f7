// Package sharded is a store made of stores: each partition is the matter of the one store that holds it.
package sharded

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"penstock"
)

// store routes by partition. Nothing in it changes after New.
type store struct {
	shards     []penstock.Store
	owner      map[penstock.Partition]int // index into shards
	partitions []penstock.Partition
}

// New returns a store that holds what the given stores hold together, and closes them when it is closed. It fails with
// Invalid without stores, and with Conflict if a partition is held twice, or if one below the largest is held by none.
func New(stores ...penstock.Store) (penstock.Store, error) {
	const op = "join shards"
	if len(stores) == 0 {
		return nil, penstock.Errorf(penstock.Invalid, op, "there is none")
	}
	s := &store{shards: stores, owner: map[penstock.Partition]int{}}
	for i, shard := range stores {
		for _, p := range shard.Partitions() {
			if other, held := s.owner[p]; held {
				return nil, penstock.Errorf(penstock.Conflict, op, "partition %d is held by shard %d and by shard %d", p, other, i)
			}
			s.owner[p] = i
			s.partitions = append(s.partitions, p)
		}
	}
	slices.Sort(s.partitions)
	for i, p := range s.partitions {
		if int(p) != i {
			return nil, penstock.Errorf(penstock.Conflict, op, "partition %d is held by no shard", i)
		}
	}
	return s, nil
}

// Position asks the shard that holds p.
func (s *store) Position(ctx context.Context, p penstock.Partition) (penstock.Position, error) {
	i, held := s.owner[p]
	if !held {
		return penstock.Position{}, penstock.Errorf(penstock.NotOwner, "ask position", "no shard holds partition %d", p)
	}
	return s.shards[i].Position(ctx, p)
}

// part is what one shard has to do with a batch.
type part struct {
	shard int
	batch penstock.Batch
	err   error
}

// Apply gives each shard its part of the batch, to all at the same time, and waits for all. If some shards applied their
// part and others did not, the same batch cannot be tried again: then it fails with Stale or Unknown, after which the
// caller asks for the positions, whatever code the shard gave.
func (s *store) Apply(ctx context.Context, b penstock.Batch) error {
	parts, err := s.split(b)
	if err != nil {
		return err
	}
	if len(parts) == 1 {
		return s.shards[parts[0].shard].Apply(ctx, parts[0].batch)
	}
	var wg sync.WaitGroup
	for i := range parts {
		p := &parts[i]
		wg.Go(func() { p.err = s.shards[p.shard].Apply(ctx, p.batch) })
	}
	wg.Wait()
	return verdict(parts)
}

// split cuts a batch by shards, of which the blocks are shared. It fails with NotOwner before anything is applied.
func (s *store) split(b penstock.Batch) ([]part, error) {
	held := make([][]penstock.Partition, len(s.shards))
	for p := range b.From {
		i, ok := s.owner[p]
		if !ok {
			return nil, penstock.Errorf(penstock.NotOwner, "apply batch", "no shard holds partition %d", p)
		}
		held[i] = append(held[i], p)
	}
	var parts []part
	for i, partitions := range held {
		if len(partitions) > 0 {
			parts = append(parts, part{shard: i, batch: b.Only(partitions)})
		}
	}
	return parts, nil
}

// verdict makes one error of those of the shards. Stale and Unknown, which send the caller back to the positions, go
// before an outage; an outage alone keeps its code only if nothing was changed anywhere.
func verdict(parts []part) error {
	const op = "apply batch to shards"
	var errs []error
	var first penstock.Code
	moved := false
	has := map[penstock.Code]bool{}
	for _, p := range parts {
		if p.err == nil {
			moved = moved || !p.batch.From.Reached(p.batch.Next)
			continue
		}
		code := penstock.CodeOf(p.err)
		if first == "" {
			first = code
		}
		has[code] = true
		errs = append(errs, penstock.Wrap(code, "apply to shard "+strconv.Itoa(p.shard), p.err))
	}
	err := errors.Join(errs...)
	switch {
	case has[penstock.Unknown]:
		return penstock.Wrap(penstock.Unknown, op, err)
	case has[penstock.Stale]:
		return penstock.Wrap(penstock.Stale, op, err)
	case moved:
		return penstock.Wrap(penstock.Unknown, op, err)
	}
	return penstock.Wrap(first, op, err)
}

// Safe joins what the shards say, and fails if one of them does.
func (s *store) Safe(ctx context.Context) (penstock.Positions, error) {
	all := penstock.Positions{}
	for i, shard := range s.shards {
		safe, err := shard.Safe(ctx)
		if err != nil {
			return nil, err
		}
		for p, at := range safe {
			if owner, held := s.owner[p]; held && owner == i {
				all[p] = at
			}
		}
	}
	return all, nil
}

// Partitions returns what the shards hold together.
func (s *store) Partitions() []penstock.Partition { return slices.Clone(s.partitions) }

// Close closes every shard, also after one has failed.
func (s *store) Close() error {
	errs := make([]error, len(s.shards))
	var wg sync.WaitGroup
	for i, shard := range s.shards {
		wg.Go(func() { errs[i] = shard.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
