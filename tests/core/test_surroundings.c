/* test_surroundings.c - the recorder on threads with hardly any stack, where the counter must not be
 * read, where a file's name is taken by what cannot be opened, and children that get no file.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

/* ---- the stack */

/* What docs/limits.md states: bytes of stack that the recorder needs at most, for any event. */
#define STACK_PROMISED_BYTES 4096

#define STACK_BYTES (256u << 10)
#define PAINT 0xa5

static unsigned char *stack, *step_began;
static void (*step_to_measure)(void);

static void emit(uint32_t n_calls)
{
    for (uint32_t i = 0; i < n_calls; i++) {
        mt_emit(mt__slot, MT_KIND_PY_BEGIN, MT_ID_UNKNOWN);
        mt_emit(mt__slot, MT_KIND_PY_END, MT_ID_UNKNOWN);
    }
}

/* From here down to the lowest byte of the thread's stack that is not painted any more. */
static size_t depth(void)
{
    const unsigned char *at = stack;
    while (at < step_began && *at == PAINT)
        at++;
    return (size_t)(step_began - at);
}

__attribute__((noinline)) static void *measured_main(void *argument)
{
    size_t *out = argument;
    step_began = __builtin_frame_address(0);
    step_to_measure();
    *out = depth();
    return NULL;
}

/* How much stack `step` takes, on a thread of its own; or, in the child of a fork, does not return. */
static size_t measure(void (*step)(void))
{
    pthread_attr_t attr;
    pthread_t thread;
    size_t bytes = 0;
    stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    memset(stack, PAINT, STACK_BYTES);
    step_to_measure = step;
    pthread_attr_init(&attr);
    CHECK_EQ(pthread_attr_setstack(&attr, stack, STACK_BYTES), 0);
    CHECK_EQ(pthread_create(&thread, &attr, measured_main, &bytes), 0);
    pthread_attr_destroy(&attr);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    munmap(stack, STACK_BYTES);
    return bytes;
}

static void step_chunks(void)
{
    emit(100000);
}

static void step_names(void)
{
    static char text[MT_TEXT_MAX_BYTES];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 20; i++)
        CHECK(mt_core_define_code("name", 4, text, sizeof text - (size_t)i, 1, 0) != MT_ID_UNKNOWN);
}

static void step_parts(void)
{
    lab_limit(64 << 10);
    emit(20000);
    lab_limit(RLIM_INFINITY);
}

static void step_loss(void)
{
    lab_limit(MT_PAGE_BYTES);
    emit(100000);
    lab_retry_now();
    emit(1);
    lab_limit(RLIM_INFINITY);
    lab_retry_now();
    emit(1000);
}

static void check_depth(size_t bytes)
{
    if (LAB_SANITIZED)
        return;
    if (getenv("LAB_SHOW") != NULL)
        fprintf(stderr, "stack: %zu bytes\n", bytes);
    CHECK(bytes > 0);
    CHECK(bytes <= STACK_PROMISED_BYTES);
}

static void step_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        memset(stack, PAINT, (size_t)((unsigned char *)__builtin_frame_address(0) - stack) - 1024);
        emit(100000);
        check_depth(depth());
        _exit(0);
    }
    lab_join(pid);
}

/* TSan wants more stack for a thread than is measured here. */
LAB_BUT_TSAN(test_how_much_stack)
{
    void (*const steps[])(void) = {step_chunks, step_names, step_parts, step_loss};
    lab_start();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        steps[i](); /* what libc looks up at the first call takes stack of its own */
        size_t bytes = measure(steps[i]);
        if (getenv("LAB_SHOW") != NULL)
            fprintf(stderr, "step %zu: ", i);
        check_depth(bytes);
    }
    step_to_measure = NULL;
    measure(step_fork);
}

static void *small_main(void *argument)
{
    step_chunks();
    step_names();
    step_parts();
    step_loss();
    pid_t pid = fork();
    if (pid == 0) {
        emit(10000);
        _exit(0);
    }
    lab_join(pid);
    return argument;
}

/* All of it on the smallest stack that there is. */
LAB(test_smallest_stack)
{
    pthread_attr_t attr;
    pthread_t thread;
    if (LAB_SANITIZED)
        return;
    lab_start();
    pthread_attr_init(&attr);
    CHECK_EQ(pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN)), 0);
    CHECK_EQ(pthread_create(&thread, &attr, small_main, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
}

/* ---- the clock */

#if defined(__x86_64__)
/* Where a program may not read the counter, libc must not be asked for the time either: the vDSO reads
 * the same counter, and the answer is SIGSEGV. */
/* TSan reads the counter itself. */
LAB_BUT_TSAN(test_counter_forbidden)
{
    struct lab_writer w;
    struct lab_set set;
    struct lab_tally tally;
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0)
        return; /* a kernel without it */
    lab_writer_init(&w, 'T', 0, NULL);
    lab_start();
    lab_write(&w, 10000);
    pid_t pid = fork();
    if (pid == 0) {
        lab_writer_init(&w, 'C', 0, NULL);
        lab_write(&w, 3000);
        _exit(0);
    }
    lab_join(pid);
    mt_core_stop(true);
    prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 2);
    CHECK_EQ(set.files[0].header.clock, MT_CLOCK_MONOTONIC);
    lab_follow(&set, (uint32_t)getpid(), 'T', 0, &tally);
    CHECK_EQ(tally.recorded, 10000);
    lab_follow(&set, (uint32_t)pid, 'C', 0, &tally);
    CHECK_EQ(tally.recorded, 3000);
    lab_unload(&set);
}
#endif

/* ---- what lies in the place of a file */

/* A directory cannot be opened for writing, nor can a socket: the process goes on in a new file. */
LAB(test_directory_in_its_place)
{
    struct lab_writer w;
    struct lab_set set;
    struct lab_tally tally;
    char path[500], aside[100];
    lab_writer_init(&w, 'D', 0, NULL);
    lab_start();
    lab_write(&w, 1000);
    snprintf(aside, sizeof aside, "%s/aside.trace", lab_dir);
    mt_core_copy_path(path, sizeof path);
    CHECK_EQ(rename(path, aside), 0);
    CHECK_EQ(mkdir(path, 0700), 0);
    lab_write(&w, 100000);
    CHECK_EQ(rmdir(path), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 2);
    lab_follow(&set, (uint32_t)getpid(), 'D', 0, &tally);
    CHECK_EQ(tally.recorded, 101000);
    CHECK_EQ(tally.lost, 0);
    lab_unload(&set);
}

/* ---- children without a file */

/* Only its own file is in the way of a child: there is no room for its header. */
static pid_t fork_without_room(bool raw, bool gets_it_later)
{
    pid_t pid = raw ? (pid_t)syscall(SYS_fork) : fork();
    if (pid != 0)
        return pid;
    struct lab_writer w;
    lab_limit(0);
    emit(100);
    if (gets_it_later) {
        lab_limit(RLIM_INFINITY);
        mt__process->retry_tick = 0;
        lab_writer_init(&w, 'L', 0, NULL);
        lab_write(&w, 500);
    } else {
        pid = fork(); /* its own child counts in the same place */
        emit(50);
        if (pid != 0)
            lab_join(pid);
    }
    _exit(0);
}

LAB(test_children_without_a_file)
{
    struct lab_set set;
    struct lab_tally tally;
    lab_start();
    emit(10);
    const struct mt_file_header *header = mt__process->header;
    lab_join(fork_without_room(false, false));
    CHECK_EQ(header->n_unrecorded, 2);
    CHECK_EQ(header->unrecorded_reason, MT_LOSS_FILE_LIMIT);
    lab_join(fork_without_room(true, false));
    CHECK_EQ(header->n_unrecorded, 4);
    pid_t pid = fork_without_room(false, true);
    lab_join(pid);
    CHECK_EQ(header->n_unrecorded, 4);
    CHECK_EQ(header->n_lost, 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 2);
    CHECK_EQ(lab_header_lost(&set, (uint32_t)pid), 200); /* events of emit(100) */
    lab_follow(&set, (uint32_t)pid, 'L', 0, &tally);
    CHECK_EQ(tally.recorded, 500);
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_much_stack),
        cmocka_unit_test(test_smallest_stack),
#if defined(__x86_64__)
        cmocka_unit_test(test_counter_forbidden),
#endif
        cmocka_unit_test(test_directory_in_its_place),
        cmocka_unit_test(test_children_without_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
