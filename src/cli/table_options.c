/* table_options.c - what the options of a table mean. Called by commands, on the main thread. */
#include "cli/table_options.h"

#include <stdlib.h>

enum { DEFAULT_TOP = 30 }; /* as MT_TABLE_TOP_OPTION says */

bool mt_cli_parse_number(const char *text, uint32_t *n)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *n = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    return *text >= '0' && *text <= '9' && !*end;
}

bool mt_table_options_parse(struct mt_table_options *options, const char *command)
{
    uint32_t n_top = 0, width = 0;
    if (!mt_table_format_named(options->format, &options->table))
        mt_cli_usage(command, "-f is table, markdown, json or csv, not %s", options->format);
    else if (options->jobs &&
             (!mt_cli_parse_number(options->jobs, &options->n_workers) || !options->n_workers))
        mt_cli_usage(command, "-j is a number from 1 on, not %s", options->jobs);
    else if (options->top && !mt_cli_parse_number(options->top, &n_top))
        mt_cli_usage(command, "-n is a number, 0 for all, not %s", options->top);
    else if (options->width && !mt_cli_parse_number(options->width, &width))
        mt_cli_usage(command, "--width is a number, 0 for any, not %s", options->width);
    else {
        bool for_programs = options->table == MT_TABLE_JSON || options->table == MT_TABLE_CSV;
        if (!options->top && !for_programs)
            n_top = DEFAULT_TOP;
        options->n_top = n_top ? n_top : SIZE_MAX;
        options->n_columns = options->width ? width : mt_cli_output_width(options->output);
        return true;
    }
    return false;
}
