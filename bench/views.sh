#!/bin/sh
# Measures what views cost and save (bench/README.md, Views), appends each result as a line of JSON to bench/results/DATE-views.jsonl, and
# makes the plots anew from that file.
#   bench/views.sh                   all of it
#   bench/views.sh e2e naive asked   only these
# PENSTOCK_BENCH_SCALE=small shows that it runs; its figures are not for the record. PENSTOCK_BENCH_TURNS: how often by turns, 3 without;
# PENSTOCK_BENCH_EVENTS: of e2e, 4 million without.
set -eu
cd "$(dirname "$0")/.."
program=${PENSTOCK:-bin/penstock}
out=${PENSTOCK_BENCH_OUT:-bench/results/$(date -u +%Y-%m-%dT%H%M%SZ)-views.jsonl}
mkdir -p "$(dirname "$out")"
wanted=${*:-e2e naive asked}
turns=${PENSTOCK_BENCH_TURNS:-3} events=${PENSTOCK_BENCH_EVENTS:-4000000} steady=30s counted=2000000 patience=10s groups=10000000 members=1000000
if [ "${PENSTOCK_BENCH_SCALE:-}" = small ]; then
	turns=1 events=500000 steady=3s counted=200000 patience=2s groups=200000 members=50000
fi

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
printf '{"id":"machine","date":"%s","system":"%s","cpu":"%s","cores":%s,"load":"%s","version":"%s"}\n' \
	"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(uname -sr)" "$cpu" "$(getconf _NPROCESSORS_ONLN)" "$(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null)" \
	"$("$program" version 2>/dev/null | head -n 1 | tr -d '"')" >>"$out"

# keep ID COMMAND...: runs a command and keeps its answer with the load of the machine before it, or the fact that it failed.
keep() {
	id=$1
	shift
	echo "== $id: $*" >&2
	shown=$(printf '%s' "$*" | sed 's,[^ ]*/,,')
	load=$(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null || echo 0)
	if result=$("$@"); then
		printf '{"id":"%s","command":"%s","load_before":%s,"result":%s}\n' "$id" "$shown" "$load" "$result" | tee -a "$out"
	else
		printf '{"id":"%s","command":"%s","load_before":%s,"failed":%d}\n' "$id" "$shown" "$load" "$?" | tee -a "$out"
	fi
}
want() { case " $wanted " in *" $1 "*) ;; *) return 1 ;; esac; }

if want e2e; then
	turn=1
	while [ "$turn" -le "$turns" ]; do
		for views in 0 1 2 3; do
			keep "views-e2e-$views-$turn" "$program" bench e2e --batch 1000 --connections 64 --events "$events" --views "$views" -o json -q
		done
		turn=$((turn + 1))
	done
	keep views-steady "$program" bench e2e --rate 100000 --batch 100 --duration "$steady" --views 3 -o json -q
fi
if want naive; then
	scratch=$(mktemp -d)
	chmod 755 "$scratch"
	trap 'bench/postgres.sh stop "$scratch"; rm -rf "$scratch"' EXIT
	trap 'exit 130' INT TERM
	address=$(bench/postgres.sh start "$scratch")
	${GO:-go} build -o "$scratch/naive" ./bench/views/naive
	keep views-naive "$scratch/naive" -penstock "$program" -postgres "$address" -events "$counted" -patience "$patience" -turns "$turns"
	bench/postgres.sh stop "$scratch"
fi
if want asked; then
	keep views-asked "$program" bench views --groups "$groups" --members "$members" -o json -q
	keep views-asked-long "$program" bench views --groups "$groups" --members "$members" --prefix customer-number- -o json -q
fi
[ "${PENSTOCK_BENCH_SCALE:-}" = small ] || ${GO:-go} run ./bench/views -out bench "$out"
echo "results in $out" >&2
