/* SPDX-License-Identifier: ISC
 *
 * input_doubt: what a prefix leaves open in a log: no line is misread without it being said.
 *
 * Two fields with nothing but their own letters or digits between them can be cut in two ways
 * ("%p%l": 48 and 213, or 482 and 13).  An inferred prefix knows names by their place alone where
 * no key, no `user@database` and no message of the log says which is which.
 */
#include "input_prefix.h"

#define LINES 400

/* The escape at item i or the first behind it; 0: there is none. */
static char escape_at(const struct log_prefix *p, int i)
{
	while (i < p->items && p->item[i].kind == 0)
		i++;
	return i < p->items ? p->item[i].kind : '\0';
}

/* head: an example, without the message behind it */
static char *say_open(const struct log_prefix *p, int item, struct str head)
{
	struct text t = {0};
	char a = escape_at(p, item), b = escape_at(p, item + 1);

	if (b)
		text_printf(&t, "it leaves open where %%%c ends and %%%c begins", a, b);
	else
		text_printf(&t, "it leaves open where %%%c ends", a ? a : 'q');
	text_puts(&t, " (\"");
	for (size_t i = 0; i < head.n; i++)
		text_char(&t, head.p[i] >= ' ' && head.p[i] <= '~' ? head.p[i] : '?');
	text_puts(&t, "\"): put a separator there into log_line_prefix");
	return t.p;
}

/* Is the name in item i told by what stands around it? */
static bool is_told(const struct log_prefix *p, int i)
{
	struct str before = i > 0 && !p->item[i - 1].kind ? p->item[i - 1].lit : STR_NONE;
	struct str behind =
		i + 1 < p->items && !p->item[i + 1].kind ? p->item[i + 1].lit : STR_NONE;

	if (str_ends(before, "=") || str_ends(before, "=\"") || str_ends(before, ": "))
		return true;
	if (p->item[i].kind == 'u')
		return str_starts(behind, "@");
	if (p->item[i].kind == 'd')
		return str_ends(before, "@");
	return i >= 4 && p->item[i - 2].kind == 'd' && p->item[i - 4].kind == 'u' &&
	       is_told(p, i - 2);
}

static char *say_guess(const struct log_prefix *p)
{
	struct text t = {0};

	for (int i = 0; i < p->items; i++)
		if (p->item[i].kind && strchr("uda", p->item[i].kind) && !is_told(p, i))
			text_printf(&t, "%s%%%c", t.n ? ", " : "", p->item[i].kind);
	if (!t.n)
		return NULL;
	text_puts(&t,
		" told by place alone: if that is wrong give --prefix (SHOW log_line_prefix)");
	return t.p;
}

char *prefix_doubt(const struct log_prefix *p, bool is_inferred, const char *text, size_t n)
{
	const char *end = text + n, *nl;
	int rival = -1, lines = 0, len;

	for (; text < end && lines < LINES; text = nl + 1) {
		struct log_entry e = {0};
		nl = memchr(text, '\n', (size_t)(end - text));
		if (!nl)
			break;
		len = *text == '\t' ? -1 : prefix_search(p, text, (size_t)(nl - text), &e, &rival);
		if (len >= 0 && rival >= 0)
			return say_open(p, rival, (struct str){text, (size_t)len});
		lines += len >= 0;
	}
	return is_inferred ? say_guess(p) : NULL;
}
