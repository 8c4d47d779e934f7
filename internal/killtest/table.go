package killtest

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"penstock/internal/check"
)

// Sum is what a whole run was and found.
type Sum struct {
	Rounds   int   `json:"rounds"`
	Kills    int   `json:"kills"`
	Answered int64 `json:"answered"` // events
	Stored   int64 `json:"stored"`   // rows
	Dead     int64 `json:"dead"`     // letters, in whatever state
	Views    int64 `json:"views"`    // rows of views in the end, and answers of views meanwhile
	Lost     int64 `json:"lost"`     // answered, and neither row nor letter
	Doubled  int64 `json:"doubled"`
	Problems int   `json:"problems"` // of any kind, those among them
}

// Torture is the line that make torture reads.
func (s Sum) Torture(kind string) string {
	return fmt.Sprintf("torture: kind=%s rounds=%d lost=%d doubled=%d problems=%d", kind, s.Rounds, s.Lost, s.Doubled, s.Problems)
}

// Add adds another run.
func (s *Sum) Add(o Sum) {
	s.Rounds += o.Rounds
	s.Kills += o.Kills
	s.Answered += o.Answered
	s.Stored += o.Stored
	s.Dead += o.Dead
	s.Views += o.Views
	s.Lost += o.Lost
	s.Doubled += o.Doubled
	s.Problems += o.Problems
}

// take notes what the verdict over a whole run says.
func (s *Sum) take(v *check.Verdict) {
	s.Answered, s.Stored, s.Dead, s.Views = v.Counts.Ok, v.Counts.Rows, v.Counts.Letters, v.Counts.ViewRows+v.Counts.Told
	for _, class := range [...]check.Class{check.Lost, check.NotApplied, check.LogShort, check.Vanished, check.ReplayLost} {
		s.Lost += v.Classes[class]
	}
	for _, class := range [...]check.Class{check.StoredTwice, check.UnknownTwice, check.StoredAndLetter, check.LetterTwice} {
		s.Doubled += v.Classes[class]
	}
}

// take notes what a verdict says.
func (r *Round) take(v *check.Verdict) {
	r.Stored, r.Dead, r.Views = v.Counts.Rows, v.Counts.Letters, v.Counts.ViewRows
	for _, x := range v.Violations {
		r.Problems = append(r.Problems, fmt.Sprintf("%s %s: %s", x.Property, x.Class, x.Sentence))
	}
	for class, n := range v.Classes {
		r.Problems = append(r.Problems, fmt.Sprintf("%s: %d in all", class, n))
	}
}

// Table writes rounds in columns, for people.
func Table(w io.Writer, rounds []Round) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "round\tbatch\tkilled after\tagain\tsent\tanswered\tstored\tletters\tall rows\tof views\tready\tapplied\tproblems\t")
	for _, r := range rounds {
		fmt.Fprintf(columns, "%d\t%d\t%v\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%v\t%d\t\n", r.Number, r.Batch, r.KilledAfter.Round(time.Millisecond),
			r.Again, r.Sent, r.Acked, r.Stored, r.Dead, r.Total, r.Views, r.Ready.Round(time.Millisecond), r.Drained.Round(time.Millisecond), len(r.Problems))
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	for _, r := range rounds {
		for _, p := range r.Problems {
			if _, err := fmt.Fprintf(w, "round %d: %s\n", r.Number, p); err != nil {
				return err
			}
		}
	}
	return nil
}
