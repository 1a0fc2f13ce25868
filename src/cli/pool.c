/* pool.c - the threads of pool.h, made with libuv. Called by feed.c.
 *
 * Not libuv's own pool (uv_queue_work): that one aborts the program when a thread cannot be made, as
 * happens below a limit of processes or of address space, and takes its size from the environment
 * only. Here fewer threads are merely slower.
 */
#include "cli/pool.h"

#include <signal.h>
#include <stdlib.h>

#include <uv.h>

/* Sinks need little; the default of 8 MiB for each thread would run into limits of address space. */
#define STACK_BYTES ((size_t)1 << 20)

uint32_t mt__pool_n_useful(void)
{
    unsigned n = uv_available_parallelism();
    return n > MT_POOL_MAX_WORKERS ? MT_POOL_MAX_WORKERS : n ? n : 1;
}

struct member {
    uv_thread_t thread;
    uint32_t worker;
    void (*work)(void *context, uint32_t worker);
    void *context;
};

static void be_member(void *argument)
{
    const struct member *member = argument;
    member->work(member->context, member->worker);
}

/* Signals are for the thread that called us. */
static uint32_t start(struct member *members, uint32_t n)
{
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_BYTES};
    sigset_t all, before;
    uint32_t n_started = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (n_started < n && !uv_thread_create_ex(&members[n_started].thread, &options, be_member,
                                                 &members[n_started]))
        n_started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n_started;
}

void mt__pool_run(uint32_t n_workers, void (*work)(void *context, uint32_t worker), void *context)
{
    struct member members[MT_POOL_MAX_WORKERS];
    uint32_t n = n_workers ? n_workers - 1 : 0;
    n = n > MT_POOL_MAX_WORKERS ? MT_POOL_MAX_WORKERS : n;
    for (uint32_t i = 0; i < n; i++)
        members[i] = (struct member){.worker = i + 1, .work = work, .context = context};
    uint32_t n_started = start(members, n);
    work(context, 0);
    for (uint32_t i = 0; i < n_started; i++)
        uv_thread_join(&members[i].thread);
}

struct mt_gate {
    uv_mutex_t mutex;
    uv_cond_t cond;
};

struct mt_gate *mt__gate_new(void)
{
    struct mt_gate *gate = malloc(sizeof *gate);
    if (!gate)
        return NULL;
    if (uv_mutex_init(&gate->mutex))
        goto fail_mutex;
    if (uv_cond_init(&gate->cond))
        goto fail_cond;
    return gate;

fail_cond:
    uv_mutex_destroy(&gate->mutex);
fail_mutex:
    free(gate);
    return NULL;
}

void mt__gate_free(struct mt_gate *gate)
{
    if (!gate)
        return;
    uv_cond_destroy(&gate->cond);
    uv_mutex_destroy(&gate->mutex);
    free(gate);
}

void mt__gate_lock(struct mt_gate *gate)
{
    uv_mutex_lock(&gate->mutex);
}

void mt__gate_unlock(struct mt_gate *gate)
{
    uv_mutex_unlock(&gate->mutex);
}

void mt__gate_sleep(struct mt_gate *gate)
{
    uv_cond_wait(&gate->cond, &gate->mutex);
}

void mt__gate_wake(struct mt_gate *gate)
{
    uv_cond_broadcast(&gate->cond);
}
