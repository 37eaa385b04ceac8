/* Rows of conf_settings[]: pools, their limits, and how long everything may take.
 * Included by conf_table.c and by nobody else. */
/* clang-format off */

{
	.section = "Pools",
	.name = "pool_mode",
	.type = CONF_WORD,
	.at = {POOLER(pool_mode), DATABASE(pool_mode), USER(pool_mode)},
	.def = "session",
	.words = pool_mode_words,
	.help = "When a server connection goes back to its pool. `session`: when the client "
		"leaves. `transaction`: when its transaction ends. `statement`: when its "
		"statement ends; transactions are refused. `auto`: as transaction, but a client "
		"that makes state only a session can hold (LISTEN, temporary tables, session "
		"advisory locks, ...) keeps its connection until that state is gone. Replication "
		"clients have a connection of their own, under the same limits, in every mode.",
},
{
	.name = "max_open",
	.pgbouncer = "default_pool_size",
	.alias = {"pool_size"},
	.type = CONF_INT,
	.at = {POOLER(max_open), DATABASE(max_open), USER(max_open)},
	.def = "20",
	.max = 1000000,
	.help = "Server connections of one pool, that is of one database and user. 0: no limit.",
},
{
	.name = "min_open",
	.pgbouncer = "min_pool_size",
	.type = CONF_INT,
	.at = {POOLER(min_open), DATABASE(min_open)},
	.def = "0",
	.max = 1000000,
	.help = "Server connections that a pool keeps ready even when nobody asks, for pools with "
		"a fixed user or with a client. Never more than max_open.",
},
{
	.name = "max_idle",
	.type = CONF_INT,
	.at = {POOLER(max_idle), DATABASE(max_idle), USER(max_idle)},
	.def = "0",
	.max = 1000000,
	.help = "Idle server connections that a pool keeps; one that is given back beyond these "
		"is closed at once. 0: all are kept.",
},
{
	.name = "max_idle_time",
	.pgbouncer = "server_idle_timeout",
	.type = CONF_TIME,
	.at = {POOLER(max_idle_time), DATABASE(max_idle_time)},
	.def = "600",
	.unit = "s",
	.help = "A server connection that nobody used for this long is closed. 0: never.",
},
{
	.name = "max_lifetime",
	.pgbouncer = "server_lifetime",
	.type = CONF_TIME,
	.at = {POOLER(max_lifetime), DATABASE(max_lifetime)},
	.def = "3600",
	.unit = "s",
	.zero_inherits = true,
	.help = "A server connection older than this is closed when it is next idle; a little "
		"chance in each one's age keeps them from ending together, and a pool that is in "
		"use gets the replacement first. 0: a connection is used once.",
},
{
	.name = "reserve_pool_size",
	.alias = {"reserve_pool"},
	.type = CONF_INT,
	.at = {POOLER(reserve_pool_size), DATABASE(reserve_pool_size), USER(reserve_pool_size)},
	.def = "0",
	.max = 1000000,
	.help = "Server connections that a pool may open beyond max_open once a client has waited "
		"for reserve_pool_timeout. 0: none.",
},
{
	.name = "reserve_pool_timeout",
	.type = CONF_TIME,
	.at = {POOLER(reserve_pool_timeout)},
	.def = "5",
	.unit = "s",
	.help = "How long a client waits before its pool may use the reserve. 0: the reserve is "
		"not used.",
},
{
	.name = "queue_limit",
	.type = CONF_INT,
	.at = {POOLER(queue_limit), DATABASE(queue_limit), USER(queue_limit)},
	.def = "0",
	.max = 10000000,
	.help = "Clients of one pool that may wait for a server connection; the next one is "
		"refused with SQLSTATE 53300. 0: no limit.",
},
{
	.name = "server_round_robin",
	.type = CONF_BOOL,
	.at = {POOLER(server_round_robin)},
	.def = "0",
	.help = "Which idle connection serves next. 0: the one used last, so that few are busy "
		"and the rest may end; 1: the one idle longest, so that all hosts behind an "
		"address get their share.",
},
{
	.name = "max_dialing",
	.type = CONF_INT,
	.at = {POOLER(max_dialing)},
	.def = "10",
	.min = 1,
	.max = 1000,
	.help = "Logins to servers that may be under way at one time. A cold pool fills quickly, "
		"and a server that just came back is not overrun.",
},

{
	.section = "Limits",
	.name = "max_client_conn",
	.type = CONF_INT,
	.at = {POOLER(max_client_conn)},
	.def = "100",
	.max = 10000000,
	.help = "Client connections of the whole process. The limit of open files must allow for "
		"these and for the server connections.",
},
{
	.name = "max_db_connections",
	.type = CONF_INT,
	.at = {POOLER(max_db_connections), DATABASE(max_db_connections)},
	.def = "0",
	.max = 1000000,
	.zero_inherits = true,
	.help = "Server connections of one database, over all its users. 0: no limit.",
},
{
	.name = "max_db_client_connections",
	.type = CONF_INT,
	.at = {POOLER(max_db_client_connections), DATABASE(max_db_client_connections)},
	.def = "0",
	.max = 10000000,
	.zero_inherits = true,
	.help = "Client connections of one database, over all its users. 0: no limit.",
},
{
	.name = "max_user_connections",
	.type = CONF_INT,
	.at = {POOLER(max_user_connections), USER(max_user_connections)},
	.def = "0",
	.max = 1000000,
	.zero_inherits = true,
	.help = "Server connections of one user, over all databases. 0: no limit.",
},
{
	.name = "max_user_client_connections",
	.type = CONF_INT,
	.at = {POOLER(max_user_client_connections), USER(max_user_client_connections)},
	.def = "0",
	.max = 10000000,
	.zero_inherits = true,
	.help = "Client connections of one user, over all databases. 0: no limit.",
},
{
	.name = "max_packet_size",
	.type = CONF_SIZE,
	.at = {POOLER(max_packet_size)},
	.def = "2147483647",
	.min = 1024,
	.max = 2147483647,
	.help = "The longest message we pass on, either way; a longer one ends the connection.",
},

{
	.section = "Timeouts",
	.name = "query_wait_timeout",
	.type = CONF_TIME,
	.at = {POOLER(query_wait_timeout), DATABASE(query_wait_timeout), USER(query_wait_timeout)},
	.def = "120",
	.unit = "s",
	.help = "How long a client may wait for a server connection. Then it gets an error that "
		"says so, and its connection ends. 0: for ever.",
},
{
	.name = "query_wait_notify",
	.type = CONF_TIME,
	.at = {POOLER(query_wait_notify)},
	.def = "5",
	.unit = "s",
	.help = "A client that has waited this long is told by a NOTICE what it waits for. 0: "
		"not.",
},
{
	.name = "query_timeout",
	.type = CONF_TIME,
	.at = {POOLER(query_timeout), DATABASE(query_timeout), USER(query_timeout)},
	.def = "0",
	.unit = "s",
	.zero_inherits = true,
	.help = "A query that takes longer is cancelled and its client closed. Set it a little "
		"above the server's statement_timeout: it is meant for networks that went away. "
		"0: none.",
},
{
	.name = "transaction_timeout",
	.type = CONF_TIME,
	.at = {POOLER(transaction_timeout), DATABASE(transaction_timeout),
		USER(transaction_timeout)},
	.def = "0",
	.unit = "s",
	.zero_inherits = true,
	.help = "A client whose transaction takes longer is closed. 0: none.",
},
{
	.name = "idle_transaction_timeout",
	.type = CONF_TIME,
	.at = {POOLER(idle_transaction_timeout), DATABASE(idle_transaction_timeout),
		USER(idle_transaction_timeout)},
	.def = "0",
	.unit = "s",
	.zero_inherits = true,
	.help = "A client that sits idle in a transaction for longer is closed. 0: none.",
},
{
	.name = "client_idle_timeout",
	.type = CONF_TIME,
	.at = {POOLER(client_idle_timeout), DATABASE(client_idle_timeout),
		USER(client_idle_timeout)},
	.def = "0",
	.unit = "s",
	.zero_inherits = true,
	.help = "A client that sent nothing for this long is closed. Should be above the lifetime "
		"of connections in the client's own pool. 0: none.",
},
{
	.name = "client_login_timeout",
	.type = CONF_TIME,
	.at = {POOLER(client_login_timeout)},
	.def = "60",
	.unit = "s",
	.help = "A client that has not logged in after this long is closed. 0: none.",
},
{
	.name = "cancel_wait_timeout",
	.type = CONF_TIME,
	.at = {POOLER(cancel_wait_timeout)},
	.def = "10",
	.unit = "s",
	.help = "How long a cancel request may wait for its turn before it is given up. 0: for "
		"ever.",
},
{
	.name = "server_connect_timeout",
	.type = CONF_TIME,
	.at = {POOLER(server_connect_timeout)},
	.def = "15",
	.unit = "s",
	.help = "How long a connection to a server may take to be made and logged in. 0: for "
		"ever.",
},
{
	.name = "server_login_retry",
	.type = CONF_TIME,
	.at = {POOLER(server_login_retry)},
	.def = "15",
	.unit = "s",
	.help = "After a server refused a connection, the next attempt is made this much later; "
		"clients that come in between get the server's error at once.",
},
{
	.name = "autodb_idle_timeout",
	.type = CONF_TIME,
	.at = {POOLER(autodb_idle_timeout)},
	.def = "3600",
	.unit = "s",
	.help = "A pool of the `*` line that has had neither clients nor server connections for so "
		"long is freed, and its database's statistics with its last pool. 0: never.",
},
{
	.name = "pool_idle_timeout",
	.type = CONF_TIME,
	.at = {POOLER(pool_idle_timeout)},
	.def = "0",
	.unit = "s",
	.help = "The same for pools of databases that have a line of their own. 0: never.",
},
