/* state.h - what a profile remembers while it is fed. Private to this room.
 *
 * Sums are kept by worker and never touched by another one; the open calls of a track are kept by
 * track and handed from worker to worker by the driver, who feeds a track's runs one after the
 * other. Whether a key is open on the track at hand is a mark in the worker's own sums: it carries
 * the number of the worker's present round, and a worker that turns to another track begins a new
 * round and marks anew what is open there. So no track needs a mark for every key.
 */
#ifndef MT_PROFILE_STATE_H_
#define MT_PROFILE_STATE_H_

#include "profile/histogram.h"
#include "profile/profile.h"

/* A key in a group; one line of the cache. */
struct mt__cell {
    uint64_t n_calls, n_primitive;
    uint64_t self_ns, cum_ns, timed_ns, max_ns;
    struct mt__histogram hist;
};
/* What is rare, by cell. */
struct mt__extras {
    uint64_t n_resumes, n_unfinished, n_repaired, n_reopened;
};

/* A caller and its callee, both cells. */
struct mt__pair {
    uint64_t key; /* mt__pair_key; 0: no pair */
    uint64_t n_calls, n_primitive;
    uint64_t self_ns, cum_ns;
    uint32_t open_round; /* the pair is open in this round of its worker */
};
/* Open addressing, at most three quarters full. All zeros is empty. */
struct mt__pairs {
    struct mt__pair *slots;
    size_t n_slots; /* a power of two, or 0 */
    size_t n_used;
    unsigned shift; /* of a hash to its slot */
};

static inline uint64_t mt__pair_key(uint32_t caller, uint32_t callee)
{
    return ((uint64_t)caller << 32 | callee) + 1;
}
/* The pair, made if it is new. NULL: no memory. Pairs move when one is made. */
struct mt__pair *mt__pairs_get(struct mt__pairs *pairs, uint64_t key);
/* Makes room for n pairs, so that none moves before there are more. False: no memory. */
bool mt__pairs_reserve(struct mt__pairs *pairs, size_t n);
/* Adds the numbers of all pairs. False: no memory. */
bool mt__pairs_add(struct mt__pairs *sum, const struct mt__pairs *pairs);
void mt__pairs_fini(struct mt__pairs *pairs);

/* The slowest calls seen: a heap whose first is the one that falls out next. */
struct mt__slowest {
    struct mt_profile_slow_call *calls;
    size_t n, capacity;
    uint64_t threshold_ns; /* shorter ones need not be offered */
};
/* Whether `a` comes before `b` among the slowest. */
bool mt__slower(const struct mt_profile_slow_call *a, const struct mt_profile_slow_call *b);
void mt__slowest_offer(struct mt__slowest *slowest, const struct mt_profile_slow_call *call);

struct mt__worker {
    struct mt__cell *cells;
    uint32_t *open_rounds; /* by cell: the key is open in this round */
    struct mt__extras *extras;
    void *cells_memory; /* cells[] begins on a line of the cache in it */
    struct mt__octave_pool octaves;
    struct mt__pairs pairs;
    struct mt__slowest slowest;
    uint32_t round;
    uint32_t track; /* the round's */
    uint64_t n_lost, n_losses;
    uint64_t first_ns, last_ns;
} __attribute__((aligned(128))); /* neighbours are other threads' */

#define MT__FRAME_CELL (MT_PROFILE_MAX_CELLS - 1)
#define MT__FRAME_OUTER (1u << 28)      /* no other call of its key is open below */
#define MT__FRAME_PAIR_OUTER (1u << 29) /* nor one of its caller and it */
#define MT__FRAME_RESUMED (1u << 30)
#define MT__FRAME_REOPENED (1u << 31)

/* An open call. */
struct mt__frame {
    uint32_t cell;      /* and flags */
    uint32_t pair_slot; /* where its pair was; another one may lie there by now */
    uint64_t child_ns;  /* of the calls that it made */
};

struct mt__open_track {
    struct mt__frame *frames; /* the first one stands for what is below the outermost call */
    size_t depth, capacity;
    uint64_t last_ns;
    uint64_t unfinished_ns; /* when the last of the left open calls began that were told */
    size_t n_unfinished;
    uint32_t worker; /* who fed it last */
};

struct mt_profile {
    struct mt_profile_options options;
    uint32_t n_keys, n_groups, n_cells;
    struct mt__worker *workers;
    struct mt__open_track *tracks;
};

/* Whether calls from one key to another are counted as a pair. */
static inline bool mt__wants_pair(const struct mt_profile *profile, uint32_t caller,
                                  uint32_t callee)
{
    const struct mt_profile_options *options = &profile->options;
    return options->all_pairs || options->marks[callee % profile->n_keys] & MT_PROFILE_CALLERS ||
           options->marks[caller % profile->n_keys] & MT_PROFILE_CALLEES;
}

#endif /* MT_PROFILE_STATE_H_ */
