package penstock

import (
	"context"
	"time"
)

// View is a read model: for each group of a stream's stored rows, and each window of event time, what its measures say. A row counts
// once, in the transaction that stores it; a repeat counts nowhere. What was counted stays counted when the row expires.
type View struct {
	Name     string
	Stream   string
	Where    string        // which rows count, in its canonical spelling (internal/predicate); empty: all
	Group    []Field       // what rows are grouped by, named as the view shows it; none: all are one group
	Window   time.Duration // tumbling, over event time, aligned to 1970; 0: none
	Measures []Measure
	Keep     time.Duration // by the window's time, or without a window by the group's last change; 0: for ever
	Repair   time.Duration // how often to recount and report drift; 0: only when asked
	FromNow  bool          // a new view begins empty; otherwise it first counts what is stored
	Board    bool          // a leaderboard: the one group column is the member, the one measure the score
}

// Field is what a view reads of an event: a column that the stream declares; without a Path the event's own id, key, time or
// received_at, as Name says; or, if Loose, a path that no column declares. A loose value that is not of the type is NULL, and to
// text numbers and booleans are what was sent.
type Field struct {
	Column
	Loose bool
}

// Measure is one figure of a group.
type Measure struct {
	Name string
	Kind MeasureKind
	Of   Field   // what is measured; none for MeasureCount. NULL is never measured
	Q    float64 // of a quantile, 0 to 1
	K    int     // of a top: how many
}

// MeasureKind is how a measure is made of a group's rows. All of them are independent of the order of rows, and what two parts of a
// group say can be merged.
type MeasureKind string

// The kinds. Sums of integers and decimals are exact; uniques, quantiles and tops are estimates, with the errors that
// docs/format/sketch.md states. Ties of latest and first go by (time, received_at, partition, epoch, offset).
const (
	MeasureCount    MeasureKind = "count"
	MeasureSum      MeasureKind = "sum"
	MeasureMin      MeasureKind = "min"
	MeasureMax      MeasureKind = "max"
	MeasureAvg      MeasureKind = "avg"
	MeasureUnique   MeasureKind = "unique"
	MeasureQuantile MeasureKind = "quantile"
	MeasureTop      MeasureKind = "top"
	MeasureLatest   MeasureKind = "latest"
	MeasureFirst    MeasureKind = "first"
)

// TimeColumn is the column of a view with a window that says when the window begins.
const TimeColumn = "time"

// ViewQuery asks for rows of a view. A row is a group in a step of time; without Every, in one of the view's own windows.
type ViewQuery struct {
	View     string
	Where    map[string]string // of group columns, as text; the empty text is that, and not NULL
	From, To Micros            // windows that begin there and before To; zero: open
	Every    time.Duration     // windows are merged to steps of this length, a multiple of the view's window; 0: the view's own
	Whole    bool              // all windows are merged to one: rows have no time
	Order    string            // a column; behind it rows are ordered by time and group. Empty: by those alone
	Down     bool              // Order is descending
	Limit    int
	After    []any // the last row's values of Order, time and group: only rows behind it; nil: from the first
}

// Standing is a member's place on a leaderboard.
type Standing struct {
	Rank   int64  `json:"rank"` // 1 and as many as have a higher score
	Member string `json:"member"`
	Score  any    `json:"score"` // int64, *big.Int, float64 or Number
}

// Viewer answers questions to views. It sees everything whose Apply had returned when it was called.
type Viewer interface {
	// View returns the rows of a view: time, if it has windows that are not all merged, the group's columns, the measures in
	// their order. A quantile is a float64, a unique an int64, a top Raw: a JSON array of {"value","count"}, the most frequent first. It fails with NotFound,
	// reason unknown_view, with Invalid if the query does not fit the view, and with Unavailable while the view is being built.
	View(ctx context.Context, q ViewQuery) (Rows, error)
	// Rank returns the standing of a member and of up to around members on either side of it, the best first; NotFound if there is
	// no such member, Invalid if the view is no leaderboard.
	Rank(ctx context.Context, view, member string, around int) ([]Standing, error)
}

// ViewState says how far a view is.
type ViewState string

// The states.
const (
	ViewBuilding ViewState = "building" // it is counting what was stored before it
	ViewReady    ViewState = "ready"
)

// ViewStatus is what is known about a view.
type ViewStatus struct {
	Name     string    `json:"name"`
	Stream   string    `json:"stream"`
	State    ViewState `json:"state"`
	Version  int       `json:"version"`          // counts the definitions and rebuilds
	Rows     int64     `json:"rows"`             // states that are stored, merged or not
	Done     int64     `json:"done,omitzero"`    // of the rows that are to be counted while it is building
	Total    int64     `json:"total,omitzero"`   //
	Eta      float64   `json:"eta_s,omitzero"`   // seconds until it is built, as it goes now
	Problem  string    `json:"problem,omitzero"` // why it does not get on
	Rebuilds bool      `json:"rebuilds"`         // another version is being built beside it
}
