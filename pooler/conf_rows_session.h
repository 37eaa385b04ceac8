/* Rows of conf_settings[]: server connections between clients, and what a session may do.
 * Included by conf_table.c and by nobody else. */
/* clang-format off */

{
	.section = "Server connections",
	.name = "server_reset_query",
	.type = CONF_STRING,
	.at = {POOLER(server_reset_query), DATABASE(server_reset_query)},
	.def = "DISCARD ALL",
	.help = "Sent when a client leaves its server connection in session mode, so that the "
		"next one finds it as new. Empty: nothing is sent.",
},
{
	.name = "server_reset_query_always",
	.type = CONF_BOOL,
	.at = {POOLER(server_reset_query_always)},
	.def = "0",
	.help = "Send server_reset_query in the other pool modes too, after every transaction or "
		"statement.",
},
{
	.name = "server_check_query",
	.type = CONF_STRING,
	.at = {POOLER(server_check_query), DATABASE(server_check_query)},
	.def = CONF_CHECK_EMPTY,
	.help = "Sent to see whether an idle connection is still alive. `<empty>` is a query "
		"without text; an empty value switches the check off.",
},
{
	.name = "server_check_delay",
	.type = CONF_TIME,
	.at = {POOLER(server_check_delay)},
	.def = "30",
	.unit = "s",
	.help = "A connection that was idle for longer is checked before it serves again. 0: "
		"always.",
},
{
	.name = "server_fast_close",
	.type = CONF_BOOL,
	.at = {POOLER(server_fast_close)},
	.def = "0",
	.help = "When a server connection is to be replaced (RECONNECT, a RELOAD that changed "
		"where it goes), end it after its transaction even in session mode, and its "
		"client with it.",
},

{
	.section = "Sessions",
	.name = "on_session_feature",
	.type = CONF_WORD,
	.at = {POOLER(on_session_feature), DATABASE(on_session_feature), USER(on_session_feature)},
	.def = "allow",
	.words = on_session_feature_words,
	.help = "What happens in transaction mode when a client uses what only a session can give "
		"(LISTEN, session advisory locks, temporary tables, WITH HOLD cursors). `pin`: it "
		"keeps its server connection. `error`: it gets an error. `allow`: it "
		"works until the end of its transaction, as with PgBouncer; then the connection is "
		"reset (server_reset_query; closed when that is empty) before anybody else gets it, "
		"with a warning in the log. `pool_mode = auto` always pins.",
},
{
	.name = "state_audit",
	.type = CONF_WORD,
	.at = {POOLER(state_audit), DATABASE(state_audit)},
	.def = "off",
	.words = state_audit_words,
	.help = "State that a client leaves on its connection is found by reading its statements. What "
		"functions do is not seen in them; for that the server can be asked, too, and the "
		"log then names the client, what it left, and its statements (without values). "
		"`off`: not. `sample`: after one transaction in a hundred. `always`: after each, "
		"which costs a query; for finding such clients, not for every day. Parameters with "
		"a dot in their name that only a function sets are not found: the server does not "
		"list them.",
},
{
	.name = "deferred_begin",
	.type = CONF_BOOL,
	.at = {POOLER(deferred_begin)},
	.def = "1",
	.help = "A BEGIN alone takes no server connection; the first statement after it does.",
},
{
	.name = "max_prepared_statements",
	.type = CONF_INT,
	.at = {POOLER(max_prepared_statements)},
	.def = "200",
	.max = 100000,
	.help = "Named prepared statements that are kept on one server connection in transaction "
		"and statement mode, the least recently used going first. Clients may have more. "
		"0: they are not looked after, and work in session mode only.",
},
{
	.name = "max_prepared_bytes",
	.type = CONF_SIZE,
	.at = {POOLER(max_prepared_bytes)},
	.def = "256MB",
	.max = 1099511627776.0,
	.help = "What the texts of prepared statements, of all clients and on all server "
		"connections, may take in this process. For one more text the server connection "
		"at hand gives up its least used ones; if that does not do, the client is closed. "
		"0: no limit.",
},
{
	.name = "max_client_prepared_bytes",
	.type = CONF_SIZE,
	.at = {POOLER(max_client_prepared_bytes)},
	.def = "16MB",
	.max = 1099511627776.0,
	.help = "What the texts of one client's prepared statements may take; beyond it the client "
		"is closed. 0: no limit.",
},
{
	.name = "track_extra_parameters",
	.type = CONF_LIST,
	.at = {POOLER(track_extra_parameters)},
	.def = "IntervalStyle",
	.restart = true,
	.help = "Parameters that a server of another make reports (ParameterStatus) and clients "
		"are to be told at login. PostgreSQL's own are known, and every parameter "
		"that a client sets is its own: restored on whichever connection serves it "
		"next.",
},
{
	.name = "ignore_startup_parameters",
	.type = CONF_LIST,
	.at = {POOLER(ignore_startup_parameters)},
	.def = "",
	.example = "extra_float_digits, options",
	.help = "Startup parameters of clients that are dropped without a word. Others are the "
		"client's, whatever their name; one that the server does not take fails the login. "
		"With \"options\" only client_encoding, DateStyle, TimeZone, "
		"standard_conforming_strings, application_name and track_extra_parameters are "
		"taken from options=....",
},
{
	.name = "application_name_add_host",
	.type = CONF_BOOL,
	.at = {POOLER(application_name_add_host)},
	.def = "0",
	.help = "Add the client's address and port to application_name when it connects.",
},
{
	.name = "disable_pqexec",
	.type = CONF_BOOL,
	.at = {POOLER(disable_pqexec)},
	.def = "0",
	.restart = true,
	.help = "Refuse the simple query protocol: several statements in one string, as injected "
		"SQL likes them, are not possible then.",
},
{
	.name = "login_notify_message",
	.type = CONF_STRING,
	.at = {POOLER(login_notify_message)},
	.def = "",
	.help = "Sent to each client as a NOTICE once it has logged in.",
},
