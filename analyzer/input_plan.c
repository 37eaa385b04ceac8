/* SPDX-License-Identifier: ISC
 *
 * input_plan: the statement inside what auto_explain logged.
 *
 * It is the plan's "Query Text", which every format writes first: text up to the first node,
 * JSON as a string, YAML as a quoted string, XML as an element.
 */
#include "input.h"

/* The text format: up to the line that is the first node. */
static struct str text_query(struct str rest)
{
	for (size_t at = 0; at < rest.n;) {
		struct str line = str_skip(rest, at);
		line = str_before(line, str_find(line, "\n"));
		if (str_find(line, "  (cost=") < line.n || str_find(line, " (actual ") < line.n ||
			str_starts(line, "Query Identifier:"))
			return str_trim(str_before(rest, at));
		at += line.n + 1;
	}
	return str_trim(rest);
}

static unsigned hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];
		v = v * 16 + (unsigned)(c >= '0' && c <= '9' ? c - '0'
					: (c | 0x20) >= 'a' && (c | 0x20) <= 'f'
						? (c | 0x20) - 'a' + 10
						: 0);
	}
	return v;
}

/* A string in JSON's or YAML's double quotes; s begins behind the opening one. */
static struct str quoted_query(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1), *to = out;

	for (size_t i = 0; i < s.n && s.p[i] != '"'; i++) {
		char c = s.p[i];
		if (c != '\\' || i + 1 >= s.n) {
			*to++ = c;
			continue;
		}
		c = s.p[++i];
		if (c == 'u' && i + 4 < s.n) {
			unsigned v = hex4(s.p + i + 1);
			i += 4;
			*to++ = v < 0x80 ? (char)v : '?';
		} else {
			*to++ = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
		}
	}
	*to = '\0';
	return (struct str){out, (size_t)(to - out)};
}

static struct str xml_query(struct arena *a, struct str s)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'},
		{"&apos;", '\''}, {"&#x0d;", '\r'}};
	char *out = arena_alloc(a, s.n + 1), *to = out;

	s = str_before(s, str_find(s, "</Query-Text>"));
	for (size_t i = 0; i < s.n; i++) {
		*to = s.p[i];
		for (size_t k = 0; s.p[i] == '&' && k < ARRAY_LEN(entities); k++)
			if (str_starts(str_skip(s, i), entities[k].entity)) {
				*to = entities[k].c;
				i += strlen(entities[k].entity) - 1;
				break;
			}
		to++;
	}
	*to = '\0';
	return (struct str){out, (size_t)(to - out)};
}

struct str message_plan_query(struct arena *a, struct str plan)
{
	struct str head = str_before(plan, 4096);
	size_t at = str_find(head, "\"Query Text\": \"");

	if (at < head.n)
		return quoted_query(a, str_skip(plan, at + strlen("\"Query Text\": \"")));
	at = str_find(head, "<Query-Text>");
	if (at < head.n)
		return xml_query(a, str_skip(plan, at + strlen("<Query-Text>")));
	at = str_find(head, "Query Text: \"");
	if (at < head.n && str_find(plan, "  (cost=") == plan.n)
		return quoted_query(a, str_skip(plan, at + strlen("Query Text: \"")));
	at = str_find(head, "Query Text: ");
	if (at < head.n)
		return text_query(str_skip(plan, at + strlen("Query Text: ")));
	return STR_NONE;
}
