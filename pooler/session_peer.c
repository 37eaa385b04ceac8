/* SPDX-License-Identifier: ISC
 *
 * Several processes behind one address ([peers]).  A cancel request comes on a connection
 * of its own and may reach another process than the client's; so each key says whose it
 * is, and who gets a request for somebody else's passes it on.
 *
 * The eight bytes of a key, alone (peer_id = 0):
 *
 *   number (32 bits)  who: relay and slot, see session_client.c; plus NO_PROCESS
 *   secret (32 bits)
 *
 * and among peers, PgBouncer's layout since 1.21, so that both may be peers of each other:
 *
 *   byte 0   number, bits 8 to 15       byte 4   number, bits 16 to 19; secret, 4 bits
 *   byte 1,2 peer_id, low byte first    byte 5,6 secret, 16 bits
 *   byte 3   number, bits 0 to 7        byte 7   secret, 6 bits; how often it may be
 *                                                passed on, 2 bits
 *
 * Passing on is what PQcancel does: connect, send sixteen bytes, wait for the other end to
 * close.  It runs on a helper thread and ends within cancel_wait_timeout.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CANCEL_REQUEST_CODE 80877102u
#define NUMBER_MAX	    0xFFFFFu
#define SECRET_MASK	    0x3FFFFFFu
#define HOPS		    3u
/* Requests that wait to be passed on; anybody can send them, and each keeps a descriptor. */
#define FORWARDS_MAX 256

/* --- keys ------------------------------------------------------------------------- */

/* Linux gives no process such a number or a higher one (PID_MAX_LIMIT), so that a client that calls
 * pg_terminate_backend() with the number that we gave it ends nobody else's session. */
#define NO_PROCESS (4U << 20)

static void put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void cancel_key_pack(uint8_t key[8], int peer, uint32_t number, uint32_t secret)
{
	if (peer == 0) {
		put_u32(key, number + NO_PROCESS);
		put_u32(key + 4, secret);
		return;
	}
	if (number > NUMBER_MAX)
		number = 0; /* nobody's: this client's requests will find nothing */
	key[0] = (uint8_t)(number >> 8);
	key[1] = (uint8_t)peer;
	key[2] = (uint8_t)(peer >> 8);
	key[3] = (uint8_t)number;
	put_u32(key + 4, (number >> 16) << 28 | (secret & SECRET_MASK) << 2 | HOPS);
}

void cancel_key_unpack(const uint8_t key[8], bool among_peers, struct cancel_key *k)
{
	uint32_t low = get_u32(key + 4);

	if (!among_peers) {
		*k = (struct cancel_key){.number = get_u32(key) - NO_PROCESS, .secret = low};
		return;
	}
	k->peer = key[1] | key[2] << 8;
	k->number = (uint32_t)key[0] << 8 | key[3] | (low >> 28) << 16;
	k->secret = low >> 2 & SECRET_MASK;
	k->hops = low & HOPS;
}

uint32_t cancel_key_pid(uint32_t number, uint32_t secret)
{
	uint8_t key[8];

	cancel_key_pack(key, hub.peer_id, number, secret);
	return get_u32(key);
}

void cancel_key_put(struct buf *b, uint32_t number, uint32_t secret)
{
	uint8_t key[8];

	cancel_key_pack(key, hub.peer_id, number, secret);
	wire_put_key(b, get_u32(key), get_u32(key + 4));
}

uint32_t cancel_secret(void)
{
	/* of each thread: the kernel is asked once for as many as it gives without a break */
	static _Thread_local uint32_t stock[256 / sizeof(uint32_t)];
	static _Thread_local size_t left;
	uint32_t secret;

	if (left == 0) {
		if (getrandom(stock, sizeof stock, 0) != (ssize_t)sizeof stock)
			log_die(LOG_PART_SESSION, "no random bytes for a cancel key");
		left = ARRAY_LEN(stock);
	}
	secret = stock[--left];
	stock[left] = 0;
	return hub.peer_id ? secret & SECRET_MASK : secret;
}

/* --- passing on --------------------------------------------------------------------- */

struct forward {
	struct job job;
	struct conn asker; /* closed when the peer has closed, as PostgreSQL does */
	int peer;
	char *host, port[8];
	usec_t timeout;
	uint8_t packet[16];
};

/* Sends the request over a socket that is not connected yet; closes the socket. */
static const char *send_request(const struct forward *f, int fd, const struct sockaddr *addr,
	socklen_t len, usec_t deadline)
{
	const char *error = NULL;
	int refused = 0;
	socklen_t size = sizeof refused;
	char rest[64];

	if (connect(fd, addr, len) != 0 && errno != EINPROGRESS && errno != EAGAIN)
		error = strerror(errno);
	else if (!conn_wait(fd, POLLOUT, deadline))
		error = "no answer in time";
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &refused, &size) != 0 || refused)
		error = strerror(refused ? refused : errno);
	else if (send(fd, f->packet, sizeof f->packet, MSG_NOSIGNAL) != (ssize_t)sizeof f->packet)
		error = "cannot send";
	while (!error && conn_wait(fd, POLLIN, deadline))
		if (recv(fd, rest, sizeof rest, MSG_DONTWAIT) <= 0)
			break;
	close(fd);
	return error;
}

static const char *forward_unix(const struct forward *f, usec_t deadline)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int n = snprintf(sun.sun_path, sizeof sun.sun_path, "%s/.s.PGSQL.%s", f->host, f->port);
	int fd;

	if (n < 0 || (size_t)n >= sizeof sun.sun_path)
		return "the path is too long for a unix socket";
	if (sun.sun_path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return strerror(errno);
	return send_request(f, fd, (const struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n), deadline);
}

static const char *forward_tcp(const struct forward *f, usec_t deadline)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *a;
	const char *error = "no address";
	int rc = getaddrinfo(f->host, f->port, &hints, &found);

	if (rc != 0)
		return gai_strerror(rc);
	for (a = found; a && error; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		error = fd < 0 ? strerror(errno)
			       : send_request(f, fd, a->ai_addr, a->ai_addrlen, deadline);
	}
	freeaddrinfo(found);
	return error;
}

static void work(struct job *j)
{
	struct forward *f = CONTAINER_OF(j, struct forward, job);
	usec_t deadline = clock_mono() + f->timeout;
	bool is_path = f->host[0] == '/' || f->host[0] == '@';
	const char *error = is_path ? forward_unix(f, deadline) : forward_tcp(f, deadline);

	if (error)
		log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING,
			"cannot pass a cancel request on to peer %d at %s:%s: %s", f->peer, f->host,
			f->port, error);
	else
		log_line(LOG_PART_SESSION, LOG_LEVEL_DEBUG, "passed a cancel request on to peer %d",
			f->peer);
	conn_close(&f->asker);
	mem_wipe(f->packet, sizeof f->packet);
	free(f->host);
	free(f);
}

void peer_forward(struct conn *asker, const uint8_t key[8])
{
	struct cancel_key k;
	const struct conf_peer *peer;
	struct forward *f;

	cancel_key_unpack(key, true, &k);
	peer = conf_peer_find(hub.conf, k.peer);
	if (k.hops == 0 || !peer || helpers_queued(&hub.forwarders) >= FORWARDS_MAX) {
		log_line(LOG_PART_SESSION, LOG_LEVEL_INFO,
			!peer	      ? "dropped a cancel request: there is no peer %d"
			: k.hops == 0 ? "dropped a cancel request for peer %d: it went round in a "
					"circle"
				      : "dropped a cancel request for peer %d: too many wait for "
					"peers that do not answer",
			k.peer);
		conn_close(asker);
		return;
	}
	f = mem_zalloc(sizeof *f);
	f->asker = *asker;
	asker->fd = -1;
	asker->ssl = NULL;
	f->peer = k.peer;
	f->host = mem_strdup(peer->host);
	snprintf(f->port, sizeof f->port, "%d", peer->port);
	f->timeout = hub.conf->p.cancel_wait_timeout;
	if (!f->timeout)
		f->timeout = 10 * USEC_SEC;
	put_u32(f->packet, sizeof f->packet);
	put_u32(f->packet + 4, CANCEL_REQUEST_CODE);
	memcpy(f->packet + 8, key, 8);
	f->packet[15]--; /* the hops are its lowest bits */
	f->job.work = work;
	helpers_submit(&hub.forwarders, &f->job);
}
