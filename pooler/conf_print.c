/* SPDX-License-Identifier: ISC
 *
 * The table, written out for people: the sample file, docs/settings.md, pooler.conf(5)
 * and the list that --help shows.  All say the same, because all read the same rows; what
 * is said once about all settings stands in `intro`.
 *
 * Marks in texts: `code`.  Markdown has them as they are, the manual in bold, the sample
 * without.
 */
#include "conf_own.h"

static const struct {
	const char *heading, *text;
} intro[] = {
	{"File", "The file has sections in brackets and a `key = value` a line. A line that begins "
		 "with `;` or `#` is a comment; further on in a line they mean themselves. The "
		 "value is what stands behind the `=` up to the end of the line, without the "
		 "blanks around it. `%include FILE` acts as if that file stood there; its path, as "
		 "every relative path, counts from the working directory."},
	{NULL, "Settings of the process stand in `[pooler]`, or in `[pgbouncer]`, which is the "
	       "same section under its old name: a pgbouncer.ini works as it is. What is given "
	       "twice holds as it was given last. A key, value or section that is not known is "
	       "an error; all errors are reported at once, and `pgsluice --check FILE` does "
	       "nothing but report."},
	{"Databases, users, peers",
		"A line of `[databases]` is `NAME = key=value key=value ...`, the name being what "
		"clients ask for; in double quotes if it has other characters than letters, "
		"digits and `_.-`. A value with blanks stands in single quotes, in which `''` is "
		"one. `*` serves every name without a line of its own. `pgbouncer` and `pgsluice` "
		"are the console."},
	{NULL, "A line of `[users]` is `NAME = key=value ...`, and one of `[peers]` is `PEER_ID = "
	       "host=... port=...`."},
	{NULL, "Settings of `[pooler]` that are also known in `[databases]` or `[users]` can be "
	       "overridden there: the user's value goes before the database's, and that before "
	       "the one of `[pooler]`. There, -1 means that a setting is not set."},
	{"Values", "Switches are `0` and `1` (or `off`, `on`, `false`, `true`, `no`, `yes`). Times "
		   "are numbers of seconds, with a fraction if need be, or have a unit: `us`, "
		   "`ms`, `s`, `min`, `h`, `d`. Sizes are numbers of bytes, or have a unit: `kB`, "
		   "`MB`, `GB`, `TB`. Lists are separated by commas."},
	{"Changing settings",
		"RELOAD on the console and the signal HUP read the file again: either all of it "
		"takes effect or, when there is any error, nothing. Settings that need a restart "
		"keep their value until then, and RELOAD says so. `SET key = value` on the console "
		"changes a setting until the next RELOAD. SHOW CONFIG tells every value and where "
		"it comes from."},
};

/* --- text ------------------------------------------------------------------------- */

/* Words of `text` in lines of at most `width` columns, each behind `prefix`; backquotes
 * are left out. */
static void print_wrapped(FILE *to, const char *prefix, const char *text, size_t width)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " "), shown = 0;

		for (size_t i = 0; i < n; i++)
			shown += text[i] != '`';
		if (column && column + 1 + shown > width) {
			fputc('\n', to);
			column = 0;
		}
		fputs(column ? " " : prefix, to);
		column = (column ? column + 1 : strlen(prefix)) + shown;
		for (; n > 0; n--, text++)
			if (*text != '`')
				fputc(*text, to);
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

/* For troff: marks to fonts, and nothing that it would take for its own. */
static void print_roff(FILE *to, const char *text)
{
	bool bold = false;

	if (*text == '.' || *text == '\'')
		fputs("\\&", to);
	for (; *text; text++) {
		if (*text == '`') {
			bold = !bold;
			fputs(bold ? "\\fB" : "\\fR", to);
		} else if (*text == '\\') {
			fputs("\\e", to);
		} else if (*text == '-') {
			fputs("\\-", to);
		} else if (*text == '\'') {
			fputs("\\(aq", to);
		} else {
			fputc(*text, to);
		}
	}
	fputc('\n', to);
}

static const char *type_words(const struct conf_setting *s)
{
	switch (s->type) {
	case CONF_BOOL:
		return "switch";
	case CONF_INT:
		return "whole number";
	case CONF_OCTAL:
		return "octal number";
	case CONF_NUMBER:
		return "number";
	case CONF_SIZE:
		return "size";
	case CONF_TIME:
		return strcmp(s->unit, "ms") == 0 ? "time, in milliseconds if bare" : "time";
	case CONF_WORD:
		return "word";
	case CONF_STRING:
		return "text";
	case CONF_LIST:
		return "list";
	case CONF_FILE:
		return "path";
	case CONF_SECRET:
		return "text, secret";
	}
	return "";
}

static bool has_range(const struct conf_setting *s)
{
	return s->max > 0 && (s->type == CONF_INT || s->type == CONF_NUMBER ||
				     s->type == CONF_TIME || s->type == CONF_SIZE);
}

/* "time; default `600`; PgBouncer: `server_idle_timeout`; [pooler], [databases]; ..." */
static void put_facts(const struct conf_setting *s, struct buf *out)
{
	static const char *const sections[CONF_SCOPES] = {
		"[pooler]", "[databases]", "[users]", "[peers]"};
	const char *sep = "; in ";

	buf_put_str(out, type_words(s));
	if (has_range(s))
		buf_printf(out, " from %.15g to %.15g%s%s", s->min, s->max, s->unit ? " " : "",
			s->unit ? s->unit : "");
	if (s->def && *s->def)
		buf_printf(out, "; default `%s`", s->def);
	else
		buf_put_str(out, "; not set by default");
	if (s->pgbouncer)
		buf_printf(out, "; PgBouncer's word: `%s`", s->pgbouncer);
	for (size_t i = 0; i < ARRAY_LEN(s->alias) && s->alias[i]; i++)
		buf_printf(out, "%s`%s`", i ? ", " : "; also: ", s->alias[i]);
	for (int i = 0; i < CONF_SCOPES; i++) {
		if (s->at[i].kind == CONF_ABSENT)
			continue;
		buf_printf(out, "%s%s", sep, sections[i]);
		sep = ", ";
	}
	if (s->restart)
		buf_put_str(out, "; needs a restart");
}

static void put_words(const struct conf_setting *s, struct buf *out)
{
	for (size_t i = 0; s->words[i]; i++)
		buf_printf(out, "%s`%s`", i ? ", " : "", s->words[i]);
}

/* --- the sample file ----------------------------------------------------------------- */

static const char sample_head[] =
	"; pooler.conf - a sample of everything that pgsluice can be told.\n"
	";\n"
	"; Lines with ; or # in front are comments.  Settings stand here with their\n"
	"; defaults, or with an example where there is none; take the ; away to change\n"
	"; one.  A pgbouncer.ini works as it is.  `pgsluice --check FILE` says all that\n"
	"; is wrong with a file.\n"
	"\n"
	"[databases]\n"
	"\n"
	"; NAME = where it is, and what it has to itself; * is every other name.\n"
	";shop = host=127.0.0.1 port=5432 dbname=shop\n"
	";reports = host=/var/run/postgresql pool_mode=session max_open=5\n"
	";* = host=db1,db2 target_session_attrs=read-write\n"
	";\n"
	"; What a line may say, besides what [pooler] says for all:\n"
	";\n";

static void sample_line_settings(FILE *to, enum conf_scope scope)
{
	struct buf overrides = {0};

	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];

		if (s->at[scope].kind == CONF_ABSENT)
			continue;
		if (s->at[CONF_IN_POOLER].kind != CONF_ABSENT) {
			buf_printf(&overrides, "%s%s", overrides.len ? ", " : "", s->name);
			continue;
		}
		fprintf(to, ";   %s\n", s->name);
		print_wrapped(to, ";       ", s->help, 78);
	}
	if (overrides.len) {
		fputs("; What a line may override:\n", to);
		print_wrapped(to, ";   ", buf_cstr(&overrides), 78);
	}
	buf_free(&overrides);
}

static void sample_setting(FILE *to, const struct conf_setting *s)
{
	struct buf facts = {0};

	fputc('\n', to);
	print_wrapped(to, "; ", s->help, 78);
	if (s->pgbouncer)
		buf_printf(&facts, "PgBouncer's word: %s. ", s->pgbouncer);
	if (s->at[CONF_IN_DATABASE].kind && s->at[CONF_IN_USER].kind)
		buf_put_str(&facts, "Also in [databases] and [users]. ");
	else if (s->at[CONF_IN_DATABASE].kind || s->at[CONF_IN_USER].kind)
		buf_printf(&facts, "Also in %s. ",
			s->at[CONF_IN_USER].kind ? "[users]" : "[databases]");
	if (s->restart)
		buf_put_str(&facts, "Needs a restart. ");
	if (facts.len) {
		facts.len--;
		print_wrapped(to, "; ", buf_cstr(&facts), 78);
	}
	if (s->example)
		fprintf(to, ";%s = %s\n", s->name, s->example);
	else
		fprintf(to, ";%s =%s%s\n", s->name, s->def && *s->def ? " " : "",
			s->def ? s->def : "");
	buf_free(&facts);
}

void conf_print_sample(FILE *to)
{
	const char *section = "", *printed = "";

	fputs(sample_head, to);
	sample_line_settings(to, CONF_IN_DATABASE);
	fputs("\n[users]\n\n;reporter = pool_mode=session max_user_connections=5\n;\n", to);
	sample_line_settings(to, CONF_IN_USER);
	fputs("\n[peers]\n\n;1 = host=/run/pgsluice/1\n;2 = host=/run/pgsluice/2\n;\n", to);
	sample_line_settings(to, CONF_IN_PEER);
	fputs("\n[pooler]\n", to);
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];

		if (s->section)
			section = s->section;
		if (s->at[CONF_IN_POOLER].kind == CONF_ABSENT || s->ignored)
			continue;
		if (section != printed) {
			fprintf(to, "\n;;; %s\n", section);
			printed = section;
		}
		sample_setting(to, s);
	}
}

/* --- docs/settings.md ------------------------------------------------------------------ */

void conf_print_settings_md(FILE *to)
{
	struct buf b = {0};

	fputs("# Settings\n\n"
	      "<!-- Written by `make docs` from the table in pooler/conf_table.c. -->\n",
		to);
	for (size_t i = 0; i < ARRAY_LEN(intro); i++) {
		if (intro[i].heading)
			fprintf(to, "\n## %s\n", intro[i].heading);
		fprintf(to, "\n%s\n", intro[i].text);
	}
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];

		if (s->section)
			fprintf(to, "\n## %s\n", s->section);
		b.len = 0;
		put_facts(s, &b);
		fprintf(to, "\n### %s\n\n*%s*\n\n%s\n", s->name, buf_cstr(&b), s->help);
		if (s->words) {
			b.len = 0;
			put_words(s, &b);
			fprintf(to, "\nWords: %s.\n", buf_cstr(&b));
		}
		if (s->ignored)
			fprintf(to, "\nAccepted, without effect: %s.\n", s->ignored);
		if (s->example)
			fprintf(to, "\nExample: `%s = %s`\n", s->name, s->example);
	}
	buf_free(&b);
}

/* --- pooler.conf(5) ----------------------------------------------------------------------- */

static void man_heading(FILE *to, const char *macro, const char *text)
{
	fprintf(to, ".%s \"", macro);
	for (; *text; text++)
		fputc(strcmp(macro, "SH") == 0 && *text >= 'a' && *text <= 'z' ? *text - 32 : *text,
			to);
	fputs("\"\n", to);
}

static void man_setting(FILE *to, const struct conf_setting *s)
{
	struct buf b = {0};

	fputs(".TP\n", to);
	buf_printf(&b, "`%s`", s->name);
	print_roff(to, buf_cstr(&b));
	print_roff(to, s->help);
	if (s->ignored) {
		b.len = 0;
		buf_printf(&b, "Accepted, without effect: %s.", s->ignored);
		print_roff(to, buf_cstr(&b));
	}
	b.len = 0;
	buf_put_u8(&b, '(');
	put_facts(s, &b);
	if (s->words) {
		buf_put_str(&b, "; one of ");
		put_words(s, &b);
	}
	buf_put_u8(&b, ')');
	print_roff(to, buf_cstr(&b));
	buf_free(&b);
}

void conf_print_man(FILE *to)
{
	fputs(".\\\" Written by `make docs' from the table in pooler/conf_table.c.\n"
	      ".TH POOLER.CONF 5 \"\" \"pgsluice " PGSLUICE_VERSION "\" \"pgsluice\"\n"
	      ".SH NAME\n"
	      "pooler.conf \\- configuration of the pgsluice connection pooler\n",
		to);
	fputs(".SH DESCRIPTION\n", to);
	for (size_t i = 0; i < ARRAY_LEN(intro); i++) {
		if (intro[i].heading)
			man_heading(to, "SS", intro[i].heading);
		else
			fputs(".PP\n", to);
		print_roff(to, intro[i].text);
	}
	for (size_t i = 0; i < conf_settings_count; i++) {
		if (conf_settings[i].section)
			man_heading(to, "SH", conf_settings[i].section);
		man_setting(to, &conf_settings[i]);
	}
	fputs(".SH SEE ALSO\n.BR pgsluice (1),\n.BR pgassay (1)\n", to);
}

/* --- --help=settings ------------------------------------------------------------------------ */

void conf_print_help(FILE *to)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		const char *stop = strstr(s->help, ". ");
		size_t n = stop ? (size_t)(stop - s->help) + 1 : strlen(s->help);
		char *first = mem_strndup(s->help, n);

		if (s->section)
			fprintf(to, "%s%s:\n", i ? "\n" : "", s->section);
		fprintf(to, "  %s%s%s\n", s->name, s->def && *s->def ? " = " : "",
			s->def ? s->def : "");
		print_wrapped(to, "      ", first, 78);
		free(first);
	}
}
