/* SPDX-License-Identifier: ISC
 *
 * The operator's log.  One mutex orders the lines of all threads; each line is one
 * write(2), so that it is on disk at once and never interleaved with another's.  Lines that a
 * full disk swallows are counted, and told of when there is room again.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const char *const level_word[] = {"FATAL", "ERROR", "WARNING", "LOG", "DEBUG", "NOISE"};
static const char *const part_word[] = {
	"main", "conf", "net", "auth", "pool", "session", "dial", "console", "obs"};
static const int level_syslog[] = {LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_DEBUG};

/* Where lines go. */
struct sink {
	int fd;	   /* or -1 */
	bool torn; /* the last line was written in part */
	int error; /* why the last was lost */
	unsigned lost;
};

static struct {
	pthread_mutex_t lock;
	struct sink file, err;
	bool json, syslog;
	enum log_level level[LOG_PART_COUNT];
	char last[512]; /* the line before, to count repeats */
	enum log_part last_part;
	enum log_level last_level;
	unsigned repeats;
	usec_t last_said; /* wall clock: when a line of that text was last written */
} log_state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.file = {.fd = -1},
	.err = {.fd = STDERR_FILENO},
	.level = {LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO,
		LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO},
};

/* This thread is writing a line: there may be no memory for another one. */
static _Thread_local bool is_writing;

/* A line that repeats is said again at the latest after this long. */
#define REPEAT_SAY (5 * USEC_SEC)

bool log_setup(const struct log_options *o)
{
	int fd = -1;

	if (o->file && o->file[0]) {
		fd = open(o->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
		if (fd < 0)
			return false;
	}
	pthread_mutex_lock(&log_state.lock);
	if (log_state.file.fd >= 0)
		close(log_state.file.fd);
	log_state.file.fd =
		fd; /* often it is the same file: what was lost there is still to be told */
	log_state.err.fd = o->to_stderr ? STDERR_FILENO : -1;
	log_state.json = o->json;
	if (log_state.syslog)
		closelog();
	log_state.syslog = o->syslog;
	if (o->syslog)
		openlog(o->syslog_ident, LOG_PID | LOG_NDELAY, o->syslog_facility);
	for (int i = 0; i < LOG_PART_COUNT; i++)
		__atomic_store_n(&log_state.level[i], o->level[i], __ATOMIC_RELAXED);
	pthread_mutex_unlock(&log_state.lock);
	return true;
}

bool log_wants(enum log_part part, enum log_level level)
{
	return level <= __atomic_load_n(&log_state.level[part], __ATOMIC_RELAXED);
}

static void put_json_string(struct buf *b, const char *s)
{
	buf_put_u8(b, '"');
	while (*s) {
		size_t n = utf8_len(s, strlen(s));

		if (*s == '"' || *s == '\\')
			buf_put_u8(b, '\\');
		if (n)
			buf_put(b, s, n);
		else
			buf_put_str(b, UTF8_INSTEAD);
		s += n ? n : 1;
	}
	buf_put_u8(b, '"');
}

static void put_line(struct buf *b, enum log_part part, enum log_level level, const char *text,
	usec_t wall)
{
	time_t sec = (time_t)(wall / USEC_SEC);
	struct tm tm;
	char stamp[32], zone[8];
	unsigned ms = (unsigned)(wall % USEC_SEC / 1000);

	localtime_r(&sec, &tm);
	if (log_state.json) {
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
		strftime(zone, sizeof zone, "%z", &tm);
		buf_printf(b,
			"{\"timestamp\":\"%s.%03u%s\",\"pid\":%d,\"level\":\"%s\",\"part\":\"%s\","
			"\"message\":",
			stamp, ms, zone, (int)getpid(), level_word[level], part_word[part]);
		put_json_string(b, text);
		buf_put_str(b, "}\n");
	} else {
		strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &tm);
		strftime(zone, sizeof zone, "%Z", &tm);
		buf_printf(b, "%s.%03u %s [%d] %s %s\n", stamp, ms, zone, (int)getpid(),
			level_word[level], text);
	}
}

/* One line into a sink; after some that were lost, how many those were. */
static void sink_write(struct sink *s, const struct buf *line, usec_t wall)
{
	struct buf b = {0};
	char *said;
	ssize_t n;

	if (s->fd < 0)
		return;
	if (UNLIKELY(s->torn))
		buf_put_u8(&b, '\n');
	if (UNLIKELY(s->lost)) {
		said = mem_printf("%u lines of this log were lost: %s", s->lost,
			strerror(s->error));
		put_line(&b, LOG_PART_MAIN, LOG_LEVEL_WARNING, said, wall);
		free(said);
	}
	buf_put(&b, line->data, line->len);
	n = write(s->fd, b.data, b.len);
	if (n >= (ssize_t)b.len - 1) {
		s->lost = 0;
		s->torn = n < (ssize_t)b.len; /* but for its end */
	} else {
		s->error = n < 0 ? errno : ENOSPC;
		s->lost++;
		s->torn = s->torn || n > 0;
	}
	buf_free(&b);
}

/* Writes one finished line to every sink.  The lock is held. */
static void write_line(enum log_part part, enum log_level level, const char *text, usec_t wall)
{
	struct buf b = {0};

	if (log_state.syslog)
		syslog(level_syslog[level], "%s", text);
	if (log_state.file.fd < 0 && log_state.err.fd < 0)
		return;
	put_line(&b, part, level, text, wall);
	sink_write(&log_state.file, &b, wall);
	sink_write(&log_state.err, &b, wall);
	buf_free(&b);
}

static void log_vline(enum log_part part, enum log_level level, const char *fmt, va_list ap)
{
	struct buf b = {.cap = 16384};
	usec_t wall = clock_wall();
	char *text;

	is_writing = true;
	buf_vprintf(&b, fmt, ap);
	text = mem_strndup(buf_cstr(&b), b.len);
	buf_free(&b);
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = ' ';
	pthread_mutex_lock(&log_state.lock);
	if (part == log_state.last_part && level == log_state.last_level &&
		strncmp(text, log_state.last, sizeof log_state.last - 1) == 0 &&
		strlen(text) < sizeof log_state.last && wall - log_state.last_said < REPEAT_SAY) {
		log_state.repeats++;
	} else {
		if (log_state.repeats) {
			char *say = mem_printf("%s (repeated %u times)", log_state.last,
				log_state.repeats);
			write_line(log_state.last_part, log_state.last_level, say, wall);
			free(say);
		}
		log_state.repeats = 0;
		log_state.last_part = part;
		log_state.last_level = level;
		log_state.last_said = wall;
		snprintf(log_state.last, sizeof log_state.last, "%s", text);
		write_line(part, level, text, wall);
	}
	pthread_mutex_unlock(&log_state.lock);
	free(text);
	is_writing = false;
}

void log_line(enum log_part part, enum log_level level, const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	if (!log_wants(part, level))
		return;
	va_start(ap, fmt);
	log_vline(part, level, fmt, ap);
	va_end(ap);
	errno = saved;
}

void log_die(enum log_part part, const char *fmt, ...)
{
	static const char last_words[] = "out of memory, while a line of the log was written\n";
	va_list ap;

	if (is_writing) {
		(void)!write(STDERR_FILENO, last_words, sizeof last_words - 1);
		_exit(1);
	}
	log_state.err.fd = STDERR_FILENO; /* with --quiet and --daemon, too: who started us waits */
	va_start(ap, fmt);
	log_vline(part, LOG_LEVEL_FATAL, fmt, ap);
	va_end(ap);
	exit(1);
}
