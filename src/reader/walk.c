/* walk.c - finds the records of a track, one after the other, and hands them to emit.c. Used by the
 * commands and by track.c; a walk belongs to one thread.
 *
 * Invariant: no more than one chunk is in memory, and what was committed after the set's snapshot is
 * not looked at.
 */
#include "reader/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/atomic.h"

#define EXT_WORDS(type) (sizeof(type) / sizeof(uint64_t))

enum mt_status mt_walk_new(struct mt_set *set, unsigned needs, struct mt_walk **out)
{
    struct mt_walk *walk = calloc(1, sizeof *walk);
    *out = walk;
    if (!walk)
        return MT_NOMEM;
    walk->set = set;
    walk->needs = needs;
    walk->input.fd = -1;
    walk->over = true;
    walk->flow_placed = calloc(set->n_flows + 1, 1);
    bool room = MT_ARRAY_ROOM(walk->events, walk->events_capacity, 2 * MT__RUN_EVENTS);
    if (walk->flow_placed && room)
        return MT_OK;
    mt_walk_free(walk);
    *out = NULL;
    return MT_NOMEM;
}

void mt_walk_free(struct mt_walk *walk)
{
    if (!walk)
        return;
    mt__input_close(&walk->input);
    mt__stack_fini(&walk->stack);
    free(walk->words);
    free(walk->flow_placed);
    free(walk->events);
    free(walk);
}

enum mt_status mt_walk_status(const struct mt_walk *walk)
{
    return walk->status;
}

const struct mt_counts *mt_walk_counts(const struct mt_walk *walk)
{
    return &walk->counts;
}

void mt_walk_start(struct mt_walk *walk, uint32_t track)
{
    const struct mt__track *data = &walk->set->track_data[track];
    walk->track = track;
    walk->first = true;
    walk->over = false;
    walk->segment = data->first_segment;
    walk->segments_end = data->first_segment + data->n_segments;
    walk->chunk = walk->chunks_end = 0;
    walk->n_words = walk->at = 0;
    walk->now_ns = walk->former_ns = 0;
    mt__stack_clear(&walk->stack);
    walk->n_reopening = 0;
    walk->after_loss = false;
    walk->counts = (struct mt_counts){0};
    walk->flow = data->first_flow;
    walk->flows_end = data->first_flow + data->n_flows;
    walk->flow_in = data->flow_in;
    walk->next_flow_ns = walk->flow_in != MT_NONE || walk->flow < walk->flows_end ? 0 : INT64_MAX;
}

/* ----------------------------------------------------------------------------------------- time */

static inline void advance(struct mt_walk *walk, uint64_t tick)
{
    int64_t ns;
    walk->tick = tick;
    if (MT_UNLIKELY(tick - walk->piece->tick >= walk->piece->span)) {
        walk->piece = mt__clock_piece(&walk->file->clock, tick);
        ns = mt__piece_ns(walk->piece, tick);
    } else {
        ns = (int64_t)mt__piece_ns_inside(walk->piece, tick);
    }
    walk->former_ns = walk->now_ns;
    walk->now_ns = ns > walk->now_ns ? ns : walk->now_ns;
}

static uint64_t timeline_ns(const struct mt_walk *walk, uint64_t tick)
{
    return mt__file_ns(walk->file, tick);
}

/* -------------------------------------------------------------------------------------- chunks */

static void tell_fault(struct mt_walk *walk, struct mt_error *error)
{
    /* Once for a file: it is walked several times, and one fault is enough to know. */
    if (!mt_add_relaxed(&walk->file->fault_told, 1))
        mt__trouble_tell(&walk->set->trouble, walk->file->source.name, error);
}

static void part_is_missing(struct mt_walk *walk, const char *text, uint64_t until_ns)
{
    struct mt_event_lost lost = {.until_ns = until_ns, .reason = MT_LOSS_NONE, .text = text};
    mt__emit_lost(walk, &lost);
    walk->after_loss = false; /* what is open probably stays so: only a resync would know */
}

/* Opens the file of the next segment; false: it cannot be read. */
static bool open_segment(struct mt_walk *walk)
{
    const struct mt__segment *segment = &walk->set->segments[walk->segment++];
    struct mt__file *file = walk->set->files[segment->file];
    const struct mt__thread *thread = &file->threads[segment->thread];
    if (walk->file != file || !walk->input.source) {
        struct mt_error error = {0};
        mt__input_close(&walk->input);
        walk->file = file;
        if (mt__file_reopen(file, &walk->input, &error) != MT_OK) {
            tell_fault(walk, &error);
            return false;
        }
    }
    if (!MT_ARRAY_ROOM(walk->words, walk->words_capacity, file->max_words)) {
        walk->status = MT_NOMEM;
        return false;
    }
    walk->piece = &file->clock.pieces[0];
    walk->chunk = thread->first_chunk;
    walk->chunks_end = thread->first_chunk + thread->n_chunks;
    walk->next_seq = 0;
    return true;
}

static void load_chunk(struct mt_walk *walk, const struct mt__chunk *chunk)
{
    struct mt_error error = {0};
    uint32_t n_read = 0;
    if (mt__file_words(&walk->input, chunk->offset, walk->words, chunk->n_words, &n_read, &error) !=
        MT_OK)
        tell_fault(walk, &error);
    else if (n_read < chunk->n_words)
        tell_fault(walk, (mt_error_set(&error, MT_TRUNCATED, NULL, chunk->offset,
                                       "was cut while it was being read"),
                          &error));
    walk->chunk_offset = chunk->offset;
    walk->n_words = n_read;
    walk->at = 0;
    if (chunk->seq != walk->next_seq) {
        uint64_t start_ns = timeline_ns(walk, chunk->start_tick);
        if (!walk->next_seq) /* nothing was before it: the mark belongs here */
            advance(walk, chunk->start_tick);
        part_is_missing(walk, "a part of the file is missing", start_ns);
    }
    walk->next_seq = chunk->seq + 1;
    walk->tick = chunk->start_tick;
}

/* The next chunk of the track; false: there is none. */
static bool next_chunk(struct mt_walk *walk)
{
    while (walk->chunk == walk->chunks_end) {
        if (walk->segment == walk->segments_end)
            return false;
        if (!open_segment(walk))
            walk->chunk = walk->chunks_end = 0;
    }
    load_chunk(walk, &walk->file->chunks[walk->chunk++]);
    return true;
}

/* -------------------------------------------------------------------------------------- records */

/* The rest of the chunk makes no sense. */
static void broken_chunk(struct mt_walk *walk)
{
    struct mt_error error = {0};
    uint64_t offset =
        walk->chunk_offset + MT_CHUNK_HEADER_BYTES + walk->at * sizeof *walk->words;
    mt_error_set(&error, MT_CORRUPT, NULL, offset, "a record is damaged");
    tell_fault(walk, &error);
    part_is_missing(walk, "the file is damaged here", (uint64_t)walk->now_ns);
    walk->at = walk->n_words;
}

static void lost(struct mt_walk *walk, const uint64_t *payload)
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
        .until_ns = timeline_ns(walk, said.last_tick),
        .reason = said.reason,
        .error = said.error,
        .text = said.reason < MT_N_LOSSES ? texts[said.reason] : "an unknown reason",
    };
    mt__emit_lost(walk, &event);
}

static void extension(struct mt_walk *walk, uint32_t id, const uint64_t *payload)
{
    uint32_t n_words = mt_ext_words(id);
    struct mt_resync_payload resync;
    switch (mt_ext_subtype(id)) {
    case MT_EXT_LOST:
        if (n_words >= EXT_WORDS(struct mt_lost))
            lost(walk, payload);
        return;
    case MT_EXT_RESYNC:
        if (n_words < EXT_WORDS(struct mt_resync_payload))
            return;
        memcpy(&resync, payload, sizeof resync);
        mt__emit_resync(walk, resync.depth);
        return;
    default:
        walk->counts.n_unknown_kinds++;
        return;
    }
}

/* A record that is not of a call. */
static void other_record(struct mt_walk *walk, uint64_t word)
{
    enum mt_kind kind = mt_record_kind(word);
    uint32_t n_payload = mt__record_payload(word);
    const uint64_t *payload = walk->words + walk->at + 1;
    if (kind == MT_KIND_NONE || n_payload > walk->n_words - walk->at - 1) {
        broken_chunk(walk);
        return;
    }
    uint64_t tick =
        walk->tick + ((uint64_t)mt_record_delta(word) << walk->file->header.tick_shift);
    walk->at += 1 + n_payload;
    if (kind == MT_KIND_GAP && n_payload >= EXT_WORDS(struct mt_gap)) {
        memcpy(&walk->tick, payload, sizeof walk->tick); /* no event: time goes on with the next */
        return;
    }
    advance(walk, tick);
    if (kind == MT_KIND_EXT)
        extension(walk, mt_record_id(word), payload);
    else
        walk->counts.n_unknown_kinds++;
}

/* The records of the chunk in memory, until it or the run is full. */
static void decode(struct mt_walk *walk)
{
    uint32_t tick_shift = walk->file->header.tick_shift;
    while (walk->at < walk->n_words && walk->n_events < MT__RUN_EVENTS &&
           walk->n_losses < MT__RUN_LOSSES && walk->status == MT_OK) {
        uint64_t word = walk->words[walk->at];
        uint32_t kind = mt_record_kind(word);
        if (MT_UNLIKELY(!mt__kind_has_func(kind))) {
            if (!word) {
                walk->at = walk->n_words;
                return;
            }
            other_record(walk, word);
            continue;
        }
        walk->at++;
        advance(walk, walk->tick + ((uint64_t)mt_record_delta(word) << tick_shift));
        if (MT_UNLIKELY(walk->now_ns >= walk->next_flow_ns))
            mt__emit_flows(walk);
        mt__emit_call(walk, kind, mt_record_id(word));
    }
}

bool mt_walk_next(struct mt_walk *walk, struct mt_run *run)
{
    if (walk->over)
        return false;
    walk->n_events = 0;
    walk->n_losses = 0;
    while (walk->n_events < MT__RUN_EVENTS && walk->n_losses < MT__RUN_LOSSES && !walk->over) {
        if (walk->at < walk->n_words && walk->status == MT_OK) {
            decode(walk);
        } else if (walk->status != MT_OK || !next_chunk(walk)) {
            walk->over = true;
            mt__emit_end(walk);
        }
    }
    *run = (struct mt_run){
        .timeline = &walk->set->timeline,
        .events = walk->events,
        .n_events = (uint32_t)walk->n_events,
        .track = walk->track,
        .first = walk->first,
        .last = walk->over,
    };
    walk->first = false;
    return true;
}

enum mt_status mt__walk_open_calls(struct mt_set *set, uint32_t track, uint64_t *n_open)
{
    struct mt_walk *walk;
    struct mt_run run;
    *n_open = 0;
    if (mt_walk_new(set, 0, &walk) != MT_OK)
        return MT_NOMEM;
    mt_walk_start(walk, track);
    while (mt_walk_next(walk, &run))
        continue;
    *n_open = walk->counts.n_unfinished;
    enum mt_status status = walk->status;
    mt_walk_free(walk);
    return status;
}
