/* test_threads.c - every thread its own track: many at once, many after one another without growth,
 * threads that were there before the recording, names of threads, tracks that are opened for others.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

static uint32_t self(void)
{
    return (uint32_t)getpid();
}

LAB(test_eight_at_once)
{
    enum { THREADS = 8, N = 200000 };
    uint64_t done[THREADS] = {0};
    struct lab_set set;
    lab_start();
    lab_team_stop(lab_team_start('T', 0, THREADS, N, true, done));
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 1);
    CHECK_EQ(set.files[0].n_threads, THREADS);
    for (uint32_t i = 0; i < THREADS; i++) {
        struct lab_tally tally;
        lab_follow(&set, self(), 'T', i, &tally);
        CHECK_EQ(tally.recorded, N);
        CHECK_EQ(tally.n_threads, 1);
        CHECK_EQ(done[i], N);
    }
    lab_unload(&set);
}

/* ---- memory */

static void *one_call(void *argument)
{
    lab_write(argument, 2);
    return NULL;
}

/* How many there are of a path with `part` in it. */
static uint64_t count_mappings(const char *part)
{
    char line[4096 + 128];
    uint64_t n = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        n += strstr(line, part) != NULL;
    fclose(f);
    return n;
}

LAB(test_ten_thousand_after_one_another)
{
    enum { THREADS = 10000, BATCH = 100 };
    struct lab_set set;
    struct lab_use before;
    uint64_t own_mappings = 0;
    static struct lab_writer w;
    lab_start();
    lab_writer_init(&w, 'S', 0, NULL);
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, one_call, &w), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        if (i == BATCH) {
            before = lab_use();
            own_mappings = count_mappings(lab_dir);
        }
    }
    lab_check_use(&before);
    CHECK_EQ(count_mappings(lab_dir), own_mappings); /* also where a sanitizer maps as it likes */
    CHECK_EQ(mt__kept.n_slots, 1);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.files[0].n_threads, THREADS);
    for (uint32_t i = 0; i < THREADS; i++) {
        struct scan_thread *t = &set.files[0].threads[i];
        CHECK_EQ(t->n_records, 2);
        CHECK_EQ(t->chunk_bytes, MT_CHUNK_FIRST_BYTES);
        CHECK(i == 0 || t->records[0].tick >= set.files[0].threads[i - 1].records[1].tick);
    }
    /* A page for each. */
    CHECK_EQ(set.files[0].size,
             MT_FILE_HEADER_BYTES + MT_DEFS_FIRST_BYTES + THREADS * MT_CHUNK_FIRST_BYTES);
    lab_unload(&set);
}

struct crowd {
    pthread_barrier_t written, leave;
    struct lab_writer *writers;
};
static struct crowd crowd;

static void *stay(void *argument)
{
    lab_write(argument, 10);
    pthread_barrier_wait(&crowd.written);
    lab_write(argument, 10);
    pthread_barrier_wait(&crowd.leave);
    return NULL;
}

/* Twice, so that the second thousand finds the slots of the first. */
LAB(test_a_thousand_alive)
{
    enum { THREADS = LAB_TSAN ? 200 : 1000 };
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    struct lab_set set;
    crowd.writers = calloc(THREADS, sizeof *crowd.writers);
    CHECK_EQ(pthread_attr_init(&attributes), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attributes, 256 << 10), 0);
    lab_start();
    for (uint32_t round = 0; round < 2; round++) {
        CHECK_EQ(pthread_barrier_init(&crowd.written, NULL, THREADS + 1), 0);
        CHECK_EQ(pthread_barrier_init(&crowd.leave, NULL, THREADS + 1), 0);
        for (uint32_t i = 0; i < THREADS; i++) {
            lab_writer_init(&crowd.writers[i], 'A' + (char)round, i, NULL);
            CHECK_EQ(pthread_create(&threads[i], &attributes, stay, &crowd.writers[i]), 0);
        }
        pthread_barrier_wait(&crowd.written);
        CHECK_EQ(mt__kept.n_slots, THREADS);
        pthread_barrier_wait(&crowd.leave);
        for (uint32_t i = 0; i < THREADS; i++)
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(pthread_barrier_destroy(&crowd.written), 0);
        CHECK_EQ(pthread_barrier_destroy(&crowd.leave), 0);
    }
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.files[0].n_threads, 2 * THREADS);
    for (uint32_t i = 0; i < 2 * THREADS; i += LAB_SANITIZED ? 97 : 7) {
        struct lab_tally tally;
        lab_follow(&set, self(), i < THREADS ? 'A' : 'B', i % THREADS, &tally);
        CHECK_EQ(tally.recorded, 20);
    }
    lab_unload(&set);
}

/* ---- a thread's life and the recording's */

struct guest {
    pthread_t thread;
    pthread_barrier_t turn;
    struct lab_writer writer;
    uint32_t tid;
    uint64_t n[8]; /* events of each turn; 0: end */
};

static void *visit(void *argument)
{
    struct guest *g = argument;
    g->tid = (uint32_t)gettid();
    pthread_barrier_wait(&g->turn);
    for (int i = 0; g->n[i] != 0; i++) {
        pthread_barrier_wait(&g->turn); /* go */
        lab_write(&g->writer, g->n[i]);
        pthread_barrier_wait(&g->turn); /* done */
    }
    return NULL;
}

static void guest_start(struct guest *g, uint32_t index)
{
    lab_writer_init(&g->writer, 'V', index, NULL);
    CHECK_EQ(pthread_barrier_init(&g->turn, NULL, 2), 0);
    CHECK_EQ(pthread_create(&g->thread, NULL, visit, g), 0);
    pthread_barrier_wait(&g->turn);
}

static void guest_turn(struct guest *g)
{
    pthread_barrier_wait(&g->turn);
    pthread_barrier_wait(&g->turn);
}

/* Recording stops and starts while a thread lives; and it lives on after the last stop. */
LAB(test_threads_outlive_recordings)
{
    struct guest g = {.n = {100, 1000, 10, 10}};
    struct lab_set set;
    guest_start(&g, 0);
    guest_turn(&g); /* before there is a recording */
    g.writer.n = 0;
    for (int round = 0; round < 2; round++) {
        lab_start();
        guest_turn(&g);
        mt_core_stop(true);
    }
    guest_turn(&g);
    CHECK_EQ(pthread_join(g.thread, NULL), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 2);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_EQ(set.files[i].n_threads, 1);
        CHECK_EQ(set.files[i].threads[0].tid, g.tid);
        CHECK_EQ(set.files[i].threads[0].n_records, g.n[1 + i]);
    }
    lab_unload(&set);
}

static uint32_t define(const char *name)
{
    return mt_core_define_code(name, strlen(name), "", 0, 1, 0);
}

/* A track for a thread that has not been seen: it states what is open there, and the thread finds it
 * at its first event. Also when an earlier recording had opened one that was never used. */
LAB(test_adopted_threads)
{
    struct guest g[3] = {{.n = {101}}, {.n = {50}}, {.n = {20}}};
    struct lab_set set;
    uint32_t ids[2];
    for (uint32_t i = 0; i < 3; i++)
        guest_start(&g[i], i);
    for (int round = 0; round < 2; round++) {
        lab_start();
        CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
        CHECK(!mt_core_name_thread(g[0].tid, "guest", 5));
        ids[0] = define("outer");
        ids[1] = define("inner");
        for (uint32_t i = 0; i < 3; i++) {
            mt_core_adopt(g[i].tid, ids, 2, false);
            mt_core_adopt(g[i].tid, ids, 1, false); /* it has one */
            CHECK(mt_core_name_thread(g[i].tid, "guest", 5));
        }
        if (round == 0)
            mt_core_stop(true);
    }
    for (uint32_t i = 0; i < 2; i++)
        guest_turn(&g[i]);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 2);
    for (uint32_t f = 0; f < 2; f++) {
        struct scan *s = &set.files[f];
        CHECK_EQ(s->n_threads, 4);
        CHECK_EQ(s->threads[0].tid, 0); /* the main thread has not emitted */
        for (uint32_t i = 0; i < 3; i++) {
            struct scan_thread *t = &s->threads[i + 1];
            CHECK_EQ(t->tid, g[i].tid);
            CHECK_EQ(t->marks[0].resync.reason, MT_RESYNC_START);
            CHECK_EQ(t->marks[0].resync.depth, 2);
            CHECK(scan_is(scan_function(s, t->records[0].id), "outer"));
            CHECK(scan_is(scan_function(s, t->records[1].id), "inner"));
            CHECK_EQ(t->n_marks, 1);
            CHECK_EQ(t->n_records, f == 0 || i == 2 ? 2 : 2 + g[i].n[0]);
            CHECK(scan_is(scan_last(s, MT_DEF_THREAD, i + 2), "guest"));
        }
    }
    lab_unload(&set);
    guest_turn(&g[2]);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(g[i].thread, NULL), 0);
}

/* The program had its own hook for a while: at its next event the thread states what is open. */
LAB(test_resync_of_another_thread)
{
    struct guest g = {.n = {101, 501, 3}};
    struct lab_set set;
    struct lab_tally tally;
    guest_start(&g, 0);
    CHECK(!mt_core_resync(g.tid, MT_RESYNC_HOOK));
    lab_start();
    CHECK(!mt_core_resync(g.tid, MT_RESYNC_HOOK)); /* no track yet */
    guest_turn(&g);
    CHECK(mt_core_resync(g.tid, MT_RESYNC_HOOK)); /* before an end */
    CHECK(mt_core_resync(g.tid, MT_RESYNC_HOOK));
    guest_turn(&g);
    CHECK(mt_core_resync(g.tid, MT_RESYNC_LATE)); /* before a begin */
    guest_turn(&g);
    CHECK_EQ(pthread_join(g.thread, NULL), 0);
    CHECK(!mt_core_resync(g.tid, MT_RESYNC_HOOK)); /* gone */
    mt_core_stop(true);
    CHECK(!mt_core_resync(g.tid, MT_RESYNC_HOOK));
    lab_load(&set, lab_dir, NULL);
    lab_follow(&set, self(), 'V', 0, &tally);
    CHECK_EQ(tally.recorded, 605);
    CHECK_EQ(tally.resyncs[MT_RESYNC_HOOK], 1);
    CHECK_EQ(set.files[0].header.n_lost, 0);
    lab_unload(&set);
}

/* ---- deep stacks */

enum { DEPTH = 5000 };
static uint32_t deep[DEPTH];

static uint32_t deep_calls(enum mt_kind kind, uint32_t *ids, uint32_t cap, uint32_t *current)
{
    (void)kind;
    if (current != NULL)
        *current = deep[0];
    for (uint32_t i = 0; i < DEPTH && i < cap; i++)
        ids[i] = deep[i];
    return DEPTH;
}

static uint32_t n_attached;

static void attached(void)
{
    n_attached++;
    CHECK(mt_core_name_thread(mt_core_tid(), "deep", 4)); /* as ext does */
}

/* More open calls than a first chunk holds, in the middle of a recording. */
LAB(test_a_deep_stack)
{
    struct mt_core_config config = lab_config();
    struct lab_set set;
    int error;
    config.ops = (struct mt_core_ops){.open_calls = deep_calls, .attached = attached};
    CHECK_EQ(mt_core_start(&config, &error), MT_OK);
    for (uint32_t i = 0; i < DEPTH; i++)
        deep[i] = define(i % 2 == 0 ? "even" : "odd");
    CHECK(mt_core_ready(MT_KIND_PY_END));
    mt_emit(mt__slot, MT_KIND_PY_END, deep[DEPTH - 1]);
    CHECK_EQ(n_attached, 1);
    lab_load(&set, lab_dir, NULL);
    struct scan_thread *t = &set.files[0].threads[0];
    CHECK_EQ(t->n_records, DEPTH + 1);
    CHECK_EQ(t->marks[0].resync.reason, MT_RESYNC_START);
    CHECK_EQ(t->marks[0].resync.depth, DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        CHECK_EQ(t->records[i].id, deep[i]);
    CHECK(scan_is(scan_last(&set.files[0], MT_DEF_THREAD, 1), "deep"));
    lab_unload(&set);
}

/* A destructor of the program's that runs after ours: the thread gets a track once more. */
static pthread_key_t late_key;

static void late(void *argument)
{
    lab_write(argument, 2);
}

static void *dies_late(void *argument)
{
    CHECK_EQ(pthread_setspecific(late_key, argument), 0);
    lab_write(argument, 2);
    return NULL;
}

LAB(test_events_in_a_threads_end)
{
    struct lab_writer w;
    struct lab_set set;
    pthread_t thread;
    lab_writer_init(&w, 'L', 0, NULL);
    lab_start(); /* our key first, so our destructor runs first */
    CHECK_EQ(pthread_key_create(&late_key, late), 0);
    CHECK_EQ(pthread_create(&thread, NULL, dies_late, &w), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.files[0].n_threads, 2);
    CHECK_EQ(set.files[0].threads[0].tid, set.files[0].threads[1].tid);
    CHECK_EQ(set.files[0].threads[0].n_records + set.files[0].threads[1].n_records, 4);
    CHECK_EQ(mt__kept.n_slots, 1); /* and gives it back */
    CHECK(!mt__thread_at(0)->live);
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eight_at_once),
        cmocka_unit_test(test_ten_thousand_after_one_another),
        cmocka_unit_test(test_a_thousand_alive),
        cmocka_unit_test(test_threads_outlive_recordings),
        cmocka_unit_test(test_adopted_threads),
        cmocka_unit_test(test_resync_of_another_thread),
        cmocka_unit_test(test_a_deep_stack),
        cmocka_unit_test(test_events_in_a_threads_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
