/* fuzz_trace.c - a whole trace file out of any bytes: all that the commands do with one (consume.c).
 *
 * With libFuzzer:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -std=gnu11 -Iinclude -Isrc -Itests/unit \
 *       src/base/[a-z]*.c src/reader/[a-z]*.c src/sink/[a-z]*.c tests/unit/consume.c \
 *       tests/fuzz/fuzz_trace.c -o /tmp/fuzz_trace && /tmp/fuzz_trace CORPUS tests/golden
 * Without: replay.c runs it over files, as an ordinary test.
 */
#include <stddef.h>
#include <stdint.h>

#include "consume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct consumed consumed;
    if (n_bytes <= (size_t)1 << 20)
        consume(data, n_bytes, &consumed);
    return 0;
}
