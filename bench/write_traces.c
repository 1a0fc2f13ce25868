/* write_traces.c - a process that records as fast as the recorder can: what `mtrace top` has to look at.
 * Calls a tree of functions that do nothing, over and over, and prints how many events that were.
 *
 *     write_traces DIRECTORY SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

enum { FUNCS = 500, ROUNDS = 4096 };

static uint32_t ids[FUNCS];
static uint64_t n_events;

static void call(uint32_t func, uint32_t depth)
{
    mt_emit(mt__slot, MT_KIND_PY_BEGIN, ids[func % FUNCS]);
    for (uint32_t i = 1; depth > 0 && i <= 3; i++)
        call(func * 3 + i, depth - 1);
    mt_emit(mt__slot, MT_KIND_PY_END, ids[func % FUNCS]);
    n_events += 2;
}

int main(int argc, char **argv)
{
    int error;
    if (argc != 3) {
        fprintf(stderr, "usage: write_traces DIRECTORY SECONDS\n");
        return 2;
    }
    char *directory = realpath(argv[1], NULL);
    struct mt_core_config config = {.directory = directory != NULL ? directory : argv[1],
                                    .program = "writer",
                                    .origin = MT_ORIGIN_API,
                                    .engine = MT_ENGINE_CORE};
    if (mt_core_start(&config, &error) != MT_OK || !mt_core_ready(MT_KIND_PY_BEGIN)) {
        fprintf(stderr, "write_traces: cannot record into %s: %s\n", argv[1], strerror(error));
        return 1;
    }
    for (uint32_t i = 0; i < FUNCS; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "f%u", i);
        ids[i] = mt_core_define_code(name, (uint32_t)n, "writer.c", 8, i + 1, 0);
    }
    uint64_t end = mt_os_monotonic_ns() + (uint64_t)(atof(argv[2]) * 1e9);
    mt_emit(mt__slot, MT_KIND_PY_BEGIN, ids[0]);
    while (mt_os_monotonic_ns() < end)
        for (uint32_t i = 0; i < ROUNDS; i++)
            call(i, 3);
    printf("%llu\n", (unsigned long long)n_events);
    free(directory);
    return 0;
}
