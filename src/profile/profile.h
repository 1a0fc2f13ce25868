/* profile.h - events in, numbers per function out. Used by the sinks and commands that add up.
 *
 *     mt_profile_new(&options, &profile);
 *     mt_profile_add(profile, &run);              all runs of all tracks
 *     mt_profile_fold(profile, &result);
 *
 * Rules, which are cProfile's (docs/report.md tells them to users):
 *   - A call is counted when it ends, or is left open. A generator or coroutine that goes on is a
 *     call, too, which ends where it is suspended. A call that began before its events do
 *     (REOPENED) is not counted, but its time is.
 *   - Self time is a call's time without that of the calls it made. Cumulative time is a call's
 *     whole time, and counts only where no other call of the function is open on the track; those
 *     are the primitive calls.
 *   - A call that is left open lasts to the last event of its track; one that is cut where a slice
 *     ends (CUT) lasts to there and counts as left open, too.
 *   - Percentiles, maximum and mean are of single calls of which both ends were seen, so not of
 *     calls that are reopened, left open, or of which the end was guessed (REPAIRED).
 *
 * What is counted together is called a key: a function, or what `key_of_func` says. Groups divide
 * tracks: there is a row for each key in each group.
 *
 * Threads: runs of one track are added one after the other, in their order (MT_NEEDS_SERIAL and
 * MT_NEEDS_PAIRS); runs of different tracks at the same time if their `worker` differs. All else on
 * one thread.
 *
 * Memory: 64 bytes for each key and worker, some 32 for each octave of durations that a key has
 * (histogram.h), 64 for each pair of caller and callee where those are asked for; 16 for each open
 * call.
 */
#ifndef MT_PROFILE_PROFILE_H_
#define MT_PROFILE_PROFILE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtrace/event.h"
#include "mtrace/status.h"

#define MT_PROFILE_NEEDS (MT_NEEDS_PAIRS | MT_NEEDS_SERIAL | MT_NEEDS_NO_ORDER)

/* Keys times groups are below it. */
#define MT_PROFILE_MAX_CELLS (1u << 28)

/* Which pairs of caller and callee are counted; marks of keys. */
#define MT_PROFILE_CALLERS 1u /* those that call this key */
#define MT_PROFILE_CALLEES 2u /* those that this key calls */

struct mt_profile_options {
    const struct mt_timeline *timeline; /* borrowed, as all of these */
    uint32_t n_workers;                 /* mt_run.worker is below it */
    const uint32_t *key_of_func;        /* by function; NULL: each function is a key */
    uint32_t n_keys;                    /* where key_of_func is given */
    const uint32_t *group_of_track; /* by track; MT_NONE: leave it out. NULL: all are one group */
    uint32_t n_groups;              /* where group_of_track is given */
    bool all_pairs;                 /* count every pair */
    const uint8_t *marks;           /* by key; NULL: none */
    uint32_t n_slowest;             /* how many single calls to remember */
};

/* Times are ns. */
struct mt_profile_row {
    uint32_t key;
    uint32_t group;
    uint64_t n_calls;
    uint64_t n_primitive; /* of them, not within a call of the same key */
    uint64_t self_ns;
    uint64_t cum_ns;
    uint64_t n_timed;                /* calls of which both ends were seen; of these: */
    uint64_t timed_ns;               /* their sum */
    uint64_t max_ns;                 /* exact */
    uint64_t p50_ns, p95_ns, p99_ns; /* within 3.2 % */
    uint64_t n_resumes;              /* of n_calls: generators and coroutines that went on */
    uint64_t n_unfinished;           /* of n_calls: left open */
    uint64_t n_repaired;             /* of n_calls: their end was guessed */
    uint64_t n_reopened;             /* not in n_calls: began before */
    uint32_t first_pair;             /* index of the first of its callers; neighbours */
    uint32_t n_pairs;
};

/* Calls of `callee` by `caller`, both indexes of rows. Primitive: not within another call of
 * this pair. */
struct mt_profile_pair {
    uint32_t caller, callee;
    uint64_t n_calls, n_primitive;
    uint64_t self_ns, cum_ns;
};

struct mt_profile_slow_call {
    uint64_t dur_ns;
    uint64_t begin_ns;
    uint32_t func;
    uint32_t track;
    bool unfinished;
};

struct mt_profile_result {
    struct mt_profile_row *rows; /* by group, then key; those with any time or call */
    size_t n_rows;
    struct mt_profile_pair *pairs; /* by callee, then caller */
    size_t n_pairs;
    struct mt_profile_slow_call *slowest; /* the slowest first; of equal ones the earliest */
    size_t n_slowest;
    uint64_t n_lost;   /* events, as the tracks' own records tell */
    uint64_t n_losses; /* how many times */
    uint64_t first_ns; /* of the timeline: the first and the last event that was added */
    uint64_t last_ns;
};

struct mt_profile;

/* MT_NOMEM, or MT_LIMIT for too many cells. */
enum mt_status mt_profile_new(const struct mt_profile_options *options, struct mt_profile **out);
void mt_profile_free(struct mt_profile *profile); /* NULL is fine */

/* MT_NOMEM. */
enum mt_status mt_profile_add(struct mt_profile *profile, const struct mt_run *run);

/* Once, after all runs. MT_NOMEM. */
enum mt_status mt_profile_fold(struct mt_profile *profile, struct mt_profile_result *out);
void mt_profile_result_fini(struct mt_profile_result *result);

#endif /* MT_PROFILE_PROFILE_H_ */
