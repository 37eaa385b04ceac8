/* SPDX-License-Identifier: ISC
 *
 * Failed logins per address, as a bucket that drains: each failure adds one, each minute takes
 * `per_minute` away; an address whose bucket holds `burst` must wait.  IPv6 counts by /64, which
 * is what one customer has.
 *
 * The table is direct-mapped with four ways: when all four are taken, the one that drains first
 * gives way.
 */
#include "auth.h"

#define SETS 1024
#define WAYS 4

struct bucket {
	uint64_t who;	/* 0: empty */
	usec_t drained; /* when it will be empty */
};

struct auth_rate {
	usec_t cost;	/* time that one failure takes to drain */
	usec_t limit;	/* how full it may be */
	usec_t drained; /* when all will be empty: mostly nobody has failed */
	struct bucket buckets[SETS][WAYS];
};

struct auth_rate *auth_rate_new(unsigned burst, unsigned per_minute)
{
	struct auth_rate *r = mem_zalloc(sizeof *r);

	r->cost = 60 * USEC_SEC / (per_minute ? per_minute : 1);
	r->limit = r->cost * (burst ? burst : 1);
	return r;
}

void auth_rate_free(struct auth_rate **r)
{
	free(*r);
	*r = NULL;
}

static uint64_t who_is(sa_family_t family, const uint8_t ip[16])
{
	uint8_t who[9] = {(uint8_t)family};
	uint64_t h;

	memcpy(who + 1, ip, family == AF_INET ? 4 : 8);
	h = hash_keyed(who, sizeof who);
	return h ? h : 1;
}

static struct bucket *find(struct auth_rate *r, uint64_t who)
{
	struct bucket *set = r->buckets[who >> 32 & (SETS - 1)];

	for (int i = 0; i < WAYS; i++)
		if (set[i].who == who)
			return &set[i];
	return NULL;
}

bool auth_rate_allows(struct auth_rate *r, sa_family_t family, const uint8_t ip[16], usec_t now)
{
	const struct bucket *b;

	if (r->drained <= now)
		return true;
	b = find(r, who_is(family, ip));
	return !b || b->drained <= now || b->drained - now + r->cost <= r->limit;
}

void auth_rate_failed(struct auth_rate *r, sa_family_t family, const uint8_t ip[16], usec_t now)
{
	uint64_t who = who_is(family, ip);
	struct bucket *b = find(r, who), *set = r->buckets[who >> 32 & (SETS - 1)];

	if (!b) {
		b = &set[0];
		for (int i = 1; i < WAYS; i++)
			if (set[i].drained < b->drained)
				b = &set[i];
		b->who = who;
		b->drained = 0;
	}
	if (b->drained < now)
		b->drained = now;
	b->drained += r->cost;
	if (b->drained > now + r->limit)
		b->drained = now + r->limit;
	if (r->drained < b->drained)
		r->drained = b->drained;
}
