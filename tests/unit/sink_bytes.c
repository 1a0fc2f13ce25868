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

void append_set_bytes(struct mt_buf *out, struct mt_set *set, const struct mt_sink *sink)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct mt_job job = {.timeline = timeline, .n_workers = 1};
    struct mt_walk *walk;
    struct mt_run run;
    void *state;
    assert_int_equal(mt_walk_new(set, sink->needs, &walk), MT_OK);
    assert_int_equal(sink->begin(&job, out, &state), MT_OK);
    for (uint32_t track = 0; track < timeline->n_tracks; track++) {
        for (mt_walk_start(walk, track); mt_walk_next(walk, &run);)
            assert_int_equal(sink->chunk(state, &run, out), MT_OK);
    }
    assert_int_equal(mt_walk_status(walk), MT_OK);
    assert_int_equal(sink->end(state, mt_walk_outcome(walk), out), MT_OK);
    mt_walk_free(walk);
}
