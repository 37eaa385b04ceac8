/* SPDX-License-Identifier: ISC
 *
 * input_bouncer: PgBouncer's own log (and pgsluice's): who came, who went, what went wrong.  It
 * has no statements.
 *
 *	2024-01-05 10:11:12.345 UTC [123] LOG C-0x55d: shop/app@10.0.0.4:5521 login attempt: …
 */
#include "input_formats.h"

static bool head(const char *line, size_t n, struct log_entry *e, struct str *rest)
{
	static const struct {
		const char *word;
		enum log_severity sev;
	} levels[] = {{"LOG ", SEV_LOG}, {"WARNING ", SEV_WARNING}, {"ERROR ", SEV_ERROR},
		{"FATAL ", SEV_FATAL}, {"DEBUG ", SEV_DEBUG}, {"NOISE ", SEV_DEBUG}};
	size_t at = time_parse(line, n, &e->ts);
	struct str s = str_skip((struct str){line, n}, at);

	if (!at || !str_starts(s, " ["))
		return false;
	e->pid = number_at(s.p + 2, s.p + s.n, false);
	s = str_skip(s, str_find(s, "] ") + 2);
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (str_starts(s, levels[i].word)) {
			e->severity = levels[i].sev;
			*rest = str_skip(s, strlen(levels[i].word));
			return true;
		}
	return false;
}

bool bouncer_starts(const struct log_format *f, const char *line, size_t n)
{
	struct log_entry e;
	struct str rest;

	(void)f;
	memset(&e, 0, sizeof(e));
	return head(line, n, &e, &rest);
}

/* "C-0x55d: shop/app@10.0.0.4:5521 text" */
static void who(struct log_entry *e, struct str *rest)
{
	struct str s = *rest;
	size_t slash, at, blank;

	if (!str_starts(s, "C-") && !str_starts(s, "S-"))
		return;
	size_t colon = str_find(s, ": ");
	e->session = str_hash(str_before(s, colon)) | 1;
	s = str_skip(s, colon + 2);
	blank = str_find(s, " ");
	slash = str_find(s, "/");
	at = str_find(s, "@");
	if (slash < at && at < blank) {
		e->db = str_before(s, slash);
		e->user = str_before(str_skip(s, slash + 1), at - slash - 1);
		s = str_skip(s, blank + 1);
	}
	*rest = s;
}

void bouncer_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n, *nl, *next;
	uint64_t line = c->line;

	(void)f;
	for (; p < end; p = next, line++) {
		struct str rest;
		nl = memchr(p, '\n', (size_t)(end - p));
		next = nl ? nl + 1 : end;
		struct log_entry *e = chunk_entry(c, line, (size_t)(next - p));
		if (!head(p, (size_t)((nl ? nl : end) - p), e, &rest))
			continue;
		who(e, &rest);
		e->message = rest;
		e->class = e->severity >= SEV_ERROR || e->severity == SEV_WARNING ? LOG_ERROR
			   : e->session						  ? LOG_CONNECTION
										  : LOG_OTHER;
		if (str_starts(rest, "login attempt"))
			e->message = STR("connection received");
		else if (str_starts(rest, "closing because"))
			e->message = STR("disconnection:");
	}
	c->lines = line - c->line;
}

int bouncer_score(const char *p, size_t n)
{
	const char *end = p + n, *nl;
	int lines = 0, hits = 0;

	for (; p < end && lines < 50; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		lines++;
		hits += bouncer_starts(NULL, p, (size_t)(nl - p));
	}
	return lines && hits * 10 > lines * 7 ? 70 : 0;
}
