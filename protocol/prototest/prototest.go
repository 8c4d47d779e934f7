// Package prototest holds what every penstock.Protocol promises. A protocol's tests call Run with bodies in its format; each
// case says what breaks in Penstock when it fails.
package prototest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"penstock"
)

// Format describes a protocol to the suite: bodies of its format, all of one content type.
type Format struct {
	New         func() penstock.Protocol
	ContentType string

	Good   func(n int) []byte // n events with the ids "0" to "n-1" and the keys "k0" to "kn-1", without times
	NoIDs  func(n int) []byte // n events that differ, without ids, if the format allows that; else nil
	Mixed  []byte             // five items, of which those with the indexes 1 and 3 are bad
	Broken []byte             // nothing that can be read, if the format can tell; else nil
}

// Run checks a protocol.
func Run(t *testing.T, f Format) {
	for _, c := range []struct {
		name string
		why  string
		run  func(*testing.T, Format) error
	}{
		{"routes", "the door finds the protocol and the stream's name by its patterns", routes},
		{"content type", "what a protocol does not read is refused before its body is read", contentType},
		{"events in order", "order per key begins with the order in the body", inOrder},
		{"body is not changed", "the door may decode a body again, and shares its buffers", bodyUnchanged},
		{"events do not overlap", "who appends to an event's bytes must not write into its neighbour's", noOverlap},
		{"nothing is kept", "the body's buffer serves the next request when Decode has returned", nothingKept},
		{"rejections have their index", "the sender finds the bad item by its index", rejections},
		{"too large", "an event over the limit is rejected alone", tooLarge},
		{"too many", "a request over the limit is refused as a whole", tooMany},
		{"broken", "a body that cannot be read is the sender's mistake, with a word for it", broken},
		{"no time", "an event without a time has that of its receipt", noTime},
		{"given ids", "an id that the server gives never repeats, and says so", givenIDs},
		{"derived ids", "with an Idempotency-Key a repeat has the same ids", derivedIDs},
		{"concurrent", "the door decodes many requests at once", concurrent},
		{"reply", "the status says what the answer promises", reply},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			if err := c.run(t, f); err != nil {
				t.Errorf("%v\n(%s)", err, c.why)
			}
		})
	}
}

const now penstock.Micros = 1_780_000_000_000_000

func (f Format) request(body []byte) *penstock.Request {
	return &penstock.Request{Stream: &penstock.Stream{Name: "clicks"}, ContentType: f.ContentType, ReceivedAt: now,
		Limits: penstock.ItemLimits{Event: 1 << 10, Batch: 100}, Body: body}
}

// result is what a Decode gave, copied.
type result struct {
	events     []penstock.Event
	rejections []penstock.Rejection
	err        error
}

func decode(p penstock.Protocol, r *penstock.Request) result {
	var got result
	got.err = p.Decode(r, func(e penstock.Event) {
		e.ID, e.Key, e.Body = bytes.Clone(e.ID), bytes.Clone(e.Key), bytes.Clone(e.Body)
		got.events = append(got.events, e)
	}, func(x penstock.Rejection) { got.rejections = append(got.rejections, x) })
	return got
}

func (r result) ids() []string {
	ids := make([]string, len(r.events))
	for i, e := range r.events {
		ids[i] = string(e.ID)
	}
	return ids
}

// good checks that a result is what Good(n) describes.
func (r result) good(n int) error {
	if r.err != nil || len(r.rejections) > 0 || len(r.events) != n {
		return fmt.Errorf("%d events of %d, rejections %v, error %v", len(r.events), n, r.rejections, r.err)
	}
	for i, e := range r.events {
		if id, key := fmt.Sprint(i), fmt.Sprintf("k%d", i); string(e.ID) != id || string(e.Key) != key || e.Flags != 0 {
			return fmt.Errorf("event %d has id %q, key %q, flags %d", i, e.ID, e.Key, e.Flags)
		}
		if len(e.Body) == 0 {
			return fmt.Errorf("event %d has no body", i)
		}
	}
	return nil
}

func routes(_ *testing.T, f Format) error {
	patterns := f.New().Routes()
	if len(patterns) == 0 {
		return errors.New("there is no route")
	}
	mux := http.NewServeMux() // it panics for a pattern that is none
	for _, pattern := range patterns {
		mux.Handle(pattern, http.NotFoundHandler())
		if !strings.Contains(pattern, " /") || !strings.Contains(pattern, "{stream}") {
			return fmt.Errorf("the pattern %q names no method, or no stream", pattern)
		}
	}
	return nil
}

func contentType(_ *testing.T, f Format) error {
	p, r := f.New(), f.request(nil)
	if err := p.Accepts(r); err != nil {
		return fmt.Errorf("its own type: %v", err)
	}
	r.ContentType = "image/png"
	if err := p.Accepts(r); !penstock.Is(err, penstock.Invalid) || reason(err) != "unsupported_media_type" {
		return fmt.Errorf("image/png: %v", err)
	}
	return nil
}

func reason(err error) string {
	var e *penstock.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func inOrder(_ *testing.T, f Format) error {
	for _, n := range []int{1, 2, 100} {
		if err := decode(f.New(), f.request(f.Good(n))).good(n); err != nil {
			return err
		}
	}
	return nil
}

func bodyUnchanged(_ *testing.T, f Format) error {
	for _, body := range [][]byte{f.Good(10), f.Mixed, f.Broken} {
		sent := bytes.Clone(body)
		decode(f.New(), f.request(sent))
		if !bytes.Equal(sent, body) {
			return fmt.Errorf("%q became %q", body, sent)
		}
	}
	return nil
}

func noOverlap(_ *testing.T, f Format) error {
	var got result
	got.err = f.New().Decode(f.request(f.Good(10)), func(e penstock.Event) {
		got.events = append(got.events, penstock.Event{ID: bytes.Clone(e.ID), Key: bytes.Clone(e.Key), Body: bytes.Clone(e.Body)})
		for _, b := range [][]byte{e.ID, e.Key, e.Body} {
			_ = append(b, "!!!!!!!!!!!!!!!!"...)
		}
	}, func(x penstock.Rejection) { got.rejections = append(got.rejections, x) })
	return got.good(10)
}

func nothingKept(_ *testing.T, f Format) error {
	p, body := f.New(), f.Good(20)
	first := decode(p, f.request(body))
	for i := range body {
		body[i] = 0xff
	}
	if err := decode(p, f.request(f.Good(20))).good(20); err != nil {
		return err
	}
	return first.good(20)
}

func rejections(_ *testing.T, f Format) error {
	got := decode(f.New(), f.request(f.Mixed))
	if got.err != nil || len(got.events) != 3 || len(got.rejections) != 2 {
		return fmt.Errorf("%d events, rejections %v, error %v", len(got.events), got.rejections, got.err)
	}
	for i, x := range got.rejections {
		if x.Index != 1+2*i || x.Code == "" || x.Message == "" {
			return fmt.Errorf("rejection %d is %+v", i, x)
		}
	}
	return nil
}

func tooLarge(_ *testing.T, f Format) error {
	r := f.request(f.Good(3))
	r.Limits.Event = 1
	got := decode(f.New(), r)
	if got.err != nil || len(got.events) != 0 || len(got.rejections) != 3 || got.rejections[2].Code != "too_large" {
		return fmt.Errorf("%d events, rejections %v, error %v", len(got.events), got.rejections, got.err)
	}
	return nil
}

func tooMany(_ *testing.T, f Format) error {
	r := f.request(f.Good(4))
	r.Limits.Batch = 3
	if err := decode(f.New(), r).err; !penstock.Is(err, penstock.Invalid) || reason(err) != "too_many_items" {
		return fmt.Errorf("four of three: %v", err)
	}
	r.Limits.Batch = 4
	return decode(f.New(), r).good(4)
}

func broken(_ *testing.T, f Format) error {
	if f.Broken == nil {
		return nil
	}
	p := f.New()
	if err := decode(p, f.request(f.Broken)).err; !penstock.Is(err, penstock.Invalid) || reason(err) == "" {
		return fmt.Errorf("error %v, reason %q", err, reason(err))
	}
	return decode(p, f.request(f.Good(2))).good(2)
}

func noTime(_ *testing.T, f Format) error {
	for _, e := range decode(f.New(), f.request(f.Good(2))).events {
		if e.Time != now {
			return fmt.Errorf("the time is %d", e.Time)
		}
	}
	return nil
}

func givenIDs(_ *testing.T, f Format) error {
	if f.NoIDs == nil {
		return nil
	}
	p, seen := f.New(), map[string]bool{}
	for range 100 {
		for _, e := range decode(p, f.request(f.NoIDs(100))).events {
			if n := len(e.ID); n == 0 || n > int(penstock.MaxIDLen) || e.Flags&penstock.ServerID == 0 {
				return fmt.Errorf("id %q with flags %d", e.ID, e.Flags)
			}
			seen[string(e.ID)] = true
		}
	}
	if len(seen) != 10_000 {
		return fmt.Errorf("%d different ids of 10,000", len(seen))
	}
	return nil
}

func derivedIDs(_ *testing.T, f Format) error {
	if f.NoIDs == nil {
		return nil
	}
	ids := func(key string) []string {
		r := f.request(f.NoIDs(10))
		r.IdempotencyKey = key
		got := decode(f.New(), r)
		for _, e := range got.events {
			if e.Flags&penstock.ServerID != 0 {
				return nil
			}
		}
		return got.ids()
	}
	one, again, two := ids("one"), ids("one"), ids("two")
	if len(one) != 10 || !slices.Equal(one, again) {
		return fmt.Errorf("%q, and again %q", one, again)
	}
	for _, id := range two {
		if slices.Contains(one, id) {
			return fmt.Errorf("another key gives %q too", id)
		}
	}
	return nil
}

func concurrent(_ *testing.T, f Format) error {
	p := f.New()
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for n := range 50 {
				if errs[i] = decode(p, f.request(f.Good(n+1))).good(n + 1); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// reply checks the statuses that docs/contract.md promises.
func reply(_ *testing.T, f Format) error {
	yes, no := true, false
	bad := []penstock.Rejection{{Index: 1, Code: "bad_id", Message: "a \"quoted\"\n<b>text</b> \u2028"}}
	disk, memory := penstock.DurabilityDisk, penstock.DurabilityMemory
	for _, c := range []struct {
		o    penstock.Outcome
		want int
	}{
		{penstock.Outcome{Accepted: 2, Durability: disk, Receipt: "r"}, http.StatusAccepted},
		{penstock.Outcome{Accepted: 2, Durability: disk, Receipt: "r", Applied: &no}, http.StatusAccepted},
		{penstock.Outcome{Accepted: 2, Durability: disk, Receipt: "r", Applied: &yes}, http.StatusOK},
		{penstock.Outcome{Accepted: 2, Durability: memory, Receipt: "r"}, http.StatusOK},
		{penstock.Outcome{Accepted: 2, Durability: memory, Receipt: "r", Applied: &no}, http.StatusOK},
		{penstock.Outcome{Accepted: 1, RejectedCount: 1, Rejected: bad, Durability: disk, Receipt: "r"}, http.StatusAccepted},
		{penstock.Outcome{RejectedCount: 1, Rejected: bad, Durability: disk}, http.StatusUnprocessableEntity},
		{penstock.Outcome{Accepted: 1, Durability: disk, Receipt: "r", IDs: []string{`"\`},
			Positions: []penstock.Placement{{Partition: 3, Epoch: 1, First: 1201, Next: 1533}}}, http.StatusAccepted},
	} {
		for _, single := range []bool{false, true} {
			r := f.request(nil)
			r.Single = single
			status, contentType, body := f.New().Reply(r, &c.o)
			if status != c.want || contentType == "" {
				return fmt.Errorf("status %d of type %q for %+v, want %d", status, contentType, c.o, c.want)
			}
			if strings.Contains(contentType, "json") && !json.Valid(body) {
				return fmt.Errorf("not JSON: %s", body)
			}
		}
	}
	return nil
}
