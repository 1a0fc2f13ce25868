/* test_adopt.c - a thread whose open calls another one has stated begins the innermost of them only
 * then: it waited at the entry of the function. That call is in its track once.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

static uint32_t outer, inner;
static pthread_barrier_t turn;

/* Of a thread that begins or ends `inner`, which `outer` has called. */
static uint32_t open_calls(enum mt_kind kind, uint32_t *ids, uint32_t cap, uint32_t *current)
{
    CHECK(ids != NULL && cap == 0);
    CHECK_EQ(kind, MT_KIND_PY_BEGIN);
    *current = inner;
    return 1;
}

static const struct {
    uint32_t depth; /* that was stated */
    bool inner;     /* is the innermost one; else `outer` */
    bool may_begin;
    bool left_out; /* the first begin */
} cases[] = {
    {2, true, true, true},   {2, true, false, false}, /* it is said that none comes */
    {2, false, true, false},                          /* of another function */
    {1, true, true, false},                           /* it calls itself */
    {3, true, true, false},  {0, true, true, false},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void *run(void *argument)
{
    uint32_t *tid = argument;
    *tid = (uint32_t)gettid();
    pthread_barrier_wait(&turn);
    for (uint32_t i = 0; i < CASES; i++) {
        pthread_barrier_wait(&turn); /* it has been adopted */
        for (int k = 0; k < 2; k++) {
            if (mt_core_ready(MT_KIND_PY_BEGIN)) /* as when the id was not known */
                mt_emit(mt__slot, MT_KIND_PY_BEGIN, inner);
            mt_emit(mt__slot, MT_KIND_PY_END, inner);
        }
        pthread_barrier_wait(&turn);
    }
    return NULL;
}

static uint32_t define(const char *name)
{
    return mt_core_define_code(name, strlen(name), "", 0, 1, 0);
}

static void check(const struct scan *s, uint32_t tid, uint32_t i)
{
    static const char *const names[] = {"outer", "inner"};
    const struct scan_thread *t = NULL;
    for (uint32_t k = 0; k < s->n_threads; k++)
        t = s->threads[k].tid == tid ? &s->threads[k] : t;
    CHECK(t != NULL);
    CHECK_EQ(t->n_marks, 1);
    CHECK_EQ(t->marks[0].resync.depth, cases[i].depth);
    size_t at = cases[i].depth + cases[i].left_out;
    CHECK_EQ(t->n_records, cases[i].depth + 4 - cases[i].left_out);
    for (size_t k = 0; k < cases[i].depth; k++)
        CHECK(scan_is(scan_function(s, t->records[k].id),
                      names[k == cases[i].depth - 1 && cases[i].inner]));
    for (size_t k = cases[i].depth; k < t->n_records; k++, at++) {
        CHECK_EQ(t->records[k].kind,
                 (at - cases[i].depth) % 2 == 0 ? MT_KIND_PY_BEGIN : MT_KIND_PY_END);
        CHECK(scan_is(scan_function(s, t->records[k].id), "inner"));
    }
}

LAB(test_a_stated_call_begins_late)
{
    struct mt_core_config config = lab_config();
    struct lab_set set;
    pthread_t thread;
    uint32_t tid, ids[3];
    int error;
    config.ops = (struct mt_core_ops){.open_calls = open_calls};
    CHECK_EQ(pthread_barrier_init(&turn, NULL, 2), 0);
    CHECK_EQ(pthread_create(&thread, NULL, run, &tid), 0);
    pthread_barrier_wait(&turn);
    for (uint32_t i = 0; i < CASES; i++) { /* from the second on it has a track of a former one */
        CHECK_EQ(mt_core_start(&config, &error), MT_OK);
        outer = define("outer");
        inner = define("inner");
        for (uint32_t k = 0; k < cases[i].depth; k++)
            ids[k] = k == cases[i].depth - 1 && cases[i].inner ? inner : outer;
        mt_core_adopt(tid, ids, cases[i].depth, cases[i].may_begin);
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        mt_core_stop(true);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, CASES);
    for (uint32_t i = 0; i < CASES; i++) {
        uint32_t before = 0; /* files come in no order: by their image */
        for (uint32_t k = 0; k < CASES; k++)
            before += set.files[k].header.image < set.files[i].header.image;
        check(&set.files[i], tid, before);
    }
    lab_unload(&set);
}

/* The same where the id is known: the fast path must not pass the begin. */
static void *run_known(void *argument)
{
    uint32_t *tid = argument;
    *tid = (uint32_t)gettid();
    for (int k = 0; k < 2; k++) {
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        if (k == 0) /* it finds its track */
            CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
        mt_emit(mt__slot, MT_KIND_PY_BEGIN, inner);
        mt_emit(mt__slot, MT_KIND_PY_END, inner);
        pthread_barrier_wait(&turn);
    }
    return NULL;
}

LAB(test_a_known_call_begins_late)
{
    struct mt_core_config config = lab_config();
    struct lab_set set;
    pthread_t thread;
    uint32_t tid, ids[2];
    int error;
    config.ops = (struct mt_core_ops){.open_calls = open_calls};
    CHECK_EQ(pthread_barrier_init(&turn, NULL, 2), 0);
    CHECK_EQ(pthread_create(&thread, NULL, run_known, &tid), 0);
    for (int k = 0; k < 2; k++) {
        pthread_barrier_wait(&turn);
        CHECK_EQ(mt_core_start(&config, &error), MT_OK);
        ids[0] = outer = define("outer");
        ids[1] = inner = define("inner");
        mt_core_adopt(tid, ids, k == 0 ? 0 : 2, true);
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        mt_core_stop(true);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 2);
    for (uint32_t i = 0; i < set.n; i++) {
        const struct scan_thread *t = &set.files[i].threads[0];
        CHECK_EQ(t->tid, tid);
        CHECK_EQ(t->n_marks, 1);
        CHECK_EQ(t->n_records, t->marks[0].resync.depth == 0 ? 2 : 3);
    }
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stated_call_begins_late),
        cmocka_unit_test(test_a_known_call_begins_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
