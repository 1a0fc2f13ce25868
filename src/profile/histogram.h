/* histogram.h - how often calls took how long: counts by duration in a logarithmic scale.
 *
 * Each power of two, an octave, has MT__HIST_SUBS buckets of equal width; below 2 * MT__HIST_SUBS
 * ns every value has a bucket of its own. A bucket stands for its middle, so what is read out of a
 * histogram is wrong by less than 1 / (2 * MT__HIST_SUBS), 3.2 %.
 *
 * A function's calls are of a few octaves, so a histogram has only those between its shortest and
 * its longest duration, out of a pool. With 50,000 names histograms are most of a profile's memory,
 * so counts are of 16 bits, and what goes beyond is carried to a map that all histograms of a pool
 * share. Owned by one thread at a time.
 */
#ifndef MT_PROFILE_HISTOGRAM_H_
#define MT_PROFILE_HISTOGRAM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/map.h"

#define MT__HIST_SUB_BITS 4u
#define MT__HIST_SUBS (1u << MT__HIST_SUB_BITS)
#define MT__HIST_OCTAVES (65u - MT__HIST_SUB_BITS)
#define MT__HIST_BUCKETS (MT__HIST_OCTAVES * MT__HIST_SUBS)

/* An octave's counts. */
struct mt__octave {
    uint16_t counts[MT__HIST_SUBS];
};

/* Where octaves come from; those that a histogram outgrew are used again. All zeros is empty. */
struct mt__octave_pool {
    struct mt__octave_block *blocks; /* the newest first */
    size_t n_free;                   /* octaves at the newest block's end */
    void *spare[7];                  /* by log2 of their length: chains of arrays */
    struct mt_map carries;           /* by owner and bucket: how many times MT__HIST_CARRY */
};
void mt__octaves_fini(struct mt__octave_pool *pool);

/* All zeros is an empty histogram; freed with its pool. */
struct mt__histogram {
    struct mt__octave *octaves; /* of octave `first` and those that follow; NULL: empty */
    uint8_t first;
    uint8_t n_octaves; /* a power of two */
};

static inline uint32_t mt__hist_octave(uint64_t dur_ns)
{
    uint32_t log2 = 63u - (uint32_t)__builtin_clzll(dur_ns | MT__HIST_SUBS >> 1);
    return log2 - (MT__HIST_SUB_BITS - 1);
}

static inline uint32_t mt__hist_sub(uint64_t dur_ns, uint32_t octave)
{
    return (uint32_t)(dur_ns >> (octave ? octave - 1 : 0)) & (MT__HIST_SUBS - 1);
}

/* Makes room for an octave; false when there is no memory. */
bool mt__hist_widen(struct mt__histogram *hist, struct mt__octave_pool *pool, uint32_t octave);

/* A count went over. What it had is carried, but for 1. */
#define MT__HIST_CARRY UINT64_C(65535)
bool mt__hist_carry(struct mt__octave_pool *pool, uint32_t owner, uint32_t bucket);

/* `owner` is the histogram's number within its pool. False when there is no memory. */
static inline bool mt__hist_add(struct mt__histogram *hist, struct mt__octave_pool *pool,
                                uint32_t owner, uint64_t dur_ns)
{
    uint32_t octave = mt__hist_octave(dur_ns);
    if (MT_UNLIKELY(octave - hist->first >= hist->n_octaves) && !mt__hist_widen(hist, pool, octave))
        return false;
    uint32_t sub = mt__hist_sub(dur_ns, octave);
    uint16_t *count = &hist->octaves[octave - hist->first].counts[sub];
    if (MT_LIKELY(++*count))
        return true;
    *count = 1; /* an octave in use is never all zeros */
    return mt__hist_carry(pool, owner, octave * MT__HIST_SUBS + sub);
}

/* The middle of a bucket, bucket = octave * MT__HIST_SUBS + sub. */
uint64_t mt__hist_value(uint32_t bucket);

/* Several histograms added up, to read values out of them. */
struct mt__hist_sum {
    uint64_t counts[MT__HIST_BUCKETS];
    uint64_t n;
    uint32_t first, end; /* the others are 0; both 0: all are */
};
/* Makes it empty. */
void mt__hist_sum_clear(struct mt__hist_sum *sum);
/* `pool` may be NULL where no count can have gone over. */
void mt__hist_sum_add(struct mt__hist_sum *sum, const struct mt__histogram *hist,
                      const struct mt__octave_pool *pool, uint32_t owner);

/* The smallest duration that at least `percent` (1 to 100) of the calls do not exceed; 0 without
 * calls. */
uint64_t mt__hist_percentile(const struct mt__hist_sum *sum, uint32_t percent);

#endif /* MT_PROFILE_HISTOGRAM_H_ */
