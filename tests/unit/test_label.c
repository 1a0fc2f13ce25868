/* Tests of the names of functions in reports (src/profile/label.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profile/label.h"

static struct mt_text text(const char *data)
{
    return (struct mt_text){data, (uint32_t)strlen(data)};
}

static void assert_builtin(const char *owner, const char *name, const char *expected)
{
    struct mt_func func = {.kind = MT_FUNC_C, .owner = text(owner), .name = text(name)};
    struct mt_buf out = {0};
    mt_label_builtin(&func, &out);
    assert_string_equal(mt_buf_text(&out), expected);
    mt_buf_fini(&out);
}

static void test_builtins_as_cprofile_names_them(void **state)
{
    (void)state;
    assert_builtin("builtins", "len", "<built-in method builtins.len>");
    assert_builtin("math", "sqrt", "<built-in method math.sqrt>");
    assert_builtin("time", "time", "<built-in method time.time>");
    assert_builtin("list", "append", "<method 'append' of 'list' objects>");
    assert_builtin("list_iterator", "__length_hint__",
                   "<method '__length_hint__' of 'list_iterator' objects>");
    assert_builtin("deque", "append", "<method 'append' of 'collections.deque' objects>");
    assert_builtin("poll", "poll", "<method 'poll' of 'select.poll' objects>");
    assert_builtin("lock", "__exit__", "<method '__exit__' of '_thread.lock' objects>");
    assert_builtin("TextIOWrapper", "write", "<method 'write' of '_io.TextIOWrapper' objects>");
    assert_builtin("BaseException", "with_traceback",
                   "<method 'with_traceback' of 'BaseException' objects>");
    assert_builtin("dict", "fromkeys", "<built-in method fromkeys>");
    assert_builtin("int", "from_bytes", "<built-in method from_bytes>");
    assert_builtin("list", "__new__", "<built-in method list.__new__>");
    assert_builtin("", "int", "<built-in method int>");
    assert_builtin("lxml.etree", "parse", "<built-in method lxml.etree.parse>");
}

static void assert_labels(const struct mt_func *func, const char *label, const char *name,
                          const char *short_name)
{
    struct mt_buf out = {0};
    mt_label_put(func, &out);
    assert_string_equal(mt_buf_text(&out), label);
    mt_buf_clear(&out);
    mt_label_put_name(func, &out);
    assert_string_equal(mt_buf_text(&out), name);
    struct mt_text found = mt_label_short_name(func);
    assert_int_equal(found.n_bytes, strlen(short_name));
    assert_memory_equal(found.data, short_name, found.n_bytes);
    mt_buf_fini(&out);
}

static void test_labels(void **state)
{
    (void)state;
    const struct mt_func lambda = {.name = text("f.<locals>.<lambda>"),
                                   .owner = text(""),
                                   .file = text("/a/b.py"),
                                   .line = 12};
    const struct mt_func module = {
        .name = text("<module>"), .owner = text(""), .file = text("x.py"), .line = 1};
    const struct mt_func unknown = {.name = text("(unknown)"), .owner = text(""), .file = text("")};
    const struct mt_func strange = {.name = text("f."), .owner = text(""), .file = text("")};
    const struct mt_func append = {
        .name = text("append"), .owner = text("list"), .file = text(""), .kind = MT_FUNC_C};
    assert_labels(&lambda, "/a/b.py:12(f.<locals>.<lambda>)", "f.<locals>.<lambda>", "<lambda>");
    assert_labels(&module, "x.py:1(<module>)", "<module>", "<module>");
    assert_labels(&unknown, "(unknown)", "(unknown)", "(unknown)");
    assert_labels(&strange, "f.", "f.", "f.");
    assert_labels(&append, "{method 'append' of 'list' objects}", "list.append", "append");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtins_as_cprofile_names_them),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
