/* test_fork.c - forks of every kind, from every thread, in the middle of everything: the child's
 * events are in the child's file, which says whose child it is; the parent's file has the parent's
 * events and nothing else; a child that records nothing leaves no file.
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
#include "fork_kinds.h"

static uint32_t self(void)
{
    return (uint32_t)getpid();
}

static void check_parent(const struct lab_set *set, uint32_t index, uint64_t n_events)
{
    struct lab_tally tally;
    lab_only(set, self(), 'P');
    lab_follow(set, self(), 'P', index, &tally);
    CHECK_EQ(tally.recorded, n_events);
    CHECK_EQ(tally.lost + tally.unnamed, 0);
    CHECK_EQ(tally.resyncs[MT_RESYNC_FORK], 0);
    CHECK_EQ(lab_header_lost(set, self()), 0);
}

/* Forks once of each kind, from the calling thread, between events; and a child that is silent. */
static void fork_each_kind(struct lab_writer *w, uint32_t n_child)
{
    struct fork_expect e[N_FORK_KINDS];
    uint8_t file_id[16];
    struct lab_set set;
    uint32_t n_files;
    mt_core_file_id(file_id);
    lab_write(w, 1001);
    n_files = lab_count_files(lab_dir);
    for (enum fork_kind kind = 0; kind < N_FORK_KINDS; kind++) {
        pid_t silent = fork_by(kind);
        if (silent == 0)
            _exit(0);
        lab_join(silent);
        e[kind] = (struct fork_expect){.ppid = self(),
                                       .parent_tid = (uint32_t)gettid(),
                                       .kind = kind,
                                       .index = kind,
                                       .parent_id = file_id,
                                       .n_events = n_child,
                                       .not_before = mt__now()};
        pid_t pid = fork_by(kind);
        if (pid == 0)
            fork_child_writes(kind, n_child);
        e[kind].not_after = mt__now();
        e[kind].pid = (uint32_t)pid;
        lab_write(w, 1001);
        lab_join(pid);
    }
    CHECK_EQ(lab_count_files(lab_dir), n_files + N_FORK_KINDS);
    lab_load(&set, lab_dir, NULL);
    for (enum fork_kind kind = 0; kind < N_FORK_KINDS; kind++)
        fork_check(&set, &e[kind]);
    check_parent(&set, w->index, w->n);
    lab_unload(&set);
}

LAB(test_each_kind)
{
    struct lab_writer w;
    lab_writer_init(&w, 'P', 0, NULL);
    lab_start();
    fork_each_kind(&w, 100001);
}

/* From a thread that is not the first, and has to make its mark in the child as the only one. */
static void *forks(void *argument)
{
    fork_each_kind(argument, 3001);
    return NULL;
}

LAB(test_each_kind_from_another_thread)
{
    struct lab_writer w[2];
    pthread_t thread;
    lab_writer_init(&w[0], 'P', 0, NULL);
    lab_writer_init(&w[1], 'P', 1, NULL);
    lab_start();
    lab_write(&w[0], 11);
    CHECK_EQ(pthread_create(&thread, NULL, forks, &w[1]), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    lab_write(&w[0], 11);
}

/* A recording in which the forking thread has no event yet, or there is not even one event. */
LAB(test_before_the_first_event)
{
    struct lab_set set;
    uint8_t file_id[16];
    lab_start();
    mt_core_file_id(file_id);
    for (enum fork_kind kind = 0; kind < N_FORK_KINDS; kind++) {
        struct lab_tally tally;
        pid_t pid = fork_by(kind);
        if (pid == 0)
            fork_child_writes(kind, 101);
        lab_join(pid);
        lab_load(&set, lab_dir, NULL);
        lab_follow(&set, (uint32_t)pid, 'C', kind, &tally);
        CHECK_EQ(tally.recorded, 101);
        for (uint32_t i = 0; i < set.n; i++) {
            if (set.files[i].header.pid == (uint32_t)pid)
                CHECK(memcmp(set.files[i].header.parent_id, file_id, 16) == 0);
        }
        lab_unload(&set);
    }
}

/* ---- at full speed */

/* Each child's file is looked at and removed; the parent's grows meanwhile. */
static void check_children(const struct fork_expect *e, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char path[sizeof lab_dir + 40];
        struct scan *s = calloc(1, sizeof *s);
        struct lab_set one = {.n = 1, .files = s};
        lab_join((pid_t)e[i].pid);
        snprintf(path, sizeof path, "%s/lab.%u.trace", lab_dir, e[i].pid);
        CHECK(scan_file(path, s));
        CHECK_STR(s->bad, "");
        fork_check(&one, &e[i]);
        lab_unload(&one);
        CHECK_EQ(unlink(path), 0);
    }
}

LAB(test_while_four_threads_write)
{
    enum { TEAM = 4, FORKS = LAB_SANITIZED ? 20 : 200, BATCH = 20 };
    uint64_t done[TEAM] = {0};
    struct lab_writer w;
    struct lab_set set;
    uint8_t file_id[16];
    lab_writer_init(&w, 'P', TEAM, NULL);
    lab_start();
    mt_core_file_id(file_id);
    struct lab_team *team = lab_team_start('P', 0, TEAM, 0, true, done);
    lab_team_wait(team, 1000);
    for (enum fork_kind kind = 0; kind < N_FORK_KINDS_OF_THREADS; kind++) {
        for (uint32_t n = 0; n < FORKS; n += BATCH) {
            struct fork_expect e[BATCH];
            for (uint32_t i = 0; i < BATCH; i++) {
                lab_write(&w, 1);
                e[i] = (struct fork_expect){.ppid = self(),
                                            .parent_tid = self(),
                                            .kind = kind,
                                            .index = n + i,
                                            .parent_id = file_id,
                                            .n_events = 20 + n,
                                            .not_before = mt__now()};
                pid_t pid = fork_by(kind);
                if (pid == 0)
                    fork_child_writes(n + i, 20 + n);
                e[i].not_after = mt__now();
                e[i].pid = (uint32_t)pid;
            }
            check_children(e, BATCH);
        }
    }
    lab_team_stop(team);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 1);
    for (uint32_t i = 0; i < TEAM; i++)
        check_parent(&set, i, done[i]);
    check_parent(&set, TEAM, w.n);
    lab_unload(&set);
}

/* Every writer forks by itself, all at once. */
struct forker {
    pthread_t thread;
    struct lab_writer w;
    enum fork_kind kind;
    struct fork_expect expect[25];
};

static void *forks_and_writes(void *argument)
{
    struct forker *f = argument;
    for (uint32_t i = 0; i < 25; i++) {
        lab_write(&f->w, 501);
        f->expect[i] = (struct fork_expect){.ppid = self(),
                                            .parent_tid = (uint32_t)gettid(),
                                            .kind = f->kind,
                                            .index = i,
                                            .n_events = 77,
                                            .not_before = mt__now()};
        pid_t pid = fork_by(f->kind);
        if (pid == 0)
            fork_child_writes(i, 77);
        f->expect[i].not_after = mt__now();
        f->expect[i].pid = (uint32_t)pid;
        lab_write(&f->w, 501);
        lab_join(pid);
    }
    return NULL;
}

LAB(test_four_threads_that_fork)
{
    static struct forker f[4];
    struct lab_set set;
    uint8_t file_id[16];
    lab_start();
    mt_core_file_id(file_id);
    for (uint32_t i = 0; i < 4; i++) {
        lab_writer_init(&f[i].w, 'P', i, NULL);
        f[i].w.renew = true;
        f[i].kind = i == 3 ? FORK_LIBC : (enum fork_kind)(i % N_FORK_KINDS_OF_THREADS);
        CHECK_EQ(pthread_create(&f[i].thread, NULL, forks_and_writes, &f[i]), 0);
    }
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(f[i].thread, NULL), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 1 + 4 * 25);
    for (uint32_t i = 0; i < 4; i++) {
        check_parent(&set, i, f[i].w.n);
        for (uint32_t j = 0; j < 25; j++) {
            f[i].expect[j].parent_id = file_id;
            fork_check(&set, &f[i].expect[j]);
        }
    }
    lab_unload(&set);
}

/* ---- generations */

struct generations {
    uint32_t pids[4];
    uint64_t n_events[4]; /* of each; 0: silent */
    enum fork_kind kinds[4];
};

/* Generation `n` writes, has a child, writes again and ends. */
static void live(struct generations *g, uint32_t n)
{
    struct lab_writer w;
    lab_writer_init(&w, 'A' + (char)n, 0, NULL);
    g->pids[n] = mt_os_pid();
    lab_write(&w, g->n_events[n]);
    if (n < 3) {
        pid_t pid = fork_by(g->kinds[n + 1]);
        if (pid == 0) {
            live(g, n + 1);
            _exit(0);
        }
        lab_join(pid);
    }
    lab_write(&w, g->n_events[n]);
}

/* Every mixture of kinds, and of generations that record nothing. */
LAB(test_grandchildren)
{
    struct generations *g = lab_shared(sizeof *g);
    char top[sizeof lab_dir];
    strcpy(top, lab_dir);
    for (uint32_t mixture = 0; mixture < 8 * 8; mixture++) {
        struct lab_set set;
        snprintf(lab_dir, sizeof lab_dir, "%s/%u", top, mixture);
        CHECK_EQ(mkdir(lab_dir, 0700), 0);
        for (uint32_t n = 0; n < 4; n++) {
            g->n_events[n] = n == 0 || (mixture >> (n - 1) & 1) == 0 ? 101 + n : 0;
            g->kinds[n] = n > 0 && (mixture >> (n + 2) & 1) != 0 ? FORK_RAW : FORK_LIBC;
        }
        pid_t first = fork();
        if (first == 0) {
            lab_start();
            live(g, 0);
            _exit(0);
        }
        lab_join(first);
        lab_load(&set, lab_dir, NULL);
        const uint8_t *parent = NULL;
        uint32_t n_files = 0;
        for (uint32_t n = 0; n < 4; n++) {
            struct lab_tally tally;
            lab_follow(&set, g->pids[n], 'A' + (char)n, 0, &tally);
            CHECK_EQ(tally.recorded, 2 * g->n_events[n]);
            lab_only(&set, g->pids[n], 'A' + (char)n);
            for (uint32_t i = 0; i < set.n; i++) {
                struct mt_file_header *h = &set.files[i].header;
                if (h->pid != g->pids[n])
                    continue;
                n_files++;
                CHECK(n == 0 ||
                      memcmp(h->parent_id, parent, 16) == 0); /* the nearest with a file */
                CHECK(n == 0 || h->ppid == g->pids[n - 1]);
                CHECK(n == 0 || h->parent_tid == g->pids[n - 1] || !fork_seen(g->kinds[n]));
                CHECK_EQ(h->fork_tick != 0, n > 0 && fork_seen(g->kinds[n]));
                parent = h->file_id;
            }
        }
        CHECK_EQ(n_files, set.n);
        lab_unload(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_each_kind_from_another_thread),
        cmocka_unit_test(test_before_the_first_event),
        cmocka_unit_test(test_while_four_threads_write),
        cmocka_unit_test(test_four_threads_that_fork),
        cmocka_unit_test(test_grandchildren),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
