/* SPDX-License-Identifier: ISC
 *
 * report_github: annotations of GitHub Actions: workflow commands on standard output.
 *
 * GitHub shows ten errors, ten warnings and ten notices of a step and drops the rest without a
 * word, so the ten of each that matter most are written and the others are counted.
 */
#include "report.h"

#define EACH_MAX 10

/* A command's message; in a property `:` and `,` would end it, too. */
static void put(FILE *to, struct str s, bool is_property)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%' || c == '\r' || c == '\n' || (is_property && (c == ':' || c == ',')))
			fprintf(to, "%%%02X", (unsigned)c);
		else
			fputc(c, to);
	}
}

static void put_annotation(struct report *r, FILE *to, const struct finding *x)
{
	static const char *const commands[] = {"debug", "notice", "warning", "error"};
	struct gate_place at = report_where(r, x);

	fprintf(to, "::%s file=", commands[x->severity]);
	put(to, utf8_clean(&r->arena, at.path), true);
	fprintf(to, ",line=%u,title=", at.line);
	put(to, arena_printf(&r->arena, "%s %s", x->rule->id, x->rule->name), true);
	fputs("::", to);
	put(to, report_words(r, x), false);
	fputc('\n', to);
}

void report_github(struct report *r, FILE *to)
{
	size_t seen[SEVERITY_ERROR + 1] = {0}, more = 0;

	for (size_t i = 0; i < r->findings->at.n; i++) {
		const struct finding *x = &r->findings->at.at[i];
		if (!report_is_shown(x))
			continue;
		if (seen[x->severity]++ < EACH_MAX)
			put_annotation(r, to, x);
		else
			more++;
	}
	fprintf(to, "pgassay: %.*s, %.*s, %.*s",
		STR_ARGS(report_several(r, seen[SEVERITY_ERROR], "error")),
		STR_ARGS(report_several(r, seen[SEVERITY_WARNING], "warning")),
		STR_ARGS(report_several(r, seen[SEVERITY_INFO], "notice")));
	if (more)
		fprintf(to, "; %zu more than GitHub shows are not annotated", more);
	fputc('\n', to);
}
