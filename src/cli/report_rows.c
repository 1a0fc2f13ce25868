/* report_rows.c - the rows of a report: one for each function, process, thread or file. Called by
 * report.c.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "profile/label.h"

/* ---- order */

/* Set while rows are sorted: qsort takes no context. */
static const struct mt_report *sorted;

static uint64_t divided(uint64_t sum, uint64_t n)
{
    return n ? (sum + n / 2) / n : 0;
}

static uint64_t number_of(const struct mt_profile_row *row)
{
    switch (sorted->sort) {
    case MT_SORT_NCALLS: return row->n_calls;
    case MT_SORT_CUMTIME: return row->cum_ns;
    case MT_SORT_PERCALL: return divided(row->cum_ns, row->n_primitive);
    case MT_SORT_MEAN: return divided(row->timed_ns, row->n_timed);
    case MT_SORT_P50: return row->p50_ns;
    case MT_SORT_P95: return row->p95_ns;
    case MT_SORT_P99: return row->p99_ns;
    case MT_SORT_MAX: return row->max_ns;
    default: return row->self_ns;
    }
}

static const struct mt_func *func_of(const struct mt_report *report,
                                     const struct mt_profile_row *row)
{
    if (report->kind == MT_REPORT_PROCESSES || report->kind == MT_REPORT_THREADS)
        return NULL;
    uint32_t func = report->kind == MT_REPORT_FILES ? report->file_funcs[row->key] : row->key;
    return &report->timeline->funcs[func];
}

static int compare_texts(const struct mt_text *a, const struct mt_text *b)
{
    uint32_t n = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    int order = memcmp(a->data, b->data, n);
    return order ? order : (a->n_bytes > b->n_bytes) - (a->n_bytes < b->n_bytes);
}

static int compare_funcs(const struct mt_func *a, const struct mt_func *b)
{
    int order = 0;
    if (sorted->sort == MT_SORT_FILE) {
        order = compare_texts(&a->file, &b->file);
        if (!order && a->line != b->line)
            order = a->line < b->line ? -1 : 1;
    }
    return order ? order : compare_texts(&a->name, &b->name);
}

/* The largest number first, names from a on; what is equal by self time, and then as it comes. */
static int compare_rows(const void *left, const void *right)
{
    const struct mt_profile_row *a = *(const struct mt_profile_row *const *)left;
    const struct mt_profile_row *b = *(const struct mt_profile_row *const *)right;
    bool by_text = sorted->sort == MT_SORT_NAME || sorted->sort == MT_SORT_FILE;
    const struct mt_func *func = func_of(sorted, a);
    int order = by_text && func ? compare_funcs(func, func_of(sorted, b)) : 0;
    uint64_t a_number = number_of(a), b_number = number_of(b);
    if (!order && a_number != b_number && !(by_text && !func))
        order = a_number > b_number ? -1 : 1;
    if (!order && a->self_ns != b->self_ns && !by_text)
        order = a->self_ns > b->self_ns ? -1 : 1;
    return order ? order : (a > b) - (a < b);
}

/* ---- columns */

/* clang-format off */ /* rows, not a block */
#define NUMBERS(percall, durations)                                                                \
    {"ncalls", "ncalls", MT_CELL_CALLS, MT_FOR_ALL},                                               \
    {"", "primitive_calls", MT_CELL_COUNT, MT_FOR_PROGRAMS},                                       \
    {"tottime", "tottime_ns", MT_CELL_SECONDS, MT_FOR_ALL},                                        \
    {"percall", "tottime_percall_ns", MT_CELL_DURATION, percall},                                  \
    {"cumtime", "cumtime_ns", MT_CELL_SECONDS, MT_FOR_ALL},                                        \
    {"percall", "cumtime_percall_ns", MT_CELL_DURATION, percall},                                  \
    {"mean", "mean_ns", MT_CELL_DURATION, durations},                                              \
    {"p50", "p50_ns", MT_CELL_DURATION, durations},                                                \
    {"p95", "p95_ns", MT_CELL_DURATION, durations},                                                \
    {"p99", "p99_ns", MT_CELL_DURATION, durations},                                                \
    {"max", "max_ns", MT_CELL_DURATION, durations},                                                \
    {"", "timed_calls", MT_CELL_COUNT, MT_FOR_PROGRAMS},                                           \
    {"", "resumed_calls", MT_CELL_COUNT, MT_FOR_PROGRAMS},                                         \
    {"", "unfinished_calls", MT_CELL_COUNT, MT_FOR_PROGRAMS},                                      \
    {"", "repaired_calls", MT_CELL_COUNT, MT_FOR_PROGRAMS},                                        \
    {"", "reopened_calls", MT_CELL_COUNT, MT_FOR_PROGRAMS}
/* clang-format on */
#define N_NUMBERS 16

/* clang-format off */ /* rows, not a block */
#define FUNCTION_TEXTS                                                                             \
    {"filename:lineno(function)", "", MT_CELL_TEXT, MT_FOR_PEOPLE},                                \
    {"", "function", MT_CELL_TEXT, MT_FOR_PROGRAMS}, {"", "file", MT_CELL_TEXT, MT_FOR_PROGRAMS},  \
    {"", "line", MT_CELL_COUNT, MT_FOR_PROGRAMS}, {"", "kind", MT_CELL_TEXT, MT_FOR_PROGRAMS}
/* clang-format on */
#define PID {"", "pid", MT_CELL_COUNT, MT_FOR_PROGRAMS}
#define PROCESS {"", "process", MT_CELL_TEXT, MT_FOR_PROGRAMS}
#define PROCESS_TEXTS {"process", "", MT_CELL_TEXT, MT_FOR_PEOPLE}, PID, PROCESS
/* clang-format off */ /* rows, not a block */
#define THREAD_TEXTS                                                                               \
    {"thread", "", MT_CELL_TEXT, MT_FOR_PEOPLE}, PID, PROCESS,                                     \
        {"", "tid", MT_CELL_COUNT, MT_FOR_PROGRAMS}, {"", "thread", MT_CELL_TEXT, MT_FOR_PROGRAMS}
/* clang-format on */

/* With percentiles, the means per call make room for them. */
static const struct mt_column columns[][N_NUMBERS + 5] = {
    {NUMBERS(MT_FOR_ALL, MT_FOR_PROGRAMS), FUNCTION_TEXTS},
    {NUMBERS(MT_FOR_ALL, MT_FOR_PROGRAMS), PROCESS_TEXTS},
    {NUMBERS(MT_FOR_ALL, MT_FOR_PROGRAMS), THREAD_TEXTS},
    {NUMBERS(MT_FOR_ALL, MT_FOR_PROGRAMS), {"filename", "file", MT_CELL_TEXT, MT_FOR_ALL}},
};
static const struct mt_column columns_with_durations[][N_NUMBERS + 5] = {
    {NUMBERS(MT_FOR_PROGRAMS, MT_FOR_ALL), FUNCTION_TEXTS},
    {NUMBERS(MT_FOR_PROGRAMS, MT_FOR_ALL), PROCESS_TEXTS},
    {NUMBERS(MT_FOR_PROGRAMS, MT_FOR_ALL), THREAD_TEXTS},
    {NUMBERS(MT_FOR_PROGRAMS, MT_FOR_ALL), {"filename", "file", MT_CELL_TEXT, MT_FOR_ALL}},
};
static const size_t n_texts[] = {5, 3, 5, 1};

/* ---- cells */

static void set_quotient(struct mt_cell *cell, uint64_t sum, uint64_t n)
{
    cell->n = divided(sum, n);
    cell->none = !n;
}

static void set_numbers(struct mt_cell *cells, const struct mt_profile_row *row, bool of_tracks)
{
    const uint64_t durations[] = {row->p50_ns, row->p95_ns, row->p99_ns, row->max_ns};
    const uint64_t counts[] = {row->n_timed, row->n_resumes, row->n_unfinished, row->n_repaired,
                               row->n_reopened};
    cells[0] = (struct mt_cell){.n = row->n_calls, .m = row->n_primitive};
    /* Of a process or thread, the outermost calls: nothing that cProfile would call primitive. */
    if (of_tracks)
        cells[0].m = row->n_calls;
    cells[1].n = row->n_primitive;
    cells[2].n = row->self_ns;
    set_quotient(&cells[3], row->self_ns, row->n_calls);
    cells[4].n = row->cum_ns;
    set_quotient(&cells[5], row->cum_ns, of_tracks ? 0 : row->n_primitive);
    set_quotient(&cells[6], row->timed_ns, row->n_timed);
    for (size_t i = 0; i < 4; i++)
        cells[7 + i] = (struct mt_cell){.n = durations[i], .none = !row->n_timed};
    for (size_t i = 0; i < 5; i++)
        cells[11 + i].n = counts[i];
}

struct mt_text mt__report_label(struct mt_table *table, const struct mt_func *func)
{
    struct mt_buf text = {0};
    mt_label_put(func, &text);
    struct mt_text kept = mt_table_keep(table, mt_buf_text(&text), text.n_bytes);
    mt_buf_fini(&text);
    return kept;
}

static void set_func(struct mt_table *table, struct mt_cell *cells, const struct mt_func *func)
{
    struct mt_buf name = {0};
    cells[0].text = mt__report_label(table, func);
    mt_label_put_name(func, &name);
    cells[1].text = mt_table_keep(table, mt_buf_text(&name), name.n_bytes);
    cells[2].text = func->file;
    cells[2].none = !func->file.n_bytes;
    cells[3] = (struct mt_cell){.n = func->line, .none = !func->file.n_bytes};
    cells[4].text = func->kind == MT_FUNC_C ? (struct mt_text){"c", 1}
                                            : (struct mt_text){"python", 6};
    mt_buf_fini(&name);
}

struct mt_text mt__report_process_text(struct mt_table *table, const struct mt_process *process)
{
    struct mt_buf text = {0};
    mt_buf_printf(&text, "pid %u%s", process->pid, process->name.n_bytes ? " " : "");
    mt_buf_append(&text, process->name.data, process->name.n_bytes);
    struct mt_text kept = mt_table_keep(table, mt_buf_text(&text), text.n_bytes);
    mt_buf_fini(&text);
    return kept;
}

static void set_process(struct mt_table *table, struct mt_cell *cells,
                        const struct mt_process *process)
{
    cells[0].text = mt__report_process_text(table, process);
    cells[1].n = process->pid;
    cells[2].text = process->name;
}

static void set_thread(struct mt_table *table, struct mt_cell *cells,
                       const struct mt_timeline *timeline, const struct mt_track *track)
{
    const struct mt_process *process = &timeline->processes[track->process];
    struct mt_buf text = {0};
    set_process(table, cells, process);
    mt_buf_printf(&text, "pid %u tid %u%s", process->pid, track->tid,
                  track->name.n_bytes ? " " : "");
    mt_buf_append(&text, track->name.data, track->name.n_bytes);
    cells[0].text = mt_table_keep(table, mt_buf_text(&text), text.n_bytes);
    cells[3].n = track->tid;
    cells[4].text = track->name;
    mt_buf_fini(&text);
}

static void set_texts(const struct mt_report *report, struct mt_table *table, struct mt_cell *cells,
                      const struct mt_profile_row *row)
{
    static const struct mt_text c_functions = {"(C functions)", 13};
    const struct mt_timeline *timeline = report->timeline;
    const struct mt_func *func = func_of(report, row);
    if (report->kind == MT_REPORT_FUNCTIONS)
        set_func(table, cells, func);
    else if (report->kind == MT_REPORT_PROCESSES)
        set_process(table, cells, &timeline->processes[row->group]);
    else if (report->kind == MT_REPORT_THREADS)
        set_thread(table, cells, timeline, &timeline->tracks[row->group]);
    else
        cells[0].text = func->file.n_bytes ? func->file : c_functions;
}

size_t mt__report_rows(const struct mt_report *report, struct mt_table *table)
{
    const struct mt_profile_result *result = &report->result;
    const struct mt_profile_row **rows = malloc((result->n_rows + 1) * sizeof *rows);
    table->columns = (report->durations ? columns_with_durations : columns)[report->kind];
    table->n_columns = N_NUMBERS + n_texts[report->kind];
    if (!rows) {
        table->failed = true;
        return 0;
    }
    for (size_t i = 0; i < result->n_rows; i++)
        rows[i] = &result->rows[i];
    sorted = report;
    qsort(rows, result->n_rows, sizeof *rows, compare_rows);
    for (size_t i = 0; i < result->n_rows && i < report->n_top; i++) {
        struct mt_cell *cells = mt_table_add(table);
        set_numbers(cells, rows[i], report->groups);
        set_texts(report, table, cells + N_NUMBERS, rows[i]);
    }
    free(rows);
    return result->n_rows;
}
