/* plan.c - in which order the pieces of a set are read, and what became of its arrows. Called before
 * and after the cursors' work, by one thread.
 *
 * Invariant: a plan has at least as many steps of a track as a cursor has pieces of it, and at least
 * one, unless the track is left out; steps of a track are in the order of its pieces.
 */
#include <stdlib.h>

#include "base/array.h"
#include "reader/cursor.h"

/* A chunk, for sorting. */
struct part {
    uint64_t start_ns; /* never less than that of the track's chunk before */
    uint32_t track;
    uint32_t n_words;
    size_t idx; /* makes the order one and only */
};

struct planning {
    struct part *parts;
    size_t n_parts, capacity;
    size_t n_steps;
};

/* A chunk without records is a step, too. */
static uint32_t steps_of(uint32_t n_words)
{
    return n_words ? (n_words - 1) / MT__PIECE_WORDS + 1 : 1;
}

static bool add_part(struct planning *planning, uint64_t start_ns, uint32_t track, uint32_t n_words)
{
    if (!MT_ARRAY_ROOM(planning->parts, planning->capacity, planning->n_parts + 1))
        return false;
    planning->parts[planning->n_parts] = (struct part){start_ns, track, n_words, planning->n_parts};
    planning->n_parts++;
    planning->n_steps += steps_of(n_words);
    return true;
}

static bool add_track(struct planning *planning, const struct mt_set *set, uint32_t track)
{
    const struct mt__track *data = &set->track_data[track];
    uint64_t former_ns = 0;
    size_t n_before = planning->n_parts;
    for (uint32_t i = 0; i < data->n_segments; i++) {
        const struct mt__segment *segment = &set->segments[data->first_segment + i];
        const struct mt__file *file = set->files[segment->file];
        const struct mt__thread *thread = &file->threads[segment->thread];
        uint32_t next_seq = 0;
        for (uint32_t k = 0; k < thread->n_chunks; k++) {
            const struct mt__chunk *chunk = &file->chunks[thread->first_chunk + k];
            if (planning->n_parts > n_before &&
                mt__slice_ends_before(set, track, file, chunk, next_seq))
                return true;
            next_seq = chunk->seq + 1;
            uint64_t start_ns = mt__file_ns(file, chunk->start_tick);
            former_ns = start_ns > former_ns ? start_ns : former_ns;
            if (!add_part(planning, former_ns, track, chunk->n_words))
                return false;
        }
    }
    return planning->n_parts > n_before || add_part(planning, former_ns, track, 0);
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return (x->idx > y->idx) - (x->idx < y->idx);
}

/* There is room. */
static void add_steps(struct mt_plan *plan, const struct part *part)
{
    uint32_t n_left = part->n_words;
    do {
        uint32_t n = n_left < MT__PIECE_WORDS ? n_left : MT__PIECE_WORDS;
        plan->steps[plan->n_steps++] = (struct mt_step){part->track, n};
        n_left -= n;
    } while (n_left);
}

/* ---- where the order is free: such that threads do not wait for one another */

/* A step, for sorting. */
struct woven {
    uint64_t at; /* how far it is on its track, of 2^32 */
    size_t idx;
    struct mt_step step;
};

static int compare_woven(const void *a, const void *b)
{
    const struct woven *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->idx > y->idx) - (x->idx < y->idx);
}

/* Spreads each track evenly over the whole plan, so that neighbours are of different tracks, and none is
 * left for the end alone. The steps are track by track. */
static bool weave(struct mt_plan *plan)
{
    struct woven *woven = malloc((plan->n_steps + 1) * sizeof *woven);
    if (!woven)
        return false;
    for (size_t first = 0, end; first < plan->n_steps; first = end) {
        for (end = first;
             end < plan->n_steps && plan->steps[end].track == plan->steps[first].track;)
            end++;
        for (size_t i = first; i < end; i++) {
            uint64_t at = (((uint64_t)(i - first) << 32) + (UINT64_C(1) << 31)) / (end - first);
            woven[i] = (struct woven){at, i, plan->steps[i]};
        }
    }
    if (plan->n_steps)
        qsort(woven, plan->n_steps, sizeof *woven, compare_woven);
    for (size_t i = 0; i < plan->n_steps; i++)
        plan->steps[i] = woven[i].step;
    free(woven);
    return true;
}

enum mt_status mt_plan_init(struct mt_plan *plan, const struct mt_set *set, unsigned needs)
{
    struct planning planning = {0};
    bool good = true;
    *plan = (struct mt_plan){0};
    for (uint32_t track = 0; good && track < set->n_tracks; track++)
        good = set->tracks[track].left_out || add_track(&planning, set, track);
    bool by_time = !(needs & (MT_NEEDS_WHOLE_TRACKS | MT_NEEDS_NO_ORDER));
    if (good && planning.n_parts && by_time)
        qsort(planning.parts, planning.n_parts, sizeof *planning.parts, compare_parts);
    plan->steps = good ? malloc((planning.n_steps + 1) * sizeof *plan->steps) : NULL;
    for (size_t i = 0; plan->steps && i < planning.n_parts; i++)
        add_steps(plan, &planning.parts[i]);
    free(planning.parts);
    if (plan->steps && needs & MT_NEEDS_NO_ORDER && !weave(plan))
        mt_plan_fini(plan);
    return plan->steps ? MT_OK : MT_NOMEM;
}

void mt_plan_fini(struct mt_plan *plan)
{
    free(plan->steps);
    *plan = (struct mt_plan){0};
}

/* --------------------------------------------------------------------------------------- arrows */

enum mt_status mt_flows_new(const struct mt_set *set, struct mt_flows **out)
{
    struct mt_flows *flows = calloc(1, sizeof *flows);
    *out = flows;
    if (!flows)
        return MT_NOMEM;
    flows->n_flows = set->n_flows;
    flows->flows = malloc((set->n_flows + 1) * sizeof *flows->flows);
    flows->settled = malloc((set->n_flows + 1) * sizeof *flows->settled);
    if (!flows->flows || !flows->settled) {
        mt_flows_free(flows);
        *out = NULL;
        return MT_NOMEM;
    }
    for (size_t i = 0; i < set->n_flows; i++)
        flows->flows[i] = (struct mt_flow){.from_track = set->flows[i].from_track,
                                           .to_track = set->flows[i].to_track,
                                           .from_ns = MT__NO_END,
                                           .to_ns = MT__NO_END};
    return MT_OK;
}

void mt_flows_free(struct mt_flows *flows)
{
    if (!flows)
        return;
    free(flows->flows);
    free(flows->settled);
    free(flows);
}

const struct mt_flow *mt_flows_settled(struct mt_flows *flows, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < flows->n_flows; i++) {
        const struct mt_flow *flow = &flows->flows[i];
        if (flow->from_ns != MT__NO_END && flow->to_ns != MT__NO_END)
            flows->settled[(*n)++] = *flow;
    }
    return flows->settled;
}
