/* test_load.c - a thousand children, one after the other and all at once: each is recorded, in a file of
 * the size that docs/performance.md states, and nothing grows in the process that has made them.
 * Threads in such numbers are in test_threads.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "fork_kinds.h"
#include "lab.h"

enum { CHILDREN = LAB_SANITIZED ? 200 : 1000, CHILD_EVENTS = 40 };

static void write_as_child(uint32_t index)
{
    struct lab_writer w;
    lab_writer_init(&w, 'C', index, NULL);
    lab_write(&w, CHILD_EVENTS);
}

/* Each child has a file of four pages with its events. `pids` are by index. */
static void check_children(const pid_t *pids)
{
    struct lab_set set;
    struct lab_tally tally;
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, CHILDREN + 1);
    for (uint32_t i = 0; i < CHILDREN; i++) {
        lab_follow(&set, (uint32_t)pids[i], 'C', i, &tally);
        CHECK_EQ(tally.recorded, CHILD_EVENTS);
        CHECK_EQ(tally.lost, 0);
    }
    for (uint32_t i = 0; i < set.n; i++) {
        if (set.files[i].header.pid != (uint32_t)getpid())
            CHECK_EQ(set.files[i].size, MT_FILE_HEADER_BYTES + MT_ROOM_FIRST_BYTES);
    }
    lab_unload(&set);
}

LAB(test_children_in_sequence)
{
    pid_t *pids = calloc(CHILDREN, sizeof *pids);
    struct lab_writer w;
    struct lab_use before;
    lab_writer_init(&w, 'P', 0, NULL);
    lab_start();
    lab_write(&w, 100000); /* its chunks have their full size */
    for (uint32_t i = 0; i < CHILDREN; i++) {
        lab_write(&w, 1);
        pids[i] = fork_by((enum fork_kind)(i % N_FORK_KINDS));
        if (pids[i] == 0) {
            write_as_child(i);
            _exit(0);
        }
        lab_join(pids[i]);
        if (i == CHILDREN / 10)
            before = lab_use();
    }
    lab_check_use(&before);
    check_children(pids);
}

/* Where so many processes are not allowed, those that there are. */
LAB(test_children_alive_at_once)
{
    pid_t *pids = calloc(CHILDREN, sizeof *pids);
    uint32_t *n_ready = lab_shared(sizeof *n_ready), n = 0;
    int ends[2];
    char byte;
    struct lab_writer w;
    lab_writer_init(&w, 'P', 0, NULL);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    lab_start();
    for (; n < CHILDREN; n++) {
        lab_write(&w, 1);
        pids[n] = fork_by((enum fork_kind)(n % N_FORK_KINDS));
        if (pids[n] < 0)
            break;
        if (pids[n] == 0) {
            close(ends[1]);
            mt_add_relaxed(n_ready, 1);
            CHECK_EQ(read(ends[0], &byte, 1), 0); /* until all are there, and the pipe is closed */
            write_as_child(n);
            _exit(0);
        }
    }
    while (mt_load_relaxed(n_ready) < n)
        sched_yield();
    close(ends[1]);
    for (uint32_t i = 0; i < n; i++)
        lab_join(pids[i]);
    CHECK(n == CHILDREN || errno == EAGAIN);
    if (n == CHILDREN)
        check_children(pids);
    else
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_in_sequence),
        cmocka_unit_test(test_children_alive_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
