/* trace_builder.h - trace files made by hand, in memory, for the tests of the reading wing.
 *
 *     struct tb tb;
 *     tb_init(&tb, 100);                        a file of pid 100; ticks are ns
 *     tb_code(&tb, 1, "main", "a.py", 3);
 *     size_t chunk = tb_events(&tb, 1, 100, 1000);
 *     tb_record(&tb, chunk, 1500, MT_KIND_PY_BEGIN, 1);
 *     ... tb.data, tb.n_bytes ...
 *     tb_fini(&tb);
 *
 * Whatever is wrong in a file can be made by writing into tb.data. Out of memory, or of room in a
 * chunk, aborts.
 */
#ifndef MT_TESTS_TRACE_BUILDER_H_
#define MT_TESTS_TRACE_BUILDER_H_

#include <stddef.h>
#include <stdint.h>

#include "mtrace/format.h"

#define TB_MAX_CHUNKS 64
/* CLOCK_REALTIME minus CLOCK_MONOTONIC. */
#define TB_REAL_NS UINT64_C(1700000000000000000)
/* CLOCK_MONOTONIC at tick 0. */
#define TB_MONO_NS UINT64_C(1000000000)

struct tb_chunk {
    size_t offset; /* of its header in the file */
    size_t at;     /* where the next word goes */
    size_t end;
    uint64_t tick;
    uint32_t thread;
};

struct tb {
    unsigned char *data;
    size_t n_bytes;
    struct tb_chunk chunks[TB_MAX_CHUNKS];
    size_t n_chunks;
    size_t defs; /* the chunk for definitions */
    uint32_t n_def_chunks;
    uint32_t next_string;
};

/* A header with plausible fields, file_id all `pid`, and a chunk of definitions. */
void tb_init(struct tb *tb, uint32_t pid);
void tb_fini(struct tb *tb);
struct mt_file_header *tb_header(struct tb *tb);
/* Its file_id, as parent_id of another. */
void tb_set_parent(struct tb *tb, struct tb *parent);

/* New chunks, of n_pages; tb_events: one page. They return an index. */
size_t tb_events(struct tb *tb, uint32_t thread, uint32_t tid, uint64_t start_tick);
size_t tb_events_of(struct tb *tb, uint32_t thread, uint32_t tid, uint64_t start_tick,
                    uint32_t n_pages);
size_t tb_new_defs(struct tb *tb, uint32_t n_pages);
struct mt_chunk_header *tb_chunk_header(struct tb *tb, size_t chunk);

/* Any word; returns its offset in the file. */
size_t tb_word(struct tb *tb, size_t chunk, uint64_t word);
/* A record at an absolute tick. They return the offset of its first word. */
size_t tb_record(struct tb *tb, size_t chunk, uint64_t tick, enum mt_kind kind, uint32_t id);
size_t tb_gap(struct tb *tb, size_t chunk, uint64_t tick);
size_t tb_resync(struct tb *tb, size_t chunk, uint64_t tick, enum mt_resync reason, uint32_t depth);
size_t tb_lost(struct tb *tb, size_t chunk, uint64_t n_events, uint64_t last_tick,
               enum mt_loss reason);
/* Many records in short: "(1 [2 ]2 )1" is begin 1, C begin 2, ...; `step` ticks between them. The
 * letters are those of MT_KIND_MAP. */
void tb_records(struct tb *tb, size_t chunk, uint64_t step, const char *records);

/* Definitions; they return the offset of the head. A file of NULL: none. */
size_t tb_code(struct tb *tb, uint32_t id, const char *name, const char *file, uint32_t line);
size_t tb_cfunc(struct tb *tb, uint32_t id, const char *owner, const char *name);
size_t tb_string(struct tb *tb, uint32_t id, const char *text);
size_t tb_name(struct tb *tb, enum mt_def type, uint32_t id, uint64_t tick, uint32_t tid,
               const char *text);

#endif /* MT_TESTS_TRACE_BUILDER_H_ */
