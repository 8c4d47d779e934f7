package dedup

import (
	"encoding/binary"
	"errors"
	"io/fs"

	"penstock/internal/vfs"
)

// writer makes a run. Entries are added in the order of the file, section by section.
type writer struct {
	run    *run
	total  int    // about how many entries there will be: chooses the filter
	at     int64  // how much is in the file
	synced int64  // how much of it was synced
	buf    []byte // what follows

	page   int         // where the open page begins in buf; -1: none is open
	part   part        // of the open section
	halves [][2]uint64 // of its identities, for the filter
	firsts []uint32
}

const (
	bufferSize = 1 << 18
	syncEvery  = 4 << 20 // so that nobody's flush has to wait behind much of a run
)

// newWriter makes the temporary file of a run.
func newWriter(files vfs.FS, r *run, history string, total int) (*writer, error) {
	if err := files.Remove(r.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := files.Create(r.name)
	if err != nil {
		return nil, err
	}
	r.file = f
	w := &writer{run: r, total: total, buf: make([]byte, 0, bufferSize+2*pageSize), page: -1}
	w.buf = append(w.buf, header(history, r.first, r.last)...)
	return w, nil
}

// place returns where the next byte goes.
func (w *writer) place() int64 { return w.at + int64(len(w.buf)) }

// add appends an entry to the open section.
func (w *writer) add(e *entry) error {
	if w.part.entries == 0 {
		w.part.at = w.place()
	}
	if w.page < 0 {
		w.page = len(w.buf)
		w.buf = append(w.buf, 0, 0, 0, 0)
		w.firsts = append(w.firsts, e.first())
	}
	n := len(w.buf)
	w.buf = w.buf[:n+entrySize]
	e.encode(w.buf[n:])
	w.halves = append(w.halves, [2]uint64{e.a, e.b})
	w.part.entries++
	if n+entrySize-w.page == pageSize {
		w.endPage()
		if len(w.buf) >= bufferSize {
			return w.flush()
		}
	}
	return nil
}

func (w *writer) endPage() {
	if w.page < 0 {
		return
	}
	body := w.buf[w.page+4:]
	binary.LittleEndian.PutUint32(w.buf[w.page:], checksum(w.at+int64(w.page), body))
	w.page = -1
}

// flush writes what is in the buffer.
func (w *writer) flush() error {
	if _, err := w.run.file.WriteAt(w.buf, w.at); err != nil {
		return err
	}
	w.at += int64(len(w.buf))
	w.buf = w.buf[:0]
	if w.at-w.synced < syncEvery {
		return nil
	}
	w.synced = w.at
	return w.run.file.Datasync()
}

// endSection closes the open section and returns what it has in memory, nil if it is empty. After that it can be read.
func (w *writer) endSection(number int) (*section, error) {
	w.endPage()
	p := w.part
	if p.entries == 0 {
		return nil, nil
	}
	p.blocks = blocksFor(p.entries, w.total)
	s := &section{part: p, run: w.run, firsts: append([]uint32(nil), w.firsts...), filter: make(filter, p.blocks)}
	for _, h := range w.halves {
		s.filter.add(h[0], h[1])
	}
	w.run.parts[number] = p
	w.run.ids += int64(p.entries)
	w.part, w.halves, w.firsts = part{}, w.halves[:0], w.firsts[:0]
	if err := w.flush(); err != nil {
		return nil, err
	}
	from := w.at
	for _, first := range s.firsts {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, first)
	}
	for i := range s.filter {
		for _, word := range s.filter[i] {
			w.buf = binary.LittleEndian.AppendUint64(w.buf, word)
		}
	}
	w.buf = binary.LittleEndian.AppendUint32(w.buf, checksum(from, w.buf))
	return s, w.flush()
}

// finish writes the footer and makes the file durable under its temporary name.
func (w *writer) finish(f footer) error {
	at := w.place()
	data := f.encode(&w.run.parts)
	w.buf = append(w.buf, data...)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(at))
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(data)))
	w.buf = binary.LittleEndian.AppendUint32(w.buf, checksum(at, data))
	w.buf = append(w.buf, trailerMagic...)
	if err := w.flush(); err != nil {
		return err
	}
	w.run.size = w.at
	return w.run.file.Sync()
}
