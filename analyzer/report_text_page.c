/* SPDX-License-Identifier: ISC
 *
 * report_text_page: what is written on a terminal stays inside of its width: wrapped text, cut
 * lines, tables that leave out their least important columns until they fit.
 */
#include "report_text.h"

#include <wchar.h>

#define INDENT 2 /* of tables */

const char *text_ink(const struct out *o, enum ink i)
{
	static const char *const codes[] = {
		"\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[33m", "\033[34m", "\033[32m"};

	return o->r->opt.color ? codes[i] : "";
}

void text_heading(struct out *o, const char *text)
{
	fprintf(o->to, "\n%s%s%s\n", text_ink(o, INK_BOLD), text, text_ink(o, INK_NONE));
}

/* Signs of our own that a terminal without UTF-8 cannot show. */
static struct str own_signs(const struct out *o, struct str s)
{
	static const char *const plain[][2] = {{"…", "..."}, {"×", "x"}, {"µ", "u"}, {"–", "-"},
		{"·", "-"}, {"≥", ">="}, {"≤", "<="}, {"→", "->"}};
	struct text t = {0};

	if (!o->r->opt.ascii)
		return s;
	while (s.n) {
		size_t k = 0;
		while (k < ARRAY_LEN(plain) && !str_starts(s, plain[k][0]))
			k++;
		if (k < ARRAY_LEN(plain)) {
			text_puts(&t, plain[k][1]);
			s = str_skip(s, strlen(plain[k][0]));
		} else {
			text_char(&t, *s.p);
			s = str_skip(s, 1);
		}
	}
	struct str out = arena_str(&o->r->arena, text_slice(&t));
	text_release(&t);
	return out;
}

/* The bytes of the next character, and the columns it takes: two for a Chinese one, none for a
 * colour. */
static size_t character(const char *p, size_t n, int *columns)
{
	mbstate_t state = {0};
	wchar_t c;
	size_t len;

	if (*p == '\033') { /* a colour of ours: the log's own control characters are gone */
		*columns = 0;
		return str_find((struct str){p, n}, "m") + 1;
	}
	len = mbrtowc(&c, p, n, &state);

	if (len == 0 || len > n) { /* not a character */
		*columns = 1;
		return 1;
	}
	*columns = wcwidth(c);
	if (*columns < 0)
		*columns = 0;
	return len;
}

int text_columns(struct str s)
{
	int all = 0, one;

	for (size_t i = 0; i < s.n; all += one)
		i += character(s.p + i, s.n - i, &one);
	return all;
}

/* What of s fits into `room` columns. */
static struct str fitting(struct str s, int room)
{
	size_t i = 0, len;
	int one;

	while (i < s.n) {
		len = character(s.p + i, s.n - i, &one);
		if (one > room)
			break;
		room -= one;
		i += len;
	}
	return str_before(s, i);
}

/* In one line of exactly or at most `room` columns; the cut is shown. */
static int put_cut(struct out *o, struct str s, int room)
{
	const char *dots = o->r->opt.ascii ? "..." : "…";
	int wide, own = o->r->opt.ascii ? 3 : 1;

	s = own_signs(o, s);
	wide = text_columns(s);
	struct str part = wide > room ? fitting(s, room - own) : s;
	for (size_t i = 0; i < part.n; i++)
		fputc(part.p[i] == '\n' || part.p[i] == '\t' ? ' ' : part.p[i], o->to);
	if (wide <= room)
		return wide;
	fputs(dots, o->to);
	return text_columns(part) + own;
}

void text_line(struct out *o, struct str s, int indent)
{
	fprintf(o->to, "%*s", indent, "");
	put_cut(o, s, o->width - indent);
	fputc('\n', o->to);
}

/* The next word, or as much of it as a line takes. */
static struct str next_word(struct str s, int room)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\n')
		n++;
	struct str word = str_before(s, n), part = fitting(word, room);
	return part.n ? part : str_before(word, 1);
}

/* Wraps s; the cursor is behind `indent` columns already. */
static void wrap(struct out *o, struct str s, int indent)
{
	int room = o->width - indent < 20 ? 20 : o->width - indent, col = 0;

	s = own_signs(o, s);
	while (s.n) {
		bool is_end = *s.p == '\n';
		if (*s.p == ' ' || is_end) {
			s = str_skip(s, 1);
			if (is_end && s.n) {
				fprintf(o->to, "\n%*s", indent, "");
				col = 0;
			} else if (col > 0 && col < room && s.n) {
				int next = text_columns(next_word(s, room));
				if (next && col + 1 + next <= room) {
					fputc(' ', o->to);
					col++;
				} else if (next) {
					fprintf(o->to, "\n%*s", indent, "");
					col = 0;
				}
			}
			continue;
		}
		struct str word = next_word(s, room);
		int wide = text_columns(word);
		if (col > 0 && col + wide > room) {
			fprintf(o->to, "\n%*s", indent, "");
			col = 0;
		}
		fwrite(word.p, 1, word.n, o->to);
		col += wide;
		s = str_skip(s, word.n);
	}
	fputc('\n', o->to);
}

void text_wrapped(struct out *o, struct str s, int indent)
{
	fprintf(o->to, "%*s", indent, "");
	wrap(o, s, indent);
}

void text_hanging(struct out *o, struct str head, struct str s)
{
	put_cut(o, head, o->width - 20);
	wrap(o, s, text_columns(head));
}

void text_shape(struct out *o, uint32_t shape, int indent)
{
	const struct shape *s;

	if (shape == NO_SHAPE)
		return;
	s = o->r->facts->shape.at[shape];
	fputs(text_ink(o, INK_DIM), o->to);
	text_line(o,
		arena_printf(&o->r->arena, "%s  %.*s", s->id, STR_ARGS(report_shape_sql(o->r, s))),
		indent);
	fputs(text_ink(o, INK_NONE), o->to);
}

/* --- tables ------------------------------------------------------------------------------ */

void table_cell(struct table *t, struct str s)
{
	*VEC_PUSH(&t->cell) = s;
	if (t->cell.n % (size_t)t->columns == 1 || t->columns == 1)
		*VEC_PUSH(&t->note) = STR_NONE;
}

void table_note(struct table *t, struct str s)
{
	t->note.at[t->note.n - 1] = s;
}

/* The column to leave out: the highest `rank` that is still there; -1: none may. */
static int least(const struct table *t, const int *wide)
{
	int found = -1;

	for (int c = 0; c < t->columns; c++)
		if (wide[c] && t->column[c].rank &&
			(found < 0 || t->column[c].rank >= t->column[found].rank))
			found = c;
	return found;
}

/* The width of each column, 0 for those that do not fit. */
static void measure(const struct table *t, int room, int *wide)
{
	int sum = 0, c;

	for (c = 0; c < t->columns; c++) {
		wide[c] = (int)strlen(t->column[c].head);
		for (size_t i = (size_t)c; i < t->cell.n; i += (size_t)t->columns) {
			int w = text_columns(t->cell.at[i]);
			wide[c] = w > wide[c] ? w : wide[c];
		}
		wide[c] = wide[c] ? wide[c] : 1;
		sum += wide[c] + 2;
	}
	for (sum -= 2; sum > room;) {
		int flex = -1;
		for (c = 0; c < t->columns; c++)
			if (wide[c] > t->column[c].least && t->column[c].least)
				flex = c;
		if (flex >= 0 && (sum - room <= wide[flex] - t->column[flex].least ||
					 (c = least(t, wide)) < 0)) {
			int less = sum - room < wide[flex] - t->column[flex].least
					   ? sum - room
					   : wide[flex] - t->column[flex].least;
			wide[flex] -= less;
			sum -= less;
		} else if ((c = least(t, wide)) >= 0) {
			sum -= wide[c] + 2;
			wide[c] = 0;
		} else {
			break;
		}
	}
}

static void put_row(struct out *o, const struct table *t, const int *wide, const struct str *cell)
{
	int blanks = INDENT, last = -1;

	for (int c = 0; c < t->columns; c++)
		last = wide[c] ? c : last;
	for (int c = 0; c <= last; c++) {
		if (!wide[c])
			continue;
		struct str s = cell ? cell[c] : str_of(t->column[c].head);
		int own = text_columns(s);
		int pad = own < wide[c] ? wide[c] - own : 0;
		fprintf(o->to, "%*s", blanks + (t->column[c].right ? pad : 0), "");
		put_cut(o, s, wide[c]);
		blanks = 2 + (t->column[c].right ? 0 : pad);
	}
	fputc('\n', o->to);
}

void table_end(struct table *t, struct out *o)
{
	size_t n = t->note.n;
	int wide[TABLE_COLUMNS];
	bool heads = false;

	measure(t, o->width - INDENT, wide);
	for (int c = 0; c < t->columns; c++)
		heads |= t->column[c].head[0] != '\0';
	if (n && heads) {
		fputs(text_ink(o, INK_DIM), o->to);
		put_row(o, t, wide, NULL);
		fputs(text_ink(o, INK_NONE), o->to);
	}
	for (size_t i = 0; i < n; i++) {
		put_row(o, t, wide, &t->cell.at[i * (size_t)t->columns]);
		if (t->note.at[i].n) {
			fputs(text_ink(o, INK_DIM), o->to);
			text_wrapped(o, t->note.at[i], 8);
			fputs(text_ink(o, INK_NONE), o->to);
		}
	}
	VEC_RELEASE(&t->cell);
	VEC_RELEASE(&t->note);
}
