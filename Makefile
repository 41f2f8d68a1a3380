# SPDX-License-Identifier: Apache-2.0
# Targets and rules only; settings are in config.mk. `make help` lists the targets.

include config.mk

CONFIG-no        := release
CONFIG-address   := san-address
CONFIG-undefined := san-undefined
CONFIG-thread    := san-thread
B   := build/$(CONFIG-$(SAN))
BIN := build/bin
TESTSAN ?= address

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PRECIOUS: $(B)/gen/%_suites.h
.SUFFIXES:
.PHONY: FORCE

# ---- sources: found by folder, so adding a file needs no change here -------------------------

COMMON := $(sort $(wildcard common/*.c))
SERVER := $(sort $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c)))
# Portable agent code: in the Windows agent, the simulator and the tests.
AGENT  := $(sort $(wildcard agent/core/*.c agent/nt/*.c agent/pe/*.c))
SIM    := $(AGENT) $(sort $(wildcard agent/sim/*.c))
UNIT   := $(sort $(wildcard tests/unit/test_*.c))
DBTEST := $(sort $(wildcard tests/db/test_*.c))
SUPPORT := $(sort $(wildcard tests/support/*.c))
FUZZ   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
WEB    := $(sort $(shell find web -type f \( -name '*.js' -o -name '*.css' -o -name '*.html' -o -name '*.svg' \) -not -path '*/node_modules/*' -not -path 'web/test/*' 2>/dev/null))
SQL    := $(sort $(wildcard schema/sql/*.sql schema/repeatable/*.sql))
SCHEMA := $(sort $(wildcard schema/pooltags.tsv schema/openapi.yaml schema/known_leaks.json))

objects = $(patsubst %.c,$(B)/%.o,$(1))
SIM_MAIN := agent/sim/main.c
SIM_LIB  := $(filter-out $(SIM_MAIN),$(SIM))
EMBEDDED := $(B)/gen/embedded.o

.PHONY: all
all: $(B)/poolfleetd $(B)/poolfleet-sim $(if $(filter no,$(SAN)),links) ## the server and the simulator

# build/bin names the release build; a sanitized build must not slip in under it.
.PHONY: links
links: $(B)/poolfleetd $(B)/poolfleet-sim
	@mkdir -p $(BIN)
	@for f in $^; do ln -sfn ../../$$f $(BIN)/$$(basename $$f); done

# ---- compile -----------------------------------------------------------------------------------

# Flags changed: everything is built again. The stamp is rewritten only when its text differs.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)' | cmp -s - $@ || \
	 echo '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)' > $@

$(B)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(B)/tests/%.o: private CPPFLAGS_ALL += -I$(B)/gen -Wno-missing-prototypes

# ---- files inside the server: page, migrations, tag list, API document -------------------------

WEB_ROOT := build/web
VENDOR   := web/node_modules/.installed
$(VENDOR): web/package.json $(wildcard web/package-lock.json)
	$(call say,NPM,web)
	$(Q)scripts/npm_ci.sh web
	@touch $@

$(WEB_ROOT)/.stamp: $(WEB) $(VENDOR) scripts/web_root.sh
	$(call say,WEB,$(WEB_ROOT))
	$(Q)scripts/web_root.sh $(WEB_ROOT)
	@touch $@

build/tools/embed: tools/embed.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 -o $@ $<

# Writes recorded kernel answers for the agent's Replay setting.
REPLAY_SRC := tests/agent/make_replay.c tests/support/nt_blobs.c $(sort $(wildcard agent/nt/*.c)) \
              $(filter-out common/snapshot_json.c,$(COMMON))
build/tools/make_replay: $(REPLAY_SRC) tests/support/nt_blobs.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O1 $(WARNINGS) -o $@ $(REPLAY_SRC) -lm

$(B)/gen/embedded.c: build/tools/embed $(WEB_ROOT)/.stamp $(SQL) $(SCHEMA)
	$(call say,EMBED,$@)
	@mkdir -p $(@D)
	$(Q)build/tools/embed embedded_web=$(WEB_ROOT) embedded_sql=schema/sql \
	 embedded_repeatable=schema/repeatable embedded_schema=schema > $@

$(EMBEDDED): $(B)/gen/embedded.c
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# ---- link --------------------------------------------------------------------------------------

$(B)/libserver.a: $(call objects,$(COMMON) $(SERVER)) $(EMBEDDED)
$(B)/libsim.a: $(call objects,$(COMMON) $(SIM_LIB))
$(B)/lib%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/poolfleetd: $(B)/server/main.o $(B)/libserver.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS-server)

$(B)/poolfleet-sim: $(call objects,$(SIM_MAIN)) $(B)/libsim.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS-sim)

# ---- the Windows agent: one exe a target, cross-compiled ----------------------------------------
# build/agent/{x64,x86}/poolfleet-agent.exe and build/agent/*.msi. Reproducible: no time stamps, no
# paths of this machine.

WIN     := $(sort $(wildcard agent/win/*.c))
WIN_RES := $(wildcard agent/win/agent.rc agent/win/agent.manifest agent/win/messages.mc)
# snapshot_json.c needs jansson, which the agent does not have: it only writes JSON.
WIN_SRC := $(filter-out common/snapshot_json.c,$(COMMON)) $(AGENT) $(WIN)
AGENT_EXES := $(WA)/x64/poolfleet-agent.exe $(WA)/x86/poolfleet-agent.exe

define agent_arch # $(1): x64 or x86
$(WA)/$(1)/flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$(MINGW-$(1))gcc $$(CPPFLAGS-win) $$(CFLAGS-win) $$(CFLAGS-win-$(1)) $$(LDFLAGS-win) $$(LDFLAGS-win-$(1))' | cmp -s - $$@ || \
	 echo '$$(MINGW-$(1))gcc $$(CPPFLAGS-win) $$(CFLAGS-win) $$(CFLAGS-win-$(1)) $$(LDFLAGS-win) $$(LDFLAGS-win-$(1))' > $$@
$(WA)/$(1)/%.o: %.c $(WA)/$(1)/flags | $(WA)/gen/messages.h
	$$(call say,CC-$(1),$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(MINGW-$(1))gcc $$(CPPFLAGS-win) $$(CFLAGS-win) $$(CFLAGS-win-$(1)) -MMD -MP -c -o $$@ $$<
$(WA)/$(1)/agent.res.o: $$(WIN_RES) $(WA)/gen/messages.h $(WA)/$(1)/flags
	$$(call say,RES-$(1),agent/win/agent.rc)
	$$(Q)$$(MINGW-$(1))windres -I$(WA)/gen -Iagent/win $$(DEFINES-rc) -o $$@ agent/win/agent.rc
$(WA)/$(1)/poolfleet-agent.exe: $$(patsubst %.c,$(WA)/$(1)/%.o,$$(WIN_SRC)) $(WA)/$(1)/agent.res.o
	$$(call say,LINK,$$@)
	$$(Q)$$(MINGW-$(1))gcc $$(LDFLAGS-win) $$(LDFLAGS-win-$(1)) -o $$@ $$^ $$(LIBS-win)
	$$(Q)$$(SIGN) $$@
endef
$(foreach arch,x64 x86,$(eval $(call agent_arch,$(arch))))

# The event log's message table; its numbers are the same for both architectures.
$(WA)/gen/messages.h: agent/win/messages.mc
	$(call say,MC,$<)
	@mkdir -p $(@D)
	$(Q)cd $(@D) && $(MINGW-x64)windmc -U $(CURDIR)/$<

.PHONY: agent agent-exe agent-msi
agent: ## the Windows agent: exe and MSI, x64 and x86
	@scripts/deps.sh agent
	@$(MAKE) --no-print-directory agent-exe agent-msi
agent-exe: $(AGENT_EXES)
agent-msi: $(AGENT_EXES)
	@scripts/msi.sh

# ---- tests -------------------------------------------------------------------------------------
# Each tests/unit/test_x.c offers `Suite *x_suite(void)`; the runner's list is made from the names.

$(B)/gen/%_suites.h: FORCE
	@mkdir -p $(@D)
	@for f in $(patsubst tests/$*/test_%.c,%,$(sort $(wildcard tests/$*/test_*.c))); do echo "SUITE($$f)"; done \
	 | cmp -s - $@ || for f in $(patsubst tests/$*/test_%.c,%,$(sort $(wildcard tests/$*/test_*.c))); do echo "SUITE($$f)"; done > $@

# The runner is compiled once per kind, with the list of that kind.
$(B)/tests/runner_%.o: tests/support/runner/runner.c $(B)/gen/%_suites.h $(B)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -DSUITES='"$(B)/gen/$*_suites.h"' -c -o $@ $<

$(B)/test-unit: $(B)/tests/runner_unit.o $(call objects,$(UNIT) $(SUPPORT) $(SIM_LIB)) $(B)/libserver.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS-server) $(LIBS-sim) $(LIBS-test)

$(B)/test-db: $(B)/tests/runner_db.o $(call objects,$(DBTEST) $(SUPPORT) $(SIM_LIB)) $(B)/libserver.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS-server) $(LIBS-sim) $(LIBS-test)

# Labelled fleets against the analysis, and against what people use instead (docs/detection.md).
DETECT := $(sort $(wildcard tests/detect/*.c))
HALF   ?= reporting
$(B)/bench-detect: $(call objects,$(DETECT)) $(B)/libserver.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS-server)

# The same analysis with thresholds that can be scaled while it runs: what does each of them do?
TUNED     := $(B)/tuned
TUNED_SRC := $(notdir $(wildcard server/analyze/*.c)) tuned_table.c
$(TUNED)/stamp: tests/detect/tuned/sources.awk docs/detection.md $(wildcard server/analyze/*.c)
	@mkdir -p $(@D)
	$(Q)awk -v out=$(@D) -f $^
	@touch $@
$(patsubst %,$(TUNED)/%,$(TUNED_SRC)): $(TUNED)/stamp ;
$(TUNED)/%.o: $(TUNED)/%.c
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Wno-sign-compare -Wno-sign-conversion -c -o $@ $<
$(B)/bench-tuned: $(call objects,tests/detect/tuned/main.c $(filter-out tests/detect/main.c,$(DETECT))) \
                  $(patsubst %.c,$(TUNED)/%.o,$(TUNED_SRC)) $(B)/libserver.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS-server)

.PHONY: bench-detect detect-bin
detect-bin: $(B)/bench-detect
bench-detect: $(B)/bench-detect ## labelled fleets: scores of the analysis and of ten baselines
	@mkdir -p build/bench
	$(Q)BENCH_COMMIT=$$(git rev-parse --short HEAD) $< --half $(HALF) --json build/bench/detect.json

# A real process that spools while it is killed at random.
build/tools/kill_spool: tests/agent/kill_spool.c agent/core/spool.c tests/support/files_posix.c $(filter-out common/snapshot_json.c,$(COMMON))
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 $(WARNINGS) -o $@ $^ -lz -lm

# Load client of the benchmarks.
build/tools/load: tests/bench/load.c common/cbor.c common/strbuf.c common/utf8.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 -Wall -Wextra -o $@ $^ -lgnutls -lpthread -lm

# What the machine can do at most, beside which ingest is measured.
build/tools/probe: tests/bench/probe.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 -Wall -Wextra -o $@ $^ -lmicrohttpd -lpq -lpthread

# The same fleet written to what people use instead.
build/tools/peer: tests/bench/peer.c common/strbuf.c common/utf8.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 -Wall -Wextra -o $@ $^ -lpq -lpthread -lm

# Sizes on disk and reading times, with the store itself.
STORE_BENCH := tests/bench/store_main.c tests/bench/store_storage.c tests/bench/store_query.c tests/bench/store_pass.c tests/bench/store_lines.c \
               tests/support/churn.c tests/support/fleetgen.c agent/core/changes.c agent/core/gzip.c
$(B)/bench-store: $(call objects,$(STORE_BENCH)) $(B)/libserver.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS-server)
.PHONY: bench-store-bin
bench-store-bin: $(B)/bench-store

build/tools/bench_agent: tests/bench/agent.c agent/core/changes.c agent/core/gzip.c $(wildcard agent/nt/*.c) \
                         tests/support/fake_kernel.c tests/support/nt_blobs.c $(filter-out common/snapshot_json.c,$(COMMON))
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 $(WARNINGS) -o $@ $^ -lz -lm

# Fuzz targets: clang's libFuzzer over the whole server library, in a configuration of its own.
FB := build/fuzz
FUZZ_FLAGS := -std=gnu11 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
$(FB)/%.o: %.c
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
$(FB)/embedded.o: $(B)/gen/embedded.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(FUZZ_FLAGS) -c -o $@ $<
$(FB)/libserver.a: $(patsubst %.c,$(FB)/%.o,$(COMMON) $(SERVER) $(AGENT)) $(FB)/embedded.o
	$(Q)rm -f $@ && ar rcs $@ $^
$(FB)/bin/%: $(FB)/tests/fuzz/%.o $(FB)/libserver.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS-server)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(FB)/bin/%,$(FUZZ))

.PHONY: check check-unit check-db check-http check-agent check-web check-torture check-diagnose check-fuzz check-scenarios check-deps
check: ## everything from nothing, then all tests; last line "N passed, N failed"
	@scripts/check.sh all
check-unit: ## Check suites under ASan and UBSan (or SAN=thread ...)
	@scripts/check.sh unit
check-db: ## Check suites against a private PostgreSQL
	@scripts/check.sh db
check-http: ## black-box tests of the running server
	@scripts/check.sh http
check-web: ## the page in a headless browser
	@scripts/check.sh web
check-torture: ## the faults harness, about a minute
	@scripts/check.sh torture
check-agent: ## the Windows agent: packages, drivers, spool, and under Wine
	@scripts/check.sh agent
check-diagnose: ## captures of ../shared/samples, field by field
	@scripts/check.sh diagnose
check-fuzz: ## each fuzz target for some seconds over its corpus
	@scripts/check.sh fuzz
check-scenarios: ## simulated incidents through the whole pipeline
	@scripts/check.sh scenarios
check-deps: ## the direction of includes
	@scripts/check_deps.sh

.PHONY: test-unit-bin test-db-bin fuzz-bin
test-unit-bin: $(B)/test-unit
test-db-bin: $(B)/test-db
fuzz-bin: $(FUZZ_BIN)

.PHONY: fuzz
fuzz: fuzz-bin ## fuzz for hours: FUZZ_SECONDS=3600 a target
	@scripts/fuzz.sh $${FUZZ_SECONDS:-3600}

# Round after round of faults under load on the release build, or a steady load (docs/torture.md).
TORTURE_SECONDS ?= 1800
SOAK_SECONDS    ?=
TORTURE         ?=
.PHONY: torture
torture: all ## faults under load: TORTURE_SECONDS=1800 SEED=n; or steady: SOAK_SECONDS=3600
	@$(if $(SOAK_SECONDS),node tests/torture/soak.mjs --seconds $(SOAK_SECONDS) $(TORTURE),node \
	 tests/torture/torture.mjs --seconds $(TORTURE_SECONDS) $(if $(SEED),--seed $(SEED)) $(TORTURE))

# ---- people ------------------------------------------------------------------------------------

.PHONY: demo demo-agent demo-clean bench lint format format-check install clean help
demo: ## from nothing to a fleet on a page (DEMO_ONESHOT=1: verify and exit)
	@scripts/demo.sh
demo-agent: ## beside a running demo: the Windows agent under Wine, as one more host (simulated)
	@scripts/demo_agent.sh
demo-clean: ## remove the demo's data
	@scripts/demo.sh clean
bench: ## all benchmarks; results in build/bench/
	@scripts/bench.sh all
bench-%: ## one benchmark
	@scripts/bench.sh $*
lint: ## clang-tidy and cppcheck
	@scripts/lint.sh
format: ## clang-format every C file
	$(Q)clang-format -i $(shell git ls-files '*.c' '*.h')
format-check:
	$(Q)clang-format --dry-run --Werror $(shell git ls-files '*.c' '*.h')
clean: ## remove what was built, keep the demo's data
	rm -rf build/release build/san-* build/fuzz build/bin build/tools build/web build/agent

PREFIX ?= /usr/local
install: all ## into DESTDIR (PREFIX=/usr/local)
	install -D -m 755 $(BIN)/poolfleetd $(DESTDIR)$(PREFIX)/bin/poolfleetd
	install -D -m 755 $(BIN)/poolfleet-sim $(DESTDIR)$(PREFIX)/bin/poolfleet-sim
	install -D -m 644 deploy/poolfleetd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/poolfleetd.service
	install -D -m 644 schema/openapi.yaml $(DESTDIR)$(PREFIX)/share/poolfleet/openapi.yaml
	install -D -m 644 schema/pooltags.tsv $(DESTDIR)$(PREFIX)/share/poolfleet/pooltags.tsv
	install -D -m 644 schema/known_leaks.json $(DESTDIR)$(PREFIX)/share/poolfleet/known_leaks.json
	install -D -m 644 schema/known_leaks.schema.json $(DESTDIR)$(PREFIX)/share/poolfleet/known_leaks.schema.json
	install -d $(DESTDIR)$(PREFIX)/share/poolfleet/grafana
	install -m 644 deploy/grafana/*.json $(DESTDIR)$(PREFIX)/share/poolfleet/grafana

help: ## this list
	@awk -F':.*## ' '/^[a-z%-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  SAN=address|undefined|thread|no   V=1   WERROR=1   DESTDIR=   PREFIX="

-include $(shell find $(B) build/fuzz build/agent -name '*.d' 2>/dev/null)
