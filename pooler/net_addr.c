/* SPDX-License-Identifier: ISC
 *
 * struct net_addr: who is at the other end.
 */
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

void net_addr_set(struct net_addr *a, const struct sockaddr *sa, int fd, uint16_t unix_port)
{
	memset(a, 0, sizeof *a);
	a->uid = (uid_t)-1;
	a->family = sa->sa_family;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		memcpy(a->ip, &in.sin_addr, 4);
		a->port = ntohs(in.sin_port);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		a->port = ntohs(in6.sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
			a->family = AF_INET;
			memcpy(a->ip, in6.sin6_addr.s6_addr + 12, 4);
		} else {
			memcpy(a->ip, &in6.sin6_addr, 16);
		}
	} else if (sa->sa_family == AF_UNIX) {
		struct ucred cred;
		socklen_t n = sizeof cred;
		a->port = unix_port;
		if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0) {
			a->pid = cred.pid;
			a->uid = cred.uid;
		}
	} else {
		a->family = 0;
	}
}

const char *net_addr_host(const struct net_addr *a, char *out, size_t size)
{
	if (a->family == AF_UNIX)
		snprintf(out, size, "unix");
	else if (!a->family || !inet_ntop(a->family, a->ip, out, (socklen_t)size))
		snprintf(out, size, "unknown");
	return out;
}

const char *net_addr_text(const struct net_addr *a, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	net_addr_host(a, host, sizeof host);
	if (a->family == AF_UNIX)
		snprintf(out, size, "unix:%u@%d", a->port, (int)a->pid);
	else if (a->family == AF_INET6)
		snprintf(out, size, "[%s]:%u", host, a->port);
	else
		snprintf(out, size, "%s:%u", host, a->port);
	return out;
}
