/* SPDX-License-Identifier: ISC
 *
 * input: bytes -> log entries.
 *
 *   input_files.c    which files a command line names: files, directories, members of archives
 *   input_source.c   files, directories, stdin, compression; following and remembering
 *   input_strip.c    what wraps each line: container runtimes, exports
 *   input_state.c    what was read before
 *   input_follow.c   what comes while others are read
 *   input_stream.c   one file while it is read: bytes -> chunks
 *   input_run.c      worker threads; entries of all files in the order of their time
 *   input_detect.c   which format a file is in
 *   input_prefix.c, input_search.c, input_field.c
 *                    log_line_prefix: what it says of a line
 *   input_infer.c    log_line_prefix, inferred from the log itself
 *   input_doubt.c    what a prefix leaves open
 *   input_memory.c   a log that is in memory already
 *   input_time.c     timestamps
 *   input_message.c  a message -> class, duration, statement; localised servers
 *   input_plan.c     what auto_explain logged -> its statement
 *   input_wrap.c     a server's line inside another log's line
 *   input_join.c     messages that came in pieces
 *   input_words.c    what servers say in other languages: severities, statements
 *   input_catalog.c, input_catalog_table.c  the same for all other messages that are read
 *   input_stderr.c, input_csv.c, input_json.c, input_syslog.c, input_journal.c, input_cloud.c,
 *   input_bouncer.c, input_totals.c   one format each
 *
 * An *entry* is one message of a server: a line and what continues it.  A format knows by
 * looking at a line alone whether an entry begins there; so a log can be cut into chunks at
 * such lines, the chunks parsed on any number of threads, and the result does not depend on
 * where they were cut:
 *
 *	read chunk (of one file: in order) -> parse + prepare() (any thread) ->
 *	commit() (one at a time, entries of all files in the order of their time)
 *
 * Every byte read is accounted for: the bytes of the entries of all classes, `cont` and
 * `not_understood` included, sum up to the bytes of the files.
 */
#ifndef ANALYZER_INPUT_H
#define ANALYZER_INPUT_H

#include "base.h"

struct sql_shape;

/* What an entry is about; drives the accounting. */
enum log_class {
	LOG_NOT_UNDERSTOOD = 0,
	LOG_STATEMENT,
	LOG_PLAN,
	LOG_ERROR,
	LOG_CONNECTION,
	LOG_CHECKPOINT,
	LOG_AUTOVACUUM,
	LOG_LOCK,
	LOG_TEMP_FILE,
	LOG_DETAIL,	  /* DETAIL, HINT, CONTEXT, STATEMENT lines of another entry */
	LOG_OTHER,	  /* known for a log entry, of no further interest */
	LOG_CONTINUATION, /* lines that continue an entry */
	LOG_CLASSES
};
const char *log_class_name(enum log_class c); /* "statement", "not_understood", … */

enum log_severity {
	SEV_NONE = 0,
	SEV_DEBUG,
	SEV_INFO,
	SEV_NOTICE,
	SEV_WARNING,
	SEV_LOG,
	SEV_ERROR,
	SEV_FATAL,
	SEV_PANIC
};
const char *log_severity_name(enum log_severity s);

/* Which part of a message a line carries, where they come as lines of their own. */
enum log_part {
	PART_MESSAGE = 0,
	PART_DETAIL,
	PART_HINT,
	PART_QUERY,
	PART_CONTEXT,
	PART_STATEMENT,
	PART_LOCATION,
	PART_BACKTRACE
};

/* How a statement was logged. */
enum log_phase {
	PHASE_NONE = 0,
	PHASE_SIMPLE, /* statement: … */
	PHASE_PARSE,  /* extended protocol: three entries for one call */
	PHASE_BIND,
	PHASE_EXECUTE,
	PHASE_FETCH,   /* execute fetch from … */
	PHASE_PLAN,    /* auto_explain */
	PHASE_DURATION /* log_duration: a time without a text */
};

/* What only pgsluice's query log knows; times in microseconds, -1: not given. */
struct log_pooler {
	int64_t wait_us, server_us, fetch_us, drain_us, rows, bytes_in, bytes_out;
	bool truncated;
};

/* A row of pg_stat_statements. */
struct log_totals {
	double calls, rows, total_ms, min_ms, max_ms, stddev_ms, plan_ms;
};

/* One entry.  Slices point into the chunk and die with commit(). */
struct log_entry {
	uint64_t line;	/* of the file, from 1 */
	uint32_t file;	/* index in struct input */
	uint32_t bytes; /* of its first line, newline included */
	uint32_t cont;	/* of the lines that continue it */
	enum log_class class;
	enum log_severity severity;
	enum log_part part;
	enum log_phase phase;
	int64_t ts;	  /* microseconds since 1970 UTC; 0: the log has no time */
	uint64_t session; /* the same for all entries of one session; 0: not known */
	int32_t pid;	  /* 0: not known */
	int64_t line_num; /* of the session's own count; 0: not known */
	struct str user, db, app, host, vxid, sqlstate;
	struct str message, detail, hint, context;
	struct str query;    /* the statement an error (or a csv/json entry) belongs to */
	struct str internal; /* QUERY: the statement inside a function */
	int64_t usec;	     /* duration, microseconds; -1: none */
	struct str sql;	     /* the statement: of `message`, or `query` */
	struct str name;     /* prepared statement or portal */
	struct str params;   /* the list behind "parameters: " */
	struct str plan;     /* PHASE_PLAN: the plan's text, any format */
	bool truncated;	     /* the text is known to be cut */
	uint32_t piece;	     /* log_format.pieces: 1 begins a message, more continue it; 0: whole */
	struct str raw;	     /* log_format.pieces: the piece's text */
	const char *lang;    /* of the server's messages, where it is not English: "de"; NULL */
	const struct log_pooler *pooler; /* NULL: not pgsluice's log */
	const struct log_totals *totals; /* many calls at once; NULL: one */
	struct sql_shape *shape;	 /* filled by prepare(); NULL: no sql */
	uint32_t shape_row, session_row; /* the sink's: where it may have them */
};

/* --- formats ------------------------------------------------------------------------ */

struct log_format;
struct log_prefix;

/* The raw lines of a part of a file, and where what is made of them goes. */
struct chunk {
	char *p; /* may be overwritten in place */
	size_t n;
	uint32_t file;
	uint64_t line; /* number of the first line */
	uint64_t offset;
	VEC(struct log_entry) entry;
	struct arena arena; /* for texts that are not in p as they stand */
	uint64_t lines;	    /* how many lines there are; set by the format */
	char *buf;	    /* owned: p points into it */
	size_t cap;
	uint64_t bytes[LOG_CLASSES], entries[LOG_CLASSES]; /* of this chunk */
	/* input_run.c's queues */
	struct chunk *next;
	bool is_ready; /* parsed and prepared */
};

struct log_format {
	const char *name; /* "stderr", "csvlog", … */
	const char *what; /* for --help */
	/* Does an entry begin at this line (without its newline)?  Context-free. */
	bool (*starts)(const struct log_format *f, const char *line, size_t n);
	/* Makes c->entry of c->p. */
	void (*parse)(const struct log_format *f, struct chunk *c);
	/* How well do these bytes (the head of a file) fit, 0 … 100? */
	int (*score)(const char *p, size_t n);
	/* The server's own line inside a line of somebody else's log; false: there is none. */
	bool (*unwrap)(struct arena *a, const char *line, size_t n, struct log_entry *e,
		struct str *inner);
	/* Entries may come in pieces that other sessions' pieces interleave: they are joined, in
	 * order, before commit(). */
	bool pieces;
	bool is_pooler;			 /* pgsluice's query log */
	const struct log_prefix *prefix; /* stderr inside; NULL: none */
	const struct log_format *inner;	 /* syslog and the like: what their lines carry */
	int csv_columns;
};

/* Every format, best first; ends with a NULL name. */
extern const struct log_format log_formats[];
const struct log_format *log_format_find(const char *name);

/* --- prefix -------------------------------------------------------------------------- */

/* A compiled log_line_prefix. */
struct log_prefix *prefix_new(const char *text, struct err *why);
void prefix_free(struct log_prefix **p);
const char *prefix_text(const struct log_prefix *p);
/* Fills the entry's fields; returns the prefix's length, or -1 when the line does not begin
 * with it followed by a severity. */
int prefix_match(const struct log_prefix *p, const char *line, size_t n, struct log_entry *e);
/* The prefix that fits these lines best; NULL: none.  *fit is the share of the lines carrying a
 * severity that match, in percent. */
struct log_prefix *prefix_infer(const char *p, size_t n, int *fit);
/* How many of the lines with a severity it fits, in percent. */
int prefix_share(const struct log_prefix *prefix, const char *p, size_t n);
/* What of these lines the prefix leaves open, for the operator; NULL: nothing.  The caller's. */
char *prefix_doubt(const struct log_prefix *p, bool is_inferred, const char *text, size_t n);

/* "LOG:  …", in the server's language: the severity or part; returns the length to skip, 0 when
 * it is neither. */
size_t message_severity(const char *p, size_t n, enum log_severity *sev, enum log_part *part);
/* Fills class, phase, usec, sql, name, params, plan from message, detail and query. */
void message_classify(struct log_entry *e);
/* A message or a detail of a localised server, if it is one that is read, becomes the English one;
 * its class follows. */
void message_translate(struct arena *a, struct log_entry *e);
/* The statement a plan of auto_explain is about ("Query Text"), whatever the plan's format. */
struct str message_plan_query(struct arena *a, struct str plan);
/* The list behind "parameters: " of a detail, STR_NONE when it is none. */
struct str message_params(struct str detail);
/* The statement behind "prepare: " of a detail, "PREPARE p AS …"; STR_NONE when it is none. */
struct str message_prepared(struct str detail);
/* What stands behind AS in "PREPARE p AS …"; STR_NONE: nothing does. */
struct str message_prepare_body(struct str prepare);
/* The i-th (from 1) value of such a list, unquoted: STR_NONE for NULL or when it is absent. */
struct str message_param(struct arena *a, struct str params, int i);

/* "2024-01-05 10:11:12.345 UTC" and its kin at p: microseconds, and how long it is (0: none). */
size_t time_parse(const char *p, size_t n, int64_t *usec);
/* Is it the name of a zone that is known? */
bool time_is_zone(struct str name);
void time_format(int64_t usec, char *out, size_t size); /* "2024-01-05 10:11:12" */

/* --- running ---------------------------------------------------------------------------- */

struct input_options {
	const char *prefix; /* --prefix; NULL: infer */
	const char *format; /* --input; NULL: detect */
	const char *state;  /* --state FILE; NULL: none */
	int jobs;	    /* worker threads, at least 1 */
	size_t chunk;	    /* bytes; 0: the default */
	bool follow;
	int64_t since, until; /* microseconds; 0: no bound */
	volatile int *stop;   /* becomes true when the user interrupts */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

struct input_file {
	char *name;    /* as the user gave it; "-" is stdin */
	char *path;    /* what is opened; NULL: a member found while reading */
	int member;    /* of an archive, from 0; -1: all that is in the file */
	uint64_t salt; /* told apart by directory: servers that use the same process ids */
	bool detected; /* `format` is the outcome */
	bool is_read;  /* --state: nothing was added since */
	char head[17]; /* --state: what it begins with, hashed; "": not known */
	size_t head_n; /* of how many bytes */
	const struct log_format *format; /* NULL: not recognised */
	struct log_format own;		 /* `format` points here when it has a prefix */
	int prefix_fit;	    /* percent of the lines with a severity that the prefix fits */
	char *prefix_seen;  /* owned; the log's own, where a prefix given does not fit; NULL */
	char *prefix_doubt; /* owned; what the prefix leaves open; NULL: nothing */
	bool is_binary;	    /* not recognised, and no text */
	char *known_format, *known_prefix; /* owned; --state: as it was last time; NULL */
	uint64_t skip;			   /* bytes of the file that were read before (--state) */
	uint64_t bytes;			   /* read and, where compressed, unpacked */
	uint64_t lines;
	bool compressed;
	bool by_directory;	/* it was named by its directory only */
	uint64_t device, inode; /* of what came with --follow; 0: of what has the name */
};

struct input {
	VEC(struct input_file *) file;
	VEC(char *) dir; /* directories that were named */
	struct input_options opt;
	uint64_t bytes[LOG_CLASSES]; /* the accounting; sums up to the files' bytes */
	uint64_t entries[LOG_CLASSES];
	uint64_t total; /* bytes of all files on disk, 0 when not known */
};

struct input_sink {
	/* On any thread: c->entry is filled, sessions apart. */
	void (*prepare)(void *ctx, struct chunk *c);
	/* In order, one at a time: n entries. */
	void (*commit)(void *ctx, struct log_entry *e, size_t n);
	void *ctx;
};

/* Adds a file, a directory (its files), or "-"; false: it cannot be read. */
bool input_add(struct input *in, const char *path, struct err *why);
/* Reads everything.  false: a file could not be read (what was read stays counted). */
bool input_run(struct input *in, const struct input_sink *sink, struct err *why);
/* --state: what was read is the next run's no more.  To be called when it has got where it should:
 * a report that was never written would lose it.  Without --state it does nothing. */
bool input_remember(const struct input *in, struct err *why);
/* The same for a file whose text was read already, which is changed by it.  false: it is no log, or
 * one whose messages stand in it as they are (stderr). */
bool input_memory(struct input *in, uint32_t file, struct text *t, const struct input_sink *sink,
	struct err *why);
void input_release(struct input *in);

#endif
