/* wellformed.h - whether what a sink wrote can be read back: its grammar, and that on every track each
 * begin has its end in the right order. For fuzzing: quick, strict, and no reader of anybody's.
 *
 * Each returns NULL, or what is wrong; *at is where then.
 */
#ifndef MT_TESTS_WELLFORMED_H_
#define MT_TESTS_WELLFORMED_H_

#include <stddef.h>

/* One JSON value (RFC 8259) and nothing behind it but white space. */
const char *wellformed_json(const char *text, size_t n_bytes, size_t *at);
/* The sink's JSON, one event a line. */
const char *wellformed_chrome(const char *text, size_t n_bytes, size_t *at);
const char *wellformed_speedscope(const char *text, size_t n_bytes, size_t *at);
/* Packets with lengths that fit, down to strings of UTF-8. */
const char *wellformed_perfetto(const char *data, size_t n_bytes, size_t *at);
/* One marshalled dictionary. */
const char *wellformed_pstats(const char *data, size_t n_bytes, size_t *at);
/* "FRAME;FRAME;... NUMBER" */
const char *wellformed_collapsed(const char *text, size_t n_bytes, size_t *at);
const char *wellformed_callgrind(const char *text, size_t n_bytes, size_t *at);
/* The page of `mtrace view` as it is without a compressor; of its data, the head. */
const char *wellformed_view(const char *text, size_t n_bytes, size_t *at);
/* Nothing that moves a terminal's cursor but the line's end; UTF-8. */
const char *wellformed_text(const char *text, size_t n_bytes, size_t *at);

#endif /* MT_TESTS_WELLFORMED_H_ */
