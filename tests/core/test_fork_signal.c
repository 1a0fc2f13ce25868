/* test_fork_signal.c - forks in a signal handler that has interrupted mt_emit(): at every test
 * point, exactly; and hundreds of times wherever a signal happens to hit a thread at full speed.
 *
 * The child then goes on in one of three ways: it writes its events in the handler and ends there;
 * it returns into the interrupted mt_emit(), which ends with a slot that the kernel has emptied;
 * or it writes in the handler and returns. In the second way, the interrupted event of the parent's
 * is the child's first. The parent's file must have the parent's sequence, with nothing of a child
 * in it and nothing missing, and its time must never go back.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "fork_kinds.h"

enum way { END_IN_HANDLER, RETURN, WRITE_AND_RETURN, N_WAYS };
/* A sanitizer's shadow memory makes a fork a hundred times as dear. */
enum { CHILD_EVENTS = 701, FORKS = LAB_SANITIZED ? 60 : 300 };

struct child {
    pid_t pid;
    enum way way;
    enum fork_kind kind;
    uint8_t parent_id[16];
    uint32_t parent_tid;
    uint64_t not_before, not_after;
};

static struct child children[FORKS];
static volatile uint32_t n_children;
static enum fork_kind fork_kind;
static struct lab_writer child_writer;
static volatile sig_atomic_t is_child;
static sem_t handled;

static void child_begins(uint32_t n, enum way way)
{
    is_child = 1;
    lab_limit(RLIM_INFINITY);
    lab_writer_init(&child_writer, 'C', n, NULL);
    if (way != RETURN)
        lab_write(&child_writer, CHILD_EVENTS);
    if (way == END_IN_HANDLER)
        _exit(0);
    lab_leave = 1;
}

/* In the writing thread, between events: it may be a child by now. */
static void child_goes_on(void)
{
    if (!is_child)
        return;
    lab_leave = 0;
    lab_limit(RLIM_INFINITY);
    lab_write(&child_writer, CHILD_EVENTS);
    _exit(0);
}

static void fork_in_handler(int signal)
{
    (void)signal;
    uint32_t n = n_children;
    if (is_child || n >= FORKS)
        return;
    struct child *c = &children[n];
    c->way = (enum way)(n % N_WAYS);
    c->kind = fork_kind;
    mt_core_file_id(c->parent_id);
    /* A thread without a track is not known to a child that libc has not made. */
    c->parent_tid = fork_seen(c->kind) ? (uint32_t)gettid() : mt_core_tid();
    c->not_before = mt__now();
    c->pid = fork_by(c->kind);
    if (c->pid == 0) {
        child_begins(n, c->way);
        return;
    }
    c->not_after = mt__now();
    n_children = n + 1;
    sem_post(&handled);
}

/* The handler; and, but for write_exposed(), the signal stays blocked. */
static void install(int signal)
{
    struct sigaction action = {.sa_handler = fork_in_handler};
    sigset_t set;
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
    sigemptyset(&set);
    sigaddset(&set, signal);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

static void write_exposed(struct lab_writer *w, uint64_t n_events)
{
    sigset_t none, before;
    sigemptyset(&none);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &none, &before), 0);
    lab_write(w, n_events);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    child_goes_on();
}

/* ---- what they have written */

/* Without a name, where the fork came between the look-up of the name and mt_emit(). */
static bool is_parents(const struct scan *s, const struct scan_record *r)
{
    return r->id == MT_ID_UNKNOWN || scan_function(s, r->id)->text[0] == 'P';
}

/* Takes the interrupted event of the parent's out, with the RESYNC before it: there is one at most. */
static void drop_parents(struct scan *s)
{
    struct scan_thread *t = &s->threads[0];
    size_t n = 0, n_marks = 0;
    for (size_t i = 0; i < t->n_marks; i++) {
        struct scan_mark *m = &t->marks[i];
        if (m->resync.depth == 0 || !is_parents(s, &t->records[m->at]))
            t->marks[n_marks++] = *m;
    }
    t->n_marks = n_marks;
    for (size_t i = 0; i < t->n_records; i++) {
        if (!is_parents(s, &t->records[i]))
            t->records[n++] = t->records[i];
        else
            for (size_t j = 0; j < n_marks; j++)
                t->marks[j].at -= t->marks[j].at > n;
    }
    CHECK(t->n_records <= n + 2); /* with its call */
    t->n_records = n;
}

static void check_child(uint32_t n)
{
    struct child *c = &children[n];
    struct scan *s = calloc(1, sizeof *s);
    struct lab_set one = {.files = s, .n = 1};
    struct lab_tally tally;
    char path[sizeof lab_dir + 40];
    lab_join(c->pid);
    snprintf(path, sizeof path, "%s/lab.%d.trace", lab_dir, (int)c->pid);
    CHECK(scan_file(path, s));
    CHECK_STR(s->bad, "");
    CHECK_EQ(s->header.origin, MT_ORIGIN_FORK);
    CHECK_EQ(s->header.pid, c->pid);
    CHECK_EQ(s->header.ppid, getpid());
    CHECK(memcmp(s->header.parent_id, c->parent_id, 16) == 0);
    CHECK_EQ(s->header.parent_tid, c->parent_tid);
    if (fork_seen(c->kind))
        CHECK(s->header.fork_tick >= c->not_before && s->header.fork_tick <= c->not_after);
    else
        CHECK_EQ(s->header.fork_tick, 0);
    CHECK_EQ(s->n_threads, 1);
    if (c->way != END_IN_HANDLER)
        drop_parents(s);
    uint64_t expected = c->way == WRITE_AND_RETURN ? 2 * CHILD_EVENTS : CHILD_EVENTS;
    lab_follow(&one, (uint32_t)c->pid, 'C', n, &tally);
    CHECK_EQ(tally.recorded, expected);
    CHECK_EQ(s->header.n_lost, 0);
    lab_unload(&one);
    CHECK_EQ(unlink(path), 0);
}

static void check_parent(struct lab_writer *w)
{
    struct lab_set set;
    struct lab_tally tally;
    lab_load(&set, lab_dir, NULL);
    lab_only(&set, (uint32_t)getpid(), 'P');
    lab_follow(&set, (uint32_t)getpid(), 'P', w->index, &tally);
    CHECK_EQ(tally.recorded + tally.lost, w->n);
    CHECK_EQ(tally.lost, lab_header_lost(&set, (uint32_t)getpid()));
    for (uint32_t i = 0; i < set.n; i++) {
        CHECK_EQ(set.files[i].header.pid, getpid());
        for (uint32_t j = 0; j < set.files[i].n_threads; j++)
            CHECK(set.files[i].threads[j].tick <= mt__now()); /* no child has stretched it */
    }
    lab_unload(&set);
}

/* ---- at every test point: the signal is sent there, and comes as soon as it may */

static enum mt_testpoint signal_point;
static uint32_t signal_count;

static void signal_here(enum mt_testpoint point)
{
    if (is_child || point != signal_point || signal_count == 0 || --signal_count != 0)
        return;
    CHECK_EQ(raise(SIGUSR1), 0);
}

static void at_point(uint32_t n)
{
    static const uint32_t counts[] = {1, 3};
    struct lab_writer w;
    sigset_t none;
    sigemptyset(&none);
    lab_writer_init(&w, 'P', 0, NULL);
    w.renew = true;
    install(SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &none, NULL), 0);
    uint32_t before = n_children = n % N_WAYS; /* chooses the way */
    fork_kind = n / N_WAYS % 2 == 0 ? FORK_LIBC : FORK_RAW;
    signal_count = counts[n / N_WAYS / 2 % 2];
    signal_point = (enum mt_testpoint)(n / N_WAYS / 2 / 2);
    mt_testpoint = signal_here;
    lab_start();
    for (int round = 0; round < 4 && n_children == before; round++) {
        lab_write_varied(&w, 1);
        child_goes_on();
    }
    CHECK_EQ(n_children, before + 1);
    check_child(before);
    lab_write(&w, 3000);
    check_parent(&w);
}

LAB(test_at_every_point)
{
    char top[sizeof lab_dir];
    strcpy(top, lab_dir);
    for (uint32_t n = 0; n < N_WAYS * 2 * 2 * MT_N_TESTPOINTS; n++) {
        snprintf(lab_dir, sizeof lab_dir, "%s/%u", top, n);
        CHECK_EQ(mkdir(lab_dir, 0700), 0);
        pid_t process = fork();
        if (process == 0) {
            at_point(n);
            _exit(0);
        }
        lab_join(process);
    }
}

/* ---- wherever it hits */

struct tormentor {
    pthread_t thread, victim;
};

/* The next signal as soon as the last one has been dealt with. */
static void *torment(void *argument)
{
    struct tormentor *t = argument;
    for (uint32_t n = 0; n < FORKS; n++) {
        CHECK_EQ(pthread_kill(t->victim, SIGUSR1), 0);
        while (sem_wait(&handled) != 0)
            ;
    }
    return NULL;
}

/* With two other threads at full speed. */
static void at_full_speed(enum fork_kind kind)
{
    enum { TEAM = 2 };
    struct tormentor t = {.victim = pthread_self()};
    struct lab_writer w;
    uint64_t done[TEAM] = {0};
    fork_kind = kind;
    lab_writer_init(&w, 'P', TEAM, NULL);
    w.renew = true;
    lab_start();
    struct lab_team *team = lab_team_start('P', 0, TEAM, 0, false, done);
    install(SIGUSR1);
    CHECK_EQ(sem_init(&handled, 0, 0), 0);
    lab_write(&w, 1);
    CHECK_EQ(pthread_create(&t.thread, NULL, torment, &t), 0);
    while (n_children < FORKS)
        write_exposed(&w, 2000);
    CHECK_EQ(pthread_join(t.thread, NULL), 0);
    lab_team_stop(team);
    for (uint32_t n = 0; n < FORKS; n++)
        check_child(n);
    check_parent(&w);
    for (uint32_t i = 0; i < TEAM; i++) {
        struct lab_writer other = {.tag = 'P', .index = i, .n = done[i]};
        check_parent(&other);
    }
    CHECK_EQ(lab_count_files(lab_dir), 1);
}

LAB(test_at_full_speed_by_libc)
{
    at_full_speed(FORK_LIBC);
}

/* TSan: see N_FORK_KINDS_OF_THREADS; test_by_a_timer forks so in a process with one thread. */
LAB_BUT_TSAN(test_at_full_speed_by_system_call)
{
    at_full_speed(FORK_RAW);
}

/* By a timer, and so at moments that no thread of the program has chosen. */
LAB(test_by_a_timer)
{
    struct itimerval every = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct lab_writer w;
    lab_writer_init(&w, 'P', 0, NULL);
    lab_start();
    lab_write(&w, 1);
    install(SIGVTALRM);
    CHECK_EQ(setitimer(ITIMER_VIRTUAL, &every, NULL), 0);
    while (n_children < FORKS / 3) {
        fork_kind = n_children % 2 == 0 ? FORK_LIBC : FORK_RAW;
        write_exposed(&w, 2000);
    }
    CHECK_EQ(setitimer(ITIMER_VIRTUAL, &never, NULL), 0);
    for (uint32_t n = 0; n < n_children; n++)
        check_child(n);
    check_parent(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_every_point),
        cmocka_unit_test(test_at_full_speed_by_libc),
        cmocka_unit_test(test_at_full_speed_by_system_call),
        cmocka_unit_test(test_by_a_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
