/* SPDX-License-Identifier: ISC
 *
 * What a load found: errors and warnings, each with the place it speaks of.  A report is
 * capped, so that a file of garbage costs a screen or two and not the memory.
 */
#include "conf_own.h"

#include <ctype.h>

#define REPORT_CAP 200

static void PRINTF(5, 0) note_add(struct conf_note **notes, size_t *n, const char *file, int line,
	const char *fmt, va_list ap)
{
	struct conf_note *note;
	struct buf text = {.cap = 4096};

	if (*n > REPORT_CAP)
		return;
	*notes = mem_realloc(*notes, (*n + 1) * sizeof **notes);
	note = &(*notes)[(*n)++];
	note->file = file ? mem_strdup(file) : NULL;
	note->line = line;
	if (*n > REPORT_CAP)
		buf_put_str(&text, "more was found and is not listed");
	else
		buf_vprintf(&text, fmt, ap);
	if (text.overflow)
		note->text = mem_strdup("a message too long to show");
	else
		note->text = mem_strdup(buf_cstr(&text));
	buf_free(&text);
}

bool report_is_full(const struct conf_report *r)
{
	return r->n_errors > REPORT_CAP;
}

void report_error(struct conf_report *r, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note_add(&r->errors, &r->n_errors, file, line, fmt, ap);
	va_end(ap);
}

void report_warning(struct conf_report *r, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note_add(&r->warnings, &r->n_warnings, file, line, fmt, ap);
	va_end(ap);
}

static void notes_free(struct conf_note **notes, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		free((*notes)[i].file);
		free((*notes)[i].text);
	}
	free(*notes);
	*notes = NULL;
	*n = 0;
}

void conf_report_release(struct conf_report *r)
{
	notes_free(&r->errors, &r->n_errors);
	notes_free(&r->warnings, &r->n_warnings);
}

/* By file, in the order in which files were read, then by line: as an operator reads. */
static size_t file_rank(const char *file, const char *const *files, size_t n_files)
{
	size_t i = 0;

	while (file && i < n_files && strcmp(files[i], file) != 0)
		i++;
	return file ? i : n_files;
}

static bool note_after(const struct conf_note *a, const struct conf_note *b,
	const char *const *files, size_t n_files)
{
	size_t x = file_rank(a->file, files, n_files), y = file_rank(b->file, files, n_files);

	return x != y ? x > y : a->line > b->line;
}

static void notes_sort(struct conf_note *notes, size_t n, const char *const *files, size_t n_files)
{
	for (size_t i = 1; i < n && i < REPORT_CAP; i++) {
		struct conf_note note = notes[i];
		size_t j = i;

		for (; j > 0 && note_after(&notes[j - 1], &note, files, n_files); j--)
			notes[j] = notes[j - 1];
		notes[j] = note;
	}
}

void report_sort(struct conf_report *r, const char *const *files, size_t n_files)
{
	notes_sort(r->errors, r->n_errors, files, n_files);
	notes_sort(r->warnings, r->n_warnings, files, n_files);
}

static void note_place(const struct conf_note *note, struct buf *out)
{
	if (note->file)
		buf_printf(out, "%s:", note->file);
	if (note->file && note->line > 0)
		buf_printf(out, "%d:", note->line);
	if (note->file)
		buf_put_u8(out, ' ');
}

void conf_note_print(const struct conf_note *note, struct buf *out)
{
	note_place(note, out);
	buf_put_str(out, note->text);
}

void conf_report_print(const struct conf_report *r, FILE *to)
{
	struct buf place = {0};

	for (size_t i = 0; i < r->n_errors + r->n_warnings; i++) {
		bool error = i < r->n_errors;
		const struct conf_note *note =
			error ? &r->errors[i] : &r->warnings[i - r->n_errors];

		place.len = 0;
		note_place(note, &place);
		fprintf(to, "%s%s: %s\n", buf_cstr(&place), error ? "error" : "warning",
			note->text);
	}
	buf_free(&place);
}

void conf_report_log(const struct conf_report *r)
{
	struct buf place = {0};

	for (size_t i = 0; i < r->n_errors + r->n_warnings; i++) {
		bool error = i < r->n_errors;
		const struct conf_note *note =
			error ? &r->errors[i] : &r->warnings[i - r->n_errors];

		place.len = 0;
		note_place(note, &place);
		log_line(LOG_PART_CONF, error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s%s",
			buf_cstr(&place), note->text);
	}
	buf_free(&place);
}

/* --- "did you mean" ----------------------------------------------------------- */

#define NEAR_MAX 48 /* longer words are not compared */

/* Edits between two words (insert, drop, replace, swap neighbours), case not counting. */
static size_t edit_distance(const char *a, size_t an, const char *b, size_t bn)
{
	size_t row[3][NEAR_MAX + 1];

	for (size_t j = 0; j <= bn; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= an; i++) {
		size_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);
			size_t best = up[j - 1] + (ca != cb);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
				cb == tolower((unsigned char)a[i - 2]) && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[an % 3][bn];
}

void near_offer(struct near *n, const char *candidate)
{
	size_t an = strlen(n->word), bn = strlen(candidate);
	size_t limit = (an > bn ? an : bn) / 3 + (an <= 2), d;

	if (an == 0 || an > NEAR_MAX || bn > NEAR_MAX)
		return;
	d = edit_distance(n->word, an, candidate, bn);
	if (d <= limit && (!n->best || d < n->best_distance)) {
		n->best = candidate;
		n->best_distance = d;
	}
}

bool near_print(const struct near *n, struct buf *out)
{
	if (n->best)
		buf_printf(out, "; did you mean \"%s\"?", n->best);
	return n->best != NULL;
}
