/* label.h - what processes and threads are called (functions: profile/label.h). The texts are appended as they are in
 * the trace, so the sink has yet to escape them. */
#ifndef MT_SINK_LABEL_H_
#define MT_SINK_LABEL_H_

#include "base/buf.h"
#include "mtrace/event.h"

/* For formats that have one text for each. "app (17)": the name and the pid as shown;
 * "app (4194305, pid 17)" where it is not the real one; " on HOST" where there are several. */
void mt__label_process(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t process);

/* "worker (18)", in the same way; "Thread (18)" without a name. */
void mt__label_track(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track);

/* For formats that have ids in fields of their own, so that viewers show them: the names of a process's
 * images up to this one, "before > after"; " (pid 17)" behind them where another one is shown; " on HOST"
 * where there are several. */
void mt__name_process(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t process_idx);

/* The same of a thread: "worker", " (tid 18)" behind it where another one is shown. Or nothing. */
void mt__name_track(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track_idx);

/* Of a text that a format repeats with each call or stack there is no more than this, and "..." for the
 * rest: else a small file could become one that no memory holds. */
#define MT__REPEATED_TEXT_BYTES 1000u
/* How many bytes of it that are; whole characters, if it is UTF-8. */
uint32_t mt__label_repeated_bytes(const struct mt_text *text);

#endif /* MT_SINK_LABEL_H_ */
