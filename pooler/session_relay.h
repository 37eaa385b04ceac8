/* SPDX-License-Identifier: ISC
 *
 * relay: one worker's share of everything: its lanes, clients and servers, and what they share.
 */
#ifndef POOLER_SESSION_RELAY_H
#define POOLER_SESSION_RELAY_H

#include "obs.h"
#include "obs_queries.h"
#include "session_chunk.h"
#include "session_params.h"
#include "session_prepare.h"
#include "session_who.h"
#include "worker.h"

struct client;
struct hub;
struct traced;

/* One worker's share of everything. */
struct relay {
	struct worker w;
	struct hub *hub;
	struct list lanes;
	struct chunk_store chunks;
	struct timer trim; /* some seconds after a crowd has given its buffers back */
	struct param_table params;
	struct prepared_table prepared;
	struct client **slots; /* all of them, by the cancel key's process id */
	uint32_t n_slots, free_slot;
	int n_clients, n_servers;
	uint64_t taken_over; /* servers that came from another relay */
	struct qlog_ring *ring;
	struct queries *queries; /* statistics by shape; hub.queries holds it too */
	struct traced *traced;	 /* statements that are over, their memory for the next ones */
	unsigned n_traced;
	struct buf learned; /* names of parameters that no module has, each with its NUL */
	unsigned n_learned;
	uint32_t sample; /* state_audit = sample: pseudo-random */
	struct who_book who;
	unsigned hands_on; /* server_release() calls that are on the stack, each within the other */
	bool suspended;	   /* reads nothing */
	bool draining;	   /* shutdown: clients leave when they are between transactions */
};

#endif
