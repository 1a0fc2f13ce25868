/* run_top.c - see run_top.h. Called by cmd_run.c, on the main thread, before there are others.
 *
 * The screen is a process of its own, the viewer: mtrace must go on waiting for the program, and pass
 * signals on to it, whatever the terminal does. The viewer ends when a pipe is closed whose other end
 * is mtrace's, so also when mtrace is killed.
 *
 * Why a file, and no pseudo-terminal: a write to a file never waits, and never fails because of a process
 * that was stopped or killed. A pseudo-terminal (or a pipe) needs somebody at its other end: while that
 * one is stopped the program would wait, and once it has gone, at the latest at mtrace's end, children
 * of the program that still run would get errors (EIO, EPIPE), or signals.
 * What remains is that files can be full. So the screen is left early enough, what is on the terminal
 * is taken out of the file, and where files are limited (RLIMIT_FSIZE) there is no screen.
 */
#define _GNU_SOURCE
#include "cli/run_top.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/top.h"
#include "cli/watch.h"

#define HELD_POLL_MS 100
#define HELD_POLL_MAX_MS 1600
#define FORGET_BYTES (1u << 20)
/* What a run may hold back at most, and the space without which nothing is held back. */
#define HELD_MAX_BYTES (1u << 30)
#define SPACE_MIN_BYTES (16u << 20)

/* Written by whoever shows what is held back: the viewer; mtrace, once that has ended. */
struct mt_run_top_shown {
    uint64_t n_bytes;
    bool on_screen; /* the terminal is not as it was found */
};

/* ----------------------------------------------------------------------------------- the held file */

static uint64_t space_left(int fd)
{
    struct statvfs about;
    return fstatvfs(fd, &about) == 0 ? (uint64_t)about.f_bavail * about.f_frsize : 0;
}

/* A file without a name, open for writing, and *read_fd for reading. Returns why there is none, or NULL. */
static const char *open_held(int *write_fd, int *read_fd)
{
    const char *folder = getenv("TMPDIR");
    struct rlimit limit;
    char *path;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        return "files are limited in size here, and what the program writes to the terminal would be";
    if (asprintf(&path, "%s/mtrace-XXXXXX", folder && *folder ? folder : "/tmp") == -1)
        return "out of memory";
    *write_fd = mkostemp(path, O_CLOEXEC | O_APPEND);
    if (*write_fd >= 0) {
        *read_fd = open(path, O_RDONLY | O_CLOEXEC);
        unlink(path);
    }
    free(path);
    return *read_fd >= 0 && space_left(*read_fd) >= SPACE_MIN_BYTES
               ? NULL
               : "there is no place for what the program writes";
}

/* Gives back the space of what was shown. */
static void forget_shown(int held_fd, uint64_t n_bytes)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", held_fd);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)n_bytes);
    close(fd);
}

/* Puts what was written since on the terminal; false: nothing. One that is gone takes everything. */
static bool show_held(int held_fd, int terminal_fd, struct mt_run_top_shown *shown)
{
    static char data[1 << 16];
    struct stat held;
    /* Somebody has opened /dev/stdout anew, and cut it: on with what comes now. */
    if (fstat(held_fd, &held) == 0 && (uint64_t)held.st_size < shown->n_bytes)
        shown->n_bytes = 0;
    uint64_t before = shown->n_bytes;
    for (ssize_t n; (n = pread(held_fd, data, sizeof data, (off_t)shown->n_bytes)) > 0;) {
        mt__watch_write(terminal_fd, data, (size_t)n);
        uint64_t former = shown->n_bytes;
        shown->n_bytes += (uint64_t)n;
        if (shown->n_bytes / FORGET_BYTES != former / FORGET_BYTES)
            forget_shown(held_fd, shown->n_bytes);
    }
    return shown->n_bytes != before;
}

/* Whether some process may still write to the file: nobody else may have it open so then. */
static bool has_writers(int held_fd)
{
    if (fcntl(held_fd, F_SETLEASE, F_RDLCK) != 0)
        return errno == EAGAIN;
    fcntl(held_fd, F_SETLEASE, F_UNLCK);
    return false;
}

/* -------------------------------------------------------------------------------------- the viewer */

struct viewer {
    struct mt_top_run run;
    struct mt_run_top_shown *shown;
    pid_t parent;
    int held_fd;
};

/* As long as what is held back leaves room for as much again. */
static bool goes_on(void *context)
{
    const struct viewer *viewer = context;
    struct stat held;
    uint64_t left = space_left(viewer->held_fd);
    return fstat(viewer->held_fd, &held) == 0 && (uint64_t)held.st_size < left &&
           (uint64_t)held.st_size < HELD_MAX_BYTES;
}

/* What the program may have a handler for, and is sent to its group, is nothing to the viewer. */
static void ignore_program_signals(void)
{
    static const int numbers[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
                                  SIGIO,   SIGPWR,  SIGURG,  SIGPIPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_IGN);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        signal(number, SIG_IGN);
}

/* Whatever a signal to the group asks for, the program's words are still to be shown: once the screen is
 * left, Ctrl-C is for the program, and what it says of it is the last. A viewer in the background, where
 * the program may write, may so, too. */
static void ignore_signals(void)
{
    static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTOU};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_IGN);
}

/* The program has ended, and mtrace with it, but it has left children that write to the terminal, as they
 * believe. Shows that until the last of them has ended; it is nobody's child and keeps nothing else open. */
static void stay_for_children(const struct viewer *viewer)
{
    if (fork() != 0)
        return;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && nothing >= 0; fd++)
        dup2(nothing, fd);
    (void)!chdir("/");
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    int wait_ms = HELD_POLL_MS;
    do {
        poll(NULL, 0, wait_ms);
        bool any = show_held(viewer->held_fd, viewer->run.fd, viewer->shown);
        wait_ms = any ? HELD_POLL_MS : wait_ms < HELD_POLL_MAX_MS ? wait_ms * 2 : wait_ms;
    } while (has_writers(viewer->held_fd));
    show_held(viewer->held_fd, viewer->run.fd, viewer->shown);
}

static _Noreturn void view(struct viewer *viewer)
{
    int number = 0, until_fd = viewer->run.until_fd;
    ignore_program_signals();
    viewer->run.goes_on = goes_on;
    viewer->run.context = viewer;
    viewer->shown->on_screen = true;
    mt__top_show(&viewer->run, &number);
    viewer->shown->on_screen = false;
    ignore_signals();
    /* Of the terminal's own keys the raw mode kept the signals from the program: they are for its group. */
    if (number && getppid() == viewer->parent) /* else mtrace is gone, and the program with it */
        kill(0, number);
    struct pollfd until = {.fd = until_fd, .events = POLLIN};
    do
        show_held(viewer->held_fd, viewer->run.fd, viewer->shown);
    while (poll(&until, 1, HELD_POLL_MS) == 0);
    /* Now there is nobody else whom Ctrl-C could mean. */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    show_held(viewer->held_fd, viewer->run.fd, viewer->shown);
    if (has_writers(viewer->held_fd))
        stay_for_children(viewer);
    _exit(0);
}

/* -------------------------------------------------------------------------------------- in mtrace */

/* Descriptor `fd` is `other` from now on, until put_back(). */
static void replace(struct mt_run_top *top, int fd, int other)
{
    top->saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (top->saved[fd] >= 0 && other >= 0)
        dup2(other, fd);
}

static void put_back(struct mt_run_top *top)
{
    for (int fd = 0; fd < 3; fd++) {
        if (top->saved[fd] < 0)
            continue;
        dup2(top->saved[fd], fd);
        close(top->saved[fd]);
        top->saved[fd] = -1;
    }
}

static void give_to_program(struct mt_run_top *top, int write_fd)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (isatty(0) && nothing >= 0)
        replace(top, 0, nothing);
    if (nothing >= 0)
        close(nothing);
    for (int fd = 1; fd < 3; fd++) {
        if (isatty(fd))
            replace(top, fd, write_fd);
    }
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void close_range_of(int first, int last)
{
    if (first > last || syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) == 0)
        return;
    for (int fd = first; fd <= last && fd < 1024; fd++)
        close(fd);
}

/* The viewer keeps nothing else open: what others wait for the end of (pipes, locks) is not for it to hold. */
static _Noreturn void be_viewer(struct viewer *viewer)
{
    const int kept[] = {viewer->run.fd, viewer->run.until_fd, viewer->held_fd};
    int n_kept = sizeof kept / sizeof *kept;
    int from = 3;
    for (int done = 0; done < n_kept; done++) {
        int next = INT_MAX;
        for (int i = 0; i < n_kept; i++)
            next = kept[i] >= from && kept[i] < next ? kept[i] : next;
        if (next == INT_MAX)
            break;
        close_range_of(from, next - 1);
        from = next + 1;
    }
    close_range_of(from, INT_MAX);
    view(viewer);
}

static const char *shared_shown(struct mt_run_top *top)
{
    void *memory = mmap(NULL, sizeof *top->shown, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return "out of memory";
    top->shown = memory;
    return NULL;
}

/* Why there can be no screen; NULL: it can. */
static const char *why_not(struct mt_run_top *top, int terminal_fd)
{
    if (terminal_fd < 0 || tcgetpgrp(terminal_fd) != getpgrp() ||
        tcgetattr(terminal_fd, &top->modes) != 0)
        return "there is no terminal for it";
    return mt__watch_refused();
}

void mt__run_top_start(struct mt_run_top *top, const char *directory, const uint8_t run_id[16])
{
    *top = (struct mt_run_top){.end_fd = -1, .held_fd = -1, .saved = {-1, -1, -1}};
    int ends[2] = {-1, -1}, write_fd = -1, terminal_fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    pid_t self = getpid();
    const char *why = why_not(top, terminal_fd);
    if (!why)
        why = open_held(&write_fd, &top->held_fd);
    if (!why)
        why = shared_shown(top);
    if (!why && pipe2(ends, O_CLOEXEC) != 0)
        why = strerror(errno);
    top->viewer = why ? -1 : fork();
    if (!why && top->viewer < 0)
        why = strerror(errno);
    if (!why && top->viewer == 0) {
        struct viewer viewer = {.run = {.directory = directory,
                                        .run_id = run_id,
                                        .fd = terminal_fd,
                                        .until_fd = ends[0]},
                                .shown = top->shown,
                                .parent = self,
                                .held_fd = top->held_fd};
        be_viewer(&viewer);
    }
    close_fd(ends[0]);
    close_fd(terminal_fd);
    if (!why) {
        top->end_fd = ends[1];
        give_to_program(top, write_fd);
        close(write_fd);
        return;
    }
    mt_cli_error("--top shows nothing: %s", why);
    top->viewer = 0;
    close_fd(ends[1]);
    close_fd(write_fd);
    close_fd(top->held_fd);
    if (top->shown)
        munmap(top->shown, sizeof *top->shown);
}

/* The viewer was killed: what it has not shown is shown here. */
static void replace_viewer(struct mt_run_top *top)
{
    int terminal_fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal_fd < 0)
        return;
    void (*on_output)(int) = signal(SIGTTOU, SIG_IGN); /* in the background, too */
    if (top->shown->on_screen)
        mt__watch_restore(terminal_fd, &top->modes);
    show_held(top->held_fd, terminal_fd, top->shown);
    signal(SIGTTOU, on_output);
    close(terminal_fd);
}

void mt__run_top_end(struct mt_run_top *top)
{
    int status = 0;
    if (top->viewer <= 0)
        return;
    put_back(top);
    close(top->end_fd);
    kill(top->viewer, SIGCONT); /* should somebody have stopped it */
    /* Ctrl-C is for the rest of the output now, not for what mtrace has still to do. */
    void (*on_interrupt)(int) = signal(SIGINT, SIG_IGN), (*on_quit)(int) = signal(SIGQUIT, SIG_IGN);
    while (waitpid(top->viewer, &status, 0) == -1 && errno == EINTR)
        ;
    bool unwanted = WIFSIGNALED(status) && !top->shown->on_screen &&
                    (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGQUIT);
    if (!WIFEXITED(status) && !unwanted)
        replace_viewer(top);
    signal(SIGINT, on_interrupt);
    signal(SIGQUIT, on_quit);
    close(top->held_fd);
    munmap(top->shown, sizeof *top->shown);
    top->viewer = 0;
}
