/* SPDX-License-Identifier: ISC
 *
 * pgassay lint: SQL files, cut into statements by the lexer's rules, checked without a log.
 */
#include "main.h"
#include "sql.h"

#include <errno.h>

static bool read_all(const char *name, struct text *t)
{
	FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
	char buf[65536];
	size_t n;

	if (!f) {
		fprintf(stderr, "pgassay: %s: %s\n", name, strerror(errno));
		return false;
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_add(t, buf, n);
	bool ok = !ferror(f);
	if (f != stdin)
		fclose(f);
	return ok;
}

/* The line a statement's first token stands on. */
static uint64_t first_line(const char *p, size_t n, uint64_t line)
{
	size_t i = 0;

	while (i < n) {
		if (p[i] == '\n')
			line++;
		else if (p[i] == '-' && i + 1 < n && p[i + 1] == '-') {
			const char *e = memchr(p + i, '\n', n - i);
			i = e ? (size_t)(e - p) : n;
			continue;
		} else if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
			break;
		i++;
	}
	return line;
}

/* A comment behind a statement's semicolon, on its last line, belongs to that statement. */
static void trailing_mark(struct facts *f, struct shape *s, struct str rest, struct place at)
{
	struct str comment, text;
	size_t i = 0;

	rest = str_before(rest, str_find(rest, "\n"));
	while (i < rest.n && (rest.p[i] == ' ' || rest.p[i] == '\t'))
		i++;
	if (!str_starts(str_skip(rest, i), "--") && !str_starts(str_skip(rest, i), "/*"))
		return;
	if (sql_comment_next(rest, &i, &comment) && (text = sql_mark(comment, "pgassay:ignore")).p)
		shape_mark(f, s, text, at, true);
}

/* `pgassay:ignore-file …` anywhere in it. */
static void file_marks(struct facts *f, struct str text, uint32_t file)
{
	struct str comment, mark;

	for (size_t i = 0; sql_comment_next(text, &i, &comment);) {
		uint64_t line = 1;
		if (!(mark = sql_mark(comment, "pgassay:ignore-file")).p)
			continue;
		for (const char *p = text.p; p < comment.p; p++)
			line += *p == '\n';
		*VEC_PUSH(&f->file_mark) =
			(struct mark){arena_str(&f->arena, mark), {file, line}, 1};
	}
}

static void lint_text(struct facts *f, struct gate *g, struct str text, uint32_t file)
{
	uint64_t line = 1;

	if (memmem(text.p ? text.p : "", text.n, "pgassay:ignore-file", 19))
		file_marks(f, text, file);

	for (size_t at = 0; at < text.n;) {
		size_t n = sql_statement_end(text.p + at, text.n - at);
		struct str sql = str_trim((struct str){text.p + at, n});
		struct sql_shape lex;
		while (sql.n && sql.p[sql.n - 1] == ';')
			sql = str_trim(str_before(sql, sql.n - 1));
		sql_lex(sql.p, sql.n, &lex, NULL, 0);
		struct place from = {file, first_line(text.p + at, n, line)};
		for (size_t i = 0; i < n; i++)
			line += text.p[at + i] == '\n';
		bool changed = !g || gate_changed(g, f->in->file.at[file]->name, from.line, line);
		bool is_sql = lex.verb != SQL_EMPTY && !sql_is_psql(sql);
		if (is_sql && changed)
			trailing_mark(f, facts_text(f, sql, from), str_skip(text, at + n), from);
		else if (is_sql)
			facts_unchanged(f, sql, from);
		at += n;
		n = is_sql ? sql_copy_data(sql, text.p + at, text.n - at) : 0;
		for (size_t i = 0; i < n; i++)
			line += text.p[at + i] == '\n';
		at += n;
	}
}

bool lint_file(struct facts *f, struct input *in, const char *name, struct gate *g)
{
	struct text t = {0};
	struct err why;
	bool ok = input_add(in, name, &why);

	if (!ok)
		fprintf(stderr, "pgassay: %s\n", why.text);
	ok = ok && read_all(in->file.at[in->file.n - 1]->name, &t);
	if (ok)
		lint_text(f, g, text_slice(&t), (uint32_t)in->file.n - 1);
	text_release(&t);
	return ok;
}

enum exit_status run_lint(struct options *o)
{
	struct input in = {0};
	struct facts *f = facts_new(&in);
	struct findings found = {0};
	struct report r = {.facts = f, .findings = &found, .input = &in, .command = "lint"};
	struct rule_options ro = {.severity = o->severity};
	enum exit_status status = EXIT_USAGE;
	struct schema *schema = NULL;
	bool ok = o->file.n > 0;

	if (!ok)
		fprintf(stderr, "pgassay: which file?  `pgassay lint FILE.sql…`, or - for stdin\n");
	if (ok && (o->changed_only || o->base))
		ok = gate_git(&o->gate, o->base ? o->base : gate_git_base(&o->gate));
	o->gate.is_partial |= o->changed_only;
	for (size_t i = 0; ok && i < o->file.n; i++)
		ok = lint_file(f, &in, o->file.at[i], &o->gate);
	if (ok)
		schema = options_schema(o, &ok);
	if (ok) {
		rules_run(f, schema, &ro, &found, &r.unparsed);
		status = options_report(o, &r);
		int64_t most = o->max_unparsed < 0 ? 50 : o->max_unparsed;
		if (status == EXIT_CLEAN && ((f->statements == 0 && !o->gate.has_changes) ||
						    r.unparsed * 100 > f->shape.n * (size_t)most)) {
			fprintf(stderr, "pgassay: %zu of %zu statements could not be parsed\n",
				r.unparsed, f->shape.n);
			status = EXIT_INPUT;
		}
		report_release(&r);
	}
	findings_release(&found);
	schema_free(&schema);
	facts_free(&f);
	input_release(&in);
	return status;
}
