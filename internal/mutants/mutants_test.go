// Package mutants checks the checks. Each patch in testdata plants one bug that would lose events, double them, or give a false
// answer; the test that is named with it has to fail on the patched code, and to pass on the code as it is.
package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mutant is a planted bug and what finds it.
type mutant struct {
	patch   string // below testdata, without .patch
	command string // arguments of go test
	long    bool   // takes longer than three seconds
}

// mutants are in the order of an event's way.
func mutants() []mutant {
	return []mutant{
		{"builder_not_reset", ". -run ^TestBuilderKeepsNothing$", false},
		{"pooled_buffer_not_reset", "./ingest -run ^TestNextRequestFindsNothingOfTheLast$", false},
		{"pooled_producer_not_reset", "./ingest -run ^TestNextRequestFindsNothingOfTheLast$", false},
		{"pooled_rejections_not_reset", "./ingest -run ^TestNextRequestFindsNothingOfTheLast$", false},
		{"refused_after_append", "./ingest -run ^TestAppendErrors$", false},
		{"receipt_one_short", "./ingest -run ^TestReceiptNamesThePlaces$", false},
		{"ack_before_flush", "./eventlog/disk -run ^TestCrashStates$", true},
		{"reader_sees_unflushed", "./eventlog/disk -run ^TestReadersSeeOnlyWhatIsFlushed$", false},
		{"refused_without_flush", "./eventlog/disk -run ^TestRefusedIsGone$", false},
		{"second_flush_after_error", "./eventlog/disk -run ^TestFaults$", true},
		{"log_goes_on_after_failed_flush", "./eventlog/disk -run ^TestReadyAfterAFailedFlush$", false},
		{"half_frame_kept", "./eventlog/disk -run ^TestFaults$", true},
		{"no_directory_flush", "./eventlog/disk -run ^TestCrashStates$", true},
		{"new_segment_not_flushed", "./eventlog/disk -run ^TestCrashStates$", true},
		{"log_ends_at_first_bad_frame", "./eventlog/disk -run ^TestFlippedBits$", false},
		{"checksum_without_place", "./eventlog/disk -run ^TestSectors$", false},
		{"removed_before_pointer", "./eventlog/disk -run ^TestCrashStates$", true},
		{"retention_eats_unread", "./eventlog/disk -run ^TestRetentionKeepsUnread$", false},
		{"lock_not_taken", "./eventlog/disk -run ^TestSecondOpenerIsRefused$", false},
		{"stale_owner_writes_on", "./eventlog/disk -run ^TestStaleOwnerStops$", false},
		{"clock_used_for_order", "./internal/logclock", false},
		{"newest_offset_not_contiguous", "./consumer -run ^TestPoison$", false},
		{"retry_reorders_key", "./consumer -run ^TestHalfPoisonOf20000$", false},
		{"retry_drops_tail", "./consumer -run ^TestOutageForADay$", false},
		{"letter_swallows_neighbour", "./consumer -run ^TestPoison$", false},
		{"kill_condemns_innocent", "./consumer -run ^TestInnocent", true},
		{"offset_before_effect", "./store/memory", true},
		{"effect_without_its_transaction", "./store/memory", true},
		{"mark_without_its_transaction", "./store/memory", true},
		{"stale_batch_applied", "./store/memory", true},
		{"position_without_its_transaction", "-tags=duckdb_arrow ./store/embedded -run ^TestRowsIdentitiesAndPositionAreOne$", true},
		{"mark_before_effect", "./internal/dedup -run ^TestBatchesEnd$", false},
		{"merge_keeps_oldest", "./internal/dedup -run ^TestModel$", true},
		{"release_reorders_key", "./internal/fate -run ^TestHaltedKey$", false},
		{"replay_not_idempotent", "./internal/fate -run ^TestLetterIsReplayedOnce$", false},
		{"letter_lost_on_replay", "./internal/fate", false},
		{"view_counts_repeats", viewcheck + "^TestViewsCountEachRowOnce$", true},
		{"view_counts_letters", viewcheck + "^TestViewsCountEachRowOnce$", true},
		{"view_lacks_cut_batch", viewcheck + "^TestViewsCountEachRowOnce$", true},
		{"view_lacks_first_batch", viewcheck + "^TestViewsCountEachRowOnce$", true},
		{"view_merge_drops_meanwhile", viewcheck + "^TestMergesKeepWhatComesMeanwhile$", true},
		{"view_build_forgets_progress", viewcheck + "^TestBuildsCountEachStretchOnce$", true},
		{"damage_replayed", "./letters -run ^TestReplayOfDamage$", false},
	}
}

const (
	root      = "../.." // of the module
	viewcheck = "-tags=duckdb_arrow ./internal/check/viewcheck -run "
)

// TestMutantsAreCaught plants each bug that is found within seconds, with PENSTOCK_TORTURE_MINUTES all of them, in a short run a few.
func TestMutantsAreCaught(t *testing.T) {
	minutes, err := strconv.ParseFloat(os.Getenv("PENSTOCK_TORTURE_MINUTES"), 64)
	long := err == nil && minutes > 0
	planted, caught := 0, 0
	for i, m := range mutants() {
		if !long && (m.long || testing.Short() && i%5 != 0) {
			continue
		}
		t.Run(m.patch, func(t *testing.T) {
			planted++
			began := time.Now()
			m.plant(t)
			t.Logf("go test %s: %v", m.command, time.Since(began).Round(100*time.Millisecond))
			if !t.Failed() {
				caught++
			}
		})
	}
	fmt.Printf("torture: kind=mutants rounds=%d lost=0 doubled=0 problems=%d\n", planted, planted-caught)
}

// TestEveryPatchIsUsed: a patch that nobody applies proves nothing, and neither does one that applies no more.
func TestEveryPatchIsUsed(t *testing.T) {
	names, err := filepath.Glob("testdata/*.patch")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range mutants() {
		used[filepath.Join("testdata", m.patch+".patch")] = true
		m.overlay(t)
	}
	for _, name := range names {
		if !used[name] {
			t.Errorf("%s is not in the list", name)
		}
	}
}

// TestRecordNamesEachBug: docs/track-record.md says of each bug what it would do, and by which command it is found.
func TestRecordNamesEachBug(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "track-record.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok {
			rows[name] = rest
		}
	}
	for _, m := range mutants() {
		for _, word := range strings.Fields(m.command) {
			if !strings.Contains(rows[m.patch], word) {
				t.Errorf("the row of %s lacks %s: %q", m.patch, word, rows[m.patch])
			}
		}
	}
}

// plant runs the test on the code as it is and on the patched code.
func (m mutant) plant(t *testing.T) {
	if out, passed := m.test(t); !passed {
		t.Fatalf("without the patch %s fails:\n%s", m.command, out)
	}
	out, passed := m.test(t, "-vet=off", "-overlay="+m.overlay(t))
	switch {
	case passed:
		t.Errorf("nobody notices: %s passes", m.command)
	case !strings.Contains(out, "--- FAIL: ") && !strings.Contains(out, "panic: "):
		t.Errorf("%s did not run:\n%s", m.command, out)
	}
}

// test runs the command, and reports whether it passed.
func (m mutant) test(t *testing.T, flags ...string) (out string, passed bool) {
	args := append([]string{"test", "-timeout=5m"}, flags...)
	c := exec.CommandContext(t.Context(), "go", append(args, strings.Fields(m.command)...)...)
	c.Dir = root
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PENSTOCK_") { // the tests' own short pass
			c.Env = append(c.Env, v)
		}
	}
	text, err := c.CombinedOutput()
	if strings.Contains(string(text), "no tests to run") {
		t.Errorf("%s has no tests", m.command)
	}
	return string(text), err == nil
}

// overlay applies the patch to copies of the files that it names, and returns the name of the file that tells the compiler to take these.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	patch, err := filepath.Abs(filepath.Join("testdata", m.patch+".patch"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/")
		if !ok {
			continue
		}
		from, err := filepath.Abs(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		replace[from] = filepath.Join(dir, name)
		copyFile(t, from, replace[from])
	}
	c := exec.CommandContext(t.Context(), "git", "apply", "-p1", patch)
	c.Dir = dir
	c.Env = append(os.Environ(), "GIT_DIR=/nonexistent", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s applies no more: write it anew: %v\n%s", m.patch, err, out)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
