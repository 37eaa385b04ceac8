/* SPDX-License-Identifier: ISC
 *
 * rule_lock: statements that deadlocked, and DDL in SQL files that everybody waits for.
 *
 * What a file's DDL does to others is told from the statements before it in the same file: a
 * timeout that was set, a table that was made there and that nobody else uses yet.
 */
#include "rule_sequence.h"

/* Rows of two tables, locked in one order by some transactions and in the other by others. */
static void find_inversions(struct rule_check *c)
{
	const struct facts *f = c->facts;

	for (size_t i = 0; i < f->lock_order.n; i++) {
		const struct lock_order *a = &f->lock_order.at[i];
		uint32_t at = map_get(&f->lock_order_of, a->to * 31 + a->from);
		const struct lock_order *b = at == MAP_NONE ? NULL : &f->lock_order.at[at];
		if (!b || at <= i || b->from != a->to || b->to != a->from ||
			(a->lead && a->lead == b->lead)) /* whoever comes second waits there */
			continue;
		about_shape(c, b->second);
		struct finding *x = rule_find(c, CONF_POSSIBLE,
			"%llu transactions lock rows of this table last, %llu lock them first: "
			"where they meet in the same rows, they deadlock",
			(unsigned long long)b->count, (unsigned long long)a->count);
		x->key = arena_str(&c->findings->arena, str_of(f->shape.at[b->first]->id));
		x->count = b->count < a->count ? b->count : a->count;
		set_places(x, (struct place[]){b->at, a->at}, 2);
		finding_str(x, "behind", f->shape.at[b->first]->norm);
		finding_str(x, "other_first", f->shape.at[a->first]->norm);
		finding_str(x, "other_second", f->shape.at[a->second]->norm);
		finding_fix(c->findings, x, STR_NONE,
			"let all transactions lock the two tables in the same order");
	}
}

void check_tx006(struct rule_check *c)
{
	const struct facts *f = c->facts;

	find_inversions(c);

	for (size_t i = 0; i < f->deadlock.n; i++) {
		const struct deadlock *d = &f->deadlock.at[i];
		uint32_t first = NO_SHAPE, second = NO_SHAPE;
		for (uint32_t k = 0; k < d->sides; k++) {
			if (first == NO_SHAPE)
				first = d->side[k].shape;
			else if (second == NO_SHAPE)
				second = d->side[k].shape;
		}
		if (second == NO_SHAPE)
			continue;
		about_shape(c, first);
		struct finding *x = rule_find(c, CONF_LIKELY,
			first == second ? "%llu × a deadlock of this statement with itself"
					: "%llu × a deadlock of this statement and another",
			(unsigned long long)d->count);
		x->key = arena_str(&c->findings->arena, str_of(f->shape.at[second]->id));
		x->count = d->count;
		set_places(x, &d->at, 1);
		finding_int(x, "deadlocks", (int64_t)d->count);
		finding_str(x, "other", str_of(f->shape.at[second]->id));
		finding_str(x, "other_sql", f->shape.at[second]->norm);
		finding_fix(c->findings, x, STR_NONE,
			first == second
				? "lock the rows in the order of their key: SELECT … ORDER BY key "
				  "FOR UPDATE, or sort what is sent"
				: "let all transactions lock in the same order, by table and then "
				  "by key; what they must have at once, lock first");
	}
}

/* --- SQL files ------------------------------------------------------------------------------ */

/* One file, as far as it is read. */
struct script {
	struct rule_check *c;
	uint32_t file;
	bool in_tx, bounded, bounded_tx; /* a timeout is set; until the transaction's end */
	bool told;			 /* TX008: of this transaction */
	struct str locked;		 /* table that the transaction keeps from all; n 0: none */
	VEC(struct str) made;		 /* tables made in it */
};

enum lock { LOCK_NONE = 0, LOCK_WRITERS, LOCK_ALL };

static bool is_made(const struct script *s, struct str table)
{
	for (size_t i = 0; i < s->made.n; i++)
		if (str_eq(s->made.at[i], table))
			return true;
	return false;
}

static void note_made(struct script *s, const struct sql_node *n)
{
	struct str name = str_of(node_str(rule_makes(n), "relname"));

	if (node_is(n, "RenameStmt") &&
		is_made(s, str_of(node_str(node_get(n, "relation"), "relname"))))
		name = str_of(node_str(n, "newname"));
	if (name.n)
		*VEC_PUSH(&s->made) = arena_str(s->c->arena, name);
}

/* What one action of ALTER TABLE keeps out, by PostgreSQL's manual. */
static enum lock lock_of_action(const struct sql_node *cmd)
{
	static const char *const none[] = {"AT_SetStatistics", "AT_ValidateConstraint",
		"AT_SetRelOptions", "AT_ResetRelOptions", "AT_SetOptions", "AT_ResetOptions",
		"AT_ClusterOn", "AT_DropCluster", "AT_AttachPartition",
		"AT_DetachPartitionFinalize"};
	const char *sub = node_enum(cmd, "subtype");

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (strcmp(sub, none[i]) == 0)
			return LOCK_NONE;
	if (strcmp(sub, "AT_DetachPartition") == 0 && node_int(node_get(cmd, "def"), "concurrent"))
		return LOCK_NONE;
	bool foreign = strcmp(sub, "AT_AddConstraint") == 0 &&
		       strcmp(node_enum(node_get(cmd, "def"), "contype"), "CONSTR_FOREIGN") == 0;
	return foreign || strstr(sub, "Trig") ? LOCK_WRITERS : LOCK_ALL;
}

/* What DDL keeps out of a table that others may be using; *table is its name. */
static enum lock lock_of(const struct script *s, const struct sql_node *n, struct str *table)
{
	const char *type = node_is(n, "RenameStmt") ? node_enum(n, "rename_type") : "";
	enum lock most = LOCK_NONE;

	*table = str_of(node_str(node_get(n, "relation"), "relname"));
	if (!table->n || is_made(s, *table))
		return LOCK_NONE;
	if (node_is(n, "IndexStmt"))
		return node_int(n, "concurrent") ? LOCK_NONE : LOCK_WRITERS;
	if (strcmp(type, "OBJECT_TABLE") == 0)
		return LOCK_ALL;
	if (strcmp(type, "OBJECT_COLUMN") == 0)
		return strcmp(node_enum(n, "relation_type"), "OBJECT_TABLE") == 0 ? LOCK_ALL
										  : LOCK_NONE;
	if (!node_is(n, "AlterTableStmt") || strcmp(node_enum(n, "objtype"), "OBJECT_TABLE") != 0)
		return LOCK_NONE;
	for (size_t i = 0; i < node_len(n, "cmds"); i++) {
		enum lock l = lock_of_action(node_item(n, "cmds", i));
		most = l > most ? l : most;
	}
	return most;
}

/* SET lock_timeout …, set_config('lock_timeout', …); statement_timeout ends the wait, too. */
static void note_timeout(struct script *s, struct str text, enum sql_verb verb)
{
	bool whole = strcasestr(text.p, "statement_timeout");
	size_t n = text.n;

	while (whole && n && (text.p[n - 1] == '\'' || text.p[n - 1] == ' '))
		n--;
	if (whole && n > 1 && text.p[n - 1] == '0' && strchr(" ='", text.p[n - 2]))
		whole = false; /* = 0: none */
	if (!strcasestr(text.p, "lock_timeout") && !whole)
		return;
	if (verb == SQL_SET && strcasestr(text.p, "set local"))
		s->bounded_tx = true;
	else
		s->bounded = true;
}

/* The finding about one statement; the same in another place belongs to it. */
static struct finding *about_listed(struct script *s, const struct listed *l, struct str table,
	const char *what)
{
	struct rule_check *c = s->c;
	struct findings *all = c->findings;

	about_shape(c, l->shape);
	for (size_t i = 0; i < all->at.n; i++) {
		struct finding *x = &all->at.at[i];
		if (x->rule != c->rule || x->shape != c->shape_at)
			continue;
		if (x->places < PLACE_MAX)
			x->place[x->places++] = l->at;
		x->count++;
		return NULL;
	}
	struct finding *x = rule_find(c, CONF_POSSIBLE, what, STR_ARGS(table));
	x->key = arena_str(&all->arena, table);
	x->count = 1;
	set_places(x, &l->at, 1);
	return x;
}

/* Reads or writes many rows, or may.  The row that a migration's tool writes about it does not. */
static bool is_work(const struct shape *s, enum lock l)
{
	if (str_find(s->norm, "migration") < s->norm.n || str_find(s->norm, "version") < s->norm.n)
		return false;
	return s->verb == SQL_UPDATE || s->verb == SQL_DELETE || s->verb == SQL_COPY ||
	       (s->verb == SQL_INSERT && s->lex.traits & SQL_HAS_FROM) || l == LOCK_WRITERS;
}

static enum sql_verb verb_of(const struct rule_check *c, const struct listed *l)
{
	struct sql_shape x;

	if (l->shape != NO_SHAPE)
		return c->facts->shape.at[l->shape]->verb;
	sql_lex(l->text.p, l->text.n, &x, NULL, 0);
	return x.verb;
}

static void look(struct script *s, const struct listed *l, bool after)
{
	enum sql_verb verb = verb_of(s->c, l);
	bool parse = verb == SQL_DDL || (verb == SQL_SELECT && strcasestr(l->text.p, "into"));
	struct sql_tree *t = parse ? sql_parse(s->c->arena, l->text, NULL) : NULL;
	const struct sql_node *n = t && t->statements ? sql_statement(t, 0) : NULL;
	struct str table = STR("");
	enum lock lock = n ? lock_of(s, n, &table) : LOCK_NONE;
	struct finding *f = NULL;

	if (verb == SQL_BEGIN || verb == SQL_COMMIT || verb == SQL_ROLLBACK) {
		s->in_tx = verb == SQL_BEGIN;
		s->bounded_tx = s->told = false;
		s->locked = STR("");
	}
	note_timeout(s, l->text, verb);
	bool changed = l->shape != NO_SHAPE;
	if (after && changed && s->in_tx && s->locked.n && !s->told &&
		is_work(s->c->facts->shape.at[l->shape], lock)) {
		s->told = true;
		f = about_listed(s, l, s->locked,
			"nobody can read %.*s while this runs: the transaction has altered it");
		if (f)
			finding_fix(s->c->findings, f, STR_NONE,
				"commit the DDL by itself, or do this before it");
	} else if (!after && changed && lock != LOCK_NONE && !s->bounded && !s->bounded_tx) {
		f = about_listed(s, l, table,
			"this waits for its lock on %.*s without a limit, and others behind it");
		if (f)
			finding_fix(s->c->findings, f, STR_NONE,
				"SET lock_timeout = '2s' before it, and try again when it fails");
	}
	if (s->in_tx && lock == LOCK_ALL && !s->locked.n)
		s->locked = arena_str(s->c->arena, table);
	if (n)
		note_made(s, n);
}

static void each_script(struct rule_check *c, bool after)
{
	struct script s = {.c = c};

	for (size_t i = 0; i < c->facts->listed.n; i++) {
		const struct listed *l = &c->facts->listed.at[i];
		if (i == 0 || l->at.file != s.file) {
			VEC_RELEASE(&s.made);
			s = (struct script){.c = c, .file = l->at.file};
		}
		look(&s, l, after);
	}
	VEC_RELEASE(&s.made);
}

void check_tx007(struct rule_check *c)
{
	each_script(c, false);
}

void check_tx008(struct rule_check *c)
{
	each_script(c, true);
}
