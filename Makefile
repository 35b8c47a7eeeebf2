# All commands of this repository. `make help` lists them.

GO          ?= go
BUILD_TAGS  := remove_all_sd
LINT        := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# The race detector needs a C compiler; a machine without one tests without it.
RACE        := $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)
BENCH_TIME  ?= 1s

.PHONY: build
build: bin/otelcol-ccaas bin/ccaassim ## build the collector and the simulator into bin/

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

# Go decides what is up to date, so it always runs.
.PHONY: bin/otelcol-ccaas
bin/otelcol-ccaas:
	$(GO) build -trimpath -tags $(BUILD_TAGS) -ldflags "-s -w" -o $@ ./distribution

.PHONY: bin/ccaassim
bin/ccaassim:
	$(GO) build -trimpath -o $@ ./cmd/ccaassim

.PHONY: run
run: build ## the quick start: simulator and collector, stopped by Ctrl-C
	@sh config/quickstart.sh

.PHONY: test
test: lint generated unit validate ## lint, unit and component tests, configuration checks

.PHONY: unit
unit: ## unit and component tests
	$(GO) test $(RACE) ./...

.PHONY: validate
validate: build ## load every configuration and every YAML block in a README with the built collector
	$(GO) test -tags e2e -run '^TestValidate' -count=1 ./e2e/...

.PHONY: e2e
e2e: build packages bin/prometheus bin/promtool bin/alertmanager bin/amtool bin/kafka bin/timescaledb bin/oidc bin/opensearch servers chromium ## the built binaries against real servers
	$(GO) test -tags e2e -count=1 -timeout 30m -parallel 6 ./e2e/...

bin/prometheus: go.mod go.sum
	$(GO) build -trimpath -tags remove_all_sd -ldflags "-s -w" -o $@ github.com/prometheus/prometheus/cmd/prometheus
	@touch $@

ALERTMANAGER := v0.31.1
bin/alertmanager: Makefile
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod $(GO) install -trimpath -ldflags "-s -w" github.com/prometheus/alertmanager/cmd/alertmanager@$(ALERTMANAGER)
	@touch $@

AMTOOL := v0.34.2
bin/amtool: Makefile
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod $(GO) install -trimpath -ldflags "-s -w" github.com/prometheus/alertmanager/cmd/amtool@$(AMTOOL)
	@touch $@

bin/promtool: go.mod go.sum
	$(GO) build -trimpath -tags remove_all_sd -ldflags "-s -w" -o $@ github.com/prometheus/prometheus/cmd/promtool
	@touch $@

# Without Java or Maven the tests with a real Kafka are skipped.
bin/kafka: e2e/testdata/kafka/pom.xml
	@if command -v java >/dev/null && command -v mvn >/dev/null; then \
		rm -rf $@ && mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@ && touch $@; \
	else echo "Java or Maven is not installed: the tests with a real Kafka are skipped"; fi

# TimescaleDB compiled to WASM. A machine without npm tests the rest.
bin/timescaledb: e2e/testdata/timescaledb/package-lock.json
	@if command -v npm >/dev/null; then \
		rm -rf $@ && mkdir -p $@ && cp e2e/testdata/timescaledb/package*.json $@ && npm ci --silent --no-audit --no-fund --legacy-peer-deps --prefix $@ && touch $@; \
	else echo "npm is not there: the tests with TimescaleDB are skipped"; fi

# An OAuth 2 server. A machine without npm tests the rest.
bin/oidc: e2e/testdata/oidc/package-lock.json
	@if command -v npm >/dev/null; then \
		rm -rf $@ && mkdir -p $@ && cp e2e/testdata/oidc/package*.json $@ && npm ci --silent --no-audit --no-fund --prefix $@ && touch $@; \
	else echo "npm is not there: the tests with an OAuth server are skipped"; fi

# OpenSearch of one node, with a main class of ours.
bin/opensearch: e2e/testdata/opensearch/pom.xml e2e/testdata/opensearch/Server.java
	@if command -v javac >/dev/null && command -v mvn >/dev/null; then \
		rm -rf $@ && mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@ && \
		javac -nowarn -cp '$@/*' -d $@ e2e/testdata/opensearch/Server.java && touch $@; \
	else echo "a JDK or Maven is not there: the tests with a real OpenSearch are skipped"; fi

# Servers that Debian has.
SERVERS := postgresql influxdb chrony faketime rabbitmq-server
.PHONY: servers
servers:
	@for package in $(SERVERS); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "not installed:$$missing. The tests with these servers are skipped (on Debian: apt-get install$$missing)"; fi

# What takes minutes to build is built once per version, outside of the checkout.
CACHE    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/otelcol-ccaas
TELEGRAF := v1.37.2
TELEGRAF_TAGS := custom,inputs.http_listener_v2,parsers.prometheusremotewrite,outputs.file,outputs.influxdb,outputs.influxdb_v2,outputs.postgresql,serializers.influx
$(CACHE)/telegraf-$(TELEGRAF):
	@mkdir -p $@.build && cd $@.build && printf 'module telegraf.build\ngo 1.26\n' >go.mod && \
		GOFLAGS=-mod=mod $(GO) get -tool github.com/influxdata/telegraf/cmd/telegraf@$(TELEGRAF) && \
		GOFLAGS=-mod=mod CGO_ENABLED=0 $(GO) build -trimpath -tags $(TELEGRAF_TAGS) -ldflags "-s -w" -o $@.new github.com/influxdata/telegraf/cmd/telegraf && \
		mv $@.new $@ && rm -rf $@.build

JAEGER := v1.76.0
$(CACHE)/jaeger-$(JAEGER):
	@mkdir -p $@.build && cd $@.build && printf 'module jaeger.build\ngo 1.26\n' >go.mod && \
		GOFLAGS=-mod=mod $(GO) get -tool github.com/jaegertracing/jaeger/cmd/jaeger@$(JAEGER) && \
		GOFLAGS=-mod=mod CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o $@.new github.com/jaegertracing/jaeger/cmd/jaeger && \
		mv $@.new $@ && rm -rf $@.build

bin/jaeger: $(CACHE)/jaeger-$(JAEGER)
	@mkdir -p bin && ln -sf $< $@

bin/telegraf: $(CACHE)/telegraf-$(TELEGRAF)
	@mkdir -p bin && ln -sf $< $@

# One of them: make e2e-real REAL=Telegraf.
REAL ?= Telegraf Jaeger
.PHONY: e2e-real
e2e-real: build servers bin/prometheus ## what needs a server that takes minutes to build: Telegraf, Jaeger
	@for server in $(REAL); do \
		$(MAKE) bin/$$(echo $$server | tr '[:upper:]' '[:lower:]') && \
		$(GO) test -tags e2e -count=1 -timeout 10m -run "^TestReal_$$server" ./e2e/ || exit 1; \
	done

# The page is tested in a real browser.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || \
		{ echo "the tests of the page need the browser chromium: install it (on Debian: apt-get install chromium)"; exit 1; }

.PHONY: bench
bench: build bin/prometheus chromium ## all benchmarks, then the complete path, then the table of budgets
	$(GO) test -run '^$$' -bench . -benchtime $(BENCH_TIME) ./receiver/... ./processor/... ./connector/... ./exporter/... ./extension/... ./wsevent/... ./internal/partitioned ./testbed/...
	$(GO) test -tags e2e -run '^$$' -bench . -benchtime 1x ./e2e/...

# One scenario: make faults RUN=TestName.
RUN ?= TestFault
.PHONY: faults
faults: build bin/prometheus bin/kafka servers ## fault injection, load and hostile input (docs/reliability.md)
	@rm -f build/faults.md
	FAULTS=full $(GO) test -tags e2e -run '^$(RUN)' -count=1 -timeout 90m -parallel 12 ./e2e/
	@cat build/faults.md 2>/dev/null || true

VULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
.PHONY: vulncheck
vulncheck: ## known vulnerabilities in called code; VULNDB=file:///path takes a copy of the database, without a network
	$(GO) mod verify
	$(GO) run $(VULNCHECK) $(if $(VULNDB),-db $(VULNDB)) -tags $(BUILD_TAGS) ./distribution

FUZZ_TIME ?= 30s
.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_TIME
	@grep -rHoE --include='*_test.go' '^func (Fuzz[A-Za-z0-9]+)' . | sed -E 's/:func /:/' | while IFS=: read -r file target; do \
		echo "$$target in $$(dirname $$file)"; \
		$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) "$$(dirname $$file)" || exit 1; \
	done

# Fuzzing writes new inputs into Go's cache; some of each target are kept beside the tests.
.PHONY: corpus
corpus: ## copy some of the inputs that make fuzz has found into testdata/fuzz
	@cache="$$($(GO) env GOCACHE)/fuzz/$$($(GO) list -m)"; \
	grep -rHoE --include='*_test.go' '^func (Fuzz[A-Za-z0-9]+)' . | sed -E 's/:func / /' | while read -r file target; do \
		package=$$(dirname $$file); to=$$package/testdata/fuzz/$$target; mkdir -p $$to; \
		find "$$cache/$$package/$$target" -type f -size -2k -printf '%s %p\n' 2>/dev/null | sort -n | tail -n 8 | cut -d' ' -f2 | xargs -r cp -n -t $$to; \
	done

.PHONY: lint
lint: ## golangci-lint, including the e2e tests; retired words (internal/vocabulary)
	$(LINT) run ./...
	$(GO) test ./internal/vocabulary

.PHONY: generate
generate: ## metadata, documentation and status blocks of the components; dashboards, rules and queries; the page, where npm is
	$(GO) generate ./...
	@if command -v npm >/dev/null; then $(MAKE) page; else echo "npm is not installed, so the page is not built"; fi

PAGE := extension/dashboardextension/page
.PHONY: page
page: ## the live page: from TypeScript to the bundle that is embedded (needs Node and npm)
	cd $(PAGE) && npm ci && npm run check && npm test && npm run build

GENERATED := config distribution receiver processor connector exporter extension dashboards deploy docs/traceability.md config/README.md go.mod go.sum
.PHONY: generated
generated: ## fail if a generated file or go.mod is not current
	@sh $(PAGE)/current.sh
	@sh -c 'before=$$(mktemp -d) && trap "rm -rf $$before" EXIT && \
		tar -cf - --exclude=node_modules $(GENERATED) | tar -xf - -C "$$before" && \
		$(GO) generate ./... && $(GO) mod tidy && \
		for path in $(GENERATED); do \
			diff -r -x node_modules "$$before/$$path" $$path || { echo "generated files are not current: run make generate, go mod tidy, and commit"; exit 1; }; \
		done'

VERSION     ?= 0.1.0
BINARY      ?= bin/otelcol-ccaas
NFPM        := $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
.PHONY: packages
packages: ## .deb and .rpm of BINARY, in build/packages
	@test -f $(BINARY) || { echo "$(BINARY) does not exist: run make build first" >&2; exit 1; }
	@mkdir -p build/packages
	@arch=$${GOARCH:-$$($(GO) env GOARCH)}; \
	CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags "-s -w" -o build/alertreplay-$$arch ./cmd/alertreplay || exit 1; \
	for format in deb rpm; do \
		ALERTREPLAY=build/alertreplay-$$arch BINARY=$(BINARY) VERSION=$(VERSION) PACKAGE_ARCH=$$arch GOARCH= \
			$(NFPM) package --config deploy/packages/nfpm.yaml --packager $$format --target build/packages/ || exit 1; \
	done

SYSTEMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
.PHONY: cross
cross: ## compile the collector for each of SYSTEMS
	@for system in $(SYSTEMS); do echo "$$system" && \
		CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) build -trimpath -tags $(BUILD_TAGS) -o /dev/null ./distribution || exit 1; \
	done

.PHONY: clean
clean: ## remove build output
	rm -rf bin build
