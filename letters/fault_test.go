package letters

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/client"
)

func refusedBy(code penstock.Code) error {
	return &penstock.Error{Code: code, Op: "append", Reason: ""}
}

// TestReplayWaitsForTheLog holds that what passes is waited for, without a trace in the answer.
func TestReplayWaitsForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(100)
		w.mend()
		seen := map[*penstock.Block]bool{}
		faults := []error{refusedBy(penstock.Overloaded), refusedBy(penstock.Full), refusedBy(penstock.Unknown)}
		w.log.fault = func(blocks []*penstock.Block) (before, after error) {
			for _, b := range blocks {
				if seen[b] {
					t.Error("a block is handed over twice")
				}
				seen[b] = true
			}
			if w.log.calls <= len(faults) {
				return faults[w.log.calls-1], nil
			}
			return nil, nil
		}
		if page := w.replay(`{}`); page.Replayed != 100 || page.Next != nil {
			t.Errorf("%+v", page)
		}
		w.apply()
		w.checkOnce(100)
	})
}

func TestReplayWhenTheLogStaysFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(700)
		w.mend()
		w.log.fault = func([]*penstock.Block) (before, after error) {
			if w.log.calls > 1 {
				return &penstock.Error{Code: penstock.Full, Op: "append", Reason: "log_full"}, nil
			}
			return nil, nil
		}
		page := w.replay(`{}`)
		if page.Matched != 500 || page.Replayed != 500 || page.Next == nil || w.heard[0].Err == nil {
			t.Fatalf("%+v, heard %+v", page, w.heard)
		}
		began := time.Now()
		rest := fmt.Sprintf(`{"cursor":%q}`, *page.Next)
		a := w.ask("POST", "/v1/dlq/replay", rest)
		if a.expect(t, 503, "log_full"); time.Since(began) > 10*time.Second || !strings.Contains(a.body, `"outcome":"not_stored"`) {
			t.Errorf("after %s: %s", time.Since(began), a.body)
		}
		w.log.fault = func([]*penstock.Block) (before, after error) { return refusedBy(penstock.Unknown), nil }
		a = w.ask("POST", "/v1/dlq/replay", rest)
		if a.expect(t, 503, "unknown"); !strings.Contains(a.body, `"outcome":"unknown"`) {
			t.Errorf("%s", a.body)
		}
		first := w.log.calls + 1
		w.log.fault = func([]*penstock.Block) (before, after error) {
			if w.log.calls == first {
				return refusedBy(penstock.Unknown), nil
			}
			return refusedBy(penstock.Full), nil
		}
		w.ask("POST", "/v1/dlq/replay", rest).expect(t, 503, "unknown") // a refusal says nothing about the attempt before
		w.log.fault = func([]*penstock.Block) (before, after error) { return refusedBy(penstock.Unavailable), nil }
		began = time.Now()
		if w.ask("POST", "/v1/dlq/replay", rest).expect(t, 503, "unavailable"); time.Since(began) > 0 {
			t.Errorf("waited %s for what does not come back", time.Since(began))
		}
		w.log.fault = nil
		if page := w.replay(rest); page.Replayed != 200 || page.Next != nil {
			t.Errorf("%+v", page)
		}
		w.apply()
		w.checkOnce(700)
	})
}

// TestClientGivesUp holds that a client says how far it came.
func TestClientGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		w.broken(600)
		w.mend()
		w.log.fault = func([]*penstock.Block) (before, after error) {
			if w.log.records >= 500 {
				return &penstock.Error{Code: penstock.Full, Op: "append", Reason: "log_full"}, nil
			}
			return nil, nil
		}
		c := w.client(w)
		sum, err := c.Replay(t.Context(), client.LetterChange{}, nil)
		if !penstock.Is(err, penstock.Full) || sum.Replayed != 500 || sum.Next == "" || sum.Receipt == "" {
			t.Fatalf("%+v, %v", sum, err)
		}
		w.log.fault = nil
		if rest, err := c.Replay(t.Context(), client.LetterChange{Cursor: sum.Next}, nil); err != nil || rest.Replayed != 100 {
			t.Errorf("%+v, %v", rest, err)
		}
		w.apply()
		w.checkOnce(600)
	})
}

// lossy is a way to the server on which answers, and requests, are lost.
type lossy struct {
	w    *world
	dice *rand.Rand
}

// RoundTrip implements http.RoundTripper.
func (l lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	switch l.dice.IntN(4) {
	case 0:
		return nil, errors.New("the request is lost")
	case 1:
		if _, err := l.w.RoundTrip(r); err != nil {
			return nil, err
		}
		return nil, errors.New("the answer is lost")
	}
	return l.w.RoundTrip(r)
}

// TestReplayBrokenAnywhere replays on ways and logs that fail, by several operators at once, some of whom give up and begin
// anew, while the store goes on or does not: each event has one effect, in the order of its key.
// It holds C-ONCE and C-REPLAY.
func TestReplayBrokenAnywhere(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 0))
			w := start(t, Options{})
			n := 1 + dice.IntN(300)
			w.broken(n)
			w.mend()
			w.log.fault = func([]*penstock.Block) (before, after error) {
				switch dice.IntN(6) {
				case 0:
					return refusedBy(penstock.Unknown), nil
				case 1:
					return nil, refusedBy(penstock.Unknown)
				case 2:
					return refusedBy(penstock.Full), nil
				}
				return nil, nil
			}
			c := w.client(lossy{w, dice})
			for tries := 0; len(w.letters(penstock.LetterOpen)) > 0; tries++ {
				ctx, kill := context.WithCancel(t.Context())
				pages, most := 0, dice.IntN(8)
				_, err := c.Replay(ctx, client.LetterChange{Rate: dice.IntN(2) * 500}, func(client.Replayed) {
					if pages++; pages > most {
						kill()
					}
					if dice.IntN(3) == 0 {
						w.apply()
					}
				})
				kill()
				if dice.IntN(2) == 0 || tries > 20 || err == nil {
					w.apply()
				}
			}
			w.apply()
			w.checkOnce(n)
		})
	}
}
