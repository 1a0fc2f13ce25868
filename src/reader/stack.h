/* stack.h - the calls that are open on a track while it is walked.
 *
 * A record's end is matched with the innermost open call that has its key. Looking for one that is
 * not there costs the whole depth, so after many vain searches the stack counts its keys: a file made
 * for that purpose cannot make the reader slower than its length.
 */
#ifndef MT_READER_STACK_H_
#define MT_READER_STACK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/atomic.h"
#include "base/map.h"

struct mt__call {
    uint64_t begin_ns;
    uint32_t key;  /* id, and bit MT_ID_BITS: it is a C function */
    uint32_t func; /* index; bit 31: the call began before its begin on this track */
};
#define MT__CALL_REOPENED (UINT32_C(1) << 31)

/* Deeper calls are left out, begins and ends: no program's stack is as deep, but a file's may be. */
#define MT__STACK_MAX_DEPTH (1u << 23)

struct mt__stack {
    struct mt__call *calls;
    size_t depth, capacity;
    uint64_t n_beyond;   /* open calls that are not in `calls`, because of the limit */
    uint64_t n_searched; /* calls looked at in vain */
    bool counting;       /* key_counts says how often each key is in `calls` */
    struct mt_map key_counts;
};

#define MT__NOT_FOUND SIZE_MAX

void mt__stack_fini(struct mt__stack *stack);
void mt__stack_clear(struct mt__stack *stack);

/* False when there is no memory. */
bool mt__stack_push_slow(struct mt__stack *stack, const struct mt__call *call);
static inline bool mt__stack_push(struct mt__stack *stack, const struct mt__call *call)
{
    if (MT_UNLIKELY(stack->depth == stack->capacity || stack->counting))
        return mt__stack_push_slow(stack, call);
    stack->calls[stack->depth++] = *call;
    return true;
}

/* Removes the innermost call; there must be one. It stays readable until the next push. */
void mt__stack_forget(struct mt__stack *stack, const struct mt__call *call);
static inline const struct mt__call *mt__stack_pop(struct mt__stack *stack)
{
    const struct mt__call *call = &stack->calls[--stack->depth];
    if (MT_UNLIKELY(stack->counting))
        mt__stack_forget(stack, call);
    return call;
}

/* Whether the innermost call has the key. */
static inline bool mt__stack_top_is(const struct mt__stack *stack, uint32_t key)
{
    return stack->depth && stack->calls[stack->depth - 1].key == key;
}

/* The index of the innermost call with the key, or MT__NOT_FOUND. */
size_t mt__stack_find(struct mt__stack *stack, uint32_t key);

#endif /* MT_READER_STACK_H_ */
