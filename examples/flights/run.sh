#!/bin/sh
# Sends three million flights through Penstock and compares SQL and views with the file. Needs npm (for the download), Go and a C
# compiler. Run it from anywhere; it builds bin/penstock if that is not there.
set -eu
cd "$(dirname "$0")/../.."
[ -x bin/penstock ] || go build -tags duckdb_arrow -o bin/penstock ./cmd/penstock
exec go run -tags duckdb_arrow ./examples/flights "$@"
