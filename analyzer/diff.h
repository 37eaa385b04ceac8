/* SPDX-License-Identifier: ISC
 *
 * diff: what changed between two JSON reports, and whether that fails a build.
 *
 *   diff_read.c      a report -> one side of the comparison
 *   diff_compare.c   both sides -> changes, each with its level
 *   diff_print.c     for a terminal, and Markdown for a pull request's comment
 *   diff_json.c      for programs
 *
 * Statements are matched by their shape without aliases (gate.h), findings by fingerprint, tests
 * by name.  Counts are compared test by test where tests are known: those are the same in every
 * run of a suite, totals are not (retries).  Times are compared by confidence intervals, with the
 * two machines' difference taken out: the median ratio over all statements both sides have.
 */
#ifndef ANALYZER_DIFF_H
#define ANALYZER_DIFF_H

#include "facts.h"
#include "gate.h"
#include "rule.h"

#include <jansson.h>

enum { BASE = 0, HEAD, SIDES };

enum change_kind {
	CHANGE_NEW_FINDING = 0,
	CHANGE_WORSE_FINDING,
	CHANGE_FIXED_FINDING,
	CHANGE_MORE_CALLS,
	CHANGE_FEWER_CALLS,
	CHANGE_MORE_ROWS,
	CHANGE_SLOWER,
	CHANGE_FASTER,
	CHANGE_PLAN,
	CHANGE_NEW_SHAPE,
	CHANGE_GONE_SHAPE,
	CHANGE_TOO_MANY_NEW,
	CHANGE_KINDS
};

struct change_row {
	const char *word;	/* "new-finding" */
	const char *title;	/* "New findings" */
	enum severity severity; /* unless the finding says */
	bool is_better;
};
extern const struct change_row change_rows[CHANGE_KINDS];

struct side_shape {
	bool is_there;
	uint64_t calls, rows, rows_calls;
	struct sketch time;
	VEC(uint64_t) plan; /* structures seen, sorted */
};

struct diff_shape {
	struct str sql, id; /* of HEAD, or BASE when it is gone */
	struct side_shape side[SIDES];
};

struct diff_test {
	struct str name;
	bool is_there[SIDES];
	uint64_t queries[SIDES];
};

struct test_calls { /* of a shape in a test */
	uint32_t test, shape;
	uint64_t calls[SIDES];
};

struct diff_finding {
	struct str rule, name, message, print, shape, source;
	enum severity severity;
	bool is_sure; /* certain or likely: it counts */
	int64_t longest;
	const json_t *tests; /* of the report */
};

struct change {
	enum change_kind kind;
	enum severity severity;
	bool counts;	/* towards the verdict */
	uint32_t shape; /* index of diff.shape; NO_SHAPE */
	const struct diff_finding *finding[SIDES];
	struct str text;
	double weight; /* most important first */
};

struct diff {
	struct arena arena;
	const char *file[SIDES];
	json_t *report[SIDES];
	uint64_t statements[SIDES];
	VEC(struct diff_shape) shape;
	struct map shape_of;	 /* canonical id -> index */
	struct map id_of[SIDES]; /* a report's shape id -> index */
	VEC(struct diff_test) test;
	struct names test_names;
	VEC(struct test_calls) calls;
	struct map calls_of; /* test << 32 | shape */
	VEC(struct diff_finding) finding[SIDES];
	VEC(struct change) change;
	double machine; /* HEAD's times are this factor of BASE's, where nothing changed */
	const struct gate_conf *conf;
};

/* Reads a report ("-": stdin); false: it is none (said on stderr). */
bool diff_read(struct diff *d, int side, const char *file);
void diff_compare(struct diff *d);
/* Is there a change at or above this level that counts? */
bool diff_fails(const struct diff *d, enum severity fail_on);
/* "worse", "better" or "same". */
const char *diff_verdict(const struct diff *d, enum severity fail_on);
void diff_release(struct diff *d);

void diff_text(struct diff *d, enum severity fail_on, FILE *to);
void diff_markdown(struct diff *d, enum severity fail_on, FILE *to);
void diff_json(struct diff *d, enum severity fail_on, FILE *to);

#endif
