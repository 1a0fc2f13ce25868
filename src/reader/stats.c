/* stats.c - adding up a whole set: what `mtrace run` and `mtrace info` tell. Called on one thread. */
#include "reader/set.h"

void mt_counts_add(struct mt_counts *sum, const struct mt_counts *counts)
{
    sum->n_events += counts->n_events;
    sum->n_python_calls += counts->n_python_calls;
    sum->n_c_calls += counts->n_c_calls;
    sum->n_unfinished += counts->n_unfinished;
    sum->n_lost += counts->n_lost;
    sum->n_losses += counts->n_losses;
    sum->n_repaired += counts->n_repaired;
    sum->n_dropped += counts->n_dropped;
    sum->n_unknown_ids += counts->n_unknown_ids;
    sum->n_unknown_kinds += counts->n_unknown_kinds;
}

/* Walks the tracks of a process. Its header counts losses of threads, too, that could not write any
 * record; the larger number is the true one. */
static void add_process(struct mt_set *set, const struct mt_process *process, struct mt_walk *walk,
                        struct mt_set_stats *out, struct mt_counts *per_track)
{
    struct mt_counts counts = {0};
    struct mt_run run;
    for (uint32_t i = 0; i < process->n_tracks; i++) {
        uint32_t track = process->first_track + i;
        mt_walk_start(walk, track);
        while (mt_walk_next(walk, &run))
            continue;
        mt_counts_add(&counts, mt_walk_counts(walk));
        if (per_track)
            per_track[track] = *mt_walk_counts(walk);
        if (set->track_data[track].last_ns > out->dur_ns)
            out->dur_ns = set->track_data[track].last_ns;
    }
    mt_counts_add(&out->counts, &counts);
    out->n_lost += counts.n_lost > process->n_lost ? counts.n_lost : process->n_lost;
    out->n_processes += process->former == MT_NONE;
}

enum mt_status mt_set_stats(struct mt_set *set, struct mt_set_stats *out,
                            struct mt_counts *per_track)
{
    *out = (struct mt_set_stats){0};
    struct mt_walk *walk;
    enum mt_status status = mt_walk_new(set, 0, &walk);
    if (status != MT_OK)
        return status;
    for (size_t i = 0; i < set->n_files; i++)
        out->n_bytes += set->files[i]->n_bytes;
    for (size_t i = 0; i < set->n_processes; i++)
        add_process(set, &set->processes[i], walk, out, per_track);
    out->n_files = (uint32_t)set->n_files;
    out->n_threads = (uint32_t)set->n_tracks;
    status = mt_walk_status(walk);
    mt_walk_free(walk);
    return status;
}
