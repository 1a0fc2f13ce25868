/* targets.h - the fuzz targets: what is done with an input, by the name of the folder of its corpus.
 */
#ifndef MT_TESTS_TARGETS_H_
#define MT_TESTS_TARGETS_H_

#include <stddef.h>
#include <stdint.h>

enum fuzz_input {
    FUZZ_SCRIPT, /* script.h */
    FUZZ_WORDS,  /* of 8 bytes, such as a trace file consists of */
};

struct fuzz_target {
    const char *name;
    enum fuzz_input input;
    /* Aborts if something is not as it should be. */
    void (*run)(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes);
};

/* Ends with a row without a name. */
extern const struct fuzz_target fuzz_targets[];

/* NULL: there is none. */
const struct fuzz_target *fuzz_target_named(const char *name, size_t n_bytes);

#endif /* MT_TESTS_TARGETS_H_ */
