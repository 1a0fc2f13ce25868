/* test_storm.c - SIGKILL at random moments of a storm of processes (storm.h): of single ones, of the
 * first one, and at last of all. Every event whose mt_emit() had returned must be there.
 *
 * The moment: when so many events were recorded, and after a random number of the killer's
 * instructions. In every other storm (QUICK_STORMS: in one of so many) the writers take their time at one of the test points, so that
 * many are killed in the middle of that step.
 *
 * STORM_KILLS=n in the environment: until n processes were killed. With MT_BROKEN, the name of what was
 * broken in the recorder it is linked with, the test passes if a storm reveals it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "storm.h"

#ifdef MT_BROKEN
enum { KILLS = 4000, QUICK_STORMS = 1 };
#else
enum { KILLS = LAB_SANITIZED ? 100 : 500, QUICK_STORMS = 2 };
#endif
enum { ROUNDS = 20, EVENTS_MAX = 6000 };

static struct storm *storm;
static struct storm_sums *sums; /* shared with the process of each group of rounds */
static uint64_t first_seed;

/* ---- one storm */

static void wait_for_events(uint64_t n)
{
    for (uint64_t done = 0; done < n; sched_yield()) {
        done = 0;
        for (uint32_t w = 0; w < STORM_WRITERS && w < mt_load_relaxed(&storm->n_writers); w++)
            done += mt_load_relaxed(&storm->writers[w].done);
    }
}

/* All processes, and how they have ended. Nobody reaps them before, so no pid is used again. */
static void reap(pid_t group)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-group, &status, __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break;
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        CHECK(killed || status == 0);
        for (uint32_t i = 0; i < STORM_PROCESSES; i++)
            storm->was_killed[i] |= storm->pids[i] == (uint32_t)pid && killed;
    }
    CHECK_EQ(errno, ECHILD);
}

static void kill_some(pid_t first, uint64_t *seed)
{
    uint64_t n_events = 0;
    for (uint32_t left = lab_random(seed) % 4; left > 0; left--) {
        n_events += lab_random(seed) % (EVENTS_MAX / 4);
        wait_for_events(n_events);
        lab_spin(lab_random(seed) % 20000);
        uint32_t victim = 1 + lab_random(seed) % (STORM_PROCESSES - 1);
        uint32_t pid = mt_load_relaxed(&storm->pids[victim]);
        if (pid != 0)
            kill((pid_t)pid, SIGKILL);
    }
    if (lab_random(seed) % 16 != 0) /* else perhaps before its first event */
        wait_for_events(n_events + lab_random(seed) % EVENTS_MAX);
    lab_spin(lab_random(seed) % 200000);
    if (lab_random(seed) % 4 == 0) {
        kill(first, SIGKILL);
        lab_spin(lab_random(seed) % 200000);
    }
    kill(-first, SIGKILL);
}

static void one_storm(uint64_t *seed)
{
    memset(storm, 0, sizeof *storm);
    storm->seed = lab_random(seed);
    storm->slow_point = lab_random(seed) % (MT_N_TESTPOINTS * QUICK_STORMS);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        setpgid(0, 0);
        storm_write(storm);
    }
    setpgid(pid, pid);
    kill_some(pid, seed);
    reap(pid);
    storm_check(storm, sums);
    sums->n_rounds++;
}

static void remove_directory(const char *path)
{
    char command[sizeof lab_dir + 16];
    snprintf(command, sizeof command, "rm -r '%s'", path);
    CHECK_EQ(system(command), 0);
}

static void storms(void)
{
    uint64_t seed = first_seed;
    char top[sizeof lab_dir];
    strcpy(top, lab_dir);
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    for (uint32_t n = 0; n < ROUNDS; n++) {
        CHECK(snprintf(lab_dir, sizeof lab_dir, "%s/%u", top, n) < (int)sizeof lab_dir);
        CHECK_EQ(mkdir(lab_dir, 0700), 0);
        one_storm(&seed);
        remove_directory(lab_dir);
    }
}

/* ---- all */

static void prepare(void)
{
    if (storm == NULL)
        storm = lab_shared(sizeof *storm);
    if (sums == NULL)
        sums = lab_shared(sizeof *sums);
}

#ifdef MT_BROKEN

static void test_storms_reveal_what_is_broken(void **state)
{
    (void)state;
    prepare();
    while (sums->n_kills < KILLS) {
        first_seed++;
        int status = lab_try(storms);
        if (status == 0)
            continue;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), STORM_VIOLATION);
        printf("%s: revealed by kill %llu\n", MT_BROKEN, (unsigned long long)sums->n_kills);
        return;
    }
    fail_msg("%s: %llu kills have not revealed it", MT_BROKEN, (unsigned long long)sums->n_kills);
}

#else

static void test_storms(void **state)
{
    const char *wanted = getenv("STORM_KILLS");
    uint64_t n_kills = wanted != NULL ? strtoull(wanted, NULL, 10) : KILLS;
    (void)state;
    prepare();
    for (first_seed = 1; sums->n_kills < n_kills; first_seed++)
        lab_run(storms);
    printf(
        "%llu kills of %llu storms: %llu processes with files, %llu threads, %llu events verified "
        "(%llu of them not published yet), 0 lost; %llu files without header\n",
        (unsigned long long)sums->n_kills, (unsigned long long)sums->n_rounds,
        (unsigned long long)sums->n_processes, (unsigned long long)sums->n_writers,
        (unsigned long long)sums->n_events, (unsigned long long)sums->n_unpublished,
        (unsigned long long)sums->n_unborn);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef MT_BROKEN
        cmocka_unit_test(test_storms_reveal_what_is_broken),
#else
        cmocka_unit_test(test_storms),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
