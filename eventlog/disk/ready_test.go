package disk

import (
	"testing"

	"penstock"
	"penstock/internal/vfs"
)

func TestReadySaysWhatAppendWould(t *testing.T) {
	fs := vfs.NewMemory(1 << 20)
	o := tinyOptions()
	o.Max, o.HighWater = 50_000, 10_000
	l := mustOpen(t, fs, o)
	if err := l.Ready(1000); err != nil {
		t.Errorf("an empty log: %v", err)
	}
	if err := l.Ready(50_000); !penstock.Is(err, penstock.Full) {
		t.Errorf("more than Max: %v", err)
	}
	fill(t, l, "a")
	if err := l.Ready(50_000 - l.Stats().Bytes); err != nil {
		t.Errorf("what is left: %v", err)
	}
	if err := l.Ready(50_001 - l.Stats().Bytes); !penstock.Is(err, penstock.Full) {
		t.Errorf("more than is left: %v", err)
	}
	_, safe, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Retain(t.Context(), safe); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(1000); err != nil {
		t.Errorf("after room was made: %v", err)
	}
	free, total, _ := fs.Free(testDir)
	fs.SetSize(total - free + 9_000)
	if err := l.Ready(0); !penstock.Is(err, penstock.Full) {
		t.Errorf("a full disk: %v", err)
	}
	mustClose(t, l)
	if err := l.Ready(0); !penstock.Is(err, penstock.Unavailable) {
		t.Errorf("a closed log: %v", err)
	}
}

func TestReadyAfterAFailedFlush(t *testing.T) {
	fs, _ := vfs.Faulty(vfs.NewMemory(0), vfs.Fault{Kind: vfs.OpDatasync, Nth: 1, Err: errEIO})
	l := mustOpen(t, fs, tinyOptions())
	if err := l.Append(t.Context(), testBlock("a", 3)); !penstock.Is(err, penstock.Unknown) {
		t.Fatalf("Append: %v", err)
	}
	if err := l.Ready(0); !penstock.Is(err, penstock.Unavailable) {
		t.Errorf("Ready: %v", err)
	}
}
