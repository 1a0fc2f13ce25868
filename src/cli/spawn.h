/* spawn.h - starts the program that `mtrace run` records, and waits for it. Used by cmd_run.c. */
#ifndef MT_CLI_SPAWN_H_
#define MT_CLI_SPAWN_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the caller of mtrace gave to it and what the program shall find unchanged. Signals are bits:
 * signal n is bit n - 1. */
struct mt_inherited {
    uint64_t ignored;
    uint64_t blocked;
    uint32_t closed;      /* bit n: descriptor n (0 to 2) was closed */
    uint32_t nonblocking; /* bit n: descriptor n (0 to 2) was O_NONBLOCK */
};

struct mt_spawn_outcome {
    int error;  /* the errno that kept the program from starting; 0: it ran */
    bool by_us; /* and it did so before the program's turn came: mtrace itself lacked something */
    int exit_code; /* of the program */
    int signal;    /* the signal that ended it; 0: none */
};

/* To be called before mtrace opens a file or changes a signal. Afterwards descriptors 0 to 2 are
 * open (/dev/null where they were not), and a broken pipe or the file-size limit is an error of
 * the system call instead of the end of mtrace. */
void mt__inherited_take(struct mt_inherited *inherited);

/* Starts argv[0], searched as execvp does, with `env`; passes signals on to it (loop.h) and returns
 * when it has ended. Its other descendants are not waited for. `companion` is a child of mtrace's that is
 * stopped and continued when mtrace is; 0: none. */
void mt__spawn(const struct mt_inherited *inherited, char **argv, char **env, pid_t companion,
               struct mt_spawn_outcome *outcome);

/* Becomes argv[0] instead of starting it, where mtrace cannot stay with it. Returns an errno, with
 * all as it was but for what was inherited, or not at all. */
int mt__spawn_instead(const struct mt_inherited *inherited, char **argv, char **env);

/* `mtrace run MT_SPAWN_SECOND_HALF SPEC PROGRAM [ARG...]` is how mt__spawn starts the program: see
 * spawn.c. Does not return. */
#define MT_SPAWN_SECOND_HALF "--second-half-of-spawn"
_Noreturn void mt__spawn_second_half(char **spec_and_program);

#endif /* MT_CLI_SPAWN_H_ */
