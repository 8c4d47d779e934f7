package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// filling is events of which each has a key of its own, in an order that is not that of the keys.
type filling struct {
	url, stream, token string
	prefix             string // of the keys
	count              int64
	scored             bool // each has a score, too

	step int64        // the next event's key is so many further
	next atomic.Int64 // first event of the next request
	sent atomic.Int64
}

const (
	fillBatch   = 10_000
	fillClients = 4
)

// key returns the n-th key.
func (v *viewFlags) key(n int64) string { return fmt.Sprintf("%s%08d", v.prefix, n) }

// stepFor returns a number that leads through all of n, about two fifths of it apart.
func stepFor(n int64) int64 {
	step := max(1, n*2/5) | 1
	for divisor(step, n) != 1 {
		step += 2
	}
	return step
}

func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// fill sends all events, and returns when all are accepted.
func (f *benchFlags) fill(c *cobra.Command, all *filling) error {
	all.token, all.prefix, all.step = f.token, f.lookup.prefix, stepFor(all.count)
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	var sending sync.WaitGroup
	for range fillClients {
		sending.Go(func() {
			if err := all.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	sending.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("fill %s: %w", all.stream, err)
	}
	f.say(c, "%s: %d events", all.stream, all.sent.Load())
	return nil
}

// work is one client: it sends requests until there are no more.
func (l *filling) work(ctx context.Context) error {
	var body []byte
	for {
		first := l.next.Add(fillBatch) - fillBatch
		last := min(first+fillBatch, l.count)
		if first >= last || ctx.Err() != nil {
			return nil
		}
		body = l.lines(body[:0], first, last)
		if err := l.post(ctx, body, last-first); err != nil {
			return err
		}
		l.sent.Add(last - first)
	}
}

// lines appends the events from first until before last.
func (l *filling) lines(dst []byte, first, last int64) []byte {
	for i := first; i < last; i++ {
		n := i * l.step % l.count
		dst = fmt.Appendf(dst, `{"id":"e%010d","key":"%s%08d"`, i, l.prefix, n)
		if l.scored {
			dst = strconv.AppendInt(append(dst, `,"score":`...), scoreOf(n), 10)
		}
		dst = append(dst, "}\n"...)
	}
	return dst
}

// scoreOf returns the score of a key: any number up to a billion.
func scoreOf(n int64) int64 {
	x := uint64(n) * 0x9e3779b97f4a7c15
	x ^= x >> 32
	return int64(x * 0xd6e8feb86659fd93 >> 16 % 1_000_000_000)
}

// post sends a request again until it is accepted: events have ids, so none counts twice.
func (l *filling) post(ctx context.Context, body []byte, events int64) error {
	for {
		status, wait, answer, err := l.try(ctx, body)
		switch {
		case err != nil:
			return err
		case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
			if !pauseFor(ctx, wait) {
				return nil
			}
			continue
		}
		var said struct{ Accepted int64 }
		if err := json.Unmarshal(answer, &said); err != nil || said.Accepted != events {
			return fmt.Errorf("%d: %.300s", status, answer)
		}
		return nil
	}
}

func (l *filling) try(ctx context.Context, body []byte) (status int, wait time.Duration, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+"/v1/streams/"+l.stream+"/events", bytes.NewReader(body))
	if err != nil {
		return 0, 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if l.token != "" {
		req.Header.Set("Authorization", "Bearer "+l.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, nil, err
	}
	defer resp.Body.Close()
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		seconds = 1
	}
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, time.Duration(min(max(seconds, 0), 5)) * time.Second, answer, err
}

// pauseFor waits, and reports whether ctx still stands.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
