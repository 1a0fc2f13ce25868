/* events_text.h - events as short text, and sets of traces made in memory, for the tests of the reader.
 *
 * Events are printed as "B main@10 E main@20+10": type, function, ts_ns, and +dur_ns of an end. After
 * the type come the flags: o reopened, r resumed, s suspended, x exception, f repaired ("fixed"),
 * c cut.
 * L is a loss ("L 5@10..30"), > and < are arrows (">1@10"), U is unfinished.
 */
#ifndef MT_TESTS_EVENTS_TEXT_H_
#define MT_TESTS_EVENTS_TEXT_H_

#include "base/buf.h"
#include "mtrace/reader.h"
#include "trace_builder.h"

/* What was reported, one line each: "STATUS FILE OFFSET MESSAGE". */
struct told {
    struct mt_buf text;
    unsigned n_errors, n_notes;
    struct mt_error first; /* the first error; status MT_OK: none */
};

/* A finished set of n files, named "0.trace", "1.trace", ... `told` may be NULL. */
struct mt_set *set_of(struct tb *const *files, size_t n, struct told *told);
void told_fini(struct told *told);

/* Appends the events of a run, with a space before each but the buffer's first. */
void append_run_text(struct mt_buf *out, const struct mt_run *run);

/* All events of a track, to be freed. */
char *events_text(struct mt_set *set, uint32_t track, struct mt_counts *counts);

/* Fails the test unless the events of the only file's only track are these. */
void assert_events(struct tb *tb, const char *expected);
void assert_track(struct mt_set *set, uint32_t track, const char *expected);

#endif /* MT_TESTS_EVENTS_TEXT_H_ */
