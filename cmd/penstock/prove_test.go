package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"penstock/internal/killtest"
)

// TestProveKillsAndCompares lets the program prove itself, twice killed.
func TestProveKillsAndCompares(t *testing.T) {
	dir := t.TempDir()
	status, stdout, stderr := command(t, dir, "prove", "--data", dir, "--rounds", "2", "--events", "5000", "--seed", "3", "-o", "json")
	var p proof
	if err := json.Unmarshal([]byte(stdout), &p); err != nil || status != exitDone {
		t.Fatalf("%d, %s, %s", status, stdout, stderr)
	}
	if !p.OK || p.Rounds != 2 || p.Kills < 2 || p.Answered == 0 || p.Stored != p.Answered || p.Lost+p.Doubled != 0 || p.Dir != "" || p.Seed != 3 {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(stderr, "round 2 of 2: ") {
		t.Error(stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestProveSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		sum            killtest.Sum
		err            error
		stdout, reason string
	}{
		{killtest.Sum{Kills: 5, Answered: 200_000, Stored: 199_998, Lost: 2, Problems: 4}, nil,
			"200,000 answered ≠ 199,998 stored, 0 twice, 2 missing in 5 kills\n", "4 problems: everything is kept in there, the verdict in run/verdict.json (seed 0)"},
		{killtest.Sum{}, errors.New("round 2: no start"), "", "round 2: no start\nEverything is kept in there (seed 0)"},
	} {
		var stdout bytes.Buffer
		v := &prover{program: &program{stdout: &stdout, stderr: &stdout}}
		err := v.printProof(proof{Sum: c.sum, Dir: "there"}, c.err)
		var exit *exitError
		if !errors.As(err, &exit) || exit.status != exitFailed || err.Error() != c.reason || stdout.String() != c.stdout {
			t.Errorf("%v, %q", err, stdout.String())
		}
	}
}

func TestProveAsksForRoom(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args   []string
		status int
	}{
		{[]string{"--rounds", "0"}, exitUsage},
		{[]string{"--events", "1000000000000"}, exitFailed},
		{[]string{"--data", dir + "/none"}, exitNotFound},
	} {
		o := offlineCommand(t, append([]string{"prove", "--data", dir}, c.args...)...)
		if left, err := os.ReadDir(dir); o.status != c.status || err != nil || len(left) != 0 {
			t.Errorf("%v: %+v, %v", c.args, o, left)
		}
	}
}
