/* SPDX-License-Identifier: ISC
 *
 * Between the console's own files; nobody else includes it.
 */
#ifndef POOLER_CONSOLE_INNER_H
#define POOLER_CONSOLE_INNER_H

#include "console.h"

/* The largest message we take; nobody types more. */
#define CONSOLE_INPUT_MAX (64U * 1024)
/* No further message is looked at while this much waits to be sent. */
#define CONSOLE_OUTPUT_HIGH (64U * 1024)
/* Prepared statements, and portals, of one session. */
#define CONSOLE_NAMES_MAX 256

/* --- console_session.c */
void console_close(struct console *c, const char *why);
void console_advance(struct console *c);

/* --- console_message.c: the messages of a session */
void message_init(struct console *c);
void message_release(struct console *c);
/* Deals with the next message in c->in, or the next statement of a Query that runs; false:
 * there is none, or not all of it. */
bool message_next(struct console *c);
/* The running request is done. */
void message_answered(struct console *c, struct request *q);

/* --- console_request.c */
struct request *request_new(struct console *c, const struct words *w);
void request_free(struct request *q);
/* PgBouncer's words for a command that is not one; the hint says what would have worked. */
void request_invalid(struct request *q, const char *hint);

/* The answer is complete: logged as done, and sent. */
void console_finish(struct request *q, const char *tag); /* console_command.c */
void console_commands_start(void);

/* --- console_settings.c */
void run_reload(struct request *q);
void run_set(struct request *q);

/* --- console_waits.c */
void console_put_peer(struct row *r, const struct client *c);

/* --- console_pools.c */
const char *console_mode_name(int mode); /* NULL: unset */

#endif
