# Commands for contributors. CI runs `make check`.

GO ?= go
# Tools are pinned here, so that go.mod has only the program's modules. go vet is that of
# the Go in go.mod. GOTOOLCHAIN=auto would let a tool bring another Go.
STATICCHECK_VERSION = v0.8.2
GOVULNCHECK_VERSION = v1.9.0
GORELEASER_VERSION = v2.16.0
SYFT_VERSION = v1.57.1
# They are built once with each Go, whose code only tools built with it can read, into a
# folder outside the repository.
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/greenlight-tools
GOVERSION := $(shell $(GO) env GOVERSION)
STATICCHECK = $(TOOLS)/staticcheck-$(STATICCHECK_VERSION)-$(GOVERSION)/staticcheck
GOVULNCHECK = $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)-$(GOVERSION)/govulncheck
GORELEASER = $(TOOLS)/goreleaser-$(GORELEASER_VERSION)-$(GOVERSION)/goreleaser
SYFT = $(TOOLS)/syft-$(SYFT_VERSION)-$(GOVERSION)/syft
FUZZTIME ?= 30s
# What make quick compares with.
BASE ?= HEAD
# How long make torture runs, and the seed of its first world; random if empty.
TORTURE ?= 5m
SEED ?=
# The version that the programs print: from deploy/version.sh or the environment.
checkedout = $(patsubst $(1)=%,%,$(filter $(1)=%,$(shell sh deploy/version.sh print)))
VERSION ?= $(call checkedout,VERSION)
COMMIT ?= $(call checkedout,COMMIT)
DATE ?= $(call checkedout,DATE)
STAMP = -X greenlight/internal/app.version=$(VERSION) \
  -X greenlight/internal/app.commit=$(COMMIT) \
  -X greenlight/internal/app.date=$(DATE)
# The output folder of make build.
BIN ?= bin/

.DEFAULT_GOAL := help
.PHONY: help quick vulnerable generated check format vet test engines scale size reproduce torture trouble demo sdk fuzz bench memory capacity build snapshot release notes

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  %-11s %s\n", $$1, $$2 }'

check: format vet vulnerable test scale size demo sdk ## run all CI checks

# Tests of some seconds, which make quick leaves to make test.
SLOW = Scripts|PlanDiff|FullCampaign|Complaint|HasLostIt|Scale|Browser|Forbidden|Urgent|Takeover|Torture

# Tests of deploy/deploytest that start programs.
RUNNING = Run|KeepsOne|WithoutAStop

quick: format ## vet and test the packages that have changed since BASE (HEAD), without slow tests; under 20 s once built
	@set -e; folders=$$({ git diff --name-only --diff-filter=d $(BASE); git ls-files --others --exclude-standard; } | while read -r file; do \
	    case $$file in \
	      deploy/package/*) echo ./cmd/greenlight ;; \
	      deploy/release/plantest/* | deploy/monitoring/ruletest/*) ;; \
	      cmd/*/* | config/* | internal/*/* | deploy/release/* | deploy/monitoring/*) \
	        file=$$(dirname $$file); until ls $$file/*.go >/dev/null 2>&1 || [ $$file = . ]; do file=$$(dirname $$file); done; echo ./$$file ;; \
	      deploy/*) echo deploytest ;; \
	    esac; done | sort -u); \
	  test -n "$$folders" || { echo "no package has changed since $(BASE)"; exit 0; }; \
	  echo $$folders; packages=$$(echo "$$folders" | grep -vxF -e deploytest -e ./. || true); \
	  test -z "$$packages" || { $(GO) vet $$packages; $(GO) test -short -skip "$(FULL)|$(SLOW)" $$packages; }; \
	  case $$folders in *deploytest*) cd deploy/deploytest; $(GO) vet .; $(GO) test -skip "$(RUNNING)" . ;; esac

format: ## fail if gofmt would change anything
	@changed=$$(gofmt -l cmd config deploy internal); test -z "$$changed" || { echo "gofmt would change:"; echo "$$changed"; exit 1; }

$(STATICCHECK):
	GOBIN=$(@D) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
$(GOVULNCHECK):
	GOBIN=$(@D) $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
$(GORELEASER):
	GOBIN=$(@D) $(GO) install github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION)
$(SYFT):
	GOBIN=$(@D) $(GO) install github.com/anchore/syft/cmd/syft@$(SYFT_VERSION)

# The database of vulnerabilities: a URL, or file:// and a folder. Govulncheck exits with 3
# if it found something. Only if the database cannot be read do the other checks run anyway.
GOVULNDB ?= https://vuln.go.dev

vulnerable: $(GOVULNCHECK) ## fail if the programs call code with a known vulnerability; needs vuln.go.dev
	@out=$$($(GOVULNCHECK) -db=$(GOVULNDB) ./... 2>&1); code=$$?; echo "$$out"; \
	  case $$code in 0 | 3) exit $$code ;; esac; \
	  echo "$$out" | grep -q -e '^govulncheck: fetching vulnerabilities: ' -e '^creating client: ' || exit $$code; \
	  echo "NOT CHECKED FOR VULNERABILITIES: $(GOVULNDB) cannot be read"

vet: $(STATICCHECK) ## run go vet and staticcheck
	$(GO) vet ./...
	$(STATICCHECK) ./...
	cd deploy/monitoring/ruletest && $(GO) vet .
	cd deploy/deploytest && $(GO) vet .
	cd deploy/linetest && $(GO) vet .
	cd deploy/release/plantest && $(GO) vet .

# Suites of which the usual run has a part, or which the race detector makes lenient.
FULL = Dialects|EveryNotification|Flood|Cluster|OutsideServer|NoLeader|RollingRestart|Replicas|SilentServer|Hostile|Rival|Beside|TenMebibytes|GreatestSize|Torture|TwoCommands|NewPlanNames|PlanImport|Strangers|TwoReadings|KeepsItsPromises|LoadsToTheSame|EveryReason|UnknownWords|Cost_|Pace_|ASmallCampaign

test: ## run all tests with the race detector, large ones in full without it, and the test modules in deploy/
	$(GO) test -race -timeout 20m ./...
	GREENLIGHT_FULL=1 $(GO) test -timeout 20m -run "$(FULL)|Scripts|Docs" ./internal/plan ./internal/ledger ./internal/telnyx ./internal/webhook ./internal/trouble ./internal/torture ./internal/endtoend ./internal/assigner ./cmd/greenlight
	cd deploy/monitoring/ruletest && $(GO) test -count=1 .
	cd deploy/deploytest && $(GO) test .
	cd deploy/linetest && $(GO) test -count=1 .
	cd deploy/release/plantest && $(GO) test .

engines: ## run the documented kubectl and Compose commands; needs root, docker.io and busybox-static; first run 30 min
	cd deploy/clustertest && $(GO) vet . && $(GO) test -count=1 .
	cd deploy/enginetest && $(GO) vet . && $(GO) test -count=1 -v -timeout 60m .

scale: ## test the status page with 2,000 campaigns and 100,000 numbers
	GREENLIGHT_SCALE=2000 $(GO) test -count=1 -v -run '^TestScale$$' ./internal/status/page

size: ## check the size and version of the programs, and that builds are reproducible
	GREENLIGHT_SIZE=1 $(GO) test -count=1 -v -run '^TestBuild_' ./deploy/release

reproduce: ## make size with an empty build cache; some minutes
	GREENLIGHT_SIZE=fresh $(GO) test -count=1 -v -timeout 60m -run '^TestBuild_' ./deploy/release

torture: ## real processes killed and frozen, with false answers, for TORTURE (5m) and at least fifty kills; a checker over all
	GREENLIGHT_TORTURE=$(TORTURE) GREENLIGHT_TORTURE_SEED=$(SEED) $(GO) test -race -count=1 -timeout 60m -v -run '^TestTorture$$' ./internal/torture

trouble: ## load the webhook while NATS is killed, silent or full, for more rounds than make test
	GREENLIGHT_TROUBLE=1 $(GO) test -race -count=1 -v ./internal/trouble

demo: ## run the demo against the simulated Telnyx
	$(GO) run ./cmd/greenlight demo

sdk: ## test Telnyx's SDK for Node against greenlight simulator; needs node, npm and the npm registry
	@set -e; command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm are not installed: the test of Telnyx's SDK is skipped"; exit 0; }; \
	  folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	  $(GO) build -o "$$folder/greenlight" ./cmd/greenlight; \
	  cmd/greenlight/testdata/sdk/run.sh "$$folder/greenlight"

build: ## build the three static binaries in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w $(STAMP)' -o $(BIN) ./cmd/...

generated: ## write the manual page, the completions and the chart of a release
	@mkdir -p deploy/package/generated
	@set -e; cd deploy/package/generated; $(GO) build -ldflags="$(STAMP)" -o greenlight ../../../cmd/greenlight; \
	  ./greenlight man > greenlight.1; gzip -9nc greenlight.1 > greenlight.1.gz; \
	  ./greenlight completion bash > greenlight.bash; ./greenlight completion zsh > _greenlight; \
	  ./greenlight completion fish > greenlight.fish; rm greenlight; \
	  sed 's/^appVersion: .*/appVersion: "$(VERSION)"/' ../../helm/greenlight/Chart.yaml > Chart.yaml

# goreleaser finds syft in PATH.
snapshot: $(GORELEASER) $(SYFT) ## build a test release in dist/, check its files, and try the .deb on Debian as root; 3 min, first run 30 min
	PATH="$(dir $(SYFT)):$$PATH" $(GORELEASER) release --snapshot --clean --skip=sign
	GREENLIGHT_SNAPSHOT=1 $(GO) test -count=1 -v -run '^TestSnapshot_' ./deploy/release

release: notes $(GORELEASER) $(SYFT) ## create a draft release of the tag that is checked out; NOTES is a file with its part of CHANGELOG.md
	PATH="$(dir $(SYFT)):$$PATH" $(GORELEASER) release --clean --release-notes "$(NOTES)"

notes:
	@test -n "$(NOTES)" || { echo "NOTES=file is missing"; exit 1; }

# Only these packages are instrumented, beside the one with the target. go test -fuzz
# instruments all, NATS' server too, and each execution copies all counters: that made it
# hundreds of times slower. GOMAXPROCS=1 saves the switches between threads.
GUIDING = github.com/oasdiff/... github.com/tidwall/gjson

fuzz: ## run each fuzz target for FUZZTIME: 30s, or 10000000x
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	  for package in $$(grep -rl --include='*_test.go' '^func Fuzz' internal | xargs -n1 dirname | sort -u); do \
	    $(GO) test -c -o "$$folder/fuzz" $(GUIDING:%=-gcflags=%=-d=libfuzzer) -gcflags=./$$package=-d=libfuzzer ./$$package; \
	    for target in $$(cd $$package; "$$folder/fuzz" -test.list '^Fuzz'); do \
	      echo "== $$package $$target"; \
	      (cd $$package; GOMAXPROCS=1 "$$folder/fuzz" -test.run '^$$' -test.fuzz "^$$target$$" -test.fuzztime $(FUZZTIME) \
	        -test.fuzzminimizetime 1x -test.parallel 2 -test.fuzzcachedir "$$($(GO) env GOCACHE)/fuzz/greenlight/$$package"); \
	    done; \
	  done

bench: scale ## run the benchmarks, those of the webhook with 40,000 events each
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v -e /cmd/greenlight -e /internal/webhook)
	$(GO) test -run '^$$' -bench 'Deliver|Handle|Up' -benchtime 40000x -benchmem -timeout 30m ./internal/webhook ./cmd/greenlight
	$(GO) test -run '^$$' -bench 'Trace|Cost|Connection' -benchmem ./internal/webhook

capacity: ## measure a ledger of 10,000 campaigns and 500,000 numbers: disk, memory, start, calls; 15 min
	GREENLIGHT_CAPACITY=10000x50 $(GO) test -run '^$$' -bench Capacity -benchtime 1x -timeout 60m ./cmd/greenlight

memory: ## measure the memory for a million events, and whether it is released; 20 min
	GREENLIGHT_MEMORY=yes $(GO) test -run '^$$' -bench Memory -benchtime 1000000x -timeout 60m ./cmd/greenlight
