/* SPDX-License-Identifier: ISC
 *
 * rule_ddl.h: statements about indexes that fixes print; private to the rule family.
 */
#ifndef RULE_DDL_H
#define RULE_DDL_H

#include "rule.h"

/* CREATE INDEX on a table of the schema; method "": a B-tree; keys: as between the parentheses. */
struct str ddl_index(struct rule_check *c, const struct schema_table *t, const char *method,
	struct str keys);
/* The same for a table by the name it has in the query; t: what the schema knows of it, or NULL. */
struct str ddl_index_on(struct rule_check *c, const struct schema_table *t, struct str table,
	const char *method, struct str keys);
struct str ddl_drop(struct rule_check *c, const struct schema_index *x);
struct str ddl_reindex(struct rule_check *c, const struct schema_index *x);

#endif
