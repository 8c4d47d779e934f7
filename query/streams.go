package query

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"penstock"
	"penstock/internal/edge"
)

// StreamCounts is what a server knows about a stream beside its configuration. Negative numbers are not known.
type StreamCounts struct {
	Accepted           int64   // events that the door made durable since it started
	Stored             int64   // rows
	EventsPerSecond    float64 // accepted, about now
	DedupWindowSeconds float64 // in force; 0: none
	IDs                int64   // remembered, about
	Duplicates         int64   // events whose id had had its effect before
	Dead               int64   // open dead letters
	Warning            string  // what an operator should know; "": nothing
}

// streamInfo is a stream in an answer.
type streamInfo struct {
	Name               string            `json:"name"`
	IDField            string            `json:"id_field"`
	KeyField           string            `json:"key_field"`
	TimeField          string            `json:"time_field"`
	Columns            []penstock.Column `json:"columns"`
	KeepRows           string            `json:"keep_rows"` // a duration; "" is for ever
	Durability         string            `json:"durability"`
	DedupWindow        string            `json:"dedup_window"` // a duration; "" recognises no repeats
	DedupMaxIDs        int64             `json:"dedup_max_ids"`
	OnPoison           string            `json:"on_poison"`
	Accepted           *int64            `json:"accepted,omitempty"`
	Stored             *int64            `json:"stored,omitempty"`
	EventsPerSecond    *float64          `json:"events_per_second,omitempty"`
	DedupWindowSeconds *float64          `json:"dedup_window_seconds,omitempty"`
	DedupIDs           *int64            `json:"dedup_ids,omitempty"` // remembered, about
	Duplicates         *int64            `json:"duplicates,omitempty"`
	Dead               *int64            `json:"dead,omitempty"` // open dead letters
	Warning            string            `json:"warning,omitempty"`
}

func (a *API) serveStreams(w http.ResponseWriter, r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	infos, err := a.streams(r.Context())
	if err != nil {
		return err
	}
	edge.WriteJSON(w, http.StatusOK, struct {
		Streams []streamInfo `json:"streams"`
	}{infos})
	return nil
}

func (a *API) serveStream(w http.ResponseWriter, r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	if err := a.checkStream(r.PathValue("stream")); err != nil {
		return err
	}
	infos, err := a.streams(r.Context())
	if err != nil {
		return err
	}
	for _, info := range infos {
		if info.Name == r.PathValue("stream") {
			edge.WriteJSON(w, http.StatusOK, info)
			return nil
		}
	}
	return unknownStream(r.PathValue("stream")) // it was removed meanwhile
}

// streams returns all streams by name.
func (a *API) streams(ctx context.Context) ([]streamInfo, error) {
	var counts map[string]StreamCounts
	if a.o.Counts != nil {
		var err error
		if counts, err = a.o.Counts(ctx); err != nil {
			return nil, err
		}
	}
	infos := []streamInfo{}
	for _, s := range a.o.Streams() {
		info := infoOf(s)
		if c, ok := counts[s.Name]; ok {
			info.Accepted, info.Stored = known(c.Accepted), known(c.Stored)
			info.EventsPerSecond, info.DedupWindowSeconds = known(c.EventsPerSecond), known(c.DedupWindowSeconds)
			info.DedupIDs, info.Duplicates, info.Dead, info.Warning = known(c.IDs), known(c.Duplicates), known(c.Dead), c.Warning
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b streamInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos, nil
}

func infoOf(s penstock.Stream) streamInfo {
	info := streamInfo{
		Name:       s.Name,
		IDField:    cmp.Or(s.IDField, "id"),
		KeyField:   cmp.Or(s.KeyField, "key"),
		TimeField:  cmp.Or(s.TimeField, "time"),
		Columns:    s.Columns,
		Durability: string(cmp.Or(s.Durability, penstock.DurabilityDisk)),
		OnPoison:   "skip",
	}
	if s.HaltKey {
		info.OnPoison = "halt_key"
	}
	if s.Dedup.On() {
		info.DedupWindow, info.DedupMaxIDs = s.Dedup.Window.String(), s.Dedup.MaxIDs
	}
	if s.KeepRows > 0 {
		info.KeepRows = s.KeepRows.String()
	}
	if info.Columns == nil {
		info.Columns = []penstock.Column{}
	}
	return info
}

func known[T int64 | float64](v T) *T {
	if v < 0 {
		return nil
	}
	return &v
}

// checkStream fails with NotFound, reason unknown_stream, if there is no such stream. Asking for one does not make it.
func (a *API) checkStream(name string) error {
	if err := penstock.CheckStreamName(name); err != nil {
		return err
	}
	for _, s := range a.o.Streams() {
		if s.Name == name {
			return nil
		}
	}
	return unknownStream(name)
}

func unknownStream(name string) error {
	return &penstock.Error{Code: penstock.NotFound, Op: "find stream", Reason: "unknown_stream", Err: fmt.Errorf("there is no stream %s", name)}
}
