/* test_fork_edges.c - forks at exact moments: before and after the store of a record, while another
 * thread is at each step of the writer; on a kernel that wipes nothing; children that cannot make
 * their file, or stop recording; vfork and exec. And fork() leaves the signal mask as it was.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "fork_kinds.h"

#ifndef MADV_KEEPONFORK
#define MADV_KEEPONFORK 19
#endif

static uint32_t self(void)
{
    return (uint32_t)getpid();
}

static void check_in(const struct lab_set *set, char tag, uint32_t pid, uint32_t index,
                     uint64_t n_events)
{
    struct lab_tally tally;
    lab_only(set, pid, tag);
    lab_follow(set, pid, tag, index, &tally);
    CHECK_EQ(tally.recorded + tally.lost, n_events);
}

static void check_writer(char tag, uint32_t pid, uint32_t index, uint64_t n_events)
{
    struct lab_set set;
    lab_load(&set, lab_dir, NULL);
    check_in(&set, tag, pid, index, n_events);
    lab_unload(&set);
}

/* ---- at a point of the very thread: what a handler there would do; see test_fork_signal.c */

static enum mt_testpoint fork_point;
static enum fork_kind fork_kind;
static uint32_t fork_count;
static pid_t forked;

static void fork_here(enum mt_testpoint point)
{
    if (point != fork_point || --fork_count != 0)
        return;
    mt_testpoint = NULL;
    forked = fork_by(fork_kind);
}

/* The child goes on in the middle of its parent's mt_emit(), then writes its own events. */
LAB(test_around_the_store)
{
    static const enum mt_testpoint points[] = {MT_AT_record_ready, MT_AT_record_stored};
    struct lab_writer w;
    lab_writer_init(&w, 'P', 0, NULL);
    lab_start();
    for (int point = 0; point < 2; point++) {
        for (enum fork_kind kind = 0; kind < N_FORK_KINDS; kind++) {
            for (uint32_t n = 1; n < 2000; n = n * 3 + 1) {
                struct lab_tally tally;
                struct lab_set set;
                fork_point = points[point];
                fork_kind = kind;
                fork_count = n;
                forked = -1;
                mt_testpoint = fork_here;
                lab_write(&w, 1);
                while (forked < 0)
                    lab_write(&w, 1);
                if (forked == 0)
                    fork_child_writes(n, 1001);
                lab_write(&w, 1000);
                lab_join(forked);
                lab_load(&set, lab_dir, NULL);
                lab_only(&set, (uint32_t)forked, 'C');
                lab_follow(&set, (uint32_t)forked, 'C', n, &tally);
                CHECK_EQ(tally.recorded, 1001);
                lab_only(&set, self(), 'P');
                lab_follow(&set, self(), 'P', 0, &tally);
                CHECK_EQ(tally.recorded, w.n);
                CHECK_EQ(set.n, 2);
                lab_unload(&set);
                char path[sizeof lab_dir + 40];
                snprintf(path, sizeof path, "%s/lab.%d.trace", lab_dir, (int)forked);
                CHECK_EQ(unlink(path), 0);
            }
        }
    }
}

/* ---- while another thread is at a point */

static uint32_t at_point, go_on; /* what the writer has reached, and may leave */
static __thread bool is_waiter;

static void wait_here(enum mt_testpoint point)
{
    if (!is_waiter || point != fork_point || mt_load_relaxed(&at_point) != 0)
        return;
    mt_store_release(&at_point, 1);
    while (mt_load_acquire(&go_on) == 0)
        sched_yield();
    /* A fork() may be waiting for this thread's lock: let it come that far. */
    for (int i = 0; i < 20; i++)
        sched_yield();
}

static void *waiter(void *argument)
{
    is_waiter = true;
    lab_write_varied(argument, 1);
    return NULL;
}

LAB(test_while_another_thread_is_at_a_point)
{
    char top[sizeof lab_dir];
    uint32_t n = 0;
    strcpy(top, lab_dir);
    for (uint32_t point = 0; point < MT_N_TESTPOINTS; point++) {
        for (enum fork_kind kind = 0; kind <= FORK_RAW; kind++) {
            snprintf(lab_dir, sizeof lab_dir, "%s/%u", top, n++);
            CHECK_EQ(mkdir(lab_dir, 0700), 0);
            pid_t process = fork();
            if (process == 0) {
                struct lab_writer w, main_w;
                pthread_t thread;
                lab_writer_init(&w, 'P', 1, NULL);
                lab_writer_init(&main_w, 'P', 0, NULL);
                lab_start();
                lab_write(&main_w, 101);
                fork_point = (enum mt_testpoint)point;
                mt_testpoint = wait_here;
                CHECK_EQ(pthread_create(&thread, NULL, waiter, &w), 0);
                while (mt_load_acquire(&at_point) == 0)
                    sched_yield();
                if (kind == FORK_LIBC) /* it has to wait for the lock */
                    mt_store_release(&go_on, 1);
                pid_t pid = fork_by(kind);
                if (pid == 0) {
                    lab_limit(RLIM_INFINITY); /* where the writer's rounds may have set one */
                    fork_child_writes(point, 2001);
                }
                mt_store_release(&go_on, 1);
                lab_join(pid);
                CHECK_EQ(pthread_join(thread, NULL), 0);
                check_writer('C', (uint32_t)pid, point, 2001);
                check_writer('P', self(), 0, main_w.n);
                check_writer('P', self(), 1, w.n);
                _exit(0);
            }
            lab_join(process);
        }
    }
}

/* ---- a kernel without MADV_WIPEONFORK */

LAB(test_wiped_by_hand)
{
    struct lab_writer w;
    uint64_t done[2] = {0};
    uint32_t pids[50];
    struct lab_set set;
    lab_writer_init(&w, 'P', 2, NULL);
    lab_start();
    struct lab_team *team = lab_team_start('P', 0, 2, 0, true, done);
    lab_team_wait(team, 1000);
    lab_write(&w, 1001);
    CHECK(mt__kept.wiped_by_kernel);
    mt__kept.wiped_by_kernel = 0;
    size_t bytes = (sizeof *mt__process + 4095) & ~(size_t)4095;
    CHECK_EQ(madvise(mt__process, bytes, MADV_KEEPONFORK), 0);
    CHECK_EQ(
        madvise(mt__kept.slots[0], MT_SLOTS_PER_BLOCK * sizeof(struct mt_slot), MADV_KEEPONFORK),
        0);
    for (uint32_t i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pid_t grandchild = i % 2 == 0 ? fork() : 0; /* silent in between, or not */
            if (grandchild != 0) {
                lab_join(grandchild);
                _exit(0);
            }
            fork_child_writes(i, 3001);
        }
        pids[i] = (uint32_t)pid;
        lab_write(&w, 101);
        lab_join(pid);
    }
    lab_team_stop(team);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 51);
    for (uint32_t i = 1; i < 50; i += 2)
        check_in(&set, 'C', pids[i], i, 3001);
    for (uint32_t i = 0; i < 2; i++)
        check_in(&set, 'P', self(), i, done[i]);
    check_in(&set, 'P', self(), 2, w.n);
    lab_unload(&set);
}

/* ---- children that do not simply record */

/* No directory: the child runs, untraced. Later there is one: it is recorded from there on. */
LAB(test_a_child_without_a_file)
{
    struct lab_writer w;
    char away[sizeof lab_dir + 8];
    lab_writer_init(&w, 'P', 0, NULL);
    lab_start();
    lab_write(&w, 1001);
    snprintf(away, sizeof away, "%s-away", lab_dir);
    CHECK_EQ(rename(lab_dir, away), 0);
    for (enum fork_kind kind = 0; kind < N_FORK_KINDS; kind++) {
        pid_t pid = fork_by(kind);
        if (pid == 0) {
            struct lab_writer own;
            lab_writer_init(&own, 'C', kind, NULL);
            lab_write(&own, 10000);
            CHECK(!mt_core_ready(MT_KIND_PY_BEGIN));
            CHECK_EQ(mt__process->state, MT_PROCESS_FAILED);
            CHECK_STR(mt_core_path(), "");
            CHECK_EQ(rename(away, lab_dir), 0);
            mt__process->retry_tick = 0;
            own.n = 0;
            lab_write(&own, 1001);
            check_writer('C', self(), kind, 1001);
            CHECK_EQ(rename(lab_dir, away), 0);
            _exit(0);
        }
        lab_join(pid);
    }
    CHECK_EQ(rename(away, lab_dir), 0);
    lab_write(&w, 1001);
    check_writer('P', self(), 0, 2002);
}

static void check_mask(const sigset_t *expected)
{
    sigset_t now;
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    for (int signal = 1; signal < 64; signal++)
        CHECK_EQ(sigismember(&now, signal), sigismember(expected, signal));
}

/* Stopped, started and forked in any order, in parent and child: the mask is the thread's own. */
LAB(test_the_signal_mask)
{
    struct lab_writer w;
    sigset_t mask;
    lab_writer_init(&w, 'P', 0, NULL);
    for (uint32_t i = 0; i < 32; i++) {
        sigemptyset(&mask);
        if (i & 1)
            lab_start();
        if (i & 2)
            lab_write(&w, 10);
        pid_t pid = fork();
        if (pid == 0) {
            check_mask(&mask);
            if (i & 4)
                lab_write(&w, 10);
            if (i & 8)
                mt_core_stop(true);
            sigaddset(&mask, SIGUSR2);
            CHECK_EQ(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
            pid_t grandchild = fork();
            check_mask(&mask);
            if (grandchild == 0) {
                if (i & 16)
                    lab_write(&w, 10);
                check_mask(&mask);
                _exit(0);
            }
            lab_join(grandchild);
            check_mask(&mask);
            _exit(0);
        }
        check_mask(&mask);
        lab_join(pid);
        mt_core_stop(true);
        check_mask(&mask);
    }
}

/* One thread forks while another starts and stops the recording. */
static uint32_t enough;

static void *starts_and_stops(void *argument)
{
    struct mt_core_config config = lab_config();
    int error;
    (void)argument;
    while (!mt_load_relaxed(&enough)) {
        char path[sizeof lab_dir + 40];
        CHECK_EQ(mt_core_start(&config, &error), MT_OK);
        snprintf(path, sizeof path, "%s", mt_core_path());
        mt_core_stop(true);
        CHECK_EQ(unlink(path), 0);
    }
    return NULL;
}

static void *forks_only(void *argument)
{
    sigset_t none;
    (void)argument;
    sigemptyset(&none);
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();
        check_mask(&none);
        if (pid == 0)
            _exit(0);
        lab_join(pid);
    }
    return NULL;
}

LAB(test_forks_beside_starts_and_stops)
{
    pthread_t threads[3];
    CHECK_EQ(pthread_create(&threads[0], NULL, starts_and_stops, NULL), 0);
    for (int i = 1; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, forks_only, NULL), 0);
    for (int i = 1; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    mt_store_relaxed(&enough, 1);
    CHECK_EQ(pthread_join(threads[0], NULL), 0);
}

/* A child may begin a recording of its own. */
LAB(test_a_child_that_starts_anew)
{
    struct lab_writer w;
    lab_writer_init(&w, 'P', 0, NULL);
    lab_start();
    lab_write(&w, 1001);
    pid_t pid = fork();
    if (pid == 0) {
        struct lab_set set;
        mt_core_stop(true);
        CHECK_EQ(lab_count_files(lab_dir), 1);
        lab_start();
        lab_writer_init(&w, 'C', 0, NULL);
        lab_write(&w, 1001);
        check_writer('C', self(), 0, 1001);
        lab_load(&set, lab_dir, NULL);
        CHECK_EQ(set.n, 2);
        for (uint32_t i = 0; i < 2; i++) {
            CHECK_EQ(set.files[i].header.origin, MT_ORIGIN_API);
            CHECK_EQ(set.files[i].header.fork_tick | set.files[i].header.parent_tid, 0);
        }
        _exit(0);
    }
    lab_join(pid);
    lab_write(&w, 1001);
    check_writer('P', self(), 0, 2002);
}

/* They share the parent's memory until they exec; nothing is wiped, and nothing is written. */
LAB(test_vfork_and_spawn)
{
    enum { TEAM = 4 };
    extern char **environ;
    char *const argv[] = {(char *)"true", NULL};
    uint64_t done[TEAM] = {0};
    struct lab_writer w;
    struct lab_set set;
    lab_writer_init(&w, 'P', TEAM, NULL);
    lab_start();
    struct lab_team *team = lab_team_start('P', 0, TEAM, 0, true, done);
    lab_team_wait(team, 1000);
    for (int i = 0; i < 40; i++) {
        pid_t pid;
        lab_write(&w, 101);
        if (i % 2 == 0) {
            pid = vfork();
            if (pid == 0) {
                execv("/bin/true", argv);
                _exit(1);
            }
        } else {
            CHECK_EQ(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ), 0);
        }
        lab_write(&w, 101);
        lab_join(pid);
    }
    lab_team_stop(team);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 1);
    for (uint32_t i = 0; i < TEAM; i++)
        check_in(&set, 'P', self(), i, done[i]);
    check_in(&set, 'P', self(), TEAM, w.n);
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_around_the_store),
        cmocka_unit_test(test_while_another_thread_is_at_a_point),
        cmocka_unit_test(test_wiped_by_hand),
        cmocka_unit_test(test_a_child_without_a_file),
        cmocka_unit_test(test_the_signal_mask),
        cmocka_unit_test(test_forks_beside_starts_and_stops),
        cmocka_unit_test(test_a_child_that_starts_anew),
        cmocka_unit_test(test_vfork_and_spawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
