package check

import (
	"encoding/json"
	"fmt"

	"penstock"
)

// Lane is the part of the server that an operation is for.
type Lane string

// The lanes. Histories of the strict lane are not judged yet.
const (
	Flood  Lane = ""
	Strict Lane = "strict"
)

// Kind is what an operation was.
type Kind string

// The kinds of records.
const (
	Post    Kind = "post"    // Count events, from Seq on, were sent to a stream
	Read    Kind = "read"    // rows were asked for; if Count is not 0, after the receipt of those of the client's events that were answered
	Tail    Kind = "tail"    // records of the log were asked for: repeats show
	View    Kind = "view"    // a view was asked, after the receipts of those of the client's events that were answered: Told
	Watch   Kind = "watch"   // Node said where it stands: What, At
	Sample  Kind = "sample"  // what the server used: Usage
	Drop    Kind = "drop"    // Count dead letters of the client's events from Seq on were given up; with Count 0, any of the stream
	Replay  Kind = "replay"  // the same letters were to be tried again
	Drained Kind = "drained" // after everything was healed: all that was answered was waited for; Ok when it could be queried
)

// Outcome is what the client knows.
type Outcome string

// The outcomes.
const (
	Ok      Outcome = "ok"      // it was done, durably
	Fail    Outcome = "fail"    // it was not done and never will be
	Unknown Outcome = "unknown" // no answer, or one that leaves it open
)

// Record is one attempt at an operation by a client, as the client saw it. Times are nanoseconds of one monotonic clock.
type Record struct {
	Op      int64  `json:"op"` // the same for all attempts
	Client  uint32 `json:"client"`
	Lane    Lane   `json:"lane,omitempty"`
	Kind    Kind   `json:"kind"`
	Tenant  string `json:"tenant,omitempty"`
	Stream  string `json:"stream,omitempty"`
	Seq     uint64 `json:"seq"`
	Count   int    `json:"count,omitempty"`
	Attempt int    `json:"attempt,omitempty"` // from 1 on

	Call    int64   `json:"call_ns"`
	Ret     int64   `json:"ret_ns"` // of the answer, or of the failure; 0: there was none
	Status  int     `json:"status,omitempty"`
	Outcome Outcome `json:"outcome"`

	Code       string     `json:"code,omitempty"`        // of a refusal
	RetryAfter string     `json:"retry_after,omitempty"` // as the header had it
	Receipt    string     `json:"receipt,omitempty"`
	Spans      []Span     `json:"positions,omitempty"` // of a verbose answer
	Accepted   int        `json:"accepted,omitempty"`  // of the answer
	Rejected   []int      `json:"rejected,omitempty"`  // indexes; if fewer than Count-Accepted, the others are not known
	Poison     []int      `json:"poison,omitempty"`    // indexes of the events that were made so that they cannot be rows
	Keys       []string   `json:"key,omitempty"`       // of each event, or nothing
	Sums       []string   `json:"body_hash,omitempty"` // SumOf each event, or nothing
	Node       string     `json:"node,omitempty"`
	What       string     `json:"what,omitempty"` // "applied", "durable", "as_of", …
	At         []Mark     `json:"at,omitempty"`
	Seen       []Sighting `json:"seen,omitempty"` // by a read or a tail
	Usage      *Usage     `json:"usage,omitempty"`
	Told       *Told      `json:"told,omitempty"`
}

// Span is a range of offsets that a request's events took in one partition.
type Span struct {
	Partition penstock.Partition `json:"partition"`
	Epoch     penstock.Epoch     `json:"epoch"`
	First     penstock.Offset    `json:"first"`
	Next      penstock.Offset    `json:"next"`
}

// Mark is a position of a partition.
type Mark struct {
	Partition penstock.Partition `json:"partition"`
	penstock.Position
}

// Sighting is an event that an answer showed at a place.
type Sighting struct {
	Mark
	ID string `json:"id"`
}

// Usage is what a process uses, or may use; 0: not known, or no limit.
type Usage struct {
	Memory     penstock.Bytes `json:"memory,omitempty"` // resident
	Disk       penstock.Bytes `json:"disk,omitempty"`
	Files      int64          `json:"files,omitempty"` // descriptors
	Goroutines int64          `json:"goroutines,omitempty"`
}

// Fault is something that was done to the server, or a load beyond what it has to bear. While it lasts, and for the
// configuration's Grace, refusals and lost answers are explained.
type Fault struct {
	Kind string `json:"kind"`
	From int64  `json:"from_ns"`
	To   int64  `json:"to_ns"` // 0: until the end
}

// Answered fills in what an HTTP answer to a post says. With status 0 there was none.
func (r *Record) Answered(status int, retryAfter string, body []byte) {
	var said struct {
		Accepted int
		Rejected []struct{ Index int }
		Code     string
		Outcome  string
		Receipt  string
		Durable  *bool
		Spans    []Span `json:"positions"`
	}
	err := json.Unmarshal(body, &said)
	r.Status, r.RetryAfter, r.Code = status, retryAfter, said.Code
	switch {
	case status == 200 || status == 201 || status == 202:
		r.Outcome, r.Accepted, r.Receipt, r.Spans = Ok, said.Accepted, said.Receipt, said.Spans
		for _, item := range said.Rejected {
			r.Rejected = append(r.Rejected, item.Index)
		}
		if err != nil || said.Durable != nil && !*said.Durable {
			r.Outcome = Unknown
		}
	case said.Outcome == "not_stored" || status >= 400 && status < 500 && said.Outcome != "unknown":
		r.Outcome = Fail
	default:
		r.Outcome = Unknown
	}
}

// check returns an error for a record that makes no sense.
func (r *Record) check() error {
	bad := func(format string, args ...any) error {
		return penstock.Errorf(penstock.Invalid, "read history", "op %d: "+format, append([]any{r.Op}, args...)...)
	}
	switch {
	case r.Ret != 0 && r.Ret < r.Call:
		return bad("it returned before it was called")
	case r.Count < 0 || r.Kind == Post && r.Count == 0:
		return bad("%d events", r.Count)
	case r.Outcome != Ok && r.Outcome != Fail && r.Outcome != Unknown:
		return bad("outcome %q", r.Outcome)
	case r.Outcome != Unknown && r.Ret == 0:
		return bad("outcome %s without an answer", r.Outcome)
	case len(r.Keys) != 0 && len(r.Keys) != r.Count, len(r.Sums) != 0 && len(r.Sums) != r.Count:
		return bad("%d keys and %d hashes for %d events", len(r.Keys), len(r.Sums), r.Count)
	}
	for _, list := range [...][]int{r.Rejected, r.Poison} {
		for _, i := range list {
			if i < 0 || i >= r.Count {
				return bad("index %d of %d events", i, r.Count)
			}
		}
	}
	return nil
}

// outcomes returns the outcome of each event of a post.
func (r *Record) outcomes() []Outcome {
	all := make([]Outcome, r.Count)
	of := r.Outcome
	if named := len(r.Rejected); of == Ok && r.Accepted != 0 && r.Accepted+named != r.Count {
		of = Unknown // which of them were rejected is not known
	}
	for i := range all {
		all[i] = of
	}
	for _, i := range r.Rejected {
		all[i] = Fail
	}
	return all
}

// who names the record for people.
func (r *Record) who() string {
	if r.Count == 0 {
		return fmt.Sprintf("%s, op %d", r.Kind, r.Op)
	}
	return fmt.Sprintf("%s, op %d, from %s on", r.Kind, r.Op, EventID(r.Client, r.Seq))
}
