/* Tests of decoding and repair: one file, one thread, what events come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events_text.h"

#define TID 100

/* A file with functions a, b, c (Python) and x, y (C), and one chunk from tick 1000 on. */
static size_t small(struct tb *tb)
{
    tb_init(tb, TID);
    tb_code(tb, 1, "a", "a.py", 1);
    tb_code(tb, 2, "b", "a.py", 5);
    tb_code(tb, 3, "c", NULL, 0);
    tb_cfunc(tb, 4, "mod", "x");
    tb_cfunc(tb, 5, "", "y");
    return tb_events(tb, 1, TID, 1000);
}

static void assert_small(const char *records, const char *expected)
{
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, records);
    assert_events(&tb, expected);
    tb_fini(&tb);
}

static void test_balanced(void **state)
{
    (void)state;
    assert_small("(1 [4 ]4 (2 )2 )1", "B a@0 B x@10 E x@20+10 B b@30 E b@40+10 E a@50+50");
}

static void test_exceptions_and_generators(void **state)
{
    (void)state;
    assert_small("(1 (2 s2 [4 ?4 r2 !2 !1", "B a@0 B b@10 Es b@20+10 B x@30 Ex x@40+10 Br b@50 "
                                            "Ex b@60+10 Ex a@70+70");
}

static void test_unfinished_calls_stay_open(void **state)
{
    (void)state;
    assert_small("(1 [4", "B a@0 B x@10 U a@0 U x@10");
}

static void test_end_closes_down_to_its_match(void **state)
{
    (void)state;
    assert_small("(1 (2 (3 [4 )2 )1", "B a@0 B b@10 B c@20 B x@30 Ef x@40+10 Ef c@40+20 "
                                      "E b@40+30 E a@50+50");
}

static void test_end_without_a_begin_is_dropped(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, ")2 (1 )3 ]4 )1 )1");
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    char *text = events_text(set, 0, &counts);
    assert_string_equal(text, "B a@10 E a@40+30");
    assert_int_equal(counts.n_dropped, 4);
    assert_int_equal(counts.n_events, 6);
    assert_int_equal(counts.n_repaired, 0);
    free(text);
    mt_set_free(set);
    tb_fini(&tb);
}

/* Python frame 4 does not exist, but its end must not end the C function 4. */
static void test_python_and_c_do_not_match(void **state)
{
    (void)state;
    assert_small("(1 [4 )4 ]4 )1", "B a@0 B x@10 E x@30+20 E a@40+40");
}

static void test_unknown_and_unnamed(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(99 [98 ]98 )99 (268435455 [268435455 ]268435455 )268435455");
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    char *text = events_text(set, 0, &counts);
    assert_string_equal(text, "B (unknown)@0 B (unknown)@10 E (unknown)@20+10 E (unknown)@30+30 "
                              "B (unnamed)@40 B (unnamed)@50 E (unnamed)@60+10 E (unnamed)@70+30");
    assert_int_equal(counts.n_unknown_ids, 2);
    free(text);
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_gap(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1");
    tb_gap(&tb, chunk, UINT64_C(50000000000));
    tb_records(&tb, chunk, 10, ")1");
    assert_events(&tb, "B a@0 E a@49999999000+49999999000");
    tb_fini(&tb);
}

static void test_a_gap_before_the_first_event_does_not_move_zero(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_gap(&tb, chunk, UINT64_C(50000000000));
    tb_records(&tb, chunk, 10, "(1 )1");
    assert_events(&tb, "B a@0 E a@10+10");
    tb_fini(&tb);
}

static void test_tick_shift(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_header(&tb)->tick_shift = 4;
    tb_records(&tb, chunk, 64, "(1 )1");
    assert_events(&tb, "B a@0 E a@64+64");
    tb_fini(&tb);
}

static void test_a_thread_goes_on_in_its_next_chunk(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1 (2");
    size_t next = tb_events(&tb, 1, TID, 2000);
    tb_records(&tb, next, 10, ")2 )1");
    assert_events(&tb, "B a@0 B b@10 E b@1000+990 E a@1010+1010");
    tb_fini(&tb);
}

static void test_chunks_of_several_threads(void **state)
{
    (void)state;
    struct tb tb;
    size_t first = small(&tb), other = tb_events(&tb, 2, 101, 1000);
    tb_records(&tb, first, 10, "(1");
    tb_records(&tb, other, 15, "(2 )2");
    size_t next = tb_events(&tb, 1, TID, 2000);
    tb_records(&tb, next, 10, ")1");
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_tracks, 2);
    assert_int_equal(timeline->tracks[0].tid, TID);
    assert_int_equal(timeline->tracks[1].tid, 101);
    assert_track(set, 0, "B a@0 E a@1000+1000");
    assert_track(set, 1, "B b@5 E b@20+15");
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_many_events_come_in_several_runs(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    tb_init(&tb, TID);
    tb_code(&tb, 1, "a", NULL, 0);
    size_t chunk = tb_events_of(&tb, 1, TID, 0, 40);
    for (uint64_t i = 1; i <= 10000; i++) {
        tb_record(&tb, chunk, 2 * i, MT_KIND_PY_BEGIN, 1);
        tb_record(&tb, chunk, 2 * i + 1, MT_KIND_PY_END, 1);
    }
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    char *text = events_text(set, 0, &counts);
    assert_int_equal(counts.n_events, 20000);
    assert_int_equal(counts.n_python_calls, 10000);
    assert_string_equal(strrchr(text, 'B'), "B a@19998 E a@19999+1");
    free(text);
    mt_set_free(set);
    tb_fini(&tb);
}

/* ------------------------------------------------------------------------------ stated anew, lost */

static void test_calls_open_at_the_start(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    size_t chunk = small(&tb);
    tb_resync(&tb, chunk, 1010, MT_RESYNC_START, 2);
    tb_records(&tb, chunk, 0, "(1 (2");
    tb_records(&tb, chunk, 10, "(3 )3 )2 )1");
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    char *text = events_text(set, 0, &counts);
    assert_string_equal(text, "Bo a@0 Bo b@0 B c@10 E c@20+10 Eo b@30+30 Eo a@40+40");
    assert_int_equal(counts.n_python_calls, 1);
    assert_int_equal(counts.n_events, 4);
    free(text);
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_resync_closes_what_was_open(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1 [4");
    tb_resync(&tb, chunk, 1050, MT_RESYNC_HOOK, 1);
    tb_records(&tb, chunk, 0, "(1");
    tb_records(&tb, chunk, 10, "[5 ]5 )1");
    assert_events(&tb, "B a@0 B x@10 Ef x@40+30 Ef a@40+40 Bo a@40 B y@50 E y@60+10 Eo a@70+30");
    tb_fini(&tb);
}

static void test_fewer_calls_than_stated(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_resync(&tb, chunk, 1010, MT_RESYNC_START, 1000000);
    tb_records(&tb, chunk, 10, "(1 [4 ]4 (2 )2 )1");
    assert_events(&tb, "Bo a@10 B x@20 E x@30+10 B b@40 E b@50+10 Eo a@60+50");
    tb_fini(&tb);
}

static void test_loss(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1 (2");
    tb_lost(&tb, chunk, 7, 5000, MT_LOSS_NO_SPACE);
    size_t next = tb_events(&tb, 1, TID, 6000);
    tb_resync(&tb, next, 6010, MT_RESYNC_LOSS, 1);
    tb_records(&tb, next, 0, "(1");
    tb_records(&tb, next, 10, ")1");
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    char *text = events_text(set, 0, &counts);
    assert_string_equal(text, "B a@0 B b@10 L 7@10..3990 Ef b@10+0 Ef a@10+10 "
                              "Bo a@5000 Eo a@5010+10");
    assert_int_equal(counts.n_lost, 7);
    assert_int_equal(counts.n_losses, 1);
    free(text);
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_loss_to_the_end(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1");
    tb_lost(&tb, chunk, 3, 2000, MT_LOSS_IO);
    assert_events(&tb, "B a@0 L 3@0..990 U a@0");
    tb_fini(&tb);
}

static void test_a_missing_chunk_is_a_loss(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1 (2");
    size_t next = tb_events(&tb, 1, TID, 5000);
    tb_chunk_header(&tb, next)->seq = 3;
    tb_records(&tb, next, 10, ")1");
    assert_events(&tb, "B a@0 B b@10 L 0@10..3990 Ef b@4000+3990 E a@4000+4000");
    tb_fini(&tb);
}

static void test_many_losses_in_one_chunk(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    small(&tb);
    size_t chunk = tb_events_of(&tb, 1, TID, 1000, 2);
    for (int i = 0; i < 100; i++) {
        tb_lost(&tb, chunk, 1, 5000, MT_LOSS_IO);
        tb_resync(&tb, chunk, 1000, MT_RESYNC_LOSS, 0);
    }
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    free(events_text(set, 0, &counts));
    assert_int_equal(counts.n_losses, 100);
    assert_int_equal(counts.n_lost, 100);
    mt_set_free(set);
    tb_fini(&tb);
}

/* --------------------------------------------------------------------------- what a reader skips */

static void test_unknown_kinds_are_skipped(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1");
    tb_record(&tb, chunk, 1020, (enum mt_kind)9, 12);
    tb_record(&tb, chunk, 1030, MT_KIND_EXT, 77u << MT_EXT_WORDS_BITS | 2);
    tb_word(&tb, chunk, 0);
    tb_word(&tb, chunk, mt_record_pack(10, MT_KIND_PY_END, 1));
    tb_record(&tb, chunk, 1040, MT_KIND_PY_END, 1);
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    char *text = events_text(set, 0, &counts);
    assert_string_equal(text, "B a@0 E a@30+30");
    assert_int_equal(counts.n_unknown_kinds, 2);
    free(text);
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_an_unknown_chunk_is_skipped(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1");
    size_t odd = tb_events(&tb, 9, 9, 0);
    tb_chunk_header(&tb, odd)->type = 77;
    size_t next = tb_events(&tb, 1, TID, 2000);
    tb_records(&tb, next, 10, ")1");
    assert_events(&tb, "B a@0 E a@1000+1000");
    /* Unless it says that it must be understood: then what came before it is all. */
    tb_chunk_header(&tb, odd)->flags = MT_CHUNK_MUST_UNDERSTAND;
    struct told told;
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, &told);
    assert_int_equal(told.n_errors, 1);
    assert_int_equal(told.first.status, MT_VERSION);
    assert_track(set, 0, "B a@0 U a@0");
    mt_set_free(set);
    told_fini(&told);
    tb_fini(&tb);
}

static void test_a_damaged_record_ends_its_chunk(void **state)
{
    (void)state;
    struct tb tb;
    size_t chunk = small(&tb);
    tb_records(&tb, chunk, 10, "(1");
    size_t fault = tb_word(&tb, chunk, mt_record_pack(5, MT_KIND_EXT, 1u << 12 | 4000));
    size_t next = tb_events(&tb, 1, TID, 2000);
    tb_records(&tb, next, 10, ")1");
    struct told told;
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, &told);
    assert_int_equal(told.n_errors, 0);
    assert_track(set, 0, "B a@0 L 0@0..0 E a@1000+1000");
    assert_int_equal(told.n_errors, 1);
    assert_int_equal(told.first.status, MT_CORRUPT);
    assert_int_equal(told.first.offset, fault);
    assert_int_equal(mt_set_n_errors(set), 1);
    mt_set_free(set);
    told_fini(&told);
    tb_fini(&tb);
}

/* A begin of any depth costs the file 8 bytes; vain searches must not cost its square. */
static void test_vain_searches_are_not_quadratic(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_counts counts;
    tb_init(&tb, TID);
    tb_code(&tb, 1, "a", NULL, 0);
    for (int i = 0; i < 16; i++) {
        size_t chunk = tb_events_of(&tb, 1, TID, 1000, 250);
        while (tb.chunks[chunk].at < tb.chunks[chunk].end)
            tb_word(&tb, chunk,
                    i < 8 ? mt_record_pack(0, MT_KIND_PY_BEGIN, 1)
                          : mt_record_pack(0, MT_KIND_PY_END, 2));
    }
    struct tb *file = &tb;
    struct mt_set *set = set_of(&file, 1, NULL);
    free(events_text(set, 0, &counts));
    assert_true(counts.n_dropped > 1000000);
    assert_true(counts.n_unfinished > 1000000);
    mt_set_free(set);
    tb_fini(&tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balanced),
        cmocka_unit_test(test_exceptions_and_generators),
        cmocka_unit_test(test_unfinished_calls_stay_open),
        cmocka_unit_test(test_end_closes_down_to_its_match),
        cmocka_unit_test(test_end_without_a_begin_is_dropped),
        cmocka_unit_test(test_python_and_c_do_not_match),
        cmocka_unit_test(test_unknown_and_unnamed),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_a_gap_before_the_first_event_does_not_move_zero),
        cmocka_unit_test(test_tick_shift),
        cmocka_unit_test(test_a_thread_goes_on_in_its_next_chunk),
        cmocka_unit_test(test_chunks_of_several_threads),
        cmocka_unit_test(test_many_events_come_in_several_runs),
        cmocka_unit_test(test_calls_open_at_the_start),
        cmocka_unit_test(test_resync_closes_what_was_open),
        cmocka_unit_test(test_fewer_calls_than_stated),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_loss_to_the_end),
        cmocka_unit_test(test_a_missing_chunk_is_a_loss),
        cmocka_unit_test(test_many_losses_in_one_chunk),
        cmocka_unit_test(test_unknown_kinds_are_skipped),
        cmocka_unit_test(test_an_unknown_chunk_is_skipped),
        cmocka_unit_test(test_a_damaged_record_ends_its_chunk),
        cmocka_unit_test(test_vain_searches_are_not_quadratic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
