/* SPDX-License-Identifier: ISC
 *
 * input_cloud: JSON lines of hosting services around a server's line: Google Cloud SQL
 * (textPayload), Azure (properties.message), CloudNativePG (record), journalctl -o json
 * (MESSAGE).
 */
#include "input_formats.h"

#include <jansson.h>

static struct str keep(struct arena *a, const json_t *o, const char *key)
{
	struct str s = js_get_str(o, key);

	return s.n ? arena_str(a, s) : STR_NONE;
}

/* CloudNativePG: the columns of csvlog by name. */
static bool record(struct arena *a, const json_t *r, struct log_entry *e)
{
	struct str sid = js_get_str(r, "session_id"), ts = js_get_str(r, "log_time");

	if (!json_is_object(r))
		return false;
	time_parse(ts.p ? ts.p : "", ts.n, &e->ts);
	e->user = keep(a, r, "user_name");
	e->db = keep(a, r, "database_name");
	e->pid = (int32_t)js_get_int(r, "process_id");
	e->host = keep(a, r, "connection_from");
	const char *colon = e->host.n ? memrchr(e->host.p, ':', e->host.n) : NULL;
	if (colon)
		e->host.n = (size_t)(colon - e->host.p);
	e->session = sid.n ? str_hash(sid) | 1 : 0;
	e->line_num = js_get_int(r, "session_line_num");
	e->vxid = keep(a, r, "virtual_transaction_id");
	e->severity = severity_of(js_get_str(r, "error_severity"));
	e->sqlstate = keep(a, r, "sql_state_code");
	e->message = keep(a, r, "message");
	e->detail = keep(a, r, "detail");
	e->hint = keep(a, r, "hint");
	e->context = keep(a, r, "context");
	e->query = keep(a, r, "query");
	e->app = keep(a, r, "application_name");
	entry_session(e);
	message_classify(e);
	return true;
}

/* Azure: the message carries "TIME-SESSION-LOG:  text"; its detail stands beside it. */
static bool azure(struct arena *a, const json_t *p, struct log_entry *e, struct str *inner)
{
	struct str ts = js_get_str(p, "timestamp");

	struct str level = js_get_str(p, "errorLevel"), text = js_get_str(p, "message");

	*inner = keep(a, p, "message");
	if (json_object_get(p, "prefix") && level.n) { /* Single Server: all in pieces */
		struct str prefix = js_get_str(p, "prefix");
		*inner = arena_printf(a, "%.*s%.*s:  %.*s", (int)prefix.n, prefix.p, (int)level.n,
			level.p, (int)text.n, text.p);
	}
	time_parse(ts.p ? ts.p : "", ts.n, &e->ts);
	e->pid = (int32_t)js_get_int(p, "processId");
	e->user = keep(a, p, "user");
	e->db = keep(a, p, "database");
	e->detail = keep(a, p, "detail");
	e->sqlstate = keep(a, p, "sqlerrcode");
	return inner->n > 0;
}

static bool unwrap(struct arena *a, const json_t *o, struct log_entry *e, struct str *inner)
{
	struct str ts = js_get_str(o, "timestamp"), when = js_get_str(o, "time");

	if (when.n)
		time_parse(when.p, when.n, &e->ts);
	if (json_is_object(json_object_get(o, "properties")))
		return azure(a, json_object_get(o, "properties"), e, inner);
	if (json_is_string(json_object_get(o, "textPayload"))) {
		time_parse(ts.p ? ts.p : "", ts.n, &e->ts);
		*inner = keep(a, o, "textPayload");
		return inner->n > 0;
	}
	if (json_is_string(json_object_get(o, "MESSAGE"))) {
		e->ts = js_get_int(o, "__REALTIME_TIMESTAMP");
		e->pid = (int32_t)js_get_int(o, "_PID");
		*inner = keep(a, o, "MESSAGE");
		return inner->n > 0;
	}
	return false;
}

bool cloud_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner)
{
	json_t *o = n > 1 && line[0] == '{' ? json_loadb(line, n, 0, NULL) : NULL;
	bool ok = o && unwrap(a, o, e, inner);

	json_decref(o);
	return ok;
}

/* One line, whichever service wrote it. */
static bool cloud_line(const struct log_format *f, struct chunk *c, const json_t *o,
	struct log_entry *e)
{
	const json_t *r = json_object_get(o, "record");
	struct str inner;

	if (r)
		return record(&c->arena, r, e);
	if (json_object_get(o, "logger") || json_object_get(o, "level")) {
		e->class = LOG_OTHER; /* the operator's own lines */
		return true;
	}
	if (!unwrap(&c->arena, o, e, &inner))
		return false;
	struct str detail = e->detail;
	wrap_text(f, e, inner);
	if (e->class == LOG_STATEMENT && detail.n && !e->params.n) {
		e->detail = detail;
		e->params = message_params(detail);
	}
	return e->class != LOG_NOT_UNDERSTOOD;
}

void cloud_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n, *nl, *next;
	uint64_t line = c->line;

	for (; p < end; p = next, line++) {
		nl = memchr(p, '\n', (size_t)(end - p));
		next = nl ? nl + 1 : end;
		struct log_entry *e = chunk_entry(c, line, (size_t)(next - p));
		json_t *o =
			*p == '{' ? json_loadb(p, (size_t)((nl ? nl : end) - p), 0, NULL) : NULL;
		if (!o || !cloud_line(f, c, o, e))
			e->class = LOG_NOT_UNDERSTOOD;
		json_decref(o);
	}
	c->lines = line - c->line;
}

int cloud_score(const char *p, size_t n)
{
	struct str head = {p, n < 8000 ? n : 8000};

	if (n == 0 || p[0] != '{')
		return 0;
	if (str_find(head, "\"textPayload\"") < head.n || str_find(head, "\"MESSAGE\"") < head.n ||
		(str_find(head, "\"properties\"") < head.n &&
			str_find(head, "\"message\"") < head.n) ||
		(str_find(head, "\"logger\"") < head.n && str_find(head, "\"level\"") < head.n) ||
		str_find(head, "\"record\"") < head.n)
		return 92;
	return 0;
}
