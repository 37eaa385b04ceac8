/* SPDX-License-Identifier: ISC
 *
 * diff_read: a JSON report as one side of a comparison.  What a report lacks (sketches, tests,
 * plans) is not compared.
 */
#include "diff.h"

#include "report.h"

#include <math.h>

static uint64_t hash_of_id(struct str id)
{
	char hex[17] = "";

	if (id.n != 16)
		return 0;
	memcpy(hex, id.p, 16);
	return strtoull(hex, NULL, 16);
}

static void read_shape(struct diff *d, int side, const json_t *o)
{
	struct str sql = js_get_str(o, "sql"), id = js_get_str(o, "id"), plain;
	uint32_t *at;

	if (id.n != 16 || !sql.p)
		return;
	plain = canonical_sql(&d->arena, sql);
	at = map_put(&d->shape_of, sql_hash_bytes(plain.p, plain.n, 0));
	if (*at == MAP_NONE) {
		*at = (uint32_t)d->shape.n;
		struct diff_shape *fresh = VEC_PUSH(&d->shape);
		memset(fresh, 0, sizeof(*fresh));
	}
	*map_put(&d->id_of[side], hash_of_id(id)) = *at;
	struct diff_shape *s = &d->shape.at[*at];
	s->sql = sql;
	s->id = id;
	struct side_shape *x = &s->side[side];
	x->is_there = true;
	x->calls += (uint64_t)js_get_int(o, "calls");
	if (json_object_get(o, "rows")) {
		x->rows += (uint64_t)js_get_int(o, "rows");
		x->rows_calls += (uint64_t)js_get_int(o, "calls");
	}
	struct sketch time = {0};
	report_read_sketch(o, &time);
	sketch_merge(&x->time, &time);
	sketch_release(&time);
}

/* --- plans ------------------------------------------------------------------------------ */

/* A plan's structure: its nodes, without numbers; a masked report has only the printed tree. */
static uint64_t plan_structure(const json_t *plan)
{
	const json_t *nodes = json_object_get(plan, "nodes"), *n;
	struct str tree = js_get_str(plan, "tree");
	uint64_t h = 1;
	size_t i;

	json_array_foreach(nodes, i, n)
	{
		static const char *const keys[] = {"type", "relation", "index"};
		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			struct str v = js_get_str(n, keys[k]);
			h = sql_hash_bytes(v.p ? v.p : "", v.n, h);
		}
		int64_t parent = js_get_int(n, "parent");
		h = sql_hash_bytes(&parent, sizeof(parent), h);
	}
	for (i = 0; json_array_size(nodes) == 0 && i < tree.n; i++)
		if (!(tree.p[i] >= '0' && tree.p[i] <= '9') && tree.p[i] != '.')
			h = sql_hash_bytes(tree.p + i, 1, h);
	return h;
}

static void read_plan(struct diff *d, int side, const json_t *o)
{
	uint32_t at = map_get(&d->id_of[side], hash_of_id(js_get_str(o, "shape")));

	if (js_get_str(o, "shape").n == 16 && at != MAP_NONE)
		*VEC_PUSH(&d->shape.at[at].side[side].plan) = plan_structure(o);
}

/* --- tests ------------------------------------------------------------------------------- */

static void read_test(struct diff *d, int side, const json_t *o)
{
	struct str name = js_get_str(o, "name");
	uint32_t test = names_id(&d->test_names, name);
	const char *id;
	json_t *n;

	if (test >= d->test.n)
		*VEC_PUSH(&d->test) = (struct diff_test){.name = name};
	d->test.at[test].is_there[side] = true;
	d->test.at[test].queries[side] = (uint64_t)js_get_int(o, "queries");
	json_object_foreach(json_object_get(o, "calls"), id, n)
	{
		uint32_t shape = map_get(&d->id_of[side], hash_of_id(str_of(id)));
		if (shape == MAP_NONE)
			continue;
		uint32_t *at = map_put(&d->calls_of, (uint64_t)test << 32 | shape);
		if (*at == MAP_NONE) {
			*at = (uint32_t)d->calls.n;
			*VEC_PUSH(&d->calls) = (struct test_calls){.test = test, .shape = shape};
		}
		d->calls.at[*at].calls[side] += (uint64_t)json_integer_value(n);
	}
}

/* --- findings ------------------------------------------------------------------------------ */

static void read_finding(struct diff *d, int side, const json_t *o)
{
	struct diff_finding *x = VEC_PUSH(&d->finding[side]);
	const json_t *source = json_object_get(o, "source");
	struct str sure = js_get_str(o, "confidence"), level = js_get_str(o, "severity");

	*x = (struct diff_finding){.rule = js_get_str(o, "rule"),
		.name = js_get_str(o, "name"),
		.message = js_get_str(o, "message"),
		.print = js_get_str(o, "fingerprint"),
		.shape = js_get_str(o, "shape"),
		.severity = SEVERITY_INFO,
		.is_sure = str_is(sure, "certain") || str_is(sure, "likely"),
		.longest = js_get_int(json_object_get(o, "evidence"), "longest_run"),
		.tests = json_object_get(o, "tests")};
	if (level.p)
		severity_parse(level.p, &x->severity);
	if (source)
		x->source =
			arena_printf(&d->arena, "%.*s:%lld", STR_ARGS(js_get_str(source, "file")),
				(long long)js_get_int(source, "line"));
}

bool diff_read(struct diff *d, int side, const char *file)
{
	bool is_stdin = strcmp(file, "-") == 0;
	json_error_t e;
	json_t *o = is_stdin ? json_loadf(stdin, 0, &e) : json_load_file(file, 0, &e), *x;
	size_t i;

	d->file[side] = file;
	d->report[side] = o;
	if (!o) {
		fprintf(stderr, "pgassay: %s:%d: %s\n", file, e.line > 0 ? e.line : 1, e.text);
		return false;
	}
	if (js_get_int(o, "version") != 1 || !json_is_array(json_object_get(o, "shapes"))) {
		fprintf(stderr,
			"pgassay: %s is not a JSON report of pgassay: `pgassay log --format json "
			"-o "
			"FILE` writes one\n",
			file);
		return false;
	}
	d->statements[side] = (uint64_t)js_get_int(json_object_get(o, "input"), "statements");
	json_array_foreach(json_object_get(o, "shapes"), i, x) read_shape(d, side, x);
	json_array_foreach(json_object_get(o, "plans"), i, x) read_plan(d, side, x);
	json_array_foreach(json_object_get(o, "tests"), i, x) read_test(d, side, x);
	json_array_foreach(json_object_get(o, "findings"), i, x) read_finding(d, side, x);
	return true;
}

void diff_release(struct diff *d)
{
	for (size_t i = 0; i < d->shape.n; i++)
		for (int k = 0; k < SIDES; k++) {
			sketch_release(&d->shape.at[i].side[k].time);
			VEC_RELEASE(&d->shape.at[i].side[k].plan);
		}
	for (int k = 0; k < SIDES; k++) {
		VEC_RELEASE(&d->finding[k]);
		map_release(&d->id_of[k]);
		json_decref(d->report[k]);
	}
	VEC_RELEASE(&d->shape);
	VEC_RELEASE(&d->test);
	VEC_RELEASE(&d->calls);
	VEC_RELEASE(&d->change);
	map_release(&d->shape_of);
	map_release(&d->calls_of);
	names_release(&d->test_names);
	arena_release(&d->arena);
}
