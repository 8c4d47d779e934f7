package tidy

import (
	"regexp"
	"slices"
	"strings"
)

const dependencyTable = "docs/dependencies.md"

// checkDependencies holds docs/dependencies.md and the imports against each other: every third-party module that is
// imported has a row, only the packages of that row import it (tests are free), and no row is left over.
func checkDependencies(t *Tree, _ Rules, found func(place, format string, args ...any)) {
	table := dependencyRows(t.text(dependencyTable))
	required := requiredModules(t.text("go.mod"))
	used := map[string]bool{}
	for _, p := range t.Packages {
		inProduct := p.imports(product)
		for imported, spec := range p.imports(everything) {
			first, _, _ := strings.Cut(imported, "/")
			if _, ok := t.inside(imported); ok || !strings.Contains(first, ".") {
				continue
			}
			module := moduleOf(imported, required)
			owners, listed := table[module]
			switch {
			case module == "":
				found(t.at(spec), "no module of go.mod holds %s", imported)
			case !listed:
				found(t.at(spec), "%s has no row in %s", module, dependencyTable)
			case inProduct[imported] != nil && !slices.Contains(owners, p.Dir):
				found(t.at(inProduct[imported]), "%s may not import %s: %s gives it to %s",
					p.Dir, module, dependencyTable, strings.Join(owners, ", "))
			}
			used[module] = true
			if inProduct[imported] != nil {
				used[module+" "+p.Dir] = true
			}
		}
	}
	for module, owners := range table {
		if !used[module] {
			found(dependencyTable, "%s is not imported", module)
			continue
		}
		for _, owner := range owners {
			if owner != "tests" && !used[module+" "+owner] {
				found(dependencyTable, "%s does not import %s", owner, module)
			}
		}
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")

// dependencyRows reads rows whose first cell is a module and whose second names the packages that import it, each in
// backquotes, or is the word tests. The table ends at the heading for tools, which nothing imports.
func dependencyRows(page string) map[string][]string {
	page, _, _ = strings.Cut(page, "\n## Tools")
	rows := map[string][]string{}
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		module := quoted.FindStringSubmatch(cells[1])
		if module == nil || !strings.Contains(module[1], "/") {
			continue
		}
		var owners []string
		for _, m := range quoted.FindAllStringSubmatch(cells[2], -1) {
			owners = append(owners, m[1])
		}
		if len(owners) == 0 {
			owners = []string{"tests"}
		}
		rows[module[1]] = owners
	}
	return rows
}

func requiredModules(gomod string) []string {
	var modules []string
	for line := range strings.Lines(gomod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") && strings.Contains(fields[0], ".") {
			modules = append(modules, fields[0])
		}
	}
	return modules
}

// moduleOf returns the longest module path that holds the package.
func moduleOf(imported string, modules []string) string {
	best := ""
	for _, m := range modules {
		if (imported == m || strings.HasPrefix(imported, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}
