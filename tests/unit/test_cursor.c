/* Tests of plans, cursors and desks: tracks that are read in pieces, piece by piece on other desks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events_text.h"
#include "reader/cursor.h"

#define TID 100
#define N_DESKS 3
#define N_IDS 6 /* functions a to f; the last two are C */

static struct tb *file_with_functions(struct tb *tb)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    tb_init(tb, TID);
    for (uint32_t i = 0; i < 4; i++)
        tb_code(tb, i + 1, names[i], "a.py", i + 1);
    tb_cfunc(tb, 5, "", "e");
    tb_cfunc(tb, 6, "", "f");
    return tb;
}

/* ---- what a plan's steps give, each on another desk */

struct pieces {
    struct mt_buf texts[4]; /* by track */
    struct mt_counts counts[4];
    size_t n_pieces, n_steps;
};

static void read_pieces(struct mt_set *set, unsigned needs, struct pieces *out)
{
    struct mt_plan plan;
    struct mt_flows *flows;
    struct mt_desk *desks[N_DESKS];
    struct mt_cursor *cursors[4];
    uint32_t n_tracks = mt_set_timeline(set)->n_tracks;
    *out = (struct pieces){0};
    assert_int_equal(mt_plan_init(&plan, set, needs), MT_OK);
    assert_int_equal(mt_flows_new(set, &flows), MT_OK);
    for (size_t i = 0; i < N_DESKS; i++)
        assert_int_equal(mt_desk_new(set, &desks[i]), MT_OK);
    for (uint32_t i = 0; i < n_tracks; i++)
        assert_int_equal(mt_cursor_new(set, i, needs, flows, &cursors[i]), MT_OK);
    for (size_t i = 0; i < plan.n_steps; i++) {
        uint32_t track = plan.steps[i].track;
        struct mt_run run;
        if (!mt_cursor_next(cursors[track], desks[i % N_DESKS], &run))
            continue;
        assert_int_equal(run.track, track);
        append_run_text(&out->texts[track], &run);
        out->n_pieces++;
    }
    out->n_steps = plan.n_steps;
    for (uint32_t i = 0; i < n_tracks; i++) {
        struct mt_run run;
        assert_false(mt_cursor_next(cursors[i], desks[0], &run));
        assert_int_equal(mt_cursor_status(cursors[i]), MT_OK);
        out->counts[i] = *mt_cursor_counts(cursors[i]);
        mt_cursor_free(cursors[i]);
    }
    for (size_t i = 0; i < N_DESKS; i++)
        mt_desk_free(desks[i]);
    mt_flows_free(flows);
    mt_plan_fini(&plan);
}

static void pieces_fini(struct pieces *pieces)
{
    for (size_t i = 0; i < 4; i++)
        mt_buf_fini(&pieces->texts[i]);
}

/* The file's only track; text that is expected. */
static void assert_pieces(struct tb *tb, struct mt_buf *expected, size_t n_pieces, size_t n_steps)
{
    struct told told;
    struct pieces pieces;
    struct mt_set *set = set_of(&tb, 1, &told);
    read_pieces(set, MT_NEEDS_PAIRS, &pieces);
    assert_string_equal(mt_buf_text(&told.text), "");
    assert_string_equal(mt_buf_text(&pieces.texts[0]), mt_buf_text(expected));
    assert_track(set, 0, mt_buf_text(expected));
    assert_int_equal(pieces.n_pieces, n_pieces);
    assert_int_equal(pieces.n_steps, n_steps);
    pieces_fini(&pieces);
    mt_set_free(set);
    told_fini(&told);
}

/* ---- records of which we know what they mean */

static void begin_and_end(struct tb *tb, size_t chunk, struct mt_buf *expected)
{
    uint64_t tick = tb->chunks[chunk].tick; /* the first event is at 0 ns, which is tick 1000 */
    tb_records(tb, chunk, 1, "(2 )2");
    mt_buf_printf(expected, "%sB b@%llu E b@%llu+1", expected->n_bytes ? " " : "",
                  (unsigned long long)tick - 999, (unsigned long long)tick - 998);
}

/* So many words: an even number. */
static void fill(struct tb *tb, size_t chunk, size_t n_words, struct mt_buf *expected)
{
    for (size_t i = 0; i < n_words / 2; i++)
        begin_and_end(tb, chunk, expected);
}

static void test_payloads_across_the_end_of_a_piece(void **state)
{
    (void)state;
    for (uint32_t n_before = MT__PIECE_WORDS - 6; n_before <= MT__PIECE_WORDS + 2; n_before += 2) {
        for (size_t odd = 0; odd < 2; odd++) {
            struct tb tb;
            struct mt_buf expected = {0};
            size_t chunk = tb_events_of(file_with_functions(&tb), 1, TID, 999, 24);
            if (odd) {
                tb_records(&tb, chunk, 1, "(1");
                mt_buf_append_text(&expected, "B a@0");
            }
            fill(&tb, chunk, n_before, &expected);
            uint64_t tick = tb.chunks[chunk].tick;
            tb_gap(&tb, chunk, tick + 1000);
            begin_and_end(&tb, chunk, &expected);
            fill(&tb, chunk, MT__PIECE_WORDS - 8, &expected); /* to the end of the second piece */
            tick = tb.chunks[chunk].tick;
            tb_lost(&tb, chunk, 7, tick + 5, MT_LOSS_NO_SPACE);
            mt_buf_printf(&expected, " L 7@%llu..%llu", (unsigned long long)tick - 1000,
                          (unsigned long long)tick - 995);
            begin_and_end(&tb, chunk, &expected);
            if (odd)
                mt_buf_append_text(&expected, " U a@0");
            size_t n_words = odd + n_before + 4 + 2 + MT__PIECE_WORDS - 8 + 4 + 2;
            size_t n_steps = (n_words - 1) / MT__PIECE_WORDS + 1;
            assert_pieces(&tb, &expected, n_steps, n_steps);
            mt_buf_fini(&expected);
            tb_fini(&tb);
        }
    }
}

static void test_as_many_steps_as_pieces(void **state)
{
    (void)state;
    for (uint32_t n = MT__PIECE_WORDS - 2; n <= MT__PIECE_WORDS + 2; n += 2) {
        struct tb tb;
        struct mt_buf expected = {0};
        size_t chunk = tb_events_of(file_with_functions(&tb), 1, TID, 999, 10);
        fill(&tb, chunk, n, &expected);
        size_t n_steps = n > MT__PIECE_WORDS ? 2 : 1;
        assert_pieces(&tb, &expected, n_steps, n_steps);
        mt_buf_fini(&expected);
        tb_fini(&tb);
    }
}

static void test_no_records_at_all(void **state)
{
    (void)state;
    struct tb tb;
    struct tb *file = file_with_functions(&tb);
    struct pieces pieces;
    tb_events(&tb, 1, TID, 1000);
    struct mt_set *set = set_of(&file, 1, NULL);
    read_pieces(set, 0, &pieces);
    assert_int_equal(pieces.n_steps, mt_set_timeline(set)->n_tracks);
    assert_int_equal(pieces.texts[0].n_bytes, 0);
    pieces_fini(&pieces);
    mt_set_free(set);
    tb_fini(&tb);
}

/* Where the order is free, each track is spread over the whole plan, whatever its times are. */
static void test_order_that_is_free(void **state)
{
    (void)state;
    static const uint32_t expected[] = {0, 1, 0, 0, 1, 0};
    struct tb tb;
    struct tb *file = file_with_functions(&tb);
    for (uint32_t i = 0; i < 6; i++) /* four chunks of the first track, then two of the second */
        tb_records(&tb, tb_events(&tb, 1 + i / 4, TID + i / 4, 1000 * (i + 1)), 1, "(1 )1");
    struct mt_set *set = set_of(&file, 1, NULL);
    struct mt_plan plan;
    assert_int_equal(mt_plan_init(&plan, set, MT_NEEDS_NO_ORDER), MT_OK);
    assert_int_equal(plan.n_steps, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(plan.steps[i].track, expected[i]);
    mt_plan_fini(&plan);
    mt_set_free(set);
    tb_fini(&tb);
}

/* By time over all tracks, or one track after the other. */
static void test_order_of_a_plan(void **state)
{
    (void)state;
    struct tb tb;
    struct tb *file = file_with_functions(&tb);
    static const uint64_t starts[] = {1000, 3000, 2000, 4000};
    for (uint32_t i = 0; i < 4; i++)
        tb_records(&tb, tb_events(&tb, 1 + i % 2, TID + i % 2, starts[i / 2 + i % 2 * 2] - 1), 1,
                   "(1 )1");
    struct mt_set *set = set_of(&file, 1, NULL);
    for (int whole = 0; whole < 2; whole++) {
        static const uint32_t expected[2][4] = {{0, 1, 0, 1}, {0, 0, 1, 1}};
        /* How much is in a thread's last chunk is known; in others there may be as much as fits. */
        uint32_t full = (MT_PAGE_BYTES - MT_CHUNK_HEADER_BYTES) / 8;
        const uint32_t n_words[2][4] = {{full, full, 2, 2}, {full, 2, full, 2}};
        struct mt_plan plan;
        assert_int_equal(mt_plan_init(&plan, set, whole ? MT_NEEDS_WHOLE_TRACKS : 0), MT_OK);
        assert_int_equal(plan.n_steps, 4);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(plan.steps[i].track, expected[whole][i]);
            assert_int_equal(plan.steps[i].n_words, n_words[whole][i]);
        }
        mt_plan_fini(&plan);
    }
    mt_set_free(set);
    tb_fini(&tb);
}

/* ---- records as no program makes them, beside a simple reading of the same */

struct model {
    struct mt_buf text;
    uint32_t stack[20000];
    uint64_t begins[20000];
    size_t depth;
    struct mt_counts counts;
};

static void model_end(struct model *model, uint64_t now, const char *flags)
{
    model->depth--;
    mt_buf_printf(&model->text, " E%s %c@%llu+%llu", flags,
                  (char)('a' + model->stack[model->depth] - 1), (unsigned long long)now,
                  (unsigned long long)(now - model->begins[model->depth]));
}

static void model_record(struct model *model, char letter, uint32_t id, uint64_t now)
{
    size_t match = model->depth;
    model->counts.n_events++;
    if (strchr("(r[", letter)) {
        model->counts.n_python_calls += letter == '(';
        model->counts.n_c_calls += letter == '[';
        mt_buf_printf(&model->text, " B%s %c@%llu", letter == 'r' ? "r" : "", (char)('a' + id - 1),
                      (unsigned long long)now);
        model->begins[model->depth] = now;
        model->stack[model->depth++] = id;
        return;
    }
    while (match && model->stack[match - 1] != id)
        match--;
    if (!match) {
        model->counts.n_dropped++;
        return;
    }
    for (; model->depth > match; model->counts.n_repaired++)
        model_end(model, now, "f");
    model_end(model, now, letter == 's' ? "s" : strchr("!?", letter) ? "x" : "");
}

static void test_any_records(void **state)
{
    (void)state;
    static const char python[] = "(((()))!sr", c[] = "[[[]]?";
    struct model *model = calloc(1, sizeof *model);
    uint32_t random = 1;
    assert_non_null(model);
    for (int round = 0; round < 20; round++) {
        struct tb tb;
        struct tb *file = file_with_functions(&tb);
        size_t chunk = tb_events_of(&tb, 1, TID, 1000, 24);
        struct pieces pieces;
        memset(model, 0, sizeof *model);
        for (uint32_t i = 0; i < 12000; i++) {
            random = random * 1664525 + 1013904223;
            uint32_t r = random >> 16;
            uint32_t id = 1 + r % (round % 2 ? N_IDS : 2);
            char letter = id > 4 ? c[r / 8 % 6] : python[r / 8 % 10];
            /* Half of the rounds are of programs with hardly a fault. */
            if (round < 10 && strchr(")!s]?", letter) && model->depth && r % 64) {
                id = model->stack[model->depth - 1];
                letter = id > 4 ? ']' : ')';
            }
            char record[] = {letter, (char)('0' + id), 0};
            tb_records(&tb, chunk, i ? 1 + r % 3 : 0, record);
            model_record(model, letter, id, tb.chunks[chunk].tick - 1000);
        }
        struct mt_set *set = set_of(&file, 1, NULL);
        read_pieces(set, 0, &pieces);
        assert_string_equal(mt_buf_text(&pieces.texts[0]), mt_buf_text(&model->text) + 1);
        assert_int_equal(pieces.counts[0].n_events, model->counts.n_events);
        assert_int_equal(pieces.counts[0].n_python_calls, model->counts.n_python_calls);
        assert_int_equal(pieces.counts[0].n_c_calls, model->counts.n_c_calls);
        assert_int_equal(pieces.counts[0].n_dropped, model->counts.n_dropped);
        assert_int_equal(pieces.counts[0].n_repaired, model->counts.n_repaired);
        assert_int_equal(pieces.counts[0].n_unfinished, model->depth);
        pieces_fini(&pieces);
        mt_buf_fini(&model->text);
        mt_set_free(set);
        tb_fini(&tb);
    }
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads_across_the_end_of_a_piece),
        cmocka_unit_test(test_as_many_steps_as_pieces),
        cmocka_unit_test(test_no_records_at_all),
        cmocka_unit_test(test_order_of_a_plan),
        cmocka_unit_test(test_order_that_is_free),
        cmocka_unit_test(test_any_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
