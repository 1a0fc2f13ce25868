/* align.c - one clock for all files of a set. Called once, by mt_set_finish.
 *
 * Files of one boot and one time namespace share CLOCK_MONOTONIC, and are called a boot here; boots
 * are put side by side by CLOCK_REALTIME, which may be set while they run: what most moments of the
 * boot say counts, for all of its files. Inside of a file its own moments say how ticks become ns; outside of them the rate does that all files of the
 * machine show together, which is better known than the estimate in a header.
 *
 * Invariant afterwards: every file has a clock, and 0 ns is the earliest event of the set.
 */
#include "reader/set.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* What the files of one boot have in common. Found by a linear search: boots are few; a set that
 * claims otherwise is merely slow. */
struct boot {
    const struct mt_file_header *header; /* of one of its files */
    struct mt_clock_pair first; /* the earliest and the latest moment that any of them tells */
    struct mt_clock_pair last;
    int64_t real_minus_mono_ns;
    uint64_t tick_hz;
};

/* A shorter baseline says less than the header's estimate. */
#define BASELINE_MIN_NS UINT64_C(50000000)
/* Readings of both clocks are nearer to each other than this. */
#define CLOCK_SET_NS 1e7

bool mt__same_boot(const struct mt_file_header *a, const struct mt_file_header *b)
{
    return !memcmp(a->boot_id, b->boot_id, sizeof a->boot_id) && !strcmp(a->host, b->host);
}

/* Do they share CLOCK_MONOTONIC? */
static bool same_clock(const struct mt_file_header *a, const struct mt_file_header *b)
{
    return mt__same_boot(a, b) && a->time_ns == b->time_ns;
}

static struct boot *boot_of(struct boot *boots, size_t n_boots, const struct mt_file_header *header)
{
    for (size_t i = 0; i < n_boots; i++) {
        if (same_clock(boots[i].header, header) && boots[i].header->clock == header->clock)
            return &boots[i];
    }
    return NULL;
}

static void widen(struct boot *boot, const struct mt__moments *moments)
{
    if (!moments->n_pairs)
        return;
    const struct mt_clock_pair *first = &moments->pairs[0];
    const struct mt_clock_pair *last = &moments->pairs[moments->n_pairs - 1];
    if (!boot->first.mono_ns || first->mono_ns < boot->first.mono_ns)
        boot->first = *first;
    if (last->mono_ns > boot->last.mono_ns)
        boot->last = *last;
}

static int compare_offsets(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct offsets {
    int64_t *ns;
    size_t n, capacity;
};

/* What the moments of a file say of real time. */
static bool add_offsets(struct offsets *offsets, const struct mt__moments *moments)
{
    if (!MT_ARRAY_ROOM(offsets->ns, offsets->capacity, offsets->n + moments->n_pairs))
        return false;
    for (size_t i = 0; i < moments->n_pairs; i++) {
        const struct mt_clock_pair *pair = &moments->pairs[i];
        if (pair->real_ns && pair->real_ns >> 62 == 0)
            offsets->ns[offsets->n++] = (int64_t)pair->real_ns - (int64_t)pair->mono_ns;
    }
    return true;
}

/* Slewing a clock moves CLOCK_MONOTONIC, too, so moments differ only where real time was set. The
 * median is one of them, and the one that was right for the longest part. */
static void settle_boot(struct boot *boot, struct offsets *offsets, struct mt__trouble *trouble)
{
    if (!offsets->n)
        return;
    qsort(offsets->ns, offsets->n, sizeof *offsets->ns, compare_offsets);
    boot->real_minus_mono_ns = offsets->ns[(offsets->n - 1) / 2];
    double moved_ns = (double)offsets->ns[offsets->n - 1] - (double)offsets->ns[0];
    if (trouble && moved_ns > CLOCK_SET_NS)
        mt__trouble_note(trouble, NULL,
                         "the clock of %s was set by %.3f s while it recorded: beside other hosts "
                         "it may be that much off",
                         boot->header->host, moved_ns / 1e9);
}

/* The entry that has the offset for all files of a boot, whichever clock their ticks come from. */
static struct boot *first_of_boot(struct boot *boots, size_t n_boots,
                                  const struct mt_file_header *header)
{
    for (size_t i = 0; i < n_boots; i++) {
        if (same_clock(boots[i].header, header))
            return &boots[i];
    }
    return NULL;
}

static enum mt_status settle_boots(struct mt_set *set, struct boot *boots, size_t n_boots)
{
    struct offsets offsets = {0};
    enum mt_status status = MT_OK;
    for (size_t i = 0; status == MT_OK && i < n_boots; i++) {
        if (first_of_boot(boots, n_boots, boots[i].header) != &boots[i])
            continue;
        offsets.n = 0;
        for (size_t k = 0; status == MT_OK && k < set->n_files; k++) {
            const struct mt__file *file = set->files[k];
            if (same_clock(&file->header, boots[i].header) &&
                !add_offsets(&offsets, &file->moments))
                status = MT_NOMEM;
        }
        settle_boot(&boots[i], &offsets, set->timeline.n_hosts > 1 ? &set->trouble : NULL);
    }
    free(offsets.ns);
    return status;
}

static struct mt__rate rate_of(const struct boot *boot)
{
    struct mt__rate estimate = mt__rate_make(UINT64_C(1000000000), boot->tick_hz);
    if (boot->header->clock == MT_CLOCK_MONOTONIC || !estimate.mult)
        estimate = mt__rate_make(1, 1);
    uint64_t dur_ns = boot->last.mono_ns - boot->first.mono_ns;
    if (boot->last.tick <= boot->first.tick || dur_ns < BASELINE_MIN_NS)
        return estimate;
    struct mt__rate measured = mt__rate_make(dur_ns, boot->last.tick - boot->first.tick);
    /* A machine that was suspended, or a damaged file: the estimate is nearer then. */
    uint64_t second = mt__rate_apply(&measured, boot->tick_hz);
    bool plausible = !boot->tick_hz || (second > 990000000 && second < 1010000000);
    return plausible ? measured : estimate;
}

static enum mt_status find_boots(struct mt_set *set, struct boot **out, size_t *n_out)
{
    struct boot *boots = NULL;
    size_t n_boots = 0, capacity = 0;
    for (size_t i = 0; i < set->n_files; i++) {
        struct mt__file *file = set->files[i];
        mt__moments_settle(&file->moments);
        struct boot *boot = boot_of(boots, n_boots, &file->header);
        if (!boot) {
            if (!MT_ARRAY_ROOM(boots, capacity, n_boots + 1)) {
                free(boots);
                return MT_NOMEM;
            }
            boot = &boots[n_boots++];
            *boot = (struct boot){.header = &file->header, .tick_hz = file->header.tick_hz};
        }
        widen(boot, &file->moments);
    }
    *out = boots;
    *n_out = n_boots;
    return settle_boots(set, boots, n_boots);
}

static int64_t earliest_event(const struct mt_set *set)
{
    int64_t events_ns = INT64_MAX, files_ns = INT64_MAX;
    for (size_t i = 0; i < set->n_files; i++) {
        const struct mt__file *file = set->files[i];
        int64_t made_ns = mt__clock_ns(&file->clock, file->header.pair.tick);
        files_ns = made_ns < files_ns ? made_ns : files_ns;
        for (size_t k = 0; k < file->n_threads; k++) {
            if (!file->threads[k].has_events)
                continue;
            int64_t ns = mt__clock_ns(&file->clock, file->threads[k].first_tick);
            events_ns = ns < events_ns ? ns : events_ns;
        }
    }
    if (events_ns != INT64_MAX)
        return events_ns;
    return files_ns != INT64_MAX ? files_ns : 0;
}

enum mt_status mt__set_align(struct mt_set *set)
{
    struct boot *boots = NULL;
    size_t n_boots = 0;
    enum mt_status status = find_boots(set, &boots, &n_boots);
    for (size_t i = 0; status == MT_OK && i < set->n_files; i++) {
        struct mt__file *file = set->files[i];
        struct mt__rate rate = rate_of(boot_of(boots, n_boots, &file->header));
        int64_t offset_ns = first_of_boot(boots, n_boots, &file->header)->real_minus_mono_ns;
        status = mt__clock_init(&file->clock, &file->moments, &rate, offset_ns);
        mt__moments_fini(&file->moments);
    }
    free(boots);
    if (status != MT_OK)
        return status;
    int64_t zero_ns = earliest_event(set);
    for (size_t i = 0; i < set->n_files; i++)
        mt__clock_shift(&set->files[i]->clock, (int64_t)(0 - (uint64_t)zero_ns));
    set->timeline.zero_real_ns = zero_ns < 0 ? 0 : (uint64_t)zero_ns;
    return MT_OK;
}
