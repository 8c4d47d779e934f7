// Package tidy holds the house rules as a test: sizes, layers, documentation, words that have no place here.
//
// It reads the tree as text and syntax and compiles nothing, so that it gives its answer while other parts do not build.
// rules.go has the numbers and the tables; docs/dependencies.md is the table of third-party modules.
package tidy

import (
	"cmp"
	"fmt"
	"slices"
)

// Problem is one place where the tree breaks a rule.
type Problem struct {
	Rule    string // the name of the rule
	Place   string // path, path:line or directory
	Message string // what is wrong, and what would be right
}

// String returns "place: message (rule)".
func (p Problem) String() string { return fmt.Sprintf("%s: %s (%s)", p.Place, p.Message, p.Rule) }

// check is one rule. It reports through found and leaves the tree as it is.
type check func(t *Tree, r Rules, found func(place, format string, args ...any))

// checks returns all rules by name.
func checks() map[string]check {
	return map[string]check{
		"size":        checkSizes,
		"doc":         checkDocs,
		"state":       checkState,
		"layer":       checkLayers,
		"depth":       checkDepth,
		"dependency":  checkDependencies,
		"name":        checkNames,
		"call":        checkCalls,
		"note":        checkNotes,
		"leak":        checkLeaks,
		"link":        checkLinks,
		"make target": checkTargets,
		"skip":        checkSkips,
		"clause":      checkClauses,
	}
}

// Check applies all rules and returns what breaks them, ordered by place.
func Check(t *Tree, r Rules) []Problem {
	var problems []Problem
	for name, c := range checks() {
		c(t, r, func(place, format string, args ...any) {
			problems = append(problems, Problem{name, place, fmt.Sprintf(format, args...)})
		})
	}
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	return problems
}
