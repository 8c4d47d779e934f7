package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"penstock/eventlog/disk"
	"penstock/internal/vfs"
)

// openDisk opens a log on a disk in memory.
func openDisk(t *testing.T, fs vfs.FS, o disk.Options) *disk.Log {
	t.Helper()
	o.Cluster, o.Reserve, o.HighWater = cluster(), -1, -1
	if o.SegmentSize == 0 {
		o.SegmentSize = 64 << 10
	}
	l, err := disk.Open(fs, "log", o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestDamage counts what the log had accepted and cannot read any more: before the store asks for it, and afterwards.
func TestDamage(t *testing.T) {
	fs := vfs.NewMemory(0)
	r := newRigOn(t, openDisk(t, fs, disk.Options{Compression: disk.Plain}), Limits{})
	spoilt := event("spoilt", "k1")
	spoilt.Body = []byte(`{"marker":"here it is"}`)
	for i := range 5 {
		r.send("clicks", events(10*i, 10)...)
	}
	r.send("clicks", spoilt)
	for i := range 5 {
		r.send("clicks", events(100+10*i, 10)...)
	}
	if err := r.log.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, fs, "here it is")
	r.log = openDisk(t, fs, disk.Options{})
	r.audit.o.Log, r.audit.o.Reader = r.log, r.log
	r.expect(Ask{}, false, "accepted 101, pending 100, missing 1, wrong checksum")
	r.apply(nil)
	r.expect(Ask{}, false, "accepted 101, stored 100, missing 1, wrong checksum")
	if report := r.run(Ask{Deep: true}); report.Deep.Events != 100 || report.Deep.Missing != 0 || report.Streams[0].FirstMissing != nil {
		t.Errorf("%+v, first missing %v", report.Deep, report.Streams[0].FirstMissing)
	}
}

// flip changes a byte of a text in the only file that has it.
func flip(t *testing.T, fs *vfs.Memory, text string) {
	t.Helper()
	names, err := fs.List("log")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := fs.Open("log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := f.Size()
		data := make([]byte, size)
		if _, err := f.ReadAt(data, 0); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if at := bytes.Index(data, []byte(text)); at >= 0 && strings.HasSuffix(name, ".log") {
			if err := fs.Flip("log/"+name, int64(at), 1); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no file has %q", text)
}

// TestOlderLog has a log that was restored from a copy: what was lost with the original is still stored.
func TestOlderLog(t *testing.T) {
	fs := vfs.NewMemory(0)
	r := newRigOn(t, openDisk(t, fs, disk.Options{}), Limits{Idle: 1e6})
	r.send("clicks", events(0, 20)...)
	older := fs.CrashClone(1)
	r.send("clicks", events(20, 8)...)
	r.apply(nil)
	_ = r.log.Close()
	r.log = openDisk(t, older, disk.Options{NewEpoch: true})
	r.audit.o.Log, r.audit.o.Reader = r.log, r.log
	r.expect(Ask{}, false, "accepted 20, stored 28, excess 8, wrong checksum")
	r.send("clicks", events(50, 40)...)
	r.expect(Ask{}, false, "accepted 60, stored 28, pending 40, excess 8, wrong checksum")
}

// TestRestart has numbers that go on after log and audit were opened again.
func TestRestart(t *testing.T) {
	fs := vfs.NewMemory(0)
	r := newRigOn(t, openDisk(t, fs, disk.Options{}), Limits{})
	for i := range 4 {
		r.send("clicks", events(20*i, 20)...)
		if i%2 == 0 {
			r.apply(nil)
		}
		left := fs.CrashClone(uint64(i))
		_ = r.log.Close()
		fs = left
		r.log = openDisk(t, fs, disk.Options{})
		r.audit.o.Log, r.audit.o.Reader = r.log, r.log
		want := fmt.Sprintf("accepted %d, stored %d", 20*(i+1), 20*(i+1))
		if i%2 == 1 {
			want = fmt.Sprintf("accepted %d, stored %d, pending 20", 20*(i+1), 20*i)
		}
		r.expect(Ask{Deep: true}, true, want)
	}
}
