/* SPDX-License-Identifier: ISC
 *
 * integrity: try to make one client of a pooler read what belongs to another.
 *
 * Many clients, a thread each, speak the raw protocol through the pooler and take
 * actions at random: queries, pipelines, COPY, cancels, answers abandoned half-read,
 * requests left half-sent, settings, errors.  Whatever comes back must carry the tag
 * of the very statement it answers: its client, session, action and place in the
 * pipeline.  A further thread kills server connections all the while.
 *
 * What is a violation: a row, column name, notice or error text with another tag, an
 * answer too many or too few, a cancel that nobody of this client asked for, a
 * setting or a transaction of somebody else, an answer that never comes.  What is
 * not: a connection that ends (killed, or the pooler would not trust it any more).
 *
 * The script of every client follows from --seed, the order in which they meet does
 * not; a run that failed is repeated by its seed until it fails again.
 *
 * Exit status: 0 no violation, 1 violations, 2 it could not run.
 */
#include "integrity.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

struct options opt = {.user = "trusty",
	.database = "shop",
	.clients = 16,
	.actions = 5000,
	.kill_ms = 25,
	.patience_ms = 30000};

static atomic_long taken, refused, kills, ended;
static atomic_bool finished;

/* A step whose tag no other statement of the run has. */
static struct step step_of(struct client *c, int place, long rows)
{
	struct step s = {.rows = rows, .last = true};

	snprintf(s.tag, sizeof(s.tag), "%s-%u-%d:", c->name, c->action, place);
	return s;
}

/* Send, read, judge one group of steps. */
static int ask(struct client *c, const struct step *steps, int count)
{
	return flush_out(c) == 0 ? judge(c, steps, count) : -1;
}

static int command(struct client *c, const char *sql)
{
	struct step s = step_of(c, 99, -1);

	put_query(&c->out, "%s", sql);
	return ask(c, &s, 1);
}

/* --- actions: each returns 0 (go on) or -1 (the connection is over) ------------- */

static int act_simple(struct client *c)
{
	struct step s = step_of(c, 0, 1 + below(c, 60));

	s.named_cols = true;
	put_query(&c->out, "select '%s' as \"%s\", repeat('x', %u) from generate_series(1, %ld)",
		s.tag, s.tag, below(c, 400), s.rows);
	return ask(c, &s, 1);
}

static int act_several(struct client *c)
{
	struct step s[3];
	char sql[600] = "";
	size_t n = 0;

	for (int i = 0; i < 3; i++) {
		s[i] = step_of(c, i, 1 + below(c, 5));
		s[i].last = i == 2;
		n += (size_t)snprintf(sql + n, sizeof(sql) - n,
			"select '%s' from generate_series(1, %ld);", s[i].tag, s[i].rows);
	}
	put_query(&c->out, "%s", sql);
	return ask(c, s, 3);
}

static void put_extended(struct client *c, const struct step *s, const char *name, bool parse)
{
	char rows[24];

	snprintf(rows, sizeof(rows), "%ld", s->rows);
	if (s->fails) {
		put_parse(&c->out, "", "select $1::text::int");
		put_execute(&c->out, "", s->tag, NULL, false);
		return;
	}
	if (parse)
		put_parse(&c->out, name, "select $1::text from generate_series(1, $2::int)");
	put_execute(&c->out, name, s->tag, rows, below(c, 2) == 0);
}

/* A pipeline of statements with Syncs at random, some of them failing. */
static int act_pipeline(struct client *c)
{
	struct step s[MAX_STEPS];
	int count = 1 + (int)below(c, MAX_STEPS);

	for (int i = 0; i < count; i++) {
		s[i] = step_of(c, i, 1 + below(c, 20));
		s[i].fails = below(c, 12) == 0;
		s[i].last = i == count - 1 || below(c, 3) == 0;
		if (i > 0 && s[i - 1].last && below(c, 6) == 0 && !s[i].fails) {
			s[i].last = true;
			put_query(&c->out, "select '%s' from generate_series(1, %ld)", s[i].tag,
				s[i].rows);
			continue;
		}
		put_extended(c, &s[i], "", true);
		if (s[i].last)
			put_empty(&c->out, 'S');
	}
	return ask(c, s, count);
}

/* A named statement, prepared once and used in several transactions. */
static int act_prepared(struct client *c)
{
	char name[24];
	int uses = 1 + (int)below(c, 5), status = 0;

	if (!opt.prepared)
		return act_pipeline(c);
	/* Few names, the same ones in every client: a mix-up between clients would show. */
	snprintf(name, sizeof(name), "s%u", below(c, 3));
	for (int i = 0; status == 0 && i < uses; i++) {
		struct step s = step_of(c, i, 1 + below(c, 10));
		size_t m;

		if (i == 0) {
			m = msg_begin(&c->out, 'C');
			put(&c->out, "S", 1);
			put_text(&c->out, name);
			msg_end(&c->out, m);
		}
		put_extended(c, &s, name, i == 0);
		put_empty(&c->out, 'S');
		status = ask(c, &s, 1);
		if (below(c, 3) == 0)
			pause_us(below(c, 2000));
	}
	return status;
}

static int act_copy_out(struct client *c)
{
	struct step s = step_of(c, 0, 1 + below(c, 300));
	char sql[300];

	snprintf(sql, sizeof(sql),
		"copy (select '%s', repeat('y', 50) from generate_series(1, %ld)) to stdout", s.tag,
		s.rows);
	if (below(c, 2)) {
		put_query(&c->out, "%s", sql);
	} else {
		put_parse(&c->out, "", sql);
		put_execute(&c->out, "", NULL, NULL, false);
		put_empty(&c->out, 'S');
	}
	return ask(c, &s, 1);
}

/* COPY into a table of the transaction's own, which is read back and dropped. */
static int act_copy_in(struct client *c)
{
	struct step load = step_of(c, 0, -1), back = step_of(c, 0, 1 + below(c, 100));
	/* A late cancel may refuse the COPY, and then both Syncs are answered. */
	bool extended = below(c, 2) && !c->cancelled, give_up = below(c, 5) == 0;

	if (command(c, "begin") != 0 ||
		command(c, "create temp table mine (t text) on commit drop") != 0)
		return -1;
	if (extended) {
		put_parse(&c->out, "", "copy mine from stdin");
		put_execute(&c->out, "", NULL, NULL, false);
		put_empty(&c->out, 'S');
	} else {
		put_query(&c->out, "copy mine from stdin");
	}
	if (below(c, 2) && flush_out(c) != 0)
		return -1;
	for (long i = 0; i < back.rows; i++) {
		size_t m = msg_begin(&c->out, 'd');

		put(&c->out, back.tag, strlen(back.tag));
		put(&c->out, "\n", 1);
		msg_end(&c->out, m);
	}
	if (give_up && below(c, 2)) {
		flush_out(c);
		return -1;
	}
	put_empty(&c->out, 'c');
	if (extended)
		put_empty(&c->out, 'S');
	if (ask(c, &load, 1) != 0)
		return -1;
	put_query(&c->out, "select t from mine");
	if (ask(c, &back, 1) != 0)
		return -1;
	return command(c, give_up ? "rollback" : "commit");
}

static int act_transaction(struct client *c)
{
	int count = 1 + (int)below(c, 4);

	if (command(c, "begin") != 0)
		return -1;
	if (c->status != 'T' && c->cancelled)
		return -1; /* it was the BEGIN that a late cancel hit */
	if (c->status != 'T')
		violation(c, "status %c inside a transaction", c->status);
	for (int i = 0; i < count; i++) {
		struct step s = step_of(c, i, 1 + below(c, 20));

		put_extended(c, &s, "", true);
		put_empty(&c->out, 'S');
		if (ask(c, &s, 1) != 0)
			return -1;
		if (below(c, 3) == 0)
			pause_us(below(c, 3000));
	}
	if (below(c, 10) == 0)
		return -1;
	if (command(c, below(c, 2) ? "commit" : "rollback") != 0)
		return -1;
	if (c->status != 'I' && c->cancelled)
		return -1;
	if (c->status != 'I')
		violation(c, "status %c after a transaction", c->status);
	return 0;
}

static int act_error(struct client *c)
{
	struct step s = step_of(c, 0, 0);

	s.fails = true;
	put_query(&c->out, "select '%s'::int", s.tag);
	return ask(c, &s, 1);
}

static int act_notice(struct client *c)
{
	struct step s = step_of(c, 0, 0);

	put_query(&c->out, "do $$ begin raise notice '%s'; end $$", s.tag);
	return ask(c, &s, 1);
}

/* A parameter that the server reports belongs to the client, on any connection. */
static int act_setting(struct client *c)
{
	struct step s = step_of(c, 0, 1);
	char sql[200];

	snprintf(sql, sizeof(sql), "set application_name = '%s'", s.tag);
	if (command(c, sql) != 0)
		return -1;
	if (below(c, 2))
		pause_us(below(c, 2000));
	put_query(&c->out, "show application_name");
	return ask(c, &s, 1);
}

static int act_set_local(struct client *c)
{
	struct step s = step_of(c, 0, 1);

	put_query(&c->out,
		"begin; set local search_path = pg_catalog; set local role none; commit; "
		"select '%s' || current_setting('search_path')",
		s.tag);
	/* The last of five commands is the one with a row. */
	struct step all[5] = {{.rows = -1}, {.rows = -1}, {.rows = -1}, {.rows = -1}, s};
	return ask(c, all, 5);
}

static void send_cancel(const struct client *c, bool wait)
{
	uint32_t words[4] = {htonl(16), htonl(80877102), (uint32_t)c->pid, (uint32_t)c->key};
	struct pollfd pfd = {.fd = dial(), .events = POLLIN};

	if (pfd.fd < 0)
		return;
	send_all(pfd.fd, (char *)words, sizeof(words));
	if (wait)
		poll(&pfd, 1, 5000);
	close(pfd.fd);
}

/* A query and a cancel that may come before, during or after it. */
static int act_cancel(struct client *c)
{
	struct step s = step_of(c, 0, -1);

	put_query(&c->out, "select '%s' from generate_series(1, 3), pg_sleep(%.4f)", s.tag,
		below(c, 100) / 10000.0);
	if (flush_out(c) != 0)
		return -1;
	pause_us(below(c, 12000));
	c->cancelled = true;
	send_cancel(c, true);
	if (below(c, 5) == 0)
		return -1;
	return judge(c, &s, 1);
}

static int act_cancel_while_idle(struct client *c)
{
	c->cancelled = true;
	send_cancel(c, below(c, 2));
	return act_simple(c);
}

/* Vanish with an answer on the way. */
static int act_abandon(struct client *c)
{
	struct step s = step_of(c, 0, -1);
	struct linger hard = {1, 0};
	struct msg m;
	unsigned reads = below(c, 20);

	for (unsigned i = 0; i <= below(c, 3); i++)
		put_query(&c->out, "select '%s', repeat('z', 500) from generate_series(1, %u)",
			s.tag, 1 + below(c, 10000));
	if (flush_out(c) != 0)
		return -1;
	for (unsigned i = 0; i < reads && next_msg(c, &m) == 0 && m.kind != 'Z'; i++)
		if (m.kind == 'D')
			judge_row(c, &m, &s);
	switch (below(c, 3)) {
	case 0:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		break;
	case 1:
		put_empty(&c->out, 'X');
		flush_out(c);
		break;
	}
	return -1;
}

/* Vanish with a request on the way, cut at any byte. */
static int act_half_request(struct client *c)
{
	struct step s = step_of(c, 0, 3);

	switch (below(c, 4)) {
	case 0:
		put_query(&c->out, "select '%s' from generate_series(1, 3)", s.tag);
		break;
	case 1:
		put_extended(c, &s, "", true);
		put_empty(&c->out, 'S');
		break;
	case 2:
		put_query(&c->out, "select '%s' from generate_series(1, 3)", s.tag);
		put_extended(c, &s, "", true);
		break;
	case 3:
		put_extended(c, &s, "", true);
		put_empty(&c->out, 'H');
		break;
	}
	c->out.len = 1 + below(c, (unsigned)c->out.len);
	flush_out(c);
	pause_us(below(c, 3000));
	return -1;
}

/* A query with half of the next request behind it, the other half later. */
static int act_straddle(struct client *c)
{
	struct step s[2] = {step_of(c, 0, 2), step_of(c, 1, 2)};
	struct buf rest = {0};
	size_t cut;
	int status;

	put_query(&c->out, "select '%s' from generate_series(1, 2)", s[0].tag);
	cut = c->out.len + 1;
	put_extended(c, &s[1], "", true);
	put_empty(&c->out, 'S');
	cut += below(c, (unsigned)(c->out.len - cut));
	put(&rest, c->out.at + cut, c->out.len - cut);
	c->out.len = cut;
	status = ask(c, &s[0], 1);
	if (status == 0) {
		pause_us(below(c, 3000));
		put(&c->out, rest.at, rest.len);
		status = ask(c, &s[1], 1);
	}
	free(rest.at);
	return status;
}

/* A statement that the server's own timeout ends, or not; or the pooler's, where it has one. */
static int act_overtime(struct client *c)
{
	struct step all[4] = {
		{.rows = -1}, {.rows = -1}, step_of(c, 0, -1), {.rows = -1, .last = true}};
	bool before = c->cancelled;
	int status;

	put_query(&c->out,
		"begin; set local statement_timeout = %u; "
		"select '%s' from generate_series(1, 3), pg_sleep(%.4f); commit",
		1 + below(c, 20), all[2].tag, below(c, 300) / 10000.0);
	all[2].last = false;
	c->cancelled = true;
	status = ask(c, all, 4);
	c->cancelled = before;
	if (status == 0 && c->status != 'I')
		status = command(c, "rollback");
	return status;
}

/* A prepared statement whose columns change between its uses, on whichever connections:
 * who asks for a description with each use never sees an error. */
static int act_reshape(struct client *c)
{
	struct step s = step_of(c, 0, 1);
	char sql[300], table[64];
	int status;
	size_t m;

	if (!opt.prepared)
		return act_prepared(c);
	/* a run whose connections are killed leaves some of them to the next */
	snprintf(table, sizeof(table), "shape_%llx_%d_%u_%u", (unsigned long long)opt.run, c->id,
		c->session, c->action);
	snprintf(sql, sizeof(sql), "create table %s as select '%s'::text as t", table, s.tag);
	status = command(c, sql);
	snprintf(sql, sizeof(sql), "select * from %s", table);
	for (int i = 0; status == 0 && !c->cut && i < 3; i++) {
		char alter[200];

		if (i == 0) {
			m = msg_begin(&c->out, 'C');
			put(&c->out, "S", 1);
			put_text(&c->out, "shape");
			msg_end(&c->out, m);
			put_parse(&c->out, "shape", sql);
		}
		put_execute(&c->out, "shape", NULL, NULL, true);
		put_empty(&c->out, 'S');
		/* in one piece: one that comes bit by bit is not sent again */
		status = send_all(c->fd, c->out.at, c->out.len);
		c->out.len = 0;
		if (status == 0)
			status = judge(c, &s, 1);
		snprintf(alter, sizeof(alter), "alter table %s add c%d int default %d", table, i,
			i);
		if (status == 0 && !c->cut)
			status = command(c, alter);
	}
	snprintf(sql, sizeof(sql), "drop table %s", table);
	return status == 0 ? command(c, sql) : status;
}

static int act_quit(struct client *c)
{
	put_empty(&c->out, 'X');
	flush_out(c);
	return -1;
}

static const struct {
	const char *name;
	int (*act)(struct client *);
	unsigned weight;
} actions[] = {
	{"simple", act_simple, 16},
	{"several", act_several, 5},
	{"pipeline", act_pipeline, 16},
	{"prepared", act_prepared, 8},
	{"copy-out", act_copy_out, 5},
	{"copy-in", act_copy_in, 5},
	{"transaction", act_transaction, 8},
	{"error", act_error, 4},
	{"notice", act_notice, 3},
	{"setting", act_setting, 5},
	{"set-local", act_set_local, 2},
	{"cancel", act_cancel, 6},
	{"cancel-idle", act_cancel_while_idle, 3},
	{"abandon", act_abandon, 5},
	{"half-request", act_half_request, 4},
	{"straddle", act_straddle, 4},
	{"overtime", act_overtime, 4},
	{"reshape", act_reshape, 2},
	{"quit", act_quit, 1},
};
enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };
static atomic_long counts[ACTIONS];

/* --- the run --------------------------------------------------------------------- */

static unsigned choose(struct client *c)
{
	unsigned total = 0, i = 0, at;

	for (unsigned n = 0; n < ACTIONS; n++)
		total += actions[n].weight;
	do {
		i = 0;
		for (at = below(c, total); at >= actions[i].weight; i++)
			at -= actions[i].weight;
	} while (opt.without && strstr(opt.without, actions[i].name));
	return i;
}

static void *client_main(void *arg)
{
	struct client *c = arg;

	while (atomic_load(&taken) < opt.actions && atomic_load(&violations) < 20) {
		unsigned what;

		c->doing = "login";
		if (c->fd < 0 && enter(c) != 0) {
			leave(c);
			if (atomic_fetch_add(&refused, 1) > 20 * opt.actions)
				break;
			pause_us(1000 + below(c, 20000));
			continue;
		}
		what = choose(c);
		c->doing = actions[what].name;
		c->action++;
		c->cut = false;
		atomic_fetch_add(&taken, 1);
		atomic_fetch_add(&counts[what], 1);
		if (actions[what].act(c) != 0) {
			atomic_fetch_add(&ended, 1);
			leave(c);
		}
		c->out.len = 0;
	}
	leave(c);
	free(c->in.at);
	free(c->out.at);
	return NULL;
}

/* Kill one connection of the pooler's at a time, any one. */
static void *killer_main(void *arg)
{
	PGconn *conn = PQconnectdb(opt.direct);

	(void)arg;
	while (!atomic_load(&finished)) {
		PGresult *r;

		pause_us((unsigned)opt.kill_ms * 1000);
		r = PQexec(conn,
			"select pg_terminate_backend(pid) from pg_stat_activity "
			"where backend_type = 'client backend' and pid <> pg_backend_pid() "
			"order by random() limit 1");
		if (PQresultStatus(r) != PGRES_TUPLES_OK) {
			fprintf(stderr, "integrity: %s", PQerrorMessage(conn));
			PQreset(conn);
		}
		atomic_fetch_add(&kills, PQntuples(r));
		PQclear(r);
	}
	PQfinish(conn);
	return NULL;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: integrity --port PORT [--user U] [--database D] [--clients N]\n"
		"       [--actions N] [--seed N] [--direct CONNINFO --kill-ms N] [--prepared]\n"
		"       [--without ACTION,...] [--patience-ms N]\n");
	exit(2);
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = {{"port", 1, NULL, 'p'}, {"user", 1, NULL, 'u'},
		{"database", 1, NULL, 'd'}, {"clients", 1, NULL, 'c'}, {"actions", 1, NULL, 'n'},
		{"seed", 1, NULL, 's'}, {"direct", 1, NULL, 'D'}, {"kill-ms", 1, NULL, 'k'},
		{"prepared", 0, NULL, 'P'}, {"without", 1, NULL, 'w'},
		{"patience-ms", 1, NULL, 't'}, {0}};
	int o;

	while ((o = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (o) {
		case 'p':
			opt.port = (int)strtol(optarg, NULL, 10);
			break;
		case 'u':
			opt.user = optarg;
			break;
		case 'd':
			opt.database = optarg;
			break;
		case 'c':
			opt.clients = (int)strtol(optarg, NULL, 10);
			break;
		case 'n':
			opt.actions = strtol(optarg, NULL, 10);
			break;
		case 's':
			opt.seed = strtoull(optarg, NULL, 10);
			break;
		case 'D':
			opt.direct = optarg;
			break;
		case 'k':
			opt.kill_ms = (int)strtol(optarg, NULL, 10);
			break;
		case 't':
			opt.patience_ms = (int)strtol(optarg, NULL, 10);
			break;
		case 'w':
			opt.without = optarg;
			break;
		case 'P':
			opt.prepared = true;
			break;
		default:
			usage();
		}
	}
	if (!opt.port || opt.clients < 1)
		usage();
	if (!opt.seed)
		opt.seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
}

int main(int argc, char **argv)
{
	struct client *clients;
	pthread_t *threads, killer;
	struct timespec now;

	read_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	clients = calloc((size_t)opt.clients, sizeof(*clients));
	threads = calloc((size_t)opt.clients, sizeof(*threads));
	if (!clients || !threads)
		return 2;
	clock_gettime(CLOCK_REALTIME, &now);
	opt.run = (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec;
	printf("seed %llu\n", (unsigned long long)opt.seed);
	for (int i = 0; i < opt.clients; i++) {
		clients[i] = (struct client){.id = i,
			.fd = -1,
			.rng = (opt.seed + (uint64_t)i * 0x9e3779b97f4a7c15u) | 1};
		for (int warm = 0; warm < 20; warm++)
			draw(&clients[i]);
		pthread_create(&threads[i], NULL, client_main, &clients[i]);
	}
	if (opt.direct)
		pthread_create(&killer, NULL, killer_main, NULL);
	for (int i = 0; i < opt.clients; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&finished, true);
	if (opt.direct)
		pthread_join(killer, NULL);
	for (unsigned i = 0; i < ACTIONS; i++)
		printf("%s %ld%s", actions[i].name, atomic_load(&counts[i]),
			i + 1 < ACTIONS ? ", " : "\n");
	printf("%ld interleavings, %ld answers, %ld logins (%ld refused), %ld connections ended, "
	       "%ld killed, %ld violations\n",
		atomic_load(&taken), atomic_load(&answers), atomic_load(&connects),
		atomic_load(&refused), atomic_load(&ended), atomic_load(&kills),
		atomic_load(&violations));
	free(clients);
	free(threads);
	if (atomic_load(&answers) == 0)
		return 2;
	return atomic_load(&violations) ? 1 : 0;
}
