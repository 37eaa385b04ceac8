/* SPDX-License-Identifier: ISC
 *
 * facts, sequences: the calls of one transaction, burst or request, and what is kept of their
 * order: runs of one shape (facts_run.c), repeats, cycles, pairs, pauses (facts_sequence.c), kinds
 * of transactions (facts_tx.c).  Times are µs; texts that are kept are owned by their row.
 */
#ifndef ANALYZER_FACTS_SEQUENCE_H
#define ANALYZER_FACTS_SEQUENCE_H

#include "base.h"

#define PLACE_MAX 5 /* places kept per shape or run */
#define TESTS_MAX 5 /* names of tests kept per run */

struct place {
	uint32_t file;
	uint64_t line;
};

/* How far transactions are kept from each other, as far as the log told: by their level, or as well
 * as by the highest by a lock that they take first. */
enum isolation { ISOLATION_COMMITTED = 0, ISOLATION_REPEATABLE, ISOLATION_SERIALIZABLE };
#define ISOLATIONS 3

/* One call. */
struct event {
	uint32_t shape;
	bool own_tx; /* the only work of a transaction of its own */
	enum isolation isolation;
	int64_t ts;	       /* when it was logged: its end */
	int64_t usec;	       /* -1: not known */
	int64_t rows;	       /* -1: not known */
	int64_t limit;	       /* LIMIT's number; -1: none, or not known */
	uint64_t values;       /* hash of its literals and parameters; 0: none were logged */
	uint32_t text, text_n; /* unit.text: parameters, or the statement when it has literals */
	struct place at;
	uint32_t origin; /* NO_ORIGIN: its comment names none */
};

enum unit_kind { UNIT_BURST = 0, UNIT_TX };

/* What happened in one transaction of one session, or in one burst of statements between two
 * pauses of it, or for one request where comments name it.  In a burst the transactions of one or
 * two statements count like statements.  Handed to unit_end(), which keeps only what it finds. */
struct unit {
	uint64_t id; /* 1, 2, … as they began */
	enum unit_kind kind;
	VEC(struct event) event;
	struct text text;
	uint64_t trace;	  /* of the request, by its comments; 0: not known */
	bool rolled_back; /* nothing of it was kept */
	bool is_script;	  /* it has DDL, COPY, TRUNCATE */
	uint32_t kept;	  /* leading events that an earlier piece of it has counted already */
	uint64_t pieces;  /* a long unit is looked at in pieces: those before this one */
	uint64_t calls;
	int64_t begun; /* the first one's start, µs since 1970; 0: not known */
	bool counted;  /* its transaction is counted from BEGIN to COMMIT */
	uint32_t user, db, app, test;
};

/* The same shape again and again in a unit, with other values each time, behind a parent. */
struct run {
	uint32_t parent; /* shape; NO_SHAPE: none stood before it */
	uint32_t child;
	uint64_t runs;	      /* how many units or repetitions showed it */
	uint64_t tx_runs;     /* of these in explicit transactions */
	uint64_t traced_runs; /* of these in units that are one request by their comments */
	uint64_t rolled_runs; /* of these in transactions that were rolled back */
	uint64_t script_runs; /* of these among DDL, COPY, TRUNCATE: a script, a migration */
	uint64_t calls;	      /* of the child, in all runs */
	uint64_t longest;
	uint64_t distinct;	 /* values, of the longest run; 0: none were logged */
	uint64_t strays;	 /* statements that have nothing to do with the longest run */
	uint64_t others;	 /* other parts of the same loop, amid the longest run */
	uint64_t usec, gap_usec; /* all runs: in the server, and between the calls */
	/* Runs whose parent's rows were logged; as many as there were calls; fewer. */
	uint64_t parent_rows_known, parent_rows_match, parent_rows_over;
	uint64_t limit_known, limit_match,
		limit_over;	       /* runs as long as the parent's LIMIT; longer */
	struct place place[PLACE_MAX]; /* where the longest run's calls stand */
	uint32_t places;
	struct place parent_at;
	char *values[5]; /* a few parameters or statements of the longest run; owned */
	uint32_t nvalues;
	char *parent_values; /* the parent's; NULL: not kept; owned */
	uint64_t unit, here; /* the last unit that showed it, and its calls there */
	uint32_t user, db, app;
	uint32_t origin;	  /* of the longest run's first call; NO_ORIGIN */
	uint32_t test[TESTS_MAX]; /* names of tests that showed it, the least by name */
	uint32_t tests;
};

#define LOOP_MIN   5  /* calls that make a loop */
#define TRACED_MIN 3  /* where they are known to be one request's */
#define CYCLE_MAX  12 /* statements of a cycle */
#define WRITES_MAX 6  /* kinds of writes remembered between two reads */

/* The same shape with the same values again and again in a unit. */
struct repeat {
	uint32_t shape;
	uint64_t units, calls, most; /* units that showed it; calls there; the most in one */
	uint64_t traced;	     /* of the units */
	uint64_t usec, gap_usec;
	uint32_t write[WRITES_MAX]; /* shapes of what else than a read came between, in any unit */
	uint32_t writes;	    /* WRITES_MAX + 1: more kinds than are remembered */
	struct place place[PLACE_MAX];
	uint32_t places;
	uint32_t user, db, app;
};

/* Several shapes, one after the other, again and again in a transaction. */
struct cycle {
	uint32_t shape[CYCLE_MAX];
	uint32_t length;
	uint32_t varies; /* bit i: shape[i] came with other values (nearly) each time */
	uint64_t units, traced, most, calls, usec, gap_usec;
	struct place place[PLACE_MAX];
	uint32_t places;
	uint32_t user, db, app;
};

/* One statement right behind another in a unit. */
struct pair {
	uint32_t first, second;
	uint64_t count, tx, rolled_back;
	uint64_t both_slow;	    /* both took SLOW_PAIR_USEC */
	uint64_t at[ISOLATIONS];    /* of count: in transactions of that level */
	uint64_t rows_known, empty; /* first's rows were logged; were none */
	uint64_t usec;		    /* of both */
	struct {
		char *first, *second; /* parameters or statements; owned; NULL: none kept */
	} sample[3];
	uint32_t samples;
	struct place place[PLACE_MAX];
	uint32_t places;
	uint32_t user, db, app;
};
#define SLOW_PAIR_USEC 30000

/* A transaction that waited for its client between two statements. */
struct pause {
	uint32_t before, after; /* shapes */
	uint64_t count, usec, most;
	uint64_t wrote;	 /* of these behind a write: locks were held */
	struct place at; /* of the longest: the statement after it */
	uint32_t user, db, app;
};
#define PAUSE_USEC 1000000

/* In a transaction rows of one table were locked, then rows of another. */
struct lock_order {
	uint32_t first, second; /* shapes, of the first seen */
	uint64_t from, to;	/* their tables: shape.locks */
	uint64_t lead;		/* the table that was locked before both, each time; 0: none */
	uint64_t count;
	struct place at;
	uint32_t user, db, app;
};

/* Transactions by the statement they begin with. */
struct tx_kind {
	uint32_t first;
	uint64_t count, alone; /* alone: it was the only statement, and a read */
	uint64_t usec, longest;
	uint64_t most_calls;  /* the most statements in one */
	uint64_t most_shapes; /* of how many shapes that one was */
	uint64_t most_same;   /* how many of these were of the commonest shape */
	bool has_ddl;
	struct place at, most_at;
	uint32_t user, db, app;
};

#endif
