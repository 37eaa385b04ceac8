/* SPDX-License-Identifier: ISC
 *
 * RELOAD, RELOAD CHECK and SET.  All or nothing; each says what changes, what it costs in
 * server connections, and what needs a restart.
 */
#include "console_inner.h"

#include <strings.h>

/* How many server connections of a database must be replaced, and whether it comes or goes. */
static int connections_of(const char *database)
{
	struct list *l;
	int n = 0;

	list_each (l, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);

		if (strcmp(p->database, database) == 0)
			n += atomic_load(&p->open.used);
	}
	return n;
}

/* One line for each pool that the change costs something. */
static void put_costs(const struct conf *old, const struct conf *fresh, struct buf *out)
{
	struct list *l;
	int n;

	list_each (l, &hub.pools) {
		const struct pool *p = list_entry(l, struct pool, link);
		const struct conf_database *was = conf_database_find(old, p->database);
		const struct conf_database *is = conf_database_find(fresh, p->database);
		bool seen = false;

		for (struct list *k = hub.pools.next; !seen && k != l; k = k->next)
			seen = strcmp(list_entry(k, struct pool, link)->database, p->database) == 0;
		if (seen)
			continue;
		n = connections_of(p->database);
		if (was && !is)
			buf_printf(out,
				"database %s: removed: %d clients and %d server connections are "
				"closed\n",
				p->database, hub_count_clients(p->database, NULL), n);
		else if (was && is && !conf_same_target(old, was, fresh, is))
			buf_printf(out,
				"database %s: %d server connections are replaced as they come "
				"free\n",
				p->database, n);
	}
}

/* All that there is to say about going from `old` to `fresh`, one line each. */
static size_t plan(const struct conf *old, const struct conf *fresh, struct buf *out)
{
	size_t n = conf_diff(old, fresh, out);

	put_costs(old, fresh, out);
	return n;
}

static void each_line(struct buf *lines, void (*fn)(struct request *q, const char *line, size_t n),
	struct request *q)
{
	const char *p = lines->data, *end = p + lines->len, *stop;

	for (; p && p < end; p = stop + 1) {
		stop = memchr(p, '\n', (size_t)(end - p));
		if (!stop)
			stop = end;
		fn(q, p, (size_t)(stop - p));
	}
}

static void as_notice(struct request *q, const char *line, size_t n)
{
	request_notice(q, "%.*s", (int)n, line);
}

static void as_row(struct request *q, const char *line, size_t n)
{
	struct row r = row_begin(&q->answer.rows);

	row_textn(&r, line, n);
	row_end(&r);
}

static void put_warnings(const struct conf_report *r, struct buf *out)
{
	for (size_t i = 0; i < r->n_warnings; i++) {
		conf_note_print(&r->warnings[i], out);
		buf_put_str(out, "\n");
	}
}

static void put_errors(struct request *q, const struct conf_report *r)
{
	struct buf all = {0};

	for (size_t i = 0; i < r->n_errors; i++) {
		buf_put_str(&all, i ? "\n" : "");
		conf_note_print(&r->errors[i], &all);
	}
	request_fail(q, "F0000", "Nothing has changed.",
		"RELOAD would fail: %zu errors in the settings", r->n_errors);
	q->answer.detail = mem_strdup(buf_cstr(&all));
	buf_free(&all);
}

static void check(struct request *q)
{
	struct conf_report report = {0};
	const struct conf *fresh = conf_reload(hub.conf->p.conffile, hub.conf, &report);
	struct buf lines = {0}, err = {0};

	if (!fresh) {
		put_errors(q, &report);
	} else if (!front_check(fresh, &err)) {
		request_fail(q, "F0000", "Nothing has changed.", "RELOAD would fail");
		q->answer.detail = mem_strdup(buf_cstr(&err));
		conf_release(&fresh);
	} else {
		if (plan(hub.conf, fresh, &lines) == 0)
			buf_put_str(&lines, "nothing would change\n");
		put_warnings(&report, &lines);
		q->answer.columns = "change s";
		each_line(&lines, as_row, q);
		conf_release(&fresh);
	}
	conf_report_release(&report);
	buf_free(&lines);
	buf_free(&err);
	q->answer.tag = "RELOAD CHECK";
	request_done(q);
}

void run_reload(struct request *q)
{
	const char *word = request_arg(q, 0);
	const struct conf *old;
	struct buf err = {0}, lines = {0};

	if (strcasecmp(word, "check") == 0) {
		check(q);
		return;
	}
	if (*word) {
		request_invalid(q, "Write RELOAD or RELOAD CHECK.");
		request_done(q);
		return;
	}
	old = conf_retain(hub.conf);
	if (console_ops.reload(&err)) {
		plan(old, hub.conf, &lines);
		each_line(&lines, as_notice, q);
	} else {
		request_fail(q, "F0000", "Nothing has changed. RELOAD CHECK lists all errors.",
			"RELOAD failed, see logs for additional details");
		q->answer.detail = mem_strdup(buf_cstr(&err));
	}
	conf_release(&old);
	buf_free(&err);
	buf_free(&lines);
	if (q->answer.message)
		request_done(q);
	else
		console_finish(q, "RELOAD");
}

/* SET key = value, SET key TO value. */
void run_set(struct request *q)
{
	const char *key = request_arg(q, 0), *sign = request_arg(q, 1);
	const struct conf_setting *s = conf_setting_find(CONF_IN_POOLER, key);
	const struct conf *fresh;
	struct buf value = {0}, err = {0};

	if (strcmp(sign, "=") != 0 && strcasecmp(sign, "to") != 0) {
		request_invalid(q, "Write SET key = 'value'.");
		request_done(q);
		return;
	}
	for (int i = 2; q->first + i < q->words.n; i++)
		buf_printf(&value, "%s%s",
			i > 2 && q->words.kind[q->first + i] != WORD_SIGN &&
					q->words.kind[q->first + i - 1] != WORD_SIGN
				? " "
				: "",
			request_arg(q, i));
	fresh = conf_set(hub.conf, key, buf_cstr(&value), &err);
	if (!fresh || !console_ops.apply(fresh, &err)) {
		request_fail(q, NULL,
			"SHOW CONFIG lists the settings; those not changeable need a restart.",
			"SET failed: %s", buf_cstr(&err));
		request_done(q);
	} else {
		q->answer.keep = mem_printf("SET %s=%s", key,
			s && s->type == CONF_SECRET ? "********" : buf_cstr(&value));
		console_finish(q, q->answer.keep);
	}
	if (fresh)
		conf_release(&fresh);
	buf_free(&value);
	buf_free(&err);
}
