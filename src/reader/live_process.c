/* live_process.c - which files are of one process, and whether it exists. Called by live.c.
 *
 * A process that becomes another program by exec, or is recorded again, has an image more: each is shown as a
 * process. Pids are used again, so the time of its start is part of what a process is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "reader/live_state.h"

static bool same_process(const struct mt__live_process *a, const struct mt_file_header *b)
{
    return a->pid == b->pid && a->start_time == b->start_time && a->pid_ns == b->pid_ns &&
           !memcmp(a->boot_id, b->boot_id, sizeof a->boot_id) && !strcmp(a->host.data, b->host);
}

static uint64_t hash_of(const struct mt_file_header *header)
{
    uint64_t numbers[] = {header->pid, header->start_time, header->pid_ns};
    return mt_hash_bytes(numbers, sizeof numbers,
                         mt_hash_bytes(header->boot_id, sizeof header->boot_id, mt_hash_secret));
}

/* The latest image of the process at *place; those that hash alike are one further. NULL: no memory. */
static uint32_t *latest_image(struct mt_live *live, const struct mt_file_header *header)
{
    bool is_new;
    for (uint64_t hash = hash_of(header);; hash++) {
        uint32_t *idx = mt_map_put(&live->process_of, hash, MT_NONE, &is_new);
        if (!idx || is_new || *idx == MT_NONE || same_process(&live->processes[*idx], header))
            return idx;
    }
}

static enum mt_status text(struct mt_live *live, const char *from, struct mt_text *out)
{
    return mt__names_text(&live->names, from, strlen(from), out);
}

static void ask(struct mt_live *live, struct mt__live_process *process)
{
    if (process->state != MT_LIVE_ENDED && process->replaced)
        process->state = MT_LIVE_ENDED;
    else if (process->state != MT_LIVE_ENDED && live->options.state)
        process->state = live->options.state(live->options.context, process->header);
    if (process->state == MT_LIVE_ENDED) {
        free(process->header);
        process->header = NULL;
    }
}

void mt__live_ask(struct mt_live *live)
{
    for (size_t i = 0; i < live->n_processes; i++) {
        struct mt__live_process *process = &live->processes[i];
        if (process->header)
            ask(live, process);
        process->ended = process->state == MT_LIVE_ENDED;
    }
}

static enum mt_status new_process(struct mt_live *live, const struct mt_file_header *header,
                                  uint32_t file, uint32_t former)
{
    struct mt__live_process process = {.first_file = file,
                                       .former = former,
                                       .start_time = header->start_time,
                                       .pid_ns = header->pid_ns,
                                       .pid = header->pid,
                                       .ppid = header->ppid,
                                       .image = header->image,
                                       .state = MT_LIVE_RUNNING};
    memcpy(process.boot_id, header->boot_id, sizeof process.boot_id);
    if (!MT_ARRAY_ROOM(live->processes, live->processes_capacity, live->n_processes + 1) ||
        text(live, header->program, &process.program) != MT_OK ||
        text(live, header->host, &process.host) != MT_OK)
        return MT_NOMEM;
    process.header = malloc(sizeof *process.header);
    if (!process.header)
        return MT_NOMEM;
    *process.header = *header;
    live->processes[live->n_processes++] = process;
    return MT_OK;
}

/* Puts a file among those of its process, in the order of their parts. */
static void insert(struct mt_live *live, struct mt__live_process *process, uint32_t idx)
{
    uint32_t *at = &process->first_file;
    while (*at != MT_NONE && live->files[*at]->part <= live->files[idx]->part)
        at = &live->files[*at]->next;
    live->files[idx]->next = *at;
    *at = idx;
    process->settled = false;
}

enum mt_status mt__live_place(struct mt_live *live, uint32_t file,
                              const struct mt_file_header *header)
{
    bool replaced = false;
    uint32_t *latest = latest_image(live, header);
    if (!latest)
        return MT_NOMEM;
    for (uint32_t i = *latest; i != MT_NONE; i = live->processes[i].former) {
        struct mt__live_process *other = &live->processes[i];
        if (other->image == header->image) {
            live->files[file]->process = i;
            insert(live, other, file);
            return MT_OK;
        }
        replaced = replaced || other->image > header->image;
        other->replaced = other->replaced || other->image < header->image;
    }
    enum mt_status status = new_process(live, header, file, *latest);
    if (status != MT_OK)
        return status;
    live->files[file]->process = *latest = (uint32_t)live->n_processes - 1;
    struct mt__live_process *process = &live->processes[*latest];
    process->replaced = replaced;
    ask(live, process);
    /* What it has replaced is over, too. */
    for (uint32_t i = process->former; i != MT_NONE; i = live->processes[i].former)
        ask(live, &live->processes[i]);
    return MT_OK;
}
