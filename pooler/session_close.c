/* SPDX-License-Identifier: ISC
 *
 * The table of close reasons, for whoever prints them.
 */
#include "session_close.h"

const struct close_row close_rows[CLOSE_COUNT] = {
#define CLOSE_ROW(name, sqlstate, is_error, text) {#name, sqlstate, text, is_error},
	CLOSE_TABLE(CLOSE_ROW)
#undef CLOSE_ROW
};
