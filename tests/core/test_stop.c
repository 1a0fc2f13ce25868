/* test_stop.c - recording stops and starts while threads are anywhere in the recorder, as without a
 * GIL: nothing is recorded after a stop, no file is made that nobody started, and in each file a
 * thread's calls begin before they end.
 *
 * What stops the world is a lock here: threads hold it for reading in their events.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <errno.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

enum { THREADS = 4, ROUNDS = LAB_SANITIZED ? 40 : 100, OWN = 100 };

static pthread_rwlock_t world;
static uint32_t leave;
/* The first runner says when it has come so far: nobody asks in a loop, for a loaded machine may let
 * the one that asks run, and not the one that it asks for. */
static uint64_t goal;
static sem_t reached;

struct runner {
    pthread_t thread;
    struct lab_writer writer;
    uint64_t done;
};

static void *run(void *argument)
{
    struct runner *r = argument;
    while (!mt_load_relaxed(&leave)) {
        CHECK_EQ(pthread_rwlock_rdlock(&world), 0);
        lab_write(&r->writer, 7); /* often in the middle of a call */
        CHECK_EQ(pthread_rwlock_unlock(&world), 0);
        uint64_t wanted = r->writer.index == 0 ? mt_load_acquire(&goal) : 0;
        if (wanted != 0 && r->done >= wanted) {
            mt_store_relaxed(&goal, UINT64_C(0));
            CHECK_EQ(sem_post(&reached), 0);
        }
    }
    return NULL;
}

static void stop_the_world(void)
{
    CHECK_EQ(pthread_rwlock_wrlock(&world), 0);
    CHECK_EQ(pthread_rwlock_unlock(&world), 0);
}

/* Begins and ends in turn, each end of what began before it, and all before the recording's end. */
static void check_thread(const struct scan *s, const struct scan_thread *t)
{
    for (size_t i = 0; i < t->n_records; i++) {
        const struct scan_record *r = &t->records[i];
        CHECK(r->tick <= s->header.end_tick);
        if (i % 2 == 0) {
            CHECK_EQ(r->kind, MT_KIND_PY_BEGIN);
        } else {
            CHECK(r->kind == MT_KIND_PY_END || r->kind == MT_KIND_PY_END_EXC);
            CHECK_EQ(r->id, r[-1].id);
        }
    }
}

LAB(test_stop_while_threads_record)
{
    struct runner runners[THREADS] = {0};
    struct lab_writer own;
    struct lab_set set;
    pthread_rwlockattr_t attributes;
    CHECK_EQ(pthread_rwlockattr_init(&attributes), 0);
    CHECK_EQ(
        pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP),
        0);
    CHECK_EQ(pthread_rwlock_init(&world, &attributes), 0);
    CHECK_EQ(sem_init(&reached, 0, 0), 0);
    lab_writer_init(&own, 'M', 0, NULL);
    for (uint32_t i = 0; i < THREADS; i++) {
        lab_writer_init(&runners[i].writer, 'R', i, &runners[i].done);
        runners[i].writer.renew = true;
        CHECK_EQ(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t wanted = mt_load_relaxed(&runners[0].done) + 2 * LAB_EVERY;
        lab_start();
        lab_write(&own, OWN);
        mt_store_release(&goal, wanted);
        while (sem_wait(&reached) != 0)
            CHECK_EQ(errno, EINTR);
        mt_core_stop(false);
        stop_the_world();
        mt_core_stop(true);
        CHECK(mt__process->header == NULL);
    }
    mt_store_relaxed(&leave, 1);
    for (uint32_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(runners[i].thread, NULL), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, ROUNDS);
    for (uint32_t i = 0; i < set.n; i++) {
        const struct scan *s = &set.files[i];
        CHECK_EQ(s->header.origin, MT_ORIGIN_API);
        CHECK_EQ(s->header.part, 0);
        CHECK_EQ(s->header.n_lost, 0);
        for (uint32_t k = 0; k < s->n_threads; k++) {
            const struct scan_thread *t = &s->threads[k];
            check_thread(s, t);
            if (t->tid == (uint32_t)getpid())
                CHECK_EQ(t->n_records, OWN);
        }
    }
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop_while_threads_record)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
