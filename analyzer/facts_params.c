/* SPDX-License-Identifier: ISC
 *
 * facts_params: the values that one call came with, and the request it was sent for.
 *
 * Parameters are read where they were logged: `$1 = '42', $2 = NULL`.  A value's quotes are
 * doubled in there and stay so: values are compared and counted, not evaluated.
 */
#include "facts_build.h"

#include <ctype.h>

struct str params_value(struct str params, uint32_t n)
{
	const char *p = params.p, *end = params.p + params.n;
	char name[16];
	size_t len = (size_t)snprintf(name, sizeof(name), "$%u = ", n);

	while (p && p < end) {
		bool here = (size_t)(end - p) > len && memcmp(p, name, len) == 0;
		const char *v = memchr(p, '=', (size_t)(end - p));
		if (!v || v + 2 >= end)
			return STR_NONE;
		v += 2;
		const char *to = v;
		if (*v == '\'') {
			for (to = ++v;
				to < end && (*to != '\'' || (to + 1 < end && to[1] == '\''));)
				to += *to == '\'' ? 2 : 1;
		} else { /* NULL */
			while (to < end && *to != ',')
				to++;
			if (here)
				return STR_NONE;
		}
		if (here)
			return (struct str){v, (size_t)((to < end ? to : end) - v)};
		p = to < end ? memchr(to, '$', (size_t)(end - to)) : NULL;
	}
	return STR_NONE;
}

int64_t params_int(struct str params, uint32_t n)
{
	struct str v = n ? params_value(params, n) : STR_NONE;
	int64_t i = -1;

	return v.n && str_to_i64(v, &i) && i >= 0 ? i : -1;
}

uint32_t params_behind(struct str sql, const char *word)
{
	size_t n = strlen(word);
	uint32_t found = 0;

	for (size_t i = 0; i + n + 2 < sql.n; i++) {
		if ((sql.p[i] | 0x20) != word[0] || strncasecmp(sql.p + i, word, n) != 0 ||
			(i > 0 && (isalnum((unsigned char)sql.p[i - 1]) || sql.p[i - 1] == '_')))
			continue;
		size_t at = i + n;
		while (at < sql.n && isspace((unsigned char)sql.p[at]))
			at++;
		if (at == i + n || at + 1 >= sql.n || sql.p[at] != '$')
			continue;
		for (found = 0, at++;
			at < sql.n && isdigit((unsigned char)sql.p[at]) && found < 65536;)
			found = found * 10 + (uint32_t)(sql.p[at++] - '0');
	}
	return found;
}

/* The value behind `key` and one of `=:` in a comment: up to its quote, or a separator. */
static struct str tag_value(struct str c, const char *key)
{
	size_t at = str_find(c, key);

	if (at >= c.n || (at > 0 && isalnum((unsigned char)c.p[at - 1])))
		return STR_NONE;
	c = str_skip(c, at + strlen(key));
	if (c.n < 2 || (c.p[0] != '=' && c.p[0] != ':'))
		return STR_NONE;
	c = str_skip(c, c.p[1] == '\'' ? 2 : 1);
	size_t n = 0;
	while (n < c.n && c.p[n] != '\'' && c.p[n] != ',' && c.p[n] != ' ' && c.p[n] != '*')
		n++;
	return str_before(c, n);
}

static uint64_t trace_of(struct str comment)
{
	struct str v = tag_value(comment, "traceparent");

	/* 00-TRACE-SPAN-FLAGS: spans differ within a request */
	if (v.n >= 35 && v.p[2] == '-')
		return str_hash((struct str){v.p + 3, 32}) | 1;
	v = tag_value(comment, "request_id");
	return v.n ? str_hash(v) | 1 : 0;
}

uint64_t request_trace(struct str sql, const struct sql_shape *lex)
{
	struct sql_place last = lex->last_comment, first = lex->first_comment;
	uint64_t t = 0;

	if (last.len && (size_t)last.off + last.len <= sql.n)
		t = trace_of((struct str){sql.p + last.off, last.len});
	if (!t && first.len && first.off != last.off && (size_t)first.off + first.len <= sql.n)
		t = trace_of((struct str){sql.p + first.off, first.len});
	return t;
}
