/* SPDX-License-Identifier: ISC
 *
 * The two clocks.  Only the event loops and the log read them; policy is given `now`.
 */
#include "base.h"

#include <time.h>

static usec_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_SEC + (usec_t)ts.tv_nsec / 1000;
}

usec_t clock_mono(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

usec_t clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}
