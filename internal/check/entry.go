package check

import (
	"encoding/json"
	"unicode/utf8"

	"penstock"
)

// Entry is a line of an export: a record of the log, a row of a store, or a dead letter. Log and rows are exported in the order of
// their positions within each partition.
type Entry struct {
	Partition penstock.Partition `json:"partition"`
	Epoch     penstock.Epoch     `json:"epoch"`
	Offset    penstock.Offset    `json:"offset"`
	Tenant    string             `json:"tenant,omitempty"`
	Stream    string             `json:"stream"`
	ID        string             `json:"id"`
	Key       string             `json:"key,omitempty"`
	Body      Text               `json:"body"`
	ReplayOf  penstock.Position  `json:"replay_of,omitzero"` // the letter's, in the same partition

	Time       penstock.Micros `json:"time,omitzero"`        // of a row; 0: not exported
	ReceivedAt penstock.Micros `json:"received_at,omitzero"` //

	Reason penstock.LetterReason `json:"reason,omitempty"` // of a letter
	State  penstock.LetterState  `json:"state,omitempty"`  // of a letter
}

// Place returns where the entry stands.
func (e *Entry) Place() penstock.Place {
	return penstock.Place{Partition: e.Partition, Position: penstock.Position{Epoch: e.Epoch, Offset: e.Offset}}
}

// Text is bytes that are a JSON string if they can be, and otherwise {"base64":"…"}.
type Text []byte

type base64Text struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON keeps every byte.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.Valid(t) {
		return json.Marshal(string(t))
	}
	return json.Marshal(base64Text{t})
}

// UnmarshalJSON is its reverse.
func (t *Text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var b base64Text
		err := json.Unmarshal(data, &b)
		*t = b.Base64
		return err
	}
	var s string
	err := json.Unmarshal(data, &s)
	*t = Text(s)
	return err
}

// Bound says how far log and store of a partition went when they were exported.
type Bound struct {
	Partition penstock.Partition `json:"partition"`
	First     penstock.Position  `json:"first"`            // of the oldest record that the log keeps
	Next      penstock.Position  `json:"next"`             // behind the newest durable one
	Applied   penstock.Position  `json:"applied,omitzero"` // behind the newest that the store has; zero: not asked
}

// Tally is what the server's audit says about a stream.
type Tally struct {
	Stream     string `json:"stream"`
	Accepted   int64  `json:"accepted"`
	Stored     int64  `json:"stored"`
	Duplicates int64  `json:"duplicates"`
	Dead       int64  `json:"dead"`
	Dropped    int64  `json:"dropped"`
	Expired    int64  `json:"expired"`
	Pending    int64  `json:"pending"` // parked ones among them
	Missing    int64  `json:"missing"`
	ChecksumOK bool   `json:"checksum_ok"`
}
