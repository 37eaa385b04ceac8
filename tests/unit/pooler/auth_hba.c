/* SPDX-License-Identifier: ISC
 *
 * pg_hba.conf and pg_ident.conf: PostgreSQL's semantics, case by case, and what must be refused.
 */
#include "auth.h"

#include <arpa/inet.h>
#include <check.h>
#include <unistd.h>

static struct buf err;

static struct auth_hba *hba_of(const char *text)
{
	err.len = 0;
	return auth_hba_parse(text, strlen(text), "hba.conf", &err);
}

/* Roles: everybody is in "staff", only ann is in "admins"; "slow" is not known yet. */
static enum auth_fact is_member(void *arg, const char *user, const char *role)
{
	(void)arg;
	if (strcmp(role, "slow") == 0)
		return FACT_UNKNOWN;
	if (strcmp(role, "nowhere") == 0)
		return FACT_FAILED;
	if (strcmp(role, "admins") == 0)
		return strcmp(user, "ann") == 0;
	return strcmp(role, "staff") == 0;
}

static enum auth_fact host_is(void *arg, const char *pattern)
{
	(void)arg;
	return strcmp(pattern, "slow.example") == 0 ? -1 : strcmp(pattern, ".example") == 0;
}

/* "user@database from where", where: local, IP, IP/ssl; database "*" is physical replication.
 * Answers the method's word, "none" or "unknown". */
static const char *ask(const struct auth_hba *h, const char *user, const char *database,
	const char *where)
{
	struct hba_query q = {
		.user = user, .database = database, .is_member = is_member, .host_is = host_is};
	const struct hba_line *line = NULL;
	char ip[64];

	if (strcmp(database, "*") == 0) {
		q.replication = true;
		q.database = "";
	}
	snprintf(ip, sizeof ip, "%s", where);
	if (strcmp(where, "local") == 0) {
		q.local = true;
	} else {
		char *slash = strchr(ip, '/');
		if (slash) {
			*slash = '\0';
			q.tls = true;
		}
		q.family = strchr(ip, ':') ? AF_INET6 : AF_INET;
		ck_assert_int_eq(inet_pton(q.family, ip, q.ip), 1);
	}
	switch (auth_hba_match(h, &q, &line)) {
	case HBA_FOUND:
		return auth_method_word(line->method);
	case HBA_NONE:
		return "none";
	case HBA_FAILED:
		return "failed";
	case HBA_UNKNOWN:
		return "unknown";
	}
	return "?";
}

START_TEST(lines_fit_as_in_postgresql)
{
	static const struct {
		const char *text, *user, *database, *where, *want;
	} cases[] = {
		{"", "a", "d", "local", NULL}, /* a file without entries is a mistake */
		{"# only a comment\n\n   \n", "a", "d", "local", NULL},
		{"local all all trust", "a", "d", "local", "trust"},
		{"local all all trust", "a", "d", "127.0.0.1", "none"},
		{"host all all all md5", "a", "d", "local", "none"},
		{"host all all 127.0.0.1/32 md5", "a", "d", "127.0.0.1", "md5"},
		{"host all all 127.0.0.1/32 md5", "a", "d", "127.0.0.1/ssl", "md5"},
		{"host all all 127.0.0.1/32 md5", "a", "d", "127.0.0.2", "none"},
		{"hostssl all all 127.0.0.1/32 md5", "a", "d", "127.0.0.1", "none"},
		{"hostssl all all 127.0.0.1/32 md5", "a", "d", "127.0.0.1/ssl", "md5"},
		{"hostnossl all all 127.0.0.1/32 md5", "a", "d", "127.0.0.1", "md5"},
		{"hostnossl all all 127.0.0.1/32 md5", "a", "d", "127.0.0.1/ssl", "none"},
		{"hostgssenc all all all md5", "a", "d", "127.0.0.1/ssl", "none"},
		{"hostnogssenc all all all md5", "a", "d", "127.0.0.1", "md5"},
		/* the first line that fits decides, also when it rejects */
		{"host all a all reject\nhost all all all trust", "a", "d", "10.0.0.1", "reject"},
		{"host all a all reject\nhost all all all trust", "b", "d", "10.0.0.1", "trust"},
		/* networks */
		{"host all all 10.1.0.0/16 md5", "a", "d", "10.1.255.255", "md5"},
		{"host all all 10.1.0.0/16 md5", "a", "d", "10.2.0.0", "none"},
		{"host all all 10.1.2.3/9 md5", "a", "d", "10.127.0.0", "md5"},
		{"host all all 10.1.2.3/9 md5", "a", "d", "10.128.0.0", "none"},
		{"host all all 10.1.0.0 255.255.0.0 md5", "a", "d", "10.1.9.9", "md5"},
		{"host all all 0.0.0.0/0 md5", "a", "d", "10.1.9.9", "md5"},
		{"host all all 0.0.0.0/0 md5", "a", "d", "::1", "none"},
		{"host all all ::0/0 md5", "a", "d", "::1", "md5"},
		{"host all all ::0/0 md5", "a", "d", "10.1.9.9", "none"},
		{"host all all ::1/128 md5", "a", "d", "::1", "md5"},
		{"host all all ::1/128 md5", "a", "d", "::2", "none"},
		{"host all all fe80::/10 md5", "a", "d", "febf::1", "md5"},
		{"host all all fe80:: ffc0:: md5", "a", "d", "fec0::1", "none"},
		{"host all all samehost md5", "a", "d", "127.0.0.1", "md5"},
		{"host all all samehost md5", "a", "d", "127.9.9.9", "none"},
		{"host all all samenet md5", "a", "d", "127.9.9.9", "md5"},
		{"host all all \"samehost\" md5", "a", "d", "127.0.0.1", "none"},
		{"host all all .example md5", "a", "d", "10.0.0.1", "md5"},
		{"host all all other.example md5", "a", "d", "10.0.0.1", "none"},
		{"host all all slow.example md5\nhost all all all trust", "a", "d", "10.0.0.1",
			"unknown"},
		/* users */
		{"local all a,b,\"c d\" md5", "c d", "d", "local", "md5"},
		{"local all a, b md5", "b", "d", "local", "md5"},
		{"local all \"all\" md5", "a", "d", "local", "none"},
		{"local all \"all\" md5", "all", "d", "local", "md5"},
		{"local all A md5", "a", "d", "local", "none"},
		{"local all +admins md5", "ann", "d", "local", "md5"},
		{"local all +admins md5", "bob", "d", "local", "none"},
		{"local all \"+admins\" md5", "ann", "d", "local", "none"},
		{"local all \"+admins\" md5", "+admins", "d", "local", "md5"},
		{"local all +slow md5\nlocal all all trust", "ann", "d", "local", "unknown"},
		{"local all bob,+slow md5\nlocal all all trust", "bob", "d", "local", "md5"},
		{"local all +nowhere reject\nlocal all all trust", "ann", "d", "local", "failed"},
		{"local all +nowhere,all reject\nlocal all all trust", "ann", "d", "local",
			"reject"},
		{"host d all slow.example reject\nhost all all all trust", "a", "e", "10.0.0.1",
			"trust"},
		{"local all /^r[0-9]+$ md5", "r12", "d", "local", "md5"},
		{"local all /^r\\d+$ md5", "r12", "d", "local", "md5"},
		{"local all /^(?:r|s)[\\d_]+$ md5", "s_1", "d", "local", "md5"},
		{"local all /^r[0-9]+$ md5", "r12x", "d", "local", "none"},
		{"local all \"/^r,? x$\" md5", "r, x", "d", "local", "md5"},
		/* databases */
		{"local d,e all md5", "a", "e", "local", "md5"},
		{"local d,e all md5", "a", "f", "local", "none"},
		{"local sameuser all md5", "a", "a", "local", "md5"},
		{"local sameuser all md5", "a", "b", "local", "none"},
		{"local \"sameuser\" all md5", "a", "sameuser", "local", "md5"},
		{"local samerole all md5", "a", "staff", "local", "md5"},
		{"local samegroup all md5", "bob", "admins", "local", "none"},
		{"local replication all md5", "a", "*", "local", "md5"},
		{"local all all md5", "a", "*", "local", "none"},
		{"local replication all md5", "a", "replication", "local", "none"},
		{"local \"replication\" all md5", "a", "replication", "local", "md5"},
		{"local /^shop_ all md5", "a", "shop_1", "local", "md5"},
		/* syntax */
		{"local all all \\\n  md5", "a", "d", "local", "md5"},
		{"local all all md5 # why", "a", "d", "local", "md5"},
		{"local\tall\tall\tmd5\r\n", "a", "d", "local", "md5"},
		{"local all \"a\"\"b\" md5", "a\"b", "d", "local", "md5"},
		{"local all a#b md5", "a", "d", "local", NULL},
		{"local all all password", "a", "d", "local", "plain"},
		{"local all all ident", "a", "d", "local", "peer"},
		{"local all all scram-sha-256", "a", "d", "local", "scram-sha-256"},
		{"local all all pam pamservice=x", "a", "d", "local", "pam"},
		{"local all all peer map=m", "a", "d", "local", "peer"},
		{"hostssl all all all cert clientcert=verify-full map=m", "a", "d", "10.0.0.1/ssl",
			"cert"},
		{"hostssl all all all md5 clientcert=verify-ca", "a", "d", "10.0.0.1/ssl", "md5"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_hba *h = hba_of(cases[i].text);
		if (!cases[i].want) {
			ck_assert_msg(!h, "\"%s\" should be refused", cases[i].text);
			continue;
		}
		ck_assert_msg(h != NULL, "\"%s\": %s", cases[i].text, buf_cstr(&err));
		ck_assert_msg(strcmp(ask(h, cases[i].user, cases[i].database, cases[i].where),
				      cases[i].want) == 0,
			"\"%s\" for %s@%s from %s: %s, not %s", cases[i].text, cases[i].user,
			cases[i].database, cases[i].where,
			ask(h, cases[i].user, cases[i].database, cases[i].where), cases[i].want);
		auth_hba_drop(&h);
	}
}
END_TEST

START_TEST(what_cannot_work_is_refused_with_its_line)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"locale all all trust", "hba.conf:1: invalid connection type \"locale\""},
		{"local", "end of line where the database"},
		{"local all", "end of line where the user"},
		{"local all all", "end of line where the authentication method"},
		{"host all all", "end of line where the address"},
		{"host all all 10.0.0.0 md5", "invalid IP mask \"md5\""},
		{"host all all 10.0.0.0/33 md5", "invalid CIDR mask"},
		{"host all all 10.0.0.0/-1 md5", "invalid CIDR mask"},
		{"host all all 10.0.0.0/ md5", "invalid CIDR mask"},
		{"host all all ::1/129 md5", "invalid CIDR mask"},
		{"host all all ::zz/12 md5", "invalid IP address"},
		{"host all all nowhere/12 md5", "invalid IP address"},
		{"host all all 10.0.0.0 ffff:: md5", "invalid IP mask"},
		{"host all all all gss", "\"gss\" is not available"},
		{"host all all all ident", "\"ident\" is not available"},
		{"host all all all peer", "only supported on local"},
		{"host all all all cert", "only supported on hostssl"},
		{"local all all magic", "unknown authentication method \"magic\""},
		{"local all all any", "unknown authentication method \"any\""},
		{"local all all trust x", "not of the form name=value"},
		{"local all all trust x=y", "unrecognized authentication option \"x\""},
		{"local all all md5 map=m", "\"map\" is only valid"},
		{"host all all all md5 clientcert=verify-ca", "\"hostssl\" rows"},
		{"hostssl all all all md5 clientcert=1", "invalid value \"1\" for clientcert"},
		{"hostssl all all all cert clientcert=verify-ca", "only accepts \"verify-full\""},
		{"local,host all all trust", "must be one value"},
		{"local all /( trust", "invalid regular expression"},
		{"local all /a++++++++++++++++++++ trust", "repetitions of repetitions"},
		{"local all /((a*)*b)* trust", "repetitions of repetitions"},
		{"local all /((a{40}){40}b) trust", "too large"},
		{"local all @nowhere-at-all trust", "cannot read \"nowhere-at-all\""},
		{"include nowhere-at-all", "cannot read"},
		{"include", "include is followed by one name"},
		{"# x\n\nlocal all all trust\nlocal all all what\nhost x\n", "hba.conf:4: "},
		{"local all all trust\nlocal all all what\nhost x\n", "hba.conf:3: "},
		{"local all \\\nall \\\nwhat", "hba.conf:1: "},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_hba *h = hba_of(cases[i].text);
		ck_assert_msg(!h, "\"%s\" was taken", cases[i].text);
		ck_assert_msg(strstr(buf_cstr(&err), cases[i].want) != NULL, "\"%s\": %s",
			cases[i].text, buf_cstr(&err));
	}
}
END_TEST

static void put_file(const char *dir, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

START_TEST(files_include_files)
{
	char dir[] = "/tmp/auth_hba.XXXXXX";
	char *path;
	struct auth_hba *h;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = mem_printf("%s/hba.conf", dir);
	put_file(dir, "hba.conf",
		"local @dbs @users md5\ninclude more.conf\ninclude_if_exists none\n");
	put_file(dir, "dbs", "one # first\ntwo,three\n\"all\"\n");
	put_file(dir, "users", "ann\n@others\n");
	put_file(dir, "others", "bob\n");
	put_file(dir, "more.conf", "local x all trust\n");
	err.len = 0;
	h = auth_hba_load(path, &err);
	ck_assert_msg(h != NULL, "%s", buf_cstr(&err));
	ck_assert_str_eq(ask(h, "ann", "one", "local"), "md5");
	ck_assert_str_eq(ask(h, "bob", "three", "local"), "md5");
	ck_assert_str_eq(ask(h, "eve", "three", "local"), "none");
	ck_assert_str_eq(ask(h, "ann", "four", "local"), "none");
	ck_assert_str_eq(ask(h, "eve", "x", "local"), "trust");
	auth_hba_drop(&h);
	/* one that includes itself ends with an error, not with the stack */
	put_file(dir, "hba.conf", "include hba.conf\n");
	err.len = 0;
	h = auth_hba_load(path, &err);
	ck_assert_ptr_null(h);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&err), "deep"));
	put_file(dir, "hba.conf", "local @users all md5\n");
	put_file(dir, "users", "@users\n");
	err.len = 0;
	h = auth_hba_load(path, &err);
	ck_assert_ptr_null(h);
	free(path);
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = {
			"hba.conf", "dbs", "users", "others", "more.conf"};
		path = mem_printf("%s/%s", dir, names[i]);
		unlink(path);
		free(path);
	}
	rmdir(dir);
}
END_TEST

START_TEST(options_are_kept)
{
	struct auth_hba *h =
		hba_of("hostssl all all all scram-sha-256 map=m clientcert=verify-full\n"
		       "hostssl all b all cert clientname=DN map=n\n"
		       "local all all pam pamservice=db");
	struct hba_query q = {.family = AF_INET, .tls = true, .user = "a", .database = "d"};
	const struct hba_line *line;

	ck_assert_msg(h != NULL, "%s", buf_cstr(&err));
	ck_assert_int_eq(auth_hba_match(h, &q, &line), HBA_FOUND);
	ck_assert(line->clientcert_verify && line->clientcert_full && !line->cert_dn);
	ck_assert_str_eq(line->ident_map, "m");
	ck_assert_uint_eq(line->line, 1);
	ck_assert(auth_hba_uses(h, AUTH_PAM));
	ck_assert(auth_hba_uses(h, AUTH_CERT));
	ck_assert(!auth_hba_uses(h, AUTH_LDAP));
	auth_hba_drop(&h);
}
END_TEST

/* --- ident ------------------------------------------------------------------------- */

START_TEST(ident_maps)
{
	static const char text[] = "# map system user\n"
				   "m   root     postgres\n"
				   "m   \"bob b\"  bob\n"
				   "m   /^(.*)@example\\.com$  \\1\n"
				   "m   /^adm_    all\n"
				   "n   eve      \"all\"\n"
				   "n   /^x(.)$   pre_\\1_post\n"
				   "o   web +admins\no cron +slow\no at +nowhere\n"
				   "o   mail /^box_\\d+$\no q \"+admins\"\n"
				   "o   /^twice(.) a\\1\\1\n"
				   "p   /^(?:x|z){0}([[:alpha:]][\\d])@ \\1\n";
	static const struct {
		const char *map, *system, *user;
		enum auth_fact want;
	} cases[] = {
		{NULL, "a", "a", FACT_YES},
		{NULL, "a", "b", FACT_NO},
		{"", "a", "a", FACT_YES},
		{"m", "root", "postgres", FACT_YES},
		{"m", "root", "root", FACT_NO},
		{"m", "bob b", "bob", FACT_YES},
		{"m", "ann@example.com", "ann", FACT_YES},
		{"m", "ann@example.com", "bob", FACT_NO},
		{"m", "ann@example.com.evil", "ann", FACT_NO},
		{"m", "@example.com", "", FACT_YES},
		{"m", "adm_x", "anybody", FACT_YES},
		{"n", "eve", "anybody", FACT_NO},
		{"n", "eve", "all", FACT_YES},
		{"n", "xy", "pre_y_post", FACT_YES},
		{"n", "root", "postgres", FACT_NO},
		{"unknown", "root", "root", FACT_NO},
		{"o", "web", "ann", FACT_YES},
		{"o", "web", "admins", FACT_YES},
		{"o", "web", "bob", FACT_NO},
		{"o", "cron", "bob", FACT_UNKNOWN},
		{"o", "at", "bob", FACT_FAILED},
		{"o", "mail", "box_17", FACT_YES},
		{"o", "mail", "box_x", FACT_NO},
		{"o", "q", "+admins", FACT_YES},
		{"o", "q", "ann", FACT_NO},
		{"o", "twice1", "a1\\1", FACT_YES},
		{"p", "x1@y", "x1", FACT_YES},
		{"p", "x@y", "x", FACT_NO},
	};
	struct auth_ident *i;

	err.len = 0;
	i = auth_ident_parse(text, strlen(text), "ident.conf", &err);
	ck_assert_msg(i != NULL, "%s", buf_cstr(&err));
	for (size_t k = 0; k < ARRAY_LEN(cases); k++)
		ck_assert_msg(auth_ident_allows(i, cases[k].map, cases[k].system, cases[k].user,
				      is_member, NULL) == cases[k].want,
			"map %s: %s as %s", cases[k].map, cases[k].system, cases[k].user);
	ck_assert(auth_ident_has(i, "m"));
	ck_assert(!auth_ident_has(i, "q"));
	auth_ident_drop(&i);
	ck_assert_int_eq(auth_ident_allows(NULL, "m", "a", "a", NULL, NULL), FACT_NO);
}
END_TEST

START_TEST(broken_ident_maps)
{
	static const char *const texts[] = {"m a", "m a b c", "m /( b", "m /^x$ \\1", "m a,b c",
		"m", "m a /(", "m /(?=x) b", "m /a*? b", "m /\\q b", "m /[\\D] b",
		"m /^(?:x)$ \\1"};

	for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
		err.len = 0;
		ck_assert_ptr_null(auth_ident_parse(texts[k], strlen(texts[k]), "ident.conf",
			&err));
		ck_assert_ptr_nonnull(strstr(buf_cstr(&err), "ident.conf:1: "));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_hba");
	TCase *tc = tcase_create("hba");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, lines_fit_as_in_postgresql);
	tcase_add_test(tc, what_cannot_work_is_refused_with_its_line);
	tcase_add_test(tc, files_include_files);
	tcase_add_test(tc, options_are_kept);
	tcase_add_test(tc, ident_maps);
	tcase_add_test(tc, broken_ident_maps);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
