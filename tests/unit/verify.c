/* verify.c - see verify.h. */
#include "verify.h"

#include "base/array.h"

static void verify_event(const struct mt_event *event, struct track_state *state)
{
    if (event->type == MT_EVENT_UNFINISHED) {
        REQUIRE(state->n_unfinished < state->depth && event->ts_ns <= state->former_ns);
        const struct mt_event *begin = &state->open[state->n_unfinished++];
        REQUIRE(begin->ts_ns == event->ts_ns && begin->func == event->func);
        return;
    }
    REQUIRE(!state->n_unfinished && event->ts_ns >= state->former_ns);
    state->former_ns = event->ts_ns;
    if (event->type == MT_EVENT_BEGIN) {
        REQUIRE(MT_ARRAY_ROOM(state->open, state->capacity, state->depth + 1));
        state->open[state->depth++] = *event;
    }
    if (event->type == MT_EVENT_END) {
        REQUIRE(state->depth > 0);
        const struct mt_event *begin = &state->open[--state->depth];
        REQUIRE(begin->func == event->func && event->ts_ns - begin->ts_ns == event->dur_ns);
        REQUIRE((begin->flags & MT_EVENT_REOPENED) == (event->flags & MT_EVENT_REOPENED));
    }
    if (event->type == MT_EVENT_LOST)
        REQUIRE(event->lost->text && event->lost->until_ns >= event->ts_ns);
}

void verify_run(const struct mt_run *run, struct track_state *state)
{
    REQUIRE(!run->timeline->tracks[run->track].left_out);
    REQUIRE(run->first == !state->n_runs++ && !state->is_over);
    state->is_over = run->last;
    for (uint32_t i = 0; i < run->n_events; i++) {
        REQUIRE(run->events[i].ts_ns <= INT64_MAX);
        REQUIRE(run->events[i].func < run->timeline->n_funcs);
        verify_event(&run->events[i], state);
    }
}

void verify_timeline(const struct mt_timeline *timeline)
{
    uint32_t n_tracks = 0;
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        const struct mt_process *process = &timeline->processes[i];
        REQUIRE(process->parent == MT_NONE || process->parent < i);
        REQUIRE(process->former == MT_NONE || process->former < i);
        REQUIRE(process->first_track == n_tracks);
        n_tracks += process->n_tracks;
    }
    REQUIRE(n_tracks == timeline->n_tracks);
}

void verify_outcome(const struct mt_timeline *timeline, const struct mt_outcome *outcome)
{
    for (size_t i = 0; i < outcome->n_flows; i++) {
        const struct mt_flow *flow = &outcome->flows[i];
        REQUIRE(flow->from_track < timeline->n_tracks && flow->to_track < timeline->n_tracks);
        REQUIRE(flow->from_ns <= flow->to_ns);
    }
}
