/* walk.c - one desk and one cursor that goes over the tracks: for whoever reads on one thread. */
#include <stdlib.h>

#include "reader/cursor.h"

struct mt_walk {
    struct mt_set *set;
    unsigned needs;
    enum mt_status status;
    struct mt_desk *desk;
    struct mt_flows *flows;
    struct mt_cursor cursor;
    uint64_t *n_lost_told; /* by process */
    struct mt_outcome outcome;
};

enum mt_status mt_walk_new(struct mt_set *set, unsigned needs, struct mt_walk **out)
{
    struct mt_walk *walk = calloc(1, sizeof *walk);
    *out = walk;
    if (!walk)
        return MT_NOMEM;
    walk->set = set;
    walk->needs = needs;
    walk->cursor.over = true;
    walk->n_lost_told = calloc(set->n_processes + 1, sizeof *walk->n_lost_told);
    if (walk->n_lost_told && mt_desk_new(set, &walk->desk) == MT_OK &&
        mt_flows_new(set, &walk->flows) == MT_OK)
        return MT_OK;
    mt_walk_free(walk);
    *out = NULL;
    return MT_NOMEM;
}

void mt_walk_free(struct mt_walk *walk)
{
    if (!walk)
        return;
    mt__cursor_fini(&walk->cursor);
    mt_desk_free(walk->desk);
    mt_flows_free(walk->flows);
    free(walk->n_lost_told);
    free(walk);
}

void mt_walk_start(struct mt_walk *walk, uint32_t track)
{
    enum mt_status status = mt__cursor_init(&walk->cursor, walk->set, track, walk->needs,
                                            walk->flows);
    walk->status = status == MT_OK ? walk->status : status;
}

bool mt_walk_next(struct mt_walk *walk, struct mt_run *run)
{
    if (!mt_cursor_next(&walk->cursor, walk->desk, run))
        return false;
    if (walk->cursor.status != MT_OK)
        walk->status = walk->cursor.status;
    if (run->last)
        walk->n_lost_told[walk->set->tracks[run->track].process] += walk->cursor.counts.n_lost;
    return true;
}

const struct mt_counts *mt_walk_counts(const struct mt_walk *walk)
{
    return &walk->cursor.counts;
}

enum mt_status mt_walk_status(const struct mt_walk *walk)
{
    return walk->status;
}

const struct mt_outcome *mt_walk_outcome(struct mt_walk *walk)
{
    walk->outcome.flows = mt_flows_settled(walk->flows, &walk->outcome.n_flows);
    walk->outcome.n_lost_told = walk->n_lost_told;
    return &walk->outcome;
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
    *n_open = mt_walk_counts(walk)->n_unfinished;
    enum mt_status status = walk->status;
    mt_walk_free(walk);
    return status;
}
