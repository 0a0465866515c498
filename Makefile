# The commands that a contributor needs. CI runs `make check`.

GO ?= go
# Tools are pinned here, so that go.mod stays the program's own.
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 30s

.PHONY: check format vet test demo fuzz bench build

check: format vet test demo ## everything that CI runs

format: ## fail if gofmt would change anything
	@changed=$$(gofmt -l cmd config internal); test -z "$$changed" || { echo "gofmt would change:"; echo "$$changed"; exit 1; }

vet: ## go vet and staticcheck
	$(GO) vet ./...
	$(STATICCHECK) ./...

test: ## all tests, with the race detector
	$(GO) test -race ./...

demo: ## the whole way once, against the simulated Telnyx
	$(GO) run ./cmd/greenlight demo

build: ## the three binaries, static, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/ ./cmd/...

fuzz: ## each fuzz target for FUZZTIME
	@set -e; for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "== $$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

bench: ## the benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...
