/* cmd_diff.c - `mtrace diff`: two runs, or two processes of a run, compared per function. Called by
 * main.c. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/diff.h"
#include "cli/slice_options.h"
#include "cli/table_options.h"

static const char synopsis[] = "mtrace diff [-n N] [--fail-above PCT] [--measure M] [--min-time T] "
                               "[-f FORMAT] [-o FILE] [-j N] [--width N] [-q] [--processes] "
                               "[SLICE OPTION...] A B [PATH...]";
static const char summary[] =
    "Compares two runs per function: what changed from A to B, the largest change of self time\n"
    "first. A and B are .trace files or directories with such files; with --processes, the ids\n"
    "of two processes in PATH...";

#define DEFAULT_MIN_SHARE 0.01

struct words {
    const char *fail_above, *measure, *min_time;
    bool processes;
};

/* A number from 0 on; what follows it is at *end. */
static bool parse_decimal(const char *text, double *value, const char **end)
{
    char *after;
    *value = strtod(text, &after);
    *end = after;
    return ((*text >= '0' && *text <= '9') || *text == '.') && after != text && *value <= 1e9;
}

static bool parse_percent(const char *text, double *percent)
{
    const char *end;
    return parse_decimal(text, percent, &end) && (!*end || !strcmp(end, "%"));
}

/* "2%" of all, "5ms", "0.5s", "0.5" */
static bool parse_min_time(const char *text, struct mt_diff *diff)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    const char *end;
    double value;
    if (!parse_decimal(text, &value, &end))
        return false;
    diff->min_share = !strcmp(end, "%") ? value / 100 : 0;
    diff->min_ns = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!strcmp(end, units[i].unit)) {
            diff->min_ns = (uint64_t)(value * units[i].ns);
            return true;
        }
    }
    return !strcmp(end, "%");
}

static bool parse_measure(const char *text, enum mt_diff_measure *measure)
{
    static const char *const names[] = {"tottime", "cumtime", "calls", "p95"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(text, names[i])) {
            *measure = (enum mt_diff_measure)i;
            return true;
        }
    }
    return false;
}

/* What was asked for; false: that is wrong usage, and said. */
static bool understand(const struct words *words, struct mt_diff *diff)
{
    diff->min_share = DEFAULT_MIN_SHARE;
    diff->fails = words->fail_above;
    if (words->fail_above && !parse_percent(words->fail_above, &diff->fail_above))
        mt_cli_usage("diff", "--fail-above is percent, such as 10 or 2.5%%, not %s",
                     words->fail_above);
    else if (!parse_measure(words->measure, &diff->measure))
        mt_cli_usage("diff", "--measure is tottime, cumtime, calls or p95, not %s", words->measure);
    else if (words->min_time && !parse_min_time(words->min_time, diff))
        mt_cli_usage("diff", "--min-time is a time or share, such as 5ms or 2%%, not %s",
                     words->min_time);
    else
        return true;
    return false;
}

/* ---- two processes of one set: groups of its tracks */

static bool find_process(const struct mt_timeline *timeline, uint32_t pid)
{
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        if (timeline->processes[i].pid == pid)
            return true;
    }
    mt_cli_error("there is no process %u in these traces; `mtrace info` lists them", pid);
    return false;
}

static bool set_groups(struct mt_diff *diff, const uint32_t pids[2])
{
    const struct mt_timeline *timeline = diff->sides[0].timeline;
    uint32_t *groups = malloc((timeline->n_tracks + (size_t)1) * sizeof *groups);
    if (!groups) {
        mt_cli_error("%s", mt_status_text(MT_NOMEM));
        return false;
    }
    for (uint32_t i = 0; i < timeline->n_tracks; i++) {
        uint32_t pid = timeline->processes[timeline->tracks[i].process].pid;
        groups[i] = pid == pids[0] ? 0 : pid == pids[1] ? 1 : MT_NONE;
    }
    diff->sides[0].groups = groups;
    diff->both_at_once = true;
    return find_process(timeline, pids[0]) && find_process(timeline, pids[1]);
}

/* ---- running */

static enum mt_status feed_first(struct mt_set *set, struct mt_diff *diff, uint32_t n_workers)
{
    struct mt_feed feed = {
        .set = set, .sink = &mt__diff_sink, .options = diff, .n_workers = n_workers};
    enum mt_status status = mt_cli_feed(&feed);
    if (status != MT_OK)
        mt_cli_error("%s", mt_status_text(status));
    diff->side = 1;
    return status;
}

static int compare_sets(struct mt_set *const sets[2], struct mt_diff *diff,
                        const struct mt_table_options *shown)
{
    struct mt_merge how = {.format = {.sink = &mt__diff_sink},
                           .options = diff,
                           .n_workers = shown->n_workers,
                           .shows_progress = !shown->quiet};
    enum mt_status status = mt__diff_match(diff);
    if (status != MT_OK)
        mt_cli_error("%s", mt_status_text(status));
    if (status == MT_OK && sets[1])
        status = feed_first(sets[0], diff, shown->n_workers);
    if (status != MT_OK)
        return MT_EXIT_TROUBLE;
    struct mt_set *last = sets[1] ? sets[1] : sets[0];
    int exit_status = !strcmp(shown->output, "-")
                          ? mt_cli_merge_set(last, STDOUT_FILENO, "standard output", &how)
                          : mt_cli_merge_to_path(last, shown->output, &how);
    if (sets[1] && mt_set_n_errors(sets[0]))
        exit_status = MT_EXIT_TROUBLE;
    return diff->exceeded ? MT_EXIT_TROUBLE : exit_status;
}

static struct mt_slice_options slicing; /* of both sides; wrong usage leaves without freeing it */

/* An empty side would look like a comparison. */
static bool is_usable(struct mt_set *set)
{
    return set && (mt_set_n_files(set) || !mt_set_n_errors(set)) &&
           mt_slice_options_apply(&slicing, set);
}

static int diff_paths(char **operands, int n, struct mt_diff *diff, bool processes,
                      const struct mt_table_options *shown)
{
    struct mt_set *sets[2] = {NULL, NULL};
    uint32_t pids[2] = {0, 0};
    bool good;
    if (processes) {
        for (int i = 0; i < 2; i++) {
            if (!mt_cli_parse_number(operands[i], &pids[i]))
                return mt_cli_usage("diff", "with --processes, A and B are process ids, not %s",
                                    operands[i]);
        }
        sets[0] = mt_cli_open_set(operands + 2, n - 2);
        good = is_usable(sets[0]);
        diff->sides[0].timeline = good ? mt_set_timeline(sets[0]) : NULL;
        good = good && set_groups(diff, pids);
    } else {
        for (int i = 0; i < 2; i++)
            sets[i] = mt_cli_open_set(operands + i, 1);
        good = is_usable(sets[0]) && is_usable(sets[1]);
        for (int i = 0; good && i < 2; i++)
            diff->sides[i].timeline = mt_set_timeline(sets[i]);
    }
    int exit_status = good ? compare_sets(sets, diff, shown) : MT_EXIT_TROUBLE;
    mt__diff_fini(diff);
    mt_set_free(sets[0]);
    mt_set_free(sets[1]);
    return exit_status;
}

int mt_cmd_diff(int argc, char **argv)
{
    struct words words = {.measure = "tottime"};
    struct mt_table_options shown = MT_TABLE_OPTIONS_DEFAULTS;
    const struct mt_option options[] = {
        MT_TABLE_TOP_OPTION(shown),
        {0, "fail-above", "PCT",
         "exit with 1 if a function, or all together, rose by more than PCT %", NULL,
         &words.fail_above},
        {0, "measure", "M",
         "what --fail-above compares: tottime (the default), cumtime, calls or p95", NULL,
         &words.measure},
        {0, "min-time", "T", "--fail-above skips functions with less self time; default: 1% of all",
         NULL, &words.min_time},
        MT_TABLE_OPTIONS(shown),
        {0, "processes", NULL, "A and B are the ids of two processes in PATH...", &words.processes,
         NULL},
        MT_SLICE_OPTIONS(slicing),
        {0},
    };
    struct mt_diff diff = {0};
    int exit_status;
    int n = mt_options_parse(argc, argv, options, synopsis, summary, false, &exit_status);
    if (n < 0)
        return exit_status;
    if (words.processes ? n < 3 : n != 2)
        return mt_cli_usage("diff", words.processes ? "--processes wants two process ids and a PATH"
                                                    : "there must be two to compare, A and B");
    if (!mt_table_options_parse(&shown, "diff") || !understand(&words, &diff))
        return MT_EXIT_USAGE;
    diff.format = shown.table;
    diff.n_top = shown.n_top;
    diff.width = shown.n_columns;
    exit_status = mt_slice_options_parse(&slicing, "diff");
    if (exit_status != MT_EXIT_OK)
        return exit_status;
    mt_cli_set_quiet(shown.quiet);
    mt_cli_writes_output();
    exit_status = diff_paths(argv + 1, n, &diff, words.processes, &shown);
    mt_slice_options_fini(&slicing);
    return exit_status;
}
