/* Tests of slices: what is left of hand-made traces, event by event, for each condition, at the edges,
 * and together. test_slice_tracks.c has processes, threads and arrows, test_slice_random.c compares
 * with a plain implementation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events_text.h"
#include "reader/slice.h"
#include "slices.h"

/* One call of each function, 10 ns between its events:
 * main@0 { work@10 { posix.fork@20 }@30 }@40 { work@50 }@60 }@70 { tail@80 }@90 */
static void make_calls(struct tb *tb)
{
    tb_init(tb, 100);
    tb_code(tb, 1, "main", "src/app.py", 1);
    tb_code(tb, 2, "work", "src/lib/work.py", 9);
    tb_cfunc(tb, 3, "posix", "fork");
    tb_code(tb, 4, "tail", NULL, 0);
    tb_records(tb, tb_events(tb, 1, 100, 1000), 10, "(1 (2 [3 ]3 )2 (2 )2 )1 (4 )4");
}

static void assert_slice(struct tb *tb, const struct mt_slice *slice, const char *expected)
{
    struct mt_set *set = set_of(&tb, 1, NULL);
    assert_int_equal(mt_set_slice(set, slice), MT_OK);
    assert_track(set, 0, expected);
    mt_set_free(set);
}

static void assert_calls(const struct mt_slice *slice, const char *expected)
{
    struct tb tb;
    make_calls(&tb);
    assert_slice(&tb, slice, expected);
    tb_fini(&tb);
}

#define ALL_CALLS                                                                                  \
    "B main@0 B work@10 B fork@20 E fork@30+10 E work@40+30 B work@50 E work@60+10 E main@70+70 "  \
    "B tail@80 E tail@90+10"

static void test_nothing_asked_for(void **state)
{
    (void)state;
    assert_calls(SLICE(.from_ns = 0), ALL_CALLS);
    assert_calls(SLICE(.to_ns = 1000), ALL_CALLS);
    assert_calls(SLICE(.min_duration_ns = 1), ALL_CALLS);
    assert_calls(SLICE(.max_depth = 3), ALL_CALLS);
    assert_calls(SLICE(.include = GLOBS("*")), ALL_CALLS);
    assert_calls(SLICE(.exclude = GLOBS("mai", "orks", "fork.*", "app", "app.py/*")), ALL_CALLS);
}

/* ----------------------------------------------------------------------------------------- times */

static void test_from_and_to_cut_calls(void **state)
{
    (void)state;
    assert_calls(SLICE(.from_ns = 25, .to_ns = 55),
                 "Bo main@25 Bo work@25 Bo fork@25 Eo fork@30+5 Eo work@40+15 B work@50 "
                 "Ec work@55+5 Eoc main@55+30");
    assert_calls(SLICE(.from_ns = 85), "Bo tail@85 Eo tail@90+5");
    assert_calls(SLICE(.to_ns = 5), "B main@0 Ec main@5+5");
    /* nothing happens within, but calls are open */
    assert_calls(SLICE(.from_ns = 22, .to_ns = 24),
                 "Bo main@22 Bo work@22 Bo fork@22 Eoc fork@24+2 Eoc work@24+2 Eoc main@24+2");
    assert_calls(SLICE(.from_ns = 73, .to_ns = 76), "");
}

static void test_events_just_at_the_edges(void **state)
{
    (void)state;
    /* A call that ends at `from` is out, one that begins there is in and is new. */
    assert_calls(SLICE(.from_ns = 30, .to_ns = 45), "Bo main@30 Bo work@30 Eo work@40+10 "
                                                    "Eoc main@45+15");
    assert_calls(SLICE(.from_ns = 20, .to_ns = 25),
                 "Bo main@20 Bo work@20 B fork@20 Ec fork@25+5 Eoc work@25+5 Eoc main@25+5");
    /* A call that ends at `to` ends by itself, one that begins there is out. */
    assert_calls(SLICE(.from_ns = 15, .to_ns = 40),
                 "Bo main@15 Bo work@15 B fork@20 E fork@30+10 Eo work@40+25 Eoc main@40+25");
    assert_calls(SLICE(.from_ns = 45, .to_ns = 50), "Bo main@45 Eoc main@50+5");
    assert_calls(SLICE(.from_ns = 70, .to_ns = 80), "");
    assert_calls(SLICE(.from_ns = 90), "");
    assert_calls(SLICE(.from_ns = 91), "");
}

static void test_calls_without_length_at_the_edges(void **state)
{
    (void)state;
    struct tb tb;
    tb_init(&tb, 100);
    tb_code(&tb, 1, "f", NULL, 0);
    tb_code(&tb, 2, "g", NULL, 0);
    size_t chunk = tb_events(&tb, 1, 100, 1000);
    tb_records(&tb, chunk, 10, "(1");
    tb_records(&tb, chunk, 10, "(2");
    tb_records(&tb, chunk, 0, ")2 (2 )2 )1 (1");
    tb_records(&tb, chunk, 10, ")1");
    assert_slice(&tb, SLICE(.from_ns = 10),
                 "Bo f@10 B g@10 E g@10+0 B g@10 E g@10+0 Eo f@10+0 "
                 "B f@10 E f@20+10");
    assert_slice(&tb, SLICE(.to_ns = 10), "B f@0 Ec f@10+10");
    tb_fini(&tb);
}

static void test_calls_that_never_end(void **state)
{
    (void)state;
    struct tb tb;
    tb_init(&tb, 100);
    tb_code(&tb, 1, "f", NULL, 0);
    tb_code(&tb, 2, "g", NULL, 0);
    tb_records(&tb, tb_events(&tb, 1, 100, 1000), 10, "(1 (2 )2 (2");
    assert_slice(&tb, SLICE(.from_ns = 15), "Bo f@15 Bo g@15 Eo g@20+5 B g@30 Uo f@15 U g@30");
    assert_slice(&tb, SLICE(.to_ns = 100), "B f@0 B g@10 E g@20+10 B g@30 U f@0 U g@30");
    assert_slice(&tb, SLICE(.to_ns = 30), "B f@0 B g@10 E g@20+10 Ec f@30+30");
    /* Behind its last event the track is shown for as long as the process lives. */
    assert_slice(&tb, SLICE(.from_ns = 31), "");
    tb_records(&tb, tb_events(&tb, 2, 101, 1000), 500, "(2");
    assert_slice(&tb, SLICE(.from_ns = 31, .to_ns = 33), "Bo f@31 Bo g@31 Uo f@31 Uo g@31");
    assert_slice(&tb, SLICE(.from_ns = 490), "Bo f@490 Bo g@490 Uo f@490 Uo g@490");
    assert_slice(&tb, SLICE(.from_ns = 491), "");
    tb_fini(&tb);
}

static void test_losses(void **state)
{
    (void)state;
    struct tb tb;
    tb_init(&tb, 100);
    tb_code(&tb, 1, "f", NULL, 0);
    size_t chunk = tb_events(&tb, 1, 100, 1000);
    tb_records(&tb, chunk, 10, "(1");
    tb_lost(&tb, chunk, 5, 1050, MT_LOSS_IO); /* 0 to 40 */
    tb_record(&tb, chunk, 1060, MT_KIND_PY_BEGIN, 1);
    tb_record(&tb, chunk, 1070, MT_KIND_PY_END, 1);
    tb_lost(&tb, chunk, 6, 1090, MT_LOSS_IO); /* 60 to 80 */
    tb_record(&tb, chunk, 1100, MT_KIND_PY_END, 1);
    assert_slice(&tb, SLICE(.to_ns = 1000),
                 "B f@0 L 5@0..40 B f@50 E f@60+10 L 6@60..80 E f@90+90");
    assert_slice(&tb, SLICE(.from_ns = 20, .to_ns = 70),
                 "Bo f@20 L 5@20..40 B f@50 E f@60+10 L 6@60..70 Eoc f@70+50");
    assert_slice(&tb, SLICE(.from_ns = 40, .to_ns = 60),
                 "Bo f@40 L 5@40..40 B f@50 E f@60+10 Eoc f@60+20");
    assert_slice(&tb, SLICE(.from_ns = 41, .to_ns = 45), "Bo f@41 Eoc f@45+4");
    assert_slice(&tb, SLICE(.from_ns = 85), "Bo f@85 Eo f@90+5");
    /* They come in the order of time, also where a begin waits. */
    assert_slice(&tb, SLICE(.min_duration_ns = 10),
                 "B f@0 L 5@0..40 B f@50 E f@60+10 L 6@60..80 E f@90+90");
    assert_slice(&tb, SLICE(.min_duration_ns = 11), "B f@0 L 5@0..40 L 6@60..80 E f@90+90");
    assert_slice(&tb, SLICE(.min_duration_ns = 91), "L 5@0..40 L 6@60..80");
    assert_slice(&tb, SLICE(.include = GLOBS("none")), "L 5@0..40 L 6@60..80");
    tb_fini(&tb);
}

/* Chunks behind the slice are not read at all: what is wrong with them is not found. */
static void test_what_is_behind_is_not_read(void **state)
{
    (void)state;
    struct tb tb, *file = &tb;
    struct mt_plan plan;
    make_calls(&tb);
    tb_records(&tb, tb_events(&tb, 1, 100, 2000), 10, "(1 )1");
    size_t bad = tb_events_of(&tb, 1, 100, 3000, 16);
    tb_records(&tb, bad, 10, "(1 )1");
    for (int i = 0; i < 7000; i++)
        tb_record(&tb, bad, 3100 + 10 * (uint64_t)i, MT_KIND_EXT, mt_ext_id(0xffff, 0));
    struct mt_set *set = set_of(&file, 1, NULL);
    assert_int_equal(mt_plan_init(&plan, set, 0), MT_OK);
    assert_int_equal(plan.n_steps, 4);
    mt_plan_fini(&plan);
    assert_int_equal(mt_set_slice(set, SLICE(.from_ns = 85, .to_ns = 1005)), MT_OK);
    assert_int_equal(mt_plan_init(&plan, set, 0), MT_OK);
    assert_int_equal(plan.n_steps, 2);
    mt_plan_fini(&plan);
    struct mt_counts counts;
    char *text = events_text(set, 0, &counts);
    assert_string_equal(text, "Bo tail@85 Eo tail@90+5 B main@1000 Ec main@1005+5");
    assert_int_equal(counts.n_unknown_kinds, 0);
    free(text);
    mt_set_free(set);
    tb_fini(&tb);
}

/* A call that is open where a chunk begins that is not read: it does not end there. */
static void test_a_cut_between_chunks(void **state)
{
    (void)state;
    struct tb tb;
    tb_init(&tb, 100);
    tb_code(&tb, 1, "f", NULL, 0);
    tb_records(&tb, tb_events(&tb, 1, 100, 1000), 10, "(1");
    tb_records(&tb, tb_events(&tb, 1, 100, 2000), 10, ")1");
    assert_slice(&tb, SLICE(.to_ns = 500), "B f@0 Ec f@500+500");
    assert_slice(&tb, SLICE(.from_ns = 300, .to_ns = 500), "Bo f@300 Eoc f@500+200");
    tb_chunk_header(&tb, tb.n_chunks - 1)->seq = 5; /* a part is missing from 0 to 990 */
    assert_slice(&tb, SLICE(.to_ns = 500), "B f@0 L 0@0..500 Ec f@500+500");
    tb_fini(&tb);
}

#define N_DEEP 240000u

/* Counts what a walk gives out, and that each END has its BEGIN. */
static void count_events(struct mt_set *set, size_t n[MT_EVENT_UNFINISHED + 1])
{
    struct mt_walk *walk;
    struct mt_run run;
    memset(n, 0, (MT_EVENT_UNFINISHED + 1) * sizeof *n);
    assert_int_equal(mt_walk_new(set, MT_NEEDS_PAIRS, &walk), MT_OK);
    for (mt_walk_start(walk, 0); mt_walk_next(walk, &run);) {
        for (uint32_t i = 0; i < run.n_events; i++) {
            n[run.events[i].type]++;
            assert_true(n[MT_EVENT_END] <= n[MT_EVENT_BEGIN]);
        }
    }
    assert_int_equal(mt_walk_status(walk), MT_OK);
    mt_walk_free(walk);
}

/* Calls within calls, one each ns, that never end; the slice begins and ends in the middle of them. */
static void test_a_deep_stack(void **state)
{
    (void)state;
    struct tb tb, *file = &tb;
    size_t chunk = 0, n[MT_EVENT_UNFINISHED + 1];
    tb_init(&tb, 100);
    tb_code(&tb, 1, "f", NULL, 0);
    for (uint32_t i = 0; i < N_DEEP; i++) {
        if (i % 30000 == 0)
            chunk = tb_events_of(&tb, 1, 100, 1000 + i, 64);
        tb_record(&tb, chunk, 1000 + i, MT_KIND_PY_BEGIN, 1);
    }
    static const struct {
        struct mt_slice slice;
        size_t n_begin, n_end, n_unfinished;
    } cases[] = {
        {{.from_ns = N_DEEP / 2}, N_DEEP, 0, N_DEEP},
        {{.to_ns = N_DEEP / 2}, N_DEEP / 2, N_DEEP / 2, 0},
        {{.from_ns = N_DEEP / 4, .to_ns = N_DEEP / 2}, N_DEEP / 2, N_DEEP / 2, 0},
        {{.min_duration_ns = N_DEEP / 4}, N_DEEP / 4 * 3, 0, N_DEEP / 4 * 3},
        {{.max_depth = 1000}, 1000, 0, 1000},
        {{.from_ns = 5000, .to_ns = 6000, .min_duration_ns = 1000, .max_depth = 100}, 100, 100, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_set *set = set_of(&file, 1, NULL);
        assert_int_equal(mt_set_slice(set, &cases[i].slice), MT_OK);
        count_events(set, n);
        assert_int_equal(n[MT_EVENT_BEGIN], cases[i].n_begin);
        assert_int_equal(n[MT_EVENT_END], cases[i].n_end);
        assert_int_equal(n[MT_EVENT_UNFINISHED], cases[i].n_unfinished);
        mt_set_free(set);
    }
    tb_fini(&tb);
}

/* ------------------------------------------------------------------------------- length and depth */

static void test_short_calls(void **state)
{
    (void)state;
    assert_calls(SLICE(.min_duration_ns = 10), ALL_CALLS);
    assert_calls(SLICE(.min_duration_ns = 11), "B main@0 B work@10 E work@40+30 E main@70+70");
    assert_calls(SLICE(.min_duration_ns = 30), "B main@0 B work@10 E work@40+30 E main@70+70");
    assert_calls(SLICE(.min_duration_ns = 31), "B main@0 E main@70+70");
    assert_calls(SLICE(.min_duration_ns = 71), "");
    assert_calls(SLICE(.min_duration_ns = UINT64_MAX), "");
    /* What is left of a call in the slice counts. */
    assert_calls(SLICE(.from_ns = 25, .to_ns = 55, .min_duration_ns = 15),
                 "Bo main@25 Bo work@25 Eo work@40+15 Eoc main@55+30");
    assert_calls(SLICE(.from_ns = 25, .to_ns = 55, .min_duration_ns = 16),
                 "Bo main@25 Eoc main@55+30");
}

static void test_short_calls_that_never_end(void **state)
{
    (void)state;
    struct tb tb;
    tb_init(&tb, 100);
    tb_code(&tb, 1, "f", NULL, 0);
    tb_code(&tb, 2, "g", NULL, 0);
    tb_records(&tb, tb_events(&tb, 1, 100, 1000), 10, "(1 (2 )2 (2");
    assert_slice(&tb, SLICE(.min_duration_ns = 30), "B f@0 U f@0");
    assert_slice(&tb, SLICE(.min_duration_ns = 31), "");
    /* They last until the last that is known of their process. */
    tb_records(&tb, tb_events(&tb, 2, 101, 1000), 500, "(2");
    assert_slice(&tb, SLICE(.min_duration_ns = 31), "B f@0 B g@30 U f@0 U g@30");
    assert_slice(&tb, SLICE(.min_duration_ns = 460), "B f@0 B g@30 U f@0 U g@30");
    assert_slice(&tb, SLICE(.min_duration_ns = 461), "B f@0 U f@0");
    assert_slice(&tb, SLICE(.to_ns = 100, .min_duration_ns = 71), "B f@0 U f@0");
    tb_fini(&tb);
}

static void test_depth(void **state)
{
    (void)state;
    assert_calls(SLICE(.max_depth = 1), "B main@0 E main@70+70 B tail@80 E tail@90+10");
    assert_calls(SLICE(.max_depth = 2), "B main@0 B work@10 E work@40+30 B work@50 E work@60+10 "
                                        "E main@70+70 B tail@80 E tail@90+10");
    assert_calls(SLICE(.max_depth = UINT32_MAX), ALL_CALLS);
}

/* ------------------------------------------------------------------------------------- functions */

static void test_functions(void **state)
{
    (void)state;
    assert_calls(SLICE(.include = GLOBS("work")), "B work@10 E work@40+30 B work@50 E work@60+10");
    assert_calls(SLICE(.include = GLOBS("main", "fork")),
                 "B main@0 B fork@20 E fork@30+10 E main@70+70");
    assert_calls(SLICE(.exclude = GLOBS("work")),
                 "B main@0 B fork@20 E fork@30+10 E main@70+70 B tail@80 E tail@90+10");
    assert_calls(SLICE(.include = GLOBS("*r*"), .exclude = GLOBS("posix.*")),
                 "B main@0 B work@10 E work@40+30 B work@50 E work@60+10 E main@70+70");
    assert_calls(SLICE(.include = GLOBS("posix.fork")), "B fork@20 E fork@30+10");
    assert_calls(SLICE(.include = GLOBS("app.py")), "B main@0 E main@70+70");
    assert_calls(SLICE(.include = GLOBS("src/*/*.py")),
                 "B work@10 E work@40+30 B work@50 E work@60+10");
    assert_calls(SLICE(.include = GLOBS("src")), "");
    /* Deep is what is shown within others. */
    assert_calls(SLICE(.exclude = GLOBS("main"), .max_depth = 1),
                 "B work@10 E work@40+30 B work@50 E work@60+10 B tail@80 E tail@90+10");
    assert_calls(SLICE(.exclude = GLOBS("work"), .max_depth = 2, .min_duration_ns = 10,
                       .from_ns = 22, .to_ns = 88),
                 "Bo main@22 Eo main@70+48");
}

static void test_globs(void **state)
{
    (void)state;
    static const struct {
        const char *glob, *name;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"**", "abc", true},
        {"a*c", "ac", true},
        {"a*c", "abcbc", true},
        {"a*c", "acb", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"?", "", false},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[a-c]x", "bx", true},
        {"[!a-c]", "b", false},
        {"[!a-c]", "d", true},
        {"[^a]", "b", true},
        {"[]]", "]", true},
        {"[!]]", "]", false},
        {"[a-]", "-", true},
        {"[", "[", true},
        {"[a", "[a", true},
        {"[a", "a", false},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\", "a\\", true},
        {"\\[a]", "[a]", true},
        {"*.<locals>.*", "f.<locals>.g", true},
        {"A.*", "B.f", false},
        {"*a*b*c", "xaybzc", true},
        {"*a*b*c", "xaybz", false},
        {"\xc3\xa9*", "\xc3\xa9t\xc3\xa9", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_text text = {cases[i].name, (uint32_t)strlen(cases[i].name)};
        if (mt__glob_matches(cases[i].glob, &text) != cases[i].matches)
            fail_msg("'%s' and '%s'", cases[i].glob, cases[i].name);
    }
}

/* A name that is made to keep a matcher busy. */
static void test_a_hostile_name(void **state)
{
    (void)state;
    char *name = malloc(60001);
    assert_non_null(name);
    memset(name, 'a', 60000);
    name[60000] = '\0';
    assert_false(mt__glob_matches("*a*a*a*a*a*a*a*a*a*a*a*b", &(struct mt_text){name, 60000}));
    free(name);
}

static void test_first_is_of_what_is_shown(void **state)
{
    (void)state;
    struct tb tb, *file = &tb;
    struct mt_walk *walk;
    struct mt_run run;
    char text[64] = "";
    make_calls(&tb);
    struct mt_set *set = set_of(&file, 1, NULL);
    assert_int_equal(mt_set_slice(set, SLICE(.from_ns = 45, .min_duration_ns = 1)), MT_OK);
    assert_int_equal(mt_walk_new(set, MT_NEEDS_FIRST, &walk), MT_OK);
    for (mt_walk_start(walk, 0); mt_walk_next(walk, &run);) {
        for (uint32_t i = 0; i < run.n_events; i++) {
            if (run.events[i].flags & MT_EVENT_FIRST)
                sprintf(text + strlen(text), "%s@%u ",
                        run.timeline->funcs[run.events[i].func].name.data,
                        (unsigned)run.events[i].ts_ns);
        }
    }
    assert_string_equal(text, "main@45 work@50 tail@80 ");
    mt_walk_free(walk);
    mt_set_free(set);
    tb_fini(&tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_asked_for),
        cmocka_unit_test(test_from_and_to_cut_calls),
        cmocka_unit_test(test_events_just_at_the_edges),
        cmocka_unit_test(test_calls_without_length_at_the_edges),
        cmocka_unit_test(test_calls_that_never_end),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_what_is_behind_is_not_read),
        cmocka_unit_test(test_a_cut_between_chunks),
        cmocka_unit_test(test_a_deep_stack),
        cmocka_unit_test(test_short_calls),
        cmocka_unit_test(test_short_calls_that_never_end),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_a_hostile_name),
        cmocka_unit_test(test_first_is_of_what_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
