/* SPDX-License-Identifier: ISC
 *
 * input_words.h: PostgreSQL's log in other languages; private to the input family.
 */
#ifndef INPUT_WORDS_H
#define INPUT_WORDS_H

#include "input.h"

struct word_mark {
	const char *text; /* "FEHLER:" */
	enum log_severity severity;
	enum log_part part;
};

/* `duration UNIT  statement: SQL`, with the words of one language. */
struct word_phrase {
	const char *lang;
	const char *duration;	    /* in front of the number, without its colon */
	const char *unit;	    /* behind it, blank included */
	const char *statement;	    /* behind the unit, in front of the SQL */
	const char *statement_only; /* log_statement: in front of the SQL */
	const char *parse, *bind, *execute, *fetch;
	const char *parameters, *prepare;
};

/* A message's format in a language, and in English; by the first byte of `text`. */
struct catalog_row {
	const char *lang, *text, *english;
};

extern const struct catalog_row catalog_rows[];
extern const size_t catalog_row_count;

/* "[unknown]" at p, in any language: what a prefix shows where nothing is known; its length, 0. */
size_t word_unknown(const char *p, size_t n);

/* input_catalog.c: puts a message, or a detail, of another language into English; the language, or
 * NULL when the text is none of those known (and stays as it is). */
const char *catalog_english(struct arena *a, struct str *text, bool is_error);

extern const struct word_mark word_marks[];
extern const size_t word_mark_count;
extern const struct word_phrase word_phrases[];
extern const size_t word_phrase_count;

#endif
