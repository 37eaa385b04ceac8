/* SPDX-License-Identifier: ISC
 *
 * index_selection FILE BUDGET_MB…: the selection algorithm on a published what-if cost matrix.
 *
 * Prints one line for each budget: the budget in MB, the cost relative to that without indexes,
 * the cost, the bytes used, the seconds taken, and the chosen set as IDs of the file.
 *
 * The file's lines, in the data format of the published evaluations of index selection:
 *	set QUERIES := 1 3 …;
 *	param size :=              then  ID BYTES # ['column', …]  up to  ;
 *	set indexes_per_combination[C]:= ID ID …;
 *	param costs …:=            then  QUERY COMBINATION COST    up to  ;
 * Queries that the set does not name are left out; lines that make no sense are refused.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "advise.h"
#include "advise_matrix.h"

struct numbers {
	unsigned long *at;
	size_t n, room;
};

#define MOST_MB 1e12	   /* of a budget */
#define MOST_ID (1u << 22) /* of queries, indexes and combinations */

struct combination {
	struct numbers index; /* the file's IDs */
	unsigned long line;   /* where it stands; 0: nowhere */
};

struct file {
	const char *name;
	unsigned long line;
	struct numbers query_ids; /* as the file names them; position = our number */
	unsigned long query_line;
	struct numbers index_ids, bytes, index_line; /* parallel */
	struct combination *combo;
	size_t combos;
	struct numbers cost_query, cost_combo, cost_line; /* parallel, and cost[] */
	double *cost;
	size_t cost_room;
};

static void push(struct numbers *v, unsigned long x)
{
	if (v->n == v->room) {
		v->room = v->room ? v->room * 2 : 8;
		v->at = realloc(v->at, v->room * sizeof(*v->at));
		if (v->at == NULL)
			abort();
	}
	v->at[v->n++] = x;
}

/* The file is wrong: where, what, and no answer. */
static void refuse(const struct file *f, const char *what)
{
	fprintf(stderr, "index_selection: %s:%lu: %s\n", f->name, f->line ? f->line : 1, what);
	exit(3);
}

/* The number at *s, which goes behind it. */
static unsigned long number(const struct file *f, const char **s, unsigned long most,
	const char *what)
{
	char *end;
	unsigned long x;

	while (isspace((unsigned char)**s))
		(*s)++;
	errno = 0;
	x = strtoul(*s, &end, 10);
	if (end == *s || !isdigit((unsigned char)**s) || errno || x > most)
		refuse(f, what);
	*s = end;
	return x;
}

/* What is left of a line of data: a comment, and perhaps the ";" that ends the list. */
static bool is_last(const struct file *f, const char *s, const char *what)
{
	bool last;

	while (isspace((unsigned char)*s))
		s++;
	last = *s == ';';
	s += last;
	while (isspace((unsigned char)*s))
		s++;
	if (*s && *s != '#')
		refuse(f, what);
	return last;
}

/* "ID ID …;" */
static void push_all(const struct file *f, struct numbers *v, const char *s)
{
	for (;;) {
		while (isspace((unsigned char)*s))
			s++;
		if (*s == ';')
			return;
		push(v, number(f, &s, MOST_ID, "a list of IDs, up to a ;, holds something else"));
	}
}

/* ID -> position, SIZE_MAX when unknown; built once, IDs are small. */
static size_t *positions(const struct numbers *ids, size_t *n)
{
	size_t *at;

	*n = 1;
	for (size_t i = 0; i < ids->n; i++)
		if (ids->at[i] >= *n)
			*n = ids->at[i] + 1;
	at = malloc(*n * sizeof(*at));
	if (at == NULL)
		abort();
	for (size_t i = 0; i < *n; i++)
		at[i] = SIZE_MAX;
	for (size_t i = 0; i < ids->n; i++)
		at[ids->at[i]] = i;
	return at;
}

static void read_combination(struct file *f, const char *s)
{
	unsigned long c = number(f, &s, MOST_ID, "a combination needs a number below 4 million");
	const char *list = strstr(s, ":=");

	if (list == NULL)
		refuse(f, "a combination without :=");
	if (c >= f->combos) {
		size_t room = (c + 1) * 2;

		f->combo = realloc(f->combo, room * sizeof(*f->combo));
		if (f->combo == NULL)
			abort();
		memset(f->combo + f->combos, 0, (room - f->combos) * sizeof(*f->combo));
		f->combos = room;
	}
	if (f->combo[c].line)
		refuse(f, "this combination was there before");
	f->combo[c].line = f->line;
	push_all(f, &f->combo[c].index, list + 2);
	if (c == 0 && f->combo[c].index.n)
		refuse(f, "combination 0 is the one without indexes");
}

static bool read_size(struct file *f, const char *s)
{
	static const char what[] = "an index is its ID and its whole bytes, below 2^53";

	push(&f->index_ids, number(f, &s, MOST_ID, "an index needs an ID below 4 million"));
	push(&f->bytes, number(f, &s, 1ul << 53, what));
	push(&f->index_line, f->line);
	return is_last(f, s, what);
}

/* Answers whether the list ends here. */
static bool read_cost(struct file *f, const char *s)
{
	unsigned long q = number(f, &s, MOST_ID, "a cost begins with its query's ID");
	unsigned long c = number(f, &s, MOST_ID, "a cost needs its combination's number");
	char *end;
	double cost = strtod(s, &end);

	if (end == s || !(cost >= 0) || cost > 1e300)
		refuse(f, "a cost is a number that is not negative");
	if (f->cost_query.n == f->cost_room) {
		f->cost_room = f->cost_room ? f->cost_room * 2 : 1024;
		f->cost = realloc(f->cost, f->cost_room * sizeof(*f->cost));
		if (f->cost == NULL)
			abort();
	}
	f->cost[f->cost_query.n] = cost;
	push(&f->cost_query, q);
	push(&f->cost_combo, c);
	push(&f->cost_line, f->line);
	return is_last(f, end, "a cost is its query, its combination and one number");
}

/* "set NAME … ;" may go on over several lines: the rest of them is put behind *line. */
static void read_on(struct file *f, FILE *in, char **line, size_t *room)
{
	char *more = NULL;
	size_t more_room = 0;

	while (strchr(*line, ';') == NULL) {
		size_t n = strlen(*line), rest;

		if (getline(&more, &more_room, in) < 0)
			refuse(f, "a set without its ;");
		f->line++;
		rest = strlen(more);
		if (n + rest + 1 > *room) {
			*room = 2 * (n + rest + 1);
			*line = realloc(*line, *room);
			if (*line == NULL)
				abort();
		}
		memcpy(*line + n, more, rest + 1);
	}
	free(more);
}

static bool is_list(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0 && strstr(s, ":=");
}

static void read_file(struct file *f, FILE *in)
{
	enum { ELSEWHERE, SIZES, COSTS } part = ELSEWHERE;
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, in) >= 0) {
		const char *s;

		f->line++;
		if (f->line == 1 && strncmp(line, "\x1f\x8b", 2) == 0)
			refuse(f, "this is compressed; gunzip it first");
		if (strncmp(line, "set ", 4) == 0)
			read_on(f, in, &line, &room);
		for (s = line; isspace((unsigned char)*s);)
			s++;
		if (*s == 0 || *s == '#')
			continue;
		if (is_list(s, "set QUERIES")) {
			push_all(f, &f->query_ids, strstr(s, ":=") + 2);
			f->query_line = f->line;
		} else if (strncmp(s, "set indexes_per_combination[", 28) == 0)
			read_combination(f, s + 28);
		else if (is_list(s, "param size"))
			part = SIZES;
		else if (is_list(s, "param costs"))
			part = COSTS;
		else if (*s == ';')
			part = ELSEWHERE;
		else if (part == SIZES)
			part = read_size(f, s) ? ELSEWHERE : part;
		else if (part == COSTS)
			part = read_cost(f, s) ? ELSEWHERE : part;
		else if (strncmp(s, "param ", 6) != 0 && strncmp(s, "set ", 4) != 0)
			refuse(f, "neither a set nor a param, and inside of none");
	}
	free(line);
	if (ferror(in))
		refuse(f, strerror(errno));
	if (f->query_ids.n == 0)
		refuse(f, "the file ends, and there was no `set QUERIES := …;`");
	if (f->cost_query.n == 0)
		refuse(f, "the file ends, and there was no `param costs` with costs");
}

/* Every query of the set must cost something without indexes; say which does not. */
static void check_bases(const struct file *f, const bool *has_base)
{
	for (size_t i = 0; i < f->query_ids.n; i++)
		if (!has_base[i]) {
			fprintf(stderr,
				"index_selection: %s:%lu: query %lu has no cost with combination "
				"0, that is without indexes\n",
				f->name, f->query_line, f->query_ids.at[i]);
			exit(3);
		}
}

/* line: where each stands; one of it is enough where all stand in one. */
static void refuse_twice(const struct file *f, const struct numbers *ids, const size_t *at,
	const unsigned long *line, size_t lines, const char *what)
{
	for (size_t i = ids->n; i-- > 0;)
		if (at[ids->at[i]] != i) {
			size_t second = at[ids->at[i]];

			fprintf(stderr, "index_selection: %s:%lu: %s %lu is there twice\n", f->name,
				line[second < lines ? second : 0], what, ids->at[i]);
			exit(3);
		}
}

/* The combination's members by our numbers; each must have a size. */
static void list_members(struct file *f, const struct combination *c, const size_t *index,
	size_t n_index, uint32_t *member)
{
	for (size_t n = 0; n < c->index.n; n++) {
		unsigned long id = c->index.at[n];

		f->line = c->line;
		if (id >= n_index || index[id] == SIZE_MAX)
			refuse(f, "the combination needs an index that `param size` does not have");
		member[n] = index[id];
	}
}

static struct matrix *build(struct file *f, double *base)
{
	struct matrix *m = matrix_new(f->index_ids.n, f->query_ids.n);
	size_t n_query, n_index, most = 1;
	size_t *query = positions(&f->query_ids, &n_query);
	size_t *index = positions(&f->index_ids, &n_index);
	bool *has_base = calloc(f->query_ids.n, sizeof(*has_base));
	uint32_t *member;

	for (size_t c = 0; c < f->combos; c++)
		most = f->combo[c].index.n > most ? f->combo[c].index.n : most;
	member = malloc(most * sizeof(*member));
	if (has_base == NULL || member == NULL)
		abort();
	refuse_twice(f, &f->query_ids, query, &f->query_line, 1, "query");
	refuse_twice(f, &f->index_ids, index, f->index_line.at, f->index_line.n, "index");
	for (size_t i = 0; i < f->index_ids.n; i++)
		matrix_index(m, i, f->bytes.at[i], 0);
	for (size_t k = 0; k < f->cost_query.n; k++) {
		unsigned long q = f->cost_query.at[k];

		if (f->cost_combo.at[k] == 0 && q < n_query && query[q] != SIZE_MAX) {
			if (has_base[query[q]])
				continue;
			matrix_query(m, query[q], f->cost[k], 1);
			*base += f->cost[k];
			has_base[query[q]] = true;
		}
	}
	check_bases(f, has_base);
	free(has_base);
	for (size_t k = 0; k < f->cost_query.n; k++) {
		unsigned long q = f->cost_query.at[k], c = f->cost_combo.at[k];

		if (c == 0 || q >= n_query || query[q] == SIZE_MAX)
			continue;
		f->line = f->cost_line.at[k];
		if (c >= f->combos || f->combo[c].line == 0)
			refuse(f, "a cost with a combination that no set describes");
		list_members(f, &f->combo[c], index, n_index, member);
		matrix_entry(m, query[q], member, f->combo[c].index.n, f->cost[k]);
	}
	free(member);
	free(query);
	free(index);
	matrix_seal(m);
	return m;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct file f = {0};
	struct matrix *m;
	double base = 0;
	FILE *in;

	if (argc < 3) {
		fprintf(stderr, "usage: index_selection FILE BUDGET_MB...\n");
		return 2;
	}
	in = strcmp(argv[1], "-") == 0 ? stdin : fopen(argv[1], "r");
	if (in == NULL) {
		fprintf(stderr, "index_selection: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	f.name = argv[1];
	read_file(&f, in);
	for (int i = 2; i < argc; i++) {
		char *end;

		errno = 0;
		if (!(strtod(argv[i], &end) >= 0) || strtod(argv[i], NULL) > MOST_MB ||
			end == argv[i] || *end || errno) {
			fprintf(stderr,
				"index_selection: a budget is a number of megabytes from 0 to "
				"10^12, not \"%s\"\n",
				argv[i]);
			return 2;
		}
	}
	m = build(&f, &base);
	printf("# budget_mb relative_cost cost bytes seconds indexes\n");
	for (int i = 2; i < argc; i++) {
		double mb = strtod(argv[i], NULL), began = seconds();
		struct select_limits limits = {.bytes = round(mb * 1e6)};
		struct choice c = select_indexes(m, &limits);

		printf("%s %.6f %.2f %llu %.3f", argv[i], base > 0 ? c.cost / base : 1, c.cost,
			(unsigned long long)c.bytes, seconds() - began);
		for (size_t k = 0; k < c.count; k++)
			printf(" %lu", f.index_ids.at[c.index[k]]);
		printf("\n");
		choice_release(&c);
	}
	matrix_free(&m);
	return 0;
}
