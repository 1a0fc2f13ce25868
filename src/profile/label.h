/* label.h - what functions are called in reports and profiles: as cProfile calls them.
 */
#ifndef MT_PROFILE_LABEL_H_
#define MT_PROFILE_LABEL_H_

#include "base/buf.h"
#include "mtrace/event.h"

/* The name in the code object (co_name): a qualified name's last part. Borrowed. */
struct mt_text mt_label_short_name(const struct mt_func *func);

/* A C function by cProfile's name: "<built-in method math.sqrt>", "<method 'append' of 'list'
 * objects>". A trace does not say whether the owner is a type or a module. It is taken for a
 * type if it is one of CPython's or its library's, or begins with a capital letter. */
void mt_label_builtin(const struct mt_func *func, struct mt_buf *out);

/* "/srv/app.py:12(Class.method)", "{method 'append' of 'list' objects}". Any bytes. */
void mt_label_put(const struct mt_func *func, struct mt_buf *out);

/* "Class.method", "list.append". Any bytes. */
void mt_label_put_name(const struct mt_func *func, struct mt_buf *out);

#endif /* MT_PROFILE_LABEL_H_ */
