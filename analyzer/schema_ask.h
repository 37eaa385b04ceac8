/* SPDX-License-Identifier: ISC
 *
 * schema_ask.h: a question of schema_serve.c, and what schema_takes.c and schema_partial.c answer
 * to its parts; private to the schema family.
 */
#ifndef SCHEMA_ASK_H
#define SCHEMA_ASK_H

#include "schema.h"

/* Is the condition served by an index of the table?  Filled in while it is looked at. */
struct ask {
	const struct schema *s;
	struct arena *a;
	const struct sql_outline *o;
	const struct sql_cond *k;
	const struct schema_table *t;
	struct schema_served *out;
	/* the indexed side */
	int column;	  /* of t; -1: an expression */
	struct str canon; /* then its text; STR_NONE until asked for */
	const struct sql_node *node;
	struct str type, collation;
	bool explicit_collation;
	bool of_row; /* one column of a comparison of rows, which says nothing of NULLs */
};

/* Does the key take the condition: WHY_SERVED, or why not. */
enum schema_why schema_key_takes(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key);
/* Can rows be found in it by a key that is NULL? */
bool schema_has_nulls(const struct schema_index *x);

/* Does the condition imply the conjunct of an index's predicate? */
bool schema_implies(const struct schema_asked *q, const struct sql_cond *k,
	const struct schema_where *p);
#endif
