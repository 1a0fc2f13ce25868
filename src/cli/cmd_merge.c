/* cmd_merge.c - `mtrace merge`: trace files in, one timeline out. Called by main.c. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const char synopsis[] = "mtrace merge [-f FORMAT] [-o FILE] [--events STYLE] [-q] PATH...";
static const char summary[] =
    "Puts what the processes recorded on one timeline. PATH is a .trace file or a directory with such\n"
    "files; they may still be growing.";

/* NULL: there is no such format, or it has no such style. */
static const struct mt_sink *sink_of(const char *format, const char *events)
{
    const char *name = !strcmp(events, "begin-end")                                  ? format
                       : !strcmp(events, "complete") && !strcmp(format, "chrome") ? "chrome-complete"
                                                                                     : "";
    for (size_t i = 0; mt_sinks[i]; i++) {
        if (!strcmp(mt_sinks[i]->name, name))
            return mt_sinks[i];
    }
    return NULL;
}

int mt_cmd_merge(int argc, char **argv)
{
    const char *output = "-", *format = "chrome", *events = "begin-end";
    bool quiet = false;
    const struct mt_option options[] = {
        {'f', "format", "FORMAT", "chrome (the default) or perfetto", NULL, &format},
        {'o', "output", "FILE", "where to; - is standard output, the default", NULL, &output},
        {0, "events", "STYLE", "begin-end (the default) or complete", NULL, &events},
        {'q', "quiet", NULL, "only errors on standard error", &quiet, NULL},
        {0},
    };
    int exit_status;
    int n = mt_options_parse(argc, argv, options, synopsis, summary, false, &exit_status);
    if (n < 0)
        return exit_status;
    const struct mt_sink *sink = sink_of(format, events);
    if (!n)
        return mt_cli_usage("merge", "there is no PATH to merge");
    if (!sink)
        return mt_cli_usage("merge", "there is no format %s with --events %s", format, events);
    mt_cli_set_quiet(quiet);
    mt_cli_writes_output();
    struct mt_set *set = mt_cli_open_set(argv + 1, n);
    if (!set)
        return MT_EXIT_TROUBLE;
    /* Nothing that could be read: no output that looks like a result. */
    if (!mt_set_n_files(set) && mt_set_n_errors(set))
        exit_status = MT_EXIT_TROUBLE;
    else if (!strcmp(output, "-"))
        exit_status = mt_cli_merge_set(set, STDOUT_FILENO, "standard output", sink);
    else
        exit_status = mt_cli_merge_to_path(set, output, sink);
    mt_set_free(set);
    return exit_status;
}
