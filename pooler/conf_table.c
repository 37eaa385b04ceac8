/* SPDX-License-Identifier: ISC
 *
 * The one table of settings.  Each row gives name, type, place, default, range and manual
 * paragraph; the parser, SHOW CONFIG, SET, the sample file and the manuals read it and
 * have no list of their own.  The rows stand in conf_rows_*.h, in the order in which a
 * reader of the manual meets them.
 */
#include "conf_own.h"

/* The C type of a field as the compiler sees it: a unit test compares it with the row's. */
/* clang-format off */
#define KIND(x)                                                                                    \
	_Generic((x),                                                                              \
		bool: CONF_KIND_BOOL, int: CONF_KIND_INT, unsigned: CONF_KIND_INT,                 \
		int64_t: CONF_KIND_SIZE, usec_t: CONF_KIND_TIME, double: CONF_KIND_NUMBER,         \
		const char *: CONF_KIND_TEXT)
/* clang-format on */
#define FIELD(s, f)                                                                                \
	{                                                                                          \
		(unsigned short)offsetof(struct s, f), KIND(((struct s *)0)->f)                    \
	}
#define POOLER(f)   [CONF_IN_POOLER] = FIELD(conf_pooler, f)
#define DATABASE(f) [CONF_IN_DATABASE] = FIELD(conf_database, f)
#define USER(f)	    [CONF_IN_USER] = FIELD(conf_user, f)
#define PEER(f)	    [CONF_IN_PEER] = FIELD(conf_peer, f)

static const char *const pool_mode_words[] = {"session", "transaction", "statement", "auto", NULL};
static const char *const auth_type_words[] = {"any", "trust", "plain", "md5", "scram-sha-256",
	"cert", "peer", "hba", "ldap", "pam", NULL};
static const char *const sslmode_words[] = {
	"disable", "allow", "prefer", "require", "verify-ca", "verify-full", NULL};
static const char *const load_balance_words[] = {"round-robin", "disable", NULL};
static const char *const on_session_feature_words[] = {"pin", "error", "allow", NULL};
static const char *const state_audit_words[] = {"off", "sample", "always", NULL};
static const char *const track_queries_words[] = {"off", "sample", "all", NULL};
static const char *const parameters_words[] = {"on", "hash", "off", NULL};
static const char *const log_format_words[] = {"text", "json", NULL};
static const char *const scheduling_words[] = {"auto", "normal", "batch", NULL};

const struct conf_setting conf_settings[] = {
#include "conf_rows_process.h"
#include "conf_rows_pool.h"
#include "conf_rows_session.h"
#include "conf_rows_auth.h"
#include "conf_rows_observe.h"
#include "conf_rows_line.h"
};
const size_t conf_settings_count = ARRAY_LEN(conf_settings);

const struct conf_setting *conf_setting_find(enum conf_scope scope, const char *key)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];

		if (s->at[scope].kind == CONF_ABSENT)
			continue;
		if (strcmp(s->name, key) == 0 || (s->pgbouncer && strcmp(s->pgbouncer, key) == 0))
			return s;
		for (size_t a = 0; a < ARRAY_LEN(s->alias) && s->alias[a]; a++)
			if (strcmp(s->alias[a], key) == 0)
				return s;
	}
	return NULL;
}
