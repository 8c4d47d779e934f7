package check

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"penstock"
)

// Dir is the directory of a run:
//
//	config.json        what the run was
//	history.jsonl      a Record for each attempt, as they ended
//	nemesis.jsonl      a Fault for each thing that was done to the server
//	final/log.ndjson       an Entry for each record of the log, by an independent reader
//	final/rows.ndjson      an Entry for each row of all shards
//	final/letters.ndjson   an Entry for each dead letter, in whatever state
//	final/bounds.ndjson    a Bound for each partition
//	final/audit.ndjson     a Tally for each stream
//	final/models.ndjson    the definition of each view
//	final/views.ndjson     a ViewRow for each row of the views
//	verdict.json       what was found
//
// Of final/ only the rows have to be there; what is not there is not judged.
type Dir string

const (
	configFile  = "config.json"
	historyFile = "history.jsonl"
	nemesisFile = "nemesis.jsonl"
	verdictFile = "verdict.json"
	finalDir    = "final"
)

// Final names an export.
type Final string

// The exports.
const (
	LogExport     Final = "log.ndjson"     // of Entry
	RowsExport    Final = "rows.ndjson"    // of Entry
	LettersExport Final = "letters.ndjson" // of Entry
	BoundsExport  Final = "bounds.ndjson"  // of Bound
	AuditExport   Final = "audit.ndjson"   // of Tally
	ModelsExport  Final = "models.ndjson"  // of penstock.View
	ViewsExport   Final = "views.ndjson"   // of ViewRow
)

// Config is what has to be known about a run to judge it.
type Config struct {
	Seed    uint64   `json:"seed"`              // of the nonces; 0: they are not compared
	Commit  string   `json:"commit,omitempty"`  // of the server
	Cluster string   `json:"cluster,omitempty"` // its id, so that receipts can be read; "": they are not
	Note    string   `json:"note,omitempty"`
	Limits  Usage    `json:"limits,omitzero"`
	Halts   []string `json:"halts,omitempty"`   // streams in which a dead letter parks the later events of its key
	Explain bool     `json:"explain,omitempty"` // refusals and lost answers need a fault that explains them
	Grace   int64    `json:"grace_ns,omitempty"`
}

func (d Dir) path(names ...string) string {
	return filepath.Join(append([]string{string(d)}, names...)...)
}

// Export writes the lines of an export.
type Export struct {
	file *os.File
	out  *bufio.Writer
	json *json.Encoder
}

// Export begins an export anew. It counts only when its Close returned nil.
func (d Dir) Export(name Final) (*Export, error) {
	f, err := os.Create(d.path(finalDir, string(name)))
	if err != nil {
		return nil, penstock.Wrap(penstock.Internal, "create export", err)
	}
	out := bufio.NewWriterSize(f, 1<<16)
	return &Export{f, out, json.NewEncoder(out)}, nil
}

// Write adds a line: an Entry, a Bound, a Tally, a penstock.View or a ViewRow, as the export's name asks.
func (e *Export) Write(line any) error {
	return penstock.Wrap(penstock.Internal, "write export", e.json.Encode(line))
}

// Close ends the export.
func (e *Export) Close() error {
	return penstock.Wrap(penstock.Internal, "write export", errors.Join(e.out.Flush(), e.file.Close()))
}

// Open returns the run that lies in a directory. It fails with NotFound if it lacks what every run has.
func (d Dir) Open() (Run, error) {
	const op = "open run"
	var run Run
	text, err := os.ReadFile(d.path(configFile))
	if err != nil {
		return run, penstock.Wrap(penstock.NotFound, op, err)
	}
	if err := json.Unmarshal(text, &run.Config); err != nil {
		return run, penstock.Wrap(penstock.Invalid, op, err)
	}
	if _, err := os.Stat(d.path(historyFile)); err != nil {
		return run, penstock.Wrap(penstock.NotFound, op, err)
	}
	run.History = readLines[Record](d.path(historyFile))
	if run.Faults, _, err = readAll[Fault](d.path(nemesisFile)); err != nil {
		return run, err
	}
	for name, into := range map[Final]*iter.Seq2[*Entry, error]{LogExport: &run.Log, RowsExport: &run.Rows, LettersExport: &run.Letters} {
		if _, err := os.Stat(d.path(finalDir, string(name))); err == nil {
			*into = readLines[Entry](d.path(finalDir, string(name)))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return run, penstock.Wrap(penstock.Internal, op, err)
		}
	}
	if run.Bounds, _, err = readAll[Bound](d.path(finalDir, string(BoundsExport))); err != nil {
		return run, err
	}
	if run.Audit, _, err = readAll[Tally](d.path(finalDir, string(AuditExport))); err != nil {
		return run, err
	}
	var told bool
	if run.Models, told, err = readAll[penstock.View](d.path(finalDir, string(ModelsExport))); err != nil {
		return run, err
	}
	if told {
		run.Views = readLines[ViewRow](d.path(finalDir, string(ViewsExport)))
	}
	if run.Rows == nil {
		return run, penstock.Errorf(penstock.NotFound, op, "%s lacks %s/%s", d, finalDir, RowsExport)
	}
	return run, nil
}

// Verify judges the run that lies in a directory, today's or an old one, and writes the verdict into it.
func Verify(dir string) (*Verdict, error) {
	run, err := Dir(dir).Open()
	if err != nil {
		return nil, err
	}
	v, err := Judge(run)
	if err != nil {
		return nil, err
	}
	path := Dir(dir).path(verdictFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, penstock.Wrap(penstock.Internal, "write verdict", err)
	}
	return v, penstock.Wrap(penstock.Internal, "write verdict", writeNew(path, v))
}
