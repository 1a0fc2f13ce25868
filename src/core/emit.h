/* emit.h - the hot path, and nothing else: what one event costs.
 *
 * A thread owns a slot of 64 bytes. Its equations, while it records:
 *
 *     chunk start <= next <= end <= chunk end - MT_RESERVE_WORDS
 *     *next == 0, and every word between the chunk's header and next is a committed record
 *     last == the chunk's start_tick plus the deltas of all records up to next
 *
 * The thread-local pointer starts at a constant empty slot (next == end == NULL), and slots lie in
 * pages that the kernel clears in the child of any fork. So "not attached", "stopped", "full",
 * "disk full" and "just forked" are one test, next >= end, and one way out, mt__emit_slow().
 * The test must be >=, not ==: a fork from a signal handler in the middle of mt_emit() lets the
 * child store `next` into a slot that the kernel has cleared.
 *
 * Nothing here is shared with another thread, locked, or allocated.
 */
#ifndef MT_CORE_EMIT_H_
#define MT_CORE_EMIT_H_

#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"
#include "core/testpoint.h"
#include "mtrace/format.h"
#include "os/os.h"

struct mt_thread;

struct mt_slot {
    uint64_t *next;    /* where the next record goes, in the mapped chunk; see `end` */
    uint64_t *end;     /* first word that is not for ordinary records; other threads may clear it,
                        * and once its owner has seen that, when recording stops, `next` too */
    uint64_t last;     /* tick of the last record */
    uint32_t first_id; /* ids below were defined in another file: define again */
    uint32_t n_ids;    /* valid ids are first_id ... first_id + n_ids - 1; 0 in an empty slot */
    uint32_t counter;  /* the CPU's counter is the clock (else CLOCK_MONOTONIC) */
    uint32_t index;    /* of the slot */
    struct mt_thread *thread; /* NULL: empty, or wiped by a fork */
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct mt_slot) == 64, "one cache line");

extern __thread struct mt_slot *mt__slot __attribute__((tls_model("initial-exec")));

/* Everything that is not the common case. `word` is the low half of the record. */
__attribute__((noinline, cold)) void mt__emit_slow(uint32_t word);

static inline uint64_t mt__ticks(const struct mt_slot *slot)
{
#if defined(__x86_64__) || defined(__aarch64__)
    if (MT_LIKELY(slot->counter != 0))
        return mt_os_counter();
#endif
    return mt_os_monotonic_ns();
}

/* True if `id` may be used on this thread now. An empty slot says no to every id. */
static inline bool mt_id_valid(const struct mt_slot *slot, uint64_t id)
{
    return id - slot->first_id < mt_load_relaxed(&slot->n_ids); /* who stops recording clears it */
}

/* Records one event of the calling thread; `id` must have passed mt_id_valid(). */
static inline void mt_emit(struct mt_slot *slot, enum mt_kind kind, uint32_t id)
{
    uint64_t *next = mt_load_relaxed(&slot->next);
    uint32_t word = (uint32_t)kind << MT_ID_BITS | id;
    if (MT_UNLIKELY(next >= mt_load_relaxed(&slot->end))) {
        mt__emit_slow(word);
        return;
    }
    uint64_t now = mt__ticks(slot);
    uint64_t delta = now - slot->last;
    if (MT_UNLIKELY(delta > MT_RECORD_DELTA_MAX)) {
        mt__emit_slow(word);
        return;
    }
    MT_TESTPOINT(record_ready);
    /* The commit. Pairs with the reader's look at the word, in this or another process. */
    mt_store_release(next, delta << 32 | word);
    MT_TESTPOINT(record_stored);
    slot->next = next + 1;
    slot->last = now;
}

#endif /* MT_CORE_EMIT_H_ */
