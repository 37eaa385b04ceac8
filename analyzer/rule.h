/* SPDX-License-Identifier: ISC
 *
 * rule: the catalogue, and what checking it against facts gives.
 *
 *   rule_table.c     the one table: id, name, severity, why, fix, examples, check
 *   rule_check.c     the engine: runs every rule over shapes, runs, the log, the schema
 *   rule_find.c      findings: made, ordered, gated
 *   rule_made.c      tables that the input itself makes
 *   rule_nplus.c …   the checks, one file per family (NP, LM, SG, …)
 *
 * A check is called once for each subject of its scope and reports with rule_find().  It says
 * nothing when the evidence it needs is not there: silence, not a guess.  How sure it is goes
 * into the confidence:
 *	certain    true from the text alone, or proved by schema, statistics or the log
 *	likely     true unless something unusual holds that was not seen
 *	possible   worth a look; the default gate does not fail on it
 *
 * To add a rule: a row in its family's table (rule_…_table.h), a check in its family's file,
 * tests/rules/ID.case.
 */
#ifndef ANALYZER_RULE_H
#define ANALYZER_RULE_H

#include "base.h"
#include "facts.h"
#include "schema.h"
#include "sql.h"

enum severity { SEVERITY_OFF = 0, SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };
enum confidence { CONF_POSSIBLE = 0, CONF_LIKELY, CONF_CERTAIN };
const char *severity_name(enum severity s);
const char *confidence_name(enum confidence c);
bool severity_parse(const char *word, enum severity *s); /* "off", "warning", "never" is off */

enum rule_scope {
	SCOPE_STATEMENT = 0, /* once per shape: c->top is its outline */
	SCOPE_QUERY,	     /* once per query level of each shape: c->o */
	SCOPE_RUN,	     /* once per run (facts.h): c->run, c->shape is the child */
	SCOPE_LOG,	     /* once: c->facts */
	SCOPE_SCHEMA,	     /* once, when there is a schema */
	SCOPE_PLAN,	     /* by the plan family; not called by the engine */
	SCOPE_GATE	     /* by the gate family: thresholds, suppressions; neither */
};

/* The evidence a rule cannot do without (NEED_) or uses when it is there (USES_). */
enum {
	NEED_TREE = 1 << 0,
	NEED_SEQUENCE = 1 << 1,
	NEED_LOG = 1 << 2,
	NEED_SCHEMA = 1 << 3,
	NEED_PLAN = 1 << 4,
	NEED_STATS = 1 << 5,
	USES_SCHEMA = 1 << 6,
	USES_LOG = 1 << 7,
	USES_PLAN = 1 << 8
};

struct rule_check;
struct outlines;

struct rule {
	const char *id;		/* "SG001" */
	const char *name;	/* "function-on-column" */
	enum severity severity; /* default; SEVERITY_OFF: only when asked for */
	enum rule_scope scope;
	unsigned needs;
	const char *confidence; /* the words its findings may have, and on what it depends */
	const char *title;	/* one line */
	const char *why;
	const char *fix;
	const char *bad, *good; /* SQL examples */
	void (*check)(struct rule_check *c);
};

extern const struct rule rules[];	       /* ends with a NULL id */
const struct rule *rule_by_id(const char *id); /* or by name; NULL */

/* --- findings ---------------------------------------------------------------------------- */

struct json_t;

/* How to show that a fix does what the loop did: run `one` for each value and fix_sql for all. */
enum proof_kind { PROOF_ROWS = 0, PROOF_COUNT, PROOF_EXISTS };

struct proof {
	enum proof_kind kind;
	struct str one;
	bool key_first; /* the batched form returns the key in front of what `one` returns */
	int param;	/* the key is $param */
	struct str value[5];
	size_t values;
	struct str other[16]; /* what the other parameters were; [i] is $i+1 */
	size_t params;
	/* The child joined with its parent returns what `one` does for each of the parent's rows.
	 */
	struct str join, parent;   /* as the log had the parent; STR_NONE: no join */
	struct str parent_key;	   /* its output that is the key */
	struct str join_other[16]; /* the parent's parameters */
	size_t join_params;
};

struct finding {
	const struct rule *rule;
	enum severity severity;
	enum confidence confidence;
	uint32_t shape; /* NO_SHAPE: none */
	struct str message;
	uint64_t count;		 /* how often: calls, runs, places */
	double weight;		 /* µs it is about: what findings are ordered by within a rule */
	struct json_t *evidence; /* owned; an object */
	struct place place[PLACE_MAX];
	uint32_t places;
	struct str source_file; /* from a comment's tag; STR_NONE */
	uint32_t source_line;
	struct str source_action; /* "orders#index"; STR_NONE */
	uint32_t test[TESTS_MAX]; /* names of tests that showed it (struct facts) */
	uint32_t tests;
	struct str fix_sql, fix_note;
	struct proof *proof; /* NULL: there is none */
	int index;	     /* in findings.index; -1 */
	struct str key;	     /* what tells it from others of its rule and shape, without literals */
	struct str at;	     /* of the repository: what the gate itself complains about; STR_NONE */
	uint32_t at_line;
	char fingerprint[17];	 /* what it is known by in the next run; gate.h */
	uint64_t places_ignored; /* places, or calls, that a comment excuses */
	bool suppressed;
	struct str suppress_reason; /* "known: FILE:LINE", or the reason somebody gave */
};

enum index_status { INDEX_UNVALIDATED = 0, INDEX_VALIDATED, INDEX_EXISTING };

/* A suggested index. */
struct index_gain { /* what one query costs the planner */
	double before, after;
};

struct index_advice {
	struct str ddl, table, method, where, why, name;
	struct str *column, *include;
	size_t columns, includes;
	enum index_status status;
	double cost_before, cost_after; /* summed over the queries; < 0: not known */
	int64_t size_bytes;		/* estimate; < 0: not known */
	int64_t size_least, size_most;	/* where it is a guess: what it lies between; else < 0 */
	VEC(uint32_t) query;		/* shapes */
	VEC(struct index_gain) gain;	/* of each of them, one call; empty: not known */
	VEC(struct str) replaces;
	VEC(struct str) online; /* of a partitioned table: steps that do not lock out writes */
};

struct findings {
	struct arena arena;
	VEC(struct finding) at;
	VEC(struct index_advice) index;
};

/* A table that a statement of the input makes. */
struct made {
	struct str schema, name;
	bool is_temp;
	struct place at;
};

struct made_tables { /* rule_made.c */
	struct arena arena;
	VEC(struct made) at;
	bool is_read;
};

/* What a check is given, and its way to report. */
struct rule_check {
	const struct rule *rule;
	enum severity severity;	     /* in force */
	struct arena *arena;	     /* for this subject only; rule_find() copies */
	struct facts *facts;	     /* NULL: SQL alone */
	const struct schema *schema; /* NULL: none */
	struct findings *findings;
	struct outlines *outlines; /* of shapes asked for: rule_outline() */
	struct made_tables *made;  /* rule_made() */
	/* SCOPE_STATEMENT, SCOPE_QUERY, SCOPE_RUN */
	struct shape *shape;
	uint32_t shape_at;
	const struct sql_tree *tree; /* NULL: not parsed (only rules without NEED_TREE see that) */
	struct sql_outline *top, *o;
	const struct variant *variant; /* of a SQL file; NULL: the shape's example is looked at */
	size_t found_from;	       /* findings[found_from …] are of this text */
	/* SCOPE_RUN */
	const struct run *run;
	struct shape *parent; /* NULL: none */
	const struct sql_tree *parent_tree;
	struct sql_outline *parent_top;
};

/* Adds a finding about the subject: places, calls and weight are taken from it.  The returned
 * finding may be changed until the next call.  `fmt` makes the message. */
struct finding *rule_find(struct rule_check *c, enum confidence conf, const char *fmt, ...)
	PRINTF(3, 4);
/* Text of the fix, copied. */
void finding_fix(struct findings *f, struct finding *x, struct str sql, const char *note, ...)
	PRINTF(4, 5);
void finding_int(struct finding *x, const char *key, int64_t v);
void finding_real(struct finding *x, const char *key, double v);
void finding_str(struct finding *x, const char *key, struct str v);
bool finding_has(const struct finding *x, const char *key);

struct rule_options {
	enum severity *severity; /* one for each row of rules[]; NULL: the defaults */
	int jobs;
};

/* Parses every shape once and runs all rules.  Shapes that do not parse are counted in
 * *unparsed and keep the reason. */
void rules_run(struct facts *f, const struct schema *schema, const struct rule_options *opt,
	struct findings *out, size_t *unparsed);
/* Findings from `from` on that were made before of another text of their shape are joined with
 * those; `seen` belongs to the caller, zeroed at first. */
void findings_join(struct findings *f, struct map *seen, size_t from);
/* Most important first: severity, confidence, weight; ties by rule and shape. */
void findings_sort(struct findings *f);
/* Is there a finding at or above `gate` that counts (certain or likely, not suppressed)? */
bool findings_fail(const struct findings *f, enum severity gate);
void index_advice_release(struct index_advice *x);
void findings_release(struct findings *f);

/* --- help for checks ----------------------------------------------------------------------- */

/* The outline of any shape of the log, parsed once; NULL: it does not parse.  tree may be NULL. */
struct sql_outline *rule_outline(struct rule_check *c, uint32_t shape,
	const struct sql_tree **tree);
/* The text of a condition as libpg_query writes it, literals masked when `mask`. */
struct str rule_text(struct rule_check *c, const struct sql_node *n);
/* Is the column's table (as far as the schema knows it) small: fewer than 1000 rows? */
bool rule_is_small(const struct rule_check *c, const struct sql_outline *o, int rel);
/* Is the query level's result at most one row by equality on a unique key (schema), or by the
 * habit that `id` is one (no schema: *habit is set)? */
bool rule_one_row(struct rule_check *c, const struct sql_outline *o, bool *habit);
/* Does anything bound how many rows the query level returns?  rule_bound.c says what can. */
bool rule_is_bound(struct rule_check *c, const struct sql_outline *o);

/* The table of that name, if the input makes it: before the statement looked at, in the same file;
 * a temporary one anywhere.  NULL: it does not. */
const struct made *rule_made(struct rule_check *c, struct str schema, struct str name);
/* The RangeVar of the table that a statement makes; NULL. */
const struct sql_node *rule_makes(const struct sql_node *stmt);
void made_release(struct made_tables *m);

#endif
