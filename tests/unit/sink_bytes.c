/* sink_bytes.c - see sink_bytes.h. */
#include "sink_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void write_events(struct mt_buf *out, const struct mt_sink *sink,
                         const struct mt_timeline *timeline, const struct mt_event *events,
                         uint32_t n_events, const struct mt_flow *flows, size_t n_flows)
{
    struct mt_job job = {.timeline = timeline, .n_workers = 1};
    uint64_t *n_lost_told = calloc(timeline->n_processes + 1, sizeof *n_lost_told);
    struct mt_outcome outcome = {flows, n_flows, n_lost_told};
    void *state;
    assert_non_null(n_lost_told);
    assert_int_equal(sink->begin(&job, out, &state), MT_OK);
    uint32_t n_first = n_events > 3 ? 3 : n_events;
    struct mt_run run = {.timeline = timeline,
                         .events = events,
                         .n_events = n_first,
                         .first = true,
                         .last = n_first == n_events};
    if (timeline->n_tracks)
        assert_int_equal(sink->chunk(state, &run, out), MT_OK);
    if (n_first < n_events) {
        run = (struct mt_run){.timeline = timeline,
                              .events = events + n_first,
                              .n_events = n_events - n_first,
                              .last = true};
        assert_int_equal(sink->chunk(state, &run, out), MT_OK);
    }
    assert_int_equal(sink->end(state, &outcome, out), MT_OK);
    free(n_lost_told);
}

void assert_bytes_with_flows(const struct mt_sink *sink, const struct mt_timeline *timeline,
                             const struct mt_event *events, uint32_t n_events,
                             const struct mt_flow *flows, size_t n_flows, const char *expected)
{
    struct mt_buf out = {0};
    write_events(&out, sink, timeline, events, n_events, flows, n_flows);
    assert_string_equal(mt_buf_text(&out), expected);
    mt_buf_fini(&out);
}

/* Texts stay as they are, between quotes; the rest is two digits a byte. */
static void append_binary(struct mt_buf *out, const char *text)
{
    for (const char *at = text; *at;) {
        if (*at == '\'') {
            size_t n = strcspn(at + 1, "'");
            mt_buf_append(out, at + 1, n);
            at += n + 2;
        } else if (*at == ' ') {
            at++;
        } else {
            const char digits[3] = {at[0], at[1], '\0'};
            char *end;
            mt_buf_append_char(out, (char)strtoul(digits, &end, 16));
            assert_int_equal(end - digits, 2);
            at += 2;
        }
    }
}

/* 32 bytes a line, and the same again as text. */
static void append_dump(struct mt_buf *out, const struct mt_buf *binary)
{
    for (size_t i = 0; i < binary->n_bytes; i += 32) {
        size_t n = binary->n_bytes - i < 32 ? binary->n_bytes - i : 32;
        for (size_t k = i; k < i + n; k++)
            mt_buf_printf(out, "%02x ", (unsigned char)binary->data[k]);
        for (size_t k = i; k < i + n; k++)
            mt_buf_append_char(out, binary->data[k] > ' ' && binary->data[k] < 127 ? binary->data[k]
                                                                                   : '.');
        mt_buf_append_char(out, '\n');
    }
}

void assert_binary(const struct mt_sink *sink, const struct mt_timeline *timeline,
                   const struct mt_event *events, uint32_t n_events, const struct mt_flow *flows,
                   size_t n_flows, const char *expected)
{
    struct mt_buf out = {0}, wanted = {0}, out_dump = {0}, wanted_dump = {0};
    write_events(&out, sink, timeline, events, n_events, flows, n_flows);
    append_binary(&wanted, expected);
    append_dump(&out_dump, &out);
    append_dump(&wanted_dump, &wanted);
    assert_string_equal(mt_buf_text(&out_dump), mt_buf_text(&wanted_dump));
    mt_buf_fini(&out);
    mt_buf_fini(&wanted);
    mt_buf_fini(&out_dump);
    mt_buf_fini(&wanted_dump);
}

void assert_bytes(const struct mt_sink *sink, const struct mt_timeline *timeline,
                  const struct mt_event *events, uint32_t n_events, const char *expected)
{
    assert_bytes_with_flows(sink, timeline, events, n_events, NULL, 0, expected);
}

struct reading {
    struct mt_plan plan;
    struct mt_flows *flows;
    struct mt_desk *desk;
    struct mt_cursor **cursors; /* by track */
    uint64_t *n_lost_told;
};

static void open_reading(struct reading *reading, struct mt_set *set, unsigned needs)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(mt_plan_init(&reading->plan, set, needs), MT_OK);
    assert_int_equal(mt_flows_new(set, &reading->flows), MT_OK);
    assert_int_equal(mt_desk_new(set, &reading->desk), MT_OK);
    reading->cursors = calloc(timeline->n_tracks + 1, sizeof *reading->cursors);
    reading->n_lost_told = calloc(timeline->n_processes + 1, sizeof *reading->n_lost_told);
    assert_true(reading->cursors && reading->n_lost_told);
    for (uint32_t i = 0; i < timeline->n_tracks; i++)
        assert_int_equal(mt_cursor_new(set, i, needs, reading->flows, &reading->cursors[i]), MT_OK);
}

static void close_reading(struct reading *reading, const struct mt_timeline *timeline)
{
    for (uint32_t i = 0; i < timeline->n_tracks; i++) {
        assert_int_equal(mt_cursor_status(reading->cursors[i]), MT_OK);
        mt_cursor_free(reading->cursors[i]);
    }
    free(reading->cursors);
    free(reading->n_lost_told);
    mt_desk_free(reading->desk);
    mt_flows_free(reading->flows);
    mt_plan_fini(&reading->plan);
}

void append_set_bytes(struct mt_buf *out, struct mt_set *set, const struct mt_sink *sink)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct mt_job job = {.timeline = timeline, .n_workers = 1};
    struct reading reading = {0};
    struct mt_outcome outcome = {0};
    void *state;
    open_reading(&reading, set, sink->needs);
    assert_int_equal(sink->begin(&job, out, &state), MT_OK);
    for (size_t i = 0; i < reading.plan.n_steps; i++) {
        uint32_t track = reading.plan.steps[i].track;
        struct mt_run run;
        if (!mt_cursor_next(reading.cursors[track], reading.desk, &run))
            continue;
        assert_int_equal(sink->chunk(state, &run, out), MT_OK);
        if (run.last)
            reading.n_lost_told[timeline->tracks[track].process] +=
                mt_cursor_counts(reading.cursors[track])->n_lost;
    }
    outcome.flows = mt_flows_settled(reading.flows, &outcome.n_flows);
    outcome.n_lost_told = reading.n_lost_told;
    assert_int_equal(sink->end(state, &outcome, out), MT_OK);
    close_reading(&reading, timeline);
}
