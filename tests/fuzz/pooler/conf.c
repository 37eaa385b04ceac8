/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the configuration file: conf_ini.c, conf_build.c, conf_value.c, conf_check.c,
 * conf_fit.c, conf_target.c, conf_report.c.  What loads must also survive being asked, compared,
 * changed and shown.  Text with %include is left out: it would read the machine's files.
 */
#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *arg, const struct conf_shown *s)
{
	if (!s->key || !s->value || !s->source)
		abort();
	++*(size_t *)arg;
}

static void use(const struct conf *c)
{
	struct conf_report report = {0};
	const struct conf *other = conf_load_text("other", "", 0, &report);
	struct buf out = {0};
	struct conf_hosts hosts = {0};
	struct log_options log = conf_log_options(c);
	const char *min, *max;
	size_t shown = 0;

	if (log.level[LOG_PART_CONF] > LOG_LEVEL_NOISE)
		abort();
	conf_tls_range(c->p.client_tls_protocols, &min, &max);
	if (!min || !max)
		abort(); /* the check of the row lets none such through */

	conf_each_setting(c, look, &shown);
	conf_diff(c, other, &out);
	conf_diff(other, c, &out);
	out.len = 0;
	if (conf_diff(c, c, &out) != 0)
		abort();
	for (size_t i = 0; i < c->n_databases; i++) {
		const struct conf_database *db = &c->databases[i];

		if (conf_database_find(c, db->name) != db || !conf_same_target(c, db, c, db))
			abort();
		conf_database_hosts(db, (unsigned)i, &hosts);
		for (size_t j = 0; j < c->n_users && j < 4; j++)
			if (conf_pool_min_open(c, db, &c->users[j]) < 0)
				abort();
	}
	conf_hosts_release(&hosts);
	conf_release(&other);
	other = conf_set(c, "max_open", "7", &out);
	if (other && other->p.max_open != 7)
		abort();
	conf_release(&other);
	conf_report_release(&report);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_report report = {0};
	const struct conf *c;

	if (memmem(data, size, "%include", 8))
		return 0;
	c = conf_load_text("fuzz", (const char *)data, size, &report);
	if (!c == !report.n_errors)
		abort(); /* no snapshot without its reason, no reason with one */
	for (size_t i = 0; i < report.n_errors; i++)
		if (!*report.errors[i].text)
			abort();
	if (c)
		use(c);
	conf_release(&c);
	conf_report_release(&report);
	return 0;
}
