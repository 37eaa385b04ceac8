/* SPDX-License-Identifier: ISC
 *
 * The cost matrix and the tray: what a set of indexes costs, kept up to date change by change.
 *
 * Sealing sorts the entries, drops what can never be chosen (an entry that a part of its own
 * combination already reaches; an index that another, no larger one beats in every query), and
 * builds the cross references, so that a change of the tray touches only the queries whose cost
 * it changes.  Nothing here decides anything: that is advise_select.c's business.
 */
#include <stdlib.h>
#include <string.h>

#include "advise_matrix.h"

#define STEP 8 /* entries looked at take as long as the rest of a step */

static void *must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static void *zeroed(size_t n, size_t size)
{
	return must(calloc(n ? n : 1, size));
}

static void *grown(void *p, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return p;
	*room = need < 64 ? 64 : need * 2;
	return must(realloc(p, *room * size));
}

struct matrix *matrix_new(size_t indexes, size_t queries)
{
	struct matrix *m = zeroed(1, sizeof(*m));

	m->indexes = indexes;
	m->queries = queries;
	m->size = zeroed(indexes, sizeof(*m->size));
	m->upkeep = zeroed(indexes, sizeof(*m->upkeep));
	m->useful = zeroed(indexes, sizeof(*m->useful));
	m->base = zeroed(queries, sizeof(*m->base));
	m->weight = zeroed(queries, sizeof(*m->weight));
	m->combos_room = 64;
	m->member_at = zeroed(m->combos_room + 1, sizeof(*m->member_at));
	return m;
}

void matrix_free(struct matrix **mp)
{
	struct matrix *m = *mp;

	if (m == NULL)
		return;
	*mp = NULL;
	free(m->size);
	free(m->upkeep);
	free(m->useful);
	free(m->base);
	free(m->weight);
	free(m->member_at);
	free(m->member);
	free(m->entry);
	free(m->query_at);
	free(m->group);
	free(m->group_entry);
	free(m->member_group);
	free(m->query_group);
	free(m->index_group);
	free(m->group_of);
	free(m->index_combo);
	free(m->combo_of);
	free(m);
}

void matrix_index(struct matrix *m, size_t index, uint64_t bytes, double upkeep)
{
	m->size[index] = bytes;
	m->upkeep[index] = upkeep;
}

void matrix_query(struct matrix *m, size_t query, double base, double weight)
{
	m->base[query] = base;
	m->weight[query] = weight;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void matrix_entry(struct matrix *m, size_t query, const uint32_t *member, size_t n, double cost)
{
	uint32_t *own;
	size_t kept = 0;

	if (n == 0) {
		if (cost < m->base[query])
			m->base[query] = cost;
		return;
	}
	m->member = grown(m->member, &m->members_room, m->members + n, sizeof(*m->member));
	own = m->member + m->members;
	memcpy(own, member, n * sizeof(*own));
	qsort(own, n, sizeof(*own), by_number);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || own[kept - 1] != own[i])
			own[kept++] = own[i];
	m->members += kept;
	if (m->combos == m->combos_room) {
		m->combos_room = 2 * m->combos_room + 1;
		m->member_at =
			must(realloc(m->member_at, (m->combos_room + 1) * sizeof(*m->member_at)));
	}
	m->entry = grown(m->entry, &m->entries_room, m->entries + 1, sizeof(*m->entry));
	m->entry[m->entries++] = (struct matrix_entry){query, m->combos, cost};
	m->member_at[++m->combos] = m->members;
}

/* --- sealing ------------------------------------------------------------------------------- */

static const uint32_t *members_of(const struct matrix *m, uint32_t combo, size_t *n)
{
	*n = m->member_at[combo + 1] - m->member_at[combo];
	return m->member + m->member_at[combo];
}

static int by_query_and_cost(const void *a, const void *b)
{
	const struct matrix_entry *x = a, *y = b;

	if (x->query != y->query)
		return x->query < y->query ? -1 : 1;
	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	return (x->combo > y->combo) - (x->combo < y->combo);
}

static bool is_part_of(const struct matrix *m, uint32_t small, uint32_t large)
{
	size_t ns, nl, at = 0;
	const uint32_t *s = members_of(m, small, &ns), *l = members_of(m, large, &nl);

	if (ns > nl)
		return false;
	for (size_t i = 0; i < ns; i++) {
		while (at < nl && l[at] < s[i])
			at++;
		if (at == nl || l[at++] != s[i])
			return false;
	}
	return true;
}

/* Multiply by the weights, sort, and keep of each query what saves something that no part of the
 * same combination saves already. `single` holds the cheapest one-index entry seen per index. */
static void keep_entries(struct matrix *m)
{
	double *single = zeroed(m->indexes, sizeof(*single));
	size_t kept = 0, first = 0, n;

	for (size_t e = 0; e < m->entries; e++)
		m->entry[e].cost *= m->weight[m->entry[e].query];
	for (size_t q = 0; q < m->queries; q++) {
		m->base[q] *= m->weight[q];
		m->weight[q] = 1; /* it is in the costs now */
	}
	if (m->entries)
		qsort(m->entry, m->entries, sizeof(*m->entry), by_query_and_cost);
	for (size_t e = 0; e < m->entries; e++) {
		struct matrix_entry entry = m->entry[e];
		const uint32_t *own = members_of(m, entry.combo, &n);
		bool beaten = entry.cost >= m->base[entry.query];

		if (kept == 0 || m->entry[kept - 1].query != entry.query)
			first = kept;
		for (size_t i = 0; i < n && !beaten; i++)
			beaten = single[own[i]] == entry.query + 1.0;
		/* Larger parts: rare, and only looked for among the nearest cheaper ones. */
		for (size_t k = kept; n > 2 && k > first && k + 256 > kept && !beaten; k--)
			beaten = is_part_of(m, m->entry[k - 1].combo, entry.combo);
		if (beaten)
			continue;
		if (n == 1)
			single[own[0]] = entry.query + 1.0;
		m->entry[kept++] = entry;
	}
	m->entries = kept;
	free(single);
}

/* Mark the combinations in use, so that the cross references hold nothing dead. */
static void keep_combos(struct matrix *m)
{
	size_t total = 0;
	uint32_t *at = zeroed(m->entries + 1, sizeof(*at)), *member, n_combo = 0;

	for (size_t e = 0; e < m->entries; e++) {
		size_t n;

		members_of(m, m->entry[e].combo, &n);
		total += n;
	}
	member = zeroed(total, sizeof(*member));
	total = 0;
	for (size_t e = 0; e < m->entries; e++) {
		size_t n;
		const uint32_t *own = members_of(m, m->entry[e].combo, &n);

		memcpy(member + total, own, n * sizeof(*own));
		total += n;
		if (n > 1)
			m->has_multi = true;
		m->entry[e].combo = n_combo++;
		at[n_combo] = total;
	}
	free(m->member);
	free(m->member_at);
	m->member = member;
	m->member_at = at;
	m->combos = m->combos_room = n_combo;
	m->members = m->members_room = total;
}

static void index_queries(struct matrix *m)
{
	free(m->query_at);
	m->query_at = zeroed(m->queries + 1, sizeof(*m->query_at));
	for (size_t e = 0; e < m->entries; e++)
		m->query_at[m->entry[e].query + 1]++;
	for (size_t q = 0; q < m->queries; q++)
		m->query_at[q + 1] += m->query_at[q];
}

/* Pairs (query, index) with their entries: counted, placed, filled, query by query. */
static void index_groups(struct matrix *m)
{
	uint32_t *slot = zeroed(m->indexes, sizeof(*slot)), filled = 0;
	size_t n;

	free(m->group);
	free(m->group_entry);
	free(m->member_group);
	free(m->query_group);
	m->member_group = zeroed(m->members, sizeof(*m->member_group));
	m->group = zeroed(m->members, sizeof(*m->group));
	m->group_entry = zeroed(m->members, sizeof(*m->group_entry));
	m->query_group = zeroed(m->queries + 1, sizeof(*m->query_group));
	m->groups = 0;
	for (size_t q = 0; q < m->queries; q++) {
		size_t first = m->groups;

		for (int fill = 0; fill < 2; fill++) {
			for (uint32_t e = m->query_at[q]; e < m->query_at[q + 1]; e++) {
				const uint32_t *own = members_of(m, m->entry[e].combo, &n);

				for (size_t i = 0; i < n; i++) {
					struct matrix_group *g = m->group + slot[own[i]];

					if (g < m->group + first || g >= m->group + m->groups ||
						g->index != own[i]) {
						g = m->group + m->groups;
						slot[own[i]] = m->groups++;
						g->query = q;
						g->index = own[i];
					}
					if (fill) {
						m->group_entry[g->first + g->count] = e;
						m->member_group[own - m->member + i] = g - m->group;
					}
					g->count++;
				}
			}
			for (size_t g = first; !fill && g < m->groups; g++) {
				m->group[g].first = filled;
				filled += m->group[g].count;
				m->group[g].count = 0;
			}
		}
		m->query_group[q + 1] = m->groups;
	}
	free(slot);
}

static void index_indexes(struct matrix *m)
{
	size_t n;
	uint32_t *at;

	free(m->index_group);
	free(m->group_of);
	free(m->index_combo);
	free(m->combo_of);
	m->index_group = zeroed(m->indexes + 2, sizeof(*m->index_group));
	m->index_combo = zeroed(m->indexes + 2, sizeof(*m->index_combo));
	m->group_of = zeroed(m->groups, sizeof(*m->group_of));
	m->combo_of = zeroed(m->members, sizeof(*m->combo_of));
	/* Counting sort; the counts stand two places on, so that filling moves them home. */
	at = m->index_group;
	for (size_t g = 0; g < m->groups; g++)
		at[m->group[g].index + 2]++;
	for (size_t i = 0; i < m->indexes; i++)
		at[i + 2] += at[i + 1];
	for (size_t g = 0; g < m->groups; g++)
		m->group_of[at[m->group[g].index + 1]++] = g;
	at = m->index_combo;
	for (size_t k = 0; k < m->members; k++)
		at[m->member[k] + 2]++;
	for (size_t i = 0; i < m->indexes; i++)
		at[i + 2] += at[i + 1];
	for (size_t c = 0; c < m->combos; c++) {
		const uint32_t *own = members_of(m, c, &n);

		for (size_t i = 0; i < n; i++)
			m->combo_of[at[own[i] + 1]++] = c;
	}
}

/* What `index` alone makes of the query, or no less than its base. */
static double alone(const struct matrix *m, uint32_t query, uint32_t index)
{
	size_t n;

	for (uint32_t k = m->index_group[index]; k < m->index_group[index + 1]; k++) {
		const struct matrix_group *g = m->group + m->group_of[k];

		if (g->query != query)
			continue;
		for (uint32_t e = g->first; e < g->first + g->count; e++) {
			members_of(m, m->entry[m->group_entry[e]].combo, &n);
			if (n == 1)
				return m->entry[m->group_entry[e]].cost;
		}
	}
	return m->base[query];
}

static bool is_beaten(const struct matrix *m, uint32_t index, uint32_t by)
{
	uint32_t first = m->index_group[index], end = m->index_group[index + 1];

	if (by == index || !m->useful[by] || m->size[by] > m->size[index] ||
		m->upkeep[by] > m->upkeep[index])
		return false;
	for (uint32_t k = first; k < end; k++) {
		const struct matrix_group *g = m->group + m->group_of[k];

		if (alone(m, g->query, by) > m->entry[m->group_entry[g->first]].cost)
			return false;
	}
	return true;
}

static bool is_only_single(const struct matrix *m, uint32_t index)
{
	size_t n;

	for (uint32_t k = m->index_combo[index]; k < m->index_combo[index + 1]; k++) {
		members_of(m, m->combo_of[k], &n);
		if (n > 1)
			return false;
	}
	return true;
}

/* An index is worth looking at when it saves something and no other one, as small, saves as much
 * everywhere. An index that also works in a pair is always kept: its partner may matter. */
static void find_useful(struct matrix *m)
{
	for (size_t i = 0; i < m->indexes; i++)
		m->useful[i] = m->index_group[i] < m->index_group[i + 1];
	for (size_t i = 0; i < m->indexes && !m->keeps_all; i++) {
		const struct matrix_group *g;
		bool beaten = false;

		if (!m->useful[i] || !is_only_single(m, i))
			continue;
		g = m->group + m->group_of[m->index_group[i]];
		for (uint32_t e = m->query_at[g->query]; e < m->query_at[g->query + 1]; e++) {
			size_t n;
			const uint32_t *own = members_of(m, m->entry[e].combo, &n);

			if (m->entry[e].cost > m->entry[m->group_entry[g->first]].cost || beaten)
				break;
			beaten = n == 1 && is_beaten(m, i, own[0]);
		}
		m->useful[i] = !beaten;
	}
}

void matrix_seal(struct matrix *m)
{
	size_t kept = 0, n;

	keep_entries(m);
	keep_combos(m);
	index_queries(m);
	index_groups(m);
	index_indexes(m);
	find_useful(m);
	for (size_t e = 0; e < m->entries; e++) {
		const uint32_t *own = members_of(m, m->entry[e].combo, &n);

		if (n > 1 || m->useful[own[0]])
			m->entry[kept++] = m->entry[e];
	}
	m->entries = kept;
	m->has_multi = false;
	keep_combos(m);
	index_queries(m);
	index_groups(m);
	index_indexes(m);
}

/* --- trays --------------------------------------------------------------------------------- */

struct tray *tray_new(const struct matrix *m)
{
	struct tray *t = zeroed(1, sizeof(*t));

	t->m = m;
	t->in = zeroed(m->indexes, sizeof(*t->in));
	t->barred = zeroed(m->indexes, sizeof(*t->barred));
	t->missing = zeroed(m->combos, sizeof(*t->missing));
	t->cost = zeroed(m->queries, sizeof(*t->cost));
	t->best = zeroed(m->queries, sizeof(*t->best));
	t->gain = zeroed(m->indexes, sizeof(*t->gain));
	t->share = zeroed(m->groups, sizeof(*t->share));
	tray_empty(t);
	return t;
}

void tray_free(struct tray **tp)
{
	struct tray *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	free(t->in);
	free(t->barred);
	free(t->missing);
	free(t->cost);
	free(t->best);
	free(t->gain);
	free(t->share);
	free(t);
}

/* Work out anew what each absent index would save this query. */
static void reshare(struct tray *t, uint32_t query)
{
	const struct matrix *m = t->m;

	for (uint32_t g = m->query_group[query]; g < m->query_group[query + 1]; g++) {
		const struct matrix_group *group = m->group + g;
		double share = 0;

		if (!t->in[group->index])
			for (uint32_t k = group->first; k < group->first + group->count; k++) {
				const struct matrix_entry *e = m->entry + m->group_entry[k];

				t->work++;
				if (e->cost >= t->cost[query])
					break;
				if (t->missing[e->combo] == 1) {
					share = t->cost[query] - e->cost;
					break;
				}
			}
		if (share != t->share[g]) {
			t->gain[group->index] += share - t->share[g];
			t->share[g] = share;
		}
	}
	t->work += m->query_group[query + 1] - m->query_group[query];
}

void tray_empty(struct tray *t)
{
	const struct matrix *m = t->m;

	memset(t->in, 0, m->indexes * sizeof(*t->in));
	memset(t->gain, 0, m->indexes * sizeof(*t->gain));
	memset(t->share, 0, m->groups * sizeof(*t->share));
	t->total = 0;
	t->bytes = 0;
	t->count = 0;
	for (size_t c = 0; c < m->combos; c++)
		t->missing[c] = m->member_at[c + 1] - m->member_at[c];
	for (size_t q = 0; q < m->queries; q++) {
		t->cost[q] = m->base[q];
		t->best[q] = UINT32_MAX;
		t->total += m->base[q];
		reshare(t, q);
	}
}

void tray_add(struct tray *t, uint32_t index)
{
	const struct matrix *m = t->m;

	t->in[index] = true;
	t->bytes += m->size[index];
	t->total += m->upkeep[index];
	t->count++;
	t->work += STEP;
	for (uint32_t k = m->index_combo[index]; k < m->index_combo[index + 1]; k++)
		t->missing[m->combo_of[k]]--;
	for (uint32_t k = m->index_group[index]; k < m->index_group[index + 1]; k++) {
		const struct matrix_group *g = m->group + m->group_of[k];
		bool multi = m->has_multi && g->count > 1;

		for (uint32_t i = g->first; i < g->first + g->count; i++) {
			const struct matrix_entry *e = m->entry + m->group_entry[i];

			t->work++;
			if (e->cost >= t->cost[g->query])
				break;
			multi = m->has_multi;
			if (t->missing[e->combo] > 0)
				continue;
			t->total += e->cost - t->cost[g->query];
			t->cost[g->query] = e->cost;
			t->best[g->query] = m->group_entry[i];
			multi = true;
			break;
		}
		if (multi) {
			reshare(t, g->query);
		} else if (t->share[m->group_of[k]] != 0) {
			t->gain[index] -= t->share[m->group_of[k]];
			t->share[m->group_of[k]] = 0;
		}
	}
	t->gain[index] = 0;
}

/* The query's cheapest entry from `from` on that the tray can serve. */
static void fall_back(struct tray *t, uint32_t query, uint32_t from)
{
	const struct matrix *m = t->m;
	uint32_t e = from, end = m->query_at[query + 1];

	while (e < end && t->missing[m->entry[e].combo] > 0)
		e++;
	t->work += e - from;
	t->total -= t->cost[query];
	t->best[query] = e < end ? e : UINT32_MAX;
	t->cost[query] = e < end ? m->entry[e].cost : m->base[query];
	t->total += t->cost[query];
}

void tray_drop(struct tray *t, uint32_t index)
{
	const struct matrix *m = t->m;

	t->in[index] = false;
	t->bytes -= m->size[index];
	t->total -= m->upkeep[index];
	t->count--;
	t->work += STEP;
	for (uint32_t k = m->index_combo[index]; k < m->index_combo[index + 1]; k++)
		t->missing[m->combo_of[k]]++;
	for (uint32_t k = m->index_group[index]; k < m->index_group[index + 1]; k++) {
		const struct matrix_group *g = m->group + m->group_of[k];
		uint32_t best = t->best[g->query];

		if (best != UINT32_MAX && t->missing[m->entry[best].combo] > 0)
			fall_back(t, g->query, best);
		else if (!m->has_multi &&
			 m->entry[m->group_entry[g->first]].cost >= t->cost[g->query])
			continue;
		reshare(t, g->query);
	}
}

double tray_loss(struct tray *t, uint32_t index)
{
	const struct matrix *m = t->m;
	double loss = -m->upkeep[index];

	for (uint32_t k = m->index_combo[index]; k < m->index_combo[index + 1]; k++)
		t->missing[m->combo_of[k]]++;
	for (uint32_t k = m->index_group[index]; k < m->index_group[index + 1]; k++) {
		uint32_t query = m->group[m->group_of[k]].query, e = t->best[query];
		uint32_t end = m->query_at[query + 1];

		if (e == UINT32_MAX || t->missing[m->entry[e].combo] == 0)
			continue;
		while (e < end && t->missing[m->entry[e].combo] > 0)
			e++;
		t->work += e - t->best[query];
		loss += (e < end ? m->entry[e].cost : m->base[query]) - t->cost[query];
	}
	for (uint32_t k = m->index_combo[index]; k < m->index_combo[index + 1]; k++)
		t->missing[m->combo_of[k]]--;
	t->work += STEP + 2 * (m->index_combo[index + 1] - m->index_combo[index]);
	return loss;
}
