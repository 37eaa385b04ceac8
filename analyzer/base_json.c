/* SPDX-License-Identifier: ISC
 *
 * base_json: the few steps between our values and jansson's.
 */
#include "base.h"

#include <jansson.h>
#include <math.h>

json_t *js_str(struct str s)
{
	json_t *v = json_stringn(s.p ? s.p : "", s.n);

	if (v)
		return v;
	struct arena a = {0};
	struct str clean = utf8_clean(&a, s);
	v = json_stringn(clean.p, clean.n);
	arena_release(&a);
	return v ? v : json_string("");
}

json_t *js_int(int64_t v)
{
	return json_integer(v);
}

json_t *js_real(double v)
{
	if (!isfinite(v))
		return json_null();
	return json_real(round(v * 1e6) / 1e6);
}

void js_set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, value) != 0)
		abort();
}

void js_add(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		abort();
}

struct str js_get_str(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_string(v))
		return STR_NONE;
	return (struct str){json_string_value(v), json_string_length(v)};
}

int64_t js_get_int(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);
	int64_t n = 0;

	if (json_is_integer(v))
		return json_integer_value(v);
	if (json_is_real(v))
		return (int64_t)json_real_value(v);
	if (json_is_string(v) && str_to_i64(js_get_str(object, key), &n))
		return n;
	return 0;
}

double js_get_real(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (json_is_number(v))
		return json_number_value(v);
	if (json_is_string(v))
		return strtod(json_string_value(v), NULL);
	return 0;
}
