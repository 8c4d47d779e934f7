package penstock

import "time"

// View is a read model: for each group of a stream's stored rows, and each window of event time, what its measures say. A row counts
// once, in the transaction that stores it; a repeat counts nowhere. What was counted stays counted when the row expires.
type View struct {
	Name     string
	Stream   string
	Where    string        // which rows count (internal/predicate); empty: all
	Group    []Column      // what rows are grouped by; empty: all are one group
	Window   time.Duration // tumbling, over event time, aligned to 1970; 0: none
	Measures []Measure
	Keep     time.Duration // by the window's time, or without a window by the group's last change; 0: for ever
	Repair   time.Duration // how often to recount and report drift; 0: only when asked
	FromNow  bool          // a new view begins empty; otherwise it first counts what is stored
	Board    Board
}

// Board makes a view a leaderboard: its one group column is the member, its one measure the score. Order is by score, the highest first,
// then by member.
type Board struct{ Member, Score string }

// On reports whether the view is a leaderboard.
func (b Board) On() bool { return b.Member != "" }

// Measure is one figure of a group.
type Measure struct {
	Name string
	Kind MeasureKind
	Of   Column  // what is measured; none for MeasureCount. NULL is never measured
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
