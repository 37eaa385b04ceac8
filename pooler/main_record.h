/* SPDX-License-Identifier: ISC
 *
 * main_record: `pgsluice record`: a command, mostly a test suite, run with a pooler of its own
 * before its server, so that every statement of it is in a log.
 *
 *   main_record.c      the command line; the life of pooler, command and analysis
 *   main_record_env.c  where the server is; the pooler's settings; what the command is told
 */
#ifndef POOLER_MAIN_RECORD_H
#define POOLER_MAIN_RECORD_H

#include "base.h"

#include <libpq-fe.h>

struct record_server {
	PQconninfoOption *words;			    /* as libpq reads them */
	const char *host, *port, *user, *password, *dbname; /* of words; NULL: not said */
	const char *url;	     /* the environment's DATABASE_URL; NULL: there is none */
	PQconninfoOption *url_words; /* NULL: it is none of libpq's */
};

/* Finds the server: --dsn, else DATABASE_URL, else libpq's own variables.  false: said why. */
bool record_server_find(struct record_server *s, const char *dsn);
void record_server_release(struct record_server *s);

/* Writes the pooler's settings and its users' passwords below dir.  false: said why. */
bool record_write_settings(const struct record_server *s, const char *dir, int port,
	const char *query_log);
/* Sets the environment of the command, in the process that will become it. */
void record_set_environment(const struct record_server *s, int port);
/* The URL with the server's place changed to ours; the caller frees.  NULL: it is no URL. */
char *record_url(const char *url, int port);

/* The whole command; argv[0] is "record".  Its exit status. */
int record_main(int argc, char **argv);

#endif
