/* consume.c - see consume.h. */
#include "consume.h"

#include <stdlib.h>

#include "base/buf.h"
#include "mtrace/reader.h"
#include "mtrace/sink.h"
#include "verify.h"

/* A sink on one thread, track by track. */
static void merge(struct mt_set *set, const struct mt_sink *sink, bool is_sliced,
                  struct consumed *out)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct mt_buf bytes = {0};
    struct mt_walk *walk;
    void *state;
    REQUIRE(mt_walk_new(set, sink->needs, &walk) == MT_OK);
    REQUIRE(sink->begin(&(struct mt_job){.timeline = timeline, .n_workers = 1}, &bytes, &state) ==
            MT_OK);
    out->n_events = 0;
    for (uint32_t track = 0; track < timeline->n_tracks; track++) {
        struct track_state track_state = {0};
        struct mt_run run;
        for (mt_walk_start(walk, track); mt_walk_next(walk, &run);) {
            verify_run(&run, &track_state);
            REQUIRE(sink->chunk(state, &run, &bytes) == MT_OK);
            out->n_out_bytes += bytes.n_bytes;
            mt_buf_clear(&bytes);
        }
        REQUIRE(track_state.is_over != timeline->tracks[track].left_out);
        REQUIRE(is_sliced || track_state.depth == mt_walk_counts(walk)->n_unfinished);
        if (sink->needs & MT_NEEDS_PAIRS)
            REQUIRE(track_state.n_unfinished == track_state.depth);
        out->n_events += mt_walk_counts(walk)->n_events;
        free(track_state.open);
    }
    const struct mt_outcome *outcome = mt_walk_outcome(walk);
    verify_outcome(timeline, outcome);
    REQUIRE(sink->end(state, outcome, &bytes) == MT_OK);
    REQUIRE(mt_walk_status(walk) == MT_OK);
    out->n_out_bytes += bytes.n_bytes;
    mt_buf_fini(&bytes);
    mt_walk_free(walk);
}

/* Piece by piece, in the plan's order. */
static void read_by_plan(struct mt_set *set, bool is_sliced, uint64_t n_events)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct mt_cursor **cursors = calloc(timeline->n_tracks + 1, sizeof(struct mt_cursor *));
    struct track_state *states = calloc(timeline->n_tracks + 1, sizeof *states);
    struct mt_flows *flows;
    struct mt_desk *desk;
    struct mt_plan plan;
    struct mt_run run;
    size_t n_flows;
    REQUIRE(cursors && states && mt_plan_init(&plan, set, MT_NEEDS_PAIRS) == MT_OK);
    REQUIRE(mt_flows_new(set, &flows) == MT_OK && mt_desk_new(set, &desk) == MT_OK);
    for (uint32_t i = 0; i < timeline->n_tracks; i++)
        REQUIRE(mt_cursor_new(set, i, MT_NEEDS_PAIRS, flows, &cursors[i]) == MT_OK);
    for (size_t i = 0; i < plan.n_steps; i++) {
        uint32_t track = plan.steps[i].track;
        if (mt_cursor_next(cursors[track], desk, &run))
            verify_run(&run, &states[track]);
    }
    for (uint32_t i = 0; i < timeline->n_tracks; i++) {
        REQUIRE(states[i].is_over != timeline->tracks[i].left_out);
        REQUIRE(states[i].n_unfinished == states[i].depth);
        REQUIRE(mt_cursor_status(cursors[i]) == MT_OK);
        n_events -= mt_cursor_counts(cursors[i])->n_events;
        mt_cursor_free(cursors[i]);
        free(states[i].open);
    }
    REQUIRE(is_sliced || !n_events);
    mt_flows_settled(flows, &n_flows);
    mt_plan_fini(&plan);
    mt_flows_free(flows);
    mt_desk_free(desk);
    free(cursors);
    free(states);
}

static bool count_record(void *context, const struct mt_record *record)
{
    ++*(uint64_t *)context;
    return record->offset > 0;
}

static struct mt_set *open_set(const void *data, size_t n_bytes)
{
    struct mt_set *set;
    REQUIRE(mt_set_new(NULL, &set) == MT_OK);
    REQUIRE(mt_set_add_memory(set, "x.trace", data, n_bytes) == MT_OK);
    REQUIRE(mt_set_finish(set) == MT_OK);
    verify_timeline(mt_set_timeline(set));
    return set;
}

/* What is left of the set when it is sliced in some ways. */
static void consume_slices(const void *data, size_t n_bytes, uint64_t dur_ns)
{
    static const char *const work[] = {"work"}, *const other[] = {"[!w]*"};
    const struct mt_slice slices[] = {
        {.from_ns = dur_ns / 3, .to_ns = dur_ns / 3 * 2 + 1},
        {.min_duration_ns = dur_ns / 8 + 1},
        {.from_ns = 6, .to_ns = 50, .min_duration_ns = 6, .max_depth = 2, .exclude = {work, 1}},
        {.from_ns = 1, .max_depth = 1, .include = {other, 1}, .min_duration_ns = 5},
    };
    size_t n_sinks = 0;
    while (mt_sinks[n_sinks])
        n_sinks++;
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        struct consumed unused = {0};
        struct mt_set *set = open_set(data, n_bytes);
        REQUIRE(mt_set_slice(set, &slices[i]) == MT_OK);
        for (size_t k = i; k < n_sinks;
             k += sizeof slices / sizeof *slices) /* each with one of them */
            merge(set, mt_sinks[k], true, &unused);
        read_by_plan(set, true, 0);
        mt_set_free(set);
    }
}

void consume(const void *data, size_t n_bytes, struct consumed *out)
{
    struct mt_check_result result;
    struct mt_set_stats stats;
    uint64_t n_records = 0;
    *out = (struct consumed){0};
    struct mt_set *set = open_set(data, n_bytes);
    for (size_t i = 0; mt_sinks[i]; i++)
        merge(set, mt_sinks[i], false, out);
    read_by_plan(set, false, out->n_events);
    REQUIRE(mt_set_stats(set, &stats, NULL) == MT_OK);
    REQUIRE(stats.counts.n_events == out->n_events);
    for (uint32_t i = 0; i < mt_set_n_files(set); i++) {
        struct mt_file_info file;
        mt_set_file(set, i, &file);
        REQUIRE(mt_set_each_record(set, i, count_record, &n_records) == MT_OK);
    }
    out->n_errors = mt_set_n_errors(set);
    mt_set_free(set);
    consume_slices(data, n_bytes, stats.dur_ns);
    out->check_status = (int)mt_check_memory("x.trace", data, n_bytes, &result, NULL);
}
