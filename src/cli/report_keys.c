/* report_keys.c - what a report counts together, and which pairs it needs. Called by report.c
 * before anything is read.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "cli/report.h"
#include "profile/label.h"

/* ---- files: by what they are called; C functions have none and are one together */

static bool same_file(const struct mt_func *a, const struct mt_func *b)
{
    return a->file.n_bytes == b->file.n_bytes &&
           !memcmp(a->file.data, b->file.data, a->file.n_bytes);
}

/* The file's number; MT_NONE: no memory. */
static uint32_t file_key(struct mt_report *report, struct mt_map *known, const struct mt_func *func)
{
    uint64_t hash = mt_hash_bytes(func->file.data, func->file.n_bytes, mt_hash_secret);
    for (;; hash++) {
        bool is_new;
        uint32_t *key = mt_map_put(known, hash, report->n_keys, &is_new);
        if (!key)
            return MT_NONE;
        if (is_new) {
            report->file_funcs[report->n_keys] = (uint32_t)(func - report->timeline->funcs);
            return report->n_keys++;
        }
        if (same_file(func, &report->timeline->funcs[report->file_funcs[*key]]))
            return *key;
    }
}

static enum mt_status set_file_keys(struct mt_report *report)
{
    const struct mt_timeline *timeline = report->timeline;
    struct mt_map known = {0};
    report->keys = malloc((timeline->n_funcs + (size_t)1) * sizeof *report->keys);
    report->file_funcs = malloc((timeline->n_funcs + (size_t)1) * sizeof *report->file_funcs);
    enum mt_status status = report->keys && report->file_funcs ? MT_OK : MT_NOMEM;
    for (uint32_t i = 0; status == MT_OK && i < timeline->n_funcs; i++) {
        report->keys[i] = file_key(report, &known, &timeline->funcs[i]);
        if (report->keys[i] == MT_NONE)
            status = MT_NOMEM;
    }
    mt_map_fini(&known);
    return status;
}

/* ---- processes and threads: all functions are one, tracks are apart */

static enum mt_status set_groups(struct mt_report *report)
{
    const struct mt_timeline *timeline = report->timeline;
    bool by_thread = report->kind == MT_REPORT_THREADS;
    report->keys = calloc(timeline->n_funcs + (size_t)1, sizeof *report->keys);
    report->groups = malloc((timeline->n_tracks + (size_t)1) * sizeof *report->groups);
    if (!report->keys || !report->groups)
        return MT_NOMEM;
    report->n_keys = 1;
    report->n_groups = by_thread ? timeline->n_tracks : timeline->n_processes;
    for (uint32_t i = 0; i < timeline->n_tracks; i++)
        report->groups[i] = by_thread ? i : timeline->tracks[i].process;
    return MT_OK;
}

/* ---- callers and callees */

static bool is_glob(const char *pattern, const char *text)
{
    return !fnmatch(pattern, text, 0);
}

bool mt__report_matches(const struct mt_func *func, const char *pattern, struct mt_buf *scratch)
{
    if (is_glob(pattern, func->name.data) || is_glob(pattern, mt_label_short_name(func).data))
        return true;
    mt_buf_clear(scratch);
    mt_label_put_name(func, scratch);
    if (is_glob(pattern, mt_buf_text(scratch)))
        return true;
    mt_buf_clear(scratch);
    mt_label_put(func, scratch);
    return is_glob(pattern, mt_buf_text(scratch));
}

static enum mt_status set_marks(struct mt_report *report)
{
    const struct mt_timeline *timeline = report->timeline;
    struct mt_buf scratch = {0};
    uint8_t mark = report->kind == MT_REPORT_CALLERS ? MT_PROFILE_CALLERS : MT_PROFILE_CALLEES;
    report->marks = calloc(timeline->n_funcs + (size_t)1, 1);
    for (uint32_t i = 0; report->marks && i < timeline->n_funcs; i++) {
        if (mt__report_matches(&timeline->funcs[i], report->pattern, &scratch))
            report->marks[i] = mark;
    }
    bool good = report->marks && !scratch.failed;
    mt_buf_fini(&scratch);
    return good ? MT_OK : MT_NOMEM;
}

enum mt_status mt__report_set_keys(struct mt_report *report)
{
    switch (report->kind) {
    case MT_REPORT_FILES: return set_file_keys(report);
    case MT_REPORT_PROCESSES:
    case MT_REPORT_THREADS: return set_groups(report);
    case MT_REPORT_CALLERS:
    case MT_REPORT_CALLEES: return set_marks(report);
    default: return MT_OK;
    }
}

void mt__report_free_keys(struct mt_report *report)
{
    free(report->keys);
    free(report->groups);
    free(report->marks);
    free(report->file_funcs);
    report->keys = report->groups = report->file_funcs = NULL;
    report->marks = NULL;
}
