package main

import (
	"fmt"
	"slices"
	"strings"
)

// roles says which parts a process runs.
type roles struct {
	ingest   bool // the door
	consumer bool // applies the log to the store
	query    bool // answers SQL, tail, lag
}

func allRoles() roles { return roles{true, true, true} }

// parseRoles reads a list such as "ingest,consumer".
func parseRoles(text string) (roles, error) {
	var r roles
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		switch known := []string{"ingest", "consumer", "query"}; name {
		case "ingest":
			r.ingest = true
		case "consumer":
			r.consumer = true
		case "query":
			r.query = true
		case "console":
			return r, fmt.Errorf("console: not built yet")
		default:
			return r, fmt.Errorf("%q is none of %s%s", name, strings.Join(known, ", "), didYouMean(name, known))
		}
	}
	return r, nil
}

// store reports whether a role needs the shards opened.
func (r roles) store() bool { return r.consumer || r.query }

// String returns the list that parseRoles reads.
func (r roles) String() string {
	names := []string{"ingest", "consumer", "query"}
	has := map[string]bool{"ingest": r.ingest, "consumer": r.consumer, "query": r.query}
	return strings.Join(slices.DeleteFunc(names, func(name string) bool { return !has[name] }), ",")
}
