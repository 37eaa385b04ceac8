/* SPDX-License-Identifier: ISC
 *
 * What systemd is told: ready, reloading, stopping, and that we are alive.  The watchdog is
 * not fed by a timer alone but when every worker has answered, so that a loop that hangs
 * gets the service restarted.  Without systemd all of it is nothing.
 */
#include "main.h"

#include <systemd/sd-daemon.h>
#include <time.h>

static ev_timer feeding;
static bool asking; /* the workers have not answered yet */

static void gather_counts(struct relay *r, struct buf *into, void *arg)
{
	int n[2] = {r->n_clients, r->n_servers};

	(void)arg;
	buf_put(into, n, sizeof n);
}

static void all_alive(struct collection *c)
{
	int clients = 0, servers = 0, n[2];

	asking = false;
	for (int i = 0; i < c->n; i++) {
		memcpy(n, c->parts[i].data, sizeof n);
		clients += n[0];
		servers += n[1];
	}
	sd_notifyf(0, "WATCHDOG=1\nSTATUS=%d clients, %d server connections", clients, servers);
}

static void on_feeding(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)t;
	(void)revents;
	if (asking)
		return; /* somebody hangs: systemd will notice */
	asking = true;
	hub_collect(gather_counts, all_alive, NULL);
}

void service_ready(void)
{
	uint64_t usec = 0;

	sd_notify(0, "READY=1\nSTATUS=ready");
	if (sd_watchdog_enabled(0, &usec) <= 0 || usec == 0)
		return;
	ev_timer_init(&feeding, on_feeding, 0., (double)usec / USEC_SEC / 3);
	ev_timer_start(hub.front.loop, &feeding);
}

void service_reloading(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	/* systemd compares the moment with that of its signal (Type=notify-reload). */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)t.tv_sec * USEC_SEC + (unsigned long long)t.tv_nsec / 1000);
}

void service_reloaded(bool ok)
{
	sd_notify(0, ok ? "READY=1\nSTATUS=reloaded"
			: "READY=1\nSTATUS=reload failed: nothing has changed, the log says why");
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=shutting down");
}
