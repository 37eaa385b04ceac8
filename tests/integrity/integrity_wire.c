/* SPDX-License-Identifier: ISC
 *
 * integrity_wire: the raw protocol of a client, and what its answers are worth.
 */
#include "integrity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

atomic_long violations, connects, answers;

uint64_t draw(struct client *c)
{
	c->rng ^= c->rng << 13;
	c->rng ^= c->rng >> 7;
	c->rng ^= c->rng << 17;
	return c->rng;
}

unsigned below(struct client *c, unsigned n)
{
	return (unsigned)((draw(c) >> 11) % n);
}

void violation(struct client *c, const char *format, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	atomic_fetch_add(&violations, 1);
	fprintf(stderr, "VIOLATION client %d session %u action %u (%s): %s\n", c->id, c->session,
		c->action, c->doing, text);
}

void pause_us(unsigned us)
{
	struct timespec t = {us / 1000000, (long)(us % 1000000) * 1000};

	nanosleep(&t, NULL);
}

/* --- building ------------------------------------------------------------------ */

void put(struct buf *b, const void *data, size_t len)
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

void put32(struct buf *b, uint32_t v)
{
	v = htonl(v);
	put(b, &v, 4);
}

void put16(struct buf *b, uint16_t v)
{
	v = htons(v);
	put(b, &v, 2);
}

void put_text(struct buf *b, const char *s)
{
	put(b, s, strlen(s) + 1);
}

/* Open a message; msg_end() writes its length. */
size_t msg_begin(struct buf *b, char kind)
{
	put(b, &kind, 1);
	put32(b, 0);
	return b->len - 4;
}

void msg_end(struct buf *b, size_t at)
{
	uint32_t len = htonl((uint32_t)(b->len - at));

	memcpy(b->at + at, &len, 4);
}

void put_query(struct buf *b, const char *format, ...)
{
	char sql[1024];
	va_list ap;
	size_t m;

	va_start(ap, format);
	vsnprintf(sql, sizeof(sql), format, ap);
	va_end(ap);
	m = msg_begin(b, 'Q');
	put_text(b, sql);
	msg_end(b, m);
}

void put_parse(struct buf *b, const char *name, const char *sql)
{
	size_t m = msg_begin(b, 'P');

	put_text(b, name);
	put_text(b, sql);
	put16(b, 0);
	msg_end(b, m);
}

/* Bind up to two text parameters to a statement, then Describe (maybe) and Execute. */
void put_execute(struct buf *b, const char *name, const char *p1, const char *p2, bool described)
{
	const char *values[] = {p1, p2};
	size_t m = msg_begin(b, 'B');
	uint16_t count = (uint16_t)((p1 != NULL) + (p2 != NULL));

	put_text(b, "");
	put_text(b, name);
	put16(b, 0);
	put16(b, count);
	for (int i = 0; i < count; i++) {
		put32(b, (uint32_t)strlen(values[i]));
		put(b, values[i], strlen(values[i]));
	}
	put16(b, 0);
	msg_end(b, m);
	if (described) {
		m = msg_begin(b, 'D');
		put(b, "P", 1);
		put_text(b, "");
		msg_end(b, m);
	}
	m = msg_begin(b, 'E');
	put_text(b, "");
	put32(b, 0);
	msg_end(b, m);
}

void put_empty(struct buf *b, char kind)
{
	msg_end(b, msg_begin(b, kind));
}

/* --- sending and receiving ----------------------------------------------------- */

int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Send what was built; sometimes in pieces, so that messages arrive cut. */
int flush_out(struct client *c)
{
	size_t done = 0;
	int status = 0;

	while (status == 0 && done < c->out.len) {
		size_t part = c->out.len - done;

		if (below(c, 4) == 0)
			part = 1 + below(c, (unsigned)part);
		status = send_all(c->fd, c->out.at + done, part);
		done += part;
		if (done < c->out.len && below(c, 3) == 0)
			pause_us(below(c, 300));
	}
	c->out.len = 0;
	return status;
}

/* The next message; -1 when the connection ended or nothing comes any more. */
int next_msg(struct client *c, struct msg *m)
{
	for (;;) {
		const char *p = c->in.at + c->in_done;
		size_t have = c->in.len - c->in_done;
		uint32_t len;
		char block[16384];
		struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
		ssize_t n;

		if (have >= 5) {
			memcpy(&len, p + 1, 4);
			len = ntohl(len);
			if (len < 4 || len > 1 << 24) {
				violation(c, "no message: type %d, length %u", p[0], len);
				return -1;
			}
			if (have >= len + 1) {
				*m = (struct msg){p[0], p + 5, len - 4};
				c->in_done += len + 1;
				return 0;
			}
		}
		if (c->in_done > 0) {
			memmove(c->in.at, p, have);
			c->in.len = have;
			c->in_done = 0;
		}
		if (poll(&pfd, 1, opt.patience_ms) == 0) {
			violation(c, "no answer within %d ms", opt.patience_ms);
			return -1;
		}
		n = recv(c->fd, block, sizeof(block), 0);
		if (n <= 0)
			return -1;
		put(&c->in, block, (size_t)n);
	}
}

static const char *field(const struct msg *m, char which)
{
	const char *p = m->body, *end = p + m->len;

	while (p < end && *p) {
		if (*p == which)
			return p + 1;
		p += strnlen(p, (size_t)(end - p)) + 1;
	}
	return "";
}

void leave(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->in.len = c->in_done = c->out.len = 0;
}

int enter(struct client *c)
{
	struct msg m;
	uint32_t len;

	leave(c);
	c->session++;
	c->cancelled = false;
	c->fd = dial();
	if (c->fd < 0)
		return -1;
	snprintf(c->name, sizeof(c->name), "n%d-%u", c->id, c->session);
	put32(&c->out, 0);
	put32(&c->out, 196608);
	put_text(&c->out, "user");
	put_text(&c->out, opt.user);
	put_text(&c->out, "database");
	put_text(&c->out, opt.database);
	put_text(&c->out, "application_name");
	put_text(&c->out, c->name);
	put(&c->out, "", 1);
	len = htonl((uint32_t)c->out.len);
	memcpy(c->out.at, &len, 4);
	if (flush_out(c) != 0)
		return -1;
	while (next_msg(c, &m) == 0) {
		if (m.kind == 'K' && m.len == 8) {
			memcpy(&c->pid, m.body, 4);
			memcpy(&c->key, m.body + 4, 4);
		} else if (m.kind == 'Z') {
			atomic_fetch_add(&connects, 1);
			c->status = m.body[0];
			if (c->status != 'I')
				violation(c, "a new session begins in status %c", c->status);
			return 0;
		} else if (m.kind == 'E') {
			return -1;
		}
	}
	return -1;
}

/* --- judging what comes back ---------------------------------------------------- */

static bool begins_with(const char *p, size_t len, const char *tag)
{
	size_t n = strlen(tag);

	return len >= n && memcmp(p, tag, n) == 0;
}

void judge_row(struct client *c, const struct msg *m, const struct step *s)
{
	uint32_t len;

	if (m->len < 6) {
		violation(c, "a row of %zu bytes", m->len);
		return;
	}
	memcpy(&len, m->body + 2, 4);
	len = ntohl(len);
	if (len > m->len - 6 || !begins_with(m->body + 6, len, s->tag))
		violation(c, "row says '%.*s', expected '%s'",
			(int)(len > 40 || len > m->len - 6 ? 40 : len), m->body + 6, s->tag);
}

/* What an error means: 1 the one that was due, 0 the end of the connection. */
static int judge_error(struct client *c, const struct msg *m, const struct step *s)
{
	const char *code = field(m, 'C'), *severity = field(m, 'S'), *text = field(m, 'M');

	if (s && s->fails && strcmp(code, "22P02") == 0) {
		if (!strstr(text, s->tag))
			violation(c, "error says '%s', expected '%s'", text, s->tag);
		return 1;
	}
	if (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)
		return 0;
	if (strcmp(code, "57014") == 0) {
		if (!c->cancelled)
			violation(c, "cancelled by somebody else");
		c->cut = true;
		return 1;
	}
	if (c->cut && strcmp(severity, "ERROR") == 0)
		return 1; /* what the cancelled statement should have made is not there */
	violation(c, "error %s %s", code, text);
	return 1;
}

/* Read the answers to steps, up to each Sync; -1 when the connection ended. */
int judge(struct client *c, const struct step *steps, int count)
{
	int at = 0, group = 0, end;
	long rows = 0;
	struct msg m;

	while (group < count) {
		bool failed = false;

		for (end = group; !steps[end].last; end++)
			;
		for (at = group;;) {
			const struct step *s = at <= end ? &steps[at] : NULL;

			if (next_msg(c, &m) != 0)
				return -1;
			if (m.kind == 'Z')
				break;
			if (!s && strchr("TDCIdG", m.kind))
				violation(c, "an answer too many: %c", m.kind);
			else if (m.kind == 'D' || m.kind == 'd')
				rows++;
			if (s && m.kind == 'D')
				judge_row(c, &m, s);
			else if (s && m.kind == 'd' && !begins_with(m.body, m.len, s->tag))
				violation(c, "COPY says '%.*s', expected '%s'",
					(int)(m.len < 40 ? m.len : 40), m.body, s->tag);
			else if (s && m.kind == 'T' && s->named_cols &&
				 (m.len < 3 || strcmp(m.body + 2, s->tag) != 0))
				violation(c, "column is called '%s', expected '%s'",
					m.len < 3 ? "" : m.body + 2, s->tag);
			else if (m.kind == 'N' && strncmp(field(&m, 'M'), "n", 1) == 0 &&
				 !strstr(field(&m, 'M'), c->name))
				violation(c, "notice says '%s'", field(&m, 'M'));
			else if (m.kind == 'S' && strcmp(m.body, "application_name") == 0 &&
				 !strstr(m.body + 17, c->name))
				violation(c, "application_name is '%s'", m.body + 17);
			else if (m.kind == 'E') {
				if (judge_error(c, &m, s) == 0)
					return -1;
				failed = true;
			} else if (s && (m.kind == 'C' || m.kind == 'I')) {
				if (s->fails)
					violation(c, "no error although one was due");
				if (s->rows >= 0 && rows != s->rows)
					violation(c, "%ld rows, expected %ld", rows, s->rows);
				atomic_fetch_add(&answers, 1);
				rows = 0;
				at++;
			}
		}
		c->status = m.body[0];
		if (!failed && at != end + 1)
			violation(c, "ReadyForQuery after %d of %d answers", at - group,
				end + 1 - group);
		rows = 0;
		group = end + 1;
	}
	return 0;
}
