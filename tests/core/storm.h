/* storm.h - processes that record as wildly as they can, to be killed at any moment: threads that begin
 * and end, forks of all kinds and forks of these, new names all the while, small chunks, long
 * silences. What each thread has recorded is known from outside, event by event: it says in
 * shared memory how many have returned, and what its n-th event is follows from its number and n.
 */
#ifndef TESTS_CORE_STORM_H_
#define TESTS_CORE_STORM_H_

#include "lab.h"

enum { STORM_WRITERS = 2048, STORM_PROCESSES = 12 };

/* A thread, from its first event to its end; or what a fork's child goes on as. */
struct storm_writer {
    uint32_t pid;                               /* 0: not begun */
    uint64_t done __attribute__((aligned(64))); /* events that have returned */
    uint64_t tick;                              /* read before the event that follows these */
};

/* Shared by all processes of a storm and its killer. */
struct storm {
    uint32_t n_writers, n_processes;      /* claimed; may exceed the room for them */
    uint32_t pids[STORM_PROCESSES];       /* 0: not begun, or there was none */
    uint32_t was_killed[STORM_PROCESSES]; /* by the time all are dead: did SIGKILL end it? */
    uint64_t seed;
    uint32_t slow_point; /* where writers often take their time; MT_N_TESTPOINTS or more: nowhere */
    struct storm_writer writers[STORM_WRITERS];
};

/* The event n of a writer: its kind, and its function as one of three, of which there is a new one
 * from time to time. */
enum storm_function { STORM_OUTER, STORM_INNER, STORM_C, N_STORM_FUNCTIONS };
struct storm_event {
    enum mt_kind kind;
    enum storm_function function;
    uint32_t generation; /* of the function */
};
struct storm_event storm_event(uint64_t n);
/* The Python functions that are open before event n, outermost first; returns how many. */
uint32_t storm_open(uint64_t n, enum storm_function out[2]);
/* The name of a function of writer w; returns its length. For STORM_C its owner is storm_owner(). */
int storm_name(char *out, size_t size, uint32_t w, enum storm_function function,
               uint32_t generation);
int storm_owner(char *out, size_t size, uint32_t w);

/* The first process: records, and starts all others. Until it is killed. */
_Noreturn void storm_write(struct storm *shared);

/* What is left, in lab_dir: everything that was done, whole, with names, under the right file names, and
 * nothing else. Else it says so, and ends the process with the status STORM_VIOLATION. */
enum { STORM_VIOLATION = 98 };
struct storm_sums {
    uint64_t n_rounds, n_kills, n_processes, n_writers, n_events, n_unpublished, n_lost, n_unborn;
};
void storm_check(const struct storm *storm, struct storm_sums *sums);

#endif /* TESTS_CORE_STORM_H_ */
