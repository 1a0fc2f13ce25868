/* live.c - an update of what is known of a run: what it reads, in which order, and how much of it. Called by
 * the command `top`.
 *
 * The order of an update: which processes exist; the directory; of each file the chunks that are new,
 * then the definitions; then each thread. Whether a process exists is asked before its files are
 * looked for and read, so that nothing of a process which has ended is missed.
 *
 * Invariant: indexes of files and processes never change. What a look costs, and what is kept, depends on
 * the files that may still grow; of one that is over, little is kept (live_file.c).
 */
#include <stdlib.h>
#include <string.h>

#include "reader/live_state.h"

/* Descriptors that are kept open between the steps of an update. */
#define MAX_OPEN 200u
/* Chunks of a file that are found in an update: a terabyte of the recorder's own. */
#define INDEX_BUDGET 4000000u

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
    free(live->active);
    mt_map_fini(&live->file_of);
    for (size_t i = 0; i < live->n_processes; i++)
        free(live->processes[i].header);
    free(live->processes);
    mt_map_fini(&live->process_of);
    mt__live_window_fini(&live->window);
    mt__names_fini(&live->names);
    free(live->view_processes);
    free(live->view_threads);
    free(live->places);
    free(live);
}

/* ------------------------------------------------------------------------------------- the files */

/* Opens a file and finds out what is new in it. */
static enum mt_status look_at_file(struct mt_live *live, uint32_t idx, uint32_t *n_open)
{
    struct mt__live_file *file = live->files[idx];
    struct mt_file_header header;
    uint32_t budget = INDEX_BUDGET;
    file->n_bytes_before = file->n_bytes;
    if (!mt__live_file_open(live, file, &header))
        return MT_OK;
    enum mt_status status = MT_OK;
    file->n_retries = 0;
    if (file->process == MT_NONE) {
        status = mt__live_place(live, idx, &header);
        file->n_bytes_before = live->started ? 0 : file->n_bytes;
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
    for (size_t i = 0; i < live->n_active; i++) {
        const struct mt__live_file *file = live->files[live->active[i]];
        for (size_t k = 0; file->known && !file->over && k < file->n_threads; k++)
            shares.n_backlog += mt__live_backlog(file->threads[k]);
    }
    if (shares.n_backlog < shares.n_max)
        shares.n_calls += shares.n_max - shares.n_backlog;
    return shares;
}

/* Whether a later file of the process has the thread, too. */
static bool went_on(const struct mt_live *live, const struct mt__live_file *file, uint32_t tid)
{
    for (uint32_t i = file->next; i != MT_NONE; i = live->files[i]->next) {
        const struct mt__live_file *later = live->files[i];
        for (size_t k = 0; k < later->n_threads; k++) {
            if (later->threads[k]->tid == tid && later->threads[k]->n_chunks)
                return true;
        }
    }
    return false;
}

/* Whether to look for new records: of many threads that have long been silent, or are over, only a part
 * at each update. */
static bool is_due(const struct mt_live *live, const struct mt__live_file *file,
                   const struct mt__live_thread *thread)
{
    enum { AT_ONCE = 2000 };
    uint32_t every = live->view.n_threads / AT_ONCE + 1;
    return !thread->started || thread->active || mt__live_backlog(thread) ||
           live->processes[file->process].ended || /* the last look at it */
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
    if (is_due(live, file, thread))
        status = mt__live_read(live, file, thread, n_words, through);
    else
        thread->n_calls = thread->n_new = thread->n_read = 0;
    /* One chunk for each thread in any case: the innermost calls are nearly always in it. */
    bool first = true;
    while (status == MT_OK && mt__live_can_go_back(thread) && (first || shares->n_calls)) {
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
    struct mt_file_header header;
    if (!file->known || file->over)
        return MT_OK;
    if (!file->input.source && !mt__live_file_open(live, file, &header)) {
        for (size_t i = 0; i < file->n_threads; i++)
            file->threads[i]->n_calls = 0;
        return MT_OK;
    }
    bool all = true;
    enum mt_status status = MT_OK;
    for (size_t i = 0; i < file->n_threads && status == MT_OK; i++) {
        struct mt__live_thread *thread = file->threads[i];
        status = read_thread(live, file, thread, shares);
        all = all && !thread->active && !mt__live_can_go_back(thread);
    }
    mt__input_close(&file->input);
    if (status == MT_OK && all && live->processes[file->process].ended)
        mt__live_file_release(live, file);
    return status;
}

/* Leaves out of `active` what will not change any more. */
static void forget_files(struct mt_live *live)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < live->n_active; i++) {
        struct mt__live_file *file = live->files[live->active[i]];
        if (file->over || file->unwanted)
            live->n_errors += file->broken || (file->unwanted && !live->options.run_id);
        else
            live->active[n_kept++] = live->active[i];
    }
    live->n_active = n_kept;
}

/* -------------------------------------------------------------------------------------- an update */

enum mt_status mt_live_update(struct mt_live *live, uint64_t now_ns, struct mt_error *error)
{
    uint64_t first_ns = live->options.first_ns < now_ns ? now_ns - live->options.first_ns : 0;
    live->since_ns = live->started ? live->now_ns : first_ns;
    live->now_ns = now_ns;
    live->view.n_words_new = live->view.n_words_read = 0;
    mt__live_ask(live);
    enum mt_status status = mt__live_list(live, error);
    if (status == MT_OK)
        status = mt__live_window_next(&live->window, now_ns - live->since_ns,
                                      live->options.window_ns);
    uint32_t n_open = 0;
    for (size_t i = 0; i < live->n_active && status == MT_OK; i++)
        status = look_at_file(live, live->active[i], &n_open);
    struct shares shares = share_out(live);
    for (size_t i = 0; i < live->n_active; i++) {
        struct mt__live_file *file = live->files[live->active[i]];
        if (status == MT_OK)
            status = read_file(live, file, &shares);
        mt__input_close(&file->input);
    }
    forget_files(live);
    if (status == MT_OK)
        status = mt__live_make_view(live);
    live->started = true;
    live->n_updates++;
    return status;
}
