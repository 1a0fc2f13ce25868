/* loop.c - passes signals on to the program of `mtrace run`. Called by spawn.c, on the main thread.
 *
 * To whoever started `mtrace run PROGRAM`, mtrace's pid stands for the program: signals sent to it
 * are meant for the program, and when the program stops, mtrace must stop for a shell to notice.
 *
 * The program must not get a signal twice, though. It is in mtrace's process group, so it has
 * already got what was sent to the group: Ctrl-C, a shell's `kill %1`, timeout(1). Nothing in a
 * siginfo tells kill(pid) from kill(-group), nor does knowing the sender. So mtrace keeps a
 * *witness*: a child in the same group that blocks all signals, never runs, and whose pid nobody
 * knows. A signal that is pending there too was sent to the group. The kernel reaches the members
 * of a group one after another, hence a few milliseconds of grace for each signal before the
 * witness is asked. Signals of one number that come within that time are taken for one, as the
 * kernel does with pending ones.
 *
 * Invariant: signals of the relayed set are blocked in mtrace and taken from a signalfd, so none of
 * them, whatever its disposition was, is lost or runs a handler. No action of mtrace's is changed.
 */
#define _GNU_SOURCE
#include "cli/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 3

#define STOP_BITS (MT_SIGNAL_BIT(SIGTSTP) | MT_SIGNAL_BIT(SIGTTIN) | MT_SIGNAL_BIT(SIGTTOU))
/* To the kernel, one that stops wipes a pending SIGCONT, and the other way round: the latest in the
 * witness stands for those before. */
#define JOB_BITS (STOP_BITS | MT_SIGNAL_BIT(SIGCONT))

/* Not here: SIGKILL and SIGSTOP, faults, SIGCHLD (libuv's), SIGPIPE and SIGXFSZ (mtrace's own), and
 * the two that belong to libc. */
static void relayed_set(sigset_t *set)
{
    static const int numbers[] = {
        SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGUSR1,   SIGUSR2, SIGALRM,  SIGTERM, SIGCONT,
        SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,  SIGVTALRM, SIGPROF, SIGWINCH, SIGIO,   SIGPWR,
    };
    sigemptyset(set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(set, numbers[i]);
    for (int n = SIGRTMIN; n <= SIGRTMAX; n++)
        sigaddset(set, n);
}

/* ---- the witness */

static _Noreturn void be_witness(pid_t parent)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    /* It must keep no pipe, terminal or mount busy. */
    if (syscall(SYS_close_range, 0u, ~0u, 0u) != 0)
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
    (void)!chdir("/");
    for (;;)
        pause();
}

static pid_t witness_start(void)
{
    pid_t parent = getpid();
    sigset_t all, former;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &former); /* the child is born with everything blocked */
    pid_t pid = fork();
    if (pid == 0)
        be_witness(parent);
    sigprocmask(SIG_SETMASK, &former, NULL);
    return pid;
}

static void witness_end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
        ;
}

/* The signals that are, or were, pending in the witness, as bits. */
static uint64_t witness_saw(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    unsigned long long bits = 0;
    char line[256];
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "ShdPnd: %llx", &bits) == 1)
            break;
    fclose(file);
    return bits & JOB_BITS ? bits | JOB_BITS : bits;
}

static void take_signals(struct mt_relay *relay)
{
    struct signalfd_siginfo info;
    while (read(relay->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if ((pid_t)info.ssi_pid == relay->program && info.ssi_code <= 0)
            continue; /* the program told its parent something; it is not to be told in turn */
        relay->arrived |= MT_SIGNAL_BIT(info.ssi_signo);
        if (info.ssi_code != SI_KERNEL)
            relay->from_user |= MT_SIGNAL_BIT(info.ssi_signo);
    }
}

/* Which of the ripe signals were sent to the whole group. */
static uint64_t sent_to_group(struct mt_relay *relay)
{
    if (relay->witness < 0)
        return relay->ripe & ~relay->from_user; /* a guess: Ctrl-C and the like are the kernel's */
    uint64_t bits = witness_saw(relay->witness) & relay->ripe;
    if (bits != 0) {
        /* What is pending stays so: the next signals need a witness that has seen nothing. What was
         * sent before the new one was in the group, and it alone has not seen, is known now. */
        pid_t used = relay->witness;
        relay->witness = witness_start();
        take_signals(relay);
        uint64_t late = witness_saw(used) & relay->arrived & ~witness_saw(relay->witness);
        relay->arrived &= ~late;
        witness_end(used);
    }
    return bits;
}

/* ---- passing on */

/* A program that leaves the group on purpose does not get the group's signals. But were it not for
 * mtrace, it would lead the group if mtrace does, and could not leave. */
static int program_should_be_leader(const struct mt_relay *relay)
{
    pid_t group = getpgrp();
    return group == getpid() && getpgid(relay->program) != group;
}

static void on_grace(uv_timer_t *timer)
{
    struct mt_relay *relay = timer->data;
    uint64_t pass_on = relay->ripe;
    if (pass_on != 0 && !program_should_be_leader(relay))
        pass_on &= ~sent_to_group(relay);
    for (int n = 1; n <= 64; n++)
        if (pass_on & MT_SIGNAL_BIT(n))
            kill(relay->program, n);
    relay->ripe = relay->arrived;
    relay->from_user &= relay->ripe;
    relay->arrived = 0;
    if (relay->ripe == 0)
        uv_timer_stop(timer);
}

static void on_signals(uv_poll_t *poll, int status, int events)
{
    struct mt_relay *relay = poll->data;
    (void)status;
    (void)events;
    take_signals(relay);
    if (relay->arrived != 0 && !uv_is_active((uv_handle_t *)&relay->grace)) {
        uv_update_time(poll->loop);
        uv_timer_start(&relay->grace, on_grace, GRACE_MS, GRACE_MS);
    }
}

/* ---- the companion: the viewer of `run --top`, which must give the terminal back before the shell has it */

#define COMPANION_MS 200

static bool is_stopped(pid_t child)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

static void stop_companion(struct mt_relay *relay)
{
    struct timespec ms = {0, 1000000};
    if (relay->companion == 0 || is_stopped(relay->companion))
        return;
    kill(relay->companion, SIGTSTP);
    for (int i = 0; i < COMPANION_MS && !is_stopped(relay->companion); i++)
        nanosleep(&ms, NULL);
}

static void continue_companion(struct mt_relay *relay)
{
    uv_timer_stop(&relay->alone);
    if (relay->companion != 0)
        kill(relay->companion, SIGCONT);
}

/* It has stopped by the terminal's key, and the program has not: it may have other plans for that signal.
 * Then nobody else would let it go on. */
static void on_alone(uv_timer_t *timer)
{
    continue_companion(timer->data);
}

/* The program was stopped by its terminal (Ctrl-Z): so is mtrace, or the shell would go on waiting.
 * SIGSTOP is left out: it is sent to one process on purpose, by who will continue that process and
 * does not know of mtrace. */
static void on_child(uv_signal_t *children, int number)
{
    struct mt_relay *relay = children->data;
    siginfo_t info = {0};
    (void)number;
    if (relay->companion != 0 && is_stopped(relay->companion) &&
        !uv_is_active((uv_handle_t *)&relay->alone)) {
        uv_update_time(relay->alone.loop);
        uv_timer_start(&relay->alone, on_alone, COMPANION_MS, 0);
    }
    if (waitid(P_PID, (id_t)relay->program, &info, WSTOPPED | WNOHANG) != 0 || info.si_pid == 0)
        return;
    int stopper = info.si_status;
    if (stopper != SIGTSTP && stopper != SIGTTIN && stopper != SIGTTOU)
        return;
    relay->arrived &= ~STOP_BITS;
    relay->ripe &= ~STOP_BITS; /* it has arrived there, and SIGCONT will wipe the witness's */
    stop_companion(relay);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, stopper);
    raise(stopper);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* here mtrace is stopped until a SIGCONT */
    sigprocmask(SIG_BLOCK, &set, NULL);
    continue_companion(relay);
}

/* ---- life */

int mt__relay_open(struct mt_relay *relay, uv_loop_t *loop)
{
    memset(relay, 0, sizeof *relay);
    /* What was blocked in the caller stays so in the program only: mtrace itself needs SIGCHLD. */
    sigset_t set;
    relayed_set(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    relay->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (relay->signal_fd == -1)
        return errno;
    relay->witness = witness_start();
    uv_poll_init(loop, &relay->signals, relay->signal_fd);
    uv_signal_init(loop, &relay->children);
    uv_timer_init(loop, &relay->grace);
    uv_timer_init(loop, &relay->alone);
    relay->signals.data = relay->children.data = relay->grace.data = relay->alone.data = relay;
    return 0;
}

void mt__relay_start(struct mt_relay *relay, pid_t program, pid_t companion)
{
    relay->program = program;
    relay->companion = companion;
    uv_poll_start(&relay->signals, UV_READABLE, on_signals);
    uv_signal_start(&relay->children, on_child, SIGCHLD);
}

void mt__relay_stop(struct mt_relay *relay)
{
    relay->program = 0;
    uv_close((uv_handle_t *)&relay->signals, NULL);
    uv_close((uv_handle_t *)&relay->children, NULL);
    uv_close((uv_handle_t *)&relay->grace, NULL);
    uv_close((uv_handle_t *)&relay->alone, NULL);
}

void mt__relay_close(struct mt_relay *relay)
{
    struct signalfd_siginfo info;
    while (read(relay->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        ;
    close(relay->signal_fd);
    witness_end(relay->witness);
}
