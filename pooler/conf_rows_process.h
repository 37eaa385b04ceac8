/* Rows of conf_settings[]: where we listen, the process, the operator's log.
 * Included by conf_table.c and by nobody else. */
/* clang-format off */

{
	.section = "Listening",
	.name = "listen_addr",
	.type = CONF_LIST,
	.at = {POOLER(listen_addr)},
	.def = "",
	.restart = true,
	.example = "127.0.0.1, ::1",
	.help = "Addresses to listen on, separated by commas: IPv4, IPv6 or names; `*` is all of "
		"them. Empty: no TCP, only the unix socket.",
},
{
	.name = "listen_port",
	.type = CONF_INT,
	.at = {POOLER(listen_port)},
	.def = "6432",
	.min = 1,
	.max = 65535,
	.restart = true,
	.help = "The port, of the TCP addresses and in the name of the unix socket.",
},
{
	.name = "listen_backlog",
	.type = CONF_INT,
	.at = {POOLER(listen_backlog)},
	.def = "128",
	.min = 1,
	.max = 1000000,
	.restart = true,
	.help = "How many connections the kernel may hold for us before we accept them; it caps "
		"this at net.core.somaxconn.",
},
{
	.name = "unix_socket_dir",
	.type = CONF_FILE,
	.at = {POOLER(unix_socket_dir)},
	.def = "/tmp",
	.restart = true,
	.help = "Directory of the unix socket `.s.PGSQL.PORT`, and of the server's socket where a "
		"database names no host. A leading `@` means the abstract namespace; empty: no "
		"unix socket.",
},
{
	.name = "unix_socket_mode",
	.type = CONF_OCTAL,
	.at = {POOLER(unix_socket_mode)},
	.def = "0777",
	.max = 07777,
	.restart = true,
	.help = "Permissions of the unix socket, in octal with a leading 0.",
},
{
	.name = "unix_socket_group",
	.type = CONF_STRING,
	.at = {POOLER(unix_socket_group)},
	.def = "",
	.restart = true,
	.example = "postgres",
	.help = "Group that the unix socket is given to.",
},
{
	.name = "so_reuseport",
	.type = CONF_BOOL,
	.at = {POOLER(so_reuseport)},
	.def = "0",
	.restart = true,
	.help = "Lets several processes listen on the same TCP port; the kernel spreads the "
		"clients over them. Give each a `peer_id` and a `[peers]` section, so that a "
		"cancel request finds its process, and a unix_socket_dir and pidfile of its own. "
		"One process with several `workers` does not need this.",
},
{
	.name = "tcp_defer_accept",
	.type = CONF_BOOL,
	.at = {POOLER(tcp_defer_accept)},
	.def = "1",
	.help = "TCP_DEFER_ACCEPT on the listening sockets: a client that says nothing costs us "
		"nothing.",
},
{
	.name = "tcp_socket_buffer",
	.type = CONF_SIZE,
	.at = {POOLER(tcp_socket_buffer)},
	.def = "0",
	.max = 1 << 30,
	.help = "SO_SNDBUF and SO_RCVBUF of TCP connections. 0 leaves them to the kernel.",
},
{
	.name = "tcp_keepalive",
	.type = CONF_BOOL,
	.at = {POOLER(tcp_keepalive)},
	.def = "1",
	.help = "TCP keepalive, on connections of clients and of servers.",
},
{
	.name = "tcp_keepcnt",
	.type = CONF_INT,
	.at = {POOLER(tcp_keepcnt)},
	.def = "0",
	.max = 127,
	.help = "Unanswered keepalive probes after which a peer is dead. 0: the kernel's default.",
},
{
	.name = "tcp_keepidle",
	.type = CONF_TIME,
	.at = {POOLER(tcp_keepidle)},
	.def = "0",
	.max = 32767,
	.unit = "s",
	.help = "Quiet time before the first keepalive probe. 0: the kernel's default.",
},
{
	.name = "tcp_keepintvl",
	.type = CONF_TIME,
	.at = {POOLER(tcp_keepintvl)},
	.def = "0",
	.max = 32767,
	.unit = "s",
	.help = "Time between keepalive probes. 0: the kernel's default.",
},
{
	.name = "tcp_user_timeout",
	.type = CONF_TIME,
	.at = {POOLER(tcp_user_timeout)},
	.def = "0",
	.max = 2147483647,
	.unit = "ms",
	.help = "TCP_USER_TIMEOUT: how long sent data may stay unacknowledged before the "
		"connection is given up. A bare number is milliseconds. 0: the kernel's default.",
},

{
	.section = "The process",
	.name = "workers",
	.type = CONF_INT,
	.at = {POOLER(workers)},
	.def = "auto",
	.max = 64,
	.zero = "auto",
	.restart = true,
	.help = "Threads that serve connections. `auto` is one for every two CPUs, at least one, up "
		"to 8: clients, servers and the kernel's network need CPUs, too, and one worker "
		"that has its own does tens of thousands of transactions a second. One thread more "
		"accepts and authenticates clients; but with 1, and where each CPU has its worker, "
		"the first one does that as well, which is cheaper, though TLS handshakes and "
		"RELOAD then delay its queries. Every limit in this file is the limit of the whole "
		"process, whatever the number of workers.",
},
{
	.name = "shards",
	.type = CONF_INT,
	.at = {POOLER(shards), DATABASE(shards)},
	.def = "auto",
	.max = 64,
	.zero = "auto",
	.help = "Over how many workers one pool is spread. `auto` lets a busy pool grow over the "
		"workers by itself; 1 keeps a pool on one worker. A pool never has more shards "
		"than it has connections or the process has workers. A connection that is idle in "
		"one shard goes to another where a client waits.",
},
{
	.name = "scheduling",
	.type = CONF_WORD,
	.at = {POOLER(scheduling)},
	.def = "auto",
	.words = scheduling_words,
	.restart = true,
	.help = "Where all CPUs are busy: with `batch` (SCHED_BATCH) a worker that wakes does not "
		"interrupt who runs, most often the server process whose answer comes next; it "
		"has more to do at once then and takes less CPU time. With `normal` it interrupts "
		"as other programs do. `auto` is `batch` as long as it waits for a CPU for less "
		"than a millisecond on average, else `normal` for a while. Where a CPU is idle "
		"all are the same. A policy that systemd or chrt has given the process stays.",
},
{
	.name = "user",
	.type = CONF_STRING,
	.at = {POOLER(user)},
	.restart = true,
	.example = "pgsluice",
	.help = "The system user to become once the sockets are open. Needs to be started as "
		"root.",
},
{
	.name = "pidfile",
	.type = CONF_FILE,
	.at = {POOLER(pidfile)},
	.def = "",
	.restart = true,
	.example = "/run/pgsluice/pgsluice.pid",
	.help = "Where the process id is written. Needed for `-d`.",
},
{
	.name = "conffile",
	.type = CONF_FILE,
	.at = {POOLER(conffile)},
	.help = "The file that the next RELOAD reads, when it is to be another than the one named "
		"on the command line.",
},
{
	.name = "max_memory",
	.type = CONF_SIZE,
	.at = {POOLER(max_memory)},
	.def = "0",
	.max = 1099511627776.0,
	.help = "What clients may make the process hold (buffers, parked requests, prepared "
		"statements). Beyond it new clients are refused, and who sends a request of more "
		"than 4 kB that must wait is closed. 0: no limit.",
},
{
	.name = "shutdown_timeout",
	.type = CONF_TIME,
	.at = {POOLER(shutdown_timeout)},
	.def = "0",
	.unit = "s",
	.help = "How long a graceful shutdown (TERM, INT, `SHUTDOWN WAIT_FOR_...`) may wait for "
		"clients or servers; then it goes on at once. 0: for as long as they take.",
},
{
	.name = "suspend_timeout",
	.type = CONF_TIME,
	.at = {POOLER(suspend_timeout)},
	.def = "10",
	.unit = "s",
	.help = "How long SUSPEND waits for buffers to drain; connections that do not get there are "
		"closed.",
},
{
	.name = "peer_id",
	.type = CONF_INT,
	.at = {POOLER(peer_id)},
	.def = "0",
	.max = 16383,
	.restart = true,
	.help = "Number of this process among those of the `[peers]` section, which all of them "
		"have alike. The cancel keys that clients are given carry it, so that a request "
		"which reaches another process finds its way. 0: no peers.",
},

{
	.section = "Log",
	.name = "logfile",
	.type = CONF_FILE,
	.at = {POOLER(logfile)},
	.def = "",
	.example = "/var/log/pgsluice/pgsluice.log",
	.help = "The operator's log. It is written through line by line, and opened anew by HUP "
		"and RELOAD, as log rotation wants it. Standard error goes on being used too "
		"unless `-q` or `-d` is given.",
},
{
	.name = "log_format",
	.type = CONF_WORD,
	.at = {POOLER(log_format)},
	.def = "text",
	.words = log_format_words,
	.help = "`text` is a line for people, `json` one object a line.",
},
{
	.name = "verbose",
	.type = CONF_INT,
	.at = {POOLER(verbose)},
	.def = "0",
	.max = 100,
	.help = "How much is said: 0, or as many `-v`; 2 and more say everything.",
},
{
	.name = "log_levels",
	.type = CONF_LIST,
	.at = {POOLER(log_levels)},
	.def = "",
	.check = check_log_levels,
	.example = "pool=debug, net=warning",
	.help = "Levels for single parts of the program, over what `verbose` says: a list of "
		"PART=LEVEL. Parts: main, conf, net, auth, pool, session, dial, console, obs. "
		"Levels: error, warning, info, debug, noise.",
},
{
	.name = "log_connections",
	.type = CONF_BOOL,
	.at = {POOLER(log_connections)},
	.def = "1",
	.help = "Log successful logins.",
},
{
	.name = "log_disconnections",
	.type = CONF_BOOL,
	.at = {POOLER(log_disconnections)},
	.def = "1",
	.help = "Log the end of connections, with the reason.",
},
{
	.name = "log_pooler_errors",
	.type = CONF_BOOL,
	.at = {POOLER(log_pooler_errors)},
	.def = "1",
	.help = "Log the errors that we ourselves send to clients.",
},
{
	.name = "log_stats",
	.type = CONF_BOOL,
	.at = {POOLER(log_stats)},
	.def = "1",
	.help = "Log a line of totals every `stats_period`.",
},
{
	.name = "stats_period",
	.type = CONF_TIME,
	.at = {POOLER(stats_period)},
	.def = "60",
	.min = 1,
	.max = 86400,
	.unit = "s",
	.help = "The window of the averages in SHOW STATS, and how often log_stats speaks.",
},
{
	.name = "console_old_columns",
	.type = CONF_BOOL,
	.at = {POOLER(console_old_columns)},
	.def = "0",
	.help = "Append to SHOW STATS and SHOW DATABASES the columns that they had before PgBouncer "
		"1.8: total_requests and reserve_pool. Debian 12's prometheus-pgbouncer-exporter "
		"reads them and fails without, also against PgBouncer itself.",
},
{
	.name = "pgbouncer_error_codes",
	.type = CONF_BOOL,
	.at = {POOLER(pgbouncer_error_codes)},
	.def = "0",
	.help = "Errors of the pooler's own to clients all have SQLSTATE 08P01, as PgBouncer's have. "
		"Otherwise they have PostgreSQL's: 28P01 for a wrong password, 3D000 for a database "
		"that is not there, 53300 for a full queue, 57014 for a timeout. In a file whose "
		"section is [pgbouncer] it is 1 unless given.",
},
{
	.name = "syslog",
	.type = CONF_BOOL,
	.at = {POOLER(syslog)},
	.def = "0",
	.help = "Log to syslog as well.",
},
{
	.name = "syslog_ident",
	.type = CONF_STRING,
	.at = {POOLER(syslog_ident)},
	.def = "pgbouncer",
	.help = "The program name in syslog. The default keeps existing syslog rules working.",
},
{
	.name = "syslog_facility",
	.type = CONF_STRING,
	.at = {POOLER(syslog_facility)},
	.def = "daemon",
	.check = check_syslog_facility,
	.help = "The syslog facility: auth, authpriv, daemon, user, local0 to local7.",
},
