/* SPDX-License-Identifier: ISC
 *
 * The TLS half of struct conn.  OpenSSL's error queue is a per-thread heap of history: it is
 * cleared before each call, so that SSL_get_error() speaks of this call only.  SIGPIPE is
 * ignored by the process (main.c), as OpenSSL's socket BIO writes with write().
 */
#include "net.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

static int ssl_len(size_t n)
{
	return n > INT_MAX ? INT_MAX : (int)n;
}

/* What a failed call means for the caller; ret is SSL_read()'s or SSL_write()'s answer. */
static ssize_t ssl_verdict(SSL *ssl, int ret)
{
	switch (SSL_get_error(ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return CONN_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return CONN_EOF;
	default: /* a stream cut without close_notify is an error too: it may be an attack */
		return CONN_ERROR;
	}
}

ssize_t conn_tls_recv(struct conn *c, void *p, size_t n)
{
	int got;

	ERR_clear_error();
	got = SSL_read(c->ssl, p, ssl_len(n));
	return got > 0 ? got : ssl_verdict(c->ssl, got);
}

ssize_t conn_tls_send(struct conn *c, const void *p, size_t n)
{
	int took;
	ssize_t verdict;

	ERR_clear_error();
	took = SSL_write(c->ssl, p, ssl_len(n));
	if (took > 0)
		return took;
	verdict = ssl_verdict(c->ssl, took);
	return verdict == CONN_EOF ? CONN_ERROR : verdict;
}

bool conn_has_pending(const struct conn *c)
{
	return c->ssl && SSL_has_pending(c->ssl);
}

bool conn_wants_write(const struct conn *c)
{
	return c->ssl && SSL_want_write((SSL *)c->ssl);
}

void conn_adopt_tls(struct conn *c)
{
	if (!c->ssl)
		return;
	SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
				     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_read_ahead(c->ssl, 1);
}

void conn_tls_text(const struct conn *c, char *out, size_t size)
{
	if (c->ssl)
		snprintf(out, size, "%s/%s", SSL_get_version(c->ssl), SSL_get_cipher_name(c->ssl));
	else if (size)
		out[0] = '\0';
}

/* close_notify, best effort: one try, and only where OpenSSL allows it. */
static void say_goodbye(SSL *ssl)
{
	ERR_clear_error();
	if (SSL_is_init_finished(ssl) && !(SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN))
		SSL_shutdown(ssl);
	ERR_clear_error();
}

void conn_finish(struct conn *c)
{
	if (c->ssl)
		say_goodbye(c->ssl);
	if (c->fd >= 0)
		shutdown(c->fd, SHUT_WR);
}

bool conn_wait(int fd, short events, usec_t deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};
	usec_t now = clock_mono(), left;
	int n = 0;

	while (n == 0 || (n < 0 && errno == EINTR)) {
		if (now >= deadline)
			return false;
		left = (deadline - now) / USEC_MSEC + 1;
		n = poll(&pfd, 1, left < INT_MAX ? (int)left : INT_MAX);
		now = clock_mono();
	}
	return n > 0;
}

void conn_close(struct conn *c)
{
	if (c->ssl) {
		say_goodbye(c->ssl);
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
