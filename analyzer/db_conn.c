/* SPDX-License-Identifier: ISC
 *
 * db_conn: the connection, and EXPLAIN of other people's statements.
 */
#include "db.h"

#include "sql_text.h"

#include <libpq-fe.h>
#include <signal.h>
#include <time.h>

#define CONNECTIONS_MAX 4

struct db {
	PGconn *conn;
	PGcancel *canceller; /* its place in the list below; NULL: none */
	char state[6];	     /* SQLSTATE of the last error; "": none, or not the server's */
};

/* --- signals ---------------------------------------------------------------------------------
 */

static volatile sig_atomic_t stop_signal, is_stopped;
/* Of each connection that is open; PQcancel() may be called in a handler. */
static PGcancel *volatile canceller[CONNECTIONS_MAX];

static void on_stop(int sig)
{
	static volatile time_t first;
	char unused[64];

	if (stop_signal && time(NULL) - first > 1) { /* once more: at once */
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	if (stop_signal) /* one Ctrl-C may arrive by several ways */
		return;
	first = time(NULL);
	stop_signal = sig;
	is_stopped = 1;
	for (size_t i = 0; i < ARRAY_LEN(canceller); i++)
		if (canceller[i])
			PQcancel(canceller[i], unused, sizeof(unused));
}

void db_heed_signals(void)
{
	signal(SIGINT, on_stop);
	signal(SIGTERM, on_stop);
}

int db_stop_signal(void)
{
	return stop_signal;
}

void db_ignore_stop(void)
{
	is_stopped = 0;
}

/* A place for its canceller; without one a signal does not reach the server. */
static void enlist(struct db *db)
{
	for (size_t i = 0; i < ARRAY_LEN(canceller) && !db->canceller; i++)
		if (canceller[i] == NULL)
			db->canceller = canceller[i] = PQgetCancel(db->conn);
}

static void delist(struct db *db)
{
	for (size_t i = 0; i < ARRAY_LEN(canceller); i++)
		if (canceller[i] == db->canceller)
			canceller[i] = NULL;
	PQfreeCancel(db->canceller);
}

int db_columns(const struct db_row *r)
{
	return PQnfields(r->result);
}

struct str db_get(const struct db_row *r, int column)
{
	const PGresult *res = r->result;

	if (PQgetisnull(res, r->row, column))
		return STR_NONE;
	return (struct str){
		PQgetvalue(res, r->row, column), (size_t)PQgetlength(res, r->row, column)};
}

struct str db_name(const struct db_row *r, int column)
{
	return str_of(PQfname(r->result, column));
}

bool db_true(const struct db_row *r, int column)
{
	return str_is(db_get(r, column), "t");
}

double db_real(const struct db_row *r, int column)
{
	struct str s = db_get(r, column);

	return s.n ? strtod(s.p, NULL) : 0;
}

int64_t db_int(const struct db_row *r, int column)
{
	int64_t v = 0;

	return str_to_i64(db_get(r, column), &v) ? v : 0;
}

/* libpq's message without its trailing newline. */
static bool say(struct db *db, struct err *why)
{
	struct str m = str_trim(str_of(PQerrorMessage(db->conn)));

	db->state[0] = '\0';
	return err_set(why, "%.*s", STR_ARGS(m));
}

/* The server's message alone: what libpq adds would show the statement. */
static bool say_of(struct db *db, const PGresult *res, struct err *why)
{
	const char *m = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (m == NULL)
		return say(db, why);
	snprintf(db->state, sizeof(db->state), "%s", state ? state : "");
	return err_set(why, "%s", m);
}

const char *db_sqlstate(const struct db *db)
{
	return db->state;
}

bool db_is_lost(const struct db *db)
{
	return PQstatus(db->conn) != CONNECTION_OK;
}

/* A signal has come: nothing more is asked of the server. */
static bool is_over(struct err *why)
{
	return is_stopped && !err_set(why, "stopped by a signal");
}

/* "relation already exists, skipping" is no news. */
static void be_quiet(void *ctx, const char *message)
{
	(void)ctx;
	(void)message;
}

struct db *db_open_to_write(const char *dsn, struct err *why)
{
	static const char *const keys[] = {
		"dbname", "fallback_application_name", "connect_timeout", "client_encoding", NULL};
	const char *values[] = {dsn, "pgassay", "10", "UTF8", NULL};
	struct db *db = mem_zalloc(sizeof(*db));

	db->conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		say(db, why);
		db_close(&db);
		return NULL;
	}
	PQsetNoticeProcessor(db->conn, be_quiet, NULL);
	enlist(db);
	return db;
}

struct db *db_open(const char *dsn, struct err *why)
{
	struct db *db = db_open_to_write(dsn, why);

	if (db && !db_run(db, sql_assay_session, why))
		db_close(&db);
	return db;
}

bool db_script(struct db *db, const char *sql, struct err *why)
{
	PGresult *res = is_over(why) ? NULL : PQexec(db->conn, sql);
	bool ok = PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK;

	if (res && !ok)
		say(db, why);
	PQclear(res);
	return ok;
}

struct db *db_open_scratch(const char *dsn, const char *dbname, struct err *why)
{
	const char *keys[] = {"dbname", "fallback_application_name", "connect_timeout",
		"client_encoding", dbname ? "dbname" : NULL, NULL};
	const char *values[] = {dsn, "pgassay", "10", "UTF8", dbname, NULL};
	struct db *db = mem_zalloc(sizeof(*db));

	db->conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		say(db, why);
		db_close(&db);
	} else {
		PQsetNoticeProcessor(db->conn, be_quiet, NULL);
		enlist(db);
	}
	return db;
}

bool db_copy(struct db *from, const char *out, struct db *to, const char *in, struct err *why)
{
	PGresult *a = is_over(why) ? NULL : PQexec(from->conn, out);
	PGresult *b = a ? PQexec(to->conn, in) : NULL, *r;
	bool ok = PQresultStatus(a) == PGRES_COPY_OUT && PQresultStatus(b) == PGRES_COPY_IN;
	char *row = NULL;
	int n;

	if (a == NULL)
		return false;
	if (PQresultStatus(a) != PGRES_COPY_OUT)
		say(from, why);
	else if (!ok)
		say(to, why);
	while (PQresultStatus(a) == PGRES_COPY_OUT &&
		(n = PQgetCopyData(from->conn, &row, 0)) > 0) {
		if (ok && PQputCopyData(to->conn, row, n) != 1)
			ok = say(to, why);
		PQfreemem(row);
	}
	if (PQresultStatus(b) == PGRES_COPY_IN)
		PQputCopyEnd(to->conn, ok ? NULL : "the source ended early");
	PQclear(a);
	PQclear(b);
	while ((r = PQgetResult(from->conn)) != NULL) {
		if (ok && PQresultStatus(r) != PGRES_COMMAND_OK)
			ok = say(from, why);
		PQclear(r);
	}
	while ((r = PQgetResult(to->conn)) != NULL) {
		if (ok && PQresultStatus(r) != PGRES_COMMAND_OK)
			ok = say(to, why);
		PQclear(r);
	}
	return ok;
}

void db_close(struct db **db)
{
	if (*db) {
		delist(*db);
		PQfinish((*db)->conn);
		free(*db);
		*db = NULL;
	}
}

bool db_each(struct db *db, const char *sql, const char *const *params, int n,
	void (*row)(void *ctx, const struct db_row *r), void *ctx, struct err *why)
{
	PGresult *res =
		is_over(why) ? NULL : PQexecParams(db->conn, sql, n, NULL, params, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(res);
	bool ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;

	if (res && !ok)
		say(db, why);
	for (int i = 0; ok && row && i < PQntuples(res); i++) {
		struct db_row r = {res, i};
		row(ctx, &r);
	}
	PQclear(res);
	return ok;
}

bool db_run(struct db *db, const char *sql, struct err *why)
{
	return db_each(db, sql, NULL, 0, NULL, NULL, why);
}

/* --- tried and rolled back ------------------------------------------------------------------ */

static bool send_step(struct db *db, const struct db_step *s)
{
	return PQsendQueryParams(db->conn, s->sql, s->params, NULL, s->param, NULL, NULL, 0) == 1;
}

/* Results up to the next Sync; false: some step was refused, the first reason in *why. */
static bool take_results(struct db *db, void (*row)(void *ctx, const struct db_row *r), void *ctx,
	struct err *why)
{
	bool ok = true;

	for (;;) {
		PGresult *res = PQgetResult(db->conn);
		ExecStatusType status = PQresultStatus(res);

		if (res == NULL) { /* the end of a step's results, or of everything */
			if (db_is_lost(db))
				return ok && say(db, why);
			continue;
		}
		for (int i = 0; ok && row && status == PGRES_TUPLES_OK && i < PQntuples(res); i++) {
			struct db_row r = {res, i};
			row(ctx, &r);
		}
		if (ok && status == PGRES_FATAL_ERROR)
			ok = say_of(db, res, why);
		PQclear(res);
		if (status == PGRES_PIPELINE_SYNC)
			return ok;
	}
}

bool db_try(struct db *db, enum db_mode mode, const struct db_step *step, size_t n,
	void (*row)(void *ctx, const struct db_row *r), void *ctx, struct err *why)
{
	const struct db_step begin = {.sql = mode == DB_READ_ONLY ? "BEGIN READ ONLY" : "BEGIN"};
	static const struct db_step end[] = {{.sql = "ROLLBACK"}, {.sql = "DEALLOCATE ALL"}};
	bool ok;

	if (is_over(why))
		return false;
	ok = PQenterPipelineMode(db->conn) == 1 && send_step(db, &begin);
	for (size_t i = 0; ok && i < n; i++)
		ok = send_step(db, &step[i]);
	ok = ok && PQpipelineSync(db->conn) == 1 && send_step(db, &end[0]) &&
	     send_step(db, &end[1]) && PQpipelineSync(db->conn) == 1;
	if (!ok)
		return say(db, why);
	ok = take_results(db, row, ctx, why);
	take_results(db, NULL, NULL, NULL);
	PQexitPipelineMode(db->conn);
	return ok;
}

struct taken {
	struct arena *a;
	struct str *out;
};

static void take_json(void *ctx, const struct db_row *r)
{
	struct taken *t = ctx;

	*t->out = arena_str(t->a, db_get(r, 0));
}

bool db_explain(struct db *db, struct arena *a, struct str sql, unsigned params, struct str *json,
	struct err *why)
{
	struct taken t = {a, json};
	struct text prepare = {0}, q = {0};
	struct db_step step[2];
	size_t n = 0;
	bool ok;

	*json = STR_NONE;
	text_puts(&q, "EXPLAIN (FORMAT JSON) ");
	if (params == 0) {
		text_str(&q, sql);
	} else {
		text_printf(&prepare, "PREPARE pgassay_explain AS %.*s", STR_ARGS(sql));
		step[n++] = (struct db_step){.sql = prepare.p};
		text_puts(&q, "EXECUTE pgassay_explain(");
		for (unsigned i = 0; i < params; i++)
			text_puts(&q, i ? ", NULL" : "NULL");
		text_char(&q, ')');
	}
	step[n++] = (struct db_step){.sql = q.p};
	ok = db_try(db, DB_READ_ONLY, step, n, take_json, &t, why) && json->p;
	text_release(&prepare);
	text_release(&q);
	return ok;
}
