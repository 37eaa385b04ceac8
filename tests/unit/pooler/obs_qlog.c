/* SPDX-License-Identifier: ISC
 *
 * The query log end to end: what goes into a ring comes out of the file, whole and in
 * order, whatever its size; a full ring or a full disk costs lines, never anything else.
 */
#include "obs_inner.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void setup(void)
{
	snprintf(path, sizeof path, "/tmp/obs-qlog-test-%d", (int)getpid());
	unlink(path);
}

static void teardown(void)
{
	unlink(path);
}

static struct qlog *start(void)
{
	struct qlog_options o = {.file = path, .sample_rate = 1};
	struct qlog *q = qlog_new(&o);

	ck_assert_ptr_nonnull(q);
	return q;
}

static struct qlog_session *someone(void)
{
	struct qlog_session_info i = {.user = "app",
		.dbname = "shop",
		.application_name = "web",
		.remote_host = "10.0.0.4",
		.remote_port = 5521,
		.pid = 17,
		.start = 1700000000000000,
		.number = 17};

	return qlog_session_new(&i);
}

/* The next line of the file as JSON, NULL at its end. */
static json_t *next_line(FILE *f)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n = getline(&line, &size, f);
	json_error_t e;
	json_t *j = NULL;

	if (n > 0) {
		j = json_loads(line, JSON_REJECT_DUPLICATES, &e);
		ck_assert_msg(j != NULL, "%s in: %s", e.text, line);
	}
	free(line);
	return j;
}

static const char *text_of(json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

START_TEST(every_size_survives_the_wrap)
{
	struct qlog *q = start();
	struct qlog_ring *r = qlog_ring_new(q, 8192);
	struct qlog_session *s = someone();
	static char text[4096];
	uint64_t written = 0, tries = 0;
	json_t *j;
	FILE *f;

	memset(text, 'x', sizeof text);
	for (size_t len = 0; len < 900; len++) {
		struct qlog_statement st = {.session = s,
			.text = text,
			.text_len = len,
			.tag = "SELECT 1",
			.rows = len};
		while (!qlog_record(r, &st)) {
			usleep(1000);
			ck_assert_uint_lt(++tries, 100000);
		}
		written++;
	}
	qlog_session_release(r, &s);
	qlog_free(&q);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	for (size_t len = 0; len < 900; len++) {
		json_t *p;
		size_t cut = (8192 / 4 - sizeof(char *)) / 4; /* no more than this is promised */
		j = next_line(f);
		ck_assert_ptr_nonnull(j);
		p = json_object_get(j, "pooler");
		ck_assert_int_eq(json_integer_value(json_object_get(p, "rows")), (json_int_t)len);
		if (strlen(text_of(j, "message")) < strlen("duration: 0.000 ms  statement: ") + len)
			ck_assert(json_is_true(json_object_get(p, "truncated")));
		else
			ck_assert_uint_le(len, cut);
		json_decref(j);
	}
	ck_assert_ptr_null(next_line(f));
	fclose(f);
}
END_TEST

struct producer {
	pthread_t thread;
	struct qlog_ring *ring;
	unsigned id;
	uint64_t sent, refused;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	struct qlog_session *s = NULL;
	char text[128];

	for (unsigned i = 0; i < 20000; i++) {
		struct qlog_statement st = {
			.transaction = i, .tag = "SELECT 1", .mode = "transaction"};
		if (i % 50 == 0) {
			qlog_session_release(p->ring, &s);
			s = someone();
		}
		if (i % 77 == 0)
			qlog_session_rename(p->ring, &s, i % 2 ? "one" : "two");
		st.session = s;
		st.text_len = (size_t)snprintf(text, sizeof text, "select %u, %u", p->id, i);
		st.text = text;
		if (qlog_record(p->ring, &st))
			p->sent++;
		else
			p->refused++;
	}
	qlog_session_release(p->ring, &s);
	return NULL;
}

START_TEST(workers_write_at_once_and_reload_loses_nothing)
{
	struct qlog *q = start();
	struct producer p[3];
	struct qlog_options o = {.file = path, .sample_rate = 1};
	struct qlog_counts c;
	uint64_t sent = 0, refused = 0, lines = 0;
	unsigned last[3] = {0};
	json_t *j;
	FILE *f;

	memset(p, 0, sizeof p);
	for (unsigned i = 0; i < 3; i++) {
		p[i].id = i;
		p[i].ring = qlog_ring_new(q, 1 << 20);
	}
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
	for (int i = 0; i < 20; i++) {
		ck_assert(qlog_reload(q, &o));
		usleep(2000);
	}
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(p[i].thread, NULL);
		sent += p[i].sent;
		refused += p[i].refused;
	}
	qlog_counts(q, &c);
	ck_assert_uint_eq(c.dropped, refused);
	ck_assert_uint_eq(c.write_errors, 0);
	qlog_free(&q);
	f = fopen(path, "r");
	while ((j = next_line(f))) {
		unsigned id, i;
		ck_assert_int_eq(sscanf(text_of(j, "message"),
					 "duration: 0.000 ms  statement: select %u, %u", &id, &i),
			2);
		ck_assert_uint_lt(id, 3);
		ck_assert(i == 0 || i > last[id]); /* in order */
		last[id] = i;
		lines++;
		json_decref(j);
	}
	fclose(f);
	ck_assert_uint_eq(lines, sent);
}
END_TEST

START_TEST(a_full_ring_drops_and_counts)
{
	struct qlog_options off = {.sample_rate = 1};
	struct qlog *q = qlog_new(&off); /* no file: no writer empties the ring */
	struct qlog_ring *r = qlog_ring_new(q, 4096);
	struct qlog_session *s = someone(), *t = someone();
	struct qlog_statement st = {.session = s, .text = "select 1", .text_len = 8};
	struct qlog_counts c;
	unsigned refused = 0;

	for (int i = 0; i < 100; i++)
		refused += !qlog_record(r, &st);
	qlog_counts(q, &c);
	ck_assert_uint_gt(refused, 80);
	ck_assert_uint_eq(c.dropped, refused);
	ck_assert_uint_eq(s->lines, 100); /* the gap shows in line_num */
	qlog_session_release(r, &s);	  /* finds no room, and is not lost (ASan looks) */
	qlog_session_release(r, &t);
	ck_assert_ptr_null(s);
	qlog_free(&q);
}
END_TEST

START_TEST(a_file_that_was_moved_is_begun_anew)
{
	struct qlog *q = start();
	struct qlog_ring *r = qlog_ring_new(q, 1 << 16);
	struct qlog_session *s = someone();
	struct qlog_statement st = {.session = s, .text = "select 1", .text_len = 8};
	struct stat there;
	struct qlog_counts c;
	char moved[80];

	snprintf(moved, sizeof moved, "%s.1", path);
	ck_assert(qlog_record(r, &st));
	do {
		usleep(5000);
		qlog_counts(q, &c);
	} while (c.lines == 0);
	ck_assert_int_eq(rename(path, moved), 0);
	for (int i = 0; i < 100 && stat(path, &there) != 0; i++)
		usleep(50000);
	ck_assert_int_eq(stat(path, &there), 0);
	ck_assert(qlog_record(r, &st));
	qlog_session_release(r, &s);
	qlog_free(&q);
	ck_assert_int_eq(stat(path, &there), 0);
	ck_assert_int_gt(there.st_size, 0);
	unlink(moved);
}
END_TEST

START_TEST(a_disk_that_is_full_costs_only_lines)
{
	struct qlog_options o = {.file = "/dev/full", .sample_rate = 1};
	struct qlog *q = qlog_new(&o);
	struct qlog_ring *r = qlog_ring_new(q, 1 << 16);
	struct qlog_session *s = someone();
	struct qlog_statement st = {.session = s, .text = "select 1", .text_len = 8};
	struct qlog_counts c;

	for (int i = 0; i < 5; i++)
		ck_assert(qlog_record(r, &st));
	do {
		usleep(5000);
		qlog_counts(q, &c);
	} while (c.dropped < 5);
	ck_assert_uint_eq(c.lines, 0);
	ck_assert_uint_gt(c.write_errors, 0);
	o.file = path; /* and it heals */
	ck_assert(qlog_reload(q, &o));
	usleep(20000);
	ck_assert(qlog_record(r, &st));
	do {
		usleep(5000);
		qlog_counts(q, &c);
	} while (c.lines < 1);
	qlog_session_release(r, &s);
	qlog_free(&q);
}
END_TEST

/* A limit on the file's size makes a write stop in the middle of a line. */
START_TEST(a_line_that_was_cut_is_finished_later)
{
	struct rlimit limit = {1000, RLIM_INFINITY};
	struct qlog *q;
	struct qlog_ring *r;
	struct qlog_session *s = someone();
	struct qlog_statement st = {.session = s, .text = "select 1", .text_len = 8};
	struct qlog_counts c;
	char *line = NULL;
	size_t size = 0;
	unsigned good = 0, bad = 0;
	int said = memfd_create("log", 0);
	char log[2000] = "";
	FILE *f;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(dup2(said, STDERR_FILENO), STDERR_FILENO);
	q = start();
	r = qlog_ring_new(q, 1 << 16);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 4; i++)
		ck_assert(qlog_record(r, &st));
	do {
		usleep(5000);
		qlog_counts(q, &c);
	} while (c.lines + c.dropped < 3); /* one is begun */
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 4; i++)
		ck_assert(qlog_record(r, &st));
	qlog_session_release(r, &s);
	qlog_free(&q);
	f = fopen(path, "r");
	while (getline(&line, &size, f) > 0) {
		json_t *j = json_loads(line, 0, NULL);
		good += j != NULL;
		bad += j == NULL;
		json_decref(j);
	}
	fclose(f);
	free(line);
	ck_assert_uint_eq(c.lines, 1);
	ck_assert_uint_eq(good, 1 + 1 + 4);
	ck_assert_uint_eq(bad, 0);
	ck_assert_int_gt(pread(said, log, sizeof log - 1, 0), 0);
	ck_assert_msg(strstr(log, " again; 2 statements are lost\n"), "%s", log);
}
END_TEST

START_TEST(a_wrong_path_is_said_and_changes_nothing)
{
	struct qlog_options o = {.file = "/nowhere/at/all", .sample_rate = 1};
	struct qlog *q;

	errno = 0;
	ck_assert_ptr_null(qlog_new(&o));
	ck_assert_int_eq(errno, ENOENT);
	q = start();
	ck_assert(!qlog_reload(q, &o));
	ck_assert(qlog_is_on(qlog_gate(qlog_ring_new(q, 4096))));
	o.file = NULL;
	ck_assert(qlog_reload(q, &o));
	qlog_free(&q);
}
END_TEST

START_TEST(sampling_takes_whole_transactions)
{
	struct qlog_options o = {.file = path, .sample_rate = 0.1, .min_duration = 1000};
	struct qlog *q = qlog_new(&o);
	const struct qlog_gate *g = qlog_gate(qlog_ring_new(q, 4096));
	unsigned taken = 0;

	for (uint64_t client = 0; client < 100; client++) {
		for (uint32_t tx = 0; tx < 1000; tx++) {
			bool first = qlog_wants(g, client, tx, 5000, false);
			taken += first;
			ck_assert(qlog_wants(g, client, tx, 6000, false) == first);
			ck_assert(qlog_wants(g, client, tx, 1, true));
			ck_assert(!qlog_wants(g, client, tx, 999, false));
		}
	}
	ck_assert_uint_gt(taken, 9500);
	ck_assert_uint_lt(taken, 10500);
	o.sample_rate = 1;
	ck_assert(qlog_reload(q, &o));
	ck_assert(qlog_wants(g, 1, 1, 1000, false));
	o.sample_rate = 0;
	ck_assert(qlog_reload(q, &o));
	for (uint32_t tx = 0; tx < 1000; tx++)
		ck_assert(!qlog_wants(g, 1, tx, 1000, false));
	qlog_free(&q);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("obs_qlog");
	TCase *t = tcase_create("qlog");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_size_survives_the_wrap);
	tcase_add_test(t, workers_write_at_once_and_reload_loses_nothing);
	tcase_add_test(t, a_full_ring_drops_and_counts);
	tcase_add_test(t, a_file_that_was_moved_is_begun_anew);
	tcase_add_test(t, a_disk_that_is_full_costs_only_lines);
	tcase_add_test(t, a_line_that_was_cut_is_finished_later);
	tcase_add_test(t, a_wrong_path_is_said_and_changes_nothing);
	tcase_add_test(t, sampling_takes_whole_transactions);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
