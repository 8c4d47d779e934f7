package disk

import (
	"errors"
	"path/filepath"
	"slices"

	"penstock"
	"penstock/internal/failpoint"
	"penstock/internal/vfs"
)

const spareName = "spare"

// spare makes the file of the next segment while the present one is filled: making room for it and flushing that takes
// longer than an append should.
type spare struct {
	orders chan struct{}
	made   chan madeFile // one for each order
	ended  chan struct{}
}

type madeFile struct {
	file vfs.File
	err  error
}

// startSpare starts the goroutine and orders the first file.
func (l *Log) startSpare() *spare {
	s := &spare{orders: make(chan struct{}, 1), made: make(chan madeFile, 1), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for range s.orders {
			f, err := l.makeFile()
			s.made <- madeFile{f, err}
		}
	}()
	s.orders <- struct{}{}
	return s
}

// take returns the file that was ordered, and orders the next when the caller is done with its name.
func (s *spare) take() (f vfs.File, again func(), err error) {
	if s == nil {
		return nil, func() {}, errNoSpare
	}
	made := <-s.made
	return made.file, func() { s.orders <- struct{}{} }, made.err
}

var errNoSpare = errors.New("no file was made ahead")

// stop ends the goroutine; a file that is ready stays behind under its name, which the next Open removes.
func (s *spare) stop() {
	if s == nil {
		return
	}
	close(s.orders)
	<-s.ended
	select {
	case made := <-s.made:
		if made.err == nil {
			_ = made.file.Close()
		}
	default:
	}
}

// makeFile makes an empty file of a segment's size under the spare's name.
func (l *Log) makeFile() (vfs.File, error) {
	if err := l.removeIfThere(spareName); err != nil {
		return nil, err
	}
	f, err := l.fs.Create(filepath.Join(l.dir, spareName))
	if err != nil {
		return nil, err
	}
	if err := l.makeRoom(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// makeRoom allocates what a segment takes if that leaves the file system well above what is kept free. Else the file grows as it is
// written, and the high-water mark decides: room that is set aside for events must not be why they are refused.
func (l *Log) makeRoom(f vfs.File) error {
	free, total, err := l.fs.Free(l.dir)
	if err != nil {
		return err
	}
	if free < l.o.SegmentSize+2*l.o.mark(total)+2*max(0, l.o.Reserve) {
		return nil
	}
	err = f.Allocate(int64(l.o.SegmentSize))
	if err != nil && codeOf(err) == penstock.Full { // what it took before there was no more is given back
		return f.Truncate(0)
	}
	return err
}

// roll ends the present segment and begins the next. An error that left nothing behind lets the present one go on;
// any other stops the log: a next segment that may exist says that the present one has ended.
func (l *Log) roll() error {
	const op = "begin segment"
	if err := l.checkOwner(); err != nil {
		return err
	}
	f, again, err := l.w.spare.take()
	defer again()
	if err != nil {
		if f, err = l.makeFile(); err != nil {
			return penstock.Wrap(codeOf(err), op, err)
		}
	}
	w := &l.w
	old, prev, end := w.file, w.id, w.end
	if err := l.begin(f, l.header(prev+1, prev, end), nil); err != nil {
		return err
	}
	// The rest of the old file was made ahead and is not needed. Cutting it off is no promise.
	_ = old.Truncate(end)
	return penstock.Wrap(penstock.Unavailable, op, old.Close())
}

func (l *Log) header(id, prev SegmentID, prevEnd int64) header {
	return header{
		id: id, log: l.manifest.Log, cluster: l.manifest.Cluster, key: l.manifest.Key,
		epoch: l.w.epoch, logTime: l.now(), prev: prev, prevEnd: prevEnd, next: slices.Clone(l.w.next),
	}
}

// checkOwner stops a process that was thought dead and whose directory another has taken over.
func (l *Log) checkOwner() error {
	m, err := readManifest(l.fs, l.dir)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, "check owner", err)
	}
	if m.Owner != l.owner {
		return l.fail(penstock.Errorf(penstock.Unavailable, "check owner", "another process has taken over the directory"))
	}
	return nil
}

// opening encodes what a segment begins with: its header, the totals of what lies before it, and blocks that keep their places in
// the log.
func (l *Log) opening(h header, blocks []*penstock.Block) []byte {
	buf := make([]byte, h.size())
	buf = appendCommit(buf, place{h.id, h.size()}, commit{epoch: h.epoch, logTime: h.logTime, next: h.next, all: true}, l.totals)
	for _, b := range blocks {
		buf = packed{block: b}.appendFrame(buf, h.id, int64(len(buf)), h.size())
	}
	h.begun = int64(len(buf))
	copy(buf, h.encode())
	return buf
}

// begin makes f, an empty file under the spare's name, the segment that is written: header and first frames are flushed
// before the name is, and both before it is used.
func (l *Log) begin(f vfs.File, h header, blocks []*penstock.Block) error {
	const op = "begin segment"
	spare, name := filepath.Join(l.dir, spareName), filepath.Join(l.dir, segmentName(h.id))
	opening := l.opening(h, blocks)
	if _, err := f.WriteAt(opening, 0); err != nil {
		return errors.Join(penstock.Wrap(codeOf(err), op, err), f.Close(), l.fs.Remove(spare))
	}
	failpoint.Hit("roll.written")
	if err := f.Sync(); err != nil {
		return l.fail(penstock.Wrap(penstock.Unknown, op, errors.Join(err, f.Close())))
	}
	failpoint.Hit("roll.synced")
	if err := l.fs.Rename(spare, name); err != nil {
		return l.fail(penstock.Wrap(penstock.Unknown, op, errors.Join(err, f.Close())))
	}
	failpoint.Hit("roll.named")
	if err := l.fs.SyncDir(l.dir); err != nil {
		return l.fail(penstock.Wrap(penstock.Unknown, op, errors.Join(err, f.Close())))
	}
	failpoint.Hit("roll.done")
	w := &l.w
	w.file, w.id = f, h.id
	w.start, w.end = int64(len(opening)), int64(len(opening))
	w.dirty, w.since = false, len(blocks) > 0
	w.space.stale() // a whole segment was taken
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.segments); n > 0 {
		l.segments[n-1].size = l.segments[n-1].end
	}
	// A new slice: readers may hold the old one.
	l.segments = append(slices.Clone(l.segments), &segment{header: h, start: h.size(), end: w.end, size: w.end})
	l.tail.end = place{w.id, w.end}
	l.totals.forget()
	return nil
}
