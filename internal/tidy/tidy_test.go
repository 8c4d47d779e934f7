package tidy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected output of testdata")

// TestHouse holds the rules over the whole module.
func TestHouse(t *testing.T) {
	tree, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Packages) < 10 || tree.Module != "penstock" {
		t.Fatalf("%d packages of module %q: this is not the tree", len(tree.Packages), tree.Module)
	}
	for _, p := range Check(tree, House()) {
		t.Error(p)
	}
}

// TestScenarios runs small trees through all rules. A scenario is a list of files, each under "== path", then a line of
// dashes and the problems. "-rewrite" writes what was found: review it as a diff.
func TestScenarios(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no scenarios", err)
	}
	rules := House()
	rules.FunctionLines, rules.FileLines, rules.ImportDepth = 5, 20, 2
	rules.LongFunctions, rules.UnreadBelow = nil, nil
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, want, _ := strings.Cut(string(content), "\n----\n")
			tree, err := Load(scenario(files))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, p := range Check(tree, rules) {
				got += p.String() + "\n"
			}
			if *rewrite {
				if err := os.WriteFile(name, []byte(files+"\n----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func scenario(text string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, part := range strings.Split("\n"+text, "\n== ")[1:] {
		name, content, _ := strings.Cut(part, "\n")
		files[name] = &fstest.MapFile{Data: []byte(content + "\n")}
	}
	return files
}
