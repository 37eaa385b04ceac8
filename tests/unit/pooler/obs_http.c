/* SPDX-License-Identifier: ISC
 *
 * The endpoint as a scraper, a probe and a browser see it: over a socket.
 *
 * With arguments it is no test but a server to look at, with made-up pools: PORT SECONDS.
 */
#include "obs_http.h"

#include <arpa/inet.h>
#include <check.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct queries *store;
static bool ready = true;
static unsigned collected;
static size_t pools = 2;

static void collect(void *arg, struct obs_snapshot *s)
{
	(void)arg;
	collected++;
	s->process = (struct obs_process){.version = "0.1",
		.started = clock_wall() - 90 * USEC_SEC,
		.healthy = true,
		.ready = ready,
		.reason = ready ? NULL : "paused",
		.clients = 12,
		.max_client_conn = 100};
	obs_snapshot_workers(s, 2)[1].lag_max_us = 1500;
	for (size_t i = 0; i < pools; i++) {
		struct obs_pool_row *p;
		char db[32];
		snprintf(db, sizeof db, i ? "db%zu" : "a\"b\\c\nd", i);
		p = obs_snapshot_pool(s, db, "app");
		p->mode = "transaction";
		p->max_open = 10;
		p->sv_active = 3;
		p->sv_idle = 2;
		p->cl_active = 3;
		p->cl_waiting = (uint32_t)i % 3;
		p->stats.xact_count = 1000 * collected;
		p->stats.query_count = 2000 * collected + i;
		p->stats.wait_time = 1500000;
		stats_error(&p->stats, "23505");
		for (uint64_t v = 1; v < 200; v++) {
			hist_add(&p->wait, v * 100);
			hist_add(&p->server, v * 10 * (1 + collected % 5));
		}
	}
	s->queries = &store;
	s->query_count = 1;
}

static struct obs_http *start(const char *user, const char *password)
{
	struct obs_http_options o = {
		.listen = "127.0.0.1:0", .user = user, .password = password, .collect = collect};
	char *error;
	struct obs_http *h = obs_http_start(&o, &error);

	ck_assert_msg(h != NULL, "%s", error);
	return h;
}

/* The whole answer to one request. */
static char *ask(struct obs_http *h, const char *request)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons(obs_http_port(h)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct buf b = {0};
	char *text;
	ssize_t n;

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	do {
		buf_reserve(&b, 65536);
		n = read(fd, b.data + b.len, 65536);
		b.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	close(fd);
	text = mem_strndup(buf_cstr(&b), b.len);
	buf_free(&b);
	return text;
}

#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" more "\r\n"

static void expect(struct obs_http *h, const char *request, const char *status, const char *part)
{
	char *text = ask(h, request);

	ck_assert_msg(strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, status, 3) == 0, "%s",
		text);
	ck_assert_msg(!part || strstr(text, part), "no %s in %s", part, text);
	free(text);
}

START_TEST(routes)
{
	struct obs_http *h = start(NULL, NULL);

	expect(h, GET("/healthz", ""), "200", "ok");
	expect(h, GET("/readyz", ""), "200", "ok");
	ready = false;
	expect(h, GET("/readyz", ""), "503", "paused");
	expect(h, GET("/healthz", ""), "200", "ok");
	ready = true;
	expect(h, GET("/", ""), "200", "<title>pgsluice</title>");
	expect(h, GET("/", ""), "200", "Content-Security-Policy: default-src 'none'");
	expect(h, GET("/nowhere", ""), "404", NULL);
	expect(h, GET("/../etc/passwd", ""), "404", NULL);
	expect(h, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200", NULL);
	expect(h, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"405", "Allow: GET, HEAD");
	obs_http_stop(&h);
	ck_assert_ptr_null(h);
}
END_TEST

START_TEST(a_password_is_asked_for)
{
	struct obs_http *h = start("user", "secret");

	expect(h, GET("/metrics", ""), "401", "WWW-Authenticate: Basic");
	expect(h, GET("/", ""), "401", NULL);
	expect(h, GET("/metrics", "Authorization: Basic dXNlcjp3cm9uZw==\r\n"), "401", NULL);
	expect(h, GET("/metrics", "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "200", "# TYPE");
	expect(h, GET("/healthz", ""), "200", NULL);
	obs_http_reload(h, "user", "wrong");
	expect(h, GET("/metrics", "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "401", NULL);
	expect(h, GET("/metrics", "Authorization: Basic dXNlcjp3cm9uZw==\r\n"), "200", NULL);
	obs_http_stop(&h);
}
END_TEST

/* Each line is a comment or a sample, families are not torn apart, buckets do not fall. */
static void check_metrics(char *text, bool openmetrics)
{
	char family[128] = "", seen[256][64];
	unsigned long long bucket = 0;
	size_t n = 0;

	for (char *line = text, *end; *line; line = end + 1) {
		char name[128], value[64];
		end = strchr(line, '\n');
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		if (strcmp(line, "# EOF") == 0) {
			ck_assert(openmetrics && end[1] == '\0');
			return;
		}
		if (sscanf(line, "# HELP %127s", name) == 1) {
			for (size_t i = 0; i < n; i++)
				ck_assert_msg(strcmp(seen[i], name) != 0, "%s twice", name);
			snprintf(family, sizeof family, "%s", name);
			ck_assert_uint_lt(n, 256);
			snprintf(seen[n++], sizeof seen[0], "%.63s", name);
			continue;
		}
		if (line[0] == '#')
			continue;
		ck_assert_msg(strncmp(line, family, strlen(family)) == 0, "%s in %s", line, family);
		ck_assert_int_eq(sscanf(strrchr(line, ' '), "%63s", value), 1);
		if (strstr(line, "_bucket{")) {
			ck_assert(strstr(line, "le=\"0.0001\"") ||
				  strtoull(value, NULL, 10) >= bucket);
			bucket = strtoull(value, NULL, 10);
		}
	}
	ck_assert(!openmetrics);
}

START_TEST(metrics_are_well_formed)
{
	struct obs_http *h = start(NULL, NULL);
	char *text =
		ask(h, GET("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n"));

	ck_assert_ptr_nonnull(strstr(text,
		"Content-Type: application/openmetrics-text; version=1.0.0"));
	ck_assert_ptr_nonnull(strstr(text, "# TYPE pgsluice_queries counter\n"));
	ck_assert_ptr_nonnull(strstr(text,
		"pgsluice_wait_seconds_total{database=\"db1\",user=\"app\"} 1.500000\n"));
	ck_assert_ptr_nonnull(strstr(text, "{database=\"a\\\"b\\\\c\\nd\",user=\"app\"}"));
	ck_assert_ptr_nonnull(strstr(text,
		"pgsluice_errors_total{database=\"db1\",user=\"app\",class=\"23\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text,
		"pgsluice_client_wait_seconds_count{database=\"db1\",user=\"app\"} 199\n"));
	check_metrics(strstr(text, "\r\n\r\n") + 4, true);
	free(text);
	text = ask(h, GET("/metrics", ""));
	ck_assert_ptr_nonnull(strstr(text, "Content-Type: text/plain; version=0.0.4"));
	ck_assert_ptr_nonnull(strstr(text, "# TYPE pgsluice_queries_total counter\n"));
	ck_assert_ptr_null(strstr(text, "# UNIT"));
	check_metrics(strstr(text, "\r\n\r\n") + 4, false);
	free(text);
	obs_http_stop(&h);
}
END_TEST

/* Clients name databases, in bytes of their own: no scraper takes a page with half a character. */
START_TEST(labels_are_utf8)
{
	struct obs_snapshot s = {0};
	struct buf b = {0};

	obs_snapshot_pool(&s, "caf\xc3\xa9", "app");
	obs_snapshot_pool(&s, "caf\xe9\xc3", "app");
	metrics_put(&b, &s, true);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&b), "{database=\"caf\xc3\xa9\",user=\"app\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(b.data,
		"{database=\"caf" UTF8_INSTEAD UTF8_INSTEAD "\",user=\"app\"} 0\n"));
	buf_free(&b);
	obs_snapshot_release(&s);
}
END_TEST

START_TEST(label_sets_are_bounded)
{
	struct obs_snapshot s = {0};
	struct buf b = {0};
	unsigned n = 0;

	pools = 500;
	collect(NULL, &s);
	metrics_put(&b, &s, true);
	for (const char *p = buf_cstr(&b); (p = strstr(p, "pgsluice_queries_total{")); p++)
		n++;
	ck_assert_uint_eq(n, 201);
	ck_assert_ptr_nonnull(strstr(b.data,
		"pgsluice_client_wait_seconds_count{database=\"other\",user=\"other\"} 59700\n"));
	check_metrics(b.data, true);
	buf_free(&b);
	obs_snapshot_release(&s);
	pools = 2;
}
END_TEST

START_TEST(status_is_json_with_rates)
{
	struct obs_snapshot before = {0}, now = {0};
	struct queries_client c = {0};
	struct query_sample q = {.client = &c,
		.text = "select 1",
		.text_len = 8,
		.weight = 1,
		.ended = clock_wall(),
		.server_us = 5};
	struct buf b = {0};
	json_t *j, *p;

	queries_key(store, "select 1", 8, &q.key);
	queries_done(store, &q);
	collected = 1;
	before.taken = 1;
	collect(NULL, &before);
	now.taken = 1 + 10 * USEC_SEC;
	collect(NULL, &now);
	status_put(&b, &now, &before);
	j = json_loads(buf_cstr(&b), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(j);
	p = json_array_get(json_object_get(j, "pools"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(p, "database")), "db1");
	ck_assert(json_real_value(json_object_get(json_object_get(p, "recent"),
			  "transactions_s")) == 100.0);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(p, "wait_us"),
				 "count")),
		0);
	p = json_array_get(json_object_get(j, "queries"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(p, "query")), "select ?");
	ck_assert_int_eq(json_integer_value(json_object_get(p, "calls")), 1);
	json_decref(j);
	b.len = 0;
	status_put(&b, &now, NULL);
	j = json_loads(buf_cstr(&b), 0, NULL);
	p = json_array_get(json_object_get(j, "pools"), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(p, "wait_us"),
				 "count")),
		199);
	json_decref(j);
	buf_free(&b);
	obs_snapshot_release(&before);
	obs_snapshot_release(&now);
}
END_TEST

START_TEST(many_looks_cost_one_report)
{
	struct obs_http *h = start(NULL, NULL);
	unsigned before = collected;

	for (int i = 0; i < 20; i++)
		expect(h, GET("/status.json", ""), "200", "\"pools\":[");
	ck_assert_uint_le(collected - before, 3);
	obs_http_stop(&h);
}
END_TEST

START_TEST(what_cannot_start_says_why)
{
	struct obs_http_options o = {.listen = "127.0.0.1", .collect = collect};
	char *error;

	ck_assert_ptr_null(obs_http_start(&o, &error));
	ck_assert_str_eq(error, "127.0.0.1: not ADDRESS:PORT");
	free(error);
	o.listen = "192.0.2.1:0";
	ck_assert_ptr_null(obs_http_start(&o, &error));
	ck_assert_ptr_nonnull(strstr(error, "192.0.2.1:0: "));
	free(error);
	o.listen = "127.0.0.1:0";
	o.cert_file = o.key_file = "/nowhere.pem";
	ck_assert_ptr_null(obs_http_start(&o, &error));
	ck_assert_ptr_nonnull(strstr(error, "/nowhere.pem: No such file"));
	free(error);
	o.cert_file = o.key_file = "/etc/passwd";
	ck_assert_ptr_null(obs_http_start(&o, &error));
	ck_assert_ptr_nonnull(strstr(error, "certificate"));
	free(error);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("obs_http");
	TCase *t = tcase_create("http");
	SRunner *r;
	int failed;

	store = queries_new(100);
	if (argc == 3) {
		struct obs_http_options o = {.listen = argv[1], .collect = collect};
		char *error;
		struct obs_http *h = obs_http_start(&o, &error);
		struct queries_client c = {0};
		struct query_sample q = {.client = &c,
			.weight = 1,
			.ended = clock_wall(),
			.server_us = 500,
			.wait_us = 20};
		const char *text =
			"select o.id, o.total from orders o where o.user_id = 5 order by o.id";
		pools = 5;
		queries_key(store, text, strlen(text), &q.key);
		queries_done(store, &q);
		if (h)
			sleep((unsigned)strtoul(argv[2], NULL, 10));
		obs_http_stop(&h);
		return 0;
	}
	tcase_set_timeout(t, 30);
	tcase_add_test(t, routes);
	tcase_add_test(t, a_password_is_asked_for);
	tcase_add_test(t, metrics_are_well_formed);
	tcase_add_test(t, labels_are_utf8);
	tcase_add_test(t, label_sets_are_bounded);
	tcase_add_test(t, status_is_json_with_rates);
	tcase_add_test(t, many_looks_cost_one_report);
	tcase_add_test(t, what_cannot_start_says_why);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	queries_free(&store);
	return failed ? 1 : 0;
}
