/* scan.h - a small scanner of trace files for the tests of the core, written from the tables of
 * format.h. It shares no code with src/reader, so that the two cannot be wrong together.
 *
 * It expects a file that nobody is writing any more: stopped, abandoned or killed at any
 * instruction. Everything that such a file must never contain makes it bad: an id without a
 * definition, or with two; chunks out of order or beyond the file's end; time that goes back; a
 * head without its payload; words where nothing may be yet.
 */
#ifndef TESTS_CORE_SCAN_H_
#define TESTS_CORE_SCAN_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtrace/format.h"

struct scan_record { /* without GAP and EXT */
    uint64_t tick;
    uint32_t kind;
    uint32_t id;
};

/* MT_EXT_LOST or MT_EXT_RESYNC, before the record with the index `at`. */
struct scan_mark {
    enum mt_ext type;
    size_t at;
    uint64_t tick;
    struct mt_lost lost;
    struct mt_resync_payload resync;
};

struct scan_thread {
    uint32_t number, tid; /* tid 0: no chunk has this number */
    uint32_t n_chunks, n_gaps;
    uint64_t chunk_bytes;
    uint64_t last_chunk; /* where in the file it begins */
    uint64_t tick;       /* of its last record or mark */
    struct scan_record *records;
    size_t n_records, room_records;
    struct scan_mark *marks;
    size_t n_marks, room_marks;
    size_t n_restated; /* records still due after a RESYNC */
};

struct scan_def {
    enum mt_def type;
    uint32_t id;
    const char *text; /* the name; not NUL-terminated */
    uint32_t n_text;
    const char *owner; /* CFUNC */
    uint32_t n_owner;
    uint32_t file_id, first_line, flags; /* CODE */
    uint32_t tid;                        /* THREAD */
};

struct scan {
    char bad[200]; /* the first fault; "": none */
    bool unborn;   /* no magic yet: its writer was killed before there was a trace */
    struct mt_file_header header;
    struct scan_thread *threads; /* by number - 1 */
    uint32_t n_threads;
    struct scan_def *defs; /* in the file's order */
    uint32_t n_defs, room_defs;
    uint32_t n_def_chunks;
    uint64_t end; /* of the last chunk */
    /* private */
    unsigned char *data;
    uint64_t size;
    uint32_t *index; /* defs by id, open addressing, 0: none */
    uint32_t n_index;
};

/* False: the file could not be read. Else out->bad tells. */
bool scan_file(const char *path, struct scan *out);
/* The same of bytes in memory, which are taken over (malloc). */
void scan_bytes(unsigned char *data, uint64_t size, struct scan *out);
void scan_free(struct scan *scan);

/* Of a function (CODE, CFUNC), and of a string; NULL: not defined. */
const struct scan_def *scan_function(const struct scan *scan, uint32_t id);
const struct scan_def *scan_string(const struct scan *scan, uint32_t id);
/* The last definition of a type and id; NULL: none. */
const struct scan_def *scan_last(const struct scan *scan, enum mt_def type, uint32_t id);
bool scan_is(const struct scan_def *def, const char *text);

#endif /* TESTS_CORE_SCAN_H_ */
