/* slice_edges.c - where a slice begins and ends on a track. Called by slice.c, cursor.c and plan.c.
 */
#include "base/array.h"
#include "reader/cursor.h"

size_t mt__slice_edge(const struct mt_desk *desk, size_t at, int64_t ns)
{
    size_t high = desk->n_events;
    while (at < high) {
        size_t middle = at + (high - at) / 2;
        if ((int64_t)desk->events[middle].ts_ns < ns)
            at = middle + 1;
        else
            high = middle;
    }
    while (at < desk->n_events && (int64_t)desk->events[at].ts_ns == ns &&
           desk->events[at].type == MT_EVENT_END)
        at++;
    return at;
}

/* How deep the stack was at most behind the event `at`. */
static size_t deepest_behind(const struct mt_cursor *cursor, size_t at)
{
    const struct mt_desk *desk = cursor->desk;
    size_t depth = cursor->stack.depth, deepest = depth;
    for (size_t i = desk->n_events; i-- > at;) {
        if (desk->events[i].type == MT_EVENT_BEGIN && depth)
            depth--;
        else if (desk->events[i].type == MT_EVENT_END && ++depth > deepest)
            deepest = depth;
    }
    return deepest;
}

bool mt__slice_rewind(struct mt_cursor *cursor, size_t at)
{
    struct mt__slicing *slicing = &cursor->slicing;
    const struct mt__stack *stack = &cursor->stack;
    const struct mt_desk *desk = cursor->desk;
    size_t depth = stack->depth;
    if (!MT_ARRAY_ROOM(slicing->calls, slicing->capacity, deepest_behind(cursor, at)))
        return false;
    for (size_t i = 0; i < depth; i++)
        slicing->calls[i].func = stack->calls[i].func & ~MT__CALL_REOPENED;
    for (size_t i = desk->n_events; i-- > at;) {
        if (desk->events[i].type == MT_EVENT_BEGIN && depth)
            depth--;
        else if (desk->events[i].type == MT_EVENT_END)
            slicing->calls[depth++].func = desk->events[i].func;
    }
    slicing->depth = depth;
    return true;
}

bool mt__slice_reads_on(const struct mt_set *set, uint32_t track)
{
    /* What the tracks do not tell of a process's losses is told of the process: all must be read. */
    return set->processes[set->tracks[track].process].n_lost;
}

bool mt__slice_ends_before(const struct mt_set *set, uint32_t track, const struct mt__file *file,
                           const struct mt__chunk *chunk, uint32_t next_seq)
{
    /* Where a chunk is missing, the gap before this one may be in the slice. */
    return set->slice && chunk->seq == next_seq && !mt__slice_reads_on(set, track) &&
           mt__clock_ns(&file->clock, chunk->start_tick) > set->slice->to_ns;
}
