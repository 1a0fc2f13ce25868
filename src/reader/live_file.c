/* live_file.c - a growing trace file: its header, the chunks that are new, its clock; and what is kept of
 * it when it is over. Called by live.c and live_dir.c.
 *
 * Invariant: chunks are told in the order of the file, which for a thread is that of time. A file that
 * is over takes a few hundred bytes, and so much for each open call of a process that was killed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "reader/file.h"
#include "reader/live_state.h"

/* ------------------------------------------------------------------------------ life and header */

/* Nothing can be read of it any more, but for what mt__live_file_release leaves. */
static void free_contents(struct mt__live_file *file)
{
    mt_map_fini(&file->thread_of);
    free(file->def_chunks);
    file->def_chunks = NULL;
    file->n_def_chunks = file->def_chunks_capacity = file->def_chunk = 0;
    mt__live_funcs_fini(&file->funcs);
}

static void free_thread(struct mt__live_thread *thread)
{
    free(thread->chunks);
    mt__live_stack_fini(&thread->stack);
    mt__live_stack_fini(&thread->anchor);
    free(thread);
}

void mt__live_file_drop_threads(struct mt__live_file *file, bool but_open)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < file->n_threads; i++) {
        if (but_open && file->threads[i]->stack.n_calls)
            file->threads[n_kept++] = file->threads[i];
        else
            free_thread(file->threads[i]);
    }
    file->n_threads = n_kept;
    if (n_kept)
        return;
    free(file->threads);
    file->threads = NULL;
    file->threads_capacity = 0;
}

void mt__live_file_fini(struct mt__live_file *file)
{
    mt__live_file_drop_threads(file, false);
    free_contents(file);
    free(file->path);
}

void mt__live_file_release(struct mt_live *live, struct mt__live_file *file)
{
    for (size_t i = 0; i < file->n_threads; i++) {
        struct mt__live_thread *thread = file->threads[i];
        struct mt__live_stack *stack = &thread->stack;
        for (size_t k = 0; k < stack->n_calls; k++)
            stack->calls[k] = file->funcs.funcs[mt__live_slot(&file->funcs, stack->calls[k])];
        stack->n_ends = 0;
        mt__live_stack_trim(stack);
        mt__live_stack_fini(&thread->anchor);
        thread->anchored = false;
        free(thread->chunks);
        thread->chunks = NULL; /* n_chunks stays: it says that there was something */
        thread->chunks_capacity = 0;
    }
    free_contents(file);
    file->n_bytes_before = file->n_bytes;
    file->over = true;
    file->over_ns = live->now_ns;
}

void mt__live_file_gone(struct mt_live *live, struct mt__live_file *file)
{
    if (!file->over)
        mt__live_file_release(live, file);
    mt__live_file_drop_threads(file, false);
    free(file->path);
    file->path = NULL;
    file->source.name = NULL;
}

static void take_header(struct mt__live_file *file, const struct mt_file_header *header)
{
    if (!file->known) {
        file->first_pair = file->pair = header->pair;
        file->ns_per_tick = header->tick_hz ? 1e9 / (double)header->tick_hz : 1.0;
        file->index_end = MT_FILE_HEADER_BYTES;
        file->part = header->part;
        file->tick_shift = header->tick_shift;
        memcpy(file->file_id, header->file_id, sizeof file->file_id);
    }
    file->known = true;
    file->flags = header->flags; /* these change while the file grows */
    file->n_lost = header->n_lost;
    file->loss_reason = header->loss_reason;
}

static bool read_header(struct mt_live *live, struct mt__live_file *file,
                        struct mt_file_header *header)
{
    bool empty = false;
    enum mt_status status = mt__file_header(&file->input, header, &empty, NULL);
    if (status != MT_OK || empty) {
        /* It may just be in the making. */
        if (!file->known && status != MT_OK && status != MT_TRUNCATED && status != MT_IO)
            file->unwanted = true;
        return false;
    }
    if (!file->known && live->options.run_id &&
        memcmp(header->run_id, live->run_id, sizeof header->run_id) != 0) {
        file->unwanted = true;
        return false;
    }
    /* The number of a file that is gone is soon another one's. */
    if (file->known && memcmp(header->file_id, file->file_id, sizeof file->file_id) != 0) {
        mt__live_file_gone(live, file);
        return false;
    }
    take_header(file, header);
    return true;
}

bool mt__live_file_open(struct mt_live *live, struct mt__live_file *file,
                        struct mt_file_header *header)
{
    if (file->unwanted || file->over)
        return false;
    enum mt_status status = mt__input_open(&file->input, &file->source, NULL);
    file->denied = status != MT_OK && status != MT_GONE;
    if (status == MT_GONE) /* removed, or replaced */
        mt__live_file_gone(live, file);
    if (status != MT_OK)
        return false;
    bool good = mt__input_size(&file->input, &file->n_bytes, NULL) == MT_OK &&
                read_header(live, file, header);
    if (!good)
        mt__input_close(&file->input);
    return good;
}

/* ----------------------------------------------------------------------------------- the clock */

/* Readings closer than this say little about the rate. */
#define RATE_MIN_NS 200000000u

static void take_pair(struct mt__live_file *file, const struct mt_clock_pair *pair)
{
    const struct mt_clock_pair *first = &file->first_pair;
    if (pair->tick < file->pair.tick || pair->mono_ns < file->pair.mono_ns)
        return;
    file->pair = *pair;
    if (pair->mono_ns - first->mono_ns < RATE_MIN_NS || pair->tick <= first->tick)
        return;
    file->ns_per_tick = (double)(pair->mono_ns - first->mono_ns) /
                        (double)(pair->tick - first->tick);
}

uint64_t mt__live_tick(const struct mt__live_file *file, uint64_t ns)
{
    double ticks = ((double)ns - (double)file->pair.mono_ns) / file->ns_per_tick;
    return mt__live_clamped((double)file->pair.tick + ticks);
}

uint64_t mt__live_ns(const struct mt__live_file *file, uint64_t tick)
{
    double ns = ((double)tick - (double)file->pair.tick) * file->ns_per_tick;
    return mt__live_clamped((double)file->pair.mono_ns + ns);
}

/* ---------------------------------------------------------------------------------- the chunks */

struct mt__live_thread *mt__live_thread_at(struct mt__live_file *file, uint32_t number,
                                           uint32_t tid)
{
    uint32_t *idx = mt_map_find(&file->thread_of, number);
    if (idx)
        return file->threads[*idx];
    struct mt__live_thread *thread = calloc(1, sizeof *thread);
    if (!thread || !MT_ARRAY_ROOM(file->threads, file->threads_capacity, file->n_threads + 1) ||
        !mt_map_put(&file->thread_of, number, (uint32_t)file->n_threads, NULL)) {
        free(thread);
        return NULL;
    }
    thread->number = number;
    thread->tid = tid;
    file->threads[file->n_threads++] = thread;
    return thread;
}

static enum mt_status add_events(struct mt__live_file *file, const struct mt_chunk_header *header,
                                 uint64_t offset, uint32_t n_words)
{
    struct mt__live_thread *thread = mt__live_thread_at(file, header->thread, header->tid);
    if (!thread || !MT_ARRAY_ROOM(thread->chunks, thread->chunks_capacity, thread->n_chunks + 1))
        return MT_NOMEM;
    if (!thread->n_chunks) {
        thread->tick = header->start_tick;
        thread->anchored = header->seq == 0;
        mt__live_stack_reset(&thread->anchor, true);
    }
    thread->chunks[thread->n_chunks++] = (struct mt__live_chunk){
        .offset = offset, .start_tick = header->start_tick, .n_words = n_words};
    take_pair(file, &header->pair);
    return MT_OK;
}

static enum mt_status add_defs(struct mt__live_file *file, uint64_t offset, uint32_t n_words)
{
    if (!MT_ARRAY_ROOM(file->def_chunks, file->def_chunks_capacity, file->n_def_chunks + 1))
        return MT_NOMEM;
    file->def_chunks[file->n_def_chunks++] = (struct mt__live_def_chunk){.offset = offset,
                                                                         .n_words = n_words};
    return MT_OK;
}

enum mt_status mt__live_file_index(struct mt__live_file *file, uint32_t *budget)
{
    while (!file->broken && file->index_end + MT_CHUNK_HEADER_BYTES <= file->n_bytes && *budget) {
        struct mt_chunk_header header;
        enum mt__chunk_kind kind;
        size_t n_read;
        uint64_t offset = file->index_end;
        enum mt_status status = mt__input_read(&file->input, offset, &header, sizeof header,
                                               &n_read, NULL);
        if (status == MT_OK && n_read < sizeof header)
            return MT_OK;
        if (status == MT_OK)
            status = mt__parse_chunk(&header, offset, &kind, NULL);
        if (status != MT_OK) {
            file->broken = true;
            break;
        }
        if (kind == MT__CHUNK_NO_MORE)
            break;
        uint32_t n_words = (header.size_bytes - MT_CHUNK_HEADER_BYTES) / sizeof(uint64_t);
        if (kind == MT__CHUNK_EVENTS)
            status = add_events(file, &header, offset, n_words);
        else if (kind == MT__CHUNK_DEFS)
            status = add_defs(file, offset, n_words);
        if (status != MT_OK)
            return status;
        file->index_end += header.size_bytes;
        --*budget;
    }
    return MT_OK;
}
