/* cmd_merge.c - `mtrace merge`: trace files in, one timeline out. Called by main.c. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/slice_options.h"

static const char synopsis[] =
    "mtrace merge [-f FORMAT] [-o FILE] [--events STYLE] [-j N] [-q] [SLICE OPTION...] PATH...";
static const char summary[] =
    "Puts what the processes recorded on one timeline. PATH is a .trace file or a directory with such\n"
    "files; they may still be growing. The format is FORMAT, else what FILE's suffix says, else chrome.\n\n"
    "formats and suffixes:";

struct merge_options {
    const char *output, *format, *events, *jobs;
    bool quiet;
    struct mt_slice_options slicing;
};

/* Fills `how`; wrong usage is said, and false returned. */
static bool choose(const struct merge_options *merge, struct mt_merge *how)
{
    struct mt_buf formats = {0};
    mt_cli_format_of_path(merge->output, &how->format);
    const struct mt_codec *codec = how->format.codec;
    bool known = !merge->format || mt_cli_format_of_name(merge->format, &how->format);
    if (!how->format.codec) /* the file's suffix may say so, whatever is in it */
        how->format.codec = codec;
    if (!known) {
        mt_cli_formats_text(&formats);
        mt_cli_usage("merge", "there is no format %s", merge->format);
        fprintf(stderr, "formats:\n%s", mt_buf_text(&formats));
        mt_buf_fini(&formats);
        return false;
    }
    if (!merge->events || !strcmp(merge->events, "begin-end"))
        return true;
    if (strcmp(merge->events, "complete") != 0)
        mt_cli_usage("merge", "--events is begin-end or complete, not %s", merge->events);
    else if (how->format.sink != &mt_sink_chrome && how->format.sink != &mt_sink_chrome_complete)
        mt_cli_usage("merge", "--events is for the format chrome, not %s", how->format.sink->name);
    else
        how->format.sink = &mt_sink_chrome_complete;
    return how->format.sink == &mt_sink_chrome_complete;
}

static bool parse_jobs(const char *text, uint32_t *n_workers)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *n_workers = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    return *text >= '1' && *text <= '9' && !*end;
}

static int merge_paths(char **paths, int n_paths, const struct merge_options *merge,
                       const struct mt_merge *how)
{
    int exit_status;
    mt_cli_writes_output();
    struct mt_set *set = mt_cli_open_set(paths, n_paths);
    if (!set)
        return MT_EXIT_TROUBLE;
    /* Nothing that could be read: no output that looks like a result. */
    if ((!mt_set_n_files(set) && mt_set_n_errors(set)) ||
        !mt_slice_options_apply(&merge->slicing, set))
        exit_status = MT_EXIT_TROUBLE;
    else if (!strcmp(merge->output, "-"))
        exit_status = mt_cli_merge_set(set, STDOUT_FILENO, "standard output", how);
    else
        exit_status = mt_cli_merge_to_path(set, merge->output, how);
    mt_set_free(set);
    return exit_status;
}

int mt_cmd_merge(int argc, char **argv)
{
    static struct merge_options merge; /* what leaves with wrong usage need not free its lists */
    merge.output = "-";
    const struct mt_option options[] = {
        {'f', "format", "FORMAT", "one of the list above", NULL, &merge.format},
        {'o', "output", "FILE", "where to; - is standard output, the default", NULL, &merge.output},
        {0, "events", "STYLE", "for chrome: begin-end (the default) or complete (X) events", NULL,
         &merge.events},
        {'j', "jobs", "N", "how many threads work on it; default: one for each core", NULL,
         &merge.jobs},
        {'q', "quiet", NULL, "only errors on standard error", &merge.quiet, NULL},
        MT_SLICE_OPTIONS(merge.slicing),
        {0},
    };
    struct mt_buf text = {0};
    struct mt_merge how = {.n_workers = 0};
    int exit_status;
    mt_buf_printf(&text, "%s\n", summary);
    mt_cli_formats_text(&text);
    text.n_bytes -= text.n_bytes > 0; /* --help has a line's end of its own */
    int n = mt_options_parse(argc, argv, options, synopsis, mt_buf_text(&text), false,
                             &exit_status);
    mt_buf_fini(&text);
    if (n < 0)
        return exit_status;
    if (!n)
        return mt_cli_usage("merge", "there is no PATH to merge");
    if (merge.jobs && !parse_jobs(merge.jobs, &how.n_workers))
        return mt_cli_usage("merge", "-j is a number from 1 on, not %s", merge.jobs);
    if (!choose(&merge, &how))
        return MT_EXIT_USAGE;
    exit_status = mt_slice_options_parse(&merge.slicing, "merge");
    if (exit_status != MT_EXIT_OK)
        return exit_status;
    how.shows_progress = !merge.quiet;
    mt_cli_set_quiet(merge.quiet);
    exit_status = merge_paths(argv + 1, n, &merge, &how);
    mt_slice_options_fini(&merge.slicing);
    return exit_status;
}
