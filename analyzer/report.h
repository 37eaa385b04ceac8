/* SPDX-License-Identifier: ISC
 *
 * report: the model of what is reported, and its writers, one per format.
 *
 *   report_model.c   facts and findings -> rows in their final order, literals masked
 *   report_order.c   the shapes in any order, by type; the server's figures in words
 *   report_text.c, report_text_server.c, report_text_page.c   for a terminal
 *   report_json.c, report_json_server.c   the contract scripts rely on (docs/report.schema.json)
 *   report_read.c    what is read back from a JSON report by those who compare and combine
 *   report_html.c    one file, no external address
 *   report_csv.c, report_markdown.c
 *   report_sarif.c, report_github.c, report_gitlab.c, report_junit.c   for build servers; what
 *                    they all say of a finding is in report_finding.c
 *
 * Writers print what the model holds and compute nothing: two formats never disagree.
 */
#ifndef ANALYZER_REPORT_H
#define ANALYZER_REPORT_H

#include "base.h"
#include "facts.h"
#include "gate.h"
#include "rule.h"

struct report_options {
	size_t top;	   /* shapes shown in text, Markdown, HTML; 0: all */
	bool mask;	   /* --literals mask: no literal and no parameter in any output */
	bool color;	   /* text: the terminal has colours */
	int width;	   /* text: columns; 0: 100 */
	const char *sort;  /* the shapes' order, of report_sorts; NULL: by total time */
	bool ascii;	   /* text: the locale is not UTF-8 */
	const char *table; /* csv: which one; NULL: shapes */
	const char *title; /* what was analysed: file names, for headings */
};

/* Something the reader must know before the numbers: no durations, a sampled log, … */
struct report_note {
	enum severity severity;
	struct str text;
};

struct report {
	struct arena arena;
	struct facts *facts;
	struct findings *findings;
	struct input *input; /* NULL: not from logs */
	struct report_options opt;
	uint32_t *shape; /* indexes into facts->shape, most total time (then calls) first */
	size_t shapes;
	size_t unparsed;
	VEC(struct report_note) note;
	struct gate *gate;     /* places and fingerprints */
	enum severity fail_on; /* the gate in force */
	const char *command;   /* "log", "lint", … */
	struct json_t *plans;  /* array for "plans"; NULL: none */
};

/* Orders the shapes and works out the notes.  Borrows everything. */
void report_make(struct report *r);
/* The shapes' order alone; report_make() does it when it was not done. */
void report_order(struct report *r);
void report_release(struct report *r);

struct report_format {
	const char *name, *what;
	void (*write)(struct report *r, FILE *to);
	bool mask; /* literals are masked unless asked otherwise */
};
extern const struct report_format report_formats[]; /* ends with a NULL name */
const struct report_format *report_format_find(const char *name);

/* The tables of the CSV format. */
struct report_table {
	const char *name, *what, *head;
	void (*rows)(struct report *r, FILE *to);
};
extern const struct report_table report_tables[]; /* ends with a NULL name */
const struct report_table *report_table_find(const char *name);

/* The orders of shapes. */
struct report_sort {
	const char *name, *what;
	const char *heading; /* of the list in this order */
	enum counter_unit unit;
	double (*value)(const struct shape *s); /* the greatest comes first */
};
extern const struct report_sort report_sorts[]; /* ends with a NULL name */
const struct report_sort *report_sort_find(const char *name);
void report_sort_shapes(const struct report *r, const struct report_sort *by, uint32_t *shape,
	size_t n);
/* The shapes that have any of it, in this order; the array is the arena's. */
size_t report_sorted(struct report *r, const struct report_sort *by, uint32_t **out);

/* Statements by type, the most frequent first; the array is the arena's. */
struct verb_sum {
	enum sql_verb verb;
	uint64_t calls, usec, errors;
};
size_t report_verbs(struct report *r, struct verb_sum **out);

/* What is known of the server, in words: those of server_counters that are not 0, and what is
 * worked out of them.  The array is the arena's. */
struct figure {
	const char *group, *what;
	struct str text;
};
size_t report_figures(struct report *r, struct figure **out);
struct str report_amount(struct report *r, enum counter_unit unit, double v);

/* The writers of the table. */
void report_text(struct report *r, FILE *to);
void report_json(struct report *r, FILE *to);
void report_html(struct report *r, FILE *to);
void report_markdown(struct report *r, FILE *to);
void report_csv(struct report *r, FILE *to);
void report_sarif(struct report *r, FILE *to);
void report_github(struct report *r, FILE *to);
void report_gitlab(struct report *r, FILE *to);
void report_junit(struct report *r, FILE *to);
/* The JSON report as a tree; the caller owns it. */
struct json_t *report_tree(struct report *r);

/* The sketch of a shape or group of a JSON report. */
void report_read_sketch(const struct json_t *o, struct sketch *out);

/* A finding for a build server: where it is shown, and all that is said of it. */
struct gate_place report_where(struct report *r, const struct finding *x);
struct str report_words(struct report *r, const struct finding *x);
struct str report_tests(struct report *r, const struct finding *x); /* names, with commas */
bool report_is_shown(const struct finding *x);

/* The text of a statement for output: as it was, or masked; cut to `max` bytes (0: whole). */
struct str report_sql(struct report *r, struct str sql, size_t max);
/* The text of one call; masked, names that a shape does without (savepoints, cursors) go, too. */
struct str report_sample(struct report *r, const struct shape *s, const struct sample *x,
	size_t max);
/* The SQL a shape is shown by. */
struct str report_shape_sql(struct report *r, const struct shape *s);
/* The name of a user, …, or an hour as a time. */
struct str report_group_name(struct report *r, const struct group *g);
/* An error's message; masked unless it is one of PostgreSQL's own, when literals are. */
struct str report_fault(struct report *r, const struct fault *f);
/* Errors by SQLSTATE, the most frequent first; the array is the arena's. */
struct sqlstate_count {
	const char *state;
	uint64_t count;
};
size_t report_sqlstates(struct report *r, struct sqlstate_count **out);
/* Why a statement was not parsed; libpg_query quotes the place, which may be a literal. */
struct str report_reason(struct report *r, struct str why);
/* Parameters for output: as they were, or STR_NONE when masked. */
struct str report_params(struct report *r, const char *params);
/* "postgresql.log:123" */
struct str report_place(struct report *r, const struct place *p);
/* 1.2 ms, 3.4 s, 5 min: for people. */
struct str report_duration(struct report *r, double usec);
struct str report_count(struct report *r, uint64_t n); /* 12,345 */
/* "1 call", "12,345 calls" */
struct str report_several(struct report *r, uint64_t n, const char *thing);
struct str report_bytes(struct report *r, double n);

#endif
