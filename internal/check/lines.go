package check

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"

	"penstock"
)

// maxLine bounds a line: a request of some ten thousand events with all that is noted of each.
const maxLine = 64 << 20

// readLines yields the lines of a file of JSON, each in the same place: it is valid until the next. A last line without its end
// was cut off by the death of its writer and is left out.
func readLines[T any](path string) iter.Seq2[*T, error] {
	const op = "read lines"
	return func(yield func(*T, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, penstock.Wrap(penstock.NotFound, op, err))
			return
		}
		defer f.Close()
		r := bufio.NewReaderSize(f, 1<<16)
		var line T
		var long []byte
		for n := 1; ; n++ {
			text, err := readLine(r, &long)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				line = *new(T)
				err = json.Unmarshal(text, &line)
			}
			if err != nil {
				yield(nil, penstock.Errorf(penstock.Corrupt, op, "%s:%d: %w", path, n, err))
				return
			}
			if !yield(&line, nil) {
				return
			}
		}
	}
}

// readLine returns the next whole line, or io.EOF. It lies in r or in long until the next call.
func readLine(r *bufio.Reader, long *[]byte) ([]byte, error) {
	*long = (*long)[:0]
	for {
		text, err := r.ReadSlice('\n')
		switch {
		case err == nil && len(*long) == 0:
			return bytes.TrimSuffix(text, []byte("\n")), nil
		case err == nil:
			*long = append(*long, text...)
			return bytes.TrimSuffix(*long, []byte("\n")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		if *long = append(*long, text...); len(*long) > maxLine {
			return nil, errors.New("the line is too long")
		}
	}
}

// readAll returns the lines of a file, none if there is no such file.
func readAll[T any](path string) ([]T, bool, error) {
	var all []T
	for line, err := range readLines[T](path) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, false, nil
		}
		if err != nil {
			return nil, true, err
		}
		all = append(all, *line)
	}
	return all, true, nil
}

// writeNew writes a file of one value; it must not be there.
func writeNew(path string, value any) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	e.SetIndent("", "  ")
	err = e.Encode(value)
	return errors.Join(err, f.Close())
}
