/* SPDX-License-Identifier: ISC
 *
 * facts_log: the sink that the input layer feeds, and the tables by name.
 */
#include "facts_build.h"

struct facts *facts_new(struct input *in)
{
	struct facts *f = mem_zalloc(sizeof(*f));

	f->in = in;
	f->min_usec = UINT64_MAX;
	pthread_mutex_init(&f->memo_lock, NULL);
	names_id(&f->names, STR("")); /* 0: not known */
	return f;
}

struct str facts_name(const struct facts *f, uint32_t name)
{
	return f->names.name.at[name];
}

struct group *facts_group(struct facts *f, enum group_kind kind, uint32_t name)
{
	uint32_t *at = map_put(&f->group_of, (uint64_t)kind << 32 | name);

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->group.n;
		struct group *g = VEC_PUSH(&f->group);
		memset(g, 0, sizeof(*g));
		g->kind = kind;
		g->name = name;
		return g;
	}
	return &f->group.at[*at];
}

const char *group_kind_name(enum group_kind k)
{
	static const char *const names[GROUP_KINDS] = {
		"users", "databases", "applications", "hosts", "hours"};

	return names[k];
}

/* A memo of shapes that no other thread uses now. */
static struct sql_memo *take_memo(struct facts *f)
{
	struct sql_memo *m = NULL;

	pthread_mutex_lock(&f->memo_lock);
	if (f->memo.n)
		m = f->memo.at[--f->memo.n];
	pthread_mutex_unlock(&f->memo_lock);
	return m ? m : memo_new();
}

static void give_memo(struct facts *f, struct sql_memo *m)
{
	pthread_mutex_lock(&f->memo_lock);
	*VEC_PUSH(&f->memo) = m;
	pthread_mutex_unlock(&f->memo_lock);
}

/* The plan of an EXECUTE names what was prepared: that is the statement. */
static struct str planned_text(struct arena *a, struct str plan)
{
	struct str sql = message_plan_query(a, plan), body = STR_NONE;

	if (sql.n > 8 && strncasecmp(sql.p, "prepare ", 8) == 0)
		body = message_prepare_body(sql);
	return body.n ? body : sql;
}

/* On any thread: the statements of a chunk are lexed. */
static void facts_prepare(void *ctx, struct chunk *c)
{
	struct str last = STR_NONE;
	struct sql_shape *shape = NULL;
	struct sql_memo *memo = take_memo(ctx);

	for (size_t i = 0; i < c->entry.n; i++) {
		struct log_entry *e = &c->entry.at[i];
		e->shape_row = e->session_row = MAP_NONE;
		if (e->phase == PHASE_PLAN && !e->sql.n)
			e->sql = planned_text(&c->arena, e->plan);
		if (!e->sql.n)
			continue;
		/* parse, bind and execute carry the same text one after the other */
		if (!shape || !str_eq(last, e->sql)) {
			shape = arena_alloc(&c->arena, sizeof(*shape));
			memo_lex(memo, e->sql.p, e->sql.n, shape);
			last = e->sql;
		}
		e->shape = shape;
	}
	give_memo(ctx, memo);
}

/* The row of the entry's shape is found and on its way from memory, and the session's: a log has
 * more of both than the nearest cache has room for. */
static void fetch_rows(const struct facts *f, struct log_entry *e)
{
	e->session_row = map_get(&f->session_of, e->session);
	if (!e->shape)
		return;
	e->shape_row = map_get(&f->shape_of, e->shape->hash);
	if (e->shape_row == MAP_NONE)
		return;
	const char *s = (const char *)f->shape.at[e->shape_row];
	for (size_t i = 0; i < SHAPE_HOT; i += 64)
		__builtin_prefetch(s + i, 1);
}

/* And what they point to. */
static void fetch_behind(const struct facts *f, const struct log_entry *e)
{
	if (e->session_row < f->session.n)
		session_fetch(f->session.at[e->session_row]);
	if (e->shape_row == MAP_NONE)
		return;
	const struct shape *s = f->shape.at[e->shape_row];
	if (e->usec >= 0)
		__builtin_prefetch(sketch_place(&s->time, (uint64_t)e->usec), 1);
	if (s->tally.n)
		__builtin_prefetch(s->tally.at, 1);
	if (s->hour.n)
		__builtin_prefetch(&s->hour.at[s->hour.n - 1], 1);
}

static void facts_commit(void *ctx, struct log_entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i + 12 < n)
			fetch_rows(ctx, &e[i + 12]);
		if (i + 4 < n)
			fetch_behind(ctx, &e[i + 4]);
		session_feed(ctx, &e[i]);
	}
}

struct input_sink facts_sink(struct facts *f)
{
	return (struct input_sink){.prepare = facts_prepare, .commit = facts_commit, .ctx = f};
}

void facts_finish(struct facts *f)
{
	session_flush_all(f);
	series_finish(f);
}

void facts_free(struct facts **pf)
{
	struct facts *f = *pf;

	if (!f)
		return;
	for (size_t i = 0; i < f->session.n; i++)
		if (f->session.at[i])
			session_free(f->session.at[i]);
	for (size_t i = 0; i < f->shape.n; i++)
		shape_release(f->shape.at[i]);
	run_release(f);
	sequence_release(f);
	for (size_t i = 0; i < f->group.n; i++)
		sketch_release(&f->group.at[i].time);
	sketch_release(&f->tx.time);
	sketch_release(&f->tx.idle);
	sketch_release(&f->server.sessions);
	for (size_t i = 0; i < f->memo.n; i++)
		memo_free(&f->memo.at[i]);
	VEC_RELEASE(&f->memo);
	free(f->twin);
	pthread_mutex_destroy(&f->memo_lock);
	VEC_RELEASE(&f->session);
	VEC_RELEASE(&f->shape);
	VEC_RELEASE(&f->variant);
	VEC_RELEASE(&f->listed);
	VEC_RELEASE(&f->fault);
	VEC_RELEASE(&f->group);
	series_release(&f->series);
	series_release(&f->minutes);
	VEC_RELEASE(&f->origin);
	VEC_RELEASE(&f->file_mark);
	VEC_RELEASE(&f->test);
	VEC_RELEASE(&f->test_call);
	map_release(&f->origin_of);
	map_release(&f->test_of);
	map_release(&f->test_call_of);
	VEC_RELEASE(&f->wait);
	VEC_RELEASE(&f->deadlock);
	VEC_RELEASE(&f->vacuum);
	VEC_RELEASE(&f->kind);
	map_release(&f->wait_of);
	map_release(&f->deadlock_of);
	map_release(&f->vacuum_of);
	map_release(&f->pid_of);
	map_release(&f->session_of);
	map_release(&f->shape_of);
	map_release(&f->variant_of);
	map_release(&f->fault_of);
	map_release(&f->group_of);
	names_release(&f->names);
	arena_release(&f->arena);
	free(f);
	*pf = NULL;
}
