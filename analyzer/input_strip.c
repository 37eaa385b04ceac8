/* SPDX-License-Identifier: ISC
 *
 * input_strip: container runtimes and exports wrap a log line by line, those that continue an
 * entry included; the wrapping is taken off, as packing is, before anything else is looked at.
 *
 *   Kubernetes (CRI)   2024-01-05T10:00:00.123456789Z stderr F …   P: the line goes on
 *   kubectl            2024-01-05T10:00:00.123456789Z …            logs --timestamps
 *   Docker             {"log":"…\n","stream":"stderr","time":"…"}
 *   an array of JSON   [ { …, indented } , … ]                     gcloud logging read
 *   syslog over TCP    123 <134>1 …                                octet-counted frames
 */
#include "input_strip.h"

#include <ctype.h>
#include <jansson.h>

struct kind {
	bool (*fits)(const char *p, size_t n); /* the head of a file */
	/* Takes what is complete of p, and says how many bytes that was. */
	size_t (*take)(struct strip *s, const char *p, size_t n, struct text *out);
};

struct strip {
	const struct kind *kind;
	struct text rest; /* not complete yet */
	/* JSON: where we are */
	unsigned depth;
	bool in_string, escaped;
};

/* --- lines -------------------------------------------------------------------------------- */

static size_t take_lines(const char *p, size_t n, struct text *out,
	void (*line)(const char *p, size_t n, struct text *out))
{
	const char *from = p, *end = p + n, *nl;

	while (from < end && (nl = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		line(from, (size_t)(nl - from), out);
		from = nl + 1;
	}
	return (size_t)(from - p);
}

/* "2024-01-05T10:00:00.123456789Z ", its length; 0: something else. */
static size_t stamp(const char *p, size_t n)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.";
	size_t i = 0, digits = 0;

	for (; form[i]; i++)
		if (i >= n || (form[i] == 'd' ? !isdigit((unsigned char)p[i]) : p[i] != form[i]))
			return 0;
	for (; i < n && isdigit((unsigned char)p[i]); i++)
		digits++;
	if (digits < 7) /* nanoseconds, their last zeros perhaps left out */
		return 0;
	if (i < n && p[i] == 'Z')
		i++;
	else if (n - i > 6 && (p[i] == '+' || p[i] == '-') && p[i + 3] == ':')
		i += 6;
	else
		return 0;
	return i < n && p[i] == ' ' ? i + 1 : 0;
}

/* Behind the stamp: "stderr F ", its length; 0: something else. */
static size_t stream_tag(const char *p, size_t n)
{
	bool is = n >= 9 && (memcmp(p, "stderr ", 7) == 0 || memcmp(p, "stdout ", 7) == 0);

	return is && (p[7] == 'F' || p[7] == 'P') && p[8] == ' ' ? 9 : 0;
}

static bool stamped_fits(const char *p, size_t n)
{
	return stamp(p, n) > 0;
}

static void stamped_line(const char *p, size_t n, struct text *out)
{
	size_t at = stamp(p, n), tag = stream_tag(p + at, n - at);

	text_add(out, p + at + tag, n - at - tag);
	if (!tag || p[at + 7] == 'F')
		text_char(out, '\n');
}

static size_t stamped_take(struct strip *s, const char *p, size_t n, struct text *out)
{
	(void)s;
	return take_lines(p, n, out, stamped_line);
}

static bool docker_fits(const char *p, size_t n)
{
	return n > 9 && (memcmp(p, "{\"log\":\"", 8) == 0 || memcmp(p, "{\"log\": \"", 9) == 0);
}

/* A long line comes in several, of which the last has the newline. */
static void docker_line(const char *p, size_t n, struct text *out)
{
	json_t *o = json_loadb(p, n, JSON_ALLOW_NUL, NULL);
	json_t *log = json_object_get(o, "log");

	if (json_is_string(log))
		text_add(out, json_string_value(log), json_string_length(log));
	else {
		text_add(out, p, n);
		text_char(out, '\n');
	}
	json_decref(o);
}

static size_t docker_take(struct strip *s, const char *p, size_t n, struct text *out)
{
	(void)s;
	return take_lines(p, n, out, docker_line);
}

/* --- an array -------------------------------------------------------------------------------- */

/* "[{", "[ {", or an object whose first key stands in a line of its own and is no list. */
static bool array_fits(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && isspace((unsigned char)p[i]))
		i++;
	if (i >= n || (p[i] != '[' && p[i] != '{'))
		return false;
	bool is_array = p[i++] == '[', broken = false;
	for (; i < n && isspace((unsigned char)p[i]); i++)
		broken |= p[i] == '\n';
	if (i >= n || is_array)
		return i < n && p[i] == '{';
	const char *colon = p[i] == '"' ? memchr(p + i, ':', n - i) : NULL;
	size_t left = colon ? (size_t)(p + n - colon) : 0;
	return broken && colon && !memchr(colon, '[', left < 3 ? left : 3);
}

/* Each object becomes one line. */
static size_t array_take(struct strip *s, const char *p, size_t n, struct text *out)
{
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		if (s->in_string) {
			s->in_string = s->escaped || c != '"';
			s->escaped = !s->escaped && c == '\\';
			text_char(out, c);
			continue;
		}
		if (isspace((unsigned char)c))
			continue;
		if (c == '}')
			s->depth -= s->depth > 0;
		if (s->depth > 0 || c == '{' || c == '}')
			text_char(out, c);
		s->depth += c == '{';
		s->in_string = c == '"' && s->depth > 0;
		if (c == '}' && s->depth == 0)
			text_char(out, '\n');
	}
	return n;
}

/* --- frames ---------------------------------------------------------------------------------- */

/* "123 <134>": the frame's length, and where it begins; 0: something else. */
static size_t frame(const char *p, size_t n, size_t *from)
{
	size_t i = 0, len = 0;

	for (; i < n && i < 7 && isdigit((unsigned char)p[i]); i++)
		len = len * 10 + (size_t)(p[i] - '0');
	*from = i + 1;
	size_t close = i + 2;
	while (close < n && close < i + 5 && isdigit((unsigned char)p[close]))
		close++;
	bool is_one = i > 0 && close > i + 2 && close + 1 < n && p[i] == ' ' && p[i + 1] == '<' &&
		      p[close] == '>' && isalnum((unsigned char)p[close + 1]);
	return is_one ? len : 0;
}

static bool frames_fit(const char *p, size_t n)
{
	size_t from;

	return frame(p, n, &from) > 0;
}

static size_t frames_take(struct strip *s, const char *p, size_t n, struct text *out)
{
	size_t at = 0, from;

	(void)s;
	while (at < n) {
		size_t len = frame(p + at, n - at, &from);
		if (len == 0) { /* no frame: the line as it is */
			const char *nl = memchr(p + at, '\n', n - at);
			if (!nl)
				return at;
			text_add(out, p + at, (size_t)(nl - p) + 1 - at);
			at = (size_t)(nl - p) + 1;
			continue;
		}
		if (from + len > n - at)
			return at;
		text_add(out, p + at + from, len);
		if (out->p[out->n - 1] != '\n')
			text_char(out, '\n');
		at += from + len;
	}
	return at;
}

/* --- the door -------------------------------------------------------------------------------- */

static const struct kind kinds[] = {
	{stamped_fits, stamped_take},
	{docker_fits, docker_take},
	{array_fits, array_take},
	{frames_fit, frames_take},
};

static const struct kind *kind_of(const char *head, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].fits(head, n))
			return &kinds[i];
	return NULL;
}

bool strip_detect(const char *head, size_t n)
{
	return kind_of(head, n) != NULL;
}

struct strip *strip_new(const char *head, size_t n)
{
	struct strip *s = mem_zalloc(sizeof(*s));

	s->kind = kind_of(head, n);
	return s;
}

void strip_feed(struct strip *s, const char *p, size_t n, struct text *out)
{
	size_t taken;

	if (s->rest.n == 0) {
		taken = s->kind->take(s, p, n, out);
		text_add(&s->rest, p + taken, n - taken);
		return;
	}
	text_add(&s->rest, p, n);
	taken = s->kind->take(s, s->rest.p, s->rest.n, out);
	memmove(s->rest.p, s->rest.p + taken, s->rest.n - taken);
	s->rest.n -= taken;
}

void strip_end(struct strip *s, struct text *out)
{
	if (s->rest.n)
		text_add(out, s->rest.p, s->rest.n);
	s->rest.n = 0;
}

void strip_free(struct strip **s)
{
	if (*s)
		text_release(&(*s)->rest);
	mem_free(s);
}
