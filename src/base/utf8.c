/* utf8.c - validation of UTF-8 (RFC 3629). Used by the JSON writer and by `mtrace check`.
 */
#include "base/utf8.h"

#include <stdint.h>

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t mt_utf8_char(const char *text, size_t n_bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    if (!n_bytes)
        return 0;
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || length > n_bytes)
        return 0;
    /* The second byte's range keeps out overlong forms, surrogates and what is too large. */
    unsigned char low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (!is_tail(at[i]))
            return 0;
    }
    return length;
}

bool mt_utf8_valid(const char *text, size_t n_bytes, size_t *n_good)
{
    size_t at = 0;
    while (at < n_bytes) {
        size_t length = mt_utf8_char(text + at, n_bytes - at);
        if (!length)
            break;
        at += length;
    }
    if (n_good)
        *n_good = at;
    return at == n_bytes;
}
