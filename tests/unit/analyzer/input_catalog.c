/* SPDX-License-Identifier: ISC
 *
 * input_catalog: every translated message of the table, with values in it, becomes the English one
 * with the same values.
 */
#include "input_words.h"

#include <check.h>
#include <string.h>

/* A format with its values: n-th text "vN.x", n-th number N7, whatever their order. */
static void fill(const char *format, char *out, size_t size)
{
	unsigned next = 0;
	size_t to = 0;

	for (const char *p = format; *p && to + 32 < size;) {
		unsigned at = 0, digits = 0;
		if (*p != '%' || p[1] == '%') {
			out[to++] = *p;
			p += *p == '%' ? 2 : 1;
			continue;
		}
		for (p++; *p >= '0' && *p <= '9'; p++)
			digits = digits * 10 + (unsigned)(*p - '0');
		at = *p == '$' ? digits - 1 : next++;
		p += *p == '$';
		p += strspn(p, "0123456789.l");
		to += (size_t)snprintf(out + to, size - to,
			*p == 's' || *p == 'm' ? "v%u.x" : "%u7", at + 1);
		p++;
	}
	out[to] = '\0';
}

/* Some languages word two messages alike. */
static bool means(const char *text, const char *english)
{
	for (size_t i = 0; i < catalog_row_count; i++)
		if (strcmp(catalog_rows[i].text, text) == 0 &&
			strcmp(catalog_rows[i].english, english) == 0)
			return true;
	return false;
}

static void becomes_english(size_t row)
{
	char said[2048], want[2048], other[2048];
	struct arena a = {0};
	bool is_place = strcmp(catalog_rows[row].english, " at character %d") == 0;

	fill(catalog_rows[row].text, said, sizeof(said));
	fill(catalog_rows[row].english, want, sizeof(want));
	struct str s = str_of(said);
	const char *lang = catalog_english(&a, &s, is_place);
	ck_assert_msg(lang != NULL, "%s", said);
	bool same = str_is(s, want);
	for (size_t i = 0; i < catalog_row_count && !same; i++) {
		fill(catalog_rows[i].english, other, sizeof(other));
		same = str_is(s, other) && means(catalog_rows[row].text, catalog_rows[i].english);
	}
	ck_assert_msg(same, "%s\n became %.*s\n and not %s", said, STR_ARGS(s), want);
	arena_release(&a);
}

START_TEST(every_row_becomes_english)
{
	for (size_t i = 0; i < catalog_row_count; i++)
		becomes_english(i);
}
END_TEST

static const char *const strangers[] = {"", "x", "%",
	"database system is ready to accept connections",
	"syntax error at or near \"x\" at character 15", "relation \"été\" does not exist",
	"parameters: $1 = '1'", "Prozess", "Prozess 5", "Prozess 5 wartet", "プロセス5は",
	"checkpoint complete: wrote 5 buffers", "\xff\xfe", " bei Zeichen 15x", "(символ )"};

START_TEST(other_text_stays)
{
	struct arena a = {0};

	for (int error = 0; error < 2; error++) {
		char *exact = mem_alloc(strlen(strangers[_i]) + 1);
		memcpy(exact, strangers[_i], strlen(strangers[_i]));
		struct str s = {exact, strlen(strangers[_i])};
		ck_assert_msg(catalog_english(&a, &s, error) == NULL, "%s became %.*s",
			strangers[_i], STR_ARGS(s));
		ck_assert(str_is(s, strangers[_i]));
		free(exact);
	}
	arena_release(&a);
}
END_TEST

static const struct {
	bool error;
	const char *said, *english;
} several[] = {
	{false,
		"Prozess 5 wartet auf ShareLock-Sperre auf Transaktion 7; blockiert von Prozess "
		"6.\n"
		"Prozess 6 wartet auf ShareLock-Sperre auf Tupel (0, 1) von Relation 2 von "
		"Datenbank "
		"3; "
		"blockiert von Prozess 5.\nProzess 5: UPDATE a\nSET b = 1\nProzess 6: SELECT 1",
		"Process 5 waits for ShareLock on transaction 7; blocked by process 6.\n"
		"Process 6 waits for ShareLock on tuple (0,1) of relation 2 of database 3; "
		"blocked by process 5.\nProcess 5: UPDATE a\nSET b = 1\nProcess 6: SELECT 1"},
	{true, "Relation »été« existiert nicht bei Zeichen 15",
		"relation \"été\" does not exist at character 15"},
	{true, "эй, что это? (символ 15)", "эй, что это? at character 15"},
	{true, "\"x\"またはその近辺で構文エラー(8文字目)",
		"syntax error at or near \"x\" at character 8"},
	{false, "Verbindung autorisiert: Benutzer=a Datenbank=b application_name=c SSL an (d)",
		"connection authorized: user=a database=b application_name=c SSL an (d)"},
};

START_TEST(several_are_put_together)
{
	struct arena a = {0};
	struct str s = str_of(several[_i].said);

	ck_assert_ptr_nonnull(catalog_english(&a, &s, several[_i].error));
	ck_assert_msg(str_is(s, several[_i].english), "%.*s", STR_ARGS(s));
	arena_release(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("input_catalog");
	TCase *t = tcase_create("catalog");

	tcase_add_test(t, every_row_becomes_english);
	tcase_add_loop_test(t, other_text_stays, 0, ARRAY_LEN(strangers));
	tcase_add_loop_test(t, several_are_put_together, 0, ARRAY_LEN(several));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
