/* SPDX-License-Identifier: ISC
 *
 * pace: see worker_pace.h.
 */
#include "worker_pace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <unistd.h>

static enum scheduling mode = SCHEDULING_NORMAL;

void pace_set_mode(enum scheduling m)
{
	mode = m;
}

static bool apply(bool is_batch)
{
	const struct sched_param none = {0};

	return sched_setscheduler(0, is_batch ? SCHED_BATCH : SCHED_OTHER, &none) == 0;
}

/* "time on a CPU, time waited for one, slices run" */
static bool read_account(int fd, uint64_t *waited, uint64_t *slices)
{
	char text[128];
	ssize_t n = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : -1;

	if (n <= 0)
		return false;
	text[n] = '\0';
	return sscanf(text, "%*u %" SCNu64 " %" SCNu64, waited, slices) == 2;
}

void pace_begin(struct pace *p, usec_t now)
{
	*p = (struct pace){.fd = -1, .since = now, .away = PACE_AWAY};
	if (mode == SCHEDULING_NORMAL || sched_getscheduler(0) != SCHED_OTHER)
		return;
	if (mode == SCHEDULING_AUTO) {
		p->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
		if (!read_account(p->fd, &p->waited, &p->slices) || !p->slices) {
			log_line(LOG_PART_MAIN, LOG_LEVEL_DEBUG,
				"the kernel keeps no account of waits for a CPU: scheduling = "
				"normal");
			pace_end(p);
			return;
		}
	}
	p->is_batch = apply(true);
	if (p->is_batch)
		return;
	log_line(LOG_PART_MAIN, mode == SCHEDULING_BATCH ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
		"scheduling = batch is not permitted here: %s", strerror(errno));
	pace_end(p);
}

bool pace_judge(struct pace *p, usec_t now, uint64_t waited, uint64_t slices)
{
	uint64_t more = waited - p->waited, times = slices - p->slices;
	usec_t held = now - p->since;

	p->waited = waited;
	p->slices = slices;
	if (p->is_batch) {
		if (times < PACE_SLICES || more / times <= PACE_WAIT * 1000)
			return false;
		if (held >= PACE_TRUST)
			p->away = PACE_AWAY;
	} else if (held < p->away) {
		return false;
	} else if (p->away < PACE_AWAY_MAX) {
		p->away *= 2;
	}
	p->is_batch = !p->is_batch;
	p->since = now;
	return true;
}

void pace_look(struct pace *p, usec_t now, int worker)
{
	uint64_t waited, slices;

	if (p->fd < 0 || !read_account(p->fd, &waited, &slices) ||
		!pace_judge(p, now, waited, slices))
		return;
	apply(p->is_batch);
	log_line(LOG_PART_MAIN, LOG_LEVEL_DEBUG, "worker %d: SCHED_%s", worker,
		p->is_batch ? "BATCH" : "OTHER, since it waited too long for a CPU");
}

void pace_end(struct pace *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}
