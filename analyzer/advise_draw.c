/* SPDX-License-Identifier: ISC
 *
 * Which calls of a shape the planner is asked about.
 *
 * A shape stands for calls with many values, and a skewed column's plans differ by the value.  The
 * calls come from what the log had drawn (facts_draw.c) and its slowest one; of a SQL file from its
 * most frequent texts; where neither has values the plan is the generic one.  Calls with equal
 * plans are one, with the weight of both.  Nothing hangs on the order of the input.
 */
#include "advise_workload.h"

#include <ctype.h>
#include <math.h>

/* --- values as EXECUTE takes them ------------------------------------------------------- */

/* The bytes of the quoted literal at the begin; 0: its end is not there. */
static size_t quoted(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] != '\'')
			continue;
		if (i + 1 == s.n || s.p[i + 1] != '\'')
			return i + 1;
		i++;
	}
	return 0;
}

static bool is_constant(const struct sql_node *n)
{
	if (node_is(n, "TypeCast"))
		return is_constant(node_get(n, "arg"));
	if (node_is(n, "A_Expr")) /* -5 */
		return node_get(n, "lexpr") == NULL && is_constant(node_get(n, "rexpr"));
	return node_is(n, "A_Const");
}

/* EXECUTE p(5, 'x'): what stands in the parentheses, if it is nothing but constants: functions
 * would be called. */
static struct str executed_args(struct arena *a, struct str s, unsigned params)
{
	struct sql_tree *tree = sql_parse(a, s, NULL);
	const struct sql_node *x = tree && tree->statements == 1 ? sql_statement(tree, 0) : NULL;
	struct text t = {0};
	struct str out = STR_NONE;
	size_t n = node_is(x, "ExecuteStmt") ? node_len(x, "params") : 0;
	bool ok = n > 0 && n == params;

	for (size_t i = 0; i < n && ok; i++) {
		const struct sql_node *arg = node_item(x, "params", i);

		ok = is_constant(arg);
		text_printf(&t, "%s%.*s", i ? ", " : "", STR_ARGS(sql_deparse(a, arg)));
	}
	if (ok)
		out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

/* The parameters of a logged call, "$1 = '42', $2 = NULL"; STR_NONE: they are not whole. */
static struct str bound_args(struct arena *a, struct str p, unsigned params)
{
	struct text t = {0};
	struct str out = STR_NONE;
	unsigned n = 0;

	while (p.n) {
		char name[24];
		size_t end;

		snprintf(name, sizeof(name), "$%u = ", n + 1);
		if (!str_starts(p, name))
			break;
		p = str_skip(p, strlen(name));
		end = str_starts(p, "'") ? quoted(p) : str_find(p, ",");
		if (end == 0 || (end >= 4 && memcmp(p.p + end - 4, "...'", 4) == 0))
			break; /* cut, by log_parameter_max_length for one */
		text_printf(&t, "%s%.*s", n ? ", " : "", (int)end, p.p);
		p = str_skip(p, end);
		p = str_skip(p, str_starts(p, ", ") ? 2 : 0);
		n++;
	}
	if (n && n == params && p.n == 0)
		out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

static struct str args_of(struct arena *a, const char *params, unsigned n)
{
	struct str s = params && n ? str_of(params) : STR_NONE;

	if (s.n == 0)
		return STR_NONE;
	return s.p[0] == '$' ? bound_args(a, s, n) : executed_args(a, s, n);
}

/* "interval $2", as pg_stat_statements leaves interval '1 day', is no SQL: "$2::interval" is.  The
 * length of the type's name where one begins so; 0: none does. */
static size_t typed_length(struct str rest)
{
	static const char *const types[] = {
		"interval", "date", "timestamptz", "timestamp", "timetz", "time", "numeric"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		size_t n = strlen(types[i]);

		if (rest.n > n + 2 && strncasecmp(rest.p, types[i], n) == 0 && rest.p[n] == ' ' &&
			rest.p[n + 1] == '$' && isdigit((unsigned char)rest.p[n + 2]))
			return n;
	}
	return 0;
}

static struct str respell(struct arena *a, struct str sql)
{
	struct text t = {0};
	struct str out;

	for (size_t i = 0; i < sql.n;) {
		bool begins =
			i == 0 || !(isalnum((unsigned char)sql.p[i - 1]) || sql.p[i - 1] == '_');
		size_t n = begins ? typed_length(str_skip(sql, i)) : 0, digits = i + n + 2;

		if (n == 0) {
			text_char(&t, sql.p[i++]);
			continue;
		}
		while (digits < sql.n && isdigit((unsigned char)sql.p[digits]))
			digits++;
		text_printf(&t, "%.*s::%.*s", (int)(digits - i - n - 1), sql.p + i + n + 1, (int)n,
			sql.p + i);
		i = digits;
	}
	out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

/* --- calls ------------------------------------------------------------------------------- */

struct calls {
	struct call *at;
	size_t n, most;
};

static void put(struct calls *c, struct str sql, struct str args, double time, double calls)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->at[i].sql, sql) && str_eq(c->at[i].args, args)) {
			c->at[i].time += time;
			c->at[i].calls += calls;
			return;
		}
	if (c->n < c->most)
		c->at[c->n++] =
			(struct call){.sql = sql, .args = args, .time = time, .calls = calls};
}

/* Of what was drawn each stands for as much time as any other; so a quick one for more calls. */
static void put_drawn(struct workload *w, const struct shape *s, struct calls *c)
{
	for (uint32_t i = 0; s->draw && i < s->draw->n; i++) {
		const struct drawn *d = &s->draw->at[i];
		double times = (double)d->times;

		put(c, str_of(d->sql), args_of(&w->arena, d->params, s->lex.params), times,
			times / (double)(d->usec ? d->usec : 1));
	}
	/* The slowest is there, drawn or not, for its own time; of several the log's first, which
	 * is chance: none. */
	if (c->n && s->samples && s->time.sum > 0 && strlen(s->slow[0].sql) < TEXT_MAX &&
		(s->samples == 1 || s->slow[1].usec < s->slow[0].usec)) {
		double own = (double)s->slow[0].usec / (double)s->time.sum;

		put(c, str_of(s->slow[0].sql), args_of(&w->arena, s->slow[0].params, s->lex.params),
			own * s->draw->n, own * s->draw->n / fmax((double)s->slow[0].usec, 1));
	}
}

static bool is_oftener(const struct variant *a, const struct variant *b)
{
	return a->calls != b->calls ? a->calls > b->calls : str_hash(a->text) < str_hash(b->text);
}

/* The most frequent texts of a SQL file; of equals those that a hash says. */
static void put_texts(struct workload *w, uint32_t shape, struct calls *c)
{
	const struct facts *f = w->facts;
	const struct variant *top[DRAWN_MAX];
	size_t n = 0;

	for (size_t i = 0; i < f->variant.n; i++) {
		const struct variant *v = &f->variant.at[i];
		size_t at = n;

		if (v->shape != shape)
			continue;
		while (at > 0 && is_oftener(v, top[at - 1]))
			at--;
		if (at == DRAWN_MAX)
			continue;
		n += n < DRAWN_MAX;
		memmove(&top[at + 1], &top[at], (n - 1 - at) * sizeof(*top));
		top[at] = v;
	}
	for (size_t i = 0; i < n; i++)
		put(c, top[i]->text, STR_NONE, (double)top[i]->calls, (double)top[i]->calls);
}

static int by_time(const void *a, const void *b)
{
	const struct call *x = a, *y = b;
	int order;

	if (x->time != y->time)
		return x->time > y->time ? -1 : 1;
	order = str_cmp(x->sql, y->sql);
	return order ? order : str_cmp(x->args, y->args);
}

size_t draw_calls(struct workload *w, uint32_t shape, struct call *out, size_t most)
{
	const struct shape *s = w->facts->shape.at[shape];
	struct calls c = {.at = out, .most = most};

	put_drawn(w, s, &c);
	if (c.n == 0)
		put_texts(w, shape, &c);
	if (c.n == 0)
		put(&c, s->lex.params ? respell(&w->arena, s->example) : s->example, STR_NONE, 1,
			1);
	qsort(out, c.n, sizeof(*out), by_time);
	return c.n;
}
