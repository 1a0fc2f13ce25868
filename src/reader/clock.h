/* clock.h - ticks of a file to ns.
 *
 * A clock is a chain of straight pieces through the file's moments (struct mt_clock_pair). Before
 * the first and after the last moment it goes on at the machine's rate. It never runs backwards.
 */
#ifndef MT_READER_CLOCK_H_
#define MT_READER_CLOCK_H_

#include <stddef.h>
#include <stdint.h>

#include "mtrace/format.h"
#include "mtrace/status.h"

/* ns per tick as a fixed-point number: mult / 2^shift. */
struct mt__rate {
    uint64_t mult;  /* 0: unknown */
    uint32_t shift; /* at most 64 */
};

struct mt__rate mt__rate_make(uint64_t dur_ns, uint64_t n_ticks);
/* Rounded down, and no more than 2^62. */
uint64_t mt__rate_apply(const struct mt__rate *rate, uint64_t n_ticks);

struct mt__clock_piece {
    uint64_t tick; /* where it begins */
    uint64_t span; /* for ticks in [tick, tick + span) this piece is exact */
    int64_t ns;    /* at `tick` */
    struct mt__rate rate;
};

struct mt__clock {
    struct mt__clock_piece *pieces; /* at least one, by rising tick */
    size_t n_pieces;
};

/* The moments that a file tells, in any order; wrong ones are dropped here. */
struct mt__moments {
    struct mt_clock_pair *pairs;
    size_t n_pairs, capacity;
};
void mt__moments_fini(struct mt__moments *moments);
/* Moments closer than 1 ms to the one before are not kept. MT_NOMEM. */
enum mt_status mt__moments_add(struct mt__moments *moments, const struct mt_clock_pair *pair);
/* Sorts them and drops those that do not fit the others. */
void mt__moments_settle(struct mt__moments *moments);

/* A clock through settled moments, whose ns are CLOCK_MONOTONIC plus add_ns. `beyond` is the rate
 * outside of them. MT_NOMEM. */
enum mt_status mt__clock_init(struct mt__clock *clock, const struct mt__moments *moments,
                              const struct mt__rate *beyond, int64_t add_ns);
void mt__clock_fini(struct mt__clock *clock);

/* Moves the clock's zero. */
void mt__clock_shift(struct mt__clock *clock, int64_t add_ns);

/* The piece that is good for the tick (the first one also for what comes before it). */
const struct mt__clock_piece *mt__clock_piece(const struct mt__clock *clock, uint64_t tick);
/* ns at the tick; may be negative. */
int64_t mt__piece_ns(const struct mt__clock_piece *piece, uint64_t tick);
int64_t mt__clock_ns(const struct mt__clock *clock, uint64_t tick);

/* The same without a question, for ticks in [piece->tick, piece->tick + piece->span). */
__extension__ typedef unsigned __int128 mt__u128;
static inline uint64_t mt__piece_ns_inside(const struct mt__clock_piece *piece, uint64_t tick)
{
    mt__u128 product = (mt__u128)(tick - piece->tick) * piece->rate.mult;
    return (uint64_t)piece->ns + (uint64_t)(product >> piece->rate.shift);
}

#endif /* MT_READER_CLOCK_H_ */
