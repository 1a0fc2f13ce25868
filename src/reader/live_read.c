/* live_read.c - the records of a thread that are new, read in whole or by samples; and backwards,
 * until all open calls are known. Called by live.c.
 *
 * A thread at full speed writes more than a look at it may cost. Of its backlog a few pieces are read
 * then, each from the beginning of a chunk, where the time is known and no payload can be taken for
 * a record; and the last chunk, where it is now. What was added up of these is scaled to the interval.
 *
 * Invariant: the position (chunk, at) is at a record, and `tick` is the time of the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "reader/live_reading.h"

#define PIECE_WORDS 4096u

/* ---------------------------------------------------------------------------------- going forwards */

static struct mt__live_reading reading_of(struct mt_live *live, struct mt__live_file *file,
                                          struct mt__live_thread *thread)
{
    return (struct mt__live_reading){
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

/* Reading begins at a chunk, and with it what is known of the open calls. */
static void begin_at(struct mt__live_thread *thread, size_t chunk)
{
    thread->chunk = thread->back = chunk;
    thread->at = 0;
    thread->tick = thread->chunks[chunk].start_tick;
    mt__live_stack_reset(&thread->stack, false);
    if (!thread->anchored || chunk != thread->anchor_chunk)
        return;
    struct mt__live_stack known = thread->anchor;
    thread->anchor = thread->stack;
    thread->stack = known;
    thread->anchored = false;
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
    begin_at(thread, first);
    thread->sum_tick = thread->tick > since ? thread->tick : since;
}

uint64_t mt__live_backlog(const struct mt__live_thread *thread)
{
    uint64_t n_words = 0;
    for (size_t i = thread->chunk; i + 1 < thread->n_chunks; i++)
        n_words += thread->chunks[i].n_words;
    return n_words < thread->at ? 0 : n_words - thread->at;
}

/* Takes the open calls from here up to the beginning of a chunk. */
static void pass_through(struct mt__live_reading *reading, size_t until)
{
    struct mt__live_thread *thread = reading->thread;
    mt__live_give_up_below(reading); /* the call may end unseen */
    reading->sums = false;
    for (; thread->chunk < until && reading->status == MT_OK; thread->chunk++, thread->at = 0)
        mt__live_take_chunk(reading, &thread->chunks[thread->chunk], &thread->at, UINT64_MAX);
    reading->sums = true;
}

/* The next records are not read: what is open now is remembered, from the beginning of the next chunk. */
static void leave_anchor(struct mt__live_reading *reading)
{
    struct mt__live_thread *thread = reading->thread;
    if (!reading->stack->complete)
        return;
    pass_through(reading, thread->chunk + 1);
    if (!reading->stack->complete || reading->status != MT_OK) /* a damaged file */
        return;
    reading->status = mt__live_stack_copy(&thread->anchor, reading->stack);
    thread->anchored = reading->status == MT_OK;
    thread->anchor_chunk = thread->chunk;
}

/* The next record is the first one of this chunk. What is between is not read, unless `through`. */
static void go_to_chunk(struct mt__live_reading *reading, size_t chunk, bool through)
{
    struct mt__live_thread *thread = reading->thread;
    if (through) {
        pass_through(reading, chunk);
        thread->at = 0;
    } else {
        leave_anchor(reading);
        mt__live_give_up_below(reading);
        reading->n_reopening = 0;
        begin_at(thread, chunk);
    }
    reading->tick = thread->sum_tick = thread->chunks[chunk].start_tick;
}

/* Reads pieces of the chunks between the present one and the last, n_words of them, and goes to the
 * last. */
static void sample(struct mt__live_reading *reading, uint64_t n_words, bool through)
{
    struct mt__live_thread *thread = reading->thread;
    size_t first = thread->chunk + 1, last = thread->n_chunks - 1, n_chunks = last - first;
    uint64_t n_pieces = n_words / PIECE_WORDS;
    n_pieces = n_pieces ? n_pieces : 1;
    n_pieces = n_pieces < n_chunks ? n_pieces : n_chunks;
    uint64_t piece = n_words / n_pieces > PIECE_WORDS ? n_words / n_pieces : PIECE_WORDS;
    for (uint64_t i = 0; i < n_pieces && reading->status == MT_OK; i++) {
        size_t chunk = first + (size_t)((2 * i + 1) * n_chunks / (2 * n_pieces));
        go_to_chunk(reading, chunk, through);
        mt__live_take_chunk(reading, &thread->chunks[chunk], &thread->at, piece);
        thread->n_read += thread->at;
    }
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
    struct mt__live_reading reading = reading_of(live, file, thread);
    uint64_t backlog = mt__live_backlog(thread), n_skipped = 0;
    if (backlog > n_words && thread->n_chunks - thread->chunk > 2) {
        n_skipped = backlog;
        sample(&reading, n_words, through);
        n_skipped -= thread->n_read < backlog ? thread->n_read : backlog;
    }
    for (;;) {
        uint32_t before = thread->at;
        bool last = thread->chunk + 1 == thread->n_chunks;
        mt__live_take_chunk(&reading, &thread->chunks[thread->chunk], &thread->at, UINT64_MAX);
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

bool mt__live_can_go_back(const struct mt__live_thread *thread)
{
    return !thread->stack.complete && (thread->back || thread->anchored);
}

/* Now it is known in which call the time below was spent: the innermost of n_found. */
static void settle_below(struct mt__live_reading *reading, size_t n_found)
{
    struct mt__live_thread *thread = reading->thread;
    if (n_found && thread->below_ticks)
        mt__live_sum_of(reading, thread->stack.calls[n_found - 1])->ticks += thread->below_ticks;
    if (n_found || thread->stack.complete)
        thread->below_ticks = 0;
}

enum mt_status mt__live_read_back(struct mt_live *live, struct mt__live_file *file,
                                  struct mt__live_thread *thread, uint64_t *n_words)
{
    if (!mt__live_can_go_back(thread))
        return MT_OK;
    size_t n_calls = thread->stack.n_calls;
    struct mt__live_stack before = {0};
    struct mt__live_reading reading = reading_of(live, file, thread);
    enum mt_status status = MT_OK;
    if (thread->anchored && thread->back == thread->anchor_chunk) {
        thread->anchored = false;
        status = mt__live_join(&thread->stack, &thread->anchor);
    } else if (thread->back) {
        uint32_t at = 0;
        reading.sums = false;
        reading.stack = &before;
        reading.n_reopening = 0;
        mt__live_take_chunk(&reading, &thread->chunks[--thread->back], &at, UINT64_MAX);
        *n_words -= at < *n_words ? at : *n_words;
        status = reading.status == MT_OK ? mt__live_join(&thread->stack, &before) : reading.status;
        reading.stack = &thread->stack;
    }
    if (status == MT_OK)
        settle_below(&reading, thread->stack.n_calls - n_calls);
    mt__live_stack_fini(&before);
    return status == MT_OK ? reading.status : status;
}

/* ----------------------------------------------------------------------------------- what is kept */

/* Chunks that are not needed any more: those before the present one, or, where calls are still to be found,
 * those before the anchor. */
static void forget_chunks(struct mt__live_thread *thread)
{
    size_t first = thread->stack.complete ? thread->chunk
                   : thread->anchored     ? thread->anchor_chunk
                                          : 0;
    if (first * 2 < thread->n_chunks && thread->active) /* not all the time */
        first = 0;
    if (thread->stack.complete) {
        mt__live_stack_fini(&thread->anchor);
        thread->anchored = false;
    }
    thread->n_chunks -= first;
    thread->chunk -= first;
    thread->back = thread->stack.complete ? 0 : thread->back - first;
    thread->anchor_chunk -= thread->anchored ? first : 0;
    if (first)
        memmove(thread->chunks, thread->chunks + first, thread->n_chunks * sizeof *thread->chunks);
    size_t wanted = thread->active ? thread->n_chunks * 4 + 64 : thread->n_chunks;
    if (thread->chunks_capacity <= wanted)
        return;
    struct mt__live_chunk *smaller = realloc(thread->chunks, thread->n_chunks * sizeof *smaller);
    if (!smaller)
        return;
    thread->chunks = smaller;
    thread->chunks_capacity = thread->n_chunks;
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
    struct mt__live_reading reading = reading_of(live, file, thread);
    bool runs = live->processes[file->process].state != MT_LIVE_ENDED &&
                !(file->flags & MT_FLAG_STOPPED) && thread->n_chunks && !thread->went_on;
    bool idle = !thread->active && in_c_function(live, file, &thread->stack);
    uint64_t now = mt__live_tick(file, live->now_ns), since = mt__live_tick(file, live->since_ns);
    if (runs)
        mt__live_add_time(&reading, now);
    mt__live_give_up_below(&reading);
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
    if (thread->started)
        forget_chunks(thread);
    if (!thread->active)
        mt__live_stack_trim(&thread->stack);
    return status;
}
