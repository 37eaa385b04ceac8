/* SPDX-License-Identifier: ISC
 *
 * struct obs_snapshot: everything the endpoint shows, as plain values of one moment.
 */
#include "obs_http.h"

struct obs_pool_row *obs_snapshot_pool(struct obs_snapshot *s, const char *database,
	const char *user)
{
	struct obs_pool_row *r;

	for (size_t i = 0; i < s->pool_count; i++)
		if (strcmp(s->pool[i].database, database) == 0 &&
			strcmp(s->pool[i].user, user) == 0)
			return &s->pool[i];
	if (s->pool_count == s->pool_size) {
		s->pool_size = s->pool_size ? 2 * s->pool_size : 16;
		s->pool = mem_realloc(s->pool, s->pool_size * sizeof *s->pool);
	}
	r = &s->pool[s->pool_count++];
	memset(r, 0, sizeof *r);
	r->database = mem_strdup(database);
	r->user = mem_strdup(user);
	return r;
}

struct obs_worker_row *obs_snapshot_workers(struct obs_snapshot *s, size_t n)
{
	free(s->worker);
	s->worker = mem_zalloc(n * sizeof *s->worker);
	s->worker_count = n;
	return s->worker;
}

void obs_snapshot_release(struct obs_snapshot *s)
{
	for (size_t i = 0; i < s->pool_count; i++) {
		free(s->pool[i].database);
		free(s->pool[i].user);
		free(s->pool[i].error);
		hist_release(&s->pool[i].wait);
		hist_release(&s->pool[i].server);
	}
	free(s->pool);
	free(s->worker);
	memset(s, 0, sizeof *s);
}
