/* file.c - opening a trace file: header, index of chunks, how far the records go. Called by set.c and
 * check.c; the definitions are in defs.c.
 *
 * Invariant: every chunk in the index lies within the file as it was when it was indexed, and the
 * chunks of a thread are neighbours in the order of their seq.
 */
#include "reader/file.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* Enough to find the first event of a chunk behind the records that may come before it. */
#define PEEK_WORDS 64u

enum mt_status mt__file_header(const struct mt__input *input, struct mt_file_header *out,
                               bool *empty, struct mt_error *error)
{
    /* struct mt_file_header is large enough to be read into, and aligned. */
    struct mt_file_header bytes;
    size_t n_read;
    enum mt_status status = mt__input_read(input, 0, &bytes, sizeof bytes, &n_read, error);
    *empty = false;
    if (status == MT_OK)
        status = mt__parse_header(&bytes, n_read, out, empty, error);
    return status;
}

uint64_t *mt__file_new_words(const struct mt__file *file)
{
    return malloc(((size_t)file->max_words + 1) * sizeof(uint64_t));
}

enum mt_status mt__file_words(const struct mt__input *input, uint64_t chunk_offset, uint64_t *words,
                              uint32_t n_words, uint32_t *n_read, struct mt_error *error)
{
    size_t n_bytes;
    enum mt_status status = mt__input_read(input, chunk_offset + MT_CHUNK_HEADER_BYTES, words,
                                           n_words * sizeof *words, &n_bytes, error);
    *n_read = (uint32_t)(n_bytes / sizeof *words);
    return status;
}

/* --------------------------------------------------------------------------------------- index */

static enum mt_status thread_index(struct mt__file *file, uint32_t number, uint32_t tid,
                                   uint32_t *out)
{
    bool is_new;
    uint32_t *idx = mt_map_put(&file->thread_of, number, (uint32_t)file->n_threads, &is_new);
    if (!idx || !MT_ARRAY_ROOM(file->threads, file->threads_capacity, file->n_threads + 1))
        return MT_NOMEM;
    if (is_new)
        file->threads[file->n_threads++] = (struct mt__thread){.number = number, .tid = tid};
    *out = *idx;
    return MT_OK;
}

static enum mt_status add_events(struct mt__file *file, const struct mt_chunk_header *header,
                                 uint64_t offset, uint32_t n_words)
{
    struct mt__chunk chunk = {
        .offset = offset, .start_tick = header->start_tick, .n_words = n_words, .seq = header->seq};
    if (!MT_ARRAY_ROOM(file->chunks, file->chunks_capacity, file->n_chunks + 1))
        return MT_NOMEM;
    enum mt_status status = thread_index(file, header->thread, header->tid, &chunk.thread);
    if (status != MT_OK)
        return status;
    file->chunks[file->n_chunks++] = chunk;
    return mt__moments_add(&file->moments, &header->pair);
}

static enum mt_status add_defs(struct mt__file *file, const struct mt_chunk_header *header,
                               uint64_t offset, uint32_t n_words)
{
    if (!MT_ARRAY_ROOM(file->def_chunks, file->def_chunks_capacity, file->n_def_chunks + 1))
        return MT_NOMEM;
    file->def_chunks[file->n_def_chunks++] = (struct mt__def_chunk){
        .offset = offset, .n_words = n_words, .seq = header->seq};
    return MT_OK;
}

/* How many words of a chunk are in the file; tells if that is not all of them. */
static uint32_t words_in_file(struct mt__file *file, const struct mt__input *input,
                              const struct mt_chunk_header *header, uint64_t offset,
                              struct mt__trouble *trouble)
{
    struct mt_error error = {0};
    uint64_t end = offset + header->size_bytes;
    if (end > file->n_bytes) /* it may just have grown */
        mt__input_size(input, &file->n_bytes, NULL);
    if (end > file->n_bytes) {
        mt_error_set(&error, MT_TRUNCATED, NULL, file->n_bytes,
                     "ends within the chunk at offset %llu", (unsigned long long)offset);
        mt__trouble_tell(trouble, file->source.name, &error);
        file->fault_told = 1; /* what is cut in two is no fault of its own */
        end = file->n_bytes;
    }
    uint64_t begin = offset + MT_CHUNK_HEADER_BYTES;
    return end < begin ? 0 : (uint32_t)((end - begin) / sizeof(uint64_t));
}

/* Goes on at index_end until there are no more chunks. */
static enum mt_status extend_index(struct mt__file *file, const struct mt__input *input,
                                   bool with_events, struct mt__trouble *trouble)
{
    struct mt_error error = {0};
    enum mt_status status = mt__input_size(input, &file->n_bytes, &error);
    while (status == MT_OK && file->index_end < file->n_bytes) {
        struct mt_chunk_header header = {0};
        enum mt__chunk_kind kind = MT__CHUNK_NO_MORE;
        size_t n_read;
        uint64_t offset = file->index_end;
        status = mt__input_read(input, offset, &header, sizeof header, &n_read, &error);
        bool is_cut = n_read < sizeof header && header.magic;
        if (status == MT_OK && is_cut)
            status = mt_error_set(&error, MT_TRUNCATED, NULL, offset + n_read,
                                  "ends within a chunk's header");
        else if (status == MT_OK)
            status = mt__parse_chunk(&header, offset, &kind, &error);
        if (status != MT_OK || kind == MT__CHUNK_NO_MORE)
            break;
        uint32_t n_words = words_in_file(file, input, &header, offset, trouble);
        file->max_words = n_words > file->max_words ? n_words : file->max_words;
        if (kind == MT__CHUNK_EVENTS && with_events)
            status = add_events(file, &header, offset, n_words);
        else if (kind == MT__CHUNK_DEFS)
            status = add_defs(file, &header, offset, n_words);
        if (status != MT_OK)
            return status;
        file->index_end += header.size_bytes;
    }
    if (status != MT_OK) {
        file->index_broken = true;
        mt__trouble_tell(trouble, file->source.name, &error);
    }
    return MT_OK;
}

static int compare_chunks(const void *a, const void *b)
{
    const struct mt__chunk *x = a, *y = b;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return x->offset < y->offset ? -1 : 1;
}

enum mt_status mt__file_index(struct mt__file *file, const struct mt__input *input,
                              struct mt__trouble *trouble)
{
    file->index_end = MT_FILE_HEADER_BYTES;
    enum mt_status status = mt__moments_add(&file->moments, &file->header.pair);
    if (status == MT_OK)
        status = extend_index(file, input, true, trouble);
    if (status != MT_OK)
        return status;
    if (file->n_chunks)
        qsort(file->chunks, file->n_chunks, sizeof *file->chunks, compare_chunks);
    for (size_t i = 0; i < file->n_chunks; i++) {
        struct mt__thread *thread = &file->threads[file->chunks[i].thread];
        if (!thread->n_chunks++)
            thread->first_chunk = (uint32_t)i;
    }
    return MT_OK;
}

enum mt_status mt__file_index_defs(struct mt__file *file, const struct mt__input *input,
                                   struct mt__trouble *trouble)
{
    return file->index_broken ? MT_OK : extend_index(file, input, false, trouble);
}

/* ------------------------------------------------------------------------------------- extents */

/* Notes the ticks of a chunk's records and the moments in them. Returns how many words are
 * committed; what is wrong with them is told when they are decoded. */
static uint32_t scan(struct mt__file *file, struct mt__thread *thread,
                     const struct mt__chunk *chunk, const uint64_t *words, uint32_t n_words,
                     enum mt_status *status)
{
    struct mt__record_iter iter = {.words = words,
                                   .n_words = n_words,
                                   .tick = chunk->start_tick,
                                   .tick_shift = file->header.tick_shift};
    struct mt__record record;
    enum mt__next next;
    while ((next = mt__record_next(&iter, &record)) == MT__NEXT_ONE) {
        if (record.kind == MT_KIND_GAP) {
            struct mt_clock_pair pair = {0};
            if (record.n_payload * sizeof(uint64_t) >= sizeof(struct mt_gap))
                memcpy(&pair, record.payload, sizeof pair); /* struct mt_gap is just that */
            if (mt__moments_add(&file->moments, &pair) != MT_OK)
                *status = MT_NOMEM;
            continue;
        }
        if (!thread->has_events) {
            thread->has_events = true;
            thread->first_tick = record.tick;
        }
        thread->last_tick = record.tick;
    }
    /* A head that is there in part is one that is being written, unless it stays so. */
    bool torn = next == MT__NEXT_FAULT && !mt_record_kind(words[iter.at]);
    return next == MT__NEXT_FAULT && !torn ? n_words : (uint32_t)iter.at;
}

/* The first event of the thread's first chunk and the last one of its last chunk. */
static enum mt_status thread_extent(struct mt__file *file, struct mt__thread *thread,
                                    const struct mt__input *input, uint64_t *words,
                                    struct mt__trouble *trouble)
{
    struct mt_error error = {0};
    struct mt__chunk *first = &file->chunks[thread->first_chunk];
    struct mt__chunk *last = first + thread->n_chunks - 1;
    enum mt_status found = MT_OK;
    uint32_t n_read = 0;
    if (first != last) {
        uint32_t n_words = first->n_words < PEEK_WORDS ? first->n_words : PEEK_WORDS;
        if (mt__file_words(input, first->offset, words, n_words, &n_read, &error) == MT_OK)
            scan(file, thread, first, words, n_read, &found);
    }
    enum mt_status status = mt__file_words(input, last->offset, words, last->n_words, &n_read,
                                           &error);
    if (status != MT_OK)
        mt__trouble_tell(trouble, file->source.name, &error);
    thread->last_tick = last->start_tick;
    last->n_words = scan(file, thread, last, words, n_read, &found);
    return found;
}

enum mt_status mt__file_extents(struct mt__file *file, const struct mt__input *input,
                                struct mt__trouble *trouble)
{
    uint64_t *words = mt__file_new_words(file);
    enum mt_status status = words ? MT_OK : MT_NOMEM;
    for (size_t i = 0; status == MT_OK && i < file->n_threads; i++)
        status = thread_extent(file, &file->threads[i], input, words, trouble);
    free(words);
    return status;
}

/* --------------------------------------------------------------------------------------- opening */

static enum mt_status open_content(struct mt__file *file, const struct mt__input *input,
                                   struct mt__names *names, struct mt__trouble *trouble)
{
    enum mt_status status = mt__file_index(file, input, trouble);
    if (status == MT_OK)
        status = mt__file_extents(file, input, trouble);
    if (status == MT_OK)
        status = mt__file_index_defs(file, input, trouble);
    if (status == MT_OK)
        status = mt__file_defs(file, input, names, trouble);
    return status;
}

enum mt_status mt__file_open(struct mt__file *file, struct mt__names *names,
                             struct mt__trouble *trouble, bool *usable)
{
    struct mt__input input;
    struct mt_error error = {0};
    bool empty = false;
    *usable = false;
    enum mt_status status = mt__input_open(&input, &file->source, &error);
    if (status == MT_OK)
        status = mt__file_header(&input, &file->header, &empty, &error);
    if (status != MT_OK) {
        mt__trouble_tell(trouble, file->source.name, &error);
        mt__input_close(&input);
        return MT_OK;
    }
    if (empty) {
        mt__trouble_note(trouble, file->source.name, "nothing is recorded in it");
    } else {
        *usable = true;
        status = open_content(file, &input, names, trouble);
    }
    mt__input_close(&input);
    return status;
}

enum mt_status mt__file_reopen(const struct mt__file *file, struct mt__input *input,
                               struct mt_error *error)
{
    struct mt__source source = file->source; /* opening may write into it */
    uint8_t file_id[sizeof file->header.file_id];
    size_t n_read = 0;
    enum mt_status status = mt__input_open(input, &source, error);
    if (status != MT_OK)
        return status;
    input->source = &file->source;
    /* Numbers of inodes are given anew, too. */
    status = mt__input_read(input, offsetof(struct mt_file_header, file_id), file_id,
                            sizeof file_id, &n_read, error);
    if (status == MT_OK &&
        (n_read < sizeof file_id || memcmp(file_id, file->header.file_id, n_read) != 0))
        status = mt_error_set(error, MT_GONE, file->source.name, MT_NO_OFFSET,
                              "was replaced while it was being read");
    if (status != MT_OK)
        mt__input_close(input);
    return status;
}

void mt__file_fini(struct mt__file *file)
{
    free(file->chunks);
    free(file->def_chunks);
    free(file->threads);
    mt_map_fini(&file->thread_of);
    mt__moments_fini(&file->moments);
    mt__clock_fini(&file->clock);
    free(file->dense);
    mt_map_fini(&file->sparse);
    free(file->notes);
}
