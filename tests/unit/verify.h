/* verify.h - what a sink may rely on (event.h), looked at while runs go by. Aborts where it is not so.
 */
#ifndef MT_TESTS_VERIFY_H_
#define MT_TESTS_VERIFY_H_

#include <stdio.h>
#include <stdlib.h>

#include "mtrace/event.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What is known of a track while its runs come. */
struct track_state {
    struct mt_event *open; /* BEGINs */
    size_t depth, capacity, n_unfinished;
    uint64_t former_ns;
    uint32_t n_runs;
    bool is_over;
};

/* The next run of a track; `state` is all zeros before the first. Its `open` is to be freed. */
void verify_run(const struct mt_run *run, struct track_state *state);
void verify_timeline(const struct mt_timeline *timeline);
void verify_outcome(const struct mt_timeline *timeline, const struct mt_outcome *outcome);

#endif /* MT_TESTS_VERIFY_H_ */
