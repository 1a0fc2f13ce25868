/* Tests of the collapsed sink: exact bytes for small timelines made by hand, without a reader. */
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
    {.name = TEXT("f.<locals>.g"), .owner = TEXT(""), .file = TEXT("/a b/c.py"), .line = 12},
    {.name = TEXT("append"), .owner = TEXT("list"), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("a;b\nc\x7f 7"), .owner = TEXT(""), .file = TEXT("")},
    {.name = TEXT("\xff\xc2\x85\xe2\x80\xa8\xc3\xa9"),
     .owner = TEXT(""),
     .file = TEXT("x;\r 5"),
     .line = 1},
    {.name = TEXT("a:b_c__7"), .owner = TEXT(""), .file = TEXT("")},
    {.name = TEXT(""), .owner = TEXT(""), .file = TEXT("")},
    {.name = TEXT(""), .owner = TEXT(""), .file = TEXT("d.py"), .line = 2},
};
enum { G, APPEND, HOSTILE, BYTES, LIKE_HOSTILE, NAMELESS, NAMELESS_IN_FILE };

static const struct mt_process process = {.pid = 17,
                                          .real_pid = 17,
                                          .parent = MT_NONE,
                                          .former = MT_NONE,
                                          .n_tracks = 1,
                                          .name = TEXT("app"),
                                          .host = TEXT("host")};
static const struct mt_track track = {.tid = 18, .real_tid = 18, .name = TEXT("worker")};

#define ROOT "app (17);worker (18);"
#define GTEXT "f.<locals>.g (/a b/c.py:12)"

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
    assert_bytes(&mt_sink_collapsed, &timeline, events, n_events, expected);
}

/* "N:NS " for each line, N is how many frames there are below the first function. */
static void append_sums(struct mt_buf *sums, const char *lines)
{
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        uint32_t n_frames = 0;
        const char *count = lines;
        for (const char *at = lines; at < end; at++) {
            n_frames += *at == ';';
            count = *at == ' ' ? at + 1 : count;
        }
        mt_buf_printf(sums, "%u:%.*s ", n_frames - 2, (int)(end - count), count);
    }
}

static void test_self_time(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN(100, G),       BEGIN(110, APPEND),   END(113, APPEND, 3),  BEGIN(120, G),
        BEGIN(130, APPEND),  END(150, APPEND, 20), END(151, G, 31),      END(160, G, 60),
        BEGIN(1000, G),      BEGIN(1001, APPEND),  END(1005, APPEND, 4), END(1005, G, 5),
        BEGIN(2000, APPEND), END(2000, APPEND, 0),
    };
    assert_one(events, N(events),
               ROOT GTEXT " 27\n" /* 10 + 7 + 9 + 1 */
               ROOT GTEXT ";list.append 7\n" ROOT GTEXT ";" GTEXT " 11\n" ROOT GTEXT ";" GTEXT
                          ";list.append 20\n");
}

/* A name has neither what separates frames nor what ends lines, and no number after a space. */
static void test_hostile_names(void **state)
{
    (void)state;
    struct mt_process hostile_process = process;
    struct mt_track hostile_track = track;
    hostile_process.name = (struct mt_text)TEXT("a;b\n 5");
    hostile_track.name = (struct mt_text)TEXT("\xc2\x9f;\t6");
    const struct mt_event events[] = {BEGIN(0, HOSTILE),      END(1, HOSTILE, 1),
                                      BEGIN(1, BYTES),        END(3, BYTES, 2),
                                      BEGIN(3, LIKE_HOSTILE), END(7, LIKE_HOSTILE, 4)};
    struct mt_timeline timeline = timeline_of(&hostile_process, 1, &hostile_track, 1);
    assert_bytes(&mt_sink_collapsed, &timeline, events, N(events),
                 "a:b_ 5 (17);_:_6 (18);a:b_c__7 5\n"
                 "a:b_ 5 (17);_:_6 (18);\xef\xbf\xbd__\xc3\xa9 (x:_ 5:1) 2\n");
}

/* What never ended counts up to the last event; what was repaired is like everything else. */
/* flamegraph.pl takes "a;;b 1" and "a; 1" for stacks without that frame. */
static void test_empty_names(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(0, NAMELESS), BEGIN(1, NAMELESS_IN_FILE),
                                      END(3, NAMELESS_IN_FILE, 2), END(4, NAMELESS, 4)};
    assert_one(events, N(events), ROOT "(unnamed) 2\n" ROOT "(unnamed);(unnamed) (d.py:2) 2\n");
}

static void test_unfinished_and_repaired(void **state)
{
    (void)state;
    struct mt_event events[] = {BEGIN(5, G),       BEGIN(10, APPEND),  END(30, APPEND, 20),
                                BEGIN(31, APPEND), END(40, APPEND, 9), UNFINISHED(5, G)};
    events[0].flags = MT_EVENT_REOPENED;
    events[2].flags = MT_EVENT_REPAIRED;
    assert_one(events, N(events), ROOT GTEXT " 6\n" ROOT GTEXT ";list.append 29\n");
}

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
        END(20, G, 10),
        BEGIN(5500, APPEND),
        {.type = MT_EVENT_LOST, .ts_ns = 6000, .lost = &more},
        END(6200, APPEND, 700),
        {.type = 99, .ts_ns = 6300},
        BEGIN(6300, G),
        {.type = MT_EVENT_LOST, .ts_ns = 6400, .lost = &missing},
        UNFINISHED(6300, G),
    };
    assert_one(events, N(events),
               ROOT GTEXT " 105\n" /* 5 and 100 */
               ROOT GTEXT ";list.append 5\n" ROOT "(events lost) 4980\n" ROOT
                          "list.append 500\n" ROOT "list.append;(events lost) 200\n" ROOT GTEXT
                          ";(events lost) 2600\n");
}

/* No stack is longer than 1,024 calls. */
static void test_depth(void **state)
{
    (void)state;
    enum { DEPTH = 1030 };
    struct mt_event *events = calloc(2 * DEPTH, sizeof *events);
    struct mt_buf expected = {0};
    assert_non_null(events);
    for (uint32_t i = 0; i < DEPTH; i++) {
        events[i] = (struct mt_event)BEGIN(i, APPEND);
        events[2 * DEPTH - 1 - i] = (struct mt_event)END(2 * DEPTH - 1 - i, APPEND, 1);
    }
    for (uint32_t depth = 1; depth <= 1025; depth++) {
        mt_buf_append_text(&expected, "app (17);worker (18)");
        for (uint32_t i = 0; i < depth && i < 1024; i++)
            mt_buf_append_text(&expected, ";list.append");
        /* A ns before the next call and one after it; below the limit there are 6 calls. */
        mt_buf_append_text(&expected, depth <= 1024 ? " 2\n" : ";(deeper calls) 11\n");
    }
    assert_one(events, 2 * DEPTH, mt_buf_text(&expected));
    mt_buf_fini(&expected);
    free(events);
}

static void put_sums(struct mt_buf *sums, uint32_t n, unsigned ns, unsigned innermost_ns)
{
    for (uint32_t i = 0; i < n; i++)
        mt_buf_printf(sums, "%u:%u ", i, i + 1 < n ? ns : innermost_ns);
}

/* Lines are written before the end where they are very long, and what is open stays so. */
static void test_portions(void **state)
{
    (void)state;
    enum { N_NAME = 1000, DEPTH = 130, N_EVENTS = 4 * DEPTH };
    char name[N_NAME];
    memset(name, 'x', sizeof name);
    struct mt_func long_funcs[] = {funcs[HOSTILE], funcs[HOSTILE]};
    long_funcs[0].name = (struct mt_text){name, N_NAME};
    long_funcs[1].name = (struct mt_text){name, N_NAME - 1};
    struct mt_event events[N_EVENTS];
    for (uint32_t i = 0; i < N_EVENTS; i++) { /* down and up, twice; a ns between two events */
        bool is_begin = i / DEPTH % 2 == 0;
        events[i] = is_begin ? (struct mt_event)BEGIN(i, i / (2 * DEPTH))
                             : (struct mt_event)END(i, i / (2 * DEPTH), 1);
    }
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    timeline.funcs = long_funcs;
    timeline.n_funcs = 2;
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    struct mt_outcome outcome = {0};
    struct mt_buf out = {0};
    void *sink;
    assert_int_equal(mt_sink_collapsed.begin(&job, &out, &sink), MT_OK);
    for (uint32_t i = 0; i < 3; i++) { /* one stack is 8 MB in all */
        struct mt_run run = {.timeline = &timeline,
                             .events = events + (i ? (i + 1) * DEPTH : 0),
                             .n_events = i ? DEPTH : 2 * DEPTH,
                             .first = !i,
                             .last = i == 2};
        struct mt_buf sums = {0}, expected = {0};
        mt_buf_clear(&out);
        assert_int_equal(mt_sink_collapsed.chunk(sink, &run, &out), MT_OK);
        append_sums(&sums, mt_buf_text(&out));
        if (i == 1) {
            put_sums(&expected, DEPTH, 2, 1);
            put_sums(&expected, DEPTH - 1, 1, 1);
        } else if (i == 2) {
            put_sums(&expected, DEPTH, 1, 1);
        }
        assert_string_equal(mt_buf_text(&sums), mt_buf_text(&expected));
        mt_buf_fini(&sums);
        mt_buf_fini(&expected);
    }
    assert_int_equal(mt_sink_collapsed.end(sink, &outcome, &out), MT_OK);
    mt_buf_fini(&out);
}

/* A name is cut between characters. Below more than 128 KiB of names is one frame. */
static void test_long_names(void **state)
{
    (void)state;
    enum { N_NAME = 5000, FITTING = 130, DEPTH = FITTING + 3 };
    struct mt_func long_func = funcs[HOSTILE];
    struct mt_event events[2 * DEPTH];
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    struct mt_buf expected = {0}, name = {0}, label = {0};
    mt_buf_append_text(&name, "x");
    while (name.n_bytes < N_NAME)
        mt_buf_append_text(&name, "\xc3\xa9");
    mt_buf_append(&label, name.data, 999);
    mt_buf_append_text(&label, "...");
    long_func.name = (struct mt_text){name.data, (uint32_t)name.n_bytes};
    timeline.funcs = &long_func;
    timeline.n_funcs = 1;
    for (uint32_t i = 0; i < 2 * DEPTH; i++)
        events[i] = i < DEPTH ? (struct mt_event)BEGIN(i, 0) : (struct mt_event)END(i, 0, 1);
    for (uint32_t depth = 1; depth <= FITTING + 1; depth++) {
        mt_buf_append_text(&expected, "app (17);worker (18)");
        for (uint32_t i = 0; i < depth && i < FITTING; i++) {
            mt_buf_append_char(&expected, ';');
            mt_buf_append(&expected, label.data, label.n_bytes);
        }
        mt_buf_append_text(&expected, depth <= FITTING ? " 2\n" : ";(deeper calls) 5\n");
    }
    assert_bytes(&mt_sink_collapsed, &timeline, events, N(events), mt_buf_text(&expected));
    mt_buf_fini(&expected);
    mt_buf_fini(&name);
    mt_buf_fini(&label);
}

/* Runs of one track after another, in turns; threads with one name and tid are told apart. */
static void test_tracks(void **state)
{
    (void)state;
    struct mt_process processes[2] = {process, process};
    struct mt_track tracks[4] = {
        track, track, {.process = 1, .tid = 5000000, .real_tid = 18, .name = {"", 0}}, track};
    processes[1].pid = 4194305;
    processes[1].host = (struct mt_text)TEXT("other");
    const struct mt_event begins[] = {BEGIN(10, G)}, ends[] = {END(20, G, 10)};
    struct mt_timeline timeline = timeline_of(processes, 2, tracks, 4);
    timeline.n_hosts = 2;
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    struct mt_outcome outcome = {0};
    struct mt_buf out = {0};
    void *sink;
    assert_int_equal(mt_sink_collapsed.begin(&job, &out, &sink), MT_OK);
    for (uint32_t i = 0; i < 8; i++) {
        struct mt_run run = {.timeline = &timeline,
                             .track = i % 4,
                             .first = i < 4,
                             .last = i >= 4,
                             .events = i < 4 ? begins : ends,
                             .n_events = i % 4 != 3};
        assert_int_equal(mt_sink_collapsed.chunk(sink, &run, &out), MT_OK);
    }
    assert_int_equal(mt_sink_collapsed.end(sink, &outcome, &out), MT_OK);
    assert_string_equal(mt_buf_text(&out),
                        "app (17) on host;worker (18);" GTEXT " 10\n"
                        "app (17) on host;worker (18) #2;" GTEXT " 10\n"
                        "app (4194305, pid 17) on other;Thread (5000000, tid 18);" GTEXT " 10\n");
    mt_buf_fini(&out);
}

static void test_nothing(void **state)
{
    (void)state;
    struct mt_timeline timeline = timeline_of(NULL, 0, NULL, 0);
    assert_bytes(&mt_sink_collapsed, &timeline, NULL, 0, "");
    assert_one(NULL, 0, "");
}

/* Whoever stops in the middle leaves nothing behind (the sanitizers look). */
static void test_stopped(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(10, G)};
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    struct mt_run run = {.timeline = &timeline, .events = events, .n_events = 1, .first = true};
    struct mt_buf out = {0};
    void *sink;
    assert_int_equal(mt_sink_collapsed.begin(&job, &out, &sink), MT_OK);
    assert_int_equal(mt_sink_collapsed.chunk(sink, &run, &out), MT_OK);
    assert_int_equal(mt_sink_collapsed.end(sink, NULL, &out), MT_OK);
    assert_int_equal(out.n_bytes, 0);
    mt_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_self_time),   cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_empty_names), cmocka_unit_test(test_unfinished_and_repaired),
        cmocka_unit_test(test_losses),      cmocka_unit_test(test_depth),
        cmocka_unit_test(test_portions),    cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_tracks),      cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
