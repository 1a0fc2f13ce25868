/* labels.h - what processes and threads are called, the same in every format that names them. */
#ifndef MT_SINK_LABELS_H_
#define MT_SINK_LABELS_H_

#include "base/buf.h"
#include "mtrace/event.h"

/* Appends the names of a process's images up to this one, "before > after", its own pid where another is
 * shown, and its host where there are several. Not escaped; may hold anything. */
void mt__process_label(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t process);

/* Appends a thread's name, and its own tid where another is shown; or nothing. */
void mt__track_label(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track);

#endif /* MT_SINK_LABELS_H_ */
