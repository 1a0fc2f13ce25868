/* emit_bench.c - what one event costs in C, without an interpreter: the clock alone, a record in a
 * chunk that is there, and all of it, taking chunks included. Prints one JSON object; times are
 * medians of ROUNDS interleaved rounds, in nanoseconds per event.
 *
 *     emit_bench DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

enum { ROUNDS = 21, EVENTS = 1 << 20, IN_CHUNK = 16384 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static double clock_alone(void)
{
    struct mt_slot *slot = mt__slot;
    uint64_t sum = 0, start = mt_os_monotonic_ns();
    for (int i = 0; i < EVENTS; i++)
        sum += mt__ticks(slot);
    uint64_t end = mt_os_monotonic_ns();
    __asm__ volatile("" : : "r"(sum));
    return (double)(end - start) / (double)EVENTS;
}

/* The thread's own chunk over and over: what is measured is not kept. */
static double chunk_there(uint32_t id)
{
    struct mt_slot *slot = mt__slot;
    uint64_t *first = slot->next, total = 0;
    for (int i = 0; i < EVENTS / IN_CHUNK; i++) {
        uint64_t start = mt_os_monotonic_ns();
        for (int j = 0; j < IN_CHUNK; j++)
            mt_emit(mt__slot, j & 1 ? MT_KIND_PY_END : MT_KIND_PY_BEGIN, id);
        total += mt_os_monotonic_ns() - start;
        slot->next = first;
    }
    return (double)total / (double)EVENTS;
}

static double everything(uint32_t id)
{
    uint64_t start = mt_os_monotonic_ns();
    for (int i = 0; i < EVENTS; i++)
        mt_emit(mt__slot, i & 1 ? MT_KIND_PY_END : MT_KIND_PY_BEGIN, id);
    return (double)(mt_os_monotonic_ns() - start) / (double)EVENTS;
}

/* Until the thread has a chunk of the largest size with room for one round of chunk_there(). */
static void fresh_chunk(uint32_t id)
{
    while (mt__slot->end - mt__slot->next < IN_CHUNK)
        mt_emit(mt__slot, MT_KIND_PY_BEGIN, id);
}

int main(int argc, char **argv)
{
    static double alone[ROUNDS], there[ROUNDS], all[ROUNDS];
    int error;
    if (argc != 2) {
        fprintf(stderr, "usage: emit_bench DIRECTORY\n");
        return 2;
    }
    char *directory = realpath(argv[1], NULL);
    struct mt_core_config config = {.directory = directory != NULL ? directory : argv[1],
                                    .program = "emit_bench",
                                    .origin = MT_ORIGIN_API,
                                    .engine = MT_ENGINE_CORE};
    if (mt_core_start(&config, &error) != MT_OK || !mt_core_ready(MT_KIND_PY_BEGIN)) {
        fprintf(stderr, "emit_bench: cannot record into %s: %s\n", argv[1], strerror(error));
        return 1;
    }
    uint32_t id = mt_core_define_code("f", 1, "emit_bench.c", 12, 1, 0);
    for (int i = 0; i < ROUNDS; i++) {
        alone[i] = clock_alone();
        fresh_chunk(id);
        there[i] = chunk_there(id);
        all[i] = everything(id);
    }
    printf("{\"clock_ns\": %.2f, \"chunk_there_ns\": %.2f, \"everything_ns\": %.2f, "
           "\"events\": %d}\n",
           median(alone), median(there), median(all), EVENTS * ROUNDS);
    char path[4096];
    snprintf(path, sizeof path, "%s", mt_core_path());
    mt_core_stop(true);
    remove(path);
    free(directory);
    return 0;
}
