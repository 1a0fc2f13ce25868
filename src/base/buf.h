/* buf.h - a growable byte buffer, also used to build strings.
 *
 * Appending never fails visibly: when memory runs out, `failed` is set, the buffer keeps what it
 * had, and further appends do nothing. Whoever uses the result looks at `failed` once, at the end.
 * Owned by one thread at a time.
 */
#ifndef MT_BASE_BUF_H_
#define MT_BASE_BUF_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mt_buf {
    char *data; /* NULL while capacity is 0 */
    size_t n_bytes;
    size_t capacity;
    bool failed; /* out of memory; stays set until mt_buf_fini */
};

/* All zeros is an empty buffer, too. */
void mt_buf_init(struct mt_buf *buf);
void mt_buf_fini(struct mt_buf *buf);

/* Empties it and keeps the memory. */
static inline void mt_buf_clear(struct mt_buf *buf)
{
    buf->n_bytes = 0;
}

/* Makes room for n_bytes more; false when there is no memory. */
bool mt_buf_grow(struct mt_buf *buf, size_t n_bytes);

/* Where the next n_bytes may be written, or NULL; mt_buf_commit says how many were. */
static inline char *mt_buf_reserve(struct mt_buf *buf, size_t n_bytes)
{
    if (buf->capacity - buf->n_bytes < n_bytes && !mt_buf_grow(buf, n_bytes))
        return NULL;
    return buf->data + buf->n_bytes;
}
static inline void mt_buf_commit(struct mt_buf *buf, size_t n_bytes)
{
    buf->n_bytes += n_bytes;
}

static inline void mt_buf_append(struct mt_buf *buf, const void *data, size_t n_bytes)
{
    char *at = n_bytes ? mt_buf_reserve(buf, n_bytes) : NULL;
    if (!at)
        return;
    memcpy(at, data, n_bytes);
    buf->n_bytes += n_bytes;
}
static inline void mt_buf_append_text(struct mt_buf *buf, const char *text)
{
    mt_buf_append(buf, text, strlen(text));
}
static inline void mt_buf_append_char(struct mt_buf *buf, char c)
{
    mt_buf_append(buf, &c, 1);
}
/* Decimal digits. */
void mt_buf_append_u64(struct mt_buf *buf, uint64_t value);
void mt_buf_printf(struct mt_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The content as a string (a NUL follows it that n_bytes does not count); "" when out of memory. */
const char *mt_buf_text(struct mt_buf *buf);

#endif /* MT_BASE_BUF_H_ */
