package main

import (
	"context"
	"sync"
)

// lane is where lines wait for a request. Each lane has one request in flight, and all events of a key go through the
// same lane: so they reach the log in the order of the input, however many lanes there are.
type lane struct {
	due   chan struct{} // holds a signal when what is there may be sent; closed when no more comes
	taken chan struct{} // holds a signal when there is room again

	mu      sync.Mutex
	filling *lineBatch
	most    batchLimit
}

// batchLimit is how much a request may hold.
type batchLimit struct {
	lines int
	bytes int
}

// lineBatch is a request's worth of lines.
type lineBatch struct {
	body    []byte
	ends    []int   // of each line within body, behind its line end
	numbers []int64 // of each line in the input
	sizes   []int64 // what each line stands for in the input
}

func newLane(most batchLimit) *lane {
	return &lane{due: make(chan struct{}, 1), taken: make(chan struct{}, 1), filling: &lineBatch{}, most: most}
}

// add adds a line, as text, when there is room for it. It fails with the cause of ctx's end.
func (l *lane) add(ctx context.Context, in inputLine, text []byte) error {
	for !l.tryAdd(in, text) {
		raise(l.due)
		select {
		case <-l.taken:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (l *lane) tryAdd(in inputLine, text []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.filling
	if len(b.ends) >= l.most.lines || len(b.ends) > 0 && len(b.body)+len(text) >= l.most.bytes {
		return false
	}
	b.body = append(append(b.body, text...), '\n')
	b.ends = append(b.ends, len(b.body))
	b.numbers = append(b.numbers, in.number)
	b.sizes = append(b.sizes, in.size)
	return true
}

// flush lets what is there be sent as soon as the lane is free.
func (l *lane) flush() {
	l.mu.Lock()
	waiting := len(l.filling.ends) > 0
	l.mu.Unlock()
	if waiting {
		raise(l.due)
	}
}

// take returns what is there and goes on with the batch that it is given.
func (l *lane) take(next *lineBatch) *lineBatch {
	next.body, next.ends, next.numbers, next.sizes = next.body[:0], next.ends[:0], next.numbers[:0], next.sizes[:0]
	l.mu.Lock()
	b := l.filling
	l.filling = next
	l.mu.Unlock()
	raise(l.taken)
	return b
}

// shrink makes the requests of the lane smaller from now on.
func (l *lane) shrink(to batchLimit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = batchLimit{lines: max(1, min(to.lines, l.most.lines)), bytes: max(1, min(to.bytes, l.most.bytes))}
}

// raise leaves a signal unless one is there.
func raise(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// each sends the lane's batches, one after the other, until no more comes or one fails.
func (l *lane) each(ctx context.Context, send func(context.Context, *lineBatch) error) error {
	spare := &lineBatch{}
	for open := true; open; {
		select {
		case _, open = <-l.due:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b := l.take(spare)
		if len(b.ends) > 0 {
			if err := send(ctx, b); err != nil {
				return err
			}
		}
		spare = b
	}
	return nil
}

// halves splits a batch of two lines or more. The halves share its memory.
func (b *lineBatch) halves() (first, second *lineBatch) {
	n := len(b.ends) / 2
	cut := b.ends[n-1]
	first = &lineBatch{b.body[:cut], b.ends[:n], b.numbers[:n], b.sizes[:n]}
	second = &lineBatch{b.body[cut:], make([]int, 0, len(b.ends)-n), b.numbers[n:], b.sizes[n:]}
	for _, end := range b.ends[n:] {
		second.ends = append(second.ends, end-cut)
	}
	return first, second
}

// size returns how much of the input the batch stands for.
func (b *lineBatch) size() int64 {
	var n int64
	for _, s := range b.sizes {
		n += s
	}
	return n
}
