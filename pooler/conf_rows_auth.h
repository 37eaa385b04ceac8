/* Rows of conf_settings[]: who may enter, and TLS.
 * Included by conf_table.c and by nobody else. */
/* clang-format off */

{
	.section = "Authentication",
	.name = "auth_type",
	.type = CONF_WORD,
	.at = {POOLER(auth_type)},
	.def = "md5",
	.words = auth_type_words,
	.help = "How clients prove who they are. `scram-sha-256`, `md5` (SCRAM where the secret "
		"is a SCRAM one), `plain` (the password in clear), `cert` (a TLS certificate), "
		"`peer` (the system user, unix socket), `hba` (auth_hba_file decides), `pam`; "
		"`trust` asks nothing of a known user, `any` nothing of anybody. `ldap` is known "
		"by name and refused at start.",
},
{
	.name = "auth_file",
	.type = CONF_FILE,
	.at = {POOLER(auth_file)},
	.example = "/etc/pgsluice/userlist.txt",
	.help = "Users and their secrets, a line each: `\"user\" \"secret\"`. The secret is "
		"plain, `md5...` or `SCRAM-SHA-256$...`, as in pg_authid.",
},
{
	.name = "auth_hba_file",
	.type = CONF_FILE,
	.at = {POOLER(auth_hba_file)},
	.def = "",
	.example = "/etc/pgsluice/hba.conf",
	.help = "Rules in the syntax of pg_hba.conf, for `auth_type = hba`.",
},
{
	.name = "auth_ident_file",
	.type = CONF_FILE,
	.at = {POOLER(auth_ident_file)},
	.help = "User name maps in the syntax of pg_ident.conf, for the rules of auth_hba_file.",
},
{
	.name = "auth_user",
	.type = CONF_STRING,
	.at = {POOLER(auth_user), DATABASE(auth_user)},
	.help = "Users that are not in auth_file are looked up on the server with auth_query, run "
		"as this user. Its own secret stands in auth_file.",
},
{
	.name = "auth_query",
	.type = CONF_STRING,
	.at = {POOLER(auth_query), DATABASE(auth_query)},
	.def = "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END "
		"FROM pg_authid WHERE rolname=$1 AND rolcanlogin",
	.help = "Answers one row of name and secret for the user $1. search_path is pg_catalog "
		"there: what is elsewhere needs its schema's name. Better than a superuser is a "
		"SECURITY DEFINER function: sql/auth_lookup.sql makes one.",
},
{
	.name = "auth_dbname",
	.type = CONF_STRING,
	.at = {POOLER(auth_dbname), DATABASE(auth_dbname)},
	.check = check_no_console,
	.help = "The database (a name of the `[databases]` section) that auth_query runs in. "
		"Empty: the one the client asked for.",
},
{
	.name = "auth_cache_ttl",
	.type = CONF_TIME,
	.at = {POOLER(auth_cache_ttl)},
	.def = "60",
	.unit = "s",
	.help = "How long an answer of auth_query is used again. A login that fails asks anew.",
},
{
	.name = "auth_negative_ttl",
	.type = CONF_TIME,
	.at = {POOLER(auth_negative_ttl)},
	.def = "5",
	.unit = "s",
	.help = "How long it is remembered that auth_query knows no such user.",
},
{
	.name = "auth_delay",
	.type = CONF_TIME,
	.at = {POOLER(auth_delay)},
	.def = "250ms",
	.max = 60,
	.unit = "s",
	.help = "A failed login waits this long for its answer, so that guessing is slow.",
},
{
	.name = "auth_failure_limit",
	.type = CONF_INT,
	.at = {POOLER(auth_failure_limit)},
	.def = "100",
	.max = 1000000,
	.help = "Failed logins within a minute from one address after which further attempts from "
		"it are refused unheard. 0: no limit.",
},
{
	.name = "auth_ldap_options",
	.type = CONF_STRING,
	.at = {POOLER(auth_ldap_options)},
	.ignored = "authentication by LDAP is not built in; pam with a PAM service that asks LDAP "
		"does it",
	.help = "Options of `auth_type = ldap`, as pg_hba.conf writes them.",
},
{
	.name = "auth_pam_service",
	.type = CONF_STRING,
	.at = {POOLER(auth_pam_service)},
	.def = "pgbouncer",
	.help = "The service name that PAM is given.",
},
{
	.name = "scram_iterations",
	.type = CONF_INT,
	.at = {POOLER(scram_iterations)},
	.def = "4096",
	.min = 1,
	.max = 2147483647,
	.help = "Iterations of the SCRAM secrets that we make ourselves of plain passwords.",
},
{
	.name = "admin_users",
	.type = CONF_LIST,
	.at = {POOLER(admin_users)},
	.def = "",
	.example = "postgres",
	.help = "Users who may give every command on the console.",
},
{
	.name = "stats_users",
	.type = CONF_LIST,
	.at = {POOLER(stats_users)},
	.def = "",
	.example = "monitor",
	.help = "Users who may only look: every SHOW but SHOW FDS.",
},

{
	.section = "TLS to clients",
	.name = "client_tls_sslmode",
	.type = CONF_WORD,
	.at = {POOLER(client_tls_sslmode)},
	.def = "disable",
	.words = sslmode_words,
	.help = "`disable`: no TLS. `allow`, `prefer`: TLS for who asks. `require`: nobody "
		"without. `verify-ca`, `verify-full`: and nobody without a certificate that "
		"client_tls_ca_file vouches for.",
},
{
	.name = "client_tls_key_file",
	.type = CONF_FILE,
	.at = {POOLER(client_tls_key_file)},
	.def = "",
	.help = "Our private key, in PEM.",
},
{
	.name = "client_tls_cert_file",
	.type = CONF_FILE,
	.at = {POOLER(client_tls_cert_file)},
	.def = "",
	.help = "Our certificate, in PEM, with what of its chain clients do not have. Read again "
		"by RELOAD; connections that stand are not disturbed.",
},
{
	.name = "client_tls_ca_file",
	.type = CONF_FILE,
	.at = {POOLER(client_tls_ca_file)},
	.def = "",
	.help = "Authorities whose client certificates we believe.",
},
{
	.name = "client_tls_crl_file",
	.type = CONF_FILE,
	.at = {POOLER(client_tls_crl_file)},
	.def = "",
	.help = "Revoked client certificates.",
},
{
	.name = "client_tls_protocols",
	.type = CONF_LIST,
	.at = {POOLER(client_tls_protocols)},
	.def = "secure",
	.check = check_tls_protocols,
	.help = "TLS versions: `tlsv1.0` to `tlsv1.3`, `all`, or `secure` for 1.2 and 1.3. A `!` "
		"in front takes one away.",
},
{
	.name = "client_tls_ciphers",
	.type = CONF_STRING,
	.at = {POOLER(client_tls_ciphers)},
	.def = "default",
	.help = "Ciphers up to TLS 1.2, in OpenSSL's words; `default`, `secure`, `fast`, `normal` "
		"and `all` stand for lists.",
},
{
	.name = "client_tls13_ciphers",
	.type = CONF_STRING,
	.at = {POOLER(client_tls13_ciphers)},
	.help = "Cipher suites of TLS 1.3, in OpenSSL's words. Empty: OpenSSL's choice.",
},
{
	.name = "client_tls_ecdhcurve",
	.type = CONF_STRING,
	.at = {POOLER(client_tls_ecdhcurve)},
	.def = "auto",
	.help = "Curve of the key exchange: `auto`, `none` or a name that OpenSSL knows.",
},
{
	.name = "client_tls_dheparams",
	.type = CONF_STRING,
	.at = {POOLER(client_tls_dheparams)},
	.def = "auto",
	.help = "DHE key exchange: `auto`, `none` or `legacy`.",
},

{
	.section = "TLS to servers",
	.name = "server_tls_sslmode",
	.alias = {"sslmode"},
	.type = CONF_WORD,
	.at = {POOLER(server_tls_sslmode), DATABASE(server_tls_sslmode)},
	.def = "prefer",
	.words = sslmode_words,
	.help = "TLS to servers, in libpq's words: `disable`, `allow`, `prefer`, `require`, "
		"`verify-ca`, `verify-full`.",
},
{
	.name = "server_tls_ca_file",
	.alias = {"sslrootcert"},
	.type = CONF_FILE,
	.at = {POOLER(server_tls_ca_file), DATABASE(server_tls_ca_file)},
	.def = "",
	.help = "Authorities whose server certificates we believe.",
},
{
	.name = "server_tls_key_file",
	.alias = {"sslkey"},
	.type = CONF_FILE,
	.at = {POOLER(server_tls_key_file), DATABASE(server_tls_key_file)},
	.def = "",
	.help = "Our private key as a client of servers, in PEM.",
},
{
	.name = "server_tls_cert_file",
	.alias = {"sslcert"},
	.type = CONF_FILE,
	.at = {POOLER(server_tls_cert_file), DATABASE(server_tls_cert_file)},
	.def = "",
	.help = "Our certificate as a client of servers, in PEM.",
},
{
	.name = "server_tls_crl_file",
	.alias = {"sslcrl"},
	.type = CONF_FILE,
	.at = {POOLER(server_tls_crl_file), DATABASE(server_tls_crl_file)},
	.def = "",
	.help = "Revoked server certificates.",
},
{
	.name = "server_tls_protocols",
	.type = CONF_LIST,
	.at = {POOLER(server_tls_protocols)},
	.def = "secure",
	.check = check_tls_protocols,
	.help = "TLS versions to servers, as in client_tls_protocols. libpq takes the lowest and "
		"the highest of them.",
},
{
	.name = "server_tls_ciphers",
	.type = CONF_STRING,
	.at = {POOLER(server_tls_ciphers)},
	.def = "default",
	.ignored = "libpq makes the server connections and has no setting for ciphers; OpenSSL's "
		"own configuration file applies",
	.help = "Ciphers up to TLS 1.2 to servers.",
},
{
	.name = "server_tls13_ciphers",
	.type = CONF_STRING,
	.at = {POOLER(server_tls13_ciphers)},
	.ignored = "libpq makes the server connections and has no setting for ciphers; OpenSSL's "
		"own configuration file applies",
	.help = "Cipher suites of TLS 1.3 to servers.",
},
