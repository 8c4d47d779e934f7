package tidy

import (
	"go/ast"
	"go/token"
	"strings"
)

// checkState refuses init and package variables that change: assigned to, counted up, deleted from, or made to change (locks,
// atomics, maps for many). A sync.Pool may stay: what it holds means nothing. Variables of other packages count too.
func checkState(t *Tree, _ Rules, found func(place, format string, args ...any)) {
	for _, p := range t.Packages {
		globals := map[string]map[string]bool{} // by package name: tests may be in a package of their own
		for _, f := range p.Files {
			name := f.AST.Name.Name
			if globals[name] == nil {
				globals[name] = map[string]bool{}
			}
			collectGlobals(t, f, globals[name], found)
		}
		for _, f := range p.Files {
			w := stateWalk{t, f, globals[f.AST.Name.Name], found}
			ast.Inspect(f.AST, w.visit)
		}
	}
}

func collectGlobals(t *Tree, f *File, names map[string]bool, found func(place, format string, args ...any)) {
	for _, d := range f.AST.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == "init" && d.Recv == nil {
				found(t.at(d), "func init: make it a call from main, or a value")
			}
		case *ast.GenDecl:
			if d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.ValueSpec)
				for _, name := range s.Names {
					names[name.Name] = name.Name != "_"
				}
				if changing := changingType(s); changing != "" {
					found(t.at(s), "a package variable of type %s is state: make it a field", changing)
				}
			}
		}
	}
}

// changingType returns the type if the variable is of one that exists to be changed.
func changingType(s *ast.ValueSpec) string {
	types := []ast.Expr{s.Type}
	for _, v := range s.Values {
		if lit, ok := v.(*ast.CompositeLit); ok {
			types = append(types, lit.Type)
		}
	}
	for _, e := range types {
		if generic, ok := e.(*ast.IndexExpr); ok {
			e = generic.X
		}
		sel, ok := e.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		pkg, ok := sel.X.(*ast.Ident)
		if ok && (pkg.Name == "atomic" || pkg.Name == "sync" && sel.Sel.Name != "Pool") {
			return pkg.Name + "." + sel.Sel.Name
		}
	}
	return ""
}

type stateWalk struct {
	t       *Tree
	f       *File
	globals map[string]bool
	found   func(place, format string, args ...any)
}

func (w stateWalk) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, e := range n.Lhs {
				w.changed(e)
			}
		}
	case *ast.IncDecStmt:
		w.changed(n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			w.changed(n.Key)
			w.changed(n.Value)
		}
	case *ast.CallExpr:
		if fn, ok := n.Fun.(*ast.Ident); ok && fn.Obj == nil && (fn.Name == "delete" || fn.Name == "clear") && len(n.Args) > 0 {
			w.changed(n.Args[0])
		}
	}
	return true
}

// changed reports the expression if what it changes is a package variable.
func (w stateWalk) changed(e ast.Expr) {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SelectorExpr:
			if pkg, ok := x.X.(*ast.Ident); ok && pkg.Obj == nil && w.imported(pkg.Name) {
				w.found(w.t.at(x), "%s.%s is changed: it belongs to another package", pkg.Name, x.Sel.Name)
				return
			}
			e = x.X
		case *ast.Ident:
			if w.globals[x.Name] && (x.Obj == nil || x.Obj == w.f.AST.Scope.Lookup(x.Name)) {
				w.found(w.t.at(x), "the package variable %s is changed", x.Name)
			}
			return
		default:
			return
		}
	}
}

// imported reports whether name is what the file calls one of its imports.
func (w stateWalk) imported(name string) bool {
	for _, spec := range w.f.AST.Imports {
		if spec.Name != nil {
			if spec.Name.Name == name {
				return true
			}
			continue
		}
		p := strings.Trim(spec.Path.Value, `"`)
		if p[strings.LastIndexByte(p, '/')+1:] == name {
			return true
		}
	}
	return false
}
