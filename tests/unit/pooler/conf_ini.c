/* SPDX-License-Identifier: ISC
 *
 * The syntax of the file: sections, keys, quoting, comments, includes, and what is said
 * of each way to get it wrong.  Also that reading goes on after an error.
 */
#include "conf.h"

#include <check.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static struct conf_report report;
static char dir[] = "/tmp/conf_ini.XXXXXX";

static void leave_dir(void)
{
	DIR *d = opendir(".");
	struct dirent *e;

	while (d && (e = readdir(d)))
		unlink(e->d_name);
	if (d)
		closedir(d);
	rmdir(dir);
}

static void teardown(void)
{
	conf_report_release(&report);
	memset(&report, 0, sizeof report);
}

static const struct conf *load(const char *text)
{
	teardown();
	return conf_load_text("t.conf", text, strlen(text), &report);
}

static const struct conf *load_good(const char *text)
{
	const struct conf *c = load(text);

	ck_assert_msg(c != NULL, "%s", report.n_errors ? report.errors[0].text : "no error said");
	return c;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/* The nth note of a list, as "LINE TEXT". */
static const char *note(const struct conf_note *notes, size_t n, size_t i)
{
	static char out[1024];

	ck_assert_uint_lt(i, n);
	snprintf(out, sizeof out, "%d %s", notes[i].line, notes[i].text);
	return out;
}
#define ERROR(i)   note(report.errors, report.n_errors, i)
#define WARNING(i) note(report.warnings, report.n_warnings, i)

static void refuses(const char *text, const char *error)
{
	const struct conf *c = load(text);

	ck_assert_msg(c == NULL, "accepted: %s", text);
	ck_assert_uint_eq(report.n_errors, 1);
	ck_assert_str_eq(ERROR(0), error);
	ck_assert_str_eq(report.errors[0].file, "t.conf");
}

START_TEST(blanks_comments_and_order)
{
	const struct conf *c = load_good("\xef\xbb\xbf; a comment\n"
					 "# another\n\n"
					 "[databases] ; behind a section too\r\n"
					 "  a=host=h1   \r\n"
					 "\t[pooler]\n"
					 "listen_port=1\n"
					 "listen_port   =   2   \n"
					 "auth_query = SELECT 1; # not a comment\n"
					 "server_reset_query =\n"
					 "admin_users = a, b");

	ck_assert_int_eq(c->p.listen_port, 2);
	ck_assert_str_eq(c->p.auth_query, "SELECT 1; # not a comment");
	ck_assert_str_eq(c->p.server_reset_query, "");
	ck_assert_str_eq(c->p.admin_users, "a, b");
	ck_assert_str_eq(conf_database_find(c, "a")->host, "h1");
	conf_release(&c);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(names_of_databases)
{
	const struct conf *c = load_good("[databases]\n"
					 "plain_1.x-y =\n"
					 "\"with blank\" = dbname=b\n"
					 "\"a \"\"q\"\"\" = dbname=q\n"
					 "'old style' = dbname=o\n"
					 "gr\xc3\xb6\xc3\x9f"
					 "e = dbname=g\n"
					 "* = host=h\n");

	ck_assert_uint_eq(c->n_databases, 5);
	ck_assert_ptr_null(conf_database_find(c, "plain_1.x-y")->dbname);
	ck_assert_str_eq(conf_database_find(c, "with blank")->dbname, "b");
	ck_assert_str_eq(conf_database_find(c, "a \"q\"")->dbname, "q");
	ck_assert_str_eq(conf_database_find(c, "old style")->dbname, "o");
	ck_assert_str_eq(conf_database_find(c, "gr\xc3\xb6\xc3\x9f"
					       "e")
				 ->dbname,
		"g");
	ck_assert(conf_database_find(c, "any other")->is_autodb);
	ck_assert_ptr_null(conf_database_find(c, "pgbouncer"));
	ck_assert_ptr_null(conf_database_find(c, "pgsluice"));
	conf_release(&c);
}
END_TEST

START_TEST(values_of_databases)
{
	const struct conf *c =
		load_good("[databases]\n"
			  "a = host=h connect_query='select ''x'' || '' y''' port = 7\n"
			  "b = \tuser = 'u u'\tpassword='p=''q' pool_mode='session'\n"
			  "c = server_reset_query='' \n");
	const struct conf_database *db = conf_database_find(c, "a");

	ck_assert_str_eq(db->connect_query, "select 'x' || ' y'");
	ck_assert_str_eq(db->port, "7");
	db = conf_database_find(c, "b");
	ck_assert_str_eq(db->user, "u u");
	ck_assert_str_eq(db->password, "p='q");
	ck_assert_str_eq(db->port, "5432");
	/* An override may be empty, which is not the same as unset. */
	ck_assert_str_eq(conf_server_reset_query(c, conf_database_find(c, "c"), NULL), "");
	ck_assert_str_eq(conf_server_reset_query(c, db, NULL), "DISCARD ALL");
	conf_release(&c);
}
END_TEST

START_TEST(malformed_lines)
{
	refuses("[pooler\nlisten_port = 1\n", "1 a [section] without its ]");
	refuses("[pooler]\nwhat is this\n", "2 expected `key = value`, [section], %include or a "
					    "comment; found \"what is this\"");
	refuses("[pooler]\n= 5\n",
		"2 expected `key = value`, [section], %include or a comment; found \"= 5\"");
	refuses("\n\nlisten_port = 1\n", "3 \"listen_port\" stands before any section: it needs a "
					 "[databases], [users], [pooler] or [peers] above it");
	refuses("[databases]\n\"a = host=x\n", "2 a quoted name without its closing \"");
	refuses("[databases]\na = host='x\n", "2 a: the value of host lacks its closing '");
	refuses("[databases]\na = host\n", "2 a: expected key=value, found \"host\"");
	refuses("[databases]\na = =x\n", "2 a: expected key=value, found \"=x\"");
	refuses("[databases]\na = host=\n",
		"2 a: host= has no value: leave it out to leave it unset");
	refuses("[databases]\na = host=''\n",
		"2 a: host='' is empty: leave it out to leave it unset");
	refuses("%include\n", "1 %include without a file");
	refuses("[pooler]\n%includes x\n", "2 expected `key = value`, [section], %include or a "
					   "comment; found \"%includes x\"");
}
END_TEST

/* A slip near a password does not carry it into the log. */
START_TEST(errors_do_not_tell_passwords)
{
	refuses("[databases]\na = user=u password='it's me'\n",
		"2 a: the value of password ends too early: put it in single quotes, with '' for "
		"each ' in it");
	refuses("[databases]\na user=u password=secret\n",
		"2 expected `key = value`, [section], %include or a comment; found \"a user=u \"");
	refuses("[databases]\na = pasword=secret\n",
		"2 a: no setting \"pasword\" in [databases]; did you mean \"password\"?");
}
END_TEST

START_TEST(sections)
{
	const struct conf *c;

	refuses("[poolers]\nx = y\n",
		"1 no section [poolers]: there are [databases], [users], [pooler] (PgBouncer's "
		"[pgbouncer]) and [peers]; did you mean \"pooler\"?");
	refuses("[something else]\n",
		"1 no section [something else]: there are [databases], [users], [pooler] "
		"(PgBouncer's [pgbouncer]) and [peers]");
	c = load_good("[pgbouncer]\nmax_open = 3\nmax_idle = 1\n[databases]\na=\n[pooler]\n"
		      "max_open = 4\n[databases]\nb=\n");
	ck_assert_int_eq(c->p.max_open, 4);
	ck_assert_int_eq(c->p.max_idle, 1);
	ck_assert_uint_eq(c->n_databases, 2);
	ck_assert_uint_eq(report.n_warnings, 1);
	ck_assert_str_eq(WARNING(0), "6 [pooler] was opened before (t.conf:1): both count, the "
				     "later value of a setting wins");
	conf_release(&c);
}
END_TEST

START_TEST(every_error_is_listed)
{
	ck_assert_ptr_null(load("x = 1\n[nope]\n[pooler]\nmax_opne = 1\npool_mode = y\n%\n"
				"[databases]\nd = portt=1 host='\n[users]\nu = pool_size=x\n"
				"[peers]\nzero = host=a\n7 = port=1\n"));
	ck_assert_uint_eq(report.n_errors, 10);
}
END_TEST

START_TEST(a_flood_of_errors_is_cut)
{
	struct buf b = {0};

	buf_put_str(&b, "[pooler]\n");
	for (int i = 0; i < 100000; i++)
		buf_put_str(&b, "x=1\n");
	ck_assert_ptr_null(conf_load_text("t.conf", b.data, b.len, &report));
	ck_assert_uint_eq(report.n_errors, 201);
	ck_assert_str_eq(report.errors[200].text, "more was found and is not listed");
	buf_free(&b);
}
END_TEST

START_TEST(a_file_that_is_none)
{
	ck_assert_ptr_null(conf_load("nowhere.conf", &report));
	ck_assert_str_eq(ERROR(0), "0 cannot read \"nowhere.conf\": No such file or directory");
	teardown();
	ck_assert_ptr_null(conf_load("/", &report));
	ck_assert_str_eq(ERROR(0), "0 cannot read \"/\": Is a directory");
	teardown();
	ck_assert_ptr_null(conf_load_text("t.conf", "[pooler]\n\0", 10, &report));
	ck_assert_str_eq(ERROR(0), "0 holds a NUL byte: this is not a text file");
	write_file("empty.conf", "");
	teardown();
	{
		const struct conf *c = conf_load("empty.conf", &report);

		ck_assert_ptr_nonnull(c);
		ck_assert_int_eq(c->p.listen_port, 6432);
		ck_assert_str_eq(WARNING(0),
			"0 no database is defined: only the console will answer");
		conf_release(&c);
	}
}
END_TEST

START_TEST(includes)
{
	const struct conf *c;

	write_file("main.conf",
		"[pooler]\nmax_open = 1\n%include   sub one.conf  \nmax_idle = 9\n");
	write_file("sub one.conf", "max_open = 2\n[databases]\na = host=h\n[pooler]\n");
	c = conf_load("main.conf", &report);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->p.max_open, 2);
	ck_assert_int_eq(c->p.max_idle, 9);
	ck_assert_str_eq(conf_database_find(c, "a")->file, "sub one.conf");
	ck_assert_int_eq(conf_database_find(c, "a")->line, 3);
	conf_release(&c);
}
END_TEST

/* The section of an included file goes on behind it, as in PgBouncer. */
START_TEST(an_include_leaves_its_section)
{
	const struct conf *c;

	write_file("main.conf", "[pooler]\n%include d.conf\nb = host=h2\n");
	write_file("d.conf", "[databases]\na = host=h1\n");
	c = conf_load("main.conf", &report);
	ck_assert_ptr_nonnull(c);
	ck_assert_str_eq(conf_database_find(c, "b")->host, "h2");
	conf_release(&c);
}
END_TEST

START_TEST(errors_in_includes)
{
	write_file("main.conf", "[pooler]\nmax_opne = 1\n%include b.conf\n%include gone.conf\n");
	write_file("b.conf", "\npool_mod = x\n");
	ck_assert_ptr_null(conf_load("main.conf", &report));
	ck_assert_uint_eq(report.n_errors, 3);
	ck_assert_str_eq(ERROR(0),
		"2 no setting \"max_opne\" in [pooler]; did you mean \"max_open\"?");
	ck_assert_str_eq(ERROR(1), "4 cannot read \"gone.conf\": No such file or directory");
	ck_assert_str_eq(report.errors[1].file, "main.conf");
	ck_assert_str_eq(ERROR(2),
		"2 no setting \"pool_mod\" in [pooler]; did you mean \"pool_mode\"?");
	ck_assert_str_eq(report.errors[2].file, "b.conf");
}
END_TEST

START_TEST(include_cycles_and_depth)
{
	char name[16], text[64];
	const struct conf *c;

	write_file("a.conf", "%include b.conf\n");
	write_file("b.conf", "%include a.conf\n");
	ck_assert_ptr_null(conf_load("a.conf", &report));
	ck_assert_uint_eq(report.n_errors, 1);
	ck_assert_str_eq(ERROR(0), "1 \"a.conf\" includes itself");
	ck_assert_str_eq(report.errors[0].file, "b.conf");

	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "d%d", i);
		snprintf(text, sizeof text, "%%include d%d\n", i + 1);
		write_file(name, text);
	}
	write_file("d10", "[pooler]\nmax_open = 5\n");
	teardown();
	c = conf_load("d0", &report);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->p.max_open, 5);
	conf_release(&c);
	write_file("d10", "%include d11\n");
	teardown();
	ck_assert_ptr_null(conf_load("d0", &report));
	ck_assert_uint_eq(report.n_errors, 1);
	ck_assert_str_eq(ERROR(0), "1 %include nested deeper than 10 files");

	/* Wide instead of deep: 40 * 40 files. */
	{
		FILE *w = fopen("wide", "w"), *x = fopen("wider", "w");

		for (int i = 0; i < 40; i++) {
			fputs("%include wider\n", w);
			fputs("%include leaf\n", x);
		}
		fclose(w);
		fclose(x);
	}
	write_file("leaf", "\n");
	teardown();
	ck_assert_ptr_null(conf_load("wide", &report));
	ck_assert_str_eq(report.errors[0].text, "more than 1000 files included");
}
END_TEST

START_TEST(passwords_open_to_others)
{
	const struct conf *c;

	write_file("s.conf", "[databases]\na = host=h user=u password=p\n");
	chmod("s.conf", 0644);
	c = conf_load("s.conf", &report);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(report.n_warnings, 1);
	ck_assert_str_eq(WARNING(0),
		"2 holds a password and anybody may read it (mode 0644): chmod 640");
	conf_release(&c);
	chmod("s.conf", 0640);
	teardown();
	c = conf_load("s.conf", &report);
	ck_assert_uint_eq(report.n_warnings, 0);
	conf_release(&c);

	write_file("users", "\"u\" \"p\"\n");
	chmod("users", 0604);
	c = load_good("[databases]\na=\n[pooler]\nauth_file = users\n");
	ck_assert_str_eq(WARNING(0), "4 auth_file: \"users\" holds secrets and anybody may read it "
				     "(mode 0604): chmod 640");
	conf_release(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_ini");
	TCase *t = tcase_create("ini");
	SRunner *r;
	int failed;

	if (!mkdtemp(dir) || chdir(dir) != 0) {
		perror(dir);
		return 1;
	}
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, blanks_comments_and_order);
	tcase_add_test(t, names_of_databases);
	tcase_add_test(t, values_of_databases);
	tcase_add_test(t, malformed_lines);
	tcase_add_test(t, errors_do_not_tell_passwords);
	tcase_add_test(t, sections);
	tcase_add_test(t, every_error_is_listed);
	tcase_add_test(t, a_flood_of_errors_is_cut);
	tcase_add_test(t, a_file_that_is_none);
	tcase_add_test(t, includes);
	tcase_add_test(t, an_include_leaves_its_section);
	tcase_add_test(t, errors_in_includes);
	tcase_add_test(t, include_cycles_and_depth);
	tcase_add_test(t, passwords_open_to_others);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	leave_dir();
	return failed ? 1 : 0;
}
