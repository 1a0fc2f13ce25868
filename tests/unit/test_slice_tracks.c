/* Tests of slices: which processes and threads are left, which arrows and losses between and beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "events_text.h"
#include "slices.h"

/* --------------------------------------------------------------------------- processes and threads */

/* 100 "app" with threads 100 and 101 "worker-1", 200 "other" with thread 200; two events each. */
static struct mt_set *two_processes(struct tb tbs[2], const struct mt_slice *slice,
                                    struct told *told)
{
    static const char *const names[] = {"app", "other"};
    for (uint32_t i = 0; i < 2; i++) {
        tb_init(&tbs[i], 100 * (i + 1));
        tb_code(&tbs[i], 1, "f", NULL, 0);
        tb_name(&tbs[i], MT_DEF_PROCESS, 0, 1, 0, names[i]);
        tb_records(&tbs[i], tb_events(&tbs[i], 1, 100 * (i + 1), 1000), 10, "(1 )1");
    }
    tb_records(&tbs[0], tb_events(&tbs[0], 2, 101, 1000), 20, "(1 )1");
    tb_name(&tbs[0], MT_DEF_THREAD, 2, 1, 101, "worker-1");
    struct mt_set *set = set_of((struct tb *[]){&tbs[0], &tbs[1]}, 2, told);
    assert_int_equal(mt_set_slice(set, slice), MT_OK);
    return set;
}

/* `tracks` and `processes` have a letter for each: x is left out. */
static void assert_left(const struct mt_slice *slice, const char *processes, const char *tracks,
                        const char *notes)
{
    struct tb tbs[2];
    struct told told;
    struct mt_set *set = two_processes(tbs, slice, &told);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct mt_plan plan;
    char was[4] = "";
    for (uint32_t i = 0; i < timeline->n_processes; i++)
        was[i] = timeline->processes[i].left_out ? 'x' : '-';
    assert_string_equal(was, processes);
    for (uint32_t i = 0; i < timeline->n_tracks; i++) {
        was[i] = timeline->tracks[i].left_out ? 'x' : '-';
        char *text = events_text(set, i, NULL);
        assert_int_equal(*text == '\0', timeline->tracks[i].left_out);
        free(text);
    }
    assert_string_equal(was, tracks);
    assert_int_equal(mt_plan_init(&plan, set, 0), MT_OK);
    for (size_t i = 0; i < plan.n_steps; i++)
        assert_false(timeline->tracks[plan.steps[i].track].left_out);
    mt_plan_fini(&plan);
    assert_string_equal(mt_buf_text(&told.text), notes);
    told_fini(&told);
    mt_set_free(set);
    tb_fini(&tbs[0]);
    tb_fini(&tbs[1]);
}

static void test_processes_and_threads(void **state)
{
    (void)state;
    assert_left(SLICE(.max_depth = 1), "--", "---", "");
    assert_left(SLICE(.pids = IDS(200)), "x-", "xx-", "");
    assert_left(SLICE(.pids = IDS(200, 100)), "--", "---", "");
    assert_left(SLICE(.pids = IDS(7)), "xx", "xxx", "0 - -1 no process has the number 7\n");
    assert_left(SLICE(.tids = IDS(101)), "-x", "x-x", "");
    assert_left(SLICE(.tids = IDS(101, 200)), "--", "x--", "");
    assert_left(SLICE(.pids = IDS(100), .tids = IDS(200)), "xx", "xxx",
                "0 - -1 no thread of these processes has the number 200\n");
    assert_left(SLICE(.processes = GLOBS("o*")), "x-", "xx-", "");
    assert_left(SLICE(.processes = GLOBS("app", "o")), "-x", "--x",
                "0 - -1 no process matches 'o'\n");
    assert_left(SLICE(.threads = GLOBS("worker-*")), "-x", "x-x", "");
    assert_left(SLICE(.include = GLOBS("f", "[g]")), "--", "---",
                "0 - -1 no function matches '[g]'\n");
    assert_left(SLICE(.exclude = GLOBS("h")), "--", "---", "0 - -1 no function matches 'h'\n");
    /* 100 is from 0 to 10, 101 from 10 to 30, 200 from 0 to 10 */
    assert_left(SLICE(.to_ns = 10), "--", "-x-", "");
    assert_left(SLICE(.from_ns = 31), "xx", "xxx", "");
}

/* ---------------------------------------------------------------------------------------- arrows */

/* f@0 { g@10, a fork at 20, }@30 }@1000; the child: main@490 to 590. Returns how many arrows are left. */
static size_t arrows(const struct mt_slice *slice)
{
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    tb_init(&tbs[0], 100);
    tb_code(&tbs[0], 1, "f", NULL, 0);
    tb_code(&tbs[0], 2, "g", NULL, 0);
    size_t chunk = tb_events(&tbs[0], 1, 100, 1000);
    tb_records(&tbs[0], chunk, 10, "(1 (2");
    tb_record(&tbs[0], chunk, 1040, MT_KIND_PY_END, 2);
    tb_record(&tbs[0], chunk, 2010, MT_KIND_PY_END, 1);
    tb_init(&tbs[1], 101);
    tb_code(&tbs[1], 1, "main", NULL, 0);
    tb_header(&tbs[1])->origin = MT_ORIGIN_FORK;
    tb_header(&tbs[1])->fork_tick = 1030;
    tb_header(&tbs[1])->parent_tid = 100;
    tb_set_parent(&tbs[1], &tbs[0]);
    tb_records(&tbs[1], tb_events(&tbs[1], 1, 101, 1400), 100, "(1 )1");
    struct mt_set *set = set_of(files, 2, NULL);
    struct mt_walk *walk;
    struct mt_run run;
    assert_int_equal(mt_set_slice(set, slice), MT_OK);
    assert_int_equal(mt_walk_new(set, 0, &walk), MT_OK);
    for (uint32_t i = 0; i < 2; i++) {
        for (mt_walk_start(walk, i); mt_walk_next(walk, &run);)
            continue;
    }
    const struct mt_outcome *outcome = mt_walk_outcome(walk);
    size_t n = outcome->n_flows;
    if (n) {
        assert_int_equal(outcome->flows[0].from_ns, 20);
        assert_int_equal(outcome->flows[0].to_ns, 490);
    }
    mt_walk_free(walk);
    mt_set_free(set);
    tb_fini(&tbs[0]);
    tb_fini(&tbs[1]);
    return n;
}

static void test_arrows(void **state)
{
    (void)state;
    assert_int_equal(arrows(SLICE(.from_ns = 0)), 1);
    assert_int_equal(arrows(SLICE(.from_ns = 20)), 1);
    assert_int_equal(arrows(SLICE(.from_ns = 21)), 0);
    assert_int_equal(arrows(SLICE(.to_ns = 491)), 1);
    assert_int_equal(arrows(SLICE(.to_ns = 490)), 0); /* the call begins where the slice ends */
    assert_int_equal(arrows(SLICE(.pids = IDS(100))), 0);
    assert_int_equal(arrows(SLICE(.pids = IDS(101))), 0);
    assert_int_equal(arrows(SLICE(.include = GLOBS("g", "main"))), 1);
    assert_int_equal(arrows(SLICE(.include = GLOBS("g"))), 0);
    assert_int_equal(arrows(SLICE(.include = GLOBS("main"))), 0);
    assert_int_equal(arrows(SLICE(.min_duration_ns = 100)), 1);
    assert_int_equal(arrows(SLICE(.min_duration_ns = 101)), 0);
    assert_int_equal(arrows(SLICE(.min_duration_ns = 31, .include = GLOBS("g", "main"))), 0);
    assert_int_equal(arrows(SLICE(.max_depth = 1)), 1);
}

/* What no track tells of is told of the process, if it may be in the slice. */
static void assert_process_loss(const struct mt_slice *slice, uint64_t n, uint64_t first_ns,
                                uint64_t last_ns, uint64_t n_told)
{
    struct tb tb, *file = &tb;
    struct mt_walk *walk;
    struct mt_run run;
    tb_init(&tb, 100);
    tb_code(&tb, 1, "f", NULL, 0);
    tb_records(&tb, tb_events(&tb, 1, 100, 1000), 10, "(1 )1");
    size_t chunk = tb_events(&tb, 1, 100, 2000);
    tb_lost(&tb, chunk, 5, 2050, MT_LOSS_IO);
    tb_records(&tb, chunk, 60, "(1 )1");
    tb_header(&tb)->n_lost = 8;
    tb_header(&tb)->first_lost_tick = 1110;
    tb_header(&tb)->last_lost_tick = 2050;
    struct mt_set *set = set_of(&file, 1, NULL);
    assert_int_equal(mt_set_slice(set, slice), MT_OK);
    assert_int_equal(mt_walk_new(set, 0, &walk), MT_OK);
    for (mt_walk_start(walk, 0); mt_walk_next(walk, &run);)
        continue;
    const struct mt_process *process = &mt_set_timeline(set)->processes[0];
    assert_int_equal(process->n_lost, n);
    if (n) {
        assert_int_equal(process->first_lost_ns, first_ns);
        assert_int_equal(process->last_lost_ns, last_ns);
    }
    assert_int_equal(mt_walk_outcome(walk)->n_lost_told[0], n_told);
    mt_walk_free(walk);
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_losses_of_processes(void **state)
{
    (void)state;
    assert_process_loss(SLICE(.max_depth = 1), 8, 100, 1040, 5);
    assert_process_loss(SLICE(.from_ns = 50, .to_ns = 200), 8, 100, 200, 5);
    assert_process_loss(SLICE(.from_ns = 200), 8, 200, 1040, 5);
    assert_process_loss(SLICE(.to_ns = 100), 0, 0, 0, 0);
    assert_process_loss(SLICE(.from_ns = 1041), 0, 0, 0, 5);
    assert_process_loss(SLICE(.tids = IDS(100)), 0, 0, 0, 5);
    assert_process_loss(SLICE(.pids = IDS(7)), 0, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_and_threads),
        cmocka_unit_test(test_arrows),
        cmocka_unit_test(test_losses_of_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
