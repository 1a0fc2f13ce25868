/* json.h - text as JSON strings that every reader accepts.
 */
#ifndef MT_BASE_JSON_H_
#define MT_BASE_JSON_H_

#include <stddef.h>

struct mt_buf;

/* Appends the text as it stands inside a string: quotes, backslashes and bytes below 0x20 escaped,
 * each byte that is not UTF-8 replaced by U+FFFD. */
void mt_json_escape(struct mt_buf *out, const char *text, size_t n_bytes);

/* The same with the quotes around it. */
void mt_json_string(struct mt_buf *out, const char *text, size_t n_bytes);

#endif /* MT_BASE_JSON_H_ */
