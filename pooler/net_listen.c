/* SPDX-License-Identifier: ISC
 *
 * Listening sockets.  All or nothing: when one address cannot be had, those already opened
 * are closed again and the reason is told.
 *
 * A unix socket that a dead process left behind is removed; one that somebody still answers
 * on is an error.  Sockets inherited from systemd (LISTEN_FDS) replace those the settings name.
 */
#include "net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static void listeners_add(struct net_listeners *l, int fd, const struct net_addr *local, char *name,
	char *path)
{
	l->items = mem_realloc(l->items, (l->count + 1) * sizeof *l->items);
	l->items[l->count++] =
		(struct net_listener){.fd = fd, .local = *local, .name = name, .path = path};
}

/* Adds a bound socket.  Takes `path`, which may be NULL. */
static void keep_bound(struct net_listeners *l, int fd, const struct net_listen_options *o,
	char *path, const struct sockaddr *sa)
{
	struct net_addr local;
	char text[NET_ADDR_TEXT];

	net_addr_set(&local, sa, -1, o->port);
	net_addr_text(&local, text, sizeof text);
	listeners_add(l, fd, &local, mem_strdup(path ? path : text), path);
}

/* Only when all are bound does any of them let somebody in. */
static bool listen_all(struct net_listeners *l, const struct net_listen_options *o, struct buf *err)
{
	for (size_t i = 0; i < l->count; i++)
		if (listen(l->items[i].fd, o->backlog > 0 ? o->backlog : 128) < 0) {
			buf_printf(err, "cannot listen on %s: %s", l->items[i].name,
				strerror(errno));
			return false;
		}
	return true;
}

static bool listen_tcp_one(struct net_listeners *l, const struct addrinfo *ai,
	const struct net_listen_options *o, struct buf *err)
{
	int on = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct net_addr local;
	char text[NET_ADDR_TEXT];

	net_addr_set(&local, ai->ai_addr, -1, 0);
	net_addr_text(&local, text, sizeof text);
	if (fd < 0) {
		buf_printf(err, "cannot open a socket for %s: %s", text, strerror(errno));
		return false;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (ai->ai_family == AF_INET6) /* "*" opens v4 and v6 each on a socket of its own */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (o->reuseport)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (o->defer_accept > 0)
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &o->defer_accept,
			sizeof o->defer_accept);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		buf_printf(err, "cannot bind %s: %s", text, strerror(errno));
		close(fd);
		return false;
	}
	keep_bound(l, fd, o, NULL, ai->ai_addr);
	return true;
}

/* One entry of the list: a name, a number or "*". */
static bool listen_tcp(struct net_listeners *l, const char *host,
	const struct net_listen_options *o, struct buf *err)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *all, *ai;
	bool any = strcmp(host, "*") == 0, ok = true;
	size_t before = l->count;
	char port[8];
	int rc;

	snprintf(port, sizeof port, "%u", o->port);
	rc = getaddrinfo(any ? NULL : host, port, &hints, &all);
	if (rc != 0) {
		buf_printf(err, "listen_addr: cannot resolve \"%s\": %s", host, gai_strerror(rc));
		return false;
	}
	for (ai = all; ai && ok; ai = ai->ai_next) {
		struct buf why = {0};
		ok = listen_tcp_one(l, ai, o, &why);
		/* "*" on a machine without v6 (or v4): the other one will do. */
		if (!ok && any && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
			ok = true;
		else if (!ok)
			buf_put(err, why.data, why.len);
		buf_free(&why);
	}
	freeaddrinfo(all);
	if (ok && l->count == before) {
		buf_printf(err, "listen_addr: nothing to listen on for \"%s\"", host);
		ok = false;
	}
	return ok;
}

static bool listen_tcp_list(struct net_listeners *l, const struct net_listen_options *o,
	struct buf *err)
{
	char *list = mem_strdup(o->addresses), *rest = list, *host;
	bool ok = true;

	while (ok && (host = strsep(&rest, ",")) != NULL) {
		host += strspn(host, " \t");
		host[strcspn(host, " \t")] = '\0';
		if (*host)
			ok = listen_tcp(l, host, o, err);
	}
	free(list);
	return ok;
}

/* Does anybody answer on that path? */
static bool unix_is_alive(const struct sockaddr_un *sun, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return true;
	/* EAGAIN: somebody listens, with a full backlog. */
	alive = connect(fd, (const struct sockaddr *)sun, len) == 0 || errno == EAGAIN ||
		errno == EACCES;
	close(fd);
	return alive;
}

static bool unix_permit(const char *path, const struct net_listen_options *o, struct buf *err)
{
	if (o->unix_group && o->unix_group[0]) {
		struct group *gr = getgrnam(o->unix_group); /* before the threads start */
		if (!gr || chown(path, (uid_t)-1, gr->gr_gid) < 0) {
			buf_printf(err, "unix_socket_group: cannot give \"%s\" to group \"%s\": %s",
				path, o->unix_group, gr ? strerror(errno) : "no such group");
			return false;
		}
	}
	if (chmod(path, (mode_t)(o->unix_mode & 07777)) < 0) {
		buf_printf(err, "unix_socket_mode: cannot set the mode of \"%s\": %s", path,
			strerror(errno));
		return false;
	}
	return true;
}

static bool listen_unix(struct net_listeners *l, const struct net_listen_options *o,
	struct buf *err)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	bool abstract = o->unix_dir[0] == '@';
	char *path = mem_printf("%s/.s.PGSQL.%u", o->unix_dir, o->port);
	size_t n = strlen(path);
	socklen_t len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
	int fd = -1;

	if (n >= sizeof sun.sun_path) {
		buf_printf(err,
			"unix_socket_dir: \"%s\" is longer than the %zu bytes a unix socket may "
			"have",
			path, sizeof sun.sun_path - 1);
		goto fail;
	}
	memcpy(sun.sun_path, path, n + 1);
	if (abstract)
		sun.sun_path[0] = '\0';
	if (unix_is_alive(&sun, len)) {
		buf_printf(err, "unix socket \"%s\" is in use by another process", path);
		goto fail;
	}
	if (!abstract)
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, len) < 0) {
		buf_printf(err, "cannot bind unix socket \"%s\": %s", path, strerror(errno));
		goto fail;
	}
	if (!abstract && !unix_permit(path, o, err)) {
		unlink(path);
		goto fail;
	}
	keep_bound(l, fd, o, path, (struct sockaddr *)&sun);
	if (abstract) { /* nothing to unlink; the name stays for the log */
		free(l->items[l->count - 1].path);
		l->items[l->count - 1].path = NULL;
	}
	return true;
fail:
	if (fd >= 0)
		close(fd);
	free(path);
	return false;
}

/* Sockets of systemd: > 0 how many were taken, 0 none, -1 an error. */
static int listen_inherited(struct net_listeners *l, const struct net_listen_options *o,
	struct buf *err)
{
	int n = sd_listen_fds(1);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		struct sockaddr_storage ss;
		socklen_t len = sizeof ss;
		struct net_addr local;
		char text[NET_ADDR_TEXT];

		if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 ||
			getsockname(fd, (struct sockaddr *)&ss, &len) < 0) {
			buf_printf(err,
				"systemd handed over descriptor %d, which is no listening stream "
				"socket",
				fd);
			return -1;
		}
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		net_addr_set(&local, (struct sockaddr *)&ss, -1, o->port);
		listeners_add(l, fd, &local, mem_strdup(net_addr_text(&local, text, sizeof text)),
			NULL);
	}
	return n;
}

bool net_listen_open(struct net_listeners *l, const struct net_listen_options *o, struct buf *err)
{
	int inherited = o->systemd ? listen_inherited(l, o, err) : 0;
	bool ok = inherited >= 0;

	if (ok && inherited == 0) {
		if (o->addresses && o->addresses[0])
			ok = listen_tcp_list(l, o, err);
		if (ok && o->unix_dir && o->unix_dir[0])
			ok = listen_unix(l, o, err);
		if (ok && l->count == 0) {
			buf_put_str(err, "nothing to listen on: both listen_addr and "
					 "unix_socket_dir are empty");
			ok = false;
		}
		ok = ok && listen_all(l, o, err);
	}
	if (!ok)
		net_listen_close(l, true);
	return ok;
}

void net_listen_close(struct net_listeners *l, bool unlink_paths)
{
	for (size_t i = 0; i < l->count; i++) {
		struct net_listener *it = &l->items[i];
		if (it->fd >= 0)
			close(it->fd);
		if (it->path && unlink_paths)
			unlink(it->path);
		free(it->path);
		free(it->name);
	}
	free(l->items);
	l->items = NULL;
	l->count = 0;
}

int net_listen_accept(const struct net_listener *l, struct net_addr *peer)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	do {
		len = sizeof ss;
		memset(&ss, 0, sizeof ss);
		fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return -1;
	if (l->local.family == AF_UNIX)
		ss.ss_family = AF_UNIX; /* unnamed peers come without a family on some kernels */
	net_addr_set(peer, (struct sockaddr *)&ss, fd, l->local.port);
	return fd;
}

static void tune(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof value) < 0)
		log_line(LOG_PART_NET, LOG_LEVEL_DEBUG, "setsockopt(%d, %d, %d): %s", level, name,
			value, strerror(errno));
}

void net_listen_tune(const struct net_listeners *l, const struct net_tcp_options *o)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->items[i].local.family == AF_UNIX)
			continue;
		tune(l->items[i].fd, IPPROTO_TCP, TCP_NODELAY, 1);
		tune(l->items[i].fd, SOL_SOCKET, SO_KEEPALIVE, o->keepalive);
	}
}

void net_tcp_tune(int fd, const struct net_addr *peer, const struct net_tcp_options *o)
{
	if (peer->family == AF_UNIX)
		return;
	if (o->keepalive) {
		if (o->keepidle > 0)
			tune(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle);
		if (o->keepintvl > 0)
			tune(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl);
		if (o->keepcnt > 0)
			tune(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt);
	}
	if (o->user_timeout_ms > 0)
		tune(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)o->user_timeout_ms);
	if (o->socket_buffer > 0) {
		tune(fd, SOL_SOCKET, SO_RCVBUF, o->socket_buffer);
		tune(fd, SOL_SOCKET, SO_SNDBUF, o->socket_buffer);
	}
}
