/* SPDX-License-Identifier: ISC
 *
 * cancel: cancel keys, and requests for clients of other processes (session_peer.c).
 */
#ifndef POOLER_SESSION_CANCEL_H
#define POOLER_SESSION_CANCEL_H

#include "base.h"

struct conn;

/* A cancel key in its parts (session_peer.c says where they lie). */
struct cancel_key {
	int peer; /* 0 unless among peers */
	uint32_t number, secret;
	unsigned hops; /* how often it may still be passed on */
};
void cancel_key_pack(uint8_t key[8], int peer, uint32_t number, uint32_t secret);
void cancel_key_unpack(const uint8_t key[8], bool among_peers, struct cancel_key *k);
/* The process number that a client with this key is given. */
uint32_t cancel_key_pid(uint32_t number, uint32_t secret);
/* BackendKeyData, with our peer_id in it. */
void cancel_key_put(struct buf *b, uint32_t number, uint32_t secret);
uint32_t cancel_secret(void);
/* To the process whose key this is; takes the asker's connection. */
void peer_forward(struct conn *asker, const uint8_t key[8]);

#endif
