package tidy

import (
	"go/ast"
	"go/token"
	"strings"
)

// checkDocs wants a comment for each package and each exported name.
func checkDocs(t *Tree, _ Rules, found func(place, format string, args ...any)) {
	for _, p := range t.Packages {
		documented, any := false, false
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			any = true
			documented = documented || f.AST.Doc != nil
			for _, d := range f.AST.Decls {
				checkDeclaration(t, d, found)
			}
		}
		if any && !documented {
			found(p.Dir, "the package has no comment")
		}
	}
}

func checkDeclaration(t *Tree, d ast.Decl, found func(place, format string, args ...any)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if receiver := receiverName(d); d.Name.IsExported() && (receiver == "" || ast.IsExported(receiver)) {
			checkComment(t, d, d.Name.Name, found, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					checkType(t, d, s, found)
				}
			case *ast.ValueSpec:
				checkValue(t, d, s, found)
			}
		}
	}
}

func checkType(t *Tree, d *ast.GenDecl, s *ast.TypeSpec, found func(place, format string, args ...any)) {
	doc := s.Doc
	if doc == nil && len(d.Specs) == 1 {
		doc = d.Doc
	}
	checkComment(t, s, s.Name.Name, found, doc)
	it, ok := s.Type.(*ast.InterfaceType)
	if !ok {
		return
	}
	for _, m := range it.Methods.List {
		if len(m.Names) == 1 && m.Names[0].IsExported() && m.Doc == nil && m.Comment == nil {
			found(t.at(m), "%s.%s has no comment", s.Name.Name, m.Names[0].Name)
		}
	}
}

// checkValue takes a comment on the group for one on each of its members.
func checkValue(t *Tree, d *ast.GenDecl, s *ast.ValueSpec, found func(place, format string, args ...any)) {
	for _, name := range s.Names {
		if !name.IsExported() || d.Tok == token.IMPORT {
			continue
		}
		if s.Doc == nil && s.Comment == nil && d.Doc == nil {
			found(t.at(s), "%s has no comment", name.Name)
		}
	}
}

// checkComment wants a comment that begins with the name, as go doc does.
func checkComment(t *Tree, n ast.Node, name string, found func(place, format string, args ...any), doc *ast.CommentGroup) {
	if doc == nil {
		found(t.at(n), "%s has no comment", name)
		return
	}
	text := doc.Text()
	for _, article := range []string{"", "A ", "An ", "The "} {
		rest, ok := strings.CutPrefix(text, article+name)
		if ok && (rest == "" || !isWordByte(rest[0])) {
			return
		}
	}
	found(t.at(n), "the comment on %s does not begin with its name", name)
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
