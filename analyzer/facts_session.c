/* SPDX-License-Identifier: ISC
 *
 * facts_session: the entries of one session, in order, become calls.
 *
 * A call is *open* from its line until the session's next message, because what completes it
 * may come on lines of its own: DETAIL (parameters, a prepared text), STATEMENT, or, with
 * log_duration, its time.
 *
 *	extended protocol: parse and bind only wait; execute takes their times into its own.
 *	                   When another statement comes instead, they count as a call by
 *	                   themselves (the execute was below the server's threshold).
 *	auto_explain:      the plan waits for its statement; when none comes (nothing else is
 *	                   logged) the plan is the call.  A portal is closed later than its
 *	                   execute is logged, and log_statement logs at the begin: there the
 *	                   plan comes behind, and tells the time when nothing else does.
 */
#include "facts_build.h"

#define KEEP                                                                                       \
	1024 /* bytes of a statement kept for the unit, when it may be asked for its values        \
	      */

static uint32_t name_id(struct facts *f, struct str name)
{
	return names_id(&f->names, name.n ? name : STR(""));
}

static struct session *session_new(struct facts *f, uint64_t key)
{
	struct session *s = mem_zalloc(sizeof(*s));

	s->key = key;
	s->wait_shape = s->plan_shape = s->ran_shape = NO_SHAPE;
	s->last_shape = s->lock_holder = NO_SHAPE;
	s->pause_shape = s->page_shape = NO_SHAPE;
	s->test = s->marker = s->unit.test = s->burst.test = NO_TEST;
	memset(s->group, 0xff, sizeof(s->group));
	f->live++;
	return s;
}

static struct session *session_find(struct facts *f, const struct log_entry *e)
{
	struct session *s = e->session_row < f->session.n ? f->session.at[e->session_row] : NULL;

	if (LIKELY(s && s->key == e->session)) /* it may have moved since it was looked up */
		return s;
	uint32_t *at = map_put(&f->session_of, e->session);
	if (*at == MAP_NONE) {
		*at = (uint32_t)f->session.n;
		*VEC_PUSH(&f->session) = NULL;
	}
	s = f->session.at[*at];
	if (s)
		return s;
	s = f->session.at[*at] = session_new(f, e->session);
	if (e->pid) {
		s->pid_key = lock_pid(f, e, e->pid);
		*map_put(&f->pid_of, s->pid_key) = *at;
	}
	return s;
}

static bool set_who(struct facts *f, struct session *s, enum group_kind kind, uint32_t *who,
	struct str name)
{
	if (name.n == 0 || str_eq(facts_name(f, *who), name))
		return false;
	bool changed = *who != 0;
	*who = name_id(f, name);
	s->group[kind] = MAP_NONE;
	return changed;
}

/* Who it is; a pooled server session may change its application name. */
static void session_who(struct facts *f, struct session *s, const struct log_entry *e)
{
	set_who(f, s, GROUP_USER, &s->user, e->user);
	set_who(f, s, GROUP_DB, &s->db, e->db);
	set_who(f, s, GROUP_HOST, &s->host, e->host);
	if (set_who(f, s, GROUP_APP, &s->app, e->app) && !s->in_tx) {
		unit_end(f, &s->unit);
		unit_end(f, &s->burst);
	}
}

void session_fetch(const struct session *s)
{
	for (size_t i = 0; s && i < sizeof(*s); i += 64)
		__builtin_prefetch((const char *)s + i, 1);
}

/* The row of the entry's shape, which is made when it is new. */
static uint32_t entry_shape(struct facts *f, struct log_entry *e, bool cut)
{
	if (UNLIKELY(e->shape_row == MAP_NONE))
		e->shape_row = shape_index(f, e->sql, e->shape, cut);
	return e->shape_row;
}

/* --- closing a call ---------------------------------------------------------------- */

static void count_group(struct facts *f, struct session *s, enum group_kind kind, uint32_t name,
	int64_t usec)
{
	struct group *g;

	if (name == 0)
		return;
	if (s->group[kind] == MAP_NONE)
		s->group[kind] = (uint32_t)(facts_group(f, kind, name) - f->group.at);
	g = &f->group.at[s->group[kind]];
	g->calls++;
	if (usec >= 0)
		sketch_add(&g->time, (uint64_t)usec);
}

/* The hour as a whole, and in its hour the shape. */
static void count_hour(struct facts *f, struct shape *sh, const struct open *o)
{
	int64_t hour = o->ts / 3600000000LL;
	uint64_t usec = o->usec > 0 ? (uint64_t)o->usec : 0;

	if (hour != f->hour || !f->hour_group) {
		f->hour = hour;
		f->hour_group = (uint32_t)(facts_hour(f, o->ts) - f->group.at) + 1;
	}
	struct group *g = &f->group.at[f->hour_group - 1];
	g->calls++;
	if (o->usec >= 0)
		sketch_add(&g->time, usec);
	struct shape_hour *h = facts_shape_hour(sh, hour);
	h->calls++;
	h->usec += usec;
	h->max = usec > h->max ? usec : h->max;
}

static void count_slot(struct facts *f, const struct shape *sh, const struct open *o)
{
	struct slot *m = facts_slot(f, o->ts);
	bool write = sh->verb == SQL_INSERT || sh->verb == SQL_UPDATE || sh->verb == SQL_DELETE ||
		     sh->verb == SQL_MERGE;
	uint64_t usec = o->usec > 0 ? (uint64_t)o->usec : 0;
	unsigned row = usec ? 63u - (unsigned)__builtin_clzll(usec) : 0;

	m->calls++;
	m->usec += usec;
	m->writes += write;
	m->reads += sh->verb == SQL_SELECT;
	if (o->usec >= 0)
		m->heat[row < HEAT_ROWS ? row : HEAT_ROWS - 1]++;
}

static void count_pooler(struct shape *sh, const struct log_pooler *p)
{
	if (p->rows >= 0) {
		sh->rows += (uint64_t)p->rows;
		sh->rows_calls++;
		if ((uint64_t)p->rows > sh->max_rows)
			sh->max_rows = (uint64_t)p->rows;
	}
	sh->bytes_in += p->bytes_in > 0 ? (uint64_t)p->bytes_in : 0;
	sh->bytes_out += p->bytes_out > 0 ? (uint64_t)p->bytes_out : 0;
	sh->wait_usec += p->wait_us > 0 ? (uint64_t)p->wait_us : 0;
}

/* LIMIT and OFFSET of this call, where parameters carry them. */
static void call_limits(const struct session *s, struct shape *sh, struct open *o)
{
	struct str params = text_slice(&s->params);

	if (o->limit == SQL_PARAM)
		o->limit = params_int(params, sh->limit_param);
	if (o->offset == SQL_PARAM)
		o->offset = params_int(params, sh->offset_param);
	if (o->limit > sh->max_limit)
		sh->max_limit = o->limit;
	if (o->offset > sh->max_offset)
		sh->max_offset = o->offset;
}

/* Where the call's time will be counted by user, database, …: on its way from memory. */
static inline void fetch_groups(const struct facts *f, const struct session *s, uint64_t usec)
{
	for (int k = GROUP_USER; k <= GROUP_HOST; k++)
		if (s->group[k] != MAP_NONE)
			__builtin_prefetch(sketch_place(&f->group.at[s->group[k]].time, usec), 1);
	if (f->hour_group)
		__builtin_prefetch(sketch_place(&f->group.at[f->hour_group - 1].time, usec), 1);
}

/* Two sessions that take turns are two at work. */
static void count_worker(struct shape *sh, uint64_t session)
{
	uint64_t bit = 1ull << (session * 0x9e3779b97f4a7c15ull >> 58);

	sh->is_shared |= (sh->workers & bit) != 0;
	sh->workers |= bit;
	sh->worker = session;
}

static void close_call(struct facts *f, struct session *s, struct open *o)
{
	struct shape *sh = f->shape.at[o->shape];
	uint64_t usec = o->usec > 0 ? (uint64_t)o->usec : 0;

	fetch_groups(f, s, usec);
	sh->calls++;
	f->statements++;
	if (o->ts) {
		sh->first_ts = sh->first_ts ? sh->first_ts : o->ts;
		sh->last_ts = o->ts;
		f->first_ts = f->first_ts && f->first_ts < o->ts ? f->first_ts : o->ts;
		f->last_ts = f->last_ts > o->ts ? f->last_ts : o->ts;
	}
	if (o->usec >= 0) {
		sketch_add(&sh->time, (uint64_t)o->usec);
		sh->plan_usec += (uint64_t)o->plan_usec;
		if ((uint64_t)o->usec < f->min_usec)
			f->min_usec = (uint64_t)o->usec;
		if (sh->samples < SAMPLE_MAX || o->usec > sh->slow[SAMPLE_MAX - 1].usec)
			shape_sample(sh, s, o);
	} else {
		f->no_duration++;
	}
	if (f->draws_calls)
		shape_draw(sh, s, o);
	if (o->has_pooler)
		count_pooler(sh, &o->pooler);
	call_limits(s, sh, o);
	if (sh->locks && sh->worker != s->key)
		count_worker(sh, s->key);
	shape_place(sh, o->at);
	if (s->user)
		facts_tally(sh, GROUP_USER, s->user, 1, usec);
	if (s->db)
		facts_tally(sh, GROUP_DB, s->db, 1, usec);
	if (s->app)
		facts_tally(sh, GROUP_APP, s->app, 1, usec);
	if (s->host)
		facts_tally(sh, GROUP_HOST, s->host, 1, usec);
	count_group(f, s, GROUP_USER, s->user, o->usec);
	count_group(f, s, GROUP_DB, s->db, o->usec);
	count_group(f, s, GROUP_APP, s->app, o->usec);
	count_group(f, s, GROUP_HOST, s->host, o->usec);
	count_slot(f, sh, o);
	test_count(f, s, o->shape, o->usec);
	if (o->ts)
		count_hour(f, sh, o);
	s->last_shape = o->shape;
	unit_add(f, s, o);
}

static bool is_execute(const struct facts *f, uint32_t shape)
{
	return shape != NO_SHAPE && f->shape.at[shape]->verb == SQL_EXECUTE;
}

/* EXECUTE by SQL, of what no DETAIL tells (log_error_verbosity = terse): its plan does. */
static void execute_adopt(struct facts *f, struct session *s, uint32_t shape)
{
	struct str sql = f->shape.at[shape]->example;

	text_clear(&s->params);
	text_str(&s->params, text_slice(&s->sql));
	text_clear(&s->sql);
	text_str(&s->sql, sql);
	s->open.shape = shape;
}

void session_close(struct facts *f, struct session *s)
{
	if (!s->has_open)
		return;
	s->has_open = false;
	if (s->plan_shape != NO_SHAPE && s->open.is_call && is_execute(f, s->open.shape) &&
		(s->open.usec < 0 || s->open.usec >= s->plan_usec)) {
		execute_adopt(f, s, s->plan_shape);
		s->plan_shape = NO_SHAPE;
	}
	if (s->open.is_call)
		close_call(f, s, &s->open);
	else if (s->open.shape != NO_SHAPE)
		server_attribute(f, s, &s->open, s->open.shape);
}

/* A call nobody logged but for its parse and bind, or its plan. */
static void partial_call(struct facts *f, struct session *s, uint32_t shape, int64_t usec,
	int64_t plan, const struct log_entry *e)
{
	struct open o = {.is_call = true,
		.shape = shape,
		.ts = e ? e->ts : s->last_ts,
		.usec = usec,
		.plan_usec = plan,
		.rows = -1,
		.origin = NO_ORIGIN,
		.limit = SQL_ABSENT,
		.offset = SQL_ABSENT,
		.at = s->open.at};

	text_clear(&s->sql);
	text_clear(&s->params);
	close_call(f, s, &o);
}

static void flush_waiting(struct facts *f, struct session *s, const struct log_entry *e)
{
	if (s->wait_shape != NO_SHAPE) {
		uint32_t shape = s->wait_shape;
		s->wait_shape = NO_SHAPE;
		partial_call(f, s, shape, s->wait_usec, s->wait_usec, e);
	}
}

static void flush_plan(struct facts *f, struct session *s, const struct log_entry *e)
{
	if (s->plan_shape != NO_SHAPE) {
		uint32_t shape = s->plan_shape;
		s->plan_shape = NO_SHAPE;
		partial_call(f, s, shape, s->plan_usec, 0, e);
	}
}

/* --- opening one ---------------------------------------------------------------------- */

static void open_at(struct session *s, const struct log_entry *e)
{
	struct open *o = &s->open;

	memset(o, 0, sizeof(*o));
	o->class = e->class;
	o->phase = e->phase;
	o->ts = e->ts;
	o->usec = e->usec;
	o->rows = -1;
	o->origin = NO_ORIGIN;
	o->limit = o->offset = SQL_ABSENT;
	o->shape = NO_SHAPE;
	o->fault = UINT32_MAX;
	o->at = (struct place){e->file, e->line};
	o->vxid = e->vxid.n && !str_ends(e->vxid, "/0") ? str_hash(e->vxid) : 0;
	text_clear(&s->sql);
	text_clear(&s->params);
	s->has_open = true;
}

static void open_params(struct facts *f, struct session *s, struct str params)
{
	if (!params.n)
		return;
	f->has_params = true;
	text_clear(&s->params);
	text_str(&s->params, str_before(params, TEXT_MAX));
	s->open.values = sql_hash_bytes(params.p, params.n, s->open.values);
	if (s->open.shape != NO_SHAPE)
		f->shape.at[s->open.shape]->params_seen++;
}

static void open_sql(struct facts *f, struct session *s, uint32_t shape, struct str sql,
	const struct sql_shape *lex)
{
	struct open *o = &s->open;

	o->shape = shape;
	o->values = lex->lit_hash;
	o->limit = lex->limit;
	o->offset = lex->offset;
	o->trace = lex->traits & SQL_HAS_COMMENT ? request_trace(sql, lex) : 0;
	struct shape *sh = f->shape.at[o->shape];
	shape_limits(sh, lex, STR_NONE);
	o->origin = tags_note(f, sh, sql, lex, o->at, false);
	bool slow = f->draws_calls || o->usec < 0 || sh->samples < SAMPLE_MAX ||
		    o->usec > sh->slow[SAMPLE_MAX - 1].usec;
	size_t want = slow ? TEXT_MAX : lex->literals ? KEEP : 0;
	text_clear(&s->sql);
	text_str(&s->sql, str_before(sql, want));
}

/* The extended protocol's messages. */
static void count_phase(struct server_facts *s, const struct log_entry *e)
{
	uint64_t usec = e->usec > 0 ? (uint64_t)e->usec : 0;

	if (e->phase == PHASE_PARSE) {
		s->parses++;
		s->parse_usec += usec;
	} else if (e->phase == PHASE_BIND) {
		s->binds++;
		s->bind_usec += usec;
	} else if (e->phase == PHASE_EXECUTE) {
		s->executes++;
	}
}

static void feed_statement(struct facts *f, struct session *s, struct log_entry *e)
{
	int64_t waited = 0;
	uint32_t shape;

	if (!e->shape || test_begin(f, s, e->sql, e->shape))
		return;
	twin_note(f, e);
	shape = entry_shape(f, e, e->truncated);
	if (s->wait_shape != NO_SHAPE && s->wait_shape != shape)
		flush_waiting(f, s, e);
	/* What an EXECUTE runs is told behind it. */
	if (s->plan_shape != NO_SHAPE && s->plan_shape != shape && !is_execute(f, shape))
		flush_plan(f, s, e);
	count_phase(&f->server, e);
	if (e->phase == PHASE_PARSE || e->phase == PHASE_BIND) {
		s->wait_usec =
			(s->wait_shape == shape ? s->wait_usec : 0) + (e->usec > 0 ? e->usec : 0);
		s->wait_shape = shape;
		s->open.at = (struct place){e->file, e->line};
		return;
	}
	if (s->wait_shape == shape) {
		waited = s->wait_usec;
		s->wait_shape = NO_SHAPE;
	}
	s->ran_shape = s->plan_shape == shape || (e->phase != PHASE_EXECUTE && e->usec >= 0)
			       ? NO_SHAPE
			       : shape;
	s->ran_usec = e->usec;
	if (s->plan_shape == shape)
		s->plan_shape = NO_SHAPE;
	if (e->usec >= 0)
		e->usec += waited;
	open_at(s, e);
	s->open.is_call = true;
	s->open.plan_usec = waited;
	open_sql(f, s, shape, e->sql, e->shape);
	open_params(f, s, e->params);
	if (e->pooler) {
		s->open.has_pooler = true;
		s->open.pooler = *e->pooler;
		s->open.rows = e->pooler->rows;
		f->has_rows |= e->pooler->rows >= 0;
	}
}

/* The plan of the call before it.  One that took longer than that call is another's. */
static bool is_plan_of_last(struct facts *f, struct session *s, uint32_t shape, int64_t usec)
{
	if ((s->ran_shape != shape && !is_execute(f, s->ran_shape)) ||
		(s->ran_usec >= 0 && usec > s->ran_usec))
		return false;
	s->ran_shape = NO_SHAPE;
	if (s->has_open && s->open.is_call && is_execute(f, s->open.shape))
		execute_adopt(f, s, shape);
	if (s->has_open && s->open.is_call && s->open.usec < 0) {
		s->open.usec = usec;
		s->open.is_timed_by_plan = true;
	}
	return true;
}

/* auto_explain: keep the slowest plan of the shape. */
static void feed_plan(struct facts *f, struct session *s, struct log_entry *e)
{
	if (!e->shape)
		return;
	uint32_t i = entry_shape(f, e, false);
	struct shape *sh = f->shape.at[i];
	if (s->plan_shape != NO_SHAPE)
		flush_plan(f, s, e);
	sh->plans++;
	if (!sh->plan || e->usec > sh->plan_time) {
		free(sh->plan);
		sh->plan = str_dup(str_before(e->plan, (size_t)256 << 10));
		sh->plan_time = e->usec;
		sh->plan_at = (struct place){e->file, e->line};
	}
	if (is_plan_of_last(f, s, i, e->usec))
		return;
	session_close(f, s);
	s->plan_shape = i;
	s->plan_usec = e->usec;
	s->open.at = (struct place){e->file, e->line};
}

/* --- parts that come after their message --------------------------------------------------- */

/* "prepare: PREPARE p AS SELECT …" of an EXECUTE. */
static void feed_prepared(struct facts *f, struct session *s, struct str detail)
{
	struct log_entry e = {.phase = PHASE_SIMPLE, .detail = detail, .severity = SEV_LOG};
	struct sql_shape lex;

	e.message = STR("statement: x");
	message_classify(&e);
	if (str_is(e.sql, "x"))
		return;
	sql_lex(e.sql.p, e.sql.n, &lex, NULL, 0);
	uint64_t values = sql_hash_bytes(s->sql.p ? s->sql.p : "", s->sql.n, 0);
	uint32_t shape = shape_index(f, e.sql, &lex, false);
	if (s->ran_shape == s->open.shape)
		s->ran_shape = s->plan_shape == shape ? NO_SHAPE : shape;
	if (s->plan_shape == shape)
		s->plan_shape = NO_SHAPE;
	text_clear(&s->params); /* EXECUTE p(1) has the values */
	text_str(&s->params, text_slice(&s->sql));
	open_sql(f, s, shape, e.sql, &lex);
	s->open.values = values;
}

static void feed_part(struct facts *f, struct session *s, struct log_entry *e)
{
	if (!s->has_open)
		return;
	if (e->part == PART_DETAIL && s->open.is_call) {
		if (message_prepared(e->detail).p)
			feed_prepared(f, s, e->detail);
		else
			open_params(f, s, message_params(e->detail));
	} else if (e->part == PART_DETAIL) {
		lock_detail(f, s, e);
	} else if (e->part == PART_STATEMENT && !s->open.is_call && e->shape) {
		s->open.shape = entry_shape(f, e, false);
	}
}

/* --- the session's stream --------------------------------------------------------------------- */

static bool filtered(const struct facts *f, const struct log_entry *e)
{
	return (f->since && e->ts && e->ts < f->since) || (f->until && e->ts && e->ts > f->until) ||
	       (f->only_db.n && e->db.n && !str_eq(f->only_db, e->db)) ||
	       (f->only_user.n && e->user.n && !str_eq(f->only_user, e->user)) ||
	       (f->only_app.n && e->app.n && !str_eq(f->only_app, e->app));
}

/* log_duration: the time of the statement logged before it. */
static bool late_duration(struct facts *f, struct session *s, const struct log_entry *e)
{
	if (!s->has_open || !s->open.is_call || (s->open.usec >= 0 && !s->open.is_timed_by_plan))
		return false;
	s->open.usec = s->ran_usec = e->usec;
	s->open.ts = e->ts;
	session_close(f, s);
	return true;
}

void session_free(struct session *s)
{
	text_release(&s->sql);
	text_release(&s->params);
	unit_release(&s->unit);
	unit_release(&s->burst);
	free(s);
}

static void session_end(struct facts *f, struct session *s)
{
	session_close(f, s);
	flush_waiting(f, s, NULL);
	flush_plan(f, s, NULL);
	if (s->in_tx)
		tx_end(f, s, NULL, true);
	unit_end_all(f, s);
	test_leave(f, s);
	session_free(s);
	f->live--;
}

/* Sessions whose end was not logged: those silent for SILENT_USEC of the log's time go.  What is
 * looked at depends on the entries alone, so every run sweeps at the same places. */
#define SWEEP_AT    4096
#define SILENT_USEC 600000000LL

static void sweep(struct facts *f, int64_t now)
{
	size_t kept = 0;

	map_release(&f->session_of);
	map_release(&f->pid_of);
	for (size_t i = 0; i < f->session.n; i++) {
		struct session *s = f->session.at[i];
		if (!s)
			continue;
		if (now && s->last_ts + SILENT_USEC < now) {
			session_end(f, s);
			continue;
		}
		*map_put(&f->session_of, s->key) = (uint32_t)kept;
		if (s->pid_key)
			*map_put(&f->pid_of, s->pid_key) = (uint32_t)kept;
		f->session.at[kept++] = s;
	}
	f->session.n = kept;
	f->sweep_at = kept * 2 > SWEEP_AT ? kept * 2 : SWEEP_AT;
}

/* A session said good-bye. */
static void forget(struct facts *f, struct session *s)
{
	uint32_t at = map_get(&f->session_of, s->key);

	map_del(&f->session_of, s->key);
	session_end(f, s);
	f->session.at[at] = NULL;
}

void session_feed(struct facts *f, struct log_entry *e)
{
	struct session *s;

	if (e->class == LOG_NOT_UNDERSTOOD || filtered(f, e))
		return;
	if (e->totals) {
		facts_totals(f, e->sql, e->totals, (struct place){e->file, e->line});
		return;
	}
	if (e->part == PART_MESSAGE)
		f->server.messages[e->severity]++;
	if (f->session.n >= (f->sweep_at ? f->sweep_at : SWEEP_AT))
		sweep(f, e->ts);
	s = session_find(f, e);
	if (e->class == LOG_DETAIL) {
		feed_part(f, s, e);
		return;
	}
	if (e->phase == PHASE_DURATION && late_duration(f, s, e))
		return;
	if (e->class != LOG_PLAN) /* which may tell the open call's time */
		session_close(f, s);
	session_who(f, s, e);
	f->has_session |= e->session != 0;
	f->has_vxid |= e->vxid.n > 0;
	if (UNLIKELY(e->lang))
		f->lang = e->lang;
	s->last_ts = e->ts ? e->ts : s->last_ts;
	if (e->class == LOG_STATEMENT)
		feed_statement(f, s, e);
	else if (e->class == LOG_PLAN)
		feed_plan(f, s, e);
	else {
		open_at(s, e);
		if (e->shape)
			s->open.shape = entry_shape(f, e, false);
		server_note(f, s, e);
		if (e->class == LOG_CONNECTION && str_starts(e->message, "disconnection:"))
			forget(f, s);
	}
}

void session_flush_all(struct facts *f)
{
	for (size_t i = 0; i < f->session.n; i++) {
		struct session *s = f->session.at[i];
		if (!s)
			continue;
		session_end(f, s);
		f->session.at[i] = NULL;
	}
}
