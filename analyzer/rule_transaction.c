/* SPDX-License-Identifier: ISC
 *
 * rule_transaction: transactions that wait, last, or are not needed; sessions that cost more than
 * what they ask.
 */
#include "rule_sequence.h"

#define LONG_PAUSE_USEC 5000000
#define LONG_TX_USEC	600000000
#define ALONE_MIN	100
#define NOISE_MIN	1000
#define CHURN_MIN	100

/* Somebody at a terminal, or a dump: pauses and hours are what they are there for. */
static bool is_by_hand(struct str app)
{
	static const char *const names[] = {"psql", "pgAdmin", "DBeaver", "DataGrip", "pgcli",
		"pg_dump", "pg_restore", "pg_basebackup"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_starts(app, names[i]))
			return true;
	return false;
}

/* Rows that stream, or are fetched as the client can take them. */
static bool streams(const struct shape *s)
{
	return s->verb == SQL_COPY || s->verb == SQL_FETCH || s->verb == SQL_DECLARE ||
	       s->verb == SQL_CLOSE || s->verb == SQL_LISTEN;
}

static struct str words_of(const struct shape *s)
{
	return s->norm.n ? str_before(s->norm, 60) : str_of(sql_verb_name(s->verb));
}

/* Does the rule speak of this pause? */
static bool is_told(const struct facts *f, const struct pause *p)
{
	return !is_by_hand(facts_name(f, p->app)) && !streams(f->shape.at[p->before]) &&
	       !streams(f->shape.at[p->after]);
}

/* All pauses behind one statement, whatever came next; false: of these, `at` is not the first. */
static bool add_pauses(const struct facts *f, size_t at, struct pause *sum)
{
	*sum = f->pause.at[at];
	for (size_t i = 0; i < f->pause.n; i++) {
		const struct pause *p = &f->pause.at[i];
		if (i == at || p->before != sum->before || !is_told(f, p))
			continue;
		if (i < at)
			return false;
		sum->count += p->count;
		sum->usec += p->usec;
		sum->wrote += p->wrote;
		if (p->most > sum->most) {
			sum->most = p->most;
			sum->after = p->after;
			sum->at = p->at;
		}
	}
	return true;
}

void check_tx001(struct rule_check *c)
{
	const struct facts *f = c->facts;
	struct pause p;

	for (size_t i = 0; i < f->pause.n; i++) {
		if (!is_told(f, &f->pause.at[i]) || !add_pauses(f, i, &p))
			continue;
		about_shape(c, p.before);
		struct finding *x =
			rule_find(c, p.most >= LONG_PAUSE_USEC ? CONF_LIKELY : CONF_POSSIBLE,
				"a transaction waits for its client: %.1f s behind this statement",
				(double)p.most / 1e6);
		x->count = p.count;
		x->weight = (double)p.usec;
		set_places(x, &p.at, 1);
		finding_int(x, "pauses", (int64_t)p.count);
		finding_real(x, "longest_ms", (double)p.most / 1000);
		finding_real(x, "total_ms", (double)p.usec / 1000);
		finding_int(x, "behind_a_write", (int64_t)p.wrote);
		finding_str(x, "next", words_of(f->shape.at[p.after]));
		finding_fix(c->findings, x, STR_NONE,
			"%scall other services, render and wait before BEGIN or behind COMMIT; "
			"idle_in_transaction_session_timeout bounds it",
			p.wrote ? "it holds locks meanwhile: " : "");
	}
}

void check_tx002(struct rule_check *c)
{
	const struct facts *f = c->facts;

	for (size_t i = 0; i < f->tx_kind.n; i++) {
		const struct tx_kind *t = &f->tx_kind.at[i];
		if (t->longest < LONG_TX_USEC || is_by_hand(facts_name(f, t->app)) ||
			streams(f->shape.at[t->first]))
			continue;
		about_shape(c, t->first);
		struct finding *x = rule_find(c, CONF_LIKELY, "a transaction lasted %.1f minutes",
			(double)t->longest / 6e7);
		x->count = t->count;
		x->weight = (double)t->longest;
		set_places(x, &t->at, 1);
		finding_real(x, "longest_ms", (double)t->longest / 1000);
		finding_fix(c->findings, x, STR_NONE,
			"commit in batches: while it lasts VACUUM removes no row that it might "
			"see, "
			"in the whole database");
	}
}

void check_tx003(struct rule_check *c)
{
	const struct facts *f = c->facts;
	const struct tx_kind *top = NULL;
	uint64_t all = 0, alone = 0;

	for (size_t i = 0; i < f->tx_kind.n; i++) {
		const struct tx_kind *t = &f->tx_kind.at[i];
		all += t->count;
		alone += t->alone;
		top = !top || t->alone > top->alone ? t : top;
	}
	if (alone < ALONE_MIN || alone * 2 < all)
		return;
	about_shape(c, top->first);
	struct finding *x =
		rule_find(c, CONF_POSSIBLE, "%llu of %llu transactions hold a single SELECT",
			(unsigned long long)alone, (unsigned long long)all);
	x->count = alone;
	finding_int(x, "transactions", (int64_t)all);
	finding_int(x, "with_one_select", (int64_t)alone);
	finding_fix(c->findings, x, STR_NONE,
		"autocommit for reads: BEGIN and COMMIT are two more round trips each");
}

void check_tx004(struct rule_check *c)
{
	const struct facts *f = c->facts;
	uint64_t noise = 0, most = 0;
	uint32_t top = 0;

	for (uint32_t i = 0; i < f->shape.n; i++) {
		const struct shape *s = f->shape.at[i];
		bool is_local = str_starts(s->norm, "set local");
		if ((s->verb != SQL_SET || is_local) && s->verb != SQL_SHOW &&
			!(s->is_aside && s->lex.traits & SQL_HAS_FROM))
			continue;
		noise += s->calls;
		if (s->calls > most) {
			most = s->calls;
			top = i;
		}
	}
	if (!f->has_session || noise < NOISE_MIN || noise * 5 < f->statements)
		return;
	about_shape(c, top);
	struct finding *x = rule_find(c, CONF_POSSIBLE,
		"%.0f %% of all statements only set up the session or ask the catalogs",
		(double)noise * 100 / (double)f->statements);
	x->count = noise;
	finding_int(x, "statements", (int64_t)f->statements);
	finding_int(x, "of_these_set_show_catalog", (int64_t)noise);
	finding_fix(c->findings, x, STR_NONE,
		"ALTER ROLE … SET once instead of SET for each query; keep connections, and what "
		"the driver learned of the catalogs, longer");
}

void check_tx005(struct rule_check *c)
{
	const struct server_facts *s = &c->facts->server;
	const struct series *minutes = &c->facts->minutes;
	uint64_t busiest = 0;

	for (size_t i = 0; minutes->step == 60 && i < minutes->row.n; i++)
		if (minutes->row.at[i].connections > busiest)
			busiest = minutes->row.at[i].connections;
	if (s->connections < CHURN_MIN || busiest < CHURN_MIN / 2 ||
		c->facts->statements > s->connections * 3)
		return;
	struct finding *x = rule_find(c, CONF_LIKELY,
		"%llu connections for %llu statements, %llu in the busiest minute",
		(unsigned long long)s->connections, (unsigned long long)c->facts->statements,
		(unsigned long long)busiest);
	x->count = s->connections;
	finding_int(x, "connections", (int64_t)s->connections);
	finding_int(x, "busiest_minute", (int64_t)busiest);
	finding_fix(c->findings, x, STR_NONE,
		"keep connections (a pool in the application, or a pooler before the server)");
}
