/* live_records.c - takes records of a thread into its open calls, and adds up time and calls. Called by
 * live_read.c.
 */
#include <string.h>

#include "base/array.h"
#include "reader/file.h"
#include "reader/live_reading.h"

/* ------------------------------------------------------------------------------------- adding up */

/* How often definitions are looked for in one update because an id is not known. */
#define MAX_RETRIES 64u

/* The definition of an id is in the file before the id is used, but perhaps not read yet. */
static uint32_t slot_slow(struct mt__live_reading *reading, uint32_t id)
{
    struct mt__live_file *file = reading->file;
    uint32_t budget = 4096;
    if (id == MT_ID_UNKNOWN || file->n_retries++ >= MAX_RETRIES)
        return mt__live_slot(&file->funcs, id);
    mt__input_size(&file->input, &file->n_bytes, NULL);
    enum mt_status status = mt__live_file_index(file, &budget);
    if (status == MT_OK)
        status = mt__live_file_defs(reading->live, file);
    reading->status = reading->status == MT_OK ? status : reading->status;
    return mt__live_slot(&file->funcs, id);
}

static struct mt__live_sum *sum_of(struct mt__live_reading *reading, uint32_t slot)
{
    struct mt__live_funcs *funcs = &reading->file->funcs;
    struct mt__live_sum *sum = &funcs->sums[slot];
    if (!sum->touched) {
        if (!MT_ARRAY_ROOM(funcs->touched, funcs->touched_capacity, funcs->n_touched + 1)) {
            reading->status = MT_NOMEM;
            return sum;
        }
        funcs->touched[funcs->n_touched++] = slot;
        sum->touched = true;
    }
    return sum;
}

struct mt__live_sum *mt__live_sum_of(struct mt__live_reading *reading, uint32_t id)
{
    uint32_t slot = mt__live_slot(&reading->file->funcs, id);
    if (slot == MT__LIVE_UNKNOWN)
        slot = slot_slow(reading, id);
    return sum_of(reading, slot);
}

void mt__live_add_time(struct mt__live_reading *reading, uint64_t tick)
{
    struct mt__live_thread *thread = reading->thread;
    const struct mt__live_stack *stack = reading->stack;
    if (tick <= thread->sum_tick)
        return;
    uint64_t ticks = tick - thread->sum_tick;
    thread->sum_tick = tick;
    thread->covered += ticks;
    if (stack->n_calls)
        mt__live_sum_of(reading, stack->calls[stack->n_calls - 1])->ticks += ticks;
    else if (!stack->complete && !stack->lost)
        thread->below_ticks += ticks;
}

void mt__live_give_up_below(struct mt__live_reading *reading)
{
    struct mt__live_thread *thread = reading->thread;
    if (thread->below_ticks)
        sum_of(reading, MT__LIVE_BELOW)->ticks += thread->below_ticks;
    thread->below_ticks = 0;
}

/* --------------------------------------------------------------------------------------- records */

static void take_begin(struct mt__live_reading *reading, uint32_t kind, uint32_t id)
{
    enum mt_status status = mt__live_push(reading->stack, id);
    if (status != MT_OK)
        reading->status = status;
    if (reading->n_reopening) {
        reading->n_reopening--;
        return;
    }
    if (reading->sums && kind != MT_KIND_PY_RESUME && reading->tick >= reading->since_tick) {
        reading->thread->n_calls++;
        mt__live_sum_of(reading, id)->n_calls++;
    }
}

static inline void take_end(struct mt__live_reading *reading, uint32_t id)
{
    struct mt__live_stack *stack = reading->stack;
    bool below;
    if (stack->n_calls && stack->calls[stack->n_calls - 1] == id) {
        stack->n_calls--;
        return;
    }
    enum mt_status status = mt__live_end_slow(stack, id, &below);
    if (status != MT_OK)
        reading->status = status;
    if (below && reading->sums && reading->thread->below_ticks) {
        mt__live_sum_of(reading, id)->ticks += reading->thread->below_ticks;
        reading->thread->below_ticks = 0;
    }
}

/* A record with payload. */
static void take_rare(struct mt__live_reading *reading, uint64_t word, const uint64_t *payload,
                      uint32_t n_payload)
{
    uint32_t id = mt_record_id(word);
    if (mt_record_kind(word) == MT_KIND_GAP) {
        if (n_payload * sizeof(uint64_t) >= sizeof(struct mt_gap))
            reading->tick = payload[offsetof(struct mt_gap, tick) / sizeof(uint64_t)];
        return;
    }
    bool lost = mt_ext_subtype(id) == MT_EXT_LOST;
    bool resync = mt_ext_subtype(id) == MT_EXT_RESYNC &&
                  n_payload * sizeof(uint64_t) >= sizeof(struct mt_resync_payload);
    if (!lost && !resync)
        return;
    if (reading->sums) {
        mt__live_add_time(reading, reading->tick);
        mt__live_give_up_below(reading);
    }
    mt__live_stack_reset(reading->stack, true);
    reading->stack->lost = lost;
    struct mt_resync_payload stated;
    if (resync) {
        memcpy(&stated, payload, sizeof stated);
        reading->n_reopening = stated.depth;
    }
}

/* Takes records from words[0..n_words); returns how many words they have. *over: a word that is not
 * written yet follows. */
static uint32_t take_records(struct mt__live_reading *reading, const uint64_t *words,
                             uint32_t n_words, bool *over)
{
    uint32_t shift = reading->file->tick_shift, at = 0;
    *over = false;
    while (at < n_words && reading->status == MT_OK) {
        if (!reading->sums && !reading->n_reopening) { /* the time does not matter, then */
            at += mt__live_take_calls(reading->stack, words + at, n_words - at);
            if (at == n_words)
                break;
        }
        uint64_t word = words[at];
        enum mt_kind kind = mt_record_kind(word);
        uint32_t n_payload = mt__record_payload(word);
        *over = kind == MT_KIND_NONE;
        if (*over || n_payload > n_words - at - 1)
            break;
        reading->tick += (uint64_t)mt_record_delta(word) << shift;
        if (mt__kind_has_func(kind)) {
            if (reading->sums)
                mt__live_add_time(reading, reading->tick);
            if (kind == MT_KIND_PY_BEGIN || kind == MT_KIND_C_BEGIN || kind == MT_KIND_PY_RESUME)
                take_begin(reading, kind, mt_record_id(word));
            else
                take_end(reading, mt_record_id(word));
        } else if (n_payload) {
            take_rare(reading, word, words + at + 1, n_payload);
        }
        at += 1 + n_payload;
    }
    return at;
}

bool mt__live_take_chunk(struct mt__live_reading *reading, const struct mt__live_chunk *chunk,
                         uint32_t *at, uint64_t n_words)
{
    /* The chunk is copied: looking for a definition may move the array that it is in. */
    struct mt__live_chunk here = *chunk;
    uint64_t *words = reading->live->words;
    bool over = false;
    while (!over && *at < here.n_words && n_words && reading->status == MT_OK) {
        uint32_t n = here.n_words - *at, n_read;
        n = n < MT__LIVE_READ_WORDS ? n : MT__LIVE_READ_WORDS;
        n = n < n_words ? n : (uint32_t)n_words;
        if (mt__file_words(&reading->file->input, here.offset + *at * sizeof(uint64_t), words, n,
                           &n_read, NULL) != MT_OK)
            return true;
        uint32_t n_taken = take_records(reading, words, n_read, &over);
        *at += n_taken;
        n_words -= n_taken;
        if (!n_taken) /* the end of the file, or a record that does not fit in */
            over = true;
    }
    return over || *at >= here.n_words;
}
