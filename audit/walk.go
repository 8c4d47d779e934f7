package audit

import (
	"context"
	"errors"
	"time"

	"penstock"
)

// stretch is a part of the log: of each of its partitions the records from one position up to another that the log has reached.
type stretch struct{ from, to penstock.Positions }

// limit bounds a walk. Bytes of zero are no limit.
type limit struct {
	bytes penstock.Bytes
	until time.Time
}

const chunk penstock.Bytes = 8 << 20 // read at once

// walk shows the records of a stretch in log order, and returns the positions up to which it came: less than all of it when a
// limit ended it, or when nothing came for a while although the log had more. It fails with Trimmed if retention was faster.
func (a *Audit) walk(ctx context.Context, s stretch, l limit, see func(penstock.Batch) error) (penstock.Positions, error) {
	at := s.from.Clone()
	if len(at) == 0 {
		return at, nil
	}
	cursor, err := a.o.Reader.Open(ctx, s.from)
	if err != nil {
		return at, err
	}
	defer cursor.Close()
	for size := penstock.Bytes(0); !at.Reached(s.to) && (l.bytes == 0 || size < l.bytes); {
		patience := min(a.o.Limits.Idle, time.Until(l.until))
		batch, err := nextWithin(ctx, cursor, patience)
		if err != nil || len(batch.Blocks) == 0 {
			return at, err
		}
		size += batch.Size()
		at = batch.Next
		if err := see(clip(batch, s.to)); err != nil {
			return at, err
		}
	}
	return at, nil
}

// nextWithin is the cursor's Next, and returns an empty batch when nothing comes in time.
func nextWithin(ctx context.Context, c penstock.Cursor, patience time.Duration) (penstock.Batch, error) {
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	batch, err := c.Next(soon, chunk)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return penstock.Batch{}, nil
	}
	return batch, err
}

// clip returns the part of a batch below the positions.
func clip(b penstock.Batch, to penstock.Positions) penstock.Batch {
	part := penstock.Batch{From: b.From, Next: b.Next.Clone(), Blocks: b.Blocks}
	for p, next := range part.Next {
		if to[p].Less(next) {
			part.Next[p] = to[p]
		}
		if part.Next[p].Less(b.From[p]) {
			part.Next[p] = b.From[p]
		}
	}
	return part
}
