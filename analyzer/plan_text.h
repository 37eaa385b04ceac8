/* SPDX-License-Identifier: ISC
 *
 * plan_text.h: the reader of the text format at work; private to plan_text.c, which finds out
 * where each line belongs, plan_title.c, which reads a node's own line, and plan_field.c, which
 * reads the lines below it.
 */
#ifndef ANALYZER_PLAN_TEXT_H
#define ANALYZER_PLAN_TEXT_H

#include "plan.h"

#define MAX_DEPTH 400

struct level { /* an open node */
	struct plan_node *node;
	size_t column; /* of its arrow; the root's is its own minus 6 */
};

struct reader {
	struct arena *a;
	struct plan *p;
	struct level level[MAX_DEPTH];
	size_t depth;
	size_t root_column;
	struct plan_node *last; /* properties belong to it */
	struct str label;	/* "InitPlan 1 (returns $0)" of the next node */
	size_t label_column;
	enum { PART_TREE = 0, PART_PLANNING, PART_JIT, PART_SERIALIZATION, PART_ASIDE } part;
	size_t worker_column; /* deeper lines belong to the worker; SIZE_MAX: to the node */
	size_t target_column; /* likewise, to a table that the node changes */
	bool is_indented;     /* some child was deeper than the root: indentation can be trusted */
	bool is_part;	      /* the root came with an arrow: a part of a plan was pasted */
};

/* "Key: " at the beginning: its length, 0 when there is none. */
size_t text_key_length(struct str s);
bool text_is_footer(struct str s); /* "Planning Time: ", "Trigger x: " */
/* The number behind the key, NAN when the key is not there. */
double text_number(struct str s, const char *key);
bool text_take(struct str *s, const char *prefix); /* cuts it off where it is */

/* A node's own line, without its arrow: "Sort  (cost=...) (actual ...)". */
void title_set(struct reader *r, struct plan_node *n, struct str line);
/* "Update on s.t x" below the node that changes it. */
void title_set_target(struct reader *r, struct plan_node *n, struct str line);
/* A line below such a table: "Remote SQL: …". */
void field_set_target(struct reader *r, struct plan_node *n, struct str line);
/* One line of a node: "Sort Key: a", "Buffers: shared hit=5". */
void field_set(struct reader *r, struct plan_node *n, struct str line);
/* "Worker 0:  actual time=...", and the sort line below it. */
void field_set_worker(struct reader *r, struct plan_node *n, struct str line);
void field_set_worker_sort(struct plan_worker *w, struct str line);
/* A line below the tree; false: it does not belong to a plan. */
bool field_set_footer(struct reader *r, struct str line);

#endif
