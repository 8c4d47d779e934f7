package embedded

import (
	_ "embed" // sandbox_functions.txt
	"strings"
	"sync"
)

//go:embed sandbox_functions.txt
var functionList string

// scalarFunctions are the functions that may stand in an expression; tableFunctions those that may stand in FROM.
// The maps are shared: read only.
var (
	scalarFunctions = sync.OnceValue(func() map[string]bool { return parseFunctions(functionList, "expression") })
	tableFunctions  = sync.OnceValue(func() map[string]bool { return parseFunctions(functionList, "table") })
)

// parseFunctions reads the names under the headings "[kind] …" of a list.
func parseFunctions(list, kind string) map[string]bool {
	names, in := map[string]bool{}, false
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "# ") {
			continue
		}
		if strings.HasPrefix(line, "[") && strings.Contains(line, "] ") {
			in = strings.HasPrefix(line, "["+kind+"] ")
			continue
		}
		if in {
			for _, name := range strings.Fields(line) {
				names[name] = true
			}
		}
	}
	return names
}
