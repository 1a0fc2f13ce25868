/* wellformed_view.c - the page of `mtrace view`; see wellformed.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "view/page.h"
#include "wellformed.h"

#define OPENING "<script type=text/plain "
#define CLOSING "</script>\n"

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* False: it is not all base64. */
static bool decode(const char *text, size_t n, struct mt_buf *out)
{
    uint32_t bits = 0, n_bits = 0;
    if (n % 4)
        return false;
    for (int i = 0; n && i < 2 && text[n - 1] == '='; i++)
        n--;
    for (size_t i = 0; i < n; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits >= 8)
            mt_buf_append_char(out, (char)(bits >> (n_bits -= 8) & 255));
    }
    return true;
}

/* <script type=text/plain ATTRIBUTES data-bytes=N>BASE64</script> */
static const char *element(const char *from, const char *end, const char **next, bool *is_head)
{
    struct mt_buf bytes = {0};
    size_t at, n_opening = sizeof OPENING - 1, n_closing = sizeof CLOSING - 1;
    const char *content = memchr(from, '>', (size_t)(end - from)), *fault = NULL;
    const char *close = memmem(from, (size_t)(end - from), CLOSING, n_closing);
    if ((size_t)(end - from) < n_opening || memcmp(from, OPENING, n_opening) != 0 || !content ||
        !close || close < content)
        return "something that is no element";
    const char *size = memmem(from, (size_t)(content - from), "data-bytes=", 11);
    *is_head = memmem(from, (size_t)(content - from), "id=head", 7);
    *next = close + n_closing;
    if (!decode(content + 1, (size_t)(close - content) - 1, &bytes))
        fault = "an element that is not base64";
    else if (!size || strtoull(size + 11, NULL, 10) != bytes.n_bytes)
        fault = "an element of another size than it says";
    else if (*is_head)
        fault = wellformed_json(bytes.data, bytes.n_bytes, &at);
    mt_buf_fini(&bytes);
    return fault;
}

const char *wellformed_view(const char *text, size_t n_bytes, size_t *at)
{
    const char *from = text + mt_view_before_bytes;
    bool is_head = false;
    *at = 0;
    if (n_bytes < mt_view_before_bytes + mt_view_behind_bytes ||
        memcmp(text, mt_view_before, mt_view_before_bytes) != 0)
        return "not the page's beginning";
    const char *end = text + n_bytes - mt_view_behind_bytes;
    if (memcmp(end, mt_view_behind, mt_view_behind_bytes) != 0)
        return "not the page's end";
    while (from < end) {
        *at = (size_t)(from - text);
        const char *fault = element(from, end, &from, &is_head);
        if (fault)
            return fault;
    }
    return is_head ? NULL : "no head at the end";
}
