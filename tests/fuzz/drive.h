/* drive.h - a script's files through the reader and a sink, with everything verified on the way.
 */
#ifndef MT_TESTS_DRIVE_H_
#define MT_TESTS_DRIVE_H_

#include "base/buf.h"
#include "mtrace/reader.h"
#include "mtrace/sink.h"
#include "script.h"

/* Which files of a script. */
enum { DRIVE_ALL, DRIVE_EVEN, DRIVE_ODD };

/* A finished set of them, sliced if the script says so. */
struct mt_set *drive_set(const struct script *script, int which);

/* All of a set through a sink, step by step in the plan's order, as `n_workers` would do it who take
 * turns. Appends what it writes. */
void drive_sink(struct mt_set *set, const struct mt_sink *sink, const void *options,
                uint32_t n_workers, struct mt_buf *out);

/* Events, records and what else can be asked of a set, without a sink. */
void drive_reader(struct mt_set *set);

/* Aborts if `fault` is not NULL, and shows what is around `at`. */
void drive_require_wellformed(const char *fault, const struct mt_buf *bytes, size_t at);

#endif /* MT_TESTS_DRIVE_H_ */
