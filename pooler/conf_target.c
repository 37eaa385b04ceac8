/* SPDX-License-Identifier: ISC
 *
 * Where a database's line leads: when two lines lead to the same place, which of several
 * hosts comes first, which versions of TLS are spoken on the way.
 */
#include "conf_own.h"

#include <strings.h>

/* What a server connection is made from; the rest of a line only limits or times it. */
static const char *const target_settings[] = {"host", "hostaddr", "port", "dbname", "user",
	"password", "passfile", "service", "options", "target_session_attrs", "load_balance_hosts",
	"channel_binding", "krbsrvname", "client_encoding", "datestyle", "timezone",
	"application_name", "connect_query"};

/* A line may leave these to [pooler], so what counts is what is in effect. */
static bool same_tls(const struct conf *ca, const struct conf_database *a, const struct conf *cb,
	const struct conf_database *b)
{
	static const char *(*const files[])(const struct conf *, const struct conf_database *,
		const struct conf_user *) = {conf_server_tls_key_file, conf_server_tls_cert_file,
		conf_server_tls_ca_file, conf_server_tls_crl_file};

	if (conf_server_tls_sslmode(ca, a, NULL) != conf_server_tls_sslmode(cb, b, NULL))
		return false;
	if (conf_server_tls_sslmode(ca, a, NULL) == SSLMODE_DISABLE)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(files[i](ca, a, NULL), files[i](cb, b, NULL)) != 0)
			return false;
	return strcmp(ca->p.server_tls_protocols, cb->p.server_tls_protocols) == 0;
}

bool conf_same_target(const struct conf *ca, const struct conf_database *a, const struct conf *cb,
	const struct conf_database *b)
{
	for (size_t i = 0; i < ARRAY_LEN(target_settings); i++) {
		const struct conf_setting *s =
			conf_setting_find(CONF_IN_DATABASE, target_settings[i]);
		union conf_value va, vb;

		value_load(a, s->at[CONF_IN_DATABASE], &va);
		value_load(b, s->at[CONF_IN_DATABASE], &vb);
		if (!value_equal(s->at[CONF_IN_DATABASE], &va, &vb))
			return false;
	}
	return same_tls(ca, a, cb, b);
}

/* --- several hosts --------------------------------------------------------------------- */

/* The list turned left by n items: a,b,c by 1 is b,c,a.  Items may be empty. */
static void list_rotate(const char *list, unsigned n, struct buf *out)
{
	const char *start = list;
	unsigned items = 1;

	for (const char *p = list; *p; p++)
		items += *p == ',';
	for (n %= items; n > 0; n--)
		start = strchr(start, ',') + 1;
	buf_put_str(out, start);
	if (start != list) {
		buf_put_u8(out, ',');
		buf_put(out, list, (size_t)(start - 1 - list));
	}
}

static bool is_list(const char *text)
{
	return text && strchr(text, ',');
}

void conf_database_hosts(const struct conf_database *db, unsigned n, struct conf_hosts *h)
{
	const char *texts[] = {db->host, db->hostaddr, db->port};
	struct buf *bufs[] = {&h->host, &h->hostaddr, &h->port};

	if (db->load_balance_hosts == LOAD_BALANCE_HOSTS_DISABLE)
		n = 0;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		bufs[i]->len = 0;
		if (is_list(texts[i]))
			list_rotate(texts[i], n, bufs[i]);
		else if (texts[i])
			buf_put_str(bufs[i], texts[i]);
	}
}

void conf_hosts_release(struct conf_hosts *h)
{
	buf_free(&h->host);
	buf_free(&h->hostaddr);
	buf_free(&h->port);
}

/* --- TLS versions ---------------------------------------------------------------------- */

static const struct {
	const char *word;
	unsigned versions;
} tls_words[] = {
	{"secure", CONF_TLS_1_2 | CONF_TLS_1_3},
	{"default", CONF_TLS_1_2 | CONF_TLS_1_3},
	{"all", CONF_TLS_ALL},
	{"legacy", CONF_TLS_ALL},
	{"tlsv1", CONF_TLS_ALL},
	{"tlsv1.0", CONF_TLS_1_0},
	{"tlsv1.1", CONF_TLS_1_1},
	{"tlsv1.2", CONF_TLS_1_2},
	{"tlsv1.3", CONF_TLS_1_3},
};

unsigned conf_tls_versions(const char *list)
{
	unsigned versions = 0;
	bool any = false;

	for (;;) {
		bool take_away;
		size_t n, i = 0;

		list += strspn(list, " \t,:");
		if (!*list)
			return any ? versions : CONF_TLS_1_2 | CONF_TLS_1_3;
		take_away = *list == '!';
		list += take_away;
		n = strcspn(list, " \t,:");
		while (i < ARRAY_LEN(tls_words) &&
			(strlen(tls_words[i].word) != n ||
				strncasecmp(tls_words[i].word, list, n) != 0))
			i++;
		if (i == ARRAY_LEN(tls_words))
			return 0;
		if (take_away)
			versions = (any ? versions : CONF_TLS_ALL) & ~tls_words[i].versions;
		else
			versions |= tls_words[i].versions;
		any = true;
		list += n;
	}
}

/* libpq's words for the lowest and the highest of the versions. */
void conf_tls_range(const char *list, const char **min, const char **max)
{
	static const char *const words[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
	unsigned versions = conf_tls_versions(list);

	*min = *max = NULL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!(versions & 1u << i))
			continue;
		if (!*min)
			*min = words[i];
		*max = words[i];
	}
}
