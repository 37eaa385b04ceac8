/* SPDX-License-Identifier: ISC
 *
 * schema_live.h: the schema of a database that can be asked.
 */
#ifndef ANALYZER_SCHEMA_LIVE_H
#define ANALYZER_SCHEMA_LIVE_H

#include "db.h"
#include "schema.h"

/* Reads the catalog and what statistics the role may see. */
bool schema_read_live(struct schema *s, struct db *db, struct err *why);

#endif
