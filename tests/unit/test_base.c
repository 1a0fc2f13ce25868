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
        cmocka_unit_test(test_buf_grows),         cmocka_unit_test(test_buf_remembers_failure),
        cmocka_unit_test(test_array_room),        cmocka_unit_test(test_map_keeps_all_keys),
        cmocka_unit_test(test_arena_pieces_stay), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_json_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
