package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tree is the source of one module, as far as the rules look at it.
type Tree struct {
	Module   string
	Packages []*Package // one per directory with Go files, ordered by directory
	Texts    []Text     // every text file, Go files included, ordered by path

	fset  *token.FileSet
	paths map[string]bool // every file and directory, also those that are not text
}

// Package is a directory of Go files. An external test package belongs to the directory that it tests.
type Package struct {
	Dir   string // "." for the root
	Files []*File
}

// File is one parsed Go file.
type File struct {
	Path  string
	Test  bool // its name ends in _test.go
	Lines int
	AST   *ast.File
}

// Text is one file of valid UTF-8.
type Text struct {
	Path, Content string
}

// Load reads the tree. What .gitignore names as "/directory/" is left out, and so are directories that begin with a dot,
// except .ci, and nested modules' Go files, of which there are none. Go files below testdata are text only.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet(), paths: map[string]bool{}}
	ignored := ignoredDirectories(fsys)
	packages := map[string]*Package{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		t.paths[name] = true
		if d.IsDir() {
			if name != "." && (ignored[name] || hidden(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".out") {
			return nil
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return t.add(packages, name, content)
	})
	if err != nil {
		return nil, fmt.Errorf("load tree: %w", err)
	}
	for _, p := range packages {
		t.Packages = append(t.Packages, p)
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return strings.Compare(a.Dir, b.Dir) })
	return t, nil
}

func (t *Tree) add(packages map[string]*Package, name string, content []byte) error {
	if !utf8.Valid(content) || slices.Contains(content, 0) {
		return nil
	}
	t.Texts = append(t.Texts, Text{name, string(content)})
	if name == "go.mod" {
		for line := range strings.Lines(string(content)) {
			if module, ok := strings.CutPrefix(line, "module "); ok {
				t.Module = strings.TrimSpace(module)
			}
		}
	}
	if !strings.HasSuffix(name, ".go") || strings.Contains("/"+name, "/testdata/") {
		return nil
	}
	parsed, err := parser.ParseFile(t.fset, name, content, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if packages[dir] == nil {
		packages[dir] = &Package{Dir: dir}
	}
	packages[dir].Files = append(packages[dir].Files, &File{
		Path: name, Test: strings.HasSuffix(name, "_test.go"), Lines: strings.Count(string(content), "\n"), AST: parsed,
	})
	return nil
}

func ignoredDirectories(fsys fs.FS) map[string]bool {
	ignored := map[string]bool{}
	content, _ := fs.ReadFile(fsys, ".gitignore") // without one, nothing is ignored
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "/") && strings.HasSuffix(line, "/") {
			ignored[strings.Trim(line, "/")] = true
		}
	}
	return ignored
}

func hidden(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, ".") && base != ".ci"
}

// at returns "path:line" of a node.
func (t *Tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// text returns the content of a file, "" if there is none.
func (t *Tree) text(name string) string {
	for _, text := range t.Texts {
		if text.Path == name {
			return text.Content
		}
	}
	return ""
}

// imports yields the import paths of the files that the choice admits.
func (p *Package) imports(admit func(*File) bool) map[string]*ast.ImportSpec {
	specs := map[string]*ast.ImportSpec{}
	for _, f := range p.Files {
		if admit(f) {
			for _, spec := range f.AST.Imports {
				specs[strings.Trim(spec.Path.Value, `"`)] = spec
			}
		}
	}
	return specs
}

func product(f *File) bool { return !f.Test }

func everything(*File) bool { return true }
