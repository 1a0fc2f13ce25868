/* report.c - the sink behind `mtrace report`: adds up what it gets, and writes the report at its
 * end.
 */
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    /* The command's own; const only on the way here. */
    struct mt_report *report = (struct mt_report *)(uintptr_t)job->options;
    (void)out;
    report->timeline = job->timeline;
    enum mt_status status = mt__report_set_keys(report);
    struct mt_profile_options options = {
        .timeline = job->timeline,
        .n_workers = job->n_workers,
        .key_of_func = report->keys,
        .n_keys = report->n_keys,
        .group_of_track = report->groups,
        .n_groups = report->n_groups,
        .marks = report->marks,
        .n_slowest = report->kind == MT_REPORT_SLOWEST ? (uint32_t)report->n_top : 0,
    };
    if (status == MT_OK)
        status = mt_profile_new(&options, &report->profile);
    if (status != MT_OK)
        mt__report_free_keys(report);
    *state = report;
    return status;
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct mt_report *report = state;
    (void)out;
    return mt_profile_add(report->profile, run);
}

/* ---- what is said around the table */

struct sums {
    uint64_t n_calls, n_primitive, n_unfinished, n_repaired;
};

static struct sums sums_of(const struct mt_report *report)
{
    struct sums sums = {0};
    for (size_t i = 0; i < report->result.n_rows; i++) {
        const struct mt_profile_row *row = &report->result.rows[i];
        sums.n_calls += row->n_calls;
        sums.n_primitive += row->n_primitive;
        sums.n_unfinished += row->n_unfinished;
        sums.n_repaired += row->n_repaired;
    }
    return sums;
}

/* What the tracks tell, and what a process's header knows beyond that. */
static uint64_t n_lost_of(const struct mt_report *report, const struct mt_outcome *outcome)
{
    const struct mt_timeline *timeline = report->timeline;
    uint64_t n_lost = report->result.n_lost;
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        uint64_t n = timeline->processes[i].n_lost, n_told = outcome->n_lost_told[i];
        n_lost += n > n_told ? n - n_told : 0;
    }
    return n_lost;
}

/* Those that a slice leaves out are not told of. */
static uint32_t n_processes_of(const struct mt_timeline *timeline)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < timeline->n_processes; i++)
        n += !timeline->processes[i].left_out;
    return n;
}

static uint32_t n_threads_of(const struct mt_timeline *timeline)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < timeline->n_tracks; i++)
        n += !timeline->tracks[i].left_out;
    return n;
}

static const char *plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

static void put_count(struct mt_buf *out, uint64_t n, const char *one, const char *many)
{
    char text[32];
    mt_buf_printf(out, "%s %s", mt_cli_count_text(n, text, sizeof text), plural(n, one, many));
}

static void put_head(const struct mt_report *report, const struct sums *sums, struct mt_buf *out)
{
    const struct mt_timeline *timeline = report->timeline;
    uint64_t dur_ns = report->result.last_ns - report->result.first_ns;
    char text[32];
    put_count(out, sums->n_calls, "function call", "function calls");
    if (sums->n_primitive != sums->n_calls && !report->keys)
        mt_buf_printf(out, " (%s primitive)",
                      mt_cli_count_text(sums->n_primitive, text, sizeof text));
    mt_buf_printf(out, " in %" PRIu64 ".%06" PRIu64 " seconds, ", dur_ns / 1000000000,
                  dur_ns / 1000 % 1000000);
    put_count(out, n_processes_of(timeline), "process", "processes");
    mt_buf_append_text(out, ", ");
    put_count(out, n_threads_of(timeline), "thread", "threads");
    mt_buf_append_text(out, "\n\n");
}

static void put_note(struct mt_buf *out, uint64_t n, const char *one, const char *many,
                     const char *rest)
{
    if (!n)
        return;
    put_count(out, n, one, many);
    mt_buf_append_text(out, rest);
}

static void put_foot(const struct mt_report *report, const struct sums *sums, size_t n_left,
                     struct mt_buf *out)
{
    if (!n_left && !sums->n_unfinished && !sums->n_repaired && !report->n_lost)
        return;
    mt_buf_append_char(out, '\n');
    put_note(out, n_left, "more row", "more rows", "; -n 0 shows all\n");
    put_note(out, sums->n_unfinished, "call was", "calls were",
             " not over at the end of a thread's events, and lasted to there\n");
    put_note(out, sums->n_repaired, "call has", "calls have",
             " no recorded end, and lasted to when another record says that it was over\n");
    if (mt_timeline_mixes_greenlets(report->timeline, sums->n_repaired))
        mt_buf_append_text(out, MT_CLI_GREENLETS "\n");
    put_note(out, report->n_lost, "event was", "events were",
             " lost: numbers are too small; `mtrace info` tells why\n");
}

static void put_json_head(const struct mt_report *report, const struct sums *sums, size_t n_rows,
                          struct mt_buf *out)
{
    static const char *const names[] = {"functions", "processes", "threads", "files",
                                        "callers",   "callees",   "slowest"};
    const struct mt_profile_result *result = &report->result;
    const struct {
        const char *key;
        uint64_t n;
    } numbers[] = {
        {"processes", n_processes_of(report->timeline)},
        {"threads", n_threads_of(report->timeline)},
        {"duration_ns", result->last_ns - result->first_ns},
        {"calls", sums->n_calls},
        {"primitive_calls", sums->n_primitive},
        {"unfinished_calls", sums->n_unfinished},
        {"repaired_calls", sums->n_repaired},
        {"lost_events", report->n_lost},
        {"losses", result->n_losses},
        {"rows_in_all", n_rows},
    };
    mt_buf_printf(out, "{\"report\":\"%s\"", names[report->kind]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        mt_buf_printf(out, ",\"%s\":%" PRIu64, numbers[i].key, numbers[i].n);
    mt_buf_append_text(out, ",\n\"rows\":");
}

static size_t fill(const struct mt_report *report, struct mt_table *table)
{
    if (report->kind == MT_REPORT_SLOWEST)
        return mt__report_slowest(report, table);
    if (report->kind == MT_REPORT_CALLERS || report->kind == MT_REPORT_CALLEES)
        return mt__report_pairs(report, table);
    return mt__report_rows(report, table);
}

static enum mt_status write_report(const struct mt_report *report, struct mt_buf *out)
{
    struct mt_table table = {0};
    struct sums sums = sums_of(report);
    size_t n_rows = fill(report, &table);
    bool for_people = report->format == MT_TABLE_TEXT || report->format == MT_TABLE_MARKDOWN;
    if (for_people)
        put_head(report, &sums, out);
    else if (report->format == MT_TABLE_JSON)
        put_json_head(report, &sums, n_rows, out);
    mt_table_put(&table, report->format, report->width, out);
    if (for_people)
        put_foot(report, &sums, n_rows - table.n_rows, out);
    else if (report->format == MT_TABLE_JSON)
        mt_buf_append_text(out, "}\n");
    bool failed = table.failed || out->failed;
    mt_table_fini(&table);
    return failed ? MT_NOMEM : MT_OK;
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct mt_report *report = state;
    enum mt_status status = MT_OK;
    if (outcome) {
        status = mt_profile_fold(report->profile, &report->result);
        report->n_lost = n_lost_of(report, outcome);
    }
    mt_profile_free(report->profile);
    report->profile = NULL;
    if (outcome && status == MT_OK)
        status = write_report(report, out);
    mt_profile_result_fini(&report->result);
    mt__report_free_keys(report);
    return status;
}

const struct mt_sink mt__report_sink = {
    .name = "report",
    .suffix = "",
    .summary = "numbers per function",
    .needs = MT_PROFILE_NEEDS,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
