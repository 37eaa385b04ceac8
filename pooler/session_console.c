/* SPDX-License-Identifier: ISC
 *
 * The console: not open yet; a client that asks for it is turned away.
 */
#include "session.h"

void console_accept(struct login *login)
{
	conn_close(&login->conn);
	login_free(&login);
}
