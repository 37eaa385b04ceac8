/* SPDX-License-Identifier: ISC
 *
 * advise_workload.h: a workload being advised on; private to the files that do it.
 *
 *   advise_workload.c   the steps, in their order
 *   advise_collect.c    the queries and the candidates they ask for
 *   advise_draw.c       which calls of a shape are planned
 *   advise_constant.c   what every call asks for: the predicates of partial indexes
 *   advise_joined.c     how many values columns have together, by what they are joined with
 *   advise_query.c      the planner asked about one query; its costs into the matrix
 *   advise_risk.c       plans that are cheap only by the planner's word
 *   advise_pay.c        what was chosen but does not pay, left out
 *   advise_size.c       how large an index would be
 *   advise_write.c      what the workload's writes pay for it
 *   advise_guess.c      what HypoPG cannot try (GIN, GiST, hash, BRIN): its gain by rule of thumb
 *   advise_scratch.c    the same built for real in a copy, and every query run there
 *   advise_report.c     the chosen indexes, told
 */
#ifndef ADVISE_WORKLOAD_H
#define ADVISE_WORKLOAD_H

#include "advise_matrix.h"
#include "advise_whatif.h"
#include "rule.h"
#include "schema.h"
#include "sql.h"

#define SHAPES_MAX    300 /* looked at, unless told otherwise */
#define CONCERNED_MAX 64  /* candidates asked about for one query */
#define GUESSES_MAX   8	  /* of one query */

struct guess { /* a query's cost with an index that HypoPG cannot try */
	uint32_t id;
	double cost;
};

struct query { /* calls of one shape with one plan */
	uint32_t shape;
	struct str sql;
	unsigned params;
	struct str args;      /* values of the parameters as SQL, from the log; STR_NONE: generic */
	double before, after; /* the planner's cost */
	double rows_written;  /* by its plan's estimate; -1: it writes none */
	double worst;	      /* after, pessimistically (advise_risk.c) */
	double part_of_time, part_of_calls; /* of the shape's */
	double weight, calls;
	uint32_t concerned[CONCERNED_MAX];
	size_t n_concerned;
	uint32_t around[CONCERNED_MAX]; /* what query_ask_around() was last asked about */
	size_t n_around;
	struct guess guess[GUESSES_MAX];
	size_t guesses;
	uint32_t *used; /* in the final plan */
	size_t n_used;
	double ms_before, ms_after; /* run in the copy; NAN: not run */
};

struct extent { /* of an index, in bytes */
	double least, bytes, most;
};

struct part { /* of a table's rows, by the planner's estimate */
	struct str schema, table, where;
	double part; /* 0 … 1 */
};

struct joined { /* columns that have together at most so many values */
	struct str schema, table;
	struct str column[4]; /* as SQL */
	size_t columns;
	double most;
};

struct workload {
	struct arena arena; /* of the whole run */
	struct arena plans; /* of one plan; reset often */
	struct facts *facts;
	const struct schema *schema;
	struct findings *found;
	struct whatif whatif;
	bool mask;		 /* no literal in what is said */
	VEC(struct query) query; /* those of a shape one after the other */
	size_t shapes;		 /* that they are of */
	uint32_t asking;	 /* the shape that the planner was asked about last */
	struct candidates pool;
	VEC(struct part) part;
	VEC(struct joined) joined;
	int64_t *size;	       /* of each candidate; -1: cannot be had */
	struct extent *extent; /* of each: between what its size lies */
	double *upkeep;	       /* of each: what the workload's writes pay for it */
	uint64_t *hot_lost;    /* calls of UPDATEs that would be HOT no more */
	double *rent;	       /* of each: what its bytes count when there is no budget */
	bool *barred;	       /* of each: not to be chosen */
	bool *is_guessed;      /* of each: HypoPG cannot try it */
	bool *is_built;	       /* of each: was built in the copy, its gain is measured */
	double unit;	       /* weight of one cost unit on average: what upkeep is counted in */
	double total;	       /* weighted cost of all queries without new indexes */
	double calls;	       /* of all queries */
	struct matrix *matrix;
	struct scratch *scratch; /* NULL: there is no copy */
};

/* advise_collect.c: query[] from the dearest `most` of the shapes, and the pool. */
void workload_collect(struct workload *w, const uint32_t *shape, size_t n, size_t most,
	struct workload_result *r);

/* advise_draw.c */
struct call {
	struct str sql, args; /* as in struct query */
	double time, calls;   /* what it stands for; of all returned, in no unit */
};
/* At most so many calls that stand for all of the shape, the most time first; one at least. */
size_t draw_calls(struct workload *w, uint32_t shape, struct call *out, size_t most);

/* advise_constant.c: of the calls of one shape. */
struct constant { /* a column compared with a constant: a partial index may hold only those rows */
	struct str schema, table;
	struct str column, predicate; /* as SQL */
	bool is_written;	      /* in the statement, and not a parameter's value */
	double part;		      /* of the shape's calls */
	const struct plan *last;      /* that had it */
};
struct constants {
	VEC(struct constant) at;
	double weight;
};
void constants_note(struct workload *w, struct constants *k, const struct shape *s,
	const struct call *c, const struct plan *p);
/* Only those stay that next to all calls have. */
void constants_settle(struct constants *k);
/* Does the plan ask for the rows that this partial index has? */
bool constants_has(struct workload *w, const struct plan *p, const struct candidate *c);
bool constants_are_equal(struct workload *w, const struct plan *a, const struct plan *b);
void constants_release(struct constants *k);

/* advise_joined.c: notes what the query's plan joins with the whole key of a table. */
void joined_note(struct workload *w, const struct plan *p);
/* How many values the candidate's keys have together at most; distinct[]: each by itself. */
double joined_values(const struct workload *w, const struct candidate *c, const double *distinct);

/* advise_query.c: concerned[], the candidates that could matter to the query: on a table its plan
 * reads, led by something it asks for. */
void query_find_concerned(struct workload *w, size_t at);
/* Fills the matrix's row of the query. */
void query_ask(struct workload *w, size_t at);
/* Adds to it what each other candidate would do beside those chosen. */
void query_ask_around(struct workload *w, size_t at, const struct choice *c);
/* Plans the query with what is tried now; NULL: refused. */
struct plan *query_plan(struct workload *w, const struct query *q);
/* An order walked below a LIMIT, past a filter, by an index that finds nothing itself. */
bool is_order_trap(const struct plan_node *n);
/* What a query's cost counts in the matrix: its weight, and a little for being relatively
 * faster, so that many small queries are not forgotten for one large. */
double query_felt(const struct workload *w, const struct query *q, double cost);

/* advise_size.c: size[] of every candidate. */
void workload_sizes(struct workload *w);
/* The part of the table's rows that the candidate has, 0 … 1. */
double workload_part(struct workload *w, const struct candidate *c);

/* advise_write.c: upkeep[] and hot_lost[] of every candidate that has a size. */
void workload_writes(struct workload *w);

/* advise_guess.c: guess[] of each query, size[] of what is guessed. */
void workload_guess(struct workload *w);

/* advise_workload.c: plans every query with all chosen; true: some index was taken back, so that
 * the choice must be made anew. */
bool workload_prove(struct workload *w, const struct choice *c);

/* advise_risk.c: the plan's cost, its look-ups in what is tried priced pessimistically. */
double risk_cost(const struct workload *w, const struct plan *p);
/* Bars what puts too much at stake, after the proof; true: the choice must be made anew. */
bool risk_bar(struct workload *w, const struct choice *c);
void risk_say(struct workload *w, struct workload_result *r);

/* advise_pay.c: drops from the choice what takes less than l->gain off the workload's cost. */
void workload_pay(struct workload *w, struct choice *c, const struct workload_limits *l,
	struct workload_result *r);
/* How much of what an index must bring is asked of this one, 0..1: under a budget a small one needs
 * to bring less. */
double pay_asked(const struct workload *w, const struct workload_limits *l, uint32_t id);

/* advise_report.c: adds the choice to found->index. */
void workload_report(struct workload *w, const struct choice *c, struct workload_result *r);

/* advise_scratch.c: see struct workload_limits.  False: why says what is wrong. */
bool scratch_open(struct workload *w, const struct workload_limits *l, struct err *why);
/* Replaces guesses by what the planner says of the index built. */
void scratch_build(struct workload *w);
struct scratch_verdict {
	size_t ran, slower;   /* queries */
	double before, after; /* ms of all calls */
};
/* Runs every query without and with the choice; bars what makes one slower.  True: barred. */
bool scratch_run(struct workload *w, const struct choice *c, struct scratch_verdict *v);
/* Bytes of the tables that the workload reads. */
int64_t scratch_bytes(struct workload *w);
void scratch_close(struct workload *w);

#endif
