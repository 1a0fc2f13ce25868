/* test_kill.c - SIGKILL at any instruction of the writer. What the file must hold afterwards: every
 * event whose mt_emit() had returned, at most one more of each thread, and nothing that is not
 * whole.
 *
 * At each test point of the writer, at the n-th time that a process gets there; and at 200 random
 * moments of four threads. The writer says in shared memory how far each thread has come. It meets
 * everything on its way: chunks, gaps, new names, full files, no file at all, forks.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

enum { THREADS = 4 };

static const char *const point_names[] = {
#define X(name) #name,
    MT_TESTPOINT_MAP(X)
#undef X
};

/* ---- the writer */

static enum mt_testpoint kill_point;
static uint32_t kill_count, reached;

static void maybe_kill(enum mt_testpoint point)
{
    if (point == kill_point && mt_add_relaxed(&reached, 1) + 1 == kill_count)
        kill(getpid(), SIGKILL);
}

/* With `others`, three more threads, all of which have begun before anything is lost. */
static void write_and_die(uint64_t *done, bool others, uint32_t n_rounds)
{
    struct lab_writer w;
    lab_writer_init(&w, 'K', 0, &done[0]);
    w.renew = true;
    mt_testpoint = maybe_kill;
    lab_start();
    lab_write(&w, 1);
    struct lab_team *team = NULL;
    if (others) {
        team = lab_team_start('K', 1, THREADS - 1, 0, true, &done[1]);
        lab_team_wait(team, 1);
    }
    lab_write_varied(&w, n_rounds);
    if (others)
        lab_team_stop(team);
}

/* ---- what is left of it */

static void check_files(pid_t pid, const uint64_t *done, uint32_t n_threads)
{
    struct lab_set set;
    uint32_t unborn;
    lab_load(&set, lab_dir, &unborn);
    CHECK(unborn <= 1); /* the one that was being made */
    for (uint32_t i = 0; i < n_threads; i++) {
        struct lab_tally tally;
        lab_follow(&set, (uint32_t)pid, 'K', i, &tally);
        uint64_t n = tally.recorded + tally.lost;
        if (n < done[i] || n > done[i] + 1) {
            char text[200];
            snprintf(text, sizeof text, "thread %u: %llu done, %llu recorded, %llu lost", i,
                     (unsigned long long)done[i], (unsigned long long)tally.recorded,
                     (unsigned long long)tally.lost);
            lab_fail(__FILE__, __LINE__, text);
        }
    }
    lab_unload(&set);
}

static void new_directory(char *path, size_t size, const char *top, uint32_t n)
{
    snprintf(path, size, "%s/%u", top, n);
    CHECK_EQ(mkdir(path, 0700), 0);
}

static void at_points(bool others)
{
    static const uint32_t counts[] = {1, 2, 7};
    uint64_t *done = lab_shared(THREADS * sizeof *done);
    char top[sizeof lab_dir];
    uint32_t n = 0;
    strcpy(top, lab_dir);
    for (uint32_t point = 0; point < MT_N_TESTPOINTS; point++) {
        for (uint32_t i = 0; i < 3; i++) {
            new_directory(lab_dir, sizeof lab_dir, top, n++);
            memset(done, 0, THREADS * sizeof *done);
            pid_t pid = fork();
            if (pid == 0) {
                kill_point = (enum mt_testpoint)point;
                kill_count = counts[i];
                write_and_die(done, others, 8);
                fprintf(stderr, "%s was reached %u times only\n", point_names[point], reached);
                _exit(0);
            }
            CHECK(lab_killed(pid));
            check_files(pid, done, THREADS);
        }
    }
}

LAB(test_at_every_point_of_one_thread)
{
    at_points(false);
}

LAB(test_at_every_point_of_four_threads)
{
    at_points(true);
}

/* The first time, seen from nobody's point: how long a process lives is a matter of a random number
 * of instructions that its killer executes. */
LAB(test_at_random_moments)
{
    /* A killer that waits for a CPU must not give the writers more to write than can be looked at. */
    enum { KILLS = LAB_SANITIZED ? 50 : 200, EVENTS_MAX = 200000 };
    uint64_t *done = lab_shared(THREADS * sizeof *done), seed = 20261123, written = 0;
    char top[sizeof lab_dir];
    strcpy(top, lab_dir);
    for (uint32_t n = 0; n < KILLS; n++) {
        new_directory(lab_dir, sizeof lab_dir, top, n);
        memset(done, 0, THREADS * sizeof *done);
        pid_t pid = fork();
        if (pid == 0) {
            lab_start();
            lab_team_wait(lab_team_start('K', 0, THREADS, EVENTS_MAX, n % 2 == 0, done),
                          UINT64_MAX / 2);
        }
        CHECK(pid > 0);
        while (n % 8 != 0 && mt_load_relaxed(&done[n % THREADS]) == 0)
            sched_yield();
        lab_spin(lab_random(&seed) % 2000000);
        kill(pid, SIGKILL);
        CHECK(lab_killed(pid));
        check_files(pid, done, THREADS);
        for (uint32_t i = 0; i < THREADS; i++)
            written += done[i];
        char command[sizeof lab_dir + 16];
        snprintf(command, sizeof command, "rm -r '%s'", lab_dir);
        CHECK_EQ(system(command), 0);
    }
    CHECK(written > KILLS * 1000);
}

/* A child that is killed leaves a file of its own that is as good. */
LAB(test_in_a_forked_child)
{
    uint64_t *done = lab_shared(sizeof *done);
    struct lab_writer w;
    struct lab_set set;
    struct lab_tally tally;
    lab_writer_init(&w, 'P', 0, NULL);
    lab_start();
    lab_write(&w, 1001);
    for (uint32_t n = 1; n < 40; n++) {
        *done = 0;
        pid_t pid = fork();
        if (pid == 0) {
            struct lab_writer own;
            mt_testpoint = maybe_kill;
            kill_point = (enum mt_testpoint)(n % MT_N_TESTPOINTS);
            kill_count = 1 + n / MT_N_TESTPOINTS;
            lab_writer_init(&own, 'C', 0, done);
            own.renew = true;
            lab_write_varied(&own, 3);
            _exit(0);
        }
        lab_killed(pid);
        uint32_t unborn;
        lab_load(&set, lab_dir, &unborn);
        lab_only(&set, (uint32_t)pid, 'C');
        lab_follow(&set, (uint32_t)pid, 'C', 0, &tally);
        CHECK(tally.recorded + tally.lost >= *done && tally.recorded + tally.lost <= *done + 1);
        lab_unload(&set);
    }
    lab_write(&w, 1001);
    uint32_t unborn;
    lab_load(&set, lab_dir, &unborn);
    lab_only(&set, (uint32_t)getpid(), 'P');
    lab_follow(&set, (uint32_t)getpid(), 'P', 0, &tally);
    CHECK_EQ(tally.recorded, 2002);
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_every_point_of_one_thread),
        cmocka_unit_test(test_at_every_point_of_four_threads),
        cmocka_unit_test(test_at_random_moments),
        cmocka_unit_test(test_in_a_forked_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
