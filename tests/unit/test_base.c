/* Tests of src/base: buffers, arrays, maps, arenas, UTF-8, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/utf8.h"

static void test_buf_grows(void **state)
{
    (void)state;
    struct mt_buf buf;
    mt_buf_init(&buf);
    for (int i = 0; i < 1000; i++)
        mt_buf_append_text(&buf, "0123456789");
    assert_int_equal(buf.n_bytes, 10000);
    assert_memory_equal(buf.data + 9990, "0123456789", 10);
    mt_buf_clear(&buf);
    mt_buf_append_u64(&buf, 0);
    mt_buf_append_char(&buf, ' ');
    mt_buf_append_u64(&buf, UINT64_MAX);
    mt_buf_printf(&buf, " %s %d", "x", -1);
    assert_string_equal(mt_buf_text(&buf), "0 18446744073709551615 x -1");
    mt_buf_fini(&buf);
}

static void test_buf_remembers_failure(void **state)
{
    (void)state;
    struct mt_buf buf = {0};
    mt_buf_append_text(&buf, "ab");
    assert_null(mt_buf_reserve(&buf, SIZE_MAX - 1));
    assert_true(buf.failed);
    mt_buf_append_text(&buf, "a longer text than the buffer has room for, so that it has to grow");
    assert_int_equal(buf.n_bytes, 2);
    mt_buf_fini(&buf);
}

static void test_array_room(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(MT_ARRAY_ROOM(items, capacity, i + 1));
        items[i] = i;
    }
    assert_true(capacity >= 1000 && items[999] == 999);
    assert_false(MT_ARRAY_ROOM(items, capacity, SIZE_MAX / 2));
    assert_int_equal(items[500], 500);
    free(items);
}

static void test_map_keeps_all_keys(void **state)
{
    (void)state;
    struct mt_map map = {0};
    bool is_new;
    assert_null(mt_map_find(&map, 0));
    for (uint64_t i = 0; i < 5000; i++) {
        assert_non_null(mt_map_put(&map, i * i, (uint32_t)i, &is_new));
        assert_true(is_new);
    }
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(*mt_map_find(&map, i * i), i);
    assert_null(mt_map_find(&map, 2));
    assert_int_equal(*mt_map_put(&map, 4, 77, &is_new), 2);
    assert_false(is_new);
    mt_map_fini(&map);
}

/* x with mt_hash_u64(x) == hash: nothing in it is a secret. */
static uint64_t unhash_u64(uint64_t hash)
{
    static const uint64_t inverses[] = {UINT64_C(0x9cb4b2f8129337db), UINT64_C(0x4f74430c22a54005)};
    for (int i = 0; i < 2; i++) {
        hash ^= hash >> 33;
        hash *= inverses[i];
    }
    return hash ^ hash >> 33;
}

/* Names chosen so that all have one hash have many with a secret, whatever it is. */
static void test_chosen_names_meet_nowhere(void **state)
{
    enum { N = 1000 };
    static uint64_t names[N][2];
    static uint32_t places[2 * N];
    uint32_t n_met = 0;
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        names[i][0] = i;
        names[i][1] = unhash_u64(7) ^ mt_hash_u64((16 * UINT64_C(0x9e3779b97f4a7c15)) ^ i);
        assert_int_equal(mt_hash_bytes(names[i], 16, 0), mt_hash_bytes(names[0], 16, 0));
    }
    for (int i = 0; i < N; i++)
        n_met += places[mt_hash_bytes(names[i], 16, UINT64_C(0x1234567890abcdef)) % (2 * N)]++ > 0;
    assert_in_range(n_met, 1, N / 3); /* about 210, as of any names */
}

/* The same of numbers, in a map. */
static void test_a_secret_moves_keys(void **state)
{
    struct mt_map maps[2] = {{0}, {0}};
    uint32_t n_moved = 0;
    (void)state;
    for (int m = 0; m < 2; m++, mt_hash_secret = UINT64_C(0x1234567890abcdef)) {
        for (uint64_t i = 0; i < 100; i++)
            assert_non_null(mt_map_put(&maps[m], i, 0, NULL));
    }
    for (size_t i = 0; i < maps[0].n_slots; i++)
        n_moved += maps[0].slots[i].key != maps[1].slots[i].key;
    assert_true(n_moved > 50);
    for (uint64_t i = 0; i < 100; i++)
        assert_non_null(mt_map_find(&maps[1], i));
    mt_hash_secret = 0;
    mt_map_fini(&maps[0]);
    mt_map_fini(&maps[1]);
}

static void test_arena_pieces_stay(void **state)
{
    (void)state;
    struct mt_arena arena = {0};
    char *pieces[2000];
    for (int i = 0; i < 2000; i++) {
        size_t n = (size_t)(i % 37 == 0 ? 20000 : i % 50 + 1);
        pieces[i] = mt_arena_bytes(&arena, n);
        assert_non_null(pieces[i]);
        memset(pieces[i], i & 0x7f, n);
    }
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(pieces[i][0], i & 0x7f);
        assert_int_equal(pieces[i][i % 37 == 0 ? 19999 : i % 50], i & 0x7f);
    }
    mt_arena_fini(&arena);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n_good;
    } cases[] = {
        {"plain", 5},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d", 9},
        {"a\x80", 1},         /* a tail without a head */
        {"a\xc0\x80", 1},     /* overlong */
        {"a\xe0\x80\x80", 1}, /* overlong */
        {"\xed\x9f\xbf", 3},
        {"a\xed\xa0\x80", 1}, /* a surrogate */
        {"\xf4\x8f\xbf\xbf", 4},
        {"a\xf4\x90\x80\x80", 1}, /* above U+10FFFF */
        {"a\xf8\x88\x80\x80\x80", 1},
        {"ab\xe2\x82", 2}, /* cut */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].text), n_good;
        assert_int_equal(mt_utf8_valid(cases[i].text, n, &n_good), cases[i].n_good == n);
        assert_int_equal(n_good, cases[i].n_good);
    }
}

static void test_json_escapes(void **state)
{
    (void)state;
    static const char text[] = "a\"b\\c\nd\te\x01\x1f\0f\xc3\xa9\xff\xe2\x82g\x7f";
    struct mt_buf buf = {0};
    mt_json_string(&buf, text, sizeof text - 1);
    assert_string_equal(mt_buf_text(&buf), "\"a\\\"b\\\\c\\nd\\te\\u0001\\u001f\\u0000f\xc3\xa9"
                                           "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdg\x7f\"");
    mt_buf_clear(&buf);
    mt_json_string(&buf, "\\a\\", 3); /* the last one is never before a quote */
    assert_string_equal(mt_buf_text(&buf), "\"\\\\a\\u005c\"");
    mt_buf_clear(&buf);
    mt_json_string(&buf, "", 0);
    assert_string_equal(mt_buf_text(&buf), "\"\"");
    mt_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_grows),
        cmocka_unit_test(test_buf_remembers_failure),
        cmocka_unit_test(test_array_room),
        cmocka_unit_test(test_map_keeps_all_keys),
        cmocka_unit_test(test_arena_pieces_stay),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_json_escapes),
        cmocka_unit_test(test_chosen_names_meet_nowhere),
        cmocka_unit_test(test_a_secret_moves_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
