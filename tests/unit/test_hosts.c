/* Tests of sets from several machines, containers and boots: nothing is mixed up, and real time puts
 * them side by side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "events_text.h"

#define S UINT64_C(1000000000)

static void set_real(struct mt_clock_pair *pair, uint64_t tick, uint64_t real_ns)
{
    *pair = (struct mt_clock_pair){tick, TB_MONO_NS + tick, real_ns};
}

/* A process with one call, from tick 0 to 100, at `real_ns`. `number` makes its file_id. */
static void one_call(struct tb *tb, uint8_t number, uint32_t pid, const char *host, uint8_t boot,
                     uint64_t real_ns)
{
    tb_init(tb, pid);
    struct mt_file_header *header = tb_header(tb);
    memset(header->file_id, number, sizeof header->file_id);
    memset(header->host, 0, sizeof header->host);
    memcpy(header->host, host, strlen(host));
    memset(header->boot_id, boot, sizeof header->boot_id);
    header->ppid = 1;
    set_real(&header->pair, 0, real_ns);
    tb_code(tb, 1, "main", "app.py", 1);
    size_t chunk = tb_events(tb, 1, pid, 0);
    set_real(&tb_chunk_header(tb, chunk)->pair, 0, real_ns);
    tb_record(tb, chunk, 0, MT_KIND_PY_BEGIN, 1);
    tb_record(tb, chunk, 100, MT_KIND_PY_END, 1);
}

static void fini_all(struct tb *tbs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tb_fini(&tbs[i]);
}

/* All processes, one line each: "PID REAL_PID HOST PARENT FIRST_NS TID/REAL_TID". */
static void assert_processes(struct mt_set *set, const char *expected)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct mt_buf text = {0};
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        const struct mt_process *process = &timeline->processes[i];
        const struct mt_track *track = &timeline->tracks[process->first_track];
        mt_buf_printf(&text, "%u %u %s %d %llu %u/%u\n", process->pid, process->real_pid,
                      process->host.data, (int)process->parent, (unsigned long long)track->first_ns,
                      track->tid, track->real_tid);
    }
    assert_string_equal(mt_buf_text(&text), expected);
    mt_buf_fini(&text);
}

/* Parent and child with the same pids on both; what names a parent by its pid stays on its host. */
static void test_two_hosts_with_the_same_pids(void **state)
{
    (void)state;
    struct tb tbs[4], *files[] = {&tbs[3], &tbs[0], &tbs[2], &tbs[1]};
    one_call(&tbs[0], 1, 100, "alpha", 1, TB_REAL_NS);
    one_call(&tbs[1], 2, 101, "alpha", 1, TB_REAL_NS + 10);
    one_call(&tbs[2], 3, 100, "beta", 2, TB_REAL_NS + 5);
    one_call(&tbs[3], 4, 101, "beta", 2, TB_REAL_NS + 15);
    for (int i = 0; i < 4; i++) {
        tb_header(&tbs[i])->start_time = 60;
        tb_header(&tbs[i])->ppid = i % 2 ? 100 : 1;
        tb_header(&tbs[i])->parent_start_time = i % 2 ? 60 : 0;
    }
    struct told told;
    struct mt_set *set = set_of(files, 4, &told);
    assert_int_equal(mt_set_timeline(set)->n_hosts, 2);
    assert_processes(set, "100 100 alpha -1 0 100/100\n"
                          "101 101 alpha 0 0 101/101\n"
                          "4194305 100 beta -1 5 4194305/100\n"
                          "4194306 101 beta 2 5 4194306/101\n");
    assert_string_equal(mt_buf_text(&told.text), "");
    assert_int_equal(mt_set_timeline(set)->zero_real_ns, TB_REAL_NS);
    told_fini(&told);
    mt_set_free(set);
    fini_all(tbs, 4);
}

/* Pid 1 and its child 7, in two pid namespaces of one machine; a process outside started both. */
static void test_two_containers_of_one_machine(void **state)
{
    (void)state;
    struct tb tbs[5], *files[] = {&tbs[0], &tbs[1], &tbs[2], &tbs[3], &tbs[4]};
    one_call(&tbs[0], 1, 50, "alpha", 1, TB_REAL_NS);
    for (uint8_t i = 1; i < 5; i++) {
        one_call(&tbs[i], 1 + i, i % 2 ? 1 : 7, i < 3 ? "one" : "two", 1, TB_REAL_NS);
        tb_set_parent(&tbs[i], &tbs[0]); /* by the environment */
        tb_header(&tbs[i])->pid_ns = i < 3 ? 1001 : 1002;
        tb_header(&tbs[i])->ppid = i % 2 ? 0 : 1;
        tb_header(&tbs[i])->start_time = 60;
        tb_header(&tbs[i])->parent_start_time = i % 2 ? 0 : 60;
    }
    struct mt_set *set = set_of(files, 5, NULL);
    assert_int_equal(mt_set_timeline(set)->n_hosts, 3);
    assert_processes(set, "50 50 alpha -1 0 50/50\n"
                          "1 1 one 0 0 1/1\n"
                          "7 7 one 1 0 7/7\n"
                          "4194305 1 two 0 0 4194305/1\n"
                          "4194306 7 two 3 0 4194306/7\n");
    mt_set_free(set);
    /* The same with one name for all: they are told apart by the namespace alone. */
    for (int i = 1; i < 5; i++)
        memcpy(tb_header(&tbs[i])->host, "alpha", 6);
    set = set_of(files, 5, NULL);
    assert_int_equal(mt_set_timeline(set)->n_hosts, 1);
    assert_processes(set, "50 50 alpha -1 0 50/50\n"
                          "1 1 alpha 0 0 1/1\n"
                          "7 7 alpha 1 0 7/7\n"
                          "4194305 1 alpha 0 0 4194305/1\n"
                          "4194306 7 alpha 3 0 4194306/7\n");
    mt_set_free(set);
    fini_all(tbs, 5);
}

/* CLOCK_MONOTONIC and the start times begin anew; the pids, too. */
static void test_two_boots_of_one_machine(void **state)
{
    (void)state;
    struct tb tbs[3], *files[] = {&tbs[0], &tbs[1], &tbs[2]};
    one_call(&tbs[0], 1, 100, "alpha", 9, TB_REAL_NS);
    one_call(&tbs[1], 2, 100, "alpha", 3, TB_REAL_NS + 60 * S);
    one_call(&tbs[2], 3, 200, "beta", 4, TB_REAL_NS + 30 * S);
    struct mt_set *set = set_of(files, 3, NULL);
    assert_int_equal(mt_set_timeline(set)->n_hosts, 3);
    assert_processes(set, "100 100 alpha (boot 1) -1 0 100/100\n"
                          "200 200 beta -1 30000000000 200/200\n"
                          "4194305 100 alpha (boot 2) -1 60000000000 4194305/100\n");
    assert_track(set, 2, "B main@60000000000 E main@60000000100+100");
    mt_set_free(set);
    fini_all(tbs, 3);
}

/* Nobody can know which of two hosts is right: what they say is taken, and all is after zero. */
static void test_clocks_that_disagree(void **state)
{
    (void)state;
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    one_call(&tbs[0], 1, 100, "alpha", 1, TB_REAL_NS);
    one_call(&tbs[1], 2, 200, "beta", 2, 5 * S); /* 1970 */
    struct mt_set *set = set_of(files, 2, NULL);
    assert_int_equal(mt_set_timeline(set)->zero_real_ns, 5 * S);
    assert_processes(set, "200 200 beta -1 0 200/200\n"
                          "100 100 alpha -1 1699999995000000000 100/100\n");
    mt_set_free(set);
    /* A clock that says nothing at all. */
    memset(&tb_header(&tbs[1])->pair.real_ns, 0xff, 8);
    memset(&tb_chunk_header(&tbs[1], 1)->pair.real_ns, 0xff, 8);
    set = set_of(files, 2, NULL);
    assert_track(set, 0, "B main@0 E main@100+100");
    mt_set_free(set);
    fini_all(tbs, 2);
}

/* A thread of beta with a call from each second to the next. From `set_at` on the clock is ahead. */
static void make_stepped(struct tb *tb, uint64_t set_at, uint64_t ahead_ns)
{
    one_call(tb, 2, 200, "beta", 2, TB_REAL_NS + (set_at ? 0 : ahead_ns));
    for (uint64_t i = 1; i < 9; i++) {
        size_t chunk = tb_events(tb, 1, 200, i * S);
        set_real(&tb_chunk_header(tb, chunk)->pair, i * S,
                 TB_REAL_NS + i * S + (i < set_at ? 0 : ahead_ns));
        tb_record(tb, chunk, i * S, MT_KIND_PY_BEGIN, 1);
        tb_record(tb, chunk, i * S + S / 2, MT_KIND_PY_END, 1);
    }
}

/* What most moments say holds for all of the boot, so the host's own times stay as they are. */
static void assert_stepped(uint64_t set_at, uint64_t ahead_ns, uint64_t expected_ns,
                           const char *notes)
{
    struct tb tbs[2], *files[] = {&tbs[0], &tbs[1]};
    struct told told;
    one_call(&tbs[0], 1, 100, "alpha", 1, TB_REAL_NS);
    make_stepped(&tbs[1], set_at, ahead_ns);
    struct mt_set *set = set_of(files, 2, &told);
    struct mt_walk *walk;
    struct mt_run run;
    uint64_t n = 0;
    assert_int_equal(mt_walk_new(set, 0, &walk), MT_OK);
    for (mt_walk_start(walk, 1); mt_walk_next(walk, &run);) {
        for (uint32_t i = 0; i < run.n_events; i++, n++) {
            uint64_t wanted = n < 2 ? n * 100 : n / 2 * S + n % 2 * S / 2;
            assert_int_equal(run.events[i].ts_ns, expected_ns + wanted);
        }
    }
    assert_int_equal(n, 18);
    assert_string_equal(mt_buf_text(&told.text), notes);
    mt_walk_free(walk);
    mt_set_free(set);
    told_fini(&told);
    fini_all(tbs, 2);
}

static void test_a_clock_that_is_set_while_it_records(void **state)
{
    (void)state;
    static const char note[] = "0 - -1 the clock of beta was set by 3600.000 s while it recorded: "
                               "beside other hosts it may be that much off\n";
    assert_stepped(99, 3600 * S, 0, "");
    assert_stepped(0, 3600 * S, 3600 * S, "");
    assert_stepped(7, 3600 * S, 0, note);
    assert_stepped(2, 3600 * S, 3600 * S, note);
    assert_stepped(5, 3600 * S, 0, note);    /* as many moments before as after: the earlier */
    assert_stepped(2, 5000000, 5000000, ""); /* too little to tell of */
}

/* Of one host only nothing has to be put side by side. */
static void test_a_clock_that_is_set_on_the_only_host(void **state)
{
    (void)state;
    struct tb tb, *file = &tb;
    struct told told;
    make_stepped(&tb, 4, 3600 * S);
    struct mt_set *set = set_of(&file, 1, &told);
    assert_string_equal(mt_buf_text(&told.text), "");
    assert_int_equal(mt_set_timeline(set)->tracks[0].first_ns, 0);
    mt_set_free(set);
    told_fini(&told);
    tb_fini(&tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_hosts_with_the_same_pids),
        cmocka_unit_test(test_two_containers_of_one_machine),
        cmocka_unit_test(test_two_boots_of_one_machine),
        cmocka_unit_test(test_clocks_that_disagree),
        cmocka_unit_test(test_a_clock_that_is_set_while_it_records),
        cmocka_unit_test(test_a_clock_that_is_set_on_the_only_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
