package consumer

import (
	"context"
	"slices"
	"time"

	"penstock"
)

// batch is what was read at once.
type batch struct {
	penstock.Batch
	at      time.Time // when it was read
	full    bool      // it is as large as it may be, so there is probably more at hand
	more    bool      // it is a part of what was read, and not the last
	arrived int       // records that were read for it; others were held back from the batch before
}

// reader reads batches, and one ahead of the batch in hand while there is more at hand than fits into one: what is
// behind then reads and decodes while the store is busy. Who keeps up gains nothing by it: what would be read ahead is
// only what came first of what is still to come, and would cost a commit of its own.
//
// It is used by one goroutine. The cursor is too: by the one that reads ahead while ahead is set, else by the caller.
type reader struct {
	cursor penstock.Cursor
	most   penstock.Bytes
	rows   int            // a batch with more records has a multiple of them; 0: as they come
	hold   time.Duration  // for which the rest of a cut batch waits for more
	rest   penstock.Batch // of the batch before
	ahead  chan result    // receives once; nil: nothing is read ahead
}

type result struct {
	batch batch
	err   error
}

// next returns what was read ahead, or reads.
func (r *reader) next(ctx context.Context) (batch, error) {
	if r.ahead == nil {
		return r.read(ctx)
	}
	got := <-r.ahead
	r.ahead = nil
	return got.batch, got.err
}

// readAhead begins to read what the following next returns.
func (r *reader) readAhead(ctx context.Context) {
	ahead := make(chan result, 1)
	r.ahead = ahead
	go func() {
		b, err := r.read(ctx)
		ahead <- result{b, err}
	}()
}

func (r *reader) read(ctx context.Context) (batch, error) {
	b, err := r.read1(ctx)
	if err != nil {
		return batch{}, err
	}
	got := batch{Batch: b, at: time.Now(), full: b.Size() >= r.most, arrived: b.Len()}
	if len(r.rest.Blocks) > 0 {
		got.From, got.Blocks = r.rest.From, append(slices.Clip(r.rest.Blocks), b.Blocks...)
		r.rest = penstock.Batch{}
	}
	if r.rows > 0 {
		if n := got.Len() / r.rows * r.rows; n > 0 {
			got.Batch, r.rest = got.Cut(n)
		}
	}
	return got, nil
}

// read1 reads a batch from the cursor. While there is a rest it waits for a moment only: then there is nothing new.
func (r *reader) read1(ctx context.Context) (penstock.Batch, error) {
	if len(r.rest.Blocks) == 0 {
		return r.cursor.Next(ctx, r.most)
	}
	soon, cancel := context.WithTimeout(ctx, r.hold)
	defer cancel()
	b, err := r.cursor.Next(soon, r.most)
	if err != nil && ctx.Err() == nil && soon.Err() != nil {
		return penstock.Batch{From: r.rest.Next, Next: r.rest.Next}, nil
	}
	return b, err
}

// close closes the cursor, which ends a read, and waits for it. What was read ahead is dropped: it belongs to a position
// that nobody stands at.
func (r *reader) close() {
	_ = r.cursor.Close()
	if r.ahead != nil {
		<-r.ahead
	}
}
