/* SPDX-License-Identifier: ISC
 *
 * The table of SHOW commands, and those that need nobody but the process itself.
 */
#include "console_inner.h"

static void finish(struct request *q)
{
	q->answer.tag = "SHOW";
	request_done(q);
}

/* --- VERSION, STATE, HELP ------------------------------------------------------------ */

/* The first number is what scrapers choose their columns by, so it is PgBouncer's. */
static void show_version(struct request *q)
{
	struct row r = row_begin(&q->answer.rows);

	row_text(&r,
		"PgBouncer " CONSOLE_PGBOUNCER_VERSION " compatible: pgsluice " PGSLUICE_VERSION);
	row_end(&r);
	finish(q);
}

static void put_pair(struct request *q, const char *key, const char *value)
{
	struct row r = row_begin(&q->answer.rows);

	row_text(&r, key);
	row_text(&r, value);
	row_end(&r);
}

static void show_state(struct request *q)
{
	bool paused = hub.paused == HUB_PAUSED, suspended = hub.paused == HUB_SUSPENDED;

	put_pair(q, "active", !paused && !suspended ? "yes" : "no");
	put_pair(q, "paused", paused ? "yes" : "no");
	put_pair(q, "suspended", suspended ? "yes" : "no");
	finish(q);
}

static void put_usage(struct buf *b, const struct console_row *table, const char *before)
{
	for (; table->name; table++) {
		size_t from = b->len, width;

		buf_printf(b, "\n\t%s", before);
		for (const char *p = table->name; *p; p++)
			buf_put_u8(b, (uint8_t)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
		if (table->args)
			buf_printf(b, " %s", table->args);
		width = b->len - from;
		buf_printf(b, "%*s%s", width < 48 ? (int)(48 - width) : 1, "", table->help);
	}
}

static void show_help(struct request *q)
{
	struct buf detail = {0};

	put_usage(&detail, console_shows, "SHOW ");
	put_usage(&detail, console_commands, "");
	wire_put_error(&q->answer.notices, 'N', "NOTICE", "00000", "Console usage",
		buf_cstr(&detail), NULL);
	buf_free(&detail);
	finish(q);
}

/* --- CONFIG ------------------------------------------------------------------------------ */

static void put_setting(void *arg, const struct conf_shown *s)
{
	struct request *q = arg;
	struct row r = row_begin(&q->answer.rows);

	row_text(&r, s->key);
	row_text(&r, s->value[0] || s->def ? s->value : NULL); /* as PgBouncer: NULL is unset */
	row_text(&r, s->def);
	row_text(&r, s->changeable ? "yes" : "no");
	row_end(&r);
}

static void show_config(struct request *q)
{
	conf_each_setting(hub.conf, put_setting, q);
	finish(q);
}

static void put_source(void *arg, const struct conf_shown *s)
{
	struct request *q = arg;
	struct row r = row_begin(&q->answer.rows);

	row_text(&r, s->key);
	row_text(&r, s->value);
	row_text(&r, s->source);
	row_text(&r, s->setting->ignored ? s->setting->ignored : "");
	row_end(&r);
}

static void show_settings(struct request *q)
{
	conf_each_setting(hub.conf, put_source, q);
	finish(q);
}

/* --- peers --------------------------------------------------------------------------------- */

static void show_peers(struct request *q)
{
	for (size_t i = 0; i < hub.conf->n_peers; i++) {
		const struct conf_peer *p = &hub.conf->peers[i];
		struct row r = row_begin(&q->answer.rows);

		row_int(&r, p->id);
		row_text(&r, p->host);
		row_int(&r, p->port);
		row_int(&r, p->pool_size == CONF_UNSET ? hub.conf->p.max_open : p->pool_size);
		row_end(&r);
	}
	finish(q);
}

static void show_peer_pools(struct request *q)
{
	for (size_t i = 0; i < hub.conf->n_peers; i++) {
		struct row r = row_begin(&q->answer.rows);

		row_int(&r, hub.conf->peers[i].id);
		for (int k = 0; k < 4; k++)
			row_int(&r, 0); /* cancels are passed on at once, by helpers */
		row_end(&r);
	}
	finish(q);
}

/* Names are resolved by libpq when it dials; nothing is kept. */
static void show_nothing(struct request *q)
{
	finish(q);
}

/* --- the table ---------------------------------------------------------------------------------
 */

#define SOCKET_COLUMNS                                                                             \
	"type s, user s, database s, replication s, state s, addr s, port i, local_addr s, "       \
	"local_port i, connect_time T, request_time T, wait i, wait_us i, close_needed i, ptr s, " \
	"link s, remote_pid i, tls s, application_name s, prepared_statements i, id i"
#define DEBUG_COLUMNS                                                                              \
	SOCKET_COLUMNS                                                                             \
	", recv_pos i, pkt_pos i, pkt_remain i, send_pos i, send_remain i, pkt_avail i, "          \
	"send_avail i"

#define QUERY_COLUMNS                                                                              \
	"calls q, rows q, errors q, server_us_total q, server_us_mean q, "                         \
	"server_us_p50 q, server_us_p95 q, server_us_p99 q, server_us_max q, "                     \
	"wait_us_total q, wait_us_mean q, wait_us_p50 q, wait_us_p95 q, "                          \
	"wait_us_p99 q, wait_us_max q, bytes_in q, bytes_out q, first_seen s, "                    \
	"last_seen s"

#define STATS_COLUMNS                                                                              \
	"database s, total_server_assignment_count N, total_xact_count N, "                        \
	"total_query_count N, total_received N, total_sent N, total_xact_time N, "                 \
	"total_query_time N, total_wait_time N, total_client_parse_count N, "                      \
	"total_server_parse_count N, total_bind_count N, "                                         \
	"avg_server_assignment_count N, avg_xact_count N, avg_query_count N, "                     \
	"avg_recv N, avg_sent N, avg_xact_time N, avg_query_time N, "                              \
	"avg_wait_time N, avg_client_parse_count N, avg_server_parse_count N, "                    \
	"avg_bind_count N"
#define DATABASE_COLUMNS                                                                           \
	"name s, host s, port i, database s, force_user s, pool_size i, "                          \
	"min_pool_size i, reserve_pool_size i, server_lifetime i, pool_mode s, "                   \
	"load_balance_hosts s, max_connections i, current_connections i, "                         \
	"max_client_connections i, current_client_connections i, paused i, disabled i"

const struct console_row console_shows[] = {
	{.name = "help", .run = show_help, .help = "this list"},
	{.name = "config",
		.run = show_config,
		.help = "settings",
		.columns = "key s, value s, default s, changeable s"},
	{.name = "settings",
		.run = show_settings,
		.help = "settings and where they come from",
		.columns = "key s, value s, source s, note s"},
	{.name = "databases",
		.run = show_databases,
		.help = "databases as configured",
		.columns = DATABASE_COLUMNS,
		.old_columns = DATABASE_COLUMNS ", reserve_pool i"},
	{.name = "pools",
		.run = show_pools,
		.help = "clients and servers of each pool, counted",
		.columns = "database s, user s, cl_active i, cl_waiting i, cl_active_cancel_req i, "
			   "cl_waiting_cancel_req i, sv_active i, sv_active_cancel i, "
			   "sv_being_canceled i, sv_idle i, sv_used i, sv_tested i, sv_login i, "
			   "maxwait i, maxwait_us i, pool_mode s, load_balance_hosts s"},
	{.name = "clients", .run = show_clients, .help = "every client", .columns = SOCKET_COLUMNS},
	{.name = "servers",
		.run = show_servers,
		.help = "every server connection",
		.columns = SOCKET_COLUMNS},
	{.name = "users",
		.run = show_users,
		.help = "users and their limits",
		.columns = "name s, pool_size s, reserve_pool_size s, pool_mode s, "
			   "max_user_connections i, current_connections i, "
			   "max_user_client_connections i, current_client_connections i"},
	{.name = "version", .run = show_version, .help = "what runs here", .columns = "version s"},
	{.name = "peers",
		.run = show_peers,
		.help = "processes that share the port",
		.columns = "peer_id i, host s, port i, pool_size i"},
	{.name = "peer_pools",
		.run = show_peer_pools,
		.help = "cancels passed to them",
		.columns = "peer_id i, cl_active_cancel_req i, cl_waiting_cancel_req i, "
			   "sv_active_cancel i, sv_login i"},
	{.name = "fds",
		.run = show_fds,
		.right = RIGHT_ADMIN,
		.help = "descriptors",
		.columns = "fd i, task s, user s, database s, addr s, port i, cancel q, link i, "
			   "client_encoding s, std_strings s, datestyle s, timezone s, password s, "
			   "scram_client_key b, scram_server_key b"},
	{.name = "sockets",
		.run = show_sockets,
		.help = "every connection, with buffers",
		.columns = DEBUG_COLUMNS},
	{.name = "active_sockets",
		.run = show_active_sockets,
		.help = "those with something in them",
		.columns = DEBUG_COLUMNS},
	{.name = "lists",
		.run = show_lists,
		.help = "how many there are of what",
		.columns = "list s, items i"},
	{.name = "mem",
		.run = show_mem,
		.help = "memory by kind",
		.columns = "name s, size i, used i, free i, memtotal i"},
	{.name = "state",
		.run = show_state,
		.help = "active, paused or suspended",
		.columns = "key s, value s"},
	{.name = "dns_hosts",
		.run = show_nothing,
		.help = "always empty: libpq resolves names",
		.columns = "hostname s, ttl q, addrs s"},
	{.name = "dns_zones",
		.run = show_nothing,
		.help = "always empty: libpq resolves names",
		.columns = "zonename s, serial q, count i"},
	{.name = "stats",
		.run = show_stats,
		.help = "totals and averages by database",
		.columns = STATS_COLUMNS,
		.old_columns = STATS_COLUMNS ", total_requests N"},
	{.name = "stats_totals",
		.run = show_stats_totals,
		.help = "totals by database",
		.columns =
			"database s, server_assignment_count N, xact_count N, query_count N, "
			"bytes_received N, bytes_sent N, xact_time N, query_time N, wait_time N, "
			"client_parse_count N, server_parse_count N, bind_count N"},
	{.name = "stats_averages",
		.run = show_stats_averages,
		.help = "averages by database",
		.columns =
			"database s, server_assignment_count N, xact_count N, query_count N, "
			"bytes_received N, bytes_sent N, xact_time N, query_time N, wait_time N, "
			"avg_client_parse_count N, avg_server_parse_count N, avg_bind_count N"},
	{.name = "totals",
		.run = show_totals,
		.help = "totals and averages of the process",
		.columns = "name s, value N"},
	{.name = "queries",
		.args = "[<n>]",
		.max_args = 1,
		.run = show_queries,
		.help = "statements by shape, dearest first",
		.columns = "shape s, query s, calls q, rows q, errors q, server_us_total q, "
			   "server_us_mean q, server_us_p50 q, server_us_p95 q, server_us_p99 q, "
			   "server_us_max q, wait_us_total q, wait_us_mean q, wait_us_p50 q, "
			   "wait_us_p95 q, wait_us_p99 q, wait_us_max q, bytes_in q, bytes_out q, "
			   "first_seen s, last_seen s, n_plus_one q, n_plus_one_calls q, "
			   "n_plus_one_longest q, n_plus_one_parent s"},
	{.name = "queries_users",
		.args = "[<n>]",
		.max_args = 1,
		.run = show_queries_users,
		.help = "the same by user",
		.columns = "user s, " QUERY_COLUMNS},
	{.name = "queries_databases",
		.args = "[<n>]",
		.max_args = 1,
		.run = show_queries_databases,
		.help = "the same by database",
		.columns = "database s, " QUERY_COLUMNS},
	{.name = "queries_applications",
		.args = "[<n>]",
		.max_args = 1,
		.run = show_queries_applications,
		.help = "the same by application",
		.columns = "application s, " QUERY_COLUMNS},
	{.name = "latency",
		.run = show_latency,
		.help = "microseconds clients waited and servers worked, by pool",
		.columns = "database s, user s, wait_count q, wait_us_mean q, wait_us_p50 q, "
			   "wait_us_p95 q, wait_us_p99 q, wait_us_max q, server_count q, "
			   "server_us_mean q, server_us_p50 q, server_us_p95 q, server_us_p99 q, "
			   "server_us_max q"},
	/* ours */
	{.name = "waits",
		.run = show_waits,
		.help = "who waits, why, and who has what it waits for",
		.columns = "id q, database s, user s, addr s, application_name s, wait_us q, "
			   "position i, reason s, statement s, holder_id q, holder_addr s, "
			   "holder_application_name s, holder_server_pid i, holder_state s, "
			   "holder_us q, holder_statement s"},
	{.name = "sessions",
		.run = show_sessions,
		.help = "every client, as a session",
		.columns =
			"id q, database s, user s, application_name s, addr s, worker i, "
			"pool_mode s, state s, state_us q, transaction_us q, connect_time T, "
			"server_pid i, pid q, pinned i, prepared_statements i, prepared_bytes q, "
			"buffered_bytes q, statement s"},
	{.name = "pins",
		.run = show_pins,
		.help = "clients that keep a server connection, and why",
		.columns = "id q, database s, user s, application_name s, addr s, server_pid i, "
			   "pinned_us q, idle_us q, reason s"},
	{.name = "workers",
		.run = show_workers,
		.help = "threads, and how busy they are",
		.columns = "name s, clients i, servers i, pools i, ticks q, lag_max_us q, "
			   "lent_bytes q, taken_over q"},
	{.name = "who",
		.args = "<backend pid> [AT 'time']",
		.min_args = 1,
		.max_args = 4,
		.run = show_who,
		.help = "which client used that server process, and when",
		.columns =
			"id q, database s, user s, application_name s, addr s, since s, until s"},
	{0},
};
