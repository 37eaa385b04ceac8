/* SPDX-License-Identifier: ISC
 *
 * sql_text: back to text: deparsed expressions, quoted names, masked statements, tags in
 * comments.
 */
#include "sql.h"
#include "sql_build.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

/* --- deparse ------------------------------------------------------------------ */

static PgQuery__Node wrap(const struct sql_node *n)
{
	PgQuery__Node node = PG_QUERY__NODE__INIT;
	const ProtobufCMessage *m = (const ProtobufCMessage *)(const void *)n;
	const ProtobufCMessageDescriptor *d = &pg_query__node__descriptor;

	for (unsigned i = 0; i < d->n_fields; i++)
		if (d->fields[i].descriptor == m->descriptor) {
			node.node_case = (PgQuery__Node__NodeCase)d->fields[i].id;
			memcpy(&node.alias, &n, sizeof(n));
		}
	return node;
}

static struct str deparse_statement(struct arena *a, PgQuery__Node *stmt)
{
	PgQuery__ParseResult pb = PG_QUERY__PARSE_RESULT__INIT;
	PgQuery__RawStmt raw = PG_QUERY__RAW_STMT__INIT, *raws[1] = {&raw};
	struct str out = STR_NONE;
	PgQueryProtobuf buf;

	raw.stmt = stmt;
	pb.version = PG_VERSION_NUM;
	pb.n_stmts = 1;
	pb.stmts = raws;
	buf.len = pg_query__parse_result__get_packed_size(&pb);
	buf.data = mem_alloc(buf.len);
	pg_query__parse_result__pack(&pb, (uint8_t *)buf.data);
	PgQueryDeparseResult r = pg_query_deparse_protobuf(buf);
	if (!r.error && r.query)
		out = arena_str(a, str_of(r.query));
	pg_query_free_deparse_result(r);
	free(buf.data);
	return out;
}

/* libpg_query writes (x AT TIME ZONE 'UTC')::date and (x IS NULL)::int without the parentheses,
 * which is another expression, or none.  The former can be written as a call. */
static enum walk mend_cast(void *ctx, const struct sql_path *at)
{
	const struct sql_node *arg =
		node_is(at->node, "TypeCast") ? node_get(at->node, "arg") : NULL;

	(void)ctx;
	if (node_is(arg, "NullTest") || node_is(arg, "BooleanTest") || node_is(arg, "BoolExpr"))
		return WALK_STOP;
	if (node_is(arg, "FuncCall") && str_is(node_last_name(arg, "funcname"), "timezone")) {
		PgQuery__FuncCall *call;

		memcpy(&call, &arg, sizeof(call)); /* the same call, spelled otherwise */
		call->funcformat = PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL;
	}
	return WALK_ON;
}

struct str sql_deparse(struct arena *a, const struct sql_node *n)
{
	PgQuery__Node node, select = PG_QUERY__NODE__INIT, res = PG_QUERY__NODE__INIT;
	PgQuery__Node *targets[1] = {&res};
	PgQuery__SelectStmt s = PG_QUERY__SELECT_STMT__INIT;
	PgQuery__ResTarget t = PG_QUERY__RES_TARGET__INIT;
	struct str out;

	if (!n || sql_walk(n, mend_cast, NULL))
		return STR_NONE;
	node = wrap(n);
	if (str_ends(str_of(node_kind(n)), "Stmt"))
		return deparse_statement(a, &node);
	t.val = &node;
	res.node_case = PG_QUERY__NODE__NODE_RES_TARGET;
	res.res_target = &t;
	s.n_target_list = 1;
	s.target_list = targets;
	s.limit_option = PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_DEFAULT;
	s.op = PG_QUERY__SET_OPERATION__SETOP_NONE;
	select.node_case = PG_QUERY__NODE__NODE_SELECT_STMT;
	select.select_stmt = &s;
	out = deparse_statement(a, &select);
	return str_starts(out, "SELECT ") ? str_skip(out, strlen("SELECT ")) : STR_NONE;
}

/* --- names and literals ----------------------------------------------------------- */

bool sql_is_reserved(struct str word)
{
	static const char words[] =
		" all analyse analyze and any array as asc asymmetric authorization binary both "
		"case "
		"cast check collate collation column concurrently constraint create cross "
		"current_catalog current_date current_role current_schema current_time "
		"current_timestamp current_user default deferrable desc distinct do else end "
		"except "
		"false fetch for foreign freeze from full grant group having ilike in initially "
		"inner "
		"intersect into is isnull join lateral leading left like limit localtime "
		"localtimestamp natural not notnull null offset on only or order outer overlaps "
		"placing primary references returning right select session_user similar some "
		"symmetric table tablesample then to trailing true union unique user using "
		"variadic "
		"verbose when where window with between bigint bit boolean char character coalesce "
		"dec decimal exists extract float greatest grouping inout int integer interval "
		"least "
		"national nchar none normalize nullif numeric out overlay position precision real "
		"row "
		"setof smallint substring time timestamp treat trim values varchar ";
	char probe[32];

	if (word.n == 0 || word.n > 20)
		return false;
	snprintf(probe, sizeof(probe), " %.*s ", STR_ARGS(word));
	return strstr(words, probe) != NULL;
}

struct str sql_quote_ident(struct arena *a, struct str name)
{
	bool plain = name.n > 0 && !(name.p[0] >= '0' && name.p[0] <= '9') && name.p[0] != '$';
	struct text t = {0};

	for (size_t i = 0; i < name.n && plain; i++) {
		char c = name.p[i];
		plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
	}
	if (plain && !sql_is_reserved(name))
		return name;
	text_char(&t, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"')
			text_char(&t, '"');
		text_char(&t, name.p[i]);
	}
	text_char(&t, '"');
	struct str out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

struct str sql_quote_literal(struct arena *a, struct str value)
{
	struct text t = {0};

	text_puts(&t, value.n && memchr(value.p, '\\', value.n) ? "E'" : "'");
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\'' || value.p[i] == '\\')
			text_char(&t, value.p[i]);
		text_char(&t, value.p[i]);
	}
	text_char(&t, '\'');
	struct str out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

/* --- masking -------------------------------------------------------------------------- */

struct str sql_mask(struct arena *a, struct str text)
{
	struct sql_shape s;
	struct text t = {0};
	size_t n = 0, at = 0;

	sql_lex(text.p, text.n, &s, NULL, 0);
	struct sql_place *lit = mem_alloc((s.literals + 1) * sizeof(*lit));
	char *copy = str_dup(text);
	build_blank_comments(copy, text.n);
	sql_lex_places(copy, text.n, &s, NULL, 0, lit, s.literals, &n);
	for (size_t i = 0; i < n; i++) {
		text_add(&t, copy + at, lit[i].off - at);
		text_char(&t, '?');
		at = lit[i].off + lit[i].len;
	}
	text_add(&t, copy + at, text.n - at);
	struct str out = arena_str(a, str_trim(text_slice(&t)));
	text_release(&t);
	free(lit);
	free(copy);
	return out;
}

/* --- tags ------------------------------------------------------------------------------- */

static int hex(char c)
{
	return c >= '0' && c <= '9'			? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

static struct str decode(struct arena *a, struct str v)
{
	char *out = arena_alloc(a, v.n + 1), *to = out;

	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '%' && i + 2 < v.n && hex(v.p[i + 1]) >= 0 && hex(v.p[i + 2]) >= 0) {
			*to++ = (char)(hex(v.p[i + 1]) * 16 + hex(v.p[i + 2]));
			i += 2;
		} else if (v.p[i] == '\\' && i + 1 < v.n && v.p[i + 1] == '\'') {
			*to++ = v.p[++i];
		} else {
			*to++ = v.p[i];
		}
	}
	*to = '\0';
	return (struct str){out, (size_t)(to - out)};
}

static struct str tag_in(struct arena *a, struct str c, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i + n < c.n; i++) {
		bool head = i == 0 || strchr(" ,\t\n*/", c.p[i - 1]) != NULL;
		if (!head || memcmp(c.p + i, key, n) != 0)
			continue;
		char sep = c.p[i + n];
		struct str v = str_skip(c, i + n + 1);
		if (sep != '=' && sep != ':')
			continue;
		if (v.n && v.p[0] == '\'') {
			v = str_skip(v, 1);
			for (n = 0; n < v.n && (v.p[n] != '\'' || (n && v.p[n - 1] == '\\'));)
				n++;
		} else {
			for (n = 0; n < v.n && v.p[n] != ',' && v.p[n] != ' ' && v.p[n] != '*';)
				n++;
		}
		return decode(a, str_before(v, n));
	}
	return STR_NONE;
}

struct str sql_tag(struct arena *a, struct str text, const struct sql_shape *shape, const char *key)
{
	struct sql_place last = shape->last_comment, first = shape->first_comment;
	struct str v = STR_NONE;

	if (last.len)
		v = tag_in(a, str_before(str_skip(text, last.off), last.len), key);
	if (!v.p && first.len && first.off != last.off)
		v = tag_in(a, str_before(str_skip(text, first.off), first.len), key);
	return v;
}
