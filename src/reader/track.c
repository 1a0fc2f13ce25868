/* track.c - threads of files to tracks of processes, and the tids under which they are shown. Called
 * once, by mt_set_finish.
 *
 * A thread that goes on in the next file of its process stays on its track. The kernel gives a tid
 * anew after its thread has ended: such threads are tracks of their own.
 *
 * Invariant afterwards: tracks of a process are neighbours, the main thread's first, the others by
 * their first event; two of them share a tid only if the earlier is over and left no call open.
 */
#include <stdlib.h>

#include "base/array.h"
#include "reader/set.h"

/* A track that is being put together: its segments are a chain. */
struct draft {
    struct mt_track track;
    struct mt__track data;
    uint32_t first_link, last_link;
};
struct link {
    struct mt__segment segment;
    uint32_t next;
};

struct drafting {
    struct draft *drafts; /* of one process */
    size_t n_drafts, drafts_capacity;
    struct link *links; /* of one process */
    size_t n_links, links_capacity;
    struct mt_map latest; /* tid -> index of the latest draft that has it */
};

static void drafting_fini(struct drafting *drafting)
{
    free(drafting->drafts);
    free(drafting->links);
    mt_map_fini(&drafting->latest);
}

/* ------------------------------------------------------------------------------------- drafting */

static enum mt_status new_draft(struct drafting *drafting, uint32_t process, uint32_t tid,
                                uint32_t *out)
{
    if (!MT_ARRAY_ROOM(drafting->drafts, drafting->drafts_capacity, drafting->n_drafts + 1))
        return MT_NOMEM;
    *out = (uint32_t)drafting->n_drafts++;
    drafting->drafts[*out] = (struct draft){
        .track = {.process = process, .tid = tid, .real_tid = tid, .name = {"", 0}},
        .data = {.flow_in = MT_NONE},
        .first_link = MT_NONE,
        .last_link = MT_NONE,
    };
    return MT_OK;
}

static void extend_draft(struct draft *draft, struct drafting *drafting,
                         const struct mt__file *file, const struct mt__segment *segment)
{
    const struct mt__thread *thread = &file->threads[segment->thread];
    uint64_t start_tick = file->chunks[thread->first_chunk].start_tick;
    uint64_t first_ns = mt__file_ns(file, thread->has_events ? thread->first_tick : start_tick);
    uint64_t last_ns = mt__file_ns(file, thread->last_tick);
    uint32_t link = (uint32_t)drafting->n_links++;
    drafting->links[link] = (struct link){*segment, MT_NONE};
    if (draft->last_link == MT_NONE) {
        draft->first_link = link;
        draft->track.first_ns = first_ns;
    } else {
        drafting->links[draft->last_link].next = link;
    }
    draft->last_link = link;
    draft->track.n_segments++;
    draft->data.has_events |= thread->has_events;
    if (thread->name.data)
        draft->track.name = thread->name;
    if (last_ns > draft->data.last_ns)
        draft->data.last_ns = last_ns;
}

static enum mt_status draft_thread(struct drafting *drafting, const struct mt_set *set,
                                   const struct mt__segment *segment)
{
    const struct mt__file *file = set->files[segment->file];
    uint32_t tid = file->threads[segment->thread].tid;
    bool is_new;
    uint32_t *latest = mt_map_put(&drafting->latest, tid, 0, &is_new);
    if (!latest || !MT_ARRAY_ROOM(drafting->links, drafting->links_capacity, drafting->n_links + 1))
        return MT_NOMEM;
    if (!is_new) { /* the same file has the tid again: another thread */
        uint32_t last_link = drafting->drafts[*latest].last_link;
        is_new = drafting->links[last_link].segment.file == segment->file;
    }
    enum mt_status status = is_new ? new_draft(drafting, file->process, tid, latest) : MT_OK;
    if (status == MT_OK)
        extend_draft(&drafting->drafts[*latest], drafting, file, segment);
    return status;
}

static int compare_drafts(const void *a, const void *b)
{
    const struct draft *x = a, *y = b;
    uint64_t x_ns = x->track.first_ns, y_ns = y->track.first_ns;
    if (x_ns != y_ns)
        return x_ns < y_ns ? -1 : 1;
    return (x->first_link > y->first_link) - (x->first_link < y->first_link);
}

/* The main thread's first track goes before all others. */
static void order_drafts(struct drafting *drafting, uint32_t real_pid)
{
    if (drafting->n_drafts)
        qsort(drafting->drafts, drafting->n_drafts, sizeof *drafting->drafts, compare_drafts);
    for (size_t i = 0; i < drafting->n_drafts; i++) {
        struct draft main_thread = drafting->drafts[i];
        if (main_thread.track.real_tid != real_pid)
            continue;
        for (; i > 0; i--)
            drafting->drafts[i] = drafting->drafts[i - 1];
        drafting->drafts[0] = main_thread;
        return;
    }
}

/* ------------------------------------------------------------------------------------ the tracks */

static bool room_for_tracks(struct mt_set *set, size_t *data_capacity,
                            const struct drafting *drafting)
{
    size_t n_tracks = set->n_tracks + drafting->n_drafts;
    size_t n_segments = set->n_segments + drafting->n_links;
    return MT_ARRAY_ROOM(set->tracks, set->tracks_capacity, n_tracks) &&
           MT_ARRAY_ROOM(set->track_data, *data_capacity, n_tracks) &&
           MT_ARRAY_ROOM(set->segments, set->segments_capacity, n_segments);
}

/* There must be room. */
static void take_draft(struct mt_set *set, const struct drafting *drafting,
                       const struct draft *draft)
{
    size_t at = set->n_tracks++;
    set->tracks[at] = draft->track;
    set->track_data[at] = draft->data;
    set->track_data[at].first_segment = (uint32_t)set->n_segments;
    set->track_data[at].n_segments = draft->track.n_segments;
    for (uint32_t link = draft->first_link; link != MT_NONE; link = drafting->links[link].next)
        set->segments[set->n_segments++] = drafting->links[link].segment;
}

static enum mt_status process_tracks(struct mt_set *set, struct mt_process *process,
                                     size_t *data_capacity)
{
    struct drafting drafting = {0};
    enum mt_status status = MT_OK;
    for (uint32_t i = 0; i < process->n_files; i++) {
        struct mt__segment segment = {.file = process->first_file + i};
        size_t n_threads = set->files[segment.file]->n_threads;
        for (; status == MT_OK && segment.thread < n_threads; segment.thread++)
            status = draft_thread(&drafting, set, &segment);
    }
    if (status == MT_OK && !room_for_tracks(set, data_capacity, &drafting))
        status = MT_NOMEM;
    process->first_track = (uint32_t)set->n_tracks;
    if (status == MT_OK) {
        order_drafts(&drafting, process->real_pid);
        for (size_t i = 0; i < drafting.n_drafts; i++)
            take_draft(set, &drafting, &drafting.drafts[i]);
        process->n_tracks = (uint32_t)drafting.n_drafts;
    }
    drafting_fini(&drafting);
    return status;
}

/* ----------------------------------------------------------------------------------------- tids */

/* Tracks of one process with one tid come here by their first event; *former is the one before. */
static enum mt_status assign_tid(struct mt_set *set, uint32_t *former, uint32_t track,
                                 uint32_t *next_tid)
{
    uint64_t n_open = 0;
    bool over = set->track_data[*former].last_ns <= set->tracks[track].first_ns;
    enum mt_status status = over ? mt__walk_open_calls(set, *former, &n_open) : MT_OK;
    set->tracks[track].tid = over && !n_open ? set->tracks[*former].tid : (*next_tid)++;
    *former = track;
    return status;
}

/* The main thread has its process's number, as viewers expect. */
static void follow_pid(struct mt_set *set, const struct mt_process *process)
{
    if (!process->n_tracks)
        return;
    struct mt_track *track = &set->tracks[process->first_track];
    if (track->real_tid == process->real_pid)
        track->tid = process->pid;
}

/* Behind all pids that no kernel gave out. */
static uint32_t first_synthetic_tid(const struct mt_set *set)
{
    uint32_t tid = MT__FIRST_SYNTHETIC_ID;
    for (size_t i = 0; i < set->n_processes; i++)
        tid = set->processes[i].pid >= tid ? set->processes[i].pid + 1 : tid;
    return tid;
}

static enum mt_status assign_tids(struct mt_set *set)
{
    uint32_t next_tid = first_synthetic_tid(set);
    enum mt_status status = MT_OK;
    for (uint32_t i = 0; status == MT_OK && i < set->n_processes; i++) {
        const struct mt_process *process = &set->processes[i];
        struct mt_map formers = {0}; /* tid -> the latest track that has it */
        uint32_t end = process->first_track + process->n_tracks;
        follow_pid(set, process);
        for (uint32_t track = process->first_track; status == MT_OK && track < end; track++) {
            bool is_new;
            uint32_t *former = mt_map_put(&formers, set->tracks[track].tid, track, &is_new);
            if (!former)
                status = MT_NOMEM;
            else if (!is_new)
                status = assign_tid(set, former, track, &next_tid);
        }
        mt_map_fini(&formers);
    }
    return status;
}

enum mt_status mt__set_tracks(struct mt_set *set)
{
    size_t data_capacity = 0;
    enum mt_status status = MT_OK;
    for (size_t i = 0; status == MT_OK && i < set->n_processes; i++)
        status = process_tracks(set, &set->processes[i], &data_capacity);
    set->timeline.tracks = set->tracks;
    set->timeline.n_tracks = (uint32_t)set->n_tracks;
    return status == MT_OK ? assign_tids(set) : status;
}
