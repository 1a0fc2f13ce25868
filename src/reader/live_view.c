/* live_view.c - what is known of a run, as its caller is shown it. Called by live.c.
 *
 * A process of which nothing changes any more keeps its place in the view and costs nothing.
 */
#include <string.h>

#include "base/array.h"
#include "reader/live_state.h"

/* Threads without open calls are shown for so long when their process has ended. */
#define KEEP_NS UINT64_C(60000000000)

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

/* A thread that has gone on in a later file is in that one's row, with what it called before. */
static void view_calls_before(struct mt_live *live, uint32_t file_idx, uint32_t first_row,
                              struct mt_live_process *process)
{
    const struct mt__live_file *file = live->files[file_idx];
    for (size_t i = 0; i < file->n_threads; i++) {
        const struct mt__live_thread *thread = file->threads[i];
        if (!thread->went_on || !thread->n_calls)
            continue;
        process->n_calls += thread->n_calls;
        for (uint32_t row = live->view.n_threads; row-- > first_row;) {
            if (live->view_threads[row].tid == thread->tid) {
                live->view_threads[row].n_calls += thread->n_calls;
                break;
            }
        }
    }
}

/* What a file adds to its process. */
static void view_file(const struct mt__live_file *file, uint64_t *name_tick,
                      struct mt_live_process *out)
{
    if (file->name.data && file->name_tick >= *name_tick) {
        out->name = file->name;
        *name_tick = file->name_tick;
    }
    out->stopped = file->flags & MT_FLAG_STOPPED;
    if (file->n_lost)
        out->loss_reason = file->loss_reason;
    out->n_lost += file->n_lost;
    out->n_bytes += file->n_bytes;
    if (file->n_bytes > file->n_bytes_before)
        out->n_new_bytes += file->n_bytes - file->n_bytes_before;
}

static enum mt_status view_process(struct mt_live *live, uint32_t idx)
{
    struct mt__live_process *from = &live->processes[idx];
    struct mt_live_process *out = &live->view_processes[idx];
    if (from->settled)
        return MT_OK;
    *out = (struct mt_live_process){
        .pid = from->pid,
        .ppid = from->ppid,
        .state = from->state,
        .name = from->program,
        .host = from->host,
        .last_ns = from->last_ns,
    };
    uint64_t name_tick = 0;
    uint32_t first_row = live->view.n_threads;
    bool settled = from->ended;
    for (uint32_t i = from->first_file; i != MT_NONE; i = live->files[i]->next) {
        struct mt__live_file *file = live->files[i];
        bool old = file->over && live->now_ns - file->over_ns >= KEEP_NS;
        if (old)
            mt__live_file_drop_threads(file, true);
        settled = settled && old && !file->n_threads;
        view_file(file, &name_tick, out);
        enum mt_status status = view_threads(live, i, out);
        if (status != MT_OK)
            return status;
    }
    for (uint32_t i = from->first_file; i != MT_NONE; i = live->files[i]->next)
        view_calls_before(live, i, first_row, out);
    from->last_ns = out->last_ns;
    out->unfinished = out->unfinished && out->state == MT_LIVE_ENDED && !out->stopped;
    from->settled = settled;
    return MT_OK;
}

enum mt_status mt__live_make_view(struct mt_live *live)
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
    view->n_errors = live->n_errors;
    for (size_t i = 0; i < live->n_active; i++) {
        const struct mt__live_file *file = live->files[live->active[i]];
        view->n_errors += file->broken || file->denied;
    }
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
        funcs[i - first] = file->over
                               ? stack->calls[i]
                               : file->funcs.funcs[mt__live_slot(&file->funcs, stack->calls[i])];
    return (uint32_t)(stack->n_calls - first);
}
