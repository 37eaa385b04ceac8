/* SPDX-License-Identifier: ISC
 *
 * The endpoint's daemon: libmicrohttpd with a thread and an epoll of its own.
 *
 * /healthz and /readyz ask for no password: an orchestrator's probe has none, and they tell
 * nothing but yes or no.  A status report is made at most once a second, whoever asks how
 * often; its rates are of the last WINDOW to 2 * WINDOW while somebody looks.
 */
#include "obs_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW	    (5 * USEC_SEC)
#define REPORT_AGE  USEC_SEC
#define FILE_MAX    (1 << 20) /* a certificate chain is shorter */
#define CONNECTIONS 64

/* The page, byte by byte as in the tree. */
__asm__(".pushsection .rodata\n"
	".global obs_status_html\n"
	"obs_status_html:\n"
	".incbin \"pooler/obs_status.html\"\n"
	".byte 0\n"
	".popsection\n");

struct obs_http {
	struct obs_http_options o;
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock; /* user and password */
	char *user, *password, *cert, *key;
	/* --- the thread's own */
	struct obs_snapshot base, next; /* rates begin at base; next takes its place */
	struct buf report;
	usec_t reported;
};

/* --- answers ---------------------------------------------------------------- */

static const char html_policy[] = "default-src 'none'; style-src 'unsafe-inline'; script-src "
				  "'unsafe-inline'; connect-src 'self'; img-src data:; "
				  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
	const void *body, size_t len, enum MHD_ResponseMemoryMode mode)
{
	/* The library does not write to it; its type only says so since later versions. */
	union {
		const void *in;
		void *out;
	} u = {.in = body};
	struct MHD_Response *r = MHD_create_response_from_buffer(len, u.out, mode);
	enum MHD_Result ok;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r, "Content-Security-Policy", html_policy);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	ok = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *text)
{
	return answer(c, status, "text/plain; charset=utf-8", text, strlen(text),
		MHD_RESPMEM_MUST_COPY);
}

static void collect(struct obs_http *h, struct obs_snapshot *s)
{
	memset(s, 0, sizeof *s);
	s->taken = clock_mono();
	h->o.collect(h->o.arg, s);
}

static enum MHD_Result on_metrics(struct obs_http *h, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
	bool openmetrics = accept && strstr(accept, "application/openmetrics-text");
	struct obs_snapshot s;
	struct buf b = {0};
	enum MHD_Result ok;

	collect(h, &s);
	metrics_put(&b, &s, openmetrics);
	obs_snapshot_release(&s);
	ok = answer(c, MHD_HTTP_OK,
		openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			    : "text/plain; version=0.0.4; charset=utf-8",
		b.data, b.len, MHD_RESPMEM_MUST_COPY);
	buf_free(&b);
	return ok;
}

static enum MHD_Result on_probe(struct obs_http *h, struct MHD_Connection *c, bool ready)
{
	struct obs_snapshot s;
	bool ok;
	const char *reason;

	collect(h, &s);
	ok = ready ? s.process.ready : s.process.healthy;
	reason = s.process.reason ? s.process.reason : "not yet";
	obs_snapshot_release(&s);
	if (ok)
		return say(c, MHD_HTTP_OK, "ok\n");
	return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, reason);
}

static enum MHD_Result on_status(struct obs_http *h, struct MHD_Connection *c)
{
	usec_t now = clock_mono();

	if (h->report.len == 0 || now - h->reported >= REPORT_AGE) {
		struct obs_snapshot s;
		collect(h, &s);
		if (h->next.taken && s.taken - h->next.taken >= WINDOW) {
			obs_snapshot_release(&h->base);
			h->base = h->next;
			memset(&h->next, 0, sizeof h->next);
		}
		h->report.len = 0;
		status_put(&h->report, &s,
			h->base.taken	? &h->base
			: h->next.taken ? &h->next
					: NULL);
		if (h->next.taken)
			obs_snapshot_release(&s);
		else
			h->next = s;
		h->reported = now;
	}
	return answer(c, MHD_HTTP_OK, "application/json", h->report.data, h->report.len,
		MHD_RESPMEM_MUST_COPY);
}

/* --- who may ask ------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == strlen(b) && mem_equal_ct(a, b, n);
}

static bool may_enter(struct obs_http *h, struct MHD_Connection *c)
{
	char *password = NULL, *user;
	bool ok;

	pthread_mutex_lock(&h->lock);
	ok = !h->user[0];
	if (!ok) {
		user = MHD_basic_auth_get_username_password(c, &password);
		ok = user && password && same_text(user, h->user) &&
		     same_text(password, h->password);
		if (password)
			mem_wipe(password, strlen(password));
		MHD_free(user);
		MHD_free(password);
	}
	pthread_mutex_unlock(&h->lock);
	return ok;
}

static enum MHD_Result refuse(struct MHD_Connection *c)
{
	static char text[] = "user and password, please\n";
	struct MHD_Response *r =
		MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result ok;

	if (!r)
		return MHD_NO;
	ok = MHD_queue_basic_auth_fail_response(c, "pgsluice", r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **state)
{
	struct obs_http *h = arg;

	(void)version, (void)upload, (void)upload_size, (void)state;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (strcmp(url, "/healthz") == 0)
		return on_probe(h, c, false);
	if (strcmp(url, "/readyz") == 0)
		return on_probe(h, c, true);
	if (!may_enter(h, c))
		return refuse(c);
	if (strcmp(url, "/metrics") == 0)
		return on_metrics(h, c);
	if (strcmp(url, "/status.json") == 0)
		return on_status(h, c);
	if (strcmp(url, "/") == 0)
		return answer(c, MHD_HTTP_OK, "text/html; charset=utf-8", obs_status_html,
			strlen(obs_status_html), MHD_RESPMEM_PERSISTENT);
	return say(c, MHD_HTTP_NOT_FOUND, "there is /metrics, /healthz, /readyz and /\n");
}

/* --- life ------------------------------------------------------------------- */

/* ADDRESS:PORT -> socket that listens, or -1 with *error. */
static int listen_on(const char *where, char **error)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				.ai_socktype = SOCK_STREAM},
			*a = NULL;
	const char *colon = strrchr(where, ':');
	char *host;
	int fd = -1, on = 1, rc;

	if (!colon) {
		*error = mem_printf("%s: not ADDRESS:PORT", where);
		return -1;
	}
	host = where[0] == '[' && colon[-1] == ']'
		       ? mem_strndup(where + 1, (size_t)(colon - where) - 2)
		       : mem_strndup(where, (size_t)(colon - where));
	rc = getaddrinfo(host[0] && strcmp(host, "*") != 0 ? host : NULL, colon + 1, &hints, &a);
	free(host);
	if (rc != 0) {
		*error = mem_printf("%s: %s", where, gai_strerror(rc));
		return -1;
	}
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, 64) != 0) {
		*error = mem_printf("%s: %s", where, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(a);
	return fd;
}

static char *read_file(const char *path, char **error)
{
	FILE *f = fopen(path, "re");
	char *text = mem_alloc(FILE_MAX + 1);
	size_t n = f ? fread(text, 1, FILE_MAX, f) : 0;

	if (!f || ferror(f) || n == 0) {
		*error = mem_printf("%s: %s", path, f && !ferror(f) ? "is empty" : strerror(errno));
		free(text);
		text = NULL;
	} else {
		text[n] = '\0';
	}
	if (f)
		fclose(f);
	return text;
}

static void http_free(struct obs_http *h)
{
	obs_snapshot_release(&h->next);
	obs_snapshot_release(&h->base);
	buf_free(&h->report);
	if (h->key)
		mem_wipe(h->key, strlen(h->key));
	mem_wipe(h->password, strlen(h->password));
	free(h->user);
	free(h->password);
	free(h->cert);
	free(h->key);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static bool start_daemon(struct obs_http *h, int fd, char **error)
{
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, h->cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, h->key}, {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (h->cert ? MHD_USE_TLS : 0);
	sigset_t all, old;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET,
		fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, 15u, MHD_OPTION_ARRAY, h->cert ? tls : none,
		MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!h->daemon)
		*error = mem_printf("%s: cannot start%s", h->o.listen,
			h->cert ? "; are certificate and key good and do they belong together?"
				: "");
	return h->daemon != NULL;
}

struct obs_http *obs_http_start(const struct obs_http_options *o, char **error)
{
	struct obs_http *h = mem_zalloc(sizeof *h);
	int fd;

	*error = NULL;
	h->o = *o;
	pthread_mutex_init(&h->lock, NULL);
	h->user = mem_strdup(o->user ? o->user : "");
	h->password = mem_strdup(o->password ? o->password : "");
	if (o->cert_file && o->cert_file[0]) {
		h->cert = read_file(o->cert_file, error);
		h->key = h->cert ? read_file(o->key_file ? o->key_file : "", error) : NULL;
	}
	fd = *error ? -1 : listen_on(o->listen, error);
	if (fd < 0 || !start_daemon(h, fd, error)) {
		if (fd >= 0)
			close(fd);
		http_free(h);
		return NULL;
	}
	h->o.listen = h->o.user = h->o.password = h->o.cert_file = h->o.key_file = NULL;
	return h;
}

void obs_http_reload(struct obs_http *h, const char *user, const char *password)
{
	pthread_mutex_lock(&h->lock);
	mem_wipe(h->password, strlen(h->password));
	free(h->user);
	free(h->password);
	h->user = mem_strdup(user ? user : "");
	h->password = mem_strdup(password ? password : "");
	pthread_mutex_unlock(&h->lock);
}

uint16_t obs_http_port(const struct obs_http *h)
{
	const union MHD_DaemonInfo *i = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	struct sockaddr_storage a;
	socklen_t n = sizeof a;

	if (!i || getsockname(i->listen_fd, (struct sockaddr *)&a, &n) != 0)
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
					     : ((struct sockaddr_in *)&a)->sin_port);
}

void obs_http_stop(struct obs_http **hp)
{
	struct obs_http *h = *hp;

	if (!h)
		return;
	MHD_stop_daemon(h->daemon); /* closes the listener too */
	http_free(h);
	*hp = NULL;
}
