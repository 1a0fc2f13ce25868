/* sink_callgrind.c - callgrind's profile format, for KCachegrind and callgrind_annotate: of each
 * function its own cost, and of each pair of caller and callee the calls and their inclusive cost.
 * Cost is ns.
 *
 * A function has one line, that of its definition: a trace does not say from which line a call was
 * made.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "mtrace/sink.h"
#include "profile/label.h"
#include "profile/profile.h"

struct callgrind {
    const struct mt_timeline *timeline;
    struct mt_profile *profile;
    struct mt_profile_result result;
    struct mt_map files; /* by the file's hash: its number */
    bool *named;         /* by function: its name was written */
};

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    struct callgrind *callgrind = calloc(1, sizeof *callgrind);
    (void)out;
    if (!callgrind)
        return MT_NOMEM;
    struct mt_profile_options options = {
        .timeline = job->timeline, .n_workers = job->n_workers, .all_pairs = true};
    enum mt_status status = mt_profile_new(&options, &callgrind->profile);
    callgrind->timeline = job->timeline;
    if (status != MT_OK)
        free(callgrind);
    else
        *state = callgrind;
    return status;
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct callgrind *callgrind = state;
    (void)out;
    return mt_profile_add(callgrind->profile, run);
}

/* ---- names: "(number) name" at first, "(number)" from then on */

/* Lines are what the format is made of. */
static void put_line_text(struct mt_buf *out, const char *data, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        mt_buf_append_char(out, (unsigned char)data[i] < 0x20 || data[i] == 0x7f ? '?' : data[i]);
}

static void put_file(struct callgrind *callgrind, const char *tag, const struct mt_func *func,
                     struct mt_buf *out)
{
    static const struct mt_text none = {"~", 1}; /* as in pstats */
    const struct mt_text *file = func->file.n_bytes ? &func->file : &none;
    bool is_new = false;
    uint32_t next = (uint32_t)callgrind->files.n_used + 1;
    uint32_t *number = mt_map_put(
        &callgrind->files, mt_hash_bytes(file->data, file->n_bytes, mt_hash_secret), next, &is_new);
    if (!number) {
        out->failed = true;
        return;
    }
    mt_buf_printf(out, "%s=(%" PRIu32 ")", tag, *number);
    if (is_new) {
        mt_buf_append_char(out, ' ');
        put_line_text(out, file->data, file->n_bytes);
    }
    mt_buf_append_char(out, '\n');
}

static void put_name(struct callgrind *callgrind, const char *tag, uint32_t func_idx,
                     struct mt_buf *out)
{
    const struct mt_func *func = &callgrind->timeline->funcs[func_idx];
    mt_buf_printf(out, "%s=(%" PRIu32 ")", tag, func_idx + 1);
    if (!callgrind->named[func_idx]) {
        struct mt_buf name = {0};
        if (func->kind == MT_FUNC_C)
            mt_label_put(func, &name);
        else
            mt_label_put_name(func, &name);
        mt_buf_append_char(out, ' ');
        put_line_text(out, name.data, name.n_bytes);
        out->failed |= name.failed;
        mt_buf_fini(&name);
        callgrind->named[func_idx] = true;
    }
    mt_buf_append_char(out, '\n');
}

/* ---- the whole */

static int by_caller(const void *left, const void *right)
{
    const struct mt_profile_pair *a = left, *b = right;
    if (a->caller != b->caller)
        return a->caller < b->caller ? -1 : 1;
    return (a->callee > b->callee) - (a->callee < b->callee);
}

static void put_head(const struct callgrind *callgrind, struct mt_buf *out)
{
    const struct mt_timeline *timeline = callgrind->timeline;
    uint64_t total_ns = 0;
    for (size_t i = 0; i < callgrind->result.n_rows; i++)
        total_ns += callgrind->result.rows[i].self_ns;
    mt_buf_append_text(out, "# callgrind format\nversion: 1\ncreator: mtrace\n");
    uint32_t first = 0;
    while (first < timeline->n_processes && timeline->processes[first].left_out)
        first++;
    if (first < timeline->n_processes) {
        const struct mt_process *process = &timeline->processes[first];
        mt_buf_printf(out, "pid: %" PRIu32 "\ncmd: ", process->pid);
        put_line_text(out, process->name.data, process->name.n_bytes);
        mt_buf_append_char(out, '\n');
    }
    mt_buf_printf(out, "positions: line\nevents: ns\nsummary: %" PRIu64 "\n", total_ns);
}

static void put_calls(struct callgrind *callgrind, const struct mt_profile_pair *pair,
                      uint32_t line, struct mt_buf *out)
{
    uint32_t callee = callgrind->result.rows[pair->callee].key;
    const struct mt_func *func = &callgrind->timeline->funcs[callee];
    put_file(callgrind, "cfi", func, out);
    put_name(callgrind, "cfn", callee, out);
    mt_buf_printf(out, "calls=%" PRIu64 " %" PRIu32 "\n%" PRIu32 " %" PRIu64 "\n", pair->n_calls,
                  func->line, line, pair->cum_ns);
}

static void put_all(struct callgrind *callgrind, struct mt_buf *out)
{
    const struct mt_profile_result *result = &callgrind->result;
    if (result->n_pairs)
        qsort(result->pairs, result->n_pairs, sizeof *result->pairs, by_caller);
    put_head(callgrind, out);
    for (size_t row = 0, pair = 0; row < result->n_rows; row++) {
        uint32_t func_idx = result->rows[row].key;
        const struct mt_func *func = &callgrind->timeline->funcs[func_idx];
        mt_buf_append_char(out, '\n');
        put_file(callgrind, "fl", func, out);
        put_name(callgrind, "fn", func_idx, out);
        mt_buf_printf(out, "%" PRIu32 " %" PRIu64 "\n", func->line, result->rows[row].self_ns);
        for (; pair < result->n_pairs && result->pairs[pair].caller == row; pair++)
            put_calls(callgrind, &result->pairs[pair], func->line, out);
    }
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct callgrind *callgrind = state;
    enum mt_status status = MT_OK;
    callgrind->named = calloc(callgrind->timeline->n_funcs + (size_t)1, sizeof *callgrind->named);
    if (!callgrind->named)
        status = MT_NOMEM;
    else if (outcome)
        status = mt_profile_fold(callgrind->profile, &callgrind->result);
    if (outcome && status == MT_OK)
        put_all(callgrind, out);
    mt_profile_result_fini(&callgrind->result);
    mt_profile_free(callgrind->profile);
    mt_map_fini(&callgrind->files);
    free(callgrind->named);
    free(callgrind);
    return status == MT_OK && out->failed ? MT_NOMEM : status;
}

const struct mt_sink mt_sink_callgrind = {
    .name = "callgrind",
    .suffix = ".callgrind",
    .summary = "callgrind's profiles, for KCachegrind",
    .needs = MT_PROFILE_NEEDS,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
