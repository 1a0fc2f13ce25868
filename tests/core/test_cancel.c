/* test_cancel.c - pthread_cancel() on threads that record. The recorder opens, writes and closes files,
 * which are cancellation points, and holds its lock meanwhile. A cancelled thread must end where the
 * program has its cancellation points, and never with the lock held.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

enum { EVENTS = 100000 };

static uint64_t *done; /* [0]: the cancelled thread, [1]: another one */
static bool passed;    /* the cancelled thread has come to its own cancellation point */

static void check_all(uint64_t least, uint64_t most)
{
    struct lab_set set;
    struct lab_tally tally;
    lab_load(&set, lab_dir, NULL);
    lab_follow(&set, (uint32_t)getpid(), 'X', 0, &tally);
    CHECK(tally.recorded >= least && tally.recorded <= most);
    CHECK_EQ(tally.lost, 0);
    lab_follow(&set, (uint32_t)getpid(), 'X', 1, &tally);
    CHECK_EQ(tally.recorded, EVENTS);
    lab_unload(&set);
}

/* A thread that is cancelled, then one that records: would it wait for the lock? */
static void run(void *(*cancelled)(void *))
{
    void *result = NULL;
    pthread_t thread;
    done = lab_shared(2 * sizeof *done);
    lab_start();
    CHECK_EQ(pthread_create(&thread, NULL, cancelled, NULL), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    mt_testpoint = NULL;
    struct lab_writer w;
    lab_writer_init(&w, 'X', 1, &done[1]);
    w.renew = true;
    lab_write(&w, EVENTS);
}

/* Attaches, takes chunks, makes new files, forks, with a cancellation pending all the while. */
static void *cancel_then_record(void *unused)
{
    struct lab_writer w;
    (void)unused;
    pthread_cancel(pthread_self());
    lab_writer_init(&w, 'X', 0, &done[0]);
    w.renew = true;
    lab_write(&w, EVENTS);
    mt_core_name_thread(mt_core_tid(), "cancelled", 9);
    char name[16];
    mt_os_thread_name(mt_os_tid(), name, sizeof name);
    passed = true;
    pthread_testcancel();
    return NULL;
}

LAB(test_a_recorder_has_no_cancellation_points)
{
    run(cancel_then_record);
    CHECK(passed);
    check_all(EVENTS, EVENTS);
}

static enum mt_testpoint cancel_at;

static void maybe_cancel(enum mt_testpoint point)
{
    if (point == cancel_at)
        pthread_cancel(pthread_self());
}

static void *record_then_cancel(void *unused)
{
    struct lab_writer w;
    (void)unused;
    /* NOLINTNEXTLINE(concurrency-thread-canceltype-asynchronous) */
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    lab_writer_init(&w, 'X', 0, &done[0]);
    w.renew = true;
    lab_write(&w, EVENTS);
    return NULL;
}

/* A thread that may be cancelled anywhere is so in the middle of what the recorder does with its lock
 * held: it ends right afterwards. */
static void cancel_with_lock(enum mt_testpoint point)
{
    cancel_at = point;
    mt_testpoint = maybe_cancel;
    run(record_then_cancel);
    check_all(done[0], done[0] + 1);
}

LAB(test_asynchronously_while_a_chunk_is_taken)
{
    cancel_with_lock(MT_AT_chunk_appended);
}

LAB(test_asynchronously_while_a_name_is_defined)
{
    cancel_with_lock(MT_AT_def_filled);
}

static void *fork_then_cancel(void *unused)
{
    (void)unused;
    pthread_cancel(pthread_self());
    for (uint32_t i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct lab_writer w;
            lab_writer_init(&w, 'C', i, NULL);
            lab_write(&w, 1000);
            _exit(0);
        }
        int state;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        CHECK_EQ(state, PTHREAD_CANCEL_ENABLE);
        lab_join(pid);
        pthread_setcancelstate(state, NULL);
    }
    struct lab_writer w;
    lab_writer_init(&w, 'X', 0, &done[0]);
    lab_write(&w, EVENTS);
    passed = true;
    pthread_testcancel();
    return NULL;
}

LAB(test_over_a_fork)
{
    run(fork_then_cancel);
    CHECK(passed);
    check_all(EVENTS, EVENTS);
}

/* A sandbox's answer to what blocks signals, from now on, on this thread. */
static bool refuse_masks(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void *record_unmasked(void *unused)
{
    struct lab_writer w;
    (void)unused;
    passed = refuse_masks();
    lab_writer_init(&w, 'X', 0, &done[0]);
    lab_write(&w, EVENTS);
    pthread_cancel(pthread_self());
    pthread_testcancel();
    return NULL;
}

LAB(test_where_signals_cannot_be_blocked)
{
    run(record_unmasked);
    CHECK(passed);
    check_all(EVENTS, EVENTS);
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
    return 0; /* its runtime does not follow the unwinding of a cancelled thread's stack */
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_recorder_has_no_cancellation_points),
        cmocka_unit_test(test_asynchronously_while_a_chunk_is_taken),
        cmocka_unit_test(test_asynchronously_while_a_name_is_defined),
        cmocka_unit_test(test_over_a_fork),
        cmocka_unit_test(test_where_signals_cannot_be_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
