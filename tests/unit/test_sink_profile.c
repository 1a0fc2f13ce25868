/* Tests of the sinks that write profiles, pstats and callgrind: exact bytes for small timelines made by
 * hand. That other programs read them is for tests/python. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sink_bytes.h"

/* F and F_AGAIN differ for mtrace, not for cProfile. */
static const struct mt_func funcs[] = {
    {.name = TEXT("<module>"), .owner = TEXT(""), .file = TEXT("/a.py"), .line = 1},
    {.name = TEXT("C.f"), .owner = TEXT(""), .file = TEXT("/a.py"), .line = 7},
    {.name = TEXT("D.f"), .owner = TEXT(""), .file = TEXT("/a.py"), .line = 7},
    {.name = TEXT("append"), .owner = TEXT("list"), .file = TEXT(""), .kind = MT_FUNC_C},
    {.name = TEXT("b\xff\n"), .owner = TEXT(""), .file = TEXT("/b.py"), .line = 3},
    {.name = TEXT("unused"), .owner = TEXT(""), .file = TEXT("/b.py"), .line = 4},
};
enum { MODULE, F, F_AGAIN, APPEND, B };

static const struct mt_process process = {.pid = 17, .n_tracks = 1, .name = TEXT("app\n")};
static const struct mt_track track = {.tid = 18};
static const struct mt_timeline timeline = {.processes = &process,
                                            .tracks = &track,
                                            .funcs = funcs,
                                            .n_processes = 1,
                                            .n_tracks = 1,
                                            .n_funcs = N(funcs)};

static const struct mt_event events[] = {
    BEGIN(0, MODULE),       BEGIN(1000, F),           BEGIN(2000, F_AGAIN), BEGIN(2100, APPEND),
    END(2600, APPEND, 500), END(3000, F_AGAIN, 1000), END(5000, F, 4000),   BEGIN(6000, B),
    END(6250, B, 250),      END(8000, MODULE, 8000),
};

/* ---- marshal, as a test writes it */

static void put_le(struct mt_buf *out, uint64_t value, int n_bytes)
{
    for (; n_bytes--; value >>= 8)
        mt_buf_append_char(out, (char)value);
}

static void put_int(struct mt_buf *out, uint32_t value)
{
    mt_buf_append_char(out, 'i');
    put_le(out, value, 4);
}

static void put_seconds(struct mt_buf *out, double value)
{
    mt_buf_append_char(out, 'g');
    mt_buf_append(out, &value, sizeof value); /* little-endian machines only */
}

static void put_str(struct mt_buf *out, const char *text)
{
    mt_buf_append_char(out, 'u');
    put_le(out, strlen(text), 4);
    mt_buf_append_text(out, text);
}

static void put_tuple(struct mt_buf *out, uint32_t n)
{
    mt_buf_append_char(out, '(');
    put_le(out, n, 4);
}

static void put_key(struct mt_buf *out, const char *file, uint32_t line, const char *name)
{
    put_tuple(out, 3);
    put_str(out, file);
    put_int(out, line);
    put_str(out, name);
}

static void put_numbers(struct mt_buf *out, uint32_t first, uint32_t second, uint64_t self_ns,
                        uint64_t cum_ns)
{
    put_int(out, first);
    put_int(out, second);
    put_seconds(out, (double)self_ns / 1e9);
    put_seconds(out, (double)cum_ns / 1e9);
}

static void put_caller(struct mt_buf *out, uint32_t n_calls, uint32_t n_primitive, uint64_t self_ns,
                       uint64_t cum_ns)
{
    put_tuple(out, 4);
    put_numbers(out, n_calls, n_primitive, self_ns, cum_ns);
}

static void assert_same(const struct mt_buf *found, const struct mt_buf *expected)
{
    assert_false(found->failed || expected->failed);
    assert_int_equal(found->n_bytes, expected->n_bytes);
    assert_memory_equal(found->data, expected->data, found->n_bytes);
}

static void feed(const struct mt_sink *sink, const struct mt_event *all, uint32_t n,
                 struct mt_buf *out)
{
    struct mt_job job = {.timeline = &timeline, .n_workers = 2};
    uint64_t n_lost_told = 0;
    struct mt_outcome outcome = {.n_lost_told = &n_lost_told};
    void *state;
    assert_int_equal(sink->begin(&job, out, &state), MT_OK);
    for (uint32_t i = 0; i < n; i++) {
        struct mt_run run = {.timeline = &timeline,
                             .events = &all[i],
                             .n_events = 1,
                             .worker = i % 2,
                             .first = !i,
                             .last = i + 1 == n};
        assert_int_equal(sink->chunk(state, &run, out), MT_OK);
    }
    assert_int_equal(sink->end(state, &outcome, out), MT_OK);
}

static void test_pstats(void **state)
{
    (void)state;
    struct mt_buf found = {0}, expected = {0};
    feed(&mt_sink_pstats, events, N(events), &found);
    mt_buf_append_char(&expected, '{');

    put_key(&expected, "/a.py", 1, "<module>");
    put_tuple(&expected, 5);
    put_numbers(&expected, 1, 1, 8000 - 4000 - 250, 8000);
    mt_buf_append_text(&expected, "{0");

    put_key(&expected, "/a.py", 7, "f");
    put_tuple(&expected, 5);
    put_numbers(&expected, 1, 2, 3000 + 500, 4000); /* primitive calls, calls */
    mt_buf_append_char(&expected, '{');
    put_key(&expected, "/a.py", 1, "<module>");
    put_caller(&expected, 1, 1, 3000, 4000);
    put_key(&expected, "/a.py", 7, "f");
    put_caller(&expected, 1, 1, 500, 1000);
    mt_buf_append_char(&expected, '0');

    put_key(&expected, "~", 0, "<method 'append' of 'list' objects>");
    put_tuple(&expected, 5);
    put_numbers(&expected, 1, 1, 500, 500);
    mt_buf_append_char(&expected, '{');
    put_key(&expected, "/a.py", 7, "f");
    put_caller(&expected, 1, 1, 500, 500);
    mt_buf_append_char(&expected, '0');

    put_key(&expected, "/b.py", 3, "b\xef\xbf\xbd\n");
    put_tuple(&expected, 5);
    put_numbers(&expected, 1, 1, 250, 250);
    mt_buf_append_char(&expected, '{');
    put_key(&expected, "/a.py", 1, "<module>");
    put_caller(&expected, 1, 1, 250, 250);
    mt_buf_append_char(&expected, '0');

    mt_buf_append_char(&expected, '0');
    assert_same(&found, &expected);
    mt_buf_fini(&found);
    mt_buf_fini(&expected);
}

static void test_callers_have_calls_before_primitive_calls(void **state)
{
    (void)state;
    /* b calls itself, three deep: of b by b 2 calls, 1 primitive; of b 3 and 1. */
    const struct mt_event deep[] = {BEGIN(0, B),    BEGIN(10, B),   BEGIN(20, B),
                                    END(30, B, 10), END(40, B, 30), END(60, B, 60)};
    struct mt_buf found = {0}, expected = {0};
    feed(&mt_sink_pstats, deep, N(deep), &found);
    mt_buf_append_char(&expected, '{');
    put_key(&expected, "/b.py", 3, "b\xef\xbf\xbd\n");
    put_tuple(&expected, 5);
    put_numbers(&expected, 1, 3, 60, 60);
    mt_buf_append_char(&expected, '{');
    put_key(&expected, "/b.py", 3, "b\xef\xbf\xbd\n");
    put_caller(&expected, 2, 1, 30, 30);
    mt_buf_append_text(&expected, "00");
    assert_same(&found, &expected);
    mt_buf_fini(&found);
    mt_buf_fini(&expected);
}

static void test_pstats_of_nothing_is_an_empty_dict(void **state)
{
    (void)state;
    assert_bytes(&mt_sink_pstats, &timeline, NULL, 0, "{0");
}

#define HEAD                                                                                       \
    "# callgrind format\nversion: 1\ncreator: mtrace\npid: 17\ncmd: app?\npositions: line\n"       \
    "events: ns\nsummary: "

static void test_callgrind(void **state)
{
    (void)state;
    assert_bytes(&mt_sink_callgrind, &timeline, events, N(events),
                 HEAD "8000\n"
                      "\nfl=(1) /a.py\nfn=(1) <module>\n1 3750\n"
                      "cfi=(1)\ncfn=(2) C.f\ncalls=1 7\n1 4000\n"
                      "cfi=(2) /b.py\ncfn=(5) b\xff?\ncalls=1 3\n1 250\n"
                      "\nfl=(1)\nfn=(2)\n7 3000\n"
                      "cfi=(1)\ncfn=(3) D.f\ncalls=1 7\n7 1000\n"
                      "\nfl=(1)\nfn=(3)\n7 500\n"
                      "cfi=(3) ~\ncfn=(4) {method 'append' of 'list' objects}\ncalls=1 0\n7 500\n"
                      "\nfl=(3)\nfn=(4)\n0 500\n"
                      "\nfl=(2)\nfn=(5)\n3 250\n");
    assert_bytes(&mt_sink_callgrind, &timeline, NULL, 0, HEAD "0\n");
}

static void test_given_up_halfway(void **state)
{
    (void)state;
    const struct mt_sink *const sinks[] = {&mt_sink_pstats, &mt_sink_callgrind};
    for (size_t i = 0; i < N(sinks); i++) {
        struct mt_job job = {.timeline = &timeline, .n_workers = 1};
        struct mt_run run = {.timeline = &timeline, .events = events, .n_events = 4, .first = true};
        struct mt_buf out = {0};
        void *sink;
        assert_int_equal(sinks[i]->begin(&job, &out, &sink), MT_OK);
        assert_int_equal(sinks[i]->chunk(sink, &run, &out), MT_OK);
        assert_int_equal(sinks[i]->end(sink, NULL, &out), MT_OK);
        mt_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pstats),
        cmocka_unit_test(test_callers_have_calls_before_primitive_calls),
        cmocka_unit_test(test_pstats_of_nothing_is_an_empty_dict),
        cmocka_unit_test(test_callgrind),
        cmocka_unit_test(test_given_up_halfway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
