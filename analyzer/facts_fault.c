/* SPDX-License-Identifier: ISC
 *
 * facts_fault: errors, by SQLSTATE and message, and why statements were cancelled.
 *
 * A plain log has no SQLSTATE unless its prefix has %e: for the messages that are common it is
 * told from the text, and the report says so.
 */
#include "facts_build.h"

#include <ctype.h>

/* What PostgreSQL calls it (its manual's appendix A), and how the message begins or ends that
 * only this condition has; NULL: several messages have it, or several conditions the message. */
/* clang-format off */
static const struct condition {
	const char *state, *name, *head, *tail;
} conditions[] = {
	{"08P01", "protocol_violation", NULL, NULL},
	{"0A000", "feature_not_supported", NULL, NULL},
	{"21000", "cardinality_violation", "more than one row returned by a subquery", NULL},
	{"22001", "string_data_right_truncation", "value too long for type ", NULL},
	{"22003", "numeric_value_out_of_range", "integer out of range", NULL},
	{"22003", "numeric_value_out_of_range", "bigint out of range", NULL},
	{"22003", "numeric_value_out_of_range", "smallint out of range", NULL},
	{"22003", "numeric_value_out_of_range", "numeric field overflow", NULL},
	{"22003", "numeric_value_out_of_range", "value \"", NULL},
	{"22007", "invalid_datetime_format", "invalid input syntax for type date", NULL},
	{"22007", "invalid_datetime_format", "invalid input syntax for type timestamp", NULL},
	{"22012", "division_by_zero", "division by zero", NULL},
	{"22P02", "invalid_text_representation", "invalid input syntax for type ", NULL},
	{"23502", "not_null_violation", "null value in column ", NULL},
	{"23503", "foreign_key_violation", "insert or update on table ", NULL},
	{"23503", "foreign_key_violation", "update or delete on table ", NULL},
	{"23505", "unique_violation", "duplicate key value violates unique constraint", NULL},
	{"23514", "check_violation", "new row for relation ", NULL},
	{"23P01", "exclusion_violation", "conflicting key value violates exclusion", NULL},
	{"25001", "active_sql_transaction", NULL, NULL},
	{"25006", "read_only_sql_transaction", "cannot execute ", " in a read-only transaction"},
	{"25P01", "no_active_sql_transaction", NULL, NULL},
	{"25P02", "in_failed_sql_transaction", "current transaction is aborted", NULL},
	{"25P03", "idle_in_transaction_session_timeout", "terminating connection due to idle-in-transaction", NULL},
	{"26000", "invalid_sql_statement_name", "prepared statement ", " does not exist"},
	{"28000", "invalid_authorization_specification", "no pg_hba.conf entry for ", NULL},
	{"28000", "invalid_authorization_specification", "role ", " does not exist"},
	{"28P01", "invalid_password", "password authentication failed for user ", NULL},
	{"3D000", "invalid_catalog_name", "database ", " does not exist"},
	{"3F000", "invalid_schema_name", "schema ", " does not exist"},
	{"40001", "serialization_failure", "could not serialize access ", NULL},
	{"40P01", "deadlock_detected", "deadlock detected", NULL},
	{"42501", "insufficient_privilege", "permission denied for ", NULL},
	{"42601", "syntax_error", "syntax error at ", NULL},
	{"42601", "syntax_error", "unterminated quoted ", NULL},
	{"42703", "undefined_column", "column ", " does not exist"},
	{"42704", "undefined_object", "type ", " does not exist"},
	{"42710", "duplicate_object", NULL, NULL},
	{"42803", "grouping_error", "column ", " or be used in an aggregate function"},
	{"42804", "datatype_mismatch", NULL, NULL},
	{"42883", "undefined_function", "function ", " does not exist"},
	{"42883", "undefined_function", "operator does not exist", NULL},
	{"42P01", "undefined_table", "relation ", " does not exist"},
	{"42P01", "undefined_table", "missing FROM-clause entry for table ", NULL},
	{"42P05", "duplicate_prepared_statement", "prepared statement ", " already exists"},
	{"42P07", "duplicate_table", "relation ", " already exists"},
	{"53100", "disk_full", NULL, "No space left on device"},
	{"53200", "out_of_memory", "out of memory", NULL},
	{"53300", "too_many_connections", "sorry, too many clients already", NULL},
	{"53300", "too_many_connections", "remaining connection slots are reserved", NULL},
	{"55P03", "lock_not_available", "could not obtain lock on ", NULL},
	{"55P03", "lock_not_available", "canceling statement due to lock timeout", NULL},
	{"57014", "query_canceled", "canceling statement due to ", NULL},
	{"57014", "query_canceled", "canceling autovacuum task", NULL},
	{"57P01", "admin_shutdown", "terminating ", " due to administrator command"},
	{"57P02", "crash_shutdown", "terminating connection because of crash ", NULL},
	{"57P03", "cannot_connect_now", "the database system is ", NULL},
	{"57P05", "idle_session_timeout", "terminating connection due to idle-session", NULL},
	{"P0001", "raise_exception", NULL, NULL},
	{"XX000", "internal_error", NULL, NULL},
};
/* clang-format on */

const char *sqlstate_name(const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if (strcmp(conditions[i].state, state) == 0)
			return conditions[i].name;
	return "";
}

bool fault_is_known(const struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
		const struct condition *c = &conditions[i];
		if (c->head && str_starts(f->text, c->head) &&
			(!c->tail || str_ends(f->text, c->tail)) &&
			(f->state_inferred || strcmp(f->state, c->state) == 0))
			return true;
	}
	return false;
}

static struct str inferred_state(struct str m)
{
	m = str_before(m, str_find(m, "\n"));
	m = str_before(m, str_find(m, " at character "));
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
		const struct condition *c = &conditions[i];
		if ((c->head || c->tail) && (!c->head || str_starts(m, c->head)) &&
			(!c->tail || str_ends(m, c->tail)))
			return str_of(c->state);
	}
	return STR_NONE;
}

const char *cancel_cause_name(enum cancel_cause c)
{
	static const char *const names[CANCEL_CAUSES] = {"user_request", "statement_timeout",
		"lock_timeout", "recovery", "autovacuum", "other"};

	return names[c];
}

static enum cancel_cause cause_of(struct str m)
{
	static const struct {
		const char *says;
		enum cancel_cause cause;
	} causes[] = {
		{"due to user request", CANCEL_USER},
		{"due to statement timeout", CANCEL_STATEMENT_TIMEOUT},
		{"due to lock timeout", CANCEL_LOCK_TIMEOUT},
		{"due to conflict with recovery", CANCEL_RECOVERY},
		{"autovacuum task", CANCEL_AUTOVACUUM},
	};

	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (str_find(m, causes[i].says) < m.n)
			return causes[i].cause;
	return CANCEL_OTHER;
}

/* The message with numbers and quoted parts taken out, so that equal faults count together. */
static struct str fault_text(struct arena *a, struct str m)
{
	size_t n, to = 0;

	m = str_before(m, str_find(m, " at character ")); /* the plain log's own addition */
	n = m.n < 300 ? m.n : 300;
	char *out = arena_alloc(a, 2 * n + 8);
	for (size_t i = 0; i < n && m.p[i] != '\n'; i++) {
		char c = m.p[i];
		if (c == '"' || c == '\'') {
			const char *e = memchr(m.p + i + 1, c, m.n - i - 1);
			out[to++] = c;
			if (!e && c == '"') { /* cut off in the middle of it */
				out[to++] = '?';
				break;
			}
			if (e) {
				out[to++] = '?';
				out[to++] = c;
				i = (size_t)(e - m.p);
			}
		} else if (isdigit((unsigned char)c) &&
			   (to == 0 || !isalpha((unsigned char)out[to - 1]))) {
			if (to == 0 || out[to - 1] != '?')
				out[to++] = '?';
		} else {
			out[to++] = c;
		}
	}
	out[to] = '\0';
	return (struct str){out, to};
}

struct fault *facts_fault(struct facts *f, struct str state, struct str text,
	enum log_severity severity)
{
	uint64_t key =
		sql_hash_bytes(text.p ? text.p : "", text.n, str_hash(state) + (uint64_t)severity);
	uint32_t *at = map_put(&f->fault_of, key);

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->fault.n;
		struct fault *x = VEC_PUSH(&f->fault);
		memset(x, 0, sizeof(*x));
		if (state.n == 5)
			memcpy(x->state, state.p, 5);
		x->text = arena_str(&f->arena, text);
		x->severity = severity;
		x->shape = NO_SHAPE;
		return x;
	}
	return &f->fault.at[*at];
}

/* A cancelled statement, or a task of autovacuum that gave way. */
static void note_cancel(struct facts *f, const struct log_entry *e, struct str state)
{
	bool task = str_starts(e->message, "canceling autovacuum task");

	if (str_starts(e->message, "terminating connection due to idle-in-transaction"))
		f->server.idle_timeouts++;
	if (!task && !str_is(state, "57014") && !str_starts(e->message, "canceling statement"))
		return;
	f->server.cancels++;
	facts_slot(f, e->ts)->cancels++;
	f->server.cancel_by[cause_of(e->message)]++;
}

void fault_note(struct facts *f, struct session *s, struct log_entry *e)
{
	struct arena scratch = {0};
	struct str text = fault_text(&scratch, e->message);
	bool has_state = e->sqlstate.n == 5 && !str_is(e->sqlstate, "00000");
	struct str state = has_state ? e->sqlstate : inferred_state(e->message);
	struct fault *x = facts_fault(f, state, text, e->severity);

	if (x->count++ == 0) {
		x->state_inferred = !has_state;
		x->at = (struct place){e->file, e->line};
		x->first_ts = e->ts;
	}
	x->last_ts = e->ts;
	s->open.fault = (uint32_t)(x - f->fault.at);
	s->open.deadlock = str_is(state, "40P01");
	f->server.deadlocks += s->open.deadlock;
	facts_slot(f, e->ts)->errors++;
	const uint32_t who[] = {s->user, s->db, s->app, s->host};
	for (int k = GROUP_USER; k <= GROUP_HOST; k++)
		if (who[k])
			facts_group(f, (enum group_kind)k, who[k])->errors++;
	if (e->ts)
		facts_hour(f, e->ts)->errors++;
	note_cancel(f, e, state);
	if (s->open.deadlock && e->detail.n)
		lock_detail(f, s, e);
	arena_release(&scratch);
}
