/* histogram.c - what of histograms is out of the way of counting. See histogram.h. */
#include "profile/histogram.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_OCTAVES 16384u /* 512 KiB */
#define LINE_BYTES 64u

struct mt__octave_block {
    struct mt__octave_block *next;
    void *memory;
    struct mt__octave *octaves; /* in memory, on a line of the cache */
};

void mt__octaves_fini(struct mt__octave_pool *pool)
{
    for (struct mt__octave_block *block = pool->blocks, *next; block; block = next) {
        next = block->next;
        free(block->memory);
        free(block);
    }
    mt_map_fini(&pool->carries);
    *pool = (struct mt__octave_pool){0};
}

static bool add_block(struct mt__octave_pool *pool)
{
    struct mt__octave_block *block = malloc(sizeof *block);
    /* Fresh from the system, so that pages which nobody uses cost nothing. */
    void *memory = block ? calloc(1, BLOCK_OCTAVES * sizeof(struct mt__octave) + LINE_BYTES) : NULL;
    if (!memory) {
        free(block);
        return false;
    }
    uintptr_t line = ((uintptr_t)memory + LINE_BYTES - 1) & ~(uintptr_t)(LINE_BYTES - 1);
    *block = (struct mt__octave_block){pool->blocks, memory, (struct mt__octave *)line};
    pool->blocks = block;
    pool->n_free = BLOCK_OCTAVES;
    return true;
}

/* 2^log2 octaves, all zeros. */
static struct mt__octave *take(struct mt__octave_pool *pool, uint32_t log2)
{
    size_t n = (size_t)1 << log2;
    struct mt__octave *octaves = pool->spare[log2];
    if (octaves) {
        memcpy(&pool->spare[log2], octaves, sizeof(void *));
        memset(octaves, 0, n * sizeof *octaves);
        return octaves;
    }
    if (pool->n_free < n && !add_block(pool))
        return NULL;
    octaves = &pool->blocks->octaves[BLOCK_OCTAVES - pool->n_free];
    pool->n_free -= n;
    return octaves;
}

static void give_back(struct mt__octave_pool *pool, struct mt__octave *octaves, uint32_t log2)
{
    memcpy(octaves, &pool->spare[log2], sizeof(void *));
    pool->spare[log2] = octaves;
}

/* Where the octaves that are in use end; the others are in reserve. */
static uint32_t n_used(const struct mt__histogram *hist)
{
    static const struct mt__octave unused;
    uint32_t n = hist->n_octaves;
    while (n && !memcmp(&hist->octaves[n - 1], &unused, sizeof unused))
        n--;
    return n;
}

bool mt__hist_widen(struct mt__histogram *hist, struct mt__octave_pool *pool, uint32_t octave)
{
    uint32_t n_kept = n_used(hist), first = octave, end = octave + 1, log2 = 0;
    if (n_kept) {
        first = hist->first < octave ? hist->first : octave;
        end = hist->first + n_kept > end ? hist->first + n_kept : end;
    }
    while ((1u << log2) < end - first)
        log2++;
    struct mt__octave *octaves = take(pool, log2);
    if (!octaves)
        return false;
    if (n_kept)
        memcpy(octaves + (hist->first - first), hist->octaves, n_kept * sizeof *octaves);
    if (hist->n_octaves)
        give_back(pool, hist->octaves, (uint32_t)__builtin_ctz(hist->n_octaves));
    hist->octaves = octaves;
    hist->first = (uint8_t)first;
    hist->n_octaves = (uint8_t)(1u << log2);
    return true;
}

static uint64_t carry_key(uint32_t owner, uint32_t bucket)
{
    return (uint64_t)owner << 32 | bucket;
}

bool mt__hist_carry(struct mt__octave_pool *pool, uint32_t owner, uint32_t bucket)
{
    uint32_t *n = mt_map_put(&pool->carries, carry_key(owner, bucket), 0, NULL);
    if (n)
        ++*n;
    return n;
}

uint64_t mt__hist_value(uint32_t bucket)
{
    uint32_t octave = bucket / MT__HIST_SUBS, sub = bucket % MT__HIST_SUBS;
    if (!octave)
        return sub;
    uint64_t width = UINT64_C(1) << (octave - 1);
    return (MT__HIST_SUBS + sub) * width + (width - 1) / 2;
}

void mt__hist_sum_clear(struct mt__hist_sum *sum)
{
    memset(sum->counts + sum->first, 0, (sum->end - sum->first) * sizeof *sum->counts);
    sum->n = 0;
    sum->first = sum->end = 0;
}

/* Takes octaves first to end - 1 into what is in use. */
static void widen_sum(struct mt__hist_sum *sum, uint32_t first, uint32_t end)
{
    first *= MT__HIST_SUBS;
    end *= MT__HIST_SUBS;
    sum->first = !sum->end || first < sum->first ? first : sum->first;
    sum->end = end > sum->end ? end : sum->end;
}

void mt__hist_sum_add(struct mt__hist_sum *sum, const struct mt__histogram *hist,
                      const struct mt__octave_pool *pool, uint32_t owner)
{
    uint32_t n = n_used(hist);
    if (n)
        widen_sum(sum, hist->first, hist->first + n);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t sub = 0; sub < MT__HIST_SUBS; sub++) {
            uint32_t bucket = (hist->first + i) * MT__HIST_SUBS + sub;
            const uint32_t *carry = pool ? mt_map_find(&pool->carries, carry_key(owner, bucket))
                                         : NULL;
            uint64_t count = hist->octaves[i].counts[sub] + (carry ? *carry * MT__HIST_CARRY : 0);
            sum->counts[bucket] += count;
            sum->n += count;
        }
    }
}

uint64_t mt__hist_percentile(const struct mt__hist_sum *sum, uint32_t percent)
{
    if (!sum->n)
        return 0;
    /* The rank, counted from 1 and rounded up, without overflow. */
    uint64_t rank = sum->n / 100 * percent + (sum->n % 100 * percent + 99) / 100;
    uint64_t n = 0;
    uint32_t bucket = sum->first;
    while (bucket < MT__HIST_BUCKETS && (n += sum->counts[bucket]) < rank)
        bucket++;
    return mt__hist_value(bucket);
}
