/* SPDX-License-Identifier: ISC
 *
 * null_server: speaks the protocol of PostgreSQL and knows every answer at once.
 *
 * Behind a pooler it shows what the pooler alone can do.  Every login is accepted,
 * every query answers one row with one column, or as many as a comment in it asks
 * for: select 1 -- rows=1000 (100 bytes each).  It reads no SQL and keeps nothing.
 *
 *     null_server PORT [THREADS]
 *
 * Each thread has an epoll set and a listening socket of its own (SO_REUSEPORT).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 65536, MAX_FD = 65536 };

struct buf {
	char *at;
	size_t len, size;
};

struct peer {
	char in[IN_SIZE];
	size_t len;
	int ready; /* past the startup packet */
	long rows; /* of the statement bound last */
	struct buf out;
};

static int port;

static void put(struct buf *b, const void *data, size_t len)
{
	if (b->len + len > b->size) {
		b->size = (b->len + len) * 2;
		b->at = realloc(b->at, b->size);
		if (!b->at)
			abort();
	}
	memcpy(b->at + b->len, data, len);
	b->len += len;
}

static void put_msg(struct buf *b, char kind, const void *body, size_t len)
{
	uint32_t n = htonl((uint32_t)len + 4);

	put(b, &kind, 1);
	put(b, &n, 4);
	put(b, body, len);
}

static void put_parameter(struct buf *b, const char *name, const char *value)
{
	char body[128];
	size_t n = strlen(name) + 1;

	memcpy(body, name, n);
	memcpy(body + n, value, strlen(value) + 1);
	put_msg(b, 'S', body, n + strlen(value) + 1);
}

static void answer_login(struct buf *b)
{
	static const char key[8] = {0, 0, 0, 1, 0, 0, 0, 1};

	put_msg(b, 'R', "\0\0\0\0", 4);
	put_parameter(b, "server_version", "15.0");
	put_parameter(b, "server_encoding", "UTF8");
	put_parameter(b, "client_encoding", "UTF8");
	put_parameter(b, "DateStyle", "ISO, MDY");
	put_parameter(b, "TimeZone", "UTC");
	put_parameter(b, "integer_datetimes", "on");
	put_parameter(b, "standard_conforming_strings", "on");
	put_msg(b, 'K', key, sizeof(key));
	put_msg(b, 'Z', "I", 1);
}

/* RowDescription of one int4 column called a. */
static void put_description(struct buf *b)
{
	static const char body[] = "\0\1a\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0";

	put_msg(b, 'T', body, sizeof(body) - 1);
}

static void put_rows(struct buf *b, long rows)
{
	char row[106] = {0, 1, 0, 0, 0, 100}, tag[32];

	if (rows == 1) {
		put_msg(b, 'D',
			"\0\1\0\0\0\1"
			"1",
			7);
	} else {
		memset(row + 6, 'x', 100);
		for (long i = 0; i < rows; i++)
			put_msg(b, 'D', row, sizeof(row));
	}
	snprintf(tag, sizeof(tag), "SELECT %ld", rows);
	put_msg(b, 'C', tag, strlen(tag) + 1);
}

static long rows_asked(const char *sql, size_t len)
{
	const char *at = memmem(sql, len, "rows=", 5);

	return at ? strtol(at + 5, NULL, 10) : 1;
}

/* Answer one message; 1 when the peer says goodbye. */
static int answer(struct peer *p, char kind, const char *body, size_t len)
{
	switch (kind) {
	case 'Q':
		put_description(&p->out);
		put_rows(&p->out, rows_asked(body, len));
		put_msg(&p->out, 'Z', "I", 1);
		break;
	case 'P':
		p->rows = rows_asked(body, len);
		put_msg(&p->out, '1', "", 0);
		break;
	case 'B':
		put_msg(&p->out, '2', "", 0);
		break;
	case 'C':
		put_msg(&p->out, '3', "", 0);
		break;
	case 'D':
		if (body[0] == 'S')
			put_msg(&p->out, 't', "\0\0", 2);
		put_description(&p->out);
		break;
	case 'E':
		put_rows(&p->out, p->rows ? p->rows : 1);
		break;
	case 'S':
		put_msg(&p->out, 'Z', "I", 1);
		break;
	case 'X':
		return 1;
	}
	return 0;
}

/* Take what is whole in the buffer; -1 to hang up. */
static int take(struct peer *p)
{
	size_t at = 0;

	for (;;) {
		size_t have = p->len - at, head = p->ready ? 5 : 4, whole;
		uint32_t n, code;

		if (have < head + (p->ready ? 0 : 4))
			break;
		memcpy(&n, p->in + at + head - 4, 4);
		whole = ntohl(n) + head - 4;
		if (whole > IN_SIZE || whole < head)
			return -1;
		if (have < whole)
			break;
		if (!p->ready) {
			memcpy(&code, p->in + at + 4, 4);
			if (ntohl(code) == 196608) {
				answer_login(&p->out);
				p->ready = 1;
			} else if (ntohl(code) == 80877102) {
				return -1;
			} else {
				put(&p->out, "N", 1);
			}
		} else if (answer(p, p->in[at], p->in + at + 5, whole - 5)) {
			return -1;
		}
		at += whole;
	}
	memmove(p->in, p->in + at, p->len - at);
	p->len -= at;
	return 0;
}

static int send_all(int fd, struct buf *b)
{
	size_t at = 0;

	while (at < b->len) {
		ssize_t n = send(fd, b->at + at, b->len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += (size_t)n;
	}
	b->len = 0;
	return 0;
}

static int listener(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1024) != 0) {
		perror("null_server");
		exit(1);
	}
	return fd;
}

static void serve(struct peer **peers, int fd)
{
	struct peer *p = peers[fd];
	ssize_t n = recv(fd, p->in + p->len, IN_SIZE - p->len, 0);

	if (n > 0)
		p->len += (size_t)n;
	if (n <= 0 || take(p) != 0 || send_all(fd, &p->out) != 0) {
		close(fd);
		free(p->out.at);
		free(p);
		peers[fd] = NULL;
	}
}

static void *loop(void *arg)
{
	int lfd = (int)(intptr_t)arg, ep = epoll_create1(0), one = 1;
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = lfd}, got[64];
	struct peer **peers = calloc(MAX_FD, sizeof(*peers));

	if (!peers)
		abort();
	epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &ev);
	for (;;) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;

			if (fd != lfd) {
				serve(peers, fd);
				continue;
			}
			fd = accept(lfd, NULL, NULL);
			if (fd < 0 || fd >= MAX_FD)
				continue;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			peers[fd] = calloc(1, sizeof(**peers));
			ev.data.fd = fd;
			epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
	pthread_t t;

	if (argc < 2) {
		fprintf(stderr, "usage: null_server PORT [THREADS]\n");
		return 2;
	}
	port = (int)strtol(argv[1], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	for (long i = 0; i < threads; i++)
		pthread_create(&t, NULL, loop, (void *)(intptr_t)listener());
	puts("listening"); /* whoever started it waits for that */
	fflush(stdout);
	pthread_join(t, NULL);
	return 0;
}
