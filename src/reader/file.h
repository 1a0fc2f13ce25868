/* file.h - one trace file: header, index of its chunks, threads, definitions.
 *
 * Opening takes a snapshot in the order that a file being written to demands: first the index of
 * the chunks, then how far the records in each thread's last chunk go, then the definitions. So
 * every id of a record in the snapshot has its definition. After opening it is constant.
 */
#ifndef MT_READER_FILE_H_
#define MT_READER_FILE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "reader/clock.h"
#include "reader/input.h"
#include "reader/names.h"
#include "reader/parse.h"
#include "reader/trouble.h"

/* A chunk of records. */
struct mt__chunk {
    uint64_t offset; /* of its header */
    uint64_t start_tick;
    uint32_t n_words; /* of records in the snapshot, at most; a zero word may end them before */
    uint32_t seq;
    uint32_t thread; /* index into threads */
};

/* A chunk of definitions. */
struct mt__def_chunk {
    uint64_t offset;
    uint32_t n_words;
    uint32_t seq;
};

struct mt__thread {
    uint32_t number; /* in the file */
    uint32_t tid;
    uint32_t first_chunk; /* its chunks are neighbours, by seq */
    uint32_t n_chunks;
    bool has_events;     /* the next two mean something */
    uint64_t first_tick; /* of its first record */
    uint64_t last_tick;  /* of its last one in the snapshot */
    uint64_t name_tick;
    struct mt_text name; /* the latest; data is NULL if it has none */
};

struct mt__note {
    uint64_t tick;
    uint32_t topic; /* enum mt_note */
    struct mt_text text;
};

struct mt__file {
    struct mt__source source;
    struct mt_file_header header;
    uint64_t n_bytes;
    uint64_t index_end; /* offset where the next chunk would begin */
    bool index_broken;  /* there is a fault, told already, and nothing can be found behind it */

    struct mt__chunk *chunks;
    size_t n_chunks, chunks_capacity;
    struct mt__def_chunk *def_chunks;
    size_t n_def_chunks, def_chunks_capacity;
    struct mt__thread *threads;
    size_t n_threads, threads_capacity;
    struct mt_map thread_of; /* number -> index into threads */
    uint32_t max_words;      /* of any chunk, of records or definitions */

    struct mt__moments moments; /* until the set has made the clock */
    struct mt__clock clock;

    /* Function ids, see mt__file_func: dense where the ids are, else the map. */
    uint32_t *dense;
    uint32_t dense_base, n_dense;
    struct mt_map sparse;
    uint32_t n_defs;

    struct mt__note *notes;
    size_t n_notes, notes_capacity;
    uint64_t name_tick;
    struct mt_text name; /* of the process, the latest; data is NULL if it has none */

    uint32_t process;    /* index, filled in by the set */
    uint32_t fault_told; /* how many faults in its content were met; walks add to it, at any time */
};

#define MT__NO_FUNC UINT32_MAX

/* The index of the function with this id, or MT__NO_FUNC. */
static inline uint32_t mt__file_func(const struct mt__file *file, uint32_t id)
{
    if (id - file->dense_base < file->n_dense)
        return file->dense[id - file->dense_base];
    const uint32_t *func = file->sparse.n_used ? mt_map_find(&file->sparse, id) : NULL;
    return func ? *func : MT__NO_FUNC;
}

/* Reads header, index, extents and definitions. `file` is all zeros but for its source. *usable:
 * it has a valid header; faults beyond that are told and what came before them is kept. A file in
 * which nothing was recorded yet is not usable and no fault. MT_NOMEM. */
enum mt_status mt__file_open(struct mt__file *file, struct mt__names *names,
                             struct mt__trouble *trouble, bool *usable);
void mt__file_fini(struct mt__file *file);

/* Opens the file once more, for its content. MT_GONE: there is another file under its name now. May
 * be called by several threads at a time. */
enum mt_status mt__file_reopen(const struct mt__file *file, struct mt__input *input,
                               struct mt_error *error);

/* Reads only the header. MT_OK with *empty, or why it is no trace. */
enum mt_status mt__file_header(const struct mt__input *input, struct mt_file_header *out,
                               bool *empty, struct mt_error *error);

/* The parts of opening, for mt__file_open and check.c. */
enum mt_status mt__file_index(struct mt__file *file, const struct mt__input *input,
                              struct mt__trouble *trouble);
enum mt_status mt__file_extents(struct mt__file *file, const struct mt__input *input,
                                struct mt__trouble *trouble);
enum mt_status mt__file_defs(struct mt__file *file, const struct mt__input *input,
                             struct mt__names *names, struct mt__trouble *trouble);
/* Adds the chunks of definitions that appeared since the index was made. */
enum mt_status mt__file_index_defs(struct mt__file *file, const struct mt__input *input,
                                   struct mt__trouble *trouble);

/* Room for any of its chunks, and one word more. NULL: no memory. */
uint64_t *mt__file_new_words(const struct mt__file *file);
/* Reads up to n_words words of a chunk's content; *n_read of them are there. */
enum mt_status mt__file_words(const struct mt__input *input, uint64_t chunk_offset, uint64_t *words,
                              uint32_t n_words, uint32_t *n_read, struct mt_error *error);

#endif /* MT_READER_FILE_H_ */
