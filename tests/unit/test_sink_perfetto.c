/* Tests of the Perfetto sink: exact bytes for small timelines made by hand, without a reader. Field
 * numbers are in src/sink/perfetto.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sink/proto.h"
#include "sink_bytes.h"

static const struct mt_func funcs[] = {
    {.name = TEXT("(unknown)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_PYTHON},
    {.name = TEXT("(unknown)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("(unnamed)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_PYTHON},
    {.name = TEXT("(unnamed)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("f.g"), .owner = TEXT(""), .file = TEXT("/c.py"), .line = 300},
    {.name = TEXT("append"), .owner = TEXT("list"), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("b\xff\xf0\x9f\x98\x80\xed\xa0\x80"), .owner = TEXT(""), .file = TEXT("")},
};
enum { G = 4, APPEND, BAD };

static const struct mt_process process = {.pid = 17,
                                          .real_pid = 17,
                                          .parent = MT_NONE,
                                          .former = MT_NONE,
                                          .n_tracks = 1,
                                          .name = TEXT("app"),
                                          .host = TEXT("host"),
                                          .start_ns = 5};
static const struct mt_track track = {.tid = 18, .real_tid = 18, .name = TEXT("worker")};

static struct mt_timeline timeline_of(const struct mt_process *processes, uint32_t n_processes,
                                      const struct mt_track *tracks, uint32_t n_tracks)
{
    return (struct mt_timeline){.processes = processes,
                                .tracks = tracks,
                                .funcs = funcs,
                                .n_processes = n_processes,
                                .n_tracks = n_tracks,
                                .n_funcs = N(funcs),
                                .n_hosts = 1,
                                .zero_real_ns = 1000};
}

static void assert_one(const struct mt_event *events, uint32_t n_events, const char *expected)
{
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    assert_binary(&mt_sink_perfetto, &timeline, events, n_events, NULL, 0, expected);
}

/* The wall clock, the order, the process and the thread. */
#define HEAD                                                                                       \
    "0a 15 50 02 68 01 32 0f 0a 04 08 06 10 00 0a 05 08 01 10 e8 07 10 06 "                        \
    "0a 0b e2 03 08 08 00 98 01 01 a0 01 01 "                                                      \
    "0a 18 e2 03 15 08 8b c5 c8 d1 93 8a be a1 13 1a 07 08 11 32 03 'app' 60 00 "                  \
    "0a 1e e2 03 1b 08 cb f6 89 e1 d3 da b6 82 9c 01 22 0c 08 11 10 12 2a 06 'worker' 60 00 "

#define FIRST(at, f) {.type = MT_EVENT_BEGIN, .ts_ns = (at), .func = (f), .flags = MT_EVENT_FIRST}
#define LOST(at, what) {.type = MT_EVENT_LOST, .ts_ns = (at), .lost = (what)}

static void test_calls(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        FIRST(0, G),           FIRST(127, APPEND), END(255, APPEND, 128), BEGIN(16383, APPEND),
        END(32767, APPEND, 0), BEGIN(34864918, G), END(303300373, G, 0),  END(571735829, G, 0)};
    assert_one(
        events, N(events),
        HEAD
        "0a 63 50 01 68 01 da 03 10 d0 03 40 5a 0b 58 cb f6 89 e1 d3 da b6 82 9c 01 62 3a 0a 05 "
        "08 01 12 01 'c' 0a 0a 08 02 12 06 'mtrace' 1a 08 08 01 12 04 'open' 1a 0d 08 02 12 09 "
        "'exception' 1a 0c 08 03 12 08 'repaired' 32 0e 0a 06 08 40 10 00 18 01 0a 04 08 06 10 "
        "00 "
        "0a 2b 50 01 40 00 62 1c 12 07 08 05 12 03 'f.g' 22 11 08 05 12 05 '/c.py' 1a 03 'f.g' "
        "20 ac 02 5a 07 48 01 50 05 90 02 05 "
        "0a 1f 50 01 40 7f 62 11 12 0f 08 06 12 0b 'list.append' 5a 06 48 01 50 06 18 01 "
        "0a 09 50 01 40 80 01 5a 02 48 02 "
        "0a 14 50 01 32 10 0a 07 08 40 10 ff 7f 18 01 0a 05 08 06 10 ff 7f "
        "0a 0c 50 01 40 00 5a 06 48 01 50 06 18 01 "
        "0a 0a 50 01 40 80 80 01 5a 02 48 02 "
        "0a 10 50 01 40 97 fe cd 10 5a 07 48 01 50 05 90 02 05 "
        "0a 0b 50 01 40 ff ff ff 7f 5a 02 48 02 "
        "0a 0c 50 01 40 80 80 80 80 01 5a 02 48 02 ");
}

static void test_flags_and_losses(void **state)
{
    (void)state;
    const struct mt_event_lost lost = {
        .n_events = 3, .until_ns = 5000, .reason = 1, .error = 28, .text = "no space"};
    const struct mt_event_lost missing = {.until_ns = 6000, .text = "a part is missing"};
    struct mt_event events[] = {FIRST(10, G),    BEGIN(10, APPEND),  END(20, APPEND, 0),
                                LOST(30, &lost), LOST(31, &missing), END(40, G, 30),
                                BEGIN(41, G),    END(42, G, 0),      {.type = 99, .ts_ns = 50},
                                END(60, G, 0)};
    events[0].flags |= MT_EVENT_REOPENED;
    events[1].flags = MT_EVENT_REOPENED;
    events[2].flags = MT_EVENT_EXCEPTION;
    events[5].flags = MT_EVENT_EXCEPTION | MT_EVENT_REPAIRED | MT_EVENT_REOPENED;
    events[6].flags = MT_EVENT_RESUME;
    events[7].flags = MT_EVENT_SUSPEND;
    events[9].flags = MT_EVENT_REPAIRED;
    assert_one(
        events, N(events),
        HEAD
        "0a 63 50 01 68 01 da 03 10 d0 03 40 5a 0b 58 cb f6 89 e1 d3 da b6 82 9c 01 62 3a 0a 05 "
        "08 01 12 01 'c' 0a 0a 08 02 12 06 'mtrace' 1a 08 08 01 12 04 'open' 1a 0d 08 02 12 09 "
        "'exception' 1a 0c 08 03 12 08 'repaired' 32 0e 0a 06 08 40 10 0a 18 01 0a 04 08 06 10 "
        "0a "
        "0a 31 50 01 40 00 62 1c 12 07 08 05 12 03 'f.g' 22 11 08 05 12 05 '/c.py' 1a 03 'f.g' "
        "20 ac 02 5a 0d 48 01 50 05 90 02 05 22 04 08 01 10 01 "
        "0a 12 50 01 40 00 5a 0c 48 01 50 06 18 01 22 04 08 01 10 01 "
        "0a 0e 50 01 40 0a 5a 08 48 02 22 04 08 02 10 01 "
        "0a 12 50 01 32 0e 0a 06 08 40 10 1e 18 01 0a 04 08 06 10 1e "
        "0a 4e 50 01 40 00 5a 48 48 03 18 02 ba 01 0b 'events lost' 22 09 52 05 'count' 18 03 22 "
        "12 52 06 'reason' 32 08 'no space' 22 09 52 05 'errno' 18 1c 22 0a 52 05 'until' 18 88 "
        "27 "
        "0a 41 50 01 40 01 5a 3b 48 03 18 02 ba 01 0b 'events lost' 22 1b 52 06 'reason' 32 11 "
        "'a part is missing' 22 0a 52 05 'until' 18 f0 2e "
        "0a 14 50 01 40 09 5a 0e 48 02 22 04 08 02 10 01 22 04 08 03 10 01 "
        "0a 0d 50 01 40 01 5a 07 48 01 50 05 90 02 05 "
        "0a 08 50 01 40 01 5a 02 48 02 "
        "0a 0e 50 01 40 12 5a 08 48 02 22 04 08 03 10 01 ");
}

static void test_times_may_be_as_large_as_they_get(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(0, APPEND), END(INT64_MAX, APPEND, INT64_MAX)};
    assert_one(
        events, N(events),
        HEAD
        "0a 63 50 01 68 01 da 03 10 d0 03 40 5a 0b 58 cb f6 89 e1 d3 da b6 82 9c 01 62 3a 0a 05 "
        "08 01 12 01 'c' 0a 0a 08 02 12 06 'mtrace' 1a 08 08 01 12 04 'open' 1a 0d 08 02 12 09 "
        "'exception' 1a 0c 08 03 12 08 'repaired' 32 0e 0a 06 08 40 10 00 18 01 0a 04 08 06 10 "
        "00 "
        "0a 0c 50 01 40 00 5a 06 48 01 50 06 18 01 "
        "0a 10 50 01 40 ff ff ff ff ff ff ff ff 7f 5a 02 48 02 ");
}

static void test_texts_are_utf8(void **state)
{
    (void)state;
    const struct mt_event events[] = {FIRST(0, BAD)};
    assert_one(
        events, N(events),
        HEAD
        "0a 63 50 01 68 01 da 03 10 d0 03 40 5a 0b 58 cb f6 89 e1 d3 da b6 82 9c 01 62 3a 0a 05 "
        "08 01 12 01 'c' 0a 0a 08 02 12 06 'mtrace' 1a 08 08 01 12 04 'open' 1a 0d 08 02 12 09 "
        "'exception' 1a 0c 08 03 12 08 'repaired' 32 0e 0a 06 08 40 10 00 18 01 0a 04 08 06 10 "
        "00 "
        "0a 23 50 01 40 00 62 17 12 15 08 07 12 11 62 ef bf bd f0 9f 98 80 ef bf bd ef bf bd ef "
        "bf bd 5a 04 48 01 50 07 ");
}

static void test_arrows(void **state)
{
    (void)state;
    const struct mt_flow flow = {0, 0, 10, 300};
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    assert_binary(
        &mt_sink_perfetto, &timeline, NULL, 0, &flow, 1,
        HEAD
        "0a 53 50 01 68 01 da 03 10 d0 03 40 5a 0b 58 cb f6 89 e1 d3 da b6 82 9c 01 62 3a 0a 05 "
        "08 01 12 01 'c' 0a 0a 08 02 12 06 'mtrace' 1a 08 08 01 12 04 'open' 1a 0d 08 02 12 09 "
        "'exception' 1a 0c 08 03 12 08 'repaired' "
        "0a 29 50 02 40 0a 5a 23 58 cb f6 89 e1 d3 da b6 82 9c 01 b2 01 07 'process' ba 01 05 "
        "'start' 32 04 10 73 30 01 "
        "0a 2c 50 02 40 ac 02 5a 25 58 cb f6 89 e1 d3 da b6 82 9c 01 b2 01 07 'process' ba 01 05 "
        "'start' 32 06 10 66 30 01 60 01 ");
}

static void test_names_of_processes(void **state)
{
    (void)state;
    struct mt_process processes[3] = {process, process, process};
    struct mt_track synthetic = {.process = 2, .tid = 5000000, .real_tid = 18, .name = TEXT("")};
    processes[1].former = 0;
    processes[1].name = (struct mt_text)TEXT("later\n");
    processes[2].pid = 4194305;
    processes[2].host = (struct mt_text)TEXT("other");
    processes[0].n_tracks = processes[1].n_tracks = 0;
    struct mt_timeline timeline = timeline_of(processes, 3, &synthetic, 1);
    timeline.n_hosts = 2;
    assert_binary(
        &mt_sink_perfetto, &timeline, NULL, 0, NULL, 0,
        "0a 15 50 02 68 01 32 0f 0a 04 08 06 10 00 0a 05 08 01 10 e8 07 10 06 "
        "0a 0b e2 03 08 08 00 98 01 01 a0 01 01 "
        "0a 34 e2 03 31 08 8b c5 c8 d1 93 8a be a1 13 1a 23 08 11 32 14 61 70 70 20 3e 20 6c 61 "
        "74 65 72 0a 20 6f 6e 20 68 6f 73 74 42 09 'host host' 60 00 "
        "0a 41 e2 03 3e 08 98 94 ab d4 f9 93 8c b2 24 1a 30 08 81 80 80 02 32 15 "
        "'app (pid 17) on other' 42 06 'pid 17' 42 0a 'host other' 60 02 "
        "0a 2d e2 03 2a 08 85 c5 f1 aa af c3 8d fb e4 01 22 1b 08 81 80 80 02 10 c0 96 b1 02 2a "
        "0f 'Thread (tid 18)' 60 00 "
        "0a 53 50 01 68 01 da 03 10 d0 03 40 5a 0b 58 85 c5 f1 aa af c3 8d fb e4 01 62 3a 0a 05 "
        "08 01 12 01 'c' 0a 0a 08 02 12 06 'mtrace' 1a 08 08 01 12 04 'open' 1a 0d 08 02 12 09 "
        "'exception' 1a 0c 08 03 12 08 'repaired' ");
}

static void test_losses_without_a_track(void **state)
{
    (void)state;
    struct mt_process lossy = process;
    lossy.n_tracks = 0;
    lossy.n_lost = 5;
    lossy.first_lost_ns = 1000;
    lossy.last_lost_ns = 2500;
    struct mt_timeline timeline = timeline_of(&lossy, 1, NULL, 0);
    assert_binary(
        &mt_sink_perfetto, &timeline, NULL, 0, NULL, 0,
        "0a 15 50 01 68 01 32 0f 0a 04 08 06 10 00 0a 05 08 01 10 e8 07 10 06 "
        "0a 0b e2 03 08 08 00 98 01 01 a0 01 01 "
        "0a 18 e2 03 15 08 8b c5 c8 d1 93 8a be a1 13 1a 07 08 11 32 03 'app' 60 00 "
        "0a 41 50 01 40 e8 07 5a 3a 48 03 58 8b c5 c8 d1 93 8a be a1 13 b2 01 06 'mtrace' ba 01 "
        "0b 'events lost' 22 09 52 05 'count' 18 05 22 0a 52 05 'until' 18 c4 13 ");
}

static void test_only_losses_that_no_track_told(void **state)
{
    (void)state;
    struct mt_process lossy = process;
    lossy.n_lost = 5;
    static const char says_2[] = "count\x18\x02\x22\x09\x52\x05until\x18"; /* and a 0 */
    struct mt_timeline timeline = timeline_of(&lossy, 1, NULL, 0);
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    for (uint64_t n_told = 3; n_told <= 5; n_told += 2) {
        struct mt_outcome outcome = {NULL, 0, &n_told};
        struct mt_buf out = {0};
        void *sink;
        assert_int_equal(mt_sink_perfetto.begin(&job, &out, &sink), MT_OK);
        mt_buf_clear(&out);
        assert_int_equal(mt_sink_perfetto.end(sink, &outcome, &out), MT_OK);
        if (n_told == 3)
            assert_memory_equal(out.data + out.n_bytes - sizeof says_2, says_2, sizeof says_2);
        else
            assert_int_equal(out.n_bytes, 0);
        mt_buf_fini(&out);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    struct mt_timeline timeline = timeline_of(NULL, 0, NULL, 0);
    assert_binary(&mt_sink_perfetto, &timeline, NULL, 0, NULL, 0,
                  "0a 15 50 01 68 01 32 0f 0a 04 08 06 10 00 0a 05 08 01 10 e8 07 10 06 "
                  "0a 0b e2 03 08 08 00 98 01 01 a0 01 01 ");
}

#define N_MANY 20000u /* functions: iids of 1 to 3 bytes, and more than are not prefetched */
#define N_CALLS 5000u /* events: more than are put together at once */

/* What put_events makes, field by field. */
static void append_expected(struct mt_buf *out, const struct mt_event *event, uint64_t former_ns,
                            uint32_t sequence)
{
    bool begins = event->type == MT_EVENT_BEGIN;
    size_t packet = mt__proto_open(out, 1);
    mt__proto_number(out, 10, sequence);
    mt__proto_number(out, 8, event->ts_ns - former_ns);
    size_t body = mt__proto_open(out, 11);
    mt__proto_number(out, 9, begins ? 1 : 2);
    if (begins) {
        mt__proto_number(out, 10, event->func + 1);
        mt__proto_number(out, 3, 1);
    }
    mt__proto_close(out, body);
    mt__proto_close(out, packet);
}

static void test_any_delta_name_and_sequence(void **state)
{
    (void)state;
    struct mt_func *many = calloc(N_MANY, sizeof *many);
    struct mt_event *events = calloc(N_CALLS, sizeof *events);
    struct mt_track tracks[200];
    assert_true(many && events);
    for (uint32_t i = 0; i < N_MANY; i++)
        many[i] = (struct mt_func){TEXT("f"), TEXT(""), TEXT(""), 0, MT_FUNC_C, 0};
    for (uint32_t i = 0; i < N(tracks); i++)
        tracks[i] = track;
    uint64_t now_ns = 77;
    for (uint32_t i = 0; i < N_CALLS; i++) {
        now_ns += (UINT64_C(1) << i % 36) - i % 2;
        events[i].ts_ns = now_ns;
        events[i].type = i % 7 % 3 ? MT_EVENT_BEGIN : MT_EVENT_END;
        events[i].func = i * UINT32_C(2654435761) % N_MANY;
    }
    struct mt_timeline timeline = timeline_of(&process, 1, tracks, N(tracks));
    timeline.funcs = many;
    timeline.n_funcs = N_MANY;
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    struct mt_buf out = {0}, expected = {0};
    void *sink;
    assert_int_equal(mt_sink_perfetto.begin(&job, &out, &sink), MT_OK);
    for (uint32_t number = 0; number < N(tracks); number += 150) {
        struct mt_run run = {
            .timeline = &timeline, .events = events, .n_events = N_CALLS, .track = number};
        mt_buf_clear(&out);
        mt_buf_clear(&expected);
        assert_int_equal(mt_sink_perfetto.chunk(sink, &run, &out), MT_OK);
        for (uint32_t i = 0; i < N_CALLS; i++)
            append_expected(&expected, &events[i], events[i ? i - 1 : 0].ts_ns, number + 1);
        assert_in_range(out.n_bytes - expected.n_bytes, 20, 30); /* the head */
        assert_memory_equal(out.data + out.n_bytes - expected.n_bytes, expected.data,
                            expected.n_bytes);
    }
    assert_int_equal(mt_sink_perfetto.end(sink, NULL, &out), MT_OK);
    mt_buf_fini(&out);
    mt_buf_fini(&expected);
    free(events);
    free(many);
}

/* The driver makes runs of one track on several threads, in no order. */
static void test_runs_do_not_depend_on_each_other(void **state)
{
    (void)state;
    const struct mt_event events[] = {FIRST(10, G), END(20, G, 10), BEGIN(30, G), END(45, G, 15)};
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    struct mt_job job = {.timeline = &timeline, .n_workers = 2};
    struct mt_run former = {.timeline = &timeline, .events = events, .n_events = 2, .first = true};
    struct mt_run latter = {
        .timeline = &timeline, .events = events + 2, .n_events = 2, .worker = 1, .last = true};
    struct mt_buf outs[5] = {0}; /* begin, former, latter, latter, former */
    void *sink;
    assert_int_equal(mt_sink_perfetto.begin(&job, &outs[0], &sink), MT_OK);
    assert_int_equal(mt_sink_perfetto.chunk(sink, &former, &outs[1]), MT_OK);
    assert_int_equal(mt_sink_perfetto.chunk(sink, &latter, &outs[2]), MT_OK);
    mt_buf_clear(&outs[0]);
    assert_int_equal(mt_sink_perfetto.end(sink, NULL, &outs[0]), MT_OK);
    assert_int_equal(mt_sink_perfetto.begin(&job, &outs[0], &sink), MT_OK);
    assert_int_equal(mt_sink_perfetto.chunk(sink, &latter, &outs[3]), MT_OK);
    assert_int_equal(mt_sink_perfetto.chunk(sink, &former, &outs[4]), MT_OK);
    assert_int_equal(mt_sink_perfetto.end(sink, NULL, &outs[0]), MT_OK);
    assert_int_equal(outs[1].n_bytes, outs[4].n_bytes);
    assert_memory_equal(outs[1].data, outs[4].data, outs[4].n_bytes);
    assert_int_equal(outs[2].n_bytes, outs[3].n_bytes);
    assert_memory_equal(outs[2].data, outs[3].data, outs[3].n_bytes);
    for (size_t i = 0; i < N(outs); i++)
        mt_buf_fini(&outs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_flags_and_losses),
        cmocka_unit_test(test_times_may_be_as_large_as_they_get),
        cmocka_unit_test(test_texts_are_utf8),
        cmocka_unit_test(test_arrows),
        cmocka_unit_test(test_names_of_processes),
        cmocka_unit_test(test_losses_without_a_track),
        cmocka_unit_test(test_only_losses_that_no_track_told),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_any_delta_name_and_sequence),
        cmocka_unit_test(test_runs_do_not_depend_on_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
