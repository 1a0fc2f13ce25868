/* live.c - a directory of growing trace files: what is new in it, processes, the view. Called by the
 * command `top`.
 *
 * The order of an update: the directory; of each file the chunks that are new, then the definitions;
 * then each thread. Whether a process exists is asked before its files are read, so that nothing of
 * a process which has ended is missed.
 *
 * Invariant: indexes of files and processes never change.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "reader/live_state.h"

/* Descriptors that are kept open between the steps of an update. */
#define MAX_OPEN 200u
#define INDEX_BUDGET 100000u

enum mt_status mt_live_new(const struct mt_live_options *options, struct mt_live **out)
{
    struct mt_live *live = calloc(1, sizeof *live);
    if (!live || mt__names_init(&live->names) != MT_OK) {
        mt_live_free(live);
        return MT_NOMEM;
    }
    live->options = *options;
    if (options->run_id) {
        memcpy(live->run_id, options->run_id, sizeof live->run_id);
        live->options.run_id = live->run_id;
    }
    *out = live;
    return MT_OK;
}

void mt_live_free(struct mt_live *live)
{
    if (!live)
        return;
    for (size_t i = 0; i < live->n_files; i++) {
        mt__live_file_fini(live->files[i]);
        free(live->files[i]);
    }
    free(live->files);
    mt_map_fini(&live->file_of);
    free(live->processes);
    mt__live_window_fini(&live->window);
    mt__names_fini(&live->names);
    free(live->view_processes);
    free(live->view_threads);
    free(live->places);
    free(live);
}

/* ------------------------------------------------------------------------------------- the files */

/* The files' names have the pid and a number in them: those that hash alike are put one further. */
static enum mt_status add_file(void *context, const char *path)
{
    struct mt_live *live = context;
    uint64_t hash = mt_hash_bytes(path, strlen(path), mt_hash_secret);
    const uint32_t *idx;
    for (; (idx = mt_map_find(&live->file_of, hash)); hash++) {
        if (!strcmp(live->files[*idx]->path, path))
            return MT_OK;
    }
    struct mt__live_file *file = calloc(1, sizeof *file);
    if (file)
        file->path = strdup(path);
    if (!file || !file->path ||
        !MT_ARRAY_ROOM(live->files, live->files_capacity, live->n_files + 1) ||
        !mt_map_put(&live->file_of, hash, (uint32_t)live->n_files, NULL)) {
        if (file)
            free(file->path);
        free(file);
        return MT_NOMEM;
    }
    file->source.name = file->path;
    file->input.fd = -1;
    file->process = file->next = MT_NONE;
    live->files[live->n_files++] = file;
    return MT_OK;
}

static bool same_process(const struct mt_file_header *a, const struct mt_file_header *b)
{
    return a->pid == b->pid && a->start_time == b->start_time && a->pid_ns == b->pid_ns &&
           !memcmp(a->boot_id, b->boot_id, sizeof a->boot_id) &&
           !memcmp(a->host, b->host, sizeof a->host);
}

/* Which process the file belongs to. An image that another one follows is over. */
static enum mt_status place_file(struct mt_live *live, uint32_t idx)
{
    struct mt__live_file *file = live->files[idx];
    bool replaced = false;
    for (size_t i = 0; i < live->n_processes; i++) {
        struct mt__live_process *process = &live->processes[i];
        const struct mt_file_header *other = &live->files[process->first_file]->header;
        if (!same_process(&file->header, other))
            continue;
        if (other->image == file->header.image) {
            live->files[process->last_file]->next = idx;
            process->last_file = idx;
            file->process = (uint32_t)i;
            return MT_OK;
        }
        replaced = replaced || other->image > file->header.image;
        process->replaced = process->replaced || other->image < file->header.image;
    }
    if (!MT_ARRAY_ROOM(live->processes, live->processes_capacity, live->n_processes + 1))
        return MT_NOMEM;
    file->process = (uint32_t)live->n_processes;
    live->processes[live->n_processes++] = (struct mt__live_process){
        .first_file = idx, .last_file = idx, .state = MT_LIVE_RUNNING, .replaced = replaced};
    return MT_OK;
}

static void ask_states(struct mt_live *live)
{
    for (size_t i = 0; i < live->n_processes; i++) {
        struct mt__live_process *process = &live->processes[i];
        const struct mt_file_header *header = &live->files[process->first_file]->header;
        if (process->replaced)
            process->state = MT_LIVE_ENDED;
        else if (process->state != MT_LIVE_ENDED && live->options.state)
            process->state = live->options.state(live->options.context, header);
    }
}

/* Opens a file and finds out what is new in it. */
static enum mt_status look_at_file(struct mt_live *live, uint32_t idx, uint32_t *n_open)
{
    struct mt__live_file *file = live->files[idx];
    uint32_t budget = INDEX_BUDGET;
    file->n_bytes_before = file->n_bytes;
    if (!mt__live_file_open(live, file))
        return MT_OK;
    enum mt_status status = MT_OK;
    file->n_retries = 0;
    if (file->process == MT_NONE) {
        status = place_file(live, idx);
        file->n_bytes_before = live->started ? 0 : file->n_bytes;
        ask_states(live);
    }
    if (status == MT_OK)
        status = mt__live_file_index(file, &budget);
    if (status == MT_OK)
        status = mt__live_file_defs(live, file);
    if (++*n_open > MAX_OPEN)
        mt__input_close(&file->input);
    return status;
}

/* ------------------------------------------------------------------------------------ the threads */

/* How an update's words are shared out. */
struct shares {
    uint64_t n_backlog, n_max; /* all threads; what may be read of it */
    uint64_t n_calls;          /* what may be read for the open calls alone */
};

static struct shares share_out(const struct mt_live *live)
{
    struct shares shares = {.n_max = live->started ? live->options.n_words_max
                                                   : live->options.n_words_max_first,
                            .n_calls = live->options.n_words_calls};
    for (size_t i = 0; i < live->n_files; i++) {
        const struct mt__live_file *file = live->files[i];
        for (size_t k = 0; file->input.source && k < file->n_threads; k++)
            shares.n_backlog += mt__live_backlog(file->threads[k]);
    }
    if (shares.n_backlog < shares.n_max)
        shares.n_calls += shares.n_max - shares.n_backlog;
    return shares;
}

/* Whether a later file of the process has the thread, too. */
static bool went_on(const struct mt_live *live, const struct mt__live_file *file, uint32_t tid)
{
    for (uint32_t i = live->processes[file->process].first_file; i != MT_NONE;
         i = live->files[i]->next) {
        const struct mt__live_file *later = live->files[i];
        if (later->header.part <= file->header.part)
            continue;
        for (size_t k = 0; k < later->n_threads; k++) {
            if (later->threads[k]->tid == tid && later->threads[k]->n_chunks)
                return true;
        }
    }
    return false;
}

/* Whether to look for new records: of many threads that have long been silent, or are over, only a part
 * at each update. */
static bool is_due(const struct mt_live *live, const struct mt__live_thread *thread)
{
    enum { AT_ONCE = 2000 };
    uint32_t every = live->view.n_threads / AT_ONCE + 1;
    return !thread->started || thread->active || mt__live_backlog(thread) ||
           (thread->number + live->n_updates) % every == 0;
}

static enum mt_status read_thread(struct mt_live *live, struct mt__live_file *file,
                                  struct mt__live_thread *thread, struct shares *shares)
{
    uint64_t n_backlog = mt__live_backlog(thread), n_words = n_backlog;
    thread->went_on = went_on(live, file, thread->tid);
    if (shares->n_backlog > shares->n_max)
        n_words = (uint64_t)((double)shares->n_max * (double)n_words / (double)shares->n_backlog);
    /* To pass through all of it is worth it only where nothing is missing already. */
    bool through = n_backlog > n_words && n_backlog <= shares->n_calls &&
                   (thread->stack.complete || !thread->started);
    if (through)
        shares->n_calls -= n_backlog;
    enum mt_status status = MT_OK;
    if (is_due(live, thread))
        status = mt__live_read(live, file, thread, n_words, through);
    /* One chunk for each thread in any case: the innermost calls are nearly always in it. */
    bool first = true;
    while (status == MT_OK && !thread->stack.complete && thread->back &&
           (first || shares->n_calls)) {
        status = mt__live_read_back(live, file, thread, &shares->n_calls);
        first = false;
    }
    if (status == MT_OK)
        status = mt__live_settle(live, file, thread);
    live->view.n_words_new += thread->n_new;
    live->view.n_words_read += thread->n_read;
    return status;
}

static enum mt_status read_file(struct mt_live *live, struct mt__live_file *file,
                                struct shares *shares)
{
    if (!file->known || file->over || file->unwanted)
        return MT_OK;
    if (!file->input.source && !mt__live_file_open(live, file)) {
        for (size_t i = 0; i < file->n_threads; i++)
            file->threads[i]->n_calls = 0;
        return MT_OK;
    }
    bool ended = live->processes[file->process].state == MT_LIVE_ENDED, all = true;
    enum mt_status status = MT_OK;
    for (size_t i = 0; i < file->n_threads && status == MT_OK; i++) {
        struct mt__live_thread *thread = file->threads[i];
        status = read_thread(live, file, thread, shares);
        all = all && !thread->active && (thread->stack.complete || !thread->back);
    }
    file->over = ended && all;
    mt__input_close(&file->input);
    return status;
}

/* --------------------------------------------------------------------------------------- the view */

static void view_thread(struct mt_live *live, const struct mt__live_file *file,
                        const struct mt__live_thread *thread, struct mt_live_thread *out)
{
    const struct mt__live_stack *stack = &thread->stack;
    static const struct mt_text none = {"", 0};
    *out = (struct mt_live_thread){
        .process = file->process,
        .tid = thread->tid,
        .depth = (uint32_t)stack->n_calls,
        .complete = stack->complete,
        .losing = stack->lost,
        .name = thread->name.data ? thread->name : none,
        .n_calls = thread->n_calls,
        .last_ns = thread->last_tick ? mt__live_ns(file, thread->last_tick) : 0,
    };
    uint32_t func;
    bool any = mt_live_stack(live, live->view.n_threads, &func, 1);
    out->idle = any && !thread->active && func != MT_NONE &&
                live->names.funcs[func].kind == MT_FUNC_C;
}

static enum mt_status view_threads(struct mt_live *live, uint32_t file_idx,
                                   struct mt_live_process *process)
{
    const struct mt__live_file *file = live->files[file_idx];
    struct mt_live_view *view = &live->view;
    for (size_t i = 0; i < file->n_threads; i++) {
        const struct mt__live_thread *thread = file->threads[i];
        if (!thread->n_chunks || thread->went_on)
            continue;
        if (!MT_ARRAY_ROOM(live->view_threads, live->view_threads_capacity, view->n_threads + 1) ||
            !MT_ARRAY_ROOM(live->places, live->places_capacity, view->n_threads + 1))
            return MT_NOMEM;
        struct mt_live_thread *out = &live->view_threads[view->n_threads];
        live->places[view->n_threads] = (struct place){file_idx, (uint32_t)i};
        view_thread(live, file, thread, out);
        view->n_threads++;
        process->n_calls += thread->n_calls;
        process->n_threads += out->depth || !out->complete;
        process->unfinished = process->unfinished || out->depth;
        process->last_ns = out->last_ns > process->last_ns ? out->last_ns : process->last_ns;
    }
    return MT_OK;
}

static enum mt_status view_process(struct mt_live *live, uint32_t idx)
{
    const struct mt__live_process *from = &live->processes[idx];
    struct mt_live_process *out = &live->view_processes[idx];
    const struct mt__live_file *first = live->files[from->first_file];
    const char *host = first->header.host, *program = first->header.program;
    *out = (struct mt_live_process){
        .pid = first->header.pid,
        .ppid = first->header.ppid,
        .state = from->state,
        .name = {program, (uint32_t)strlen(program)},
        .host = {host, (uint32_t)strlen(host)},
    };
    uint64_t name_tick = 0;
    for (uint32_t i = from->first_file; i != MT_NONE; i = live->files[i]->next) {
        const struct mt__live_file *file = live->files[i];
        if (file->name.data && file->name_tick >= name_tick) {
            out->name = file->name;
            name_tick = file->name_tick;
        }
        out->stopped = file->header.flags & MT_FLAG_STOPPED;
        if (file->header.n_lost)
            out->loss_reason = file->header.loss_reason;
        out->n_lost += file->header.n_lost;
        out->n_bytes += file->n_bytes;
        if (file->n_bytes > file->n_bytes_before)
            out->n_new_bytes += file->n_bytes - file->n_bytes_before;
        enum mt_status status = view_threads(live, i, out);
        if (status != MT_OK)
            return status;
    }
    out->unfinished = out->unfinished && out->state == MT_LIVE_ENDED && !out->stopped;
    return MT_OK;
}

static enum mt_status make_view(struct mt_live *live)
{
    struct mt_live_view *view = &live->view;
    enum mt_status status = MT_OK;
    view->n_threads = 0;
    if (!MT_ARRAY_ROOM(live->view_processes, live->view_processes_capacity, live->n_processes + 1))
        return MT_NOMEM;
    for (uint32_t i = 0; i < live->n_processes && status == MT_OK; i++)
        status = view_process(live, i);
    view->processes = live->view_processes;
    view->n_processes = (uint32_t)live->n_processes;
    view->threads = live->view_threads;
    view->funcs = live->names.funcs;
    view->now_ns = live->now_ns;
    view->interval_ns = live->now_ns - live->since_ns;
    view->window_ns = mt__live_window_ns(&live->window);
    view->n_errors = 0;
    for (size_t i = 0; i < live->n_files; i++)
        view->n_errors += live->files[i]->broken || live->files[i]->denied ||
                          (live->files[i]->unwanted && !live->options.run_id);
    return status;
}

const struct mt_live_view *mt_live_view(const struct mt_live *live)
{
    return &live->view;
}

uint32_t mt_live_stack(const struct mt_live *live, uint32_t thread, uint32_t *funcs, uint32_t n_max)
{
    const struct mt__live_file *file = live->files[live->places[thread].file];
    const struct mt__live_stack *stack = &file->threads[live->places[thread].thread]->stack;
    size_t first = stack->n_calls > n_max ? stack->n_calls - n_max : 0;
    for (size_t i = first; i < stack->n_calls; i++)
        funcs[i - first] = file->funcs.funcs[mt__live_slot(&file->funcs, stack->calls[i])];
    return (uint32_t)(stack->n_calls - first);
}

/* -------------------------------------------------------------------------------------- an update */

enum mt_status mt_live_update(struct mt_live *live, uint64_t now_ns, struct mt_error *error)
{
    uint64_t first_ns = live->options.first_ns < now_ns ? now_ns - live->options.first_ns : 0;
    live->since_ns = live->started ? live->now_ns : first_ns;
    live->now_ns = now_ns;
    live->view.n_words_new = live->view.n_words_read = 0;
    enum mt_status status = mt_each_trace(live->options.directory, add_file, live, error);
    if (status != MT_OK && status != MT_GONE) /* gone: there is none yet */
        return status;
    status = mt__live_window_next(&live->window, now_ns - live->since_ns, live->options.window_ns);
    ask_states(live);
    uint32_t n_open = 0;
    for (uint32_t i = 0; i < live->n_files && status == MT_OK; i++)
        status = look_at_file(live, i, &n_open);
    struct shares shares = share_out(live);
    for (size_t i = 0; i < live->n_files; i++) {
        if (status == MT_OK)
            status = read_file(live, live->files[i], &shares);
        mt__input_close(&live->files[i]->input);
    }
    if (status == MT_OK)
        status = make_view(live);
    live->started = true;
    live->n_updates++;
    return status;
}
