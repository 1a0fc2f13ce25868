/* replay.c - runs a fuzz target over files, without a fuzzer: each as it is, then with its words
 * exchanged for each other in many ways (the same ones every time).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROUNDS 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

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

static uint8_t *read_file(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    uint8_t *data = malloc((size_t)1 << 20);
    *n_bytes = data ? fread(data, 1, (size_t)1 << 20, file) : 0;
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    uint64_t random = UINT64_C(0x853c49e6748fea9b);
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        size_t n_bytes;
        uint8_t *good = read_file(argv[i], &n_bytes);
        if (!good) {
            perror(argv[i]);
            return 1;
        }
        LLVMFuzzerTestOneInput(good, n_bytes);
        uint8_t *data = malloc(n_bytes + 1);
        for (int round = 0; data && round < N_ROUNDS; round++) {
            memcpy(data, good, n_bytes);
            shuffle(data, n_bytes, &random);
            LLVMFuzzerTestOneInput(data, n_bytes);
        }
        free(data);
        free(good);
    }
    printf("%d files\n", argc - 1);
    return 0;
}
