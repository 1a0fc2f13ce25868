/* slice.c - leaves out of a track's events what the set's slice does not want. Called by cursor.c with
 * each run that is on the desk, before anybody else sees it.
 *
 * First the time: of what is decoded before the slice begins, only the open calls matter; they begin
 * where it begins. Then each call is shown or not, by its function and by how many shown calls it is
 * in. Where short calls are unwanted, a BEGIN waits until its call has lasted long enough: all calls
 * around it have by then, so what waits is always an inner part of the stack.
 *
 * Invariant: for the events given out so far, begins minus ends is n_shown_given, and times do not
 * decrease: nothing is given out while an earlier BEGIN waits that may yet be given out.
 */
#include "reader/slice.h"

#include "base/array.h"
#include "reader/cursor.h"

/* The run that is being made. */
struct out {
    struct mt_cursor *cursor;
    const struct mt__slice *slice;
    struct mt__slicing *slicing;
    struct mt_desk *desk;
};

/* ----------------------------------------------------------------------------------------- output */

/* Room for n events more. */
static bool room(const struct out *out, size_t n)
{
    struct mt_desk *desk = out->desk;
    if (MT_ARRAY_ROOM(desk->sliced, desk->sliced_capacity, desk->n_sliced + n))
        return true;
    out->cursor->status = MT_NOMEM;
    return false;
}

/* There must be room. */
static struct mt_event *append(const struct out *out, const struct mt_event *event)
{
    struct mt_event *place = &out->desk->sliced[out->desk->n_sliced++];
    *place = *event;
    return place;
}

static void append_call(const struct out *out, const struct mt__slice_call *call, uint16_t type,
                        uint64_t ts_ns, uint16_t flags)
{
    struct mt_event event = {.ts_ns = ts_ns, .func = call->func, .flags = flags, .type = type};
    if (type == MT_EVENT_END)
        event.dur_ns = ts_ns - call->begin_ns;
    append(out, &event);
}

static void append_loss(const struct out *out, uint64_t ts_ns, const struct mt_event_lost *lost)
{
    struct mt_desk *desk = out->desk;
    struct mt_event event = {.ts_ns = ts_ns, .type = MT_EVENT_LOST};
    if (!MT_ARRAY_ROOM(desk->sliced_losses, desk->sliced_losses_capacity,
                       desk->n_sliced_losses + 1)) {
        out->cursor->status = MT_NOMEM;
        return;
    }
    struct mt__loss *kept = &desk->sliced_losses[desk->n_sliced_losses++];
    *kept = (struct mt__loss){.event = desk->n_sliced, .lost = *lost};
    if (kept->lost.until_ns > (uint64_t)out->slice->to_ns)
        kept->lost.until_ns = (uint64_t)out->slice->to_ns;
    append(out, &event);
}

/* ----------------------------------------------------------------------------------------- losses */

/* Gives out the losses that no waiting call began before. */
static void give_losses(const struct out *out)
{
    struct mt__slicing *slicing = out->slicing;
    size_t n_kept = 0;
    for (size_t i = 0; i < slicing->n_losses; i++) {
        struct mt__waiting_loss *loss = &slicing->losses[i];
        if (loss->depth <= slicing->n_given)
            append_loss(out, loss->ts_ns, &loss->lost);
        else
            slicing->losses[n_kept++] = *loss;
    }
    slicing->n_losses = n_kept;
}

static void wait_with_loss(struct mt__slicing *slicing, uint64_t ts_ns,
                           const struct mt_event_lost *lost)
{
    struct mt__waiting_loss loss = {.ts_ns = ts_ns, .depth = slicing->depth, .lost = *lost};
    if (slicing->n_losses < MT__MAX_WAITING_LOSSES) {
        slicing->losses[slicing->n_losses++] = loss;
        return;
    }
    struct mt_event_lost *last = &slicing->losses[slicing->n_losses - 1].lost;
    last->n_events = last->n_events && lost->n_events ? last->n_events + lost->n_events : 0;
    last->until_ns = lost->until_ns > last->until_ns ? lost->until_ns : last->until_ns;
}

/* ----------------------------------------------------------------------------------------- arrows */

static void refuse_flows(const struct out *out)
{
    struct mt__slicing *slicing = out->slicing;
    struct mt_flow *flows = out->cursor->flows->flows;
    for (size_t i = slicing->first_flow; i < slicing->flows_end; i++)
        flows[i].from_ns = MT__NO_END;
    if (slicing->flow_in != MT_NONE)
        flows[slicing->flow_in].to_ns = MT__NO_END;
    slicing->first_flow = slicing->flows_end = 0;
    slicing->flow_in = MT_NONE;
}

static void accept_flows(struct mt__slicing *slicing)
{
    slicing->first_flow = slicing->flows_end = 0;
    slicing->flow_in = MT_NONE;
}

/* An end of an arrow is where a shown call is open. One of which that is not known yet is written
 * down and may be taken back; all of these are in the outermost call that waits. */
static void meet_flow(const struct out *out, const struct mt__flow_mark *mark)
{
    struct mt__slicing *slicing = out->slicing;
    struct mt_flow *flow = &out->cursor->flows->flows[mark->flow];
    if (!slicing->n_shown || (int64_t)mark->ts_ns < out->slice->from_ns ||
        (int64_t)mark->ts_ns > out->slice->to_ns)
        return;
    *(mark->arrives ? &flow->to_ns : &flow->from_ns) = mark->ts_ns;
    if (slicing->n_shown_given)
        return;
    if (mark->arrives) {
        slicing->flow_in = mark->flow;
        return;
    }
    if (slicing->first_flow == slicing->flows_end)
        slicing->first_flow = mark->flow;
    slicing->flows_end = mark->flow + 1;
}

/* ------------------------------------------------------------------------------------------ calls */

/* Gives out the BEGINs of waiting calls that began at `latest_ns` or before. There must be room. */
static void give_begins(const struct out *out, uint64_t latest_ns)
{
    struct mt__slicing *slicing = out->slicing;
    while (slicing->n_given < slicing->depth) {
        const struct mt__slice_call *call = &slicing->calls[slicing->n_given];
        if (call->is_shown) {
            if (call->begin_ns > latest_ns)
                return;
            if (slicing->n_losses)
                give_losses(out);
            append_call(out, call, MT_EVENT_BEGIN, call->begin_ns, call->flags);
            if (!slicing->n_shown_given++)
                accept_flows(slicing);
        }
        slicing->n_given++;
    }
    if (slicing->n_losses)
        give_losses(out);
}

/* The calls that have lasted long enough at `now_ns`, which may be behind the slice. */
static void give_certain(const struct out *out, uint64_t now_ns)
{
    uint64_t min_ns = out->slice->min_ns, to_ns = (uint64_t)out->slice->to_ns;
    now_ns = now_ns < to_ns ? now_ns : to_ns;
    if (now_ns >= min_ns)
        give_begins(out, now_ns - min_ns);
}

static bool is_shown(const struct out *out, uint32_t func)
{
    const uint64_t *hidden = out->slice->hidden;
    return out->slicing->n_shown < out->slice->max_depth &&
           !(hidden && hidden[func / 64] >> func % 64 & 1);
}

static void begin(const struct out *out, uint64_t ts_ns, uint32_t func, uint16_t flags)
{
    struct mt__slicing *slicing = out->slicing;
    if (!MT_ARRAY_ROOM(slicing->calls, slicing->capacity, slicing->depth + 1)) {
        out->cursor->status = MT_NOMEM;
        return;
    }
    struct mt__slice_call *call = &slicing->calls[slicing->depth++];
    *call = (struct mt__slice_call){ts_ns, func, flags, is_shown(out, func)};
    slicing->n_shown += call->is_shown;
    if (!out->slice->min_ns)
        give_begins(out, ts_ns);
    else if (!call->is_shown && slicing->n_given == slicing->depth - 1)
        slicing->n_given = slicing->depth;
}

/* The innermost call is off the stack. */
static void settle_pop(const struct out *out, const struct mt__slice_call *call, bool was_given)
{
    struct mt__slicing *slicing = out->slicing;
    slicing->n_shown -= call->is_shown;
    slicing->n_shown_given -= call->is_shown && was_given;
    if (slicing->n_given > slicing->depth)
        slicing->n_given = slicing->depth;
    if (!slicing->n_shown)
        refuse_flows(out);
    for (size_t i = 0; i < slicing->n_losses; i++) {
        if (slicing->losses[i].depth > slicing->depth)
            slicing->losses[i].depth = slicing->depth;
    }
    if (slicing->n_losses)
        give_losses(out);
}

/* The innermost call ends. */
static void end(const struct out *out, uint64_t ts_ns, uint16_t flags)
{
    struct mt__slicing *slicing = out->slicing;
    if (!slicing->depth)
        return;
    const struct mt__slice_call call = slicing->calls[slicing->depth - 1];
    if (call.is_shown && slicing->n_given < slicing->depth &&
        ts_ns - call.begin_ns >= out->slice->min_ns)
        give_begins(out, ts_ns);
    bool was_given = slicing->n_given == slicing->depth;
    if (call.is_shown && was_given)
        append_call(out, &call, MT_EVENT_END, ts_ns, flags | (call.flags & MT_EVENT_REOPENED));
    slicing->depth--;
    settle_pop(out, &call, was_given);
}

/* ------------------------------------------------------------------------------- the slice's edges */

/* The first event that is in the slice: what ends just where it begins is not. */
static size_t first_inside(const struct mt_desk *desk, int64_t from_ns)
{
    size_t low = 0, high = desk->n_events;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((int64_t)desk->events[middle].ts_ns < from_ns)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < desk->n_events && (int64_t)desk->events[low].ts_ns == from_ns &&
           desk->events[low].type == MT_EVENT_END)
        low++;
    return low;
}

/* The first event that is behind the slice: what begins just where it ends is. */
static size_t first_behind(const struct mt_desk *desk, size_t at, int64_t to_ns)
{
    size_t high = desk->n_events;
    while (at < high) {
        size_t middle = at + (high - at) / 2;
        if ((int64_t)desk->events[middle].ts_ns < to_ns)
            at = middle + 1;
        else
            high = middle;
    }
    while (at < desk->n_events && (int64_t)desk->events[at].ts_ns == to_ns &&
           desk->events[at].type == MT_EVENT_END)
        at++;
    return at;
}

/* Losses that go on where the slice begins. */
static void keep_losses(const struct out *out, size_t events_end)
{
    const struct mt_desk *desk = out->desk;
    uint64_t from_ns = (uint64_t)out->slice->from_ns;
    for (size_t i = 0; i < desk->n_losses && desk->losses[i].event < events_end; i++) {
        if (desk->losses[i].lost.until_ns >= from_ns)
            wait_with_loss(out->slicing, from_ns, &desk->losses[i].lost);
    }
}

/* The calls that are open before the event `at`: the cursor has those behind the last one. */
static bool rewind_stack(const struct out *out, size_t at)
{
    struct mt__slicing *slicing = out->slicing;
    const struct mt__stack *stack = &out->cursor->stack;
    const struct mt_desk *desk = out->desk;
    size_t depth = stack->depth;
    if (!MT_ARRAY_ROOM(slicing->calls, slicing->capacity, depth + desk->n_events))
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

/* The slice begins before the event `at`. */
static void enter(const struct out *out, size_t at)
{
    struct mt__slicing *slicing = out->slicing;
    slicing->state = MT__SLICE_INSIDE;
    keep_losses(out, at);
    if (!rewind_stack(out, at) || !room(out, slicing->depth + slicing->n_losses)) {
        out->cursor->status = MT_NOMEM;
        return;
    }
    size_t depth = slicing->depth;
    for (size_t i = 0; i < slicing->n_losses; i++)
        slicing->losses[i].depth = depth;
    slicing->depth = 0;
    for (size_t i = 0; i < depth; i++)
        begin(out, (uint64_t)out->slice->from_ns, slicing->calls[i].func, MT_EVENT_REOPENED);
    give_losses(out);
}

/* The track goes on, the slice does not. */
static void leave(const struct out *out)
{
    struct mt__slicing *slicing = out->slicing;
    slicing->state = MT__SLICE_AFTER;
    if (!room(out, 2 * slicing->depth + slicing->n_losses))
        return;
    while (slicing->depth)
        end(out, (uint64_t)out->slice->to_ns, MT_EVENT_REPAIRED);
}

/* The track is over. Calls that never ended last until their process's last sign of life. */
static void finish(const struct out *out)
{
    struct mt__slicing *slicing = out->slicing;
    const struct mt_set *set = out->cursor->set;
    uint64_t end_ns = out->slice->alive_ns[set->tracks[out->cursor->track].process];
    if (end_ns < (uint64_t)out->cursor->now_ns)
        end_ns = (uint64_t)out->cursor->now_ns;
    if (!room(out, 2 * slicing->depth + slicing->n_losses))
        return;
    give_certain(out, end_ns);
    if (!slicing->n_shown_given)
        refuse_flows(out);
    size_t n_open = slicing->n_given;
    slicing->n_given = slicing->depth;
    give_losses(out);
    for (size_t i = 0; out->cursor->needs & MT_NEEDS_PAIRS && i < n_open; i++) {
        const struct mt__slice_call *call = &slicing->calls[i];
        if (call->is_shown)
            append_call(out, call, MT_EVENT_UNFINISHED, call->begin_ns,
                        call->flags & MT_EVENT_REOPENED);
    }
}

/* -------------------------------------------------------------------------------------------- runs */

static void take_event(const struct out *out, const struct mt_event *event,
                       const struct mt__loss **loss)
{
    struct mt__slicing *slicing = out->slicing;
    if (event->type == MT_EVENT_BEGIN) {
        begin(out, event->ts_ns, event->func, event->flags);
    } else if (event->type == MT_EVENT_END) {
        end(out, event->ts_ns, event->flags);
    } else if (event->type == MT_EVENT_LOST) {
        wait_with_loss(slicing, event->ts_ns, &(*loss)++->lost);
        give_losses(out);
    }
}

/* The events [at, events_end) are in the slice, and the arrows before the last of them and behind it. */
static void take_events(const struct out *out, size_t at, size_t events_end)
{
    const struct mt_desk *desk = out->desk;
    const struct mt__loss *loss = desk->losses;
    const struct mt__flow_mark *mark = desk->marks, *marks_end = mark + desk->n_marks;
    if (desk->n_losses) {
        while (loss < desk->losses + desk->n_losses && loss->event < at)
            loss++;
    }
    while (mark < marks_end && mark->event < at)
        mark++;
    /* One for each, those that wait, and a loss may become two. */
    if (!room(out, events_end - at + out->slicing->depth + out->slicing->n_losses + 1))
        return;
    for (; at < events_end && out->cursor->status == MT_OK; at++) {
        for (; mark < marks_end && mark->event == at; mark++)
            meet_flow(out, mark);
        take_event(out, &desk->events[at], &loss);
    }
    for (; mark < marks_end && mark->event == events_end; mark++)
        meet_flow(out, mark);
}

static void inside(const struct out *out, size_t at, bool at_end)
{
    const struct mt__slice *slice = out->slice;
    const struct mt_cursor *cursor = out->cursor;
    size_t events_end = first_behind(out->desk, at, slice->to_ns);
    take_events(out, at, events_end);
    if (cursor->status != MT_OK)
        return;
    if (events_end < out->desk->n_events || (at_end && cursor->cut_short))
        leave(out);
    else if (at_end)
        finish(out);
    else if (room(out, out->slicing->depth + out->slicing->n_losses))
        give_certain(out, (uint64_t)cursor->now_ns);
}

/* Whether the track's calls, if any is open, are open where the slice begins. */
static bool is_alive(const struct mt_cursor *cursor)
{
    uint32_t process = cursor->set->tracks[cursor->track].process;
    return cursor->cut_short ||
           cursor->slice->alive_ns[process] >= (uint64_t)cursor->slice->from_ns;
}

/* The desk's events are those of the slice now. */
static void swap_events(struct mt_desk *desk)
{
    struct mt_event *events = desk->events;
    struct mt__loss *losses = desk->losses;
    size_t events_capacity = desk->events_capacity, losses_capacity = desk->losses_capacity;
    desk->events = desk->sliced;
    desk->n_events = desk->n_sliced;
    desk->events_capacity = desk->sliced_capacity;
    desk->losses = desk->sliced_losses;
    desk->n_losses = desk->n_sliced_losses;
    desk->losses_capacity = desk->sliced_losses_capacity;
    desk->sliced = events;
    desk->sliced_capacity = events_capacity;
    desk->sliced_losses = losses;
    desk->sliced_losses_capacity = losses_capacity;
}

static bool reads_on(const struct mt_set *set, uint32_t track)
{
    /* What the tracks do not tell of a process's losses is told of the process: all must be read. */
    return set->processes[set->tracks[track].process].n_lost;
}

bool mt__slice_run(struct mt_cursor *cursor, bool at_end)
{
    struct mt__slicing *slicing = &cursor->slicing;
    struct mt_desk *desk = cursor->desk;
    struct out out = {cursor, cursor->slice, slicing, desk};
    desk->n_sliced = desk->n_sliced_losses = 0;
    size_t at = 0;
    if (!room(&out, MT__PIECE_WORDS + 2)) /* decoding wants it of each array */
        return true;
    if (slicing->state == MT__SLICE_BEFORE) {
        at = first_inside(desk, cursor->slice->from_ns);
        if (at < desk->n_events || (at_end && is_alive(cursor)))
            enter(&out, at);
        else
            keep_losses(&out, at);
    }
    if (slicing->state == MT__SLICE_INSIDE && cursor->status == MT_OK)
        inside(&out, at, at_end);
    swap_events(desk);
    desk->n_marks = 0;
    bool is_behind = slicing->state == MT__SLICE_AFTER && !reads_on(cursor->set, cursor->track);
    return at_end || is_behind || cursor->status != MT_OK;
}

bool mt__slice_ends_before(const struct mt_set *set, uint32_t track, const struct mt__file *file,
                           const struct mt__chunk *chunk, uint32_t next_seq)
{
    /* Where a chunk is missing, the gap before this one may be in the slice. */
    return set->slice && chunk->seq == next_seq && !reads_on(set, track) &&
           mt__clock_ns(&file->clock, chunk->start_tick) > set->slice->to_ns;
}
