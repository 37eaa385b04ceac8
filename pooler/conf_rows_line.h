/* Rows of conf_settings[]: what only a line of [databases] or [peers] can say.
 * Included by conf_table.c and by nobody else. */
/* clang-format off */

{
	.section = "Lines of [databases]",
	.name = "host",
	.type = CONF_LIST,
	.at = {DATABASE(host)},
	.help = "Server to call: name, address, or directory of a unix socket; several separated "
		"by commas. Without it the unix socket in unix_socket_dir is used.",
},
{
	.name = "hostaddr",
	.type = CONF_LIST,
	.at = {DATABASE(hostaddr)},
	.help = "Numeric address of `host`, which then only serves to check certificates.",
},
{
	.name = "port",
	.type = CONF_LIST,
	.at = {DATABASE(port)},
	.check = check_ports,
	.help = "Port of the server; one for all hosts, or one for each, separated by commas. "
		"Without it, 5432, or what `service` says.",
},
{
	.name = "dbname",
	.type = CONF_STRING,
	.at = {DATABASE(dbname)},
	.help = "Name of the database on the server. Without it, the name the client gave.",
},
{
	.name = "user",
	.type = CONF_STRING,
	.at = {DATABASE(user)},
	.help = "User of all server connections of this database. All its clients then share one "
		"`max_open` (that of this user's line in [users], if it has one); SHOW, statistics "
		"and logs still tell them apart by their own names. Without it, each client's own "
		"user has a pool of its own.",
},
{
	.name = "password",
	.type = CONF_SECRET,
	.at = {DATABASE(password)},
	.help = "Password of `user`. Without it, the one in auth_file or in passfile.",
},
{
	.name = "passfile",
	.type = CONF_FILE,
	.at = {DATABASE(passfile)},
	.help = "A password file as libpq reads it.",
},
{
	.name = "service",
	.type = CONF_STRING,
	.at = {DATABASE(service)},
	.help = "A service of libpq's pg_service.conf; what is said here goes before it.",
},
{
	.name = "options",
	.type = CONF_STRING,
	.at = {DATABASE(options)},
	.help = "Command-line options for the server, such as `-c search_path=app`.",
},
{
	.name = "target_session_attrs",
	.type = CONF_STRING,
	.at = {DATABASE(target_session_attrs)},
	.check = check_session_attrs,
	.help = "Which of several hosts will do: any, read-write, read-only, primary, standby, "
		"prefer-standby.",
},
{
	.name = "load_balance_hosts",
	.type = CONF_WORD,
	.at = {DATABASE(load_balance_hosts)},
	.def = "round-robin",
	.words = load_balance_words,
	.help = "With several hosts: `round-robin` starts each new connection at the next one, "
		"`disable` always at the first. One that does not answer is passed over.",
},
{
	.name = "channel_binding",
	.type = CONF_STRING,
	.at = {DATABASE(channel_binding)},
	.check = check_channel_binding,
	.help = "disable, prefer or require, as in libpq.",
},
{
	.name = "krbsrvname",
	.type = CONF_STRING,
	.at = {DATABASE(krbsrvname)},
	.help = "Kerberos service name of the server.",
},
{
	.name = "connect_query",
	.type = CONF_STRING,
	.at = {DATABASE(connect_query)},
	.help = "Run once on each new server connection, before any client has it.",
},
{
	.name = "client_encoding",
	.type = CONF_STRING,
	.at = {DATABASE(client_encoding)},
	.help = "client_encoding of new server connections.",
},
{
	.name = "datestyle",
	.type = CONF_STRING,
	.at = {DATABASE(datestyle)},
	.help = "DateStyle of new server connections.",
},
{
	.name = "timezone",
	.type = CONF_STRING,
	.at = {DATABASE(timezone)},
	.help = "TimeZone of new server connections.",
},
{
	.name = "application_name",
	.type = CONF_STRING,
	.at = {DATABASE(application_name)},
	.help = "application_name of new server connections.",
},

{
	.section = "Lines of [peers]",
	.name = "host",
	.type = CONF_STRING,
	.at = {PEER(host)},
	.help = "Where the process listens: name, address, or directory of its unix socket.",
},
{
	.name = "port",
	.type = CONF_INT,
	.at = {PEER(port)},
	.def = "6432",
	.min = 1,
	.max = 65535,
	.help = "Its listen_port.",
},
{
	.name = "pool_size",
	.type = CONF_INT,
	.at = {PEER(pool_size)},
	.max = 1000000,
	.help = "Accepted for PgBouncer's sake: requests are passed on at once, eight at a time.",
},
