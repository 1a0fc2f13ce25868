/* lab.c - see lab.h: processes, writers and threads. What looks at files is in follow.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"

#define FAILED 99
#define TIME_LIMIT_S 250 /* against a test that hangs; Bazel's is 300 */

char lab_dir[64];

/* ---- checks */

/* By write(): the caller may be a child of a raw fork, or a signal handler. */
_Noreturn void lab_fail(const char *file, int line, const char *text)
{
    char message[600];
    int n = snprintf(message, sizeof message, "%s:%d: failed: %s (pid %d)\n", file, line, text,
                     (int)getpid());
    if (write(STDERR_FILENO, message, n < (int)sizeof message ? (size_t)n : sizeof message) < 0)
        _exit(FAILED);
    _exit(FAILED);
}

void lab_equal(const char *file, int line, const char *text, uint64_t a, uint64_t b)
{
    char message[400];
    if (a == b)
        return;
    snprintf(message, sizeof message, "%s: %llu and %llu", text, (unsigned long long)a,
             (unsigned long long)b);
    lab_fail(file, line, message);
}

void lab_same(const char *file, int line, const char *text, const char *a, const char *b)
{
    char message[400];
    if (strcmp(a, b) == 0)
        return;
    snprintf(message, sizeof message, "%s: '%s' and '%s'", text, a, b);
    lab_fail(file, line, message);
}

/* ---- sanitizers */

#if LAB_TSAN
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

/* A thread that is over and not yet joined when its process forks is, in the child, one that nobody
 * joins: it does not have it. The parent does join it. */
const char *__tsan_default_suppressions(void)
{
    return "thread:test_while_another_thread_is_at_a_point_body\n";
}
#endif

/* ---- processes */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int lab_try(void (*body)(void))
{
    const char *top = getenv("TEST_TMPDIR");
    int status = -1;
    snprintf(lab_dir, sizeof lab_dir, "%s/mtXXXXXX",
             top != NULL && strlen(top) < sizeof lab_dir - 16 ? top : "/tmp");
    if (mkdtemp(lab_dir) == NULL)
        fail_msg("mkdtemp %s: %s", lab_dir, strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        alarm(TIME_LIMIT_S);
        body();
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    kill(-pid, SIGKILL); /* what it may have left behind */
    nftw(lab_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

void lab_run(void (*body)(void))
{
    int status = lab_try(body);
    if (WIFSIGNALED(status))
        fail_msg("ended by signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int wait_for(pid_t pid)
{
    int status = -1;
    CHECK(pid > 0);
    while (waitpid(pid, &status, __WALL) < 0)
        CHECK_EQ(errno, EINTR);
    return status;
}

void lab_join(pid_t pid)
{
    CHECK_EQ(wait_for(pid), 0);
}

bool lab_killed(pid_t pid)
{
    int status = wait_for(pid);
    if (WIFSIGNALED(status))
        CHECK_EQ(WTERMSIG(status), SIGKILL);
    else
        CHECK_EQ(status, 0);
    return WIFSIGNALED(status);
}

void *lab_shared(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

void lab_spin(uint32_t n)
{
    for (volatile uint32_t i = 0; i < n; i++)
        ;
}

uint32_t lab_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

struct lab_use lab_use(void)
{
    struct lab_use use = {0};
    unsigned long long all, present;
    FILE *f = fopen("/proc/self/maps", "re");
    CHECK(f != NULL);
    for (int c; (c = getc(f)) != EOF;)
        use.n_maps += c == '\n';
    fclose(f);
    f = fopen("/proc/self/statm", "re");
    CHECK(f != NULL && fscanf(f, "%llu %llu", &all, &present) == 2);
    fclose(f);
    use.map_pages = all;
    use.present_pages = present;
    return use;
}

void lab_check_use(const struct lab_use *before)
{
    enum { PAGES_MORE = 64 };
    struct lab_use now = lab_use();
    if (LAB_SANITIZED)
        return;
    CHECK_EQ(now.n_maps, before->n_maps);
    CHECK_EQ(now.map_pages, before->map_pages);
    CHECK(now.present_pages <= before->present_pages + PAGES_MORE);
}

/* ---- the writer */

volatile sig_atomic_t lab_leave;

/* Whose events this thread emits. */
static __thread struct lab_writer *me;

/* The id of the function that the writer's present event is about. */
static uint32_t current_id(struct lab_writer *w)
{
    uint32_t k = (uint32_t)(w->n / 2 % LAB_IDS);
    uint32_t id = w->ids[k];
    if (!mt_id_valid(mt__slot, id)) {
        char name[40], file[40];
        int n = snprintf(name, sizeof name, "%c.%u.%u", w->tag, w->index, k);
        int n_file = snprintf(file, sizeof file, "%c%u.py", w->tag, w->index);
        id = mt_core_define_code(name, (size_t)n, file, (size_t)n_file, k, 0);
        if (id != MT_ID_UNKNOWN)
            w->ids[k] = id;
    }
    return id;
}

/* An end's call is open before it, a begin's is not. */
static uint32_t open_calls(enum mt_kind kind, uint32_t *ids, uint32_t cap, uint32_t *current)
{
    uint32_t id = me != NULL ? current_id(me) : 0;
    if (current != NULL)
        *current = id;
    if (me == NULL || kind == MT_KIND_PY_BEGIN)
        return 0;
    if (cap > 0)
        ids[0] = id;
    return 1;
}

void lab_writer_init(struct lab_writer *w, char tag, uint32_t index, uint64_t *done)
{
    static uint64_t nowhere;
    *w = (struct lab_writer){.tag = tag, .index = index, .done = done != NULL ? done : &nowhere};
}

void lab_write(struct lab_writer *w, uint64_t n_events)
{
    struct lab_writer *before = me;
    me = w;
    for (uint64_t i = 0; i < n_events && !lab_leave; i++) {
        enum mt_kind kind = lab_kind(w->n);
        uint32_t *id = &w->ids[w->n / 2 % LAB_IDS];
        if (w->renew && w->n % LAB_EVERY == 0)
            *id = 0;
        struct mt_slot *slot = mt__slot; /* once: a signal handler may change it by a fork */
        if (MT_LIKELY(mt_id_valid(slot, *id))) {
            mt_emit(slot, kind, *id);
        } else if (mt_core_ready(kind)) {
            slot = mt__slot;
            mt_emit(slot, kind, current_id(w));
        }
        w->n++;
        mt_store_relaxed(w->done, w->n);
    }
    me = before;
}

uint64_t lab_start_time(void)
{
    char text[1000] = "";
    unsigned long long value = 0;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC); /* no stdio: also in forked children */
    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    CHECK_EQ(sscanf(strrchr(text, ')') + 2,
                    "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                    "%llu",
                    &value),
             1);
    return value;
}

void lab_limit(rlim_t bytes)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void lab_retry_now(void)
{
    struct mt_os_mask mask;
    if (mt__thread != NULL)
        mt__thread->retry_tick = 0;
    mt__lock(&mask);
    mt__process->defs_retry_tick = 0;
    mt__unlock(&mask);
}

uint64_t lab_file_bytes(void)
{
    struct mt_os_mask mask;
    mt__lock(&mask);
    uint64_t bytes = mt__process->file_bytes;
    mt__unlock(&mask);
    return bytes;
}

/* Into chunks that stay small, so that there are many. */
static void write_small(struct lab_writer *w, uint64_t n_events)
{
    for (uint64_t n = 0; n < n_events; n += 250) {
        if (mt__thread != NULL)
            mt__thread->next_bytes = MT_CHUNK_FIRST_BYTES;
        lab_write(w, 250);
    }
}

void lab_write_varied(struct lab_writer *w, uint32_t n_rounds)
{
    for (uint32_t round = 0; round < n_rounds; round++) {
        write_small(w, 1500);
        mt__slot->last -= UINT64_C(1) << 33; /* a gap */
        lab_write(w, 1);
        lab_limit(lab_file_bytes()); /* the file is full: a new part */
        write_small(w, 2000);
        lab_limit(0); /* there is no room for a new part either: a loss */
        write_small(w, 2000);
        lab_limit(RLIM_INFINITY);
        lab_retry_now();
        write_small(w, 1500);
    }
}

struct mt_core_config lab_config(void)
{
    return (struct mt_core_config){
        .directory = lab_dir,
        .program = "lab",
        .executable = "/bin/lab",
        .origin = MT_ORIGIN_API,
        .engine = MT_ENGINE_CORE,
        .ops = {.open_calls = open_calls},
    };
}

void lab_start(void)
{
    struct mt_core_config config = lab_config();
    int error;
    CHECK_EQ(mt_core_start(&config, &error), MT_OK);
}

/* ---- teams */

struct member {
    struct lab_team *team;
    struct lab_writer writer;
    pthread_t thread;
};

struct lab_team {
    uint32_t n, stop;
    uint64_t n_events;
    uint64_t *done;
    struct member members[];
};

static void *run_member(void *argument)
{
    struct member *m = argument;
    struct lab_team *team = m->team;
    if (team->n_events != 0)
        lab_write(&m->writer, team->n_events);
    else
        while (!mt_load_relaxed(&team->stop))
            lab_write(&m->writer, 100);
    return NULL;
}

struct lab_team *lab_team_start(char tag, uint32_t first, uint32_t n, uint64_t n_events, bool renew,
                                uint64_t *done)
{
    struct lab_team *team = calloc(1, sizeof *team + n * sizeof *team->members);
    CHECK(team != NULL);
    team->n = n;
    team->n_events = n_events;
    team->done = done;
    for (uint32_t i = 0; i < n; i++) {
        struct member *m = &team->members[i];
        m->team = team;
        lab_writer_init(&m->writer, tag, first + i, &done[i]);
        m->writer.renew = renew;
        CHECK_EQ(pthread_create(&m->thread, NULL, run_member, m), 0);
    }
    return team;
}

void lab_team_wait(struct lab_team *team, uint64_t n_events)
{
    for (uint32_t i = 0; i < team->n; i++) {
        uint64_t goal = mt_load_relaxed(&team->done[i]) + n_events;
        while (mt_load_relaxed(&team->done[i]) < goal)
            sched_yield();
    }
}

void lab_team_stop(struct lab_team *team)
{
    mt_store_relaxed(&team->stop, 1);
    for (uint32_t i = 0; i < team->n; i++)
        CHECK_EQ(pthread_join(team->members[i].thread, NULL), 0);
    free(team);
}
