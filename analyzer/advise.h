/* SPDX-License-Identifier: ISC
 *
 * advise.h: which indexes would a workload be better with?
 *
 * Three steps, one file or two each:
 *	candidates   from plans and from queries: which indexes could help at all
 *	what-if      the planner's cost with each of them, asked through HypoPG
 *	selection    the best set under a budget of bytes and a number of indexes
 *
 * Selection, pure arithmetic over a sealed matrix (advise_matrix.h):
 *	struct choice c = select_indexes(matrix, &(struct select_limits){.bytes = budget});
 *	... c.index[0 .. c.count) ascending, c.cost, c.bytes ...
 *	choice_release(&c);
 * The same matrix and limits give the same choice on every machine: effort is counted in
 * entries looked at, not in seconds.
 */
#ifndef ADVISE_H
#define ADVISE_H

#include "base.h"

struct findings;
struct index_advice;
struct matrix;
struct plan;
struct plan_node;
struct schema;
struct schema_table;
struct sql_outline;

/* --- candidates ------------------------------------------------------------------------
 *
 *   advise_immutable.c   may an index hold the expression?
 *   advise_want.c    what a condition asks of an index: equality on a, range on b, GIN on c
 *   advise_ddl.c     wants -> keys in order -> CREATE INDEX; duplicates and prefixes merged
 *   advise_partition.c   an index for a part, said of the whole; the steps that build it
 *   advise_scan.c    one scan in a plan: what stands around it, is it worth an index
 *   advise_plan.c    a plan's nodes -> candidates
 */

enum want_kind {
	WANT_EQ = 0, /* = const, = ANY, IN, IS NULL, = a column of another relation */
	WANT_RANGE,  /* < > BETWEEN, and row comparisons (several keys) */
	WANT_PREFIX, /* LIKE 'abc%', ~ '^abc' */
	WANT_BOOL,   /* flag, NOT flag: a partial index's predicate */
	WANT_THERE,  /* IS NOT NULL: the same, where nothing else is asked for */
	WANT_OTHER   /* an operator that asks for a method of its own: GIN, GiST */
};

struct want {
	enum want_kind kind;
	struct str expr; /* column name as SQL, or the expression's SQL, qualifiers taken off */
	bool is_expr;
	bool is_assumed;     /* it is immutable if what AT TIME ZONE is asked of is a timestamptz */
	bool is_join;	     /* compared with another relation's column */
	const char *method;  /* WANT_OTHER: "gin", "gist" */
	const char *opclass; /* or NULL */
	struct str predicate; /* WANT_BOOL, WANT_THERE, WANT_EQ with a constant: as SQL; else "" */
	struct str value;     /* WANT_EQ with one constant: it */
	int arm;	      /* of which OR it is an arm, from 1; 0: a conjunct of its own */
	struct str also[3];   /* an arm: the other columns that it compares with constants */
	size_t n_also;
};

struct wants {
	const struct schema_table *table; /* its columns' types, where they are known; NULL */
	struct want at[32];
	size_t n;
	int ors;
};

/* Adds what the condition (as EXPLAIN prints it) asks of the relation known by alias or name.
 * Needs the deep stack of sql_run_deep(). */
void wants_add(struct arena *a, struct wants *w, struct str condition, struct str alias,
	struct str relation);
/* One ORDER BY or GROUP BY item ("t.a DESC NULLS LAST") of that relation; false: it is not. */
struct index_key;
bool wants_key(struct arena *a, const struct schema_table *t, struct str item, struct str alias,
	struct str relation, struct index_key *key);

struct index_key {
	struct str expr; /* quoted where needed */
	bool is_expr, is_assumed, desc, nulls_first,
		nulls_last; /* the last two only when not the default */
	const char *opclass;
};

#define INDEX_KEYS_MAX 8

struct candidate {
	struct str schema, table; /* raw names */
	const char *method;	  /* "btree", "gin", … */
	struct index_key key[INDEX_KEYS_MAX];
	size_t keys;
	struct str include[INDEX_KEYS_MAX];
	size_t includes;
	struct str where;     /* "" */
	bool is_of_value;     /* where: a column's constant */
	struct str name, ddl; /* candidate_finish() */
	unsigned nth;	      /* a number behind its name, where that is taken; 0: none */
	struct str why;
	struct str beside;     /* an index there of more columns, whose first is its only key; "" */
	struct str replaces;   /* an index that this one makes redundant; "" */
	double weight;	       /* ms, or cost, of the nodes it would help */
	size_t node;	       /* of the plan: number; 0: none */
	bool is_partition;     /* the relation is one of several partitions */
	bool statistics_first; /* the estimate at the node is far off: ANALYZE before */
};

struct candidates {
	VEC(struct candidate) at;
};

/* Names it and writes its DDL (CONCURRENTLY when asked for). */
void candidate_finish(struct arena *a, struct candidate *c, bool concurrently);
/* The same, with a name that no table and no index of the schema has (NULL: as above). */
void candidate_finish_apart(struct arena *a, const struct schema *s, struct candidate *c,
	bool concurrently);
/* Does the key, or another expression of SQL, name the column? */
bool candidate_names(struct arena *a, struct str expr, struct str column);
/* The column that a key is, by its SQL; -1: it is an expression. */
int candidate_column(const struct schema_table *t, struct str key);
/* What stands behind the table's name: "(a, b) WHERE c", "USING gin (tags)". */
struct str candidate_definition(struct arena *a, const struct candidate *c);
/* Partitions (advise_partition.c).  The top of the partitions that the table is one of; NULL: none.
 */
const struct schema_table *partition_root(const struct schema *s, const struct candidate *c);
/* Bytes of the index on the whole, when one on this part has so many. */
int64_t partition_size(const struct schema *s, const struct candidate *part, int64_t bytes,
	const struct schema_table *root);
/* x->online: how the (finished, not concurrent) index on a partitioned table is built without
 * locking out writes; nothing when the schema does not know its parts. */
void partition_steps(struct arena *a, const struct schema *s, const struct candidate *whole,
	struct index_advice *x);
/* Adds it to what is reported, as an index nobody has tried: why, costs and size are the
 * caller's to fill in. */
struct index_advice *candidate_report(struct findings *f, const struct candidate *c);
/* Adds it, unless one there is the same or begins with the same keys; drops those that it
 * makes needless. */
void candidates_add(struct candidates *list, const struct candidate *c);
void candidates_release(struct candidates *list);
/* An index there already that serves whatever the candidate would: its name, else "".  One
 * that the candidate would make redundant goes to c->replaces. */
struct str candidate_existing(struct arena *a, const struct schema *s, struct candidate *c);

/* What indexes would help the plan, most weight first, finished.  schema may be NULL. */
void advise_plan(struct arena *a, const struct plan *p, const struct schema *schema,
	struct candidates *out);

/* Every index that could matter to the query behind the plan, generously: single columns,
 * equalities with each range and order, join columns, covering variants.  For those who ask
 * the planner about each.  `needed` says which columns of a table the statement reads; NULL: it is
 * not known, and indexes that are there are proposed, too. */
struct needed_columns {
	struct str alias;
	struct str column[12];
	size_t columns;
	bool is_all; /* a star, or too many */
};
struct constants;
void advise_generously(struct arena *a, const struct plan *p, const struct schema *schema,
	const struct needed_columns *needed, size_t n, const struct constants *constants,
	struct candidates *out);
/* Adds to the list what one index could be in the place of two of them, at most so many. */
void advise_merge(struct arena *a, struct candidates *list, size_t most);

/* --- a workload -------------------------------------------------------------------------
 *
 *   advise_collect.c    the queries and the candidates they ask for
 *   advise_draw.c       which calls of a shape are planned
 *   advise_constant.c   what every call asks for: the predicates of partial indexes
 *   advise_ask.c        generous candidates of one query
 *   advise_whatif.c     the planner's cost of each query with sets of candidates (HypoPG)
 *   advise_query.c      the planner asked about one query; the answers are the matrix
 *   advise_guess.c      what HypoPG cannot try, guessed
 *   advise_size.c       how large an index would be
 *   advise_write.c      what the workload's writes pay for it
 *   advise_matrix.c     the matrix, and trays over it (advise_matrix.h)
 *   advise_select.c     where the selection looks (advise_search.h)
 *   advise_fill.c       its greedy steps
 *   advise_tabu.c       its search beyond what a step can reach
 *   advise_bound.c      how good any set could be
 *   advise_pay.c        does each chosen index pay?
 *   advise_risk.c       could one make a query slower?
 *   advise_scratch.c    a copy, where indexes are built and queries run
 *   advise_report.c     the chosen indexes, told
 *   advise_workload.c   all of it: candidates, matrix, selection, proof, report
 */
struct db;
struct facts;

struct workload_limits {
	uint64_t bytes; /* of all new indexes; 0: no limit */
	size_t indexes; /* 0: no limit */
	size_t queries; /* the dearest so many are looked at; 0: 300 */
	double gain;	/* of the workload's cost: an index must take so much off, or half off one
			 * query's; 0: whatever saves something is taken */
	bool is_gain_scaled; /* less is asked of an index that takes a small part of the budget */
	/* A server where a database of our own is made, filled from `dsn`, and dropped: what cannot
	 * be tried is built there, and the choice is run.  NULL: none. */
	const char *scratch, *dsn;
	uint64_t scratch_bytes; /* copy at most so much: larger tables are sampled */
	bool is_dry;		/* only say what it would cost */
	bool mask;		/* no literal in what is said */
	/* What it will cost, before it begins; may be NULL. */
	void (*announce)(const char *text);
};

struct workload_note {
	bool is_warning;
	struct str text; /* in found's arena */
};

struct workload_result {
	VEC(struct workload_note) say;	   /* what was left out, what is doubtful */
	VEC(uint32_t) judged;		   /* shapes whose advice is the planner's word */
	size_t queries, candidates, asked; /* asked: plans the planner made for us */
	double before, after;		   /* the workload's weighted cost */
	struct str note;		   /* what the reader must know; "" */
	struct str lost; /* the connection was lost, and how; "": it was not.  Nothing is advised */
	/* Of the copy: how many queries were run, how many were slower, all calls' ms. */
	size_t ran, slower;
	double ms_before, ms_after;
};

/* Adds to found->index what the workload (shape[0..n), dearest first) would be better with.
 * Read-only: needs HypoPG in the database, else nothing is done and the note says so. */
struct workload_result advise_workload(struct db *db, struct facts *f, const uint32_t *shape,
	size_t n, const struct schema *schema, const struct workload_limits *limits,
	struct findings *found);
void workload_result_release(struct workload_result *r);

/* --- selection -------------------------------------------------------------------------- */

struct select_limits {
	uint64_t bytes;	 /* the chosen indexes together may not be larger */
	size_t indexes;	 /* nor more than these; 0: as many as fit */
	uint64_t effort; /* entries to look at; 0: the default, a fraction of a second */
};

struct choice {
	uint32_t *index; /* owned */
	size_t count;
	uint64_t bytes;
	double cost; /* of the workload under the set, upkeep included */
};

struct choice select_indexes(const struct matrix *m, const struct select_limits *limits);
void choice_release(struct choice *c);

#endif
