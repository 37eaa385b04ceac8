/* SPDX-License-Identifier: ISC
 *
 * The table of settings agrees with the structs it describes and with the pages that are
 * made from it.  `conf_table PAGE` prints a page instead: pooler.conf.sample,
 * docs/settings.md or docs/pooler.conf.5.
 */
#include "conf_own.h"

#include <check.h>
#include <ctype.h>

static const struct page {
	const char *path;
	void (*print)(FILE *to);
} pages[] = {
	{"pooler.conf.sample", conf_print_sample},
	{"docs/settings.md", conf_print_settings_md},
	{"docs/pooler.conf.5", conf_print_man},
};

static enum conf_kind kind_wanted(const struct conf_setting *s)
{
	switch (s->type) {
	case CONF_BOOL:
		return CONF_KIND_BOOL;
	case CONF_INT:
	case CONF_OCTAL:
	case CONF_WORD:
		return CONF_KIND_INT;
	case CONF_NUMBER:
		return CONF_KIND_NUMBER;
	case CONF_SIZE:
		return CONF_KIND_SIZE;
	case CONF_TIME:
		return CONF_KIND_TIME;
	case CONF_STRING:
	case CONF_LIST:
	case CONF_FILE:
	case CONF_SECRET:
		return CONF_KIND_TEXT;
	}
	return CONF_ABSENT;
}

START_TEST(rows_fit_their_fields)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		bool anywhere = false;

		for (int scope = 0; scope < CONF_SCOPES; scope++) {
			if (s->at[scope].kind == CONF_ABSENT)
				continue;
			anywhere = true;
			ck_assert_msg(s->at[scope].kind == kind_wanted(s), "%s", s->name);
			/* A bool has no way to say "unset". */
			ck_assert_msg(s->type != CONF_BOOL || scope == CONF_IN_POOLER, "%s",
				s->name);
		}
		ck_assert_msg(anywhere, "%s", s->name);
		ck_assert_msg((s->type == CONF_WORD) == (s->words != NULL), "%s", s->name);
		ck_assert_msg((s->type == CONF_TIME) == (s->unit != NULL), "%s", s->name);
		ck_assert_msg(s->min <= s->max || s->max == 0, "%s", s->name);
	}
}
END_TEST

static int at_compare(const void *a, const void *b)
{
	const struct conf_at *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* No two rows share a field, no field lacks a row: the fields lie gapless but for padding
 * and for what is not a setting (a line's name, file and number). */
START_TEST(every_field_has_one_row)
{
	static const size_t room[] = {0, 8, 8, 8, 8, 8, 8};
	static const size_t allowed_bytes[CONF_SCOPES] = {
		[CONF_IN_POOLER] = 0,
		[CONF_IN_DATABASE] = 8 + 8 + 8 + 8, /* name, is_autodb, file, line */
		[CONF_IN_USER] = 8 + 8 + 8,
		[CONF_IN_PEER] = 8 + 8 + 8, /* id */
	};
	static const size_t size[CONF_SCOPES] = {sizeof(struct conf_pooler),
		sizeof(struct conf_database), sizeof(struct conf_user), sizeof(struct conf_peer)};
	static const size_t bytes[] = {0, sizeof(bool), sizeof(int), sizeof(int64_t),
		sizeof(usec_t), sizeof(double), sizeof(char *)};

	for (int scope = 0; scope < CONF_SCOPES; scope++) {
		struct conf_at at[256];
		size_t n = 0, used = 0, padding;

		for (size_t i = 0; i < conf_settings_count; i++)
			if (conf_settings[i].at[scope].kind != CONF_ABSENT)
				at[n++] = conf_settings[i].at[scope];
		qsort(at, n, sizeof *at, at_compare);
		for (size_t i = 0; i < n; i++) {
			size_t end = at[i].offset + bytes[at[i].kind];
			size_t next = i + 1 < n ? at[i + 1].offset : size[scope];

			ck_assert_uint_le(end, next);
			used += bytes[at[i].kind];
			/* Between two settings of [pooler] there is never room for a third. */
			padding = next - end;
			if (scope == CONF_IN_POOLER)
				ck_assert_uint_lt(padding, room[CONF_KIND_TEXT]);
		}
		ck_assert_uint_le(used, size[scope]);
		if (scope != CONF_IN_POOLER)
			ck_assert_uint_le(size[scope] - used, allowed_bytes[scope] + 32);
	}
}
END_TEST

static bool is_word(const char *s)
{
	for (; *s; s++)
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

START_TEST(names_are_unique_in_their_scope)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];

		ck_assert_msg(is_word(s->name), "%s", s->name);
		for (int scope = 0; scope < CONF_SCOPES; scope++) {
			if (s->at[scope].kind == CONF_ABSENT)
				continue;
			ck_assert_ptr_eq(conf_setting_find((enum conf_scope)scope, s->name), s);
			if (s->pgbouncer)
				ck_assert_ptr_eq(conf_setting_find((enum conf_scope)scope,
							 s->pgbouncer),
					s);
			for (size_t a = 0; a < ARRAY_LEN(s->alias) && s->alias[a]; a++)
				ck_assert_ptr_eq(conf_setting_find((enum conf_scope)scope,
							 s->alias[a]),
					s);
		}
	}
	ck_assert_ptr_null(conf_setting_find(CONF_IN_POOLER, "nothing"));
}
END_TEST

/* Defaults and examples are values that the table itself would take. */
START_TEST(defaults_and_examples_are_valid)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		const char *texts[] = {s->def, s->example};
		struct buf err = {0};
		union conf_value v;

		for (size_t j = 0; j < 2; j++)
			if (texts[j])
				ck_assert_msg(value_parse(s, texts[j], &v, &err), "%s",
					buf_cstr(&err));
		buf_free(&err);
	}
}
END_TEST

START_TEST(help_is_a_paragraph)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		size_t n = strlen(s->help), quotes = 0;

		ck_assert_msg(n > 12 && s->help[n - 1] == '.', "%s", s->name);
		ck_assert_msg(!strstr(s->help, "  ") && !strchr(s->help, '\n'), "%s", s->name);
		for (size_t j = 0; j < n; j++) {
			quotes += s->help[j] == '`';
			ck_assert_msg((unsigned char)s->help[j] < 0x80, "%s", s->name);
		}
		ck_assert_msg(quotes % 2 == 0, "%s", s->name);
		for (size_t j = 0; s->words && s->words[j]; j++)
			ck_assert_msg(strstr(s->help, s->words[j]) || s->type != CONF_WORD,
				"%s: %s", s->name, s->words[j]);
	}
}
END_TEST

static char *read_all(FILE *f, size_t *len)
{
	struct buf b = {0};
	char chunk[4096];
	size_t n;

	rewind(f);
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_put(&b, chunk, n);
	fclose(f);
	*len = b.len;
	buf_cstr(&b);
	return b.data;
}

START_TEST(pages_are_current)
{
	const struct page *page = &pages[_i];
	FILE *now = tmpfile(), *committed = fopen(page->path, "r");
	size_t a, b;
	char *x, *y;

	ck_assert_msg(committed != NULL, "%s is missing", page->path);
	page->print(now);
	x = read_all(now, &a);
	y = read_all(committed, &b);
	ck_assert_msg(a == b && memcmp(x, y, a) == 0,
		"%s is not what the table says: `make docs` writes it anew", page->path);
	free(x);
	free(y);
}
END_TEST

/* The sample is a good file, with and without its comment marks. */
START_TEST(the_sample_loads)
{
	FILE *f = tmpfile();
	struct conf_report report = {0};
	const struct conf *c, *defaults = conf_load_text("", "", 0, &report);
	struct buf bare = {0}, diff = {0};
	size_t len;
	char *text, *line, *next;

	conf_print_sample(f);
	text = read_all(f, &len);
	c = conf_load_text("sample", text, len, &report);
	ck_assert_msg(c != NULL, "%s", report.n_errors ? report.errors[0].text : "");
	conf_release(&c);
	for (line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (line[0] == ';' && line[1] != ' ' && line[1] != ';' && line[1] != '\n')
			line++;
		buf_put(&bare, line, (size_t)(next - line));
	}
	conf_report_release(&report);
	c = conf_load_text("sample", bare.data, bare.len, &report);
	ck_assert_msg(c != NULL, "%s", report.n_errors ? report.errors[0].text : "");
	ck_assert_uint_gt(c->n_databases, 0);
	conf_diff(defaults, c, &diff);
	ck_assert_msg(!strstr(buf_cstr(&diff), "query_wait_timeout"), "%s", buf_cstr(&diff));
	free(text);
	buf_free(&bare);
	buf_free(&diff);
	conf_report_release(&report);
	conf_release(&c);
	conf_release(&defaults);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("conf_table");
	TCase *t = tcase_create("table");
	SRunner *r;
	int failed;

	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(pages); i++) {
		if (strcmp(argv[1], pages[i].path) == 0) {
			pages[i].print(stdout);
			return 0;
		}
	}
	tcase_add_test(t, rows_fit_their_fields);
	tcase_add_test(t, every_field_has_one_row);
	tcase_add_test(t, names_are_unique_in_their_scope);
	tcase_add_test(t, defaults_and_examples_are_valid);
	tcase_add_test(t, help_is_a_paragraph);
	tcase_add_loop_test(t, pages_are_current, 0, ARRAY_LEN(pages));
	tcase_add_test(t, the_sample_loads);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
