/* SPDX-License-Identifier: ISC
 *
 * logins: logs in and out again, at a pace.
 *
 *     logins PORT USER PASSWORD DATABASE PER_MINUTE SECONDS
 *
 * Each login is a connection of its own: startup packet, SCRAM-SHA-256, the wait for
 * ReadyForQuery, Terminate.  The salted password is derived once, as a driver does that keeps it
 * (it costs milliseconds, which on a real site are another machine's), so what is left is the
 * server's side.  Logins begin at their time whether earlier ones are through or not.
 *
 * Says at the end, as one JSON object: logins, failed, and how long they took: p50_us, p99_us.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEY = 32, MESSAGE_MAX = 8192, FIRST = 0, CHALLENGE, FINAL, READY };

struct login {
	int fd, stage;
	int64_t begun;
	size_t have;
	char in[MESSAGE_MAX];
	char bare[64]; /* client-first-message-bare */
};

static const char *user, *password, *database;
static struct sockaddr_in address;
static int ep;
static unsigned under_way, failed;
static uint32_t *times;
static size_t n_times;
static unsigned char client_key[KEY], stored_key[KEY];
static bool has_keys;

static void die(const char *what)
{
	fprintf(stderr, "logins: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void say(const struct login *l, char type, const char *body, size_t n)
{
	char out[1024];
	uint32_t len = htonl((uint32_t)n + 4);
	size_t at = 0;

	if (type)
		out[at++] = type;
	memcpy(out + at, &len, 4);
	memcpy(out + at + 4, body, n);
	if (send(l->fd, out, at + 4 + n, MSG_NOSIGNAL) < 0)
		die("send");
}

static void login_end(struct login *l, bool ok)
{
	if (ok) {
		say(l, 'X', "", 0);
		times[n_times++] = (uint32_t)(now_us() - l->begun);
	} else {
		failed++;
	}
	close(l->fd);
	free(l);
	under_way--;
}

static void login_begin(void)
{
	struct login *l = calloc(1, sizeof *l);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
	char body[256];
	int n;

	if (!l)
		die("memory");
	l->begun = now_us();
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("connect");
	if (epoll_ctl(ep, EPOLL_CTL_ADD, l->fd, &ev) < 0)
		die("epoll_ctl");
	under_way++;
	memcpy(body, "\0\3\0\0", 4);
	n = snprintf(body + 4, sizeof body - 4, "user%c%s%cdatabase%c%s%c", 0, user, 0, 0, database,
		0);
	say(l, '\0', body, (size_t)n + 5);
}

static void hmac(const unsigned char *key, const char *text, size_t n, unsigned char *out)
{
	if (!HMAC(EVP_sha256(), key, KEY, (const unsigned char *)text, n, out, NULL))
		die("HMAC");
}

static void derive(const char *salt64, int salt_len, int iterations)
{
	unsigned char salt[64], salted[KEY];
	int n = EVP_DecodeBlock(salt, (const unsigned char *)salt64, salt_len);

	for (int i = salt_len; i > 0 && salt64[i - 1] == '='; i--)
		n--;
	if (n <= 0 ||
		!PKCS5_PBKDF2_HMAC(password, -1, salt, n, iterations, EVP_sha256(), KEY, salted))
		die("salt");
	hmac(salted, "Client Key", 10, client_key);
	SHA256(client_key, KEY, stored_key);
	has_keys = true;
}

static void say_first(struct login *l)
{
	static unsigned number;
	char body[128];
	int n, len;
	uint32_t size;

	snprintf(l->bare, sizeof l->bare, "n=,r=nonce%08x", ++number);
	n = snprintf(body, sizeof body, "SCRAM-SHA-256");
	len = snprintf(body + n + 5, sizeof body - (size_t)n - 5, "n,,%s", l->bare);
	size = htonl((uint32_t)len);
	memcpy(body + n + 1, &size, 4);
	say(l, 'p', body, (size_t)(n + 5 + len));
}

/* The answer to "r=…,s=…,i=…". */
static void say_proof(struct login *l, const char *text, int len)
{
	char auth[1024], final[512], proof64[48];
	unsigned char signature[KEY], proof[KEY];
	const char *salt = memmem(text, (size_t)len, ",s=", 3);
	const char *count = salt ? memmem(salt, (size_t)(text + len - salt), ",i=", 3) : NULL;
	int n;

	if (!count)
		die("challenge");
	if (!has_keys)
		derive(salt + 3, (int)(count - salt) - 3, (int)strtol(count + 3, NULL, 10));
	n = snprintf(final, sizeof final, "c=biws,%.*s", (int)(salt - text), text);
	snprintf(auth, sizeof auth, "%s,%.*s,%s", l->bare, len, text, final);
	hmac(stored_key, auth, strlen(auth), signature);
	for (int i = 0; i < KEY; i++)
		proof[i] = client_key[i] ^ signature[i];
	EVP_EncodeBlock((unsigned char *)proof64, proof, KEY);
	n += snprintf(final + n, sizeof final - (size_t)n, ",p=%s", proof64);
	say(l, 'p', final, (size_t)n);
}

/* true: the login is over */
static bool hear_message(struct login *l, char type, const char *body, uint32_t len)
{
	uint32_t code;

	if (type == 'E' || type == 'Z') {
		login_end(l, type == 'Z');
		return true;
	}
	if (type != 'R' || len < 4)
		return false;
	memcpy(&code, body, 4);
	code = ntohl(code);
	if (code == 10)
		say_first(l);
	else if (code == 11)
		say_proof(l, body + 4, (int)len - 4);
	else if (code != 12 && code != 0)
		die("another method than SCRAM-SHA-256");
	return false;
}

static void hear(struct login *l)
{
	ssize_t k = recv(l->fd, l->in + l->have, sizeof l->in - l->have, MSG_DONTWAIT);
	uint32_t len;

	if (k < 0 && errno == EAGAIN)
		return;
	if (k <= 0) {
		login_end(l, false);
		return;
	}
	l->have += (size_t)k;
	while (l->have >= 5) {
		memcpy(&len, l->in + 1, 4);
		len = ntohl(len);
		if (len < 4 || len + 1 > sizeof l->in)
			die("message");
		if (l->have < len + 1)
			return;
		if (hear_message(l, l->in[0], l->in + 5, len - 4))
			return;
		l->have -= len + 1;
		memmove(l->in, l->in + len + 1, l->have);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int64_t begun, due, every, end;

	if (argc != 7) {
		fprintf(stderr, "usage: logins PORT USER PASSWORD DATABASE PER_MINUTE SECONDS\n");
		return 2;
	}
	address = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	user = argv[2];
	password = argv[3];
	database = argv[4];
	every = 60000000 / strtol(argv[5], NULL, 10);
	begun = due = now_us();
	end = begun + (int64_t)(strtod(argv[6], NULL) * 1e6);
	times = calloc((size_t)((end - begun) / every) + 2, sizeof *times);
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0 || !times)
		die("epoll_create1");
	while (due < end || under_way) {
		struct epoll_event got[64];
		int64_t wait = due < end ? due - now_us() : 100000;
		int n;

		if (wait <= 0) {
			login_begin();
			due += every;
			continue;
		}
		n = epoll_wait(ep, got, 64, (int)((wait + 999) / 1000));
		for (int i = 0; i < n; i++)
			hear(got[i].data.ptr);
	}
	qsort(times, n_times, sizeof *times, by_size);
	printf("{\"logins\": %zu, \"failed\": %u, \"p50_us\": %u, \"p99_us\": %u}\n", n_times,
		failed, n_times ? times[n_times / 2] : 0, n_times ? times[n_times * 99 / 100] : 0);
	return failed || !n_times;
}
