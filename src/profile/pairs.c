/* pairs.c - the tables of a worker that are not by cell: pairs of caller and callee, and the
 * slowest calls. See state.h. */
#include <stdlib.h>

#include "base/hash.h"
#include "profile/state.h"

#define MIN_SLOTS_LOG2 8u

void mt__pairs_fini(struct mt__pairs *pairs)
{
    free(pairs->slots);
    *pairs = (struct mt__pairs){0};
}

/* The key's slot, or the empty one where it belongs. */
static struct mt__pair *find(const struct mt__pairs *pairs, uint64_t key)
{
    size_t at = (size_t)(mt_hash_u64(key ^ mt_hash_secret) >> pairs->shift);
    while (pairs->slots[at].key && pairs->slots[at].key != key)
        at = (at + 1) & (pairs->n_slots - 1);
    return &pairs->slots[at];
}

static bool enlarge(struct mt__pairs *pairs)
{
    unsigned log2 = pairs->n_slots ? 64 - pairs->shift + 1 : MIN_SLOTS_LOG2;
    struct mt__pairs larger = {
        .n_slots = (size_t)1 << log2, .n_used = pairs->n_used, .shift = 64 - log2};
    /* A frame remembers a slot in 32 bits. */
    larger.slots = log2 < 32 ? calloc(larger.n_slots, sizeof *larger.slots) : NULL;
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < pairs->n_slots; i++) {
        if (pairs->slots[i].key)
            *find(&larger, pairs->slots[i].key) = pairs->slots[i];
    }
    free(pairs->slots);
    *pairs = larger;
    return true;
}

struct mt__pair *mt__pairs_get(struct mt__pairs *pairs, uint64_t key)
{
    struct mt__pair *pair = pairs->n_slots ? find(pairs, key) : NULL;
    if (pair && pair->key)
        return pair;
    if (!pair || pairs->n_used + 1 > pairs->n_slots / 4 * 3) {
        if (!enlarge(pairs))
            return NULL;
        pair = find(pairs, key);
    }
    pair->key = key;
    pairs->n_used++;
    return pair;
}

bool mt__pairs_reserve(struct mt__pairs *pairs, size_t n)
{
    while (pairs->n_slots / 4 * 3 < n) {
        if (!enlarge(pairs))
            return false;
    }
    return true;
}

/* The slots of `pairs` come in the order of their hashes, which are those of `sum`, too: in a smaller
 * table they would all fall into its first part, each searching behind all before it. */
bool mt__pairs_add(struct mt__pairs *sum, const struct mt__pairs *pairs)
{
    if (!mt__pairs_reserve(sum, sum->n_used + pairs->n_used))
        return false;
    for (size_t i = 0; i < pairs->n_slots; i++) {
        const struct mt__pair *from = &pairs->slots[i];
        struct mt__pair *to = from->key ? mt__pairs_get(sum, from->key) : NULL;
        if (from->key && !to)
            return false;
        if (!to)
            continue;
        to->n_calls += from->n_calls;
        to->n_primitive += from->n_primitive;
        to->self_ns += from->self_ns;
        to->cum_ns += from->cum_ns;
    }
    return true;
}

/* ---- the slowest */

bool mt__slower(const struct mt_profile_slow_call *a, const struct mt_profile_slow_call *b)
{
    if (a->dur_ns != b->dur_ns)
        return a->dur_ns > b->dur_ns;
    if (a->begin_ns != b->begin_ns)
        return a->begin_ns < b->begin_ns;
    return a->track != b->track ? a->track < b->track : a->func < b->func;
}

static void swap(struct mt_profile_slow_call *a, struct mt_profile_slow_call *b)
{
    struct mt_profile_slow_call held = *a;
    *a = *b;
    *b = held;
}

static void sift_up(struct mt__slowest *slowest, size_t at)
{
    for (; at && mt__slower(&slowest->calls[(at - 1) / 2], &slowest->calls[at]); at = (at - 1) / 2)
        swap(&slowest->calls[(at - 1) / 2], &slowest->calls[at]);
}

static void sift_down(struct mt__slowest *slowest)
{
    for (size_t at = 0, child; (child = 2 * at + 1) < slowest->n; at = child) {
        if (child + 1 < slowest->n &&
            mt__slower(&slowest->calls[child], &slowest->calls[child + 1]))
            child++;
        if (!mt__slower(&slowest->calls[at], &slowest->calls[child]))
            return;
        swap(&slowest->calls[at], &slowest->calls[child]);
    }
}

void mt__slowest_offer(struct mt__slowest *slowest, const struct mt_profile_slow_call *call)
{
    if (slowest->n < slowest->capacity) {
        slowest->calls[slowest->n++] = *call;
        sift_up(slowest, slowest->n - 1);
    } else if (slowest->n && mt__slower(call, &slowest->calls[0])) {
        slowest->calls[0] = *call;
        sift_down(slowest);
    }
    if (slowest->n == slowest->capacity)
        slowest->threshold_ns = slowest->n ? slowest->calls[0].dur_ns : UINT64_MAX;
}
