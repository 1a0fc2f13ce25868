/* storm.c - see storm.h: the writers. What looks at their files is in storm_check.c.
 *
 * A child of a raw fork may find any lock of libc's taken by a thread that it does not have: it
 * records and forks raw, and starts no threads.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "storm.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/state.h"
#include "fork_kinds.h"

enum { THREADS_MAX = 4, PERIOD = 8 };

/* ---- what is recorded */

static const struct {
    enum mt_kind kind;
    enum storm_function function;
} period[PERIOD] = {
    {MT_KIND_PY_BEGIN, STORM_OUTER},   {MT_KIND_C_BEGIN, STORM_C},
    {MT_KIND_C_END, STORM_C},          {MT_KIND_PY_BEGIN, STORM_INNER},
    {MT_KIND_PY_SUSPEND, STORM_INNER}, {MT_KIND_PY_RESUME, STORM_INNER},
    {MT_KIND_PY_END, STORM_INNER},     {MT_KIND_PY_END, STORM_OUTER},
};

struct storm_event storm_event(uint64_t n)
{
    uint32_t at = (uint32_t)(n % PERIOD), turn = (uint32_t)(n / PERIOD);
    struct storm_event e = {period[at].kind, period[at].function, turn / 4};
    if (e.function != STORM_OUTER)
        e.generation /= 4;
    if (e.kind == MT_KIND_C_END && turn % 5 == 4)
        e.kind = MT_KIND_C_END_EXC;
    if (e.kind == MT_KIND_PY_END && turn % 3 == 2)
        e.kind = MT_KIND_PY_END_EXC;
    return e;
}

uint32_t storm_open(uint64_t n, enum storm_function out[2])
{
    static const uint32_t depths[PERIOD] = {0, 1, 1, 1, 2, 1, 2, 1};
    out[0] = STORM_OUTER;
    out[1] = STORM_INNER;
    return depths[n % PERIOD];
}

int storm_name(char *out, size_t size, uint32_t w, enum storm_function function,
               uint32_t generation)
{
    return snprintf(out, size, "S%u.%c%u", w, "oic"[function], generation);
}

int storm_owner(char *out, size_t size, uint32_t w)
{
    return snprintf(out, size, "owner%u", w);
}

/* ---- a writer */

struct writer {
    uint32_t index;
    uint64_t n;
    uint64_t seed;
    struct storm_writer *shown;
    uint32_t ids[N_STORM_FUNCTIONS], generations[N_STORM_FUNCTIONS];
};

static struct storm *storm;
static __thread struct writer me;
static uint32_t n_threads; /* of this process, now */

static uint32_t any(uint32_t below)
{
    return lab_random(&me.seed) % below;
}

static uint32_t define(enum storm_function function, uint32_t generation)
{
    char name[40], other[40];
    size_t n = (size_t)storm_name(name, sizeof name, me.index, function, generation);
    size_t n_other = (size_t)storm_owner(other, sizeof other, me.index);
    if (function == STORM_C)
        return mt_core_define_cfunc(other, n_other, name, n);
    return mt_core_define_code(name, n, other, n_other, generation, 0);
}

static bool is_known(enum storm_function function, uint32_t generation)
{
    return me.generations[function] == generation && mt_id_valid(mt__slot, me.ids[function]);
}

static uint32_t id_of(enum storm_function function, uint32_t generation)
{
    if (!is_known(function, generation)) {
        me.ids[function] = define(function, generation);
        me.generations[function] = generation;
    }
    return me.ids[function];
}

static uint32_t open_calls(enum mt_kind kind, uint32_t *ids, uint32_t cap, uint32_t *current_id)
{
    enum storm_function open[2];
    struct storm_event e = storm_event(me.n);
    uint32_t n = storm_open(me.n, open);
    (void)kind;
    if (current_id != NULL)
        *current_id = e.function != STORM_C ? id_of(e.function, e.generation) : 0;
    for (uint32_t i = 0; i < n && i < cap; i++) /* each is of an event not long before */
        ids[i] = id_of(open[i], e.generation * (e.function == STORM_OUTER ? 1 : 4) /
                                    (open[i] == STORM_OUTER ? 1 : 4));
    return n;
}

static void record_one(void)
{
    struct storm_event e = storm_event(me.n);
    mt_store_release(&me.shown->tick, mt__now());
    if (is_known(e.function, e.generation))
        mt_emit(mt__slot, e.kind, me.ids[e.function]);
    else if (mt_core_ready(e.kind))
        mt_emit(mt__slot, e.kind, id_of(e.function, e.generation));
    me.n++;
    mt_store_release(&me.shown->done, me.n);
}

/* This thread is a new writer from now on. False: there are too many. */
static bool become_writer(void)
{
    uint32_t index = mt_add_relaxed(&storm->n_writers, 1);
    if (index >= STORM_WRITERS)
        return false;
    memset(&me, 0, sizeof me);
    me.index = index;
    me.seed = storm->seed + index * UINT64_C(0x9e3779b97f4a7c15);
    me.shown = &storm->writers[index];
    mt_store_release(&me.shown->pid, mt_os_pid());
    return true;
}

/* ---- what else it does */

static void live(bool is_first, bool may_use_libc);

static void fork_one(enum fork_kind kind, bool may_use_libc)
{
    uint32_t at = mt_add_relaxed(&storm->n_processes, 1);
    if (at >= STORM_PROCESSES || fork_by(kind) != 0)
        return;
    mt_store_release(&storm->pids[at], mt_os_pid());
    n_threads = 1;
    if (become_writer())
        live(false, may_use_libc && fork_seen(kind) && !LAB_TSAN); /* which has no threads there */
    _exit(0);
}

static void *run_thread(void *unused)
{
    (void)unused;
    if (become_writer())
        live(false, true);
    mt_add_relaxed(&n_threads, (uint32_t)-1);
    return NULL;
}

static void start_thread(void)
{
    pthread_t thread;
    if (mt_load_relaxed(&n_threads) >= THREADS_MAX)
        return;
    mt_add_relaxed(&n_threads, 1);
    if (pthread_create(&thread, NULL, run_thread, NULL) == 0)
        pthread_detach(thread);
}

static void name_thread(void)
{
    char name[40];
    int n = snprintf(name, sizeof name, "thread %u", any(3));
    mt_core_name_thread(mt_core_tid(), name, (size_t)n);
}

/* A silence of more than a record can say. */
static void long_silence(void)
{
    if (mt__slot->thread != NULL)
        mt__slot->last -= UINT64_C(1) << 33;
}

static void do_something_else(bool may_use_libc)
{
    switch (any(16)) {
    case 0: fork_one(may_use_libc || LAB_TSAN ? FORK_LIBC : FORK_RAW, may_use_libc); break;
    case 1:
        fork_one((enum fork_kind)(1 + any(N_FORK_KINDS_OF_THREADS)) % N_FORK_KINDS_OF_THREADS,
                 may_use_libc);
        break;
    case 2:
    case 3:
    case 4:
        if (may_use_libc)
            start_thread();
        break;
    case 5: long_silence(); break;
    case 6: name_thread(); break;
    case 7: mt_core_name_process("storm", 5); break;
    case 8:
    case 9:
    case 10:
        if (mt__thread != NULL) /* many small chunks are more than few large ones */
            mt__thread->next_bytes = MT_CHUNK_FIRST_BYTES;
        break;
    default: break;
    }
}

static void live(bool is_first, bool may_use_libc)
{
    for (uint32_t left = 1 + any(2000); is_first || left > 0; left--) {
        for (uint32_t n = 1 + any(200); n > 0; n--)
            record_one();
        do_something_else(may_use_libc);
    }
}

static void take_time(enum mt_testpoint point)
{
    if (point != storm->slow_point || any(4) != 0)
        return;
    if (any(2))
        sched_yield();
    lab_spin(any(20000));
}

_Noreturn void storm_write(struct storm *shared)
{
    storm = shared;
    setpriority(PRIO_PROCESS, 0, 5); /* all of them; so that the killer comes to its turn */
    struct mt_core_config config = lab_config();
    int error;
    config.program = "storm";
    config.ops.open_calls = open_calls;
    storm->n_processes = 1;
    storm->pids[0] = mt_os_pid();
    n_threads = 1;
    CHECK(become_writer());
    mt_testpoint = take_time;
    CHECK_EQ(mt_core_start(&config, &error), MT_OK);
    live(true, true);
    _exit(0);
}
