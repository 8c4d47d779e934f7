#!/usr/bin/env bash
# What must never happen, looked for as long as there is time: torture.sh MINUTES SEED, by "make torture". Each of six parts has a
# sixth of the minutes; what is fixed in number takes longer than a sixth if it has to. Prints a table, and fails if anything was found.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=$1
export PENSTOCK_TORTURE_SEED=$2
PENSTOCK_TORTURE_MINUTES=$(awk -v m="$minutes" 'BEGIN { print m / 6 }')
export PENSTOCK_TORTURE_MINUTES
go=${GO:-go} tags=${TAGS:-duckdb_arrow}
said=$(mktemp)
trap 'rm -f "$said"' EXIT

failed=0
part() { # NAME COMMAND...
	echo "== $1 (seed $PENSTOCK_TORTURE_SEED)" >&2
	"${@:2}" 2>&1 | tee -a "$said" >&2 || failed=1
}

part 'SIGKILL' "$go" test ./internal/killtest -count 1 -v -timeout 0 -run '^TestAnswersSurviveKill$' -program "$PROGRAM" -rounds 12
part 'loss of power' "$go" test ./internal/killtest -count 1 -v -timeout 0 -run '^TestPowerLoss$' -program "$PROGRAM" -power-rounds 4 -power-kinds 9
part 'loss of power, of names too' "$go" test ./internal/killtest -count 1 -v -timeout 0 -run '^TestPowerLossForgets$' -program "$PROGRAM" -forget-rounds 6
part 'control: a program without fsync' "$go" test ./internal/killtest -count 1 -v -timeout 0 -run '^TestPowerLoss$' -mutant no_fsync -poison=false -power-rounds 20 -power-kinds 9
part 'control: the same, names too' "$go" test ./internal/killtest -count 1 -v -timeout 0 -run '^TestPowerLossForgets$' -mutant no_fsync -poison=false -forget-rounds 20
part 'control: a program that does not sync directories' "$go" test ./internal/killtest -count 1 -v -timeout 0 -run '^TestPowerLossForgets$' -mutant no_dirsync -poison=false -forget-rounds 50
part 'faults of real disks' "$go" test ./internal/disktest -count 1 -v -timeout 0 -parallel 4 -run '^TestFaults$' -program "$PROGRAM" -rounds 1
part 'the log on a disk with faults' "$go" test ./eventlog/disk -count 1 -v -timeout 0 -run '^Test(CrashStates|CrashDuringRecovery|Faults|BitFlips|Sectors)$'
part 'SIGKILL at points' "$go" test -tags "$tags" ./internal/failpoint -count 1 -v -timeout 0 -run '^TestKilledAtEachPoint$'
part 'planted bugs' "$go" test ./internal/mutants -count 1 -v -timeout 0 -run '^TestMutantsAreCaught$'

awk -v left_out="$(grep -o 'LEFT OUT: .*' "$said" | sort -u || true)" '
	BEGIN { printf "%-16s %10s %8s %8s %9s\n", "kind", "rounds", "lost", "doubled", "problems" }
	/^torture: / && !/kind=control/ {
		for (i = 2; i <= 6; i++) { split($i, pair, "="); value[pair[1]] = pair[2] }
		printf "%-16s %10d %8d %8d %9d\n", value["kind"], value["rounds"], value["lost"], value["doubled"], value["problems"]
		bad += value["lost"] + value["doubled"] + value["problems"]; kinds++
	}
	END { if (left_out != "") print left_out; exit bad > 0 || kinds == 0 }' "$said" || failed=1
exit $failed
