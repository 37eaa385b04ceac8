/* SPDX-License-Identifier: ISC
 *
 * session: clients and servers, and the relay between them.  This includes all of it; each
 * struct has a header of its own, session_NOUN.h, which is its manual.
 *
 *   session_login.h    how a client comes in (the front's thread); then, on a worker:
 *   session_hub.c      struct hub: the process; pools by (database, user), settings, start, stop
 *   session_relay.c    struct relay: one worker's share; struct lane: one pool's share of it
 *   session_share.c    idle connections that go from one lane of a pool to another
 *   session_client.c   struct client: waiting, linked, closing
 *   session_greeting.c   what it is told of its parameters when it comes
 *   session_deadline.c   when its patience, or ours with it, is over
 *   session_request.c  what it sends, message by message (session_message.h)
 *   session_express.c  the short way of what nearly every transaction is
 *   session_turn.h     what both ways note: a connection lent, an answer complete, given back
 *   session_server.c   struct server: dialled, idle, linked, closing
 *   session_reply.c    what it says, message by message
 *   session_drain.c    getting it quiet again when its client is gone
 *   session_flow.h     what both share: bytes out, and what a descriptor is watched for
 *   session_dial.c     opening a server connection with libpq, on a helper thread
 *   session_cancel.c   cancel requests
 *   session_peer.c     cancel keys, and requests for clients of other processes
 *   session_who.c      which client had which server connection
 *   session_retire.c   pools that nobody uses any more
 *   session_orders.c   what the operator orders: PAUSE, KILL, …
 *   session_params.c   struct params: the parameters of a session, as one shared value
 *   session_audit.c    what state a session holds: asked after what may have changed it
 *   session_prepare.c  prepared statements whose names are the client's and whose place is
 *                      whichever server connection serves it
 *   session_held.c     what a server connection has of them
 *   session_meaning.c  what a text is read under: only those who read it alike share it
 *   session_number.c   what a text is called on servers, the same in all relays
 *   session_rename.c   errors that name a statement: the client's name in place of ours
 *   session_heal.c     plans that have gone stale
 *   session_collect.c  what all relays know, gathered for the front
 *   session_chunk.c    the buffers that connections borrow
 *   session_trace.c    what the query log and the statistics are told of a statement
 *                      (session_traced.h)
 *   session_close.c    the reasons why connections end, as one table
 *
 * Threads: a relay and all that hangs on it belong to one worker's thread.  The hub belongs
 * to the front's thread; what workers read of it is immutable, atomic, or comes by mail.
 */
#ifndef POOLER_SESSION_H
#define POOLER_SESSION_H

#include "session_audit.h"
#include "session_cancel.h"
#include "session_chunk.h"
#include "session_client.h"
#include "session_close.h"
#include "session_heal.h"
#include "session_hub.h"
#include "session_lane.h"
#include "session_login.h"
#include "session_params.h"
#include "session_prepare.h"
#include "session_relay.h"
#include "session_server.h"
#include "session_trace.h"
#include "session_who.h"
#include "wire.h"
#include "wire_ledger.h"
#include "wire_text.h"

#endif
