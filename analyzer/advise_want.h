/* SPDX-License-Identifier: ISC
 *
 * advise_want.h: which expressions an index may hold; private to the advise family.
 */
#ifndef ADVISE_WANT_H
#define ADVISE_WANT_H

#include "schema.h"
#include "sql.h"

/* t: its columns' types, or NULL.  compared: the type that a comparison casts the other side to, or
 * "".  *is_assumed: it is, if what AT TIME ZONE is asked of is a timestamptz. */
bool expr_is_immutable(const struct schema_table *t, const struct sql_node *expr,
	struct str compared, bool *is_assumed);

#endif
