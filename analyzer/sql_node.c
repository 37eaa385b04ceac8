/* SPDX-License-Identifier: ISC
 *
 * sql_node: reading a parse tree through protobuf-c's reflection.
 *
 * A tree's children hang in three ways: as a field of their own type, as a `Node` (a oneof of
 * pointers that share one place), and in lists of either.  Reflection reaches all of them; a
 * switch over Node would miss the first kind.
 */
#include "sql.h"

#include <pg_query/pg_query.pb-c.h>

static const ProtobufCMessage *msg(const struct sql_node *n)
{
	return (const ProtobufCMessage *)(const void *)n;
}

static const void *member(const ProtobufCMessage *m, unsigned offset)
{
	return (const char *)m + offset;
}

/* Looks through the Node wrapper: the message inside, NULL when it is empty. */
static const struct sql_node *unwrap(const ProtobufCMessage *m)
{
	while (m && m->descriptor == &pg_query__node__descriptor) {
		const PgQuery__Node *n = (const PgQuery__Node *)(const void *)m;
		m = n->node_case == PG_QUERY__NODE__NODE__NOT_SET
			    ? NULL
			    : (const ProtobufCMessage *)(const void *)n->alias;
	}
	return (const struct sql_node *)(const void *)m;
}

/* Fields found before: nearly all names are literals of ours, so an address tells which. */
#define FIELDS 2048
static _Thread_local struct {
	const ProtobufCMessageDescriptor *of;
	const char *name;
	const ProtobufCFieldDescriptor *field; /* NULL: of has none of that name */
} found[FIELDS];

static const ProtobufCFieldDescriptor *field_of(const struct sql_node *n, const char *name)
{
	const ProtobufCMessageDescriptor *d = n ? msg(n)->descriptor : NULL;
	size_t at = ((uintptr_t)d / 32 + (uintptr_t)name) % FIELDS;

	if (!d)
		return NULL;
	if (found[at].of != d || found[at].name != name || !found[at].field ||
		strcmp(found[at].field->name, name) != 0) {
		found[at].of = d;
		found[at].name = name;
		found[at].field = protobuf_c_message_descriptor_get_field_by_name(d, name);
	}
	return found[at].field;
}

static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
	       *(const uint32_t *)member(m, f->quantifier_offset) == f->id;
}

const char *node_kind(const struct sql_node *n)
{
	return n ? msg(n)->descriptor->name + strlen("pg_query.") : "";
}

bool node_is(const struct sql_node *n, const char *kind)
{
	return n && strcmp(node_kind(n), kind) == 0;
}

const struct sql_node *node_get(const struct sql_node *n, const char *field)
{
	const ProtobufCFieldDescriptor *f = field_of(n, field);
	const ProtobufCMessage *child;

	if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE || f->label == PROTOBUF_C_LABEL_REPEATED ||
		!is_set(msg(n), f))
		return NULL;
	memcpy(&child, member(msg(n), f->offset), sizeof(child));
	return unwrap(child);
}

size_t node_len(const struct sql_node *n, const char *list)
{
	const ProtobufCFieldDescriptor *f = field_of(n, list);
	size_t len = 0;

	if (f && f->label == PROTOBUF_C_LABEL_REPEATED)
		memcpy(&len, member(msg(n), f->quantifier_offset), sizeof(len));
	return len;
}

const struct sql_node *node_item(const struct sql_node *n, const char *list, size_t i)
{
	const ProtobufCFieldDescriptor *f = field_of(n, list);
	ProtobufCMessage **items;

	if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE || i >= node_len(n, list))
		return NULL;
	memcpy(&items, member(msg(n), f->offset), sizeof(items));
	return unwrap(items[i]);
}

const char *node_str(const struct sql_node *n, const char *field)
{
	const ProtobufCFieldDescriptor *f = field_of(n, field);
	const char *s = NULL;

	if (f && f->type == PROTOBUF_C_TYPE_STRING && f->label != PROTOBUF_C_LABEL_REPEATED)
		memcpy(&s, member(msg(n), f->offset), sizeof(s));
	return s ? s : "";
}

int64_t node_int(const struct sql_node *n, const char *field)
{
	const ProtobufCFieldDescriptor *f = field_of(n, field);
	const void *p;

	if (!f || f->label == PROTOBUF_C_LABEL_REPEATED)
		return 0;
	p = member(msg(n), f->offset);
	switch ((int)f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		return *(const int32_t *)p;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return *(const uint32_t *)p;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return *(const int64_t *)p;
	case PROTOBUF_C_TYPE_BOOL:
		return *(const protobuf_c_boolean *)p != 0;
	}
	return 0;
}

const char *node_enum(const struct sql_node *n, const char *field)
{
	const ProtobufCFieldDescriptor *f = field_of(n, field);
	const ProtobufCEnumValue *v;

	if (!f || f->type != PROTOBUF_C_TYPE_ENUM)
		return "";
	v = protobuf_c_enum_descriptor_get_value(f->descriptor, (int)node_int(n, field));
	return v ? v->name : "";
}

int node_loc(const struct sql_node *n)
{
	return field_of(n, "location") ? (int)node_int(n, "location") : -1;
}

static enum walk least_loc(void *ctx, const struct sql_path *at)
{
	int *least = ctx, loc = node_loc(at->node);

	if (loc >= 0 && (*least < 0 || loc < *least) && !node_is(at->node, "TypeName"))
		*least = loc;
	return WALK_ON;
}

int node_start(const struct sql_node *n)
{
	int least = -1;

	sql_walk(n, least_loc, &least);
	return least;
}

struct str node_name(struct arena *a, const struct sql_node *n, const char *list)
{
	struct str s = STR("");

	for (size_t i = 0; i < node_len(n, list); i++) {
		const char *part = node_str(node_item(n, list, i), "sval");
		s = s.n ? arena_printf(a, "%s.%s", s.p, part) : str_of(part);
	}
	return s;
}

struct str node_last_name(const struct sql_node *n, const char *list)
{
	size_t len = node_len(n, list);

	return len ? str_of(node_str(node_item(n, list, len - 1), "sval")) : STR("");
}

/* --- the walk ---------------------------------------------------------------------- */

struct walker {
	enum walk (*visit)(void *ctx, const struct sql_path *at);
	void *ctx;
};

static bool walk_node(struct walker *w, const struct sql_node *n, const char *field,
	const struct sql_path *up);

static bool walk_field(struct walker *w, const struct sql_path *at,
	const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessage *m = msg(at->node), *child, **items;
	size_t len;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE || !is_set(m, f))
		return false;
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		memcpy(&child, member(m, f->offset), sizeof(child));
		return walk_node(w, unwrap(child), f->name, at);
	}
	memcpy(&len, member(m, f->quantifier_offset), sizeof(len));
	memcpy(&items, member(m, f->offset), sizeof(items));
	for (size_t i = 0; i < len; i++)
		if (walk_node(w, unwrap(items[i]), f->name, at))
			return true;
	return false;
}

static bool walk_node(struct walker *w, const struct sql_node *n, const char *field,
	const struct sql_path *up)
{
	struct sql_path at = {.up = up, .node = n, .field = field};

	if (!n)
		return false;
	enum walk verdict = w->visit(w->ctx, &at);
	if (verdict != WALK_ON)
		return verdict == WALK_STOP;
	const ProtobufCMessageDescriptor *d = msg(n)->descriptor;
	for (unsigned i = 0; i < d->n_fields; i++)
		if (walk_field(w, &at, &d->fields[i]))
			return true;
	return false;
}

bool sql_walk(const struct sql_node *n, enum walk (*visit)(void *ctx, const struct sql_path *at),
	void *ctx)
{
	struct walker w = {.visit = visit, .ctx = ctx};

	return walk_node(&w, n, "", NULL);
}
