/* SPDX-License-Identifier: ISC
 *
 * floor: the least that a relay in transaction mode can take.
 *
 * It receives and sends as often as one must and does nothing else: one libev loop, a request
 * that finds no free connection is parked, an answer that ends with ReadyForQuery outside of a
 * transaction frees its connection.  No message is read, no name, limit, parameter or state is
 * kept: it is no pooler, one client sees what another has set.  It says what part of a pooler's
 * time is the kernel's on this machine.
 *
 *     floor PORT SERVER_PORT CONNECTIONS USER DATABASE
 *
 * Clients must be content without password and TLS.  Unlike the others it may block: where a
 * receiver is slow it waits for it alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 65536, READY_SIZE = 6, SSL_REQUEST_SIZE = 8 };

struct client;

struct server {
	ev_io io; /* first: libev hands it over */
	struct client *client;
	struct server *next;   /* idle ones */
	char tail[READY_SIZE]; /* of what it said last */
};

struct client {
	ev_io io; /* first */
	int greeted;
	struct server *server;
	char *parked;
	size_t parked_len;
	struct client *next; /* waiting ones */
};

static struct server *idle;
static struct client *first, **last = &first;
static char bytes[READ_SIZE];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		} else if (errno == EAGAIN) {
			struct pollfd full = {.fd = fd, .events = POLLOUT};

			poll(&full, 1, -1);
		} else if (errno != EINTR) {
			return; /* it is gone; its socket says so next */
		}
	}
}

static void lend(struct server *s, struct client *c)
{
	s->client = c;
	c->server = s;
}

/* Its transaction is over: the next client's turn. */
static void give_on(struct server *s)
{
	struct client *c = first;

	s->client->server = NULL;
	s->client = NULL;
	if (!c) {
		s->next = idle;
		idle = s;
		return;
	}
	first = c->next;
	if (!first)
		last = &first;
	lend(s, c);
	send_all(s->io.fd, c->parked, c->parked_len);
	free(c->parked);
	c->parked = NULL;
}

/* Is the end of what was received, with what came before, a ReadyForQuery that says idle? */
static int is_over(struct server *s, const char *p, size_t n)
{
	static const char ready[READY_SIZE] = {'Z', 0, 0, 0, 5, 'I'};

	if (n >= READY_SIZE) {
		memcpy(s->tail, p + n - READY_SIZE, READY_SIZE);
	} else {
		memmove(s->tail, s->tail + n, READY_SIZE - n);
		memcpy(s->tail + READY_SIZE - n, p, n);
	}
	return memcmp(s->tail, ready, READY_SIZE) == 0;
}

static void on_server(struct ev_loop *loop, ev_io *io, int events)
{
	struct server *s = (struct server *)io;
	ssize_t n = recv(io->fd, bytes, sizeof bytes, 0);

	(void)loop;
	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("the server hung up");
	if (!s->client)
		return; /* a notice */
	send_all(s->client->io.fd, bytes, (size_t)n);
	if (is_over(s, bytes, (size_t)n))
		give_on(s);
}

/* Everybody is let in. */
static void greet(struct client *c, size_t n)
{
	static const char welcome[] = "R\0\0\0\x08\0\0\0\0"
				      "S\0\0\0\x18"
				      "server_version\0"
				      "15.0\0"
				      "S\0\0\0\x19"
				      "client_encoding\0UTF8\0"
				      "S\0\0\0\x23"
				      "standard_conforming_strings\0on\0"
				      "K\0\0\0\x0c\0\0\0\1\0\0\0\1Z\0\0\0\5I";

	if (n == SSL_REQUEST_SIZE) {
		send_all(c->io.fd, "N", 1);
		return;
	}
	c->greeted = 1;
	send_all(c->io.fd, welcome, sizeof welcome - 1);
}

/* What it asks for waits until a connection is free. */
static void park(struct client *c, size_t n)
{
	char *more;

	if (!c->parked) {
		*last = c;
		last = &c->next;
		c->next = NULL;
		c->parked_len = 0;
	}
	more = realloc(c->parked, c->parked_len + n);
	if (!more)
		fail("realloc");
	memcpy(more + c->parked_len, bytes, n);
	c->parked = more;
	c->parked_len += n;
}

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct client *c = (struct client *)io;
	ssize_t n = recv(io->fd, bytes, sizeof bytes, 0);
	struct server *s;

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || (c->greeted && bytes[0] == 'X')) {
		if (c->server || c->parked)
			fail("a client left in the middle");
		ev_io_stop(loop, io);
		close(io->fd);
		free(c);
	} else if (!c->greeted) {
		greet(c, (size_t)n);
	} else if (c->server) {
		send_all(c->server->io.fd, bytes, (size_t)n);
	} else if (idle && !c->parked) {
		s = idle;
		idle = s->next;
		lend(s, c);
		send_all(s->io.fd, bytes, (size_t)n);
	} else {
		park(c, (size_t)n);
	}
}

static void on_connect(struct ev_loop *loop, ev_io *io, int events)
{
	struct client *c;
	int on = 1, fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	c = calloc(1, sizeof *c);
	if (!c)
		fail("calloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	ev_io_init(&c->io, on_client, fd, EV_READ);
	ev_io_start(loop, &c->io);
}

static void dial(struct ev_loop *loop, char **argv)
{
	const char *keys[] = {"host", "port", "user", "dbname", "sslmode", NULL};
	const char *values[] = {"127.0.0.1", argv[2], argv[4], argv[5], "disable", NULL};
	PGconn *conn = PQconnectdbParams(keys, values, 0);
	struct server *s = calloc(1, sizeof *s);

	if (!s || PQstatus(conn) != CONNECTION_OK || PQsetnonblocking(conn, 1) != 0) {
		fprintf(stderr, "floor: %s", PQerrorMessage(conn));
		exit(1);
	}
	ev_io_init(&s->io, on_server, PQsocket(conn), EV_READ);
	ev_io_start(loop, &s->io);
	s->next = idle;
	idle = s;
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
	struct sockaddr_in at = {.sin_family = AF_INET};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ev_io listening;

	if (argc != 6) {
		fprintf(stderr, "usage: floor PORT SERVER_PORT CONNECTIONS USER DATABASE\n");
		return 2;
	}
	at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, SOMAXCONN) != 0)
		fail("listen");
	for (unsigned long i = strtoul(argv[3], NULL, 10); i > 0; i--)
		dial(loop, argv);
	ev_io_init(&listening, on_connect, fd, EV_READ);
	ev_io_start(loop, &listening);
	printf("floor: listening on 127.0.0.1:%s\n", argv[1]);
	fflush(stdout);
	ev_run(loop, 0);
	return 0;
}
