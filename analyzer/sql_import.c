/* SPDX-License-Identifier: ISC
 *
 * sql_import: libpg_query's parse tree, copied into an arena.
 *
 * libpg_query has the tree as protobuf-c structs, packs them into bytes to hand them out, and
 * frees them; a caller unpacks the bytes to the same structs.  That was two thirds of a linter's
 * time, since the packer measures every message once for each message around it.  So the packer is
 * ours: libpg_query calls pg_query__parse_result__pack() through the dynamic linker, which
 * finds the one defined here first; it copies the structs to the arena instead.  Where it is not
 * called (a libpg_query that was linked another way) the bytes are unpacked as anywhere else:
 * tests/unit/analyzer/sql_import.c holds the two trees against each other.
 */
#include "sql.h"
#include "sql_build.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

/* --- copying ------------------------------------------------------------------------------ */

static void *copy_message(struct arena *a, const ProtobufCMessage *m);

static char *copy_string(struct arena *a, const char *s)
{
	size_t n;

	if (!s || s == protobuf_c_empty_string)
		return (char *)(uintptr_t)s;
	n = strlen(s) + 1;
	return memcpy(arena_alloc(a, n), s, n);
}

static size_t size_of_element(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		break;
	}
	return sizeof(uint32_t);
}

/* What a field of the copy still shares with the original. */
static void *copy_pointer(struct arena *a, const ProtobufCFieldDescriptor *f, const void *p)
{
	return f->type == PROTOBUF_C_TYPE_STRING ? copy_string(a, p) : copy_message(a, p);
}

static void copy_field(struct arena *a, const ProtobufCFieldDescriptor *f, char *m)
{
	bool points = f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE;
	size_t n = 1, size;
	void **at = (void **)(void *)(m + f->offset);

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		memcpy(&n, m + f->quantifier_offset, sizeof(n));
		if (n == 0)
			return;
		size = n * size_of_element(f);
		at = *at = memcpy(arena_alloc(a, size), *at, size);
	} else if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		   *(uint32_t *)(void *)(m + f->quantifier_offset) != f->id) {
		return;
	}
	for (size_t i = 0; points && i < n; i++)
		at[i] = copy_pointer(a, f, at[i]);
}

static void *copy_message(struct arena *a, const ProtobufCMessage *m)
{
	char *copy;

	if (!m)
		return NULL;
	copy = memcpy(arena_alloc(a, m->descriptor->sizeof_message), m,
		m->descriptor->sizeof_message);
	if (m->descriptor == &pg_query__node__descriptor) { /* one of 240 fields is there */
		PgQuery__Node *n = (PgQuery__Node *)(void *)copy;
		if (n->node_case != PG_QUERY__NODE__NODE__NOT_SET)
			n->alias = copy_message(a, (const ProtobufCMessage *)(void *)n->alias);
		return copy;
	}
	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		copy_field(a, &m->descriptor->fields[i], copy);
	return copy;
}

/* --- in the packer's place ------------------------------------------------------------------ */

#define SEEN __attribute__((visibility("default"))) /* by the dynamic linker */

/* Where the tree that is being parsed on this thread goes; NULL: it is to be packed. */
static _Thread_local struct arena *into;
static _Thread_local PgQuery__ParseResult *imported;

SEEN size_t pg_query__parse_result__get_packed_size(const PgQuery__ParseResult *m)
{
	return into ? 1 : protobuf_c_message_get_packed_size(&m->base);
}

SEEN size_t pg_query__parse_result__pack(const PgQuery__ParseResult *m, uint8_t *out)
{
	if (!into)
		return protobuf_c_message_pack(&m->base, out);
	imported = copy_message(into, &m->base);
	return 0;
}

static void *pb_alloc(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void pb_free(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

const struct sql_node *import_tree(struct arena *a, const char *text, bool packed, struct err *why)
{
	ProtobufCAllocator alloc = {.alloc = pb_alloc, .free = pb_free, .allocator_data = a};
	PgQueryProtobufParseResult r;
	PgQuery__ParseResult *pb;

	into = packed ? NULL : a;
	imported = NULL;
	r = pg_query_parse_protobuf(text);
	into = NULL;
	pb = imported;
	if (r.error)
		err_set(why, "%s", r.error->message);
	else if (!pb)
		pb = pg_query__parse_result__unpack(&alloc, r.parse_tree.len,
			(const uint8_t *)r.parse_tree.data);
	if (!r.error && !pb)
		err_set(why, "the parse tree could not be read");
	pg_query_free_protobuf_parse_result(r);
	return (const struct sql_node *)(const void *)(r.error ? NULL : pb);
}
