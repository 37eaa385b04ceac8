/* SPDX-License-Identifier: ISC
 *
 * The relay between two socket pairs: a client's bytes and a server's bytes, cut at every
 * place, must come out whole at the other end; and garbage of either side must close, not
 * crash and not pass.  No PostgreSQL: the test says what the server says.
 */
#include "session.h"

#include <check.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct relay *relay;
static struct pool *pool;
static struct lane *lane;
static struct server *server;
static int client_fd, server_fd; /* the far ends */

static void pair(int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		ev_run(relay->w.loop, EVRUN_NOWAIT);
}

static void start(const char *mode)
{
	char text[300];
	struct conf_report report = {0};
	const struct conf *conf;
	int n = snprintf(text, sizeof text,
		"[databases]\nshop = host=127.0.0.1 port=1\n[pooler]\npool_mode = %s\nmax_open = "
		"1\n"
		"log_connections = 0\nlog_disconnections = 0\nlog_pooler_errors = 0\n",
		mode);

	struct log_options quiet = {0}; /* what is closed on purpose need not be said */

	signal(SIGPIPE, SIG_IGN);
	ck_assert(log_setup(&quiet));
	conf = conf_load_text("test", text, (size_t)n, &report);
	ck_assert_ptr_nonnull(conf);
	hub.conf = conf;
	hub.n_relays = 1;
	list_init(&hub.pools);
	list_init(&hub.databases);
	list_init(&hub.db_caps);
	list_init(&hub.user_caps);
	helpers_init(&hub.cancellers, "cancel", 1);
	helpers_init(&hub.dialers, "dial", 1);
	hub.relays = relay = mem_zalloc(sizeof *relay);
	worker_init(&relay->w, 0);
	relay->chunks.process = &hub.lent_bytes;
	list_init(&relay->lanes);
	pool = mem_zalloc(sizeof *pool);
	pool->database = mem_strdup("shop");
	pool->user = mem_strdup("app");
	pool->server_user = mem_strdup("app");
	pool->n_lanes = 1;
	pool->lanes = mem_zalloc(sizeof(struct lane *));
	pthread_mutex_init(&pool->lock, NULL);
	cap_init(&pool->open, 1);
	lane = pool->lanes[0] = lane_new(relay, pool);
	list_push_back(&relay->lanes, &lane->link);
	lane_configure(lane, conf, conf_database_find(conf, "shop"));
}

static void add_server(void)
{
	int fds[2];

	pair(fds);
	server_fd = fds[1];
	ck_assert(cap_take(&pool->open, 0));
	server = server_new(lane);
	pool_dial_begin(&lane->shard, &server->slot, relay->w.now);
	server_adopt(server, fds[0], NULL, params_empty(&relay->params));
	server_ready(server);
}

/* A client that has been greeted; its greeting is taken. */
static void add_client(void)
{
	struct login *login = mem_zalloc(sizeof *login);
	struct arrival *a = mem_zalloc(sizeof *a);
	char greeting[512];
	int fds[2];

	pair(fds);
	client_fd = fds[1];
	login->conn.fd = fds[0];
	login->user = mem_strdup("app");
	login->database = mem_strdup("shop");
	login->application_name = "";
	a->login = login;
	a->lane = lane;
	atomic_fetch_add(&lane->load, 1);
	atomic_fetch_add(&pool->clients, 1);
	atomic_fetch_add(&hub.clients, 1);
	client_arrive(&relay->w, &a->mail);
	turn();
	ck_assert_int_gt(read(client_fd, greeting, sizeof greeting), 12);
}

static void say(int fd, const char *p, size_t n)
{
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	turn();
}

/* All that has come to this end; answers 0 bytes when nothing has, -1 when it was closed. */
static ssize_t hear(int fd, char *into, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, into + n, size - n)) > 0)
		n += (size_t)got;
	return n ? (ssize_t)n : got == 0 ? -1 : 0;
}

static void expect(int fd, const char *want, size_t n)
{
	char got[4096];

	ck_assert_int_eq(hear(fd, got, sizeof got), (ssize_t)n);
	ck_assert_mem_eq(got, want, n);
}

#define TEXT(s) s, sizeof s - 1

/* What a client may say, what arrives at the server, what it answers, what the client hears.
 * NULL: the same. */
static const struct talk {
	const char *asked;
	size_t asked_len;
	const char *sent;
	size_t sent_len;
	const char *answer;
	size_t answer_len;
	const char *heard;
	size_t heard_len;
} talks[] = {
	/* simple: two rows, a notice between them */
	{TEXT("Q\0\0\0\x0dselect 1\0"), NULL, 0,
		TEXT("T\0\0\0\x06\0\0"
		     "D\0\0\0\x06\0\0"
		     "N\0\0\0\x05\0"
		     "D\0\0\0\x0c\0\1\0\0\0\2hi"
		     "C\0\0\0\x0dSELECT 2\0"
		     "Z\0\0\0\5I"),
		NULL, 0},
	/* an error */
	{TEXT("Q\0\0\0\x08xyz\0"), NULL, 0,
		TEXT("E\0\0\0\x13SERROR\0C42601\0\0"
		     "Z\0\0\0\5I"),
		NULL, 0},
	/* extended, unnamed, in one batch */
	{TEXT("P\0\0\0\x10\0select 1\0\0\0"
	      "B\0\0\0\x0c\0\0\0\0\0\0\0\0"
	      "D\0\0\0\6P\0"
	      "E\0\0\0\x09\0\0\0\0\0"
	      "S\0\0\0\4"),
		NULL, 0,
		TEXT("1\0\0\0\4"
		     "2\0\0\0\4"
		     "T\0\0\0\6\0\0"
		     "D\0\0\0\6\0\0"
		     "C\0\0\0\x0dSELECT 1\0"
		     "Z\0\0\0\5I"),
		NULL, 0},
	/* a named statement gets our name */
	{TEXT("P\0\0\0\x11"
	      "a\0select 2\0\0\0"
	      "B\0\0\0\x0d\0a\0\0\0\0\0\0\0"
	      "E\0\0\0\x09\0\0\0\0\0"
	      "S\0\0\0\4"),
		TEXT("P\0\0\0\x1aPGSLUICE_1\0select 2\0\0\0"
		     "B\0\0\0\x16\0PGSLUICE_1\0\0\0\0\0\0\0"
		     "E\0\0\0\x09\0\0\0\0\0"
		     "S\0\0\0\4"),
		TEXT("1\0\0\0\4"
		     "2\0\0\0\4"
		     "C\0\0\0\x0dSELECT 0\0"
		     "Z\0\0\0\5I"),
		NULL, 0},
	/* copy in: the Sync inside of it is not answered */
	{TEXT("Q\0\0\0\x0e"
	      "copy t in\0"
	      "d\0\0\0\x06x\n"
	      "c\0\0\0\4"),
		NULL, 0,
		TEXT("G\0\0\0\7\0\0\0"
		     "C\0\0\0\x0b"
		     "COPY 1\0"
		     "Z\0\0\0\5I"),
		NULL, 0},
};

static void check_talk(const struct talk *t, size_t cut_asked, size_t cut_answer)
{
	const char *sent = t->sent ? t->sent : t->asked, *heard = t->heard ? t->heard : t->answer;
	char got[4096];
	size_t n = 0;
	ssize_t more;

	add_client();
	say(client_fd, t->asked, cut_asked);
	more = hear(server_fd, got, sizeof got); /* what is whole may have gone already */
	n = more > 0 ? (size_t)more : 0;
	say(client_fd, t->asked + cut_asked, t->asked_len - cut_asked);
	more = hear(server_fd, got + n, sizeof got - n);
	n += more > 0 ? (size_t)more : 0;
	ck_assert_int_eq(n, t->sent ? t->sent_len : t->asked_len);
	ck_assert_mem_eq(got, sent, n);
	say(server_fd, t->answer, cut_answer);
	more = hear(client_fd, got, sizeof got);
	n = more > 0 ? (size_t)more : 0;
	say(server_fd, t->answer + cut_answer, t->answer_len - cut_answer);
	more = hear(client_fd, got + n, sizeof got - n);
	n += more > 0 ? (size_t)more : 0;
	ck_assert_int_eq(n, t->heard ? t->heard_len : t->answer_len);
	ck_assert_mem_eq(got, heard, n);
	ck_assert(server_is_quiet(server));
	ck_assert_int_eq(lane->shard.n_idle, 1);
	say(client_fd, TEXT("X\0\0\0\4"));
	close(client_fd);
}

/* The server has the named statement after its first use: forget it for the next round. */
static void fresh_statements(void)
{
	server_statements_clear(server);
	relay->prepared.last_number = 0;
}

START_TEST(every_message_cut_at_every_byte)
{
	const struct talk *t = &talks[_i];

	start("transaction");
	add_server();
	for (size_t cut = 0; cut < t->asked_len; cut++) {
		fresh_statements();
		check_talk(t, cut, 0);
	}
	for (size_t cut = 0; cut < t->answer_len; cut++) {
		fresh_statements();
		check_talk(t, 0, cut);
	}
}
END_TEST

START_TEST(byte_by_byte)
{
	const struct talk *t = &talks[_i];

	start("transaction");
	add_server();
	add_client();
	for (size_t i = 0; i < t->asked_len; i++)
		say(client_fd, t->asked + i, 1);
	expect(server_fd, t->sent ? t->sent : t->asked, t->sent ? t->sent_len : t->asked_len);
	for (size_t i = 0; i < t->answer_len; i++)
		say(server_fd, t->answer + i, 1);
	expect(client_fd, t->heard ? t->heard : t->answer, t->heard ? t->heard_len : t->answer_len);
	ck_assert(server_is_quiet(server));
}
END_TEST

/* What no server may say at that moment: both ends are closed, and nothing of it arrives. */
START_TEST(a_server_out_of_step_closes_both)
{
	static const struct {
		const char *p;
		size_t n;
	} wrong[] = {{TEXT("1\0\0\0\4")}, {TEXT("R\0\0\0\x08\0\0\0\0")}, {TEXT("?\0\0\0\4")},
		{TEXT("Z\0\0\0\5X")}, {TEXT("T\0\0\0\3")}, {TEXT("D\xff\xff\xff\xff")},
		{TEXT("\0\0\0\0\4")}, {TEXT("V\0\0\0\x08\0\0\0\0")}};
	char got[4096];
	ssize_t n;

	start("transaction");
	add_server();
	add_client();
	say(client_fd, TEXT("Q\0\0\0\x0dselect 1\0"));
	expect(server_fd, TEXT("Q\0\0\0\x0dselect 1\0"));
	say(server_fd, wrong[_i].p, wrong[_i].n);
	n = hear(client_fd, got, sizeof got);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(got[0], 'E'); /* our error, nothing of the server's */
	ck_assert_ptr_nonnull(memmem(got, (size_t)n, "FATAL", 5));
	ck_assert_int_eq(hear(client_fd, got, sizeof got), -1);
	ck_assert_int_eq(pool_open(&lane->shard) - lane->shard.n_dialing, 0);
}
END_TEST

/* A server that is ended while it answers our own question: the client, whose request was not
 * sent yet, hears nothing of it and waits for another connection. */
START_TEST(a_server_that_ends_before_the_request_is_replaced)
{
	char got[4096];

	start("transaction\nserver_check_query = select 7\nserver_check_delay = 0");
	add_server();
	add_client();
	say(client_fd, TEXT("Q\0\0\0\x0dselect 1\0"));
	expect(server_fd, TEXT("Q\0\0\0\x0dselect 1\0"));
	say(server_fd, TEXT("C\0\0\0\x0dSELECT 0\0Z\0\0\0\5I"));
	expect(client_fd, TEXT("C\0\0\0\x0dSELECT 0\0Z\0\0\0\5I"));
	say(client_fd, TEXT("Q\0\0\0\x0dselect 2\0"));
	expect(server_fd, TEXT("Q\0\0\0\x0dselect 7\0"));
	/* no dial meanwhile: it would fail here, and the client would hear of that */
	lane->shard.dial_after = relay->w.now + 3600 * USEC_SEC;
	say(server_fd, TEXT("C\0\0\0\x0dSELECT 0\0Z\0\0\0\5I"
			    "E\0\0\0\x13SFATAL\0C57P01\0\0"));
	close(server_fd);
	turn();
	ck_assert_int_eq(hear(client_fd, got, sizeof got), 0);
	ck_assert_int_eq(lane->n_clients, 1);
	ck_assert_int_eq(lane->shard.n_waiting, 1);
	ck_assert_int_eq(lane->shard.n_idle + lane->shard.n_busy, 0);
}
END_TEST

START_TEST(a_client_s_garbage_closes_the_client_only)
{
	static const struct {
		const char *p;
		size_t n;
	} wrong[] = {{TEXT("?\0\0\0\4")}, {TEXT("Q\0\0\0\3")}, {TEXT("Q\xff\xff\xff\xff")},
		{TEXT("\0\0\0\0\0\0\0\0")},
		{TEXT("P\0\0\0\x06"
		      "ab"
		      "S\0\0\0\4")},
		{TEXT("GET / HTTP/1.1\r\n\r\n")}};
	char got[4096];

	start("transaction");
	add_server();
	add_client();
	say(client_fd, wrong[_i].p, wrong[_i].n);
	ck_assert_int_gt(hear(client_fd, got, sizeof got), 0);
	ck_assert_int_eq(got[0], 'E');
	ck_assert_int_eq(hear(client_fd, got, sizeof got), -1);
	ck_assert_int_eq(lane->n_clients, 0);
	/* the server is untouched, or was closed: never lent on with something under way */
	if (lane->shard.n_idle) {
		ck_assert(server_is_quiet(server));
		ck_assert_int_eq(hear(server_fd, got, sizeof got), 0);
	}
}
END_TEST

/* Random bytes at either end, thousands of them: nothing but an end may come of it. */
START_TEST(random_bytes)
{
	char noise[64], got[8192];
	unsigned seed = (unsigned)_i;

	start("transaction");
	add_server();
	add_client();
	say(client_fd, TEXT("Q\0\0\0\x0dselect 1\0"));
	expect(server_fd, TEXT("Q\0\0\0\x0dselect 1\0"));
	for (int k = 0; k < 40; k++) {
		for (size_t i = 0; i < sizeof noise; i++)
			noise[i] = (char)rand_r(&seed);
		if (write(k % 2 ? client_fd : server_fd, noise, sizeof noise) < 0)
			break;
		turn();
	}
	turn();
	hear(client_fd, got, sizeof got);
	ck_assert_int_le(lane->shard.n_idle + lane->shard.n_busy, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_relay");
	TCase *tc = tcase_create("relay");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_message_cut_at_every_byte, 0, ARRAY_LEN(talks));
	tcase_add_loop_test(tc, byte_by_byte, 0, ARRAY_LEN(talks));
	tcase_add_loop_test(tc, a_server_out_of_step_closes_both, 0, 8);
	tcase_add_test(tc, a_server_that_ends_before_the_request_is_replaced);
	tcase_add_loop_test(tc, a_client_s_garbage_closes_the_client_only, 0, 6);
	tcase_add_loop_test(tc, random_bytes, 0, 200);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
