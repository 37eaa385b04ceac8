"""settings_draw.py - random configuration files, made from the program's own table.

Draw(p, rng) reads `pgsluice --print-settings`, so that a new setting is drawn without
an edit here.  A value is made from the setting's type; CAREFUL has those where only some
values leave the clients of a test in peace, ASKED_FOR those whose change rightly replaces
server connections.
"""
import os
import re

# What a value may be without an error for a client that behaves, or a connection that is
# replaced for a good reason (a lifetime of a second asks for it).
CAREFUL = {
    "conffile": None,               # the next reload would read another file
    "max_open": None, "min_open": None, "shards": None,     # in the lines of databases
    "pool_mode": ["session", "transaction", "statement", "auto"],   # shop's line has its own
    "max_client_conn": ["200", "500", "100000"],
    "max_db_connections": ["0", "50", "100"], "max_user_connections": ["0", "50"],
    "max_db_client_connections": ["0", "300"], "max_user_client_connections": ["0", "300"],
    "queue_limit": ["0", "500"], "max_idle": ["0", "10"], "reserve_pool_size": ["0"],
    "max_idle_time": ["600", "10min", "1h"], "max_lifetime": ["3600", "2h", "1d"],
    "max_dialing": ["5", "10", "64"], "server_login_retry": ["1", "15"],
    "server_connect_timeout": ["15", "1min"], "client_login_timeout": ["60", "2min"],
    "query_wait_timeout": ["0", "60s", "2min"], "query_timeout": ["0", "60", "5min"],
    "max_packet_size": ["2147483647", "1MB", "64kB"], "max_memory": ["0", "64GB"],
    "max_prepared_statements": ["20", "100", "200"],
    "max_prepared_bytes": ["0", "256MB"], "max_client_prepared_bytes": ["0", "16MB"],
    "server_reset_query": ["DISCARD ALL", "", "select 1"],
    "server_check_query": ["<empty>", "select 1", ""],
    "server_tls_sslmode": ["disable", "allow", "prefer"],
    "server_tls_ca_file": None, "server_tls_key_file": None, "server_tls_cert_file": None,
    "server_tls_crl_file": None, "client_tls_crl_file": None,
    "client_tls_sslmode": ["disable", "allow", "prefer"],
    "client_tls_key_file": None, "client_tls_cert_file": None,      # in pairs: see tls()
    "client_tls_ca_file": None, "metrics_user": None, "metrics_password": None,
    "client_tls_protocols": ["secure", "all", "tlsv1.2,tlsv1.3"],
    "server_tls_protocols": ["secure", "all", "tlsv1.2,tlsv1.3"],
    "client_tls_ciphers": ["default", "secure", "HIGH:!aNULL"],
    "server_tls_ciphers": ["default", "secure", "HIGH:!aNULL"],
    "client_tls13_ciphers": ["", "TLS_AES_128_GCM_SHA256"], "server_tls13_ciphers": [""],
    "client_tls_ecdhcurve": ["auto", "prime256v1"], "client_tls_dheparams": ["auto", "legacy"],
    "auth_type": ["trust", "plain", "md5", "scram-sha-256", "hba"],
    "auth_file": None, "auth_hba_file": None, "auth_ident_file": None,      # see files()
    "auth_user": ["", "app"], "auth_dbname": ["", "shop"],
    "auth_query": ["select rolname, null from pg_roles where rolname = $1"],
    "auth_failure_limit": ["0", "1000"], "auth_ldap_options": ["", "x"],
    "scram_iterations": ["4096", "5000"], "admin_users": ["postgres", "postgres, root"],
    "stats_users": ["other", "other, root"],
    "ignore_startup_parameters": ["", "options", "extra_float_digits, options"],
    "login_notify_message": ["", "hello"], "log_levels": ["", "pool=debug", "net = error"],
    "verbose": ["0", "1"], "syslog_facility": ["daemon", "local3"],
    "logfile": None, "query_log": None, "tcp_user_timeout": ["0", "60000"],
    "tcp_keepcnt": ["0", "5"], "tcp_socket_buffer": ["0", "64kB"],
    "listen_addr": ["127.0.0.1", "*", "127.0.0.1, ::1"], "metrics_listen": ["", "127.0.0.1:1"],
    "track_extra_parameters": ["IntervalStyle", "IntervalStyle, search_path"],
}
ASKED_FOR = {"server_tls_sslmode", "server_tls_protocols"}
WORDS = {"log_format": ["text", "json"], "query_log_parameters": ["on", "hash", "off"],
         "track_queries": ["off", "sample", "all"], "state_audit": ["off", "sample", "always"],
         "on_session_feature": ["allow", "pin", "error"], "scheduling": ["auto", "normal", "batch"]}
WRONG = {"switch": ["maybe", "2x"], "whole": ["x", "1.5", "-5", "99999999999"], "size": ["12XB"],
         "time": ["soon", "5 m", "-7"], "octal": ["999", "0x7"], "word": ["sometimes"],
         "number": ["many", "7"]}
BROKEN = ["max_opne = 3", "[nowhere]\nx = y", "%include missing.conf", "what", "= 5",
          "auth_type = hba\nauth_hba_file =", "[databases]\npgbouncer = host=h",
          "[databases]\nd = hots=h", "[databases]\nd = port=99999",
          "[databases]\nd = pool_mode=often", "[databases]\nd = host='h", "[users]\nu = pool_size=-2",
          "[users]\nu = host=h", "[peers]\nx = host=h", "[peers]\n1 = pool_size=1",
          "client_tls_sslmode = require\nclient_tls_key_file =\nclient_tls_cert_file =",
          "query_log = /nowhere/at/all", "logfile = /nowhere/at/all"]


class Draw:
    """A file that changes a little each time, for the better or the worse."""

    def __init__(self, p, rng, certificates, server):
        self.p, self.rng, self.certificates, self.server = p, rng, certificates, server
        self.settings, self.base = {}, dict(p.settings)
        self.rows = self.read_table()
        self.extra, self.users, self.peers = "", "", ""
        self.stock = "pool_size=2"
        for name in ("a.hba", "b.hba"):
            p.write(name, f"# {name}\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n")
        p.write("bad.hba", "host all all 127.0.0.1/33 trust\n")
        p.write("a.ident", "m root app\n")
        p.write("bad.key", "-----BEGIN GARBAGE-----\n")
        with open(p.dir + "/userlist.txt", encoding="ascii") as f:
            p.write("users2.txt", f.read() + '"new" "one"\n')

    def read_table(self):
        """{name: (type, range, restart, scopes)}; a line's own words are left out."""
        _, out, _ = self.p.run("--print-settings")
        rows = {}
        for name, text in re.findall(r"^### (\w+)\n\n\*(.*)\*$", out, re.M):
            scopes = re.findall(r"\[(\w+)\]", text)
            if "pooler" in scopes:
                kind = re.match(r"\w+", text)[0]
                low = re.search(r"from (-?\d+) to (\d+)", text)
                rows[name] = (kind, low and (int(low[1]), int(low[2])), "restart" in text, scopes)
        assert len(rows) > 110, "the table of settings was not understood"
        return rows

    def value(self, name):
        kind, span, _, _ = self.rows[name]
        if name in CAREFUL:
            return self.rng.choice(CAREFUL[name])
        if kind == "word":
            return self.rng.choice(WORDS[name])
        if kind in ("whole", "size", "number"):
            low, high = span
            most = min(high, low + 1000)
            return str(self.rng.choice([low, (low + most) // 2, most]))
        if kind == "time":
            return self.rng.choice(["30", "60s", "1.5min", "1h"] if not span else
                                   [str(span[0]), str(min(span[1], 60))])
        return {"switch": lambda: self.rng.choice(["0", "1", "off", "yes"]),
                "octal": lambda: self.rng.choice(["0777", "0700"]),
                "path": lambda: self.p.dir + "/some_path",
                "text": lambda: self.rng.choice(["", "nobody"]),
                "list": lambda: ""}[kind]()

    def tls(self):
        """Key and certificate go together, and so do name and password of the metrics."""
        which = self.rng.choice(["server", "second"])
        self.settings["client_tls_key_file"] = self.certificates.path(which + ".key")
        self.settings["client_tls_cert_file"] = self.certificates.path(which + ".crt")
        self.settings["client_tls_ca_file"] = self.rng.choice(["", self.certificates.path("ca.crt")])
        self.settings["metrics_user"] = self.settings["metrics_password"] = \
            self.rng.choice(["", "watch"])

    def files(self):
        d = self.p.dir
        self.settings["auth_hba_file"] = self.rng.choice([d + "/a.hba", d + "/b.hba"])
        self.settings["auth_file"] = self.rng.choice([d + "/userlist.txt", d + "/users2.txt"])
        self.settings["auth_ident_file"] = self.rng.choice(["", d + "/a.ident"])
        self.settings["logfile"] = self.rng.choice(["", d + "/log.a", d + "/log.b"])
        self.settings["query_log"] = self.rng.choice(["", d + "/q.a", d + "/q.b"])

    def lines(self):
        """Other databases, users and peers come, change and go."""
        r, s = self.rng, self.server
        self.extra = r.choice(["", f"new1 = {s}\n", f"new2 = {s} pool_size=2 shards=2\n",
                               f"* = {s} max_lifetime=5\n", f"new1 = {s} user=trusty min_pool_size=1\n",
                               "away = host=192.0.2.1,192.0.2.2 load_balance_hosts=round-robin\n"])
        self.stock = r.choice(["", "pool_size=1", "pool_size=4 shards=2", "application_name=x",
                               "timezone='Europe/Berlin'", "connect_query='select 1'",
                               "max_db_connections=2", "pool_mode=transaction reserve_pool_size=1"])
        self.users = r.choice(["", "[users]\nother = pool_size=2 query_timeout=50\n",
                               "[users]\ntrusty = max_user_connections=50\nnew = pool_mode=session\n"])
        self.peers = r.choice(["", "[peers]\n1 = host=127.0.0.1 port=1\n",
                               "[peers]\n1 = host=/tmp\n2 = host=127.0.0.1 port=2 pool_size=3\n"])

    def wrong(self):
        """Lines that make a file one that must be refused."""
        name = self.rng.choice(sorted(self.rows))
        kind = self.rows[name][0]
        d = self.p.dir
        broken = self.rng.choice(BROKEN + [
            f"auth_type = hba\nauth_hba_file = {d}/bad.hba",
            f"client_tls_sslmode = prefer\nclient_tls_key_file = {d}/bad.key",
            f"client_tls_sslmode = prefer\nclient_tls_cert_file = {d}/nothing.crt",
            "client_tls_sslmode = prefer\n"
            f"client_tls_key_file = {self.certificates.path('server.key')}\n"
            f"client_tls_cert_file = {self.certificates.path('second.crt')}"])
        if kind in WRONG and self.rng.random() < 0.6:
            broken = f"{name} = {self.rng.choice(WRONG[kind])}"
        return broken

    def change(self):
        """Draw anew; true: server connections will rightly be replaced."""
        asked_for = False
        names = [n for n in sorted(self.rows) if n not in CAREFUL or CAREFUL[n]]
        for name in self.rng.sample(names, 4):
            value = self.value(name)
            asked_for |= name in ASKED_FOR and value != self.settings.get(name)
            self.settings[name] = value
        for part in (self.tls, self.files, self.lines):
            if self.rng.random() < 0.25:
                part()
        return asked_for

    def write(self, broken=""):
        """Put it down.  What the base has is not drawn, but for what needs a restart."""
        settings = {**self.base, **self.settings}
        text = (f"[databases]\nshop = {self.server} pool_mode=transaction pool_size=3 shards=1\n"
                f"stock = {self.server} {self.stock}\n{self.extra}{self.users}{self.peers}[pooler]\n")
        text += "".join(f"{k} = {v}\n" for k, v in settings.items() if v is not None)
        self.p.write("next.conf", text + (broken + "\n" if broken else ""))
        os.replace(self.p.dir + "/next.conf", self.p.config)
