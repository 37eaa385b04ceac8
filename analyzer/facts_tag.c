/* SPDX-License-Identifier: ISC
 *
 * facts_tag: what a statement's comments say: the place in the application it was sent from
 * (sqlcommenter, marginalia, Rails' query log tags, OpenTelemetry's names), and marks addressed
 * to us (`pgassay:ignore RULE reason`), which the gate reads.
 *
 * A shape may be sent from several places: each is counted, so that a finding can name the one
 * that matters.  Statements without a comment cost nothing.
 */
#include "facts_build.h"
#include "sql.h"

#define PLACES_MAX 40 /* of one shape */
#define MARKS_MAX  200

/* The pairs of names in use for a file and its line. */
static const struct {
	const char *file, *line;
} tags[] = {
	{"file", "line"}, {"code.filepath", "code.lineno"}, {"code.file.path", "code.line.number"},
	{"source_location", NULL}, /* Rails: path:12 */
	{"line", NULL},		   /* marginalia: path:12:in `method' */
};

/* "app/models/order.rb:12:in" -> the path and 12. */
static bool split_place(struct str v, struct str *file, uint32_t *line)
{
	size_t i = str_find(v, ":");
	int64_t n = 0;

	while (i < v.n && !(i + 1 < v.n && v.p[i + 1] >= '0' && v.p[i + 1] <= '9')) {
		size_t more = str_find(str_skip(v, i + 1), ":");
		i += 1 + more;
	}
	if (i == 0 || i >= v.n)
		return false;
	struct str digits = str_skip(v, i + 1);
	size_t d = 0;
	while (d < digits.n && digits.p[d] >= '0' && digits.p[d] <= '9')
		d++;
	if (!str_to_i64(str_before(digits, d), &n) || n < 1 || n > 100000000)
		return false;
	*file = str_before(v, i);
	*line = (uint32_t)n;
	return true;
}

static bool find_place(struct arena *a, struct str sql, const struct sql_shape *lex,
	struct str *file, uint32_t *line)
{
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		struct str v = sql_tag(a, sql, lex, tags[i].file);
		int64_t n = 0;

		if (!v.n)
			continue;
		if (tags[i].line) {
			*file = v;
			v = sql_tag(a, sql, lex, tags[i].line);
			*line = str_to_i64(v, &n) && n > 0 && n <= 100000000 ? (uint32_t)n : 1;
			return true;
		}
		if (split_place(v, file, line))
			return true;
	}
	return false;
}

/* "orders#index", or the route, or the job: who asked, where no file is named. */
static struct str find_action(struct arena *a, struct str sql, const struct sql_shape *lex)
{
	static const char *const others[] = {"route", "job", "view", "handler"};
	struct str controller = sql_tag(a, sql, lex, "controller");
	struct str action = sql_tag(a, sql, lex, "action");

	if (controller.n && action.n)
		return arena_printf(a, "%.*s#%.*s", STR_ARGS(controller), STR_ARGS(action));
	for (size_t i = 0; i < ARRAY_LEN(others) && !controller.n; i++)
		controller = sql_tag(a, sql, lex, others[i]);
	return controller.n ? controller : action;
}

static uint32_t origin_id(struct facts *f, struct str file, uint32_t line, struct str action)
{
	struct origin s = {names_id(&f->names, file), line, names_id(&f->names, action)};
	uint64_t key = (uint64_t)s.file << 40 ^ (uint64_t)s.action << 28 ^ line;
	uint32_t *at = map_put(&f->origin_of, key);

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->origin.n;
		*VEC_PUSH(&f->origin) = s;
	}
	return *at;
}

static uint32_t note_origin(struct facts *f, struct shape *s, struct str sql,
	const struct sql_shape *lex)
{
	struct arena a = {0};
	struct str file = STR(""), action;
	uint32_t line = 0, id = NO_ORIGIN;

	bool found = find_place(&a, sql, lex, &file, &line);
	action = find_action(&a, sql, lex);
	if (found || action.n)
		id = origin_id(f, found ? file : STR(""), line, action.n ? action : STR(""));
	arena_release(&a);
	for (size_t i = 0; id != NO_ORIGIN && i < s->sent.n; i++)
		if (s->sent.at[i].origin == id) {
			s->sent.at[i].calls++;
			return id;
		}
	if (id != NO_ORIGIN && s->sent.n < PLACES_MAX)
		*VEC_PUSH(&s->sent) = (struct sent){id, 1};
	return id;
}

void shape_mark(struct facts *f, struct shape *s, struct str text, struct place at, bool is_file)
{
	for (size_t i = 0; i < s->mark.n && !is_file; i++)
		if (str_eq(s->mark.at[i].text, text)) {
			s->mark.at[i].calls++;
			return;
		}
	if (s->mark.n < MARKS_MAX)
		*VEC_PUSH(&s->mark) =
			(struct mark){.text = arena_str(&f->arena, text), .at = at, .calls = 1};
}

static void note_marks(struct facts *f, struct shape *s, struct str sql, struct place at,
	bool is_file)
{
	struct str comment;

	for (size_t i = 0; sql_comment_next(sql, &i, &comment);) {
		struct str text = sql_mark(comment, "pgassay:ignore");
		if (text.p)
			shape_mark(f, s, text, at, is_file);
	}
}

uint32_t tags_note(struct facts *f, struct shape *s, struct str sql, const struct sql_shape *lex,
	struct place at, bool is_file)
{
	if (LIKELY(!(lex->traits & SQL_HAS_COMMENT)))
		return NO_ORIGIN;
	if (memmem(sql.p, sql.n, "pgassay:ignore", 14))
		note_marks(f, s, sql, at, is_file);
	return note_origin(f, s, sql, lex);
}

const struct origin *shape_origin(const struct facts *f, const struct shape *s)
{
	const struct origin *best = NULL;
	uint64_t calls = 0;

	for (size_t i = 0; i < s->sent.n; i++) {
		const struct origin *x = &f->origin.at[s->sent.at[i].origin];
		uint64_t n = s->sent.at[i].calls;
		int order = !best ? -1 : str_cmp(facts_name(f, x->file), facts_name(f, best->file));
		if (best && !x->file != !best->file)
			order = x->file ? -1 : 1; /* a file says more than an action */
		else if (best && n != calls)
			order = n > calls ? -1 : 1;
		else if (best && order == 0)
			order = x->line < best->line ? -1 : 1;
		if (order < 0) {
			best = x;
			calls = n;
		}
	}
	return best;
}
