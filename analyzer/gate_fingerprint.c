/* SPDX-License-Identifier: ISC
 *
 * gate_fingerprint: what a finding is known by from run to run.
 *
 * The shape's text (sql_lex.h) has no literals, layout, comments and list lengths any more.  What
 * is left to take out are the names that only the statement itself knows: an alias of a table
 * becomes the table's name (its second use: name#2), the names of subqueries, common tables and
 * results are numbered, and with one table alone its columns need no qualifier.  This works on
 * the tokens of the shape's text, not on a tree, so that it is the same for SQL that the parser
 * does not know.
 */
#include "gate.h"

#include "sql.h"

struct token {
	struct str text;
	int depth; /* in parentheses */
	bool is_word, is_gone;
};

struct alias {
	struct str name, with;
	bool is_local; /* stands alone, too; a table's only before a dot */
	size_t from;   /* alone: at this token or behind it … */
	int depth;     /* … and as deep in parentheses; -1: anywhere (a common table) */
};

struct canon {
	struct arena *arena;
	VEC(struct token) token;
	VEC(struct alias) alias;
	VEC(struct str) relation;
};

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (c & 0x80);
}

static void cut_tokens(struct canon *c, struct str s)
{
	int depth = 0;

	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		bool word = true;
		if (s.p[i] == ' ') {
			i++;
			continue;
		}
		if (s.p[i] == '"') {
			for (i++; i < s.n && s.p[i] != '"';)
				i++;
			i += i < s.n;
		} else if (is_word_char(s.p[i])) {
			while (i < s.n && is_word_char(s.p[i]))
				i++;
		} else {
			word = false;
			i++;
		}
		depth += s.p[from] == '(' ? 1 : s.p[from] == ')' ? -1 : 0;
		*VEC_PUSH(&c->token) = (struct token){
			.text = {s.p + from, i - from}, .depth = depth, .is_word = word};
	}
}

static bool is(const struct canon *c, size_t i, const char *word)
{
	return i < c->token.n && str_is(c->token.at[i].text, word);
}

/* A name that may stand without AS. */
static bool is_name(const struct canon *c, size_t i)
{
	static const char *const others[] = {"set", "values", "overriding", "do", "by", "rows",
		"filter", "over", "within", "escape", "at", "nulls", "skip", "nowait",
		"materialized"};

	if (i >= c->token.n || !c->token.at[i].is_word)
		return false;
	for (size_t k = 0; k < ARRAY_LEN(others); k++)
		if (is(c, i, others[k]))
			return false;
	return !sql_is_reserved(c->token.at[i].text);
}

static struct alias *find_alias(const struct canon *c, struct str name)
{
	for (size_t i = 0; i < c->alias.n; i++)
		if (str_eq(c->alias.at[i].name, name))
			return &c->alias.at[i];
	return NULL;
}

static void add_alias(struct canon *c, struct str name, struct str with, bool is_local)
{
	if (!find_alias(c, name))
		*VEC_PUSH(&c->alias) =
			(struct alias){.name = name, .with = with, .is_local = is_local};
}

/* The name at a token. */
static void add_local(struct canon *c, size_t at, bool anywhere)
{
	const struct token *t = &c->token.at[at];

	if (find_alias(c, t->text))
		return;
	add_alias(c, t->text, arena_printf(c->arena, "#%zu", c->alias.n), true);
	c->alias.at[c->alias.n - 1].from = anywhere ? 0 : at;
	c->alias.at[c->alias.n - 1].depth = anywhere ? -1 : t->depth;
}

/* The relation's name begins at i; where what follows it begins. */
static size_t read_relation(struct canon *c, size_t i)
{
	struct text name = {0};
	struct str last = c->token.at[i].text, with;
	size_t same = 1;

	text_str(&name, last);
	for (i++; is(c, i, ".") && i + 1 < c->token.n; i += 2) {
		last = c->token.at[i + 1].text;
		text_char(&name, '.');
		text_str(&name, last);
	}
	if (is(c, i, "(") && !is(c, i - 1, "into")) { /* a function, or INSERT's columns */
		text_release(&name);
		return i;
	}
	with = arena_str(c->arena, text_slice(&name));
	text_release(&name);
	const struct alias *cte = find_alias(c, with);
	if (cte && cte->is_local)
		with = cte->with;
	for (size_t k = 0; k < c->relation.n; k++)
		same += str_eq(c->relation.at[k], with);
	*VEC_PUSH(&c->relation) = with;
	if (same > 1)
		with = arena_printf(c->arena, "%.*s#%zu", STR_ARGS(with), same);
	if (is(c, i, "*"))
		i++;
	size_t name_at = is(c, i, "as") ? i + 1 : i;
	if (name_at > i ? name_at < c->token.n && c->token.at[name_at].is_word : is_name(c, i)) {
		add_alias(c, c->token.at[name_at].text, with, false);
		for (; i <= name_at; i++)
			c->token.at[i].is_gone = true;
	} else {
		add_alias(c, last, with, false);
	}
	return i;
}

/* Does FROM or UPDATE at i begin a list of relations? */
static bool begins_relations(const struct canon *c, size_t i)
{
	if (is(c, i, "from"))
		return i == 0 || !is(c, i - 1, "distinct");
	if (is(c, i, "update"))
		return i == 0 || is(c, i - 1, "(");
	return is(c, i, "join") || is(c, i, "into") || is(c, i, "using");
}

static void find_relations(struct canon *c)
{
	for (size_t i = 0; i < c->token.n; i++) {
		size_t at = i + 1;
		if (!c->token.at[i].is_word || !begins_relations(c, i))
			continue;
		do {
			while (is(c, at, "only") || is(c, at, "lateral"))
				at++;
			if (!is_name(c, at))
				break;
			at = read_relation(c, at);
		} while (is(c, at, ",") && is(c, i, "from") && ++at);
	}
}

/* WITH name AS (…), name AS MATERIALIZED (… */
static void find_common_tables(struct canon *c)
{
	for (size_t i = 1; i < c->token.n; i++) {
		size_t n = i + 1 + (is(c, i + 1, "not") ? 1 : 0);
		if (is(c, i, "as") && is(c, n + is(c, n, "materialized"), "(") && is_name(c, i - 1))
			add_local(c, i - 1, true);
	}
}

/* AS name, and `) name`: names that only this statement knows. */
static void find_locals(struct canon *c)
{
	size_t depth = 0, cast_depth = 0;

	for (size_t i = 0; i < c->token.n; i++) {
		struct token *t = &c->token.at[i];
		if (t->is_gone)
			continue;
		if (is(c, i, "(")) {
			depth++;
			if (i && is(c, i - 1, "cast"))
				cast_depth = depth;
		} else if (is(c, i, ")")) {
			cast_depth = cast_depth == depth ? 0 : cast_depth;
			depth -= depth > 0;
			if (is_name(c, i + 1) && !is(c, i + 2, "."))
				add_local(c, i + 1, false);
		} else if (is(c, i, "as") && !(depth && cast_depth == depth) && is_name(c, i + 1)) {
			add_local(c, i + 1, false);
		}
	}
}

/* Writes what is left; i moves behind what was written. */
static void put_token(const struct canon *c, size_t *i, struct text *out)
{
	const struct token *t = &c->token.at[*i];
	const struct alias *a = t->is_word ? find_alias(c, t->text) : NULL;
	bool dotted = is(c, *i + 1, "."), behind_dot = *i > 0 && is(c, *i - 1, ".");

	if (a && dotted && !behind_dot && c->relation.n == 1) {
		*i += 1; /* the only table: its columns need no qualifier */
		return;
	}
	if (out->n)
		text_char(out, ' ');
	bool is_call = is(c, *i + 1, "(") && !(a && a->is_local && a->from == *i);
	if (!a || behind_dot || is_call) {
		text_str(out, t->text);
	} else if (dotted ||
		   (a->is_local && *i >= a->from && (a->depth < 0 || a->depth == t->depth)) ||
		   (*i > 0 && is(c, *i - 1, "of"))) {
		text_str(out, a->with);
	} else {
		text_str(out, t->text);
	}
}

struct str canonical_sql(struct arena *a, struct str norm)
{
	struct canon c = {.arena = a};
	struct text out = {0};

	cut_tokens(&c, norm);
	find_common_tables(&c);
	find_relations(&c);
	find_locals(&c);
	for (size_t i = 0; i < c.token.n; i++)
		if (!c.token.at[i].is_gone)
			put_token(&c, &i, &out);
	struct str result = arena_str(a, text_slice(&out));
	text_release(&out);
	VEC_RELEASE(&c.token);
	VEC_RELEASE(&c.alias);
	VEC_RELEASE(&c.relation);
	return result;
}

/* --- findings --------------------------------------------------------------------------- */

/* A key without the qualifiers of its columns; parameters are values, too. */
static struct str canonical_key(struct arena *a, struct str key)
{
	char *out = arena_alloc(a, key.n + 1);
	size_t n = 0, word = 0;

	for (size_t i = 0; i < key.n; i++) {
		if (key.p[i] == '.' && n > word) {
			n = word;
			continue;
		}
		if (key.p[i] == '$') {
			out[n++] = '?';
			while (i + 1 < key.n && key.p[i + 1] >= '0' && key.p[i + 1] <= '9')
				i++;
			continue;
		}
		out[n++] = key.p[i];
		if (!is_word_char(key.p[i]) && key.p[i] != '"')
			word = n;
	}
	return (struct str){out, n};
}

/* What a message says without its numbers and quoted parts. */
static struct str message_key(struct arena *a, struct str m)
{
	char *out = arena_alloc(a, m.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < m.n; i++) {
		bool digit = m.p[i] >= '0' && m.p[i] <= '9';
		if (!digit)
			out[n++] = m.p[i];
		else if (n == 0 || out[n - 1] != '#')
			out[n++] = '#';
	}
	return (struct str){out, n};
}

static uint64_t hash_of(struct arena *a, const struct finding *x, const struct facts *f)
{
	uint64_t h = str_hash(str_of(x->rule->id));
	struct str key = x->key.n ? canonical_key(a, x->key) : STR("");

	if (x->shape != NO_SHAPE) {
		struct str sql = canonical_sql(a, f->shape.at[x->shape]->norm);
		h = sql_hash_bytes(sql.p, sql.n, h);
	} else if (!key.n) {
		key = message_key(a, x->message);
	}
	return sql_hash_bytes(key.p ? key.p : "", key.n, h);
}

struct str canonical_id(struct arena *a, const struct shape *s)
{
	struct str sql = canonical_sql(a, s->norm);

	return arena_printf(a, "%016llx", (unsigned long long)sql_hash_bytes(sql.p, sql.n, 0));
}

void findings_fingerprint(struct findings *fs, const struct facts *f)
{
	struct map count = {0};
	struct arena a = {0};

	for (size_t i = 0; i < fs->at.n; i++) {
		struct finding *x = &fs->at.at[i];
		if (x->fingerprint[0]) { /* numbered before, or read from a report */
			*map_put(&count, strtoull(x->fingerprint, NULL, 16)) = 0;
			continue;
		}
		uint64_t h = hash_of(&a, x, f);
		uint32_t *n = map_put(&count, h);
		*n = *n == MAP_NONE ? 0 : *n + 1;
		if (*n > 0)
			h = sql_hash_bytes(n, sizeof(*n), h);
		snprintf(x->fingerprint, sizeof(x->fingerprint), "%016llx", (unsigned long long)h);
		arena_reset(&a);
	}
	map_release(&count);
	arena_release(&a);
}
