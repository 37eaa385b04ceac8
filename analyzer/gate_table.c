/* SPDX-License-Identifier: ISC
 *
 * gate_table: every key of .pgassay.conf.  The table parses, prints the sample and the manual.
 */
#include "gate.h"

#include <math.h>

enum kind { KIND_SEVERITY, KIND_PATH, KIND_WORD, KIND_LIST, KIND_COUNT, KIND_TIME, KIND_RATIO };

#define AT(field)    offsetof(struct gate_conf, field)
#define LIMIT(which) offsetof(struct gate_conf, limit) + sizeof(struct gate_value) * (which)

static const struct key {
	const char *section, *name;
	enum kind kind;
	size_t at;
	const char *words;   /* KIND_WORD: those there are, with blanks around */
	const char *example; /* the sample's */
	const char *what;
} keys[] = {
	{"gate", "fail_on", KIND_SEVERITY, AT(fail_on), NULL, "warning",
		"exit 1 on findings of this level or above: error, warning, info or never.  "
		"Without "
		"it and --fail-on only a limit fails"},
	{"gate", "baseline", KIND_PATH, AT(baseline), NULL, ".pgassay-baseline",
		"findings that are known and do not count (--write-baseline makes the file)"},
	{"gate", "schema", KIND_PATH, AT(schema), NULL, "db/schema.sql",
		"tables, keys and indexes from a `pg_dump -s`"},
	{"gate", "paths", KIND_LIST, AT(paths), NULL, "app lib",
		"only findings of these directories or patterns count; those whose place is not "
		"known always do"},
	{"gate", "exclude", KIND_LIST, AT(exclude), NULL, "db/migrate vendor/*",
		"findings of these directories or patterns do not count"},
	{"gate", "literals", KIND_WORD, AT(literals), " keep mask ", "mask",
		"mask: no literal and no parameter in any output"},
	{"gate", "test_names", KIND_WORD, AT(test_names), " auto always never ", "auto",
		"is the application_name the name of a test: when it looks like one (auto), always "
		"or "
		"never; markers and tags always name one"},
	{"limits", "max_queries_per_test", KIND_COUNT, LIMIT(LIMIT_QUERIES_PER_TEST), NULL, "50",
		"statements a test sends, transactions' own not counted"},
	{"limits", "max_calls_per_test", KIND_COUNT, LIMIT(LIMIT_CALLS_PER_TEST), NULL, "20",
		"calls of one statement in one test"},
	{"limits", "max_time_per_test", KIND_TIME, LIMIT(LIMIT_TIME_PER_TEST), NULL, "2s",
		"time a test's statements take together"},
	{"limits", "max_p95", KIND_TIME, LIMIT(LIMIT_P95), NULL, "200ms",
		"the 95th percentile of a query's time (DDL has none): exceeded when it is with 95 "
		"% "
		"confidence, "
		"so one slow call of several is none"},
	{"limits", "max_rows", KIND_COUNT, LIMIT(LIMIT_ROWS), NULL, "10000",
		"rows one call returns (pgsluice's log tells)"},
	{"limits", "max_new_shapes", KIND_COUNT, LIMIT(LIMIT_NEW_SHAPES), NULL, "25",
		"statements that the baseline (or diff's BASE) does not know"},
	{"diff", "slower_ratio", KIND_RATIO, AT(slower_ratio), NULL, "2",
		"a statement is slower when its confidence intervals are apart by this factor, the "
		"machines' difference taken out"},
	{"diff", "slower_by", KIND_TIME, AT(slower_by), NULL, "5ms", "and by this time"},
};

static const struct {
	const char *name, *what;
	const char *sample;
} sections[] = {
	{"gate", "what fails a build", NULL},
	{"limits", "thresholds of the run: none is set unless it stands here", NULL},
	{"diff", "what `pgassay diff` calls slower", NULL},
	{"rules",
		"a rule's level, and what of it counts: `ID = LEVEL [max_findings=N] "
		"[min_count=N]`.  "
		"max_findings of it are let pass; a finding that was met fewer than min_count "
		"times "
		"is none",
		"; SG001 = error\n; NP001 = error min_count=10\n; LM001 = warning "
		"max_findings=3\n"},
	{"suppress",
		"excuses: `ID = [shape=HEX] [file=PATTERN] [test=PATTERN] [until=YYYY-MM-DD] "
		"REASON`; "
		"ID may be several with commas, or *.  shape is a shape's id or a finding's "
		"fingerprint.  Behind `until` it does not excuse any more.  In SQL and in logged "
		"statements a comment does the same: `-- pgassay:ignore ID [until=…] REASON`, and "
		"`-- pgassay:ignore-file ID REASON` for a whole file",
		"; NP001 = file=app/reports/* until=2027-01-31 rewritten in the spring\n"
		"; LM001 = shape=0123456789abcdef ten rows at most\n"},
};

bool gate_has_section(struct str section)
{
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (str_is(section, sections[i].name))
			return true;
	return false;
}

/* --- values --------------------------------------------------------------------------- */

/* "200", "200ms", "1.5 s" -> µs; a bare number is milliseconds, as everywhere in the reports. */
static bool parse_time(struct arena *a, struct str v, int64_t *usec)
{
	static const struct {
		const char *unit;
		double usec;
	} units[] = {{"", 1e3}, {"ms", 1e3}, {"us", 1}, {"s", 1e6}, {"min", 60e6}};
	char *text = arena_cstr(a, v), *end;
	double n = strtod(text, &end);

	if (end == text || !isfinite(n) || n < 0 || n > 1e9)
		return false;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(end, units[i].unit) == 0) {
			*usec = (int64_t)(n * units[i].usec);
			return true;
		}
	return false;
}

static bool set_word(struct gate *g, const struct key *k, struct str v, struct err *why)
{
	struct str probe = arena_printf(&g->arena, " %.*s ", STR_ARGS(v));

	if (v.n == 0 || memchr(v.p, ' ', v.n) || !strstr(k->words, probe.p))
		return err_set(why, "%s is one of%s, not \"%.*s\"", k->name, k->words, STR_ARGS(v));
	*(const char **)((char *)&g->conf + k->at) = arena_cstr(&g->arena, v);
	return true;
}

static void set_list(struct gate *g, const struct key *k, struct str v)
{
	VEC(struct str) *list = (void *)((char *)&g->conf + k->at);

	while (v.n) {
		size_t n = 0;
		while (n < v.n && v.p[n] != ' ' && v.p[n] != '\t' && v.p[n] != ',')
			n++;
		if (n)
			*VEC_PUSH(list) = arena_str(&g->arena, str_before(v, n));
		v = str_skip(v, n + 1);
	}
}

static bool set_key(struct gate *g, const struct key *k, struct str v, int line, struct err *why)
{
	void *to = (char *)&g->conf + k->at;
	int64_t n = 0;
	char *end;

	switch (k->kind) {
	case KIND_SEVERITY:
		g->conf.has_fail_on = true;
		if (severity_parse(arena_cstr(&g->arena, v), to))
			return true;
		return err_set(why, "%s is error, warning, info or never, not \"%.*s\"", k->name,
			STR_ARGS(v));
	case KIND_PATH:
		if (v.n == 0)
			return err_set(why, "%s needs the path of a file", k->name);
		*(const char **)to = v.p[0] == '/' || g->conf.dir.n == 0
					     ? arena_cstr(&g->arena, v)
					     : arena_printf(&g->arena, "%.*s/%.*s",
						       STR_ARGS(g->conf.dir), STR_ARGS(v))
						       .p;
		return true;
	case KIND_WORD:
		return set_word(g, k, v, why);
	case KIND_LIST:
		set_list(g, k, v);
		return true;
	case KIND_COUNT:
		if (!str_to_i64(v, &n) || n < 0)
			return err_set(why, "%s is a number, not \"%.*s\"", k->name, STR_ARGS(v));
		*(struct gate_value *)to = (struct gate_value){n, line};
		return true;
	case KIND_TIME:
		if (!parse_time(&g->arena, v, &n))
			return err_set(why, "%s is a time such as 200ms or 2s, not \"%.*s\"",
				k->name, STR_ARGS(v));
		if (strcmp(k->section, "limits") == 0)
			*(struct gate_value *)to = (struct gate_value){n, line};
		else
			*(int64_t *)to = n;
		return true;
	case KIND_RATIO:
		*(double *)to = strtod(arena_cstr(&g->arena, v), &end);
		if (v.n == 0 || *end || !isfinite(*(double *)to) || *(double *)to < 1)
			return err_set(why, "%s is a factor of at least 1, not \"%.*s\"", k->name,
				STR_ARGS(v));
		return true;
	}
	return true;
}

/* --- [rules] and [suppress] --------------------------------------------------------------- */

static bool set_rule(struct gate *g, struct str id, struct str v, struct err *why)
{
	const struct rule *rule = rule_by_id(arena_cstr(&g->arena, id));
	struct gate_rule r = {.rule = rule, .max_findings = -1, .min_count = -1};
	size_t n = 0;

	if (!rule)
		return err_set(why, "there is no rule %.*s; `pgassay rules` lists them",
			STR_ARGS(id));
	while (n < v.n && v.p[n] != ' ' && v.p[n] != '\t')
		n++;
	if (!severity_parse(arena_cstr(&g->arena, str_before(v, n)), &r.severity))
		return err_set(why, "a rule's level is off, info, warning or error, not \"%.*s\"",
			STR_ARGS(str_before(v, n)));
	for (v = str_trim(str_skip(v, n)); v.n; v = str_trim(str_skip(v, n))) {
		struct str word;
		int64_t *to;
		for (n = 0; n < v.n && v.p[n] != ' ' && v.p[n] != '\t';)
			n++;
		word = str_before(v, n);
		size_t eq = str_find(word, "=");
		to = str_is(str_before(word, eq), "max_findings") ? &r.max_findings
		     : str_is(str_before(word, eq), "min_count")  ? &r.min_count
								  : NULL;
		if (!to || !str_to_i64(str_skip(word, eq + 1), to) || *to < 0)
			return err_set(why,
				"behind a rule's level stand max_findings=N and min_count=N, not "
				"\"%.*s\"",
				STR_ARGS(word));
	}
	*VEC_PUSH(&g->conf.rule) = r;
	return true;
}

bool gate_set(struct gate *g, struct str section, struct str name, struct str value, int line,
	struct err *why)
{
	if (str_is(section, "rules"))
		return set_rule(g, name, value, why);
	if (str_is(section, "suppress")) {
		struct excuse x = {0};
		if (!excuse_parse(g, name, value, &x, why)) {
			VEC_RELEASE(&x.rule);
			return false;
		}
		x.at = g->fallback;
		x.line = (uint32_t)line;
		*VEC_PUSH(&g->conf.excuse) = x;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_is(section, keys[i].section) && str_is(name, keys[i].name))
			return set_key(g, &keys[i], value, line, why);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_is(name, keys[i].name))
			return err_set(why, "%s belongs to [%s]", keys[i].name, keys[i].section);
	return err_set(why, "there is no key %.*s in [%.*s]", STR_ARGS(name), STR_ARGS(section));
}

/* --- what is printed ---------------------------------------------------------------------- */

/* A text as comment lines of at most 90 columns. */
static void print_wrapped(FILE *to, const char *text)
{
	size_t col = 0;

	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		if (col + n > 88) {
			fputs("\n;", to);
			col = 1;
		} else if (col == 0) {
			fputc(';', to);
			col = 1;
		}
		fprintf(to, " %.*s", (int)n, p);
		col += n + 1;
		p += n;
		while (*p == ' ')
			p++;
	}
	fputc('\n', to);
}

void gate_print_sample(FILE *to)
{
	fputs("; .pgassay.conf: what fails a build.  pgassay looks for it in this directory and\n"
	      "; upwards to the top of the repository; --config names another.  Every key with an\n"
	      "; example; remove the ; of those you want.  Written by `pgassay --print-sample`.\n",
		to);
	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		fprintf(to, "\n[%s]\n", sections[s].name);
		print_wrapped(to, sections[s].what);
		fputs(sections[s].sample ? sections[s].sample : "", to);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			if (strcmp(keys[i].section, sections[s].name) != 0)
				continue;
			fputc('\n', to);
			print_wrapped(to, keys[i].what);
			fprintf(to, "; %s = %s\n", keys[i].name, keys[i].example);
		}
	}
}

void gate_print_man(FILE *to)
{
	fprintf(to,
		".\\\" Written by `pgassay \\-\\-print\\-man=conf`.\n"
		".TH PGASSAY.CONF 5 \"\" \"pgassay %s\" \"File formats\"\n.SH NAME\n"
		"pgassay.conf \\- what fails a build\n.SH DESCRIPTION\n"
		".B pgassay\nreads\n.I .pgassay.conf\nof the current directory or the nearest "
		"above "
		"it in the repository, or the file that\n.B \\-\\-config\nnames. Options of the "
		"command "
		"line win. Sections stand in brackets, a line is\n.IR key \" = \" value ,\n"
		"comments begin with ; or #. Paths are relative to the file. What is not known is "
		"an "
		"error that names the line; all errors are told at once.\n",
		PGSLUICE_VERSION);
	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		fprintf(to, ".SH \"SECTION [%s]\"\n", sections[s].name);
		roff_put(to, sections[s].what);
		fputs(".\n", to);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			if (strcmp(keys[i].section, sections[s].name) != 0)
				continue;
			fprintf(to, ".TP\n.B %s\n", keys[i].name);
			roff_put(to, keys[i].what);
			fputs(". Example:\n.B ", to);
			roff_put(to, keys[i].example);
			fputc('\n', to);
		}
	}
	fputs(".SH SEE ALSO\n.BR pgassay (1), pgsluice (1)\n", to);
}
