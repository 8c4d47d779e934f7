package killtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"penstock"
	"penstock/internal/check"
	"penstock/internal/load/child"
)

// door is a server that keeps what is posted, and shows it as SQL would, changed if asked to.
type door struct {
	refuse func(request int) int // status; 0: the answer is lost although the events are kept; 202: none
	change func(rows []check.Entry) []check.Entry

	poison     bool  // some events are
	unbalanced bool  // what the audit says
	miscounts  int64 // how many more than there are the view has

	mu       sync.Mutex
	requests int
	letters  []check.Entry
	rows     []check.Entry
	has      map[string]bool
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case r.URL.Path == "/v1/sql":
		d.answer(w, body)
		return
	case r.URL.Path == "/v1/dlq":
		d.list(w)
		return
	case r.URL.Path == "/v1/audit":
		fmt.Fprintf(w, `{"ok":%t,"streams":[]}`, !d.unbalanced)
		return
	case strings.HasPrefix(r.URL.Path, "/v1/views/"):
		d.view(w, r)
		return
	case strings.HasPrefix(r.URL.Path, "/v1/dlq/"):
		i, _ := strconv.Atoi(path.Base(r.URL.Path)) // as list named it
		fmt.Fprintf(w, `{"body":%s}`, d.letters[i].Body)
		return
	}
	status := http.StatusAccepted
	if d.requests++; d.refuse != nil {
		status = d.refuse(d.requests)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(status)
		fmt.Fprint(w, `{"outcome":"not_stored"}`)
		return
	}
	n := 0
	for line := range strings.Lines(string(body)) {
		d.keep(path.Base(path.Dir(r.URL.Path)), strings.TrimSuffix(line, "\n"))
		n++
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"accepted":%d,"rejected_count":0,"receipt":"r"}`, n)
}

// list shows the letters on one page.
func (d *door) list(w http.ResponseWriter) {
	all := []letter{}
	for i, e := range d.letters {
		all = append(all, letter{Place: strconv.Itoa(i), Stream: e.Stream, ID: e.ID, Key: e.Key,
			Partition: e.Partition, Epoch: e.Epoch, Offset: e.Offset, State: penstock.LetterOpen, Reason: "bad_type"})
	}
	// An error means that the client has gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"letters": all})
}

// keep stores an event, once. One that is poison becomes a letter.
func (d *door) keep(stream, line string) {
	e, err := check.ParseEvent([]byte(line))
	id := check.EventID(e.Client, e.Seq)
	if err != nil || d.has[id] {
		return
	}
	d.has[id] = true
	p := penstock.Partition(len(e.Key)) // 3 or 4
	entry := check.Entry{Partition: p, Epoch: 1, Offset: penstock.Offset(len(d.has)), Stream: stream, ID: id, Key: e.Key, Body: check.Text(line)}
	if strings.Contains(line, `"late_1"`) {
		d.letters = append(d.letters, entry)
	} else {
		d.rows = append(d.rows, entry)
	}
}

var cursor = regexp.MustCompile(`_partition > (\d+) or .*_epoch > (\d+) or .*_offset > (-?\d+)\)\)\s+order by .* limit (\d+)`)

// answer shows the rows behind the query's cursor.
func (d *door) answer(w http.ResponseWriter, body []byte) {
	var q struct{ Query string }
	_ = json.Unmarshal(body, &q) // a query that is none has no cursor
	rows := slices.Clone(d.rows)
	slices.SortFunc(rows, func(a, b check.Entry) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	if d.change != nil {
		rows = d.change(rows)
	}
	out := [][]any{}
	if m := cursor.FindStringSubmatch(strings.ReplaceAll(q.Query, "\n", " ")); m != nil {
		p, _ := strconv.Atoi(m[1])
		offset, _ := strconv.Atoi(m[3])
		limit, _ := strconv.Atoi(m[4])
		for _, e := range rows {
			if (int(e.Partition) > p || int(e.Partition) == p && int(e.Offset) > offset) && len(out) < limit {
				out = append(out, []any{e.Stream, e.ID, e.Key, string(e.Body), e.Partition, e.Epoch, e.Offset, 0, 0, nil})
			}
		}
	} else if strings.Contains(q.Query, "json_extract_string") {
		out = append(out, []any{0})
	} else {
		out = append(out, []any{len(rows)})
	}
	// An error means that the client has gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"rows": out})
}

// view counts the rows of the first source by country, a group on each page.
func (d *door) view(w http.ResponseWriter, r *http.Request) {
	counts := map[string]int64{}
	for _, e := range d.rows {
		var body struct{ Country string }
		if e.Stream == sources[0].stream && json.Unmarshal(e.Body, &body) == nil {
			counts[body.Country]++
		}
	}
	names := slices.Sorted(maps.Keys(counts))
	at, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // as it was given
	page := map[string]any{"as_of": "r", "rows": []any{}, "cursor": nil}
	if at < len(names) {
		page["rows"] = []any{map[string]any{"country": names[at], "events": counts[names[at]] + d.miscounts}}
		page["cursor"] = strconv.Itoa(at + 1)
	}
	// An error means that the client has gone.
	_ = json.NewEncoder(w).Encode(page)
}

// byCountry is the view that a door has.
func byCountry() modelled {
	return modelled{View: penstock.View{Name: "by_country", Stream: sources[0].stream, Group: []penstock.Field{country()},
		Measures: []penstock.Measure{{Name: "events", Kind: penstock.MeasureCount}}}}
}

// post lets two writers post six requests to a door, and judges the round.
func (d *door) post(t *testing.T) Round {
	t.Helper()
	d.has = map[string]bool{}
	s := httptest.NewServer(d)
	defer s.Close()
	recorder, err := check.Create(t.TempDir(), check.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	// The second of two rows at one place is seen only within a page; beyond its end the count of all rows tells.
	k, err := newTester(Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	k.views = []modelled{byCountry()}
	if k.recount, err = check.NewRecount(k.models()...); err != nil {
		t.Fatal(err)
	}
	k.recorder, k.pageRows, k.server = recorder, 4, &child.Process{URL: s.URL}
	if d.change != nil {
		k.pageRows = 1000
	}
	writers := []*writer{k.newWriter(8, sources[0], 3), k.newWriter(9, sources[1], 1)}
	if d.poison {
		writers[0] = k.newWriter(8, sources[1], poisonous)
		writers[0].poison = `,"late_1":"text"`
	}
	for _, w := range writers {
		ctx, stop := context.WithCancel(t.Context())
		answers := 0
		w.work(ctx, s.URL, func() {
			if answers++; answers == 3 {
				stop()
			}
		})
		stop()
	}
	if err := k.resolveAll(t.Context(), writers); err != nil {
		t.Fatal(err)
	}
	var r Round
	r.count(writers)
	if err := k.judgeRound(t.Context(), &r, writers); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRoundWithoutFaultHasNoProblems(t *testing.T) {
	r := (&door{}).post(t)
	if len(r.Problems) != 0 || r.Sent != 12 || r.Acked != 12 || r.Stored != 12 || r.Total != 12 || r.Views < 2 {
		t.Fatalf("%+v", r)
	}
}

// TestRefusalsAndLostAnswersAreRetried refuses every other request and loses the answer to the last one.
func TestRefusalsAndLostAnswersAreRetried(t *testing.T) {
	d := &door{refuse: func(request int) int {
		switch {
		case request == 6:
			return 0
		case request%2 == 1:
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	}}
	r := d.post(t)
	if len(r.Problems) != 0 || r.Acked != r.Sent || r.Stored != r.Sent || d.requests < 8 {
		t.Fatalf("%+v, %d requests", r, d.requests)
	}
}

// TestLettersAreJudged turns poison into letters, and one that is none.
func TestLettersAreJudged(t *testing.T) {
	r := (&door{poison: true}).post(t)
	if len(r.Problems) != 0 || r.Dead != 3 || r.Stored != r.Sent-3 {
		t.Fatalf("%+v", r)
	}
	r = (&door{poison: true, change: func(rows []check.Entry) []check.Entry { return rows[1:] }}).post(t)
	if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, string(check.Lost)) }) {
		t.Fatalf("%+v", r)
	}
}

func TestAnAuditThatIsNotContentIsAProblem(t *testing.T) {
	if r := (&door{unbalanced: true}).post(t); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "audit") {
		t.Fatalf("%+v", r)
	}
}

func TestAViewThatMiscountsIsAProblem(t *testing.T) {
	r := (&door{miscounts: 1}).post(t)
	if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, string(check.ViewDiffers)) }) {
		t.Fatalf("%+v", r)
	}
}

// TestRoundFindsWhatIsWrong changes what the store shows.
func TestRoundFindsWhatIsWrong(t *testing.T) {
	for want, change := range map[check.Class]func(rows []check.Entry) []check.Entry{
		check.Lost:        func(rows []check.Entry) []check.Entry { return rows[1:] },
		check.StoredTwice: func(rows []check.Entry) []check.Entry { return append(rows[:1:1], rows...) },
		check.Corrupt: func(rows []check.Entry) []check.Entry {
			rows[0].Body = check.Text(strings.Replace(string(rows[0].Body), "note", "nota", 1))
			return rows
		},
		check.ColumnsDiffer: func(rows []check.Entry) []check.Entry { rows[0].Key = "other"; return rows },
		check.OtherRun: func(rows []check.Entry) []check.Entry {
			e, _ := check.ParseEvent(rows[0].Body)
			e.Nonce++
			rows[0].Body = check.AppendEvent(nil, e, "")
			return rows
		},
	} {
		r := (&door{change: change}).post(t)
		if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, " "+string(want)+": ") }) {
			t.Errorf("%s is not found: %q", want, r.Problems)
		}
	}
}

func TestDumpBecomesAnExport(t *testing.T) {
	recorder, err := check.Create(t.TempDir(), check.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	for text, good := range map[string]bool{
		"": true,
		`{"partition":3,"position":"1:17","id":"c0001-0000000002","key":"k","body":"{}"}` + "\n": true,
		`{"partition":3,"position":"17"}`:  false,
		`{"partition":3,"position":"1:17"`: false,
	} {
		e, err := recorder.Dir().Export(check.LogExport)
		if err != nil {
			t.Fatal(err)
		}
		if err := copyRecords(e, strings.NewReader(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
