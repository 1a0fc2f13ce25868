/* consume.c - see consume.h. */
#include "consume.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "mtrace/reader.h"
#include "mtrace/sink.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void verify_run(const struct mt_run *run, uint64_t *former_ns, uint64_t *depth)
{
    for (uint32_t i = 0; i < run->n_events; i++) {
        const struct mt_event *event = &run->events[i];
        REQUIRE(event->ts_ns <= INT64_MAX);
        REQUIRE(event->func < run->timeline->n_funcs);
        if (event->type == MT_EVENT_UNFINISHED) {
            REQUIRE(*depth > 0 && event->ts_ns <= *former_ns);
            continue;
        }
        REQUIRE(event->ts_ns >= *former_ns);
        *former_ns = event->ts_ns;
        if (event->type == MT_EVENT_BEGIN)
            ++*depth;
        if (event->type == MT_EVENT_END) {
            REQUIRE(*depth > 0 && event->dur_ns <= event->ts_ns);
            --*depth;
        }
        if (event->type == MT_EVENT_LOST)
            REQUIRE(event->lost->text && event->lost->until_ns >= event->ts_ns);
    }
}

static void verify_timeline(const struct mt_timeline *timeline)
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

static void merge(struct mt_set *set, const struct mt_sink *sink, struct consumed *out)
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
        uint64_t former_ns = 0, depth = 0;
        struct mt_run run;
        for (mt_walk_start(walk, track); mt_walk_next(walk, &run);) {
            verify_run(&run, &former_ns, &depth);
            REQUIRE(sink->chunk(state, &run, &bytes) == MT_OK);
            out->n_out_bytes += bytes.n_bytes;
            mt_buf_clear(&bytes);
        }
        REQUIRE(depth == mt_walk_counts(walk)->n_unfinished);
        out->n_events += mt_walk_counts(walk)->n_events;
    }
    const struct mt_outcome *outcome = mt_walk_outcome(walk);
    for (size_t i = 0; i < outcome->n_flows; i++) {
        const struct mt_flow *flow = &outcome->flows[i];
        REQUIRE(flow->from_track < timeline->n_tracks && flow->to_track < timeline->n_tracks);
        REQUIRE(flow->from_ns <= flow->to_ns);
    }
    REQUIRE(sink->end(state, outcome, &bytes) == MT_OK);
    REQUIRE(mt_walk_status(walk) == MT_OK);
    mt_buf_fini(&bytes);
    mt_walk_free(walk);
}

static bool count_record(void *context, const struct mt_record *record)
{
    ++*(uint64_t *)context;
    return record->offset > 0;
}

void consume(const void *data, size_t n_bytes, struct consumed *out)
{
    struct mt_set *set;
    struct mt_check_result result;
    struct mt_set_stats stats;
    uint64_t n_records = 0;
    *out = (struct consumed){0};
    REQUIRE(mt_set_new(NULL, &set) == MT_OK);
    REQUIRE(mt_set_add_memory(set, "x.trace", data, n_bytes) == MT_OK);
    REQUIRE(mt_set_finish(set) == MT_OK);
    verify_timeline(mt_set_timeline(set));
    merge(set, &mt_sink_chrome, out);
    merge(set, &mt_sink_chrome_complete, out);
    REQUIRE(mt_set_stats(set, &stats, NULL) == MT_OK);
    REQUIRE(stats.counts.n_events == out->n_events);
    for (uint32_t i = 0; i < mt_set_n_files(set); i++) {
        struct mt_file_info file;
        mt_set_file(set, i, &file);
        REQUIRE(mt_set_each_record(set, i, count_record, &n_records) == MT_OK);
    }
    out->n_errors = mt_set_n_errors(set);
    mt_set_free(set);
    out->check_status = mt_check_memory("x.trace", data, n_bytes, &result, NULL);
}
