/* lab.h - what the tests of the core have in common: a process and a directory for each test, a
 * writer whose every event can be predicted, and the comparison of a set of files with it.
 */
#ifndef TESTS_CORE_LAB_H_
#define TESTS_CORE_LAB_H_

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "core/core.h"
#include "scan.h"

#if defined(__SANITIZE_THREAD__)
#define LAB_TSAN 1
#else
#define LAB_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LAB_SANITIZED 1 /* slow, and at home in terabytes of address space */
#else
#define LAB_SANITIZED 0
#endif

/* ---- checks: what fails says so and ends its process with status 99, in any child or thread */

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : lab_fail(__FILE__, __LINE__, "CHECK(" #condition ")"))
#define CHECK_EQ(a, b) lab_equal(__FILE__, __LINE__, #a " == " #b, (uint64_t)(a), (uint64_t)(b))
#define CHECK_STR(a, b) lab_same(__FILE__, __LINE__, #a " == " #b, (a), (b))

_Noreturn void lab_fail(const char *file, int line, const char *text);
void lab_equal(const char *file, int line, const char *text, uint64_t a, uint64_t b);
void lab_same(const char *file, int line, const char *text, const char *a, const char *b);

/* ---- a test: `LAB(test_x) { ... }` defines one for cmocka that runs in a process and process
 * group of its own, with an empty directory, and has failed if the process does not exit with 0 */

#define LAB(name)                                                                                  \
    static void name##_body(void);                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        lab_run(name##_body);                                                                      \
    }                                                                                              \
    static void name##_body(void)

/* The same of what TSan's runtime cannot follow: skipped there, and cmocka says so. Give the reason. */
#define LAB_BUT_TSAN(name)                                                                         \
    static void name##_body(void);                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        if (LAB_TSAN)                                                                              \
            skip();                                                                                \
        lab_run(name##_body);                                                                      \
    }                                                                                              \
    static void name##_body(void)

void lab_run(void (*body)(void));
/* The same for whoever wants it to fail: how its process ended, as waitpid() says. */
int lab_try(void (*body)(void));
extern char lab_dir[64];

/* Waits for a child that must exit with 0. */
void lab_join(pid_t pid);
/* Waits for a child that must be killed by SIGKILL; false: it exited with 0. */
bool lab_killed(pid_t pid);
/* Zeroed memory that children share. */
void *lab_shared(size_t bytes);
/* A small number of instructions, and a deterministic random number. */
void lab_spin(uint32_t n);
uint32_t lab_random(uint64_t *seed);

/* What this process takes of the machine; and that it takes no more than it did: nothing is mapped that
 * was not, and as many pages are present, but for what libc and the kernel come to use. */
struct lab_use {
    uint64_t n_maps, map_pages, present_pages;
};
struct lab_use lab_use(void);
void lab_check_use(const struct lab_use *before);

/* ---- recording */

struct mt_core_config lab_config(void);
/* Starts with lab_config() and the writers' open_calls; must work. */
void lab_start(void);

#define LAB_IDS 13
#define LAB_EVERY 50

/* Emits calls: begin, end, begin, ... of its functions TAG.INDEX.0 ... in turn. An id that is not
 * valid any more is defined anew, and so is, if `renew`, the id of every LAB_EVERYth event. */
struct lab_writer {
    char tag;
    uint32_t index;
    bool renew;
    uint64_t n;     /* events begun */
    uint64_t *done; /* events that have returned; may be shared */
    uint32_t ids[LAB_IDS];
};

/* Of the writer's event n. */
static inline enum mt_kind lab_kind(uint64_t n)
{
    return n % 2 == 0 ? MT_KIND_PY_BEGIN : n % 16 == 15 ? MT_KIND_PY_END_EXC : MT_KIND_PY_END;
}

void lab_writer_init(struct lab_writer *w, char tag, uint32_t index, uint64_t *done);
void lab_write(struct lab_writer *w, uint64_t n_events);
/* Set by a signal handler: the present event is the last. */
extern volatile sig_atomic_t lab_leave;

/* The soft RLIMIT_FSIZE; RLIM_INFINITY: none. */
void lab_limit(rlim_t bytes);
/* Field 22 of /proc/self/stat, read in another way than os_linux.c does. */
uint64_t lab_start_time(void);
/* This thread need not wait for its next try after a loss. */
void lab_retry_now(void);
/* How long the present file is. */
uint64_t lab_file_bytes(void);
/* All that can happen to a writer, n_rounds times: chunks, gaps, new parts, losses. */
void lab_write_varied(struct lab_writer *w, uint32_t n_rounds);

/* Threads with the writers TAG.first ... that emit until told to stop, or n_events if not 0. */
struct lab_team;
struct lab_team *lab_team_start(char tag, uint32_t first, uint32_t n, uint64_t n_events, bool renew,
                                uint64_t *done);
/* Until each of them has written at least so many more events. */
void lab_team_wait(struct lab_team *team, uint64_t n_events);
/* Tells them to stop and joins them; their counts are in done[]. */
void lab_team_stop(struct lab_team *team);

/* ---- looking at what was written */

#define LAB_FILES_MAX 2048

struct lab_set { /* the .trace files of a directory, ordered by pid, image and part */
    struct scan *files;
    uint32_t n;
};

/* All must be good; files without a header yet are left out and counted in *unborn if given. */
void lab_load(struct lab_set *set, const char *directory, uint32_t *unborn);
void lab_unload(struct lab_set *set);

struct lab_tally {
    uint64_t recorded, lost; /* lost: by the LOST marks */
    uint64_t unnamed;        /* of the recorded ones: there was no room for the function's name */
    uint32_t resyncs[MT_N_RESYNCS];
    uint32_t n_parts, n_threads;
    uint32_t number, tid;
};

/* Follows the writer TAG.index through the files of `pid`: each of its events must be there once,
 * in order, but for the exact numbers that LOST marks state. */
void lab_follow(const struct lab_set *set, uint32_t pid, char tag, uint32_t index,
                struct lab_tally *out);
/* No function of the files of `pid` may have another tag. */
void lab_only(const struct lab_set *set, uint32_t pid, char tag);
/* The sums of header.n_lost of the files of `pid`. */
uint64_t lab_header_lost(const struct lab_set *set, uint32_t pid);
uint32_t lab_count_files(const char *directory);

#endif /* TESTS_CORE_LAB_H_ */
