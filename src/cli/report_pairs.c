/* report_pairs.c - the reports on pairs of functions (callers, callees) and on single calls
 * (slowest). Called by report.c.
 */
#include <stdlib.h>

#include "cli/report.h"

/* ---- callers and callees */

static const struct mt_column pair_columns[] = {
    {"ncalls", "ncalls", MT_CELL_CALLS, MT_FOR_ALL},
    {"", "primitive_calls", MT_CELL_COUNT, MT_FOR_PROGRAMS},
    {"tottime", "tottime_ns", MT_CELL_SECONDS, MT_FOR_ALL},
    {"cumtime", "cumtime_ns", MT_CELL_SECONDS, MT_FOR_ALL},
    {"caller", "caller", MT_CELL_TEXT, MT_FOR_ALL},
    {"function", "function", MT_CELL_TEXT, MT_FOR_ALL},
};

static const struct mt_report *sorted; /* while pairs are sorted: qsort takes no context */

/* Of a pair: the function that was asked about, and the other one. */
static uint32_t asked(const struct mt_profile_pair *pair)
{
    return sorted->kind == MT_REPORT_CALLERS ? pair->callee : pair->caller;
}

/* By the function that was asked about, as it comes; then the largest number first. */
static int compare_pairs(const void *left, const void *right)
{
    const struct mt_profile_pair *a = *(const struct mt_profile_pair *const *)left;
    const struct mt_profile_pair *b = *(const struct mt_profile_pair *const *)right;
    if (asked(a) != asked(b))
        return asked(a) < asked(b) ? -1 : 1;
    uint64_t a_number = a->cum_ns, b_number = b->cum_ns;
    if (sorted->sort == MT_SORT_NCALLS)
        a_number = a->n_calls, b_number = b->n_calls;
    else if (sorted->sort == MT_SORT_TOTTIME)
        a_number = a->self_ns, b_number = b->self_ns;
    if (a_number != b_number)
        return a_number > b_number ? -1 : 1;
    return (a > b) - (a < b);
}

static const struct mt_func *func_of(const struct mt_report *report, uint32_t row)
{
    return &report->timeline->funcs[report->result.rows[row].key];
}

size_t mt__report_pairs(const struct mt_report *report, struct mt_table *table)
{
    const struct mt_profile_result *result = &report->result;
    const struct mt_profile_pair **pairs = malloc((result->n_pairs + 1) * sizeof *pairs);
    table->columns = pair_columns;
    table->n_columns = sizeof pair_columns / sizeof *pair_columns;
    if (!pairs) {
        table->failed = true;
        return 0;
    }
    for (size_t i = 0; i < result->n_pairs; i++)
        pairs[i] = &result->pairs[i];
    sorted = report;
    qsort(pairs, result->n_pairs, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < result->n_pairs && i < report->n_top; i++) {
        struct mt_cell *cells = mt_table_add(table);
        cells[0] = (struct mt_cell){.n = pairs[i]->n_calls, .m = pairs[i]->n_primitive};
        cells[1].n = pairs[i]->n_primitive;
        cells[2].n = pairs[i]->self_ns;
        cells[3].n = pairs[i]->cum_ns;
        cells[4].text = mt__report_label(table, func_of(report, pairs[i]->caller));
        cells[5].text = mt__report_label(table, func_of(report, pairs[i]->callee));
    }
    free(pairs);
    return result->n_pairs;
}

/* ---- the slowest single calls */

static const struct mt_column slowest_columns[] = {
    {"time", "duration_ns", MT_CELL_SECONDS, MT_FOR_ALL},
    {"start", "start_ns", MT_CELL_SECONDS, MT_FOR_ALL},
    {"pid", "pid", MT_CELL_COUNT, MT_FOR_ALL},
    {"tid", "tid", MT_CELL_COUNT, MT_FOR_ALL},
    {"open", "unfinished", MT_CELL_FLAG, MT_FOR_ALL},
    {"thread", "thread", MT_CELL_TEXT, MT_FOR_PROGRAMS},
    {"filename:lineno(function)", "function", MT_CELL_TEXT, MT_FOR_ALL},
};

size_t mt__report_slowest(const struct mt_report *report, struct mt_table *table)
{
    const struct mt_timeline *timeline = report->timeline;
    const struct mt_profile_result *result = &report->result;
    table->columns = slowest_columns;
    table->n_columns = sizeof slowest_columns / sizeof *slowest_columns;
    for (size_t i = 0; i < result->n_slowest; i++) {
        const struct mt_profile_slow_call *call = &result->slowest[i];
        const struct mt_track *track = &timeline->tracks[call->track];
        struct mt_cell *cells = mt_table_add(table);
        cells[0].n = call->dur_ns;
        cells[1].n = call->begin_ns;
        cells[2].n = timeline->processes[track->process].pid;
        cells[3].n = track->tid;
        cells[4].n = call->unfinished;
        cells[5].text = track->name;
        cells[6].text = mt__report_label(table, &timeline->funcs[call->func]);
    }
    return result->n_slowest;
}
