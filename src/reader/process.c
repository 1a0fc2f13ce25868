/* process.c - files to processes: which belong together, who started whom, in which order they are
 * shown and under which pids. Called once, by mt_set_finish.
 *
 * Invariant afterwards: parents come before children and earlier images before later ones; a pid is
 * shared by the images of one process only; files of a process are neighbours, by part.
 */
#include "reader/set.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* ------------------------------------------------------------------------------------ identity */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* The parts of an identity in the order in which they sort. Images of one process differ in the last
 * part only. */
static int compare_process(const struct mt_file_header *a, const struct mt_file_header *b)
{
    int order = strcmp(a->host, b->host);
    order = order ? order : memcmp(a->boot_id, b->boot_id, sizeof a->boot_id);
    order = order ? order : compare_numbers(a->pid_ns, b->pid_ns);
    order = order ? order : compare_numbers(a->pid, b->pid);
    return order ? order : compare_numbers(a->start_time, b->start_time);
}

bool mt__same_identity(const struct mt_file_header *a, const struct mt_file_header *b)
{
    return compare_process(a, b) == 0 && a->image == b->image;
}

static int compare_files(const void *a, const void *b)
{
    const struct mt_file_header *x = &(*(struct mt__file *const *)a)->header;
    const struct mt_file_header *y = &(*(struct mt__file *const *)b)->header;
    int order = compare_process(x, y);
    order = order ? order : compare_numbers(x->image, y->image);
    order = order ? order : compare_numbers(x->part, y->part);
    order = order ? order : compare_numbers(x->pair.tick, y->pair.tick);
    return order ? order : memcmp(x->file_id, y->file_id, sizeof x->file_id);
}

static const struct mt_file_header *header_of(const struct mt_set *set, uint32_t process)
{
    return &set->files[set->processes[process].first_file]->header;
}

/* ------------------------------------------------------------------------------------- grouping */

static void sum_losses(struct mt_process *process, const struct mt__file *file)
{
    const struct mt_file_header *header = &file->header;
    if (!header->n_lost)
        return;
    uint64_t first_ns = mt__file_ns(file, header->first_lost_tick);
    uint64_t last_ns = mt__file_ns(file, header->last_lost_tick);
    if (!process->n_lost || first_ns < process->first_lost_ns)
        process->first_lost_ns = first_ns;
    if (!process->n_lost || last_ns > process->last_lost_ns)
        process->last_lost_ns = last_ns;
    process->n_lost += header->n_lost;
    process->loss_reason = header->loss_reason;
}

static enum mt_status describe(struct mt_set *set, struct mt_process *process)
{
    const struct mt__file *file = set->files[process->first_file];
    const struct mt_file_header *header = &file->header;
    process->pid = process->real_pid = header->pid;
    process->ppid = header->ppid;
    process->image = header->image;
    process->parent = process->former = MT_NONE;
    process->start_ns = mt__file_ns(file, header->pair.tick);
    for (uint32_t i = 0; i < process->n_files; i++) {
        file = set->files[process->first_file + i];
        if (file->name.data)
            process->name = file->name;
        sum_losses(process, file);
    }
    enum mt_status status = mt__names_text(&set->names, header->host, strlen(header->host),
                                           &process->host);
    if (status == MT_OK && !process->name.data)
        status = mt__names_text(&set->names, header->program, strlen(header->program),
                                &process->name);
    return status;
}

/* The files are sorted by identity. */
static enum mt_status group_files(struct mt_set *set)
{
    enum mt_status status = MT_OK;
    for (size_t i = 0, n; status == MT_OK && i < set->n_files; i += n) {
        const struct mt_file_header *header = &set->files[i]->header;
        for (n = 1; i + n < set->n_files; n++) {
            if (!mt__same_identity(header, &set->files[i + n]->header))
                break;
        }
        if (!MT_ARRAY_ROOM(set->processes, set->processes_capacity, set->n_processes + 1))
            return MT_NOMEM;
        struct mt_process *process = &set->processes[set->n_processes];
        *process = (struct mt_process){.first_file = (uint32_t)i, .n_files = (uint32_t)n};
        status = describe(set, process);
        uint32_t idx = (uint32_t)set->n_processes++;
        if (idx && compare_process(header, header_of(set, idx - 1)) == 0)
            process->former = idx - 1;
        for (size_t k = i; k < i + n; k++)
            set->files[k]->process = idx;
    }
    return status;
}

/* -------------------------------------------------------------------------------------- parents */

/* The process with the child's ppid in the child's pid namespace: with this start time, or if that
 * is 0, the latest that had started when the child did. Of several images, the latest that was there
 * before the child, or failing that the first. */
static uint32_t find_by_pid(const struct mt_set *set, const struct mt_file_header *child,
                            uint64_t start_time)
{
    struct mt_file_header key = *child;
    key.pid = child->ppid;
    key.start_time = start_time ? start_time : child->start_time;
    size_t low = 0, high = set->n_processes; /* the first process behind the key */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_process(header_of(set, (uint32_t)middle), &key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t found = MT_NONE;
    for (size_t i = low; i-- > 0;) {
        const struct mt_file_header *header = header_of(set, (uint32_t)i);
        key.start_time = start_time || found != MT_NONE ? key.start_time : header->start_time;
        if (compare_process(header, &key) != 0)
            break;
        found = (uint32_t)i;
        if (header->pair.mono_ns <= child->pair.mono_ns)
            break;
    }
    return found;
}

static uint32_t find_by_id(const struct mt_set *set, const struct mt_file_header *child)
{
    const struct mt__file *file = mt__set_find_file(set, child->parent_id);
    return file ? file->process : MT_NONE;
}

/* A fork knows its parent's file. What was started otherwise knows the one that set the environment,
 * which may be an ancestor: there the kernel's word goes first. */
static uint32_t find_parent(const struct mt_set *set, uint32_t process)
{
    const struct mt_file_header *child = header_of(set, process);
    uint32_t by_id = find_by_id(set, child);
    if (child->origin == MT_ORIGIN_FORK && by_id != MT_NONE)
        return by_id;
    uint32_t by_pid = MT_NONE;
    if (child->parent_start_time)
        by_pid = find_by_pid(set, child, child->parent_start_time);
    else if (by_id == MT_NONE)
        by_pid = find_by_pid(set, child, 0);
    return by_pid != MT_NONE ? by_pid : by_id;
}

static void find_parents(struct mt_set *set)
{
    for (uint32_t i = 0; i < set->n_processes; i++) {
        struct mt_process *process = &set->processes[i];
        uint32_t parent = find_parent(set, i);
        /* The environment of an image after exec names the image before it. */
        if (parent != MT_NONE && compare_process(header_of(set, parent), header_of(set, i)) == 0)
            parent = MT_NONE;
        if (parent == MT_NONE && process->former != MT_NONE)
            parent = set->processes[process->former].parent;
        process->parent = parent;
    }
}

/* ---------------------------------------------------------------------------------------- order */

/* Below which process one is shown. */
static uint32_t above(const struct mt_process *process)
{
    return process->former != MT_NONE ? process->former : process->parent;
}

/* Files can claim to be each other's parents. Following `above` from any process must end. */
static void cut_circles(struct mt_set *set, uint32_t *seen)
{
    for (uint32_t i = 0; i < set->n_processes; i++)
        seen[i] = MT_NONE;
    for (uint32_t start = 0; start < set->n_processes; start++) {
        uint32_t at = start;
        while (at != MT_NONE && seen[at] == MT_NONE) {
            seen[at] = start;
            at = above(&set->processes[at]);
        }
        if (at == MT_NONE || seen[at] != start)
            continue;
        /* A circle: former images are real, so one of its parents is not. */
        while (set->processes[at].former != MT_NONE)
            at = set->processes[at].former;
        set->processes[at].parent = MT_NONE;
    }
}

/* When the process began, as far as is known: a child's file is made at its first event only. */
static uint64_t began_ns(const struct mt_set *set, uint32_t process)
{
    const struct mt__file *file = set->files[set->processes[process].first_file];
    uint64_t fork_tick = file->header.origin == MT_ORIGIN_FORK ? file->header.fork_tick : 0;
    return fork_tick ? mt__file_ns(file, fork_tick) : set->processes[process].start_ns;
}

/* For qsort: by start, which is stable enough with the index. */
struct start {
    uint64_t start_ns;
    uint32_t process;
};

static int compare_starts(const void *a, const void *b)
{
    const struct start *x = a, *y = b;
    int order = compare_numbers(x->start_ns, y->start_ns);
    return order ? order : compare_numbers(x->process, y->process);
}

struct tree {
    struct start *starts;
    uint32_t *seen;
    uint32_t *first_child; /* n_processes + 1: the last is for those without a parent */
    uint32_t *next_sibling;
    uint32_t *place; /* old index -> new index */
};

/* Chains of children, by start. */
static void make_tree(const struct mt_set *set, struct tree *tree)
{
    uint32_t n = (uint32_t)set->n_processes;
    for (uint32_t i = 0; i < n; i++)
        tree->starts[i] = (struct start){began_ns(set, i), i};
    if (n)
        qsort(tree->starts, n, sizeof *tree->starts, compare_starts);
    for (uint32_t i = 0; i <= n; i++)
        tree->first_child[i] = MT_NONE;
    for (uint32_t i = n; i-- > 0;) {
        uint32_t process = tree->starts[i].process;
        uint32_t parent = above(&set->processes[process]);
        uint32_t *first = &tree->first_child[parent == MT_NONE ? n : parent];
        tree->next_sibling[process] = *first;
        *first = process;
    }
}

/* Walks the tree, parents first. */
static void number_tree(const struct mt_set *set, struct tree *tree)
{
    uint32_t n = (uint32_t)set->n_processes, n_placed = 0;
    uint32_t at = tree->first_child[n];
    while (at != MT_NONE) {
        tree->place[at] = n_placed++;
        if (tree->first_child[at] != MT_NONE) {
            at = tree->first_child[at];
            continue;
        }
        while (at != MT_NONE && tree->next_sibling[at] == MT_NONE)
            at = above(&set->processes[at]);
        if (at != MT_NONE)
            at = tree->next_sibling[at];
    }
}

static uint32_t placed(const struct tree *tree, uint32_t process)
{
    return process == MT_NONE ? MT_NONE : tree->place[process];
}

/* Puts processes and files into the order of the tree. */
static enum mt_status reorder(struct mt_set *set, const struct tree *tree)
{
    struct mt_process *processes = calloc(set->n_processes + 1, sizeof *processes);
    struct mt__file **files = calloc(set->n_files + 1, sizeof(struct mt__file *));
    if (!processes || !files) {
        free(processes);
        free(files);
        return MT_NOMEM;
    }
    for (uint32_t i = 0; i < set->n_processes; i++)
        processes[tree->place[i]] = set->processes[i];
    uint32_t n_files = 0;
    for (uint32_t i = 0; i < set->n_processes; i++) {
        struct mt_process *process = &processes[i];
        process->parent = placed(tree, process->parent);
        process->former = placed(tree, process->former);
        /* The order is by the first image; a later one may name whom it likes. */
        if (process->former != MT_NONE && process->parent != MT_NONE && process->parent >= i)
            process->parent = processes[process->former].parent;
        for (uint32_t k = 0; k < process->n_files; k++) {
            files[n_files + k] = set->files[process->first_file + k];
            files[n_files + k]->process = i;
        }
        process->first_file = n_files;
        n_files += process->n_files;
    }
    free(set->processes);
    free(set->files);
    set->processes = processes;
    set->processes_capacity = set->n_processes + 1;
    set->files = files;
    set->files_capacity = set->n_files + 1;
    mt__set_refresh_file_ids(set);
    return MT_OK;
}

static enum mt_status order_processes(struct mt_set *set)
{
    size_t n = set->n_processes + 1;
    struct tree tree = {
        .starts = calloc(n, sizeof *tree.starts),
        .seen = calloc(n, sizeof *tree.seen),
        .first_child = calloc(n, sizeof *tree.first_child),
        .next_sibling = calloc(n, sizeof *tree.next_sibling),
        .place = calloc(n, sizeof *tree.place),
    };
    enum mt_status status = MT_NOMEM;
    if (tree.starts && tree.seen && tree.first_child && tree.next_sibling && tree.place) {
        cut_circles(set, tree.seen);
        make_tree(set, &tree);
        number_tree(set, &tree);
        status = reorder(set, &tree);
    }
    free(tree.starts);
    free(tree.seen);
    free(tree.first_child);
    free(tree.next_sibling);
    free(tree.place);
    return status;
}

/* ----------------------------------------------------------------------------------------- pids */

/* By start: who was there first keeps the number. */
static enum mt_status assign_pids(struct mt_set *set)
{
    struct mt_map owner = {0}; /* pid -> a process that shows it */
    uint32_t next_pid = MT__FIRST_SYNTHETIC_ID;
    enum mt_status status = MT_OK;
    struct start *starts = calloc(set->n_processes + 1, sizeof *starts);
    if (!starts)
        return MT_NOMEM;
    for (uint32_t i = 0; i < set->n_processes; i++)
        starts[i] = (struct start){began_ns(set, i), i};
    qsort(starts, set->n_processes, sizeof *starts, compare_starts);
    for (uint32_t i = 0; status == MT_OK && i < set->n_processes; i++) {
        struct mt_process *process = &set->processes[starts[i].process];
        if (process->former != MT_NONE)
            continue;
        bool is_new = false;
        if (process->pid && !mt_map_put(&owner, process->pid, starts[i].process, &is_new))
            status = MT_NOMEM;
        while (status == MT_OK && !is_new) {
            process->pid = next_pid++;
            if (!mt_map_put(&owner, process->pid, starts[i].process, &is_new))
                status = MT_NOMEM;
        }
    }
    for (uint32_t i = 0; i < set->n_processes; i++) { /* former images come first */
        struct mt_process *process = &set->processes[i];
        if (process->former != MT_NONE)
            process->pid = set->processes[process->former].pid;
    }
    free(starts);
    mt_map_fini(&owner);
    return status;
}

enum mt_status mt__set_processes(struct mt_set *set)
{
    if (!set->n_files)
        return MT_OK;
    qsort(set->files, set->n_files, sizeof(struct mt__file *), compare_files);
    mt__set_refresh_file_ids(set);
    enum mt_status status = group_files(set);
    if (status != MT_OK)
        return status;
    find_parents(set);
    status = order_processes(set);
    return status == MT_OK ? assign_pids(set) : status;
}
