package disktest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"penstock/internal/mounts"
)

var (
	rounds  = flag.Int("rounds", 0, "how often each fault is made")
	program = flag.String("program", "", "the penstock executable; it is built if none is named")
)

// TestFaults makes each fault as often as -rounds says: make faults and make torture run it. With PENSTOCK_TORTURE_MINUTES it
// begins again until that time has passed. The mounts and all processes are in namespaces of their own, so they go with the test
// however it ends.
// It holds C-FULL, C-OUTAGE, C-WRITE, C-FSYNC, C-STALL, C-LOCK, C-503 and C-UNK on real file systems.
func TestFaults(t *testing.T) {
	switch {
	case *rounds == 0:
		return
	case !mounts.Inside():
		enterNamespace(t)
		return
	}
	if err := mounts.ShowProcesses(t.Context()); err != nil {
		t.Fatal(err)
	}
	minutes, _ := strconv.ParseFloat(os.Getenv("PENSTOCK_TORTURE_MINUTES"), 64) // without one, 0
	end := time.Now().Add(time.Duration(minutes * float64(time.Minute)))
	all := sums{byKind: map[string]Sum{}}
	for pass := 0; pass == 0 || time.Now().Before(end) && !t.Failed(); pass++ {
		t.Run("pass", func(t *testing.T) { // returns when all faults of it are done
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) {
					t.Parallel()
					f.rounds(t, &all)
				})
			}
		})
	}
	all.print()
}

// sums are what all faults of a kind found.
type sums struct {
	mu     sync.Mutex
	byKind map[string]Sum
}

func (s *sums) add(kind string, sum Sum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.byKind[kind]
	all.Add(sum)
	s.byKind[kind] = all
}

// print writes the lines that make torture reads.
func (s *sums) print() {
	for _, kind := range slices.Sorted(maps.Keys(s.byKind)) {
		fmt.Println(s.byKind[kind].Torture(kind))
	}
}

// fault is something that is done to the program.
type fault struct {
	name, kind string
	config     string // beside what every configuration has
	disks      func(r *rig)
	round      func(r *rig)
}

// small is a log that gives up what the store has.
const small = "log: {max: 16MiB, keep: 1ms}\n"

var faults = [...]fault{
	{"stalled log", "disk_stall", "", onExt4("log", 256<<20), stall},
	{"stalled log and store", "disk_stall", "", onExt4("", 512<<20), stall},
	{"slow disk", "disk_stall", "", anywhere, slow},
	{"full log, by a file", "disk_full", "", onExt4("log", 96<<20), fullLog},
	{"full log, by load", "disk_full", "log: {max: 128MiB}\n", inMemory("log", "48m"), fullLogByLoad},
	{"full store, by a file", "disk_full", small, onExt4("shard-0", 192<<20), fullStore},
	{"full store, by rows", "disk_full", small, inMemory("shard-0", "64m"), fullStoreByLoad},
	{"one full disk, by a file", "disk_full", small, onExt4("", 256<<20), fullLog},
	{"one full disk, by load", "disk_full", small, inMemory("", "96m"), fullStoreByLoad},
	{"no inodes", "few_files", small, onExt4("log", 256<<20, "-N", "32"), noInodes},
	{"64 descriptors", "few_files", small, anywhere, fewFiles},
	{"a log's disk that met an error", "read_only", small, onExt4("log", 256<<20), readOnlyLog},
	{"a store's disk that met an error", "read_only", small, onExt4("shard-0", 256<<20), readOnlyStore},
	{"a disk mounted for reading", "read_only", small, onExt4("", 512<<20), remounted},
	{"little memory", "memory", "", anywhere, littleMemory},
	{"two processes", "processes", "", anywhere, twice},
	{"a process that is stopped", "processes", "", anywhere, suspend},
}

func anywhere(*rig) {}

// onExt4 puts a part of the data on a disk of its own.
func onExt4(name string, size int64, options ...string) func(*rig) {
	return func(r *rig) { r.disk = ext4(r.t, r.path(name), size, options...) }
}

func inMemory(name, size string) func(*rig) {
	return func(r *rig) { r.disk = tmpfs(r.t, r.path(name), size) }
}

// rounds makes the fault, each time on an installation of its own. One that did not come to its end is a problem.
func (f fault) rounds(t *testing.T, all *sums) {
	sum := Sum{}
	t.Cleanup(func() {
		if t.Failed() {
			sum.Problems++
		}
		all.add(f.kind, sum)
		fmt.Printf("%-34s rounds %d, accepted %d, refused %d, lost %d, doubled %d, problems %d\n",
			f.name, sum.Rounds, sum.Accepted, sum.Refused, sum.Lost, sum.Doubled, sum.Problems)
	})
	for range *rounds {
		r := newRig(t, f.config)
		f.disks(r)
		r.guard()
		f.round(r)
		sum.Add(r.judge())
		r.end()
	}
}

// enterNamespace runs the test once more, as the first process of namespaces of mounts and of processes.
func enterNamespace(t *testing.T) {
	if missing := mounts.Missing("mkfs.ext4", "fsfreeze"); missing != "" {
		fmt.Fprintf(os.Stderr, "LEFT OUT: faults of real disks: %s\n", missing)
		return
	}
	o := []string{"-program", *program}
	if *program == "" {
		o[1] = build(t)
	}
	if err := mounts.Enter(t.Context(), append(o, "-test.v")...); err != nil {
		t.Fatal(err)
	}
}

// build makes the program.
func build(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "penstock")
	c := exec.CommandContext(t.Context(), "go", "build", "-tags", "duckdb_arrow", "-o", path, "penstock/cmd/penstock")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		t.Fatalf("build: %v", err)
	}
	return path
}
