/* fold.c - the workers' sums into one result, at the end. On one thread. See profile.h. */
#include <stdlib.h>

#include "base/array.h"
#include "profile/state.h"

struct folder {
    struct mt_profile *profile;
    struct mt_profile_result *result;
    size_t rows_capacity, pairs_capacity;
    struct mt__hist_sum *hist; /* of one row */
    uint32_t *row_of_cell;
};

static void add_cell(struct mt_profile_row *row, const struct mt__cell *cell,
                     const struct mt__extras *extras)
{
    row->n_calls += cell->n_calls;
    row->n_primitive += cell->n_primitive;
    row->self_ns += cell->self_ns;
    row->cum_ns += cell->cum_ns;
    row->timed_ns += cell->timed_ns;
    if (cell->max_ns > row->max_ns)
        row->max_ns = cell->max_ns;
    row->n_resumes += extras->n_resumes;
    row->n_unfinished += extras->n_unfinished;
    row->n_repaired += extras->n_repaired;
    row->n_reopened += extras->n_reopened;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

static void set_percentiles(struct mt_profile_row *row, const struct mt__hist_sum *hist)
{
    /* The middle of the last bucket may be above the longest call in it. */
    if (row->n_timed == 1) {
        row->p50_ns = row->p95_ns = row->p99_ns = row->max_ns;
        return;
    }
    row->p50_ns = at_most(mt__hist_percentile(hist, 50), row->max_ns);
    row->p95_ns = at_most(mt__hist_percentile(hist, 95), row->max_ns);
    row->p99_ns = at_most(mt__hist_percentile(hist, 99), row->max_ns);
}

static enum mt_status fold_cell(struct folder *folder, uint32_t cell_idx)
{
    const struct mt_profile *profile = folder->profile;
    struct mt_profile_row row = {.key = cell_idx % profile->n_keys,
                                 .group = cell_idx / profile->n_keys};
    mt__hist_sum_clear(folder->hist);
    for (uint32_t i = 0; i < profile->options.n_workers; i++) {
        const struct mt__worker *worker = &profile->workers[i];
        const struct mt__cell *cell = &worker->cells[cell_idx];
        add_cell(&row, cell, &worker->extras[cell_idx]);
        mt__hist_sum_add(folder->hist, &cell->hist,
                         cell->n_calls > UINT16_MAX ? &worker->octaves : NULL, cell_idx);
    }
    folder->row_of_cell[cell_idx] = MT_NONE;
    if (!row.n_calls && !row.n_reopened)
        return MT_OK;
    row.n_timed = row.n_calls - row.n_unfinished - row.n_repaired;
    set_percentiles(&row, folder->hist);
    struct mt_profile_result *result = folder->result;
    if (!MT_ARRAY_ROOM(result->rows, folder->rows_capacity, result->n_rows + 1))
        return MT_NOMEM;
    folder->row_of_cell[cell_idx] = (uint32_t)result->n_rows;
    result->rows[result->n_rows++] = row;
    return MT_OK;
}

static enum mt_status fold_cells(struct folder *folder)
{
    folder->hist = calloc(1, sizeof *folder->hist);
    enum mt_status status = folder->hist ? MT_OK : MT_NOMEM;
    for (uint32_t i = 0; status == MT_OK && i < folder->profile->n_cells; i++)
        status = fold_cell(folder, i);
    free(folder->hist);
    return status;
}

/* ---- pairs: in one table, then in order */

static int by_callee(const void *left, const void *right)
{
    const struct mt_profile_pair *a = left, *b = right;
    if (a->callee != b->callee)
        return a->callee < b->callee ? -1 : 1;
    return (a->caller > b->caller) - (a->caller < b->caller);
}

static void set_first_pairs(struct mt_profile_result *result)
{
    for (size_t i = 0; i < result->n_pairs; i++) {
        struct mt_profile_row *row = &result->rows[result->pairs[i].callee];
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): where pairs are, there are rows. */
        if (!row->n_pairs++)
            row->first_pair = (uint32_t)i;
    }
}

static enum mt_status fold_pairs(struct folder *folder)
{
    struct mt_profile *profile = folder->profile;
    struct mt_profile_result *result = folder->result;
    struct mt__pairs *sum = &profile->workers[0].pairs;
    for (uint32_t i = 1; i < profile->options.n_workers; i++) {
        if (!mt__pairs_add(sum, &profile->workers[i].pairs))
            return MT_NOMEM;
        mt__pairs_fini(&profile->workers[i].pairs);
    }
    if (!sum->n_used)
        return MT_OK;
    result->pairs = malloc(sum->n_used * sizeof *result->pairs);
    if (!result->pairs)
        return MT_NOMEM;
    for (size_t i = 0; i < sum->n_slots; i++) {
        const struct mt__pair *pair = &sum->slots[i];
        uint64_t key = pair->key - 1;
        /* One that was met at a call that is not over, or on the way to the end of memory. */
        if (!pair->key || (!pair->n_calls && !pair->self_ns && !pair->cum_ns))
            continue;
        uint32_t caller = folder->row_of_cell[key >> 32];
        uint32_t callee = folder->row_of_cell[(uint32_t)key];
        if (caller == MT_NONE || callee == MT_NONE)
            continue;
        result->pairs[result->n_pairs++] = (struct mt_profile_pair){
            .caller = caller,
            .callee = callee,
            .n_calls = pair->n_calls,
            .n_primitive = pair->n_primitive,
            .self_ns = pair->self_ns,
            .cum_ns = pair->cum_ns,
        };
    }
    qsort(result->pairs, result->n_pairs, sizeof *result->pairs, by_callee);
    set_first_pairs(result);
    return MT_OK;
}

/* ---- the rest */

static int by_slowness(const void *left, const void *right)
{
    return mt__slower(left, right) ? -1 : mt__slower(right, left);
}

static enum mt_status fold_rest(struct folder *folder)
{
    struct mt_profile *profile = folder->profile;
    struct mt_profile_result *result = folder->result;
    struct mt__slowest *slowest = &profile->workers[0].slowest;
    result->first_ns = UINT64_MAX;
    for (uint32_t i = 0; i < profile->options.n_workers; i++) {
        const struct mt__worker *worker = &profile->workers[i];
        result->n_lost += worker->n_lost;
        result->n_losses += worker->n_losses;
        if (worker->first_ns < result->first_ns)
            result->first_ns = worker->first_ns;
        if (worker->last_ns > result->last_ns)
            result->last_ns = worker->last_ns;
        for (size_t call = 0; i && call < worker->slowest.n; call++)
            mt__slowest_offer(slowest, &worker->slowest.calls[call]);
    }
    if (result->first_ns > result->last_ns)
        result->first_ns = result->last_ns;
    qsort(slowest->calls, slowest->n, sizeof *slowest->calls, by_slowness);
    result->slowest = slowest->calls;
    result->n_slowest = slowest->n;
    *slowest = (struct mt__slowest){0};
    return MT_OK;
}

enum mt_status mt_profile_fold(struct mt_profile *profile, struct mt_profile_result *out)
{
    *out = (struct mt_profile_result){0};
    struct folder folder = {.profile = profile, .result = out};
    folder.row_of_cell = malloc(((size_t)profile->n_cells + 1) * sizeof *folder.row_of_cell);
    enum mt_status status = folder.row_of_cell ? fold_cells(&folder) : MT_NOMEM;
    if (status == MT_OK)
        status = fold_pairs(&folder);
    if (status == MT_OK)
        status = fold_rest(&folder);
    free(folder.row_of_cell);
    if (status != MT_OK)
        mt_profile_result_fini(out);
    return status;
}

void mt_profile_result_fini(struct mt_profile_result *result)
{
    free(result->rows);
    free(result->pairs);
    free(result->slowest);
    *result = (struct mt_profile_result){0};
}
