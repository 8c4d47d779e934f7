package disktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"penstock/internal/load/probe"
)

// keeper is a server that keeps ids by batch, and answers as a test wants.
type keeper struct {
	answer func(request int) (status int, code, outcome string) // of a post; 0: the connection ends
	keep   func(request int) int                                // how often its events are kept

	mu       sync.Mutex
	requests int
	ids      map[batch][]string
}

var (
	line  = regexp.MustCompile(`"id":"(w(\d+)-(\d+)-\d+)"`)
	asked = regexp.MustCompile(`writer = (\d+) and batch >= (\d+) and batch < (\d+)`)
)

// ServeHTTP implements http.Handler.
func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var body strings.Builder
	_ = r.Write(&body) // an error means that the client has gone
	if r.URL.Path == "/v1/sql" {
		k.rows(w, body.String())
		return
	}
	k.requests++
	ids := line.FindAllStringSubmatch(body.String(), -1)
	for range k.keep(k.requests) {
		for _, id := range ids {
			writer, _ := strconv.Atoi(id[2])
			number, _ := strconv.Atoi(id[3])
			k.ids[batch{writer, number}] = append(k.ids[batch{writer, number}], id[1])
		}
	}
	status, code, outcome := k.answer(k.requests)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%q,"outcome":%q,"accepted":%d}`, code, outcome, len(ids))
}

// rows answers the questions of a judge.
func (k *keeper) rows(w http.ResponseWriter, query string) {
	rows, total := [][]int{}, 0
	m := asked.FindStringSubmatch(strings.ReplaceAll(strings.ReplaceAll(query, `\u003e`, ">"), `\u003c`, "<"))
	for b, ids := range k.ids {
		distinct := map[string]bool{}
		for _, id := range ids {
			distinct[id] = true
		}
		if total += len(ids); m != nil && m[1] == strconv.Itoa(b.writer) {
			rows = append(rows, []int{b.number, len(ids), len(distinct)})
		}
	}
	if m == nil {
		rows = [][]int{{total}}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"rows": rows}) // an error means that the client has gone
}

// run posts some batches, resolves, and judges.
func (k *keeper) run(t *testing.T) (Sum, *Load) {
	t.Helper()
	k.ids = map[batch][]string{}
	s := httptest.NewServer(k)
	defer s.Close()
	l := &Load{Writers: 2, Events: 3, Text: 10}
	l.At(s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	if err := l.Await(t.Context(), "202", 10); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	if err := l.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum, err := l.Judge(t.Context(), &probe.Probe{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return sum, l
}

func accept(int) (int, string, string) { return http.StatusAccepted, "", "" }

// TestJudge has servers that keep what they answer, and some that do not.
func TestJudge(t *testing.T) {
	third := func(then, otherwise int) func(int) int {
		return func(request int) int {
			if request == 3 {
				return then
			}
			return otherwise
		}
	}
	refuse := func(request int) (int, string, string) {
		if request%3 == 0 {
			return http.StatusServiceUnavailable, "log_full", "not_stored"
		}
		return http.StatusAccepted, "", ""
	}
	honest := func(request int) int { return min(1, request%3) }
	for name, c := range map[string]struct {
		keeper               *keeper
		lost, doubled, wrong bool
	}{
		"all is well":             {keeper: &keeper{answer: accept, keep: third(1, 1)}},
		"refused, and not stored": {keeper: &keeper{answer: refuse, keep: honest}},
		"lost":                    {keeper: &keeper{answer: accept, keep: third(0, 1)}, lost: true},
		"doubled":                 {keeper: &keeper{answer: accept, keep: third(2, 1)}, doubled: true},
		"refused, and stored":     {keeper: &keeper{answer: refuse, keep: third(1, 1)}, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			sum, l := c.keeper.run(t)
			// A refusal that is stored shows as such, or as doubled if its batch is sent again.
			if (sum.Lost > 0) != c.lost || !c.wrong && (sum.Doubled > 0) != c.doubled || (sum.Doubled+sum.Wrong > 0) != (c.wrong || c.doubled) {
				t.Errorf("%+v", sum)
			}
			if refusals := l.Count("503 log_full not_stored"); len(l.Problems()) != min(1, refusals) { // without Retry-After
				t.Errorf("%d refusals, %v", refusals, l.Problems())
			}
		})
	}
}

// TestUnknownIsSentAgain ends a connection: what was sent on it is sent again, and counts.
func TestUnknownIsSentAgain(t *testing.T) {
	k := keeper{keep: func(request int) int { return min(1, request%2) }, answer: func(request int) (int, string, string) {
		if request%2 == 0 {
			return 0, "", ""
		}
		return accept(request)
	}}
	sum, l := k.run(t)
	if sum.Problems != 0 || sum.Accepted < 30 || l.Count("no answer") == 0 {
		t.Errorf("%+v, %v", sum, l.Answers())
	}
}
