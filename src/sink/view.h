/* view.h - the page of `mtrace view` as a sink: what the command gives it, and what it tells.
 *
 * It is no format of `mtrace merge`: its bytes depend on the compressor, and it ends at a number of
 * events beyond which no browser could show it.
 */
#ifndef MT_SINK_VIEW_H_
#define MT_SINK_VIEW_H_

#include "mtrace/sink.h"

/* What the sink tells. */
struct mt_view_outcome {
    uint64_t n_events; /* begins and ends, as far as it came */
};

/* Of mt_job.options. */
struct mt_view_options {
    /* Appends raw deflate of all of `data`. On any thread. False: no memory. */
    bool (*deflate)(const void *data, size_t n_bytes, struct mt_buf *out);
    uint64_t max_events; /* with one more chunk() returns MT_LIMIT */
    const char *title;   /* of the page: any bytes */
    struct mt_view_outcome *outcome;
};

extern const struct mt_sink mt_sink_view;

#endif /* MT_SINK_VIEW_H_ */
