/* test_scan.c - that the scanner, on which the other tests rely, sees what it must see.
 *
 * A writer in miniature makes a trace as a list of stores. After any number of them (a kill there)
 * the scanner must be content, if the stores are in the order that format.h asks for; and must not
 * be, after at least one number of them, for each way to have two of them in the wrong order. Then
 * the finished trace is damaged in every way that the scanner claims to see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scan.h"

enum flaw {
    FLAWLESS,
    FILE_MAGIC_FIRST,
    CHUNK_MAGIC_FIRST,
    DEF_HEAD_FIRST,
    USED_BEFORE_DEFINED,
    CODE_BEFORE_ITS_FILE,
    GAP_HEAD_FIRST,
    LOST_HEAD_FIRST,
    RESYNC_HEAD_FIRST,
    RECORDS_BACKWARDS,
    N_FLAWS
};

enum { PAGE = 4096 / 8, FILE_WORDS = 6 * PAGE, HEADER_WORDS = 56 };

struct writer {
    uint64_t at[200], value[200];
    uint32_t n;
    enum flaw flaw;
};

static void store(struct writer *w, uint64_t at, uint64_t value)
{
    w->at[w->n] = at;
    w->value[w->n++] = value;
}

/* n words at `at`, the first of them last, but for a writer with this flaw. */
static uint64_t commit(struct writer *w, uint64_t at, const uint64_t *words, uint32_t n,
                       enum flaw flaw)
{
    bool first = w->flaw == flaw;
    if (first)
        store(w, at, words[0]);
    for (uint32_t i = 1; i < n; i++)
        store(w, at + i, words[i]);
    if (!first)
        store(w, at, words[0]);
    return at + n;
}

static uint64_t chunk(struct writer *w, uint64_t page, uint32_t type, uint32_t seq, uint64_t tick)
{
    struct mt_chunk_header header = {
        .magic = MT_CHUNK_MAGIC,
        .size_bytes = 4096,
        .type = (uint16_t)type,
        .seq = seq,
        .thread = type == MT_CHUNK_EVENTS,
        .tid = type == MT_CHUNK_EVENTS ? 77 : 0,
        .pair = {tick, tick, tick},
        .start_tick = tick,
    };
    uint64_t words[8];
    memcpy(words, &header, sizeof words);
    commit(w, page * PAGE, words, 8, CHUNK_MAGIC_FIRST);
    return page * PAGE + 8;
}

static uint64_t code(struct writer *w, uint64_t at, uint32_t id)
{
    uint64_t name = 0;
    memcpy(&name, "f", 1);
    uint64_t words[] = {mt_def_pack(MT_DEF_CODE, id, 3), 1 | UINT64_C(7) << 32, UINT64_C(1) << 32,
                        name};
    return commit(w, at, words, 4, DEF_HEAD_FIRST);
}

static uint64_t string(struct writer *w, uint64_t at)
{
    uint64_t text = 0;
    memcpy(&text, "a.py", 4);
    uint64_t words[] = {mt_def_pack(MT_DEF_STRING, 1, 2), 4, text};
    return commit(w, at, words, 3, DEF_HEAD_FIRST);
}

static uint64_t record(struct writer *w, uint64_t at, uint32_t kind, uint32_t id)
{
    store(w, at, mt_record_pack(10, (enum mt_kind)kind, id));
    return at + 1;
}

/* Ids 1 and 2; chunks: definitions, events, definitions, events. */
static void write_trace(struct writer *w, enum flaw flaw)
{
    struct mt_file_header header = {
        .magic = MT_FILE_MAGIC,
        .major = 1,
        .header_bytes = 4096,
        .pid = 5,
        .clock = MT_CLOCK_TSC,
        .tick_hz = 1000,
        .pair = {90, 90, 90},
        .program = "p",
    };
    uint64_t words[HEADER_WORDS], defs, at;
    *w = (struct writer){.flaw = flaw};
    memcpy(words, &header, sizeof words);
    commit(w, 0, words, HEADER_WORDS, FILE_MAGIC_FIRST);
    defs = chunk(w, 1, MT_CHUNK_DEFS, 0, 100);
    if (flaw == CODE_BEFORE_ITS_FILE)
        defs = string(w, code(w, defs, 1));
    else
        defs = code(w, string(w, defs), 1);
    at = chunk(w, 2, MT_CHUNK_EVENTS, 0, 200);
    at = record(w, at, MT_KIND_PY_BEGIN, 1);
    uint64_t gap[] = {mt_record_pack(0, MT_KIND_GAP, 3), 300, 300, 300};
    at = commit(w, at, gap, 4, GAP_HEAD_FIRST);
    if (flaw == RECORDS_BACKWARDS) {
        for (uint32_t i = 6; i-- > 0;)
            record(w, at + i, MT_KIND_PY_END, 1);
        at += 6;
    }
    if (flaw == USED_BEFORE_DEFINED)
        at = record(w, at, MT_KIND_PY_BEGIN, 2);
    code(w, chunk(w, 3, MT_CHUNK_DEFS, 1, 310), 2);
    if (flaw != USED_BEFORE_DEFINED)
        at = record(w, at, MT_KIND_PY_BEGIN, 2);
    uint64_t lost[] = {mt_record_pack(0, MT_KIND_EXT, mt_ext_id(MT_EXT_LOST, 3)), 9, 400, 1};
    commit(w, at, lost, 4, LOST_HEAD_FIRST);
    at = chunk(w, 4, MT_CHUNK_EVENTS, 1, 500);
    uint64_t resync[] = {mt_record_pack(0, MT_KIND_EXT, mt_ext_id(MT_EXT_RESYNC, 2)),
                         3 | UINT64_C(1) << 32, 0};
    at = commit(w, at, resync, 3, RESYNC_HEAD_FIRST);
    at = record(w, at, MT_KIND_PY_BEGIN, 1);
    record(w, at, MT_KIND_PY_END, 1);
}

/* The file after the first n stores, of which one more may be damage. */
static void scan_after(const struct writer *w, uint32_t n, uint64_t at, uint64_t value,
                       struct scan *out)
{
    uint64_t *words = calloc(FILE_WORDS, 8);
    assert_non_null(words);
    for (uint32_t i = 0; i < n; i++)
        words[w->at[i]] = w->value[i];
    if (at != 0)
        words[at] = value;
    scan_bytes((unsigned char *)words, FILE_WORDS * 8, out);
}

static void test_order_of_stores(void **state)
{
    (void)state;
    struct writer w;
    for (enum flaw flaw = FLAWLESS; flaw < N_FLAWS; flaw++) {
        uint32_t n_bad = 0;
        char first[200] = "";
        write_trace(&w, flaw);
        assert_true(w.n < 200);
        for (uint32_t n = 0; n <= w.n; n++) {
            struct scan s;
            scan_after(&w, n, 0, 0, &s);
            n_bad += s.bad[0] != '\0';
            if (n_bad == 1)
                strcpy(first, s.bad);
            scan_free(&s);
        }
        if (flaw == FLAWLESS && n_bad != 0)
            fail_msg("a good trace: %s", first);
        if (flaw != FLAWLESS && n_bad == 0)
            fail_msg("flaw %d was not seen", (int)flaw);
    }
}

static void test_what_is_read(void **state)
{
    (void)state;
    struct writer w;
    struct scan s;
    write_trace(&w, FLAWLESS);
    scan_after(&w, w.n, 0, 0, &s);
    assert_string_equal(s.bad, "");
    assert_int_equal(s.n_threads, 1);
    assert_int_equal(s.n_defs, 3);
    struct scan_thread *t = &s.threads[0];
    assert_int_equal(t->tid, 77);
    assert_int_equal(t->n_chunks, 2);
    assert_int_equal(t->n_records, 4);
    assert_int_equal(t->n_gaps, 1);
    assert_int_equal(t->n_marks, 2);
    static const uint64_t ticks[] = {210, 310, 510, 520};
    for (int i = 0; i < 4; i++)
        assert_int_equal(t->records[i].tick, ticks[i]);
    assert_int_equal(t->marks[0].lost.n_events, 9);
    assert_int_equal(t->marks[1].resync.depth, 1);
    assert_int_equal(t->marks[1].at, 2);
    assert_true(scan_is(scan_function(&s, 1), "f"));
    assert_int_equal(scan_function(&s, 2)->first_line, 7);
    assert_true(scan_is(scan_string(&s, 1), "a.py"));
    assert_null(scan_function(&s, 3));
    assert_int_equal(s.end, 5 * 4096);
    scan_free(&s);
}

static void test_damage(void **state)
{
    (void)state;
    enum { EVENTS = 2 * PAGE, DEFS = PAGE, LATER = 4 * PAGE, END = 5 * PAGE };
    static const struct {
        uint64_t at, value;
        const char *bad;
    } damages[] = {
        {EVENTS + 8, (UINT64_C(10) << 32 | 1u << 28 | 99), "id 99 is not defined"},
        {EVENTS + 8, (UINT64_C(10) << 32 | 1u << 28), "id 0 is not defined"},
        {EVENTS + 8, (UINT64_C(10) << 32 | 1), "record of kind 0"},
        {EVENTS + 8, (UINT64_C(10) << 32 | 9u << 28 | 1), "record of kind 9"},
        {EVENTS + 8, (UINT64_C(200) << 32 | 1u << 28 | 1), "time goes back"},
        {EVENTS + 9, (11u << 28 | 900), "beyond its chunk"},
        {EVENTS + 8, 0, "behind the end of the records"},
        {EVENTS, (UINT64_C(8192000) << 32 | MT_CHUNK_MAGIC), "bad header"},
        {EVENTS, (UINT64_C(4000) << 32 | MT_CHUNK_MAGIC), "bad header"},
        {EVENTS, (UINT64_C(4096) << 32 | 0x1234), "bad header"},
        {LATER, (UINT64_C(12288) << 32 | MT_CHUNK_MAGIC), "beyond the file's end"},
        {LATER + 1, 1 | UINT64_C(2) << 32, "out of order"},
        {LATER + 1, 9 | UINT64_C(1) << 32, "chunk of type 9"},
        {LATER + 2, 1 | UINT64_C(78) << 32, "has tids"},
        {LATER + 2, UINT64_C(77) << 32, "thread 0"},
        {LATER + 6, 350, "begins before the end"},
        {LATER + 12, (UINT64_C(9) << 32 | 4u << 28 | 1), ""},
        {LATER + 11, (UINT64_C(9) << 32 | 2u << 28 | 1), "among the calls of a RESYNC"},
        {LATER + 8, (UINT64_C(9) << 32 | 1u << 28 | 1), "after LOST without RESYNC"},
        {LATER + 9, 77, "RESYNC with reason 77"},
        {3 * PAGE + 8, UINT64_C(3) << 48 | UINT64_C(2) << 32 | 1, "defined twice"},
        {3 * PAGE + 9, 2 | UINT64_C(7) << 32, "no string so far"},
        {3 * PAGE + 10, UINT64_C(90) << 32, "words for"},
        {3 * PAGE + 10, UINT64_C(2) << 32, "NUL in a text"},
        {DEFS + 8, UINT64_C(600) << 48 | UINT64_C(1) << 32 | 1, "beyond its chunk"},
        {DEFS + 8, UINT64_C(2) << 48 | UINT64_C(9) << 32 | 1, "definition of type 9"},
        {END + 8, 1, "behind the last chunk"},
        {END + 3, 1, ""}, /* the header of a chunk to come */
        {1, 9 | UINT64_C(4096) << 32, "bad magic"},
    };
    struct writer w;
    write_trace(&w, FLAWLESS);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct scan s;
        scan_after(&w, w.n, damages[i].at, damages[i].value, &s);
        bool right = damages[i].bad[0] == '\0' ? s.bad[0] == '\0'
                                               : strstr(s.bad, damages[i].bad) != NULL;
        if (!right)
            fail_msg("damage %zu: '%s', not '%s'", i, s.bad, damages[i].bad);
        scan_free(&s);
    }
}

/* Cut short at any page, and any byte of the first ones. */
static void test_short_files(void **state)
{
    (void)state;
    struct writer w;
    write_trace(&w, FLAWLESS);
    for (uint64_t size = 0; size < FILE_WORDS * 8; size += size < 8192 + 200 ? 1 : 8) {
        struct scan s;
        uint64_t *words = calloc(FILE_WORDS, 8);
        assert_non_null(words);
        for (uint32_t i = 0; i < w.n; i++)
            words[w.at[i]] = w.value[i];
        scan_bytes(realloc(words, size + 1), size, &s);
        if (size > 4096 + 64 && size < 8192)
            assert_non_null(strstr(s.bad, "beyond the file's end"));
        scan_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_stores),
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_short_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
