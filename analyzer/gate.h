/* SPDX-License-Identifier: ISC
 *
 * gate: what turns findings into a build that passes or fails, and nothing else in between.
 *
 *   gate_table.c        every key of .pgassay.conf: one table parses, prints and explains them
 *   gate_conf.c         the file: found, read, all its errors told at once
 *   gate_excuse.c       suppressions: in the file, in comments; expired, unused, unclear ones
 *   gate_baseline.c     findings that are known: read, matched, written
 *   gate_limit.c        thresholds per test, per statement, per run of the suite
 *   gate_interval.c     how sure a quantile is
 *   gate_fingerprint.c  what a finding is known by: the same for other literals, blanks, aliases,
 *                       lengths of IN lists and line numbers
 *   gate_place.c        where in the repository it is shown
 *   gate_git.c          which lines a branch has changed
 *   gate_apply.c        all of it, in order
 *
 * The gate never makes a finding of SQL: it numbers, places, excuses and counts those there are.
 * What it finds itself (a limit, an expired excuse) are findings of the rules GT…, so that every
 * format shows them and [rules] sets their level.
 *
 * Life cycle: gate_init(), gate_load(), then gate_apply() once over a report's findings.
 */
#ifndef ANALYZER_GATE_H
#define ANALYZER_GATE_H

#include "base.h"
#include "facts.h"
#include "rule.h"

#define GATE_CONF ".pgassay.conf"

/* --- limits ------------------------------------------------------------------------------- */

enum gate_limit {
	LIMIT_QUERIES_PER_TEST = 0,
	LIMIT_CALLS_PER_TEST,
	LIMIT_TIME_PER_TEST, /* µs */
	LIMIT_P95,	     /* µs */
	LIMIT_ROWS,
	LIMIT_NEW_SHAPES,
	GATE_LIMITS
};

struct gate_value {
	int64_t value; /* -1: not set */
	int line;      /* of the file */
};

/* --- what the file says ---------------------------------------------------------------------- */

/* One excuse: a line of [suppress], or a comment. */
struct excuse {
	VEC(const struct rule *) rule; /* empty: every rule */
	struct str shape;	       /* id or fingerprint; n 0: any */
	struct str file;	       /* pattern; n 0: any */
	struct str test;	       /* pattern; n 0: any */
	struct str reason;
	int64_t until; /* days since 1970; -1: for good */
	struct str at; /* of the root: where it stands */
	uint32_t line;
	bool is_used, is_expired;
};

struct gate_rule { /* a line of [rules] */
	const struct rule *rule;
	enum severity severity;
	int64_t max_findings, min_count; /* -1: not set */
};

struct gate_conf {
	struct str file; /* as it was opened; n 0: there is none */
	struct str dir;	 /* its directory: what its paths are relative to */
	bool has_fail_on;
	enum severity fail_on;
	const char *baseline, *schema, *literals, *test_names;
	VEC(struct str) paths, exclude;
	struct gate_value limit[GATE_LIMITS];
	double slower_ratio; /* diff */
	int64_t slower_by;   /* diff; µs */
	VEC(struct gate_rule) rule;
	VEC(struct excuse) excuse;
};

/* --- the gate --------------------------------------------------------------------------------- */

struct known { /* a line of the baseline */
	struct str rule, print, text;
	struct str comment; /* lines above it */
	uint32_t line;
	bool is_met;
};

struct git_lines { /* lines of a file that a branch has changed */
	struct str path;
	uint32_t first, last;
};

struct gate {
	struct arena arena;
	struct gate_conf conf;
	struct str root;     /* absolute path of the repository, or of the current directory */
	struct str fallback; /* of the root: the file that stands for what has no place */
	uint32_t fallback_line;
	const char *baseline, *write_baseline; /* files; NULL: none */
	VEC(struct known) known;
	struct str head;  /* comments that open the baseline */
	bool has_changes; /* only what git says is changed */
	VEC(struct git_lines) changed;
	bool is_partial; /* not everything was looked at: what was not met is not gone */
};

/* Finds the repository: the nearest directory upwards that holds .git. */
void gate_init(struct gate *g);
/* Reads the configuration: `file`, or .pgassay.conf of this directory or the nearest above it in
 * the repository.  Errors go to stderr, all of them; false: there were some. */
bool gate_load(struct gate *g, const char *file);
void gate_release(struct gate *g);
/* Adds what the gate finds itself, numbers all findings, excuses some.  `severity` is in force by
 * rule.  false: the baseline could not be read or written (said on stderr). */
bool gate_apply(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity);

/* --- the table of keys ----------------------------------------------------------------------- */

/* Sets a key of a section; `why` says what is wrong with it. */
bool gate_set(struct gate *g, struct str section, struct str key, struct str value, int line,
	struct err *why);
bool gate_has_section(struct str section);
void gate_print_sample(FILE *to);
void gate_print_man(FILE *to);
/* A finding of one of the gate's own rules; NULL: it is off. */
struct finding *gate_find(struct findings *fs, struct facts *f, const enum severity *severity,
	const char *rule, const char *fmt, ...) PRINTF(5, 6);

/* --- excuses ------------------------------------------------------------------------------------
 */

/* "SG001,SG002 until=2027-01-31 why"; in [suppress] the rules stand before, and shape=, file=,
 * test= are words, too. */
bool excuse_parse(struct gate *g, struct str ids, struct str text, struct excuse *out,
	struct err *why);
void excuses_apply(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity);
int64_t excuse_today(void); /* days since 1970, UTC */

/* --- baseline -------------------------------------------------------------------------------- */

bool baseline_read(struct gate *g, const char *file);
void baseline_apply(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity);
bool baseline_write(struct gate *g, const struct facts *f, const struct findings *fs);
bool baseline_knows(struct gate *g, const char *rule, const char *print);

/* --- limits --------------------------------------------------------------------------------------
 */

void limits_apply(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity);

/* Where the q-quantile of what a sketch was drawn from lies, by order statistics: the ranks come
 * from the binomial distribution, so nothing is assumed of its shape.  `sure` is two-sided.
 * *high is INFINITY when there are too few values to tell. */
void sketch_interval(const struct sketch *s, double q, double sure, double *low, double *high);

/* --- git -----------------------------------------------------------------------------------------
 */

/* Asks git what the working tree has changed since it left `base`; false: it cannot be told. */
bool gate_git(struct gate *g, const char *base);
/* The branch this one most likely goes to. */
const char *gate_git_base(struct gate *g);
/* Has one of these lines of a file changed? */
bool gate_changed(struct gate *g, const char *file, uint64_t first, uint64_t last);

/* --- fingerprints --------------------------------------------------------------------- */

/* Fills finding.fingerprint of those that have none.  Two findings of a rule on one shape differ by
 * their key, else by their number among their like. */
void findings_fingerprint(struct findings *fs, const struct facts *f);
/* A shape's text with aliases taken out: qualifiers name tables, other names are numbered. */
struct str canonical_sql(struct arena *a, struct str norm);
/* What a shape is known by; 16 hex digits. */
struct str canonical_id(struct arena *a, const struct shape *s);

/* --- places ------------------------------------------------------------------------------ */

enum gate_where {
	WHERE_SOURCE = 0, /* in the application, from a comment */
	WHERE_SQL,	  /* the SQL file that was read */
	WHERE_GATE,	  /* the configuration or the baseline: it has no place of its own */
	WHERE_INPUT	  /* the log */
};

struct gate_place {
	enum gate_where where;
	struct str path; /* relative to the root, without "./"; never empty */
	uint32_t line;	 /* from 1 */
};

/* Where to show a finding. */
struct gate_place gate_place(struct gate *g, const struct facts *f, const struct finding *x);
/* A path of the input, of a comment or of the command line, relative to the root; false: it
 * lies outside. */
bool gate_path(struct gate *g, struct str path, struct str *out);

#endif
