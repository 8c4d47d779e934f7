package tidy

import (
	"regexp"
	"strings"
)

// contract is where the clauses stand.
const contract = "docs/contract.md"

var (
	clause = regexp.MustCompile("`(C-[A-Z0-9]+)`")
	tag    = regexp.MustCompile(`\bC-[A-Z0-9]{2,}\b`)
)

// checkClauses wants a test for each clause of the contract, and a clause for each tag that a Go file names.
func checkClauses(t *Tree, r Rules, found func(place, format string, args ...any)) {
	known, held := map[string]bool{}, map[string]bool{}
	for _, match := range clause.FindAllStringSubmatch(t.text(contract), -1) {
		known[match[1]] = true
	}
	for _, headed := range heading.FindAllString(t.text(contract), -1) {
		for _, name := range tag.FindAllString(headed, -1) {
			known[name] = true
		}
	}
	t.eachLine(r, func(place, line string) {
		path, _, _ := strings.Cut(place, ":")
		if len(known) == 0 || !strings.HasSuffix(path, ".go") || strings.HasPrefix(path, "internal/tidy/") {
			return
		}
		for _, name := range tag.FindAllString(line, -1) {
			if !known[name] {
				found(place, "%s is no clause of %s", name, contract)
			}
			held[name] = held[name] || strings.HasSuffix(path, "_test.go")
		}
	})
	for name := range known {
		if !held[name] {
			found(contract, "no test says that it holds %s", name)
		}
	}
}
