/* core.c - starting and stopping, the lock, and the state itself.
 *
 * The state is made at the first start and never taken down: threads keep pointers into it for as
 * long as they live. Stopping only empties the slots.
 */
#include <errno.h>
#include <string.h>

#include "core/state.h"

struct mt_process *mt__process;
struct mt_kept mt__kept;

/* ---- the lock: 0 free, 1 held, 2 held and waited for */

void mt__lock(struct mt_os_mask *mask)
{
    uint32_t *lock = &mt__process->lock, expected = 0;
    mt_os_block_signals(mask);
    if (mt_cas_acquire(lock, &expected, 1)) /* pairs with the release in mt__unlock() */
        return;
    while (mt_exchange_acquire(lock, 2) != 0)
        mt_os_futex_wait(lock, 2);
}

void mt__unlock(const struct mt_os_mask *mask)
{
    uint32_t *lock = &mt__process->lock;
    if (mt_exchange_release(lock, 0) == 2)
        mt_os_futex_wake(lock);
    mt_os_restore_signals(mask);
}

void mt_core_lock(struct mt_os_mask *mask)
{
    mt__lock(mask);
}

void mt_core_unlock(const struct mt_os_mask *mask)
{
    mt__unlock(mask);
}

bool mt__lock_armed(struct mt_os_mask *mask)
{
    if (mt__process == NULL)
        return false;
    mt__lock(mask);
    if (mt__process->state == MT_PROCESS_ARMED)
        return true;
    mt__unlock(mask);
    return false;
}

/* ---- starting */

/* Harmless in a file name, wherever the program's name came from. */
static void copy_program(char *out, size_t size, const char *name)
{
    size_t n = 0;
    for (; name != NULL && *name != '\0' && n < size - 1; name++) {
        char c = *name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || c == '+' || (c == '.' && n > 0);
        out[n++] = plain ? c : '_';
    }
    if (n == 0)
        out[n++] = '_';
    out[n] = '\0';
}

static size_t copy_text(char *out, size_t size, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;
    if (n >= size)
        return 0;
    memset(out, 0, size);
    if (n > 0)
        memcpy(out, text, n);
    return n;
}

/* How fast the counter runs, from the first use of the tracer until now, at least 200 us: exact to
 * one part in ten thousand or better; later pairs in the file make it exact. */
void mt__measure_hz(void)
{
    /* A library that fakes the time may hold it still, or turn it back. */
    enum { READINGS_MAX = 20000 };
    const double slowest = 1e6, fastest = 1e11;
    const struct mt_clock_pair *first = &mt__kept.first_pair;
    struct mt_clock_pair now = *first;
    mt__kept.tick_hz = UINT64_C(1000000000);
    if (mt__kept.clock == MT_CLOCK_MONOTONIC)
        return;
    for (int i = 0; i < READINGS_MAX && now.mono_ns - first->mono_ns < 200000; i++)
        mt_os_clock_pair(mt__kept.clock, &now);
    double ticks = (double)(now.tick - first->tick), ns = (double)(now.mono_ns - first->mono_ns);
    double hz = ns > 0 ? ticks / ns * 1e9 : 0;
    if (hz >= slowest && hz <= fastest)
        mt__kept.tick_hz = (uint64_t)(hz + 0.5);
}

void mt_core_early(void)
{
    if (mt__kept.first_pair.mono_ns != 0)
        return;
    mt__kept.clock = mt_os_clock_choose();
    mt_os_clock_pair(mt__kept.clock, &mt__kept.first_pair);
}

/* Once per process, kept for good. */
static int init_once(void)
{
    bool wiped;
    if (mt__process != NULL)
        return 0;
    mt_core_early();
    struct mt_process *process = mt_os_wiped_pages(sizeof *process, &wiped);
    if (process == NULL)
        return ENOMEM;
    mt__kept.wiped_by_kernel = wiped;
    mt__kept.next_id = 1;
    int error = mt__thread_init();
    if (error == 0)
        error = mt__fork_init();
    if (error == 0)
        mt_store_release(&mt__process, process); /* pairs with before_fork() */
    else
        mt_os_unmap(process, sizeof *process);
    return error;
}

static enum mt_status status_of(int error)
{
    switch (mt__loss_of(error)) {
    case MT_LOSS_NONE: return MT_OK;
    case MT_LOSS_NO_SPACE: return MT_NO_SPACE;
    case MT_LOSS_NO_MEMORY: return MT_NOMEM;
    case MT_LOSS_DENIED: return MT_DENIED;
    case MT_LOSS_GONE: return MT_GONE;
    case MT_LOSS_FILE_LIMIT:
    case MT_LOSS_FILES: return MT_LIMIT;
    default: return MT_IO;
    }
}

enum mt_status mt_core_start(const struct mt_core_config *config, int *error)
{
    int saved = errno;
    struct mt_kept *kept = &mt__kept;
    struct mt_os_mask mask;
    *error = 0;
    if (kept->recording)
        return MT_STATE;
    if (config->directory == NULL || config->directory[0] != '/')
        return MT_USAGE;
    *error = init_once();
    if (*error != 0)
        return status_of(*error);
    mt__lock(&mask);
    if (copy_text(kept->directory, sizeof kept->directory, config->directory) == 0) {
        *error = ENAMETOOLONG;
    } else {
        copy_program(kept->program, sizeof kept->program, config->program);
        memset(kept->executable, 0, sizeof kept->executable);
        copy_text(kept->executable, sizeof kept->executable, config->executable);
        memcpy(kept->run_id, config->run_id, sizeof kept->run_id);
        memcpy(kept->parent_id, config->parent_id, sizeof kept->parent_id);
        kept->origin = config->origin;
        kept->engine = config->engine;
        kept->options = config->options;
        kept->python_version = config->python_version;
        kept->ops = config->ops;
        mt_os_process_info(&kept->info);
        mt_store_relaxed(&mt__process->epoch, ++kept->epoch);
        mt__process->part = 0;
        mt__process->stopping = 0;
        mt__process->n_numbers = 0;
        mt__next_image();
        *error = mt__file_create(config->origin);
    }
    if (*error == 0) {
        mt_store_release(&mt__process->state, MT_PROCESS_ARMED);
        mt_store_release(&kept->recording, 1); /* pairs with mt__ready() */
    }
    mt__unlock(&mask);
    errno = saved;
    return *error == 0 ? MT_OK : *error == ENAMETOOLONG ? MT_USAGE : status_of(*error);
}

void mt_core_stop(bool quiet)
{
    struct mt_process *process = mt__process;
    struct mt_os_mask mask;
    if (!mt_core_recording() && (process == NULL || !process->stopping))
        return;
    mt__lock(&mask);
    for (uint32_t i = 0; i < mt__kept.n_slots; i++) {
        struct mt_thread *thread = mt__thread_at(i);
        if (!thread->live || thread->slot->thread != thread)
            continue;
        if (quiet || thread == mt__thread)
            mt__release_chunk(thread);
        mt_store_relaxed(&thread->slot->end, NULL);
        mt_store_relaxed(&thread->slot->n_ids, UINT64_C(0));
    }
    /* After the ends: else a thread would drop the begin of a call here, and then record its end.
     * Before the state, which says that there is no file: mt__arm_child(). */
    mt_store_release(&mt__kept.recording, 0); /* pairs with mt__ready() */
    struct mt_file_header *header = process->header;
    if (header != NULL) {
        mt_store_relaxed(&header->end_tick, mt__now());
        mt_store_relaxed(&header->flags, header->flags | MT_FLAG_STOPPED);
        if (quiet) {
            mt_os_unmap(header, MT_FILE_HEADER_BYTES);
            process->header = NULL;
            mt__kept.header = NULL;
        }
    }
    mt__file_leave_room();
    if (process->defs_map != NULL)
        mt_os_unmap(process->defs_map, process->defs_bytes);
    process->defs_map = NULL;
    process->defs_next = process->defs_end = NULL;
    process->path[0] = '\0';
    process->stopping = !quiet;
    mt_store_release(&process->state, MT_PROCESS_NONE);
    memset(mt__kept.file_id, 0, sizeof mt__kept.file_id);
    mt__unlock(&mask);
}

bool mt_core_recording(void)
{
    return mt_load_relaxed(&mt__kept.recording) != 0;
}

void mt_core_file_id(uint8_t out[16])
{
    struct mt_os_mask mask;
    memset(out, 0, 16);
    if (mt__process == NULL)
        return;
    mt__lock(&mask);
    memcpy(out, mt__kept.file_id, 16);
    mt__unlock(&mask);
}

const char *mt_core_path(void)
{
    return mt__process != NULL ? mt__process->path : "";
}

void mt_core_copy_path(char *out, size_t size)
{
    struct mt_os_mask mask;
    out[0] = '\0';
    if (mt__process == NULL)
        return;
    mt__lock(&mask);
    copy_text(out, size, mt__process->path);
    mt__unlock(&mask);
}
