/* SPDX-License-Identifier: ISC
 *
 * JSON values -> a plan.  YAML and XML come here too, as the JSON they stand for, with one
 * difference to live with: their numbers are strings.
 *
 * Nested objects that are no nodes are flattened: "Full-sort Groups": {"Group Count": 3} is the
 * property "Full-sort Groups.Group Count".
 */
#include "plan.h"

#include <jansson.h>
#include <math.h>

/* Deeper nests are cut off: no planner makes them, and the walk is recursive. */
#define MAX_DEPTH 1000

static struct str copied(struct arena *a, json_t *v)
{
	return arena_str(a, (struct str){json_string_value(v), json_string_length(v)});
}

static struct str scalar_text(struct arena *a, json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		return copied(a, v);
	case JSON_INTEGER:
		return arena_printf(a, "%lld", (long long)json_integer_value(v));
	case JSON_REAL:
		return arena_printf(a, "%.15g", json_real_value(v));
	case JSON_TRUE:
		return STR("true");
	case JSON_FALSE:
		return STR("false");
	default: /* null, and what is no scalar */
		return STR("");
	}
}

static double scalar_number(json_t *v)
{
	if (json_is_string(v)) {
		char *end;
		double x = strtod(json_string_value(v), &end);

		return end == json_string_value(v) ? NAN : x;
	}
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static double number_member(json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	return v ? scalar_number(v) : NAN;
}

static struct str string_member(struct arena *a, json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	return v ? scalar_text(a, v) : STR_NONE;
}

static void read_worker(struct arena *a, struct plan_node *n, json_t *v)
{
	struct plan_worker w = {
		.number = number_member(v, "Worker Number"),
		.rows = number_member(v, "Actual Rows"),
		.loops = number_member(v, "Actual Loops"),
		.total_ms = number_member(v, "Actual Total Time"),
		.sort_kb = number_member(v, "Sort Space Used"),
		.sort_method = string_member(a, v, "Sort Method"),
		.sort_type = string_member(a, v, "Sort Space Type"),
	};
	size_t cap = n->worker.n + 1;
	struct plan_worker *list = ARENA_ARRAY(a, struct plan_worker, cap);

	if (!json_is_object(v))
		return;
	if (n->worker.n)
		memcpy(list, n->worker.at, n->worker.n * sizeof(*list));
	list[n->worker.n] = w;
	n->worker.at = list;
	n->worker.n = n->worker.cap = cap;
}

static void set_field(struct arena *a, struct plan_node *n, struct str key, json_t *v, int depth);

/* "Grouping Sets": [{"Sort Key": […], "Group Keys": [["a", "b"], []]}] is several lines "Group
 * Key: a, b" in the text format, and () where the key is empty. */
static struct str grouping_key(struct str key)
{
	static const char *const names[][2] = {{"Grouping Sets.Group Keys", "Group Key"},
		{"Grouping Sets.Hash Keys", "Hash Key"}, {"Grouping Sets.Sort Key", "Sort Key"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(key, names[i][0]))
			return str_of(names[i][1]);
	return STR_NONE;
}

static void set_list(struct arena *a, struct plan_node *n, struct str key, json_t *list, int depth)
{
	struct str grouping = grouping_key(key);
	size_t i;
	json_t *item;

	if (grouping.n) {
		key = grouping;
		if (json_array_size(list) == 0)
			plan_node_add(a, n, key, STR("()"));
	}

	json_array_foreach(list, i, item)
	{
		if (json_is_object(item)) {
			set_field(a, n, key, item, depth + 1);
		} else if (json_is_array(item) && grouping.n) {
			set_list(a, n,
				str_is(key, "Hash Key") ? STR("Grouping Sets.Hash Keys")
							: STR("Grouping Sets.Group Keys"),
				item, depth + 1);
		} else if (json_is_array(item)) {
			struct text t = {0};
			size_t k;
			json_t *inner;

			json_array_foreach(item, k, inner)
			{
				if (k)
					text_puts(&t, ", ");
				text_str(&t, scalar_text(a, inner));
			}
			plan_node_add(a, n, key, arena_str(a, text_slice(&t)));
			text_release(&t);
		} else {
			struct str s = scalar_text(a, item);

			/* XML's empty key is an element with blanks in it */
			plan_node_add(a, n, key, grouping.n && str_trim(s).n == 0 ? STR("()") : s);
		}
	}
}

static void set_field(struct arena *a, struct plan_node *n, struct str key, json_t *v, int depth)
{
	const char *name;
	json_t *item;

	if (depth > MAX_DEPTH || json_is_null(v))
		return;
	if (json_is_array(v)) {
		set_list(a, n, key, v, depth + 1);
	} else if (json_is_object(v)) {
		json_object_foreach(v, name, item)
		{
			struct str inner = arena_printf(a, "%.*s.%s", STR_ARGS(key), name);

			set_field(a, n, inner, item, depth + 1);
		}
	} else if (json_is_number(v)) {
		if (!plan_node_set_number(n, key, json_number_value(v)))
			plan_node_set(a, n, key, scalar_text(a, v));
	} else {
		plan_node_set(a, n, key, scalar_text(a, v));
	}
}

static struct plan_node *read_node(struct arena *a, json_t *v, int depth)
{
	struct plan_node *n = plan_node_new(a);
	const char *name;
	json_t *item;
	size_t i;

	json_object_foreach(v, name, item)
	{
		json_t *part;

		if (strcmp(name, "Plans") == 0 && depth < MAX_DEPTH) {
			json_array_foreach(item, i, part) if (json_is_object(part))
				plan_node_adopt(a, n, read_node(a, part, depth + 1));
		} else if (strcmp(name, "Workers") == 0) {
			json_array_foreach(item, i, part) read_worker(a, n, part);
		} else {
			set_field(a, n, str_of(name), item, 0);
		}
	}
	plan_node_settle(n);
	return n;
}

/* --- what stands beside the tree -------------------------------------------------- */

static void read_triggers(struct arena *a, struct plan *p, json_t *list)
{
	size_t i, n = json_array_size(list);

	p->trigger.at = ARENA_ARRAY(a, struct plan_trigger, n + 1);
	for (i = 0; i < n; i++) {
		json_t *v = json_array_get(list, i);

		p->trigger.at[p->trigger.n++] = (struct plan_trigger){
			.name = string_member(a, v, "Trigger Name"),
			.constraint = string_member(a, v, "Constraint Name"),
			.relation = string_member(a, v, "Relation"),
			.ms = number_member(v, "Time"),
			.calls = number_member(v, "Calls"),
		};
	}
}

static void read_settings(struct arena *a, struct plan *p, json_t *object)
{
	const char *name;
	json_t *value;

	p->setting.at = ARENA_ARRAY(a, struct plan_setting, json_object_size(object) + 1);
	json_object_foreach(object, name, value) p->setting.at[p->setting.n++] =
		(struct plan_setting){arena_str(a, str_of(name)), scalar_text(a, value)};
}

static struct plan *read_plan(struct arena *a, json_t *doc, json_t *root)
{
	struct plan *p = plan_new(a);
	json_t *jit = json_object_get(doc, "JIT"), *planning = json_object_get(doc, "Planning"),
	       *timing;

	p->format = PLAN_JSON;
	p->root = read_node(a, root, 0);
	p->query = string_member(a, doc, "Query Text");
	p->query_id = string_member(a, doc, "Query Identifier");
	p->planning_ms = number_member(doc, "Planning Time");
	p->execution_ms = number_member(doc, "Execution Time");
	if (isnan(p->execution_ms))
		p->execution_ms = number_member(doc, "Total Runtime");
	p->planning_hit = planning ? number_member(planning, "Shared Hit Blocks") : NAN;
	p->planning_read = planning ? number_member(planning, "Shared Read Blocks") : NAN;
	if (jit) {
		timing = json_object_get(jit, "Timing");
		p->jit_functions = number_member(jit, "Functions");
		p->jit_ms = timing ? number_member(timing, "Total") : NAN;
	}
	read_triggers(a, p, json_object_get(doc, "Triggers"));
	if (json_is_object(json_object_get(doc, "Settings")))
		read_settings(a, p, json_object_get(doc, "Settings"));
	return p;
}

static size_t look_into(struct arena *a, json_t *doc, struct plan_list *out, int depth)
{
	size_t found = 0, i;
	json_t *item;
	const char *name;

	if (depth > 6)
		return 0;
	if (json_is_array(doc)) {
		json_array_foreach(doc, i, item) found += look_into(a, item, out, depth + 1);
		return found;
	}
	if (!json_is_object(doc))
		return 0;
	item = json_object_get(doc, "Plan");
	if (json_is_object(item)) {
		*VEC_PUSH(&out->plan) = read_plan(a, doc, item);
		return 1;
	}
	if (json_object_get(doc, "Node Type")) {
		item = json_object();
		*VEC_PUSH(&out->plan) = read_plan(a, item, doc);
		json_decref(item);
		return 1;
	}
	json_object_foreach(doc, name, item) found += look_into(a, item, out, depth + 1);
	return found;
}

size_t plan_tree_read(struct arena *a, json_t *doc, struct plan_list *out)
{
	return look_into(a, doc, out, 0);
}
