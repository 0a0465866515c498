# The commands that a contributor needs. CI runs `make check`.

GO ?= go
# Tools are pinned here, so that go.mod stays the program's own.
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GORELEASER = PATH="$(dir $(SYFT)):$$PATH" $(GO) run github.com/goreleaser/goreleaser/v2@v2.16.0
# goreleaser calls syft by its name, so it lies in a folder of its own, outside the tree.
SYFT_VERSION = v1.57.1
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/greenlight-tools
SYFT = $(TOOLS)/syft-$(SYFT_VERSION)/syft
FUZZTIME ?= 30s
# How long make torture goes on, and the seed of its first world; empty is by chance.
TORTURE ?= 5m
SEED ?=
# What the programs say of themselves: what deploy/version.sh says, or who calls.
checkedout = $(patsubst $(1)=%,%,$(filter $(1)=%,$(shell sh deploy/version.sh print)))
VERSION ?= $(call checkedout,VERSION)
COMMIT ?= $(call checkedout,COMMIT)
DATE ?= $(call checkedout,DATE)
STAMP = -X greenlight/internal/app.version=$(VERSION) \
  -X greenlight/internal/app.commit=$(COMMIT) \
  -X greenlight/internal/app.date=$(DATE)
# Where make build puts the programs.
BIN ?= bin/

.PHONY: check format vet test engines scale size reproduce torture trouble demo sdk fuzz bench memory capacity build snapshot release notes

check: format vet test scale size demo sdk ## everything that CI runs

format: ## fail if gofmt would change anything
	@changed=$$(gofmt -l cmd config deploy internal); test -z "$$changed" || { echo "gofmt would change:"; echo "$$changed"; exit 1; }

vet: ## go vet and staticcheck
	$(GO) vet ./...
	$(STATICCHECK) ./...
	cd deploy/monitoring/ruletest && $(GO) vet .
	cd deploy/deploytest && $(GO) vet .
	cd deploy/linetest && $(GO) vet .
	cd deploy/release/plantest && $(GO) vet .

# Suites that are thinned out with the race detector, or left out, run in full without it.
FULL = Dialects|EveryNotification|Flood|Cluster|RollingRestart|Replicas|SilentServer|Hostile

test: ## all tests with the race detector; large ones again in full without it; the modules under deploy/ that test files and pages
	$(GO) test -race -timeout 20m ./...
	$(GO) test -timeout 20m -run "$(FULL)" ./internal/plan ./internal/webhook ./internal/trouble ./internal/endtoend
	cd deploy/monitoring/ruletest && $(GO) test -count=1 .
	cd deploy/deploytest && $(GO) test .
	cd deploy/linetest && $(GO) test -count=1 .
	cd deploy/release/plantest && $(GO) test .

engines: ## the lines of the pages for kubectl, on an API server, and for Compose, on an engine, as root with Debian's docker.io and busybox-static: the first time half an hour
	cd deploy/clustertest && $(GO) vet . && $(GO) test -count=1 .
	cd deploy/enginetest && $(GO) vet . && $(GO) test -count=1 -v -timeout 60m .

scale: ## the status page with 2,000 campaigns and 100,000 numbers
	GREENLIGHT_SCALE=2000 $(GO) test -count=1 -v -run '^TestScale$$' ./internal/status/page

size: ## what make build makes: how large it is, what it says of itself, and that it is the same from another folder
	GREENLIGHT_SIZE=1 $(GO) test -count=1 -v -run '^TestBuild_' ./deploy/release

reproduce: ## make size, with nothing kept from an earlier build: some minutes
	GREENLIGHT_SIZE=fresh $(GO) test -count=1 -v -timeout 60m -run '^TestBuild_' ./deploy/release

torture: ## real processes killed, frozen and lied to for TORTURE (5m), fifty kills at least, with a checker over all of it
	GREENLIGHT_TORTURE=$(TORTURE) GREENLIGHT_TORTURE_SEED=$(SEED) $(GO) test -race -count=1 -timeout 60m -v -run '^TestTorture$$' ./internal/torture

trouble: ## the front door under load while NATS is killed, silent and full: more rounds than make test has
	GREENLIGHT_TROUBLE=1 $(GO) test -race -count=1 -v ./internal/trouble

demo: ## the whole way once, against the simulated Telnyx
	$(GO) run ./cmd/greenlight demo

sdk: ## Telnyx's own SDK for Node against greenlight simulator, where node, npm and its registry are
	@set -e; command -v node >/dev/null && command -v npm >/dev/null || { echo "no node and npm here: Telnyx's SDK is not tried"; exit 0; }; \
	  folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	  $(GO) build -o "$$folder/greenlight" ./cmd/greenlight; \
	  cmd/greenlight/testdata/sdk/run.sh "$$folder/greenlight"

build: ## the three binaries, static, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w $(STAMP)' -o $(BIN) ./cmd/...

$(SYFT):
	GOBIN=$(@D) $(GO) install github.com/anchore/syft/cmd/syft@$(SYFT_VERSION)

snapshot: $(SYFT) ## a release on trial, into dist/, and whether its archives, checksums and lists of parts are right: two minutes, and the first time, which builds goreleaser and syft as well, up to half an hour
	$(GORELEASER) release --snapshot --clean
	GREENLIGHT_SNAPSHOT=1 $(GO) test -count=1 -v -run '^TestSnapshot_' ./deploy/release

release: notes $(SYFT) ## a draft of the release whose tag is checked out, with NOTES, a file that has its part of CHANGELOG.md
	$(GORELEASER) release --clean --release-notes "$(NOTES)"

notes:
	@test -n "$(NOTES)" || { echo "NOTES=file is missing"; exit 1; }

fuzz: ## each fuzz target for FUZZTIME
	@set -e; for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "== $$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

bench: scale ## the benchmarks, with allocations; those of the front door with 40,000 events each, and the status page at full size
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v -e /cmd/greenlight -e /internal/webhook)
	$(GO) test -run '^$$' -bench 'Deliver|Handle|Up' -benchtime 40000x -benchmem -timeout 30m ./internal/webhook ./cmd/greenlight
	$(GO) test -run '^$$' -bench 'Trace|Cost|Connection' -benchmem ./internal/webhook

capacity: ## a ledger of 10,000 campaigns and 500,000 numbers: disk, memory, start, calls; a quarter of an hour
	GREENLIGHT_CAPACITY=10000x50 $(GO) test -run '^$$' -bench Capacity -benchtime 1x -timeout 60m ./cmd/greenlight

memory: ## what a million events cost in memory, and whether it is given back: a third of an hour
	GREENLIGHT_MEMORY=yes $(GO) test -run '^$$' -bench Memory -benchtime 1000000x -timeout 60m ./cmd/greenlight
