package disk

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// The proofs of this package are enumerations and random searches. An ordinary run makes one short pass of each; with
// PENSTOCK_TORTURE_MINUTES each goes on for its share of that time, pass after pass, each from a seed of its own, of which the first is
// PENSTOCK_TORTURE_SEED. Each ends with a line on standard output.
type torture struct {
	*testing.T
	kind string
	long bool
	seed uint64 // of this pass
	r    *rand.Rand
	end  time.Time // of a long run

	rounds, lost, doubled, problems int
}

// maxFindings is after how many findings a proof ends.
const maxFindings = 10

// tortured runs passes of a proof for its share of the time, in thousandths.
func tortured(t *testing.T, kind string, share int, pass func(*torture)) {
	k := &torture{T: t, kind: kind, seed: 1}
	minutes, err := strconv.ParseFloat(os.Getenv("PENSTOCK_TORTURE_MINUTES"), 64)
	k.long = err == nil && minutes > 0
	if seed, err := strconv.ParseUint(os.Getenv("PENSTOCK_TORTURE_SEED"), 10, 64); err == nil {
		k.seed = seed
	}
	k.end = time.Now().Add(time.Duration(minutes*float64(share)*60) * time.Millisecond)
	for {
		k.r = rand.New(rand.NewPCG(k.seed, 0))
		pass(k)
		if !k.long || t.Failed() || k.over() {
			break
		}
		k.seed++
	}
	fmt.Printf("torture: kind=%s rounds=%d lost=%d doubled=%d problems=%d\n", kind, k.rounds, k.lost, k.doubled, k.problems)
	if t.Failed() {
		t.Logf("again with PENSTOCK_TORTURE_SEED=%d", k.seed)
	}
}

// over reports whether a long run has had its time.
func (k *torture) over() bool { return !time.Now().Before(k.end) }

// some reports whether to look at one of many: every one in a long run, about one of n in an ordinary one, fewer in a short one.
func (k *torture) some(n int) bool {
	if testing.Short() {
		n *= 4
	}
	return k.long || k.r.IntN(n) == 0
}

// round counts a round and what was found in it; it reports whether to go on.
func (k *torture) round(found []finding, format string, args ...any) bool {
	k.rounds++
	for _, f := range found {
		switch f.kind {
		case lost:
			k.lost++
		case doubled:
			k.doubled++
		default:
			k.problems++
		}
		k.Errorf("seed %d, %s: %s: %s", k.seed, fmt.Sprintf(format, args...), f.kind, f.text)
	}
	return k.lost+k.doubled+k.problems < maxFindings
}

// finding is something that must not be.
type finding struct {
	kind findingKind
	text string
}

type findingKind string

const (
	lost    findingKind = "lost"
	doubled findingKind = "doubled"
	problem findingKind = "problem"
)

func problemf(format string, args ...any) finding {
	return finding{problem, fmt.Sprintf(format, args...)}
}
