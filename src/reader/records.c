/* records.c - the records of a file as they are, one call for each: for `mtrace info --records` and
 * for tests, where speed does not matter.
 */
#include <stdlib.h>

#include "reader/set.h"

struct listing {
    struct mt_set *set;
    struct mt__file *file;
    struct mt__input input;
    uint64_t *words;
    bool (*each)(void *context, const struct mt_record *record);
    void *context;
};

static const struct mt_func *func_of(const struct listing *listing, const struct mt__record *record)
{
    bool is_c = record->kind >= MT_KIND_C_BEGIN;
    if (!mt__kind_has_func(record->kind))
        return NULL;
    uint32_t func = mt__file_func(listing->file, record->id);
    if (func == MT__NO_FUNC && record->id == MT_ID_UNKNOWN)
        func = is_c ? MT_FUNC_UNNAMED_C : MT_FUNC_UNNAMED_PYTHON;
    else if (func == MT__NO_FUNC)
        func = is_c ? MT_FUNC_UNKNOWN_C : MT_FUNC_UNKNOWN_PYTHON;
    return &listing->set->names.funcs[func];
}

/* False: `each` has seen enough. */
static bool list_chunk(struct listing *listing, const struct mt__chunk *chunk)
{
    const struct mt__thread *thread = &listing->file->threads[chunk->thread];
    struct mt_error error = {0};
    uint32_t n_read;
    if (mt__file_words(&listing->input, chunk->offset, listing->words, chunk->n_words, &n_read,
                       &error) != MT_OK)
        mt__trouble_tell(&listing->set->trouble, listing->file->source.name, &error);
    struct mt__record_iter iter = {.words = listing->words,
                                   .n_words = n_read,
                                   .tick = chunk->start_tick,
                                   .tick_shift = listing->file->header.tick_shift};
    struct mt__record found;
    enum mt__next next;
    while ((next = mt__record_next(&iter, &found)) == MT__NEXT_ONE) {
        struct mt_record record = {
            .offset = chunk->offset + MT_CHUNK_HEADER_BYTES + found.at * sizeof(uint64_t),
            .tick = found.tick,
            .ts_ns = mt__file_ns(listing->file, found.tick),
            .thread = thread->number,
            .tid = thread->tid,
            .kind = found.kind,
            .id = found.id,
            .n_payload = found.n_payload,
            .payload = found.payload,
            .func = func_of(listing, &found),
        };
        if (!listing->each(listing->context, &record))
            return false;
    }
    if (next == MT__NEXT_FAULT) {
        mt_error_set(&error, MT_CORRUPT, NULL,
                     chunk->offset + MT_CHUNK_HEADER_BYTES + iter.at * sizeof(uint64_t),
                     "a record is damaged");
        mt__trouble_tell(&listing->set->trouble, listing->file->source.name, &error);
    }
    return true;
}

enum mt_status mt_set_each_record(struct mt_set *set, uint32_t file_idx,
                                  bool (*each)(void *context, const struct mt_record *record),
                                  void *context)
{
    struct listing listing = {
        .set = set, .file = set->files[file_idx], .each = each, .context = context};
    struct mt_error error = {0};
    if (mt__file_reopen(listing.file, &listing.input, &error) != MT_OK) {
        mt__trouble_tell(&set->trouble, listing.file->source.name, &error);
        return MT_OK;
    }
    listing.words = mt__file_new_words(listing.file);
    bool more = listing.words;
    for (size_t i = 0; more && i < listing.file->n_chunks; i++)
        more = list_chunk(&listing, &listing.file->chunks[i]);
    enum mt_status status = listing.words ? MT_OK : MT_NOMEM;
    free(listing.words);
    mt__input_close(&listing.input);
    return status;
}
