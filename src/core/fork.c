/* fork.c - what a fork means, in one place.
 *
 * The child inherits three things that are not its own: the shared mappings of its parent's
 * chunks, the slots that point into them, and the state of its parent's file. The kernel clears
 * slots and state in every child (MADV_WIPEONFORK), whoever forks and how. So the child's first
 * event finds an empty slot, and mt__ready() comes here: mt__arm_child() makes the child's own
 * file. A child that records nothing never does.
 *
 * pthread_atfork's handlers add what the kernel cannot know: the time of the fork, that no other
 * thread is in the middle of a file's state, and, should the fork happen in a signal handler in
 * the middle of mt_emit(), that the store which is already on its way goes to private memory: the
 * forking thread's chunk is sealed off. (After a raw SYS_fork in a signal handler, that one store
 * can reach the parent's file; it writes the same record that the parent writes there, with a
 * time that differs by as much as the two processes' next instruction.)
 *
 * Deliberately left behind in the child: the address space of inherited chunks and header pages
 * (removing them would leave holes into which the child's allocator moves while a stale pointer
 * could still be used), and the slots of the parent's other threads.
 *
 * vfork and posix_spawn run no handlers and clear nothing, rightly: their child shares the
 * parent's memory and runs no Python before exec.
 */
#include <errno.h>
#include <string.h>

#include "core/state.h"

/* This thread forks, and holds the lock: another may fork at the same time without, if the recording
 * had not begun yet. */
static __thread bool fork_locked __attribute__((tls_model("initial-exec")));

static void before_fork(void)
{
    int saved = errno;
    struct mt_os_mask mask;
    if (mt_load_acquire(&mt__process) == NULL || !mt_load_relaxed(&mt__kept.recording))
        return;
    mt__lock(&mask);
    mt__kept.fork_mask = mask;
    fork_locked = true;
    mt__kept.fork_tick = mt__now();
    mt__kept.fork_boot_ns = mt_os_boot_ns();
    mt__kept.fork_tid = mt_os_tid();
    errno = saved;
}

static void after_fork_parent(void)
{
    if (!fork_locked)
        return;
    struct mt_os_mask mask = mt__kept.fork_mask;
    fork_locked = false;
    mt__unlock(&mask);
}

static void after_fork_child(void)
{
    /* Also where recording was off: another thread may have held the lock. */
    if (!mt__kept.wiped_by_kernel && mt_load_acquire(&mt__process) != NULL)
        mt__wipe_by_hand();
    if (!fork_locked)
        return;
    fork_locked = false;
    mt__kept.fork_child = mt_os_pid();
    if (mt__thread != NULL && mt__thread->map != NULL)
        mt_os_seal(mt__thread->map, mt__thread->map_bytes);
    mt_os_restore_signals(&mt__kept.fork_mask);
}

void mt__wipe_by_hand(void)
{
    memset(mt__process, 0, sizeof *mt__process);
    for (uint32_t block = 0; block < MT_MAX_BLOCKS && mt__kept.slots[block] != NULL; block++)
        memset(mt__kept.slots[block], 0, MT_SLOTS_PER_BLOCK * sizeof(struct mt_slot));
}

/* There was no making a file before, and now there is: it begins with what was missed. */
static void found_file_late(struct mt_file_header *ancestor)
{
    struct mt_process *process = mt__process;
    uint32_t reason = ancestor != NULL ? mt_load_relaxed(&ancestor->unrecorded_reason) : MT_LOSS_IO;
    mt__count_unrecorded(ancestor, 0);
    mt_store_relaxed(&process->header->loss_reason, reason);
    mt_store_relaxed(&process->header->first_lost_tick, process->header->pair.tick);
    mt_store_relaxed(&process->header->last_lost_tick, process->header->pair.tick);
    mt_store_relaxed(&process->header->n_lost, mt_load_relaxed(&process->n_missed));
}

/* The first event of a forked child, or a later one if there was no making a file. */
bool mt__arm_child(void)
{
    struct mt_process *process = mt__process;
    struct mt_os_mask mask;
    uint64_t now = mt__now();
    if (mt_load_relaxed(&process->state) == MT_PROCESS_FAILED && now < process->retry_tick) {
        mt_add_relaxed(&process->n_missed, 1);
        return false;
    }
    mt__lock(&mask);
    if (process->state == MT_PROCESS_ARMED) { /* another thread was faster */
        mt__unlock(&mask);
        return true;
    }
    if (!mt_core_recording()) { /* no fork: another thread has stopped it */
        mt__unlock(&mask);
        return false;
    }
    if (process->state == MT_PROCESS_NONE) {
        memcpy(mt__kept.parent_id, mt__kept.file_id, sizeof mt__kept.parent_id);
        mt__kept.origin = MT_ORIGIN_FORK;
        mt__next_image();
        if (mt__kept.fork_child != mt_os_pid()) {
            /* Libc did not see this fork: no time, but the thread is known. */
            mt__kept.fork_tick = 0;
            mt__kept.fork_boot_ns = 0;
            mt__kept.fork_tid = mt__thread != NULL ? mt__thread->tid : 0;
        }
        mt_os_process_child(&mt__kept.info, mt__kept.fork_boot_ns);
    }
    process->epoch = ++mt__kept.epoch;
    struct mt_file_header *ancestor = mt__kept.header;
    bool again = process->state == MT_PROCESS_FAILED;
    int error = mt__file_create(MT_ORIGIN_FORK);
    if (error != 0) {
        if (!again)
            mt__count_unrecorded(ancestor, error);
        mt_add_relaxed(&process->n_missed, 1);
        process->retry_tick = now + mt__kept.tick_hz;
        mt_store_release(&process->state, MT_PROCESS_FAILED);
    } else {
        if (again)
            found_file_late(ancestor);
        mt_store_release(&process->state, MT_PROCESS_ARMED);
    }
    mt__unlock(&mask);
    return error == 0;
}

int mt__fork_init(void)
{
    return pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}
