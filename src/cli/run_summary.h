/* run_summary.h - what a run has recorded, and the lines that `mtrace run` ends with. Used by
 * cmd_run.c. */
#ifndef MT_CLI_RUN_SUMMARY_H_
#define MT_CLI_RUN_SUMMARY_H_

#include <stdbool.h>
#include <stdint.h>

#include "cli/run_place.h"
#include "mtrace/reader.h"

struct mt_run_result {
    const struct mt_run_place *place;
    struct mt_set *set;           /* finished; NULL: no file of the run was found */
    struct mt_set_stats stats;    /* zeros unless they were wanted */
    int list_error;               /* the errno that kept the directory from being listed, or 0 */
    struct mt_run_paths untraced; /* notes of interpreters that could not be recorded */
    const char *output;           /* -o, or NULL */
    const char *home;
    bool merged;       /* the output is complete */
    uint64_t merge_ns; /* how long that took */
    bool kept;         /* the trace files stay */
};

/* Finds the files of the run, and fills in `stats` if `count` says so, for which they are read as a
 * whole. Processes that the program left behind and that are about to end get
 * a moment to do so, no more. `reporter` is told of files that are damaged. */
void mt__run_result_open(struct mt_run_result *result, const struct mt_run_place *place,
                         const uint8_t run_id[16], bool count, const struct mt_reporter *reporter);
void mt__run_result_close(struct mt_run_result *result);

/* How many of the recorded processes go on. */
uint32_t mt__run_n_running(const struct mt_run_result *result);

/* On standard error. */
void mt__run_summary_print(const struct mt_run_result *result);
/* The notes of interpreters that could not be recorded were for the summary only. */
void mt__run_untraced_remove(const struct mt_run_result *result);

#endif /* MT_CLI_RUN_SUMMARY_H_ */
