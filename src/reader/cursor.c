/* cursor.c - finds the records of a track, piece by piece, and hands them to emit.c. A cursor may go
 * from thread to thread, a desk stays with one.
 *
 * Invariant: between two pieces a cursor holds nothing of the file but where it is; what was
 * committed after the set's snapshot is not looked at.
 */
#include "reader/cursor.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/atomic.h"

#define EXT_WORDS(type) (sizeof(type) / sizeof(uint64_t))

enum mt_status mt_desk_new(const struct mt_set *set, struct mt_desk **out)
{
    (void)set;
    struct mt_desk *desk = calloc(1, sizeof *desk);
    *out = desk;
    if (!desk)
        return MT_NOMEM;
    desk->input.fd = -1;
    if (MT_ARRAY_ROOM(desk->events, desk->events_capacity, MT__PIECE_WORDS + 2) &&
        MT_ARRAY_ROOM(desk->words, desk->words_capacity, MT__PIECE_WORDS))
        return MT_OK;
    mt_desk_free(desk);
    *out = NULL;
    return MT_NOMEM;
}

void mt_desk_free(struct mt_desk *desk)
{
    if (!desk)
        return;
    mt__input_close(&desk->input);
    free(desk->words);
    free(desk->events);
    free(desk->losses);
    free(desk->sliced);
    free(desk->sliced_losses);
    free(desk->marks);
    free(desk);
}

enum mt_status mt__cursor_init(struct mt_cursor *cursor, struct mt_set *set, uint32_t track,
                               unsigned needs, struct mt_flows *flows)
{
    const struct mt__track *data = &set->track_data[track];
    struct mt__stack stack = cursor->stack; /* keep their memory */
    struct mt__slice_call *calls = cursor->slicing.calls;
    size_t calls_capacity = cursor->slicing.capacity;
    uint64_t *seen = cursor->seen;
    size_t n_seen = set->names.n_funcs / 64 + 1;
    mt__stack_clear(&stack);
    *cursor = (struct mt_cursor){
        .set = set,
        .flows = flows,
        .needs = needs,
        .status = MT_OK,
        .track = track,
        .first = true,
        .over = set->tracks[track].left_out,
        .segment = data->first_segment,
        .segments_end = data->first_segment + data->n_segments,
        .stack = stack,
        .seen = seen,
        .flow = data->first_flow,
        .flows_end = data->first_flow + data->n_flows,
        .flow_in = data->flow_in,
        .slice = set->slice && !set->slice->only_tracks ? set->slice : NULL,
        .slicing = {.calls = calls, .capacity = calls_capacity, .flow_in = MT_NONE},
    };
    bool has_flows = cursor->flow_in != MT_NONE || data->n_flows;
    cursor->next_flow_ns = has_flows ? 0 : INT64_MAX;
    if (!(needs & MT_NEEDS_FIRST))
        return MT_OK;
    if (!seen)
        cursor->seen = malloc(n_seen * sizeof *seen);
    if (!cursor->seen)
        return MT_NOMEM;
    memset(cursor->seen, 0, n_seen * sizeof *seen);
    return MT_OK;
}

void mt__cursor_fini(struct mt_cursor *cursor)
{
    mt__stack_fini(&cursor->stack);
    free(cursor->slicing.calls);
    free(cursor->seen);
}

enum mt_status mt_cursor_new(struct mt_set *set, uint32_t track, unsigned needs,
                             struct mt_flows *flows, struct mt_cursor **out)
{
    struct mt_cursor *cursor = calloc(1, sizeof *cursor);
    enum mt_status status = cursor ? mt__cursor_init(cursor, set, track, needs, flows) : MT_NOMEM;
    if (status != MT_OK) {
        mt_cursor_free(cursor);
        cursor = NULL;
    }
    *out = cursor;
    return status;
}

void mt_cursor_free(struct mt_cursor *cursor)
{
    if (cursor)
        mt__cursor_fini(cursor);
    free(cursor);
}

enum mt_status mt_cursor_status(const struct mt_cursor *cursor)
{
    return cursor->status;
}

const struct mt_counts *mt_cursor_counts(const struct mt_cursor *cursor)
{
    return &cursor->counts;
}

/* ----------------------------------------------------------------------------------------- time */

static inline void advance(struct mt_cursor *cursor, uint64_t tick)
{
    int64_t ns;
    cursor->tick = tick;
    if (MT_UNLIKELY(tick - cursor->piece->tick >= cursor->piece->span)) {
        cursor->piece = mt__clock_piece(&cursor->file->clock, tick);
        ns = mt__piece_ns(cursor->piece, tick);
    } else {
        ns = (int64_t)mt__piece_ns_inside(cursor->piece, tick);
    }
    cursor->former_ns = cursor->now_ns;
    cursor->now_ns = ns > cursor->now_ns ? ns : cursor->now_ns;
}

static uint64_t timeline_ns(const struct mt_cursor *cursor, uint64_t tick)
{
    return mt__file_ns(cursor->file, tick);
}

/* -------------------------------------------------------------------------------------- chunks */

static void tell_fault(struct mt_cursor *cursor, struct mt_error *error)
{
    /* Once for a file: it is walked several times, and one fault is enough to know. */
    if (!mt_add_relaxed(&cursor->file->fault_told, 1))
        mt__trouble_tell(&cursor->set->trouble, cursor->file->source.name, error);
}

static void part_is_missing(struct mt_cursor *cursor, const char *text, uint64_t until_ns)
{
    struct mt_event_lost lost = {.until_ns = until_ns, .reason = MT_LOSS_NONE, .text = text};
    mt__emit_lost(cursor, &lost);
    cursor->after_loss = false; /* what is open probably stays so: only a resync would know */
}

/* The desk's input is open on the cursor's file afterwards; false: it cannot be read. */
static bool open_file(struct mt_cursor *cursor)
{
    struct mt_desk *desk = cursor->desk;
    struct mt_error error = {0};
    if (desk->file == cursor->file)
        return true;
    mt__input_close(&desk->input);
    desk->file = NULL;
    if (mt__file_reopen(cursor->file, &desk->input, &error) == MT_OK) {
        desk->file = cursor->file;
        return true;
    }
    tell_fault(cursor, &error);
    return false;
}

/* Reads n words of the chunk from `at` on, or as many of them as there are. */
static void load(struct mt_cursor *cursor, uint32_t n)
{
    struct mt_desk *desk = cursor->desk;
    struct mt_error error = {0};
    uint64_t offset = cursor->chunk_offset + (uint64_t)cursor->at * sizeof *desk->words;
    uint32_t n_read = 0;
    if (!MT_ARRAY_ROOM(desk->words, desk->words_capacity, n))
        cursor->status = MT_NOMEM;
    else if (!open_file(cursor))
        ; /* told */
    else if (mt__file_words(&desk->input, offset, desk->words, n, &n_read, &error) != MT_OK)
        tell_fault(cursor, &error);
    else if (n_read < n)
        tell_fault(cursor, (mt_error_set(&error, MT_TRUNCATED, NULL, cursor->chunk_offset,
                                         "was cut while it was being read"),
                            &error));
    desk->base = cursor->at;
    desk->n_words = n_read;
    if (n_read < n) /* nothing can be behind it */
        cursor->n_words = cursor->at + n_read;
}

static void open_segment(struct mt_cursor *cursor)
{
    const struct mt__segment *segment = &cursor->set->segments[cursor->segment++];
    const struct mt__thread *thread;
    cursor->file = cursor->set->files[segment->file];
    thread = &cursor->file->threads[segment->thread];
    cursor->piece = &cursor->file->clock.pieces[0];
    cursor->chunk = thread->first_chunk;
    cursor->chunks_end = thread->first_chunk + thread->n_chunks;
    cursor->next_seq = 0;
}

/* The next chunk of the track; false: there is none. */
static bool next_chunk(struct mt_cursor *cursor)
{
    while (cursor->chunk == cursor->chunks_end) {
        if (cursor->segment == cursor->segments_end)
            return false;
        open_segment(cursor);
    }
    const struct mt__chunk *chunk = &cursor->file->chunks[cursor->chunk++];
    cursor->chunk_offset = chunk->offset;
    cursor->n_words = chunk->n_words;
    cursor->at = 0;
    if (chunk->seq != cursor->next_seq) {
        uint64_t start_ns = timeline_ns(cursor, chunk->start_tick);
        if (!cursor->next_seq) /* nothing was before it: the mark belongs here */
            advance(cursor, chunk->start_tick);
        part_is_missing(cursor, "a part of the file is missing", start_ns);
    }
    cursor->next_seq = chunk->seq + 1;
    cursor->tick = chunk->start_tick;
    return true;
}

/* -------------------------------------------------------------------------------------- records */

/* The rest of the chunk makes no sense. */
static void broken_chunk(struct mt_cursor *cursor)
{
    struct mt_error error = {0};
    uint64_t offset = cursor->chunk_offset + MT_CHUNK_HEADER_BYTES + cursor->at * sizeof(uint64_t);
    mt_error_set(&error, MT_CORRUPT, NULL, offset, "a record is damaged");
    tell_fault(cursor, &error);
    part_is_missing(cursor, "the file is damaged here", (uint64_t)cursor->now_ns);
    cursor->at = cursor->n_words;
}

static void lost(struct mt_cursor *cursor, const uint64_t *payload)
{
    static const char *const texts[] = {
#define X(name, number, text) [number] = text,
        MT_LOSS_MAP(X)
#undef X
    };
    struct mt_lost said;
    memcpy(&said, payload, sizeof said);
    struct mt_event_lost event = {
        .n_events = said.n_events,
        .until_ns = timeline_ns(cursor, said.last_tick),
        .reason = said.reason,
        .error = said.error,
        .text = said.reason < MT_N_LOSSES ? texts[said.reason] : "an unknown reason",
    };
    mt__emit_lost(cursor, &event);
}

static void extension(struct mt_cursor *cursor, uint32_t id, const uint64_t *payload)
{
    uint32_t n_words = mt_ext_words(id);
    struct mt_resync_payload resync;
    switch (mt_ext_subtype(id)) {
    case MT_EXT_LOST:
        if (n_words >= EXT_WORDS(struct mt_lost))
            lost(cursor, payload);
        return;
    case MT_EXT_RESYNC:
        if (n_words < EXT_WORDS(struct mt_resync_payload))
            return;
        memcpy(&resync, payload, sizeof resync);
        mt__emit_resync(cursor, resync.depth);
        return;
    default: cursor->counts.n_unknown_kinds++; return;
    }
}

/* A record that is not of a call. */
static void other_record(struct mt_cursor *cursor, uint64_t word)
{
    const struct mt_desk *desk = cursor->desk;
    enum mt_kind kind = mt_record_kind(word);
    uint32_t n_payload = mt__record_payload(word);
    if (kind == MT_KIND_NONE || n_payload > cursor->n_words - cursor->at - 1) {
        broken_chunk(cursor);
        return;
    }
    if (n_payload > desk->base + desk->n_words - cursor->at - 1) {
        load(cursor, 1 + n_payload); /* the piece ends in the middle of it */
        if (desk->n_words < 1 + n_payload)
            return;
    }
    const uint64_t *payload = desk->words + (cursor->at - desk->base) + 1;
    uint64_t tick = cursor->tick +
                    ((uint64_t)mt_record_delta(word) << cursor->file->header.tick_shift);
    cursor->at += 1 + n_payload;
    if (kind == MT_KIND_GAP && n_payload >= EXT_WORDS(struct mt_gap)) {
        memcpy(&cursor->tick, payload, sizeof cursor->tick); /* no event: time goes on */
        return;
    }
    advance(cursor, tick);
    if (kind == MT_KIND_EXT)
        extension(cursor, mt_record_id(word), payload);
    else
        cursor->counts.n_unknown_kinds++;
}

/* A record on the desk. */
static void decode_one(struct mt_cursor *cursor)
{
    const struct mt_desk *desk = cursor->desk;
    uint64_t word = desk->words[cursor->at - desk->base];
    uint32_t kind = mt_record_kind(word);
    if (!word) {
        cursor->at = cursor->n_words;
        return;
    }
    if (!mt__kind_has_func(kind)) {
        other_record(cursor, word);
        return;
    }
    cursor->at++;
    advance(cursor,
            cursor->tick + ((uint64_t)mt_record_delta(word) << cursor->file->header.tick_shift));
    if (MT_UNLIKELY(cursor->now_ns >= cursor->next_flow_ns))
        mt__emit_flows(cursor);
    mt__emit_call(cursor, kind, mt_record_id(word));
}

/* All of them. */
static void decode(struct mt_cursor *cursor)
{
    const struct mt_desk *desk = cursor->desk;
    while (cursor->at - desk->base < desk->n_words && cursor->status == MT_OK) {
        mt__decode_common(cursor);
        if (cursor->at - desk->base < desk->n_words)
            decode_one(cursor);
    }
}

/* ------------------------------------------------------------------------------------------ runs */

/* Whether the slice ends before the next chunk, which there is. */
static bool next_is_behind_slice(const struct mt_cursor *cursor)
{
    const struct mt_set *set = cursor->set;
    const struct mt__file *file = cursor->file;
    uint32_t chunk = cursor->chunk, next_seq = cursor->next_seq;
    if (chunk == cursor->chunks_end) {
        const struct mt__segment *segment = &set->segments[cursor->segment];
        file = set->files[segment->file];
        chunk = file->threads[segment->thread].first_chunk;
        next_seq = 0;
    }
    return mt__slice_ends_before(set, cursor->track, file, &file->chunks[chunk], next_seq);
}

/* Whether nothing is left of the track. */
static bool at_end(struct mt_cursor *cursor)
{
    if (cursor->at < cursor->n_words)
        return false;
    if (cursor->chunk == cursor->chunks_end && cursor->segment == cursor->segments_end)
        return true;
    cursor->cut_short = cursor->slice && next_is_behind_slice(cursor);
    return cursor->cut_short;
}

static void next_piece(struct mt_cursor *cursor)
{
    if (cursor->at >= cursor->n_words && !next_chunk(cursor))
        return;
    /* Pieces end at multiples of their size, so that their number is known beforehand. */
    uint32_t end = (cursor->at / MT__PIECE_WORDS + 1) * MT__PIECE_WORDS;
    if (end > cursor->n_words)
        end = cursor->n_words;
    if (end > cursor->at)
        load(cursor, end - cursor->at);
    if (end > cursor->at && cursor->desk->n_words)
        decode(cursor);
}

/* The losses do not move any more. */
static void point_to_losses(struct mt_desk *desk)
{
    for (size_t i = 0; i < desk->n_losses; i++)
        desk->events[desk->losses[i].event].lost = &desk->losses[i].lost;
}

static void mark_first(const struct mt_desk *desk, uint64_t *seen)
{
    for (size_t i = 0; i < desk->n_events; i++) {
        struct mt_event *event = &desk->events[i];
        /* Without a branch on the type, which nobody can predict. */
        uint64_t bit = (uint64_t)(event->type == MT_EVENT_BEGIN) << event->func % 64;
        if (MT_LIKELY(!(bit & ~seen[event->func / 64])))
            continue;
        seen[event->func / 64] |= bit;
        event->flags |= MT_EVENT_FIRST;
    }
}

bool mt_cursor_next(struct mt_cursor *cursor, struct mt_desk *desk, struct mt_run *run)
{
    if (cursor->over)
        return false;
    cursor->desk = desk;
    desk->n_events = 0;
    desk->n_losses = 0;
    next_piece(cursor);
    cursor->over = cursor->status != MT_OK || at_end(cursor);
    if (cursor->over)
        mt__emit_end(cursor);
    if (cursor->slice)
        cursor->over = mt__slice_run(cursor, cursor->over);
    if (desk->n_losses)
        point_to_losses(desk);
    if (cursor->seen)
        mark_first(desk, cursor->seen);
    *run = (struct mt_run){
        .timeline = &cursor->set->timeline,
        .events = desk->events,
        .n_events = (uint32_t)desk->n_events,
        .track = cursor->track,
        .first = cursor->first,
        .last = cursor->over,
    };
    cursor->first = false;
    return true;
}
