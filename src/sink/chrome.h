/* chrome.h - what sink_chrome.c and chrome_meta.c share. */
#ifndef MT_SINK_CHROME_H_
#define MT_SINK_CHROME_H_

#include "base/buf.h"
#include "mtrace/sink.h"

/* The metadata events of all processes and tracks, the first one without a comma before it. */
enum mt_status mt__chrome_metadata(const struct mt_timeline *timeline, struct mt_buf *out);

/* ns as microseconds with exactly three decimals. */
void mt__chrome_time(struct mt_buf *out, uint64_t ns);

#endif /* MT_SINK_CHROME_H_ */
