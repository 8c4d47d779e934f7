package main

import (
	"context"
	"io"
	"sync"
)

const (
	ctrlC     = 3
	keysAhead = 1024 // reads that are kept while a query runs
)

// keyboard reads keys ahead, so that Ctrl-C is seen also while a query runs: in raw mode the terminal makes no signal of
// it. While a line is being typed Ctrl-C becomes keys that discard the line.
type keyboard struct {
	in   io.Reader
	keys chan []byte
	rest []byte // of the last read

	mu      sync.Mutex
	cancel  func() // called for Ctrl-C while something runs
	discard bool   // the line that is read next was interrupted
}

func newKeyboard(in io.Reader) *keyboard {
	return &keyboard{in: in, keys: make(chan []byte, keysAhead)}
}

// discardLine moves to the end of the line, deletes it and enters what is left: nothing.
var discardLine = []byte{5, 21, '\r'}

// pump reads keys until ctx or the input ends. A read that hangs at that time is left to the end of the process.
func (k *keyboard) pump(ctx context.Context) {
	defer close(k.keys)
	read := make(chan []byte)
	go func() {
		defer close(read)
		for {
			b := make([]byte, 256)
			n, err := k.in.Read(b)
			if n > 0 {
				select {
				case read <- b[:n]:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		var b []byte
		ok := false
		select {
		case b, ok = <-read:
		case <-ctx.Done():
		}
		if !ok {
			return
		}
		if b = k.filter(b); len(b) == 0 {
			continue
		}
		select {
		case k.keys <- b:
		case <-ctx.Done():
			return
		}
	}
}

// filter takes Ctrl-C out of what was typed, and what was typed before it.
func (k *keyboard) filter(b []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != ctrlC {
			continue
		}
		if k.cancel != nil {
			k.cancel()
			return b[i+1:]
		}
		k.discard = true
		return append(append([]byte{}, discardLine...), b[i+1:]...)
	}
	return b
}

// Read implements io.Reader for the terminal.
func (k *keyboard) Read(b []byte) (int, error) {
	if len(k.rest) == 0 {
		keys, ok := <-k.keys
		if !ok {
			return 0, io.EOF
		}
		k.rest = keys
	}
	n := copy(b, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}

// onInterrupt has cancel called for Ctrl-C until stop is called, and at once if it came after the line that was read last.
func (k *keyboard) onInterrupt(cancel func()) (stop func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cancel = cancel
	if k.discard {
		k.discard = false
		cancel()
	}
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.cancel = nil
	}
}

// interrupted reports, once, whether the line that was read last was discarded.
func (k *keyboard) interrupted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.discard
	k.discard = false
	return was
}
