/* report.h - what the files of `mtrace report` share: what was asked for, and what came out.
 */
#ifndef MT_CLI_REPORT_H_
#define MT_CLI_REPORT_H_

#include "cli/table.h"
#include "mtrace/event.h"
#include "profile/profile.h"

enum mt_report_kind {
    MT_REPORT_FUNCTIONS,
    MT_REPORT_PROCESSES,
    MT_REPORT_THREADS,
    MT_REPORT_FILES,
    MT_REPORT_CALLERS, /* of functions that match `pattern` */
    MT_REPORT_CALLEES,
    MT_REPORT_SLOWEST,
};

enum mt_report_sort {
    MT_SORT_NCALLS,
    MT_SORT_TOTTIME,
    MT_SORT_CUMTIME,
    MT_SORT_PERCALL,
    MT_SORT_MEAN,
    MT_SORT_P50,
    MT_SORT_P95,
    MT_SORT_P99,
    MT_SORT_MAX,
    MT_SORT_NAME,
    MT_SORT_FILE,
};

/* What was asked for. */
struct mt_report {
    enum mt_report_kind kind;
    enum mt_report_sort sort;
    enum mt_table_format format;
    const char *pattern; /* borrowed */
    size_t n_top;        /* rows; SIZE_MAX: all */
    size_t width;        /* of lines; 0: any */
    bool durations;      /* percentiles for people, too */

    /* While it is made. */
    const struct mt_timeline *timeline;
    struct mt_profile *profile;
    struct mt_profile_result result;
    uint32_t *keys;       /* by function; NULL: each is its own */
    uint32_t *groups;     /* by track; NULL: one */
    uint8_t *marks;       /* by function */
    uint32_t *file_funcs; /* MT_REPORT_FILES: a function of each file */
    uint32_t n_keys, n_groups;
    uint64_t n_lost; /* events, of all processes */
};

/* The sink that makes it; its options are a struct mt_report. What it writes is the report. */
extern const struct mt_sink mt__report_sink;

/* report_keys.c: keys, groups and marks, by the kind of report. MT_NOMEM. */
enum mt_status mt__report_set_keys(struct mt_report *report);
void mt__report_free_keys(struct mt_report *report);
/* Whether a function is meant by a name or glob: by its name, its last part, or as it is shown. */
bool mt__report_matches(const struct mt_func *func, const char *pattern, struct mt_buf *scratch);

/* report_rows.c, report_pairs.c: fill a table, sorted and cut; return how many rows there were. */
size_t mt__report_rows(const struct mt_report *report, struct mt_table *table);
size_t mt__report_pairs(const struct mt_report *report, struct mt_table *table);
size_t mt__report_slowest(const struct mt_report *report, struct mt_table *table);
/* "pid 17 app" */
struct mt_text mt__report_process_text(struct mt_table *table, const struct mt_process *process);
struct mt_text mt__report_label(struct mt_table *table, const struct mt_func *func);

#endif /* MT_CLI_REPORT_H_ */
