/* SPDX-License-Identifier: ISC
 *
 * The ledger against a small PostgreSQL: a simulated server reads random sequences of
 * messages as the real one does (it skips to Sync after an error, ignores Sync inside
 * COPY IN, dies of anything else there) and answers at random moments.  Each reply knows
 * whose answer it is; the ledger must say the same, drop exactly what the server skips,
 * and be quiet only when the server is.
 */
#include "wire_ledger.h"

#include <check.h>

/* ck_assert() writes to the runner each time, which is too dear for millions of them. */
#define ALWAYS(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			ck_abort_msg("%s", #cond);                                                 \
	} while (0)

/* --- random numbers ------------------------------------------------------------ */

static uint64_t state;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 32) % n);
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

/* --- the simulated server ---------------------------------------------------------- */

#define QUEUE 4096

struct sent {
	char type;
	bool statement; /* 'D': of a statement */
	uint32_t id;
};

struct said {
	char type, status;
	uint32_t of; /* whose answer */
};

static struct {
	struct sent in[QUEUE];
	struct said out[QUEUE];
	unsigned n_in, read, n_out, taken;
	bool ignoring; /* up to Sync */
	bool extended; /* an extended message was read since the last Sync, Query or 'F' */
	bool in_copy, copy_is_simple;
	uint32_t copy_id;
	unsigned statements; /* of the running Query, still to come */
	bool dead;
	char status;
	bool skipped[QUEUE]; /* by id: read and ignored */
} sv;

static void say(char type, uint32_t of)
{
	ALWAYS((sv.n_out) < (QUEUE - 4));
	while (chance(4))
		sv.out[sv.n_out++] = (struct said){"NSA"[below(3)], 0, of};
	sv.out[sv.n_out++] = (struct said){type, sv.status, of};
}

static void ready(uint32_t of)
{
	sv.status = "IIIITE"[below(6)];
	say('Z', of);
	sv.extended = false;
}

/* One statement.  False: it failed, or it waits for copy data. */
static bool run_statement(uint32_t id, bool simple)
{
	switch (below(8)) {
	case 0:
		say('E', id);
		sv.ignoring = sv.ignoring || !simple;
		return false;
	case 1:
		say('I', id);
		return true;
	case 2:
		say('G', id);
		sv.in_copy = true;
		sv.copy_is_simple = simple;
		sv.copy_id = id;
		return false;
	case 3:
		say('H', id);
		for (unsigned n = below(3); n; n--)
			say('d', id);
		if (chance(20)) {
			say('E', id);
			sv.ignoring = sv.ignoring || !simple;
			return false;
		}
		say('c', id);
		break;
	default:
		if (simple)
			say('T', id);
		for (unsigned n = below(3); n; n--)
			say('D', id);
		if (chance(10)) {
			say('E', id);
			sv.ignoring = sv.ignoring || !simple;
			return false;
		}
		if (!simple && chance(20)) {
			say('s', id);
			return true;
		}
	}
	say('C', id);
	return true;
}

static void run_query(uint32_t id)
{
	while (sv.statements > 0) {
		sv.statements--;
		if (!run_statement(id, true)) {
			if (sv.in_copy)
				return; /* the rest comes when the copy has ended */
			break;
		}
	}
	sv.statements = 0;
	ready(id);
}

static void end_copy(bool failed)
{
	uint32_t id = sv.copy_id;

	sv.in_copy = false;
	say(failed ? 'E' : 'C', id);
	if (!sv.copy_is_simple) {
		sv.ignoring = failed;
	} else if (failed) {
		sv.statements = 0;
		ready(id);
	} else {
		run_query(id);
	}
}

static void read_in_copy(const struct sent *m)
{
	switch (m->type) {
	case 'd':
		if (chance(15))
			end_copy(true);
		break;
	case 'c':
		end_copy(chance(15));
		break;
	case 'f':
		end_copy(true);
		break;
	case 'S':
	case 'H':
		sv.skipped[m->id] = true;
		break;
	default: /* ERROR, then FATAL: the stream's synchronisation was lost */
		say('E', sv.copy_id);
		say('E', sv.copy_id);
		sv.dead = true;
	}
}

/* P B D C E answered with what ends them, or with an error. */
static void read_extended(const struct sent *m)
{
	sv.extended = true;
	if (m->type == 'E') {
		run_statement(m->id, false);
		return;
	}
	if (m->type != 'C' && chance(8)) {
		say('E', m->id);
		sv.ignoring = true;
		return;
	}
	switch (m->type) {
	case 'P':
		say('1', m->id);
		break;
	case 'B':
		say('2', m->id);
		break;
	case 'C':
		say('3', m->id);
		break;
	case 'D':
		if (m->statement)
			say('t', m->id);
		say(chance(50) ? 'T' : 'n', m->id);
		break;
	}
}

/* The server reads one message. */
static void serve(void)
{
	const struct sent *m = &sv.in[sv.read++];

	if (sv.in_copy) {
		read_in_copy(m);
		return;
	}
	if (sv.ignoring && m->type != 'S') {
		sv.skipped[m->id] = true;
		return;
	}
	switch (m->type) {
	case 'Q':
		sv.statements = 1 + (chance(20) ? below(3) : 0);
		run_query(m->id);
		break;
	case 'F':
		say(chance(20) ? 'E' : 'V', m->id);
		ready(m->id);
		break;
	case 'S':
		sv.ignoring = false;
		if (chance(5))
			say('E', m->id);
		ready(m->id);
		break;
	case 'd':
	case 'c':
	case 'f':
	case 'H':
		break;
	default:
		read_extended(m);
	}
}

/* What is on its way to it may be what it will ignore. */
static bool server_is_idle(void)
{
	for (unsigned i = sv.read; i < sv.n_in; i++)
		if (!strchr("dcfH", sv.in[i].type))
			return false;
	return sv.taken == sv.n_out && !sv.in_copy && !sv.ignoring && !sv.extended &&
	       sv.status == 'I';
}

/* --- the pooler in between ------------------------------------------------------------ */

static struct ledger l;
static uint32_t last_id;
static bool was_dropped[QUEUE];
static uint64_t judged; /* replies, over all sequences */

static void on_dropped(void *ctx, const struct entry *e)
{
	(void)ctx;
	if (e->flags & ENTRY_LOCAL || e->kind == ENTRY_COPY_END)
		return;
	ALWAYS(!was_dropped[e->tag]);
	was_dropped[e->tag] = true;
	/* the server may not have come to it, but then it will skip it */
	ALWAYS(sv.skipped[e->tag] || sv.ignoring || sv.dead || l.state.ambiguous);
}

/* What is ours to answer is answered as soon as its turn has come. */
static void take_locals(void)
{
	struct entry e;

	while (ledger_take_local(&l, &e))
		;
}

static void forward(char type, bool ours)
{
	static const struct {
		char type;
		enum entry_kind kind;
	} kinds[] = {
		{'Q', ENTRY_QUERY},
		{'F', ENTRY_FUNCTION},
		{'P', ENTRY_PARSE},
		{'B', ENTRY_BIND},
		{'E', ENTRY_EXECUTE},
		{'C', ENTRY_CLOSE},
		{'S', ENTRY_SYNC},
		{'c', ENTRY_COPY_END},
		{'f', ENTRY_COPY_END},
	};
	struct sent m = {type, chance(50), ++last_id};

	ALWAYS((last_id) < (QUEUE));
	if (type == 'D')
		ALWAYS(ledger_push(&l,
			m.statement ? ENTRY_DESCRIBE_STATEMENT : ENTRY_DESCRIBE_PORTAL, 0, m.id));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].type == type)
			ALWAYS(ledger_push(&l, kinds[i].kind, ours ? ENTRY_OURS : 0, m.id));
	sv.in[sv.n_in++] = m;
	take_locals();
}

static void send_local(void)
{
	ALWAYS(ledger_push(&l, chance(50) ? ENTRY_PARSE : ENTRY_CLOSE, ENTRY_LOCAL, ++last_id));
	take_locals();
}

/* Up to one whole exchange as drivers have it, sometimes torn, sometimes noise. */
static void send_something(void)
{
	static const char *const exchanges[] = {"Q", "Q", "PBDES", "PBES", "BES", "PS", "PDS",
		"BDES", "CS", "S", "F", "PBEBEBES", "PBEH", "PBECS", "PBDESddcS", "QddddcQ", "Qddf",
		"QcQf", "PBEdcS", "PBEdScS", "PBESfS", "PQ", "PQS", "BEQ", "c", "d", "H",
		"PBEPBEPBESPBES"};
	const char *x = exchanges[below(ARRAY_LEN(exchanges))];

	if (chance(8)) {
		forward("QFPBDCESHdcf"[below(12)], false);
		return;
	}
	for (; *x && !chance(2); x++) {
		if (chance(5))
			send_local();
		if (chance(5))
			forward("PC"[below(2)], true);
		forward(*x, false);
	}
	if (chance(5))
		forward('Q', true);
}

/* The pooler reads one reply. */
static void take_reply(void)
{
	const struct said *r = &sv.out[sv.taken++];
	struct ledger_event ev;
	enum ledger_verdict v;
	const struct entry *head = ledger_head(&l);
	uint32_t tag = head ? head->tag : 0;
	bool ours = head && (head->flags & ENTRY_OURS);

	v = ledger_reply(&l, r->type, r->status, &ev, on_dropped, NULL);
	judged++;
	if (strchr("NSA", r->type)) {
		ALWAYS((v) == (LEDGER_ASYNC));
	} else if (sv.dead && sv.taken == sv.n_out) {
		ALWAYS(v == LEDGER_FATAL || v == LEDGER_FORWARD ||
			v == LEDGER_SWALLOW); /* its last words */
	} else {
		ALWAYS(v == LEDGER_FORWARD || v == LEDGER_SWALLOW);
		ALWAYS(tag == r->of); /* or it was taken for another's answer */
		if (r->type != 'E')
			ALWAYS((v) == (ours ? LEDGER_SWALLOW : LEDGER_FORWARD));
		if (ev.finished)
			ALWAYS((ev.done.tag) == (r->of));
	}
	take_locals();
}

static void one_sequence(void)
{
	memset(&sv, 0, sizeof sv);
	sv.status = 'I';
	last_id = 0;
	memset(was_dropped, 0, sizeof was_dropped);
	ledger_init(&l);
	for (unsigned step = 20 + below(200); step; step--) {
		/* who is fast today: the client, the server or the network */
		unsigned who = below(3);

		if (who == 0)
			send_something();
		for (unsigned n = below(6); n && !sv.dead && sv.read < sv.n_in && who == 1; n--)
			serve();
		for (unsigned n = below(8);
			n && !l.state.ambiguous && sv.taken < sv.n_out && who == 2; n--)
			take_reply();
		if (ledger_is_quiet(&l))
			ALWAYS(server_is_idle());
		if (sv.dead || l.state.ambiguous || sv.n_in > 400)
			break;
	}
	while (!sv.dead && sv.read < sv.n_in)
		serve();
	while (!l.state.ambiguous && sv.taken < sv.n_out)
		take_reply();
	if (sv.dead) {
		ALWAYS(!ledger_is_quiet(&l));
	} else if (!l.state.ambiguous) {
		/* everything is answered: nothing may be owed */
		ALWAYS(sv.in_copy ? l.state.copying_in : l.len == 0);
		ALWAYS((ledger_is_quiet(&l)) == (server_is_idle()));
	}
	ledger_release(&l);
}

START_TEST(the_ledger_knows_what_the_server_owes)
{
	judged = 0;
	for (unsigned i = 0; i < 4000; i++) {
		state = 0x9E3779B97F4A7C15u * ((uint64_t)_i * 4000 + i + 1);
		one_sequence();
	}
	ck_assert_uint_gt(judged, 100000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire_ledger_model");
	TCase *t = tcase_create("model");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, the_ledger_knows_what_the_server_owes, 0, 5);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
