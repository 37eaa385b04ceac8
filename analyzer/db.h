/* SPDX-License-Identifier: ISC
 *
 * db: a database that is only looked at (but for --store).
 *
 * The one place of the analyzer that sees libpq.  Every session is read-only, with statement
 * and lock timeouts (sql/assay_session.sql).  Statements of users go through PREPARE and
 * EXPLAIN only, one at a time through the extended protocol, which takes exactly one, in a
 * read-only transaction that is rolled back (db_try): functions marked IMMUTABLE are called by the
 * planner, and what they set, lock or write must not stay.  SELECTs are run only for --verify, in
 * such a transaction, too.
 *
 * After db_heed_signals() SIGINT and SIGTERM cancel what the server does for us at the moment;
 * every call after that fails at once, so that whoever made something (a copy) comes to remove it.
 * Another signal, two seconds later, ends the process.
 */
#ifndef ANALYZER_DB_H
#define ANALYZER_DB_H

#include "base.h"

struct db;

/* A row of a result; valid during the call it is given to. */
struct db_row {
	const void *result;
	int row;
};
int db_columns(const struct db_row *r);
struct str db_get(const struct db_row *r, int column); /* STR_NONE for NULL */
struct str db_name(const struct db_row *r, int column);
bool db_true(const struct db_row *r, int column);
double db_real(const struct db_row *r, int column);
int64_t db_int(const struct db_row *r, int column);

struct db *db_open(const char *dsn, struct err *why); /* NULL: no connection */
/* A session that may write, with the server's own settings: for --store. */
struct db *db_open_to_write(const char *dsn, struct err *why);
/* Several statements in one, without parameters. */
bool db_script(struct db *db, const char *sql, struct err *why);
void db_close(struct db **db);
/* A session that may write, for a copy of our own; dbname NULL: the DSN's. */
struct db *db_open_scratch(const char *dsn, const char *dbname, struct err *why);
/* COPY … TO STDOUT of one into COPY … FROM STDIN of the other. */
bool db_copy(struct db *from, const char *out, struct db *to, const char *in, struct err *why);
/* Sends one statement; calls row() for each row.  params may be NULL. */
bool db_each(struct db *db, const char *sql, const char *const *params, int n,
	void (*row)(void *ctx, const struct db_row *r), void *ctx, struct err *why);
bool db_run(struct db *db, const char *sql, struct err *why);

/* Sends the steps in one transaction, rolled back whatever came of it, in one round trip;
 * calls row() for the rows of each.  What is prepared is forgotten, too.  False: one was refused,
 * and those after it were not done. */
struct db_step {
	const char *sql;
	const char *const *param;
	int params;
};
enum db_mode {
	DB_READ_ONLY = 0,
	DB_READ_WRITE /* in a copy of our own */
};
bool db_try(struct db *db, enum db_mode mode, const struct db_step *step, size_t n,
	void (*row)(void *ctx, const struct db_row *r), void *ctx, struct err *why);

/* Of the last statement that db_try() saw refused: "42P01"; "": it was not the server's word. */
const char *db_sqlstate(const struct db *db);
bool db_is_lost(const struct db *db); /* the server is gone, or has thrown us out */
void db_heed_signals(void);
int db_stop_signal(void); /* the signal that came; 0: none */
/* Calls go to the server again: to clean up. */
void db_ignore_stop(void);
/* EXPLAIN (FORMAT JSON) of a statement that may have $1 … $n: the generic plan, nothing is
 * executed. */
bool db_explain(struct db *db, struct arena *a, struct str sql, unsigned params, struct str *json,
	struct err *why);

#endif
