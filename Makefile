# pgsluice: one Makefile for both programs.  `make help` lists the targets.
#
# Objects go to build/FLAVOR/, the release programs to bin/.  Every *.c of pooler/
# belongs to bin/pgsluice and every *.c of analyzer/ to bin/pgassay; every *.c of
# tests/unit/PROGRAM/ is a Check program of its own and every *.c of
# tests/fuzz/PROGRAM/ a fuzzer of its own (seeds: a directory NAME.seeds beside it),
# so that adding a file needs no edit here.  All paths are relative: the tree may
# stand below a directory with a space in its name.

SHELL := /bin/bash
# What tools say is compared, and a user's language may not be installed.
export LC_ALL := C.UTF-8
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

FLAVOR ?= release
B := build/$(FLAVOR)
BIN := $(if $(filter release,$(FLAVOR)),bin,$(B)/bin)
VERSION := 0.1.0

prefix ?= /usr/local
DESTDIR ?=
INSTALL ?= install

# --- Debian's packages: to build, to run the demo, to run every test, other languages' drivers
PACKAGES_BUILD := gcc make libc6-dev pkg-config libev-dev libpq-dev libssl-dev libidn-dev libjansson-dev \
	libmicrohttpd-dev libsystemd-dev libpam0g-dev libpg-query-dev libprotobuf-c-dev \
	libarchive-dev libjs-chart.js
PACKAGES_DEMO := postgresql-15 postgresql-client-15 postgresql-15-hypopg python3-psycopg
PACKAGES_CHECK := check clang clang-format-14 dpkg-dev gcovr chromium pgbadger pgbouncer python3-asyncpg python3-psycopg2 \
	prometheus-pgbouncer-exporter \
	python3-jsonschema python3-lxml python3-pytest python3-pytest-timeout python3-pytest-xdist strace valgrind
PACKAGES_DRIVERS := default-jdk-headless golang-github-lib-pq-dev golang-go libdbd-pg-perl libpostgresql-jdbc-java \
	nodejs npm php-cli php-pgsql python3-django python3-sqlalchemy python3-yaml ruby ruby-activerecord ruby-minitest ruby-pg
PACKAGES := $(PACKAGES_BUILD) $(PACKAGES_DEMO) $(PACKAGES_CHECK) $(PACKAGES_DRIVERS)
PYTHON := /usr/bin/python3

# V=1 shows the commands instead of what they make.
V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-4s %s\n' $(1) $(2)
else
Q :=
say = @:
endif

CC ?= gcc
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef
CPPFLAGS += -D_GNU_SOURCE -DPGSLUICE_VERSION='"$(VERSION)"' -Ibuild/gen
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_broken := -O0 -g
CFLAGS_cover := -O0 -g --coverage
CFLAGS_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-omit-frame-pointer
ifeq ($(FLAVOR),fuzz)
# clang warns of casts inside OpenSSL's macros, which gcc takes as the system's.
CC := clang
WARN += -Wno-cast-qual
endif
ALL_CFLAGS = -std=gnu11 $(WARN) -fstack-protector-strong -fvisibility=hidden -ffunction-sections \
	-fdata-sections -pthread $(CFLAGS_$(FLAVOR)) $(CFLAGS)
ALL_LDFLAGS = -pthread -Wl,--gc-sections -Wl,--as-needed $(CFLAGS_$(FLAVOR)) $(LDFLAGS)

PQ_CFLAGS := $(shell pkg-config --cflags libpq 2>/dev/null)
pooler_CPPFLAGS := -Ipooler -Ianalyzer $(PQ_CFLAGS)
pooler_LIBS := -lpq -lev -lssl -lcrypto -lidn -lpam -ljansson -lmicrohttpd -lsystemd -lm
analyzer_CPPFLAGS := -Ianalyzer $(PQ_CFLAGS)
analyzer_LIBS := -lpg_query -lpq -ljansson -larchive -lm

# The one leaf the two programs share: the literal-stripping lexer and shape hash.
SHARED_SRC := $(wildcard analyzer/sql_lex*.c) analyzer/sql_hash.c

obj = $(patsubst %.c,$(B)/%.o,$(1))
POOLER_SRC := $(wildcard pooler/*.c)
ANALYZER_SRC := $(wildcard analyzer/*.c)
POOLER_OBJ := $(call obj,$(POOLER_SRC) $(wildcard $(SHARED_SRC))) $(B)/gen/sql_text.o
ANALYZER_OBJ := $(call obj,$(ANALYZER_SRC)) $(B)/gen/sql_text.o $(B)/gen/report_assets.o
UNIT_POOLER := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/pooler/*.c))
UNIT_ANALYZER := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/analyzer/*.c))
FUZZ_POOLER := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/pooler/*.c))
FUZZ_ANALYZER := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/analyzer/*.c))
FUZZERS := $(FUZZ_POOLER) $(FUZZ_ANALYZER)
TOOLS := $(B)/tests/integrity/integrity $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
FORMATTED := $(wildcard pooler/*.[ch] analyzer/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])

# A pooler with a ledger that lies: the integrity test must find it out.
ifeq ($(FLAVOR),broken)
POOLER_OBJ += $(B)/tests/integrity/broken/ledger.o
$(BIN)/pgsluice: LDFLAGS += -Wl,--wrap=ledger_reply
endif

PROGRAMS := $(BIN)/pgsluice $(BIN)/pgassay

.PHONY: all
all: $(PROGRAMS) ## build bin/pgsluice and bin/pgassay

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z_-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(BIN)/pgsluice: $(POOLER_OBJ)
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(POOLER_OBJ) $(pooler_LIBS)

$(BIN)/pgassay: $(ANALYZER_OBJ)
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(ANALYZER_OBJ) $(analyzer_LIBS)

# Archives for the tests: everything but main.o, linked only as far as needed.
$(B)/pooler.a: $(filter-out $(B)/pooler/main.o,$(POOLER_OBJ))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/analyzer.a: $(filter-out $(B)/analyzer/main.o,$(ANALYZER_OBJ))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# --- statements: sql/NAME.sql becomes `extern const char sql_NAME[]` in sql_text.h
SQL := $(sort $(wildcard sql/*.sql))
build/gen/sql_text.c: $(SQL) tests/lint/embed_sql
	@mkdir -p build/gen
	$(call say,SQL,$@)
	$(Q)sh tests/lint/embed_sql build/gen/sql_text.h build/gen/sql_text.c $(SQL)
build/gen/sql_text.h: build/gen/sql_text.c
$(B)/gen/sql_text.o: build/gen/sql_text.c
	@mkdir -p "$(@D)"
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# --- the HTML report: its script, its style and the chart library become bytes of the program
CHART_JS ?= /usr/share/javascript/chart.js/chart.min.js
REPORT_ASSETS := analyzer/report_html.css analyzer/report_html.js analyzer/report_plan.css analyzer/report_plan.js $(CHART_JS)
build/gen/report_assets.c: $(REPORT_ASSETS) tests/lint/embed_assets
	@mkdir -p build/gen
	$(call say,EMBED,$@)
	$(Q)bash tests/lint/embed_assets build/gen/report_assets.h build/gen/report_assets.c \
		report_html_css=analyzer/report_html.css report_html_js=analyzer/report_html.js \
		report_plan_css=analyzer/report_plan.css report_plan_js=analyzer/report_plan.js \
		report_chart_js=$(CHART_JS)
build/gen/report_assets.h: build/gen/report_assets.c
$(B)/analyzer/report_html.o: build/gen/report_assets.h
$(B)/gen/report_assets.o: build/gen/report_assets.c
	@mkdir -p "$(@D)"
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(B)/tests/integrity/broken/%.o: tests/integrity/broken/%.c
	@mkdir -p "$(@D)"
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(pooler_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/pooler/%.o: pooler/%.c build/gen/sql_text.h
	@mkdir -p "$(@D)"
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(pooler_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/analyzer/%.o: analyzer/%.c build/gen/sql_text.h
	@mkdir -p "$(@D)"
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(analyzer_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The status page is embedded by the assembler.
$(B)/pooler/obs_http.o: pooler/obs_status.html

# --- unit tests
$(B)/tests/unit/pooler/%: tests/unit/pooler/%.c $(B)/pooler.a
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(pooler_CPPFLAGS) -Itests/unit $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(B)/pooler.a \
		$(pooler_LIBS) $(shell pkg-config --libs check)
$(B)/tests/unit/analyzer/%: tests/unit/analyzer/%.c $(B)/analyzer.a
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(analyzer_CPPFLAGS) -Itests/unit $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(B)/analyzer.a \
		$(analyzer_LIBS) $(shell pkg-config --libs check)

# Run each, go on after a failure, fail in the end.  Machines are slow under load.
run_all = bad=; for t in $(1); do CK_TIMEOUT_MULTIPLIER=15 "$$t" || bad="$$bad $$t"; done; \
	if [ -n "$$bad" ]; then echo "failed:$$bad"; exit 1; fi
.PHONY: unit unit-pooler unit-analyzer
unit: unit-pooler unit-analyzer ## build and run the unit tests
unit-pooler: $(UNIT_POOLER)
	@$(call run_all,$(UNIT_POOLER))
unit-analyzer: $(UNIT_ANALYZER)
	@$(call run_all,$(UNIT_ANALYZER))

# --- fuzzers: clang's libFuzzer, the code they feed built with FLAVOR=fuzz
FUZZ_SECONDS ?= 60
$(B)/tests/fuzz/pooler/%: tests/fuzz/pooler/%.c $(B)/pooler.a
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(pooler_CPPFLAGS) $(ALL_CFLAGS) -fsanitize=fuzzer $(ALL_LDFLAGS) -MMD -MP \
		-o $@ $< $(B)/pooler.a $(pooler_LIBS)
$(B)/tests/fuzz/analyzer/%: tests/fuzz/analyzer/%.c $(B)/analyzer.a
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(analyzer_CPPFLAGS) $(ALL_CFLAGS) -fsanitize=fuzzer $(ALL_LDFLAGS) -MMD -MP \
		-o $@ $< $(B)/analyzer.a $(analyzer_LIBS)
.PHONY: fuzz run-fuzzers
fuzz: ## run every fuzzer for FUZZ_SECONDS (60) each
	@$(MAKE) FLAVOR=fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) run-fuzzers
run-fuzzers: $(FUZZERS)
	@printf '%s\n' $(FUZZERS) | xargs -P "$$(nproc)" -I{} tests/fuzz/run {} $(FUZZ_SECONDS)

# --- the C programs that tests and benchmarks use
INTEGRITY_SRC := $(wildcard tests/integrity/*.c)
$(B)/tests/integrity/integrity: $(INTEGRITY_SRC) $(wildcard tests/integrity/*.h)
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(PQ_CFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(INTEGRITY_SRC) -lpq
$(B)/tests/bench/index_selection: tests/bench/index_selection.c $(B)/analyzer.a
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(analyzer_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(analyzer_LIBS)
$(B)/tests/bench/logins: BENCH_LIBS := -lcrypto
$(B)/tests/bench/floor: BENCH_LIBS := -lev
$(B)/tests/bench/%: tests/bench/%.c
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(PQ_CFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lpq $(BENCH_LIBS)
.PHONY: tools
tools: $(TOOLS)

# --- the drivers' scenario: what must be compiled or fetched for it
DRIVERS := build/release/tests/drivers/libpq build/drivers/lib_pq build/drivers/java/Jdbc.class \
	build/drivers/node/installed
build/release/tests/drivers/libpq: tests/drivers/libpq.c
	@mkdir -p "$(@D)"
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(PQ_CFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lpq
build/drivers/lib_pq: tests/drivers/go/lib_pq.go
	$(call say,GO,$@)
	$(Q)GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$$PWD/build/drivers/go-cache" \
		go build -o $@ $<
build/drivers/java/Jdbc.class: tests/drivers/Jdbc.java
	$(call say,JAVA,$@)
	$(Q)javac -cp /usr/share/java/postgresql.jar -d build/drivers/java $<
build/drivers/node/installed: tests/drivers/node/package-lock.json
	@mkdir -p "$(@D)"
	$(call say,NPM,$@)
	$(Q)cp tests/drivers/node/package.json tests/drivers/node/package-lock.json "$(@D)"
	$(Q)cd "$(@D)" && npm_config_cache="$$PWD/cache" npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
.PHONY: drivers
drivers: $(DRIVERS)

TSAN_TESTS := $(patsubst %,tests/live/test_%.py,shards signals cancel reload retire limits caps console_commands \
	observe modes prepared session_state clients)

.PHONY: asan tsan
asan: ## build with Address- and UBSanitizer and run the unit tests
	$(MAKE) FLAVOR=asan all unit
tsan: ## build the pooler with ThreadSanitizer, run its unit tests and live tests with three workers
	$(MAKE) FLAVOR=tsan build/tsan/bin/pgsluice unit-pooler
	PGSLUICE_WORKERS=3 PGSLUICE_BIN=build/tsan/bin/pgsluice tests/pytest $(TSAN_TESTS)

# --- what a newcomer types
.PHONY: deps deps-build demo check check-drivers soak bench print-packages print-packages-build
print-packages:
	@echo $(PACKAGES)
print-packages-build:
	@echo $(PACKAGES_BUILD)
deps: ## install the Debian packages that building and testing take
	@tests/deps $(PACKAGES)
deps-build: ## install those that building alone takes
	@tests/deps --missing $(PACKAGES_BUILD)
demo: ## show both programs at work on a small shop
	@tests/deps --missing $(PACKAGES_BUILD) $(PACKAGES_DEMO)
	@$(MAKE) --no-print-directory all
	@tests/demo/run
check: ## install what is missing, build, run every test (minutes)
	@tests/deps --missing $(PACKAGES_BUILD) $(PACKAGES_DEMO) $(PACKAGES_CHECK)
	@tests/check
check-drivers: ## run the scenarios of every client library, and the shops of tests/apps
	@tests/deps --missing $(PACKAGES)
	@$(MAKE) --no-print-directory all drivers
	@tests/drivers/run
soak: ## 10,000 clients, 200,000 interleavings, 1,000 reloads (ASan), a million counted calls, fuzzers for ten minutes each
	@tests/deps --missing $(PACKAGES_BUILD) $(PACKAGES_DEMO) $(PACKAGES_CHECK)
	@$(MAKE) --no-print-directory all tools
	@$(MAKE) --no-print-directory FLAVOR=asan build/asan/bin/pgsluice
	@$(MAKE) --no-print-directory FLAVOR=broken build/broken/bin/pgsluice
	PGSLUICE_CROWD=10000 tests/pytest tests/live/test_memory.py
	SEED=$$(date +%s) PGSLUICE_BIN=build/asan/bin/pgsluice tests/pytest tests/integrity --interleavings 200000
	SEED=$$(date +%s) RELOADS=1000 PGSLUICE_BIN=build/asan/bin/pgsluice tests/pytest -s tests/live/test_reload.py
	SEED=$$(date +%s) RELOADS=1000 PGSLUICE_WORKERS=2 PGSLUICE_BIN=build/asan/bin/pgsluice tests/pytest -s tests/live/test_reload.py
	QUERY_CALLS=1000000 tests/pytest tests/live/test_query_counts.py --timeout 3000
	@$(MAKE) fuzz FUZZ_SECONDS=600
bench: ## pgsluice beside other poolers (DOCS=1: docs/benchmarks.md), pgassay log beside pgbadger, pgassay lint by part
	@tests/deps --missing $(PACKAGES_BUILD) $(PACKAGES_DEMO) $(PACKAGES_CHECK)
	@$(MAKE) --no-print-directory all tools
	@tests/bench/run $(if $(DOCS),--docs)
	@tests/bench/logins
	@tests/bench/log
	@tests/bench/lint

.PHONY: live rules integrity
live: all ## run the live tests (PGSLUICE_BIN=… names another build)
	@tests/pytest tests/live
integrity: all tools ## try to make one client read another's rows
	@$(MAKE) --no-print-directory FLAVOR=broken build/broken/bin/pgsluice
	@tests/pytest tests/integrity
rules: all ## run the analyzer's case files
	@tests/rules/run

.PHONY: instructions
instructions: all tools ## compare instructions per transaction with the committed figures
	@tests/bench/instructions

.PHONY: lint format format-check docs cover
lint: all ## layers, banned functions, file heads, generated pages
	@tests/lint/run
format: ## apply .clang-format to every C file
	clang-format-14 -i $(FORMATTED)
format-check: ## say which C files clang-format would change
	@clang-format-14 --dry-run -Werror $(FORMATTED)
docs: all ## write the generated pages anew
	@tests/lint/generated --write
cover: ## unit and live tests with coverage; build/cover/index.html
	@tests/deps --missing $(PACKAGES_BUILD) $(PACKAGES_DEMO) $(PACKAGES_CHECK)
	$(MAKE) FLAVOR=cover all unit
	PGSLUICE_BIN=build/cover/bin/pgsluice tests/pytest tests/live
	gcovr --root . --filter 'pooler/' --filter 'analyzer/' --html-details build/cover/index.html \
		--print-summary build/cover

# --- installing
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
docdir ?= $(prefix)/share/doc/pgsluice
sysconfdir ?= $(prefix)/etc/pgsluice
unitdir ?= $(prefix)/lib/systemd/system
MAN1 := $(wildcard docs/*.1)
MAN5 := $(wildcard docs/*.5)
SAMPLES := $(wildcard pooler.conf.sample)
# notify-reload came with systemd 253; before it, notify and a HUP.
SYSTEMD_VERSION = $(shell pkg-config --modversion libsystemd 2>/dev/null || echo 0)
UNIT_TYPE = $(if $(filter 1,$(shell [ $(SYSTEMD_VERSION) -ge 253 ] && echo 1)),notify-reload,notify)
UNIT_RELOAD = $(if $(filter notify,$(UNIT_TYPE)),ExecReload=/bin/kill -HUP $$MAINPID,)
.PHONY: install uninstall deb
install: all ## install programs, manual pages, sample and systemd unit (prefix, DESTDIR)
	$(INSTALL) -d "$(DESTDIR)$(bindir)" "$(DESTDIR)$(docdir)"
	$(INSTALL) -m 755 $(PROGRAMS) "$(DESTDIR)$(bindir)"
	$(if $(MAN1),$(INSTALL) -d "$(DESTDIR)$(mandir)/man1" && \
		$(INSTALL) -m 644 $(MAN1) "$(DESTDIR)$(mandir)/man1")
	$(if $(MAN5),$(INSTALL) -d "$(DESTDIR)$(mandir)/man5" && \
		$(INSTALL) -m 644 $(MAN5) "$(DESTDIR)$(mandir)/man5")
	$(INSTALL) -m 644 README.md LICENSE $(SAMPLES) "$(DESTDIR)$(docdir)"
	$(INSTALL) -d "$(DESTDIR)$(unitdir)"
	sed -e 's|@TYPE@|$(UNIT_TYPE)|' -e 's|@RELOAD@|$(UNIT_RELOAD)|' -e 's|@BINDIR@|$(bindir)|' \
		-e 's|@SYSCONFDIR@|$(sysconfdir)|' dist/pgsluice.service.in \
		> "$(DESTDIR)$(unitdir)/pgsluice.service"
	$(INSTALL) -m 644 dist/pgsluice.socket "$(DESTDIR)$(unitdir)"
deb: all ## build an installable Debian package: build/deb/pgsluice_VERSION_ARCH.deb
	rm -rf build/deb && mkdir -p build/deb
	@$(MAKE) --no-print-directory install DESTDIR=build/deb/root prefix=/usr \
		sysconfdir=/etc/pgsluice unitdir=/lib/systemd/system
	dist/debian/build $(VERSION) build/deb
uninstall: ## remove what install put there
	rm -f $(foreach f,$(notdir $(PROGRAMS)),"$(DESTDIR)$(bindir)/$(f)")
	rm -f $(foreach f,$(notdir $(MAN1)),"$(DESTDIR)$(mandir)/man1/$(f)")
	rm -f $(foreach f,$(notdir $(MAN5)),"$(DESTDIR)$(mandir)/man5/$(f)")
	rm -rf "$(DESTDIR)$(docdir)"
	rm -f "$(DESTDIR)$(unitdir)/pgsluice.service" "$(DESTDIR)$(unitdir)/pgsluice.socket"

.PHONY: clean
clean: ## remove what was built
	rm -rf build bin

-include $(wildcard $(B)/pooler/*.d $(B)/analyzer/*.d $(B)/tests/*/*/*.d)
