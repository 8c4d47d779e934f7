package tidy

import (
	"go/ast"
	"go/token"
	"slices"
)

// checkSizes holds the house numbers.
func checkSizes(t *Tree, r Rules, found func(place, format string, args ...any)) {
	functions, long := 0, []string{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Lines > r.FileLines {
				found(f.Path, "%d lines are more than %d", f.Lines, r.FileLines)
			}
			for _, d := range f.AST.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					functions++
					name := p.Dir + "." + functionName(fn)
					if n := t.lines(fn); n > r.FunctionLines {
						long = append(long, name)
						if !slices.Contains(r.LongFunctions, name) {
							found(t.at(fn), "%s has %d lines, more than %d", functionName(fn), n, r.FunctionLines)
						}
					}
				}
			}
			checkSignatures(t, r, f, found)
		}
	}
	for _, name := range r.LongFunctions {
		if !slices.Contains(long, name) {
			found("internal/tidy/rules.go", "the exception %s is not needed", name)
		}
	}
	if 100*len(r.LongFunctions) > functions && functions > 0 {
		found("internal/tidy/rules.go", "%d exceptions are more than 1 %% of %d functions", len(r.LongFunctions), functions)
	}
}

// checkSignatures counts the methods of interfaces, and the parameters of functions and methods.
func checkSignatures(t *Tree, r Rules, f *File, found func(place, format string, args ...any)) {
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.InterfaceType:
			if got := methods(n); got > r.InterfaceMethods {
				found(t.at(n), "an interface of %d methods, more than %d", got, r.InterfaceMethods)
			}
		case *ast.FuncDecl:
			if got := parameters(n.Type); got > r.Parameters {
				found(t.at(n), "%s has %d parameters, more than %d: use an options struct", functionName(n), got, r.Parameters)
			}
		case *ast.Field:
			if ft, ok := n.Type.(*ast.FuncType); ok && parameters(ft) > r.Parameters {
				found(t.at(n), "a function type of %d parameters, more than %d", parameters(ft), r.Parameters)
			}
		}
		return true
	})
}

// methods counts an interface's methods; an interface that it embeds counts as one, whatever its size: large ones are
// to be made of small ones, of which a function can ask for just what it uses.
func methods(it *ast.InterfaceType) int {
	count := 0
	for _, field := range it.Methods.List {
		switch field.Type.(type) {
		case *ast.FuncType, *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr:
			count++
		}
	}
	return count
}

// parameters counts them, contexts left out.
func parameters(ft *ast.FuncType) int {
	count := 0
	for _, field := range ft.Params.List {
		if isContext(field.Type) {
			continue
		}
		count += max(1, len(field.Names))
	}
	return count
}

func isContext(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Context" {
		return false
	}
	pkg, ok := s.X.(*ast.Ident)
	return ok && pkg.Name == "context"
}

// functionName returns "Name" or "Type.Name".
func functionName(fn *ast.FuncDecl) string {
	if receiver := receiverName(fn); receiver != "" {
		return receiver + "." + fn.Name.Name
	}
	return fn.Name.Name
}

func receiverName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	e := fn.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return "?"
		}
	}
}

func (t *Tree) lines(n ast.Node) int {
	line := func(p token.Pos) int { return t.fset.Position(p).Line }
	return line(n.End()) - line(n.Pos()) + 1
}
