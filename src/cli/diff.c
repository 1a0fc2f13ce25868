/* diff.c - the sink behind `mtrace diff`: adds up one side after the other, or two processes at
 * once, and writes the comparison at the end of the last.
 */
#include "cli/diff.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "profile/label.h"

/* A function on both sides; NULL: it was not called there. */
struct compared {
    const struct mt_profile_row *rows[2];
    const struct mt_func *func;
};

static const struct mt_profile_row no_row;

static const struct mt_profile_row *row_of(const struct compared *compared, int side)
{
    return compared->rows[side] ? compared->rows[side] : &no_row;
}

static int64_t change(uint64_t before, uint64_t after)
{
    return (int64_t)(after - before);
}

static uint64_t measured(const struct mt_profile_row *row, enum mt_diff_measure measure)
{
    switch (measure) {
    case MT_DIFF_CUMTIME: return row->cum_ns;
    case MT_DIFF_CALLS: return row->n_calls;
    case MT_DIFF_P95: return row->p95_ns;
    default: return row->self_ns;
    }
}

static double percent(uint64_t before, uint64_t after)
{
    return ((double)after - (double)before) / (double)before * 100;
}

/* ---------------------------------------------------------------------------------------- table */

static const struct mt_column columns[] = {
    {"", "ncalls_before", MT_CELL_COUNT, MT_FOR_PROGRAMS},
    {"ncalls", "ncalls_after", MT_CELL_COUNT, MT_FOR_ALL},
    {"change", "ncalls_change", MT_CELL_CHANGE, MT_FOR_ALL},
    {"", "ncalls_percent", MT_CELL_PERCENT, MT_FOR_PROGRAMS},
    {"", "tottime_before_ns", MT_CELL_SECONDS, MT_FOR_PROGRAMS},
    {"tottime", "tottime_after_ns", MT_CELL_SECONDS, MT_FOR_ALL},
    {"change", "tottime_change_ns", MT_CELL_SECONDS_CHANGE, MT_FOR_ALL},
    {"%", "tottime_percent", MT_CELL_PERCENT, MT_FOR_ALL},
    {"", "cumtime_before_ns", MT_CELL_SECONDS, MT_FOR_PROGRAMS},
    {"cumtime", "cumtime_after_ns", MT_CELL_SECONDS, MT_FOR_ALL},
    {"", "cumtime_change_ns", MT_CELL_SECONDS_CHANGE, MT_FOR_PROGRAMS},
    {"%", "cumtime_percent", MT_CELL_PERCENT, MT_FOR_ALL},
    {"", "p95_before_ns", MT_CELL_DURATION, MT_FOR_PROGRAMS},
    {"p95", "p95_after_ns", MT_CELL_DURATION, MT_FOR_ALL},
    {"", "p95_change_ns", MT_CELL_SECONDS_CHANGE, MT_FOR_PROGRAMS},
    {"%", "p95_percent", MT_CELL_PERCENT, MT_FOR_ALL},
    {"", "state", MT_CELL_TEXT, MT_FOR_PROGRAMS},
    {"filename:lineno(function)", "", MT_CELL_TEXT, MT_FOR_PEOPLE},
    {"", "function", MT_CELL_TEXT, MT_FOR_PROGRAMS},
    {"", "file", MT_CELL_TEXT, MT_FOR_PROGRAMS},
    {"", "line", MT_CELL_COUNT, MT_FOR_PROGRAMS},
};

static void put_measure(struct mt_cell *cells, uint64_t before, uint64_t after)
{
    cells[0].n = before;
    cells[1].n = after;
    cells[2].i = change(before, after);
    cells[3].none = !before;
    cells[3].x = before ? percent(before, after) : 0;
}

static void put_func(struct mt_table *table, struct mt_cell *cells, const struct compared *compared)
{
    static const struct mt_text states[] = {{"both", 4}, {"new", 3}, {"gone", 4}};
    const struct mt_func *func = compared->func;
    int state = !compared->rows[0] ? 1 : !compared->rows[1] ? 2 : 0;
    struct mt_buf text = {0};
    cells[0].text = states[state];
    mt_label_put(func, &text);
    if (state) /* behind the name, whose start may be left out */
        mt_buf_append_text(&text, state == 1 ? " [new]" : " [gone]");
    cells[1].text = mt_table_keep(table, mt_buf_text(&text), text.n_bytes);
    mt_buf_clear(&text);
    mt_label_put_name(func, &text);
    cells[2].text = mt_table_keep(table, mt_buf_text(&text), text.n_bytes);
    cells[3].text = func->file;
    cells[3].none = !func->file.n_bytes;
    cells[4] = (struct mt_cell){.n = func->line, .none = !func->file.n_bytes};
    mt_buf_fini(&text);
}

static void fill(const struct mt_diff *diff, const struct compared *compared, size_t n,
                 struct mt_table *table)
{
    table->columns = columns;
    table->n_columns = sizeof columns / sizeof *columns;
    for (size_t i = 0; i < n && i < diff->n_top; i++) {
        const struct mt_profile_row *a = row_of(&compared[i], 0), *b = row_of(&compared[i], 1);
        struct mt_cell *cells = mt_table_add(table);
        put_measure(cells, a->n_calls, b->n_calls);
        put_measure(cells + 4, a->self_ns, b->self_ns);
        put_measure(cells + 8, a->cum_ns, b->cum_ns);
        put_measure(cells + 12, a->p95_ns, b->p95_ns);
        cells[12].none = !a->n_timed; /* there is none of no calls */
        cells[13].none = !b->n_timed;
        cells[14].none = cells[12].none || cells[13].none;
        cells[15].none |= cells[14].none;
        put_func(table, cells + 16, &compared[i]);
    }
}

/* --------------------------------------------------------------------------------- what exceeds */

struct totals {
    uint64_t n_calls[2], self_ns[2];
};

static void tell_exceeded(const struct mt_diff *diff, const struct mt_func *func, uint64_t before,
                          uint64_t after)
{
    static const char *const names[] = {"tottime", "cumtime", "calls", "p95"};
    struct mt_buf label = {0};
    char texts[2][32];
    if (func)
        mt_label_put(func, &label);
    else
        mt_buf_append_text(&label, "all functions together");
    if (diff->measure == MT_DIFF_CALLS) {
        mt_cli_count_text(before, texts[0], sizeof texts[0]);
        mt_cli_count_text(after, texts[1], sizeof texts[1]);
    } else {
        mt_cli_duration_text(before, texts[0], sizeof texts[0]);
        mt_cli_duration_text(after, texts[1], sizeof texts[1]);
    }
    mt_cli_error("%s: %s %+.1f%%, from %s to %s, is above %g%%", mt_buf_text(&label),
                 names[diff->measure], percent(before, after), texts[0], texts[1],
                 diff->fail_above);
    mt_buf_fini(&label);
}

static bool exceeds(const struct mt_diff *diff, uint64_t before, uint64_t after)
{
    return before && percent(before, after) > diff->fail_above;
}

/* How many are told of one by one. */
#define MAX_TOLD 10

/* Functions that are new have nothing to be compared with, but all of them together have. */
static void look_for_exceeding(struct mt_diff *diff, const struct compared *compared, size_t n,
                               const struct totals *totals)
{
    uint64_t all_ns = totals->self_ns[0] > totals->self_ns[1] ? totals->self_ns[0]
                                                              : totals->self_ns[1];
    uint64_t min_ns = diff->min_share > 0 ? (uint64_t)(diff->min_share * (double)all_ns)
                                          : diff->min_ns;
    bool of_calls = diff->measure == MT_DIFF_CALLS;
    size_t n_exceeding = 0;
    const uint64_t *all = of_calls ? totals->n_calls : totals->self_ns;
    if ((of_calls || diff->measure == MT_DIFF_TOTTIME) && exceeds(diff, all[0], all[1])) {
        tell_exceeded(diff, NULL, all[0], all[1]);
        diff->exceeded = true;
    }
    for (size_t i = 0; i < n; i++) {
        const struct mt_profile_row *a = row_of(&compared[i], 0), *b = row_of(&compared[i], 1);
        uint64_t before = measured(a, diff->measure), after = measured(b, diff->measure);
        if ((a->self_ns < min_ns && b->self_ns < min_ns) || !exceeds(diff, before, after))
            continue;
        if (n_exceeding++ < MAX_TOLD)
            tell_exceeded(diff, compared[i].func, before, after);
        diff->exceeded = true;
    }
    if (n_exceeding > MAX_TOLD)
        mt_cli_error("and %zu more functions", n_exceeding - MAX_TOLD);
}

/* ------------------------------------------------------------------------------- the comparison */

/* The largest change of self time first, whatever its sign; then by name. */
static int compare(const void *left, const void *right)
{
    const struct compared *a = left, *b = right;
    uint64_t a_change = (uint64_t)llabs(change(row_of(a, 0)->self_ns, row_of(a, 1)->self_ns));
    uint64_t b_change = (uint64_t)llabs(change(row_of(b, 0)->self_ns, row_of(b, 1)->self_ns));
    if (a_change != b_change)
        return a_change > b_change ? -1 : 1;
    uint32_t a_key = (a->rows[0] ? a->rows[0] : a->rows[1])->key;
    uint32_t b_key = (b->rows[0] ? b->rows[0] : b->rows[1])->key;
    return (a_key > b_key) - (a_key < b_key);
}

/* A function of each key, as it is called on the later side if it is there. NULL: no memory. */
static const struct mt_func **funcs_by_key(const struct mt_diff *diff)
{
    const struct mt_func **funcs = calloc(diff->n_keys + (size_t)1, sizeof *funcs);
    for (int s = 0; funcs && s < 2; s++) {
        const struct mt_diff_side *side = &diff->sides[s];
        for (uint32_t i = 0; side->timeline && i < side->timeline->n_funcs; i++)
            funcs[side->keys[i]] = &side->timeline->funcs[i];
    }
    return funcs;
}

/* By key; NULL: no memory. */
static struct compared *compare_sides(const struct mt_diff *diff, struct totals *totals)
{
    const struct mt_func **funcs = funcs_by_key(diff);
    struct compared *compared = calloc(diff->n_keys + (size_t)1, sizeof *compared);
    for (int s = 0; funcs && compared && s < 2; s++) {
        const struct mt_profile_result *result = &diff->sides[s].result;
        for (size_t i = 0; i < result->n_rows; i++) {
            const struct mt_profile_row *row = &result->rows[i];
            int side = diff->both_at_once ? (int)row->group : s;
            compared[row->key] = (struct compared){
                .rows = {side ? compared[row->key].rows[0] : row,
                         side ? row : compared[row->key].rows[1]},
                .func = funcs[row->key],
            };
            totals->n_calls[side] += row->n_calls;
            totals->self_ns[side] += row->self_ns;
        }
    }
    free(funcs);
    return compared;
}

static void put_total(struct mt_buf *out, const char *what, double before, double after,
                      int n_decimals, const char *unit)
{
    mt_buf_printf(out, "%s%.*f%s to %.*f%s", what, n_decimals, before, unit, n_decimals, after,
                  unit);
    if (before > 0)
        mt_buf_printf(out, " (%+.1f%%)", (after - before) / before * 100);
}

static void put_head(const struct mt_diff *diff, const struct totals *totals, struct mt_buf *out)
{
    if (diff->format == MT_TABLE_JSON) {
        mt_buf_printf(
            out,
            "{\"report\":\"diff\",\"calls_before\":%" PRIu64 ",\"calls_after\":%" PRIu64
            ",\"tottime_before_ns\":%" PRIu64 ",\"tottime_after_ns\":%" PRIu64 ",\n\"rows\":",
            totals->n_calls[0], totals->n_calls[1], totals->self_ns[0], totals->self_ns[1]);
        return;
    }
    if (diff->format == MT_TABLE_CSV)
        return;
    put_total(out, "calls ", (double)totals->n_calls[0], (double)totals->n_calls[1], 0, "");
    put_total(out, ", time ", (double)totals->self_ns[0] / 1e9, (double)totals->self_ns[1] / 1e9, 6,
              " s");
    mt_buf_append_text(out, "\n\n");
}

static void put_foot(const struct mt_diff *diff, size_t n_left, struct mt_buf *out)
{
    if (diff->format == MT_TABLE_JSON)
        mt_buf_append_text(out, "}\n");
    else if (n_left && diff->format != MT_TABLE_CSV)
        mt_buf_printf(out, "\n%zu more row%s; -n 0 shows all\n", n_left, n_left == 1 ? "" : "s");
}

static enum mt_status write_diff(struct mt_diff *diff, struct mt_buf *out)
{
    struct mt_table table = {0};
    struct totals totals = {0};
    struct compared *compared = compare_sides(diff, &totals);
    size_t n = 0;
    if (!compared)
        return MT_NOMEM;
    for (uint32_t key = 0; key < diff->n_keys; key++) {
        if (compared[key].rows[0] || compared[key].rows[1])
            compared[n++] = compared[key];
    }
    qsort(compared, n, sizeof *compared, compare);
    fill(diff, compared, n, &table);
    put_head(diff, &totals, out);
    mt_table_put(&table, diff->format, diff->width, out);
    put_foot(diff, n - table.n_rows, out);
    if (diff->fails)
        look_for_exceeding(diff, compared, n, &totals);
    bool failed = table.failed || out->failed;
    mt_table_fini(&table);
    free(compared);
    return failed ? MT_NOMEM : MT_OK;
}

/* -------------------------------------------------------------------------------- the interface */

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    /* The command's own; const only on the way here. */
    struct mt_diff *diff = (struct mt_diff *)(uintptr_t)job->options;
    const struct mt_diff_side *side = &diff->sides[diff->side];
    struct mt_profile_options options = {
        .timeline = job->timeline,
        .n_workers = job->n_workers,
        .key_of_func = side->keys,
        .n_keys = diff->n_keys,
        .group_of_track = side->groups,
        .n_groups = 2,
    };
    (void)out;
    *state = diff;
    return mt_profile_new(&options, &diff->profile);
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct mt_diff *diff = state;
    (void)out;
    return mt_profile_add(diff->profile, run);
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct mt_diff *diff = state;
    enum mt_status status = MT_OK;
    if (outcome)
        status = mt_profile_fold(diff->profile, &diff->sides[diff->side].result);
    mt_profile_free(diff->profile);
    diff->profile = NULL;
    bool is_last = diff->both_at_once || diff->side;
    return outcome && status == MT_OK && is_last ? write_diff(diff, out) : status;
}

void mt__diff_fini(struct mt_diff *diff)
{
    for (int s = 0; s < 2; s++) {
        mt_profile_result_fini(&diff->sides[s].result);
        free(diff->sides[s].keys);
        free(diff->sides[s].groups);
    }
}

const struct mt_sink mt__diff_sink = {
    .name = "diff",
    .suffix = "",
    .summary = "two profiles compared",
    .needs = MT_PROFILE_NEEDS,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
