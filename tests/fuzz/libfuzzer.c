/* libfuzzer.c - the targets for libFuzzer, and how inputs are changed: along their structure, so that what
 * comes out is mostly taken and seldom refused at its first bytes. fuzz.sh runs it.
 *
 * MTRACE_FUZZ_TARGET says which target it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "targets.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n_bytes, size_t max_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n_bytes, size_t max_bytes, unsigned seed);

static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("MTRACE_FUZZ_TARGET");
    (void)argc;
    (void)argv;
    target = name ? fuzz_target_named(name, strlen(name)) : NULL;
    if (target)
        return 0;
    fprintf(stderr, "MTRACE_FUZZ_TARGET is one of");
    for (target = fuzz_targets; target->name; target++)
        fprintf(stderr, " %s", target->name);
    fputc('\n', stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    target->run(target, data, n_bytes);
    return 0;
}

/* xorshift64 */
static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* -------------------------------------------------------------------------------------- scripts */

static uint8_t any_operand(uint64_t *random)
{
    static const char operands[] = "0123456789abcdefghij0123450123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123*?[](/-";
    return (uint8_t)operands[next_random(random) % (sizeof operands - 1)];
}

static size_t step_length(uint8_t letter)
{
    for (size_t i = 0; i < script_n_ops; i++) {
        if ((uint8_t)script_ops[i].letter == letter)
            return 1u + script_ops[i].n_operands;
    }
    return 1;
}

/* The beginning of some step. */
static size_t any_step(const uint8_t *text, size_t n_bytes, uint64_t *random)
{
    size_t wanted = n_bytes ? next_random(random) % n_bytes : 0, at = 0;
    while (at < n_bytes && at + step_length(text[at]) <= wanted)
        at += step_length(text[at]);
    return at < n_bytes ? at : n_bytes;
}

static size_t insert(uint8_t *text, size_t n_bytes, size_t max_bytes, size_t at,
                     const uint8_t *inserted, size_t n)
{
    if (n > max_bytes - n_bytes)
        return n_bytes;
    memmove(text + at + n, text + at, n_bytes - at);
    memcpy(text + at, inserted, n);
    return n_bytes + n;
}

static size_t insert_step(uint8_t *text, size_t n_bytes, size_t max_bytes, uint64_t *random)
{
    const struct script_op *op = &script_ops[next_random(random) % script_n_ops];
    uint8_t step[8] = {(uint8_t)op->letter};
    for (size_t i = 0; i < op->n_operands; i++)
        step[1 + i] = any_operand(random);
    return insert(text, n_bytes, max_bytes, any_step(text, n_bytes, random), step,
                  1u + op->n_operands);
}

static size_t remove_steps(uint8_t *text, size_t n_bytes, uint64_t *random)
{
    size_t from = any_step(text, n_bytes, random), to = from;
    for (uint64_t i = next_random(random) % 4; to < n_bytes && i < 4; i++)
        to += step_length(text[to]);
    to = to < n_bytes ? to : n_bytes;
    memmove(text + from, text + to, n_bytes - to);
    return n_bytes - (to - from);
}

static size_t copy_steps(uint8_t *text, size_t n_bytes, size_t max_bytes, uint64_t *random)
{
    uint8_t kept[256];
    size_t from = any_step(text, n_bytes, random), n = next_random(random) % 64;
    n = n < n_bytes - from ? n : n_bytes - from;
    memcpy(kept, text + from, n);
    return insert(text, n_bytes, max_bytes, any_step(text, n_bytes, random), kept, n);
}

static size_t mutate_script(uint8_t *text, size_t n_bytes, size_t max_bytes, uint64_t *random)
{
    switch (next_random(random) % 8) {
    case 0:
        n_bytes = LLVMFuzzerMutate(text, n_bytes, max_bytes);
        for (size_t i = 0; i < n_bytes; i++)
            text[i] = text[i] < ' ' || text[i] > '~' ? any_operand(random) : text[i];
        return n_bytes;
    case 1:
    case 2: return remove_steps(text, n_bytes, random);
    case 3: return copy_steps(text, n_bytes, max_bytes, random);
    case 4:
    case 5:
        if (n_bytes)
            text[next_random(random) % n_bytes] = any_operand(random);
        return n_bytes;
    default: return insert_step(text, n_bytes, max_bytes, random);
    }
}

/* ---------------------------------------------------------------------------------------- words */

/* A record or the head of a definition, with a small id. */
static uint64_t any_word(uint64_t *random)
{
    static const uint8_t kinds[] = {1, 1, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 11, 15, 0};
    uint64_t id = next_random(random) % 16, n = next_random(random) % 8;
    switch (next_random(random) % 8) {
    case 0: return mt_def_pack((enum mt_def)(n ? n : 1), (uint32_t)id, 1 + (uint32_t)id % 4);
    case 1:
        return mt_record_pack(id, MT_KIND_EXT,
                              mt_ext_id((enum mt_ext)(n % 4), 2 + (uint32_t)n % 3));
    case 2: return mt_record_pack(0, MT_KIND_GAP, 3);
    case 3: return script_number(any_operand(random));
    default:
        return mt_record_pack(n, (enum mt_kind)kinds[next_random(random) % sizeof kinds],
                              (uint32_t)id);
    }
}

static void change_words(uint8_t *data, size_t n_words, uint64_t *random)
{
    for (uint64_t i = next_random(random) % 8; n_words && i < 8; i++) {
        size_t to = next_random(random) % n_words, from = next_random(random) % n_words;
        uint64_t word = any_word(random);
        if (next_random(random) % 2) /* most of a file is zeros: where there is something */
            to = to / 512 * 512 + to % 512 % 40;
        if (next_random(random) % 3)
            memcpy(data + 8 * to, &word, 8);
        else
            memmove(data + 8 * to, data + 8 * from, 8);
    }
}

/* What is refused at once is wrong only now and then. */
static void mend_header(uint8_t *data, size_t n_bytes, uint64_t *random)
{
    struct mt_file_header header = {0};
    if (next_random(random) % 16 == 0)
        return;
    memcpy(&header, data, n_bytes < sizeof header ? n_bytes : sizeof header);
    header.magic = MT_FILE_MAGIC;
    header.major = MT_FORMAT_MAJOR;
    header.header_bytes = MT_FILE_HEADER_BYTES;
    header.tick_shift %= 32;
    memcpy(data, &header, n_bytes < sizeof header ? n_bytes : sizeof header);
}

static void mend_chunks(uint8_t *data, size_t n_bytes, uint64_t *random)
{
    struct mt_chunk_header header;
    for (size_t at = MT_FILE_HEADER_BYTES; at + sizeof header <= n_bytes;) {
        memcpy(&header, data + at, sizeof header);
        if (next_random(random) % 32) {
            header.magic = MT_CHUNK_MAGIC;
            if (!header.size_bytes || header.size_bytes % MT_PAGE_BYTES ||
                header.size_bytes > n_bytes)
                header.size_bytes = MT_PAGE_BYTES;
            if (header.type != MT_CHUNK_EVENTS && header.type != MT_CHUNK_DEFS)
                header.type = 1 + next_random(random) % 2;
        }
        memcpy(data + at, &header, sizeof header);
        at += header.size_bytes ? header.size_bytes : MT_PAGE_BYTES;
    }
}

static size_t mutate_words(uint8_t *data, size_t n_bytes, size_t max_bytes, uint64_t *random)
{
    if (next_random(random) % 3 == 0)
        n_bytes = LLVMFuzzerMutate(data, n_bytes, max_bytes);
    else
        change_words(data, n_bytes / 8, random);
    bool is_file = !strcmp(target->name, "trace");
    if (is_file || !strcmp(target->name, "header"))
        mend_header(data, n_bytes, random);
    if (is_file)
        mend_chunks(data, n_bytes, random);
    return n_bytes;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n_bytes, size_t max_bytes, unsigned seed)
{
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    next_random(&random);
    if (target->input == FUZZ_SCRIPT)
        return mutate_script(data, n_bytes, max_bytes, &random);
    return mutate_words(data, n_bytes, max_bytes, &random);
}
