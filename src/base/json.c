/* json.c - the JSON string writer of json.h. Used by the sinks.
 */
#include "base/json.h"

#include "base/buf.h"
#include "base/utf8.h"

/* As \u005c at the end, since there are readers that take \\" for an escaped quote (Perfetto's v52). */
static void escape_punctuation(struct mt_buf *out, unsigned char c, bool is_last)
{
    if (c == '"')
        mt_buf_append(out, "\\\"", 2);
    else if (is_last)
        mt_buf_append(out, "\\u005c", 6);
    else
        mt_buf_append(out, "\\\\", 2);
}

static void escape_control(struct mt_buf *out, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    switch (c) {
    case '\n': mt_buf_append(out, "\\n", 2); return;
    case '\t': mt_buf_append(out, "\\t", 2); return;
    case '\r': mt_buf_append(out, "\\r", 2); return;
    default: break;
    }
    const char text[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    mt_buf_append(out, text, sizeof text);
}

void mt_json_escape(struct mt_buf *out, const char *text, size_t n_bytes)
{
    size_t plain = 0; /* bytes before `at` that need nothing and are not yet written */
    size_t at = 0;
    if (!n_bytes) /* `text` may be NULL then, as that of an empty buffer is */
        return;
    while (at < n_bytes) {
        unsigned char c = (unsigned char)text[at];
        size_t length = mt_utf8_char(text + at, n_bytes - at);
        if (length && c >= 0x20 && c != '"' && c != '\\') {
            at += length;
            plain += length;
            continue;
        }
        mt_buf_append(out, text + at - plain, plain);
        plain = 0;
        if (!length)
            mt_buf_append(out, "\xef\xbf\xbd", 3);
        else if (c < 0x20)
            escape_control(out, c);
        else
            escape_punctuation(out, c, at + 1 == n_bytes);
        at++;
    }
    mt_buf_append(out, text + at - plain, plain);
}

void mt_json_string(struct mt_buf *out, const char *text, size_t n_bytes)
{
    mt_buf_append_char(out, '"');
    mt_json_escape(out, text, n_bytes);
    mt_buf_append_char(out, '"');
}
