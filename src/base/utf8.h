/* utf8.h - is it UTF-8?
 */
#ifndef MT_BASE_UTF8_H_
#define MT_BASE_UTF8_H_

#include <stdbool.h>
#include <stddef.h>

/* The length of the character at `text` (1 to 4), or 0 if no valid one of at most n_bytes begins
 * there: overlong forms, surrogates and numbers above U+10FFFF are not valid. */
size_t mt_utf8_char(const char *text, size_t n_bytes);

/* Whether all of it is valid; else *n_good is how many bytes before the fault are. */
bool mt_utf8_valid(const char *text, size_t n_bytes, size_t *n_good);

#endif /* MT_BASE_UTF8_H_ */
