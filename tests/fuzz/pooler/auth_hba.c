/* SPDX-License-Identifier: ISC
 *
 * Any text as pg_hba.conf and as pg_ident.conf, then questions to what was understood.  Files
 * that the text names are read, so names are kept from reaching outside: inputs with a slash
 * behind @ or include are left out.  Exercises auth_token.c, auth_hba.c and auth_ident.c.
 */
#include "auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum auth_fact maybe(void *arg, const char *user, const char *role)
{
	(void)arg;
	return (int)(strlen(user) + strlen(role)) % 4 - 2;
}

static enum auth_fact maybe_host(void *arg, const char *pattern)
{
	(void)arg;
	return (int)strlen(pattern) % 3 - 1;
}

static void ask(const struct auth_hba *h)
{
	static const char *const names[] = {"", "all", "a", "replication", "bob"};

	for (unsigned i = 0; i < 40; i++) {
		struct hba_query q = {
			.local = i & 1,
			.tls = i & 2,
			.family = i & 4 ? AF_INET : AF_INET6,
			.ip = {127, 0, 0, 1},
			.user = names[i % 5],
			.database = names[i / 5 % 5],
			.replication = i & 8,
			.is_member = maybe,
			.host_is = maybe_host,
		};
		const struct hba_line *line = NULL;
		if (auth_hba_match(h, &q, &line) == HBA_FOUND &&
			(!line || !auth_method_word(line->method)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf err = {0};
	char *text = mem_alloc(size);
	struct auth_hba *h;
	struct auth_ident *id;

	memcpy(text, data, size);
	if (size > 4096 || memchr(text, '@', size) || memmem(text, size, "include", 7)) {
		free(text);
		return 0;
	}
	h = auth_hba_parse(text, size, "hba", &err);
	if (!h == (err.len == 0))
		abort();
	if (h)
		ask(h);
	auth_hba_drop(&h);
	err.len = 0;
	id = auth_ident_parse(text, size, "ident", &err);
	if (!id == (err.len == 0))
		abort();
	if (id && auth_ident_allows(id, "no such map", "a", "a", NULL, NULL) == FACT_YES)
		abort();
	if (id && auth_ident_allows(id, "m", "root", "app", NULL, NULL) == FACT_YES)
		auth_ident_has(id, "m");
	auth_ident_drop(&id);
	buf_free(&err);
	free(text);
	return 0;
}
