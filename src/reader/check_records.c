/* check_records.c - verifies the records of a file strictly. Called by check.c.
 *
 * Whether ends match begins is not asked: CPython itself leaves out begins.
 */
#include <stdlib.h>
#include <string.h>

#include "reader/check.h"

/* What the records of the thread so far demand of the next one. */
struct thread_state {
    uint64_t tick;
    uint64_t n_reopening; /* begins of calls that began earlier still come */
    bool after_loss;
};

struct at {
    struct mt__check *check;
    const struct mt__record *record;
    uint64_t offset;
    struct thread_state *state;
};

/* Payload words by subtype, and whether it exists. */
static const struct {
    uint8_t n_words, is_known;
} extensions[] = {
#define X(name, number, words, text) [number] = {words, 1},
    MT_EXT_MAP(X)
#undef X
};
#define N_EXTENSIONS (sizeof extensions / sizeof *extensions)

static bool check_call(const struct at *at)
{
    const struct mt__record *record = at->record;
    struct mt__check *check = at->check;
    if (at->state->after_loss)
        return mt__check_fault(check, at->offset, "a call is recorded within a loss");
    if (at->state->n_reopening) {
        if (record->kind != MT_KIND_PY_BEGIN)
            return mt__check_fault(check, at->offset, "%llu open calls are not stated",
                                   (unsigned long long)at->state->n_reopening);
        at->state->n_reopening--;
    } else {
        check->result->n_events++;
    }
    if (record->id == MT_ID_UNKNOWN)
        return true;
    uint32_t func = mt__file_func(&check->file, record->id);
    if (func == MT__NO_FUNC)
        return mt__check_fault(check, at->offset, "a record has the undefined id %u", record->id);
    uint32_t kind = record->kind >= MT_KIND_C_BEGIN ? MT_FUNC_C : MT_FUNC_PYTHON;
    if (check->names.funcs[func].kind != kind)
        return mt__check_fault(check, at->offset, "a record of a %s has the id %u of a %s",
                               kind == MT_FUNC_C ? "C function" : "Python frame", record->id,
                               kind == MT_FUNC_C ? "code object" : "C function");
    return true;
}

static bool check_gap(const struct at *at)
{
    struct mt_gap gap;
    if (at->record->n_payload * sizeof(uint64_t) != sizeof gap)
        return mt__check_fault(at->check, at->offset, "a gap has %u words", at->record->n_payload);
    memcpy(&gap, at->record->payload, sizeof gap);
    if (gap.tick < at->state->tick)
        return mt__check_fault(at->check, at->offset, "time goes backwards");
    if (!gap.mono_ns || !gap.real_ns)
        return mt__check_fault(at->check, at->offset, "a gap has no clock readings");
    return true;
}

static bool check_lost(const struct at *at)
{
    struct mt_lost lost;
    memcpy(&lost, at->record->payload, sizeof lost);
    if (!lost.reason || (lost.reason >= MT_N_LOSSES && !at->check->is_newer))
        return mt__check_fault(at->check, at->offset, "a loss has the reason %u", lost.reason);
    at->check->result->n_lost += lost.n_events;
    at->state->after_loss = true;
    return true;
}

static bool check_resync(const struct at *at)
{
    struct mt_resync_payload resync;
    memcpy(&resync, at->record->payload, sizeof resync);
    if (!resync.reason || (resync.reason >= MT_N_RESYNCS && !at->check->is_newer))
        return mt__check_fault(at->check, at->offset, "the open calls are stated for reason %u",
                               resync.reason);
    at->state->n_reopening = resync.depth;
    at->state->after_loss = false;
    return true;
}

static bool check_extension(const struct at *at)
{
    uint32_t subtype = mt_ext_subtype(at->record->id);
    bool is_known = subtype < N_EXTENSIONS && extensions[subtype].is_known;
    if (!is_known)
        return at->check->is_newer ||
               mt__check_fault(at->check, at->offset, "an extension has the unknown type %u",
                               subtype);
    if (at->record->n_payload != extensions[subtype].n_words)
        return mt__check_fault(at->check, at->offset, "an extension of type %u has %u words",
                               subtype, at->record->n_payload);
    return subtype == MT_EXT_LOST ? check_lost(at) : check_resync(at);
}

static bool check_record(const struct at *at)
{
    bool good;
    switch (at->record->kind) {
    case MT_KIND_GAP: good = check_gap(at); break;
    case MT_KIND_EXT: good = check_extension(at); break;
    default:
        good = mt__kind_has_func(at->record->kind)
                   ? check_call(at)
                   : at->check->is_newer ||
                         mt__check_fault(at->check, at->offset, "a record has the unknown kind %u",
                                         at->record->kind);
    }
    at->state->tick = at->record->tick;
    return good;
}

/* The word behind the snapshot's last record: nothing, or a record that came since. Behind a full
 * chunk it is the next one's magic number, which passes for a record. */
static bool check_end(struct mt__check *check, const struct mt__chunk *chunk, uint64_t word)
{
    uint64_t offset = chunk->offset + MT_CHUNK_HEADER_BYTES +
                      (uint64_t)chunk->n_words * sizeof word;
    return !word || mt_record_kind(word) != MT_KIND_NONE ||
           mt__check_fault(check, offset, "a record has no kind");
}

static bool check_chunk(struct mt__check *check, const struct mt__chunk *chunk, uint64_t *words,
                        struct thread_state *state)
{
    uint32_t n_read;
    if (mt__file_words(&check->input, chunk->offset, words, chunk->n_words + 1, &n_read,
                       &check->error) != MT_OK)
        return false;
    if (n_read < chunk->n_words)
        return mt__check_fault(check, chunk->offset, "was cut while it was being read");
    if (chunk->start_tick < state->tick)
        return mt__check_fault(check, chunk->offset + offsetof(struct mt_chunk_header, start_tick),
                               "time goes backwards");
    struct mt__record_iter iter = {.words = words,
                                   .n_words = chunk->n_words,
                                   .tick = chunk->start_tick,
                                   .tick_shift = check->file.header.tick_shift};
    struct mt__record record;
    enum mt__next next;
    state->tick = chunk->start_tick;
    while ((next = mt__record_next(&iter, &record)) != MT__NEXT_END) {
        struct at at = {.check = check, .record = &record, .state = state};
        at.offset = chunk->offset + MT_CHUNK_HEADER_BYTES + record.at * sizeof *words;
        if (next == MT__NEXT_FAULT)
            return mt__check_fault(check, at.offset,
                                   record.kind == MT_KIND_NONE ? "a record has no kind"
                                                               : "a record goes beyond its chunk");
        if (!check_record(&at))
            return false;
    }
    bool is_cut_short = chunk->n_words < n_read && iter.at == chunk->n_words;
    return !is_cut_short || check_end(check, chunk, words[chunk->n_words]);
}

bool mt__check_records(struct mt__check *check)
{
    uint64_t *words = mt__file_new_words(&check->file);
    bool good = words != NULL;
    if (!good)
        mt__check_fault(check, MT_NO_OFFSET, "out of memory");
    for (size_t i = 0; good && i < check->file.n_threads; i++) {
        const struct mt__thread *thread = &check->file.threads[i];
        struct thread_state state = {0};
        for (uint32_t k = 0; good && k < thread->n_chunks; k++)
            good = check_chunk(check, &check->file.chunks[thread->first_chunk + k], words, &state);
    }
    free(words);
    return good;
}
