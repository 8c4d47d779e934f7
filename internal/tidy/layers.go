package tidy

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// checkLayers keeps neighbours apart. Imports of tests are free.
func checkLayers(t *Tree, r Rules, found func(place, format string, args ...any)) {
	for _, p := range t.Packages {
		for imported, spec := range p.imports(product) {
			dir, ok := t.inside(imported)
			if ok && !mayImport(p.Dir, dir, r) {
				found(t.at(spec), "%s may not import %s: %s", p.Dir, dir, reach(p.Dir))
			}
		}
	}
}

// inside returns the directory of a package of the module.
func (t *Tree) inside(imported string) (dir string, ok bool) {
	if imported == t.Module {
		return ".", true
	}
	return strings.CutPrefix(imported, t.Module+"/")
}

func mayImport(from, to string, r Rules) bool {
	top, _, _ := strings.Cut(from, "/")
	switch {
	case from == ".":
		return false
	case top == "cmd":
		return true
	case to == ".":
		return true
	case top == "examples":
		return to == "client" || strings.HasPrefix(to, "internal/")
	case top == "internal":
		return slices.Contains(r.Internal[from], to)
	}
	return strings.HasPrefix(to, "internal/")
}

// reach says what a package may import.
func reach(from string) string {
	switch top, _, _ := strings.Cut(from, "/"); {
	case from == ".":
		return "the vocabulary imports nothing of the module"
	case top == "internal":
		return "an internal package imports the root, and others of internal if Rules.Internal says so"
	case top == "examples":
		return "an example imports the root, client and internal"
	}
	return "a part imports the root and internal, only cmd joins parts"
}

// checkDepth bounds the longest chain of imports within the module.
func checkDepth(t *Tree, r Rules, found func(place, format string, args ...any)) {
	below := map[string][]string{}
	for _, p := range t.Packages {
		for imported := range p.imports(product) {
			if dir, ok := t.inside(imported); ok {
				below[p.Dir] = append(below[p.Dir], dir)
			}
		}
		slices.Sort(below[p.Dir])
	}
	for _, p := range t.Packages {
		if chain := longest(below, p.Dir, nil); len(chain)-1 > r.ImportDepth {
			found(p.Dir, "imports are %d deep, more than %d: %s", len(chain)-1, r.ImportDepth, strings.Join(chain, " → "))
		}
	}
}

// longest returns the longest chain of imports that begins at dir. The compiler refuses circles; here they end the chain.
func longest(below map[string][]string, dir string, above []string) []string {
	if slices.Contains(above, dir) {
		return nil
	}
	above = append(above, dir)
	best := []string{}
	for _, next := range below[dir] {
		if chain := longest(below, next, above); len(chain) > len(best) {
			best = chain
		}
	}
	return append([]string{dir}, best...)
}

// checkNames refuses packages whose name says nothing.
func checkNames(t *Tree, r Rules, found func(place, format string, args ...any)) {
	for _, p := range t.Packages {
		names := []string{path.Base(p.Dir), strings.TrimSuffix(p.Files[0].AST.Name.Name, "_test")}
		for _, name := range slices.Compact(names) {
			if slices.Contains(r.EmptyNames, strings.TrimSuffix(name, "s")) {
				found(p.Dir, "%s is no name for a package: name what it does", name)
			}
		}
	}
}

// checkCalls refuses calls that the house does not use, in tests those of sleep.
func checkCalls(t *Tree, r Rules, found func(place, format string, args ...any)) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			var bubbles []*ast.CallExpr // calls of synctest.Test: within them time is not the machine's
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && strings.HasPrefix(selected(f, call.Fun), "testing/synctest.") {
					bubbles = append(bubbles, call)
				}
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				name := selected(f, sel)
				if why := r.BannedCalls[name]; why != "" {
					found(t.at(sel), "%s: %s", name, why)
				}
				if name == "time.Sleep" && f.Test && !within(bubbles, sel) {
					found(t.at(sel), "a test sleeps: wait for the condition, or use testing/synctest")
				}
				return true
			})
		}
	}
}

// selected returns "import/path.Name" for a name of another package, "" for any other expression.
func selected(f *File, e ast.Expr) string {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || pkg.Obj != nil {
		return ""
	}
	for _, spec := range f.AST.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == pkg.Name {
			return imported + "." + sel.Sel.Name
		}
	}
	return ""
}

func within(outer []*ast.CallExpr, n ast.Node) bool {
	for _, o := range outer {
		if o.Pos() <= n.Pos() && n.End() <= o.End() {
			return true
		}
	}
	return false
}

// checkSkips refuses tests that step aside, unless they were asked to by -short.
func checkSkips(t *Tree, _ Rules, found func(place, format string, args ...any)) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if !f.Test {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if branch, ok := n.(*ast.IfStmt); ok && asksShort(f, branch.Cond) {
					return false
				}
				if call, ok := n.(*ast.CallExpr); ok {
					sel, ok := call.Fun.(*ast.SelectorExpr)
					if ok && (sel.Sel.Name == "Skip" || sel.Sel.Name == "Skipf" || sel.Sel.Name == "SkipNow") {
						found(t.at(call), "a test is skipped: what it needs is to be there, or the test is to fail")
					}
				}
				return true
			})
		}
	}
}

func asksShort(f *File, cond ast.Expr) bool {
	asks := false
	ast.Inspect(cond, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && selected(f, call.Fun) == "testing.Short" {
			asks = true
		}
		return true
	})
	return asks
}
