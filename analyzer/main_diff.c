/* SPDX-License-Identifier: ISC
 *
 * pgassay diff: two JSON reports, mostly of the branch a pull request goes to and of the pull
 * request, and what the one made better or worse.
 */
#include "diff.h"
#include "main.h"

#include <errno.h>

static const struct {
	const char *name;
	void (*write)(struct diff *d, enum severity fail_on, FILE *to);
} formats[] = {{"text", diff_text}, {"json", diff_json}, {"markdown", diff_markdown}};

static enum exit_status write_diff(struct options *o, struct diff *d, size_t format)
{
	FILE *to = stdout;
	bool fails = diff_fails(d, o->fail_on), ok;

	if (o->output && strcmp(o->output, "-") != 0 && (to = fopen(o->output, "w")) == NULL) {
		fprintf(stderr, "pgassay: %s: %s\n", o->output, strerror(errno));
		return EXIT_FAILED;
	}
	formats[format].write(d, o->fail_on, to);
	ok = fflush(to) == 0 && !ferror(to);
	if (to != stdout)
		ok = fclose(to) == 0 && ok;
	if (!ok && !fails)
		fprintf(stderr, "pgassay: the comparison could not be written: %s\n",
			strerror(errno));
	return fails ? EXIT_FINDINGS : ok ? EXIT_CLEAN : EXIT_FAILED;
}

enum exit_status run_diff(struct options *o)
{
	struct diff d = {.conf = &o->gate.conf};
	size_t format = 0;
	enum exit_status status = EXIT_INPUT;

	while (o->format && format < ARRAY_LEN(formats) &&
		strcmp(formats[format].name, o->format) != 0)
		format++;
	if (o->file.n != 2 || format == ARRAY_LEN(formats)) {
		fprintf(stderr, "pgassay: %s\n",
			o->file.n != 2 ? "which reports?  `pgassay diff BASE.json HEAD.json`"
				       : "diff writes text, json or markdown");
		return EXIT_USAGE;
	}
	if (diff_read(&d, BASE, o->file.at[0]) && diff_read(&d, HEAD, o->file.at[1])) {
		diff_compare(&d);
		status = write_diff(o, &d, format);
	}
	diff_release(&d);
	return status;
}
