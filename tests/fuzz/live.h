/* live.h - a script's files under the live reader (mtrace/live.h), while they grow and change.
 */
#ifndef MT_TESTS_LIVE_H_
#define MT_TESTS_LIVE_H_

#include "script.h"

/* The script's numbers say how. Aborts if something is not as it should be. */
void live_run(const struct script *script);

#endif /* MT_TESTS_LIVE_H_ */
