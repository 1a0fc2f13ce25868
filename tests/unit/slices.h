/* slices.h - slices in short, for their tests: SLICE(.from_ns = 3, .pids = IDS(1, 2), .include = GLOBS("a*")). */
#ifndef MT_TESTS_SLICES_H_
#define MT_TESTS_SLICES_H_

#include "mtrace/reader.h"

#define GLOBS(...)                                                                                 \
    {(const char *const[]){__VA_ARGS__},                                                           \
     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)}
#define IDS(...)                                                                                   \
    {(const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)}
#define SLICE(...) (&(struct mt_slice){__VA_ARGS__})

#endif /* MT_TESTS_SLICES_H_ */
