/* SPDX-License-Identifier: ISC
 *
 * pg_hba.conf: the first line that fits a connection says how it must prove itself.  As in
 * PostgreSQL 16, with these limits: regular expressions are those of auth_regex.c; samehost and
 * samenet know the interfaces as they were when the file was read; gss, sspi, radius, bsd and
 * ident over TCP are refused when the file is read; where a membership cannot be asked for, the
 * login is refused, since the line may be one that rejects.
 */
#include "auth.h"
#include "auth_token.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <strings.h>

enum name_kind {
	NAME_PLAIN,
	NAME_ALL,
	NAME_SAMEUSER,
	NAME_SAMEROLE,
	NAME_REPLICATION,
	NAME_ROLE,
	NAME_REGEX,
};

struct name {
	enum name_kind kind;
	char *text;
	regex_t re;
};

struct names {
	struct name *items;
	size_t count;
};

enum addr_kind {
	ADDR_ALL,
	ADDR_NET, /* nets: one, or those of the interfaces for samehost and samenet */
	ADDR_HOST,
};

struct net {
	sa_family_t family;
	uint8_t ip[16], mask[16];
};

enum { CONN_LOCAL = 1, CONN_PLAIN = 2, CONN_TLS = 4 };

struct rule {
	struct hba_line line;
	unsigned conn;
	struct names databases, users;
	enum addr_kind addr;
	struct net *nets;
	size_t net_count;
	char *host;
};

struct auth_hba {
	atomic_int refs;
	struct rule *rules;
	size_t count;
};

/* --- building --------------------------------------------------------------------- */

struct reader {
	const struct token_line *l;
	size_t at; /* next field */
	struct buf *err;
	bool failed;
};

static void complain(struct reader *r, const char *fmt, const char *a, const char *b)
{
	struct buf text = {0};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	buf_printf(&text, fmt, a, b);
#pragma GCC diagnostic pop
	token_error(r->err, r->l->path, r->l->line, "%s", buf_cstr(&text));
	buf_free(&text);
	r->failed = true;
}

/* The next field, which must be one token. */
static const struct token *next_single(struct reader *r, const char *what)
{
	const struct token_field *f;

	if (r->at >= r->l->count) {
		complain(r, "end of line where %s should be%s", what, "");
		return NULL;
	}
	f = &r->l->fields[r->at++];
	if (f->count != 1) {
		complain(r, "%s must be one value, not a list%s", what, "");
		return NULL;
	}
	return &f->tokens[0];
}

static void name_set(struct reader *r, struct name *n, const struct token *t, bool database)
{
	static const struct {
		const char *word;
		enum name_kind kind;
		bool database_only;
	} words[] = {
		{"all", NAME_ALL, false},
		{"sameuser", NAME_SAMEUSER, true},
		{"samerole", NAME_SAMEROLE, true},
		{"samegroup", NAME_SAMEROLE, true},
		{"replication", NAME_REPLICATION, true},
	};
	const char *text = t->text;
	char why[128];

	n->kind = NAME_PLAIN;
	for (size_t i = 0; i < ARRAY_LEN(words) && !t->quoted; i++)
		if (strcmp(text, words[i].word) == 0 && (database || !words[i].database_only))
			n->kind = words[i].kind;
	if (!t->quoted && !database && text[0] == '+') {
		n->kind = NAME_ROLE;
		text++;
	} else if (text[0] == '/') {
		if (regex_compile(&n->re, text + 1, NULL, why, sizeof why))
			n->kind = NAME_REGEX;
		else
			complain(r, "invalid regular expression \"%s\": %s", text + 1, why);
	}
	n->text = mem_strdup(text);
}

static void read_names(struct reader *r, struct names *names, bool database)
{
	const struct token_field *f;

	if (r->at >= r->l->count) {
		complain(r, "end of line where the %s should be%s", database ? "database" : "user",
			"");
		return;
	}
	f = &r->l->fields[r->at++];
	names->items = mem_zalloc((f->count ? f->count : 1) * sizeof *names->items);
	for (size_t i = 0; i < f->count; i++)
		name_set(r, &names->items[names->count++], &f->tokens[i], database);
}

static struct net *net_add(struct rule *rule)
{
	rule->nets = mem_realloc(rule->nets, (rule->net_count + 1) * sizeof *rule->nets);
	memset(&rule->nets[rule->net_count], 0, sizeof *rule->nets);
	return &rule->nets[rule->net_count++];
}

static bool ip_parse(const char *text, sa_family_t *family, uint8_t ip[16])
{
	memset(ip, 0, 16);
	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*family, text, ip) == 1;
}

static void mask_bits(uint8_t mask[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++)
		mask[i] = bits >= 8 * (i + 1) ? 0xff
			  : bits > 8 * i      ? (uint8_t)(0xff00 >> (bits - 8 * i))
					      : 0;
}

static bool take_sockaddr(const struct sockaddr *sa, uint8_t out[16])
{
	memset(out, 0, 16);
	if (sa->sa_family == AF_INET)
		memcpy(out, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else if (sa->sa_family == AF_INET6)
		memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	else
		return false;
	return true;
}

static void add_interfaces(struct rule *rule, bool whole_net)
{
	struct ifaddrs *all, *it;

	if (getifaddrs(&all) != 0)
		return; /* no address fits then */
	for (it = all; it; it = it->ifa_next) {
		struct net n = {0};
		if (!it->ifa_addr || !take_sockaddr(it->ifa_addr, n.ip))
			continue;
		n.family = it->ifa_addr->sa_family;
		mask_bits(n.mask, 128);
		if (whole_net && it->ifa_netmask)
			take_sockaddr(it->ifa_netmask, n.mask);
		*net_add(rule) = n;
	}
	freeifaddrs(all);
}

/* "10.0.0.0/8", or an address with the mask in the next field, or a name. */
static void read_network(struct reader *r, struct rule *rule, const char *text)
{
	char *ip = mem_strdup(text), *slash = strchr(ip, '/'), *end;
	struct net n = {0};
	const struct token *mask;
	sa_family_t family;
	unsigned long bits;

	if (slash)
		*slash++ = '\0';
	if (!ip_parse(ip, &n.family, n.ip)) {
		if (slash || strchr(ip, ':'))
			complain(r, "invalid IP address \"%s\"%s", text, "");
		rule->addr = ADDR_HOST;
		rule->host = ip;
		return;
	}
	if (slash) {
		bits = strtoul(slash, &end, 10);
		if (*slash < '0' || *slash > '9' || *end || bits > (n.family == AF_INET ? 32 : 128))
			complain(r, "invalid CIDR mask in address \"%s\"%s", text, "");
		else
			mask_bits(n.mask, (unsigned)bits);
	} else {
		mask = next_single(r, "the netmask");
		if (mask && (!ip_parse(mask->text, &family, n.mask) || family != n.family))
			complain(r, "invalid IP mask \"%s\" for address \"%s\"", mask->text, ip);
	}
	rule->addr = ADDR_NET;
	*net_add(rule) = n;
	free(ip);
}

static void read_address(struct reader *r, struct rule *rule)
{
	const struct token *t = next_single(r, "the address");

	if (!t)
		return;
	if (!t->quoted && strcmp(t->text, "all") == 0) {
		rule->addr = ADDR_ALL;
	} else if (!t->quoted &&
		   (strcmp(t->text, "samehost") == 0 || strcmp(t->text, "samenet") == 0)) {
		rule->addr = ADDR_NET;
		add_interfaces(rule, t->text[4] == 'n');
	} else {
		read_network(r, rule, t->text);
	}
}

static void read_method(struct reader *r, struct rule *rule)
{
	static const char *const absent[] = {"gss", "sspi", "radius", "bsd", "ident", "oauth"};
	const struct token *t = next_single(r, "the authentication method");
	enum auth_method *m = &rule->line.method;

	if (!t)
		return;
	if (strcmp(t->text, "ident") == 0 && rule->conn == CONN_LOCAL) {
		*m = AUTH_PEER; /* on unix sockets ident has always meant peer */
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		if (strcmp(t->text, absent[i]) == 0) {
			complain(r, "authentication method \"%s\" is not available here%s", t->text,
				"");
			return;
		}
	if (!auth_method_parse(t->text, m) || *m == AUTH_ANY || *m == AUTH_HBA)
		complain(r,
			"unknown authentication method \"%s\"; allowed: trust, reject, password, "
			"md5, "
			"scram-sha-256, cert, peer, pam%s",
			t->text, "");
	else if (*m == AUTH_PEER && rule->conn != CONN_LOCAL)
		complain(r, "peer authentication is only supported on local sockets%s%s", "", "");
	else if (*m == AUTH_CERT && rule->conn != CONN_TLS)
		complain(r, "cert authentication is only supported on hostssl connections%s%s", "",
			"");
}

static void read_option(struct reader *r, struct rule *rule, char *text)
{
	struct hba_line *line = &rule->line;
	char *value = strchr(text, '=');

	if (!value) {
		complain(r, "authentication option \"%s\" is not of the form name=value%s", text,
			"");
		return;
	}
	*value++ = '\0';
	if (strcmp(text, "map") == 0) {
		if (line->method != AUTH_CERT && line->method != AUTH_PEER &&
			!line->clientcert_full)
			complain(r,
				"authentication option \"map\" is only valid for methods peer and "
				"cert%s%s",
				"", "");
		free(line->ident_map);
		line->ident_map = mem_strdup(value);
	} else if (strcmp(text, "clientcert") == 0) {
		bool full = strcmp(value, "verify-full") == 0;
		if (rule->conn != CONN_TLS)
			complain(r, "clientcert can only be configured for \"hostssl\" rows%s%s",
				"", "");
		else if (!full && strcmp(value, "verify-ca") != 0)
			complain(r,
				"invalid value \"%s\" for clientcert; allowed: verify-ca, "
				"verify-full%s",
				value, "");
		else if (line->method == AUTH_CERT && !full)
			complain(r,
				"clientcert only accepts \"verify-full\" when using \"cert\" "
				"authentication%s%s",
				"", "");
		line->clientcert_verify = true;
		line->clientcert_full = full;
	} else if (strcmp(text, "clientname") == 0) {
		line->cert_dn = strcmp(value, "DN") == 0;
		if (rule->conn != CONN_TLS || (!line->cert_dn && strcmp(value, "CN") != 0))
			complain(r,
				"clientname=\"%s\": allowed are CN and DN, in \"hostssl\" rows%s",
				value, "");
	} else if (strcmp(text, "pamservice") == 0 && line->method == AUTH_PAM) {
		free(line->pam_service);
		line->pam_service = mem_strdup(value);
	} else if (strncmp(text, "ldap", 4) != 0 || line->method != AUTH_LDAP) {
		complain(r, "unrecognized authentication option \"%s\"%s", text, "");
	}
}

static void rule_release(struct rule *rule)
{
	struct names *both[2] = {&rule->databases, &rule->users};

	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < both[k]->count; i++) {
			free(both[k]->items[i].text);
			if (both[k]->items[i].kind == NAME_REGEX)
				regfree(&both[k]->items[i].re);
		}
		free(both[k]->items);
	}
	free(rule->nets);
	free(rule->host);
	free(rule->line.file);
	free(rule->line.ident_map);
	free(rule->line.pam_service);
}

static bool read_rule(const struct token_line *l, struct rule *rule, struct buf *err)
{
	static const struct {
		const char *word;
		unsigned conn;
	} types[] = {
		{"local", CONN_LOCAL},
		{"host", CONN_PLAIN | CONN_TLS},
		{"hostssl", CONN_TLS},
		{"hostnossl", CONN_PLAIN},
		{"hostgssenc", 0}, /* we have no GSS encryption: fits nothing */
		{"hostnogssenc", CONN_PLAIN | CONN_TLS},
	};
	struct reader r = {.l = l, .err = err};
	const struct token *type = next_single(&r, "the connection type");
	size_t i = 0;

	memset(rule, 0, sizeof *rule);
	rule->line.line = l->line;
	rule->line.file = mem_strdup(l->path);
	while (type && i < ARRAY_LEN(types) && strcmp(type->text, types[i].word) != 0)
		i++;
	if (!type || i == ARRAY_LEN(types)) {
		if (type)
			complain(&r,
				"invalid connection type \"%s\"; allowed: local, host, hostssl, "
				"hostnossl%s",
				type->text, "");
		return false;
	}
	rule->conn = types[i].conn;
	read_names(&r, &rule->databases, true);
	if (!r.failed)
		read_names(&r, &rule->users, false);
	if (!r.failed && rule->conn != CONN_LOCAL)
		read_address(&r, rule);
	if (!r.failed)
		read_method(&r, rule);
	/* clientcert first: whether map is allowed depends on it */
	for (int pass = 0; pass < 2 && !r.failed; pass++)
		for (size_t f = r.at; f < l->count; f++)
			for (size_t k = 0; k < l->fields[f].count; k++) {
				const char *text = l->fields[f].tokens[k].text;
				bool first = strncmp(text, "clientcert=", 11) == 0;
				char *copy = mem_strdup(text);
				if (first == (pass == 0))
					read_option(&r, rule, copy);
				free(copy);
			}
	return !r.failed;
}

static struct auth_hba *hba_build(struct token_file *f, bool ok, struct buf *err)
{
	struct auth_hba *h = mem_zalloc(sizeof *h);

	h->refs = 1;
	h->rules = mem_zalloc((f->count ? f->count : 1) * sizeof *h->rules);
	for (size_t i = 0; i < f->count; i++)
		if (!read_rule(&f->lines[i], &h->rules[h->count++], err))
			ok = false;
	if (ok && f->count == 0) {
		token_error(err, f->path_count ? f->paths[0] : "", 1,
			"the file has no entries: nobody could log in");
		ok = false;
	}
	token_release(f);
	if (!ok)
		auth_hba_drop(&h);
	return h;
}

struct auth_hba *auth_hba_parse(const char *text, size_t len, const char *path, struct buf *err)
{
	struct token_file f;
	bool ok = token_parse(&f, text, len, path, err);

	return hba_build(&f, ok, err);
}

struct auth_hba *auth_hba_load(const char *path, struct buf *err)
{
	struct token_file f;
	bool ok = token_load(&f, path, "auth_hba_file", err);

	return hba_build(&f, ok, err);
}

struct auth_hba *auth_hba_ref(struct auth_hba *h)
{
	atomic_fetch_add(&h->refs, 1);
	return h;
}

void auth_hba_drop(struct auth_hba **h)
{
	struct auth_hba *it = *h;

	*h = NULL;
	if (!it || atomic_fetch_sub(&it->refs, 1) != 1)
		return;
	for (size_t i = 0; i < it->count; i++)
		rule_release(&it->rules[i]);
	free(it->rules);
	free(it);
}

bool auth_hba_uses(const struct auth_hba *h, enum auth_method m)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->rules[i].line.method == m ||
			(m == AUTH_CERT && h->rules[i].line.clientcert_verify))
			return true;
	return false;
}

const struct hba_line *auth_hba_group_line(const struct auth_hba *h)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct names *both[] = {&h->rules[i].databases, &h->rules[i].users};
		for (size_t k = 0; k < 2; k++)
			for (size_t n = 0; n < both[k]->count; n++)
				if (both[k]->items[n].kind == NAME_SAMEROLE ||
					both[k]->items[n].kind == NAME_ROLE)
					return &h->rules[i].line;
	}
	return NULL;
}

const struct hba_line *auth_hba_line(const struct auth_hba *h, size_t i)
{
	return i < h->count ? &h->rules[i].line : NULL;
}

/* --- matching ----------------------------------------------------------------------- */

static enum auth_fact fact(bool yes)
{
	return yes ? FACT_YES : FACT_NO;
}

static enum auth_fact is_role(const struct hba_query *q, const char *role)
{
	if (strcmp(q->user, role) == 0)
		return FACT_YES;
	return q->is_member ? q->is_member(q->arg, q->user, role) : FACT_FAILED;
}

static enum auth_fact name_fits(const struct name *n, const struct hba_query *q, const char *value)
{
	switch (n->kind) {
	case NAME_ALL:
		return FACT_YES;
	case NAME_PLAIN:
		return fact(strcmp(n->text, value) == 0);
	case NAME_REGEX:
		return fact(regexec(&n->re, value, 0, NULL, 0) == 0);
	case NAME_SAMEUSER:
		return fact(strcmp(q->user, q->database) == 0);
	case NAME_SAMEROLE:
		return is_role(q, q->database);
	case NAME_ROLE:
		return is_role(q, n->text);
	case NAME_REPLICATION:
		return FACT_NO;
	}
	return FACT_NO;
}

/* Names that need no asking come first; then one question at a time. */
static enum auth_fact names_fit(const struct names *names, const struct hba_query *q, bool database)
{
	for (int asking = 0; asking < 2; asking++)
		for (size_t i = 0; i < names->count; i++) {
			const struct name *n = &names->items[i];
			enum auth_fact fits;
			if ((n->kind == NAME_SAMEROLE || n->kind == NAME_ROLE) != asking)
				continue;
			/* Physical replication is no database: only its own word fits. */
			if (database && q->replication)
				fits = fact(n->kind == NAME_REPLICATION);
			else
				fits = name_fits(n, q, database ? q->database : q->user);
			if (fits != FACT_NO)
				return fits;
		}
	return FACT_NO;
}

static bool net_fits(const struct net *n, const struct hba_query *q)
{
	size_t len = n->family == AF_INET ? 4 : 16;

	if (n->family != q->family)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((n->ip[i] ^ q->ip[i]) & n->mask[i])
			return false;
	return true;
}

static enum auth_fact addr_fits(const struct rule *rule, const struct hba_query *q)
{
	switch (rule->addr) {
	case ADDR_ALL:
		return FACT_YES;
	case ADDR_NET:
		for (size_t i = 0; i < rule->net_count; i++)
			if (net_fits(&rule->nets[i], q))
				return FACT_YES;
		return FACT_NO;
	case ADDR_HOST:
		return q->host_is ? q->host_is(q->arg, rule->host) : FACT_NO;
	}
	return FACT_NO;
}

/* What is free to know comes first, so that nothing is asked for a line that does not fit. */
static enum auth_fact rule_fits(const struct rule *rule, const struct hba_query *q)
{
	bool by_name = !q->local && rule->addr == ADDR_HOST;
	enum auth_fact fits = q->local || by_name ? FACT_YES : addr_fits(rule, q);

	if (fits == FACT_YES)
		fits = names_fit(&rule->databases, q, true);
	if (fits == FACT_YES)
		fits = names_fit(&rule->users, q, false);
	if (fits == FACT_YES && by_name)
		fits = addr_fits(rule, q);
	return fits;
}

enum hba_verdict auth_hba_match(const struct auth_hba *h, const struct hba_query *q,
	const struct hba_line **out)
{
	unsigned conn = q->local ? CONN_LOCAL : q->tls ? CONN_TLS : CONN_PLAIN;

	for (size_t i = 0; i < h->count; i++) {
		const struct rule *rule = &h->rules[i];
		if (!(rule->conn & conn))
			continue;
		*out = &rule->line;
		switch (rule_fits(rule, q)) {
		case FACT_NO:
			break;
		case FACT_YES:
			return HBA_FOUND;
		case FACT_UNKNOWN:
			return HBA_UNKNOWN;
		case FACT_FAILED:
			return HBA_FAILED;
		}
	}
	*out = NULL;
	return HBA_NONE;
}
