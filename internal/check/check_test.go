package check

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the verdicts into the scenarios")

const dashes = "----\n"

// TestScenarios judges the runs in testdata, in memory and from a directory. The name of each says what is to be found: bad_CLASS or
// bad_CLASS-VARIANT exactly that class, good-VARIANT nothing.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 0, map[Class]bool{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		kind, _, _ := strings.Cut(name, "-")
		class := Class(strings.TrimPrefix(kind, "bad_"))
		if kind == "good" {
			good, class = good+1, ""
		}
		bad[class] = true
		t.Run(name, func(t *testing.T) { judgeScenario(t, path, class) })
	}
	if good < 10 {
		t.Errorf("only %d good runs", good)
	}
	for class := range propertyOf {
		if !bad[class] {
			t.Errorf("no bad run shows that %s is found", class)
		}
	}
}

func judgeScenario(t *testing.T, path string, want Class) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(text), dashes, 3)
	if len(parts) < 2 {
		t.Fatal("want history, dashes, exports, dashes, verdict")
	}
	s := parseScenario(t, parts[0], parts[1])
	v, err := Judge(s.run)
	if err != nil {
		t.Fatal(err)
	}
	var classes []Class
	for class := range v.Classes {
		classes = append(classes, class)
	}
	if wanted := []Class{want}; want == "" && len(classes) != 0 || want != "" && !slices.Equal(classes, wanted) {
		t.Errorf("found %v, want %q:\n%s", classes, want, v.Table())
	}
	if v.OK != (want == "") {
		t.Errorf("OK is %v", v.OK)
	}
	again, err := Verify(s.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v.Violations, again.Violations) || v.Counts != again.Counts {
		t.Errorf("from a directory it is judged otherwise: %s", again.Table())
	}
	got := verdictText(v)
	if *rewrite {
		if err := os.WriteFile(path, []byte(parts[0]+dashes+parts[1]+dashes+got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if len(parts) < 3 || parts[2] != got {
		t.Errorf("the verdict is another (-rewrite accepts it):\n%s", got)
	}
}

func verdictText(v *Verdict) string {
	var b strings.Builder
	for _, x := range v.Violations {
		fmt.Fprintf(&b, "%s %s %s %s: %s\n", x.Property, x.Class, x.Subject, x.Place, x.Sentence)
	}
	c := v.Counts
	fmt.Fprintf(&b, "events %d ok %d failed %d unknown %d; resolved %d present %d; log %d rows %d letters %d\n",
		c.Events, c.Ok, c.Failed, c.Unknown, c.Resolved, c.Present, c.LogRecords, c.Rows, c.Letters)
	return strings.ReplaceAll(b.String(), " : ", ": ")
}

// write makes a directory of the run.
func (s *scenario) write(t *testing.T) string {
	dir := t.TempDir()
	r, err := Create(dir, s.run.Config)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.history {
		writeLine(t, r, r.history, s.history[i])
	}
	for _, f := range s.run.Faults {
		writeLine(t, r, r.faults, f)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	writeExport(t, r.Dir(), RowsExport, s.rows)
	writeExport(t, r.Dir(), LettersExport, s.letters)
	if s.log != nil {
		writeExport(t, r.Dir(), LogExport, s.log)
	}
	writeExport(t, r.Dir(), BoundsExport, s.run.Bounds)
	writeExport(t, r.Dir(), AuditExport, s.run.Audit)
	if s.run.Models != nil {
		writeExport(t, r.Dir(), ModelsExport, s.run.Models)
		writeExport(t, r.Dir(), ViewsExport, s.views)
	}
	return dir
}

func writeExport[T any](t *testing.T, d Dir, name Final, lines []T) {
	t.Helper()
	e, err := d.Export(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if err := e.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func writeLine(t *testing.T, r *Recorder, w *bufio.Writer, line any) {
	t.Helper()
	text, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	r.write(w, text, nil)
}
