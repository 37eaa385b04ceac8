/* SPDX-License-Identifier: ISC
 *
 * gate: what turns findings into a build that passes or fails, and nothing else in between.
 *
 *   gate_fingerprint.c  what a finding is known by: the same for other literals, blanks, aliases,
 *                       lengths of IN lists and line numbers
 *   gate_place.c        where in the repository it is shown
 *
 * The gate never makes a finding of SQL: it numbers, places, excuses and counts those there are.
 */
#ifndef ANALYZER_GATE_H
#define ANALYZER_GATE_H

#include "base.h"
#include "facts.h"
#include "rule.h"

struct gate {
	struct arena arena;
	struct str root;     /* absolute path of the repository, or of the current directory */
	struct str fallback; /* of the root: the file that stands for what has no place */
	uint32_t fallback_line;
};

/* Finds the repository: the nearest directory upwards that holds .git. */
void gate_init(struct gate *g);
void gate_release(struct gate *g);

/* --- fingerprints --------------------------------------------------------------------- */

/* Fills finding.fingerprint of all.  Two findings of a rule on one shape differ by their key,
 * else by their number among their like. */
void findings_fingerprint(struct findings *fs, const struct facts *f);
/* A shape's text with aliases taken out: qualifiers name tables, other names are numbered. */
struct str canonical_sql(struct arena *a, struct str norm);

/* --- places ------------------------------------------------------------------------------ */

enum gate_where {
	WHERE_SOURCE = 0, /* in the application, from a comment */
	WHERE_SQL,	  /* the SQL file that was read */
	WHERE_GATE,	  /* the configuration or the baseline: it has no place of its own */
	WHERE_INPUT	  /* the log */
};

struct gate_place {
	enum gate_where where;
	struct str path; /* relative to the root, without "./"; never empty */
	uint32_t line;	 /* from 1 */
};

/* Where to show a finding. */
struct gate_place gate_place(struct gate *g, const struct facts *f, const struct finding *x);
/* A path of the input, of a comment or of the command line, relative to the root; false: it
 * lies outside. */
bool gate_path(struct gate *g, struct str path, struct str *out);

#endif
