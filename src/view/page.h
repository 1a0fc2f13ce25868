/* page.h - the page of `mtrace view` without its data: what stands before it and behind it. embed.sh
 * makes both of the files beside this one, when the program is built.
 */
#ifndef MT_VIEW_PAGE_H_
#define MT_VIEW_PAGE_H_

#include <stddef.h>

extern const unsigned char mt_view_before[], mt_view_behind[];
extern const size_t mt_view_before_bytes, mt_view_behind_bytes;

#endif /* MT_VIEW_PAGE_H_ */
