/* profile.c - runs of events into sums: the part of a profile that sees every event. See profile.h
 * for the rules, state.h for who owns what.
 *
 * With many names each event would wait for memory, so lines of the cache are asked for some events
 * ahead.
 */
#include "profile/profile.h"

#include <stdlib.h>

#include "base/array.h"
#include "profile/state.h"

/* Left to itself, GCC makes calls of some, which costs a tenth. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Below it, everything lies in the caches anyway. */
#define MANY_CELLS 4096u
/* How many events ahead the cell is fetched, and then the histogram that it leads to. */
#define CELL_AHEAD 32u
#define OCTAVE_AHEAD 12u

/* ------------------------------------------------------------------------------- new and free */

static bool init_worker(struct mt__worker *worker, uint32_t n_cells, uint32_t n_slowest)
{
    /* Zeros from the system: pages of names that a worker never meets cost nothing. */
    worker->cells_memory = calloc((size_t)n_cells + 1, sizeof(struct mt__cell));
    worker->open_rounds = calloc((size_t)n_cells + 1, sizeof *worker->open_rounds);
    worker->extras = calloc((size_t)n_cells + 1, sizeof *worker->extras);
    worker->slowest.calls = calloc((size_t)n_slowest + 1, sizeof *worker->slowest.calls);
    worker->slowest.capacity = n_slowest;
    worker->slowest.threshold_ns = n_slowest ? 0 : UINT64_MAX;
    worker->track = MT_NONE;
    worker->first_ns = UINT64_MAX;
    uintptr_t line = ((uintptr_t)worker->cells_memory + sizeof(struct mt__cell) - 1) &
                     ~(uintptr_t)(sizeof(struct mt__cell) - 1);
    worker->cells = (struct mt__cell *)line;
    return worker->cells_memory && worker->open_rounds && worker->extras && worker->slowest.calls;
}

enum mt_status mt_profile_new(const struct mt_profile_options *options, struct mt_profile **out)
{
    const struct mt_timeline *timeline = options->timeline;
    uint32_t n_keys = options->key_of_func ? options->n_keys : timeline->n_funcs;
    uint32_t n_groups = options->group_of_track ? options->n_groups : 1;
    uint64_t n_cells = (uint64_t)n_keys * n_groups;
    if (n_cells >= MT_PROFILE_MAX_CELLS)
        return MT_LIMIT;
    struct mt_profile *profile = calloc(1, sizeof *profile);
    if (!profile)
        return MT_NOMEM;
    profile->options = *options;
    profile->n_keys = n_keys;
    profile->n_groups = n_groups;
    profile->n_cells = (uint32_t)n_cells;
    profile->tracks = calloc((size_t)timeline->n_tracks + 1, sizeof *profile->tracks);
    size_t workers_bytes = options->n_workers * sizeof *profile->workers;
    profile->workers = aligned_alloc(_Alignof(struct mt__worker), workers_bytes);
    bool good = profile->tracks && profile->workers;
    if (profile->workers)
        memset(profile->workers, 0, workers_bytes);
    for (uint32_t i = 0; good && i < options->n_workers; i++)
        good = init_worker(&profile->workers[i], profile->n_cells, options->n_slowest);
    if (!good) {
        mt_profile_free(profile);
        return MT_NOMEM;
    }
    *out = profile;
    return MT_OK;
}

void mt_profile_free(struct mt_profile *profile)
{
    if (!profile)
        return;
    for (uint32_t i = 0; profile->workers && i < profile->options.n_workers; i++) {
        struct mt__worker *worker = &profile->workers[i];
        mt__octaves_fini(&worker->octaves);
        mt__pairs_fini(&worker->pairs);
        free(worker->slowest.calls);
        free(worker->extras);
        free(worker->open_rounds);
        free(worker->cells_memory);
    }
    for (uint32_t i = 0; profile->tracks && i < profile->options.timeline->n_tracks; i++)
        free(profile->tracks[i].frames);
    free(profile->tracks);
    free(profile->workers);
    free(profile);
}

/* ----------------------------------------------------------------------------- one run's events */

struct feeder {
    const struct mt_profile *profile;
    struct mt__worker *worker;
    struct mt__open_track *open;
    const uint32_t *keys; /* NULL: a function is its key */
    uint32_t first_cell;  /* of the track's group */
    uint32_t track;
    bool failed; /* no memory */
};

static inline uint32_t cell_of(const struct feeder *feeder, uint32_t func)
{
    return feeder->first_cell + (feeder->keys ? feeder->keys[func] : func);
}

/* The pair of the frame at the top and the one below it; NULL: not wanted, or no memory. */
static struct mt__pair *pair_of(struct feeder *feeder, struct mt__frame *frame)
{
    uint32_t callee = frame->cell & MT__FRAME_CELL, caller = frame[-1].cell & MT__FRAME_CELL;
    if (frame - 1 == feeder->open->frames || !mt__wants_pair(feeder->profile, caller, callee))
        return NULL;
    struct mt__pairs *pairs = &feeder->worker->pairs;
    uint64_t key = mt__pair_key(caller, callee);
    if (frame->pair_slot < pairs->n_slots && pairs->slots[frame->pair_slot].key == key)
        return &pairs->slots[frame->pair_slot];
    struct mt__pair *pair = mt__pairs_get(pairs, key);
    if (!pair)
        feeder->failed = true;
    else
        frame->pair_slot = (uint32_t)(pair - pairs->slots);
    return pair;
}

/* The worker has not seen what happened on the track last: it marks anew what is open. */
static void begin_round(struct feeder *feeder)
{
    struct mt__worker *worker = feeder->worker;
    worker->round++;
    worker->track = feeder->track;
    for (size_t i = 1; i <= feeder->open->depth; i++) {
        struct mt__frame *frame = &feeder->open->frames[i];
        if (frame->cell & MT__FRAME_OUTER)
            worker->open_rounds[frame->cell & MT__FRAME_CELL] = worker->round;
        struct mt__pair *pair = frame->cell & MT__FRAME_PAIR_OUTER ? pair_of(feeder, frame) : NULL;
        if (pair)
            pair->open_round = worker->round;
    }
}

static ALWAYS_INLINE void begin_call(struct feeder *feeder, const struct mt_event *event,
                                     bool with_pairs)
{
    struct mt__open_track *open = feeder->open;
    if (MT_UNLIKELY(open->depth + 1 >= open->capacity) &&
        !MT_ARRAY_ROOM(open->frames, open->capacity, open->depth + 2)) {
        feeder->failed = true;
        return;
    }
    struct mt__worker *worker = feeder->worker;
    struct mt__frame *frame = &open->frames[++open->depth];
    uint32_t cell = cell_of(feeder, event->func);
    frame->cell = cell;
    frame->pair_slot = UINT32_MAX;
    frame->child_ns = 0;
    if (MT_LIKELY(worker->open_rounds[cell] != worker->round)) {
        worker->open_rounds[cell] = worker->round;
        frame->cell |= MT__FRAME_OUTER;
    }
    if (MT_UNLIKELY(event->flags & (MT_EVENT_REOPENED | MT_EVENT_RESUME)))
        frame->cell |= event->flags & MT_EVENT_REOPENED ? MT__FRAME_REOPENED : MT__FRAME_RESUMED;
    struct mt__pair *pair = with_pairs ? pair_of(feeder, frame) : NULL;
    if (pair && pair->open_round != worker->round) {
        pair->open_round = worker->round;
        frame->cell |= MT__FRAME_PAIR_OUTER;
    }
}

static void count_rare(struct feeder *feeder, uint32_t flagged_cell, bool repaired, bool unfinished)
{
    struct mt__extras *extras = &feeder->worker->extras[flagged_cell & MT__FRAME_CELL];
    if (flagged_cell & MT__FRAME_REOPENED) {
        extras->n_reopened++;
        return;
    }
    extras->n_resumes += !!(flagged_cell & MT__FRAME_RESUMED);
    extras->n_unfinished += unfinished;
    extras->n_repaired += repaired;
}

static void add_to_pair(struct feeder *feeder, struct mt__frame *frame, uint64_t dur_ns,
                        uint64_t self_ns)
{
    struct mt__pair *pair = pair_of(feeder, frame);
    if (!pair)
        return;
    bool counts = !(frame->cell & MT__FRAME_REOPENED);
    pair->n_calls += counts;
    pair->self_ns += self_ns;
    if (frame->cell & MT__FRAME_PAIR_OUTER) {
        pair->n_primitive += counts;
        pair->cum_ns += dur_ns;
        pair->open_round = 0;
    }
}

/* Sums up the call of a frame. `counts`: it began here; `timed`: both its ends were seen. */
static ALWAYS_INLINE void add_call(struct feeder *feeder, struct mt__frame *frame, uint64_t dur_ns,
                                   bool counts, bool timed, bool with_pairs)
{
    struct mt__worker *worker = feeder->worker;
    struct mt__cell *cell = &worker->cells[frame->cell & MT__FRAME_CELL];
    uint64_t self_ns = dur_ns > frame->child_ns ? dur_ns - frame->child_ns : 0;
    cell->n_calls += counts;
    cell->self_ns += self_ns;
    if (MT_LIKELY(frame->cell & MT__FRAME_OUTER)) {
        cell->n_primitive += counts;
        cell->cum_ns += dur_ns;
        worker->open_rounds[frame->cell & MT__FRAME_CELL] = 0;
    }
    if (MT_LIKELY(timed)) {
        cell->timed_ns += dur_ns;
        if (dur_ns > cell->max_ns)
            cell->max_ns = dur_ns;
        if (!mt__hist_add(&cell->hist, &worker->octaves, frame->cell & MT__FRAME_CELL, dur_ns))
            feeder->failed = true;
    }
    if (with_pairs)
        add_to_pair(feeder, frame, dur_ns, self_ns);
}

static void offer_slow(struct feeder *feeder, uint64_t dur_ns, uint64_t begin_ns, uint32_t func,
                       bool unfinished)
{
    struct mt_profile_slow_call call = {.dur_ns = dur_ns,
                                        .begin_ns = begin_ns,
                                        .func = func,
                                        .track = feeder->track,
                                        .unfinished = unfinished};
    mt__slowest_offer(&feeder->worker->slowest, &call);
}

/* Of which an end is missing, or which is no new call. */
static void end_rare(struct feeder *feeder, struct mt__frame *frame, const struct mt_event *event,
                     bool with_pairs)
{
    bool repaired = event->flags & MT_EVENT_REPAIRED, cut = event->flags & MT_EVENT_CUT;
    bool counts = !(frame->cell & MT__FRAME_REOPENED), timed = counts && !repaired && !cut;
    count_rare(feeder, frame->cell, repaired, cut);
    add_call(feeder, frame, event->dur_ns, counts, timed, with_pairs);
    if (event->dur_ns >= feeder->worker->slowest.threshold_ns && counts && !repaired)
        offer_slow(feeder, event->dur_ns, event->ts_ns - event->dur_ns, event->func, cut);
}

static ALWAYS_INLINE void end_call(struct feeder *feeder, const struct mt_event *event,
                                   bool with_pairs)
{
    struct mt__open_track *open = feeder->open;
    if (MT_UNLIKELY(!open->depth))
        return;
    struct mt__frame *frame = &open->frames[open->depth--];
    frame[-1].child_ns += event->dur_ns;
    if (MT_UNLIKELY(event->flags & (MT_EVENT_REPAIRED | MT_EVENT_CUT) ||
                    frame->cell & (MT__FRAME_RESUMED | MT__FRAME_REOPENED))) {
        end_rare(feeder, frame, event, with_pairs);
        return;
    }
    add_call(feeder, frame, event->dur_ns, true, true, with_pairs);
    if (MT_UNLIKELY(event->dur_ns >= feeder->worker->slowest.threshold_ns))
        offer_slow(feeder, event->dur_ns, event->ts_ns - event->dur_ns, event->func, false);
}

/* ---- calls that never ended: they are told outermost first, and what the next one lasts is the
 * child's time of this one, so each is summed up when the next one is known */

static void finish_unfinished(struct feeder *feeder, uint64_t child_ns)
{
    struct mt__open_track *open = feeder->open;
    struct mt__frame *frame = &open->frames[open->n_unfinished];
    if (!open->n_unfinished || open->n_unfinished > open->depth)
        return;
    frame->child_ns += child_ns;
    count_rare(feeder, frame->cell, false, true);
    add_call(feeder, frame, open->last_ns - open->unfinished_ns,
             !(frame->cell & MT__FRAME_REOPENED), false,
             feeder->profile->options.all_pairs || feeder->profile->options.marks);
}

static void leave_open(struct feeder *feeder, const struct mt_event *event)
{
    struct mt__open_track *open = feeder->open;
    uint64_t begin_ns = event->ts_ns < open->last_ns ? event->ts_ns : open->last_ns;
    uint64_t dur_ns = open->last_ns - begin_ns;
    finish_unfinished(feeder, dur_ns);
    open->n_unfinished++;
    open->unfinished_ns = begin_ns;
    if (open->n_unfinished <= open->depth && dur_ns >= feeder->worker->slowest.threshold_ns &&
        !(open->frames[open->n_unfinished].cell & MT__FRAME_REOPENED))
        offer_slow(feeder, dur_ns, begin_ns, event->func, true);
}

/* ------------------------------------------------------------------------------------- the loop */

static inline void fetch_cell(const struct feeder *feeder, const struct mt_event *event)
{
    uint32_t cell = cell_of(feeder, event->func);
    __builtin_prefetch(&feeder->worker->cells[cell], 1);
    __builtin_prefetch(&feeder->worker->open_rounds[cell], 1);
}

static inline void fetch_octave(const struct feeder *feeder, const struct mt_event *event)
{
    if (event->type != MT_EVENT_END)
        return;
    const struct mt__histogram *hist = &feeder->worker->cells[cell_of(feeder, event->func)].hist;
    uint32_t at = mt__hist_octave(event->dur_ns) - hist->first;
    if (at < hist->n_octaves)
        __builtin_prefetch(&hist->octaves[at], 1);
}

static ALWAYS_INLINE void feed(struct feeder *feeder, const struct mt_run *run, bool with_pairs,
                               bool ahead)
{
    const struct mt_event *events = run->events;
    uint32_t n = run->n_events;
    for (uint32_t i = 0; ahead && i < n && i < CELL_AHEAD; i++)
        fetch_cell(feeder, &events[i]);
    for (uint32_t i = 0; i < n; i++) {
        const struct mt_event *event = &events[i];
        if (ahead && i + CELL_AHEAD < n)
            fetch_cell(feeder, &events[i + CELL_AHEAD]);
        if (ahead && i + OCTAVE_AHEAD < n)
            fetch_octave(feeder, &events[i + OCTAVE_AHEAD]);
        if (event->type == MT_EVENT_BEGIN) {
            begin_call(feeder, event, with_pairs);
        } else if (event->type == MT_EVENT_END) {
            end_call(feeder, event, with_pairs);
        } else if (event->type == MT_EVENT_LOST) {
            feeder->worker->n_lost += event->lost->n_events;
            feeder->worker->n_losses++;
        } else {
            if (event->type == MT_EVENT_UNFINISHED)
                leave_open(feeder, event);
            continue; /* its time is not the track's */
        }
        feeder->open->last_ns = event->ts_ns;
    }
}

static void feed_all(struct feeder *feeder, const struct mt_run *run)
{
    const struct mt_profile_options *options = &feeder->profile->options;
    bool with_pairs = options->all_pairs || options->marks;
    bool ahead = feeder->profile->n_cells > MANY_CELLS;
    if (with_pairs && ahead)
        feed(feeder, run, true, true);
    else if (with_pairs)
        feed(feeder, run, true, false);
    else if (ahead)
        feed(feeder, run, false, true);
    else
        feed(feeder, run, false, false);
}

static void note_times(struct mt__worker *worker, const struct mt_run *run, uint64_t last_ns)
{
    if (!run->n_events)
        return;
    if (run->events[0].type != MT_EVENT_UNFINISHED && run->events[0].ts_ns < worker->first_ns)
        worker->first_ns = run->events[0].ts_ns;
    if (last_ns > worker->last_ns)
        worker->last_ns = last_ns;
}

enum mt_status mt_profile_add(struct mt_profile *profile, const struct mt_run *run)
{
    const struct mt_profile_options *options = &profile->options;
    uint32_t group = options->group_of_track ? options->group_of_track[run->track] : 0;
    if (group == MT_NONE)
        return MT_OK;
    struct feeder feeder = {
        .profile = profile,
        .worker = &profile->workers[run->worker],
        .open = &profile->tracks[run->track],
        .keys = options->key_of_func,
        .first_cell = group * profile->n_keys,
        .track = run->track,
    };
    struct mt__open_track *open = feeder.open;
    if (!open->capacity) {
        if (!MT_ARRAY_ROOM(open->frames, open->capacity, 16))
            return MT_NOMEM;
        open->frames[0] = (struct mt__frame){0};
        open->worker = MT_NONE;
    }
    if (open->worker != run->worker || feeder.worker->track != run->track)
        begin_round(&feeder);
    open->worker = run->worker;
    feed_all(&feeder, run);
    note_times(feeder.worker, run, open->last_ns);
    if (run->last) {
        finish_unfinished(&feeder, 0);
        free(open->frames);
        *open = (struct mt__open_track){.worker = MT_NONE};
    }
    return feeder.failed ? MT_NOMEM : MT_OK;
}
