/* SPDX-License-Identifier: ISC
 *
 * Why a connection ended: one row a reason.  name, SQLSTATE for the client (NULL: it is told
 * nothing), whether it is an error worth a warning, and the text.
 */
#ifndef POOLER_SESSION_CLOSE_H
#define POOLER_SESSION_CLOSE_H

#include <stdbool.h>
#include <stddef.h>

#define CLOSE_TABLE(X)                                                                             \
	/* what the client did */                                                                  \
	X(CLIENT_QUIT, NULL, false, "client close request")                                        \
	X(CLIENT_EOF, NULL, false, "client unexpected eof")                                        \
	X(CLIENT_PROTOCOL, "08P01", true, "invalid message from client")                           \
	X(CLIENT_TOO_LARGE, "08P01", true, "message too large")                                    \
	X(CLIENT_IN_FLIGHT, "54000", true, "too many unanswered messages in flight")               \
	X(STATEMENT_MODE, "08P01", true,                                                           \
		"transaction blocks not allowed in statement pooling mode")                        \
	/* limits */                                                                               \
	X(QUEUE_FULL, "53300", true, "queue_limit reached: too many clients wait for this pool")   \
	X(QUERY_WAIT_TIMEOUT, "53300", true, "query_wait_timeout")                                 \
	X(QUERY_TIMEOUT, "57014", true, "query timeout (query_timeout)")                           \
	X(TRANSACTION_TIMEOUT, "25P04", true, "transaction timeout (transaction_timeout)")         \
	X(IDLE_TRANSACTION_TIMEOUT, "25P03", true,                                                 \
		"idle transaction timeout (idle_transaction_timeout)")                             \
	X(CLIENT_IDLE_TIMEOUT, "57P05", false, "client_idle_timeout")                              \
	X(MEMORY, "53200", true, "max_memory reached")                                             \
	/* what the server did */                                                                  \
	X(SERVER_EOF, "08006", true, "server conn crashed?")                                       \
	X(SERVER_SAID_FATAL, NULL, true, "server ended the session")                               \
	X(SERVER_LOGIN, "08P01", true, "server login failed")                                      \
	X(SETUP_FAILED, "08P01", true, "the session's parameters could not be set")                \
	X(INTEGRITY, "08P01", true, "a reply was out of step; both ends closed")                   \
	X(SERVER_PROTOCOL, "08P01", true, "invalid message from server")                           \
	/* what the operator did */                                                                \
	X(SHUTDOWN, "57P01", false, "server shutting down")                                        \
	X(KILLED, "57P01", false, "admin forced disconnect")                                       \
	X(SUSPEND_TIMEOUT, "57P01", false, "suspend_timeout")                                      \
	X(DATABASE_GONE, "57P01", false, "database removed from the settings")                     \
	X(REPLACED, "57P01", false, "database configuration changed (server_fast_close)")          \
	X(DISABLED, "08P01", false, "database is disabled")                                        \
	X(SESSION_FEATURE, "0A000", true, "session feature in transaction mode")                   \
	/* what only servers die of */                                                             \
	X(SERVER_IDLE, NULL, false, "server idle timeout")                                         \
	X(SERVER_IDLE_MAX, NULL, false, "more than max_idle idle connections")                     \
	X(SERVER_LIFETIME, NULL, false, "server lifetime over")                                    \
	X(SERVER_RECYCLED, NULL, false, "database configuration changed")                          \
	X(SERVER_FOR_OTHERS, NULL, false, "its place is needed elsewhere")                         \
	X(SERVER_CLIENT_GONE, NULL, false, "client disconnected in the middle of its work")        \
	X(SERVER_DRAIN, NULL, true, "could not be brought back to a quiet state in time")          \
	X(SERVER_RESET, NULL, true, "reset query failed")                                          \
	X(SERVER_CHECK, NULL, true, "check query failed")                                          \
	X(SERVER_STATE, NULL, false, "session state that cannot be restored")                      \
	X(SERVER_PAUSED, NULL, false, "the database is paused")                                    \
	X(SERVER_KILLED, NULL, false, "admin forced disconnect")                                   \
	X(SERVER_SURPLUS, NULL, false, "no longer needed")

enum close_reason {
#define CLOSE_ENUM(name, sqlstate, is_error, text) CLOSE_##name,
	CLOSE_TABLE(CLOSE_ENUM)
#undef CLOSE_ENUM
		CLOSE_COUNT
};

struct close_row {
	const char *name, *sqlstate, *text;
	bool is_error;
};
extern const struct close_row close_rows[CLOSE_COUNT];

#endif
