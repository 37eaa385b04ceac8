/* SPDX-License-Identifier: ISC
 *
 * A copy of the schema, where indexes are built and queries run for real.
 *
 *	1. a new database on the server that --scratch names; pg_dump brings the tables
 *	2. the rows of the tables that the workload reads: all of them, or a sample when they are
 *	   more than --scratch-size; the indexes there are; ANALYZE
 *	3. each index that HypoPG cannot try is built, its queries planned with it, and dropped
 *	4. the chosen ones are built and every query is run without and with them
 *
 * The database goes when we go, also when a signal says so.  The real one is only read: COPY in a
 * read-only transaction.  The copy knows no foreign servers, and a statement that calls a volatile
 * function (dblink, pg_sleep, lo_export, …) is not run: the workload's texts are other people's,
 *and the role of --scratch may have rights that they have not.
 */
#include "advise_workload.h"
#include "sql_text.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS	   3
#define DROP_TRIES 5
#define SLOWER	   1.2 /* times as long, and */
#define SLOWER_MS  2.0 /* so much longer, is slower */
#define RUN_LIMIT  "30s"
#define COPY_LIMIT "1h"

extern char **environ;

struct scratch {
	struct db *admin, *db;
	char name[64];
	bool is_made; /* the database is there, and ours */
	struct err *why;
	double part; /* of the rows, that were copied */
	struct whatif plan;
};

/* --- the schema --------------------------------------------------------------------------------
 */

static bool dump(const char *dsn, const char *section, struct text *out, struct err *why)
{
	const char *const said[] = {
		"pg_dump", "--schema-only", "--no-owner", "--no-privileges", section, "-d", dsn};
	char *words[ARRAY_LEN(said) + 1] = {0};
	struct arena a = {0};
	posix_spawn_file_actions_t acts;
	int fd[2], e, status = 0;
	char buf[65536];
	ssize_t n;
	pid_t pid;

	if (pipe(fd) != 0)
		return err_set(why, "--scratch: pipe: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		words[i] =
			memcpy(arena_alloc(&a, strlen(said[i]) + 1), said[i], strlen(said[i]) + 1);
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_adddup2(&acts, fd[1], 1);
	posix_spawn_file_actions_addclose(&acts, fd[0]);
	e = posix_spawnp(&pid, "pg_dump", &acts, NULL, words, environ);
	posix_spawn_file_actions_destroy(&acts);
	arena_release(&a);
	close(fd[1]);
	while (e == 0 && (n = read(fd[0], buf, sizeof(buf))) > 0)
		text_add(out, buf, (size_t)n);
	close(fd[0]);
	if (e)
		return err_set(why, "--scratch needs pg_dump: %s", strerror(e));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	       err_set(why, "--scratch: pg_dump failed");
}

/* psql's own commands in a dump: "\restrict …". */
static void blank_commands(struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->p[i] == '\\' && (i == 0 || t->p[i - 1] == '\n'))
			for (; i < t->n && t->p[i] != '\n'; i++)
				t->p[i] = ' ';
}

/* Indexes and the constraints that are indexes: rows of a sample need not fit foreign keys, and
 * triggers would fire. */
static bool makes_index(struct str s)
{
	struct str head = str_before(s, 4000);

	return str_find(head, "CREATE INDEX") < head.n ||
	       str_find(head, "CREATE UNIQUE INDEX") < head.n ||
	       str_find(head, " PRIMARY KEY ") < head.n || str_find(head, " UNIQUE ") < head.n ||
	       str_find(head, " EXCLUDE ") < head.n || str_find(head, "ATTACH PARTITION") < head.n;
}

/* The way to other servers, which a copy must not touch. */
static bool leads_away(struct str s)
{
	static const char *const heads[] = {"CREATE SERVER", "CREATE USER MAPPING",
		"CREATE FOREIGN ", "CREATE SUBSCRIPTION", "CREATE EVENT TRIGGER"};
	struct str head = str_before(s, 4000);

	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (str_find(head, heads[i]) < head.n)
			return true;
	return false;
}

static bool replay(struct scratch *s, const char *dsn, const char *section, struct err *why)
{
	struct text t = {0};
	struct arena a = {0};
	bool ok = dump(dsn, section, &t, why), all = strstr(section, "pre-data") != NULL;
	struct str rest;

	if (ok)
		blank_commands(&t);
	for (rest = text_slice(&t); ok && rest.n;) {
		size_t n = sql_statement_end(rest.p, rest.n);
		struct str one = str_before(rest, n);

		rest = str_skip(rest, n);
		/* What cannot be made (an extension that is not there) is missed by its queries. */
		if (all ? !leads_away(one) : makes_index(one))
			db_run(s->db, arena_cstr(&a, one), NULL);
		arena_reset(&a);
	}
	arena_release(&a);
	text_release(&t);
	return ok;
}

/* --- the rows ----------------------------------------------------------------------------------
 */

struct read_table {
	struct str schema, name;
	int64_t bytes;
};

struct read_tables {
	VEC(struct read_table) at;
	int64_t bytes;
};

static void add_tables(struct workload *w, const struct plan *p, struct read_tables *out)
{
	for (size_t i = 0; i < p->nodes; i++) {
		const struct plan_node *n = p->node[i];
		const struct schema_table *t =
			n->relation.n ? schema_find(w->schema, n->schema, n->relation) : NULL;
		bool is_there = t == NULL || t->is_view || t->is_partitioned || t->is_foreign;

		for (size_t k = 0; k < out->at.n && !is_there; k++)
			is_there = str_eq(out->at.at[k].name, t->name) &&
				   str_eq(out->at.at[k].schema, t->schema);
		if (is_there)
			continue;
		*VEC_PUSH(&out->at) =
			(struct read_table){t->schema, t->name, t->bytes > 0 ? t->bytes : 0};
		out->bytes += t->bytes > 0 ? t->bytes : 0;
	}
}

static void take_text(void *ctx, const struct db_row *r)
{
	text_str(ctx, db_get(r, 0));
}

static bool copy_table(struct workload *w, struct scratch *s, const struct read_table *t,
	struct err *why)
{
	struct arena a = {0};
	struct text columns = {0};
	struct str table = arena_printf(&a, "%.*s.%.*s", STR_ARGS(sql_quote_ident(&a, t->schema)),
		STR_ARGS(sql_quote_ident(&a, t->name)));
	const char *param[1] = {table.p};
	struct str out, in;
	bool ok = db_each(w->whatif.db, sql_assay_scratch_columns, param, 1, take_text, &columns,
		why);

	if (ok && columns.n) {
		out = arena_printf(&a, "COPY (SELECT %s FROM ONLY %s%s) TO STDOUT", columns.p,
			table.p,
			s->part < 1
				? arena_printf(&a, " TABLESAMPLE SYSTEM (%.4f)", 100 * s->part).p
				: "");
		in = arena_printf(&a, "COPY %s (%s) FROM STDIN", table.p, columns.p);
		ok = db_copy(w->whatif.db, out.p, s->db, in.p, why);
	}
	text_release(&columns);
	arena_release(&a);
	return ok;
}

static void list_tables(struct workload *w, struct read_tables *out)
{
	whatif_try(&w->whatif, NULL, 0);
	for (size_t i = 0; i < w->query.n; i++) {
		struct plan *p = query_plan(w, &w->query.at[i]);

		if (p)
			add_tables(w, p, out);
		arena_reset(&w->plans);
	}
}

int64_t scratch_bytes(struct workload *w)
{
	struct read_tables tables = {0};

	list_tables(w, &tables);
	VEC_RELEASE(&tables.at);
	return tables.bytes;
}

static bool copy_rows(struct workload *w, struct scratch *s, uint64_t most, struct err *why)
{
	struct read_tables tables = {0};
	bool ok = true;

	list_tables(w, &tables);
	s->part = tables.bytes > (int64_t)most ? (double)most / (double)tables.bytes : 1;
	db_run(w->whatif.db, "SET statement_timeout = '" COPY_LIMIT "'", NULL);
	for (size_t i = 0; ok && i < tables.at.n; i++)
		ok = copy_table(w, s, &tables.at.at[i], why);
	db_run(w->whatif.db, "SET statement_timeout = '10s'", NULL);
	VEC_RELEASE(&tables.at);
	return ok;
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void create_like(void *ctx, const struct db_row *r)
{
	struct scratch *s = ctx;
	struct text t = {0};
	struct err why = {""};

	text_printf(&t,
		"CREATE DATABASE %s TEMPLATE template0 ENCODING '%.*s' LC_COLLATE '%.*s' "
		"LC_CTYPE '%.*s'",
		s->name, STR_ARGS(db_get(r, 0)), STR_ARGS(db_get(r, 1)), STR_ARGS(db_get(r, 2)));
	s->is_made = db_run(s->admin, t.p, &why);
	if (!s->is_made)
		err_set(s->why, "no database can be made where --scratch says: %s", why.text);
	text_release(&t);
}

static void set_path(void *ctx, const struct db_row *r)
{
	struct scratch *s = ctx;
	struct text t = {0};

	text_printf(&t, "SET search_path = %.*s", STR_ARGS(db_get(r, 0)));
	db_run(s->db, t.p, NULL);
	text_release(&t);
}

bool scratch_open(struct workload *w, const struct workload_limits *l, struct err *why)
{
	struct scratch *s = w->scratch = mem_zalloc(sizeof(*s));
	uint64_t draw = 0;
	bool ok;

	ok = getrandom(&draw, sizeof(draw), 0) == (ssize_t)sizeof(draw) ||
	     err_set(why, "--scratch: getrandom: %s", strerror(errno));
	snprintf(s->name, sizeof(s->name), "pgassay_scratch_%016llx", (unsigned long long)draw);
	s->why = why;
	s->admin = ok ? db_open_scratch(l->scratch, NULL, why) : NULL;
	ok = s->admin &&
	     db_each(w->whatif.db, sql_assay_scratch_source, NULL, 0, create_like, s, why) &&
	     s->is_made;
	if (ok)
		s->db = db_open_scratch(l->scratch, s->name, why);
	ok = ok && s->db && replay(s, l->dsn, "--section=pre-data", why) &&
	     copy_rows(w, s, l->scratch_bytes, why) &&
	     replay(s, l->dsn, "--section=post-data", why);
	if (!ok) {
		scratch_close(w);
		return false;
	}
	db_run(s->db, "RESET ALL", NULL); /* the dump's search_path */
	db_each(w->whatif.db, "SHOW search_path", NULL, 0, set_path, s, NULL);
	db_run(s->db, "ANALYZE", NULL);
	db_run(s->db, "SET statement_timeout = '" RUN_LIMIT "'", NULL);
	db_run(s->db, "SET plan_cache_mode = force_generic_plan", NULL);
	s->plan.db = s->db;
	return true;
}

void scratch_close(struct workload *w)
{
	struct scratch *s = w->scratch;
	struct text drop = {0};
	struct err why = {""};

	if (s == NULL)
		return;
	db_close(&s->db);
	text_printf(&drop, "DROP DATABASE IF EXISTS %s", s->name);
	db_ignore_stop();
	/* The cancel that a signal sent may come as late as this. */
	for (int i = 0; i < DROP_TRIES && s->is_made; i++)
		s->is_made = !db_run(s->admin, drop.p, &why);
	if (s->is_made)
		fprintf(stderr, "pgassay: the copy is still there: %s: %s\n", drop.p, why.text);
	db_close(&s->admin);
	text_release(&drop);
	free(s);
	w->scratch = NULL;
}

/* --- building
 * -------------------------------------------------------------------------------------- */

static void take_size(void *ctx, const struct db_row *r)
{
	*(int64_t *)ctx = db_int(r, 0);
}

static struct str build(struct workload *w, uint32_t id)
{
	struct candidate c = w->pool.at.at[id];

	candidate_finish(&w->plans, &c, false);
	return db_run(w->scratch->db, arena_cstr(&w->plans, c.ddl), NULL) ? c.name : STR_NONE;
}

static void drop(struct workload *w, uint32_t id)
{
	const struct candidate *c = &w->pool.at.at[id];
	struct str sql = arena_printf(&w->plans, "DROP INDEX IF EXISTS %.*s%s%.*s",
		STR_ARGS(sql_quote_ident(&w->plans, c->schema)), c->schema.n ? "." : "",
		STR_ARGS(sql_quote_ident(&w->plans, c->name)));

	db_run(w->scratch->db, sql.p, NULL);
}

static double cost_there(struct workload *w, const struct query *q, struct str index, bool *uses)
{
	struct plan *p = whatif_plan(&w->scratch->plan, &w->plans, q->sql, q->params, q->args);

	*uses = false;
	for (size_t i = 0; p && i < p->nodes; i++)
		*uses |= index.n && str_eq(p->node[i]->index, index);
	return p ? p->root->total_cost : NAN;
}

/* One index that HypoPG could not try: every query that was guessed to gain by it. */
static void build_one(struct workload *w, uint32_t id)
{
	int64_t bytes = -1;
	struct str name, sql;
	bool uses;
	double *before = ARENA_ARRAY(&w->plans, double, w->query.n + 1);

	for (size_t i = 0; i < w->query.n; i++) {
		before[i] = NAN;
		for (size_t k = 0; k < w->query.at[i].guesses; k++)
			if (w->query.at[i].guess[k].id == id)
				before[i] = cost_there(w, &w->query.at[i], STR_NONE, &uses);
	}
	name = build(w, id);
	if (name.n == 0) {
		w->barred[id] = true; /* no operator class, no extension */
		return;
	}
	sql = arena_printf(&w->plans, "SELECT pg_relation_size('%.*s%s%.*s'::regclass)",
		STR_ARGS(sql_quote_ident(&w->plans, w->pool.at.at[id].schema)),
		w->pool.at.at[id].schema.n ? "." : "", STR_ARGS(sql_quote_ident(&w->plans, name)));
	if (db_each(w->scratch->db, sql.p, NULL, 0, take_size, &bytes, NULL) && bytes >= 0)
		w->size[id] = (int64_t)((double)bytes / w->scratch->part);
	for (size_t i = 0; i < w->query.n; i++)
		for (size_t k = 0; k < w->query.at[i].guesses; k++) {
			struct query *q = &w->query.at[i];
			double after;

			if (q->guess[k].id != id || isnan(before[i]))
				continue;
			after = cost_there(w, q, name, &uses);
			q->guess[k].cost = uses && after < before[i] ? q->before * after / before[i]
								     : q->before;
		}
	w->is_built[id] = true;
	drop(w, id);
}

void scratch_build(struct workload *w)
{
	for (uint32_t i = 0; i < w->pool.at.n; i++)
		if (w->is_guessed[i] && w->size[i] >= 0) {
			build_one(w, i);
			arena_reset(&w->plans);
		}
}

/* --- running
 * --------------------------------------------------------------------------------------- */

struct calls {
	struct workload *w;
	bool any;
};

static void note_volatile(void *ctx, const struct db_row *r)
{
	(void)r;
	((struct calls *)ctx)->any = true;
}

static enum walk look_at_call(void *ctx, const struct sql_path *at)
{
	struct calls *c = ctx;
	size_t parts;
	const char *name;

	if (!node_is(at->node, "FuncCall"))
		return WALK_ON;
	parts = node_len(at->node, "funcname");
	name = node_str(node_item(at->node, "funcname", parts - 1), "sval");
	if (!db_each(c->w->scratch->db, sql_assay_scratch_volatile, &name, 1, note_volatile, c,
		    NULL))
		c->any = true;
	return c->any ? WALK_STOP : WALK_ON;
}

/* Nothing it does may outlast a ROLLBACK, and its parameters must be known. */
static bool may_run(struct workload *w, const struct query *q)
{
	struct sql_tree *tree = sql_parse(&w->plans, q->sql, NULL);
	struct calls c = {.w = w, .any = tree == NULL};

	if (tree)
		sql_walk(tree->root, look_at_call, &c);
	return !c.any && (q->params == 0 || q->args.n > 0);
}

/* The least of a few runs, ms; NAN: it cannot be run.  The plan of the last goes to *plan. */
static double run(struct workload *w, const struct query *q, struct plan **plan)
{
	double best = NAN;
	bool runs = may_run(w, q);

	*plan = NULL;
	for (int i = 0; runs && i < RUNS && !(best > 2000); i++) {
		*plan = whatif_run(&w->scratch->plan, &w->plans, q->sql, q->params, q->args);
		if (*plan == NULL)
			break;
		if (isnan(best) || (*plan)->execution_ms < best)
			best = (*plan)->execution_ms;
	}
	return best;
}

static bool is_slower(const struct query *q)
{
	return q->ms_after > q->ms_before * SLOWER && q->ms_after > q->ms_before + SLOWER_MS;
}

static bool bar_used(struct workload *w, const struct plan *p, const struct choice *c)
{
	bool any = false;

	for (size_t i = 0; i < p->nodes; i++)
		for (size_t k = 0; k < c->count; k++)
			if (str_eq(p->node[i]->index, w->pool.at.at[c->index[k]].name)) {
				w->barred[c->index[k]] = true;
				any = true;
			}
	return any;
}

bool scratch_run(struct workload *w, const struct choice *c, struct scratch_verdict *v)
{
	struct plan *p;
	bool any = false;

	for (size_t i = 0; i < w->query.n; i++)
		if (isnan(w->query.at[i].ms_before)) {
			w->query.at[i].ms_before = run(w, &w->query.at[i], &p);
			arena_reset(&w->plans);
		}
	for (size_t i = 0; i < c->count; i++)
		build(w, c->index[i]);
	db_run(w->scratch->db, "ANALYZE", NULL); /* expressions get statistics */
	*v = (struct scratch_verdict){0};
	for (size_t i = 0; i < w->query.n; i++) {
		struct query *q = &w->query.at[i];

		if (isnan(q->ms_before))
			continue;
		q->ms_after = run(w, q, &p);
		if (is_slower(q)) /* once more: others may have used the machine */
			q->ms_after = fmin(q->ms_after, run(w, q, &p));
		v->ran++;
		v->before += q->ms_before * q->calls;
		v->after += q->ms_after * q->calls;
		if (is_slower(q) && p && bar_used(w, p, c)) {
			v->slower++;
			any = true;
		}
		arena_reset(&w->plans);
	}
	for (size_t i = 0; i < c->count; i++)
		drop(w, c->index[i]);
	arena_reset(&w->plans);
	return any;
}
