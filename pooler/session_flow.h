/* SPDX-License-Identifier: ISC
 *
 * flow: what clients and servers share: bytes go out as far as the peer takes them, the rest
 * is kept in a chunk; and a descriptor is watched for what its owner can deal with.  In the
 * steady state nothing is kept and no watcher is touched.
 */
#ifndef POOLER_SESSION_FLOW_H
#define POOLER_SESSION_FLOW_H

#include "session.h"

/* A TLS record can be inside the SSL with nothing on the descriptor, so that it is read until there
 * is none; but after so many reads (16 KB each) others have their turn, and a timer comes back to
 * it. */
#define FLOW_TURNS 16

/* Offers n > 0 bytes behind what is kept.  False: something is kept in *out now.  An error
 * counts as taken: the reading side will see it and close. */
MUSTCHECK static inline bool flow_send(struct conn *conn, struct chunk **out,
	struct chunk_store *st, const void *p, size_t n)
{
	ssize_t took = 0;

	if (LIKELY(!*out)) {
		took = conn_send(conn, p, n);
		if (LIKELY(took == (ssize_t)n) || took == CONN_ERROR)
			return true;
		if (took == CONN_AGAIN)
			took = 0;
	}
	chunk_append(st, out, (const char *)p + took, n - (size_t)took);
	return false;
}

/* Offers what is kept.  True: it is all gone, just now. */
MUSTCHECK static inline bool flow_flush(struct conn *conn, struct chunk **out,
	struct chunk_store *st)
{
	ssize_t took;

	if (!*out)
		return false;
	took = conn_send(conn, (*out)->data + (*out)->off, chunk_left(*out));
	if (took == CONN_AGAIN)
		return false;
	if (took == CONN_ERROR)
		took = (ssize_t)chunk_left(*out);
	(*out)->off += (uint32_t)took;
	if (chunk_left(*out))
		return false;
	chunk_free(st, out);
	return true;
}

/* Is the watcher on, and for reading only, as nearly always? */
static inline bool flow_is_reading(const ev_io *io)
{
	return ev_is_active(io) && io->events == EV_READ;
}

/* Watches fd for `events`, or (0) not at all. */
static inline void flow_watch(struct ev_loop *loop, ev_io *io, int fd, int events)
{
	if (LIKELY(ev_is_active(io) && io->events == events))
		return;
	ev_io_stop(loop, io);
	if (!events)
		return;
	ev_io_set(io, fd, events);
	ev_io_start(loop, io);
}

#endif
