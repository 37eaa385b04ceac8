/* SPDX-License-Identifier: ISC
 *
 * integrity: one raw connection of the integrity test, and the judge of its answers.
 *
 * A client builds requests into its out buffer (put_*), sends them with flush_out(),
 * sometimes cut in pieces, and gives judge() the list of answers that are due: steps,
 * in order, the last of each group marked where a ReadyForQuery must follow.
 */
#ifndef INTEGRITY_H
#define INTEGRITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_STEPS = 24,
	NAME_SIZE = 28,
	TAG_SIZE = 64,
};

struct options {
	int port;
	const char *user, *database, *direct;
	int clients;
	long actions;
	uint64_t seed;
	uint64_t run; /* this one's, whatever its seed: in the names of tables */
	int kill_ms;
	int patience_ms; /* how long an answer may take */
	bool prepared;
	const char *without; /* names of actions to leave out */
};
extern struct options opt;

/* What the run counted; violations is what it is about. */
extern atomic_long violations, connects, answers;

struct buf {
	char *at;
	size_t len, size;
};

struct client {
	int id;
	int fd;
	uint64_t rng;
	unsigned session, action;
	int32_t pid, key;     /* as the pooler told them, network order */
	bool cancelled;	      /* a cancel was sent in this session: 57014 may come */
	bool cut;	      /* a statement of this action was cancelled */
	char status;	      /* of the last ReadyForQuery */
	char name[NAME_SIZE]; /* of the session: every tag begins with it */
	struct buf in, out;
	size_t in_done;
	const char *doing;
};

/* One statement whose answer is due. */
struct step {
	char tag[TAG_SIZE];
	long rows;	 /* -1: any number */
	bool fails;	 /* must end in an error that names the tag */
	bool last;	 /* a Sync (or the end of a Query) follows */
	bool named_cols; /* a RowDescription of it names its column by the tag */
};

struct msg {
	char kind;
	const char *body;
	size_t len;
};

/* The client's own luck, from the seed. */
uint64_t draw(struct client *c);
unsigned below(struct client *c, unsigned n);

/* Say, and count, that the client saw what it must not. */
__attribute__((format(printf, 2, 3))) void violation(struct client *c, const char *format, ...);
void pause_us(unsigned us);

/* Building: msg_begin() opens a message, msg_end() writes its length. */
void put(struct buf *b, const void *data, size_t len);
void put32(struct buf *b, uint32_t v);
void put16(struct buf *b, uint16_t v);
void put_text(struct buf *b, const char *s);
size_t msg_begin(struct buf *b, char kind);
void msg_end(struct buf *b, size_t at);
__attribute__((format(printf, 2, 3))) void put_query(struct buf *b, const char *format, ...);
void put_parse(struct buf *b, const char *name, const char *sql);
void put_execute(struct buf *b, const char *name, const char *p1, const char *p2, bool described);
void put_empty(struct buf *b, char kind);

/* The connection: enter() logs in, next_msg() is -1 when it ended. */
int dial(void);
int send_all(int fd, const char *data, size_t len);
int flush_out(struct client *c);
int next_msg(struct client *c, struct msg *m);
void leave(struct client *c);
int enter(struct client *c);

/* Read the answers to steps; -1 when the connection ended, which may be. */
void judge_row(struct client *c, const struct msg *m, const struct step *s);
int judge(struct client *c, const struct step *steps, int count);

#endif
