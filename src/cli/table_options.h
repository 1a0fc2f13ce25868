/* table_options.h - the options by which report and diff say what their table is, and where it goes.
 *
 *     struct mt_table_options shown = MT_TABLE_OPTIONS_DEFAULTS;
 *     const struct mt_option options[] = {MT_TABLE_TOP_OPTION(shown), ..., MT_TABLE_OPTIONS(shown), {0}};
 *     mt_options_parse(...)
 *     mt_table_options_parse(&shown, "report")                       false: leave with MT_EXIT_USAGE
 */
#ifndef MT_CLI_TABLE_OPTIONS_H_
#define MT_CLI_TABLE_OPTIONS_H_

#include "cli/cli.h"
#include "cli/table.h"

struct mt_table_options {
    /* As given; NULL: not. */
    const char *top, *format, *output, *jobs, *width;
    bool quiet;
    /* What they mean. */
    enum mt_table_format table;
    size_t n_top;       /* rows; SIZE_MAX: all */
    size_t n_columns;   /* 0: any */
    uint32_t n_workers; /* 0: as many as there are cores */
};

#define MT_TABLE_OPTIONS_DEFAULTS {.format = "table", .output = "-"}

#define MT_TABLE_TOP_OPTION(o)                                                                     \
    {'n', "top", "N", "how many rows, 0 for all; default: 30, for json and csv all", NULL, &(o).top}

/* clang-format off */ /* rows, not a block */
#define MT_TABLE_OPTIONS(o)                                                                        \
    {'f', "format", "FORMAT", "table (the default), markdown, json or csv", NULL, &(o).format},    \
    {'o', "output", "FILE", "where to; - is standard output, the default", NULL, &(o).output},     \
    {'j', "jobs", "N", "how many threads work on it; default: one for each core", NULL,            \
     &(o).jobs},                                                                                   \
    {0, "width", "N", "shorten names to lines of N columns, 0: never; default: the terminal's",    \
     NULL, &(o).width},                                                                            \
    {'q', "quiet", NULL, "only errors on standard error", &(o).quiet, NULL}
/* clang-format on */

/* False: wrong usage, and said. */
bool mt_table_options_parse(struct mt_table_options *options, const char *command);

/* A number, UINT32_MAX for what is more; false where it is none. */
bool mt_cli_parse_number(const char *text, uint32_t *n);

#endif /* MT_CLI_TABLE_OPTIONS_H_ */
