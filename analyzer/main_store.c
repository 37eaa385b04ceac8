/* SPDX-License-Identifier: ISC
 *
 * main_store: --store DSN: the JSON report goes into tables (sql/store_schema.sql), one
 * transaction for each report.  All reading of JSON is the database's; here is only the order.
 *
 * A report is known by what it says: stored again it changes nothing.
 */
#include "db.h"
#include "main.h"
#include "sql_text.h"

#include <jansson.h>
#include <unistd.h>

static void on_answer(void *ctx, const struct db_row *r)
{
	*(bool *)ctx = db_get(r, 0).n > 0 && !str_is(db_get(r, 0), "f");
}

static bool make_tables(struct db *db, struct err *why)
{
	bool there = false;

	if (!db_each(db, sql_store_exists, NULL, 0, on_answer, &there, why))
		return false;
	return there || db_script(db, sql_store_schema, why);
}

static bool add_all(struct db *db, const char *const params[2], bool *is_new, struct err *why)
{
	static const char *const parts[] = {sql_store_add_shapes, sql_store_add_stats,
		sql_store_add_hours, sql_store_add_groups, sql_store_add_findings,
		sql_store_add_errors, sql_store_add_minutes, sql_store_add_waits};

	*is_new = false;
	if (!db_run(db, "BEGIN", why) ||
		!db_each(db, sql_store_add_report, params, 2, on_answer, is_new, why))
		return false;
	for (size_t i = 0; *is_new && i < ARRAY_LEN(parts); i++)
		if (!db_each(db, parts[i], params, 2, NULL, NULL, why))
			return false;
	return db_run(db, "COMMIT", why);
}

bool options_store(const struct options *o, struct report *r)
{
	struct err why = {""};
	struct db *db;
	char host[256] = "localhost";
	json_t *tree;
	char *text;
	bool ok, is_new = false;

	if (!o->store)
		return true;
	gethostname(host, sizeof(host) - 1);
	tree = report_tree(r);
	text = json_dumps(tree, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(tree);
	const char *params[2] = {o->store_as ? o->store_as : host, text};
	db = db_open_to_write(o->store, &why);
	ok = db && make_tables(db, &why) && add_all(db, params, &is_new, &why);
	db_close(&db);
	free(text);
	if (!ok)
		fprintf(stderr, "pgassay: --store: nothing was stored: %s\n", why.text);
	else
		fprintf(stderr, "pgassay: %s as a report of \"%s\"\n",
			is_new ? "stored" : "this very report was already stored", params[0]);
	return ok;
}
