# pgsluice: one Makefile for both programs.  `make help` lists the targets.
#
# Objects go to build/FLAVOR/, the release programs to bin/.  Every *.c of pooler/
# belongs to bin/pgsluice and every *.c of analyzer/ to bin/pgassay; every *.c of
# tests/unit/PROGRAM/ is a Check program of its own and every *.c of tests/fuzz/ a
# fuzzer of its own, so that adding a file needs no edit here.  All paths are
# relative: the tree may stand below a directory with a space in its name.

SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

FLAVOR ?= release
B := build/$(FLAVOR)
BIN := $(if $(filter release,$(FLAVOR)),bin,$(B)/bin)
VERSION := 0.1.0

prefix ?= /usr/local
DESTDIR ?=
INSTALL ?= install

CC ?= gcc
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef
CPPFLAGS += -D_GNU_SOURCE -DPGSLUICE_VERSION='"$(VERSION)"' -Ibuild/gen
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_cover := -O0 -g --coverage
CFLAGS_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-omit-frame-pointer
ifeq ($(FLAVOR),fuzz)
CC := clang
endif
ALL_CFLAGS = -std=gnu11 $(WARN) -fstack-protector-strong -fvisibility=hidden -ffunction-sections \
	-fdata-sections -pthread $(CFLAGS_$(FLAVOR)) $(CFLAGS)
ALL_LDFLAGS = -pthread -Wl,--gc-sections -Wl,--as-needed $(CFLAGS_$(FLAVOR)) $(LDFLAGS)

PQ_CFLAGS := $(shell pkg-config --cflags libpq 2>/dev/null)
pooler_CPPFLAGS := -Ipooler -Ianalyzer $(PQ_CFLAGS)
pooler_LIBS := -lpq -lev -lssl -lcrypto -ljansson -lmicrohttpd -lsystemd -lm
analyzer_CPPFLAGS := -Ianalyzer $(PQ_CFLAGS)
analyzer_LIBS := -lpg_query -lpq -ljansson -larchive -lm

# The one leaf the two programs share: the literal-stripping lexer and shape hash.
SHARED_SRC := analyzer/sql_lex.c

obj = $(patsubst %.c,$(B)/%.o,$(1))
POOLER_SRC := $(wildcard pooler/*.c)
ANALYZER_SRC := $(wildcard analyzer/*.c)
POOLER_OBJ := $(call obj,$(POOLER_SRC) $(wildcard $(SHARED_SRC))) $(B)/gen/sql_text.o
ANALYZER_OBJ := $(call obj,$(ANALYZER_SRC)) $(B)/gen/sql_text.o
UNIT_POOLER := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/pooler/*.c))
UNIT_ANALYZER := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/analyzer/*.c))
FUZZERS := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/*.c))

PROGRAMS := $(BIN)/pgsluice $(BIN)/pgassay

.PHONY: all
all: $(PROGRAMS) ## build bin/pgsluice and bin/pgassay

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z_-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(BIN)/pgsluice: $(POOLER_OBJ)
	@mkdir -p "$(@D)"
	$(CC) $(ALL_LDFLAGS) -o $@ $(POOLER_OBJ) $(pooler_LIBS)

$(BIN)/pgassay: $(ANALYZER_OBJ)
	@mkdir -p "$(@D)"
	$(CC) $(ALL_LDFLAGS) -o $@ $(ANALYZER_OBJ) $(analyzer_LIBS)

# Archives for the tests: everything but main.o, linked only as far as needed.
$(B)/pooler.a: $(filter-out $(B)/pooler/main.o,$(POOLER_OBJ))
	rm -f $@ && ar rcs $@ $^
$(B)/analyzer.a: $(filter-out $(B)/analyzer/main.o,$(ANALYZER_OBJ))
	rm -f $@ && ar rcs $@ $^

# --- statements: sql/NAME.sql becomes `extern const char sql_NAME[]` in sql_text.h
SQL := $(sort $(wildcard sql/*.sql))
build/gen/sql_text.c: $(SQL) tests/lint/embed_sql
	@mkdir -p build/gen
	sh tests/lint/embed_sql build/gen/sql_text.h build/gen/sql_text.c $(SQL)
build/gen/sql_text.h: build/gen/sql_text.c
$(B)/gen/sql_text.o: build/gen/sql_text.c
	@mkdir -p "$(@D)"
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(B)/pooler/%.o: pooler/%.c build/gen/sql_text.h
	@mkdir -p "$(@D)"
	$(CC) $(CPPFLAGS) $(pooler_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/analyzer/%.o: analyzer/%.c build/gen/sql_text.h
	@mkdir -p "$(@D)"
	$(CC) $(CPPFLAGS) $(analyzer_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# --- unit tests
$(B)/tests/unit/pooler/%: tests/unit/pooler/%.c $(B)/pooler.a
	@mkdir -p "$(@D)"
	$(CC) $(CPPFLAGS) $(pooler_CPPFLAGS) -Itests/unit $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(B)/pooler.a \
		$(pooler_LIBS) $(shell pkg-config --libs check)
$(B)/tests/unit/analyzer/%: tests/unit/analyzer/%.c $(B)/analyzer.a
	@mkdir -p "$(@D)"
	$(CC) $(CPPFLAGS) $(analyzer_CPPFLAGS) -Itests/unit $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(B)/analyzer.a \
		$(analyzer_LIBS) $(shell pkg-config --libs check)

.PHONY: unit unit-pooler unit-analyzer
unit: unit-pooler unit-analyzer ## build and run the unit tests
unit-pooler: $(UNIT_POOLER)
	@for t in $(UNIT_POOLER); do "$$t" || exit 1; done
unit-analyzer: $(UNIT_ANALYZER)
	@for t in $(UNIT_ANALYZER); do "$$t" || exit 1; done

.PHONY: asan tsan
asan: ## build with Address- and UBSanitizer and run the unit tests
	$(MAKE) FLAVOR=asan all unit
tsan: ## build the pooler with ThreadSanitizer and run its unit tests
	$(MAKE) FLAVOR=tsan build/tsan/bin/pgsluice unit-pooler

.PHONY: clean
clean: ## remove what was built
	rm -rf build bin

-include $(wildcard $(B)/pooler/*.d $(B)/analyzer/*.d $(B)/tests/unit/*/*.d)
