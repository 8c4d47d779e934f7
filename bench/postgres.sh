#!/bin/sh
# A PostgreSQL server for a measurement, in a directory of its own, on loopback, with the defaults of durability.
#   bench/postgres.sh start DIR     installs PostgreSQL if there is none and it can, makes a cluster in DIR/data, and prints HOST:PORT
#   bench/postgres.sh stop DIR      ends it and removes DIR/data
# DIR must be there, and the user postgres must reach it: root cannot run the server. Whoever is on this machine may connect meanwhile.
set -eu
[ $# = 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
action=$1 dir=$2
port=${PENSTOCK_BENCH_POSTGRES_PORT:-54327}

if [ "$(id -u)" = 0 ]; then
	as() { runuser -u postgres -- "$@"; }
else
	as() { "$@"; }
fi

# The newest version that is installed; Debian keeps the programs out of PATH.
programs() {
	for bin in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) "$(dirname "$(command -v initdb 2>/dev/null || echo /)")"; do
		[ -x "$bin/initdb" ] && [ -x "$bin/pgbench" ] && { echo "$bin"; return 0; }
	done
	return 1
}

case $action in
start)
	if ! bin=$(programs); then
		if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			{ apt-get update -q && apt-get install -y -q --no-install-recommends postgresql; } >&2
		fi
		bin=$(programs) || { echo 'PostgreSQL is needed: install postgresql' >&2; exit 1; }
	fi
	mkdir "$dir/data"
	[ "$(id -u)" != 0 ] || chown postgres: "$dir/data"
	as "$bin/initdb" -D "$dir/data" -U postgres --auth=trust --no-instructions >/dev/null
	as "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -s \
		-o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c synchronous_commit=on -c fsync=on -c shared_buffers=256MB -c max_wal_size=512MB" start >&2 ||
		{ cat "$dir/data/server.log" >&2; exit 1; }
	echo "127.0.0.1:$port"
	;;
stop)
	[ -d "$dir/data" ] || exit 0
	bin=$(programs)
	as "$bin/pg_ctl" -D "$dir/data" -m immediate -s stop >&2 || true
	rm -rf "$dir/data"
	;;
*)
	echo "$0: $action is neither start nor stop" >&2
	exit 2
	;;
esac
