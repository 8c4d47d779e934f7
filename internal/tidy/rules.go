package tidy

import "strings"

// Rules are the numbers and tables that the checks go by.
type Rules struct {
	FunctionLines, FileLines int
	InterfaceMethods         int
	Parameters               int // contexts not counted
	ImportDepth              int // steps from a package to the root

	LongFunctions []string            // exceptions, "directory.Function" or "directory.Type.Method"; at most 1 %
	Internal      map[string][]string // for a package below internal, which others of internal it may import
	BannedCalls   map[string]string   // "import/path.Name" and why not
	EmptyNames    []string            // names of packages that say nothing, singular
	UnreadBelow   []string            // directories of texts that break rules on purpose
}

// House returns the rules of this module.
func House() Rules {
	const server = "use an http.Server with limits and timeouts, as internal/edge does"
	return Rules{
		FunctionLines: 70, FileLines: 500, InterfaceMethods: 5, Parameters: 5, ImportDepth: 4,
		Internal: map[string][]string{
			"internal/check/verify":  {"internal/check"},
			"internal/dedup":         {"internal/failpoint", "internal/vfs"},
			"internal/edge/edgetest": {"internal/edge"},
			"internal/delta":         {"internal/jsonscan"},
			"internal/exampletest":   {"client", "internal/load/child"},
			"internal/fold":          {"internal/delta", "internal/jsonscan", "internal/predicate", "internal/sketch"},
			"internal/disktest":      {"internal/load/child", "internal/load/probe"},
			"internal/killtest":      {"internal/check", "internal/load/child", "internal/load/probe"},
			"internal/predicate":     {"internal/jsonscan"},
		},
		BannedCalls: map[string]string{
			"net/http.ListenAndServe":    server,
			"net/http.ListenAndServeTLS": server,
			"net/http.Handle":            "it changes a variable of net/http: make a ServeMux",
			"net/http.HandleFunc":        "it changes a variable of net/http: make a ServeMux",
		},
		EmptyNames:  []string{"util", "common", "helper", "manager", "base", "misc"},
		UnreadBelow: []string{"internal/tidy/testdata/"},
	}
}

// Unread reports whether a text is left out.
func (r Rules) Unread(path string) bool {
	for _, dir := range r.UnreadBelow {
		if strings.HasPrefix(path, dir) {
			return true
		}
	}
	return false
}
