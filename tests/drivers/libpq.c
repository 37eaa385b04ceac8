/* SPDX-License-Identifier: ISC
 *
 * The drivers' scenario by libpq itself: text values, pipeline mode, portals, COPY, large
 * objects by the fast path, cancel requests.  See the file `scenario`.
 */
#include <libpq-fe.h>
#include <libpq/libpq-fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_VALUES 8
#define MAX_STEPS  256

enum oid { OID_BOOL = 16, OID_BYTEA = 17, OID_TIMESTAMPTZ = 1184, OID_INT4_ARRAY = 1007 };

struct step {
	char *verb, *rest;
	char *value[MAX_VALUES]; /* as text for the server */
	int n;
};

static PGconn *conn;
static struct step steps[MAX_STEPS];
static int n_steps;
static char notice[256];

static void die(const char *what)
{
	fprintf(stderr, "libpq: %s: %s\n", what, conn ? PQerrorMessage(conn) : "");
	exit(1);
}

static long number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end)
		die("a number is expected");
	return n;
}

/* --- the scenario ------------------------------------------------------------------ */

/* `line` with each SCHEMA replaced. */
static char *with_schema(const char *line, const char *schema)
{
	char *out = calloc(1, strlen(line) * 8 + strlen(schema) * 16 + 1), *to = out;

	while (*line) {
		if (strncmp(line, "SCHEMA", 6) == 0) {
			to = stpcpy(to, schema);
			line += 6;
		} else {
			*to++ = *line++;
		}
	}
	return out;
}

static char *value_of(const char *kind, const char *text)
{
	char *out;

	if (strcmp(kind, "null") == 0)
		return NULL;
	if (strcmp(kind, "repeat") == 0) {
		size_t n = (size_t)number(text);

		out = malloc(n + 1);
		memset(out, 'y', n);
		out[n] = '\0';
		return out;
	}
	out = malloc(strlen(text) + 4);
	snprintf(out, strlen(text) + 4,
		strcmp(kind, "bytes") == 0   ? "\\x%s"
		: strcmp(kind, "array") == 0 ? "{%s}"
					     : "%s",
		text);
	return out;
}

static void read_scenario(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024];

	if (!f)
		die(path);
	while (fgets(line, sizeof line, f)) {
		char *text, *space;
		struct step *s;

		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		text = with_schema(line, getenv("DRIVER_SCHEMA"));
		if (line[0] != ' ') {
			s = &steps[n_steps++];
			s->verb = text;
			space = strchr(text, ' ');
			s->rest = space ? space + 1 : text + strlen(text);
			if (space)
				*space = '\0';
			continue;
		}
		s = &steps[n_steps - 1];
		space = strchr(text + 2, ' ');
		if (space)
			*space = '\0';
		s->value[s->n++] = value_of(text + 2, space ? space + 1 : "");
	}
	fclose(f);
}

/* Cuts the first word off and answers what follows it. */
static char *after_word(char *text)
{
	char *space = strchr(text, ' ');

	if (!space)
		die("a word is missing in the scenario");
	*space = '\0';
	return space + 1;
}

/* --- printing ------------------------------------------------------------------------ */

static void say_error(const PGresult *r)
{
	printf("  ! %s %s\n", PQresultErrorField(r, PG_DIAG_SQLSTATE),
		PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
}

/* Prints a failure; true: there was none. */
static bool is_good(const PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		if (!PQresultErrorField(r, PG_DIAG_SQLSTATE))
			die("no SQLSTATE");
		say_error(r);
		return false;
	}
	return true;
}

/* A value as the drivers of other languages show theirs. */
static void say_value(const PGresult *r, int row, int column)
{
	const char *v = PQgetvalue(r, row, column);

	if (PQgetisnull(r, row, column)) {
		printf("null");
		return;
	}
	switch (PQftype(r, column)) {
	case OID_BOOL:
		printf("%s", *v == 't' ? "true" : "false");
		break;
	case OID_TIMESTAMPTZ: /* 2024-02-29 12:00:00+00 */
		printf("%.10sT%.8sZ", v, v + 11);
		break;
	case OID_INT4_ARRAY:
		putchar('[');
		for (v++; *v != '}'; v++)
			if (*v == ',')
				printf(", ");
			else if (strncmp(v, "NULL", 4) == 0)
				printf("null"), v += 3;
			else
				putchar(*v);
		putchar(']');
		break;
	default:
		printf("%s", v);
	}
}

static void say_rows(const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++) {
		printf("  ");
		for (int k = 0; k < PQnfields(r); k++) {
			if (k)
				printf(" | ");
			say_value(r, i, k);
		}
		putchar('\n');
	}
}

/* --- the steps ------------------------------------------------------------------------- */

static PGresult *query(const char *sql)
{
	return PQexec(conn, sql);
}

/* Runs it and prints a failure. */
static bool run(const char *sql)
{
	PGresult *r = query(sql);
	bool good = is_good(r);

	PQclear(r);
	return good;
}

static bool runf(const char *format, const char *a)
{
	char sql[2048];

	snprintf(sql, sizeof sql, format, a);
	return run(sql);
}

static void on_do(struct step *s)
{
	run(s->rest);
}

static void on_rows(struct step *s)
{
	PGresult *r = PQexecParams(conn, s->rest, s->n, NULL, (const char *const *)s->value, NULL,
		NULL, 0);

	if (is_good(r))
		say_rows(r);
	PQclear(r);
}

/* Row by row, as they come. */
static void on_sum(struct step *s)
{
	long rows = 0, sum = 0;
	PGresult *r;

	if (!PQsendQuery(conn, s->rest) || !PQsetSingleRowMode(conn))
		die("send");
	while ((r = PQgetResult(conn))) {
		if (is_good(r) && PQntuples(r)) {
			rows++;
			sum += number(PQgetvalue(r, 0, 0));
		}
		PQclear(r);
	}
	printf("  %ld rows, sum %ld\n", rows, sum);
}

static void on_size(struct step *s)
{
	PGresult *r = query(s->rest);

	if (is_good(r))
		printf("  %d\n", PQgetlength(r, 0, 0));
	PQclear(r);
}

static void on_prepare(struct step *s)
{
	char *sql = after_word(s->rest);
	PGresult *r = PQprepare(conn, s->rest, sql, 0, NULL);

	is_good(r);
	PQclear(r);
}

static void on_run(struct step *s)
{
	int count = (int)number(after_word(s->rest));

	for (int i = 0; i < count; i++) {
		char text[16];
		const char *value = text;
		PGresult *r;

		snprintf(text, sizeof text, "%d", i);
		r = PQexecPrepared(conn, s->rest, 1, &value, NULL, NULL, 0);
		if (is_good(r))
			printf("%s%s", i ? ", " : "  ", PQgetvalue(r, 0, 0));
		PQclear(r);
	}
	putchar('\n');
}

static void on_distinct(struct step *s)
{
	long sum = 0;

	for (int i = 0; i < (int)number(s->rest); i++) {
		char name[32], sql[32];
		PGresult *r;

		snprintf(name, sizeof name, "distinct_%d", i);
		snprintf(sql, sizeof sql, "select %d", i);
		r = PQprepare(conn, name, sql, 0, NULL);
		is_good(r);
		PQclear(r);
		r = PQexecPrepared(conn, name, 0, NULL, NULL, NULL, 0);
		if (is_good(r))
			sum += number(PQgetvalue(r, 0, 0));
		PQclear(r);
	}
	printf("  %ld\n", sum);
}

static void on_begin(struct step *s)
{
	(void)s;
	run("begin");
}

static void on_commit(struct step *s)
{
	(void)s;
	run("commit");
}

static void on_rollback(struct step *s)
{
	(void)s;
	run("rollback");
}

static void on_savepoint(struct step *s)
{
	runf("savepoint %s", s->rest);
}

static void on_rollback_to(struct step *s)
{
	runf("rollback to %s", s->rest);
}

static void on_cursor(struct step *s)
{
	char *sql = after_word(s->rest);
	long rows = 0, sum = 0;
	int got;

	run("begin");
	runf("declare by_name cursor for %s", sql);
	do {
		char fetch[64];
		PGresult *r;

		snprintf(fetch, sizeof fetch, "fetch %s from by_name", s->rest);
		r = query(fetch);
		got = is_good(r) ? PQntuples(r) : 0;
		for (int i = 0; i < got; i++)
			sum += number(PQgetvalue(r, i, 0));
		rows += got;
		PQclear(r);
	} while (got);
	run("close by_name");
	run("commit");
	printf("  %ld rows, sum %ld\n", rows, sum);
}

static void end_copy(void)
{
	PGresult *r;

	if (PQputCopyEnd(conn, NULL) != 1)
		die("end of copy");
	while ((r = PQgetResult(conn))) {
		is_good(r);
		PQclear(r);
	}
}

static void put_copy(const char *line)
{
	if (PQputCopyData(conn, line, (int)strlen(line)) != 1)
		die("copy data");
}

static void on_copy_in(struct step *s)
{
	int count = (int)number(after_word(s->rest));

	if (!runf("copy %s from stdin", s->rest))
		return;
	for (int i = 1000; i < 1000 + count; i++) {
		char line[64];

		snprintf(line, sizeof line, "%d\tcopied %d\\t\\\\ ☃\n", i, i);
		put_copy(line);
	}
	end_copy();
}

static void on_copy_bad(struct step *s)
{
	if (!runf("copy %s from stdin", s->rest))
		return;
	put_copy("9000\tcopied 9000\n");
	put_copy("x\ty\n");
	end_copy();
}

static void on_copy_out(struct step *s)
{
	int lines = 0, bytes = 0, n;
	PGresult *r;
	char *data;

	if (!runf("copy (%s) to stdout", s->rest))
		return;
	while ((n = PQgetCopyData(conn, &data, 0)) > 0) {
		lines++;
		bytes += n;
		PQfreemem(data);
	}
	while ((r = PQgetResult(conn))) {
		is_good(r);
		PQclear(r);
	}
	printf("  %d lines, %d bytes\n", lines, bytes);
}

/* Libpq's pipeline mode; one Sync behind all of them. */
static void on_pipeline(struct step *s)
{
	char *rest = after_word(s->rest), *last = after_word(rest);
	int from = (int)number(rest), to = (int)number(last), ended = 0;
	char sql[256];
	PGresult *r;

	snprintf(sql, sizeof sql, "insert into %s values ($1)", s->rest);
	if (!PQenterPipelineMode(conn))
		die("pipeline mode");
	for (int i = from; i <= to; i++) {
		char text[16];
		const char *value = text;

		snprintf(text, sizeof text, "%d", i);
		if (!PQsendQueryParams(conn, sql, 1, NULL, &value, NULL, NULL, 0))
			die("send");
	}
	if (!PQpipelineSync(conn))
		die("sync");
	while (!ended) {
		r = PQgetResult(conn);
		if (PQresultStatus(r) == PGRES_PIPELINE_SYNC)
			ended = 1;
		else if (r && PQresultStatus(r) != PGRES_PIPELINE_ABORTED)
			is_good(r);
		PQclear(r);
	}
	if (!PQexitPipelineMode(conn))
		die("end of pipeline mode");
}

static void on_notice_received(void *arg, const PGresult *r)
{
	(void)arg;
	snprintf(notice, sizeof notice, "%s", PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
}

static void on_notice(struct step *s)
{
	notice[0] = '\0';
	runf("do $$ begin raise notice '%s'; end $$", s->rest);
	printf("  notice: %s\n", notice);
}

static void on_listen(struct step *s)
{
	char *text = after_word(s->rest), sql[512];
	PGnotify *n;

	runf("listen %s", s->rest);
	snprintf(sql, sizeof sql, "notify %s, '%s'", s->rest, text);
	run(sql);
	while (!(n = PQnotifies(conn)))
		if (!PQconsumeInput(conn))
			die("waiting for a notification");
	printf("  %s %s\n", n->relname, n->extra);
	PQfreemem(n);
	runf("unlisten %s", s->rest);
}

static void on_large_object(struct step *s)
{
	int size = (int)number(s->rest), fd;
	unsigned char *data = malloc((size_t)size), back[5];
	Oid oid;

	for (int i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7 % 251);
	run("begin");
	oid = lo_create(conn, 0);
	fd = lo_open(conn, oid, INV_READ | INV_WRITE);
	if (fd < 0 || lo_write(conn, fd, (char *)data, (size_t)size) != size ||
		lo_lseek(conn, fd, 10, SEEK_SET) != 10 ||
		lo_read(conn, fd, (char *)back, sizeof back) != (int)sizeof back)
		die("large object");
	printf("  \\x%02x%02x%02x%02x%02x of %d\n", back[0], back[1], back[2], back[3], back[4],
		lo_lseek(conn, fd, 0, SEEK_END));
	if (lo_close(conn, fd) < 0 || lo_unlink(conn, oid) < 0)
		die("large object");
	run("commit");
	free(data);
}

/* Cancels until told to stop: the first request may come before the statement. */
static void *keep_cancelling(void *arg)
{
	PGcancel *request = PQgetCancel(conn);
	atomic_bool *over = arg;
	char why[256];

	while (!atomic_load(over)) {
		usleep(300000);
		if (!atomic_load(over) && !PQcancel(request, why, sizeof why))
			fprintf(stderr, "cancel: %s\n", why);
	}
	PQfreeCancel(request);
	return NULL;
}

static void on_cancel(struct step *s)
{
	atomic_bool over = false;
	pthread_t thread;

	if (pthread_create(&thread, NULL, keep_cancelling, &over))
		die("thread");
	run(s->rest);
	atomic_store(&over, true);
	pthread_join(thread, NULL);
}

static const struct {
	const char *verb;
	void (*act)(struct step *s);
} acts[] = {{"do", on_do}, {"rows", on_rows}, {"sum", on_sum}, {"size", on_size},
	{"prepare", on_prepare}, {"run", on_run}, {"distinct", on_distinct}, {"begin", on_begin},
	{"commit", on_commit}, {"rollback", on_rollback}, {"savepoint", on_savepoint},
	{"rollback_to", on_rollback_to}, {"cursor", on_cursor}, {"copy_in", on_copy_in},
	{"copy_bad", on_copy_bad}, {"copy_out", on_copy_out}, {"pipeline", on_pipeline},
	{"notice", on_notice}, {"listen", on_listen}, {"large_object", on_large_object},
	{"cancel", on_cancel}};

static void play(struct step *s)
{
	for (size_t k = 0; k < sizeof acts / sizeof acts[0]; k++) {
		if (strcmp(acts[k].verb, s->verb) == 0) {
			acts[k].act(s);
			return;
		}
	}
	die(s->verb);
}

int main(int argc, char **argv)
{
	if (argc != 2 || !getenv("DRIVER_DSN") || !getenv("DRIVER_SCHEMA"))
		die("usage: libpq SCENARIO, with DRIVER_DSN and DRIVER_SCHEMA");
	read_scenario(argv[1]);
	conn = PQconnectdb(getenv("DRIVER_DSN"));
	if (PQstatus(conn) != CONNECTION_OK)
		die("connect");
	PQsetNoticeReceiver(conn, on_notice_received, NULL);
	run("set timezone = 'UTC'");
	for (int i = 0; i < n_steps; i++) {
		if (strcmp(steps[i].verb, "section") == 0)
			printf("%s\n", steps[i].rest);
		else
			play(&steps[i]);
		fflush(stdout);
	}
	PQfinish(conn);
	return 0;
}
