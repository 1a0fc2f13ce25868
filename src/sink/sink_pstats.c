/* sink_pstats.c - what cProfile saves, for pstats.Stats and others that read it: one marshalled
 *
 *     {(file, line, name): (primitive calls, calls, self, cumulative, callers), ...}
 *
 * with callers as {(file, line, name): (calls, primitive calls, self, cumulative), ...}. The counts
 * change places between the two, as cProfile has it. Times are seconds. The opcodes are those of
 * marshal's version 2 without references, which all versions of CPython read.
 *
 * What has the same key is one function, and was counted as one.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/utf8.h"
#include "mtrace/sink.h"
#include "profile/label.h"
#include "profile/profile.h"

struct pstats {
    const struct mt_timeline *timeline;
    struct mt_profile *profile;
    uint32_t *key_of_func;
    uint32_t *func_of_key; /* one of them */
    uint32_t n_keys;
};

/* -------------------------------------------------------------------------------------- marshal */

static void put_le(struct mt_buf *out, uint64_t value, unsigned n_bytes)
{
    char bytes[8];
    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (char)(value >> (8 * i));
    mt_buf_append(out, bytes, n_bytes);
}

/* A count: 'i', or as digits of 15 bits. */
static void put_int(struct mt_buf *out, uint64_t value)
{
    if (value <= INT32_MAX) {
        mt_buf_append_char(out, 'i');
        put_le(out, value, 4);
        return;
    }
    uint32_t n_digits = 0;
    for (uint64_t rest = value; rest; rest >>= 15)
        n_digits++;
    mt_buf_append_char(out, 'l');
    put_le(out, n_digits, 4);
    for (; value; value >>= 15)
        put_le(out, value & 0x7fff, 2);
}

static void put_seconds(struct mt_buf *out, uint64_t ns)
{
    double seconds = (double)ns / 1e9;
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    mt_buf_append_char(out, 'g');
    put_le(out, bits, 8);
}

/* What is not UTF-8 becomes U+FFFD, else nothing of the file could be read. */
static void put_str(struct mt_buf *out, const char *data, size_t n_bytes)
{
    mt_buf_append_char(out, 'u');
    size_t at = out->n_bytes;
    put_le(out, 0, 4);
    for (size_t i = 0, n; i < n_bytes; i += n ? n : 1) {
        n = mt_utf8_char(data + i, n_bytes - i);
        mt_buf_append(out, n ? data + i : "\xef\xbf\xbd", n ? n : 3);
    }
    if (out->failed)
        return;
    uint64_t n_put = out->n_bytes - at - 4;
    for (unsigned i = 0; i < 4; i++)
        out->data[at + i] = (char)(n_put >> (8 * i));
}

static void put_tuple(struct mt_buf *out, uint32_t n)
{
    mt_buf_append_char(out, '(');
    put_le(out, n, 4);
}

/* ----------------------------------------------------------------------------------------- keys */

static void put_key(struct mt_buf *out, const struct mt_func *func, struct mt_buf *scratch)
{
    put_tuple(out, 3);
    if (func->kind == MT_FUNC_C) {
        mt_buf_clear(scratch);
        mt_label_builtin(func, scratch);
        put_str(out, "~", 1);
        put_int(out, 0);
        put_str(out, scratch->data, scratch->n_bytes);
        return;
    }
    struct mt_text name = mt_label_short_name(func);
    put_str(out, func->file.data, func->file.n_bytes);
    put_int(out, func->line);
    put_str(out, name.data, name.n_bytes);
}

static bool set_keys(struct pstats *pstats)
{
    const struct mt_timeline *timeline = pstats->timeline;
    struct mt_map known = {0};
    struct mt_buf key = {0}, other = {0}, scratch = {0};
    bool good = true;
    for (uint32_t i = 0; good && i < timeline->n_funcs; i++) {
        mt_buf_clear(&key);
        put_key(&key, &timeline->funcs[i], &scratch);
        uint64_t hash = mt_hash_bytes(key.data, key.n_bytes, mt_hash_secret);
        for (bool found = false; good && !found; hash++) {
            bool is_new;
            uint32_t *value = mt_map_put(&known, hash, pstats->n_keys, &is_new);
            good = value && !key.failed && !scratch.failed && !other.failed;
            if (!good)
                break;
            if (is_new)
                pstats->func_of_key[pstats->n_keys++] = i;
            mt_buf_clear(&other);
            put_key(&other, &timeline->funcs[pstats->func_of_key[*value]], &scratch);
            found = other.n_bytes == key.n_bytes && !memcmp(other.data, key.data, key.n_bytes);
            pstats->key_of_func[i] = *value;
        }
    }
    mt_map_fini(&known);
    mt_buf_fini(&key);
    mt_buf_fini(&other);
    mt_buf_fini(&scratch);
    return good;
}

/* -------------------------------------------------------------------------------- the interface */

static void free_pstats(struct pstats *pstats)
{
    mt_profile_free(pstats->profile);
    free(pstats->key_of_func);
    free(pstats->func_of_key);
    free(pstats);
}

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    const struct mt_timeline *timeline = job->timeline;
    struct pstats *pstats = calloc(1, sizeof *pstats);
    (void)out;
    if (!pstats)
        return MT_NOMEM;
    pstats->timeline = timeline;
    pstats->key_of_func = malloc((timeline->n_funcs + (size_t)1) * sizeof(uint32_t));
    pstats->func_of_key = malloc((timeline->n_funcs + (size_t)1) * sizeof(uint32_t));
    bool good = pstats->key_of_func && pstats->func_of_key && set_keys(pstats);
    struct mt_profile_options options = {
        .timeline = timeline,
        .n_workers = job->n_workers,
        .key_of_func = pstats->key_of_func,
        .n_keys = pstats->n_keys,
        .all_pairs = true,
    };
    enum mt_status status = good ? mt_profile_new(&options, &pstats->profile) : MT_NOMEM;
    if (status != MT_OK)
        free_pstats(pstats);
    else
        *state = pstats;
    return status;
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct pstats *pstats = state;
    (void)out;
    return mt_profile_add(pstats->profile, run);
}

static const struct mt_func *func_of(const struct pstats *pstats, const struct mt_profile_row *row)
{
    return &pstats->timeline->funcs[pstats->func_of_key[row->key]];
}

static void put_row(const struct pstats *pstats, const struct mt_profile_result *result,
                    const struct mt_profile_row *row, struct mt_buf *out, struct mt_buf *scratch)
{
    put_key(out, func_of(pstats, row), scratch);
    put_tuple(out, 5);
    put_int(out, row->n_primitive);
    put_int(out, row->n_calls);
    put_seconds(out, row->self_ns);
    put_seconds(out, row->cum_ns);
    mt_buf_append_char(out, '{');
    for (uint32_t i = 0; i < row->n_pairs; i++) {
        const struct mt_profile_pair *pair = &result->pairs[row->first_pair + i];
        put_key(out, func_of(pstats, &result->rows[pair->caller]), scratch);
        put_tuple(out, 4);
        put_int(out, pair->n_calls);
        put_int(out, pair->n_primitive);
        put_seconds(out, pair->self_ns);
        put_seconds(out, pair->cum_ns);
    }
    mt_buf_append_char(out, '0');
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct pstats *pstats = state;
    struct mt_profile_result result = {0};
    struct mt_buf scratch = {0};
    enum mt_status status = outcome ? mt_profile_fold(pstats->profile, &result) : MT_OK;
    mt_buf_append_char(out, '{');
    for (size_t i = 0; i < result.n_rows; i++)
        put_row(pstats, &result, &result.rows[i], out, &scratch);
    mt_buf_append_char(out, '0');
    if (scratch.failed || out->failed)
        status = MT_NOMEM;
    mt_buf_fini(&scratch);
    mt_profile_result_fini(&result);
    free_pstats(pstats);
    return status;
}

const struct mt_sink mt_sink_pstats = {
    .name = "pstats",
    .suffix = ".pstats",
    .summary = "what cProfile saves, for pstats, snakeviz, gprof2dot",
    .needs = MT_PROFILE_NEEDS,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
