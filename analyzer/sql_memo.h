/* SPDX-License-Identifier: ISC
 *
 * sql_memo.h: the shapes of statements that were seen before, without lexing them again.
 *
 * Life cycle: memo_new(), memo_lex() for one text after the other, memo_free().  A memo belongs
 * to one thread at a time.  What it answers does not depend on what it was asked before.
 */
#ifndef ANALYZER_SQL_MEMO_H
#define ANALYZER_SQL_MEMO_H

#include "sql_lex.h"

struct sql_memo;

struct sql_memo *memo_new(void);
void memo_free(struct sql_memo **m);

/* What sql_lex(text, len, out, NULL, 0) gives, bit for bit. */
void memo_lex(struct sql_memo *m, const char *text, size_t len, struct sql_shape *out);

#endif
