/* SPDX-License-Identifier: ISC
 *
 * One node of a plan: its fields by name, and its title as the text format writes it.
 */
#include "plan.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>

static const struct {
	const char *key;
	size_t offset;
} numbers[] =
	{
#define X(field, key) {key, offsetof(struct plan_node, field)},
		PLAN_NUMBERS(X)
#undef X
},
  strings[] = {
#define X(field, key) {key, offsetof(struct plan_node, field)},
	  PLAN_STRINGS(X)
#undef X
};

static const char *const kind_name[] = {
#define X(id, name) name,
	PLAN_KINDS(X)
#undef X
};

/* Keys of properties whose spelling XML changes. */
static const char *const spelled[] = {
	"Full-sort Groups",
	"Pre-sorted Groups",
	"One-Time Filter",
	"Index Cond",
	"Recheck Cond",
	"Filter",
	"Join Filter",
	"Hash Cond",
	"Merge Cond",
	"TID Cond",
	"Order By",
	"Sort Key",
	"Presorted Key",
	"Group Key",
	"Grouping Sets",
	"Output",
	"Cache Key",
	"Cache Mode",
	"Function Call",
	"Table Function Call",
	"Remote SQL",
	"Run Condition",
	"Conflict Resolution",
	"Conflict Arbiter Indexes",
	"Conflict Filter",
	"Inner Unique",
	"Single Copy",
	"Async Capable",
	"Repeatable Seed",
	"Sampling Method",
	"Sampling Parameters",
};

static bool same_key(struct str a, const char *b)
{
	size_t i = 0;

	for (;; i++, b++) {
		while (i < a.n && !isalnum((unsigned char)a.p[i]))
			i++;
		while (*b && !isalnum((unsigned char)*b))
			b++;
		if (i >= a.n || !*b)
			return i >= a.n && !*b;
		if (tolower((unsigned char)a.p[i]) != tolower((unsigned char)*b))
			return false;
	}
}

/* The place of the key in the vocabulary, hashed once: numbers, then strings, then spelled. */
#define WORDS (ARRAY_LEN(numbers) + ARRAY_LEN(strings) + ARRAY_LEN(spelled))
#define SLOTS 512

static const char *word(size_t i)
{
	if (i < ARRAY_LEN(numbers))
		return numbers[i].key;
	i -= ARRAY_LEN(numbers);
	if (i < ARRAY_LEN(strings))
		return strings[i].key;
	return spelled[i - ARRAY_LEN(strings)];
}

static unsigned key_hash(struct str s)
{
	unsigned h = 5381;

	for (size_t i = 0; i < s.n; i++)
		if (isalnum((unsigned char)s.p[i]))
			h = h * 33 + (unsigned)tolower((unsigned char)s.p[i]);
	return h ^ h >> 15;
}

static size_t find_word(struct str key)
{
	static _Thread_local unsigned short slot[SLOTS]; /* index + 1 */
	static _Thread_local bool is_filled;

	if (!is_filled) {
		for (size_t i = 0; i < WORDS; i++) {
			unsigned h = key_hash(str_of(word(i)));

			while (slot[h % SLOTS])
				h++;
			slot[h % SLOTS] = (unsigned short)(i + 1);
		}
		is_filled = true;
	}
	for (unsigned h = key_hash(key); slot[h % SLOTS]; h++)
		if (str_is(key, word(slot[h % SLOTS] - 1u)) ||
			same_key(key, word(slot[h % SLOTS] - 1u)))
			return slot[h % SLOTS] - 1u;
	return WORDS;
}

double plan_num(double x)
{
	return isfinite(x) ? x : 0;
}

struct plan_node *plan_node_new(struct arena *a)
{
	struct plan_node *n = ARENA_NEW(a, struct plan_node);

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		double nan = NAN;

		memcpy((char *)n + numbers[i].offset, &nan, sizeof(nan));
	}
	n->all_rows = n->all_removed = n->wall_ms = n->self_ms = NAN;
	return n;
}

struct plan *plan_new(struct arena *a)
{
	struct plan *p = ARENA_NEW(a, struct plan);

	p->duration_ms = p->planning_ms = p->execution_ms = NAN;
	p->planning_read = p->planning_hit = p->jit_functions = p->jit_ms = NAN;
	return p;
}

void plan_node_adopt(struct arena *a, struct plan_node *up, struct plan_node *child)
{
	if (up->children == up->child_room) {
		size_t room = up->child_room ? up->child_room * 2 : 2;
		struct plan_node **list = ARENA_ARRAY(a, struct plan_node *, room);

		if (up->children)
			memcpy(list, up->child, up->children * sizeof(*list));
		up->child = list;
		up->child_room = room;
	}
	up->child[up->children++] = child;
	child->up = up;
}

/* "12", "1.5", "12kB", "0.25 ms" */
static double number_of(struct str value)
{
	char copy[64], *end;
	double x;

	if (value.n == 0 || value.n >= sizeof(copy))
		return NAN;
	memcpy(copy, value.p, value.n);
	copy[value.n] = 0;
	x = strtod(copy, &end);
	return end == copy ? NAN : x;
}

static struct plan_prop *prop_of(struct arena *a, struct plan_node *n, struct str key)
{
	struct plan_prop *p;

	for (size_t i = 0; i < n->prop.n; i++)
		if (str_eq(n->prop.at[i].key, key))
			return &n->prop.at[i];
	/* The vector lives in the arena: nodes are never freed one by one. */
	if (n->prop.n == n->prop.cap) {
		size_t cap = n->prop.cap ? n->prop.cap * 2 : 4;

		p = ARENA_ARRAY(a, struct plan_prop, cap);
		if (n->prop.n)
			memcpy(p, n->prop.at, n->prop.n * sizeof(*p));
		n->prop.at = p;
		n->prop.cap = cap;
	}
	p = &n->prop.at[n->prop.n++];
	*p = (struct plan_prop){.key = key};
	return p;
}

void plan_node_add(struct arena *a, struct plan_node *n, struct str key, struct str item)
{
	size_t w = find_word(key);
	struct plan_prop *p;
	struct str *list;

	p = prop_of(a, n, w < WORDS ? str_of(word(w)) : arena_str(a, key));
	if ((p->values & (p->values - 1)) == 0) {
		list = ARENA_ARRAY(a, struct str, p->values ? p->values * 2 : 1);
		if (p->values)
			memcpy(list, p->value, p->values * sizeof(*list));
		p->value = list;
	}
	p->value[p->values++] = item;
}

/* "Filter": "false" is a condition, "Single Copy": false is said by silence. */
static bool is_condition(struct str key)
{
	return str_ends(key, "Filter") || str_ends(key, "Cond") || str_ends(key, "Condition");
}

static bool is_true(struct str value)
{
	return str_is_nocase(value, "true") || str_is(value, "1");
}

void plan_node_set(struct arena *a, struct plan_node *n, struct str key, struct str value)
{
	size_t w = find_word(key);

	if (w < ARRAY_LEN(numbers)) {
		double x = number_of(value);

		memcpy((char *)n + numbers[w].offset, &x, sizeof(x));
		return;
	}
	w -= ARRAY_LEN(numbers);
	if (w < ARRAY_LEN(strings)) {
		memcpy((char *)n + strings[w].offset, &value, sizeof(value));
		return;
	}
	if (same_key(key, "Parallel Aware"))
		n->is_parallel = is_true(value);
	else if (same_key(key, "Disabled"))
		n->is_disabled = is_true(value);
	else if (!same_key(key, "Inner Unique") &&  /* the text format says it only when VERBOSE */
		 (!str_is_nocase(value, "false") || /* the text format leaves these out */
			 is_condition(key)))
		plan_node_add(a, n, key, value);
}

bool plan_node_set_number(struct plan_node *n, struct str key, double value)
{
	size_t w = find_word(key);

	if (w >= ARRAY_LEN(numbers))
		return false;
	memcpy((char *)n + numbers[w].offset, &value, sizeof(value));
	return true;
}

void plan_node_settle(struct plan_node *n)
{
	for (size_t k = 1; k < ARRAY_LEN(kind_name); k++)
		if (str_is(n->type, kind_name[k]))
			n->kind = (enum plan_kind)k;
	if (str_is(n->type, "Tid Range Scan"))
		n->kind = PLAN_TID_SCAN;
	if (n->alias.n == 0)
		n->alias = plan_source(n);
	if (isfinite(n->loops) && n->loops == 0)
		n->is_never = true;
	if (n->is_never)
		n->loops = n->rows = 0;
}

const struct plan_prop *plan_prop(const struct plan_node *n, const char *key)
{
	for (size_t i = 0; i < n->prop.n; i++)
		if (str_is(n->prop.at[i].key, key))
			return &n->prop.at[i];
	return NULL;
}

struct str plan_get(struct arena *a, const struct plan_node *n, const char *key)
{
	const struct plan_prop *p = plan_prop(n, key);
	struct text t = {0};
	struct str s;

	if (p == NULL || p->values == 0)
		return STR_NONE;
	if (p->values == 1)
		return p->value[0];
	for (size_t i = 0; i < p->values; i++) {
		if (i)
			text_puts(&t, ", ");
		text_str(&t, p->value[i]);
	}
	s = arena_str(a, text_slice(&t));
	text_release(&t);
	return s;
}

struct str plan_source(const struct plan_node *n)
{
	if (n->relation.n)
		return n->relation;
	if (n->cte.n)
		return n->cte;
	if (n->function.n)
		return n->function;
	if (n->table_function.n)
		return n->table_function;
	return n->alias;
}

struct str plan_whole_alias(const struct plan_node *n)
{
	struct str base = n->alias;

	if (n->up == NULL || (n->up->kind != PLAN_APPEND && n->up->kind != PLAN_MERGE_APPEND))
		return base;
	while (base.n && isdigit((unsigned char)base.p[base.n - 1]))
		base.n--;
	return base.n > 1 && base.n < n->alias.n && base.p[base.n - 1] == '_'
		       ? str_before(base, base.n - 1)
		       : n->alias;
}

bool plan_is_scan(const struct plan_node *n)
{
	switch (n->kind) {
	case PLAN_SEQ_SCAN:
	case PLAN_SAMPLE_SCAN:
	case PLAN_INDEX_SCAN:
	case PLAN_INDEX_ONLY_SCAN:
	case PLAN_BITMAP_HEAP_SCAN:
	case PLAN_TID_SCAN:
	case PLAN_SUBQUERY_SCAN:
	case PLAN_FUNCTION_SCAN:
	case PLAN_VALUES_SCAN:
	case PLAN_CTE_SCAN:
	case PLAN_WORKTABLE_SCAN:
	case PLAN_FOREIGN_SCAN:
	case PLAN_CUSTOM_SCAN:
		return true;
	default: /* forty kinds, a dozen scans */
		return false;
	}
}

bool plan_is_join(const struct plan_node *n)
{
	return n->kind == PLAN_NESTED_LOOP || n->kind == PLAN_HASH_JOIN ||
	       n->kind == PLAN_MERGE_JOIN;
}

bool plan_is_input(const struct plan_node *n)
{
	return !str_is(n->relationship, "InitPlan") && !str_is(n->relationship, "SubPlan");
}

struct plan_node *plan_outer(const struct plan_node *n)
{
	for (size_t i = 0; i < n->children; i++)
		if (plan_is_input(n->child[i]))
			return n->child[i];
	return NULL;
}

struct plan_node *plan_inner(const struct plan_node *n)
{
	bool seen = false;

	for (size_t i = 0; i < n->children; i++) {
		if (plan_is_input(n->child[i]) && seen)
			return n->child[i];
		seen = seen || plan_is_input(n->child[i]);
	}
	return NULL;
}

/* --- titles ---------------------------------------------------------------------- */

static void put_type(struct text *t, const struct plan_node *n)
{
	if (n->is_parallel)
		text_puts(t, "Parallel ");
	if (plan_prop(n, "Async Capable"))
		text_puts(t, "Async ");
	if (n->partial_mode.n && !str_is(n->partial_mode, "Simple"))
		text_printf(t, "%.*s ", STR_ARGS(n->partial_mode));
	if (n->kind == PLAN_AGGREGATE) {
		text_puts(t, str_is(n->strategy, "Sorted")   ? "GroupAggregate"
			     : str_is(n->strategy, "Hashed") ? "HashAggregate"
			     : str_is(n->strategy, "Mixed")  ? "MixedAggregate"
							     : "Aggregate");
	} else if (n->kind == PLAN_MODIFY_TABLE ||
		   (n->operation.n && n->kind == PLAN_FOREIGN_SCAN &&
			   !str_is(n->operation, "Select"))) {
		if (n->kind == PLAN_FOREIGN_SCAN)
			text_puts(t, "Foreign ");
		text_str(t, n->operation.n ? n->operation : n->type);
	} else if (plan_is_join(n) && n->join.n && !str_is(n->join, "Inner")) {
		struct str stem = n->type;

		if (n->kind != PLAN_NESTED_LOOP)
			stem = str_before(stem, str_find(stem, " Join"));
		text_printf(t, "%.*s %.*s Join", STR_ARGS(stem), STR_ARGS(n->join));
	} else if (n->kind == PLAN_SET_OP) {
		text_printf(t, "%s %.*s", str_is(n->strategy, "Hashed") ? "HashSetOp" : "SetOp",
			STR_ARGS(n->command));
	} else if (n->kind == PLAN_CUSTOM_SCAN && n->provider.n) {
		text_printf(t, "Custom Scan (%.*s)", STR_ARGS(n->provider));
	} else {
		text_str(t, n->type.n ? n->type : STR("Unknown node"));
	}
	if (str_is(n->direction, "Backward"))
		text_puts(t, " Backward");
}

struct str plan_title(struct arena *a, const struct plan_node *n)
{
	struct text t = {0};
	struct str s, source = plan_source(n);

	put_type(&t, n);
	if (n->kind == PLAN_BITMAP_INDEX_SCAN) {
		if (n->index.n)
			text_printf(&t, " on %.*s", STR_ARGS(n->index));
	} else if (source.n) {
		if (n->index.n)
			text_printf(&t, " using %.*s", STR_ARGS(n->index));
		text_puts(&t, " on ");
		if (n->schema.n)
			text_printf(&t, "%.*s.", STR_ARGS(n->schema));
		text_str(&t, source);
		if (n->alias.n && !str_eq(n->alias, source))
			text_printf(&t, " %.*s", STR_ARGS(n->alias));
	}
	s = arena_str(a, text_slice(&t));
	text_release(&t);
	return s;
}
