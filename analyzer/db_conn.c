/* SPDX-License-Identifier: ISC
 *
 * db_conn: the connection, and EXPLAIN of other people's statements.
 */
#include "db.h"

#include "sql_text.h"

#include <libpq-fe.h>

struct db {
	PGconn *conn;
};

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

	return err_set(why, "%.*s", STR_ARGS(m));
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
	PGresult *res = PQexec(db->conn, sql);
	bool ok = PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK;

	if (!ok)
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
	}
	return db;
}

bool db_copy(struct db *from, const char *out, struct db *to, const char *in, struct err *why)
{
	PGresult *a = PQexec(from->conn, out), *b = PQexec(to->conn, in), *r;
	bool ok = PQresultStatus(a) == PGRES_COPY_OUT && PQresultStatus(b) == PGRES_COPY_IN;
	char *row = NULL;
	int n;

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
		PQfinish((*db)->conn);
		free(*db);
		*db = NULL;
	}
}

bool db_each(struct db *db, const char *sql, const char *const *params, int n,
	void (*row)(void *ctx, const struct db_row *r), void *ctx, struct err *why)
{
	PGresult *res = PQexecParams(db->conn, sql, n, NULL, params, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(res);
	bool ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;

	if (!ok)
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
	struct text q = {0};
	bool ok;

	*json = STR_NONE;
	if (params == 0) {
		text_printf(&q, "EXPLAIN (FORMAT JSON) %.*s", STR_ARGS(sql));
		ok = db_each(db, q.p, NULL, 0, take_json, &t, why);
		text_release(&q);
		return ok && json->p;
	}
	text_printf(&q, "PREPARE pgassay_explain AS %.*s", STR_ARGS(sql));
	ok = db_run(db, q.p, why);
	text_clear(&q);
	text_puts(&q, "EXPLAIN (FORMAT JSON) EXECUTE pgassay_explain(");
	for (unsigned i = 0; i < params; i++)
		text_puts(&q, i ? ", NULL" : "NULL");
	text_char(&q, ')');
	ok = ok && db_each(db, q.p, NULL, 0, take_json, &t, why) && json->p;
	db_run(db, "DEALLOCATE ALL", NULL);
	text_release(&q);
	return ok;
}
