/* targets.c - see targets.h. Called by libFuzzer (libfuzzer.c) and by replay.c.
 *
 * What must hold: nothing crashes, and nothing is refused for want of memory; the events are as event.h
 * says; what a sink writes is well-formed, and the same bytes however many workers there are and
 * wherever things lie in memory and whatever the secret of the hashes.
 */
#include "targets.h"

#include <string.h>

#include "base/hash.h"
#include "cli/diff.h"
#include "cli/report.h"
#include "consume.h"
#include "drive.h"
#include "live.h"
#include "reader/parse.h"
#include "sink/view.h"
#include "verify.h"
#include "wellformed.h"

#define MAX_INPUT_BYTES ((size_t)1 << 20)
#define OTHER_SECRET UINT64_C(0x243f6a8885a308d3)

/* ---------------------------------------------------------------------------------------- words */

/* A header of any length, alone and with a chunk behind it. */
static void run_header(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    static const uint32_t chunk[] = {MT_CHUNK_MAGIC, MT_PAGE_BYTES, MT_CHUNK_EVENTS, 0, 1, 1};
    static union {
        uint8_t bytes[MT_FILE_HEADER_BYTES + MT_PAGE_BYTES];
        uint64_t words[(MT_FILE_HEADER_BYTES + MT_PAGE_BYTES) / 8];
    } file;
    struct mt_file_header header;
    struct consumed consumed;
    bool empty;
    (void)target;
    n_bytes = n_bytes < MT_FILE_HEADER_BYTES ? n_bytes : MT_FILE_HEADER_BYTES;
    mt__parse_header(data, n_bytes, &header, &empty, NULL);
    memset(&file, 0, sizeof file);
    memcpy(file.bytes, data, n_bytes);
    memcpy(file.bytes + MT_FILE_HEADER_BYTES, chunk, sizeof chunk);
    file.words[(MT_FILE_HEADER_BYTES + MT_CHUNK_HEADER_BYTES) / 8] = mt_record_pack(
        5, MT_KIND_PY_BEGIN, 1);
    consume(file.bytes, n_bytes, &consumed);
    consume(file.bytes, sizeof file, &consumed);
}

/* A whole file. */
static void run_trace(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    struct consumed consumed;
    (void)target;
    if (n_bytes <= MAX_INPUT_BYTES)
        consume(data, n_bytes, &consumed);
}

/* The words of a chunk behind a good header, as records or as definitions that records use. */
static void run_chunk(const uint8_t *data, size_t n_bytes, enum mt_chunk type)
{
    struct script script;
    struct consumed consumed;
    static const uint8_t others[] = "f5C1m01C24015S11C3401N0157(1(2(3(4[5]5)3)2)1e180";
    n_bytes = n_bytes < 3 * MT_PAGE_BYTES ? n_bytes / 8 * 8 : 3 * MT_PAGE_BYTES;
    script_build(&script, others, sizeof others - 1);
    struct script_file *file = &script.files[0];
    struct mt_chunk_header header;
    memcpy(&header, file->data + file->events, sizeof header); /* the last of the file: one page */
    header.type = (uint16_t)type;
    header.size_bytes = 4 * MT_PAGE_BYTES;
    file->data = realloc(file->data, file->events + header.size_bytes);
    REQUIRE(file->data);
    file->n_bytes = file->events + header.size_bytes;
    memset(file->data + file->events, 0, header.size_bytes);
    memcpy(file->data + file->events, &header, sizeof header);
    memcpy(file->data + file->events + sizeof header, data, n_bytes);
    consume(file->data, file->n_bytes, &consumed);
    script_fini(&script);
}

static void run_records(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    (void)target;
    run_chunk(data, n_bytes, MT_CHUNK_EVENTS);
}

static void run_definitions(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    (void)target;
    run_chunk(data, n_bytes, MT_CHUNK_DEFS);
}

/* -------------------------------------------------------------------------------------- scripts */

/* Processes, parents, hosts, clocks, arrows; and slices of all that. */
static void run_set(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    struct script script;
    (void)target;
    script_build(&script, data, n_bytes);
    struct mt_set *set = drive_set(&script, DRIVE_ALL);
    drive_reader(set);
    for (size_t i = 0; i < script.n_files; i++) {
        const struct script_file *file = &script.files[i];
        struct mt_check_result result;
        mt_check_memory(file->name, file->data, file->n_bytes, &result, NULL);
    }
    mt_set_free(set);
    script_fini(&script);
}

/* How a sink is called, and what reads its output. */
static const struct checked_sink {
    const struct mt_sink *sink;
    const char *(*fault_of)(const char *data, size_t n_bytes, size_t *at);
} checked_sinks[] = {
    {&mt_sink_chrome, wellformed_chrome},       {&mt_sink_chrome_complete, wellformed_chrome},
    {&mt_sink_perfetto, wellformed_perfetto},   {&mt_sink_speedscope, wellformed_speedscope},
    {&mt_sink_collapsed, wellformed_collapsed}, {&mt_sink_pstats, wellformed_pstats},
    {&mt_sink_callgrind, wellformed_callgrind}, {&mt_sink_view, wellformed_view},
};

/* Instead of a compressor, so that the page can be looked at. */
static bool copy(const void *data, size_t n_bytes, struct mt_buf *out)
{
    if (n_bytes)
        mt_buf_append(out, data, n_bytes);
    return !out->failed;
}

static void require_same(const struct mt_buf *one, const struct mt_buf *two)
{
    size_t n = one->n_bytes < two->n_bytes ? one->n_bytes : two->n_bytes, at = 0;
    while (at < n && one->data[at] == two->data[at])
        at++;
    if (at < one->n_bytes || at < two->n_bytes)
        drive_require_wellformed("two runs differ", one, at);
}

static void run_sink(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    const struct checked_sink *checked = checked_sinks;
    struct mt_buf one = {0}, two = {0};
    struct script script;
    size_t at = 0;
    while (strcmp(checked->sink->name, target->name) != 0)
        checked++;
    script_build(&script, data, n_bytes);
    struct mt_set *set = drive_set(&script, DRIVE_ALL);
    struct mt_view_outcome outcomes[2] = {{0}, {0}};
    struct mt_view_options view[2];
    for (int i = 0; i < 2; i++)
        view[i] = (struct mt_view_options){.deflate = copy,
                                           .max_events = UINT64_MAX,
                                           .title = script_text((uint8_t)n_bytes).data,
                                           .outcome = &outcomes[i]};
    bool is_view = checked->sink == &mt_sink_view;
    drive_sink(set, checked->sink, is_view ? &view[0] : NULL, 1, &one);
    const char *fault = checked->fault_of(one.data, one.n_bytes, &at);
    drive_require_wellformed(fault, &one, at);
    mt_hash_secret = OTHER_SECRET; /* here, as no table outlives it */
    struct mt_set *other = drive_set(&script, DRIVE_ALL);
    drive_sink(other, checked->sink, is_view ? &view[1] : NULL, 3, &two);
    require_same(&one, &two);
    mt_set_free(other);
    mt_hash_secret = 0;
    mt_set_free(set);
    mt_buf_fini(&one);
    mt_buf_fini(&two);
    script_fini(&script);
}

static void require_table(const struct mt_buf *out, enum mt_table_format format)
{
    size_t at = 0;
    const char *fault = NULL;
    if (format == MT_TABLE_JSON)
        fault = wellformed_json(out->data, out->n_bytes, &at);
    else if (format != MT_TABLE_CSV)
        fault = wellformed_text(out->data, out->n_bytes, &at);
    drive_require_wellformed(fault, out, at);
}

static void run_report(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    struct script script;
    struct mt_buf outs[2] = {{0}, {0}};
    (void)target;
    script_build(&script, data, n_bytes);
    uint64_t which = script.numbers[SCRIPT_KIND], how = script.numbers[SCRIPT_HOW];
    enum mt_report_kind kind = which % (MT_REPORT_SLOWEST + 1);
    for (int i = 0; i < 2; i++) {
        struct mt_report report = {.kind = kind,
                                   .sort = how % (MT_SORT_FILE + 1),
                                   .format = (how / 3) % MT_N_TABLE_FORMATS,
                                   .pattern = how % 2 ? "*" : "work",
                                   .n_top = how % 5 || kind == MT_REPORT_SLOWEST ? 3 : SIZE_MAX,
                                   .width = which & 64 ? 30 : 0,
                                   .durations = how % 7 == 0};
        mt_hash_secret = i ? OTHER_SECRET : 0;
        struct mt_set *set = drive_set(&script, DRIVE_ALL);
        drive_sink(set, &mt__report_sink, &report, i ? 3 : 1, &outs[i]);
        if (!i)
            require_table(&outs[i], report.format);
        mt_set_free(set);
    }
    mt_hash_secret = 0;
    require_same(&outs[0], &outs[1]);
    mt_buf_fini(&outs[0]);
    mt_buf_fini(&outs[1]);
    script_fini(&script);
}

/* Every other file against the rest. */
static void run_diff(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    struct script script;
    struct mt_buf out = {0};
    (void)target;
    script_build(&script, data, n_bytes);
    uint64_t how = script.numbers[SCRIPT_HOW];
    struct mt_diff diff = {.format = how % MT_N_TABLE_FORMATS,
                           .n_top = how % 5 ? SIZE_MAX : 3,
                           .measure = how % (MT_DIFF_P95 + 1)};
    struct mt_set *sets[] = {drive_set(&script, DRIVE_EVEN), drive_set(&script, DRIVE_ODD)};
    for (int i = 0; i < 2; i++)
        diff.sides[i].timeline = mt_set_timeline(sets[i]);
    REQUIRE(mt__diff_match(&diff) == MT_OK);
    for (; diff.side < 2; diff.side++)
        drive_sink(sets[diff.side], &mt__diff_sink, &diff, 2, &out);
    require_table(&out, diff.format);
    mt__diff_fini(&diff);
    mt_set_free(sets[0]);
    mt_set_free(sets[1]);
    mt_buf_fini(&out);
    script_fini(&script);
}

static void run_live(const struct fuzz_target *target, const uint8_t *data, size_t n_bytes)
{
    struct script script;
    (void)target;
    script_build(&script, data, n_bytes);
    live_run(&script);
    script_fini(&script);
}

/* ---------------------------------------------------------------------------------------- names */

const struct fuzz_target fuzz_targets[] = {
    {"header", FUZZ_WORDS, run_header},
    {"trace", FUZZ_WORDS, run_trace},
    {"records", FUZZ_WORDS, run_records},
    {"definitions", FUZZ_WORDS, run_definitions},
    {"set", FUZZ_SCRIPT, run_set},
    {"chrome", FUZZ_SCRIPT, run_sink},
    {"chrome-complete", FUZZ_SCRIPT, run_sink},
    {"perfetto", FUZZ_SCRIPT, run_sink},
    {"speedscope", FUZZ_SCRIPT, run_sink},
    {"collapsed", FUZZ_SCRIPT, run_sink},
    {"pstats", FUZZ_SCRIPT, run_sink},
    {"callgrind", FUZZ_SCRIPT, run_sink},
    {"view", FUZZ_SCRIPT, run_sink},
    {"report", FUZZ_SCRIPT, run_report},
    {"diff", FUZZ_SCRIPT, run_diff},
    {"live", FUZZ_SCRIPT, run_live},
    {0},
};

const struct fuzz_target *fuzz_target_named(const char *name, size_t n_bytes)
{
    for (const struct fuzz_target *target = fuzz_targets; target->name; target++) {
        if (strlen(target->name) == n_bytes && !memcmp(target->name, name, n_bytes))
            return target;
    }
    return NULL;
}
