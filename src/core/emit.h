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
    uint64_t first_id; /* ids below were defined in another file: define again */
    uint64_t n_ids;    /* valid ids are first_id ... first_id + n_ids - 1; 0 in an empty slot */
    struct mt_thread *thread; /* NULL: empty, or wiped by a fork */
    /* The embedder's own; cleared with the slot. */
    const void *callee;
    uint32_t callee_id;
    uint32_t counter; /* the CPU's counter is the clock (else CLOCK_MONOTONIC) */
};
_Static_assert(sizeof(struct mt_slot) == 64, "one cache line");
_Static_assert(MT_RECORD_DELTA_MAX == UINT32_MAX, "mt__emit_fast() turns it by 32 bits");

extern __thread struct mt_slot *mt__slot __attribute__((tls_model("initial-exec")));

/* Everything that is not the common case. `word` is the low half of the record. */
__attribute__((noinline, cold)) void mt__emit_slow(uint32_t word);

#if defined(__x86_64__) || defined(__aarch64__)
#define MT_HAVE_COUNTER 1
#else
#define MT_HAVE_COUNTER 0
#endif

static inline uint64_t mt__ticks(const struct mt_slot *slot)
{
    if (MT_HAVE_COUNTER && MT_LIKELY(slot->counter != 0))
        return mt_os_counter();
    return mt_os_monotonic_ns();
}

/* True if `id` may be used on this thread now. An empty slot says no to every id. */
static inline bool mt_id_valid(const struct mt_slot *slot, uint64_t id)
{
    return id - slot->first_id < mt_load_relaxed(&slot->n_ids); /* who stops recording clears it */
}

/* Records one event of the calling thread at `now`, if there is room and the time fits. `word` is the
 * low half of the record. */
MT_ALWAYS_INLINE bool mt__emit_at(struct mt_slot *slot, uint64_t *next, uint64_t now, uint32_t word)
{
    uint64_t delta = now - slot->last;
    /* Turned by half: the time where the record has it, and what does not fit where it has none. */
    uint64_t turned = delta << 32 | delta >> 32;
    if (MT_UNLIKELY((uint32_t)turned != 0))
        return false;
    MT_TESTPOINT(record_ready);
    /* The commit. Pairs with the reader's look at the word, in this or another process. */
    mt_store_release(next, turned | word);
    MT_TESTPOINT(record_stored);
    slot->next = next + 1;
    slot->last = now;
    return true;
}

/* The common case. False: mt__emit_slow() has to do it. No function is called in between, so what
 * does this and then the slow path last needs no stack frame. */
MT_ALWAYS_INLINE bool mt__emit_fast(struct mt_slot *slot, uint32_t word)
{
    uint64_t *next = mt_load_relaxed(&slot->next);
    if (MT_UNLIKELY(next >= mt_load_relaxed(&slot->end)))
        return false;
    if (!MT_HAVE_COUNTER || MT_UNLIKELY(slot->counter == 0))
        return false;
    return mt__emit_at(slot, next, mt_os_counter(), word);
}

/* Records one event of the calling thread; `id` must have passed mt_id_valid(). */
MT_ALWAYS_INLINE void mt_emit(struct mt_slot *slot, enum mt_kind kind, uint32_t id)
{
    uint32_t word = (uint32_t)kind << MT_ID_BITS | id;
    if (MT_UNLIKELY(!mt__emit_fast(slot, word)))
        mt__emit_slow(word);
}

#endif /* MT_CORE_EMIT_H_ */
