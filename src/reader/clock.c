/* clock.c - ticks to ns, piece by piece. Called by file.c (moments), set.c (clocks), walk.c.
 *
 * Invariant: pieces rise in tick and in ns, and each ends no later than the next one begins, so a
 * larger tick never gives a smaller ns.
 */
#include "reader/clock.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/array.h"

#define SPACING_NS UINT64_C(1000000)
/* A reading that is off by more than this is a thread that was interrupted while it read. */
#define OUTLIER_NS 20000.0
/* Far enough: 146 years. What a hostile file says beyond that is cut. */
#define FAR_NS (UINT64_C(1) << 62)

struct mt__rate mt__rate_make(uint64_t dur_ns, uint64_t n_ticks)
{
    if (!n_ticks || !dur_ns)
        return (struct mt__rate){0};
    /* Rounded up, so that n_ticks give dur_ns and not a ns less; what that adds stays below 1 ns. */
    mt__u128 mult = (((mt__u128)dur_ns << 64) + n_ticks - 1) / n_ticks;
    uint32_t shift = 64;
    while (mult >> 64) {
        mult = (mult + 1) >> 1;
        shift--;
    }
    return (struct mt__rate){(uint64_t)mult, shift};
}

uint64_t mt__rate_apply(const struct mt__rate *rate, uint64_t n_ticks)
{
    mt__u128 ns = ((mt__u128)n_ticks * rate->mult) >> rate->shift;
    return ns > FAR_NS ? FAR_NS : (uint64_t)ns;
}

/* ------------------------------------------------------------------------------------ moments */

void mt__moments_fini(struct mt__moments *moments)
{
    free(moments->pairs);
    *moments = (struct mt__moments){0};
}

enum mt_status mt__moments_add(struct mt__moments *moments, const struct mt_clock_pair *pair)
{
    size_t n = moments->n_pairs;
    if (!pair->mono_ns || pair->mono_ns > FAR_NS)
        return MT_OK;
    if (n && pair->mono_ns - moments->pairs[n - 1].mono_ns < SPACING_NS)
        return MT_OK;
    if (!MT_ARRAY_ROOM(moments->pairs, moments->capacity, n + 1))
        return MT_NOMEM;
    moments->pairs[moments->n_pairs++] = *pair;
    return MT_OK;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct mt_clock_pair *x = a, *y = b;
    return x->tick != y->tick ? (x->tick < y->tick ? -1 : 1)
                              : (x->mono_ns > y->mono_ns) - (x->mono_ns < y->mono_ns);
}

/* How far the moment is off the line through `first` with the slope ns_per_tick. */
static double off_line(const struct mt_clock_pair *first, const struct mt_clock_pair *pair,
                       double ns_per_tick)
{
    return ((double)pair->mono_ns - (double)first->mono_ns) -
           (double)(pair->tick - first->tick) * ns_per_tick;
}

/* Drops a moment that disagrees with both of its neighbours, while these agree. */
static void drop_outliers(struct mt__moments *moments)
{
    struct mt_clock_pair *pairs = moments->pairs;
    size_t n = moments->n_pairs, kept = 1;
    if (n < 3)
        return;
    double ns_per_tick = ((double)pairs[n - 1].mono_ns - (double)pairs[0].mono_ns) /
                         (double)(pairs[n - 1].tick - pairs[0].tick);
    struct mt_clock_pair first = pairs[0];
    for (size_t i = 1; i < n; i++) {
        double here = off_line(&first, &pairs[i], ns_per_tick);
        double before = off_line(&first, &pairs[kept - 1], ns_per_tick);
        double after = i + 1 < n ? off_line(&first, &pairs[i + 1], ns_per_tick) : here;
        bool high = here - before > OUTLIER_NS && here - after > OUTLIER_NS;
        bool low = before - here > OUTLIER_NS && after - here > OUTLIER_NS;
        bool agree = before - after < OUTLIER_NS && after - before < OUTLIER_NS;
        if (!((high || low) && agree))
            pairs[kept++] = pairs[i];
    }
    moments->n_pairs = kept;
}

void mt__moments_settle(struct mt__moments *moments)
{
    if (!moments->n_pairs)
        return;
    qsort(moments->pairs, moments->n_pairs, sizeof *moments->pairs, compare_pairs);
    struct mt_clock_pair *pairs = moments->pairs;
    size_t kept = 1;
    for (size_t i = 1; i < moments->n_pairs; i++) {
        const struct mt_clock_pair *last = &pairs[kept - 1];
        if (pairs[i].tick > last->tick && pairs[i].mono_ns > last->mono_ns &&
            pairs[i].mono_ns - last->mono_ns >= SPACING_NS)
            pairs[kept++] = pairs[i];
    }
    moments->n_pairs = kept;
    drop_outliers(moments);
}

/* -------------------------------------------------------------------------------------- clocks */

enum mt_status mt__clock_init(struct mt__clock *clock, const struct mt__moments *moments,
                              const struct mt__rate *beyond, int64_t add_ns)
{
    const struct mt_clock_pair *pairs = moments->pairs;
    size_t n = moments->n_pairs ? moments->n_pairs : 1;
    *clock = (struct mt__clock){.pieces = calloc(n, sizeof *clock->pieces), .n_pieces = n};
    if (!clock->pieces)
        return MT_NOMEM;
    if (!moments->n_pairs) /* no moment at all: ticks from zero on */
        clock->pieces[0] = (struct mt__clock_piece){.rate = *beyond, .ns = add_ns};
    for (size_t i = 0; i < moments->n_pairs; i++) {
        struct mt__clock_piece *piece = &clock->pieces[i];
        piece->tick = pairs[i].tick;
        piece->ns = (int64_t)pairs[i].mono_ns;
        piece->rate = *beyond;
        if (i + 1 < moments->n_pairs) {
            piece->span = pairs[i + 1].tick - pairs[i].tick;
            piece->rate = mt__rate_make(pairs[i + 1].mono_ns - pairs[i].mono_ns, piece->span);
        }
    }
    if (moments->n_pairs)
        mt__clock_shift(clock, add_ns);
    /* The last piece is exact for as long as its ns cannot get out of hand. */
    struct mt__clock_piece *last = &clock->pieces[n - 1];
    uint64_t span = last->rate.shift < 64 ? FAR_NS >> (64 - last->rate.shift) : FAR_NS;
    last->span = span > UINT64_MAX - last->tick ? UINT64_MAX - last->tick : span;
    return MT_OK;
}

void mt__clock_fini(struct mt__clock *clock)
{
    free(clock->pieces);
    *clock = (struct mt__clock){0};
}

void mt__clock_shift(struct mt__clock *clock, int64_t add_ns)
{
    for (size_t i = 0; i < clock->n_pieces; i++)
        clock->pieces[i].ns = (int64_t)((uint64_t)clock->pieces[i].ns + (uint64_t)add_ns);
}

const struct mt__clock_piece *mt__clock_piece(const struct mt__clock *clock, uint64_t tick)
{
    size_t low = 0, high = clock->n_pieces; /* the last piece that begins at or before `tick` */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (clock->pieces[middle].tick <= tick)
            low = middle;
        else
            high = middle;
    }
    return &clock->pieces[low];
}

int64_t mt__piece_ns(const struct mt__clock_piece *piece, uint64_t tick)
{
    if (tick >= piece->tick) {
        uint64_t after = mt__rate_apply(&piece->rate, tick - piece->tick);
        return (int64_t)((uint64_t)piece->ns + after);
    }
    return (int64_t)((uint64_t)piece->ns - mt__rate_apply(&piece->rate, piece->tick - tick));
}

int64_t mt__clock_ns(const struct mt__clock *clock, uint64_t tick)
{
    return mt__piece_ns(mt__clock_piece(clock, tick), tick);
}
