/* proto.c - see proto.h. Used by the Perfetto sink. */
#include "sink/proto.h"

#include "base/utf8.h"

#define WIRE_VARINT 0u
#define WIRE_BYTES 2u

static size_t varint_bytes(char bytes[10], uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    return n;
}

void mt__proto_varint(struct mt_buf *out, uint64_t value)
{
    char bytes[10];
    mt_buf_append(out, bytes, varint_bytes(bytes, value));
}

void mt__proto_number(struct mt_buf *out, uint32_t field, uint64_t value)
{
    mt__proto_varint(out, (uint64_t)field << 3 | WIRE_VARINT);
    mt__proto_varint(out, value);
}

size_t mt__proto_open(struct mt_buf *out, uint32_t field)
{
    mt__proto_varint(out, (uint64_t)field << 3 | WIRE_BYTES);
    return out->n_bytes;
}

/* The length comes before the content and is known after it. */
void mt__proto_close(struct mt_buf *out, size_t start)
{
    char bytes[10];
    size_t n_content = out->n_bytes - start;
    size_t n = varint_bytes(bytes, n_content);
    if (!mt_buf_reserve(out, n))
        return;
    memmove(out->data + start + n, out->data + start, n_content);
    memcpy(out->data + start, bytes, n);
    mt_buf_commit(out, n);
}

void mt__proto_text(struct mt_buf *out, uint32_t field, const char *text, size_t n_bytes)
{
    size_t start = mt__proto_open(out, field);
    for (;;) {
        size_t n_good;
        bool valid = mt_utf8_valid(text, n_bytes, &n_good);
        mt_buf_append(out, text, n_good);
        if (valid)
            break;
        mt_buf_append_text(out, "\xef\xbf\xbd");
        text += n_good + 1;
        n_bytes -= n_good + 1;
    }
    mt__proto_close(out, start);
}
