/* Tests of the speedscope sink: exact bytes for small timelines made by hand, without a reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sink_bytes.h"

static const struct mt_func funcs[] = {
    {.name = TEXT("f.<locals>.g"), .owner = TEXT(""), .file = TEXT("/a \"b\"/c.py"), .line = 12},
    {.name = TEXT("append"), .owner = TEXT("list"), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("x;\n\\\xff\x01"), .owner = TEXT(""), .file = TEXT("")},
};
enum { G, APPEND, HOSTILE };

static const struct mt_process process = {.pid = 17,
                                          .real_pid = 17,
                                          .parent = MT_NONE,
                                          .former = MT_NONE,
                                          .n_tracks = 1,
                                          .name = TEXT("app"),
                                          .host = TEXT("host")};
static const struct mt_track track = {.tid = 18, .real_tid = 18, .name = TEXT("worker")};

#define HEAD                                                                                       \
    "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"mtrace\"," \
    "\"shared\":{\"frames\":[\n"                                                                   \
    "{\"name\":\"f.<locals>.g\",\"file\":\"/a \\\"b\\\"/c.py\",\"line\":12},\n"                    \
    "{\"name\":\"list.append\"},\n"                                                                \
    "{\"name\":\"x;\\n\\\\\xef\xbf\xbd\\u0001\"},\n"                                               \
    "{\"name\":\"(events lost)\"}\n"                                                               \
    "]},\"profiles\":[\n"
#define START(ns)                                                                                  \
    "{\"type\":\"evented\",\"unit\":\"nanoseconds\",\"startValue\":" #ns ",\"events\":["
#define O(frame, at) "\n{\"type\":\"O\",\"frame\":" #frame ",\"at\":" #at "}"
#define C(frame, at) "\n{\"type\":\"C\",\"frame\":" #frame ",\"at\":" #at "}"
#define STOP(ns, name) "\n],\"endValue\":" #ns ",\"name\":\"" name "\"}"
#define TAIL(active, name) "\n],\"activeProfileIndex\":" #active ",\"name\":\"" name "\"}\n"

static struct mt_timeline timeline_of(const struct mt_process *processes, uint32_t n_processes,
                                      const struct mt_track *tracks, uint32_t n_tracks)
{
    return (struct mt_timeline){.processes = processes,
                                .tracks = tracks,
                                .funcs = funcs,
                                .n_processes = n_processes,
                                .n_tracks = n_tracks,
                                .n_funcs = N(funcs),
                                .n_hosts = 1};
}

static void assert_one(const struct mt_event *events, uint32_t n_events, const char *expected)
{
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    assert_bytes(&mt_sink_speedscope, &timeline, events, n_events, expected);
}

static void test_calls(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(0, G),
                                      BEGIN(7, APPEND),
                                      END(70, APPEND, 63),
                                      BEGIN(999999, HOSTILE),
                                      END(1000000, HOSTILE, 1),
                                      BEGIN(1002003, APPEND),
                                      END(INT64_MAX, APPEND, 1),
                                      END(INT64_MAX, G, 1)};
    assert_one(events, N(events),
               HEAD START(0)
                   O(0, 0) "," O(1, 7) "," C(1, 70) "," O(2, 999999) "," C(2, 1000000) "," O(
                       1, 1002003) "," C(1, 9223372036854775807) "," C(0, 9223372036854775807)
                       STOP(9223372036854775807, "app (17), worker (18)") TAIL(0, "app (17)"));
}

/* Every open has its close: what never ended is closed, innermost first, when the track is over. */
static void test_unfinished(void **state)
{
    (void)state;
    struct mt_event events[] = {BEGIN(10, G),        BEGIN(20, HOSTILE), BEGIN(20, APPEND),
                                END(30, APPEND, 10), UNFINISHED(10, G),  UNFINISHED(20, HOSTILE)};
    events[0].flags = MT_EVENT_REOPENED;
    assert_one(events, N(events),
               HEAD START(10)
                   O(0, 10) "," O(2, 20) "," O(1, 20) "," C(1, 30) "," C(2, 30) "," C(0, 30)
                       STOP(30, "app (17), worker (18), 2 unfinished calls") TAIL(0, "app (17)"));
}

/* The ends that the reader put in, and the calls that it opened again, are like all others. */
static void test_repaired_and_reopened(void **state)
{
    (void)state;
    struct mt_event events[] = {BEGIN(1000, G),     BEGIN(2000, APPEND), END(3000, APPEND, 1000),
                                END(3000, G, 2000), BEGIN(5000, G),      END(6000, G, 1000)};
    events[2].flags = events[3].flags = MT_EVENT_REPAIRED;
    events[4].flags = MT_EVENT_REOPENED;
    assert_one(events, N(events),
               HEAD START(1000) O(0, 1000) "," O(1, 2000) "," C(1, 3000) "," C(0, 3000) "," O(
                   0, 5000) "," C(0, 6000) STOP(6000, "app (17), worker (18)") TAIL(0, "app (17)"));
}

/* A loss lasts until its end, or until something is known again; also from run to run. */
static void test_losses(void **state)
{
    (void)state;
    const struct mt_event_lost lost = {.n_events = 3, .until_ns = 5000, .text = "no space"};
    const struct mt_event_lost more = {.n_events = 2, .until_ns = 6500, .text = "no space"};
    const struct mt_event_lost missing = {.until_ns = 9000, .text = "a part is missing"};
    const struct mt_event events[] = {
        BEGIN(10, G),
        BEGIN(15, APPEND),
        {.type = MT_EVENT_LOST, .ts_ns = 20, .lost = &lost},
        END(20, APPEND, 5), /* in the next run */
        BEGIN(5500, APPEND),
        {.type = MT_EVENT_LOST, .ts_ns = 6000, .lost = &more},
        END(6200, APPEND, 700),
        {.type = 99, .ts_ns = 6300},
        {.type = MT_EVENT_LOST, .ts_ns = 6400, .lost = &missing},
        UNFINISHED(10, G),
    };
    assert_one(
        events, N(events),
        HEAD START(10)
            O(0, 10) "," O(1, 15) "," C(1, 20) "," O(3, 20) "," C(3, 5000) "," O(1, 5500) "," O(
                3, 6000) "," C(3, 6200) "," C(1, 6200) "," O(3, 6400) "," C(3, 9000) "," C(0, 9000)
                STOP(9000, "app (17), worker (18), 1 unfinished call, 5 lost events, 1 gap")
                    TAIL(0, "app (17)"));
}

static void test_losses_without_a_track(void **state)
{
    (void)state;
    struct mt_process lossy = process;
    lossy.n_tracks = 0;
    lossy.n_lost = 5;
    struct mt_timeline timeline = timeline_of(&lossy, 1, NULL, 0);
    assert_bytes(&mt_sink_speedscope, &timeline, NULL, 0,
                 HEAD TAIL(0, "app (17), 5 lost events outside of any thread"));
}

/* Runs of three tracks: the first has no events, but is there for the sake of commas; of the one before
 * it, which a slice leaves out, there is not even a run. */
static void test_tracks_without_events(void **state)
{
    (void)state;
    struct mt_process processes[3] = {process, process, process};
    struct mt_track tracks[4] = {
        track, track, track, {.process = 2, .tid = 5000000, .real_tid = 18, .name = {"", 0}}};
    const struct mt_event events[] = {BEGIN(10, G), END(20, G, 10)};
    processes[1].former = 0;
    processes[2].pid = 4194305;
    processes[2].host = (struct mt_text)TEXT("o\"ther");
    struct mt_timeline timeline = timeline_of(processes, 3, tracks, 4);
    tracks[0].left_out = true;
    timeline.n_hosts = 2;
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    struct mt_run run = {.timeline = &timeline, .first = true, .last = true};
    uint64_t n_lost_told[3] = {0};
    struct mt_outcome outcome = {.n_lost_told = n_lost_told};
    struct mt_buf out = {0};
    void *sink;
    assert_int_equal(mt_sink_speedscope.begin(&job, &out, &sink), MT_OK);
    for (run.track = 1; run.track < 4; run.track++) {
        run.events = events;
        run.n_events = run.track == 3 ? 2 : 0;
        assert_int_equal(mt_sink_speedscope.chunk(sink, &run, &out), MT_OK);
    }
    assert_int_equal(mt_sink_speedscope.end(sink, &outcome, &out), MT_OK);
    assert_string_equal(
        mt_buf_text(&out),
        HEAD START(0) STOP(0, "app (17) on host, worker (18)") ",\n" START(10) O(0, 10) "," C(0, 20)
            STOP(20, "app (4194305, pid 17) on o\\\"ther, Thread (5000000, tid 18)")
                TAIL(1, "app (17) on host, 1 more process"));
    mt_buf_fini(&out);
}

static void test_left_out(void **state)
{
    (void)state;
    struct mt_process processes[2] = {process, process};
    processes[0].n_lost = 5;
    processes[0].left_out = true;
    processes[1].pid = processes[1].real_pid = 20;
    struct mt_timeline timeline = timeline_of(processes, 2, NULL, 0);
    assert_bytes(&mt_sink_speedscope, &timeline, NULL, 0, HEAD TAIL(0, "app (20)"));
}

static void test_nothing(void **state)
{
    (void)state;
    struct mt_timeline timeline = timeline_of(NULL, 0, NULL, 0);
    assert_bytes(&mt_sink_speedscope, &timeline, NULL, 0, HEAD TAIL(0, "nothing"));
}

/* Whoever stops in the middle leaves nothing behind (the sanitizers look). */
static void test_stopped(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(10, G), UNFINISHED(10, G)};
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    struct mt_run run = {.timeline = &timeline, .events = events, .n_events = 2, .first = true};
    struct mt_buf out = {0};
    void *sink;
    assert_int_equal(mt_sink_speedscope.begin(&job, &out, &sink), MT_OK);
    assert_int_equal(mt_sink_speedscope.chunk(sink, &run, &out), MT_OK);
    assert_int_equal(mt_sink_speedscope.end(sink, NULL, &out), MT_OK);
    mt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_repaired_and_reopened),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_losses_without_a_track),
        cmocka_unit_test(test_tracks_without_events),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
