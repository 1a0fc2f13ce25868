/* sink_bytes.h - what a sink writes for hand-made events, or for a set. */
#ifndef MT_TESTS_SINK_BYTES_H_
#define MT_TESTS_SINK_BYTES_H_

#include "base/buf.h"
#include "mtrace/reader.h"
#include "mtrace/sink.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

#define BEGIN(at, f) {.type = MT_EVENT_BEGIN, .ts_ns = (at), .func = (f)}
#define END(at, f, dur) {.type = MT_EVENT_END, .ts_ns = (at), .func = (f), .dur_ns = (dur)}
#define UNFINISHED(at, f) {.type = MT_EVENT_UNFINISHED, .ts_ns = (at), .func = (f)}
#define N(events) (sizeof(events) / sizeof *(events))

/* Asserts what is written for the events as one run of the first track, or as two if there are more
 * than 3. */
void assert_bytes(const struct mt_sink *sink, const struct mt_timeline *timeline,
                  const struct mt_event *events, uint32_t n_events, const char *expected);
/* The same with arrows. */
void assert_bytes_with_flows(const struct mt_sink *sink, const struct mt_timeline *timeline,
                             const struct mt_event *events, uint32_t n_events,
                             const struct mt_flow *flows, size_t n_flows, const char *expected);

/* The same for a format that is no text: `expected` has two digits for each byte, and texts between
 * single quotes. */
void assert_binary(const struct mt_sink *sink, const struct mt_timeline *timeline,
                   const struct mt_event *events, uint32_t n_events, const struct mt_flow *flows,
                   size_t n_flows, const char *expected);

/* Appends what a sink writes for a set, step by step as the plan has it. */
void append_set_bytes(struct mt_buf *out, struct mt_set *set, const struct mt_sink *sink);

#endif /* MT_TESTS_SINK_BYTES_H_ */
