/* SPDX-License-Identifier: ISC
 *
 * One statement as one line of JSON: the keys, order and formats of PostgreSQL's jsonlog,
 * then the key `pooler`.
 *
 *   timestamp       when the statement ended (start + wait + server + fetch), local time
 *   message         the duration is the server's: server + fetch, without the wait
 *   vxid            number of the client / number of its transaction
 *   state_code …    of an ErrorResponse, as the server sent it; parameters then stand in
 *                   context, as with log_parameter_max_length_on_error
 *
 * At tens of thousands of lines a second every byte counts: what is constant for a session
 * is made once, the second's timestamp is kept, and strings are copied in runs.
 */
#include "obs_inner.h"

#include <time.h>

/* --- pieces --------------------------------------------------------------- */

void put_u64(struct buf *out, uint64_t v)
{
	char tmp[20], *p = tmp + sizeof tmp;

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	put_raw(out, p, (size_t)(tmp + sizeof tmp - p));
}

static void put_ms(struct buf *out, uint64_t us)
{
	char frac[4] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
		(char)('0' + us % 10)};

	put_u64(out, us / 1000);
	put_raw(out, frac, sizeof frac);
}

static void put_escape(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char e[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	size_t n = 2;

	switch (c) {
	case '"':
	case '\\':
		e[1] = (char)c;
		break;
	case '\b':
		e[1] = 'b';
		break;
	case '\f':
		e[1] = 'f';
		break;
	case '\n':
		e[1] = 'n';
		break;
	case '\r':
		e[1] = 'r';
		break;
	case '\t':
		e[1] = 't';
		break;
	default:
		n = 6;
	}
	put_raw(out, e, n);
}

/* How many bytes at the front of s need nothing: eight at a time. */
static size_t plain_run(const unsigned char *s, size_t len)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	size_t i = 0;

	while (i + 8 <= len) {
		uint64_t w, quote, slash;
		memcpy(&w, s + i, 8);
		quote = w ^ (ones * '"');
		slash = w ^ (ones * '\\');
		if ((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & high)
			break;
		i += 8;
	}
	while (i < len && s[i] >= 0x20 && s[i] < 0x80 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

void json_put(struct buf *out, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text, *end = s + len;

	buf_reserve(out, len + 8);
	while (s < end) {
		size_t n = plain_run(s, (size_t)(end - s));
		put_raw(out, s, n);
		s += n;
		while (s < end && *s >= 0x80 &&
			(n = utf8_len((const char *)s, (size_t)(end - s)))) {
			put_raw(out, s, n);
			s += n;
		}
		if (s == end)
			break;
		if (*s == 0 || *s >= 0x80) {
			put_lit(out, UTF8_INSTEAD);
			s++;
		} else if (*s < 0x20 || *s == '"' || *s == '\\') {
			put_escape(out, *s++);
		}
	}
}

/* ,"key":"text" */
static void put_key_text(struct buf *out, const char *key, const char *s, size_t len)
{
	put_lit(out, ",\"");
	put_raw(out, key, strlen(key));
	put_lit(out, "\":\"");
	json_put(out, s, len);
	put_lit(out, "\"");
}

static void put_key_u64(struct buf *out, const char *key, uint64_t v)
{
	put_lit(out, ",\"");
	put_raw(out, key, strlen(key));
	put_lit(out, "\":");
	put_u64(out, v);
}

/* A statement's text: clipped and masked. */
static bool put_text(struct line *l, struct buf *out, const char *s, size_t len)
{
	size_t n = l->o.max_text ? utf8_clip(s, len, l->o.max_text) : len;

	if (UNLIKELY(mask_wants(s, n))) {
		struct buf masked = {0};
		mask_put(&masked, s, n, false);
		json_put(out, masked.data, masked.len);
		buf_free(&masked);
	} else {
		json_put(out, s, n);
	}
	return n < len;
}

/* --- what is constant for a session, or for a second ---------------------- */

static char *keep(struct buf *b, size_t *len)
{
	char *p = mem_alloc(b->len ? b->len : 1);

	memcpy(p, b->data, b->len);
	*len = b->len;
	b->len = 0;
	return p;
}

static void session_prepare(struct line *l, struct qlog_session *s)
{
	struct buf *b = &l->scratch;
	time_t start = (time_t)(s->start / USEC_SEC);
	struct tm tm;
	char stamp[64];

	b->len = 0;
	put_key_text(b, "user", s->user, strlen(s->user));
	put_key_text(b, "dbname", s->dbname, strlen(s->dbname));
	put_key_u64(b, "pid", s->pid);
	put_key_text(b, "remote_host", s->remote_host, strlen(s->remote_host));
	if (s->remote_port)
		put_key_u64(b, "remote_port", (uint64_t)s->remote_port);
	buf_printf(b, ",\"session_id\":\"%llx.%x\",\"line_num\":", (unsigned long long)start,
		s->pid);
	s->head = keep(b, &s->head_len);

	localtime_r(&start, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S %Z", &tm);
	put_key_text(b, "session_start", stamp, strlen(stamp));
	buf_printf(b, ",\"vxid\":\"%llu/", (unsigned long long)s->number);
	s->mid = keep(b, &s->mid_len);

	if (s->application_name[0])
		put_key_text(b, "application_name", s->application_name,
			strlen(s->application_name));
	put_lit(b, ",\"backend_type\":\"client backend\",\"query_id\":");
	s->tail = keep(b, &s->tail_len);
}

static void put_stamp(struct line *l, struct buf *out, usec_t wall)
{
	time_t second = (time_t)(wall / USEC_SEC);
	unsigned ms = (unsigned)(wall % USEC_SEC / 1000);
	char frac[4] = {
		'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10)};

	if (second != l->second || l->stamp_len == 0) {
		struct tm tm;
		localtime_r(&second, &tm);
		l->stamp_len = strftime(l->stamp, sizeof l->stamp, "%Y-%m-%d %H:%M:%S", &tm);
		l->zone_len = strftime(l->zone, sizeof l->zone, " %Z", &tm);
		l->second = second;
	}
	put_raw(out, l->stamp, l->stamp_len);
	put_raw(out, frac, sizeof frac);
	put_raw(out, l->zone, l->zone_len);
}

void line_release(struct line *l)
{
	buf_free(&l->scratch);
	buf_free(&l->value);
}

/* --- the line ------------------------------------------------------------- */

/* The command's name alone: the tag without its counts. */
static size_t tag_word(const char *tag)
{
	size_t n = strlen(tag);

	while (n > 0 && ((tag[n - 1] >= '0' && tag[n - 1] <= '9') || tag[n - 1] == ' '))
		n--;
	return n;
}

/* The value of one field of an ErrorResponse, NULL when it has none. */
static const char *error_field(const char *e, size_t len, char code, size_t *n)
{
	const char *end = e + len;

	while (e < end && *e) {
		size_t k = strnlen(e + 1, (size_t)(end - e - 1));
		if (*e == code) {
			*n = k;
			return e + 1;
		}
		e += 1 + k + 1;
	}
	*n = 0;
	return NULL;
}

static void put_error_text(struct line *l, struct buf *out, const struct qlog_statement *s,
	char code, const char *key)
{
	size_t n;
	const char *v = error_field(s->error, s->error_len, code, &n);

	if (!v || n == 0)
		return;
	put_lit(out, ",\"");
	put_raw(out, key, strlen(key));
	put_lit(out, "\":\"");
	put_text(l, out, v, n);
	put_lit(out, "\"");
}

static void put_error_number(struct buf *out, const struct qlog_statement *s, char code,
	const char *key)
{
	size_t n;
	const char *v = error_field(s->error, s->error_len, code, &n);
	uint64_t number = 0;

	for (size_t i = 0; v && i < n && i < 18 && v[i] >= '0' && v[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(v[i] - '0');
	if (number)
		put_key_u64(out, key, number);
}

/* The parameters' text in l->scratch; false when there are none to show. */
static bool parameters(struct line *l, const struct qlog_statement *s, bool *cut)
{
	if (!s->bind || l->o.parameters == QLOG_PARAMETERS_OFF)
		return false;
	l->scratch.len = 0;
	if (!param_put(l, &l->scratch, s->bind, s->bind_len, s->types, s->type_count))
		*cut = true;
	return l->scratch.len > 0;
}

/* The portal's name: Bind's first string. */
static const char *portal_of(const struct qlog_statement *s, size_t *n)
{
	*n = s->bind ? strnlen(s->bind, s->bind_len) : 0;
	return s->bind;
}

static void put_duration(struct line *l, struct buf *out, const struct qlog_statement *s, bool *cut)
{
	size_t n;

	put_lit(out, ",\"error_severity\":\"LOG\",\"message\":\"duration: ");
	put_ms(out, (uint64_t)s->server_us + s->fetch_us);
	if (s->kind == QLOG_STATEMENT) {
		put_lit(out, " ms  statement: ");
	} else {
		const char *portal = portal_of(s, &n);
		if (s->kind == QLOG_FETCH)
			put_lit(out, " ms  execute fetch from ");
		else
			put_lit(out, " ms  execute ");
		if (s->name && s->name[0])
			json_put(out, s->name, strlen(s->name));
		else
			put_lit(out, "<unnamed>");
		if (n) {
			put_lit(out, "/");
			json_put(out, portal, n);
		}
		put_lit(out, ": ");
	}
	*cut |= put_text(l, out, s->text, s->text_len);
	put_lit(out, "\"");
	if (parameters(l, s, cut)) {
		put_lit(out, ",\"detail\":\"parameters: ");
		json_put(out, l->scratch.data, l->scratch.len);
		put_lit(out, "\"");
	}
}

static void put_error(struct line *l, struct buf *out, const struct qlog_statement *s, bool *cut)
{
	const char *severity, *where, *portal;
	size_t n, wn, pn;

	severity = error_field(s->error, s->error_len, 'V', &n);
	if (!severity)
		severity = error_field(s->error, s->error_len, 'S', &n);
	if (severity)
		put_key_text(out, "error_severity", severity, n);
	else
		put_lit(out, ",\"error_severity\":\"ERROR\"");
	put_error_text(l, out, s, 'C', "state_code");
	put_error_text(l, out, s, 'M', "message");
	put_error_text(l, out, s, 'D', "detail");
	put_error_text(l, out, s, 'H', "hint");
	put_error_text(l, out, s, 'q', "internal_query");
	put_error_number(out, s, 'p', "internal_position");
	where = error_field(s->error, s->error_len, 'W', &wn);
	/* A server with log_parameter_max_length_on_error has named them already. */
	bool told = where && memmem(where, wn, " with parameters: ", 18);
	if (!told && parameters(l, s, cut)) {
		put_lit(out, ",\"context\":\"");
		if (wn) {
			put_text(l, out, where, wn);
			put_lit(out, "\\n");
		}
		portal = portal_of(s, &pn);
		if (pn) {
			put_lit(out, "portal \\\"");
			json_put(out, portal, pn);
			put_lit(out, "\\\" with parameters: ");
		} else {
			put_lit(out, "unnamed portal with parameters: ");
		}
		json_put(out, l->scratch.data, l->scratch.len);
		put_lit(out, "\"");
	} else {
		put_error_text(l, out, s, 'W', "context");
	}
	if (s->text_len) {
		put_lit(out, ",\"statement\":\"");
		*cut |= put_text(l, out, s->text, s->text_len);
		put_lit(out, "\"");
		put_error_number(out, s, 'P', "cursor_position");
	}
}

static void put_pooler(struct buf *out, const struct qlog_statement *s, bool cut)
{
	put_lit(out, ",\"pooler\":{\"wait_us\":");
	put_u64(out, s->wait_us);
	put_lit(out, ",\"server_us\":");
	put_u64(out, s->server_us);
	put_lit(out, ",\"fetch_us\":");
	put_u64(out, s->fetch_us);
	put_lit(out, ",\"drain_us\":");
	put_u64(out, s->drain_us);
	put_lit(out, ",\"rows\":");
	put_u64(out, s->rows);
	put_lit(out, ",\"bytes_in\":");
	put_u64(out, s->bytes_in);
	put_lit(out, ",\"bytes_out\":");
	put_u64(out, s->bytes_out);
	put_lit(out, ",\"server_pid\":");
	put_u64(out, s->server_pid);
	if (s->mode)
		put_key_text(out, "mode", s->mode, strlen(s->mode));
	if (cut)
		put_lit(out, ",\"truncated\":true}}\n");
	else
		put_lit(out, ",\"truncated\":false}}\n");
}

void line_put(struct line *l, struct buf *out, const struct qlog_statement *s, uint64_t number)
{
	struct qlog_session *who = s->session;
	uint64_t took = (uint64_t)s->wait_us + s->server_us + s->fetch_us;
	bool cut = s->text_truncated;

	if (!who->head)
		session_prepare(l, who);
	buf_reserve(out, 640 + who->head_len + who->mid_len + who->tail_len + s->text_len);
	put_lit(out, "{\"timestamp\":\"");
	put_stamp(l, out, s->start + took);
	put_lit(out, "\"");
	put_raw(out, who->head, who->head_len);
	put_u64(out, number);
	if (s->tag && s->tag[0])
		put_key_text(out, "ps", s->tag, tag_word(s->tag));
	put_raw(out, who->mid, who->mid_len);
	put_u64(out, s->transaction);
	put_lit(out, "\",\"txid\":0");
	if (s->error)
		put_error(l, out, s, &cut);
	else
		put_duration(l, out, s, &cut);
	put_raw(out, who->tail, who->tail_len);
	if ((int64_t)s->query_id < 0) { /* PostgreSQL prints it signed */
		put_lit(out, "-");
		put_u64(out, -s->query_id);
	} else {
		put_u64(out, s->query_id);
	}
	put_pooler(out, s, cut);
}
