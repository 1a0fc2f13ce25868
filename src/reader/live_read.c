/* live_read.c - the records of a thread that are new, read in whole or by samples; and backwards,
 * until all open calls are known. Called by live.c.
 *
 * A thread at full speed writes more than a look at it may cost. Of its backlog a few pieces are read
 * then, each from the beginning of a chunk, where the time is known and no payload can be taken for
 * a record; and the last chunk, where it is now. What was added up of these is scaled to the interval.
 *
 * Invariant: the position (chunk, at) is at a record, and `tick` is the time of the one before.
 */
#include <string.h>

#include "base/array.h"
#include "reader/file.h"
#include "reader/live_state.h"

#define PIECE_WORDS 4096u

/* Where records go: to the thread, or (stack only) to a stack for mt__live_join. */
struct reading {
    struct mt_live *live;
    struct mt__live_file *file;
    struct mt__live_thread *thread;
    struct mt__live_stack *stack;
    uint64_t tick;
    uint64_t since_tick; /* calls from here on are counted */
    uint32_t n_reopening;
    bool sums; /* add up times and calls */
    enum mt_status status;
};

/* ------------------------------------------------------------------------------------- adding up */

/* How often definitions are looked for in one update because an id is not known. */
#define MAX_RETRIES 64u

/* The definition of an id is in the file before the id is used, but perhaps not read yet. */
static uint32_t slot_slow(struct reading *reading, uint32_t id)
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

static struct mt__live_sum *sum_of(struct reading *reading, uint32_t slot)
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

static inline struct mt__live_sum *sum_of_id(struct reading *reading, uint32_t id)
{
    uint32_t slot = mt__live_slot(&reading->file->funcs, id);
    if (slot == MT__LIVE_UNKNOWN)
        slot = slot_slow(reading, id);
    return sum_of(reading, slot);
}

/* Time up to the tick belongs to the innermost call. */
static inline void add_time(struct reading *reading, uint64_t tick)
{
    struct mt__live_thread *thread = reading->thread;
    const struct mt__live_stack *stack = reading->stack;
    if (tick <= thread->sum_tick)
        return;
    uint64_t ticks = tick - thread->sum_tick;
    thread->sum_tick = tick;
    thread->covered += ticks;
    if (stack->n_calls)
        sum_of_id(reading, stack->calls[stack->n_calls - 1])->ticks += ticks;
    else if (!stack->complete && !stack->lost)
        thread->below_ticks += ticks;
}

/* The call below those that are known stays unknown. */
static void give_up_below(struct reading *reading)
{
    struct mt__live_thread *thread = reading->thread;
    if (thread->below_ticks)
        sum_of(reading, MT__LIVE_BELOW)->ticks += thread->below_ticks;
    thread->below_ticks = 0;
}

/* --------------------------------------------------------------------------------------- records */

static void take_begin(struct reading *reading, uint32_t kind, uint32_t id)
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
        sum_of_id(reading, id)->n_calls++;
    }
}

static inline void take_end(struct reading *reading, uint32_t id)
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
        sum_of_id(reading, id)->ticks += reading->thread->below_ticks;
        reading->thread->below_ticks = 0;
    }
}

/* A record with payload. */
static void take_rare(struct reading *reading, uint64_t word, const uint64_t *payload,
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
        add_time(reading, reading->tick);
        give_up_below(reading);
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
static uint32_t take_records(struct reading *reading, const uint64_t *words, uint32_t n_words,
                             bool *over)
{
    uint32_t shift = reading->file->header.tick_shift, at = 0;
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
                add_time(reading, reading->tick);
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

/* Records of a chunk from word *at on, at most about n_words; *at is then behind them. True: all that
 * are written were read. */
static bool take_chunk(struct reading *reading, const struct mt__live_chunk *chunk, uint32_t *at,
                       uint64_t n_words)
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

/* ---------------------------------------------------------------------------------- going forwards */

static struct reading reading_of(struct mt_live *live, struct mt__live_file *file,
                                 struct mt__live_thread *thread)
{
    return (struct reading){
        .live = live,
        .file = file,
        .thread = thread,
        .stack = &thread->stack,
        .tick = thread->tick,
        .n_reopening = thread->n_reopening,
        .since_tick = live->started ? 0 : mt__live_tick(file, live->since_ns),
        .sums = true,
    };
}

/* The records before the first interval matter for the open calls only, so the reading begins at the
 * last chunk that begins before it. */
static void start_thread(struct mt_live *live, struct mt__live_file *file,
                         struct mt__live_thread *thread)
{
    uint64_t since = mt__live_tick(file, live->since_ns);
    size_t first = 0;
    if (live->started) /* a thread that is new */
        since = 0;
    for (size_t end = thread->n_chunks; first + 1 < end;) {
        size_t middle = first + (end - first) / 2;
        if (thread->chunks[middle].start_tick <= since)
            first = middle;
        else
            end = middle;
    }
    thread->chunk = thread->back = first;
    thread->at = 0;
    thread->tick = thread->chunks[first].start_tick;
    thread->sum_tick = thread->tick > since ? thread->tick : since;
    mt__live_stack_reset(&thread->stack, first == 0 && thread->from_zero);
}

uint64_t mt__live_backlog(const struct mt__live_thread *thread)
{
    uint64_t n_words = 0;
    for (size_t i = thread->chunk; i + 1 < thread->n_chunks; i++)
        n_words += thread->chunks[i].n_words;
    return n_words < thread->at ? 0 : n_words - thread->at;
}

/* The next record is the first one of this chunk. What is between is not read, unless `through`. */
static void go_to_chunk(struct reading *reading, size_t chunk, bool through)
{
    struct mt__live_thread *thread = reading->thread;
    thread->chunk = chunk;
    thread->at = 0;
    reading->tick = thread->sum_tick = thread->chunks[chunk].start_tick;
    if (through)
        return;
    give_up_below(reading);
    thread->back = chunk;
    reading->n_reopening = 0;
    mt__live_stack_reset(reading->stack, chunk == 0 && thread->from_zero);
}

/* Takes the open calls from here up to the beginning of a chunk. */
static void pass_through(struct reading *reading, size_t until)
{
    struct mt__live_thread *thread = reading->thread;
    give_up_below(reading); /* the call may end unseen */
    reading->sums = false;
    for (; thread->chunk < until && reading->status == MT_OK; thread->chunk++, thread->at = 0)
        take_chunk(reading, &thread->chunks[thread->chunk], &thread->at, UINT64_MAX);
    reading->sums = true;
}

/* Reads pieces of the chunks between the present one and the last, n_words of them, and goes to the
 * last. */
static void sample(struct reading *reading, uint64_t n_words, bool through)
{
    struct mt__live_thread *thread = reading->thread;
    size_t first = thread->chunk + 1, last = thread->n_chunks - 1, n_chunks = last - first;
    uint64_t n_pieces = n_words / PIECE_WORDS;
    n_pieces = n_pieces ? n_pieces : 1;
    n_pieces = n_pieces < n_chunks ? n_pieces : n_chunks;
    uint64_t piece = n_words / n_pieces > PIECE_WORDS ? n_words / n_pieces : PIECE_WORDS;
    for (uint64_t i = 0; i < n_pieces && reading->status == MT_OK; i++) {
        size_t chunk = first + (size_t)((2 * i + 1) * n_chunks / (2 * n_pieces));
        if (through)
            pass_through(reading, chunk);
        go_to_chunk(reading, chunk, through);
        take_chunk(reading, &thread->chunks[chunk], &thread->at, piece);
        thread->n_read += thread->at;
    }
    if (through)
        pass_through(reading, last);
    go_to_chunk(reading, last, through);
}

enum mt_status mt__live_read(struct mt_live *live, struct mt__live_file *file,
                             struct mt__live_thread *thread, uint64_t n_words, bool through)
{
    thread->n_calls = thread->n_new = thread->n_read = thread->covered = 0;
    thread->active = false;
    if (!thread->n_chunks)
        return MT_OK;
    if (!thread->started)
        start_thread(live, file, thread);
    struct reading reading = reading_of(live, file, thread);
    uint64_t backlog = mt__live_backlog(thread), n_skipped = 0;
    if (backlog > n_words && thread->n_chunks - thread->chunk > 2) {
        n_skipped = backlog;
        sample(&reading, n_words, through);
        n_skipped -= thread->n_read < backlog ? thread->n_read : backlog;
    }
    for (;;) {
        uint32_t before = thread->at;
        bool last = thread->chunk + 1 == thread->n_chunks;
        take_chunk(&reading, &thread->chunks[thread->chunk], &thread->at, UINT64_MAX);
        thread->n_read += thread->at - before;
        if (last || reading.status != MT_OK)
            break;
        thread->chunk++;
        thread->at = 0;
        reading.tick = thread->chunks[thread->chunk].start_tick;
    }
    thread->n_new = thread->n_read + n_skipped;
    thread->active = thread->n_new && reading.tick >= reading.since_tick;
    thread->tick = reading.tick;
    if (thread->n_new)
        thread->last_tick = reading.tick;
    thread->n_reopening = reading.n_reopening;
    return reading.status;
}

/* --------------------------------------------------------------------------------- going backwards */

enum mt_status mt__live_read_back(struct mt_live *live, struct mt__live_file *file,
                                  struct mt__live_thread *thread, uint64_t *n_words)
{
    if (thread->stack.complete || !thread->back)
        return MT_OK;
    size_t chunk = --thread->back, n_calls = thread->stack.n_calls;
    struct mt__live_stack before = {.complete = chunk == 0 && thread->from_zero};
    struct reading reading = reading_of(live, file, thread);
    reading.sums = false;
    reading.stack = &before;
    reading.n_reopening = 0;
    uint32_t at = 0;
    take_chunk(&reading, &thread->chunks[chunk], &at, UINT64_MAX);
    *n_words -= at < *n_words ? at : *n_words;
    enum mt_status status = reading.status;
    if (status == MT_OK)
        status = mt__live_join(&thread->stack, &before);
    /* Now it is known in which call the time below was spent. */
    size_t n_found = thread->stack.n_calls - n_calls;
    if (status == MT_OK && n_found && thread->below_ticks) {
        reading.stack = &thread->stack;
        sum_of_id(&reading, thread->stack.calls[n_found - 1])->ticks += thread->below_ticks;
        thread->below_ticks = 0;
    } else if (thread->stack.complete) {
        thread->below_ticks = 0;
    }
    mt__live_stack_fini(&before);
    return status == MT_OK ? reading.status : status;
}

/* ------------------------------------------------------------------------------- what was added up */

static bool in_c_function(const struct mt_live *live, const struct mt__live_file *file,
                          const struct mt__live_stack *stack)
{
    if (!stack->n_calls)
        return false;
    uint32_t slot = mt__live_slot(&file->funcs, stack->calls[stack->n_calls - 1]);
    return live->names.funcs[file->funcs.funcs[slot]].kind == MT_FUNC_C;
}

enum mt_status mt__live_settle(struct mt_live *live, struct mt__live_file *file,
                               struct mt__live_thread *thread)
{
    struct mt__live_funcs *funcs = &file->funcs;
    struct reading reading = reading_of(live, file, thread);
    bool runs = live->processes[file->process].state != MT_LIVE_ENDED &&
                !(file->header.flags & MT_FLAG_STOPPED) && thread->n_chunks && !thread->went_on;
    bool idle = !thread->active && in_c_function(live, file, &thread->stack);
    uint64_t now = mt__live_tick(file, live->now_ns), since = mt__live_tick(file, live->since_ns);
    if (runs)
        add_time(&reading, now);
    give_up_below(&reading);
    /* To the whole interval, where only a part of it was looked at. */
    bool sampled = thread->n_read < thread->n_new;
    double time_scale = file->ns_per_tick, call_scale = 1;
    if (sampled && thread->covered && now > since)
        time_scale *= (double)(now - since) / (double)thread->covered;
    if (sampled)
        call_scale = (double)thread->n_new / (double)(thread->n_read ? thread->n_read : 1);
    thread->n_calls = mt__live_clamped((double)thread->n_calls * call_scale + 0.5);
    enum mt_status status = reading.status;
    for (size_t i = 0; i < funcs->n_touched; i++) {
        uint32_t slot = funcs->touched[i];
        struct mt_live_function sum = {
            .func = funcs->funcs[slot],
            .self_ns = mt__live_clamped((double)funcs->sums[slot].ticks * time_scale + 0.5),
            .n_calls = mt__live_clamped((double)funcs->sums[slot].n_calls * call_scale + 0.5),
        };
        sum.idle_ns = idle ? sum.self_ns : 0;
        funcs->sums[slot] = (struct mt__live_sum){0};
        if (status == MT_OK)
            status = mt__live_window_add(&live->window, file->process, &sum);
    }
    funcs->n_touched = 0;
    thread->started = thread->n_chunks;
    return status;
}
