/* SPDX-License-Identifier: ISC
 *
 * params: the parameters of a session (SET, startup packet, ParameterStatus) as one shared,
 * immutable value.
 */
#ifndef POOLER_SESSION_PARAMS_H
#define POOLER_SESSION_PARAMS_H

#include "base.h"

/* The parameters of a session: a sorted, immutable, shared set of name and value.  Equal
 * sets are the same pointer within one relay, so "does this server connection suit that
 * client" is one comparison.
 *
 * Names that the server reports (ParameterStatus) are always in the set; others are in it
 * when the client has set them, and are at the server's default when they are not. */
struct param {
	const char *name, *value;
	uint32_t hash; /* of both texts */
	bool reported;
};

struct params {
	uint32_t refs, hash; /* hash: the sum of the items' */
	uint64_t meaning;    /* hash of those that texts are read under (session_meaning.h) */
	struct params *next; /* in the relay's table */
	struct buf greeting; /* ParameterStatus of the reported ones, once it was needed */
	size_t count;
	struct param item[]; /* sorted by name, case ignored; texts behind it */
};

struct param_table {
	struct params **slot;
	size_t size, count;
};

struct params *params_empty(struct param_table *t);
/* The set with one value changed or added; takes over the reference to `p`. */
struct params *params_with(struct param_table *t, struct params *p, const char *name,
	const char *value, bool reported);
struct params *params_ref(struct params *p);
void params_drop(struct param_table *t, struct params **p);
/* What its texts take. */
size_t params_bytes(const struct params *p);
const char *params_value(const struct params *p, const char *name);
/* Statements that turn `from` into `to`, as one simple Query's text; false: nothing to do.  `who`:
 * the session_authorization that it shall have, whatever is in `to`; NULL: as it is.  `anew`: there
 * may be more than is in `from`, which must go. */
bool params_put_change(struct buf *sql, const struct params *from, const struct params *to,
	const char *who, bool anew);
#define PARAM_WHO "session_authorization"
/* The ParameterStatus messages that tell a client all that is reported. */
const struct buf *params_greeting(struct params *p);
/* Can a client choose it at all?  (server_version and its kin cannot be set.) */
bool param_is_settable(const char *name);

#endif
