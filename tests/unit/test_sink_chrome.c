/* Tests of the Chrome JSON sinks: exact bytes for small timelines made by hand, without a reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sink/chrome.h"
#include "sink_bytes.h"

static const struct mt_func funcs[] = {
    {.name = TEXT("(unknown)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_PYTHON},
    {.name = TEXT("(unknown)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("(unnamed)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_PYTHON},
    {.name = TEXT("(unnamed)"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("f.<locals>.g"), .owner = TEXT(""), .file = TEXT("/a \"b\"/c.py"), .line = 12},
    {.name = TEXT("append"), .owner = TEXT("list"), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("len"), .owner = TEXT(""), .file = TEXT(""), .kind = MT_FUNC_C},
};
enum { G = 4, APPEND, LEN };

static const struct mt_process process = {.pid = 17,
                                          .real_pid = 17,
                                          .parent = MT_NONE,
                                          .former = MT_NONE,
                                          .n_tracks = 1,
                                          .name = TEXT("app"),
                                          .host = TEXT("host")};
static const struct mt_track track = {.tid = 18, .real_tid = 18, .name = TEXT("worker")};

#define HEAD                                                                                       \
    "[\n"                                                                                          \
    "{\"ph\":\"M\",\"pid\":17,\"name\":\"process_name\",\"args\":{\"name\":\"app\"}},\n"           \
    "{\"ph\":\"M\",\"pid\":17,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":0}},\n"     \
    "{\"ph\":\"M\",\"pid\":17,\"tid\":18,\"name\":\"thread_name\","                                \
    "\"args\":{\"name\":\"worker\"}},\n"                                                           \
    "{\"ph\":\"M\",\"pid\":17,\"tid\":18,\"name\":\"thread_sort_index\","                          \
    "\"args\":{\"sort_index\":0}}"

static struct mt_timeline timeline_of(const struct mt_process *processes, uint32_t n_processes,
                                      const struct mt_track *tracks, uint32_t n_tracks)
{
    return (struct mt_timeline){.processes = processes,
                                .tracks = tracks,
                                .funcs = funcs,
                                .n_processes = n_processes,
                                .n_tracks = n_tracks,
                                .n_funcs = sizeof funcs / sizeof *funcs,
                                .n_hosts = 1};
}

static void assert_one(const struct mt_sink *sink, const struct mt_event *events, uint32_t n_events,
                       const char *expected)
{
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    assert_bytes(sink, &timeline, events, n_events, expected);
}

static void test_begin_end(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(0, G), BEGIN(1001, APPEND), END(999999, APPEND, 0),
                                      BEGIN(12345678901234, LEN), END(12345678901235, LEN, 0)};
    assert_one(
        &mt_sink_chrome, events, N(events),
        HEAD
        ",\n"
        "{\"ph\":\"B\",\"ts\":0.000,\"pid\":17,\"tid\":18,\"name\":\"f.<locals>.g\","
        "\"cat\":\"python\",\"args\":{\"file\":\"/a \\\"b\\\"/c.py:12\"}},\n"
        "{\"ph\":\"B\",\"ts\":1.001,\"pid\":17,\"tid\":18,\"name\":\"list.append\",\"cat\":\"c\"},\n"
        "{\"ph\":\"E\",\"ts\":999.999,\"pid\":17,\"tid\":18},\n"
        "{\"ph\":\"B\",\"ts\":12345678901.234,\"pid\":17,\"tid\":18,\"name\":\"len\","
        "\"cat\":\"c\"},\n"
        "{\"ph\":\"E\",\"ts\":12345678901.235,\"pid\":17,\"tid\":18}\n"
        "]\n");
}

static void test_times_have_three_decimals(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0.000"},
        {7, "0.007"},
        {70, "0.070"},
        {999, "0.999"},
        {1000, "1.000"},
        {10050, "10.050"},
        {99999, "99.999"},
        {100000, "100.000"},
        {999999, "999.999"},
        {1000000, "1000.000"},
        {1000001, "1000.001"},
        {1020003, "1020.003"},
        {123456789, "123456.789"},
        {INT64_MAX, "9223372036854775.807"},
        {5, "0.005"},
        {UINT64_C(9000000000000000000), "9000000000000000.000"},
    };
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    struct mt_buf out = {0};
    void *sink;
    struct mt_job job = {.timeline = &timeline, .n_workers = 1};
    assert_int_equal(mt_sink_chrome.begin(&job, &out, &sink), MT_OK);
    for (size_t i = 0; i < N(cases); i++) {
        const struct mt_event event = END(cases[i].ns, G, 0);
        struct mt_run run = {.timeline = &timeline, .events = &event, .n_events = 1, .first = !i};
        struct mt_buf expected = {0};
        mt_buf_clear(&out);
        assert_int_equal(mt_sink_chrome.chunk(sink, &run, &out), MT_OK);
        mt_buf_printf(&expected, ",\n{\"ph\":\"E\",\"ts\":%s,\"pid\":17,\"tid\":18}",
                      cases[i].text);
        assert_string_equal(mt_buf_text(&out), mt_buf_text(&expected));
        mt_buf_fini(&expected);
    }
    assert_int_equal(mt_sink_chrome.end(sink, NULL, &out), MT_OK);
    mt_buf_fini(&out);
}

static void test_reopened_losses_and_arrows(void **state)
{
    (void)state;
    const struct mt_event_lost lost = {
        .n_events = 3, .until_ns = 5000, .reason = 1, .error = 28, .text = "no space"};
    const struct mt_event_lost missing = {.until_ns = 6000, .text = "a part is missing"};
    struct mt_event events[] = {
        BEGIN(10, G),
        BEGIN(10, LEN),
        {.type = MT_EVENT_LOST, .ts_ns = 20, .lost = &lost},
        {.type = MT_EVENT_LOST, .ts_ns = 30, .lost = &missing},
        {.type = 99, .ts_ns = 50},
    };
    events[0].flags = events[1].flags = MT_EVENT_REOPENED;
    const struct mt_flow flow = {0, 0, 10, 40};
    struct mt_timeline timeline = timeline_of(&process, 1, &track, 1);
    assert_bytes_with_flows(
        &mt_sink_chrome, &timeline, events, N(events), &flow, 1,
        HEAD
        ",\n"
        "{\"ph\":\"B\",\"ts\":0.010,\"pid\":17,\"tid\":18,\"name\":\"f.<locals>.g\","
        "\"cat\":\"python\",\"args\":{\"file\":\"/a \\\"b\\\"/c.py:12\",\"open\":true}},\n"
        "{\"ph\":\"B\",\"ts\":0.010,\"pid\":17,\"tid\":18,\"name\":\"len\",\"cat\":\"c\","
        "\"args\":{\"open\":true}},\n"
        "{\"ph\":\"i\",\"ts\":0.020,\"pid\":17,\"tid\":18,\"s\":\"t\",\"name\":\"events lost\","
        "\"cat\":\"mtrace\",\"args\":{\"count\":3,\"reason\":\"no space\",\"errno\":28,"
        "\"until\":5.000}},\n"
        "{\"ph\":\"i\",\"ts\":0.030,\"pid\":17,\"tid\":18,\"s\":\"t\",\"name\":\"events lost\","
        "\"cat\":\"mtrace\",\"args\":{\"reason\":\"a part is missing\",\"until\":6.000}},\n"
        "{\"ph\":\"s\",\"ts\":0.010,\"pid\":17,\"tid\":18,\"id\":1,\"name\":\"start\","
        "\"cat\":\"process\"},\n"
        "{\"ph\":\"f\",\"ts\":0.040,\"pid\":17,\"tid\":18,\"id\":1,\"name\":\"start\","
        "\"cat\":\"process\",\"bp\":\"e\"}\n"
        "]\n");
}

static void test_complete(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN(10, G),        BEGIN(20, APPEND),          END(50, APPEND, 30),
        BEGIN(1000060, LEN), END(2000061, LEN, 1000001), UNFINISHED(10, G)};
    assert_one(
        &mt_sink_chrome_complete, events, N(events),
        HEAD
        ",\n"
        "{\"ph\":\"X\",\"ts\":0.020,\"dur\":0.030,\"pid\":17,\"tid\":18,\"name\":\"list.append\","
        "\"cat\":\"c\"},\n"
        "{\"ph\":\"X\",\"ts\":1000.060,\"dur\":1000.001,\"pid\":17,\"tid\":18,\"name\":\"len\","
        "\"cat\":\"c\"},\n"
        "{\"ph\":\"B\",\"ts\":0.010,\"pid\":17,\"tid\":18,\"name\":\"f.<locals>.g\","
        "\"cat\":\"python\",\"args\":{\"file\":\"/a \\\"b\\\"/c.py:12\"}}\n"
        "]\n");
}

/* Lines with one ts keep their order, and an inner X would come before its outer one. */
static void test_complete_calls_that_begin_together(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(10, LEN),   BEGIN(10, APPEND),   BEGIN(10, LEN),
                                      END(20, LEN, 10), END(30, APPEND, 20), UNFINISHED(10, LEN)};
    assert_one(
        &mt_sink_chrome_complete, events, N(events),
        HEAD
        ",\n"
        "{\"ph\":\"B\",\"ts\":0.010,\"pid\":17,\"tid\":18,\"name\":\"len\",\"cat\":\"c\"},\n"
        "{\"ph\":\"B\",\"ts\":0.010,\"pid\":17,\"tid\":18,\"name\":\"list.append\",\"cat\":\"c\"},\n"
        "{\"ph\":\"X\",\"ts\":0.010,\"dur\":0.010,\"pid\":17,\"tid\":18,\"name\":\"len\","
        "\"cat\":\"c\"},\n"
        "{\"ph\":\"E\",\"ts\":0.030,\"pid\":17,\"tid\":18}\n"
        "]\n");
}

static void test_names_of_processes(void **state)
{
    (void)state;
    struct mt_process processes[3] = {process, process, process};
    struct mt_track synthetic = {.process = 2, .tid = 5000000, .real_tid = 18, .name = {"", 0}};
    processes[1].former = 0;
    processes[1].name = (struct mt_text)TEXT("later\n");
    processes[2].pid = 4194305;
    processes[2].host = (struct mt_text)TEXT("other");
    processes[0].n_tracks = processes[1].n_tracks = 0;
    struct mt_timeline timeline = timeline_of(processes, 3, &synthetic, 1);
    timeline.n_hosts = 2;
    assert_bytes(
        &mt_sink_chrome, &timeline, NULL, 0,
        "[\n"
        "{\"ph\":\"M\",\"pid\":17,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":0}},\n"
        "{\"ph\":\"M\",\"pid\":17,\"name\":\"process_name\","
        "\"args\":{\"name\":\"app > later\\n on host\"}},\n"
        "{\"ph\":\"M\",\"pid\":4194305,\"name\":\"process_name\","
        "\"args\":{\"name\":\"app (pid 17) on other\",\"real_pid\":17}},\n"
        "{\"ph\":\"M\",\"pid\":4194305,\"name\":\"process_sort_index\","
        "\"args\":{\"sort_index\":2}},\n"
        "{\"ph\":\"M\",\"pid\":4194305,\"tid\":5000000,\"name\":\"thread_name\","
        "\"args\":{\"name\":\"Thread (tid 18)\",\"real_tid\":18}},\n"
        "{\"ph\":\"M\",\"pid\":4194305,\"tid\":5000000,\"name\":\"thread_sort_index\","
        "\"args\":{\"sort_index\":0}}\n"
        "]\n");
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
    assert_bytes(
        &mt_sink_chrome, &timeline, NULL, 0,
        "[\n"
        "{\"ph\":\"M\",\"pid\":17,\"name\":\"process_name\",\"args\":{\"name\":\"app\"}},\n"
        "{\"ph\":\"M\",\"pid\":17,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":0}},\n"
        "{\"ph\":\"i\",\"ts\":1.000,\"pid\":17,\"tid\":17,\"s\":\"p\",\"name\":\"events lost\","
        "\"cat\":\"mtrace\",\"args\":{\"count\":5,\"until\":2.500}}\n"
        "]\n");
}

static void test_nothing(void **state)
{
    (void)state;
    struct mt_timeline timeline = timeline_of(NULL, 0, NULL, 0);
    assert_bytes(&mt_sink_chrome, &timeline, NULL, 0, "[\n\n]\n");
}

static void test_the_table_of_sinks(void **state)
{
    (void)state;
    for (size_t i = 0; mt_sinks[i]; i++) {
        assert_true(mt_sinks[i]->name[0] && mt_sinks[i]->suffix[0] == '.');
        assert_true(mt_sinks[i]->begin && mt_sinks[i]->chunk && mt_sinks[i]->end);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(mt_sinks[i]->name, mt_sinks[k]->name);
    }
}

/* They are repeated with each call, and cut between characters. */
static void test_long_names(void **state)
{
    (void)state;
    struct mt_buf name = {0}, expected = {0};
    mt_buf_append_text(&name, "x");
    while (name.n_bytes < 5000)
        mt_buf_append_text(&name, "\xc3\xa9");
    const struct mt_func func = {.name = {name.data, (uint32_t)name.n_bytes},
                                 .owner = TEXT(""),
                                 .file = {name.data, 1001},
                                 .line = 3};
    mt__chrome_suffix(&expected, &func, false);
    assert_int_equal(expected.n_bytes,
                     strlen(",\"name\":\"") + 999 +
                         strlen("...\",\"cat\":\"python\",\"args\":{\"file\":\"") + 999 +
                         strlen("...:3\"}}"));
    assert_memory_equal(expected.data + strlen(",\"name\":\"") + 997, "\xc3\xa9...\"", 6);
    mt_buf_fini(&name);
    mt_buf_fini(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_begin_end),
        cmocka_unit_test(test_times_have_three_decimals),
        cmocka_unit_test(test_reopened_losses_and_arrows),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_complete_calls_that_begin_together),
        cmocka_unit_test(test_names_of_processes),
        cmocka_unit_test(test_losses_without_a_track),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_the_table_of_sinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
