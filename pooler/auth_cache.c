/* SPDX-License-Identifier: ISC
 *
 * What was learned by asking: a table of a fixed number of places, four for each hash.  When
 * they are taken the oldest answer gives way, which costs a question more and never memory: a
 * flood of invented names cannot grow it.
 */
#include "auth.h"

#define PLACES 8192 /* a power of two */
#define WAYS   4

struct place {
	char *topic, *name; /* NULL: empty */
	enum cache_verdict verdict;
	struct auth_user *user;
	usec_t since, until;
};

struct auth_cache {
	struct place places[PLACES];
};

struct auth_cache *auth_cache_new(void)
{
	return mem_zalloc(sizeof(struct auth_cache));
}

static void place_clear(struct place *p)
{
	free(p->topic);
	free(p->name);
	auth_user_drop(&p->user);
	memset(p, 0, sizeof *p);
}

void auth_cache_clear(struct auth_cache *c)
{
	for (size_t i = 0; i < PLACES; i++)
		if (c->places[i].name)
			place_clear(&c->places[i]);
}

void auth_cache_free(struct auth_cache **c)
{
	if (*c)
		auth_cache_clear(*c);
	free(*c);
	*c = NULL;
}

static bool place_is(const struct place *p, const char *topic, const char *name)
{
	return p->name && strcmp(p->name, name) == 0 && strcmp(p->topic, topic) == 0;
}

/* The key's place; when it has none, the one it should take (place_is says no then). */
static struct place *place_of(struct auth_cache *c, const char *topic, const char *name)
{
	uint64_t h = hash_keyed(topic, strlen(topic)) * 31 + hash_keyed(name, strlen(name));
	struct place *set = &c->places[h & (PLACES - WAYS)], *oldest = set;

	for (int i = 0; i < WAYS; i++) {
		if (place_is(&set[i], topic, name))
			return &set[i];
		if (set[i].since < oldest->since)
			oldest = &set[i];
	}
	return oldest;
}

enum cache_verdict auth_cache_get(struct auth_cache *c, const char *topic, const char *name,
	usec_t now, struct auth_user **out)
{
	struct place *p = place_of(c, topic, name);

	*out = NULL;
	if (!place_is(p, topic, name) || now >= p->until)
		return CACHE_MISS;
	*out = p->user;
	return p->verdict;
}

void auth_cache_put(struct auth_cache *c, const char *topic, const char *name,
	enum cache_verdict verdict, struct auth_user *user, usec_t now, usec_t ttl)
{
	struct place *p = place_of(c, topic, name);

	/* The answer must live long enough for those who wait for it to read it. */
	if (ttl < 100 * USEC_MSEC)
		ttl = 100 * USEC_MSEC;
	place_clear(p);
	p->topic = mem_strdup(topic);
	p->name = mem_strdup(name);
	p->verdict = verdict;
	p->user = user;
	p->since = now;
	p->until = now + ttl;
}

void auth_cache_forget(struct auth_cache *c, const char *topic, const char *name, usec_t now,
	usec_t min_age)
{
	struct place *p = place_of(c, topic, name);

	if (place_is(p, topic, name) && now - p->since >= min_age)
		place_clear(p);
}
