package sharded

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"penstock"
)

const noAuditor, noLetters = "shard %d keeps no tallies", "shard %d keeps no letters"

// Tallies joins what the shards say, and fails if one of them does. Each partition's tallies and position are those of one moment,
// that of its shard: no lane lies in two.
func (s *store) Tallies(ctx context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error) {
	all, at := map[penstock.Lane]penstock.Tally{}, penstock.Positions{}
	for i, shard := range s.shards {
		auditor, ok := shard.(penstock.Auditor)
		if !ok {
			return nil, nil, penstock.Errorf(penstock.Internal, "read tallies", noAuditor, i)
		}
		tallies, positions, err := auditor.Tallies(ctx)
		if err != nil {
			return nil, nil, err
		}
		for lane, tally := range tallies {
			if owner, held := s.owner[lane.Partition]; held && owner == i {
				all[lane] = tally
			}
		}
		for p, position := range positions {
			if owner, held := s.owner[p]; held && owner == i {
				at[p] = position
			}
		}
	}
	return all, at, nil
}

// Letters merges what the shards list.
func (s *store) Letters(ctx context.Context, q penstock.LetterQuery) ([]penstock.Letter, error) {
	var all []penstock.Letter
	for i, shard := range s.shards {
		keeper, ok := shard.(penstock.DeadLetters)
		if !ok {
			return nil, penstock.Errorf(penstock.Internal, "list letters", noLetters, i)
		}
		letters, err := keeper.Letters(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, letters...)
	}
	slices.SortFunc(all, func(a, b penstock.Letter) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Position.Epoch, b.Position.Epoch), cmp.Compare(a.Position.Offset, b.Position.Offset))
	})
	return all[:min(max(q.Limit, 0), len(all))], nil
}

// Drop gives each shard its letters, one shard after the other. When it fails it returns how many were given up before: the
// same call again drops the rest. A place that no shard holds has no letter.
func (s *store) Drop(ctx context.Context, places []penstock.Place) (int, error) {
	parts := make([][]penstock.Place, len(s.shards))
	for _, at := range places {
		if i, held := s.owner[at.Partition]; held {
			parts[i] = append(parts[i], at)
		}
	}
	total := 0
	var errs []error
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		keeper, ok := s.shards[i].(penstock.DeadLetters)
		if !ok {
			return total, penstock.Errorf(penstock.Internal, "drop letters", noLetters, i)
		}
		n, err := keeper.Drop(ctx, part)
		total += n
		errs = append(errs, err)
	}
	return total, errors.Join(errs...)
}
