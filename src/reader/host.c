/* host.c - which hosts a set spans, and how they are called. Called by mt_set_finish.
 *
 * A machine that was started anew keeps its name and has another boot_id; its boots are told apart
 * by numbers, in the order of time. Containers of one machine are hosts of their own if they have
 * names of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader/set.h"

static int compare_hosts(const struct mt_file_header *a, const struct mt_file_header *b)
{
    int order = strcmp(a->host, b->host);
    return order ? order : memcmp(a->boot_id, b->boot_id, sizeof a->boot_id);
}

static int compare_files(const void *a, const void *b)
{
    const struct mt__file *const *x = a, *const *y = b;
    return compare_hosts(&(*x)->header, &(*y)->header);
}

enum mt_status mt__set_count_hosts(struct mt_set *set)
{
    struct mt__file **files = malloc((set->n_files + 1) * sizeof(struct mt__file *));
    if (!files)
        return MT_NOMEM;
    uint32_t n_hosts = 0;
    for (size_t i = 0; i < set->n_files; i++)
        files[i] = set->files[i];
    qsort(files, set->n_files, sizeof(struct mt__file *), compare_files);
    for (size_t i = 0; i < set->n_files; i++)
        n_hosts += !i || compare_files(&files[i - 1], &files[i]) != 0;
    free(files);
    set->timeline.n_hosts = n_hosts;
    return MT_OK;
}

/* A process with its file's header, for sorting. */
struct member {
    const struct mt_file_header *header;
    uint32_t process;
    uint64_t boot_ns; /* the earliest start of its boot */
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return compare_hosts(x->header, y->header);
}

/* Boots of a host in the order of time. */
static int compare_boots(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = strcmp(x->header->host, y->header->host);
    if (!order && x->boot_ns != y->boot_ns)
        return x->boot_ns < y->boot_ns ? -1 : 1;
    return order ? order : compare_hosts(x->header, y->header);
}

/* `members` are sorted by host and boot. */
static void find_boot_starts(const struct mt_set *set, struct member *members, size_t n)
{
    for (size_t i = 0, k; i < n; i = k) {
        uint64_t boot_ns = UINT64_MAX;
        for (k = i; k < n && !compare_members(&members[i], &members[k]); k++) {
            uint64_t start_ns = set->processes[members[k].process].start_ns;
            boot_ns = start_ns < boot_ns ? start_ns : boot_ns;
        }
        for (size_t j = i; j < k; j++)
            members[j].boot_ns = boot_ns;
    }
}

/* Processes [0, n) of members are of one host, by boot. */
static enum mt_status label_host(struct mt_set *set, const struct member *members, size_t n)
{
    enum mt_status status = MT_OK;
    uint32_t boot = 1;
    if (!compare_members(&members[0], &members[n - 1]))
        return MT_OK; /* one boot: the name will do */
    for (size_t i = 0; status == MT_OK && i < n; i++) {
        char label[MT_HOST_BYTES + 32];
        boot += i && compare_members(&members[i - 1], &members[i]) != 0;
        int n_bytes = snprintf(label, sizeof label, "%s (boot %u)", members[i].header->host, boot);
        status = mt__names_text(&set->names, label, (size_t)n_bytes,
                                &set->processes[members[i].process].host);
    }
    return status;
}

enum mt_status mt__set_host_labels(struct mt_set *set)
{
    size_t n = set->n_processes, k;
    if (set->timeline.n_hosts < 2)
        return MT_OK;
    struct member *members = calloc(n + 1, sizeof *members);
    if (!members)
        return MT_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        members[i] = (struct member){.header = &set->files[set->processes[i].first_file]->header,
                                     .process = i};
    qsort(members, n, sizeof *members, compare_members);
    find_boot_starts(set, members, n);
    qsort(members, n, sizeof *members, compare_boots);
    enum mt_status status = MT_OK;
    for (size_t i = 0; status == MT_OK && i < n; i = k) {
        for (k = i + 1; k < n && !strcmp(members[i].header->host, members[k].header->host); k++)
            continue;
        status = label_host(set, &members[i], k - i);
    }
    free(members);
    return status;
}
