/* SPDX-License-Identifier: ISC
 *
 * input_infer: which log_line_prefix wrote these lines?
 *
 * Well-known prefixes are tried first.  When none fits nearly all lines that carry a severity,
 * one is made from the lines themselves: each line's head is cut into fields of recognisable
 * form (time, [pid], session id, vxid, key=value …) and the commonest cut wins.  A prefix that
 * fits but makes a user of "app@shop" or a database of "shop/web" is taken for want of a better
 * one only.
 */
#include "input_prefix.h"
#include "input_words.h"

#include <ctype.h>

static const char *const candidates[] = {
	"%m [%p] %q%u@%d ",
	"%m [%p] %q%u@%d/%a ",
	"%m [%p] %q%u@%d %a ",
	"%m [%p] ",
	"%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
	"%t [%p]: user=%u,db=%d,app=%a,client=%h ",
	"%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
	"%m [%p]: user=%u,db=%d,app=%a,client=%h ",
	"%t [%p]: [%l-1] user=%u,db=%d ",
	"%t [%p-%l] %q%u@%d ",
	"%t [%p]: [%l-1] %q%u@%d ",
	"%t:%r:%u@%d:[%p]:",
	"%m [%p] %u@%d ",
	"%t [%p] %q%u@%d ",
	"%t [%p] %u@%d ",
	"%t [%p]: ",
	"%t [%p] ",
	"%m [%p] %q%a ",
	"%m [%p] %r %u %d %a ",
	"%m [%p] %q[user=%u,db=%d,app=%a] ",
	"%m %p %u@%d from %h [vxid:%v txid:%x] [%i] ",
	"%m %p %c %l %u %d %h %a %v ",
	"%m|%p|%c|%l|%u|%d|%h|%a|%v|%x|%e|%i|",
	"%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
	/* Heroku's, now and before */
	" sql_error_code = %e time=\"%m\" pid=\"%p\" proc_start_time=\"%s\" session_id=\"%c\" "
	"vtid=\"%v\" tid=\"%x\" log_line=\"%l\" %qdatabase=\"%d\" connection_source=\"%r\" "
	"user=\"%u\" application_name=\"%a\" ",
	" sql_error_code = %e ",
	"%t ",
	"%m ",
	"%n [%p] ",
	"",
};

/* Lines that carry a severity somewhere in their first bytes, by a plain search.  Where a prefix
 * ends without a separator, the two blanks that the server puts behind it tell the severity from a
 * word. */
bool severity_at(const char *line, size_t n, size_t *at)
{
	size_t limit = n < 400 ? n : 400;
	enum log_severity sev;
	enum log_part part;

	for (size_t i = 0; i + 4 <= limit; i++) {
		bool glued = i > 0 && isalnum((unsigned char)line[i - 1]);
		if (!isupper((unsigned char)line[i]) && (glued || !(line[i] & 0x80)))
			continue;
		size_t len = message_severity(line + i, n - i, &sev, &part);
		if (len > 4 && line[i + len - 1] == ' ' && (!glued || line[i + len - 2] == ' ')) {
			*at = i;
			return true;
		}
	}
	return false;
}

struct sample {
	struct str line;
	size_t severity;
};
struct samples {
	VEC(struct sample) at;
};

/* In percent of the lines. */
struct fit {
	int hits;  /* that it matches */
	int clean; /* of these, with names that look like names */
};

static struct fit fit(const struct log_prefix *p, const struct samples *s)
{
	size_t hits = 0, clean = 0;

	for (size_t i = 0; i < s->at.n; i++) {
		struct log_entry e = {0};
		if (prefix_match(p, s->at.at[i].line.p, s->at.at[i].line.n, &e) < 0)
			continue;
		hits++;
		clean += field_is_name_like(e.user, "/@|,:;=[]() ") &&
			 field_is_name_like(e.db, "/@|,:;=[]() ") &&
			 field_is_name_like(e.app, "=|");
	}
	if (!s->at.n)
		return (struct fit){0, 0};
	return (struct fit){(int)(hits * 100 / s->at.n), (int)(clean * 100 / s->at.n)};
}

/* --- making one from the lines ------------------------------------------------------- */

static size_t run(const char *p, size_t n, bool hexa)
{
	size_t i = 0;

	while (i < n && (isdigit((unsigned char)p[i]) || (hexa && p[i] >= 'a' && p[i] <= 'f')))
		i++;
	return i;
}

static const struct {
	const char *key;
	char escape;
} keys[] = {
	{"user=", 'u'},
	{"usr=", 'u'},
	{"u=", 'u'},
	{"username=", 'u'},
	{"db=", 'd'},
	{"database=", 'd'},
	{"dbname=", 'd'},
	{"d=", 'd'},
	{"app=", 'a'},
	{"application=", 'a'},
	{"appname=", 'a'},
	{"a=", 'a'},
	{"client=", 'h'},
	{"host=", 'h'},
	{"remote=", 'r'},
	{"h=", 'h'},
	{"r=", 'r'},
	{"pid=", 'p'},
	{"p=", 'p'},
	{"xid=", 'x'},
	{"txid=", 'x'},
	{"vxid=", 'v'},
	{"session=", 'c'},
	{"sid=", 'c'},
	{"line=", 'l'},
	{"l=", 'l'},
	{"tag=", 'i'},
	{"state=", 'e'},
};

/* What a field behind `key=` is, 0: no such key. */
static char key_escape(const struct text *made)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_ends(text_slice(made), keys[i].key)) {
			size_t at = made->n - strlen(keys[i].key);
			if (at == 0 || !isalpha((unsigned char)made->p[at - 1]))
				return keys[i].escape;
		}
	return 0;
}

/* The place where a field of free text ends. */
static size_t word_end(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && !strchr(" ,;|@[]():=", p[i]))
		i++;
	return i;
}

/* The same for a bare word: "shop/web" is two. */
static size_t bare_end(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && !strchr(" ,;|@[]():=/", p[i]))
		i++;
	return i;
}

struct maker {
	struct text made;
	bool has_pid, has_user, has_db, has_line, has_app;
};

static void make_escape(struct maker *m, char c)
{
	text_char(&m->made, '%');
	text_char(&m->made, c);
	m->has_pid |= c == 'p';
	m->has_user |= c == 'u';
	m->has_db |= c == 'd';
	m->has_line |= c == 'l';
	m->has_app |= c == 'a';
}

/* What %i and %b print, where they stand by themselves. */
static const struct {
	const char *text;
	char escape;
} fixed_words[] = {
	{"SELECT", 'i'},
	{"INSERT", 'i'},
	{"UPDATE", 'i'},
	{"DELETE", 'i'},
	{"BEGIN", 'i'},
	{"COMMIT", 'i'},
	{"ROLLBACK", 'i'},
	{"SET", 'i'},
	{"SHOW", 'i'},
	{"COPY", 'i'},
	{"PARSE", 'i'},
	{"BIND", 'i'},
	{"PREPARE", 'i'},
	{"EXECUTE", 'i'},
	{"CREATE TABLE", 'i'},
	{"idle in transaction", 'i'},
	{"idle", 'i'},
	{"authentication", 'i'},
	{"startup", 'i'},
	{"client backend", 'b'},
	{"background writer", 'b'},
	{"checkpointer", 'b'},
	{"walwriter", 'b'},
	{"walsender", 'b'},
	{"walreceiver", 'b'},
	{"archiver", 'b'},
	{"autovacuum launcher", 'b'},
	{"autovacuum worker", 'b'},
	{"parallel worker", 'b'},
	{"logical replication launcher", 'b'},
	{"logical replication worker", 'b'},
	{"postmaster", 'b'},
};

static size_t make_fixed_word(struct maker *m, const char *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(fixed_words); i++) {
		size_t len = strlen(fixed_words[i].text);
		if (len <= n && memcmp(p, fixed_words[i].text, len) == 0 &&
			(len == n || !(isalnum((unsigned char)p[len]) || p[len] == '_'))) {
			make_escape(m, fixed_words[i].escape);
			return len;
		}
	}
	return 0;
}

/* An address, perhaps with its port: "[local]", "10.0.0.5(5432)", "::1". */
static size_t make_host(struct maker *m, const char *p, size_t n)
{
	size_t i = 0, dots = 0, colons = 0, digits;

	if (n >= 7 && memcmp(p, "[local]", 7) == 0) {
		make_escape(m, strstr(m->made.p, "%r") ? 'h' : 'r');
		return 7;
	}
	while (i < n && (isxdigit((unsigned char)p[i]) || p[i] == '.' || p[i] == ':')) {
		dots += p[i] == '.';
		colons += p[i] == ':';
		i++;
	}
	while (i > 0 && p[i - 1] == ':') {
		i--;
		colons--;
	}
	if (!(dots == 3 && colons == 0) && !(colons >= 2 && dots == 0))
		return 0;
	if (i < n && p[i] == '(' && (digits = run(p + i + 1, n - i - 1, false)) > 0 &&
		i + 1 + digits < n && p[i + 1 + digits] == ')') {
		make_escape(m, 'r');
		return i + digits + 2;
	}
	make_escape(m, 'h');
	return i;
}

/* Numbers of a known form: %n, %e, a negative %Q; 0: it is none. */
static size_t make_number(struct maker *m, const char *p, size_t n)
{
	size_t a = run(p, n, false), b;

	if (a == 10 && n > 13 && p[10] == '.' && run(p + 11, n - 11, false) == 3) {
		make_escape(m, 'n');
		return 14;
	}
	if (a == 5 && (n == 5 || !isalnum((unsigned char)p[5])) && memcmp(p, "00000", 5) == 0) {
		make_escape(m, 'e');
		return 5;
	}
	b = n > 1 && *p == '-';
	if (run(p + b, n - b, false) > 12) {
		make_escape(m, 'Q');
		return b + run(p + b, n - b, false);
	}
	return 0;
}

/* One field at p: how many bytes it took, 0 when a literal byte stands there. */
static size_t make_field(struct maker *m, const char *p, size_t n)
{
	int64_t ts;
	size_t len = time_parse(p, n, &ts), a, b;
	char key = key_escape(&m->made);

	if (len > 0) {
		bool frac = len > 20 && p[19] == '.';
		bool again = strstr(m->made.p ? m->made.p : "", frac ? "%m" : "%t") != NULL;
		make_escape(m, again ? 's' : frac ? 'm' : 't');
		return len;
	}
	if (key) {
		if (key == 'h' && (b = word_end(p, n)) > 0 && b < n && p[b] == '(')
			key = 'r';
		make_escape(m, key);
		if (key == 'r')
			return str_find((struct str){p, n}, ")") + 1;
		return key == 'c' || key == 'v' ? strcspn(p, " ,;|]") : word_end(p, n);
	}
	bool begins = !m->made.n || !isalnum((unsigned char)m->made.p[m->made.n - 1]) ||
		      (m->made.n > 1 && m->made.p[m->made.n - 2] == '%');
	if (begins && ((len = make_number(m, p, n)) > 0 || (len = make_host(m, p, n)) > 0 ||
			      (len = make_fixed_word(m, p, n)) > 0))
		return len;
	a = run(p, n, false);
	if (a > 0 && a < n && p[a] == '/' && (b = run(p + a + 1, n - a - 1, false)) > 0) {
		make_escape(m, 'v');
		return a + 1 + b;
	}
	a = run(p, n, true);
	if (a >= 7 && a < n && p[a] == '.' && (b = run(p + a + 1, n - a - 1, true)) > 0) {
		make_escape(m, 'c');
		return a + 1 + b;
	}
	a = run(p, n, false);
	if (a > 0 && (a == n || !isalnum((unsigned char)p[a]))) {
		if (a < n && p[a] == '-' && m->has_pid && p[a + 1] == '1') {
			make_escape(m, 'l');
			return a;
		}
		make_escape(m, !m->has_pid ? 'p' : !m->has_line ? 'l' : 'x');
		return a;
	}
	return 0;
}

/* A bare word: the user, then the database, then the application, whose name may have blanks.
 * Returns how many bytes it took. */
static size_t make_word(struct maker *m, const char *p, size_t n, size_t left)
{
	if (!m->has_user)
		make_escape(m, 'u');
	else if (!m->has_db)
		make_escape(m, 'd');
	else if (!m->has_app) {
		make_escape(m, 'a');
		while (n + 1 < left && p[n] == ' ' && isalnum((unsigned char)p[n + 1]))
			n += 1 + word_end(p + n + 1, left - n - 1);
	} else {
		text_add(&m->made, p, n);
	}
	return n;
}

static char *make_prefix(const char *p, size_t n)
{
	struct maker m = {0};
	size_t i = 0;

	text_puts(&m.made, "");
	while (i < n) {
		size_t len = make_field(&m, p + i, n - i);
		if (len > 0) {
			i += len;
			continue;
		}
		len = isalpha((unsigned char)p[i]) ? bare_end(p + i, n - i)
						   : word_unknown(p + i, n - i);
		if (len > 0 && i + len < n && (p[i + len] == '=' || p[i + len] == ':')) {
			text_add(&m.made, p + i, len + 1); /* a key, or a word of the prefix */
			i += len + 1;
		} else if (len > 0) {
			i += make_word(&m, p + i, len, n - i);
		} else {
			if (p[i] == '%')
				text_char(&m.made, '%');
			text_char(&m.made, p[i++]);
		}
	}
	return m.made.p;
}

static void keep_better(struct log_prefix **best, struct fit *best_fit, const char *text,
	const struct samples *s)
{
	struct log_prefix *try = prefix_new(text, NULL);
	struct fit f = {0, 0};

	if (try)
		f = fit(try, s);
	if (f.clean < best_fit->clean || (f.clean == best_fit->clean && f.hits <= best_fit->hits)) {
		prefix_free(&try);
		return;
	}
	prefix_free(best);
	*best = try;
	*best_fit = f;
}

/* The prefix as a background process would stop in it: %q in front of the client's fields. */
static char *with_q(const char *text)
{
	struct text t = {0};
	size_t at = 0;

	while (text[at] && !(text[at] == '%' && strchr("udahr", text[at + 1])))
		at++;
	if (!text[at] || strstr(text, "%q"))
		return NULL;
	while (at > 0 && text[at - 1] != ' ')
		at--;
	if (at == 0)
		return NULL;
	text_add(&t, text, at);
	text_puts(&t, "%q");
	text_puts(&t, text + at);
	return t.p;
}

/* Made of one line's head, in its variants. */
static void try_line(struct log_prefix **best, struct fit *best_fit, const struct sample *line,
	const struct samples *s)
{
	char *text = make_prefix(line->line.p, line->severity);
	char *pair = strstr(text, "%u %d"), *q = with_q(text);

	keep_better(best, best_fit, text, s);
	if (q)
		keep_better(best, best_fit, q, s);
	if (pair) { /* two words with a blank may be an application's name */
		memcpy(pair, "%a", 2);
		memmove(pair + 2, pair + 5, strlen(pair + 5) + 1);
		keep_better(best, best_fit, text, s);
	}
	free(q);
	free(text);
}

/* The lines that carry a severity, the first 400 of them. */
static struct samples take_samples(const char *p, size_t n)
{
	struct samples s = {0};
	const char *line = p, *end = p + n, *nl;

	for (; line < end && s.at.n < 400; line = nl + 1) {
		nl = memchr(line, '\n', (size_t)(end - line));
		if (!nl)
			break;
		size_t at;
		if (line[0] != '\t' && severity_at(line, (size_t)(nl - line), &at))
			*VEC_PUSH(&s.at) = (struct sample){{line, (size_t)(nl - line)}, at};
	}
	return s;
}

/* Lines that stop in the middle of it are a background process's: where does %q stand? */
static void try_q(struct log_prefix **best, struct fit *best_fit, const struct samples *s)
{
	char *base = mem_strdup(prefix_text(*best));

	for (size_t at = 0; base[at] && best_fit->hits < 100 && !strstr(base, "%q"); at++) {
		struct text t = {0};
		if (base[at] != '%')
			continue;
		text_add(&t, base, at);
		text_puts(&t, "%q");
		text_puts(&t, base + at);
		keep_better(best, best_fit, t.p, s);
		text_release(&t);
		at++;
	}
	free(base);
}

int prefix_share(const struct log_prefix *prefix, const char *p, size_t n)
{
	struct samples s = take_samples(p, n);
	int share = fit(prefix, &s).hits;

	VEC_RELEASE(&s.at);
	return share;
}

struct log_prefix *prefix_infer(const char *p, size_t n, int *percent)
{
	struct samples s = take_samples(p, n);
	struct log_prefix *best = NULL;
	struct fit best_fit = {0, 0};

	for (size_t i = 0; i < ARRAY_LEN(candidates) && best_fit.clean < 98 && s.at.n; i++)
		keep_better(&best, &best_fit, candidates[i], &s);
	for (size_t i = 0; i < s.at.n && best_fit.clean < 98 && i < 60; i++)
		try_line(&best, &best_fit, &s.at.at[i], &s);
	if (best && strcmp(prefix_text(best), "%u") == 0) { /* it fits anything: nothing is known */
		prefix_free(&best);
		best_fit.hits = 0;
	}
	if (best)
		try_q(&best, &best_fit, &s);
	*percent = best_fit.hits;
	VEC_RELEASE(&s.at);
	return best;
}
