/* SPDX-License-Identifier: ISC
 *
 * DEALLOCATE as text: the server is told our name of the statement, and both sides forget it.
 */
#include "session_message.h"

#include <strings.h>

/* The name in `DEALLOCATE [PREPARE] name`, when that is the whole statement. */
static bool deallocated_name(const char *sql, size_t len, char *name, size_t cap, bool *all)
{
	char text[256], word[3][80] = {"", "", ""};
	int n;

	*all = false;
	if (len >= sizeof text)
		return false;
	memcpy(text, sql, len);
	text[len] = '\0';
	n = sscanf(text, " %79s %79[^ ;\t\r\n] %79[^ ;\t\r\n]", word[0], word[1], word[2]);
	if (n < 2 || strcasecmp(word[0], "deallocate"))
		return false;
	if (strcasecmp(word[1], "prepare") == 0) {
		if (n < 3)
			return false;
		memmove(word[1], word[2], sizeof word[1]);
	}
	word[1][sizeof word[1] - 1] = '\0';
	*all = strcasecmp(word[1], "all") == 0;
	n = (int)strlen(word[1]);
	if (word[1][0] == '"' && n >= 2 && word[1][n - 1] == '"') {
		word[1][n - 1] = '\0';
		snprintf(name, cap, "%.79s", word[1] + 1);
	} else {
		for (char *w = word[1]; *w; w++)
			if (*w >= 'A' && *w <= 'Z')
				*w = (char)(*w + 32);
		snprintf(name, cap, "%.79s", word[1]);
	}
	return true;
}

bool statement_rewrite_deallocate(struct message *m, const char *sql, size_t len, struct buf *out)
{
	char name[84], ours[PREPARED_NAME];
	struct prepared *p;
	bool all;

	if (m->s->ledger.state.status == 'E' ||
		!deallocated_name(sql, len, name, sizeof name, &all))
		return true; /* in a failed transaction it fails as well, and nothing goes */
	if (all) {
		client_statements_clear(m->c);
		server_statements_clear(m->s);
		m->s->stale_names = true;
		return true;
	}
	p = client_statement_get(m->c, name);
	if (!p)
		return true;
	p = prepared_served(&m->c->lane->relay->prepared, p);
	prepared_name(ours, p->number);
	/* Its own text might fail by now (a table is gone), and a Query behind a failed Parse
	 * is skipped. */
	if (!server_statement_has(m->s, p) && !statement_put_empty(m, ours))
		return false;
	buf_printf(out, "DEALLOCATE \"%s\"", ours);
	server_statement_remove(m->s, p->number);
	m->s->stale_names =
		true; /* should it fail, or never be executed, the server still has it */
	client_statement_remove(m->c, name);
	return true;
}
