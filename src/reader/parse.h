/* parse.h - the format's pieces out of memory. Nothing here reads files, allocates or trusts what it
 * is given; every function can be fuzzed alone. Memory must be aligned to 8 bytes.
 */
#ifndef MT_READER_PARSE_H_
#define MT_READER_PARSE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtrace/format.h"
#include "mtrace/reader.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "trace files are little-endian, and this reader takes them as they are"
#endif

/* The first n_bytes of a file (at least MT_FILE_HEADER_BYTES, unless the file is shorter) into
 * `out`, whose texts get a NUL at the end. *empty: the process ended, or still is, before the
 * header was complete; nothing was recorded then. `error` gets no file name. */
enum mt_status mt__parse_header(const void *data, size_t n_bytes, struct mt_file_header *out,
                                bool *empty, struct mt_error *error);

enum mt__chunk_kind {
    MT__CHUNK_NO_MORE, /* no chunk here yet */
    MT__CHUNK_EVENTS,
    MT__CHUNK_DEFS,
    MT__CHUNK_OTHER, /* to be skipped */
};
/* A chunk header that lies at `offset` of the file (for `error`, which gets no file name). */
enum mt_status mt__parse_chunk(const struct mt_chunk_header *header, uint64_t offset,
                               enum mt__chunk_kind *kind, struct mt_error *error);

enum mt__next {
    MT__NEXT_END,
    MT__NEXT_ONE,
    MT__NEXT_FAULT, /* does not fit into its chunk, or is impossible */
};

/* --- records */

struct mt__record {
    uint64_t tick; /* absolute */
    uint32_t kind;
    uint32_t id;
    uint32_t n_payload;
    const uint64_t *payload;
    size_t at; /* index of its first word */
};

/* Reads the records of one chunk. */
struct mt__record_iter {
    const uint64_t *words;
    size_t n_words;
    size_t at;
    uint64_t tick;
    uint32_t tick_shift;
};
enum mt__next mt__record_next(struct mt__record_iter *iter, struct mt__record *out);

/* How many words belong to the record that begins with `word`. */
static inline uint32_t mt__record_payload(uint64_t word)
{
    enum mt_kind kind = mt_record_kind(word);
    uint32_t id = mt_record_id(word);
    return kind == MT_KIND_EXT ? mt_ext_words(id) : kind == MT_KIND_GAP ? id : 0;
}

/* Whether records of this kind name a function; and if so, whether they begin or end it. */
static inline bool mt__kind_has_func(uint32_t kind)
{
    return kind >= MT_KIND_PY_BEGIN && kind <= MT_KIND_C_END_EXC;
}

/* --- definitions */

struct mt__def {
    uint32_t type;
    uint32_t id;
    uint32_t n_payload;
    const uint64_t *payload;
    size_t at; /* index of its first word */
};
struct mt__def_iter {
    const uint64_t *words;
    size_t n_words;
    size_t at;
};
enum mt__next mt__def_next(struct mt__def_iter *iter, struct mt__def *out);

/* What a definition says; false when its payload is too short for what it claims. Texts point into
 * the payload and do not end with a NUL. */
bool mt__def_string(const struct mt__def *def, struct mt_text *text);
bool mt__def_code(const struct mt__def *def, struct mt_def_code *code, struct mt_text *name);
bool mt__def_cfunc(const struct mt__def *def, struct mt_text *owner, struct mt_text *name);
bool mt__def_name(const struct mt__def *def, struct mt_def_name *head, struct mt_text *text);

#endif /* MT_READER_PARSE_H_ */
