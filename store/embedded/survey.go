package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"penstock"
)

// A shard is looked at before anything of it is changed: all of its files are attached to be read only, so that what does
// not belong here, or is not whole, can be told and stays as it is.

// survey is what a look at a shard's directory found.
type survey struct {
	manifest manifest
	files    map[int]*file
	damaged  map[int]error // files that are there and cannot be read
	logs     []int         // of these, those whose write-ahead log may be all that is wrong
	remove   []string      // what a crash left and nobody needs
	last     int           // the highest number; 0: there are no files
}

// newest returns the file that is to be written, nil if there is none.
func (v *survey) newest() *file { return v.files[v.last] }

// look surveys the shard's directory. It fails with Conflict if a file belongs elsewhere or is of a newer version, with
// Unavailable if what hinders it may pass.
func (s *shard) look(ctx context.Context) (*survey, error) {
	v := &survey{files: map[int]*file{}, damaged: map[int]error{}}
	numbers, err := listFiles(s.dir)
	if err != nil {
		return nil, penstock.Wrap(penstock.Unavailable, "list "+s.dir, err)
	}
	if err := s.lookAtManifest(v, numbers); err != nil {
		return nil, err
	}
	for _, number := range slices.Backward(numbers) {
		if number < v.manifest.First {
			v.remove = append(v.remove, withLogs(filePath(s.dir, number))...)
			continue
		}
		if err := s.lookAt(ctx, v, s.file(number)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// lookAt surveys one file, whose followers were looked at before.
func (s *shard) lookAt(ctx context.Context, v *survey, f *file) error {
	err := s.examine(ctx, f, v.last == 0)
	switch {
	case errors.Is(err, errUnfinished):
		v.remove = append(v.remove, withLogs(f.path)...)
		return nil
	case penstock.Is(err, penstock.Conflict), penstock.Is(err, penstock.Unavailable):
		return err
	case err != nil:
		v.damaged[f.number] = err
		if _, stat := os.Stat(f.path + ".wal"); stat == nil {
			v.logs = append(v.logs, f.number)
		}
	default:
		v.files[f.number] = f
	}
	v.last = max(v.last, f.number)
	return nil
}

// lookAtManifest reads the manifest. Without one all files that are there are those that must be there.
func (s *shard) lookAtManifest(v *survey, numbers []int) error {
	m, err := readManifest(s.dir)
	switch {
	case penstock.Is(err, penstock.Corrupt): // a new one is written at once
	case err != nil:
		return err
	case m != nil:
		v.manifest = *m
		return nil
	}
	v.manifest.First = 1
	if len(numbers) > 0 {
		v.manifest.First = numbers[0]
	}
	return nil
}

// errUnfinished says that a file was not finished when the process ended: nothing refers to it.
var errUnfinished = errors.New("it was never finished")

// examine attaches a file to be read and reads what it says of itself. Sealed files stay attached.
func (s *shard) examine(ctx context.Context, f *file, newest bool) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, "open "+f.path, err)
	}
	if newest && info.Size() == 0 {
		return errUnfinished
	}
	err = attach(ctx, s.conn, f, true)
	if err == nil {
		err = s.read(ctx, f, newest)
	}
	if err != nil || newest {
		err = errors.Join(err, s.conn.exec(context.WithoutCancel(ctx), "DETACH DATABASE IF EXISTS "+f.alias))
	}
	switch {
	case err == nil, errors.Is(err, errUnfinished), penstock.Is(err, penstock.Conflict):
		return err
	case isOfNewerVersion(err):
		return penstock.Wrap(penstock.Conflict, "open "+f.path, err)
	case passing(err):
		return penstock.Wrap(penstock.Unavailable, "open "+f.path, err)
	}
	return penstock.Wrap(penstock.Corrupt, "open "+f.path, err)
}

// read reads what an attached file says of itself, the newest also its streams.
func (s *shard) read(ctx context.Context, f *file, newest bool) error {
	var finished bool
	err := s.conn.QueryRowContext(ctx, "SELECT count(*) > 0 FROM duckdb_tables() WHERE database_name = ? AND table_name = 'identity'",
		f.alias).Scan(&finished)
	if err != nil {
		return err
	}
	if !finished && newest {
		return errUnfinished
	}
	id, err := f.load(ctx, s.conn)
	if err != nil {
		return err
	}
	if err := s.check(id); err != nil {
		return err
	}
	if id.Number != f.number {
		return penstock.Errorf(penstock.Conflict, "open "+f.path, "it says that it is file %d", id.Number)
	}
	f.from = id.From
	if !newest {
		return nil
	}
	s.known = registry{}
	if s.models, err = f.loadModels(ctx, s.conn); err != nil {
		return err
	}
	return f.loadStreams(ctx, s.conn, s.known)
}

// isOfNewerVersion reports whether a newer DuckDB wrote a file. The version of a file's header is below its checksum, that of
// a write-ahead log is not: there it counts as damage, which costs nothing.
func isOfNewerVersion(err error) bool {
	return strings.Contains(err.Error(), "we can only read versions between")
}

// passing reports whether an error says nothing about the file.
func passing(err error) bool {
	if isOutOfMemory(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"lock on file", "Permission", "Too many open files", "No space left", "Read-only file system"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// withLogs returns the paths that belong to a file: itself, and the write-ahead logs that DuckDB may keep beside it.
func withLogs(path string) []string {
	return []string{path, path + ".wal", path + ".wal.checkpoint", path + ".wal.recovery"}
}

// hole is where a shard's rows are not continuous.
type hole struct {
	number int // the first file that is of no use as it is
	why    error
	start  penstock.Positions // where the file before ends
	end    penstock.Positions // where the next readable file begins; nil: there is none
	next   int                // that file's number
}

// holes returns where the files that must be there are not, or do not follow each other. Those that were given up count no
// more.
func (v *survey) holes() []hole {
	var all []hole
	before := penstock.Positions{}
	for n := v.manifest.First; n <= v.last; n++ {
		err := v.damaged[n]
		if f := v.files[n]; f != nil {
			first := n == v.manifest.First || slices.Contains(v.manifest.Gaps, n)
			if first || samePositions(f.from, before) {
				before = f.state.Positions
				continue
			}
			err = fmt.Errorf("it begins at %v, but what is before it ends at %v", f.from, before)
		} else if err == nil {
			if v.givenUp(n) {
				continue
			}
			err = fmt.Errorf("file %d is missing: %w", n, fs.ErrNotExist)
		}
		h := hole{number: n, why: err, start: before}
		h.next, h.end = v.readableFrom(n)
		all = append(all, h)
		if h.next == 0 {
			break
		}
		n, before = h.next, v.files[h.next].state.Positions // whose gap goes with the hole
	}
	return all
}

// giveUp names the files of a range that hold letters, or states of views, which the log no longer has, and counts on them no more.
func (v *survey) giveUp(first, last int) []string {
	var names []string
	without := func(numbers []int, what string) []int {
		return slices.DeleteFunc(slices.Clone(numbers), func(n int) bool {
			if n < first || n > last {
				return false
			}
			names = append(names, fmt.Sprintf("%s in file %d of files that were removed", what, n))
			return true
		})
	}
	v.manifest.Letters = without(v.manifest.Letters, "dead letters")
	v.manifest.States = without(v.manifest.States, "what views counted")
	return names
}

// givenUp reports whether a missing file lies before one whose gap was accepted.
func (v *survey) givenUp(n int) bool {
	next, _ := v.readableFrom(n)
	return next > 0 && slices.Contains(v.manifest.Gaps, next)
}

// readableFrom returns the first readable file from a number on, and where it begins.
func (v *survey) readableFrom(n int) (int, penstock.Positions) {
	for ; n <= v.last; n++ {
		if f := v.files[n]; f != nil {
			return n, f.from
		}
	}
	return 0, nil
}

func samePositions(a, b penstock.Positions) bool { return a.Reached(b) && b.Reached(a) }
