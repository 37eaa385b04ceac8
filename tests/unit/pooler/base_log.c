/* SPDX-License-Identifier: ISC
 *
 * The log on a disk that is full for a while: no line is glued to the half of another, and how
 * many were lost is told.  A limit on the size of files stands for the disk.  And what is no UTF-8.
 */
#include "base.h"

#include <check.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static void room(rlim_t bytes)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The number behind these words in the line, or -1. */
static int number_after(const char *line, const char *words)
{
	const char *at = strstr(line, words);
	int n;

	return at && sscanf(at + strlen(words), "%d", &n) == 1 ? n : -1;
}

/* The room ends at another byte of a line each time. */
START_TEST(a_full_disk_loses_lines_and_says_how_many)
{
	struct log_options options = {0};
	char path[] = "/tmp/base_log.XXXXXX", text[65536], *line, *rest = text;
	int fd = mkstemp(path), n = 0, kept = 0;
	rlim_t bytes = 1000 + (rlim_t)_i;
	ssize_t size;

	ck_assert_int_ge(fd, 0);
	signal(SIGXFSZ, SIG_IGN);
	options.file = path;
	for (int i = 0; i < LOG_PART_COUNT; i++)
		options.level[i] = LOG_LEVEL_INFO;
	ck_assert(log_setup(&options));
	room(bytes);
	for (int i = 0; i < 100; i++)
		log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "line number %d.", i);
	room(RLIM_INFINITY);
	ck_assert(log_setup(&options)); /* a rotation changes nothing about it */
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "line number 100.");
	size = read(fd, text, sizeof text - 1);
	ck_assert_int_gt(size, (ssize_t)bytes);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n")) && *line) {
		n++;
		if (strstr(line, "line number ") && line[strlen(line) - 1] == '.')
			ck_assert_int_eq(number_after(line, "line number "), kept++);
		if (strstr(line, "lines of this log were lost: "))
			kept += number_after(line, "] WARNING ");
	}
	ck_assert_int_eq(kept, 101); /* and each line came in its place, or was counted */
	ck_assert_int_gt(n, 10);
	close(fd);
	unlink(path);
}
END_TEST

/* Names of users are bytes of whoever knocks; the line is JSON all the same. */
START_TEST(a_line_of_json_is_utf8)
{
	struct log_options options = {.json = true};
	char path[] = "/tmp/base_log.XXXXXX", text[1024];
	int fd = mkstemp(path);
	ssize_t size;

	ck_assert_int_ge(fd, 0);
	options.file = path;
	for (int i = 0; i < LOG_PART_COUNT; i++)
		options.level[i] = LOG_LEVEL_INFO;
	ck_assert(log_setup(&options));
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "user \"caf\xc3\xa9\" \\ \xff\xc3 \n");
	log_line(LOG_PART_MAIN, LOG_LEVEL_DEBUG, "nobody wants to know");
	size = read(fd, text, sizeof text - 1);
	ck_assert_int_gt(size, 0);
	text[size] = '\0';
	ck_assert_ptr_nonnull(strstr(text,
		"\"message\":\"user \\\"caf\xc3\xa9\\\" \\\\ " UTF8_INSTEAD UTF8_INSTEAD
		"  \"}\n"));
	ck_assert_ptr_null(strstr(text, "nobody"));
	close(fd);
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base_log");
	TCase *t = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, t);
	tcase_add_test(t, a_line_of_json_is_utf8);
	tcase_add_loop_test(t, a_full_disk_loses_lines_and_says_how_many, 0, 80);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
