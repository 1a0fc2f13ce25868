/* fork_kinds.h - the ways to fork: by libc, which runs pthread_atfork's handlers, and by the system
 * calls themselves, which nobody hears of.
 */
#ifndef TESTS_CORE_FORK_KINDS_H_
#define TESTS_CORE_FORK_KINDS_H_

#include <sys/types.h>

#include "lab.h"

enum fork_kind { FORK_LIBC, FORK_RAW, FORK_CLONE, FORK_CLONE3, N_FORK_KINDS };

/* How many of them for a process with several threads. TSan's runtime does not hear of a raw fork
 * either: in the child it waits for locks of threads that are not there, and reports races of what
 * the kernel has cleared with what these did before. */
#define N_FORK_KINDS_OF_THREADS (LAB_TSAN ? 1 : N_FORK_KINDS)

pid_t fork_by(enum fork_kind kind);
bool fork_seen(enum fork_kind kind); /* by the handlers */

/* The child's part: writes n_events as C.index, and ends. */
_Noreturn void fork_child_writes(uint32_t index, uint64_t n_events);

/* What the file of a child must say of it; returns its file. */
struct fork_expect {
    uint32_t pid, ppid, parent_tid, index;
    const uint8_t *parent_id;
    enum fork_kind kind;
    uint64_t not_before, not_after; /* of fork_tick */
    uint64_t n_events;
};
const struct scan *fork_check(const struct lab_set *set, const struct fork_expect *expect);

#endif /* TESTS_CORE_FORK_KINDS_H_ */
