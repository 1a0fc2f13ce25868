/* os.h - the recorder's whole contract with the operating system; os_linux.c keeps it.
 *
 * Every function here may be called inside a traced program at any event, so none of them uses
 * malloc, stdio or locks, takes a signal, is a cancellation point, leaves a descriptor open, or changes
 * errno (they return an errno instead, 0 for success). All may be called in the child of a fork of a threaded
 * process.
 */
#ifndef MT_OS_OS_H_
#define MT_OS_OS_H_

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtrace/format.h"

/* ---- identity */

/* Asked of the kernel: libc's answers are stale after a fork that it did not see. */
uint32_t mt_os_pid(void);
uint32_t mt_os_tid(void);
uint32_t mt_os_uid(void);            /* effective */
bool mt_os_tid_exists(uint32_t tid); /* in this process; true where that cannot be told */

struct mt_os_process {
    uint32_t pid, ppid, uid;
    uint64_t start_time;        /* clock ticks since boot, 0: unknown */
    uint64_t parent_start_time; /* 0: unknown */
    uint64_t pid_ns;            /* 0: unknown */
    uint64_t time_ns;           /* the same */
    uint8_t boot_id[16];        /* zeros: unknown */
    char host[MT_HOST_BYTES];
};
void mt_os_process_info(struct mt_os_process *out);
/* The same in the child of a fork, whose *inout is the parent's: asks only for what can differ.
 * `forked_ns`: mt_os_boot_ns() in the parent just before the fork; 0: unknown. */
void mt_os_process_child(struct mt_os_process *inout, uint64_t forked_ns);
void mt_os_random(uint8_t *out, size_t n);
/* The kernel's name of a thread of this process. `out` gets at most size - 1 bytes; "" if unknown. */
void mt_os_thread_name(uint32_t tid, char *out, size_t size);

/* ---- clock */

/* Which counter mt_os_ticks() may read here; asked once, at the start. */
enum mt_clock mt_os_clock_choose(void);

static inline uint64_t mt_os_counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0;
#endif
}
uint64_t mt_os_monotonic_ns(void);
uint64_t mt_os_boot_ns(void); /* the clock in which the kernel says when a process began */

/* The three clocks at one moment, as exactly as a few tries get. */
void mt_os_clock_pair(enum mt_clock clock, struct mt_clock_pair *out);

/* ---- memory */

/* Zeroed private pages that are zero again in the child of any fork. *wiped says whether the kernel
 * sees to that; if not, the caller clears them in its atfork handler. NULL: no memory. */
void *mt_os_wiped_pages(size_t bytes, bool *wiped);
/* Zeroed private pages that a child inherits. NULL: no memory. */
void *mt_os_pages(size_t bytes);
void mt_os_unmap(void *at, size_t bytes);
/* Can 4 bytes there, at a multiple of 4, be read at this moment? For memory of the program's that may be
 * unmapped by now. False where that cannot be told. */
bool mt_os_readable(const void *at);
/* Puts private pages where a shared mapping was, so that a store which is already on its way (a
 * fork in a signal handler) cannot reach the file. */
void mt_os_seal(void *at, size_t bytes);

/* ---- files */

struct mt_os_file {
    uint64_t dev, ino;
};

/* Blocks every signal of this thread, and its cancellation, to be undone by the next call: nothing may
 * interrupt taking a chunk. Calls nest, and only the outermost pair of a thread asks the kernel. */
struct mt_os_mask {
    sigset_t saved;
    int cancel_state;
    bool outermost;
    bool masked; /* by the outermost; no: a filter refuses it */
};
void mt_os_block_signals(struct mt_os_mask *mask);
void mt_os_restore_signals(const struct mt_os_mask *mask);

/* Makes the file (new, 0600, never through a link), `bytes` of zeros long, and maps it shared and
 * writable. Returns an errno; EEXIST: the name is taken. On failure nothing is left behind. To be
 * called with signals blocked, as the next one: a SIGXFSZ of its own never reaches the program. */
int mt_os_create(const char *path, uint32_t bytes, struct mt_os_file *file, void **map);

/* Appends `bytes` of zeros at `offset` of that very file and maps them, their pages present and
 * writable, so that a store into them never needs the disk. ESTALE: removed, replaced, or shorter
 * than `offset`. `offset` and `bytes` are multiples of MT_PAGE_BYTES. */
int mt_os_append(const char *path, const struct mt_os_file *file, uint64_t offset, uint32_t bytes,
                 void **map);

/* Wakes and waits, for the one lock of the recorder. */
void mt_os_futex_wait(const uint32_t *word, uint32_t while_value);
void mt_os_futex_wake(const uint32_t *word);

#endif /* MT_OS_OS_H_ */
