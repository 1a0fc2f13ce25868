/* Tests of the strict verification: good files pass, each fault is found where it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace_builder.h"
#include "mtrace/reader.h"

/* A file with everything that the format has. */
struct sample {
    struct tb tb;
    size_t string, code, cfunc, name; /* offsets of definitions */
    size_t first, second;             /* chunks of thread 1 */
    size_t begin, gap, lost, resync;  /* offsets of records */
};

static void make_sample(struct sample *s)
{
    struct tb *tb = &s->tb;
    tb_init(tb, 100);
    s->string = tb_string(tb, 77, "a.py");
    s->code = tb_code(tb, 1, "main", "b.py", 3);
    s->cfunc = tb_cfunc(tb, 2, "mod", "f\xc3\xa9");
    s->name = tb_name(tb, MT_DEF_THREAD, 1, 5, 100, "MainThread");
    tb_name(tb, MT_DEF_PROCESS, 0, 5, 0, "app");
    tb_name(tb, MT_DEF_NOTE, MT_NOTE_HOOK, 5, 0, "a hook");
    s->first = tb_events(tb, 1, 100, 1000);
    s->begin = tb_record(tb, s->first, 1010, MT_KIND_PY_BEGIN, 1);
    tb_records(tb, s->first, 10, "[2 ]2");
    s->gap = tb_gap(tb, s->first, UINT64_C(20000000000));
    tb_records(tb, s->first, 10, "[2 ?2");
    tb_record(tb, s->first, UINT64_C(20000000100), MT_KIND_C_BEGIN, MT_ID_UNKNOWN);
    s->lost = tb_lost(tb, s->first, 4, UINT64_C(20000000200), MT_LOSS_NO_SPACE);
    tb_records(tb, tb_events(tb, 2, 101, 2000), 5, "(1 s1 r1 !1");
    s->second = tb_events(tb, 1, 100, UINT64_C(20000000300));
    s->resync = tb_resync(tb, s->second, UINT64_C(20000000310), MT_RESYNC_LOSS, 1);
    tb_records(tb, s->second, 0, "(1");
    tb_records(tb, s->second, 10, "[2 ]2 )1");
}

static enum mt_status check(const struct sample *s, struct mt_check_result *result,
                            struct mt_error *error)
{
    return mt_check_memory("x.trace", s->tb.data, s->tb.n_bytes, result, error);
}

static void assert_fault(const struct sample *s, uint64_t offset, const char *message)
{
    struct mt_check_result result;
    struct mt_error error = {0};
    assert_int_not_equal(check(s, &result, &error), MT_OK);
    assert_string_equal(error.message, message);
    assert_int_equal(error.offset, offset);
    assert_string_equal(error.file, "x.trace");
}

static void test_a_good_file(void **state)
{
    (void)state;
    struct sample s;
    struct mt_check_result result;
    struct mt_error error = {0};
    make_sample(&s);
    enum mt_status status = check(&s, &result, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(status, MT_OK);
    assert_false(result.empty);
    assert_int_equal(result.n_chunks, 4);
    assert_int_equal(result.n_threads, 2);
    assert_int_equal(result.n_defs, 2);
    assert_int_equal(result.n_events, 6 + 4 + 3);
    assert_int_equal(result.n_lost, 4);
    tb_fini(&s.tb);
}

static void test_empty_files(void **state)
{
    (void)state;
    static const uint64_t zeros[512];
    struct mt_check_result result;
    struct mt_error error = {0};
    for (size_t n_bytes = 0; n_bytes <= sizeof zeros; n_bytes += 512) {
        assert_int_equal(mt_check_memory("x", zeros, n_bytes, &result, &error), MT_OK);
        assert_true(result.empty);
    }
}

static void test_no_trace(void **state)
{
    (void)state;
    struct mt_check_result result;
    struct mt_error error = {0};
    assert_int_equal(mt_check_memory("x", "#!/bin/sh\n", 10, &result, &error), MT_NOT_A_TRACE);
    assert_int_equal(mt_check_memory("x", "\x89N", 2, &result, &error), MT_NOT_A_TRACE);
    assert_int_equal(mt_check_memory("x", "\x89M", 2, &result, &error), MT_TRUNCATED);
    assert_int_equal(error.offset, 2);
}

/* -------------------------------------------------------------------------------------- headers */

static void test_faults_of_the_header(void **state)
{
    (void)state;
#define CASE(change, field, message)                                                               \
    do {                                                                                           \
        struct sample s;                                                                           \
        make_sample(&s);                                                                           \
        struct mt_file_header *header = tb_header(&s.tb);                                          \
        change;                                                                                    \
        assert_fault(&s, offsetof(struct mt_file_header, field), message);                         \
        tb_fini(&s.tb);                                                                            \
    } while (0)
    CASE(header->major = 2, major,
         "has format version 2.0, this mtrace reads 1.x; use the mtrace that wrote it");
    CASE(header->header_bytes = 8192, header_bytes, "the header is damaged: its size is 8192");
    CASE(header->tick_shift = 40, tick_shift, "the header is damaged: tick_shift is 40");
    CASE(memset(header->file_id, 0, 16), file_id, "the header has no file_id");
    CASE(header->pid = 0, pid, "the header has no pid");
    CASE(header->origin = 9, origin, "the header's origin is 9");
    CASE(header->clock = 0, clock, "the header's clock is 0");
    CASE(header->tick_hz = 0, tick_hz, "the header has no tick_hz");
    CASE(header->pair.mono_ns = 0, pair, "the header has no clock readings");
    CASE(header->engine = 12, engine, "the header's engine is 12");
    CASE(header->loss_reason = 99, loss_reason, "the header's loss_reason is 99");
    CASE(header->options = 64, options, "the header has unknown options");
    CASE(header->flags = 64, flags, "the header has unknown flags");
    CASE(header->reserved1[0] = 1, reserved1, "reserved bytes of the header are used");
    CASE(memset(header->host, 'h', sizeof header->host), host, "the header's host does not end");
#undef CASE
    struct sample s;
    make_sample(&s);
    tb_header(&s.tb)->program[5] = 'x';
    assert_fault(&s, offsetof(struct mt_file_header, program) + 3,
                 "the header's program has something behind its end");
    tb_fini(&s.tb);
}

/* A later MINOR may use what is reserved here. */
static void test_a_newer_minor_version(void **state)
{
    (void)state;
    struct sample s;
    struct mt_check_result result;
    make_sample(&s);
    tb_header(&s.tb)->minor = MT_FORMAT_MINOR + 1;
    tb_header(&s.tb)->reserved0[0] = 1;
    tb_header(&s.tb)->flags = 64;
    tb_record(&s.tb, s.second, UINT64_C(20000000400), (enum mt_kind)9, 5);
    assert_int_equal(check(&s, &result, NULL), MT_OK);
    tb_fini(&s.tb);
}

/* --------------------------------------------------------------------------------------- chunks */

static void test_faults_of_chunks(void **state)
{
    (void)state;
#define CASE(change, field, message)                                                               \
    do {                                                                                           \
        struct sample s;                                                                           \
        make_sample(&s);                                                                           \
        struct mt_chunk_header *header = tb_chunk_header(&s.tb, s.second);                         \
        uint64_t offset = s.tb.chunks[s.second].offset;                                            \
        change;                                                                                    \
        assert_fault(&s, offset + offsetof(struct mt_chunk_header, field), message);               \
        tb_fini(&s.tb);                                                                            \
    } while (0)
    CASE(header->magic = 5, magic, "no chunk begins where one should");
    CASE(header->size_bytes = 4097, size_bytes, "a chunk has the impossible size of 4097 bytes");
    CASE(header->size_bytes = 2u << 20, size_bytes,
         "a chunk has the impossible size of 2097152 bytes");
    CASE(header->type = 9, type, "a chunk has the unknown type 9");
    CASE((header->type = 9, header->flags = MT_CHUNK_MUST_UNDERSTAND), type,
         "has a chunk of type 9 that only a newer mtrace understands");
    CASE(header->flags = 2, flags, "reserved bytes of a chunk's header are used");
    CASE(header->seq = 2, seq, "chunk 2 of thread 1 comes where 1 should be");
    CASE(header->thread = 0, thread, "a chunk has no thread");
    CASE(header->tid = 7, tid, "thread 1 has tid 7 and before had 100");
    CASE(header->tid = 0, tid, "a chunk has no tid");
    CASE(header->pair.real_ns = 0, pair, "a chunk has no clock readings");
    CASE(header->start_tick = 5, start_tick, "time goes backwards");
#undef CASE
    struct sample s;
    make_sample(&s);
    tb_chunk_header(&s.tb, 0)->seq = 1;
    assert_fault(&s, MT_FILE_HEADER_BYTES + offsetof(struct mt_chunk_header, seq),
                 "chunk 1 of definitions comes where 0 should be");
    tb_fini(&s.tb);
}

static void test_a_cut_file(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    s.tb.n_bytes -= 100;
    assert_fault(&s, s.tb.n_bytes, "ends within the chunk at offset 16384");
    s.tb.n_bytes = 16384 + 20;
    assert_fault(&s, s.tb.n_bytes, "ends within a chunk's header");
    s.tb.n_bytes = 2000;
    assert_fault(&s, 2000, "ends within its header");
    tb_fini(&s.tb);
}

/* ---------------------------------------------------------------------------------- definitions */

static void assert_bad_byte(size_t (*place)(const struct sample *s), unsigned char value,
                            uint64_t (*fault)(const struct sample *s), const char *message)
{
    struct sample s;
    make_sample(&s);
    s.tb.data[place(&s)] = value;
    assert_fault(&s, fault(&s), message);
    tb_fini(&s.tb);
}

#define AT(name, expression)                                                                       \
    static size_t name(const struct sample *s)                                                     \
    {                                                                                              \
        return (expression);                                                                       \
    }
AT(string_head, s->string)
AT(string_id, s->string + 0)
AT(string_length, s->string + 8)
AT(string_text, s->string + 16)
AT(string_padding, s->string + 16 + 4)
AT(string_type, s->string + 4)
AT(string_words, s->string + 6)
AT(code_head, s->code)
AT(code_payload, s->code + 8)
AT(cfunc_head, s->cfunc)
AT(cfunc_text, s->cfunc + 16 + 4)
AT(name_head, s->name)

static void test_faults_of_definitions(void **state)
{
    (void)state;
    assert_bad_byte(string_id, 0, string_head, "a definition has the impossible id 0");
    assert_bad_byte(string_type, 99, string_head, "a definition has the unknown type 99");
    assert_bad_byte(string_type, 0, string_head, "a definition goes beyond its chunk");
    assert_bad_byte(string_words, 255, string_head, "a definition is longer than what it says");
    assert_bad_byte(string_words, 1, string_head, "a definition is shorter than what it says");
    assert_bad_byte(string_length, 200, string_head, "a definition is shorter than what it says");
    assert_bad_byte(string_text, 0, string_text, "a text has a NUL in it");
    assert_bad_byte(string_text, 0xff, string_text, "a text is not UTF-8");
    assert_bad_byte(string_padding, 1, string_padding, "there is something behind a text's end");
    assert_bad_byte(code_payload, 9, code_payload, "string 9 is not defined yet");
    assert_bad_byte(code_head, 0, code_head, "a definition has the impossible id 0");
    assert_bad_byte(cfunc_head, 1, cfunc_head, "id 1 is defined again");
    assert_bad_byte(cfunc_text, 0xff, cfunc_text, "a text is not UTF-8");
    assert_bad_byte(name_head, 0, name_head, "a name has the impossible id 0");
}

static void test_the_largest_id_is_no_functions(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    size_t offset = tb_cfunc(&s.tb, MT_ID_UNKNOWN, "", "f");
    assert_fault(&s, offset, "a definition has the impossible id 268435455");
    tb_fini(&s.tb);
}

/* -------------------------------------------------------------------------------------- records */

static void assert_bad_word(size_t (*place)(const struct sample *s), uint64_t value,
                            uint64_t (*fault)(const struct sample *s), const char *message)
{
    struct sample s;
    make_sample(&s);
    memcpy(s.tb.data + place(&s), &value, sizeof value);
    assert_fault(&s, fault(&s), message);
    tb_fini(&s.tb);
}

AT(begin_word, s->begin)
AT(gap_head, s->gap)
AT(gap_tick, s->gap + 8)
AT(gap_mono, s->gap + 16)
AT(lost_head, s->lost)
AT(lost_reason, s->lost + 24)
AT(resync_head, s->resync)
AT(resync_payload, s->resync + 8)
AT(behind_resync, s->resync + 24)

static void test_faults_of_records(void **state)
{
    (void)state;
    assert_bad_word(begin_word, mt_record_pack(10, MT_KIND_PY_BEGIN, 9), begin_word,
                    "a record has the undefined id 9");
    assert_bad_word(begin_word, mt_record_pack(10, MT_KIND_PY_BEGIN, 2), begin_word,
                    "a record of a Python frame has the id 2 of a C function");
    assert_bad_word(begin_word, mt_record_pack(10, MT_KIND_C_BEGIN, 1), begin_word,
                    "a record of a C function has the id 1 of a code object");
    assert_bad_word(begin_word, mt_record_pack(10, (enum mt_kind)12, 1), begin_word,
                    "a record has the unknown kind 12");
    assert_bad_word(begin_word, mt_record_pack(10, MT_KIND_NONE, 1), begin_word,
                    "a record has no kind");
    assert_bad_word(begin_word, mt_record_pack(10, MT_KIND_EXT, mt_ext_id(MT_EXT_LOST, 4000)),
                    begin_word, "a record goes beyond its chunk");
    assert_bad_word(begin_word, mt_record_pack(10, MT_KIND_EXT, 99u << MT_EXT_WORDS_BITS),
                    begin_word, "an extension has the unknown type 99");
    assert_bad_word(gap_head, mt_record_pack(0, MT_KIND_GAP, 4), gap_head, "a gap has 4 words");
    assert_bad_word(gap_tick, 1005, gap_head, "time goes backwards");
    assert_bad_word(gap_mono, 0, gap_head, "a gap has no clock readings");
    assert_bad_word(lost_head, mt_record_pack(0, MT_KIND_EXT, mt_ext_id(MT_EXT_LOST, 2)), lost_head,
                    "an extension of type 1 has 2 words");
    assert_bad_word(lost_reason, 99, lost_head, "a loss has the reason 99");
    assert_bad_word(resync_payload, 99 | UINT64_C(1) << 32, resync_head,
                    "the open calls are stated for reason 99");
    assert_bad_word(behind_resync, mt_record_pack(0, MT_KIND_C_BEGIN, 2), behind_resync,
                    "1 open calls are not stated");
}

/* In a thread's last chunk, too, where the snapshot ends before it. */
static void test_a_record_without_kind_at_the_end(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    size_t offset = tb_word(&s.tb, s.second, mt_record_pack(10, MT_KIND_NONE, 1));
    assert_fault(&s, offset, "a record has no kind");
    tb_fini(&s.tb);
}

/* A process that was killed after it had stored a payload, but not the head. */
static void test_a_payload_without_its_head(void **state)
{
    (void)state;
    struct sample s;
    struct mt_check_result result;
    make_sample(&s);
    tb_word(&s.tb, s.second, 0);
    tb_word(&s.tb, s.second, 5);
    assert_int_equal(check(&s, &result, NULL), MT_OK);
    tb_fini(&s.tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_file),
        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_no_trace),
        cmocka_unit_test(test_faults_of_the_header),
        cmocka_unit_test(test_a_newer_minor_version),
        cmocka_unit_test(test_faults_of_chunks),
        cmocka_unit_test(test_a_cut_file),
        cmocka_unit_test(test_faults_of_definitions),
        cmocka_unit_test(test_the_largest_id_is_no_functions),
        cmocka_unit_test(test_faults_of_records),
        cmocka_unit_test(test_a_record_without_kind_at_the_end),
        cmocka_unit_test(test_a_payload_without_its_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
