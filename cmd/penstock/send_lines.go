package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

const (
	maxLine   = 16 << 20 // the longest line that is read whole: more than a request may hold
	readAhead = 1 << 20
)

// lineReader takes lines from a file or a pipe. Its functions are called by the goroutine that calls read.
type lineReader struct {
	line    func(context.Context, inputLine) error
	tooLong func(inputLine) // a line beyond maxLine
	drained func()          // no whole line is at hand: the next may take long to come
}

// inputLine is a line that is not blank.
type inputLine struct {
	number int64  // from 1, blank lines counted
	text   []byte // without white space around it, nil if it is too long; valid during the call
	size   int64  // how much of the input ends with it: its own bytes, and those of blank lines before it
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// read reads until in or ctx ends, or a function fails. A byte order mark before the first line is left out.
func (r *lineReader) read(ctx context.Context, in io.Reader) error {
	from := bufio.NewReaderSize(in, readAhead)
	var long []byte
	var l inputLine
	for ctx.Err() == nil {
		if ahead, _ := from.Peek(from.Buffered()); bytes.IndexByte(ahead, '\n') < 0 {
			r.drained()
		}
		text, size, err := readLine(from, &long)
		if size > 0 {
			l.number++
			l.size += size
			l.text = text
			if handed, err := r.hand(ctx, l); err != nil {
				return err
			} else if handed {
				l.size = 0
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// hand hands a line on, unless it is blank.
func (r *lineReader) hand(ctx context.Context, l inputLine) (bool, error) {
	if l.text == nil {
		r.tooLong(l)
		return true, nil
	}
	if l.number == 1 {
		l.text = bytes.TrimPrefix(l.text, byteOrderMark)
	}
	if l.text = bytes.Trim(l.text, " \t\r\n"); len(l.text) == 0 {
		return false, nil
	}
	return true, r.line(ctx, l)
}

// readLine returns the next line and its size in the input; no text if it is longer than maxLine. What does not fit the
// buffer of from is put together in long.
func readLine(from *bufio.Reader, long *[]byte) (text []byte, size int64, err error) {
	text, err = from.ReadSlice('\n')
	size = int64(len(text))
	if !errors.Is(err, bufio.ErrBufferFull) {
		return text, size, err
	}
	whole := (*long)[:0]
	for {
		if size <= maxLine {
			whole = append(whole, text...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		text, err = from.ReadSlice('\n')
		size += int64(len(text))
	}
	*long = whole
	if size > maxLine {
		return nil, size, err
	}
	return whole, size, err
}
