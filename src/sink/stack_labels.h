/* stack_labels.h - the texts in a line of collapsed stacks.
 *
 * They keep what readers do not take for something else: no ';', no control characters and line ends of
 * any kind, and in names of functions no spaces, because a number after one would be a count.
 */
#ifndef MT_SINK_STACK_LABELS_H_
#define MT_SINK_STACK_LABELS_H_

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mtrace/event.h"

/* ";FUNCTION (FILE:LINE)". */
struct mt__stack_label {
    const char *data;
    uint32_t n_bytes;
};

/* Those of a timeline's functions, constant once made. Functions with the same text share a label. */
struct mt__stack_labels {
    struct mt__stack_label *labels;
    uint32_t *label_of; /* by function */
    uint32_t n_labels;
    uint32_t lost;   /* ";(events lost)" */
    uint32_t deeper; /* ";(deeper calls)" */
    struct mt_arena arena;
};

/* `labels` is all zeros. False: no memory; to be finished all the same. */
bool mt__stack_labels_init(struct mt__stack_labels *labels, const struct mt_timeline *timeline);
void mt__stack_labels_fini(struct mt__stack_labels *labels);

/* "PROCESS (PID);THREAD (TID)", with which lines begin. */
void mt__stack_append_track(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track);

#endif /* MT_SINK_STACK_LABELS_H_ */
