/* sink.h - one output format: decoded events in, bytes out.
 *
 * A sink never opens a file, prints or exits; the driver (src/cli/feed.c) owns the reader, the
 * threads, the output and the errors. It gets whole runs of events (event.h), not a call for each.
 *
 * To add a format:
 *   1. src/sink/sink_NAME.c: everything static but one `const struct mt_sink mt_sink_NAME`
 *   2. its declaration below, and a row in src/sink/sinks.c
 *   3. tests/unit/test_sink_NAME.c: exact bytes for a small timeline made by hand
 *   4. a test in which a program that is not ours reads it back (tests/formats)
 *   5. docs/formats.md, and FORMATS in docs/man/mtrace-merge.1
 *
 * Threads. The driver calls `begin`, then `chunk` from several threads at once, then `end`. What
 * `chunk` writes for one run must depend on that run and on what `begin` made only, since runs of
 * one track, too, are formatted at the same time and out of their order; the driver puts the bytes
 * in order. A sink that remembers something from run to run of a track (its open calls) asks for
 * MT_NEEDS_SERIAL and keeps that by run->track; one that adds up keeps its sums by run->worker.
 */
#ifndef MTRACE_SINK_H_
#define MTRACE_SINK_H_

#include "mtrace/event.h"
#include "mtrace/status.h"

struct mt_buf; /* base/buf.h: a growable byte buffer. Sinks append; the driver empties it. */

/* What a sink works on. */
struct mt_job {
    const struct mt_timeline *timeline; /* outlives the sink's work */
    uint32_t n_workers;                 /* mt_run.worker is below it; at least 1 */
    const void *options; /* of a sink that is not in the table but a command's own; else NULL */
};

struct mt_sink {
    const char *name;    /* on the command line */
    const char *suffix;  /* of file names, with the dot */
    const char *summary; /* for --help */
    unsigned needs;      /* MT_NEEDS_... of event.h */

    /* Writes what comes first and makes `*state`. */
    enum mt_status (*begin)(const struct mt_job *job, struct mt_buf *out, void **state);
    /* Turns one run into bytes, see Threads above. They are appended: `out` may hold those of other
     * runs, which are no business of this one. */
    enum mt_status (*chunk)(void *state, const struct mt_run *run, struct mt_buf *out);
    /* Writes what comes last and frees `state`. Called once after each begin that returned MT_OK,
     * also when writing failed; `outcome` is NULL then, and what it writes is thrown away. */
    enum mt_status (*end)(void *state, const struct mt_outcome *outcome, struct mt_buf *out);
};

extern const struct mt_sink mt_sink_chrome;          /* begin and end events */
extern const struct mt_sink mt_sink_chrome_complete; /* complete events */
extern const struct mt_sink mt_sink_perfetto;        /* Perfetto's protobuf */
extern const struct mt_sink mt_sink_collapsed;
extern const struct mt_sink mt_sink_speedscope;
extern const struct mt_sink mt_sink_pstats;
extern const struct mt_sink mt_sink_callgrind;

/* All of them; ends with NULL. */
extern const struct mt_sink *const mt_sinks[];

#endif /* MTRACE_SINK_H_ */
