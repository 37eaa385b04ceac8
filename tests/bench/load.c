/* SPDX-License-Identifier: ISC
 *
 * load: many clients of one pooler, in one thread, each with one statement at a time.
 *
 *     load PORT USER DATABASE CLIENTS SECONDS STATEMENT
 *
 * All log in first (no password is known here: the user must be trusted); then all begin at
 * once, and whoever has his answer asks again, until the time is over.  SECONDS 0: nobody
 * asks.  All stay until load's standard input ends.  Says when all are in:
 *
 *     ready
 *
 * and when the time is over, as one JSON object: transactions, seconds, bytes received, and how
 * long the answers took: p50_us, p99_us, max_us.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_SIZE = 256 * 1024, TIMES_MAX = 20 * 1000 * 1000 };

struct client {
	int fd;
	uint32_t left;	       /* of the message that is being read */
	unsigned char head[6]; /* header, and the first byte of the body */
	unsigned have;	       /* of head */
	bool in;	       /* logged in */
	int64_t asked;	       /* microseconds */
};

static struct client *clients;
static int n_clients, n_in, ep;
static char *query;
static size_t query_len;
static uint32_t *times;
static size_t n_times;
static uint64_t bytes;
static bool asking;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void say(const struct client *c, const char *p, size_t n)
{
	if (send(c->fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
}

static void ask(struct client *c)
{
	c->asked = now_us();
	say(c, query, query_len);
}

static void on_ready(struct client *c)
{
	if (!c->in) {
		c->in = true;
		n_in++;
		return;
	}
	if (n_times < TIMES_MAX)
		times[n_times++] = (uint32_t)(now_us() - c->asked);
	if (asking)
		ask(c);
}

/* Walks over messages: only their types matter. */
static void hear(struct client *c, const unsigned char *p, size_t n)
{
	while (n) {
		size_t take;

		if (c->left) {
			take = n < c->left ? n : c->left;
			c->left -= (uint32_t)take;
			p += take;
			n -= take;
			continue;
		}
		take = 5 - c->have < n ? 5 - c->have : n;
		memcpy(c->head + c->have, p, take);
		c->have += (unsigned)take;
		p += take;
		n -= take;
		if (c->have < 5)
			return;
		c->have = 0;
		c->left = ((uint32_t)c->head[1] << 24 | (uint32_t)c->head[2] << 16 |
				  (uint32_t)c->head[3] << 8 | c->head[4]) -
			  4;
		if (c->head[0] == 'E') {
			fprintf(stderr, "load: error: %.*s\n", (int)(n < c->left ? n : c->left),
				(const char *)p);
			exit(1);
		}
		if (c->head[0] == 'Z')
			on_ready(c);
	}
}

static void turn(int wait_ms)
{
	static unsigned char in[IN_SIZE];
	struct epoll_event got[256];
	int n = epoll_wait(ep, got, 256, wait_ms);

	for (int i = 0; i < n; i++) {
		struct client *c = got[i].data.ptr;
		ssize_t k = recv(c->fd, in, sizeof in, MSG_DONTWAIT);

		if (k < 0 && errno == EAGAIN)
			continue;
		if (k <= 0)
			die("a connection was closed");
		bytes += (uint64_t)k;
		hear(c, in, (size_t)k);
	}
}

static void open_client(struct client *c, int port, const char *user, const char *database)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	char packet[256] = {0};
	int one = 1, n = 8;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof at) != 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	packet[5] = 3;
	n += snprintf(packet + n, 100, "user%c%s%cdatabase%c%s", 0, user, 0, 0, database) + 2;
	packet[3] = (char)n;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll");
	packet[4] = 0;
	say(c, packet, (size_t)n);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t quantile(double q)
{
	return n_times ? times[(size_t)((double)(n_times - 1) * q)] : 0;
}

static void stay(void)
{
	char c;

	while (read(0, &c, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	struct rlimit most;
	int64_t begun, end;
	double seconds;
	uint32_t len;

	if (argc != 7) {
		fprintf(stderr, "usage: load PORT USER DATABASE CLIENTS SECONDS STATEMENT\n");
		return 2;
	}
	n_clients = (int)strtol(argv[4], NULL, 10);
	seconds = strtod(argv[5], NULL);
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	clients = calloc((size_t)n_clients, sizeof *clients);
	times = malloc(TIMES_MAX * sizeof *times);
	query_len = strlen(argv[6]) + 6;
	query = malloc(query_len);
	if (!clients || !times || !query)
		die("memory");
	query[0] = 'Q';
	len = htonl((uint32_t)query_len - 1);
	memcpy(query + 1, &len, 4);
	memcpy(query + 5, argv[6], query_len - 5);
	ep = epoll_create1(0);
	for (int i = 0; i < n_clients; i++) {
		open_client(&clients[i], (int)strtol(argv[1], NULL, 10), argv[2], argv[3]);
		while (n_in < i - 64) /* no more at once than a listen queue holds */
			turn(-1);
	}
	while (n_in < n_clients)
		turn(-1);
	printf("ready\n");
	fflush(stdout);
	if (seconds <= 0) {
		stay();
		return 0;
	}
	bytes = 0;
	asking = true;
	begun = now_us();
	end = begun + (int64_t)(seconds * 1e6);
	for (int i = 0; i < n_clients; i++)
		ask(&clients[i]);
	while (now_us() < end)
		turn(100);
	end = now_us();
	qsort(times, n_times, sizeof *times, by_size);
	printf("{\"transactions\": %zu, \"seconds\": %.6f, \"bytes\": %llu, \"p50_us\": %u, "
	       "\"p99_us\": %u, \"max_us\": %u}\n",
		n_times, (double)(end - begun) / 1e6, (unsigned long long)bytes, quantile(0.5),
		quantile(0.99), quantile(1));
	fflush(stdout);
	stay();
	return 0;
}
