/* Test of whole bytes: a parent and its child, made by hand, and the timeline of both, compared with
 * the files in tests/golden. The trace files there are read by the tests of the commands, too.
 *
 * When the change is meant: run this test with MT_GOLDEN_WRITE=DIRECTORY, look at the difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events_text.h"
#include "sink_bytes.h"

#define PARENT "parent.100.trace"
#define CHILD "child.101.trace"

/* Where the test is run from, by Bazel or by hand: the top of the sources. */
static const char directory[] = "tests/golden";

/* Two threads; everything that a record can be, a tid that is used again. */
static void make_parent(struct tb *tb)
{
    tb_init(tb, 100);
    tb_name(tb, MT_DEF_NOTE, MT_NOTE_ENGINE, 0, 0, "setprofile: works on every version");
    tb_code(tb, 1, "<module>", "/srv/app.py", 1);
    tb_code(tb, 2, "work.<locals>.step", "/srv/app.py", 12);
    tb_code(tb, 3, "numbers", "/srv/na\"me \xc3\xa9.py", 3);
    tb_cfunc(tb, 4, "posix", "fork");
    tb_cfunc(tb, 5, "list", "append");
    tb_name(tb, MT_DEF_THREAD, 1, 1000, 100, "MainThread");
    tb_name(tb, MT_DEF_THREAD, 2, 1000, 110, "worker");
    size_t first = tb_events(tb, 1, 100, 1000);
    tb_resync(tb, first, 2000, MT_RESYNC_START, 1);
    tb_records(tb, first, 0, "(1");
    tb_records(tb, first, 1000, "(2 [5 ]5 (3 s3 r3 !3 [5 ?5 )2");
    tb_records(tb, first, 500, "(2 (3 [4");
    tb_gap(tb, first, 9000000);
    tb_records(tb, first, 500, "]4 )2"); /* 3 has no end */
    tb_records(tb, first, 500, "[268435455 ]268435455 (2");
    tb_lost(tb, first, 12, 10000000, MT_LOSS_NO_SPACE);
    size_t worker = tb_events(tb, 2, 110, 1000);
    tb_records(tb, worker, 700, "(3 )1 (2 )2 )3");
    size_t next = tb_events(tb, 1, 100, 10500000);
    tb_resync(tb, next, 10500100, MT_RESYNC_LOSS, 1);
    tb_records(tb, next, 0, "(1");
    tb_records(tb, next, 250, "[5 ]5 (2");
    tb_records(tb, tb_events(tb, 3, 110, 11000000), 300, "(2 )2");
}

static void make_child(struct tb *tb, struct tb *parent)
{
    tb_init(tb, 101);
    tb_set_parent(tb, parent);
    tb_header(tb)->origin = MT_ORIGIN_FORK;
    tb_header(tb)->parent_tid = 100;
    tb_header(tb)->fork_tick = 14700; /* within posix.fork */
    tb_header(tb)->pair = (struct mt_clock_pair){20000, TB_MONO_NS + 20000,
                                                 TB_REAL_NS + TB_MONO_NS + 20000};
    tb_header(tb)->n_lost = 2;
    tb_header(tb)->first_lost_tick = 26000;
    tb_header(tb)->last_lost_tick = 27000;
    tb_header(tb)->loss_reason = MT_LOSS_FILES;
    tb_header(tb)->n_displaced = 1;
    tb_name(tb, MT_DEF_PROCESS, 0, 21000, 0, "child \xe2\x86\x92");
    tb_code(tb, 201, "<module>", "/srv/app.py", 1);
    tb_code(tb, 202, "work.<locals>.step", "/srv/app.py", 12);
    size_t chunk = tb_events(tb, 1, 101, 21000);
    tb_resync(tb, chunk, 22000, MT_RESYNC_FORK, 2);
    tb_records(tb, chunk, 0, "(201 (202");
    tb_records(tb, chunk, 1000, ")202 (202");
}

/* To be freed; NULL: it cannot be read. */
static char *read_file(const char *name, size_t *n_bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *data = malloc(1 << 20);
    assert_non_null(data);
    *n_bytes = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

static void compare(const char *name, const void *data, size_t n_bytes)
{
    const char *write_to = getenv("MT_GOLDEN_WRITE");
    if (write_to) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", write_to, name);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, n_bytes, file), n_bytes);
        assert_int_equal(fclose(file), 0);
        return;
    }
    size_t n_golden = 0;
    char *golden = read_file(name, &n_golden);
    if (!golden)
        fail_msg("%s/%s cannot be read; run the test from the top of the sources", directory, name);
    size_t n_same = 0;
    while (n_same < n_bytes && n_same < n_golden && golden[n_same] == ((const char *)data)[n_same])
        n_same++;
    if (n_same != n_bytes || n_same != n_golden)
        fail_msg("%s/%s differs from byte %zu on", directory, name, n_same);
    free(golden);
}

static void compare_merged(struct mt_set *set, const struct mt_sink *sink, const char *name)
{
    struct mt_buf out = {0};
    append_set_bytes(&out, set, sink);
    compare(name, out.data, out.n_bytes);
    mt_buf_fini(&out);
}

static void test_golden(void **state)
{
    (void)state;
    struct tb parent, child, *files[] = {&child, &parent};
    struct told told;
    make_parent(&parent);
    make_child(&child, &parent);
    compare(PARENT, parent.data, parent.n_bytes);
    compare(CHILD, child.data, child.n_bytes);
    struct mt_set *set = set_of(files, 2, &told);
    compare_merged(set, &mt_sink_chrome, "merged.json");
    compare_merged(set, &mt_sink_chrome_complete, "merged_complete.json");
    compare_merged(set, &mt_sink_perfetto, "merged.perfetto-trace");
    compare_merged(set, &mt_sink_speedscope, "merged.speedscope.json");
    compare_merged(set, &mt_sink_collapsed, "merged.collapsed");
    assert_string_equal(mt_buf_text(&told.text), "");
    mt_set_free(set);
    told_fini(&told);
    tb_fini(&parent);
    tb_fini(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
