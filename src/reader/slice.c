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
#include "base/atomic.h"
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
static inline void append(const struct out *out, uint16_t type, const struct mt__slice_call *call,
                          uint64_t ts_ns, uint16_t flags)
{
    struct mt_event *event = &out->desk->sliced[out->desk->n_sliced++];
    event->ts_ns = ts_ns;
    event->dur_ns = type == MT_EVENT_END ? ts_ns - call->begin_ns : 0;
    event->func = call->func;
    event->flags = flags;
    event->type = type;
}

static void append_loss(const struct out *out, uint64_t ts_ns, const struct mt_event_lost *lost)
{
    struct mt_desk *desk = out->desk;
    static const struct mt__slice_call no_call;
    if (!MT_ARRAY_ROOM(desk->sliced_losses, desk->sliced_losses_capacity,
                       desk->n_sliced_losses + 1)) {
        out->cursor->status = MT_NOMEM;
        return;
    }
    struct mt__loss *kept = &desk->sliced_losses[desk->n_sliced_losses++];
    *kept = (struct mt__loss){.event = desk->n_sliced, .lost = *lost};
    if (kept->lost.until_ns > (uint64_t)out->slice->to_ns)
        kept->lost.until_ns = (uint64_t)out->slice->to_ns;
    append(out, MT_EVENT_LOST, &no_call, ts_ns, 0); /* `lost` is set when losses[] stays */
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
            append(out, MT_EVENT_BEGIN, call, call->begin_ns, call->flags);
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

static inline bool is_shown(const struct out *out, uint32_t func)
{
    const uint64_t *hidden = out->slice->hidden;
    return out->slicing->n_shown < out->slice->max_depth &&
           !(hidden && hidden[func / 64] >> func % 64 & 1);
}

static inline void begin(const struct out *out, uint64_t ts_ns, uint32_t func, uint16_t flags)
{
    struct mt__slicing *slicing = out->slicing;
    if (MT_UNLIKELY(slicing->depth == slicing->capacity) &&
        !MT_ARRAY_ROOM(slicing->calls, slicing->capacity, slicing->depth + 1)) {
        out->cursor->status = MT_NOMEM;
        return;
    }
    struct mt__slice_call *call = &slicing->calls[slicing->depth++];
    *call = (struct mt__slice_call){ts_ns, func, flags, is_shown(out, func)};
    slicing->n_shown += call->is_shown;
    if (call->is_shown && out->slice->min_ns)
        return; /* it waits */
    if (slicing->n_given < slicing->depth - 1)
        return; /* within one that waits */
    slicing->n_given = slicing->depth;
    slicing->n_shown_given += call->is_shown;
    if (call->is_shown)
        append(out, MT_EVENT_BEGIN, call, ts_ns, flags);
}

/* What waits for nothing any more, after the innermost call is off the stack. */
static void settle(const struct out *out)
{
    struct mt__slicing *slicing = out->slicing;
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
static inline void end(const struct out *out, uint64_t ts_ns, uint16_t flags)
{
    struct mt__slicing *slicing = out->slicing;
    if (!slicing->depth)
        return;
    const struct mt__slice_call *call = &slicing->calls[slicing->depth - 1];
    bool shown = call->is_shown;
    if (slicing->n_given < slicing->depth && shown && ts_ns - call->begin_ns >= out->slice->min_ns)
        give_begins(out, ts_ns);
    bool given = slicing->n_given == slicing->depth;
    if (shown && given)
        append(out, MT_EVENT_END, call, ts_ns, flags | (call->flags & MT_EVENT_REOPENED));
    slicing->depth--;
    slicing->n_given -= given;
    slicing->n_shown -= shown;
    slicing->n_shown_given -= shown && given;
    if (MT_UNLIKELY(!slicing->n_shown || slicing->n_losses))
        settle(out);
}

/* ------------------------------------------------------------------------------- the slice's edges */

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

/* The slice begins before the event `at`. */
static void enter(const struct out *out, size_t at)
{
    struct mt__slicing *slicing = out->slicing;
    slicing->state = MT__SLICE_INSIDE;
    keep_losses(out, at);
    if (!mt__slice_rewind(out->cursor, at) || !room(out, slicing->depth + slicing->n_losses)) {
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
        end(out, (uint64_t)out->slice->to_ns, MT_EVENT_CUT);
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
            append(out, MT_EVENT_UNFINISHED, call, call->begin_ns, call->flags & MT_EVENT_REOPENED);
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
    const struct mt__flow_mark *marks = desk->marks;
    size_t mark = 0;
    if (desk->n_losses) {
        while (loss < desk->losses + desk->n_losses && loss->event < at)
            loss++;
    }
    while (mark < desk->n_marks && marks[mark].event < at)
        mark++;
    /* One for each, those that wait, and a loss may become two. */
    if (!room(out, events_end - at + out->slicing->depth + out->slicing->n_losses + 1))
        return;
    for (; at < events_end && out->cursor->status == MT_OK; at++) {
        for (; mark < desk->n_marks && marks[mark].event == at; mark++)
            meet_flow(out, &marks[mark]);
        take_event(out, &desk->events[at], &loss);
    }
    for (; mark < desk->n_marks && marks[mark].event == events_end; mark++)
        meet_flow(out, &marks[mark]);
}

static void inside(const struct out *out, size_t at, bool at_end)
{
    const struct mt__slice *slice = out->slice;
    const struct mt_cursor *cursor = out->cursor;
    size_t events_end = mt__slice_edge(out->desk, at, slice->to_ns);
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
        at = mt__slice_edge(desk, 0, cursor->slice->from_ns);
        if (at < desk->n_events || (at_end && is_alive(cursor)))
            enter(&out, at);
        else
            keep_losses(&out, at);
    }
    if (slicing->state == MT__SLICE_INSIDE && cursor->status == MT_OK)
        inside(&out, at, at_end);
    swap_events(desk);
    desk->n_marks = 0;
    bool is_behind = slicing->state == MT__SLICE_AFTER &&
                     !mt__slice_reads_on(cursor->set, cursor->track);
    return at_end || is_behind || cursor->status != MT_OK;
}
