/* sink.h - one output format: decoded events in, bytes out.
 *
 * A sink never opens a file, prints or exits; the driver (src/cli/merge.c) owns the reader, the
 * output and the errors. It gets whole runs of events (event.h), not a call for each.
 *
 * To add a format:
 *   1. src/sink/sink_NAME.c: everything static but one `const struct mt_sink mt_sink_NAME`
 *   2. its declaration below, and a row in src/sink/sinks.c
 *   3. tests/unit/test_sink_NAME.c: exact bytes for a small timeline made by hand
 */
#ifndef MTRACE_SINK_H_
#define MTRACE_SINK_H_

#include "mtrace/event.h"
#include "mtrace/status.h"

struct mt_buf; /* base/buf.h: a growable byte buffer. Sinks append; the driver empties it. */

struct mt_sink {
    const char *name;    /* on the command line */
    const char *suffix;  /* of file names, with the dot */
    const char *summary; /* for --help */
    unsigned needs;      /* MT_NEEDS_... of event.h */

    /* Writes what comes first and makes `*state`. The timeline outlives the sink's work. */
    enum mt_status (*begin)(const struct mt_timeline *timeline, struct mt_buf *out, void **state);
    /* Turns one run into bytes. */
    enum mt_status (*chunk)(void *state, const struct mt_run *run, struct mt_buf *out);
    /* Writes what comes last and frees `state`. Called once after each begin that returned MT_OK,
     * also when writing failed; what it wrote is then thrown away. */
    enum mt_status (*end)(void *state, struct mt_buf *out);
};

extern const struct mt_sink mt_sink_chrome;          /* begin and end events */
extern const struct mt_sink mt_sink_chrome_complete; /* complete events */

/* All of them; ends with NULL. */
extern const struct mt_sink *const mt_sinks[];

#endif /* MTRACE_SINK_H_ */
