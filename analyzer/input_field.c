/* SPDX-License-Identifier: ISC
 *
 * input_field: what the escapes of log_line_prefix print, 9.6 to 18.
 *
 * Where nothing stands between two fields, only their forms tell them apart: a process id has no
 * leading zero, %n has ten digits and three, an address is written in one way only, %b and %i are
 * words of a small vocabulary.  What a server would hardly print is not refused, it is *odd*:
 * other ways to read the line go first.
 */
#include "input_prefix.h"
#include "input_words.h"

#include <arpa/inet.h>

#define TIME_LEN 19

static size_t skip_digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

/* In small letters: behind the last of them may stand DETAIL or ERROR. */
static size_t hex_digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (isdigit((unsigned char)s[i]) || (s[i] >= 'a' && s[i] <= 'f')))
		i++;
	return i;
}

/* Digits, all of it, as printf() writes a number; -1: it is none. */
static int64_t number(struct str v)
{
	int64_t x = 0;

	if (v.n == 0 || v.n > 18 || (v.n > 1 && v.p[0] == '0') || skip_digits(v.p, v.n) != v.n)
		return -1;
	for (size_t i = 0; i < v.n; i++)
		x = x * 10 + (v.p[i] - '0');
	return x;
}

/* --- words of a small vocabulary --------------------------------------------------------- */

static const char *const backend_types[] = {"client backend", "checkpointer", "background writer",
	"walwriter", "autovacuum launcher", "autovacuum worker", "autovacuum", "parallel worker",
	"logical replication launcher", "logical replication worker",
	"logical replication apply worker", "logical replication parallel worker",
	"logical replication tablesync worker", "background worker", "postmaster", "startup",
	"walreceiver", "walsender", "archiver", "stats collector", "logger", "walsummarizer",
	"slotsync worker", "io worker", "standalone backend", "dead-end client backend",
	"not initialized"};

static const char *const displays[] = {"idle", "idle in transaction",
	"idle in transaction (aborted)", "authentication", "startup", "initializing",
	"notify interrupt"};

static bool is_of(const char *const *words, size_t count, struct str v)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(v, words[i]))
			return true;
	return false;
}

/* "SELECT", "CREATE TABLE", "UPDATE waiting" */
static bool is_command(struct str v)
{
	bool begins = true;

	if (str_ends(v, " waiting"))
		v.n -= strlen(" waiting");
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == ' ' ? begins : !(v.p[i] >= 'A' && v.p[i] <= 'Z'))
			return false;
		begins = v.p[i] == ' ';
	}
	return !begins;
}

bool field_is_vocabulary(char kind, struct str v)
{
	if (kind == 'b')
		return is_of(backend_types, ARRAY_LEN(backend_types), v);
	return is_of(displays, ARRAY_LEN(displays), v) || is_command(v);
}

/* --- one kind each: is v such a field? ----------------------------------------------------- */

/* "+0530": there are no zones between quarters of an hour. */
static bool is_quarter(struct str zone)
{
	return zone.n == 5 && zone.p[3] < '6' &&
	       (str_ends(zone, "00") || str_ends(zone, "15") || str_ends(zone, "30") ||
		       str_ends(zone, "45"));
}

static bool time_value(char kind, struct str v, struct prefix_fields *f, unsigned *odd)
{
	int64_t ts;

	if (time_parse(v.p, v.n, &ts) != v.n)
		return false;
	bool exact = v.n > TIME_LEN && v.p[TIME_LEN] == '.';
	const char *zone = memrchr(v.p, ' ', v.n);
	struct str name = str_skip(v, (size_t)(zone - v.p) + 1);
	if (zone < v.p + TIME_LEN) /* between date and time: a server always says its zone */
		*odd += ODD;
	else if (isupper((unsigned char)*name.p))
		*odd += time_is_zone(name) ? 0 : ODD_SLIGHT;
	else if (name.n != 3 && !is_quarter(name))
		*odd += ODD;
	*odd += exact != (kind == 'm') ? ODD_SLIGHT : 0;
	if (kind != 's')
		f->ts = ts;
	return true;
}

/* %n: 1704449472.345 */
static bool epoch_value(struct str v, struct prefix_fields *f, unsigned *odd)
{
	if (v.n != 14 || v.p[10] != '.')
		return false;
	int64_t sec = number((struct str){v.p, 10}), ms = 0;
	for (int i = 11; i < 14; i++) {
		if (!isdigit((unsigned char)v.p[i]))
			return false;
		ms = ms * 10 + (v.p[i] - '0');
	}
	if (sec < 0)
		return false;
	if (f->ts && (f->ts / 1000000 - sec > 90000 || sec - f->ts / 1000000 > 90000))
		*odd += ODD_VERY; /* more than a day and a zone away from %m */
	f->ts = sec * 1000000 + ms * 1000;
	return true;
}

static void set_pid(int32_t pid, struct prefix_fields *f, unsigned *odd)
{
	if (f->pid && f->pid != pid)
		*odd += ODD_VERY;
	*odd += pid > 4194304 ? ODD_SLIGHT : 0; /* the most that Linux gives */
	f->pid = pid;
}

static bool pid_value(struct str v, struct prefix_fields *f, unsigned *odd)
{
	int64_t pid = number(v);

	if (pid < 0 || pid > INT32_MAX)
		return false;
	set_pid((int32_t)pid, f, odd);
	return true;
}

/* %l: empty in what is no server's own */
static bool line_value(struct str v, struct prefix_fields *f, unsigned *odd)
{
	int64_t line = v.n ? number(v) : 0;

	if (line < 0)
		return false;
	*odd += line == 0 ? ODD : (f->line_num && f->line_num != line) ? ODD_VERY : 0;
	f->line_num = line;
	return true;
}

/* %c: 5f3c1a2b.4d2 */
static bool session_value(struct str v, struct prefix_fields *f, unsigned *odd)
{
	size_t a = hex_digits(v.p, v.n), b = a < v.n ? hex_digits(v.p + a + 1, v.n - a - 1) : 0;

	if (a == 0 || a > 12 || a >= v.n || v.p[a] != '.' || b == 0 || b > 8 || a + 1 + b != v.n)
		return false;
	*odd += a != 8 || v.p[0] == '0' || (b > 1 && v.p[a + 1] == '0') ? ODD : 0;
	uint64_t session = str_hash(v) | 1;
	*odd += f->session && f->session != session ? ODD_VERY : 0;
	f->session = session;
	set_pid(number_at(v.p + a + 1, v.p + v.n, true), f, odd);
	return true;
}

/* %v: 3/1234, or nothing */
static bool vxid_value(struct str v, struct prefix_fields *f)
{
	size_t a = skip_digits(v.p, v.n);

	if (v.n == 0)
		return true;
	if (a >= v.n || v.p[a] != '/' || number((struct str){v.p, a}) < 0 ||
		number(str_skip(v, a + 1)) < 0)
		return false;
	f->vxid = v;
	return true;
}

static bool sqlstate_value(struct str v, struct prefix_fields *f)
{
	for (size_t i = 0; i < v.n; i++)
		if (!isdigit((unsigned char)v.p[i]) && !(v.p[i] >= 'A' && v.p[i] <= 'Z'))
			return false;
	f->sqlstate = v;
	return v.n == 5;
}

static bool query_id_value(struct str v, unsigned *odd)
{
	struct str abs = v.n && v.p[0] == '-' ? str_skip(v, 1) : v;

	if (v.n == 0)
		return true;
	*odd += abs.n > 19 ? ODD_VERY : 0;
	return abs.n && skip_digits(abs.p, abs.n) == abs.n && (abs.n == 1 || abs.p[0] != '0');
}

/* The one way in which getnameinfo() writes an address. */
static bool is_address(struct str v)
{
	char text[INET6_ADDRSTRLEN + 1], again[INET6_ADDRSTRLEN + 1];
	unsigned char bytes[16];
	const char *scope = memchr(v.p, '%', v.n);
	size_t n = scope ? (size_t)(scope - v.p) : v.n;
	int family = memchr(v.p, ':', v.n) ? AF_INET6 : AF_INET;

	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, v.p, n);
	text[n] = '\0';
	return inet_pton(family, text, bytes) == 1 &&
	       inet_ntop(family, bytes, again, sizeof(again)) && strcmp(text, again) == 0;
}

static bool is_hostname(struct str v)
{
	bool has_letter = false;

	for (size_t i = 0; i < v.n; i++) {
		if (!isalnum((unsigned char)v.p[i]) && !strchr(".-_", v.p[i]))
			return false;
		has_letter |= isalpha((unsigned char)v.p[i]) != 0;
	}
	return has_letter && isalnum((unsigned char)v.p[0]) && v.p[v.n - 1] != '.' &&
	       v.p[v.n - 1] != '-';
}

/* %h, %r, %L: a host, "[local]", an address; %r adds (port). */
size_t field_host(const char *s, size_t n, bool port, struct str *host)
{
	size_t i = 0, h;

	h = n >= 7 && memcmp(s, "[local]", 7) == 0  ? 7
	    : n >= 6 && memcmp(s, "[none]", 6) == 0 ? 6
						    : 0;
	if (h) {
		*host = (struct str){s, h};
		return h;
	}
	while (i < n && (isalnum((unsigned char)s[i]) || strchr(".:-_%/", s[i])))
		i++;
	while (i > 0 && s[i - 1] == ':') /* a colon at the end is the prefix's own */
		i--;
	h = i;
	if (port && i < n && s[i] == '(') {
		size_t d = skip_digits(s + i + 1, n - i - 1);
		if (d > 0 && i + 1 + d < n && s[i + 1 + d] == ')')
			i += d + 2;
	}
	*host = (struct str){s, h};
	return i;
}

static bool host_value(char kind, struct str v, struct prefix_fields *f, unsigned *odd)
{
	struct str host = v;
	bool is_local = str_is(v, "[local]") || (kind == 'L' && str_is(v, "[none]"));

	if (kind == 'r' && !is_local && field_host(v.p, v.n, true, &host) != v.n)
		host = v;
	if (!is_local)
		*odd += (host.n && (is_address(host) || (kind != 'L' && is_hostname(host))) ? 0
											    : ODD) +
			(kind == 'r' && host.n == v.n ? ODD_SLIGHT : 0);
	if (kind == 'L')
		return true;
	if (f->host.n && !str_eq(f->host, host))
		*odd += ODD_VERY;
	f->host = host;
	return true;
}

bool field_is_name_like(struct str v, const char *marks)
{
	if ((v.n && word_unknown(v.p, v.n) == v.n) || str_is(v, "[local]"))
		return true;
	for (size_t i = 0; i < v.n; i++)
		if (strchr(marks, v.p[i]))
			return false;
	return true;
}

static void set_name(struct str *to, struct str v, const char *marks, unsigned *odd)
{
	struct str known = word_unknown(v.p, v.n) == v.n && v.n ? STR_NONE : v;

	*odd += field_is_name_like(v, marks) ? 0 : ODD_SLIGHT;
	*odd += to->n && !str_eq(*to, known) ? ODD_VERY : 0;
	*to = known;
}

static bool text_value(char kind, struct str v, struct prefix_fields *f, unsigned *odd)
{
	if (v.n && (v.p[0] <= ' ' || v.p[v.n - 1] <= ' ')) {
		*odd += ODD_SLIGHT;
		v = str_trim(v);
	}
	if (kind == 'u')
		set_name(&f->user, v, "/@|,:;=[]() ", odd);
	else if (kind == 'd')
		set_name(&f->db, v, "/@|,:;=[]() ", odd);
	else if (kind == 'a')
		set_name(&f->app, v, "=|", odd);
	else if (kind == 'b' || kind == 'i')
		*odd += field_is_vocabulary(kind, v) ? 0 : kind == 'b' || v.n ? ODD : ODD_SLIGHT;
	*odd += str_find(v, ":  ") < v.n ? ODD_VERY : 0; /* a severity and what is behind it */
	return true;
}

bool field_value(char kind, struct str v, struct prefix_fields *f, unsigned *odd)
{
	int64_t n;

	switch (kind) {
	case 't':
	case 'm':
	case 's':
		return time_value(kind, v, f, odd);
	case 'n':
		return epoch_value(v, f, odd);
	case 'p':
		return pid_value(v, f, odd);
	case 'l':
		return line_value(v, f, odd);
	case 'x':
	case 'P':
		n = kind == 'P' && v.n == 0 ? 0 : number(v);
		*odd += n > (kind == 'P' ? 4194304 : UINT32_MAX) ? ODD_SLIGHT : 0;
		return n >= 0;
	case 'Q':
		return query_id_value(v, odd);
	case 'c':
		return session_value(v, f, odd);
	case 'v':
		return vxid_value(v, f);
	case 'e':
		return sqlstate_value(v, f);
	case 'h':
	case 'r':
	case 'L':
		return host_value(kind, v, f, odd);
	}
	return text_value(kind, v, f, odd);
}

/* --- how long it may be ---------------------------------------------------------------------- */

bool field_is_text(char kind)
{
	return !strchr("tmsnplxPQcve", kind);
}

bool field_is_client(char kind)
{
	return strchr("udahri", kind) != NULL;
}

size_t field_least(char kind)
{
	return strchr("tms", kind)   ? TIME_LEN
	       : kind == 'n'	     ? 14
	       : kind == 'e'	     ? 5
	       : strchr("pxc", kind) ? 1
				     : 0;
}

size_t field_most(char kind, const char *s, size_t n)
{
	size_t a, b;
	int64_t ts;

	switch (kind) {
	case 't':
	case 'm':
	case 's':
		return time_parse(s, n, &ts);
	case 'n':
		return n < 14 ? 0 : 14;
	case 'e':
		return n < 5 ? 0 : 5;
	case 'p':
	case 'l':
	case 'x':
	case 'P':
		return skip_digits(s, n < 18 ? n : 18);
	case 'Q':
		a = n && s[0] == '-';
		return a + skip_digits(s + a, n - a < 20 ? n - a : 20);
	case 'c':
		a = hex_digits(s, n);
		return a < n && s[a] == '.' ? a + 1 + hex_digits(s + a + 1, n - a - 1) : 0;
	case 'v':
		a = skip_digits(s, n);
		b = a < n && s[a] == '/' ? skip_digits(s + a + 1, n - a - 1) : 0;
		return b ? a + 1 + b : 0;
	}
	return n < MAX_FIELD ? n : MAX_FIELD;
}
