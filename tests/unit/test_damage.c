/* Tests with damaged files: cut at every length, with flipped bits, with random words. Nothing may
 * crash, and what a sink relies on must hold (consume.c). Run them under ASan, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consume.h"
#include "events_text.h"
#include "trace_builder.h"

#define N_FLIPS 20000

static void make_file(struct tb *tb)
{
    tb_init(tb, 100);
    tb_code(tb, 1, "main", "app.py", 1);
    tb_code(tb, 2, "work", "app.py", 9);
    tb_cfunc(tb, 3, "posix", "fork");
    tb_name(tb, MT_DEF_THREAD, 2, 5, 101, "worker");
    tb_name(tb, MT_DEF_PROCESS, 0, 5, 0, "app");
    tb_name(tb, MT_DEF_NOTE, MT_NOTE_ENGINE, 5, 0, "setprofile");
    size_t first = tb_events(tb, 1, 100, 1000);
    tb_resync(tb, first, 1005, MT_RESYNC_START, 1);
    tb_records(tb, first, 5, "(1 (2 [3 ]3 s2 r2 )2 (2 [3 ?3 !2");
    tb_gap(tb, first, UINT64_C(10000000000));
    tb_records(tb, first, 5, "(2 (2 (2 )1 (1");
    tb_lost(tb, first, 3, UINT64_C(10000009000), MT_LOSS_IO);
    tb_records(tb, tb_events(tb, 2, 101, 2000), 100, "(2 [3 ]3 )2");
    size_t next = tb_events(tb, 1, 100, UINT64_C(10000010000));
    tb_resync(tb, next, UINT64_C(10000010005), MT_RESYNC_LOSS, 2);
    tb_records(tb, next, 0, "(1 (2");
    tb_records(tb, next, 5, ")2 )1");
    tb_records(tb, tb_events(tb, 3, 101, UINT64_C(10000020000)), 1, "(2 )2");
}

static void test_a_whole_file(void **state)
{
    (void)state;
    struct tb tb;
    struct consumed consumed;
    make_file(&tb);
    consume(tb.data, tb.n_bytes, &consumed);
    assert_int_equal(consumed.n_errors, 0);
    assert_int_equal(consumed.check_status, MT_OK);
    assert_int_equal(consumed.n_events, 10 + 5 + 4 + 2 + 2);
    tb_fini(&tb);
}

/* The copy has exactly the length, so that a sanitizer sees a read behind its end. */
static void consume_copy(const unsigned char *data, size_t n_bytes, struct consumed *consumed)
{
    unsigned char *copy = malloc(n_bytes ? n_bytes : 1);
    assert_non_null(copy);
    memcpy(copy, data, n_bytes);
    consume(copy, n_bytes, consumed);
    free(copy);
}

static void test_cut_at_every_length(void **state)
{
    (void)state;
    struct tb tb;
    struct consumed consumed;
    make_file(&tb);
    for (size_t n_bytes = 0; n_bytes < tb.n_bytes; n_bytes++) {
        consume_copy(tb.data, n_bytes, &consumed);
        bool is_whole = n_bytes == 0 || (n_bytes >= 4096 && n_bytes % 4096 == 0);
        assert_int_equal(consumed.n_errors > 0, !is_whole);
        assert_int_equal(consumed.check_status == MT_OK, is_whole);
    }
    tb_fini(&tb);
}

/* What is told of a file that is cut to n_bytes; "" where that looks like a file that is growing. */
static void cut_message(const struct tb *tb, size_t n_bytes, char *text, size_t size)
{
    *text = '\0';
    if (n_bytes && n_bytes < MT_FILE_HEADER_BYTES)
        snprintf(text, size, "%d 0.trace %zu ends within its header\n", MT_TRUNCATED, n_bytes);
    for (size_t i = 0; i < tb->n_chunks; i++) {
        const struct tb_chunk *chunk = &tb->chunks[i];
        if (n_bytes <= chunk->offset || n_bytes >= chunk->end)
            continue;
        if (n_bytes < chunk->offset + MT_CHUNK_HEADER_BYTES)
            snprintf(text, size, "%d 0.trace %zu ends within a chunk's header\n", MT_TRUNCATED,
                     n_bytes);
        else
            snprintf(text, size, "%d 0.trace %zu ends within the chunk at offset %zu\n",
                     MT_TRUNCATED, n_bytes, chunk->offset);
    }
}

static void test_every_cut_is_told(void **state)
{
    (void)state;
    struct tb tb;
    struct told told;
    make_file(&tb);
    for (size_t n_bytes = 1; n_bytes < tb.n_bytes; n_bytes++) {
        struct tb cut = {.data = tb.data, .n_bytes = n_bytes};
        struct tb *file = &cut;
        char expected[128];
        cut_message(&tb, n_bytes, expected, sizeof expected);
        struct mt_set *set = set_of(&file, 1, &told);
        assert_string_equal(mt_buf_text(&told.text), expected);
        mt_set_free(set);
        told_fini(&told);
    }
    tb_fini(&tb);
}

/* xorshift64: the same in every run. */
static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Flips in the pages that have something in them, most of them where that is. */
static size_t random_offset(const struct tb *tb, uint64_t *random)
{
    size_t offset = next_random(random) % tb->n_bytes;
    return next_random(random) % 8 ? offset / 4096 * 4096 + offset % 400 : offset;
}

static void test_flipped_bits(void **state)
{
    (void)state;
    struct tb tb;
    struct consumed consumed;
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    make_file(&tb);
    unsigned char *good = malloc(tb.n_bytes);
    assert_non_null(good);
    memcpy(good, tb.data, tb.n_bytes);
    for (int i = 0; i < N_FLIPS; i++) {
        uint64_t n_flips = next_random(&random) % 3 + 1;
        memcpy(tb.data, good, tb.n_bytes);
        for (uint64_t k = 0; k < n_flips; k++)
            tb.data[random_offset(&tb, &random)] ^= (unsigned char)(1u << next_random(&random) % 8);
        consume(tb.data, tb.n_bytes, &consumed);
    }
    free(good);
    tb_fini(&tb);
}

static void test_random_words(void **state)
{
    (void)state;
    struct tb tb;
    struct consumed consumed;
    uint64_t random = UINT64_C(0x2545f4914f6cdd1d);
    make_file(&tb);
    for (int i = 0; i < 2000; i++) {
        for (size_t chunk = 0; chunk < tb.n_chunks; chunk++) {
            size_t at = tb.chunks[chunk].offset + MT_CHUNK_HEADER_BYTES;
            for (; at < tb.chunks[chunk].end; at += 8) {
                uint64_t word = next_random(&random);
                if (i % 2) /* likely kinds, small ids */
                    word &= UINT64_C(0x000000fff0000007);
                memcpy(tb.data + at, &word, 8);
            }
        }
        consume(tb.data, tb.n_bytes, &consumed);
    }
    tb_fini(&tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_file),      cmocka_unit_test(test_cut_at_every_length),
        cmocka_unit_test(test_every_cut_is_told), cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_random_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
