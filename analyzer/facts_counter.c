/* SPDX-License-Identifier: ISC
 *
 * facts_counter: the figures a log has besides statements, as tables: one row each, which the
 * JSON report is written and read by, and every other format prints.
 */
#include "facts_build.h"

#define SERVER(field) offsetof(struct server_facts, field)

/* clang-format off */
const struct counter server_counters[] = {
	{"connections", "Sessions", "connections received", SERVER(connections), UNIT_COUNT, false},
	{"disconnections", "Sessions", "sessions ended", SERVER(disconnections), UNIT_COUNT, false},
	{"session_s", "Sessions", "their time", SERVER(session_usec), UNIT_TIME, false},
	{"checkpoints", "Checkpoints", "checkpoints", SERVER(checkpoints), UNIT_COUNT, false},
	{"restartpoints", "Checkpoints", "restartpoints (of these)", SERVER(restartpoints), UNIT_COUNT, false},
	{"checkpoint_warnings", "Checkpoints", "too early (raise max_wal_size)", SERVER(checkpoint_warnings), UNIT_COUNT, false},
	{"checkpoint_buffers", "Checkpoints", "buffers written", SERVER(checkpoint_buffers), UNIT_COUNT, false},
	{"checkpoint_most_buffers", "Checkpoints", "most buffers by one", SERVER(checkpoint_most_buffers), UNIT_COUNT, true},
	{"checkpoint_s", "Checkpoints", "time", SERVER(checkpoint_usec), UNIT_TIME, false},
	{"checkpoint_write_s", "Checkpoints", "of this writing", SERVER(checkpoint_write_usec), UNIT_TIME, false},
	{"checkpoint_sync_s", "Checkpoints", "of this in sync", SERVER(checkpoint_sync_usec), UNIT_TIME, false},
	{"checkpoint_longest_sync_s", "Checkpoints", "longest sync of a file", SERVER(checkpoint_longest_sync), UNIT_TIME, true},
	{"checkpoint_sync_files", "Checkpoints", "files synced", SERVER(checkpoint_sync_files), UNIT_COUNT, false},
	{"wal_files_added", "Checkpoints", "WAL files added", SERVER(wal_added), UNIT_COUNT, false},
	{"wal_files_removed", "Checkpoints", "WAL files removed", SERVER(wal_removed), UNIT_COUNT, false},
	{"wal_files_recycled", "Checkpoints", "WAL files recycled", SERVER(wal_recycled), UNIT_COUNT, false},
	{"checkpoint_distance_bytes", "Checkpoints", "WAL between them", SERVER(checkpoint_distance), UNIT_BYTES, false},
	{"checkpoint_longest_distance_bytes", "Checkpoints", "most WAL between two", SERVER(checkpoint_longest_distance), UNIT_BYTES, true},
	{"autovacuums", "Autovacuum", "vacuums", SERVER(vacuums), UNIT_COUNT, false},
	{"autoanalyzes", "Autovacuum", "analyzes", SERVER(analyzes), UNIT_COUNT, false},
	{"autovacuum_s", "Autovacuum", "time", SERVER(vacuum_usec), UNIT_TIME, false},
	{"autovacuum_longest_s", "Autovacuum", "longest", SERVER(vacuum_longest), UNIT_TIME, true},
	{"temp_files", "Temporary files", "files", SERVER(temp_files), UNIT_COUNT, false},
	{"temp_bytes", "Temporary files", "written", SERVER(temp_bytes), UNIT_BYTES, false},
	{"temp_largest_bytes", "Temporary files", "largest file", SERVER(temp_largest), UNIT_BYTES, true},
	{"lock_waits", "Locks", "waits", SERVER(lock_waits), UNIT_COUNT, false},
	{"lock_wait_s", "Locks", "time waited", SERVER(lock_usec), UNIT_TIME, false},
	{"lock_longest_wait_s", "Locks", "longest wait", SERVER(lock_longest), UNIT_TIME, true},
	{"deadlocks", "Locks", "deadlocks", SERVER(deadlocks), UNIT_COUNT, false},
	{"cancels", "Cancelled", "statements cancelled", SERVER(cancels), UNIT_COUNT, false},
	{"cancels_user_request", "Cancelled", "by the user", SERVER(cancel_by[CANCEL_USER]), UNIT_COUNT, false},
	{"cancels_statement_timeout", "Cancelled", "by statement_timeout", SERVER(cancel_by[CANCEL_STATEMENT_TIMEOUT]), UNIT_COUNT, false},
	{"cancels_lock_timeout", "Cancelled", "by lock_timeout", SERVER(cancel_by[CANCEL_LOCK_TIMEOUT]), UNIT_COUNT, false},
	{"cancels_recovery", "Cancelled", "by a conflict with recovery", SERVER(cancel_by[CANCEL_RECOVERY]), UNIT_COUNT, false},
	{"cancels_autovacuum", "Cancelled", "autovacuum that gave way", SERVER(cancel_by[CANCEL_AUTOVACUUM]), UNIT_COUNT, false},
	{"cancels_other", "Cancelled", "otherwise", SERVER(cancel_by[CANCEL_OTHER]), UNIT_COUNT, false},
	{"idle_in_transaction_timeouts", "Cancelled", "terminated idle in a transaction", SERVER(idle_timeouts), UNIT_COUNT, false},
	{"prepares", "Extended protocol", "parsed (prepared)", SERVER(parses), UNIT_COUNT, false},
	{"binds", "Extended protocol", "bound", SERVER(binds), UNIT_COUNT, false},
	{"executes", "Extended protocol", "executed", SERVER(executes), UNIT_COUNT, false},
	{"prepare_s", "Extended protocol", "time in parse", SERVER(parse_usec), UNIT_TIME, false},
	{"bind_s", "Extended protocol", "time in bind", SERVER(bind_usec), UNIT_TIME, false},
	{"messages_panic", "Messages", "PANIC", SERVER(messages[SEV_PANIC]), UNIT_COUNT, false},
	{"messages_fatal", "Messages", "FATAL", SERVER(messages[SEV_FATAL]), UNIT_COUNT, false},
	{"messages_error", "Messages", "ERROR", SERVER(messages[SEV_ERROR]), UNIT_COUNT, false},
	{"messages_warning", "Messages", "WARNING", SERVER(messages[SEV_WARNING]), UNIT_COUNT, false},
	{"messages_notice", "Messages", "NOTICE", SERVER(messages[SEV_NOTICE]), UNIT_COUNT, false},
	{"messages_info", "Messages", "INFO", SERVER(messages[SEV_INFO]), UNIT_COUNT, false},
	{"messages_log", "Messages", "LOG", SERVER(messages[SEV_LOG]), UNIT_COUNT, false},
	{"messages_debug", "Messages", "DEBUG", SERVER(messages[SEV_DEBUG]), UNIT_COUNT, false},
	{NULL, NULL, NULL, 0, UNIT_COUNT, false},
};

#define VACUUM(field) offsetof(struct vacuumed, field)

const struct counter vacuum_counters[] = {
	{"vacuums", NULL, "vacuumed", VACUUM(vacuums), UNIT_COUNT, false},
	{"analyzes", NULL, "analyzed", VACUUM(analyzes), UNIT_COUNT, false},
	{"ms", NULL, "took", VACUUM(usec), UNIT_MS, false},
	{"tuples_removed", NULL, "rows removed", VACUUM(tuples), UNIT_COUNT, false},
	{"tuples_dead", NULL, "not yet removable", VACUUM(dead), UNIT_COUNT, false},
	{"pages_removed", NULL, "pages removed", VACUUM(pages), UNIT_COUNT, false},
	{"index_scans", NULL, "index scans", VACUUM(index_scans), UNIT_COUNT, false},
	{"buffer_hits", NULL, "buffer hits", VACUUM(hits), UNIT_COUNT, false},
	{"buffer_misses", NULL, "buffers read", VACUUM(misses), UNIT_COUNT, false},
	{"buffers_dirtied", NULL, "buffers dirtied", VACUUM(dirtied), UNIT_COUNT, false},
	{"wal_bytes", NULL, "WAL", VACUUM(wal), UNIT_BYTES, false},
	{NULL, NULL, NULL, 0, UNIT_COUNT, false},
};
/* clang-format on */

uint64_t counter_get(const struct counter *c, const void *of)
{
	return *(const uint64_t *)((const char *)of + c->at);
}

void counter_add(const struct counter *c, void *to, uint64_t v)
{
	uint64_t *at = (uint64_t *)((char *)to + c->at);

	*at = c->is_max ? (v > *at ? v : *at) : *at + v;
}

/* Kinds of a thing, few of them: the rest goes together. */
#define KINDS_MAX 64

struct kind_count *facts_kind(struct facts *f, enum kind_of of, struct str name)
{
	size_t seen = 0;

	for (size_t i = 0; i < f->kind.n; i++) {
		struct kind_count *k = &f->kind.at[i];
		if (k->of == of && (str_eq(k->name, name) || seen >= KINDS_MAX))
			return k;
		seen += k->of == of;
	}
	struct kind_count *k = VEC_PUSH(&f->kind);
	*k = (struct kind_count){
		.of = of, .name = seen < KINDS_MAX ? arena_str(&f->arena, name) : STR("others")};
	return k;
}
