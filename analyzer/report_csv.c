/* SPDX-License-Identifier: ISC
 *
 * report_csv: the shapes, one row each, all numbers; RFC 4180.
 */
#include "report.h"

static void field(FILE *to, struct str s)
{
	fputc('"', to);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			fputc('"', to);
		fputc(s.p[i], to);
	}
	fputc('"', to);
}

void report_csv(struct report *r, FILE *to)
{
	static const double qs[] = {.5, .9, .95, .99, .999};

	fputs("id,verb,calls,total_ms,mean_ms,stddev_ms,min_ms,p50_ms,p90_ms,p95_ms,p99_ms,p999_ms,"
	      "max_ms,planning_ms,rows,errors,temp_bytes,lock_ms,findings,sql\r\n",
		to);
	for (size_t i = 0; i < r->shapes; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		size_t finds = 0;
		for (size_t k = 0; k < r->findings->at.n; k++)
			finds += r->findings->at.at[k].shape == r->shape[i];
		fprintf(to, "%s,%s,%llu,%.3f,%.3f,%.3f,%.3f", s->id, sql_verb_name(s->verb),
			(unsigned long long)s->calls, (double)s->time.sum / 1e3,
			sketch_mean(&s->time) / 1e3, sketch_stddev(&s->time) / 1e3,
			(double)s->time.min / 1e3);
		for (size_t q = 0; q < ARRAY_LEN(qs); q++)
			fprintf(to, ",%.3f", sketch_quantile(&s->time, qs[q]) / 1e3);
		fprintf(to, ",%.3f,%.3f,%llu,%llu,%llu,%.3f,%zu,", (double)s->time.max / 1e3,
			(double)s->plan_usec / 1e3, (unsigned long long)s->rows,
			(unsigned long long)s->errors, (unsigned long long)s->temp_bytes,
			(double)s->lock_usec / 1e3, finds);
		field(to, report_shape_sql(r, s));
		fputs("\r\n", to);
	}
}
