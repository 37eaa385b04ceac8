/* SPDX-License-Identifier: ISC
 *
 * main_options: one table of options drives parsing and --help.
 */
#include "main.h"

#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum kind { KIND_TEXT, KIND_FLAG, KIND_INT, KIND_PERCENT, KIND_SIZE, KIND_SEVERITY, KIND_LIST };

/* Statements named that could not be parsed: somebody writes files; in logs many are cut. */
enum { NAMED_OF_FILES = 20, NAMED_OF_LOGS = 3 };

#define AT(field) offsetof(struct options, field)

static const struct option {
	const char *name;
	char letter;
	enum kind kind;
	const char *arg;
	size_t at;
	unsigned commands;
	const char *what;
} table[] = {
	{"format", 'f', KIND_TEXT, "NAME", AT(format), CMD_ALL,
		"text (default), json, …; see below"},
	{"table", 0, KIND_TEXT, "NAME", AT(table), CMD_LOG | CMD_MERGE,
		"csv: which table (default shapes; see below)"},
	{"sort", 0, KIND_TEXT, "ORDER", AT(sort), CMD_LOG | CMD_MERGE,
		"the statements' order: total (default), calls, mean, …; see below"},
	{"output", 'o', KIND_TEXT, "FILE", AT(output), CMD_ALL, "write there, not to stdout"},
	{"fail-on", 0, KIND_SEVERITY, "LEVEL", AT(fail_on), CMD_ALL & ~CMD_RULES,
		"exit 1 on findings of this level or above: error, warning, info, never (default)"},
	{"gate", 0, KIND_FLAG, NULL, AT(as_gate), CMD_ALL & ~CMD_RULES,
		"fail as .pgassay.conf says; where it says nothing, on warnings"},
	{"config", 0, KIND_TEXT, "FILE", AT(config), CMD_ALL & ~CMD_RULES,
		"settings of the gate (default: the nearest .pgassay.conf upwards)"},
	{"baseline", 0, KIND_TEXT, "FILE", AT(baseline), CMD_ALL & ~CMD_RULES,
		"findings of this file are known and do not count"},
	{"write-baseline", 0, KIND_TEXT, "FILE", AT(write_baseline), CMD_ALL & ~CMD_RULES,
		"write what is found now as known, keeping the file's comments; exit 0"},
	{"changed-only", 0, KIND_FLAG, NULL, AT(changed_only), CMD_LINT,
		"only statements that this branch has added or changed, as git tells"},
	{"base", 0, KIND_TEXT, "REF", AT(base), CMD_LINT,
		"the branch it will go to (default: what the build server says, origin/HEAD, "
		"main)"},
	{"rule", 0, KIND_LIST, "ID=LEVEL", AT(rule), CMD_ALL & ~CMD_RULES,
		"set a rule's level: off, info, warning, error; may be repeated"},
	{"schema", 0, KIND_TEXT, "FILE", AT(schema), CMD_ALL & ~CMD_RULES,
		"tables, keys and indexes from a `pg_dump -s`"},
	{"dsn", 0, KIND_TEXT, "DSN", AT(dsn), CMD_ALL & ~CMD_RULES,
		"look at this database: catalog and EXPLAIN, read-only"},
	{"top", 0, KIND_INT, "N", AT(top), CMD_ALL & ~CMD_RULES,
		"show N shapes (default 20); 0: all"},
	{"literals", 0, KIND_TEXT, "keep|mask", AT(literals), CMD_ALL & ~CMD_RULES,
		"mask: no literal and no parameter in any output"},
	{"max-unparsed", 0, KIND_INT, "PERCENT", AT(max_unparsed), CMD_LOG | CMD_LINT,
		"exit 3 when more of the input was not understood (default 50)"},
	{"input", 0, KIND_TEXT, "FORMAT", AT(input), CMD_LOG,
		"the logs' format; default: detected"},
	{"prefix", 0, KIND_TEXT, "PREFIX", AT(prefix), CMD_LOG,
		"the server's log_line_prefix; default: inferred"},
	{"since", 0, KIND_TEXT, "TIME", AT(since), CMD_LOG,
		"only from then on (2024-01-31 12:00:00)"},
	{"until", 0, KIND_TEXT, "TIME", AT(until), CMD_LOG, "only until then"},
	{"db", 0, KIND_TEXT, "NAME", AT(db), CMD_LOG, "only this database"},
	{"user", 0, KIND_TEXT, "NAME", AT(user), CMD_LOG, "only this user"},
	{"app", 0, KIND_TEXT, "NAME", AT(app), CMD_LOG, "only this application_name"},
	{"jobs", 'j', KIND_INT, "N", AT(jobs), CMD_LOG,
		"threads (default 1); the report is the same"},
	{"chunk", 0, KIND_INT, "KB", AT(chunk), CMD_LOG,
		"bytes a thread takes at once (default 128)"},
	{"follow", 0, KIND_FLAG, NULL, AT(follow), CMD_LOG,
		"go on reading what is added, across rotations, and a directory's new files; "
		"Ctrl-C "
		"prints the report"},
	{"state", 0, KIND_TEXT, "FILE", AT(state), CMD_LOG,
		"remember what was read: the next run reads only what is new"},
	{"store", 0, KIND_TEXT, "DSN", AT(store), CMD_LOG | CMD_MERGE,
		"also write the report into this database (sql/store_schema.sql)"},
	{"store-as", 0, KIND_TEXT, "NAME", AT(store_as), CMD_LOG | CMD_MERGE,
		"whose log it is in there (default: this host's name)"},
	{"verify", 0, KIND_FLAG, NULL, AT(verify), CMD_LOG,
		"with --dsn: run a loop's lookups and the statement that replaces them, read-only, "
		"and "
		"compare their rows"},
	{"doctor", 0, KIND_FLAG, NULL, AT(doctor), CMD_LOG,
		"say what the log is and what it lacks, instead of a report"},
	{"budget", 0, KIND_SIZE, "SIZE", AT(budget), CMD_ADVISE | CMD_LOG,
		"with --dsn: the new indexes together are no larger; 500, 500MB, 1.5GB, 64MiB (MB "
		"when no unit is given; 0: no limit)"},
	{"scratch", 0, KIND_TEXT, "DSN", AT(scratch), CMD_ADVISE,
		"a server where a copy is made and dropped: what HypoPG cannot try is built "
		"there, and the queries are run without and with the advice"},
	{"scratch-size", 0, KIND_SIZE, "SIZE", AT(scratch_size), CMD_ADVISE,
		"copy no more rows than this (default 1000MB): larger tables are sampled; 0: "
		"all"},
	{"dry-run", 0, KIND_FLAG, NULL, AT(dry_run), CMD_ADVISE,
		"say what the advice would cost to find, and stop"},
	{"max-indexes", 0, KIND_INT, "N", AT(max_indexes), CMD_ADVISE | CMD_LOG,
		"with --dsn: at most N new indexes"},
	{"min-gain", 0, KIND_PERCENT, "PERCENT", AT(min_gain), CMD_ADVISE | CMD_LOG,
		"with --dsn: leave out an index that takes less off the workload's cost (default "
		"5; 1 with --budget, and less of one that takes less than a twentieth of it) and "
		"not half off one query's"},
	{"no-color", 0, KIND_FLAG, NULL, AT(no_color), CMD_ALL, "text without colours"},
	{"help", 'h', KIND_FLAG, NULL, AT(help), CMD_ALL, "this text"},
};

static const struct option *find(enum command_bit command, const char *name, size_t n, char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct option *t = &table[i];
		if (!(t->commands & command))
			continue;
		if (letter ? t->letter == letter
			   : strlen(t->name) == n && memcmp(t->name, name, n) == 0)
			return t;
	}
	return NULL;
}

static bool wrong(const char *what, const char *name)
{
	fprintf(stderr, "pgassay: %s%s; see --help\n", what, name);
	return false;
}

static bool set_int(const struct option *t, const char *value, int64_t *to)
{
	if (!str_to_i64(str_of(value), to) || *to < 0) {
		fprintf(stderr, "pgassay: --%s takes a number, not \"%s\"\n", t->name, value);
		return false;
	}
	return true;
}

static bool set_percent(const struct option *t, const char *value, double *to)
{
	char *end;

	*to = strtod(value, &end);
	if (end != value && (*end == 0 || strcmp(end, "%") == 0) && *to >= 0 && *to <= 100)
		return true;
	fprintf(stderr, "pgassay: --%s takes a percentage from 0 to 100, not \"%s\"\n", t->name,
		value);
	return false;
}

/* Bytes: a number and its unit, MB when there is none. */
static bool set_size(const struct option *t, const char *value, int64_t *to)
{
	static const struct {
		const char *name;
		double bytes;
	} units[] = {{"", 1e6}, {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
		{"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0},
		{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
	char *unit;
	double n = strtod(value, &unit);

	if (unit != value && n >= 0) {
		unit += strspn(unit, " ");
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (strcasecmp(unit, units[i].name) == 0 && n * units[i].bytes < 1e18) {
				*to = (int64_t)(n * units[i].bytes + 0.5);
				return true;
			}
	}
	fprintf(stderr, "pgassay: --%s takes a size like 500 (MB), 1.5GB or 64MiB, not \"%s\"\n",
		t->name, value);
	return false;
}

static bool set(struct options *o, const struct option *t, const char *value)
{
	void *to = (char *)o + t->at;

	switch (t->kind) {
	case KIND_FLAG:
		*(bool *)to = true;
		return true;
	case KIND_TEXT:
		*(const char **)to = value;
		return true;
	case KIND_INT:
		return set_int(t, value, to);
	case KIND_PERCENT:
		return set_percent(t, value, to);
	case KIND_SIZE:
		return set_size(t, value, to);
	case KIND_SEVERITY:
		if (severity_parse(value, to))
			return true;
		fprintf(stderr, "pgassay: --%s takes error, warning, info or never, not \"%s\"\n",
			t->name, value);
		return false;
	case KIND_LIST:
		*VEC_PUSH(&o->rule) = value;
		return true;
	}
	return false;
}

/* One argument that begins with a dash; *i moves on when its value is the next one. */
static bool parse_one(struct options *o, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *value = NULL;
	const struct option *t;
	size_t n;

	if (arg[1] == '-') {
		arg += 2;
		n = strcspn(arg, "=");
		t = find(o->command, arg, n, 0);
		value = arg[n] == '=' ? arg + n + 1 : NULL;
	} else {
		t = find(o->command, NULL, 0, arg[1]);
		value = arg[1] && arg[2] ? arg + 2 : NULL;
	}
	if (!t)
		return wrong("there is no option ", argv[*i]);
	if (t->kind == KIND_FLAG)
		return value ? wrong("no value is expected for ", argv[*i]) : set(o, t, NULL);
	if (!value) {
		if (*i + 1 >= argc)
			return wrong("a value is missing behind ", argv[*i]);
		value = argv[++*i];
	}
	return set(o, t, value);
}

static bool set_rules(struct options *o)
{
	size_t n = 0;

	while (rules[n].id)
		n++;
	o->severity = mem_alloc((n + 1) * sizeof(*o->severity));
	for (size_t i = 0; i < n; i++)
		o->severity[i] = rules[i].severity;
	for (size_t i = 0; i < o->gate.conf.rule.n; i++)
		o->severity[o->gate.conf.rule.at[i].rule - rules] =
			o->gate.conf.rule.at[i].severity;
	for (size_t i = 0; i < o->rule.n; i++) {
		const char *eq = strchr(o->rule.at[i], '=');
		char id[64];
		enum severity s;
		size_t len = eq ? (size_t)(eq - o->rule.at[i]) : 0;
		if (!eq || len >= sizeof(id) || !severity_parse(eq + 1, &s))
			return wrong("--rule takes ID=off|info|warning|error, not ", o->rule.at[i]);
		memcpy(id, o->rule.at[i], len);
		id[len] = '\0';
		const struct rule *r = rule_by_id(id);
		if (!r)
			return wrong("there is no rule ", id);
		o->severity[r - rules] = s;
	}
	return true;
}

/* What the command line does not say, .pgassay.conf may. */
static bool set_gate(struct options *o)
{
	struct gate *g = &o->gate;
	struct gate_conf *c = &g->conf;
	bool has_limit = false;

	gate_init(g);
	if (o->command == CMD_RULES)
		return true;
	if (!gate_load(g, o->config))
		return false;
	for (int i = 0; i < GATE_LIMITS; i++)
		has_limit |= c->limit[i].value >= 0;
	if (o->fail_on == FAIL_ON_UNSET) /* who sets a limit means it */
		o->fail_on = c->has_fail_on			    ? c->fail_on
			     : o->as_gate || o->command == CMD_DIFF ? SEVERITY_WARNING
			     : has_limit			    ? SEVERITY_ERROR
								    : SEVERITY_OFF;
	o->schema = o->schema || o->dsn ? o->schema : c->schema;
	o->literals = o->literals ? o->literals : c->literals;
	o->baseline = o->baseline ? o->baseline : c->baseline;
	/* The file that is being written need not be there yet. */
	g->write_baseline = o->write_baseline;
	g->baseline = o->baseline;
	if (!g->fallback.n && g->baseline && !gate_path(g, str_of(g->baseline), &g->fallback))
		g->fallback = STR_NONE;
	return true;
}

bool options_parse(struct options *o, enum command_bit command, int argc, char **argv)
{
	bool only_files = false;

	o->command = command;
	o->fail_on = FAIL_ON_UNSET;
	o->top = o->jobs = o->max_unparsed = o->budget = o->max_indexes = o->scratch_size =
		o->chunk = -1;
	o->min_gain = -1;
	for (int i = 0; i < argc; i++) {
		if (!only_files && strcmp(argv[i], "--") == 0)
			only_files = true;
		else if (only_files || argv[i][0] != '-' || argv[i][1] == '\0')
			*VEC_PUSH(&o->file) = argv[i];
		else if (!parse_one(o, argc, argv, &i))
			return false;
	}
	if (!set_gate(o))
		return false;
	if (o->format && !report_format_find(o->format))
		return wrong("there is no format ", o->format);
	if (o->table && !report_table_find(o->table))
		return wrong("there is no table ", o->table);
	if (o->sort && !report_sort_find(o->sort))
		return wrong("there is no order ", o->sort);
	if (o->table && (!o->format || strcmp(o->format, "csv") != 0))
		return wrong("--table is for --format csv: ", o->table);
	if (o->literals && strcmp(o->literals, "keep") != 0 && strcmp(o->literals, "mask") != 0)
		return wrong("--literals takes keep or mask, not ", o->literals);
	return set_rules(o);
}

void options_usage(FILE *to, enum command_bit command)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct option *t = &table[i];
		char head[64];
		if (!(t->commands & command))
			continue;
		snprintf(head, sizeof(head), "%c%c%s--%s%s%s", t->letter ? '-' : ' ',
			t->letter ? t->letter : ' ', t->letter ? ", " : "  ", t->name,
			t->arg ? " " : "", t->arg ? t->arg : "");
		fprintf(to, "  %-28s %s\n", head, t->what);
	}
	fputs("\nformats:\n", to);
	for (const struct report_format *f = report_formats; f->name; f++)
		fprintf(to, "  %-10s %s\n", f->name, f->what);
	if (!(command & (CMD_LOG | CMD_MERGE)))
		return;
	fputs("\norders of --sort:\n", to);
	for (const struct report_sort *s = report_sorts; s->name; s++)
		fprintf(to, "  %-12s %s\n", s->name, s->what);
	fputs("\ntables of csv:\n", to);
	for (const struct report_table *t = report_tables; t->name; t++)
		fprintf(to, "  %-12s %s\n", t->name, t->what);
}

/* Which commands take it, as "log, merge". */
static void print_commands(FILE *to, const struct option *t)
{
	const char *between = " [";

	if (t->commands == CMD_ALL)
		return;
	for (const struct command *c = commands; c->name; c++)
		if (t->commands & c->bit) {
			fprintf(to, "%s%s", between, c->name);
			between = ", ";
		}
	fputc(']', to);
}

void options_print_man(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct option *t = &table[i];

		fputs(".TP\n.B ", to);
		if (t->letter)
			fprintf(to, "\\-%c, ", t->letter);
		fputs("\\-\\-", to);
		roff_put(to, t->name);
		if (t->arg)
			fprintf(to, " \\fI%s\\fB", t->arg);
		fputc('\n', to);
		roff_put(to, t->what);
		print_commands(to, t);
		fputs(".\n", to);
	}
	fputs(".SH FORMATS\n", to);
	for (const struct report_format *f = report_formats; f->name; f++) {
		fprintf(to, ".TP\n.B %s\n", f->name);
		roff_put(to, f->what);
		fputs(".\n", to);
	}
	fputs(".SH \"ORDERS OF --sort\"\n", to);
	for (const struct report_sort *s = report_sorts; s->name; s++) {
		fprintf(to, ".TP\n.B %s\n", s->name);
		roff_put(to, s->what);
		fputs(".\n", to);
	}
	fputs(".SH \"TABLES OF csv\"\n", to);
	for (const struct report_table *t = report_tables; t->name; t++) {
		fprintf(to, ".TP\n.B %s\n", t->name);
		roff_put(to, t->what);
		fputs(".\n", to);
	}
}

void options_release(struct options *o)
{
	VEC_RELEASE(&o->rule);
	VEC_RELEASE(&o->file);
	free(o->severity);
	gate_release(&o->gate);
}

/* --- the report ------------------------------------------------------------------------- */

#define WIDTH_MIN 40
#define WIDTH_MAX 240 /* longer lines are hard to follow */

/* COLUMNS says how wide a page is; else the terminal; else it is 100 columns. */
static int page_width(void)
{
	const char *said = getenv("COLUMNS");
	struct winsize w;
	int64_t width = 100;

	if (!(said && str_to_i64(str_of(said), &width) && width > 0) &&
		ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		width = w.ws_col;
	return (int)(width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width);
}

/* Does the locale of the environment write UTF-8?  It is LC_ALL, LC_CTYPE or LANG that says so. */
static bool locale_is_utf8(void)
{
	locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool is = own && strcmp(nl_langinfo_l(CODESET, own), "UTF-8") == 0;

	if (own)
		freelocale(own);
	return is;
}

bool options_mask(const struct options *o)
{
	const struct report_format *f = report_format_find(o->format ? o->format : "text");

	return o->literals ? strcmp(o->literals, "mask") == 0 : f->mask;
}

/* Statements that the parser refused are in no finding: without a word the report would look as
 * if they were clean.  (JSON has the reason with each shape.) */
static void name_unparsed(struct report *r)
{
	size_t most = strcmp(r->command, "lint") == 0 ? NAMED_OF_FILES : NAMED_OF_LOGS, named = 0;

	for (size_t i = 0; r->unparsed && i < r->facts->shape.n; i++) {
		const struct shape *s = r->facts->shape.at[i];

		if (!s->unparsed.p || s->verb == SQL_EMPTY)
			continue;
		if (named++ == most)
			break;
		struct str at = report_place(r, &s->place[0]), why = report_reason(r, s->unparsed);
		fprintf(stderr, "pgassay: %.*s: not checked: %.*s\n", STR_ARGS(at), STR_ARGS(why));
	}
	if (r->unparsed > most)
		fprintf(stderr, "pgassay: … and %zu more; --format json says why for each\n",
			r->unparsed - most);
}

enum exit_status options_report(struct options *o, struct report *r)
{
	const struct report_format *f = report_format_find(o->format ? o->format : "text");
	FILE *to = stdout;
	bool ok;

	if (o->output && strcmp(o->output, "-") != 0 && (to = fopen(o->output, "w")) == NULL) {
		fprintf(stderr, "pgassay: %s: %s\n", o->output, strerror(errno));
		return EXIT_FAILED;
	}
	r->opt.table = o->table;
	r->opt.top = o->top < 0 ? 20 : (size_t)o->top;
	r->opt.mask = options_mask(o);
	r->opt.color = to == stdout && isatty(1) && !o->no_color && !getenv("NO_COLOR");
	r->opt.sort = o->sort;
	r->opt.width = page_width();
	r->opt.ascii = !locale_is_utf8();
	r->gate = &o->gate;
	r->fail_on = o->fail_on;
	if (!gate_apply(r->gate, r->facts, r->findings, o->severity)) {
		if (to != stdout)
			fclose(to);
		return EXIT_USAGE;
	}
	report_make(r);
	errno = 0;
	f->write(r, to);
	ok = fflush(to) == 0 && !ferror(to);
	int why = errno;
	if (strcmp(f->name, "json") != 0)
		name_unparsed(r);
	if (to != stdout && fclose(to) != 0 && ok) {
		ok = false;
		why = errno;
	}
	if (!ok) {
		fprintf(stderr, "pgassay: %s: the report could not be written: %s\n",
			to == stdout ? "stdout" : o->output, strerror(why));
		return EXIT_FAILED;
	}
	return !o->write_baseline && findings_fail(r->findings, o->fail_on) ? EXIT_FINDINGS
									    : EXIT_CLEAN;
}
