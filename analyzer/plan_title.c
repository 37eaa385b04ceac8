/* SPDX-License-Identifier: ISC
 *
 * A node's own line in the text format: what it is, what it reads, and what it was measured at.
 *
 *	Parallel Index Scan Backward using i on s.t x  (cost=… rows=…) (actual time=… loops=…)
 */
#include "plan_text.h"

#include <math.h>

static struct str unquoted(struct arena *a, struct str s)
{
	char *out;
	size_t n = 0;

	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return s;
	out = arena_alloc(a, s.n);
	for (size_t i = 1; i + 1 < s.n; i++) {
		out[n++] = s.p[i];
		if (s.p[i] == '"')
			i++;
	}
	return (struct str){out, n};
}

/* Cuts the next name off *s: up to a blank (or `stop`), quotes heeded. */
static struct str take_name(struct arena *a, struct str *s, char stop)
{
	size_t i = 0;
	bool quoted = false;
	struct str name;

	while (i < s->n && (quoted || (s->p[i] != ' ' && s->p[i] != stop))) {
		quoted ^= s->p[i] == '"';
		i++;
	}
	name = str_before(*s, i);
	*s = str_skip(*s, i < s->n && s->p[i] == stop ? i + 1 : i);
	return unquoted(a, name);
}

/* "schema.name alias" into the node. */
static void set_source(struct reader *r, struct plan_node *n, struct str s)
{
	struct str first, second = STR_NONE;
	size_t before = s.n;

	s = str_trim(s);
	before = s.n;
	first = take_name(r->a, &s, '.');
	if (before > s.n && s.p[-1] == '.')
		second = take_name(r->a, &s, ' ');
	s = str_trim(s);
	if (second.n) {
		n->schema = first;
		first = second;
	}
	if (s.n && s.p[0] != '(')
		n->alias = take_name(r->a, &s, ' ');
	if (str_starts(n->type, "Function Scan"))
		n->function = first;
	else if (str_starts(n->type, "Table Function"))
		n->table_function = first;
	else if (str_starts(n->type, "CTE Scan") || str_starts(n->type, "WorkTable"))
		n->cte = first;
	else if (str_starts(n->type, "Bitmap Index Scan"))
		n->index = first;
	else if (str_starts(n->type, "Subquery Scan") || str_starts(n->type, "Values Scan"))
		n->alias = first;
	else
		n->relation = first;
}

bool text_take(struct str *s, const char *prefix)
{
	if (!str_starts(*s, prefix))
		return false;
	*s = str_skip(*s, strlen(prefix));
	return true;
}

static void set_aggregate(struct plan_node *n, struct str *type)
{
	static const char *const names[][2] = {{"GroupAggregate", "Sorted"},
		{"HashAggregate", "Hashed"}, {"MixedAggregate", "Mixed"}, {"Aggregate", "Plain"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(*type, names[i][0])) {
			n->strategy = str_of(names[i][1]);
			*type = STR("Aggregate");
			if (n->partial_mode.n == 0)
				n->partial_mode = STR("Simple");
			return;
		}
	if (str_starts(*type, "HashSetOp ") || str_starts(*type, "SetOp ")) {
		n->strategy = text_take(type, "Hash") ? STR("Hashed") : STR("Sorted");
		text_take(type, "SetOp ");
		n->command = *type;
		*type = STR("SetOp");
	}
}

static void set_join(struct plan_node *n, struct str *type)
{
	static const char *const stems[][2] = {
		{"Hash ", "Hash Join"}, {"Merge ", "Merge Join"}, {"Nested Loop ", "Nested Loop"}};

	if (str_is(*type, "Nested Loop") || str_is(*type, "Hash Join") ||
		str_is(*type, "Merge Join")) {
		n->join = STR("Inner");
		return;
	}
	if (!str_ends(*type, " Join"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(stems); i++)
		if (str_starts(*type, stems[i][0])) {
			struct str kind = str_skip(*type, strlen(stems[i][0]));

			n->join = str_before(kind, kind.n - 5);
			*type = str_of(stems[i][1]);
			return;
		}
}

/* What stands before the parentheses: "Parallel Index Scan Backward using i on s.t x". */
static void set_title(struct reader *r, struct plan_node *n, struct str s)
{
	static const char *const verbs[] = {"Insert", "Update", "Delete", "Merge"};
	size_t on, using;
	struct str rest = STR_NONE, type;

	s = str_trim(s);
	on = str_find(s, " on ");
	using = str_find(s, " using ");
	type = str_before(s, using < on ? using : on);
	if (using < on) {
		rest = str_skip(s, using + 7);
		n->index = take_name(r->a, &rest, ' ');
		rest = text_take(&rest, "on ") || text_take(&rest, " on ") ? rest : STR_NONE;
	} else if (on < s.n) {
		rest = str_skip(s, on + 4);
	}
	n->is_parallel = text_take(&type, "Parallel ");
	if (text_take(&type, "Async "))
		plan_node_set(r->a, n, STR("Async Capable"), STR("true"));
	if (text_take(&type, "Partial "))
		n->partial_mode = STR("Partial");
	else if (text_take(&type, "Finalize "))
		n->partial_mode = STR("Finalize");
	if (str_ends(type, " Backward")) {
		type = str_before(type, type.n - 9);
		n->direction = STR("Backward");
	} else if (using < s.n) {
		n->direction = STR("Forward");
	}
	set_aggregate(n, &type);
	set_join(n, &type);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (str_is(type, verbs[i])) {
			n->operation = type;
			type = STR("ModifyTable");
		} else if (str_starts(type, "Foreign ") && str_ends(type, verbs[i])) {
			n->operation = str_of(verbs[i]);
			type = STR("Foreign Scan");
		}
	if (str_is(type, "Foreign Scan") && n->operation.n == 0)
		n->operation = STR("Select");
	if (text_take(&type, "Custom Scan (")) {
		n->provider = str_before(type, str_find(type, ")"));
		type = STR("Custom Scan");
	}
	n->type = arena_str(r->a, type);
	if (rest.n)
		set_source(r, n, rest);
}

void title_set_target(struct reader *r, struct plan_node *n, struct str s)
{
	struct plan_node *target = plan_node_new(r->a);

	s = arena_str(r->a, str_skip(s, str_find(s, " on ") + 4));
	set_source(r, target, s);
	if (target->schema.n)
		plan_node_add(r->a, n, STR("Target Tables.Schema"), target->schema);
	plan_node_add(r->a, n, STR("Target Tables.Relation Name"), target->relation);
	plan_node_add(r->a, n, STR("Target Tables.Alias"),
		target->alias.n ? target->alias : target->relation);
}

double text_number(struct str s, const char *key)
{
	size_t at = str_find(s, key);
	char copy[40];
	struct str v;

	if (at >= s.n)
		return NAN;
	v = str_before(str_skip(s, at + strlen(key)), sizeof(copy) - 1);
	memcpy(copy, v.p, v.n);
	copy[v.n] = 0;
	return strtod(copy, NULL);
}

/* "cost=1.00..2.00 rows=3 width=4" or "actual time=0.1..0.2 rows=3 loops=1" */
static void set_measures(struct plan_node *n, struct str s)
{
	size_t cost = str_find(s, "(cost="), actual = str_find(s, "(actual");
	struct str c = str_skip(s, cost);

	if (cost < s.n) {
		c = str_before(c, str_find(c, ")"));
		n->startup_cost = text_number(c, "cost=");
		n->total_cost = text_number(c, "..");
		n->plan_rows = text_number(c, "rows=");
		n->plan_width = text_number(c, "width=");
	}
	if (actual < s.n) {
		struct str v = str_skip(s, actual);

		v = str_before(v, str_find(v, ")"));
		if (str_find(v, "time=") < v.n) {
			n->startup_ms = text_number(v, "time=");
			n->total_ms = text_number(v, "..");
		}
		n->rows = text_number(v, "rows=");
		n->loops = text_number(v, "loops=");
	}
	if (str_find(s, "(never executed)") < s.n)
		n->is_never = true;
}

void title_set(struct reader *r, struct plan_node *n, struct str line)
{
	size_t cut = line.n;
	static const char *const marks[] = {"  (cost=", "  (actual", "  (never executed)",
		" (cost=", " (actual", " (never executed)"};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (str_find(line, marks[i]) < cut)
			cut = str_find(line, marks[i]);
	set_title(r, n, str_before(line, cut));
	set_measures(n, str_skip(line, cut));
}
