/* slice_rules.c - makes of what the user wants (struct mt_slice) what cursors ask for (struct
 * mt__slice): which functions are hidden, which tracks left out. Called once, on a finished set.
 *
 * Invariant afterwards: a track that is not left out may have something in the slice, one that is
 * left out has nothing; a process is left out if all tracks of all its images are.
 */
#include <assert.h>
#include <stdlib.h>

#include "reader/set.h"
#include "reader/slice.h"

/* What of the user's wishes matched anything. */
struct wishes {
    struct mt_set *set;
    const struct mt_slice *slice;
    uint8_t *pids, *tids, *processes, *threads, *include, *exclude;
};

void mt__slice_free(struct mt__slice *slice)
{
    if (!slice)
        return;
    free(slice->hidden);
    free(slice->alive_ns);
    free(slice);
}

/* --------------------------------------------------------------------------------------- wishes */

static bool any_id(const struct mt_ids *ids, uint32_t id, uint8_t *used)
{
    bool found = !ids->n;
    for (size_t i = 0; i < ids->n; i++) {
        if (ids->ids[i] != id)
            continue;
        used[i] = 1;
        found = true;
    }
    return found;
}

/* Exactly one of `text` and `func` is given. */
static bool any_glob(const struct mt_globs *globs, const struct mt_text *text,
                     const struct mt_func *func, uint8_t *used)
{
    bool found = false;
    for (size_t i = 0; i < globs->n; i++) {
        bool matches = text ? mt__glob_matches(globs->globs[i], text)
                            : mt__glob_matches_func(globs->globs[i], func);
        used[i] |= matches;
        found |= matches;
    }
    return found;
}

static bool any_name(const struct mt_globs *globs, const struct mt_text *name, uint8_t *used)
{
    return !globs->n || any_glob(globs, name, NULL, used);
}

static void note_ids(struct mt_set *set, const struct mt_ids *ids, const uint8_t *used,
                     const char *what)
{
    for (size_t i = 0; i < ids->n; i++) {
        if (!used[i])
            mt__trouble_note(&set->trouble, NULL, "no %s has the number %u", what, ids->ids[i]);
    }
}

static void note_globs(struct mt_set *set, const struct mt_globs *globs, const uint8_t *used,
                       const char *what)
{
    for (size_t i = 0; i < globs->n; i++) {
        if (!used[i])
            mt__trouble_note(&set->trouble, NULL, "no %s matches '%s'", what, globs->globs[i]);
    }
}

static void note_unused(const struct wishes *wishes)
{
    const struct mt_slice *slice = wishes->slice;
    note_ids(wishes->set, &slice->pids, wishes->pids, "process");
    note_ids(wishes->set, &slice->tids, wishes->tids, "thread of these processes");
    note_globs(wishes->set, &slice->processes, wishes->processes, "process");
    note_globs(wishes->set, &slice->threads, wishes->threads, "thread of these processes");
    note_globs(wishes->set, &slice->include, wishes->include, "function");
    note_globs(wishes->set, &slice->exclude, wishes->exclude, "function");
}

/* ------------------------------------------------------------------------------------ functions */

static enum mt_status hide_functions(struct wishes *wishes, struct mt__slice *rules)
{
    const struct mt_timeline *timeline = &wishes->set->timeline;
    const struct mt_slice *slice = wishes->slice;
    if (!slice->include.n && !slice->exclude.n)
        return MT_OK;
    rules->hidden = calloc(timeline->n_funcs / 64 + 1, sizeof *rules->hidden);
    if (!rules->hidden)
        return MT_NOMEM;
    for (uint32_t i = 0; i < timeline->n_funcs; i++) {
        const struct mt_func *func = &timeline->funcs[i];
        bool included = any_glob(&slice->include, NULL, func, wishes->include);
        bool excluded = any_glob(&slice->exclude, NULL, func, wishes->exclude);
        if ((slice->include.n && !included) || excluded)
            rules->hidden[i / 64] |= UINT64_C(1) << i % 64;
    }
    return MT_OK;
}

/* --------------------------------------------------------------------------------------- tracks */

static enum mt_status find_signs_of_life(const struct mt_set *set, struct mt__slice *rules)
{
    rules->alive_ns = calloc(set->n_processes + 1, sizeof *rules->alive_ns);
    if (!rules->alive_ns)
        return MT_NOMEM;
    for (size_t i = 0; i < set->n_processes; i++)
        rules->alive_ns[i] = set->processes[i].n_lost ? set->processes[i].last_lost_ns : 0;
    for (size_t i = 0; i < set->n_files; i++) {
        uint64_t end_ns = mt__file_end_ns(set->files[i]);
        uint64_t *alive_ns = &rules->alive_ns[set->files[i]->process];
        *alive_ns = end_ns > *alive_ns ? end_ns : *alive_ns;
    }
    return MT_OK;
}

/* Whether all of it is before or behind the slice. */
static bool is_outside(const struct mt_set *set, const struct mt__slice *rules, uint32_t track)
{
    uint64_t last_ns = set->track_data[track].last_ns;
    uint64_t alive_ns = rules->alive_ns[set->tracks[track].process];
    if (alive_ns > last_ns) /* a call may still have been open */
        last_ns = alive_ns;
    return last_ns < (uint64_t)rules->from_ns ||
           set->tracks[track].first_ns >= (uint64_t)rules->to_ns;
}

/* Asks for both, so that it is known which of the wishes match. */
static bool is_wanted_track(struct wishes *wishes, const struct mt_track *track)
{
    bool by_tid = any_id(&wishes->slice->tids, track->tid, wishes->tids);
    return any_name(&wishes->slice->threads, &track->name, wishes->threads) && by_tid;
}

static bool is_wanted_process(struct wishes *wishes, const struct mt_process *process)
{
    bool by_pid = any_id(&wishes->slice->pids, process->pid, wishes->pids);
    return any_name(&wishes->slice->processes, &process->name, wishes->processes) && by_pid;
}

static void leave_out_tracks(struct wishes *wishes, const struct mt__slice *rules)
{
    struct mt_set *set = wishes->set;
    for (uint32_t i = 0; i < set->n_processes; i++) {
        struct mt_process *process = &set->processes[i];
        bool wanted = is_wanted_process(wishes, process);
        uint32_t n_left = 0;
        for (uint32_t k = 0; k < process->n_tracks; k++) {
            struct mt_track *track = &set->tracks[process->first_track + k];
            track->left_out = !wanted || !is_wanted_track(wishes, track) ||
                              is_outside(set, rules, process->first_track + k);
            n_left += !track->left_out;
        }
        bool outside = rules->alive_ns[i] < (uint64_t)rules->from_ns ||
                       process->start_ns >= (uint64_t)rules->to_ns;
        process->left_out = process->n_tracks ? !n_left : !wanted || outside;
    }
}

/* Images of a process are shown as one. */
static void keep_all_images(struct mt_set *set)
{
    for (size_t i = set->n_processes; i-- > 0;) { /* later images come behind earlier ones */
        const struct mt_process *process = &set->processes[i];
        if (process->former != MT_NONE && !process->left_out)
            set->processes[process->former].left_out = false;
    }
    for (size_t i = 0; i < set->n_processes; i++) {
        struct mt_process *process = &set->processes[i];
        if (process->former != MT_NONE && !set->processes[process->former].left_out)
            process->left_out = false;
    }
}

/* Losses that no track tells are told of the process, where the slice could show them. */
static void clip_losses(const struct wishes *wishes, const struct mt__slice *rules)
{
    struct mt_set *set = wishes->set;
    bool of_threads = wishes->slice->tids.n || wishes->slice->threads.n;
    uint64_t from_ns = (uint64_t)rules->from_ns, to_ns = (uint64_t)rules->to_ns;
    for (size_t i = 0; i < set->n_processes; i++) {
        struct mt_process *process = &set->processes[i];
        if (process->left_out || of_threads || process->last_lost_ns < from_ns ||
            process->first_lost_ns >= to_ns)
            process->n_lost = 0;
        if (process->first_lost_ns < from_ns)
            process->first_lost_ns = from_ns;
        if (process->last_lost_ns > to_ns)
            process->last_lost_ns = to_ns;
    }
}

/* ------------------------------------------------------------------------------------- together */

static enum mt_status make_rules(struct wishes *wishes, struct mt__slice *rules)
{
    const struct mt_slice *slice = wishes->slice;
    uint64_t far_ns = INT64_MAX;
    rules->from_ns = (int64_t)(slice->from_ns < far_ns ? slice->from_ns : far_ns - 1);
    rules->to_ns = (int64_t)(slice->to_ns && slice->to_ns < far_ns ? slice->to_ns : far_ns);
    rules->min_ns = slice->min_duration_ns;
    rules->max_depth = slice->max_depth ? slice->max_depth : UINT32_MAX;
    rules->only_tracks = !slice->from_ns && !slice->to_ns && !slice->min_duration_ns &&
                         !slice->max_depth && !slice->include.n && !slice->exclude.n;
    enum mt_status status = find_signs_of_life(wishes->set, rules);
    if (status == MT_OK)
        status = hide_functions(wishes, rules);
    if (status != MT_OK)
        return status;
    leave_out_tracks(wishes, rules);
    keep_all_images(wishes->set);
    clip_losses(wishes, rules);
    note_unused(wishes);
    return MT_OK;
}

static bool asks_for_nothing(const struct mt_slice *slice)
{
    return !slice->from_ns && !slice->to_ns && !slice->min_duration_ns && !slice->max_depth &&
           !slice->pids.n && !slice->tids.n && !slice->processes.n && !slice->threads.n &&
           !slice->include.n && !slice->exclude.n;
}

enum mt_status mt_set_slice(struct mt_set *set, const struct mt_slice *slice)
{
    assert(set->finished && !set->slice);
    if (asks_for_nothing(slice))
        return MT_OK;
    size_t n[] = {slice->pids.n,    slice->tids.n,    slice->processes.n,
                  slice->threads.n, slice->include.n, slice->exclude.n};
    size_t n_used = 1;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        n_used += n[i];
    uint8_t *used = calloc(n_used, 1);
    struct mt__slice *rules = calloc(1, sizeof *rules);
    enum mt_status status = used && rules ? MT_OK : MT_NOMEM;
    if (status == MT_OK) {
        struct wishes wishes = {.set = set, .slice = slice, .pids = used};
        wishes.tids = wishes.pids + n[0];
        wishes.processes = wishes.tids + n[1];
        wishes.threads = wishes.processes + n[2];
        wishes.include = wishes.threads + n[3];
        wishes.exclude = wishes.include + n[4];
        status = make_rules(&wishes, rules);
    }
    free(used);
    if (status == MT_OK)
        set->slice = rules;
    else
        mt__slice_free(rules);
    return status;
}
