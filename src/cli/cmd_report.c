/* cmd_report.c - `mtrace report`: trace files in, numbers per function out. Called by main.c. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "cli/slice_options.h"
#include "cli/table_options.h"

static const char synopsis[] = "mtrace report [-s KEY] [-n N] [-p] [--by WHAT] [--callers NAME] "
                               "[--callees NAME] [--slowest N] [-f FORMAT] [-o FILE] [-j N] "
                               "[--width N] [-q] [SLICE OPTION...] PATH...";
static const char summary[] =
    "Adds up what the processes recorded: calls and times of each function, in cProfile's\n"
    "columns. PATH is a .trace file or a directory with such files; they may still be growing.";

struct name {
    const char *name;
    int value;
};

/* -1: there is no such name. */
static int named(const struct name *names, const char *wanted)
{
    for (; names->name; names++) {
        if (!strcmp(names->name, wanted))
            return names->value;
    }
    return -1;
}

/* With the other names that pstats has for some of them. */
static const struct name sorts[] = {
    {"ncalls", MT_SORT_NCALLS},   {"calls", MT_SORT_NCALLS},
    {"tottime", MT_SORT_TOTTIME}, {"time", MT_SORT_TOTTIME},
    {"cumtime", MT_SORT_CUMTIME}, {"cumulative", MT_SORT_CUMTIME},
    {"percall", MT_SORT_PERCALL}, {"mean", MT_SORT_MEAN},
    {"p50", MT_SORT_P50},         {"p95", MT_SORT_P95},
    {"p99", MT_SORT_P99},         {"max", MT_SORT_MAX},
    {"name", MT_SORT_NAME},       {"file", MT_SORT_FILE},
    {"filename", MT_SORT_FILE},   {NULL, 0},
};
static const struct name kinds[] = {
    {"function", MT_REPORT_FUNCTIONS},
    {"process", MT_REPORT_PROCESSES},
    {"thread", MT_REPORT_THREADS},
    {"file", MT_REPORT_FILES},
    {NULL, 0},
};

struct words {
    const char *sort, *by, *callers, *callees, *slowest;
    bool durations;
};

/* What was asked for; false: that is wrong usage, and said. */
static bool understand(const struct words *words, struct mt_report *report)
{
    uint32_t n_slowest = 0;
    int sort = named(sorts, words->sort), kind = named(kinds, words->by ? words->by : "function");
    int n_questions = !!words->by + !!words->callers + !!words->callees + !!words->slowest;
    if (sort < 0)
        mt_cli_usage("report",
                     "--sort is ncalls, tottime, cumtime, percall, mean, p50, p95, p99, "
                     "max, name or file, not %s",
                     words->sort);
    else if (kind < 0)
        mt_cli_usage("report", "--by is function, process, thread or file, not %s", words->by);
    else if (n_questions > 1)
        mt_cli_usage("report", "--by, --callers, --callees and --slowest are different reports; "
                               "ask for one");
    else if (words->slowest && (!mt_cli_parse_number(words->slowest, &n_slowest) || !n_slowest ||
                                n_slowest > 1000000))
        mt_cli_usage("report", "--slowest is a number from 1 to 1000000, not %s", words->slowest);
    else {
        if (n_slowest)
            report->n_top = n_slowest;
        report->sort = (enum mt_report_sort)sort;
        report->kind = words->callers   ? MT_REPORT_CALLERS
                       : words->callees ? MT_REPORT_CALLEES
                       : words->slowest ? MT_REPORT_SLOWEST
                                        : (enum mt_report_kind)kind;
        report->pattern = words->callers ? words->callers : words->callees;
        report->durations = words->durations || (sort >= MT_SORT_MEAN && sort <= MT_SORT_MAX);
        return true;
    }
    return false;
}

static struct mt_slice_options slicing; /* wrong usage leaves without freeing it */

int mt_cmd_report(int argc, char **argv)
{
    struct words words = {.sort = "tottime"};
    struct mt_table_options shown = MT_TABLE_OPTIONS_DEFAULTS;
    const struct mt_option options[] = {
        {'s', "sort", "KEY",
         "ncalls, tottime (the default), cumtime, percall, mean, p50, p95, p99, max, name, file",
         NULL, &words.sort},
        MT_TABLE_TOP_OPTION(shown),
        {'p', "percentiles", NULL, "show mean, p50, p95, p99 and max of single calls, too",
         &words.durations, NULL},
        {0, "by", "WHAT", "a row for each function (the default), process, thread or file", NULL,
         &words.by},
        {0, "callers", "NAME", "instead, who called the functions of that name, or glob", NULL,
         &words.callers},
        {0, "callees", "NAME", "instead, whom the functions of that name, or glob, called", NULL,
         &words.callees},
        {0, "slowest", "N", "instead, the N slowest single calls, with time and place", NULL,
         &words.slowest},
        MT_TABLE_OPTIONS(shown),
        MT_SLICE_OPTIONS(slicing),
        {0},
    };
    struct mt_report report = {0};
    int exit_status;
    int n = mt_options_parse(argc, argv, options, synopsis, summary, false, &exit_status);
    if (n < 0)
        return exit_status;
    if (!n)
        return mt_cli_usage("report", "there is no PATH to report on");
    if (!mt_table_options_parse(&shown, "report"))
        return MT_EXIT_USAGE;
    report.format = shown.table;
    report.n_top = shown.n_top;
    report.width = shown.n_columns;
    if (!understand(&words, &report))
        return MT_EXIT_USAGE;
    exit_status = mt_slice_options_parse(&slicing, "report");
    if (exit_status != MT_EXIT_OK)
        return exit_status;
    mt_cli_set_quiet(shown.quiet);
    mt_cli_writes_output();
    struct mt_set *set = mt_cli_open_set(argv + 1, n);
    if (!set)
        return MT_EXIT_TROUBLE;
    struct mt_merge how = {.format = {.sink = &mt__report_sink},
                           .options = &report,
                           .n_workers = shown.n_workers,
                           .shows_progress = !shown.quiet};
    if ((!mt_set_n_files(set) && mt_set_n_errors(set)) || !mt_slice_options_apply(&slicing, set))
        exit_status = MT_EXIT_TROUBLE;
    else if (!strcmp(shown.output, "-"))
        exit_status = mt_cli_merge_set(set, STDOUT_FILENO, "standard output", &how);
    else
        exit_status = mt_cli_merge_to_path(set, shown.output, &how);
    mt_set_free(set);
    mt_slice_options_fini(&slicing);
    return exit_status;
}
