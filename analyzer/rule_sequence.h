/* SPDX-License-Identifier: ISC
 *
 * rule_sequence.h: what the rules about sequences share; private to them.
 *
 *   rule_sequence_key.c    which condition a loop varies, and what ties it to a parent
 *   rule_nplus.c           NP001, NP006, NP007: loops of reads
 *   rule_loop.c            NP003, NP004: loops of writes
 *   rule_sequence_pair.c   NP008, NP009, NP011, NP012, NP013: one statement behind another
 *   rule_sequence_unit.c   NP002, NP005, NP010: a whole unit
 *   rule_transaction.c     TX001 … TX005: transactions and connections
 *   rule_lock.c            TX006, TX007, TX008: deadlocks, DDL that others wait for
 *   rule_sequence_fix.c    the batched statement
 */
#ifndef RULE_SEQUENCE_H
#define RULE_SEQUENCE_H

#include "rule_checks.h"

#define SAMPLES 5

/* The condition by which a loop's statements differ. */
struct loop_key {
	const struct sql_cond *cond;
	struct str value[SAMPLES]; /* in the calls that were kept */
	size_t values;		   /* 0: none was kept */
};

/* What the child's key has to do with the parent. */
enum tie { TIE_NONE = 0, TIE_WEAK, TIE_STRONG };

/* The query level that looks something up: the statement, or what its EXISTS () asks. */
const struct sql_outline *loop_lookup(const struct sql_outline *top);
/* Fills *k with the condition column = value that varies (its value must be a literal or a
 * parameter); false: there is none, or in the calls kept it never varied. */
bool loop_key(struct rule_check *c, const struct sql_outline *o, struct loop_key *k);
/* The value that a condition of the shape has in one of its calls (its parameters, or its text);
 * STR_NONE: NULL, or not to be seen. */
struct str call_value(struct rule_check *c, const struct sql_outline *o,
	const struct sql_side *side, struct str call);
struct str rel_of_key(const struct sql_outline *o, const struct sql_cond *key);
enum tie tie_of(struct rule_check *c, const struct sql_outline *child, const struct sql_cond *key);
/* Do a statement's tables include this one? */
bool reads_rel(const struct sql_outline *o, struct str table);
/* `post_id`, `postid` for posts. */
bool names_table(struct arena *a, struct str column, struct str table);
/* pg_catalog, information_schema, or no table at all. */
bool only_system(const struct sql_outline *o);
/* How sure the sequence makes us: an enum confidence; -1: not at all. */
int loop_judge(const struct rule_check *c, enum tie tie);
/* What a run was like: counts, times, values, parent, and what its log could not tell. */
void loop_evidence(struct rule_check *c, struct finding *x, const struct loop_key *key);

/* Makes a shape the subject of findings to come. */
void about_shape(struct rule_check *c, uint32_t shape);
void set_places(struct finding *x, const struct place *at, uint32_t n);

/* The array type that keys are passed in: by the schema, else by the values seen; "" when
 * neither tells. */
const char *key_array(struct rule_check *c, const struct sql_outline *o, const struct loop_key *k);
/* One statement for the whole loop; STR_NONE where none can be written. */
struct str batch_read(struct rule_check *c, const struct loop_key *k);
struct str batch_insert(struct rule_check *c);
struct str batch_update(struct rule_check *c, const struct loop_key *k);
struct str batch_delete(struct rule_check *c, const struct loop_key *k);
/* A shape's first text with its literals as $1, $2, …: it shows no values.  STR_NONE: it is cut,
 * or has comments. */
struct str numbered_text(struct rule_check *c, const struct shape *s);
/* How --verify can compare the loop with its fix. */
void prove_read(struct rule_check *c, struct finding *x, const struct loop_key *k,
	enum proof_kind kind);
/* The child joined with its parent; STR_NONE where it is not plain how. */
struct str join_parent(struct rule_check *c, const struct sql_outline *child,
	const struct sql_cond *key);
/* How --verify can compare the loop with that join, when prove_read() could and the log has the
 * parent's values. */
void prove_join(struct rule_check *c, struct finding *x, const struct sql_outline *child,
	const struct sql_cond *key);

#endif
