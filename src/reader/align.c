/* align.c - one clock for all files of a set. Called once, by mt_set_finish.
 *
 * Files of one boot share CLOCK_MONOTONIC; boots are put side by side by CLOCK_REALTIME. Inside of a
 * file its own moments say how ticks become ns; outside of them the rate does that all files of the
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

bool mt__same_boot(const struct mt_file_header *a, const struct mt_file_header *b)
{
    return !memcmp(a->boot_id, b->boot_id, sizeof a->boot_id) && !strcmp(a->host, b->host);
}

static struct boot *boot_of(struct boot *boots, size_t n_boots, const struct mt_file_header *header)
{
    for (size_t i = 0; i < n_boots; i++) {
        if (mt__same_boot(boots[i].header, header) && boots[i].header->clock == header->clock)
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

/* Real time is set and slewed, so one moment of the boot, the first, says how far it is off. */
static void settle_boot(struct boot *boot)
{
    if (boot->first.real_ns >> 62 == 0)
        boot->real_minus_mono_ns = (int64_t)boot->first.real_ns - (int64_t)boot->first.mono_ns;
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
    for (size_t i = 0; i < n_boots; i++)
        settle_boot(&boots[i]);
    *out = boots;
    *n_out = n_boots;
    return MT_OK;
}

/* Files of one boot whose ticks come from different clocks share the offset, too. */
static int64_t offset_of(const struct boot *boots, size_t n_boots,
                         const struct mt_file_header *header)
{
    for (size_t i = 0; i < n_boots; i++) {
        if (mt__same_boot(boots[i].header, header))
            return boots[i].real_minus_mono_ns;
    }
    return 0;
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
        int64_t offset_ns = offset_of(boots, n_boots, &file->header);
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
