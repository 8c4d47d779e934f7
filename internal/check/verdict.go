package check

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"penstock"
)

// maxExamples bounds the violations of a class that are told one by one; all are counted.
const maxExamples = 20

// Violation is a promise that was broken.
type Violation struct {
	Class    Class    `json:"class"`
	Property Property `json:"property"`
	Subject  string   `json:"subject"` // the event's id, or what else it is about
	Place    string   `json:"place,omitempty"`
	Sentence string   `json:"sentence"`
}

// Counts is what a run was made of.
type Counts struct {
	Attempts   int64 `json:"attempts"`
	Events     int64 `json:"events"`   // distinct ones
	Ok         int64 `json:"ok"`       // answered in the end
	Failed     int64 `json:"failed"`   // every attempt was refused
	Unknown    int64 `json:"unknown"`  // nobody ever knew
	Resolved   int64 `json:"resolved"` // of the answered ones: known only after an attempt without an answer
	Present    int64 `json:"present"`  // of the unknown ones: there
	LogRecords int64 `json:"log_records"`
	Rows       int64 `json:"rows"`
	Letters    int64 `json:"letters"`
	ViewRows   int64 `json:"view_rows"`
	Told       int64 `json:"told"`     // answers of views meanwhile
	Unjudged   int64 `json:"unjudged"` // records of the strict lane
}

// Verdict is what was found.
type Verdict struct {
	OK         bool              `json:"ok"`
	Counts     Counts            `json:"counts"`
	Classes    map[Class]int64   `json:"classes,omitempty"`    // how often each was found
	Judged     map[Property]bool `json:"judged"`               // whether the run had what it takes
	Violations []Violation       `json:"violations,omitempty"` // of each class the first ones
}

// Table returns the verdict in columns, for people.
func (v *Verdict) Table() string {
	var b strings.Builder
	c := v.Counts
	fmt.Fprintf(&b, "%d events in %d attempts: %d answered (%d of them at a later attempt), %d refused, %d unknown (%d of them there)\n",
		c.Events, c.Attempts, c.Ok, c.Resolved, c.Failed, c.Unknown, c.Present)
	fmt.Fprintf(&b, "%d records in the log, %d rows, %d dead letters, %d rows of views, %d answers of views meanwhile\n\n", c.LogRecords, c.Rows, c.Letters, c.ViewRows, c.Told)
	columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range properties {
		state := "holds"
		if n := v.broken(p.Property); n > 0 {
			state = fmt.Sprintf("BROKEN %d times", n)
		} else if !v.Judged[p.Property] {
			state = "not judged"
		}
		fmt.Fprintf(columns, "%s\t%s\t%s\n", p.Property, p.what, state)
	}
	_ = columns.Flush() // into memory
	for _, x := range v.Violations {
		fmt.Fprintf(&b, "\n%s %s: %s", x.Property, x.Class, x.Sentence)
	}
	for _, class := range v.cut() {
		fmt.Fprintf(&b, "\n%s: %d more", class, v.Classes[class]-maxExamples)
	}
	if len(v.Violations) > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// broken returns how often a promise was.
func (v *Verdict) broken(p Property) int64 {
	var n int64
	for class, times := range v.Classes {
		if propertyOf[class] == p {
			n += times
		}
	}
	return n
}

// cut returns the classes of which not all are told, in the order of the violations.
func (v *Verdict) cut() []Class {
	var cut []Class
	var last Class
	for _, x := range v.Violations {
		if x.Class != last && v.Classes[x.Class] > maxExamples {
			cut = append(cut, x.Class)
		}
		last = x.Class
	}
	return cut
}

// subject is what a violation is about: an event, or something that has a name, and perhaps a place. It is put into words only when it
// is told.
type subject struct {
	name string
	of   ref
	at   penstock.Place
}

func (s subject) who() string {
	if s.name == "" && s.of.op != nil {
		return s.of.id()
	}
	return s.name
}

func (s subject) place() string {
	if s.at == (penstock.Place{}) {
		return ""
	}
	return placeName(s.at)
}

// found counts a violation, and tells it if it is one of the first of its class.
func (v *Verdict) found(class Class, about subject, format string, args ...any) {
	v.OK = false
	if v.Classes[class]++; v.Classes[class] > maxExamples {
		return
	}
	v.Violations = append(v.Violations, Violation{class, propertyOf[class], about.who(), about.place(), fmt.Sprintf(format, args...)})
}
