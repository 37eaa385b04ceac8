# queries.mk - include it in your Makefile: the test suite's queries, judged.
#
#	make check-queries    run `make test` through pgsluice, fail as .pgassay.conf says
#	make accept-queries   what the last run found is known from now on
QUERY_LOG ?= queries.jsonl

.PHONY: check-queries accept-queries
check-queries:
	pgsluice record --check -o $(QUERY_LOG) -- $(MAKE) --no-print-directory test
accept-queries:
	pgassay log $(QUERY_LOG) --write-baseline .pgassay-baseline
