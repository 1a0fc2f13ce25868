/* alive.h - whether the process of a trace file exists: for `run` and `top`. */
#ifndef MT_CLI_ALIVE_H_
#define MT_CLI_ALIVE_H_

#include "mtrace/live.h"

/* By /proc, which the process does not notice. A process of another boot has ended; of one in another
 * pid namespace we cannot tell. `context` is not used. */
enum mt_live_state mt__process_state(void *context, const struct mt_file_header *header);

#endif /* MT_CLI_ALIVE_H_ */
