/* SPDX-License-Identifier: ISC
 *
 * plan: EXPLAIN's output in any shape people have it -> one tree -> what is slow in it.
 *
 *   plan_frame.c    pasted text -> the lines EXPLAIN wrote: what was put around each is taken off
 *   plan_markup.c   …what was done to the text as a whole: HTML, kinds of blanks, line heads
 *   plan_typeset.c  …LaTeX, AsciiDoc and troff, as psql writes them
 *   plan_literal.c  …programs' strings: Python's, Ruby's, JavaScript's, PHP's, SQL's
 *   plan_psql.c     …psql's tables: borders, marks of broken lines, records
 *   plan_find.c     where plans begin and end in a text, and in which format they are
 *   plan_text.c     the text format: where each line belongs
 *   plan_title.c    the text format: a node's own line
 *   plan_field.c    the text format: what stands in a line below it
 *   plan_tree.c     JSON, and what the next two make of theirs
 *   plan_yaml.c     YAML -> JSON values
 *   plan_xml.c      XML -> JSON values
 *   plan_node.c     one node: its fields by name, its title
 *   plan_time.c     what each node itself took: time, cost, blocks, rows over all loops
 *   plan_print.c    the tree for people
 *
 * The four formats of one plan give the same tree: names are JSON's ("Node Type": "Hash Join",
 * "Join Type": "Left" for text's "Hash Left Join"), identifiers are unquoted.  A node type or
 * field we do not know is kept as it stands and shown; it is never an error.
 *
 * Everything lives in the arena given; nothing points into the text.
 */
#ifndef ANALYZER_PLAN_H
#define ANALYZER_PLAN_H

#include "base.h"

/* Node types that somebody asks for; everything else is PLAN_OTHER and known by its name. */
#define PLAN_KINDS(X)                                                                              \
	X(OTHER, "")                                                                               \
	X(SEQ_SCAN, "Seq Scan")                                                                    \
	X(SAMPLE_SCAN, "Sample Scan")                                                              \
	X(INDEX_SCAN, "Index Scan")                                                                \
	X(INDEX_ONLY_SCAN, "Index Only Scan")                                                      \
	X(BITMAP_INDEX_SCAN, "Bitmap Index Scan")                                                  \
	X(BITMAP_HEAP_SCAN, "Bitmap Heap Scan")                                                    \
	X(BITMAP_AND, "BitmapAnd")                                                                 \
	X(BITMAP_OR, "BitmapOr")                                                                   \
	X(TID_SCAN, "Tid Scan")                                                                    \
	X(SUBQUERY_SCAN, "Subquery Scan")                                                          \
	X(FUNCTION_SCAN, "Function Scan")                                                          \
	X(VALUES_SCAN, "Values Scan")                                                              \
	X(CTE_SCAN, "CTE Scan")                                                                    \
	X(WORKTABLE_SCAN, "WorkTable Scan")                                                        \
	X(FOREIGN_SCAN, "Foreign Scan")                                                            \
	X(CUSTOM_SCAN, "Custom Scan")                                                              \
	X(NESTED_LOOP, "Nested Loop")                                                              \
	X(MERGE_JOIN, "Merge Join")                                                                \
	X(HASH_JOIN, "Hash Join")                                                                  \
	X(HASH, "Hash")                                                                            \
	X(SORT, "Sort")                                                                            \
	X(INCREMENTAL_SORT, "Incremental Sort")                                                    \
	X(AGGREGATE, "Aggregate")                                                                  \
	X(GROUP, "Group")                                                                          \
	X(UNIQUE, "Unique")                                                                        \
	X(WINDOW_AGG, "WindowAgg")                                                                 \
	X(SET_OP, "SetOp")                                                                         \
	X(LIMIT, "Limit")                                                                          \
	X(APPEND, "Append")                                                                        \
	X(MERGE_APPEND, "Merge Append")                                                            \
	X(RECURSIVE_UNION, "Recursive Union")                                                      \
	X(GATHER, "Gather")                                                                        \
	X(GATHER_MERGE, "Gather Merge")                                                            \
	X(MATERIALIZE, "Materialize")                                                              \
	X(MEMOIZE, "Memoize")                                                                      \
	X(MODIFY_TABLE, "ModifyTable")                                                             \
	X(LOCK_ROWS, "LockRows")                                                                   \
	X(RESULT, "Result")                                                                        \
	X(PROJECT_SET, "ProjectSet")

enum plan_kind {
#define X(id, name) PLAN_##id,
	PLAN_KINDS(X)
#undef X
};

/* Numbers of a node: C name, JSON's key.  NAN: not said.  Times in ms, sizes in kB, blocks of
 * 8 kB; all as EXPLAIN prints them: per loop or in total, inclusive of the children. */
#define PLAN_NUMBERS(X)                                                                            \
	X(startup_cost, "Startup Cost")                                                            \
	X(total_cost, "Total Cost")                                                                \
	X(plan_rows, "Plan Rows")                                                                  \
	X(plan_width, "Plan Width")                                                                \
	X(startup_ms, "Actual Startup Time")                                                       \
	X(total_ms, "Actual Total Time")                                                           \
	X(rows, "Actual Rows")                                                                     \
	X(loops, "Actual Loops")                                                                   \
	X(removed_filter, "Rows Removed by Filter")                                                \
	X(removed_join, "Rows Removed by Join Filter")                                             \
	X(removed_recheck, "Rows Removed by Index Recheck")                                        \
	X(heap_fetches, "Heap Fetches")                                                            \
	X(index_searches, "Index Searches")                                                        \
	X(exact_blocks, "Exact Heap Blocks")                                                       \
	X(lossy_blocks, "Lossy Heap Blocks")                                                       \
	X(sort_kb, "Sort Space Used")                                                              \
	X(buckets, "Hash Buckets")                                                                 \
	X(buckets_planned, "Original Hash Buckets")                                                \
	X(batches, "Hash Batches")                                                                 \
	X(batches_planned, "Original Hash Batches")                                                \
	X(agg_batches, "HashAgg Batches")                                                          \
	X(planned_partitions, "Planned Partitions")                                                \
	X(peak_kb, "Peak Memory Usage")                                                            \
	X(disk_kb, "Disk Usage")                                                                   \
	X(cache_hits, "Cache Hits")                                                                \
	X(cache_misses, "Cache Misses")                                                            \
	X(cache_evictions, "Cache Evictions")                                                      \
	X(cache_overflows, "Cache Overflows")                                                      \
	X(workers_planned, "Workers Planned")                                                      \
	X(workers_launched, "Workers Launched")                                                    \
	X(subplans_removed, "Subplans Removed")                                                    \
	X(tuples_updated, "Tuples Updated")                                                        \
	X(tuples_deleted, "Tuples Deleted")                                                        \
	X(tuples_skipped, "Tuples Skipped")                                                        \
	X(tuples_inserted, "Tuples Inserted")                                                      \
	X(removed_conflict, "Rows Removed by Conflict Filter")                                     \
	X(tuples_conflicting, "Conflicting Tuples")                                                \
	X(hit, "Shared Hit Blocks")                                                                \
	X(read, "Shared Read Blocks")                                                              \
	X(dirtied, "Shared Dirtied Blocks")                                                        \
	X(written, "Shared Written Blocks")                                                        \
	X(local_hit, "Local Hit Blocks")                                                           \
	X(local_read, "Local Read Blocks")                                                         \
	X(local_dirtied, "Local Dirtied Blocks")                                                   \
	X(local_written, "Local Written Blocks")                                                   \
	X(temp_read, "Temp Read Blocks")                                                           \
	X(temp_written, "Temp Written Blocks")                                                     \
	X(io_read_ms, "I/O Read Time")                                                             \
	X(io_write_ms, "I/O Write Time")                                                           \
	X(shared_io_read_ms, "Shared I/O Read Time")                                               \
	X(shared_io_write_ms, "Shared I/O Write Time")                                             \
	X(local_io_read_ms, "Local I/O Read Time")                                                 \
	X(local_io_write_ms, "Local I/O Write Time")                                               \
	X(temp_io_read_ms, "Temp I/O Read Time")                                                   \
	X(temp_io_write_ms, "Temp I/O Write Time")                                                 \
	X(storage_kb, "Maximum Storage")                                                           \
	X(wal_records, "WAL Records")                                                              \
	X(wal_fpi, "WAL FPI")                                                                      \
	X(wal_bytes, "WAL Bytes")                                                                  \
	X(wal_full, "WAL Buffers Full")

/* Names of a node: C name, JSON's key.  STR_NONE: not said. */
#define PLAN_STRINGS(X)                                                                            \
	X(type, "Node Type")                                                                       \
	X(relationship, "Parent Relationship")                                                     \
	X(subplan, "Subplan Name")                                                                 \
	X(schema, "Schema")                                                                        \
	X(relation, "Relation Name")                                                               \
	X(alias, "Alias")                                                                          \
	X(index, "Index Name")                                                                     \
	X(direction, "Scan Direction")                                                             \
	X(join, "Join Type")                                                                       \
	X(strategy, "Strategy")                                                                    \
	X(partial_mode, "Partial Mode")                                                            \
	X(operation, "Operation")                                                                  \
	X(command, "Command")                                                                      \
	X(provider, "Custom Plan Provider")                                                        \
	X(function, "Function Name")                                                               \
	X(table_function, "Table Function Name")                                                   \
	X(cte, "CTE Name")                                                                         \
	X(sort_method, "Sort Method")                                                              \
	X(sort_type, "Sort Space Type")

/* Any other field: conditions, keys, outputs.  List items keep their order. */
struct plan_prop {
	struct str key; /* JSON's */
	struct str *value;
	size_t values;
};

struct plan_worker {
	double number, rows, loops, total_ms, sort_kb;
	struct str sort_method, sort_type;
};

struct plan_node {
	enum plan_kind kind;
#define X(field, key) struct str field;
	PLAN_STRINGS(X)
#undef X
#define X(field, key) double field;
	PLAN_NUMBERS(X)
#undef X
	bool is_parallel; /* Parallel Aware */
	bool is_disabled; /* PostgreSQL 18 */
	bool is_never;	  /* never executed */
	VEC(struct plan_prop) prop;
	VEC(struct plan_worker) worker;

	struct plan_node *up;
	struct plan_node **child;
	size_t children, child_room;
	size_t number; /* in the order of the tree, from 1 */
	int line;      /* of the input; 0: not known */

	/* plan_measure(): */
	double all_rows;     /* rows over all loops (and workers); NAN: not analyzed */
	double all_rows_err; /* the rounding of the per-loop average: true value +- this */
	double all_removed;  /* by Filter, Join Filter and Recheck, over all loops */
	double wall_ms;	     /* inclusive, as part of the query's elapsed time */
	double self_ms;	     /* without children, subplans and CTEs; NAN: no times */
	double self_cost;
	double share; /* of the elapsed time, or (plain EXPLAIN) of the cost: 0..1 */
	double self_blocks, self_read, self_temp; /* shared blocks, read ones, temp blocks */
};

struct plan_trigger {
	struct str name, constraint, relation;
	double ms, calls;
};

struct plan_setting {
	struct str name, value;
};

enum plan_format { PLAN_TEXT = 0, PLAN_JSON, PLAN_YAML, PLAN_XML };

struct plan {
	enum plan_format format;
	struct plan_node *root;
	struct plan_node **node; /* every node, parents first; node[i]->number == i + 1 */
	size_t nodes;
	struct str query;    /* "Query Text" of auto_explain; STR_NONE */
	struct str query_id; /* "Query Identifier" */
	double duration_ms;  /* of the log line `duration: … ms  plan:`; NAN */
	double planning_ms, execution_ms;
	double planning_read, planning_hit; /* blocks */
	double jit_functions, jit_ms;
	VEC(struct plan_trigger) trigger;
	VEC(struct plan_setting) setting;
	int line;	    /* where it begins in the input, from 1 */
	size_t passed_over; /* lines of the text format that say nothing we know … */
	int passed_line;    /* … and the first of them */
	bool is_analyzed;   /* rows and loops were measured */
	bool is_timed;	    /* times too */
	bool has_cost, has_buffers;
	double elapsed_ms; /* Execution Time, else the root's total, else the duration */
};

/* --- reading ------------------------------------------------------------------- */

struct plan_list {
	VEC(struct plan *) plan;
	size_t broken;	/* begun like a plan and not understood */
	struct err why; /* of the first of these */
};

/* Finds every plan in the text, whatever stands around them, and measures it.  Text that is
 * no plan is passed over; the caller decides what finding none means. */
void plan_find(struct arena *a, struct str text, struct plan_list *out);
void plan_list_release(struct plan_list *l);

/* The same, one plan at a time: each is handed over and gone, with its arena, when the call
 * returns.  For logs of any size: memory is bounded by the largest plan. */
struct plan_counts {
	size_t plans, broken;
	struct err why; /* of the first broken one */
};
void plan_each(struct str text, void (*on_plan)(void *ctx, struct arena *a, struct plan *p),
	void *ctx, struct plan_counts *counts);

/* --- a node -------------------------------------------------------------------- */

/* The named property, its items joined by ", "; STR_NONE. */
struct str plan_get(struct arena *a, const struct plan_node *n, const char *key);
const struct plan_prop *plan_prop(const struct plan_node *n, const char *key);
/* x where it is a number, else 0. */
double plan_num(double x);
/* "Hash Left Join", "Parallel Index Scan Backward using i on s.t x" */
struct str plan_title(struct arena *a, const struct plan_node *n);
/* The name of what a scan reads: relation, function, CTE; STR_NONE. */
struct str plan_source(const struct plan_node *n);
/* The alias of the whole table for its partition: "t" of "t_3" below an Append. */
struct str plan_whole_alias(const struct plan_node *n);
bool plan_is_scan(const struct plan_node *n);
bool plan_is_join(const struct plan_node *n);
/* Executed to feed its parent's rows: not an InitPlan, SubPlan or CTE. */
bool plan_is_input(const struct plan_node *n);
/* The first (outer) and the second (inner) input; NULL when there is none. */
struct plan_node *plan_outer(const struct plan_node *n);
struct plan_node *plan_inner(const struct plan_node *n);

/* --- for people ------------------------------------------------------------------ */

/* The tree, one line a node and its conditions below; the hot nodes marked.  mask: conditions
 * without their literals. */
void plan_print(struct text *out, const struct plan *p, bool mask);
/* The same number for plans of the same structure: titles and depths. */
uint64_t plan_hash(const struct plan *p);

/* --- inside the family ------------------------------------------------------------- */

struct json_t;

/* The lines of a paste without what was put around them. */
struct plan_line {
	struct str text;
	int number;    /* in the input */
	bool is_full;  /* it fills a terminal's line or a table's cell, and may go on in the next */
	bool is_apart; /* a blank line stood before it */
};
struct plan_lines {
	VEC(struct plan_line) line;
};
void plan_unframe(struct arena *a, struct str text, struct plan_lines *out);
/* The lines as they stand, tabs made blanks. */
void plan_split(struct arena *a, struct str text, struct plan_lines *out);
/* The rows of psql's LaTeX, AsciiDoc and troff. */
struct str plan_unset(struct arena *a, struct str text);
/* Only dashes, crosses and box drawing: a frame's rule. */
bool plan_is_rule(struct str s);
/* psql's tables become the lines of their cells. */
void plan_untable(struct arena *a, struct plan_lines *l);
/* The text without HTML, escapes, labels and line heads; as many lines as before. */
struct str plan_unmark(struct arena *a, struct str text);
/* The lines that a program printed as strings of its language. */
struct str plan_unquote(struct arena *a, struct str text);

struct plan *plan_new(struct arena *a);
struct plan_node *plan_node_new(struct arena *a);
void plan_node_adopt(struct arena *a, struct plan_node *up, struct plan_node *child);
/* Sets the field of this name: a number, a name or a property.  Case, blanks, "-" and "/" of
 * the key do not matter (XML writes I-O-Read-Time). */
void plan_node_set(struct arena *a, struct plan_node *n, struct str key, struct str value);
void plan_node_add(struct arena *a, struct plan_node *n, struct str key, struct str item);
bool plan_node_set_number(struct plan_node *n, struct str key, double value); /* false: no number */
void plan_node_settle(struct plan_node *n); /* kind, alias: after all fields are set */

/* Reads one plan of the text format from lines[*at] on; *at is left behind it.  NULL: none. */
struct plan *plan_text_read(struct arena *a, const struct plan_lines *l, size_t *at);
bool plan_text_begins(struct str line);
/* Adds every plan in the value: {"Plan": …}, [{"Plan": …}, …], [{"QUERY PLAN": [{"Plan": …}]}],
 * {"Node Type": …}. Answers how many. */
size_t plan_tree_read(struct arena *a, struct json_t *doc, struct plan_list *out);
/* New JSON values, or NULL. */
struct json_t *plan_yaml_read(const struct plan_lines *l, size_t *at, struct err *why);
struct json_t *plan_xml_read(struct str text, size_t *used, struct err *why);
void plan_measure(struct arena *a, struct plan *p);

#endif
