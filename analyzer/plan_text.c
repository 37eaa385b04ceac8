/* SPDX-License-Identifier: ISC
 *
 * The text format of EXPLAIN -> a plan, by indentation.
 *
 *	Limit  (cost=… rows=… width=…) (actual time=… rows=… loops=…)     the root
 *	  ->  Sort  (…)                      an arrow deeper than its parent's: a child
 *	        Sort Key: a                  belongs to the node above it
 *	        InitPlan 1 (returns $0)      names the node that follows, which is deeper
 *	          ->  Seq Scan on t  (…)
 *	Planning Time: 0.1 ms                not deeper than the root: belongs to the plan
 *
 * Lines that a terminal or a mail broke are put together again first: a line goes on while its
 * parentheses or quotes are open, and a line that is nothing we know continues the one before.
 */
#include "plan_text.h"

#include <ctype.h>

/* Node types that may stand alone on a line when COSTS are OFF; a scan names what it reads. */
static const char *const bare[] = {
	"Aggregate",
	"Append",
	"BitmapAnd",
	"BitmapOr",
	"Finalize ",
	"Foreign Scan", /* of a whole join, when COSTS are OFF */
	"Gather",
	"GroupAggregate",
	"Group",
	"Hash",
	"HashAggregate",
	"HashSetOp",
	"Incremental Sort",
	"Limit",
	"LockRows",
	"Materialize",
	"Memoize",
	"Merge ",
	"MixedAggregate",
	"Nested Loop",
	"Partial ",
	"ProjectSet",
	"Recursive Union",
	"Remote Fast Query Execution", /* Postgres-XC's and XL's */
	"Result",
	"SetOp ",
	"Sort",
	"Unique",
	"WindowAgg",
	"Gather Merge",
};
static const char *const with_on[] = {
	"Bitmap Heap Scan on ",
	"Bitmap Index Scan on ",
	"CTE Scan on ",
	"Custom Scan (",
	"Data Node Scan",
	"Broadcast Motion ", /* Greenplum's */
	"Delete on ",
	"Foreign Scan on ",
	"Function Scan on ",
	"Gather Motion ",
	"Index Only Scan ",
	"Index Scan ",
	"Insert on ",
	"Merge on ",
	"Parallel ",
	"Redistribute Motion ",
	"Remote Subquery Scan on ",
	"Sample Scan on ",
	"Seq Scan on ",
	"Subquery Scan on ",
	"Table Function Scan on ",
	"Tid Scan on ",
	"Tid Range Scan on ",
	"Update on ",
	"Values Scan on ",
	"WorkTable Scan on ",
};

/* --- lines ----------------------------------------------------------------------- */

static size_t indent_of(struct str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] == ' ')
		i++;
	return i;
}

static bool has_measure(struct str s)
{
	return str_find(s, "(cost=") < s.n || str_find(s, "(actual") < s.n ||
	       str_find(s, "(never executed)") < s.n;
}

/* Is the parenthesis that s leaves open one of measures, perhaps cut within its first word? */
static bool is_measure_cut(struct str s)
{
	static const char *const marks[] = {"(cost=", "(actual time=", "(actual rows="};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		for (size_t n = 1; n <= strlen(marks[i]); n++)
			if (s.n > n && s.p[s.n - n - 1] == ' ' &&
				memcmp(s.p + s.n - n, marks[i], n) == 0)
				return true;
	for (size_t i = s.n; i-- > 0;)
		if (s.p[i] == '(')
			return str_starts(str_skip(s, i), "(cost=") ||
			       str_starts(str_skip(s, i), "(actual");
	return false;
}

static bool begins_with_any(struct str s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_starts(s, list[i]))
			return true;
	return false;
}

static bool is_bare_node(struct str s)
{
	struct str word;

	if (begins_with_any(s, with_on, ARRAY_LEN(with_on)))
		return text_key_length(s) == 0;
	for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
		word = str_of(bare[i]);
		if (str_starts(s, bare[i]) &&
			(s.n == word.n || word.p[word.n - 1] == ' ' ||
				str_starts(str_skip(s, word.n), " Left Join") ||
				str_starts(str_skip(s, word.n), " Join") || str_ends(s, " Join") ||
				str_is(word, "HashSetOp")))
			return str_find(s, ":") == s.n;
	}
	return false;
}

bool plan_text_begins(struct str line)
{
	struct str s = str_trim(line);

	if (str_starts(s, "->") && has_measure(s)) /* a part of a plan was pasted */
		s = str_trim(str_skip(s, 2));
	if (s.n == 0 || !(isupper((unsigned char)s.p[0])))
		return false;
	if (has_measure(s) || (str_find(s, "  (") < s.n && is_measure_cut(s)))
		return str_find(s, ": ") > str_find(s, " (") && !str_starts(s, "Query Text");
	return is_bare_node(s);
}

/* "Key: " at the beginning: letters, blanks and what else stands in EXPLAIN's keys. */
size_t text_key_length(struct str s)
{
	size_t i = 0;

	if (s.n == 0 || !isupper((unsigned char)s.p[0]))
		return 0;
	while (i < s.n && i < 60 && (isalnum((unsigned char)s.p[i]) || strchr(" -/()_", s.p[i])))
		i++;
	if (i == 0 || i >= s.n || s.p[i] != ':')
		return 0;
	return i + 1 == s.n || s.p[i + 1] == ' ' ? i : 0;
}

static bool is_label(struct str s)
{
	return ((str_starts(s, "InitPlan ") || str_starts(s, "SubPlan ")) && s.n > 8 &&
		       str_find(s, ":") == s.n) ||
	       (str_starts(s, "CTE ") && !str_starts(s, "CTE Scan")) || str_is(s, "InitPlan") ||
	       str_is(s, "SubPlan");
}

bool text_is_footer(struct str s)
{
	static const char *const keys[] = {
		"Planning Time:",
		"Planning time:",
		"Execution Time:",
		"Execution time:",
		"Total runtime:",
		"Planning:",
		"JIT:",
		"Settings:",
		"Query Identifier:",
		"Serialization:",
		"Trigger ",
		"Planning Memory:",
		"Memory used:", /* Greenplum's */
		"Memory wanted:",
		"Optimizer:",
		"(slice",
		"Supplied Plan Advice:", /* pg_plan_advice */
		"Generated Plan Advice:",
		"PlannedStmt:", /* pg_overexplain */
		"RTI ",
		"Unprunable RTIs:",
	};

	return begins_with_any(s, keys, ARRAY_LEN(keys));
}

static bool is_arrow(struct str s)
{
	return str_starts(s, "->");
}

/* "Update on public.part part_1" without an arrow: a table that the node above changes. */
static bool is_target(struct str s)
{
	static const char *const verbs[] = {"Insert on ", "Update on ", "Delete on ", "Merge on "};

	text_take(&s, "Foreign ");
	return begins_with_any(s, verbs, ARRAY_LEN(verbs)) && !has_measure(s);
}

/* Keys that stand within a line: where one begins it, the line was broken before. */
static bool is_inner_key(struct str s)
{
	static const char *const keys[] = {"Average Memory:", "Average Disk:", "Peak Memory:",
		"Peak Disk:", "Memory Usage:", "Disk Usage:", "Maximum Storage:", "Misses:",
		"Evictions:", "Overflows:", "Memory: ", "Disk: ", "Usage:", "Method:", "Key:",
		"Cond:", "Fetches:", "Blocks:", "Planned:", "Launched:"};

	return begins_with_any(s, keys, ARRAY_LEN(keys));
}

/* "rows=3 loops=1", "('1'::double precision)": the rest of a line. */
static bool is_measure_rest(struct str s)
{
	size_t i = 0;

	while (i < s.n && islower((unsigned char)s.p[i]))
		i++;
	if (str_starts(s, "(") && !str_starts(s, "(slice"))
		return true;
	return i > 0 && i + 1 < s.n && s.p[i] == '=' && isdigit((unsigned char)s.p[i + 1]);
}

/* Ends in what EXPLAIN never ends a line with. */
static bool is_unfinished(struct str s)
{
	static const char *const headings[] = {"Planning:", "JIT:", "Serialization:"};

	s = str_trim(s);
	if (str_ends(s, ":"))
		return !begins_with_any(s, headings, ARRAY_LEN(headings));
	return str_ends(s, ",") || (str_starts(s, "Timing: Generation") && !str_ends(s, " ms"));
}

/* Does the line begin something of its own, or go on with the one before? */
static bool begins_new(struct str s)
{
	if (is_inner_key(s))
		return false;
	return is_arrow(s) || is_label(s) || is_target(s) || text_is_footer(s) ||
	       text_key_length(s) > 0 ||
	       (str_starts(s, "Worker ") && s.n > 7 && isdigit((unsigned char)s.p[7]));
}

/* The same of a line that may have been cut within its first word: "Buff", "ers: shared hit=3". */
static bool begins_new_at(struct reader *r, const struct plan_lines *l, size_t at)
{
	struct str s = str_trim(l->line.at[at].text);

	if (begins_new(s) || !l->line.at[at].is_full || at + 1 == l->line.n || s.n == 0)
		return begins_new(s);
	return begins_new(str_trim(arena_printf(r->a, "%.*s%.*s", STR_ARGS(l->line.at[at].text),
		STR_ARGS(l->line.at[at + 1].text))));
}

/* Open parentheses of the text so far, quotes heeded; *quote is the quote that is open. */
static int open_parens(struct str s, int open, char *quote)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (*quote) {
			if (c == *quote)
				*quote = 0;
		} else if (c == '\'' || c == '"') {
			*quote = c;
		} else {
			open += c == '(' ? 1 : c == ')' ? -1 : 0;
		}
	}
	return open;
}

/* The logical line from *at on, broken lines joined; *at is left behind it. */
static struct str next_line(struct reader *r, const struct plan_lines *l, size_t *at)
{
	struct str s = l->line.at[*at].text;
	struct text joined = {0};
	char quote = 0;
	int open = open_parens(s, 0, &quote);

	(*at)++;
	for (int more = 0; *at < l->line.n && more < 200; more++, (*at)++) {
		struct str next = l->line.at[*at].text, n = str_trim(next);
		bool was_cut = l->line.at[*at - 1].is_full, is_new = begins_new_at(r, l, *at);
		bool goes_on = open > 0 || quote || (was_cut && !is_new);

		bool is_cut_key =
			str_starts(str_trim(s), "Rows Removed") && str_find(s, ":") == s.n;

		if (n.n == 0 || (is_arrow(n) && (!quote || has_measure(n))) ||
			(l->line.at[*at].is_apart && !quote && open <= 0) ||
			(goes_on && is_new && text_key_length(n) && !quote && !is_cut_key))
			break;
		if (!goes_on)
			goes_on = str_starts(n, "(actual ") || str_starts(n, "(never executed") ||
				  str_starts(n, "(cost=") || is_inner_key(n) ||
				  is_measure_rest(n) || (is_cut_key && joined.n == 0) ||
				  (is_unfinished(joined.n ? text_slice(&joined) : s) && !is_new) ||
				  (indent_of(next) > r->root_column && !is_new &&
					  !plan_text_begins(n));
		if (!goes_on)
			break;
		if (joined.n == 0)
			text_str(&joined, s);
		if (!was_cut && (quote || !is_measure_cut(text_slice(&joined))))
			text_puts(&joined, quote ? "\n" : " ");
		text_str(&joined, quote || was_cut ? next : n);
		open = open_parens(quote ? next : n, open, &quote);
	}
	s = arena_str(r->a, joined.n ? text_slice(&joined) : s); /* the plan borrows from it */
	text_release(&joined);
	return s;
}

/* --- the tree ----------------------------------------------------------------------- */

static void name_label(struct reader *r, struct plan_node *n)
{
	struct str s = r->label;

	if (s.n == 0)
		return;
	n->subplan = s;
	n->relationship = str_starts(s, "SubPlan") ? STR("SubPlan") : STR("InitPlan");
	r->label = STR_NONE;
}

static void name_relationship(struct plan_node *up, struct plan_node *n)
{
	size_t inputs = 0;

	if (n->relationship.n)
		return;
	for (size_t i = 0; i < up->children; i++)
		inputs += plan_is_input(up->child[i]);
	switch (up->kind) {
	case PLAN_APPEND:
	case PLAN_MERGE_APPEND:
	case PLAN_BITMAP_AND:
	case PLAN_BITMAP_OR:
		n->relationship = STR("Member");
		return;
	case PLAN_SUBQUERY_SCAN:
		n->relationship = STR("Subquery");
		return;
	default: /* the rest has an outer and perhaps an inner input */
		n->relationship = inputs ? STR("Inner") : STR("Outer");
	}
}

static struct plan_node *read_node(struct reader *r, struct str s, size_t column, int line)
{
	struct plan_node *n = plan_node_new(r->a);
	size_t from = r->label.n ? r->label_column : column;

	n->line = line;
	title_set(r, n, s);
	name_label(r, n);
	plan_node_settle(n);
	r->is_indented |= column > 0;
	while (r->depth > 1 && r->level[r->depth - 1].column >= from)
		r->depth--;
	if (r->depth > 0) {
		struct plan_node *up = r->level[r->depth - 1].node;

		name_relationship(up, n);
		plan_node_adopt(r->a, up, n);
	}
	if (r->depth < MAX_DEPTH)
		r->level[r->depth++] = (struct level){n, column};
	r->last = n;
	r->worker_column = r->target_column = SIZE_MAX;
	r->part = PART_TREE;
	return n;
}

/* The node a property at this column belongs to.  That is the last one, but for a custom node
 * that goes on after its children (Citus' "Task Count" behind its subplans). */
static struct plan_node *owner_of(const struct reader *r, size_t column)
{
	size_t i = r->depth;

	while (i > 1 && r->level[i - 1].column >= column)
		i--;
	if (i == r->depth || !r->is_indented)
		return r->last;
	/* properties stand six columns behind the arrow, the root's two behind the root */
	if (i == 1 ? column != r->root_column + 2 : column != r->level[i - 1].column + 6)
		return r->last;
	return r->level[i - 1].node;
}

/* One logical line below the root. False: the plan ended before it. */
static bool read_line(struct reader *r, struct str line, int number)
{
	struct str s = str_trim(line);
	size_t column = indent_of(line);

	if (is_arrow(s)) {
		if (r->is_part && column <= r->root_column)
			return false;
		s = str_trim(str_skip(s, 2));
		read_node(r, s, column, number);
		return true;
	}
	if (column > r->worker_column) {
		if (str_starts(s, "Sort Method: "))
			field_set_worker_sort(&r->last->worker.at[r->last->worker.n - 1], s);
		return true;
	}
	if (r->part == PART_ASIDE && !text_is_footer(s))
		return column > r->root_column;
	if (text_is_footer(s) || r->part != PART_TREE)
		return field_set_footer(r, s);
	if (column < r->root_column ||
		(column == r->root_column && !text_key_length(s) && !is_label(s)))
		return false;
	if (str_starts(s, "Worker ") && s.n > 7 && isdigit((unsigned char)s.p[7])) {
		field_set_worker(r, r->last, s);
		r->worker_column = column;
		return true;
	}
	r->worker_column = SIZE_MAX;
	if (is_target(s) && r->last->kind == PLAN_MODIFY_TABLE && column > r->root_column) {
		title_set_target(r, r->last, s);
		r->target_column = column;
		return true;
	}
	if (is_label(s)) {
		r->label = arena_str(r->a, s);
		r->label_column = column;
		return true;
	}
	if (text_key_length(s) == 0) { /* shown nowhere, but no end */
		if (column > r->root_column && r->p->passed_over++ == 0)
			r->p->passed_line = number;
		return column > r->root_column;
	}
	if (str_starts(s, "Time: ")) /* psql's \timing */
		return false;
	if (column <= r->root_column && r->is_indented)
		return false;
	if (column > r->target_column)
		field_set_target(r, r->last, s);
	else
		field_set(r, owner_of(r, column), s);
	return true;
}

/* A bare "Limit" is a plan's root only when a plan's line follows. */
static bool is_root(const struct plan_lines *l, size_t at)
{
	struct str s = l->line.at[at].text, next;

	if (has_measure(s) || is_measure_cut(s) ||
		begins_with_any(str_trim(s), with_on, ARRAY_LEN(with_on)))
		return true;
	if (str_is(str_trim(s), "Result"))
		return at + 1 == l->line.n || indent_of(l->line.at[at + 1].text) > indent_of(s);
	if (at + 1 == l->line.n)
		return false;
	next = l->line.at[at + 1].text;
	return is_arrow(str_trim(next)) ||
	       ((text_key_length(str_trim(next)) || is_label(str_trim(next))) &&
		       indent_of(next) > indent_of(s));
}

/* The line at `at` is nothing we know and no deeper than the root, but the plan goes on below
 * it: a value with a line break in it.  It belongs to the property before. */
static bool is_stray(const struct reader *r, const struct plan_lines *l, size_t at)
{
	struct str s = str_trim(l->line.at[at].text);

	if (begins_new(s) || plan_text_begins(s) || r->last->prop.n == 0)
		return false;
	for (size_t k = at + 1; k < l->line.n && k < at + 4; k++) {
		struct str next = l->line.at[k].text;

		if (plan_text_begins(next) && !is_arrow(str_trim(next)))
			return false;
		if (is_arrow(str_trim(next)) || text_key_length(str_trim(next)))
			return indent_of(next) > r->root_column;
	}
	return false;
}

static void add_stray(struct reader *r, struct str s)
{
	struct plan_prop *p = &r->last->prop.at[r->last->prop.n - 1];

	if (p->values)
		p->value[p->values - 1] = arena_printf(r->a, "%.*s\n%.*s",
			STR_ARGS(p->value[p->values - 1]), STR_ARGS(s));
}

struct plan *plan_text_read(struct arena *a, const struct plan_lines *l, size_t *at)
{
	struct reader r = {.a = a};
	size_t first = *at;
	struct str line = l->line.at[first].text;

	if (!plan_text_begins(line) || !is_root(l, first))
		return NULL;
	r.p = plan_new(a);
	r.p->format = PLAN_TEXT;
	r.p->line = l->line.at[first].number;
	r.root_column = indent_of(line);
	r.worker_column = r.target_column = SIZE_MAX;
	r.is_part = is_arrow(str_trim(line));
	line = str_trim(next_line(&r, l, at));
	r.p->root = read_node(&r, r.is_part ? str_trim(str_skip(line, 2)) : line, 0, r.p->line);
	r.level[0].column = 0;
	while (*at < l->line.n) {
		size_t here = *at;

		if (str_trim(l->line.at[here].text).n == 0) {
			(*at)++;
			continue;
		}
		line = next_line(&r, l, at);
		if (!read_line(&r, line, l->line.at[here].number)) {
			if (is_stray(&r, l, here)) {
				add_stray(&r, str_trim(line));
				continue;
			}
			*at = here;
			break;
		}
	}
	return r.p;
}
