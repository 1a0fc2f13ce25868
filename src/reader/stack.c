/* stack.c - the rarer operations on a track's open calls. Called by walk.c only.
 *
 * Invariant: while `counting`, key_counts[k] is the number of calls with key k in `calls`.
 */
#include "reader/stack.h"

#include <stdlib.h>

/* How many calls may be looked at in vain before keys are counted. */
#define MAX_SEARCHED (UINT64_C(1) << 20)

void mt__stack_fini(struct mt__stack *stack)
{
    free(stack->calls);
    mt_map_fini(&stack->key_counts);
    *stack = (struct mt__stack){0};
}

void mt__stack_clear(struct mt__stack *stack)
{
    mt_map_fini(&stack->key_counts);
    stack->depth = 0;
    stack->n_beyond = 0;
    stack->n_searched = 0;
    stack->counting = false;
}

static bool count_key(struct mt__stack *stack, uint32_t key)
{
    uint32_t *count = mt_map_put(&stack->key_counts, key, 0, NULL);
    if (count)
        ++*count;
    return count;
}

bool mt__stack_push_slow(struct mt__stack *stack, const struct mt__call *call)
{
    if (stack->depth >= MT__STACK_MAX_DEPTH) {
        stack->n_beyond++;
        return true;
    }
    if (!MT_ARRAY_ROOM(stack->calls, stack->capacity, stack->depth + 1))
        return false;
    if (stack->counting && !count_key(stack, call->key))
        return false;
    stack->calls[stack->depth++] = *call;
    return true;
}

void mt__stack_forget(struct mt__stack *stack, const struct mt__call *call)
{
    uint32_t *count = mt_map_find(&stack->key_counts, call->key);
    if (count && *count)
        --*count;
}

static void start_counting(struct mt__stack *stack)
{
    for (size_t i = 0; i < stack->depth; i++) {
        if (!count_key(stack, stack->calls[i].key)) {
            mt_map_fini(&stack->key_counts); /* no memory: go on searching */
            return;
        }
    }
    stack->counting = true;
}

size_t mt__stack_find(struct mt__stack *stack, uint32_t key)
{
    if (stack->counting) {
        const uint32_t *count = mt_map_find(&stack->key_counts, key);
        if (!count || !*count)
            return MT__NOT_FOUND;
    }
    for (size_t i = stack->depth; i-- > 0;) {
        if (stack->calls[i].key == key)
            return i;
    }
    stack->n_searched += stack->depth;
    if (!stack->counting && stack->n_searched > MAX_SEARCHED)
        start_counting(stack);
    return MT__NOT_FOUND;
}
