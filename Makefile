# Everything that people and machines do with this tree. It needs Go, a C and C++ compiler, and make.

TAGS    := duckdb_arrow
GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
ARCH     = $(shell $(GO) env GOARCH)
SECONDS_EACH ?= 10s
MINUTES ?= 10
SEED    ?= 1
EXAMPLES = adclicks pageviews logs metrics sensors locations chat leaderboard

.DEFAULT_GOAL := help
.PHONY: help build run test test-short race check fmt vet lint tidy vuln example bench bench-views torture fuzz-short dist clean npm filesystems power faults

help: ## prints this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## writes bin/penstock
	CGO_ENABLED=1 $(GO) build -tags $(TAGS) -trimpath -ldflags '-s -w' -o bin/penstock ./cmd/penstock

run: build ## starts a server on http://127.0.0.1:7367 with data in ./penstock-data
	@exec bin/penstock dev

test: check filesystems ## everything that must hold: check, all tests, the race detector, the examples
	$(GO) test -tags $(TAGS) -timeout 20m ./...
	$(GO) test -tags failpoints -run '^TestActions$$' ./internal/failpoint
	@$(MAKE) --no-print-directory power
	@$(MAKE) --no-print-directory faults
	@$(MAKE) --no-print-directory race
	@$(MAKE) --no-print-directory example

test-short: ## the quick tests, in less than three minutes
	$(GO) test -short -tags $(TAGS) -timeout 5m ./...

# With -v, since what is left out where there is no root, no loop device and no FUSE has to be seen.
power: build ## loses power on ext4, on XFS, and on a file system that keeps no more than it must, a few times
	$(GO) test -tags $(TAGS) -run '^TestPowerLoss' -v ./internal/killtest -program '$(CURDIR)/bin/penstock' -power-kinds 2 -forget-rounds 1

faults: ## disks that fill up, stall and fail, little memory, two processes: each once
	$(GO) test -tags $(TAGS) -run '^TestFaults$$' -v -parallel 4 ./internal/disktest -rounds 1

# The race detector slows DuckDB's packages down beyond use, and sees nothing of its C++.
race: ## the tests of all packages without DuckDB, under the race detector
	@all=$$($(GO) list -tags $(TAGS) -test -f '{{.ImportPath}} {{join .Deps " "}}' ./...) && \
	$(GO) test -race -short -timeout 20m $$(echo "$$all" | \
		awk '$$1 ~ /\.test$$/ && !/duckdb/ && !/internal\/tidy/ { sub(/\.test$$/, "", $$1); print $$1 }')

check: fmt vet lint tidy vuln ## formatting, vet, linters, house rules, known vulnerabilities

fmt: ## names the files that gofmt would change
	@out=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./... | sort)) && if [ -n "$$out" ]; then echo "not gofmt'ed:"; echo "$$out"; exit 1; fi

vet: ## go vet
	$(GO) vet -tags $(TAGS) ./...

lint: ## golangci-lint, at the version in tools/go.mod
	$(TOOL) golangci-lint run

tidy: ## the house rules: sizes, layers, words (internal/tidy)
	$(GO) test ./internal/tidy

vuln: ## known vulnerabilities in what is called, if their database can be reached
	@out=$$($(TOOL) govulncheck -tags $(TAGS) ./... 2>&1); status=$$?; \
	if [ $$status -ne 0 ] && echo "$$out" | grep -q 'fetching vulnerabilities'; then \
		echo 'govulncheck: the database cannot be reached; not checked'; \
	else echo "$$out"; exit $$status; fi

example: npm build ## runs each of examples/: sends its events, and compares what views and SQL say with what is right
	@for example in $(EXAMPLES); do $(GO) run ./examples/$$example || exit 1; done
	examples/flights/run.sh

npm: ## installs npm, which the example needs for its data, if it can
	@command -v npm >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && apt-get install -y -q --no-install-recommends nodejs npm; \
	else echo 'npm is needed to download the data: install nodejs and npm' >&2; exit 1; fi

bench: build ## the measurements of bench/README.md; takes hours (PENSTOCK_BENCH_SCALE=small: minutes)
	bench/run.sh

bench-views: build ## what views cost and save (bench/README.md); needs PostgreSQL, takes half an hour
	GO='$(GO)' bench/views.sh

torture: build filesystems ## kills, loss of power, disk faults, for MINUTES=10 from SEED=1 on; a table of what was lost and doubled
	PROGRAM='$(CURDIR)/bin/penstock' TAGS='$(TAGS)' GO='$(GO)' bench/torture.sh '$(MINUTES)' '$(SEED)'

filesystems: ## installs what makes XFS, for tests that lose power on it, if it can
	@command -v mkfs.xfs >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && apt-get install -y -q --no-install-recommends xfsprogs; \
	else echo 'mkfs.xfs is needed to lose power on XFS: install xfsprogs' >&2; fi

fuzz-short: ## every fuzz target for a while (SECONDS_EACH=10s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' "$$dir"/*_test.go | cut -c6-); do \
			echo "== $$dir $$target"; \
			$(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(SECONDS_EACH) "$$dir" || exit 1; \
		done; \
	done

dist: build ## a tarball for Linux in dist/: the program, a systemd unit, a configuration, the licence
	packaging/dist.sh '$(VERSION)' '$(ARCH)'

clean: ## removes what the other targets wrote, but no data
	rm -rf bin dist
