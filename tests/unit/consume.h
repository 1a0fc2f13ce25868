/* consume.h - does with a trace in memory all that the commands do, in every format, whole and sliced,
 * and verifies what a sink may rely on (event.h). For the tests with damaged files and for fuzzing.
 */
#ifndef MT_TESTS_CONSUME_H_
#define MT_TESTS_CONSUME_H_

#include <stddef.h>
#include <stdint.h>

struct consumed {
    unsigned n_errors; /* told by the reader */
    uint64_t n_events;
    int check_status;   /* enum mt_status */
    size_t n_out_bytes; /* of all formats */
};

/* Aborts if an invariant is broken. */
void consume(const void *data, size_t n_bytes, struct consumed *out);

#endif /* MT_TESTS_CONSUME_H_ */
