/* SPDX-License-Identifier: ISC
 *
 * What must fit together across settings and files, judged once all are read: an error
 * where the pooler could not do what was asked, a warning where it could but the operator
 * would want to know.
 */
#include "conf_own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

struct judge {
	const struct conf *conf;
	const struct conf *running; /* NULL at the start */
	struct conf_report *report;
};

/* Where a setting of [pooler] was set, for the message. */
static void place(const struct judge *j, const char *name, const char **file, int *line)
{
	const struct conf_setting *s = conf_setting_find(CONF_IN_POOLER, name);
	const struct conf_line *source = s ? j->conf->own->source[s - conf_settings] : NULL;

	*file = source && source->file ? source->file : j->conf->own->path;
	*line = source && source->file ? source->line : 0;
}

#define FIT_ERROR(j, name, ...)                                                                    \
	do {                                                                                       \
		const char *file_;                                                                 \
		int line_;                                                                         \
		place(j, name, &file_, &line_);                                                    \
		report_error((j)->report, file_, line_, __VA_ARGS__);                              \
	} while (0)
#define FIT_WARNING(j, name, ...)                                                                  \
	do {                                                                                       \
		const char *file_;                                                                 \
		int line_;                                                                         \
		place(j, name, &file_, &line_);                                                    \
		report_warning((j)->report, file_, line_, __VA_ARGS__);                            \
	} while (0)

static void fit_tls(const struct judge *j)
{
	const struct conf_pooler *p = &j->conf->p;

	if (p->client_tls_sslmode != SSLMODE_DISABLE &&
		(!*p->client_tls_key_file || !*p->client_tls_cert_file))
		FIT_ERROR(j, "client_tls_sslmode",
			"client_tls_sslmode needs client_tls_key_file and client_tls_cert_file");
	if (p->client_tls_sslmode >= SSLMODE_VERIFY_CA && !*p->client_tls_ca_file)
		FIT_ERROR(j, "client_tls_sslmode",
			"client_tls_sslmode = verify-ca or verify-full needs client_tls_ca_file");
	if (p->auth_type == AUTH_TYPE_CERT && p->client_tls_sslmode != SSLMODE_VERIFY_FULL)
		FIT_ERROR(j, "auth_type",
			"auth_type = cert needs client_tls_sslmode = verify-full");
	if (p->server_tls_sslmode >= SSLMODE_VERIFY_CA && !*p->server_tls_ca_file)
		FIT_WARNING(j, "server_tls_sslmode",
			"server_tls_sslmode = verify-ca or verify-full without "
			"server_tls_ca_file: libpq looks for ~/.postgresql/root.crt");
	if (!*p->server_tls_key_file != !*p->server_tls_cert_file)
		FIT_ERROR(j,
			*p->server_tls_key_file ? "server_tls_key_file" : "server_tls_cert_file",
			"server_tls_key_file and server_tls_cert_file need each other");
	if (!*p->metrics_tls_key_file != !*p->metrics_tls_cert_file)
		FIT_ERROR(j,
			*p->metrics_tls_key_file ? "metrics_tls_key_file" : "metrics_tls_cert_file",
			"metrics_tls_key_file and metrics_tls_cert_file need each other");
}

static void fit_auth(const struct judge *j)
{
	const struct conf_pooler *p = &j->conf->p;
	const struct conf *c = j->conf;

	if (p->auth_type == AUTH_TYPE_HBA && !*p->auth_hba_file)
		FIT_ERROR(j, "auth_type", "auth_type = hba needs auth_hba_file");
	if (!*p->metrics_user != !*p->metrics_password)
		FIT_ERROR(j, *p->metrics_user ? "metrics_user" : "metrics_password",
			"metrics_user and metrics_password need each other");
	if (*p->auth_dbname && !conf_database_find(c, p->auth_dbname))
		FIT_WARNING(j, "auth_dbname",
			"auth_dbname = \"%s\" is not among [databases]: auth_query will fail",
			p->auth_dbname);
	for (size_t i = 0; p->auth_type == AUTH_TYPE_ANY && i < c->n_databases; i++)
		if (!c->databases[i].user)
			report_warning(j->report, c->databases[i].file, c->databases[i].line,
				"%s: auth_type = any needs a user= here: nobody can log in",
				c->databases[i].name);
}

static void fit_limits(const struct judge *j)
{
	const struct conf *c = j->conf;
	const struct conf_pooler *p = &c->p;

	if (p->max_open > 0 && p->min_open > p->max_open)
		FIT_WARNING(j, "min_open", "min_open = %d is more than max_open = %d and is cut",
			p->min_open, p->max_open);
	if (p->max_idle > 0 && p->min_open > p->max_idle)
		FIT_WARNING(j, "max_idle",
			"max_idle = %d is less than min_open = %d: connections will be closed and "
			"opened again without end",
			p->max_idle, p->min_open);
	if (!*p->listen_addr && !*p->unix_socket_dir)
		FIT_WARNING(j, "unix_socket_dir",
			"neither listen_addr nor unix_socket_dir: only sockets of systemd are "
			"left to listen on");
	if (c->n_databases == 0 && !c->autodb)
		report_warning(j->report, c->own->path, 0,
			"no database is defined: only the console will answer");
}

/* --- files ------------------------------------------------------------------------ */

static bool open_to_others(const char *path, unsigned *mode)
{
	struct stat st;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	*mode = st.st_mode & 07777;
	return st.st_mode & S_IROTH;
}

static bool line_has_secret(const struct conf_line *line)
{
	const struct conf_setting *s;

	if (line->section == CONF_SECTION_DATABASES)
		return strstr(line->value, "password") != NULL;
	if (line->section != CONF_SECTION_POOLER)
		return false;
	s = conf_setting_find(CONF_IN_POOLER, line->key);
	return s && s->type == CONF_SECRET && *line->value;
}

static void fit_config_secrets(const struct judge *j)
{
	const struct conf_own *own = j->conf->own;
	const char *said = NULL;
	unsigned mode;

	for (size_t i = 0; i < own->n_lines; i++) {
		const struct conf_line *line = own->lines[i];

		/* All lines of a file carry the same pointer. */
		if (!line->file || line->file == said || !line_has_secret(line))
			continue;
		said = line->file;
		if (open_to_others(line->file, &mode))
			report_warning(j->report, line->file, line->line,
				"holds a password and anybody may read it (mode %04o): chmod 640",
				mode);
	}
}

static void fit_file(const struct judge *j, const char *name, const char *path, bool secret)
{
	unsigned mode;

	if (!*path)
		return;
	if (access(path, R_OK) != 0)
		FIT_WARNING(j, name, "%s: cannot read \"%s\": %s", name, path, strerror(errno));
	else if (secret && open_to_others(path, &mode))
		FIT_WARNING(j, name,
			"%s: \"%s\" holds secrets and anybody may read it (mode %04o): chmod 640",
			name, path, mode);
}

static void fit_files(const struct judge *j)
{
	const struct conf_pooler *p = &j->conf->p;

	fit_file(j, "auth_file", p->auth_file, true);
	fit_file(j, "auth_hba_file", p->auth_hba_file, false);
	fit_file(j, "auth_ident_file", p->auth_ident_file, false);
	fit_file(j, "client_tls_key_file", p->client_tls_key_file, true);
	fit_file(j, "client_tls_cert_file", p->client_tls_cert_file, false);
	fit_file(j, "client_tls_ca_file", p->client_tls_ca_file, false);
	fit_file(j, "client_tls_crl_file", p->client_tls_crl_file, false);
	fit_file(j, "server_tls_key_file", p->server_tls_key_file, true);
	fit_file(j, "server_tls_cert_file", p->server_tls_cert_file, false);
	fit_file(j, "server_tls_ca_file", p->server_tls_ca_file, false);
	fit_file(j, "server_tls_crl_file", p->server_tls_crl_file, false);
	fit_file(j, "metrics_tls_key_file", p->metrics_tls_key_file, true);
	fit_file(j, "metrics_tls_cert_file", p->metrics_tls_cert_file, false);
	fit_config_secrets(j);
}

/* May a file be appended to, or made? */
static bool writable(const char *path)
{
	char dir[PATH_MAX];
	struct stat st;
	char *slash;

	if (stat(path, &st) == 0) {
		errno = EISDIR;
		return !S_ISDIR(st.st_mode) && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
	}
	if (errno != ENOENT)
		return false;
	snprintf(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	return faccessat(AT_FDCWD, slash ? dir : ".", W_OK | X_OK, AT_EACCESS) == 0;
}

/* A log that a reload names anew: when it cannot be written nothing may change.  At a start
 * it is opened, perhaps as root, before anything else. */
static void fit_log(const struct judge *j, const char *name, const char *was, const char *path)
{
	if (*path && strcmp(was, path) != 0 && !writable(path))
		FIT_ERROR(j, name, "%s: cannot write \"%s\": %s", name, path, strerror(errno));
}

static void fit_ignored(const struct judge *j)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		const struct conf_line *line = j->conf->own->source[i];

		/* said when it was set; not again at every RELOAD */
		if (j->running && j->running->own->source[i])
			continue;
		if (s->ignored && line)
			report_warning(j->report, line->file, line->line, "%s has no effect: %s",
				line->key, s->ignored);
	}
}

void conf_fit(const struct conf *c, const struct conf *running, struct conf_report *r)
{
	struct judge j = {.conf = c, .running = running, .report = r};

	fit_tls(&j);
	fit_auth(&j);
	fit_limits(&j);
	fit_files(&j);
	if (running) {
		fit_log(&j, "logfile", running->p.logfile, c->p.logfile);
		fit_log(&j, "query_log", running->p.query_log, c->p.query_log);
	}
	fit_ignored(&j);
}
