/* fork_kinds.c - see fork_kinds.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "fork_kinds.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t clone3_fork(void)
{
    struct clone_args args;
    memset(&args, 0, sizeof args);
    args.exit_signal = SIGCHLD;
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

pid_t fork_by(enum fork_kind kind)
{
    switch (kind) {
    case FORK_LIBC: return fork();
#ifdef SYS_fork
    case FORK_RAW: return (pid_t)syscall(SYS_fork);
#endif
    case FORK_CLONE3: {
        pid_t pid = clone3_fork();
        if (pid >= 0)
            return pid;
    } /* an old kernel, or a filter: */
        __attribute__((fallthrough));
    default: return (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    }
}

bool fork_seen(enum fork_kind kind)
{
    return kind == FORK_LIBC;
}

_Noreturn void fork_child_writes(uint32_t index, uint64_t n_events)
{
    struct lab_writer w;
    lab_writer_init(&w, 'C', index, NULL);
    lab_write(&w, n_events);
    struct mt_file_header h;
    int fd = open(mt_core_path(), O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, &h, sizeof h) == sizeof h);
    CHECK_EQ(h.start_time, lab_start_time());
    _exit(0);
}

const struct scan *fork_check(const struct lab_set *set, const struct fork_expect *e)
{
    struct lab_tally tally;
    const struct scan *found = NULL;
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->files[i].header.pid != e->pid)
            continue;
        CHECK(found == NULL);
        found = &set->files[i];
    }
    CHECK(found != NULL);
    const struct mt_file_header *h = &found->header;
    CHECK_EQ(h->origin, MT_ORIGIN_FORK);
    CHECK_EQ(h->part, 0);
    CHECK_EQ(h->ppid, e->ppid);
    CHECK_EQ(h->parent_tid, e->parent_tid);
    CHECK(memcmp(h->parent_id, e->parent_id, 16) == 0);
    CHECK(memcmp(h->file_id, e->parent_id, 16) != 0);
    CHECK(h->start_time >= h->parent_start_time && h->parent_start_time != 0);
    if (fork_seen(e->kind))
        CHECK(h->fork_tick >= e->not_before && h->fork_tick <= e->not_after);
    else
        CHECK_EQ(h->fork_tick, 0);
    CHECK_EQ(h->n_lost, 0);
    lab_only(set, e->pid, 'C');
    CHECK_EQ(found->n_threads, 1);
    CHECK_EQ(found->threads[0].tid, e->pid);
    lab_follow(set, e->pid, 'C', e->index, &tally);
    CHECK_EQ(tally.recorded, e->n_events);
    CHECK_EQ(tally.resyncs[MT_RESYNC_FORK], 1);
    CHECK(fork_seen(e->kind) ? found->threads[0].records[0].tick >= h->fork_tick : true);
    return found;
}
