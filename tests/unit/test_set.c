/* Tests of sets: which files are one process, who is whose parent, which numbers are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "events_text.h"

/* A file with one function and one call of it on its main thread, from `start` on. */
static void one_call(struct tb *tb, uint32_t pid, uint64_t start)
{
    tb_init(tb, pid);
    tb_header(tb)->pair.tick = start;
    tb_header(tb)->pair.mono_ns = TB_MONO_NS + start;
    tb_header(tb)->pair.real_ns = TB_REAL_NS + TB_MONO_NS + start;
    tb_code(tb, 1, "main", "app.py", 1);
    tb_code(tb, 2, "work", "app.py", 2);
    size_t chunk = tb_events(tb, 1, pid, start);
    tb_records(tb, chunk, 10, "(1");
}

static void fini_all(struct tb *tbs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tb_fini(&tbs[i]);
}

static void test_processes_of_a_tree(void **state)
{
    (void)state;
    struct tb tbs[3], *files[] = {&tbs[2], &tbs[1], &tbs[0]};
    one_call(&tbs[0], 100, 1000);
    one_call(&tbs[1], 101, 2000);
    one_call(&tbs[2], 102, 3000);
    tb_set_parent(&tbs[1], &tbs[0]);
    tb_set_parent(&tbs[2], &tbs[1]);
    tb_header(&tbs[1])->origin = tb_header(&tbs[2])->origin = MT_ORIGIN_FORK;
    struct told told;
    struct mt_set *set = set_of(files, 3, &told);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_processes, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(timeline->processes[i].pid, 100 + i);
        assert_int_equal(timeline->processes[i].parent, i ? i - 1 : MT_NONE);
        assert_string_equal(timeline->processes[i].name.data, "app");
    }
    assert_int_equal(timeline->n_hosts, 1);
    assert_string_equal(mt_buf_text(&told.text), "");
    assert_int_equal(timeline->zero_real_ns, TB_REAL_NS + TB_MONO_NS + 1010);
    mt_set_free(set);
    told_fini(&told);
    fini_all(tbs, 3);
}

/* The environment names an ancestor; the kernel knows better. */
static void test_the_kernels_parent_goes_before_the_environments(void **state)
{
    (void)state;
    struct tb tbs[3], *files[] = {&tbs[0], &tbs[1], &tbs[2]};
    one_call(&tbs[0], 100, 1000);
    one_call(&tbs[1], 101, 2000);
    one_call(&tbs[2], 102, 3000);
    tb_set_parent(&tbs[1], &tbs[0]);
    tb_set_parent(&tbs[2], &tbs[0]);
    tb_header(&tbs[2])->ppid = 101;
    tb_header(&tbs[2])->parent_start_time = 50;
    struct mt_set *set = set_of(files, 3, NULL);
    assert_int_equal(mt_set_timeline(set)->processes[2].parent, 1);
    mt_set_free(set);
    /* A process with that pid, but another one: the environment's is nearest. */
    tb_header(&tbs[2])->parent_start_time = 51;
    set = set_of(files, 3, NULL);
    assert_int_equal(mt_set_timeline(set)->processes[2].parent, 0);
    mt_set_free(set);
    /* Without both, whoever had the ppid when the child started. */
    memset(tb_header(&tbs[2])->parent_id, 0, 16);
    tb_header(&tbs[2])->parent_start_time = 0;
    tb_header(&tbs[2])->start_time = 60;
    set = set_of(files, 3, NULL);
    assert_int_equal(mt_set_timeline(set)->processes[2].parent, 1);
    mt_set_free(set);
    tb_header(&tbs[1])->start_time = 61;
    set = set_of(files, 3, NULL);
    assert_int_equal(mt_set_timeline(set)->processes[2].parent, MT_NONE);
    mt_set_free(set);
    fini_all(tbs, 3);
}

static void test_circles_of_parents_are_cut(void **state)
{
    (void)state;
    struct tb tbs[3], *files[] = {&tbs[0], &tbs[1], &tbs[2]};
    for (uint32_t i = 0; i < 3; i++)
        one_call(&tbs[i], 100 + i, 1000 * i);
    for (uint32_t i = 0; i < 3; i++)
        tb_set_parent(&tbs[i], &tbs[(i + 1) % 3]);
    struct mt_set *set = set_of(files, 3, NULL);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_processes, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(timeline->processes[i].parent == MT_NONE || timeline->processes[i].parent < i);
    mt_set_free(set);
    fini_all(tbs, 3);
}

/* Shown below its first image, and so before the process that it says has started it. */
static void test_a_later_image_names_another_parent(void **state)
{
    (void)state;
    struct tb tbs[3], *files[] = {&tbs[0], &tbs[1], &tbs[2]};
    one_call(&tbs[0], 100, 1000);
    one_call(&tbs[1], 100, 2000);
    one_call(&tbs[2], 102, 3000);
    tb_header(&tbs[1])->image = 1;
    tb_header(&tbs[1])->file_id[0] ^= 1;
    tb_header(&tbs[1])->origin = MT_ORIGIN_FORK;
    tb_set_parent(&tbs[1], &tbs[2]);
    struct mt_set *set = set_of(files, 3, NULL);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_processes, 3);
    assert_int_equal(timeline->processes[1].former, 0);
    assert_int_equal(timeline->processes[1].parent, MT_NONE);
    mt_set_free(set);
    fini_all(tbs, 3);
}

static void test_images_share_a_pid(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[1], &tbs[0]};
    one_call(&tbs[0], 100, 1000);
    one_call(&tbs[1], 100, 2000);
    tb_header(&tbs[1])->image = 1;
    tb_header(&tbs[1])->file_id[0] ^= 1;
    tb_set_parent(&tbs[1], &tbs[0]);
    struct mt_set *set = set_of(files, 2, NULL);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_processes, 2);
    assert_int_equal(timeline->processes[0].pid, 100);
    assert_int_equal(timeline->processes[1].pid, 100);
    assert_int_equal(timeline->processes[1].former, 0);
    assert_int_equal(timeline->processes[1].parent, MT_NONE);
    assert_int_equal(timeline->tracks[0].tid, 100);
    assert_int_equal(timeline->tracks[1].tid, 100);
    struct mt_set_stats stats;
    assert_int_equal(mt_set_stats(set, &stats, NULL), MT_OK);
    assert_int_equal(stats.n_processes, 1);
    assert_int_equal(stats.n_files, 2);
    mt_set_free(set);
    fini_all(tbs, 2);
}

static void test_equal_pids_of_different_processes(void **state)
{
    (void)state;
    struct tb tbs[4], *files[] = {&tbs[3], &tbs[2], &tbs[1], &tbs[0]};
    for (int i = 0; i < 4; i++) {
        one_call(&tbs[i], 100, 1000 * (uint64_t)(i + 1));
        tb_header(&tbs[i])->file_id[0] = (uint8_t)i;
    }
    tb_header(&tbs[1])->start_time = 70; /* the pid was given anew */
    tb_header(&tbs[2])->pid_ns = 8;      /* a container */
    tb_header(&tbs[3])->host[0] = 'X';
    tb_header(&tbs[3])->boot_id[0] = 1;
    struct mt_set *set = set_of(files, 4, NULL);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_processes, 4);
    assert_int_equal(timeline->n_hosts, 2);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(timeline->processes[i].real_pid, 100);
        assert_int_equal(timeline->processes[i].parent, MT_NONE);
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(timeline->processes[i].pid, timeline->processes[k].pid);
    }
    assert_int_equal(timeline->processes[0].pid, 100);
    assert_true(timeline->processes[1].pid > 1 << 22);
    mt_set_free(set);
    fini_all(tbs, 4);
}

static void test_parts_continue_threads(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[1], &tbs[0]};
    one_call(&tbs[0], 100, 1000);
    tb_records(&tbs[0], tbs[0].n_chunks - 1, 10, "(2");
    tb_init(&tbs[1], 100);
    tb_header(&tbs[1])->file_id[0] ^= 1;
    tb_header(&tbs[1])->part = 1;
    tb_header(&tbs[1])->origin = MT_ORIGIN_CONTINUED;
    tb_code(&tbs[1], 7, "main", "app.py", 1);
    tb_name(&tbs[1], MT_DEF_PROCESS, 0, 0, 0, "renamed");
    size_t chunk = tb_events(&tbs[1], 1, 100, 3000);
    tb_resync(&tbs[1], chunk, 3010, MT_RESYNC_FILE, 1);
    tb_records(&tbs[1], chunk, 0, "(7");
    tb_records(&tbs[1], chunk, 10, ")7");
    struct mt_set *set = set_of(files, 2, NULL);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_processes, 1);
    assert_int_equal(timeline->processes[0].n_files, 2);
    assert_string_equal(timeline->processes[0].name.data, "renamed");
    assert_int_equal(timeline->n_tracks, 1);
    assert_int_equal(timeline->tracks[0].n_segments, 2);
    assert_track(set, 0,
                 "B main@0 B work@10 Ef work@2000+1990 Ef main@2000+2000 Bo main@2000 "
                 "Eo main@2010+10");
    mt_set_free(set);
    fini_all(tbs, 2);
}

/* Equal functions of different files are one function, with different ids. */
static void test_functions_are_shared(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    one_call(&tbs[0], 100, 1000);
    tb_init(&tbs[1], 101);
    tb_code(&tbs[1], 900, "work", "app.py", 2);
    tb_code(&tbs[1], 3000000, "work", "app.py", 3);
    tb_records(&tbs[1], tb_events(&tbs[1], 1, 101, 2000), 10, "(900 (3000000");
    struct mt_set *set = set_of(files, 2, NULL);
    assert_int_equal(mt_set_timeline(set)->n_funcs, MT_N_FUNC_SPECIAL + 3);
    assert_track(set, 1, "B work@1000 B work@1010 U work@1000 U work@1010");
    mt_set_free(set);
    fini_all(tbs, 2);
}

static void test_the_same_file_twice(void **state)
{
    (void)state;
    struct tb tb, *files[] = {&tb, &tb};
    one_call(&tb, 100, 1000);
    struct told told;
    struct mt_set *set = set_of(files, 2, &told);
    assert_int_equal(mt_set_n_files(set), 1);
    assert_string_equal(mt_buf_text(&told.text),
                        "0 1.trace -1 is the same file as 0.trace; used once\n");
    assert_int_equal(mt_set_n_errors(set), 0);
    mt_set_free(set);
    told_fini(&told);
    tb_fini(&tb);
}

/* A copy that was made while the file grew, or cut: the longer one counts, whichever comes first. */
static void test_two_copies_of_different_length(void **state)
{
    (void)state;
    struct tb tb, other;
    one_call(&tb, 100, 1000);
    one_call(&other, 101, 500);
    struct tb cut = tb, *files[] = {&cut, &other, &tb};
    cut.n_bytes = tb.chunks[tb.n_chunks - 1].offset;
    struct told told;
    struct mt_set *set = set_of(files, 3, &told);
    assert_int_equal(mt_set_n_files(set), 2);
    assert_string_equal(mt_buf_text(&told.text),
                        "0 2.trace -1 is the same file as 0.trace, but longer; used instead\n");
    assert_track(set, 0, "B main@0 U main@0");
    assert_track(set, 1, "B main@500 U main@500");
    mt_set_free(set);
    told_fini(&told);
    set = set_of((struct tb *[]){&tb, &other, &cut}, 3, &told);
    assert_string_equal(mt_buf_text(&told.text),
                        "0 2.trace -1 is the same file as 0.trace; used once\n");
    assert_track(set, 1, "B main@500 U main@500");
    mt_set_free(set);
    told_fini(&told);
    tb_fini(&tb);
    tb_fini(&other);
}

static void test_several_runs(void **state)
{
    (void)state;
    struct tb tbs[3], *files[] = {&tbs[0], &tbs[1], &tbs[2]};
    for (uint32_t i = 0; i < 3; i++)
        one_call(&tbs[i], 100 + i, 1000);
    memset(tb_header(&tbs[1])->run_id, 0x22, 16);
    memset(tb_header(&tbs[2])->run_id, 0, 16);
    struct told told;
    struct mt_set *set = set_of(files, 3, &told);
    assert_string_equal(mt_buf_text(&told.text), "0 - -1 these files are of 2 different runs\n");
    mt_set_free(set);
    told_fini(&told);
    assert_int_equal(mt_set_new(NULL, &set), MT_OK);
    mt_set_only_run(set, tb_header(&tbs[1])->run_id);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mt_set_add_memory(set, "f", tbs[i].data, tbs[i].n_bytes), MT_OK);
    assert_int_equal(mt_set_finish(set), MT_OK);
    assert_int_equal(mt_set_n_files(set), 1);
    assert_int_equal(mt_set_timeline(set)->processes[0].pid, 101);
    mt_set_free(set);
    fini_all(tbs, 3);
}

/* -------------------------------------------------------------------------------------- threads */

static void test_threads_have_names(void **state)
{
    (void)state;
    struct tb tb, *file = &tb;
    one_call(&tb, 100, 1000);
    tb_records(&tb, tb_events(&tb, 2, 102, 900), 10, "(2 )2");
    tb_records(&tb, tb_events(&tb, 3, 101, 950), 10, "(2 )2");
    tb_name(&tb, MT_DEF_THREAD, 2, 5000, 102, "late");
    tb_name(&tb, MT_DEF_THREAD, 2, 4000, 102, "early");
    tb_name(&tb, MT_DEF_NOTE, MT_NOTE_ENGINE, 1200, 0, "a note");
    struct mt_set *set = set_of(&file, 1, NULL);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_tracks, 3);
    assert_int_equal(timeline->tracks[0].tid, 100); /* main first, then by time */
    assert_int_equal(timeline->tracks[1].tid, 102);
    assert_int_equal(timeline->tracks[2].tid, 101);
    assert_string_equal(timeline->tracks[0].name.data, "");
    assert_string_equal(timeline->tracks[1].name.data, "late");
    struct mt_note_info note;
    mt_set_note(set, 0, 0, &note);
    assert_string_equal(note.text.data, "a note");
    assert_int_equal(note.topic, MT_NOTE_ENGINE);
    mt_set_free(set);
    tb_fini(&tb);
}

/* Two threads one after the other with one tid. */
static struct mt_set *tid_twice(struct tb *tb, const char *first, uint64_t second_start)
{
    one_call(tb, 100, 1000);
    tb_records(tb, tb_events(tb, 2, 150, 2000), 10, first);
    tb_records(tb, tb_events(tb, 3, 150, second_start), 10, "(2 )2");
    return set_of(&tb, 1, NULL);
}

static void test_a_reused_tid_is_shared(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_set *set = tid_twice(&tb, "(1 )1", 3000);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->n_tracks, 3);
    assert_int_equal(timeline->tracks[1].tid, 150);
    assert_int_equal(timeline->tracks[2].tid, 150);
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_a_reused_tid_does_not_nest_in_open_calls(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_set *set = tid_twice(&tb, "(1", 3000);
    const struct mt_timeline *timeline = mt_set_timeline(set);
    assert_int_equal(timeline->tracks[1].tid, 150);
    assert_true(timeline->tracks[2].tid > 1 << 22);
    assert_int_equal(timeline->tracks[2].real_tid, 150);
    assert_track(set, 2, "B work@2000 E work@2010+10");
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_a_tid_that_is_used_twice_at_a_time(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_set *set = tid_twice(&tb, "(1 )1 (1 )1", 2015);
    assert_true(mt_set_timeline(set)->tracks[2].tid > 1 << 22);
    mt_set_free(set);
    tb_fini(&tb);
}

/* ---------------------------------------------------------------------------------------- arrows */

static void test_an_arrow_from_a_fork(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    one_call(&tbs[0], 100, 1000);
    tb_cfunc(&tbs[0], 5, "posix", "fork");
    size_t chunk = tb_events(&tbs[0], 2, 155, 1000);
    tb_records(&tbs[0], chunk, 10, "(1 [5 ]5 )1"); /* at 1010, 1020, 1030, 1040 */
    tb_init(&tbs[1], 101);
    tb_code(&tbs[1], 1, "main", "app.py", 1);
    chunk = tb_events(&tbs[1], 1, 101, 1035);
    tb_resync(&tbs[1], chunk, 1036, MT_RESYNC_FORK, 1);
    tb_records(&tbs[1], chunk, 0, "(1");
    tb_records(&tbs[1], chunk, 10, ")1");
    tb_set_parent(&tbs[1], &tbs[0]);
    tb_header(&tbs[1])->origin = MT_ORIGIN_FORK;
    tb_header(&tbs[1])->parent_tid = 155;
    tb_header(&tbs[1])->fork_tick = 1024;
    struct mt_set *set = set_of(files, 2, NULL);
    struct mt_walk *walk;
    struct mt_run run;
    assert_int_equal(mt_walk_new(set, 0, &walk), MT_OK);
    for (uint32_t track = 0; track < 3; track++) {
        for (mt_walk_start(walk, track); mt_walk_next(walk, &run);)
            continue;
    }
    const struct mt_outcome *outcome = mt_walk_outcome(walk);
    assert_int_equal(outcome->n_flows, 1);
    assert_int_equal(outcome->flows[0].from_track, 1);
    assert_int_equal(outcome->flows[0].from_ns, 1024 - 1010); /* in fork, which began at 10 */
    assert_int_equal(outcome->flows[0].to_track, 2);
    assert_int_equal(outcome->flows[0].to_ns, 1036 - 1010);
    mt_walk_free(walk);
    mt_set_free(set);
    fini_all(tbs, 2);
}

/* The two ends as "track>ts track<ts". */
static void assert_arrow(struct mt_set *set, const char *expected)
{
    struct mt_buf text = {0};
    struct mt_walk *walk;
    struct mt_run run;
    assert_int_equal(mt_walk_new(set, 0, &walk), MT_OK);
    for (uint32_t track = 0; track < mt_set_timeline(set)->n_tracks; track++) {
        for (mt_walk_start(walk, track); mt_walk_next(walk, &run);)
            continue;
    }
    const struct mt_outcome *outcome = mt_walk_outcome(walk);
    for (size_t i = 0; i < outcome->n_flows; i++) {
        const struct mt_flow *flow = &outcome->flows[i];
        mt_buf_printf(&text, "%u>%llu %u<%llu ", flow->from_track,
                      (unsigned long long)flow->from_ns, flow->to_track,
                      (unsigned long long)flow->to_ns);
    }
    assert_string_equal(mt_buf_text(&text), expected);
    mt_buf_fini(&text);
    mt_walk_free(walk);
}

#define MS UINT64_C(1000000)

/* Started, not forked: CLOCK_MONOTONIC at tick 0 is 1 s, so jiffy 110 is tick 100 ms. */
static void test_an_arrow_from_the_call_that_starts_programs(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    one_call(&tbs[0], 100, 0); /* main begins at 10 ns and stays open */
    tb_cfunc(&tbs[0], 5, "_posixsubprocess", "fork_exec");
    size_t chunk = tb_events(&tbs[0], 2, 155, 80 * MS);
    tb_record(&tbs[0], chunk, 81 * MS, MT_KIND_PY_BEGIN, 1);
    tb_record(&tbs[0], chunk, 103 * MS, MT_KIND_C_BEGIN, 5);
    tb_record(&tbs[0], chunk, 107 * MS, MT_KIND_C_END, 5);
    tb_record(&tbs[0], chunk, 108 * MS, MT_KIND_C_BEGIN, 5); /* this one */
    tb_record(&tbs[0], chunk, 109 * MS, MT_KIND_C_END, 5);
    tb_record(&tbs[0], chunk, 150 * MS, MT_KIND_C_BEGIN, 5); /* too late */
    one_call(&tbs[1], 101, 300 * MS);
    tb_set_parent(&tbs[1], &tbs[0]);
    tb_header(&tbs[1])->start_time = 110;
    struct mt_set *set = set_of(files, 2, NULL);
    assert_arrow(set, "1>107999991 2<300000000 ");
    mt_set_free(set);
    /* None of them: the main thread. */
    tb_header(&tbs[1])->start_time = 128;
    set = set_of(files, 2, NULL);
    assert_arrow(set, "0>289999990 2<300000000 ");
    mt_set_free(set);
    fini_all(tbs, 2);
}

static void test_no_arrow_without_an_open_call(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    tb_init(&tbs[0], 100);
    tb_code(&tbs[0], 1, "main", NULL, 1);
    tb_records(&tbs[0], tb_events(&tbs[0], 1, 100, 0), 10, "(1 )1");
    one_call(&tbs[1], 101, 130 * MS);
    tb_set_parent(&tbs[1], &tbs[0]);
    struct mt_set *set = set_of(files, 2, NULL);
    assert_arrow(set, "");
    mt_set_free(set);
    fini_all(tbs, 2);
}

/* ---------------------------------------------------------------------------------------- times */

/* Ticks of 2.5 GHz whose header estimate is 0.2 % off, in a machine that another file measures. */
static void test_ticks_follow_the_machines_rate(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    for (uint32_t i = 0; i < 2; i++) {
        tb_init(&tbs[i], 100 + i);
        tb_header(&tbs[i])->clock = MT_CLOCK_TSC;
        tb_header(&tbs[i])->tick_hz = 2505000000;
        tb_header(&tbs[i])->pair = (struct mt_clock_pair){2500, 1000000000, TB_REAL_NS};
        tb_code(&tbs[i], 1, "main", NULL, 1);
    }
    size_t chunk = tb_events(&tbs[0], 1, 100, 2500);
    tb_chunk_header(&tbs[0], chunk)->pair = tb_header(&tbs[0])->pair;
    tb_record(&tbs[0], chunk, 2500, MT_KIND_PY_BEGIN, 1);
    chunk = tb_events(&tbs[0], 1, 100, 2500000002500);
    tb_chunk_header(&tbs[0], chunk)->pair = (struct mt_clock_pair){2500000002500, 1001000000000,
                                                                   TB_REAL_NS + 1000000000000};
    tb_record(&tbs[0], chunk, 2500000002500, MT_KIND_PY_END, 1);
    chunk = tb_events(&tbs[1], 1, 101, 2500);
    tb_chunk_header(&tbs[1], chunk)->pair = tb_header(&tbs[1])->pair;
    tb_record(&tbs[1], chunk, 5000, MT_KIND_PY_BEGIN, 1);
    tb_record(&tbs[1], chunk, 2500002500, MT_KIND_PY_END, 1);
    struct mt_set *set = set_of(files, 2, NULL);
    assert_track(set, 0, "B main@0 E main@1000000000000+1000000000000");
    assert_track(set, 1, "B main@1000 E main@1000000000+999999000");
    mt_set_free(set);
    fini_all(tbs, 2);
}

/* Different boots count CLOCK_MONOTONIC from different moments; CLOCK_REALTIME puts them together. */
static void test_boots_are_aligned_by_real_time(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    one_call(&tbs[0], 100, 1000);
    one_call(&tbs[1], 101, 1000);
    tb_header(&tbs[1])->boot_id[3] = 9;
    tb_header(&tbs[1])->pair.real_ns += 5000;
    struct mt_set *set = set_of(files, 2, NULL);
    assert_track(set, 0, "B main@0 U main@0");
    assert_track(set, 1, "B main@5000 U main@5000");
    mt_set_free(set);
    fini_all(tbs, 2);
}

/* Moments that go back, or are off because the thread was interrupted while it read the clocks. */
static void test_wrong_moments_do_no_harm(void **state)
{
    (void)state;
    struct tb tb, *file = &tb;
    tb_init(&tb, 100);
    tb_code(&tb, 1, "main", NULL, 1);
    for (uint64_t i = 0; i < 20; i++) {
        size_t chunk = tb_events(&tb, 1, 100, 10 * MS * i);
        if (i == 7)
            tb_chunk_header(&tb, chunk)->pair.mono_ns += 5 * MS;
        if (i == 12)
            tb_chunk_header(&tb, chunk)->pair.mono_ns = 17;
        tb_record(&tb, chunk, 10 * MS * i + MS, i % 2 ? MT_KIND_PY_END : MT_KIND_PY_BEGIN, 1);
    }
    struct mt_set *set = set_of(&file, 1, NULL);
    struct mt_walk *walk;
    struct mt_run run;
    uint64_t former_ns = 0, i = 0;
    assert_int_equal(mt_walk_new(set, 0, &walk), MT_OK);
    for (mt_walk_start(walk, 0); mt_walk_next(walk, &run);) {
        for (uint32_t k = 0; k < run.n_events; k++, i++) {
            assert_true(run.events[k].ts_ns >= former_ns);
            former_ns = run.events[k].ts_ns;
            assert_in_range(run.events[k].ts_ns, 10 * MS * i, 10 * MS * i + 10);
        }
    }
    assert_int_equal(i, 20);
    mt_walk_free(walk);
    mt_set_free(set);
    tb_fini(&tb);
}

/* ------------------------------------------------------------------------------ files on the disk */

static char directory[64];

static void put_file(const char *name, const void *data, size_t n_bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n_bytes, file), n_bytes);
    fclose(file);
}

static int make_directory(void **state)
{
    (void)state;
    const char *tmp = getenv("TEST_TMPDIR");
    snprintf(directory, sizeof directory, "/tmp/mtrace-unit.XXXXXX");
    if (tmp && strlen(tmp) + 20 < sizeof directory)
        snprintf(directory, sizeof directory, "%s/unit.XXXXXX", tmp);
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"a.trace", "b.trace", "c.trace", "bad.trace", "other.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

static void test_directories(void **state)
{
    (void)state;
    struct tb tbs[2];
    struct told told = {0};
    struct mt_set *set;
    one_call(&tbs[0], 100, 1000);
    one_call(&tbs[1], 101, 2000);
    put_file("a.trace", tbs[0].data, tbs[0].n_bytes);
    put_file("b.trace", tbs[1].data, tbs[1].n_bytes);
    put_file("bad.trace", "not a trace", 11);
    put_file("c.trace", "", 0);
    put_file("other.txt", "x", 1);
    struct mt_set *unused = set_of(NULL, 0, &told);
    mt_set_free(unused);
    assert_int_equal(mt_set_new(NULL, &set), MT_OK);
    assert_int_equal(mt_set_add(set, directory), MT_OK);
    assert_int_equal(mt_set_add(set, "/nonexistent.trace"), MT_OK);
    assert_int_equal(mt_set_finish(set), MT_OK);
    assert_int_equal(mt_set_n_files(set), 2);
    assert_int_equal(mt_set_n_errors(set), 2);
    assert_track(set, 0, "B main@0 U main@0");
    /* Another file under the name of one that was opened: it is not read. */
    char path[128];
    snprintf(path, sizeof path, "%s/b.trace", directory);
    unlink(path);
    put_file("b.trace", tbs[0].data, tbs[0].n_bytes);
    assert_track(set, 1, "");
    assert_int_equal(mt_set_n_errors(set), 3);
    mt_set_free(set);
    told_fini(&told);
    fini_all(tbs, 2);
}

static void test_a_file_that_is_cut_while_it_is_read(void **state)
{
    (void)state;
    struct tb tb;
    struct mt_set *set;
    char path[128];
    one_call(&tb, 100, 1000);
    put_file("a.trace", tb.data, tb.n_bytes);
    snprintf(path, sizeof path, "%s/a.trace", directory);
    assert_int_equal(mt_set_new(NULL, &set), MT_OK);
    assert_int_equal(mt_set_add(set, path), MT_OK);
    assert_int_equal(mt_set_finish(set), MT_OK);
    assert_int_equal(truncate(path, 5000), 0);
    assert_track(set, 0, "");
    assert_int_equal(mt_set_n_errors(set), 1);
    mt_set_free(set);
    tb_fini(&tb);
}

static void test_an_empty_set(void **state)
{
    (void)state;
    struct mt_set_stats stats;
    struct mt_set *set = set_of(NULL, 0, NULL);
    assert_int_equal(mt_set_timeline(set)->n_processes, 0);
    assert_int_equal(mt_set_stats(set, &stats, NULL), MT_OK);
    assert_int_equal(stats.n_threads, 0);
    mt_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_of_a_tree),
        cmocka_unit_test(test_the_kernels_parent_goes_before_the_environments),
        cmocka_unit_test(test_circles_of_parents_are_cut),
        cmocka_unit_test(test_a_later_image_names_another_parent),
        cmocka_unit_test(test_images_share_a_pid),
        cmocka_unit_test(test_equal_pids_of_different_processes),
        cmocka_unit_test(test_parts_continue_threads),
        cmocka_unit_test(test_functions_are_shared),
        cmocka_unit_test(test_the_same_file_twice),
        cmocka_unit_test(test_two_copies_of_different_length),
        cmocka_unit_test(test_several_runs),
        cmocka_unit_test(test_threads_have_names),
        cmocka_unit_test(test_a_reused_tid_is_shared),
        cmocka_unit_test(test_a_reused_tid_does_not_nest_in_open_calls),
        cmocka_unit_test(test_a_tid_that_is_used_twice_at_a_time),
        cmocka_unit_test(test_an_arrow_from_a_fork),
        cmocka_unit_test(test_an_arrow_from_the_call_that_starts_programs),
        cmocka_unit_test(test_no_arrow_without_an_open_call),
        cmocka_unit_test(test_ticks_follow_the_machines_rate),
        cmocka_unit_test(test_boots_are_aligned_by_real_time),
        cmocka_unit_test(test_wrong_moments_do_no_harm),
        cmocka_unit_test_setup_teardown(test_directories, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_cut_while_it_is_read, make_directory,
                                        remove_directory),
        cmocka_unit_test(test_an_empty_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
