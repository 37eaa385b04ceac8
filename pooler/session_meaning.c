/* SPDX-License-Identifier: ISC
 *
 * What a text means, as a number: see session_meaning.h.
 */
#include "session_meaning.h"
#include "session.h"

/* --- the schema ---------------------------------------------------------------------------- */

static atomic_uint ages[256];

atomic_uint *meaning_age(const char *database)
{
	return &ages[hash_keyed(database, strlen(database)) % ARRAY_LEN(ages)];
}

void meaning_schema_changed(const struct lane *l)
{
	atomic_fetch_add_explicit(l->age, 1, memory_order_relaxed);
}

/* --- a transaction ------------------------------------------------------------------------- */

/* Whose parameters are not known to us before the server has been asked. */
#define UNKNOWN (TEXT_READING | TEXT_LONG | TEXT_DISCARD_ALL)

void meaning_note(struct server *s, unsigned effects)
{
	if (effects & (UNKNOWN | TEXT_TEMP))
		s->alters |= ALTERS_PARAMETERS;
	if ((effects & TEXT_SCHEMA) && !(effects & TEXT_TEMP) &&
		!((effects & TEXT_DROP_TEMP) &&
			((s->session_state | s->dirty_effects) & TEXT_TEMP)))
		s->alters |= ALTERS_SCHEMA;
}

void meaning_settle(struct server *s)
{
	if (s->alters & ALTERS_SCHEMA)
		meaning_schema_changed(s->lane);
	s->alters = 0;
}

uint64_t meaning_now(const struct client *c, const struct server *s)
{
	static atomic_ullong last;

	/* a temporary table hides the one that others mean */
	if (LIKELY(!s->alters && !s->auditing && !(s->dirty_effects & UNKNOWN) &&
		    !((s->dirty_effects | s->session_state) & TEXT_TEMP)))
		return meaning_usual(c);
	return 1ULL << 63 | atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
}
