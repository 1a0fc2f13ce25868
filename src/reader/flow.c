/* flow.c - where the arrows from parents to children leave and arrive. Called once, by
 * mt_set_finish.
 *
 * A fork says when it happened and on which thread. Of a program that was started otherwise only the
 * kernel's start time is known, to 10 ms: the arrow leaves from a call by which Python starts
 * programs, if one began about then, each child's from another one; else from the main thread.
 * Whether a call is open there turns out when the track is walked (emit.c).
 *
 * Invariant afterwards: flows are sorted by track and time; a child has at most one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "reader/set.h"

#define NS_PER_JIFFY UINT64_C(10000000) /* of header.start_time, on every system there is */
/* A call that starts a program begins no earlier than this before the kernel makes the process. */
#define CALL_AHEAD_NS UINT64_C(50000000)

/* A child that was started and not forked. */
struct spawn {
    uint32_t process;
    uint32_t pid;
    uint64_t begin_ns, end_ns; /* when the call that started it may have begun */
};

/* A call of the parent that may have started a child. */
struct starter {
    uint64_t ts_ns;
    uint32_t track;
};

/* ---------------------------------------------------------------------------------- both kinds */

/* The track on which the process's first event is, or MT_NONE. */
static uint32_t first_track(const struct mt_set *set, const struct mt_process *process)
{
    uint32_t best = MT_NONE;
    for (uint32_t i = 0; i < process->n_tracks; i++) {
        uint32_t track = process->first_track + i;
        if (set->track_data[track].has_events &&
            (best == MT_NONE || set->tracks[track].first_ns < set->tracks[best].first_ns))
            best = track;
    }
    return best;
}

/* The first of the parent's tracks, in the order to show, that goes on at the time; failing that, the
 * first one with events. Of one tid only, unless that is 0; then the latest that had begun. */
static uint32_t track_at(const struct mt_set *set, const struct mt_process *parent, uint32_t tid,
                         uint64_t ts_ns)
{
    uint32_t any = MT_NONE;
    for (uint32_t i = 0; i < parent->n_tracks; i++) {
        uint32_t track = parent->first_track + i;
        if (!set->track_data[track].has_events || (tid && set->tracks[track].real_tid != tid))
            continue;
        if (set->tracks[track].first_ns <= ts_ns && set->track_data[track].last_ns >= ts_ns)
            return track;
        if (any == MT_NONE || (tid && set->tracks[track].first_ns <= ts_ns))
            any = track;
    }
    return any;
}

static enum mt_status add_flow(struct mt_set *set, uint32_t child, uint32_t from_track,
                               uint64_t ts_ns)
{
    uint32_t to_track = first_track(set, &set->processes[child]);
    if (from_track == MT_NONE || to_track == MT_NONE)
        return MT_OK;
    if (!MT_ARRAY_ROOM(set->flows, set->flows_capacity, set->n_flows + 1))
        return MT_NOMEM;
    set->flows[set->n_flows++] = (struct mt__flow){.from_track = from_track,
                                                   .to_track = to_track,
                                                   .ts_ns = ts_ns,
                                                   .deadline_ns = set->tracks[to_track].first_ns};
    return MT_OK;
}

static enum mt_status add_fork(struct mt_set *set, uint32_t child)
{
    const struct mt_process *process = &set->processes[child];
    const struct mt_process *parent = &set->processes[process->parent];
    const struct mt__file *file = set->files[process->first_file];
    const struct mt__file *clock_file = set->files[parent->first_file];
    uint32_t to_track = first_track(set, process);
    if (to_track == MT_NONE)
        return MT_OK;
    uint64_t ts_ns = set->tracks[to_track].first_ns;
    /* The parent's clock, where it counts the same ticks: there the fork lies among its events. */
    if (!mt__same_boot(&clock_file->header, &file->header) ||
        clock_file->header.clock != file->header.clock)
        clock_file = file;
    if (file->header.fork_tick) {
        uint64_t fork_ns = mt__file_ns(clock_file, file->header.fork_tick);
        ts_ns = fork_ns < ts_ns ? fork_ns : ts_ns;
    }
    uint32_t from_track = track_at(set, parent, file->header.parent_tid, ts_ns);
    if (from_track == MT_NONE)
        from_track = track_at(set, parent, 0, ts_ns);
    return add_flow(set, child, from_track, ts_ns);
}

/* -------------------------------------------------------------------------------------- spawns */

static bool text_is(const struct mt_text *text, const char *word)
{
    return text->n_bytes == strlen(word) && !memcmp(text->data, word, text->n_bytes);
}

static bool starts_programs(const struct mt_func *func)
{
    static const char *const in_c[] = {"fork_exec", "posix_spawn", "posix_spawnp", "system",
                                       "spawnv",    "spawnve",     "popen",        NULL};
    static const char *const in_python[] = {"Popen._execute_child", "_execute_child",
                                            "spawnv_passfds", NULL};
    const char *const *names = func->kind == MT_FUNC_C ? in_c : in_python;
    for (; *names; names++) {
        if (text_is(&func->name, *names))
            return true;
    }
    return false;
}

/* When the process was made, by its start time; its first event, where that cannot be. */
static void set_window(const struct mt_set *set, struct spawn *spawn)
{
    const struct mt_process *process = &set->processes[spawn->process];
    const struct mt__file *file = set->files[process->first_file];
    uint64_t first_ns = set->tracks[first_track(set, process)].first_ns;
    /* The start time counts from the boot as CLOCK_MONOTONIC does, but goes on in suspend. */
    uint64_t mono_ns = file->header.start_time * NS_PER_JIFFY;
    /* What no clock can say wraps around, and is either not known or before the first event. */
    int64_t start_ns = (int64_t)((uint64_t)mt__clock_ns(&file->clock, file->header.pair.tick) +
                                 mono_ns - file->header.pair.mono_ns);
    bool known = file->header.start_time && start_ns >= 0 && (uint64_t)start_ns <= first_ns;
    uint64_t end_ns = known ? (uint64_t)start_ns + NS_PER_JIFFY : first_ns;
    spawn->end_ns = end_ns < first_ns ? end_ns : first_ns;
    spawn->begin_ns = spawn->end_ns > NS_PER_JIFFY + CALL_AHEAD_NS
                          ? spawn->end_ns - NS_PER_JIFFY - CALL_AHEAD_NS
                          : 0;
}

/* Processes that start together get rising pids. */
static int compare_spawns(const void *a, const void *b)
{
    const struct spawn *x = a, *y = b;
    if (x->end_ns != y->end_ns)
        return x->end_ns < y->end_ns ? -1 : 1;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static int compare_starters(const void *a, const void *b)
{
    const struct starter *x = a, *y = b;
    return (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);
}

struct search {
    struct mt_set *set;
    struct spawn *spawns; /* of one parent, by end_ns; all windows are about equally long */
    size_t n_spawns, spawns_capacity;
    struct starter *starters; /* of the same parent, in these windows */
    size_t n_starters, starters_capacity;
    const uint8_t *starts; /* by function: whether it starts programs */
    uint64_t *words;
    size_t words_capacity;
    enum mt_status status;
};

/* Whether a window has a part of [begin_ns, end_ns]. */
static bool in_a_window(const struct search *search, uint64_t begin_ns, uint64_t end_ns)
{
    size_t low = 0, high = search->n_spawns; /* the first window that ends at begin_ns or later */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (search->spawns[middle].end_ns < begin_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low < search->n_spawns && search->spawns[low].begin_ns <= end_ns;
}

static void note_starter(struct search *search, uint32_t track, uint64_t ts_ns)
{
    if (!in_a_window(search, ts_ns, ts_ns))
        return;
    if (!MT_ARRAY_ROOM(search->starters, search->starters_capacity, search->n_starters + 1)) {
        search->status = MT_NOMEM;
        return;
    }
    search->starters[search->n_starters++] = (struct starter){ts_ns, track};
}

static void search_chunk(struct search *search, const struct mt__input *input,
                         const struct mt__file *file, const struct mt__chunk *chunk, uint32_t track)
{
    /* Of a Python function and the C function that it calls, only one is wanted. */
    bool has_c = file->header.options & MT_OPTION_C_FUNCTIONS;
    uint32_t wanted = has_c ? MT_KIND_C_BEGIN : MT_KIND_PY_BEGIN;
    uint32_t n_read;
    if (mt__file_words(input, chunk->offset, search->words, chunk->n_words, &n_read, NULL) != MT_OK)
        return;
    struct mt__record_iter iter = {.words = search->words,
                                   .n_words = n_read,
                                   .tick = chunk->start_tick,
                                   .tick_shift = file->header.tick_shift};
    struct mt__record record;
    while (mt__record_next(&iter, &record) == MT__NEXT_ONE) {
        uint32_t func = record.kind == wanted ? mt__file_func(file, record.id)
                                              : (uint32_t)MT__NO_FUNC;
        if (func != MT__NO_FUNC && search->starts[func])
            note_starter(search, track, mt__file_ns(file, record.tick));
    }
}

/* Reads only the chunks in which a window lies. */
static void search_segment(struct search *search, const struct mt__segment *segment, uint32_t track)
{
    const struct mt__file *file = search->set->files[segment->file];
    const struct mt__thread *thread = &file->threads[segment->thread];
    struct mt__input input;
    if (!MT_ARRAY_ROOM(search->words, search->words_capacity, file->max_words))
        search->status = MT_NOMEM;
    if (search->status != MT_OK || mt__file_reopen(file, &input, NULL) != MT_OK)
        return;
    for (uint32_t i = 0; i < thread->n_chunks; i++) {
        const struct mt__chunk *chunk = &file->chunks[thread->first_chunk + i];
        uint64_t end_tick = i + 1 < thread->n_chunks ? chunk[1].start_tick : thread->last_tick;
        if (in_a_window(search, mt__file_ns(file, chunk->start_tick), mt__file_ns(file, end_tick)))
            search_chunk(search, &input, file, chunk, track);
    }
    mt__input_close(&input);
}

/* From the latest child to the earliest, each takes the latest call that is left and not too late. */
static void match_starters(struct search *search, const struct mt_process *parent)
{
    size_t n_left = search->n_starters;
    for (size_t i = search->n_spawns; search->status == MT_OK && i-- > 0;) {
        const struct spawn *spawn = &search->spawns[i];
        while (n_left && search->starters[n_left - 1].ts_ns > spawn->end_ns)
            n_left--;
        uint64_t ts_ns = spawn->end_ns;
        uint32_t track;
        if (n_left && search->starters[n_left - 1].ts_ns >= spawn->begin_ns) {
            n_left--;
            ts_ns = search->starters[n_left].ts_ns + 1; /* within the call */
            track = search->starters[n_left].track;
        } else {
            track = track_at(search->set, parent, 0, ts_ns);
        }
        search->status = add_flow(search->set, spawn->process, track, ts_ns);
    }
}

static enum mt_status add_spawns(struct search *search, const struct mt_process *parent)
{
    struct mt_set *set = search->set;
    search->n_starters = 0;
    qsort(search->spawns, search->n_spawns, sizeof *search->spawns, compare_spawns);
    for (uint32_t i = 0; i < parent->n_tracks; i++) {
        uint32_t track = parent->first_track + i;
        const struct mt__track *data = &set->track_data[track];
        for (uint32_t k = 0; k < data->n_segments; k++)
            search_segment(search, &set->segments[data->first_segment + k], track);
    }
    if (search->n_starters)
        qsort(search->starters, search->n_starters, sizeof *search->starters, compare_starters);
    match_starters(search, parent);
    return search->status;
}

/* -------------------------------------------------------------------------------------- together */

static bool is_forked(const struct mt_set *set, const struct mt_process *process)
{
    return set->files[process->first_file]->header.origin == MT_ORIGIN_FORK;
}

/* Whether an arrow may lead to it. A later image has the first one's. */
static bool has_arrow(const struct mt_set *set, const struct mt_process *process)
{
    return process->parent != MT_NONE && process->former == MT_NONE &&
           process->pid != set->processes[process->parent].pid &&
           first_track(set, process) != MT_NONE;
}

/* For qsort: children beside their siblings. */
struct child {
    uint32_t parent, process;
};

static int compare_children(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    return (x->process > y->process) - (x->process < y->process);
}

static enum mt_status add_children(struct search *search, const struct child *children, size_t n)
{
    struct mt_set *set = search->set;
    enum mt_status status = MT_OK;
    for (size_t i = 0; status == MT_OK && i < n; i++) {
        uint32_t process = children[i].process;
        if (is_forked(set, &set->processes[process])) {
            status = add_fork(set, process);
        } else if (!MT_ARRAY_ROOM(search->spawns, search->spawns_capacity, search->n_spawns + 1)) {
            status = MT_NOMEM;
        } else {
            struct spawn *spawn = &search->spawns[search->n_spawns++];
            *spawn = (struct spawn){.process = process, .pid = set->processes[process].real_pid};
            set_window(set, spawn);
        }
        bool is_last = i + 1 == n || children[i + 1].parent != children[i].parent;
        if (status == MT_OK && is_last && search->n_spawns) {
            status = add_spawns(search, &set->processes[children[i].parent]);
            search->n_spawns = 0;
        }
    }
    return status;
}

static int compare_flows(const void *a, const void *b)
{
    const struct mt__flow *x = a, *y = b;
    if (x->from_track != y->from_track)
        return x->from_track < y->from_track ? -1 : 1;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    return (x->to_track > y->to_track) - (x->to_track < y->to_track);
}

static void index_flows(struct mt_set *set)
{
    if (set->n_flows)
        qsort(set->flows, set->n_flows, sizeof *set->flows, compare_flows);
    for (uint32_t i = 0; i < set->n_flows; i++) {
        struct mt__track *from = &set->track_data[set->flows[i].from_track];
        if (!from->n_flows++)
            from->first_flow = i;
        set->track_data[set->flows[i].to_track].flow_in = i;
    }
}

enum mt_status mt__set_flows(struct mt_set *set)
{
    size_t n_children = 0;
    struct child *children = calloc(set->n_processes + 1, sizeof *children);
    uint8_t *starts = calloc(set->names.n_funcs + 1, 1);
    struct search search = {.set = set, .starts = starts};
    enum mt_status status = children && starts ? MT_OK : MT_NOMEM;
    for (uint32_t i = 0; status == MT_OK && i < set->n_processes; i++) {
        if (has_arrow(set, &set->processes[i]))
            children[n_children++] = (struct child){set->processes[i].parent, i};
    }
    for (size_t i = 0; status == MT_OK && n_children && i < set->names.n_funcs; i++)
        starts[i] = starts_programs(&set->names.funcs[i]);
    if (status == MT_OK && n_children) {
        qsort(children, n_children, sizeof *children, compare_children);
        status = add_children(&search, children, n_children);
    }
    if (status == MT_OK)
        index_flows(set);
    free(children);
    free(starts);
    free(search.words);
    free(search.spawns);
    free(search.starters);
    return status;
}
