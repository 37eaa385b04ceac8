/* SPDX-License-Identifier: ISC
 *
 * input_json: one JSON object per line, with the keys of PostgreSQL's jsonlog: that log itself
 * (15 and later) and pgsluice's query log, which adds the key `pooler`.
 */
#include "input_formats.h"

#include <jansson.h>

bool json_starts(const struct log_format *f, const char *line, size_t n)
{
	(void)f;
	return n > 1 && line[0] == '{';
}

/* Strings of a json_t die with it: the entry keeps copies in the chunk's arena. */
static struct str keep(struct chunk *c, const json_t *o, const char *key)
{
	struct str s = js_get_str(o, key);

	return s.n ? arena_str(&c->arena, s) : STR_NONE;
}

static int64_t time_or_none(const json_t *o, const char *key)
{
	return json_object_get(o, key) ? js_get_int(o, key) : -1;
}

static void json_pooler(struct chunk *c, struct log_entry *e, const json_t *o)
{
	const json_t *p = json_object_get(o, "pooler");

	if (!json_is_object(p))
		return;
	struct log_pooler *out = ARENA_NEW(&c->arena, struct log_pooler);
	out->wait_us = time_or_none(p, "wait_us");
	out->server_us = time_or_none(p, "server_us");
	out->fetch_us = time_or_none(p, "fetch_us");
	out->drain_us = time_or_none(p, "drain_us");
	out->rows = time_or_none(p, "rows");
	out->bytes_in = time_or_none(p, "bytes_in");
	out->bytes_out = time_or_none(p, "bytes_out");
	out->truncated = json_is_true(json_object_get(p, "truncated"));
	e->truncated = out->truncated;
	e->pooler = out;
}

static bool json_entry(struct chunk *c, const json_t *o, struct log_entry *e)
{
	struct str ts = js_get_str(o, "timestamp"), sid = js_get_str(o, "session_id");

	if (!json_is_object(o) || !json_object_get(o, "error_severity"))
		return false;
	time_parse(ts.p ? ts.p : "", ts.n, &e->ts);
	e->user = keep(c, o, "user");
	e->db = keep(c, o, "dbname");
	e->pid = (int32_t)js_get_int(o, "pid");
	e->host = keep(c, o, "remote_host");
	e->session = sid.n ? str_hash(sid) | 1 : 0;
	e->line_num = js_get_int(o, "line_num");
	e->vxid = keep(c, o, "vxid");
	e->severity = severity_of(js_get_str(o, "error_severity"));
	e->sqlstate = keep(c, o, "state_code");
	e->message = keep(c, o, "message");
	e->detail = keep(c, o, "detail");
	e->hint = keep(c, o, "hint");
	e->context = keep(c, o, "context");
	e->internal = keep(c, o, "internal_query");
	e->query = keep(c, o, "statement");
	e->app = keep(c, o, "application_name");
	entry_session(e);
	json_pooler(c, e, o);
	message_classify(e);
	return true;
}

void json_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n, *nl, *next;
	uint64_t line = c->line;

	(void)f;
	for (; p < end; p = next, line++) {
		nl = memchr(p, '\n', (size_t)(end - p));
		next = nl ? nl + 1 : end;
		struct log_entry *e = chunk_entry(c, line, (size_t)(next - p));
		json_t *o =
			*p == '{' ? json_loadb(p, (size_t)((nl ? nl : end) - p), 0, NULL) : NULL;
		if (!o || !json_entry(c, o, e))
			e->class = LOG_NOT_UNDERSTOOD;
		json_decref(o);
	}
	c->lines = line - c->line;
}

int json_score(const char *p, size_t n)
{
	struct str head = {p, n < 4000 ? n : 4000};

	if (n == 0 || p[0] != '{' || str_find(head, "\"logger\"") < head.n)
		return 0;
	return str_find(head, "\"error_severity\"") < head.n ? 98 : 0;
}

int pooler_score(const char *p, size_t n)
{
	struct str head = {p, n < 4000 ? n : 4000};

	return json_score(p, n) && str_find(head, "\"pooler\"") < head.n ? 99 : 0;
}
