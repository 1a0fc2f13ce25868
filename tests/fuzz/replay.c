/* replay.c - runs the fuzz targets without a fuzzer, as an ordinary test:
 *   corpus/TARGET.txt   each line is an input of that target; # begins a comment. Scripts are as they
 *                       are; of words, lines are their bytes in hex, and "+N" is N zeros
 *   corpus/scripts.txt  the same for every target that takes scripts
 *   other files         the target "trace", as they are and then with their words exchanged for each
 *                       other in many ways (the same ones every time)
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "targets.h"

#define N_ROUNDS 3000
#define MAX_BYTES ((size_t)1 << 20)

static void fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

static uint8_t *read_file(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(MAX_BYTES);
    if (!file || !data) {
        perror(path);
        exit(1);
    }
    *n_bytes = fread(data, 1, MAX_BYTES, file);
    fclose(file);
    return data;
}

/* In memory of just that length, so that a sanitizer sees a read behind its end. */
static void run(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    uint8_t *copy = malloc(n_bytes ? n_bytes : 1);
    if (!copy)
        abort();
    if (n_bytes)
        memcpy(copy, data, n_bytes);
    target->run(target, copy, n_bytes);
    free(copy);
}

/* ---------------------------------------------------------------------------------------- words */

/* xorshift64 */
static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Copies some words of the file to other places of it, which keeps more sense than flipping bits. */
static void shuffle(uint8_t *data, size_t n_bytes, uint64_t *random)
{
    size_t n_words = n_bytes / 8;
    for (uint64_t i = next_random(random) % 8; n_words && i < 8; i++) {
        size_t from = next_random(random) % n_words, to = next_random(random) % n_words;
        memmove(data + 8 * to, data + 8 * from, 8);
    }
}

static void run_shuffled(const char *path)
{
    static uint64_t random = UINT64_C(0x853c49e6748fea9b);
    const struct fuzz_target *target = fuzz_target_named("trace", 5);
    size_t n_bytes;
    uint8_t *good = read_file(path, &n_bytes), *data = malloc(n_bytes + 1);
    run(target, good, n_bytes);
    for (int round = 0; data && round < N_ROUNDS; round++) {
        memcpy(data, good, n_bytes);
        shuffle(data, n_bytes, &random);
        run(target, data, n_bytes);
    }
    free(data);
    free(good);
}

/* --------------------------------------------------------------------------------------- corpus */

/* The bytes that a line of hex stands for. */
static size_t unpack(const char *path, const char *line, const char *end, uint8_t *data)
{
    size_t n_bytes = 0;
    while (line < end && n_bytes < MAX_BYTES) {
        char *stop;
        char digits[3] = {line[0], line[1], '\0'};
        if (*line == '+') {
            size_t n = strtoul(line + 1, &stop, 10);
            n = n < MAX_BYTES - n_bytes ? n : MAX_BYTES - n_bytes;
            memset(data + n_bytes, 0, n);
            n_bytes += n;
            line = stop;
        } else if (*line == ' ') {
            line++;
        } else {
            data[n_bytes++] = (uint8_t)strtoul(digits, &stop, 16);
            if (stop != digits + 2)
                fail(path, "a line that is not in hex");
            line += 2;
        }
    }
    return n_bytes;
}

static size_t run_line(const struct fuzz_target *target, const char *path, const char *line,
                       const char *end)
{
    static uint8_t data[MAX_BYTES];
    if (line == end || *line == '#')
        return 0;
    if (target->input == FUZZ_SCRIPT)
        run(target, (const uint8_t *)line, (size_t)(end - line));
    else
        run(target, data, unpack(path, line, end, data));
    return 1;
}

/* How many inputs a file of a corpus has; all are run. */
static size_t run_corpus(const char *path, const struct fuzz_target *target)
{
    size_t n_bytes, n = 0;
    char *text = (char *)read_file(path, &n_bytes), *end = text + n_bytes;
    if (n_bytes == MAX_BYTES || (n_bytes && end[-1] != '\n'))
        fail(path, "too long, or its last line has no end");
    for (char *line = text, *stop; line < end; line = stop + 1) {
        stop = memchr(line, '\n', (size_t)(end - line));
        n += run_line(target, path, line, stop);
    }
    free(text);
    return n;
}

/* Whether the file is a corpus of the target. */
static bool is_of(const char *path, const struct fuzz_target *target)
{
    const char *name = strrchr(path, '/') + 1;
    size_t n = strlen(name) - strlen(".txt");
    return fuzz_target_named(name, n) == target ||
           (target->input == FUZZ_SCRIPT && !strcmp(name, "scripts.txt"));
}

/* How many inputs were run. */
static size_t run_file(const char *path)
{
    size_t n = 0;
    if (!strstr(path, "/corpus/")) {
        run_shuffled(path);
        return N_ROUNDS;
    }
    for (const struct fuzz_target *target = fuzz_targets; target->name; target++)
        n += is_of(path, target) ? run_corpus(path, target) : 0;
    if (!n)
        fail(path, "there is no such target, or nothing in it");
    return n;
}

int main(int argc, char **argv)
{
    size_t n_inputs = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        n_inputs += run_file(argv[i]);
    printf("%zu inputs of %d files\n", n_inputs, argc - 1);
    return 0;
}
