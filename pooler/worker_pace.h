/* SPDX-License-Identifier: ISC
 *
 * pace: how a worker gets its CPU where all of them are busy.
 *
 * SCHED_BATCH: a thread that wakes does not interrupt who runs.  For a pooler that is most often
 * the server process whose answer it will pass on; it finds more to do at once then and is woken
 * less often, which saves a tenth or two of its CPU time where clients, pooler and server share
 * busy CPUs.  Where a CPU is idle there is no difference.  But where others' work keeps the CPUs
 * busy it waits for the rest of a slice (up to 3 ms in Linux 6.6 and later, up to 24 ms before)
 * each time:
 *
 *     BATCH ── waited over PACE_WAIT, on average of a second's wake-ups ──▶ NORMAL, for `away`
 *       ▲                                                                     │
 *       └───────────────────────── `away` is over ◀───────────────────────────┘
 *
 * `away` is PACE_AWAY; twice as long as the last time, up to PACE_AWAY_MAX, where BATCH did not
 * last for PACE_TRUST.
 */
#ifndef POOLER_WORKER_PACE_H
#define POOLER_WORKER_PACE_H

#include "conf.h"

#define PACE_WAIT     (1 * USEC_MSEC)
#define PACE_AWAY     (10 * USEC_SEC)
#define PACE_AWAY_MAX (320 * USEC_SEC)
#define PACE_TRUST    (60 * USEC_SEC)
#define PACE_SLICES   20 /* fewer wake-ups say nothing */

struct pace {
	int fd; /* the kernel's account of the thread; -1: none, or it is not looked at */
	bool is_batch;
	usec_t since; /* when that began */
	usec_t away;
	uint64_t waited, slices; /* of the account, when it was read last */
};

/* For all workers, before the first begins. */
void pace_set_mode(enum scheduling mode);
/* On the thread itself.  A policy that the process was given by others stays. */
void pace_begin(struct pace *p, usec_t now);
/* Once a second, on the thread itself. */
void pace_look(struct pace *p, usec_t now, int worker);
void pace_end(struct pace *p);

/* The policy alone: nanoseconds waited for a CPU and slices run so far.  True: is_batch is to be
 * what it now says. */
bool pace_judge(struct pace *p, usec_t now, uint64_t waited, uint64_t slices);

#endif
