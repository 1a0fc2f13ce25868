/* live_stack.c - the open calls of a thread, read forwards from the middle. Called by live_read.c.
 *
 * Invariant: a complete stack has no ends.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "reader/live_state.h"

void mt__live_stack_fini(struct mt__live_stack *stack)
{
    free(stack->calls);
    free(stack->ends);
    *stack = (struct mt__live_stack){0};
}

void mt__live_stack_reset(struct mt__live_stack *stack, bool complete)
{
    stack->n_calls = 0;
    stack->n_ends = 0;
    stack->complete = complete;
    stack->lost = false;
}

static void fit(uint32_t **items, size_t n, size_t *capacity)
{
    if (n == *capacity)
        return;
    uint32_t *smaller = n ? realloc(*items, n * sizeof *smaller) : NULL;
    if (!n)
        free(*items);
    else if (!smaller)
        return;
    *items = smaller;
    *capacity = n;
}

void mt__live_stack_trim(struct mt__live_stack *stack)
{
    fit(&stack->calls, stack->n_calls, &stack->calls_capacity);
    fit(&stack->ends, stack->n_ends, &stack->ends_capacity);
}

enum mt_status mt__live_stack_copy(struct mt__live_stack *to, const struct mt__live_stack *from)
{
    if (!MT_ARRAY_ROOM(to->calls, to->calls_capacity, from->n_calls) ||
        !MT_ARRAY_ROOM(to->ends, to->ends_capacity, from->n_ends))
        return MT_NOMEM;
    if (from->n_calls)
        memcpy(to->calls, from->calls, from->n_calls * sizeof *to->calls);
    if (from->n_ends)
        memcpy(to->ends, from->ends, from->n_ends * sizeof *to->ends);
    to->n_calls = from->n_calls;
    to->n_ends = from->n_ends;
    to->complete = from->complete;
    to->lost = from->lost;
    return MT_OK;
}

/* There is more than is kept, so what lies where is not known any more. */
static void overflow(struct mt__live_stack *stack)
{
    mt__live_stack_reset(stack, false);
}

enum mt_status mt__live_push(struct mt__live_stack *stack, uint32_t id)
{
    if (stack->n_calls >= MT__LIVE_MAX_DEPTH)
        overflow(stack);
    if (!MT_ARRAY_ROOM(stack->calls, stack->calls_capacity, stack->n_calls + 1))
        return MT_NOMEM;
    stack->calls[stack->n_calls++] = id;
    return MT_OK;
}

#define KIND(kind) (1u << MT_KIND_##kind)

uint32_t mt__live_take_calls(struct mt__live_stack *stack, const uint64_t *words, uint32_t n_words)
{
    enum { BEGINS = KIND(PY_BEGIN) | KIND(PY_RESUME) | KIND(C_BEGIN) };
    enum {
        ENDS = KIND(PY_END) | KIND(PY_END_EXC) | KIND(PY_SUSPEND) | KIND(C_END) | KIND(C_END_EXC)
    };
    uint32_t *calls = stack->calls, at = 0;
    size_t n_calls = stack->n_calls;
    size_t room = stack->calls_capacity < MT__LIVE_MAX_DEPTH ? stack->calls_capacity
                                                             : MT__LIVE_MAX_DEPTH;
    for (; at < n_words; at++) {
        uint32_t low = (uint32_t)words[at], id = low & MT_ID_MAX, kind = 1u << (low >> MT_ID_BITS);
        if ((kind & BEGINS) && n_calls < room)
            calls[n_calls++] = id;
        else if ((kind & ENDS) && n_calls && calls[n_calls - 1] == id)
            n_calls--;
        else
            break;
    }
    stack->n_calls = n_calls;
    return at;
}

/* How far an end looks for its call: in all that is open, as the reader of whole traces does, but no
 * file can make it slow. */
#define MAX_SEARCHED 4096u

enum mt_status mt__live_end_slow(struct mt__live_stack *stack, uint32_t id, bool *below)
{
    size_t least = stack->n_calls > MAX_SEARCHED ? stack->n_calls - MAX_SEARCHED : 0;
    *below = false;
    for (size_t i = stack->n_calls; i > least; i--) {
        if (stack->calls[i - 1] == id) {
            stack->n_calls = i - 1;
            return MT_OK;
        }
    }
    /* With calls open it is one without a begin, which CPython makes now and then. */
    if (stack->n_calls || stack->complete)
        return MT_OK;
    *below = true;
    if (stack->n_ends >= MT__LIVE_MAX_DEPTH) {
        overflow(stack);
        return MT_OK;
    }
    if (!MT_ARRAY_ROOM(stack->ends, stack->ends_capacity, stack->n_ends + 1))
        return MT_NOMEM;
    stack->ends[stack->n_ends++] = id;
    return MT_OK;
}

enum mt_status mt__live_join(struct mt__live_stack *stack, struct mt__live_stack *before)
{
    size_t n_taken = 0;
    for (; n_taken < stack->n_ends && before->n_calls; n_taken++) {
        bool below;
        enum mt_status status = mt__live_end_slow(before, stack->ends[n_taken], &below);
        if (status != MT_OK)
            return status;
    }
    /* What still has no begin ends calls from before `before`, after those that it ended itself. */
    size_t n_left = stack->n_ends - n_taken;
    if (before->complete)
        n_left = 0;
    if (!MT_ARRAY_ROOM(before->ends, before->ends_capacity, before->n_ends + n_left + 1) ||
        !MT_ARRAY_ROOM(before->calls, before->calls_capacity, before->n_calls + stack->n_calls + 1))
        return MT_NOMEM;
    if (n_left)
        memcpy(before->ends + before->n_ends, stack->ends + n_taken, n_left * sizeof *before->ends);
    before->n_ends += n_left;
    if (stack->n_calls)
        memcpy(before->calls + before->n_calls, stack->calls,
               stack->n_calls * sizeof *before->calls);
    before->n_calls += stack->n_calls;
    before->lost = stack->lost;
    struct mt__live_stack old = *stack;
    *stack = *before;
    *before = old;
    return MT_OK;
}
