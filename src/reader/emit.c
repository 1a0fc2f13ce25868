/* emit.c - records to balanced events: what promise 7 says about nesting is kept here. Called by
 * walk.c for one record after the other.
 *
 * An end that does not match the innermost open call closes down to its match; one without a match
 * is dropped. A restated stack closes everything and opens it anew. Calls that never end stay open.
 *
 * Invariant: for the events of a track so far, begins minus ends is the depth of the stack (calls
 * beyond its limit have neither), and times do not decrease.
 */
#include "reader/walk.h"

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

/* Room for n events besides those that a record may add at its end. */
static bool room(struct mt_walk *walk, size_t n)
{
    if (MT_ARRAY_ROOM(walk->events, walk->events_capacity, walk->n_events + n + 2))
        return true;
    walk->status = MT_NOMEM;
    return false;
}

/* There must be room. */
static struct mt_event *append(struct mt_walk *walk, int64_t ts_ns, uint16_t type, uint16_t flags)
{
    struct mt_event *event = &walk->events[walk->n_events++];
    event->ts_ns = (uint64_t)ts_ns;
    event->dur_ns = 0;
    event->func = 0;
    event->flags = flags;
    event->type = type;
    return event;
}

static uint32_t unknown_func(struct mt_walk *walk, uint32_t id, bool is_c)
{
    if (id == MT_ID_UNKNOWN)
        return is_c ? MT_FUNC_UNNAMED_C : MT_FUNC_UNNAMED_PYTHON;
    walk->counts.n_unknown_ids++;
    return is_c ? MT_FUNC_UNKNOWN_C : MT_FUNC_UNKNOWN_PYTHON;
}

static void begin(struct mt_walk *walk, uint32_t id, const struct action *action)
{
    uint32_t func = mt__file_func(walk->file, id);
    if (MT_UNLIKELY(func == MT__NO_FUNC))
        func = unknown_func(walk, id, action->is_c);
    struct mt__call call = {.begin_ns = (uint64_t)walk->now_ns,
                            .key = id | (uint32_t)action->is_c << MT_ID_BITS,
                            .func = func};
    uint16_t flags = action->flags;
    if (MT_UNLIKELY(walk->n_reopening)) {
        bool reopened = action->is_call && !action->is_c;
        walk->n_reopening = reopened ? walk->n_reopening - 1 : 0;
        flags |= reopened ? MT_EVENT_REOPENED : 0;
        call.func |= reopened ? MT__CALL_REOPENED : 0;
    }
    if (!(flags & MT_EVENT_REOPENED)) {
        walk->counts.n_events++;
        walk->counts.n_c_calls += action->is_c;
        walk->counts.n_python_calls += action->is_call & !action->is_c;
    }
    uint64_t n_beyond = walk->stack.n_beyond;
    if (MT_UNLIKELY(!mt__stack_push(&walk->stack, &call)))
        walk->status = MT_NOMEM;
    else if (MT_LIKELY(walk->stack.n_beyond == n_beyond))
        append(walk, walk->now_ns, MT_EVENT_BEGIN, flags)->func = func;
}

/* Ends the innermost call. There must be room. */
static void end_innermost(struct mt_walk *walk, int64_t ts_ns, uint16_t flags)
{
    const struct mt__call *call = mt__stack_pop(&walk->stack);
    if (call->func & MT__CALL_REOPENED)
        flags |= MT_EVENT_REOPENED;
    struct mt_event *event = append(walk, ts_ns, MT_EVENT_END, flags);
    event->func = call->func & ~MT__CALL_REOPENED;
    event->dur_ns = (uint64_t)ts_ns - call->begin_ns;
}

/* Ends calls until `depth` are left. */
static void end_down_to(struct mt_walk *walk, size_t depth, int64_t ts_ns)
{
    if (!room(walk, walk->stack.depth - depth))
        return;
    while (walk->stack.depth > depth)
        end_innermost(walk, ts_ns, MT_EVENT_REPAIRED);
}

/* An end that is not the innermost call's. */
static void end_other(struct mt_walk *walk, uint32_t key, uint16_t flags)
{
    if (walk->stack.n_beyond) {
        walk->stack.n_beyond--;
        return;
    }
    size_t match = mt__stack_find(&walk->stack, key);
    if (match == MT__NOT_FOUND) {
        walk->counts.n_dropped++;
        return;
    }
    walk->counts.n_repaired += walk->stack.depth - match - 1;
    end_down_to(walk, match + 1, walk->now_ns);
    if (walk->status == MT_OK)
        end_innermost(walk, walk->now_ns, flags);
}

void mt__emit_call(struct mt_walk *walk, uint32_t kind, uint32_t id)
{
    const struct action *action = &actions[kind];
    walk->after_loss = false;
    if (action->type == MT_EVENT_BEGIN) {
        begin(walk, id, action);
        return;
    }
    walk->counts.n_events++;
    walk->n_reopening = 0;
    uint32_t key = id | (uint32_t)action->is_c << MT_ID_BITS;
    if (MT_LIKELY(mt__stack_top_is(&walk->stack, key) && !walk->stack.n_beyond))
        end_innermost(walk, walk->now_ns, action->flags);
    else
        end_other(walk, key, action->flags);
}

void mt__emit_lost(struct mt_walk *walk, const struct mt_event_lost *lost)
{
    walk->counts.n_lost += lost->n_events;
    walk->counts.n_losses++;
    walk->after_loss = true;
    walk->loss_ns = walk->now_ns;
    if (!room(walk, 1))
        return;
    struct mt_event_lost *kept = &walk->losses[walk->n_losses++];
    *kept = *lost;
    if (kept->until_ns < (uint64_t)walk->now_ns)
        kept->until_ns = (uint64_t)walk->now_ns;
    append(walk, walk->now_ns, MT_EVENT_LOST, 0)->lost = kept;
}

void mt__emit_resync(struct mt_walk *walk, uint64_t depth)
{
    if (!walk->after_loss && walk->now_ns >= walk->next_flow_ns)
        mt__emit_flows(walk);
    /* After a loss nobody knows when the calls ended; they were last seen before it. */
    walk->stack.n_beyond = 0;
    end_down_to(walk, 0, walk->after_loss ? walk->loss_ns : walk->now_ns);
    walk->after_loss = false;
    walk->n_reopening = depth;
}

/* --------------------------------------------------------------------------------------- arrows */

static void set_next_flow(struct mt_walk *walk)
{
    if (walk->flow_in != MT_NONE)
        walk->next_flow_ns = 0;
    else if (walk->flow < walk->flows_end)
        walk->next_flow_ns = (int64_t)walk->set->flows[walk->flow].ts_ns;
    else
        walk->next_flow_ns = INT64_MAX;
}

/* An arrow needs a call that is open when it leaves, and must leave before it arrives. */
static void flows_out(struct mt_walk *walk, int64_t until_ns)
{
    for (; walk->flow < walk->flows_end; walk->flow++) {
        const struct mt__flow *flow = &walk->set->flows[walk->flow];
        int64_t ts_ns = (int64_t)flow->ts_ns;
        if (ts_ns > until_ns)
            return;
        if (ts_ns < walk->former_ns)
            ts_ns = walk->former_ns;
        bool late = ts_ns > (int64_t)flow->deadline_ns;
        if (!walk->stack.depth && !late)
            return; /* again at the next record */
        if (late || !room(walk, 1))
            continue;
        walk->flow_placed[walk->flow] = 1;
        append(walk, ts_ns, MT_EVENT_FLOW_OUT, 0)->flow = (uint64_t)walk->flow + 1;
        walk->former_ns = ts_ns;
    }
}

void mt__emit_flows(struct mt_walk *walk)
{
    /* Not before all calls are stated that were open: it arrives in the innermost. */
    if (walk->flow_in != MT_NONE && walk->stack.depth && !walk->n_reopening) {
        if (walk->flow_placed[walk->flow_in] && room(walk, 1))
            append(walk, walk->former_ns, MT_EVENT_FLOW_IN, 0)->flow = (uint64_t)walk->flow_in + 1;
        walk->flow_in = MT_NONE;
    }
    flows_out(walk, walk->now_ns);
    set_next_flow(walk);
}

void mt__emit_end(struct mt_walk *walk)
{
    walk->former_ns = walk->now_ns;
    walk->n_reopening = 0;
    mt__emit_flows(walk);
    if (walk->stack.depth)
        flows_out(walk, INT64_MAX);
    walk->counts.n_unfinished = walk->stack.depth + walk->stack.n_beyond;
    if (!(walk->needs & MT_NEEDS_PAIRS) || !room(walk, walk->stack.depth))
        return;
    for (size_t i = 0; i < walk->stack.depth; i++) {
        const struct mt__call *call = &walk->stack.calls[i];
        uint16_t flags = call->func & MT__CALL_REOPENED ? MT_EVENT_REOPENED : 0;
        append(walk, (int64_t)call->begin_ns, MT_EVENT_UNFINISHED, flags)->func =
            call->func & ~MT__CALL_REOPENED;
    }
}
