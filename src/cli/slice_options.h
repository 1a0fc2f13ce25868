/* slice_options.h - the options by which merge, view, report and diff take a part of what was recorded.
 *
 *     static struct mt_slice_options slicing;
 *     const struct mt_option options[] = {..., MT_SLICE_OPTIONS(slicing), {0}};
 *     mt_options_parse(...)
 *     exit_status = mt_slice_options_parse(&slicing, "merge");       unless it is MT_EXIT_OK: leave
 *     mt_slice_options_apply(&slicing, set)                          before anything is read
 *     mt_slice_options_fini(&slicing);
 */
#ifndef MT_CLI_SLICE_OPTIONS_H_
#define MT_CLI_SLICE_OPTIONS_H_

#include "cli/cli.h"

struct mt_slice_options {
    /* As given; NULL: not. Lists are joined by commas, and the heap's. */
    const char *from, *to, *min_duration, *max_depth;
    const char *pids, *tids, *processes, *threads, *include, *exclude;
    /* What they mean; its arrays are the heap's, its texts point into those above. */
    struct mt_slice slice;
};

/* clang-format off */ /* rows, not a block */
#define MT_SLICE_OPTIONS(o)                                                                        \
    {0, "", NULL, "slice options, for a part of the recording", NULL, NULL},                       \
    {0, "from", "TIME", "from then on: 1.5s, 20ms, 300us or 10ns after the earliest event", NULL,  \
     &(o).from},                                                                                   \
    {0, "to", "TIME", "up to then", NULL, &(o).to},                                                \
    {0, "pid", "PID,...", "these processes only", NULL, &(o).pids},                                \
    {0, "tid", "TID,...", "these threads only", NULL, &(o).tids},                                  \
    {0, "process", "NAME,...", "processes with these names only; globs, as 'worker*'", NULL,       \
     &(o).processes},                                                                              \
    {0, "thread", "NAME,...", "threads with these names only; globs", NULL, &(o).threads},         \
    {0, "min-duration", "TIME", "no calls that are shorter", NULL, &(o).min_duration},             \
    {0, "max-depth", "N", "no calls with N or more shown calls around them", NULL,                 \
     &(o).max_depth},                                                                              \
    {0, "include", "GLOB,...", "these functions only, by name or file", NULL, &(o).include},       \
    {0, "exclude", "GLOB,...", "not these functions; what they call stays", NULL, &(o).exclude}
/* clang-format on */

/* MT_EXIT_OK; or says what is wrong, and MT_EXIT_USAGE or MT_EXIT_TROUBLE (no memory). */
int mt_slice_options_parse(struct mt_slice_options *options, const char *command);
void mt_slice_options_fini(struct mt_slice_options *options);

/* For a finished set, before it is read. False: no memory, said already. */
bool mt_slice_options_apply(const struct mt_slice_options *options, struct mt_set *set);

/* "1.5s", "20ms", "300us", "10ns", or a number of seconds, to ns; false where it is none of these. */
bool mt_cli_parse_time(const char *text, uint64_t *ns);

#endif /* MT_CLI_SLICE_OPTIONS_H_ */
