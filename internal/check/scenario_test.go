package check

import (
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"testing"
	"time"

	"penstock"
)

// scenario is a run that was written by hand: history, a line of dashes, exports, a line of dashes, verdict.
//
// A line of the history is a kind, words, the times CALL-RET (CALL- without an answer) and the outcome: ok, unknown, fail or a status.
//
//	post c1 0+3 10-20 ok key=a,a,b poison=2 rejected=1 receipt=0/1:0-2
//	read c1 0+2 30-31 ok seen=c1.0@0/1:0,c1.1@0/1:1
//	tail 30-31 ok seen=…
//	watch applied 5-6 ok node=a at=0/1:17
//	sample 5-5 ok memory=100
//	view c1 30-31 ok of=per_key key=a events=3
//	drop c1 3 30-31 ok
//	drained 40-50 ok
//	fault kill 5-20
//	config seed=1 explain grace=5 limit=90 halts=s
//
// A line of the exports is what it is, a place and an event; "both" is log and row.
//
//	both 0/1:0 c1.0
//	row 0/1:0 c1.0 key=z bodykey=z id=c1.5 stream=t replay=1:0 torn other seed=9 x=5 time=2026-01-01T00:00:00Z
//	letter 0/1:3 c1.5 open reason=bad_type
//	bounds 0 first=1:0 next=1:10 applied=1:10
//	audit s accepted=4 stored=4 checksum=bad
//	model v s group=key,x:bigint window=60 where=x~>=~5 events:count sum:sum(x:bigint) hot:top(key,3)
//	view v key="a" events=2
type scenario struct {
	run     Run
	history []Record
	log     []Entry
	rows    []Entry
	letters []Entry
	views   []ViewRow
	keys    map[string]string // of events, by id
	numbers map[string]uint64 // within their client and key, by id
	counted map[string]uint64 // by client and key
}

// words is a line: its plain words and its options.
type words struct {
	t       testing.TB
	line    string
	plain   []string
	options map[string]string
}

func split(t testing.TB, line string) words {
	w := words{t, line, nil, map[string]string{}}
	for _, field := range strings.Fields(line) {
		if name, value, ok := strings.Cut(field, "="); ok {
			w.options[name] = value
		} else {
			w.plain = append(w.plain, field)
		}
	}
	return w
}

func (w words) scan(text, format string, into ...any) {
	w.t.Helper()
	if n, err := fmt.Sscanf(text, format, into...); err != nil || n != len(into) {
		w.t.Fatalf("%s: %q is not %s: %v", w.line, text, format, err)
	}
}

func (w words) number(name string) int64 {
	var n int64
	if text, ok := w.options[name]; ok {
		w.scan(text, "%d", &n)
	}
	return n
}

func (w words) list(name string) []int {
	var all []int
	for part := range strings.SplitSeq(w.options[name], ",") {
		if n, err := strconv.Atoi(part); err == nil {
			all = append(all, n)
		}
	}
	return all
}

func (w words) has(word string) bool {
	for _, p := range w.plain {
		if p == word {
			return true
		}
	}
	return false
}

func (w words) position(text string) penstock.Position {
	var p penstock.Position
	if text != "" {
		w.scan(text, "%d:%d", &p.Epoch, &p.Offset)
	}
	return p
}

func (w words) mark(text string) Mark {
	var m Mark
	w.scan(text, "%d/%d:%d", &m.Partition, &m.Epoch, &m.Offset)
	return m
}

// event reads c1.0 as an id.
func (w words) event(text string) (client uint32, seq uint64) {
	w.scan(text, "c%d.%d", &client, &seq)
	return client, seq
}

func parseScenario(t testing.TB, history, exports string) *scenario {
	s := &scenario{keys: map[string]string{}, numbers: map[string]uint64{}, counted: map[string]uint64{}}
	s.run.Config.Seed = 1
	for line := range strings.Lines(history) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			s.parseHistory(split(t, line))
		}
	}
	for line := range strings.Lines(exports) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			s.parseExport(split(t, line))
		}
	}
	s.run.History, s.run.Rows, s.run.Letters = each(s.history), each(s.rows), each(s.letters)
	if s.log != nil {
		s.run.Log = each(s.log)
	}
	if s.run.Models != nil {
		s.run.Views = each(s.views)
	}
	return s
}

// each yields copies in one place, as a file does.
func each[T any](all []T) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var one T
		for _, one = range all {
			if !yield(&one, nil) {
				return
			}
		}
	}
}

func (s *scenario) parseHistory(w words) {
	switch w.plain[0] {
	case "config":
		s.parseConfig(w)
		return
	case "fault":
		f := Fault{Kind: w.plain[1]}
		from, to, _ := strings.Cut(w.plain[2], "-")
		w.scan(from, "%d", &f.From)
		if to != "" {
			w.scan(to, "%d", &f.To)
		}
		s.run.Faults = append(s.run.Faults, f)
		return
	}
	rec := Record{Op: int64(len(s.history) + 1), Kind: Kind(w.plain[0]), Stream: w.options["stream"], Attempt: 1, Accepted: int(w.number("accepted")),
		Rejected: w.list("rejected"), Poison: w.list("poison"), Receipt: w.options["token"], Node: w.options["node"], Lane: Lane(w.options["lane"]), RetryAfter: "1"}
	if rec.Stream == "" {
		rec.Stream = "s"
	}
	if w.options["retry"] != "" {
		rec.RetryAfter = ""
	}
	for _, word := range w.plain[1:] {
		s.parseWord(w, &rec, word)
	}
	s.parseSeen(w, &rec)
	if rec.Kind == View {
		rec.Told = &Told{w.options["of"], w.options["key"], w.number("events")}
	}
	if rec.Kind == Post {
		s.giveKeys(w, &rec)
	}
	s.history = append(s.history, rec)
}

func (s *scenario) parseConfig(w words) {
	c := &s.run.Config
	if w.options["seed"] != "" {
		c.Seed = uint64(w.number("seed"))
	}
	c.Explain, c.Grace, c.Cluster = w.has("explain"), w.number("grace"), w.options["cluster"]
	if halts := w.options["halts"]; halts != "" {
		c.Halts = append(c.Halts, halts)
	}
	c.Limits.Memory = penstock.Bytes(w.number("limit"))
}

func (s *scenario) parseWord(w words, rec *Record, word string) {
	_, err := strconv.Atoi(word)
	switch {
	case word == string(Ok), word == string(Fail), word == string(Unknown):
		rec.Outcome = Outcome(word)
	case rec.Outcome == "" && rec.Call > 0 && err == nil:
		w.scan(word, "%d", &rec.Status)
		switch {
		case rec.Status < 300:
			rec.Outcome = Ok
		case rec.Status < 500 || rec.Status == 503:
			rec.Outcome = Fail
		default:
			rec.Outcome = Unknown
		}
	case strings.HasPrefix(word, "c") && err != nil && len(word) < 5:
		w.scan(word, "c%d", &rec.Client)
	case strings.Contains(word, "-"):
		call, ret, _ := strings.Cut(word, "-")
		w.scan(call, "%d", &rec.Call)
		if ret != "" {
			w.scan(ret, "%d", &rec.Ret)
		}
	case strings.Contains(word, "+"):
		w.scan(word, "%d+%d", &rec.Seq, &rec.Count)
	case err == nil:
		w.scan(word, "%d", &rec.Seq)
		rec.Count = 1
	default:
		rec.What = word
	}
}

func (s *scenario) parseSeen(w words, rec *Record) {
	for part := range strings.SplitSeq(w.options["seen"], ",") {
		if part == "" {
			continue
		}
		event, place, _ := strings.Cut(part, "@")
		client, seq := w.event(event)
		rec.Seen = append(rec.Seen, Sighting{w.mark(place), EventID(client, seq)})
	}
	for part := range strings.SplitSeq(w.options["receipt"], ",") {
		if part != "" {
			var p Span
			w.scan(part, "%d/%d:%d-%d", &p.Partition, &p.Epoch, &p.First, &p.Next)
			rec.Spans = append(rec.Spans, p)
		}
	}
	if at := w.options["at"]; at != "" {
		rec.At = append(rec.At, w.mark(at))
	}
	if n := w.number("memory"); n > 0 {
		rec.Usage = &Usage{Memory: penstock.Bytes(n)}
	}
}

// giveKeys remembers the keys that the events of a post were given at its first attempt.
func (s *scenario) giveKeys(w words, rec *Record) {
	keys := strings.Split(w.options["key"], ",")
	for i := range rec.Count {
		id := EventID(rec.Client, rec.Seq+uint64(i))
		if _, known := s.numbers[id]; !known {
			s.keys[id] = keys[i%len(keys)]
			name := fmt.Sprintf("%d %s", rec.Client, s.keys[id])
			s.counted[name]++
			s.numbers[id] = s.counted[name]
		}
		if w.has("keys") {
			rec.Keys = append(rec.Keys, s.keys[id])
		}
		if w.options["hash"] != "" {
			rec.Sums = append(rec.Sums, SumOf(s.body(w, rec.Client, rec.Seq+uint64(i))))
		}
	}
	if rec.What == "keys" {
		rec.What = ""
	}
}

// body makes the body of an event, changed as the line says.
func (s *scenario) body(w words, client uint32, seq uint64) []byte {
	id := EventID(client, seq)
	seed := s.run.Config.Seed
	if w.options["seed"] != "" {
		seed = uint64(w.number("seed"))
	}
	rest := ""
	if w.has("other") {
		rest = `,"other":true`
	}
	if x := w.options["x"]; x != "" {
		rest += `,"x":` + x
	}
	if at := w.options["time"]; at != "" {
		rest += `,"time":"` + at + `"`
	}
	key := s.keys[id]
	if w.options["bodykey"] != "" {
		key = w.options["bodykey"]
	}
	body := AppendEvent(nil, Event{Client: client, Seq: seq, Key: key, N: s.numbers[id], Nonce: NonceOf(seed, client, seq)}, rest)
	if w.has("torn") {
		body = body[:len(body)/2]
	}
	return body
}

func (s *scenario) parseExport(w words) {
	switch w.plain[0] {
	case "bounds":
		var b Bound
		w.scan(w.plain[1], "%d", &b.Partition)
		b.First, b.Next, b.Applied = w.position(w.options["first"]), w.position(w.options["next"]), w.position(w.options["applied"])
		s.run.Bounds = append(s.run.Bounds, b)
	case "audit":
		s.run.Audit = append(s.run.Audit, Tally{
			Stream: w.plain[1], Accepted: w.number("accepted"), Stored: w.number("stored"), Duplicates: w.number("duplicates"), Dead: w.number("dead"),
			Dropped: w.number("dropped"), Pending: w.number("pending"), Missing: w.number("missing"), ChecksumOK: w.options["checksum"] != "bad",
		})
	case "model":
		s.parseModel(w)
	case "view":
		row := ViewRow{w.plain[1], map[string]json.RawMessage{}}
		for name, value := range w.options {
			row.Row[name] = json.RawMessage(value)
		}
		s.views = append(s.views, row)
	default:
		s.parseEntry(w)
	}
}

// field reads NAME:TYPE; without a type it is text. x is of the body, others are built in.
func (w words) field(text string) penstock.Field {
	name, kind, typed := strings.Cut(text, ":")
	f := penstock.Field{Column: penstock.Column{Name: name, Type: penstock.Text}}
	if name == "x" {
		f.Path = name
	}
	if typed {
		f.Type = penstock.ColumnType(kind)
	}
	if f.Type == penstock.Decimal {
		f.Precision, f.Scale = 12, 2
	}
	return f
}

func (s *scenario) parseModel(w words) {
	v := penstock.View{Name: w.plain[1], Stream: w.plain[2], Window: time.Duration(w.number("window")) * time.Second}
	v.Where = strings.ReplaceAll(w.options["where"], "~", " ")
	for name := range strings.SplitSeq(w.options["group"], ",") {
		if name != "" {
			v.Group = append(v.Group, w.field(name))
		}
	}
	for _, text := range w.plain[3:] {
		name, measure, _ := strings.Cut(text, ":")
		kind, rest, _ := strings.Cut(strings.TrimSuffix(measure, ")"), "(")
		m := penstock.Measure{Name: name, Kind: penstock.MeasureKind(kind)}
		of, number, counted := strings.Cut(rest, ",")
		if of != "" {
			m.Of = w.field(of)
		}
		switch {
		case counted && m.Kind == penstock.MeasureTop:
			w.scan(number, "%d", &m.K)
		case counted:
			w.scan(number, "%g", &m.Q)
		}
		v.Measures = append(v.Measures, m)
	}
	s.run.Models = append(s.run.Models, v)
}

func (s *scenario) parseEntry(w words) {
	m := w.mark(w.plain[1])
	client, seq := w.event(w.plain[2])
	e := Entry{Partition: m.Partition, Epoch: m.Epoch, Offset: m.Offset, Stream: "s", ID: EventID(client, seq), Key: s.keys[EventID(client, seq)],
		Body: s.body(w, client, seq), ReplayOf: w.position(w.options["replay"])}
	for _, option := range []string{"bodykey", "key"} {
		if key, ok := w.options[option]; ok {
			e.Key = key
		}
	}
	if w.options["id"] != "" {
		e.ID = EventID(w.event(w.options["id"]))
	}
	if w.options["stream"] != "" {
		e.Stream = w.options["stream"]
	}
	switch w.plain[0] {
	case "log":
		s.log = append(s.log, e)
	case "row":
		s.rows = append(s.rows, e)
	case "both":
		s.log, s.rows = append(s.log, e), append(s.rows, e)
	case "letter":
		if len(w.plain) > 3 {
			e.State = penstock.LetterState(w.plain[3])
		}
		e.Reason = penstock.LetterReason(w.options["reason"])
		s.letters = append(s.letters, e)
	default:
		w.t.Fatalf("%s: what is that?", w.line)
	}
}
