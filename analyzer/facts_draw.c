/* SPDX-License-Identifier: ISC
 *
 * facts_draw: a few calls that stand for all of a shape.
 *
 * The planner is asked about a shape with the values of real calls.  Which, must not hang on the
 * order they were logged in; and where one value takes nine tenths of the time, nine of ten calls
 * asked about should have it.  So calls are drawn without replacement, each with a chance as its
 * time (A-ES of Efraimidis and Spirakis: the least -ln(u)/time stay), where u is no random number
 * but a hash of what the log says of the call: the same calls in any order give the same draw.
 *
 * Where the log has neither time nor duration, calls with equal values are one that came several
 * times: such a call is either there from its first time on or never, so that the count is right.
 */
#include "facts_build.h"

#include <math.h>

static double chance_of(const struct shape *s, const struct open *o)
{
	uint64_t h = sql_hash_bytes((const char *)&o->ts, sizeof(o->ts), s->hash);

	h = sql_hash_bytes((const char *)&o->usec, sizeof(o->usec), h);
	h = sql_hash_bytes((const char *)&o->values, sizeof(o->values), h);
	return ((double)(h >> 11) + 0.5) / (double)(1ull << 53);
}

static void drawn_release(struct drawn *d)
{
	free(d->sql);
	free(d->params);
}

void shape_draw(struct shape *s, const struct session *who, const struct open *o)
{
	double usec = o->usec > 0 ? (double)o->usec : 1, chance = chance_of(s, o), key;
	struct draw *d = s->draw;
	uint32_t at;

	if (d == NULL)
		d = s->draw = mem_zalloc(sizeof(*d));
	/* -ln(u) is more than 1 - u: most calls are out without a logarithm. */
	if (d->n == DRAWN_MAX && 1 - chance > d->at[DRAWN_MAX - 1].key * usec)
		return;
	key = -log(chance) / usec;
	for (at = d->n; at > 0 && d->at[at - 1].key > key;)
		at--;
	if (at > 0 && d->at[at - 1].key == key) {
		d->at[at - 1].times++;
		return;
	}
	/* What is cut cannot be planned. */
	if (at == DRAWN_MAX || who->sql.n == 0 || who->sql.n >= TEXT_MAX ||
		who->params.n >= TEXT_MAX)
		return;
	if (d->n == DRAWN_MAX)
		drawn_release(&d->at[DRAWN_MAX - 1]);
	else
		d->n++;
	memmove(&d->at[at + 1], &d->at[at], (d->n - 1 - at) * sizeof(d->at[0]));
	d->at[at] = (struct drawn){.key = key,
		.usec = o->usec > 0 ? (uint64_t)o->usec : 0,
		.times = 1,
		.sql = str_dup(text_slice(&who->sql)),
		.params = who->params.n ? str_dup(text_slice(&who->params)) : NULL};
}

void draw_free(struct draw **d)
{
	for (uint32_t i = 0; *d && i < (*d)->n; i++)
		drawn_release(&(*d)->at[i]);
	free(*d);
	*d = NULL;
}
