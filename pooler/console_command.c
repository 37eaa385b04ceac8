/* SPDX-License-Identifier: ISC
 *
 * The table of commands that do something.
 */
#include "console_inner.h"

#include <strings.h>

static void finish(struct request *q, const char *tag)
{
	char who[160];

	if (q->session)
		log_line(LOG_PART_CONSOLE, LOG_LEVEL_INFO, "%s: %s command issued",
			login_who(q->session->login, who, sizeof who), tag);
	q->answer.tag = tag;
	request_done(q);
}

/* --- RELOAD, SHUTDOWN -------------------------------------------------------------------- */

static void run_reload(struct request *q)
{
	struct buf err = {0};

	if (!console_ops.reload(&err)) {
		request_fail(q, "F0000", "Nothing has changed. The log has all errors.",
			"RELOAD failed: %s", err.len ? buf_cstr(&err) : "see the log");
		buf_free(&err);
		request_done(q);
		return;
	}
	buf_free(&err);
	finish(q, "RELOAD");
}

static void run_shutdown(struct request *q)
{
	const char *how = request_arg(q, 0);
	int mode = 3;

	if (strcasecmp(how, "wait_for_clients") == 0) {
		mode = 1;
	} else if (strcasecmp(how, "wait_for_servers") == 0) {
		mode = 2;
	} else if (how[0]) {
		request_fail(q, NULL, "Write SHUTDOWN, SHUTDOWN WAIT_FOR_SERVERS or SHUTDOWN WAIT_FOR_CLIENTS.",
			"invalid command 'SHUTDOWN %s', use SHOW HELP;", how);
		request_done(q);
		return;
	}
	console_ops.shutdown(mode);
	if (mode < 3)
		finish(q, "SHUTDOWN");
	/* else the connection stays open until the process has gone, as its word for done */
}

const struct console_row console_commands[] = {
	{.name = "reload", .right = RIGHT_ADMIN, .run = run_reload, .help = "read the settings again"},
	{.name = "shutdown", .args = "[WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS]", .right = RIGHT_ADMIN,
		.max_args = 1, .run = run_shutdown, .help = "leave"},
	{0},
};
