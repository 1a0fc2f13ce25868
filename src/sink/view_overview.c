/* view_overview.c - for each track, which function took the time in each of some hundred bins: the
 * page's first picture. Called by sink_view.c, for one track by one thread at a time.
 *
 * How long the recording is, is not known before its end, so bins get wider as time goes on. A bin keeps
 * one function, as Boyer and Moore's majority vote does: which one took more than half is exact,
 * otherwise it is one of the larger ones.
 */
#include <stdlib.h>

#include "base/atomic.h"
#include "sink/view_parts.h"

#define FIRST_SHIFT 10u
/* All tracks together, so that neither memory nor page grow with them. */
#define MAX_ALL_BINS (1u << 19)
#define MAX_BINS 2048u
#define MIN_BINS 64u

uint32_t mt__view_n_bins(uint32_t n_tracks)
{
    uint32_t n_bins = MAX_BINS;
    while (n_bins > MIN_BINS && (uint64_t)n_bins * n_tracks > MAX_ALL_BINS)
        n_bins /= 2;
    return n_bins;
}

static inline void vote(struct mt__view_bin *bin, uint32_t func, uint64_t weight_ns)
{
    if (bin->func == func) {
        bin->weight_ns += weight_ns;
    } else if (bin->weight_ns >= weight_ns) {
        bin->weight_ns -= weight_ns;
    } else {
        bin->func = func;
        bin->weight_ns = weight_ns - bin->weight_ns;
    }
}

void mt__view_bins_widen(struct mt__view_bins *bins, unsigned shift)
{
    for (; bins->bins && bins->shift < shift; bins->shift++) {
        for (uint32_t i = 0; i < bins->n_bins / 2; i++) {
            struct mt__view_bin both = bins->bins[2 * (size_t)i];
            const struct mt__view_bin *second = &bins->bins[2 * (size_t)i + 1];
            both.busy_ns += second->busy_ns;
            vote(&both, second->func, second->weight_ns);
            bins->bins[i] = both;
        }
        for (uint32_t i = bins->n_bins / 2; i < bins->n_bins; i++)
            bins->bins[i] = (struct mt__view_bin){.func = MT_NONE};
    }
}

static bool make_room(struct mt__view_bins *bins, uint64_t to_ns)
{
    if (!bins->bins) {
        bins->bins = malloc(bins->n_bins * sizeof *bins->bins);
        if (!bins->bins)
            return false;
        bins->shift = FIRST_SHIFT;
        for (uint32_t i = 0; i < bins->n_bins; i++)
            bins->bins[i] = (struct mt__view_bin){.func = MT_NONE};
    }
    unsigned shift = bins->shift;
    while (to_ns >> shift >= bins->n_bins)
        shift++;
    mt__view_bins_widen(bins, shift);
    return true;
}

bool mt__view_bins_add(struct mt__view_bins *bins, uint32_t func, uint64_t from_ns, uint64_t to_ns)
{
    if (MT_UNLIKELY(!bins->bins || to_ns >> bins->shift >= bins->n_bins) && !make_room(bins, to_ns))
        return false;
    while (from_ns < to_ns) {
        uint64_t i = from_ns >> bins->shift, end_ns = (i + 1) << bins->shift;
        uint64_t part_ns = (end_ns < to_ns ? end_ns : to_ns) - from_ns;
        bins->bins[i].busy_ns += part_ns;
        vote(&bins->bins[i], func, part_ns);
        from_ns += part_ns;
    }
    return true;
}

void mt__view_bins_put(const struct mt__view_bins *bins, struct mt_buf *out)
{
    for (uint32_t i = 0; i < bins->n_bins; i++) {
        bool is_busy = bins->bins && bins->bins[i].busy_ns;
        mt__view_put_varint(out, is_busy ? (uint64_t)bins->bins[i].func + 1 : 0);
    }
    for (uint32_t i = 0; i < bins->n_bins; i++) {
        double share = bins->bins
                           ? (double)bins->bins[i].busy_ns / (double)(UINT64_C(1) << bins->shift)
                           : 0;
        uint32_t shown = (uint32_t)(share * 255 + 0.5);
        shown += !shown && share > 0; /* something is there */
        mt_buf_append_char(out, (char)(shown < 255 ? shown : 255));
    }
}
