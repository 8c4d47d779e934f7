package disk

import (
	"testing"

	"penstock"
	"penstock/eventlog/logtest"
	"penstock/internal/vfs"
)

// TestContract runs the suite with everything from memory, with tiny segments and no tail to speak of, and on a real disk.
func TestContract(t *testing.T) {
	whole := testOptions()
	whole.SegmentSize = 1 << 20
	tiny := testOptions()
	tiny.SegmentSize, tiny.TailMemory = 4096, 1
	plain := tiny
	plain.Compression = Plain
	for name, o := range map[string]Options{"whole": whole, "tiny": tiny, "tiny plain": plain} {
		t.Run(name, func(t *testing.T) { runContract(t, o, func(*testing.T) vfs.FS { return vfs.NewMemory(0) }) })
	}
	t.Run("real", func(t *testing.T) {
		runContract(t, tiny, func(*testing.T) vfs.FS { return vfs.OS() })
	})
}

func runContract(t *testing.T, o Options, newFS func(*testing.T) vfs.FS) {
	type place struct {
		fs  vfs.FS
		dir string
	}
	places := map[logtest.Log]place{}
	open := func(t *testing.T, at place, o Options) logtest.Log {
		t.Helper()
		l, err := Open(at.fs, at.dir, o)
		if err != nil {
			t.Fatal(err)
		}
		places[l] = at
		return l
	}
	logtest.Run(t, logtest.Backend{
		Cluster: o.Cluster,
		Open:    func(t *testing.T) logtest.Log { return open(t, place{newFS(t), t.TempDir()}, o) },
		OpenSmall: func(t *testing.T) logtest.Log {
			small := o
			small.Max, small.SegmentSize, small.Keep = 1<<18, 8192, 1
			return open(t, place{newFS(t), t.TempDir()}, small)
		},
		Reopen: func(t *testing.T, l logtest.Log) logtest.Log {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, places[l], o)
		},
	})
}

var (
	_ penstock.Appender   = (*Log)(nil)
	_ penstock.Reader     = (*Log)(nil)
	_ penstock.Retainer   = (*Log)(nil)
	_ penstock.Accountant = (*Log)(nil)
)
