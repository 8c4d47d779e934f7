#!/bin/sh
# Runs the measurements of bench/README.md and appends each result as a line of JSON to bench/results/DATE.jsonl.
#   bench/run.sh                all of them
#   bench/run.sh P1 P2          only these
# PENSTOCK_BENCH_SCALE=small shortens everything and stores 2 million rows where 100 million are asked for: it shows
# that the measurements run, its figures are not for the record.
set -eu
cd "$(dirname "$0")/.."
program=${PENSTOCK:-bin/penstock}
mkdir -p bench/results
out=bench/results/$(date -u +%Y-%m-%dT%H%M%SZ).jsonl
wanted=${*:-P1 P2 P3 P5 P6 P8 P9 P10 P12 overload}
short=20s long=60s hour=10m stored=100000000 gib=4294967 backlog=20000000
if [ "${PENSTOCK_BENCH_SCALE:-}" = small ]; then
	short=3s long=5s hour=10s stored=2000000 gib=400000 backlog=3000000
elif [ "${PENSTOCK_BENCH_SCALE:-}" = long ]; then
	hour=60m
fi

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)
printf '{"id":"machine","date":"%s","system":"%s","cpu":"%s","cores":%s,"memory_kib":%s,"version":"%s"}\n' \
	"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(uname -sr)" "$cpu" "$(getconf _NPROCESSORS_ONLN)" "${memory:-0}" \
	"$("$program" version 2>/dev/null | head -n 1 | tr -d '"')" >>"$out"

# measure ID ARGUMENTS...: runs penstock bench and keeps its answer, or the fact that it failed.
measure() {
	id=$1
	shift
	case " $wanted " in *" ${id%%-*} "*) ;; *) return 0 ;; esac
	echo "== $id: penstock bench $*" >&2
	if result=$("$program" bench "$@" -o json -q); then
		printf '{"id":"%s","command":"penstock bench %s","result":%s}\n' "$id" "$*" "$result" | tee -a "$out"
	else
		printf '{"id":"%s","command":"penstock bench %s","failed":%d}\n' "$id" "$*" "$?" | tee -a "$out"
	fi
}

case " $wanted " in *" P1 "*) wanted="$wanted disk" ;; esac
measure disk fsync
measure P1 accept --batch 1000 --connections 64 --duration $short
measure P1-cloud accept --batch 1000 --connections 64 --duration $short --fsync-delay 2.6ms
measure P2 accept --batch 1 --connections 256 --duration $short --baseline --rounds 3
measure P2-cloud accept --batch 1 --connections 256 --duration $short --baseline --rounds 3 --fsync-delay 2.6ms
measure P3 e2e --batch 1000 --connections 64 --duration $long --rss
measure P3-steady e2e --rate 250000 --batch 1000 --duration $long --rss
measure P3-columns e2e --batch 1000 --connections 64 --duration $long --columns
measure P5 e2e --rate 100000 --batch 100 --duration $long --rss
measure P5-cloud e2e --rate 100000 --batch 100 --duration $long --fsync-delay 2.6ms
measure P5-queries e2e --rate 100000 --batch 100 --duration $long --rss --queries 20 --preload $stored
for turn in 1 2 3; do
	measure P6-accept-uniform-$turn accept --batch 1000 --duration $short
	measure P6-accept-hot-$turn accept --batch 1000 --duration $short --skew hot:0.5
	measure P6-e2e-uniform-$turn e2e --batch 1000 --duration $short
	measure P6-e2e-hot-$turn e2e --batch 1000 --duration $short --skew hot:0.5
done
measure P8 e2e --rate 100000 --batch 100 --duration $hour --rss
measure P9-1GiB recovery --backlog $gib
measure P9-4GiB recovery --backlog $((4 * gib))
measure P10 catchup --backlog $backlog --rate 100000 --batch 100
measure overload overload --duration $short
measure P12-empty e2e --batch 1000 --connections 64 --duration $long
measure P12-full e2e --batch 1000 --connections 64 --duration $long --preload $stored
echo "results in $out" >&2
