/* SPDX-License-Identifier: ISC
 *
 * schema_ask.h: what schema_serve.c and schema_partial.c share; private to the schema family.
 */
#ifndef SCHEMA_ASK_H
#define SCHEMA_ASK_H

#include "schema.h"

/* Of whom a question is: the schema, the query level, memory for the answer. */
struct schema_asked {
	const struct schema *s;
	struct arena *a;
	const struct sql_outline *o;
};

/* Does the condition imply the conjunct of an index's predicate? */
bool schema_implies(const struct schema_asked *q, const struct sql_cond *k,
	const struct schema_where *p);
/* Do the conditions of the query level imply all of the index's predicate? */
bool schema_has_rows(const struct schema_asked *q, const struct schema_index *x);

#endif
