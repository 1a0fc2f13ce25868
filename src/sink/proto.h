/* proto.h - protobuf's wire format: fields are appended to a buffer one by one, and nested messages are
 * opened and closed. For what is written seldom; sink_perfetto.c puts its events together itself.
 */
#ifndef MT_SINK_PROTO_H_
#define MT_SINK_PROTO_H_

#include "base/buf.h"
#include "mtrace/event.h"

void mt__proto_varint(struct mt_buf *out, uint64_t value);

/* A field with a number: uint, int (not negative), bool or enum. */
void mt__proto_number(struct mt_buf *out, uint32_t field, uint64_t value);

/* A field with a string; each byte that is not UTF-8 becomes U+FFFD, since readers refuse others. */
void mt__proto_text(struct mt_buf *out, uint32_t field, const char *text, size_t n_bytes);

/* A field with a message: what is appended between the two is in it. `close` takes what `open` gave. */
size_t mt__proto_open(struct mt_buf *out, uint32_t field);
void mt__proto_close(struct mt_buf *out, size_t start);

#endif /* MT_SINK_PROTO_H_ */
