/* Tests of the profile (src/profile): exact numbers for small timelines made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profile/histogram.h"
#include "profile/profile.h"
#include "profile/state.h"
#include "sink_bytes.h"

static const struct mt_func funcs[] = {
    {.name = TEXT("a")}, {.name = TEXT("b")}, {.name = TEXT("c")}, {.name = TEXT("d")}};
enum { A, B, C, D, N_FUNCS };

#define BEGIN_F(at, f, fl) {.type = MT_EVENT_BEGIN, .ts_ns = (at), .func = (f), .flags = (fl)}
#define END_F(at, f, dur, fl)                                                                      \
    {.type = MT_EVENT_END, .ts_ns = (at), .func = (f), .dur_ns = (dur), .flags = (fl)}

static const struct mt_process process = {.pid = 1, .n_tracks = 3};
static const struct mt_track tracks[3] = {{.tid = 1}, {.tid = 2}, {.tid = 3}};
static const struct mt_timeline timeline = {.processes = &process,
                                            .tracks = tracks,
                                            .funcs = funcs,
                                            .n_processes = 1,
                                            .n_tracks = 3,
                                            .n_funcs = N_FUNCS};

static struct mt_profile *new_profile(struct mt_profile_options options)
{
    struct mt_profile *profile;
    options.timeline = &timeline;
    options.n_workers = options.n_workers ? options.n_workers : 1;
    assert_int_equal(mt_profile_new(&options, &profile), MT_OK);
    return profile;
}

/* A piece of a track. */
static void add(struct mt_profile *profile, uint32_t track, uint32_t worker,
                const struct mt_event *events, uint32_t n, bool first, bool last)
{
    struct mt_run run = {.timeline = &timeline,
                         .events = events,
                         .n_events = n,
                         .track = track,
                         .worker = worker,
                         .first = first,
                         .last = last};
    assert_int_equal(mt_profile_add(profile, &run), MT_OK);
}

static struct mt_profile_result fold(struct mt_profile *profile)
{
    struct mt_profile_result result;
    assert_int_equal(mt_profile_fold(profile, &result), MT_OK);
    mt_profile_free(profile);
    return result;
}

/* The profile of one track's events. */
static struct mt_profile_result profile_of(const struct mt_event *events, uint32_t n)
{
    struct mt_profile *profile = new_profile(
        (struct mt_profile_options){.all_pairs = true, .n_slowest = 3});
    add(profile, 0, 0, events, n, true, true);
    return fold(profile);
}

static const struct mt_profile_row *row_of(const struct mt_profile_result *result, uint32_t key)
{
    for (size_t i = 0; i < result->n_rows; i++) {
        if (result->rows[i].key == key)
            return &result->rows[i];
    }
    fail_msg("there is no row of %u", key);
    return NULL;
}

static void assert_row(const struct mt_profile_result *result, uint32_t key, uint64_t n_calls,
                       uint64_t n_primitive, uint64_t self_ns, uint64_t cum_ns)
{
    const struct mt_profile_row *row = row_of(result, key);
    assert_int_equal(row->n_calls, n_calls);
    assert_int_equal(row->n_primitive, n_primitive);
    assert_int_equal(row->self_ns, self_ns);
    assert_int_equal(row->cum_ns, cum_ns);
}

static void assert_pair(const struct mt_profile_result *result, uint32_t caller, uint32_t callee,
                        uint64_t n_calls, uint64_t n_primitive, uint64_t self_ns, uint64_t cum_ns)
{
    const struct mt_profile_row *row = row_of(result, callee);
    for (uint32_t i = 0; i < row->n_pairs; i++) {
        const struct mt_profile_pair *pair = &result->pairs[row->first_pair + i];
        if (result->rows[pair->caller].key != caller)
            continue;
        assert_int_equal(pair->n_calls, n_calls);
        assert_int_equal(pair->n_primitive, n_primitive);
        assert_int_equal(pair->self_ns, self_ns);
        assert_int_equal(pair->cum_ns, cum_ns);
        return;
    }
    fail_msg("there is no pair %u -> %u", caller, callee);
}

static void test_calls(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(10, A),   BEGIN(20, B),    END(50, B, 30),
                                      BEGIN(60, B),   BEGIN(65, C),    END(75, C, 10),
                                      END(80, B, 20), END(110, A, 100)};
    struct mt_profile_result result = profile_of(events, N(events));
    assert_int_equal(result.n_rows, 3);
    assert_row(&result, A, 1, 1, 50, 100);
    assert_row(&result, B, 2, 2, 40, 50);
    assert_row(&result, C, 1, 1, 10, 10);
    assert_int_equal(result.n_pairs, 2);
    assert_pair(&result, A, B, 2, 2, 40, 50);
    assert_pair(&result, B, C, 1, 1, 10, 10);
    assert_int_equal(row_of(&result, B)->n_timed, 2);
    assert_int_equal(row_of(&result, B)->timed_ns, 50);
    assert_int_equal(row_of(&result, B)->max_ns, 30);
    assert_int_equal(row_of(&result, B)->p50_ns, 20);
    assert_int_equal(row_of(&result, B)->p95_ns, 30);
    assert_int_equal(result.first_ns, 10);
    assert_int_equal(result.last_ns, 110);
    assert_int_equal(result.n_slowest, 3);
    assert_int_equal(result.slowest[0].dur_ns, 100);
    assert_int_equal(result.slowest[1].dur_ns, 30);
    assert_int_equal(result.slowest[1].begin_ns, 20);
    assert_int_equal(result.slowest[1].func, B);
    assert_int_equal(result.slowest[2].dur_ns, 20);
    mt_profile_result_fini(&result);
}

static void test_recursion(void **state)
{
    (void)state;
    /* a, which calls itself twice, one after the other, once two deep */
    const struct mt_event events[] = {
        BEGIN(0, D),    BEGIN(0, A),  BEGIN(10, A),  BEGIN(15, A),     END(18, A, 3),
        END(20, A, 10), BEGIN(30, A), END(35, A, 5), END(100, A, 100), END(101, D, 101),
    };
    struct mt_profile_result result = profile_of(events, N(events));
    assert_row(&result, A, 4, 1, 100, 100);
    assert_row(&result, D, 1, 1, 1, 101);
    assert_pair(&result, D, A, 1, 1, 85, 100);
    assert_pair(&result, A, A, 3, 2, 15, 15);
    assert_int_equal(row_of(&result, A)->timed_ns, 118);
    mt_profile_result_fini(&result);
}

static void test_mutual_recursion(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN(0, A),   BEGIN(1, B),    BEGIN(3, A),    BEGIN(6, B),
        END(10, B, 4), END(15, A, 12), END(21, B, 20), END(28, A, 28),
    };
    struct mt_profile_result result = profile_of(events, N(events));
    assert_row(&result, A, 2, 1, 16, 28);
    assert_row(&result, B, 2, 1, 12, 20);
    assert_pair(&result, A, B, 2, 1, 12, 20);
    assert_pair(&result, B, A, 1, 1, 8, 12);
    mt_profile_result_fini(&result);
}

static void test_generators_are_calls_each_time_they_go_on(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN(0, A),
        BEGIN(10, B),
        END_F(15, B, 5, MT_EVENT_SUSPEND),
        BEGIN_F(30, B, MT_EVENT_RESUME),
        END_F(33, B, 3, MT_EVENT_SUSPEND),
        BEGIN_F(40, B, MT_EVENT_RESUME),
        END_F(47, B, 7, MT_EVENT_EXCEPTION),
        END(50, A, 50),
    };
    struct mt_profile_result result = profile_of(events, N(events));
    assert_row(&result, B, 3, 3, 15, 15);
    assert_row(&result, A, 1, 1, 35, 50);
    assert_int_equal(row_of(&result, B)->n_resumes, 2);
    assert_int_equal(row_of(&result, B)->n_timed, 3);
    assert_int_equal(row_of(&result, B)->max_ns, 7);
    mt_profile_result_fini(&result);
}

static void test_unfinished_calls_last_to_the_end_of_their_track(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN(10, A), BEGIN(20, B),   BEGIN(25, C),      END(30, C, 5),     BEGIN(40, A),
        BEGIN(60, C), END(70, C, 10), UNFINISHED(10, A), UNFINISHED(20, B), UNFINISHED(40, A),
    };
    struct mt_profile_result result = profile_of(events, N(events));
    assert_row(&result, A, 2, 1, 10 + 20, 60);
    assert_row(&result, B, 1, 1, 50 - 5 - 30, 50);
    assert_row(&result, C, 2, 2, 15, 15);
    assert_pair(&result, B, A, 1, 1, 20, 30);
    assert_pair(&result, A, C, 1, 1, 10, 10);
    assert_int_equal(row_of(&result, A)->n_unfinished, 2);
    assert_int_equal(row_of(&result, A)->n_timed, 0);
    assert_int_equal(row_of(&result, A)->max_ns, 0);
    assert_int_equal(row_of(&result, A)->p99_ns, 0);
    assert_int_equal(row_of(&result, B)->n_unfinished, 1);
    assert_true(result.slowest[0].unfinished);
    assert_int_equal(result.slowest[0].dur_ns, 60);
    assert_int_equal(result.slowest[0].func, A);
    mt_profile_result_fini(&result);
}

static void test_reopened_and_repaired_calls(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN_F(0, A, MT_EVENT_REOPENED),
        BEGIN_F(0, B, MT_EVENT_REOPENED),
        BEGIN(5, A),
        END(8, A, 3),
        BEGIN(9, C),
        END_F(10, C, 1, MT_EVENT_REPAIRED),
        END_F(10, B, 10, MT_EVENT_REOPENED),
        END_F(20, A, 20, MT_EVENT_REOPENED),
    };
    struct mt_profile_result result = profile_of(events, N(events));
    assert_row(&result, A, 1, 0, 10 + 3, 20);
    assert_int_equal(row_of(&result, A)->n_reopened, 1);
    assert_int_equal(row_of(&result, A)->n_timed, 1);
    assert_int_equal(row_of(&result, A)->max_ns, 3);
    assert_row(&result, B, 0, 0, 6, 10);
    assert_row(&result, C, 1, 1, 1, 1);
    assert_int_equal(row_of(&result, C)->n_repaired, 1);
    assert_int_equal(row_of(&result, C)->n_timed, 0);
    assert_pair(&result, A, B, 0, 0, 6, 10);
    assert_pair(&result, B, A, 1, 1, 3, 3);
    assert_int_equal(result.slowest[0].dur_ns, 3);
    assert_int_equal(result.n_slowest, 1);
    mt_profile_result_fini(&result);
}

/* Recursion on three tracks, in pieces of one event, from worker to worker. */
/* Where a slice ends: they are open there. */
static void test_cut_calls(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN(0, A),
        BEGIN(10, B),
        END_F(30, B, 20, MT_EVENT_CUT),
        END_F(30, A, 30, MT_EVENT_CUT),
    };
    struct mt_profile_result result = profile_of(events, 4);
    assert_int_equal(row_of(&result, A)->n_calls, 1);
    assert_int_equal(row_of(&result, A)->n_unfinished, 1);
    assert_int_equal(row_of(&result, A)->n_repaired, 0);
    assert_int_equal(row_of(&result, A)->n_timed, 0);
    assert_int_equal(row_of(&result, A)->self_ns, 10);
    assert_int_equal(row_of(&result, B)->cum_ns, 20);
    assert_int_equal(result.n_slowest, 2);
    assert_int_equal(result.slowest[0].dur_ns, 30);
    assert_true(result.slowest[0].unfinished);
    mt_profile_result_fini(&result);
}

static void test_workers_take_turns(void **state)
{
    (void)state;
    const struct mt_event events[] = {
        BEGIN(0, A),    BEGIN(0, B),  BEGIN(10, A),  BEGIN(15, B),     END(18, B, 3),
        END(20, A, 10), BEGIN(30, A), END(35, A, 5), END(100, B, 100), UNFINISHED(0, A),
    };
    for (uint32_t n_workers = 1; n_workers <= 3; n_workers++) {
        struct mt_profile *profile = new_profile(
            (struct mt_profile_options){.n_workers = n_workers, .all_pairs = true, .n_slowest = 2});
        for (uint32_t i = 0; i < N(events); i++) {
            for (uint32_t track = 0; track < 3; track++)
                add(profile, track, (i * 5 + track * 2) % n_workers, &events[i], 1, !i,
                    i + 1 == N(events));
        }
        struct mt_profile_result result = fold(profile);
        assert_row(&result, A, 9, 3, 3 * 12, 300);
        assert_row(&result, B, 6, 3, 3 * (85 + 3), 300);
        assert_pair(&result, A, B, 6, 3, 3 * 88, 300);
        assert_pair(&result, B, A, 6, 6, 3 * 12, 3 * 15);
        assert_int_equal(row_of(&result, A)->n_timed, 6);
        assert_int_equal(result.n_slowest, 2);
        assert_int_equal(result.slowest[0].dur_ns, 100);
        assert_int_equal(result.slowest[0].track, 0);
        assert_int_equal(result.slowest[1].track, result.slowest[0].track);
        mt_profile_result_fini(&result);
    }
}

static void test_groups_and_keys(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(0, A),  BEGIN(10, B),  END(20, B, 10), BEGIN(20, C),
                                      BEGIN(22, A), END(24, A, 2), END(30, C, 10), END(40, A, 40)};
    const uint32_t keys[N_FUNCS] = {0, 0, 1, 1}, groups[3] = {1, MT_NONE, 0};
    struct mt_profile *profile = new_profile((struct mt_profile_options){
        .key_of_func = keys, .n_keys = 2, .group_of_track = groups, .n_groups = 2});
    add(profile, 0, 0, events, N(events), true, true);
    add(profile, 1, 0, events, N(events), true, true);
    add(profile, 2, 0, events + 1, 2, true, true);
    struct mt_profile_result result = fold(profile);
    assert_int_equal(result.n_rows, 3);
    assert_int_equal(result.rows[0].group, 0);
    assert_row(&result, 0, 1, 1, 10, 10);
    assert_int_equal(result.rows[1].group, 1);
    assert_int_equal(result.rows[1].key, 0);
    assert_int_equal(result.rows[1].n_calls, 3);
    assert_int_equal(result.rows[1].n_primitive, 1);
    assert_int_equal(result.rows[1].self_ns, 32);
    assert_int_equal(result.rows[1].cum_ns, 40);
    assert_int_equal(result.rows[2].key, 1);
    assert_int_equal(result.rows[2].self_ns, 8);
    assert_int_equal(result.n_pairs, 0);
    mt_profile_result_fini(&result);
}

static void test_marked_pairs_only(void **state)
{
    (void)state;
    const struct mt_event events[] = {BEGIN(0, A),    BEGIN(10, B), BEGIN(11, C),  END(12, C, 1),
                                      END(20, B, 10), BEGIN(22, C), END(24, C, 2), END(40, A, 40)};
    const uint8_t marks[2][N_FUNCS] = {{[C] = MT_PROFILE_CALLERS}, {[A] = MT_PROFILE_CALLEES}};
    for (int i = 0; i < 2; i++) {
        struct mt_profile *profile = new_profile((struct mt_profile_options){.marks = marks[i]});
        add(profile, 0, 0, events, N(events), true, true);
        struct mt_profile_result result = fold(profile);
        assert_int_equal(result.n_pairs, 2);
        assert_pair(&result, A, C, 1, 1, 2, 2);
        assert_pair(&result, i ? A : B, i ? B : C, 1, 1, i ? 9 : 1, i ? 10 : 1);
        mt_profile_result_fini(&result);
    }
}

static void test_losses(void **state)
{
    (void)state;
    const struct mt_event_lost lost = {.n_events = 7, .until_ns = 50};
    const struct mt_event events[] = {
        BEGIN(0, A), END(10, A, 10), {.type = MT_EVENT_LOST, .ts_ns = 20, .lost = &lost}};
    struct mt_profile_result result = profile_of(events, N(events));
    assert_int_equal(result.n_lost, 7);
    assert_int_equal(result.n_losses, 1);
    assert_int_equal(result.last_ns, 20);
    mt_profile_result_fini(&result);
}

static void test_more_names_than_the_caches_hold(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct mt_func *many = calloc(MANY, sizeof *many);
    struct mt_event *events = calloc(2 * MANY, sizeof *events);
    struct mt_timeline large = timeline;
    struct mt_profile *profile;
    assert_true(many && events);
    large.funcs = many;
    large.n_funcs = MANY;
    for (uint32_t i = 0; i < MANY; i++) {
        events[2 * i] = (struct mt_event)BEGIN(i * 100, i);
        events[2 * i + 1] = (struct mt_event)END(i * 100 + i % 90, i, i % 90);
    }
    struct mt_profile_options options = {.timeline = &large, .n_workers = 1};
    assert_int_equal(mt_profile_new(&options, &profile), MT_OK);
    for (int round = 0; round < 5; round++)
        add(profile, 0, 0, events, 2 * MANY, !round, round == 4);
    struct mt_profile_result result = fold(profile);
    assert_int_equal(result.n_rows, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(result.rows[i].n_calls, 5);
        assert_int_equal(result.rows[i].self_ns, 5 * (i % 90));
        assert_int_equal(result.rows[i].max_ns, i % 90);
    }
    mt_profile_result_fini(&result);
    free(many);
    free(events);
}

static void test_too_many_cells(void **state)
{
    (void)state;
    const uint32_t keys[N_FUNCS] = {0}, groups[3] = {0};
    struct mt_profile *profile;
    struct mt_profile_options options = {.timeline = &timeline,
                                         .n_workers = 1,
                                         .key_of_func = keys,
                                         .n_keys = 1u << 20,
                                         .group_of_track = groups,
                                         .n_groups = 1u << 9};
    assert_int_equal(mt_profile_new(&options, &profile), MT_LIMIT);
}

/* ------------------------------------------------------------------------------------ histograms */

static void test_buckets_are_exact_enough(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < UINT64_MAX / 3; at += at / 7 + 1) {
        uint32_t octave = mt__hist_octave(at);
        assert_true(octave < MT__HIST_OCTAVES);
        uint64_t value = mt__hist_value(octave * MT__HIST_SUBS + mt__hist_sub(at, octave));
        uint64_t off = value > at ? value - at : at - value;
        if (at < 2 * MT__HIST_SUBS)
            assert_int_equal(value, at);
        else
            assert_true((double)off / (double)at < 1.0 / (2 * MT__HIST_SUBS));
    }
    assert_int_equal(mt__hist_octave(UINT64_MAX), MT__HIST_OCTAVES - 1);
}

static void test_histogram_of_all_durations(void **state)
{
    (void)state;
    struct mt__octave_pool pool = {0};
    struct mt__histogram hists[2] = {0};
    struct mt__hist_sum *sum = calloc(1, sizeof *sum);
    assert_non_null(sum);
    /* From the middle outwards, so that it widens both ways; two, so that arrays change hands. */
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t dur_ns = UINT64_C(1) << (i % 2 ? 32 + i / 2 : 31 - i / 2);
        for (uint32_t owner = 0; owner < 2; owner++)
            assert_true(mt__hist_add(&hists[owner], &pool, owner, dur_ns));
    }
    mt__hist_sum_add(sum, &hists[0], &pool, 0);
    assert_int_equal(sum->n, 64);
    assert_int_equal(mt__hist_percentile(sum, 1), 1);
    assert_in_range(mt__hist_percentile(sum, 50), UINT64_C(1) << 31, (UINT64_C(1) << 31) * 1.04);
    assert_in_range(mt__hist_percentile(sum, 100), UINT64_C(1) << 63, UINT64_MAX);
    mt__octaves_fini(&pool);
    free(sum);
}

static void test_counts_beyond_16_bits(void **state)
{
    (void)state;
    struct mt__octave_pool pool = {0};
    struct mt__histogram hists[2] = {0};
    struct mt__hist_sum *sum = calloc(1, sizeof *sum);
    assert_non_null(sum);
    for (uint32_t i = 0; i < 200000; i++)
        assert_true(mt__hist_add(&hists[1], &pool, 1, 100));
    for (uint32_t i = 0; i < 100001; i++)
        assert_true(mt__hist_add(&hists[1], &pool, 1, 5));
    for (uint32_t i = 0; i < 65536; i++) /* the only ones of their octave */
        assert_true(mt__hist_add(&hists[0], &pool, 0, 1000));
    assert_true(mt__hist_add(&hists[0], &pool, 0, 10));
    assert_true(mt__hist_add(&hists[0], &pool, 0, 100000));
    mt__hist_sum_add(sum, &hists[0], &pool, 0);
    assert_int_equal(sum->n, 65538);
    assert_int_equal(mt__hist_percentile(sum, 50), 1007);
    mt__hist_sum_clear(sum);
    assert_int_equal(mt__hist_percentile(sum, 50), 0);
    mt__hist_sum_add(sum, &hists[1], &pool, 1);
    assert_int_equal(sum->n, 300001);
    assert_int_equal(mt__hist_percentile(sum, 33), 5);
    assert_int_equal(mt__hist_percentile(sum, 34), 101);
    mt__octaves_fini(&pool);
    free(sum);
}

/* What is added in the order of its hashes has its place from the beginning. */
static void test_pairs_are_added_where_there_is_room(void **state)
{
    enum { N = 20000, SHARED = 500 };
    struct mt__pairs pairs[2] = {{0}, {0}};
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        struct mt__pair *pair = mt__pairs_get(&pairs[0], mt__pair_key(i, i % 7));
        assert_non_null(pair);
        pair->n_calls = i;
    }
    for (uint32_t i = 0; i < SHARED; i++)
        mt__pairs_get(&pairs[1], mt__pair_key(i, i % 7))->n_calls = 5;
    assert_true(mt__pairs_reserve(&pairs[1], pairs[1].n_used + pairs[0].n_used));
    const struct mt__pair *slots = pairs[1].slots;
    assert_true(pairs[1].n_slots / 4 * 3 >= N + SHARED);
    assert_true(mt__pairs_add(&pairs[1], &pairs[0]));
    assert_ptr_equal(pairs[1].slots, slots);
    assert_int_equal(pairs[1].n_used, N);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(mt__pairs_get(&pairs[1], mt__pair_key(i, i % 7))->n_calls,
                         i + (i < SHARED ? 5 : 0));
    assert_int_equal(pairs[1].n_used, N);
    mt__pairs_fini(&pairs[0]);
    mt__pairs_fini(&pairs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_mutual_recursion),
        cmocka_unit_test(test_generators_are_calls_each_time_they_go_on),
        cmocka_unit_test(test_unfinished_calls_last_to_the_end_of_their_track),
        cmocka_unit_test(test_reopened_and_repaired_calls),
        cmocka_unit_test(test_cut_calls),
        cmocka_unit_test(test_workers_take_turns),
        cmocka_unit_test(test_groups_and_keys),
        cmocka_unit_test(test_marked_pairs_only),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_more_names_than_the_caches_hold),
        cmocka_unit_test(test_too_many_cells),
        cmocka_unit_test(test_buckets_are_exact_enough),
        cmocka_unit_test(test_histogram_of_all_durations),
        cmocka_unit_test(test_counts_beyond_16_bits),
        cmocka_unit_test(test_pairs_are_added_where_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
