/* SPDX-License-Identifier: ISC
 *
 * facts_series: what happened when, in rows of equal length.
 *
 * The rows begin as seconds.  When the log turns out to be longer than a series of that step may
 * be, rows are put together: to minutes, hours, days.  So a log of a minute has sixty rows and one
 * of ten years a few thousand, and memory stays bounded.  The step depends on the first and last
 * time alone: the series of a union is the merged series.  The hours of a shape and the table of
 * hours (which has a sketch in each row) go the same way, to days and weeks.
 */
#include "facts_build.h"

/* A series of this step holds `most` steps from its first row to its last. */
static const struct step {
	int64_t seconds, most;
} steps[] = {
	{1, 1800}, /* half an hour */
	{60, 31 * 1440},
	{3600, 3 * 366 * 24},
	{86400, INT64_MAX},
};

static const struct {
	int64_t hours, most;
} hour_steps[] = {{1, 31 * 24}, {24, 731}, {168, INT64_MAX}};

void slot_add(struct slot *into, const struct slot *from)
{
	into->calls += from->calls;
	into->usec += from->usec;
	into->errors += from->errors;
	into->connections += from->connections;
	into->disconnections += from->disconnections;
	into->reads += from->reads;
	into->writes += from->writes;
	into->cancels += from->cancels;
	into->temp_files += from->temp_files;
	into->temp_bytes += from->temp_bytes;
	into->lock_usec += from->lock_usec;
	into->checkpoints += from->checkpoints;
	for (int k = 0; k < HEAT_ROWS; k++)
		into->heat[k] += from->heat[k];
}

static struct slot *row_at(struct series *s, int64_t at)
{
	uint32_t *i = map_put(&s->row_of, (uint64_t)at);

	if (*i == MAP_NONE) {
		*i = (uint32_t)s->row.n;
		struct slot *x = VEC_PUSH(&s->row);
		memset(x, 0, sizeof(*x));
		x->at = at;
	}
	s->recent = *i;
	return &s->row.at[*i];
}

void series_coarsen(struct series *s, int64_t seconds)
{
	struct series old = *s;

	if (s->step >= seconds)
		return;
	*s = (struct series){.step = seconds};
	if (old.row.n) {
		s->first = old.first * old.step / seconds;
		s->last = old.last * old.step / seconds;
	}
	for (size_t i = 0; i < old.row.n; i++)
		slot_add(row_at(s, old.row.at[i].at * old.step / seconds), &old.row.at[i]);
	series_release(&old);
}

static struct slot *series_find(struct series *s, int64_t ts)
{
	int64_t at;

	if (!s->step)
		s->step = steps[0].seconds;
	for (size_t k = 0;; k++) {
		at = ts / 1000000 / s->step;
		if (steps[k].seconds < s->step)
			continue;
		int64_t first = s->row.n && s->first < at ? s->first : at,
			last = s->row.n && s->last > at ? s->last : at;
		if (last - first < steps[k].most) {
			s->first = first;
			s->last = last;
			break;
		}
		series_coarsen(s, steps[k + 1].seconds);
	}
	s->from = at * s->step * 1000000;
	s->to = s->from + s->step * 1000000;
	return row_at(s, at);
}

struct slot *facts_slot(struct facts *f, int64_t ts)
{
	struct series *s = &f->series;

	if (LIKELY(ts >= s->from && ts < s->to))
		return &s->row.at[s->recent];
	return ts > 0 ? series_find(s, ts) : &f->timeless;
}

static int by_at(const void *pa, const void *pb)
{
	const struct slot *a = pa, *b = pb;

	return (a->at > b->at) - (a->at < b->at);
}

/* In the order of time; nothing is added any more. */
static void series_sort(struct series *s)
{
	if (s->row.n)
		qsort(s->row.at, s->row.n, sizeof(*s->row.at), by_at);
	map_release(&s->row_of);
	s->from = s->to = 0;
}

void series_finish(struct facts *f)
{
	struct series *all = &f->series, *m = &f->minutes;

	m->step = all->step > 60 ? all->step : 60;
	for (size_t i = 0; i < all->row.n; i++)
		slot_add(row_at(m, all->row.at[i].at * all->step / m->step), &all->row.at[i]);
	if (f->timeless.calls || f->timeless.errors || f->timeless.connections)
		slot_add(row_at(m, 0), &f->timeless);
	series_sort(all);
	series_sort(m);
}

void series_release(struct series *s)
{
	VEC_RELEASE(&s->row);
	map_release(&s->row_of);
}

/* --- hours -------------------------------------------------------------------------------- */

/* The step that rows between these two hours have. */
static int64_t step_of(int64_t first, int64_t last)
{
	size_t k = 0;

	while (last / hour_steps[k].hours - first / hour_steps[k].hours >= hour_steps[k].most)
		k++;
	return hour_steps[k].hours;
}

/* The rows of hours become rows of days: the dead ones are left, with no kind. */
static void fold_hours(struct facts *f, int64_t step)
{
	size_t n = f->group.n;

	f->hour_step = step;
	f->hour_group = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t hour = f->group.at[i].name, at = hour - hour % step;
		if (f->group.at[i].kind != GROUP_HOUR || at == hour)
			continue;
		map_del(&f->group_of, (uint64_t)GROUP_HOUR << 32 | (uint64_t)hour);
		struct group *to = facts_group(f, GROUP_HOUR, (uint32_t)at);
		struct group *from = &f->group.at[i];
		sketch_merge(&to->time, &from->time);
		to->calls += from->calls;
		to->errors += from->errors;
		sketch_release(&from->time);
		*from = (struct group){.kind = GROUP_KINDS};
	}
}

struct group *facts_hour(struct facts *f, int64_t ts)
{
	int64_t hour = ts / 3600000000LL;

	if (!f->first_hour || hour < f->first_hour)
		f->first_hour = hour;
	if (hour > f->last_hour)
		f->last_hour = hour;
	int64_t step = step_of(f->first_hour, f->last_hour);
	if (step > f->hour_step)
		fold_hours(f, step);
	return facts_group(f, GROUP_HOUR, (uint32_t)(hour - hour % f->hour_step));
}

void facts_hours_coarsen(struct facts *f, int64_t step)
{
	if (step > f->hour_step)
		fold_hours(f, step);
}

static struct shape_hour *shape_row(struct shape *s, int64_t hour)
{
	for (size_t i = s->hour.n; i-- > 0;) /* nearly always the last one */
		if (s->hour.at[i].hour == hour)
			return &s->hour.at[i];
	struct shape_hour *h = VEC_PUSH(&s->hour);
	*h = (struct shape_hour){.hour = hour};
	return h;
}

static void add_hour(struct shape_hour *to, const struct shape_hour *h)
{
	to->calls += h->calls;
	to->usec += h->usec;
	to->max = h->max > to->max ? h->max : to->max;
}

void shape_hours_coarsen(struct shape *s, int64_t step)
{
	struct shape_hour *old = s->hour.at;
	size_t n = s->hour.n;

	if (s->hour_step >= step)
		return;
	s->hour_step = step;
	s->hour.at = NULL;
	s->hour.n = s->hour.cap = 0;
	for (size_t i = 0; i < n; i++)
		add_hour(shape_row(s, old[i].hour - old[i].hour % step), &old[i]);
	free(old);
}

struct shape_hour *facts_shape_hour(struct shape *s, int64_t hour)
{
	int64_t first, last;

	s->hour_step = s->hour_step ? s->hour_step : 1;
	hour -= s->hour_step > 1 ? hour % s->hour_step : 0;
	if (LIKELY(s->hour.n && s->hour.at[s->hour.n - 1].hour == hour))
		return &s->hour.at[s->hour.n - 1];
	first = last = hour;
	for (size_t i = 0; i < s->hour.n; i++) {
		int64_t h = s->hour.at[i].hour;
		first = h < first ? h : first;
		last = h > last ? h : last;
	}
	shape_hours_coarsen(s, step_of(first, last));
	return shape_row(s, hour - hour % s->hour_step);
}
