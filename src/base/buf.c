/* buf.c - the growable byte buffer of buf.h. Used by every room of the reading wing.
 *
 * Invariant: n_bytes <= capacity, and data has capacity bytes.
 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

void mt_buf_init(struct mt_buf *buf)
{
    *buf = (struct mt_buf){0};
}

void mt_buf_fini(struct mt_buf *buf)
{
    free(buf->data);
    *buf = (struct mt_buf){0};
}

bool mt_buf_grow(struct mt_buf *buf, size_t n_bytes)
{
    if (buf->failed || n_bytes > SIZE_MAX / 2 - buf->n_bytes) {
        buf->failed = true;
        return false;
    }
    if (buf->capacity - buf->n_bytes >= n_bytes)
        return true;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity - buf->n_bytes < n_bytes)
        capacity *= 2;
    char *data = realloc(buf->data, capacity);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void mt_buf_append_u64(struct mt_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    mt_buf_append(buf, digits + at, sizeof digits - at);
}

void mt_buf_printf(struct mt_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at = n < 0 ? NULL : mt_buf_reserve(buf, (size_t)n + 1);
    if (at) {
        vsnprintf(at, (size_t)n + 1, format, again);
        buf->n_bytes += (size_t)n;
    } else {
        buf->failed = true;
    }
    va_end(again);
}

const char *mt_buf_text(struct mt_buf *buf)
{
    char *end = mt_buf_reserve(buf, 1);
    if (!end || buf->failed)
        return "";
    *end = '\0';
    return buf->data;
}
