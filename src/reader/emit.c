/* emit.c - records to balanced events: what promise 7 says about nesting is kept here. Called by
 * cursor.c for one record after the other.
 *
 * An end that does not match the innermost open call closes down to its match; one without a match
 * is dropped. A restated stack closes everything and opens it anew. Calls that never end stay open.
 *
 * Invariant: for the events of a track so far, begins minus ends is the depth of the stack (calls
 * beyond its limit have neither), and times do not decrease.
 */
#include "reader/cursor.h"

#include "base/array.h"

/* What a kind of record means. */
static const struct action {
    uint8_t type; /* enum mt_event_type */
    uint8_t flags;
    uint8_t is_c;
    uint8_t is_call; /* begins a new call */
} actions[MT_N_KINDS] = {
    [MT_KIND_PY_BEGIN] = {MT_EVENT_BEGIN, 0, 0, 1},
    [MT_KIND_PY_END] = {MT_EVENT_END, 0, 0, 0},
    [MT_KIND_PY_END_EXC] = {MT_EVENT_END, MT_EVENT_EXCEPTION, 0, 0},
    [MT_KIND_PY_SUSPEND] = {MT_EVENT_END, MT_EVENT_SUSPEND, 0, 0},
    [MT_KIND_PY_RESUME] = {MT_EVENT_BEGIN, MT_EVENT_RESUME, 0, 0},
    [MT_KIND_C_BEGIN] = {MT_EVENT_BEGIN, 0, 1, 1},
    [MT_KIND_C_END] = {MT_EVENT_END, 0, 1, 0},
    [MT_KIND_C_END_EXC] = {MT_EVENT_END, MT_EVENT_EXCEPTION, 1, 0},
};

/* Room for n events besides one for each word that may still be on the desk. */
static bool room(struct mt_cursor *cursor, size_t n)
{
    struct mt_desk *desk = cursor->desk;
    if (MT_ARRAY_ROOM(desk->events, desk->events_capacity,
                      desk->n_events + n + MT__PIECE_WORDS + 2))
        return true;
    cursor->status = MT_NOMEM;
    return false;
}

/* There must be room. */
static struct mt_event *append(struct mt_cursor *cursor, int64_t ts_ns, uint16_t type,
                               uint16_t flags)
{
    struct mt_event *event = &cursor->desk->events[cursor->desk->n_events++];
    event->ts_ns = (uint64_t)ts_ns;
    event->dur_ns = 0;
    event->func = 0;
    event->flags = flags;
    event->type = type;
    return event;
}

static uint32_t unknown_func(struct mt_cursor *cursor, uint32_t id, bool is_c)
{
    if (id == MT_ID_UNKNOWN)
        return is_c ? MT_FUNC_UNNAMED_C : MT_FUNC_UNNAMED_PYTHON;
    cursor->counts.n_unknown_ids++;
    return is_c ? MT_FUNC_UNKNOWN_C : MT_FUNC_UNKNOWN_PYTHON;
}

static void begin(struct mt_cursor *cursor, uint32_t id, const struct action *action)
{
    uint32_t func = mt__file_func(cursor->file, id);
    if (MT_UNLIKELY(func == MT__NO_FUNC))
        func = unknown_func(cursor, id, action->is_c);
    struct mt__call call = {.begin_ns = (uint64_t)cursor->now_ns,
                            .key = id | (uint32_t)action->is_c << MT_ID_BITS,
                            .func = func};
    uint16_t flags = action->flags;
    if (MT_UNLIKELY(cursor->n_reopening)) {
        bool reopened = action->is_call && !action->is_c;
        cursor->n_reopening = reopened ? cursor->n_reopening - 1 : 0;
        flags |= reopened ? MT_EVENT_REOPENED : 0;
        call.func |= reopened ? MT__CALL_REOPENED : 0;
    }
    if (!(flags & MT_EVENT_REOPENED)) {
        cursor->counts.n_events++;
        cursor->counts.n_c_calls += action->is_c;
        cursor->counts.n_python_calls += action->is_call & !action->is_c;
    }
    uint64_t n_beyond = cursor->stack.n_beyond;
    if (MT_UNLIKELY(!mt__stack_push(&cursor->stack, &call)))
        cursor->status = MT_NOMEM;
    else if (MT_LIKELY(cursor->stack.n_beyond == n_beyond))
        append(cursor, cursor->now_ns, MT_EVENT_BEGIN, flags)->func = func;
}

/* Ends the innermost call. There must be room. */
static void end_innermost(struct mt_cursor *cursor, int64_t ts_ns, uint16_t flags)
{
    const struct mt__call *call = mt__stack_pop(&cursor->stack);
    if (call->func & MT__CALL_REOPENED)
        flags |= MT_EVENT_REOPENED;
    struct mt_event *event = append(cursor, ts_ns, MT_EVENT_END, flags);
    event->func = call->func & ~MT__CALL_REOPENED;
    event->dur_ns = (uint64_t)ts_ns - call->begin_ns;
}

/* Ends calls until `depth` are left. */
static void end_down_to(struct mt_cursor *cursor, size_t depth, int64_t ts_ns)
{
    if (!room(cursor, cursor->stack.depth - depth))
        return;
    while (cursor->stack.depth > depth)
        end_innermost(cursor, ts_ns, MT_EVENT_REPAIRED);
}

/* An end that is not the innermost call's. */
static void end_other(struct mt_cursor *cursor, uint32_t key, uint16_t flags)
{
    if (cursor->stack.n_beyond) {
        cursor->stack.n_beyond--;
        return;
    }
    size_t match = mt__stack_find(&cursor->stack, key);
    if (match == MT__NOT_FOUND) {
        cursor->counts.n_dropped++;
        return;
    }
    cursor->counts.n_repaired += cursor->stack.depth - match - 1;
    end_down_to(cursor, match + 1, cursor->now_ns);
    if (cursor->status == MT_OK)
        end_innermost(cursor, cursor->now_ns, flags);
}

void mt__emit_call(struct mt_cursor *cursor, uint32_t kind, uint32_t id)
{
    const struct action *action = &actions[kind];
    cursor->after_loss = false;
    if (action->type == MT_EVENT_BEGIN) {
        begin(cursor, id, action);
        return;
    }
    cursor->counts.n_events++;
    cursor->n_reopening = 0;
    uint32_t key = id | (uint32_t)action->is_c << MT_ID_BITS;
    if (MT_LIKELY(mt__stack_top_is(&cursor->stack, key) && !cursor->stack.n_beyond))
        end_innermost(cursor, cursor->now_ns, action->flags);
    else
        end_other(cursor, key, action->flags);
}

void mt__emit_lost(struct mt_cursor *cursor, const struct mt_event_lost *lost)
{
    struct mt_desk *desk = cursor->desk;
    cursor->counts.n_lost += lost->n_events;
    cursor->counts.n_losses++;
    cursor->after_loss = true;
    cursor->loss_ns = cursor->now_ns;
    if (!MT_ARRAY_ROOM(desk->losses, desk->losses_capacity, desk->n_losses + 1))
        cursor->status = MT_NOMEM;
    if (cursor->status != MT_OK || !room(cursor, 1))
        return;
    struct mt__loss *kept = &desk->losses[desk->n_losses++];
    *kept = (struct mt__loss){.event = desk->n_events, .lost = *lost};
    if (kept->lost.until_ns < (uint64_t)cursor->now_ns)
        kept->lost.until_ns = (uint64_t)cursor->now_ns;
    append(cursor, cursor->now_ns, MT_EVENT_LOST, 0); /* `lost` is set when losses[] stays */
}

void mt__emit_resync(struct mt_cursor *cursor, uint64_t depth)
{
    if (!cursor->after_loss && cursor->now_ns >= cursor->next_flow_ns)
        mt__emit_flows(cursor);
    /* After a loss nobody knows when the calls ended; they were last seen before it. */
    cursor->stack.n_beyond = 0;
    end_down_to(cursor, 0, cursor->after_loss ? cursor->loss_ns : cursor->now_ns);
    cursor->after_loss = false;
    cursor->n_reopening = depth;
}

/* --------------------------------------------------------------------------------------- arrows */

static void set_next_flow(struct mt_cursor *cursor)
{
    if (cursor->flow_in != MT_NONE)
        cursor->next_flow_ns = 0;
    else if (cursor->flow < cursor->flows_end)
        cursor->next_flow_ns = (int64_t)cursor->set->flows[cursor->flow].ts_ns;
    else
        cursor->next_flow_ns = INT64_MAX;
}

/* An end of the set's flow is here. */
static void meet_flow(struct mt_cursor *cursor, uint32_t flow, int64_t ts_ns, bool arrives)
{
    struct mt_desk *desk = cursor->desk;
    struct mt_flow *met = &cursor->flows->flows[flow];
    if (!cursor->slice)
        *(arrives ? &met->to_ns : &met->from_ns) = (uint64_t)ts_ns;
    else if (MT_ARRAY_ROOM(desk->marks, desk->marks_capacity, desk->n_marks + 1))
        desk->marks[desk->n_marks++] = (struct mt__flow_mark){desk->n_events, (uint64_t)ts_ns, flow,
                                                              arrives};
    else
        cursor->status = MT_NOMEM;
}

/* An arrow needs a call that is open when it leaves, and must leave before it arrives. */
static void flows_out(struct mt_cursor *cursor, int64_t until_ns)
{
    for (; cursor->flow < cursor->flows_end; cursor->flow++) {
        const struct mt__flow *flow = &cursor->set->flows[cursor->flow];
        int64_t ts_ns = (int64_t)flow->ts_ns;
        if (ts_ns > until_ns)
            return;
        if (ts_ns < cursor->former_ns)
            ts_ns = cursor->former_ns;
        bool late = ts_ns > (int64_t)flow->deadline_ns;
        if (!cursor->stack.depth && !late)
            return; /* again at the next record */
        if (!late)
            meet_flow(cursor, cursor->flow, ts_ns, false);
    }
}

void mt__emit_flows(struct mt_cursor *cursor)
{
    /* Not before all calls are stated that were open: it arrives in the innermost. */
    if (cursor->flow_in != MT_NONE && cursor->stack.depth && !cursor->n_reopening) {
        meet_flow(cursor, cursor->flow_in, cursor->former_ns, true);
        cursor->flow_in = MT_NONE;
    }
    flows_out(cursor, cursor->now_ns);
    set_next_flow(cursor);
}

void mt__emit_end(struct mt_cursor *cursor)
{
    cursor->former_ns = cursor->now_ns;
    cursor->n_reopening = 0;
    mt__emit_flows(cursor);
    if (cursor->stack.depth)
        flows_out(cursor, INT64_MAX);
    cursor->counts.n_unfinished = cursor->stack.depth + cursor->stack.n_beyond;
    if (!(cursor->needs & MT_NEEDS_PAIRS) || cursor->slice || !room(cursor, cursor->stack.depth))
        return; /* slice.c knows which of them are shown */
    for (size_t i = 0; i < cursor->stack.depth; i++) {
        const struct mt__call *call = &cursor->stack.calls[i];
        uint16_t flags = (uint16_t)(call->func & MT__CALL_REOPENED ? MT_EVENT_REOPENED : 0);
        append(cursor, (int64_t)call->begin_ns, MT_EVENT_UNFINISHED, flags)->func =
            call->func & ~MT__CALL_REOPENED;
    }
}
