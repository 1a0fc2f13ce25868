/* diff.h - what the files of `mtrace diff` share.
 */
#ifndef MT_CLI_DIFF_H_
#define MT_CLI_DIFF_H_

#include "cli/table.h"
#include "mtrace/event.h"
#include "mtrace/sink.h"
#include "profile/profile.h"

enum mt_diff_measure {
    MT_DIFF_TOTTIME,
    MT_DIFF_CUMTIME,
    MT_DIFF_CALLS,
    MT_DIFF_P95,
};

/* What is counted on one side, by key of a function on both. */
struct mt_diff_side {
    const struct mt_timeline *timeline;
    uint32_t *keys;   /* by function */
    uint32_t *groups; /* by track; NULL: all are this side's */
    struct mt_profile_result result;
};

struct mt_diff {
    /* What was asked for. */
    enum mt_table_format format;
    size_t n_top, width;
    bool fails;        /* --fail-above was given; of: */
    double fail_above; /* percent */
    enum mt_diff_measure measure;
    double min_share; /* of all self time; or, where it is 0: */
    uint64_t min_ns;

    struct mt_diff_side sides[2];
    uint32_t n_keys;
    struct mt_profile *profile;
    uint32_t side;     /* that is being fed */
    bool both_at_once; /* two processes of one set: group 0 and 1 of the first side */
    bool exceeded;     /* what --fail-above is about */
};

/* diff_match.c: which functions are the same. Fills `keys` of each side that has a timeline.
 * MT_NOMEM. */
enum mt_status mt__diff_match(struct mt_diff *diff);

/* diff.c: feeds sides[side]; its options are a struct mt_diff. What it writes at the last side's
 * end is the comparison; it tells what exceeds --fail-above. */
extern const struct mt_sink mt__diff_sink;
void mt__diff_fini(struct mt_diff *diff);

#endif /* MT_CLI_DIFF_H_ */
