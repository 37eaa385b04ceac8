/* SPDX-License-Identifier: ISC
 *
 * report_junit: JUnit's XML, which every build server shows: a test case for each finding (rule
 * and shape), and one for each rule that found nothing, so that a rule's history has no holes.
 *
 * A finding that would fail the gate is a failure; without a gate those of warning and above
 * are.  Others pass, with what they say as output; suppressed ones are skipped, with the reason.
 */
#include "report.h"

/* XML 1.0 has no control characters but tab and line ends, not even as references.  Line ends
 * in an attribute are written as references, since a reader makes blanks of bare ones. */
static void put(FILE *to, struct str s, bool is_attribute)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		/* U+FFFE and U+FFFF are no characters of XML either: EF BF BE, EF BF BF. */
		if (c == 0xef && i + 2 < s.n && (unsigned char)s.p[i + 1] == 0xbf &&
			(unsigned char)s.p[i + 2] >= 0xbe) {
			i += 2;
			continue;
		}
		if (c == '<')
			fputs("&lt;", to);
		else if (c == '>')
			fputs("&gt;", to);
		else if (c == '&')
			fputs("&amp;", to);
		else if (c == '"')
			fputs("&quot;", to);
		else if (is_attribute && (c == '\n' || c == '\t' || c == '\r'))
			fprintf(to, "&#%u;", c);
		else if (c >= 0x20 || c == '\n' || c == '\t' || c == '\r')
			fputc(c, to);
	}
}

static void put_attribute(struct report *r, FILE *to, const char *name, struct str value)
{
	fprintf(to, " %s=\"", name);
	put(to, utf8_clean(&r->arena, value), true);
	fputc('"', to);
}

static bool is_failure(const struct report *r, const struct finding *x)
{
	enum severity gate = r->fail_on == SEVERITY_OFF ? SEVERITY_WARNING : r->fail_on;

	return !x->suppressed && x->severity >= gate && x->confidence >= CONF_LIKELY;
}

static void put_case(struct report *r, FILE *to, const struct finding *x)
{
	struct gate_place at = report_where(r, x);
	struct str words = report_words(r, x);

	fputs("  <testcase", to);
	put_attribute(r, to, "classname", arena_printf(&r->arena, "pgassay.%s", x->rule->id));
	put_attribute(r, to, "name", str_of(x->fingerprint));
	fputs(" time=\"0\"", to);
	put_attribute(r, to, "file", at.path);
	fprintf(to, " line=\"%u\">\n", at.line);
	if (x->suppressed) {
		fputs("   <skipped", to);
		put_attribute(r, to, "message", x->suppress_reason);
		fputs("/>\n", to);
	} else if (is_failure(r, x)) {
		fputs("   <failure", to);
		put_attribute(r, to, "message", x->message);
		put_attribute(r, to, "type", str_of(x->rule->name));
		fputc('>', to);
		put(to,
			utf8_clean(&r->arena,
				arena_printf(&r->arena, "%.*s:%u\n", STR_ARGS(at.path), at.line)),
			false);
		put(to, words, false);
		fputs("</failure>\n", to);
	} else {
		fputs("   <system-out>", to);
		put(to, words, false);
		fputs("</system-out>\n", to);
	}
	fputs("  </testcase>\n", to);
}

void report_junit(struct report *r, FILE *to)
{
	struct findings *fs = r->findings;
	size_t failures = 0, skipped = 0, clean = 0;

	for (size_t i = 0; i < fs->at.n; i++) {
		failures += is_failure(r, &fs->at.at[i]);
		skipped += fs->at.at[i].suppressed;
	}
	bool *found = ARENA_ARRAY(&r->arena, bool, 1024);
	for (size_t i = 0; i < fs->at.n; i++)
		found[(fs->at.at[i].rule - rules) & 1023] = true;
	for (const struct rule *rule = rules; rule->id; rule++)
		clean += !found[(rule - rules) & 1023];
	fprintf(to,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"pgassay\" "
		"tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"0\">\n"
		" <testsuite name=\"pgassay %s\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" "
		"skipped=\"%zu\" time=\"0\">\n",
		fs->at.n + clean, failures, r->command, fs->at.n + clean, failures, skipped);
	for (size_t i = 0; i < fs->at.n; i++)
		put_case(r, to, &fs->at.at[i]);
	for (const struct rule *rule = rules; rule->id; rule++)
		if (!found[(rule - rules) & 1023])
			fprintf(to,
				"  <testcase classname=\"pgassay.%s\" name=\"%s\" time=\"0\"/>\n",
				rule->id, rule->name);
	fputs(" </testsuite>\n</testsuites>\n", to);
}
