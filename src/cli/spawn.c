/* spawn.c - starts the program of `mtrace run` and waits for it. Called by cmd_run.c, on the main
 * thread, once.
 *
 * The program must find the world as if mtrace were not there, and uv_spawn alone does not give
 * that: it sets every signal to its default (a program under nohup would die of SIGHUP), empties
 * the signal mask, opens what was closed of descriptors 0 to 2, and makes those blocking. So
 * uv_spawn starts mtrace itself once more, the *second half*: it puts back what was inherited
 * (handed over as a word, SPEC) and becomes the program by execvp. Descriptors above 2 pass through
 * both steps untouched, as uv_spawn closes none and all of mtrace's own are close-on-exec.
 *
 * The second half also ties the program to mtrace (PR_SET_PDEATHSIG): SIGKILL cannot be passed on,
 * and who kills mtrace with it means the program. The program's own children are not tied.
 */
#define _GNU_SOURCE
#include "cli/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "cli/loop.h"
#include "cli/run_place.h"

#define SPEC_FORMAT "%llx,%llx,%x,%x,%d,%d"
#define SPEC_BYTES 96

/* ---- what was inherited */

void mt__inherited_take(struct mt_inherited *inherited)
{
    memset(inherited, 0, sizeof *inherited);
    for (int fd = 0; fd < 3; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if (flags == -1) {
            inherited->closed |= 1u << fd;
            /* The lowest free number, and those below are open: it is fd. */
            (void)open("/dev/null", O_RDWR);
        } else if (flags & O_NONBLOCK) {
            inherited->nonblocking |= 1u << fd;
        }
    }

    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int n = 1; n < NSIG && n <= 64; n++) {
        struct sigaction action;
        if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            inherited->ignored |= MT_SIGNAL_BIT(n);
        if (sigismember(&blocked, n) == 1)
            inherited->blocked |= MT_SIGNAL_BIT(n);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static void restore_mask(const struct mt_inherited *inherited)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    for (int n = 1; n < NSIG && n <= 64; n++)
        if (inherited->blocked & MT_SIGNAL_BIT(n))
            sigaddset(&blocked, n);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* ---- becoming the program */

static void restore_inherited(const struct mt_inherited *inherited)
{
    for (int fd = 0; fd < 3; fd++) {
        if (inherited->closed & 1u << fd)
            close(fd);
        else if (inherited->nonblocking & 1u << fd)
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    for (int n = 1; n < NSIG && n <= 64; n++)
        if (inherited->ignored & MT_SIGNAL_BIT(n))
            signal(n, SIG_IGN);
    restore_mask(inherited);
}

int mt__spawn_instead(const struct mt_inherited *inherited, char **argv, char **env)
{
    signal(SIGPIPE, SIG_DFL); /* see mt__inherited_take() */
    signal(SIGXFSZ, SIG_DFL);
    restore_inherited(inherited);
    execvpe(argv[0], argv, env);
    return errno;
}

_Noreturn void mt__spawn_second_half(char **spec_and_program)
{
    unsigned long long ignored, blocked;
    struct mt_inherited inherited;
    int error_fd, parent;
    if (spec_and_program[0] == NULL || spec_and_program[1] == NULL ||
        sscanf(spec_and_program[0], SPEC_FORMAT, &ignored, &blocked, &inherited.closed,
               &inherited.nonblocking, &error_fd, &parent) != 6)
        _exit(2);
    inherited.ignored = ignored;
    inherited.blocked = blocked;

    fcntl(error_fd, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(128 + SIGKILL);
    restore_inherited(&inherited);
    execvp(spec_and_program[1], spec_and_program + 1);
    int error = errno;
    (void)!write(error_fd, &error, sizeof error);
    _exit(127);
}

/* ---- the first half */

/* What libuv, which ends the process where it gets no descriptor, and the relay need at most. */
#define DESCRIPTORS 16

/* Returns 0, or the errno with which there are not that many. */
static int have_descriptors(void)
{
    int fds[DESCRIPTORS], n = 0, error = 0;
    while (n < DESCRIPTORS && error == 0) {
        fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fds[n] == -1)
            error = errno;
        else
            n++;
    }
    while (n > 0)
        close(fds[--n]);
    return error == EMFILE || error == ENFILE ? error : 0;
}

struct run {
    uv_loop_t loop;
    uv_process_t process;
    struct mt_relay relay;
    pid_t companion;
    struct mt_spawn_outcome *outcome;
};

static void on_program_exit(uv_process_t *process, int64_t exit_status, int term_signal)
{
    struct run *run = process->data;
    run->outcome->exit_code = (int)exit_status;
    run->outcome->signal = term_signal;
    mt__relay_stop(&run->relay);
    uv_close((uv_handle_t *)process, NULL);
}

/* Returns the command line of the second half, to be freed; NULL: no memory. */
static char **second_half_new(char **argv, char *spec)
{
    static char name[] = "mtrace", command[] = "run", word[] = MT_SPAWN_SECOND_HALF;
    size_t n = 0;
    while (argv[n] != NULL)
        n++;
    char **line = calloc(n + 5, sizeof *line);
    if (line == NULL)
        return NULL;
    line[0] = name;
    line[1] = command;
    line[2] = word;
    line[3] = spec;
    memcpy(line + 4, argv, n * sizeof *line);
    return line;
}

/* Returns 0 or a negative UV_E*. */
static int spawn_second_half(struct run *run, char **line, char **env)
{
    uv_stdio_container_t stdio[3];
    for (int fd = 0; fd < 3; fd++) {
        stdio[fd].flags = UV_INHERIT_FD;
        stdio[fd].data.fd = fd;
    }
    uv_process_options_t options = {
        .file = access("/proc/self/exe", X_OK) == 0 ? "/proc/self/exe" : mt__run_own_path(),
        .args = line,
        .env = env,
        .stdio = stdio,
        .stdio_count = 3,
        .exit_cb = on_program_exit,
    };
    run->process.data = run;
    return uv_spawn(&run->loop, &run->process, &options);
}

/* Returns 0, or the errno that kept the program from starting. */
static int start(struct run *run, const struct mt_inherited *inherited, char **argv, char **env)
{
    int error_pipe[2];
    if (pipe2(error_pipe, O_CLOEXEC) != 0)
        return errno;
    /* Nothing else in mtrace starts processes, so nobody else inherits this end. */
    fcntl(error_pipe[1], F_SETFD, 0);

    char spec[SPEC_BYTES];
    snprintf(spec, sizeof spec, SPEC_FORMAT, (unsigned long long)inherited->ignored,
             (unsigned long long)inherited->blocked, inherited->closed, inherited->nonblocking,
             error_pipe[1], (int)getpid());
    int error = ENOMEM;
    char **line = second_half_new(argv, spec);
    if (line != NULL)
        error = -spawn_second_half(run, line, env);
    free(line);
    close(error_pipe[1]);
    if (error == 0) {
        run->outcome->by_us = false;
        mt__relay_start(&run->relay, run->process.pid, run->companion);
        ssize_t n;
        do
            n = read(error_pipe[0], &error, sizeof error);
        while (n == -1 && errno == EINTR);
        if (n != (ssize_t)sizeof error)
            error = 0; /* closed by the exec, which has succeeded */
    } else {
        mt__relay_stop(&run->relay);
        if (uv_handle_get_loop((uv_handle_t *)&run->process) == &run->loop)
            uv_close((uv_handle_t *)&run->process, NULL);
    }
    close(error_pipe[0]);
    return error;
}

void mt__spawn(const struct mt_inherited *inherited, char **argv, char **env, pid_t companion,
               struct mt_spawn_outcome *outcome)
{
    struct run run = {.companion = companion, .outcome = outcome};
    memset(outcome, 0, sizeof *outcome);
    outcome->by_us = true;
    int error = have_descriptors();
    if (error == 0)
        error = -uv_loop_init(&run.loop);
    if (error != 0)
        goto fail_loop;
    error = mt__relay_open(&run.relay, &run.loop);
    if (error != 0)
        goto fail_relay;
    error = start(&run, inherited, argv, env);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    mt__relay_close(&run.relay);
fail_relay:
    uv_loop_close(&run.loop);
fail_loop:
    restore_mask(inherited);
    outcome->error = error;
}
