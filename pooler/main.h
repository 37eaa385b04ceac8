/* SPDX-License-Identifier: ISC
 *
 * main: what the console may ask of the process as a whole.  The front's thread only.
 */
#ifndef POOLER_MAIN_H
#define POOLER_MAIN_H

#include "session.h"

/* How to leave: 1 when the clients have gone, 2 when no transaction runs, 3 now.  A second
 * call leaves now. */
void main_shutdown(int how);
/* The metrics endpoint, main_observe.c: starts when there is one to be, after the workers;
 * stops before them. */
void observe_start(const struct conf *conf);
void observe_reload(const struct conf *conf); /* user and password */
void observe_stop(void);
/* What systemd is told (main_service.c). */
void service_ready(void); /* and from now on that we live, when it has a watchdog */
void service_reloading(void);
void service_reloaded(bool ok);
void service_stopping(void);
/* Reads the settings file again.  All or nothing; the reason in *err. */
bool main_reload(struct buf *err) MUSTCHECK;

/* Settings made from the running ones, put in force; all or nothing.  The caller keeps its
 * reference. */
bool main_apply(const struct conf *fresh, struct buf *err) MUSTCHECK;

#endif
