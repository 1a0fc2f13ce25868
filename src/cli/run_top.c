/* run_top.c - see run_top.h. Called by cmd_run.c, on the main thread, before there are others.
 *
 * The screen is a process of its own, the viewer: mtrace must go on waiting for the program, and pass
 * signals on to it, whatever the terminal does. The viewer ends when a pipe is closed whose other end
 * is mtrace's, so also when mtrace is killed.
 */
#define _GNU_SOURCE
#include "cli/run_top.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/top.h"
#include "cli/watch.h"

#define HELD_POLL_MS 100

/* -------------------------------------------------------------------------------------- the viewer */

/* Puts what was written since on the terminal. */
static void show_held(int held_fd, int terminal_fd, off_t *offset)
{
    char data[16384];
    for (ssize_t n; (n = pread(held_fd, data, sizeof data, *offset)) > 0; *offset += n) {
        if (!mt__watch_write(terminal_fd, data, (size_t)n))
            return;
    }
}

/* Whatever a signal to the group asks for, the program's words are still to be shown: once the screen is
 * left, Ctrl-C is for the program, and what it says of it is the last. */
static void ignore_signals(void)
{
    static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_IGN);
}

static _Noreturn void view(const char *directory, const uint8_t run_id[16], pid_t parent,
                           int terminal_fd, int held_fd, int until_fd)
{
    bool interrupted = false;
    off_t offset = 0;
    mt__top_show(directory, run_id, terminal_fd, until_fd, &interrupted);
    ignore_signals();
    /* The terminal's Ctrl-C, which the raw mode kept from the program. */
    if (interrupted && getppid() == parent) /* else mtrace is gone, and that is somebody else */
        kill(parent, SIGINT);
    struct pollfd until = {.fd = until_fd, .events = POLLIN};
    do
        show_held(held_fd, terminal_fd, &offset);
    while (poll(&until, 1, HELD_POLL_MS) == 0);
    show_held(held_fd, terminal_fd, &offset);
    _exit(0);
}

/* -------------------------------------------------------------------------------------- in mtrace */

/* A file without a name; -1: none. */
static int open_held(void)
{
    const char *folder = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/mtrace-XXXXXX", folder && *folder ? folder : "/tmp") == -1)
        return -1;
    int fd = mkostemp(path, O_CLOEXEC | O_APPEND);
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd;
}

/* Descriptor `fd` is `other` from now on, until put_back(). */
static void replace(struct mt_run_top *top, int fd, int other)
{
    top->saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (top->saved[fd] >= 0)
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

static void give_to_program(struct mt_run_top *top)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (isatty(0) && nothing >= 0)
        replace(top, 0, nothing);
    if (nothing >= 0)
        close(nothing);
    for (int fd = 1; fd < 3; fd++) {
        if (isatty(fd))
            replace(top, fd, top->held_fd);
    }
}

void mt__run_top_start(struct mt_run_top *top, const char *directory, const uint8_t run_id[16])
{
    *top = (struct mt_run_top){.end_fd = -1, .held_fd = -1, .saved = {-1, -1, -1}};
    int ends[2] = {-1, -1}, terminal_fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    const char *why = NULL;
    if (terminal_fd < 0 || tcgetpgrp(terminal_fd) != getpgrp()) {
        why = "there is no terminal for it";
    } else {
        top->held_fd = open_held();
        if (top->held_fd < 0)
            why = "there is no place for what the program writes";
        else if (pipe2(ends, O_CLOEXEC) != 0)
            why = strerror(errno);
    }
    pid_t self = getpid();
    if (!why) {
        top->viewer = fork();
        if (top->viewer < 0)
            why = strerror(errno);
    }
    if (top->viewer == 0 && !why) {
        close(ends[1]);
        view(directory, run_id, self, terminal_fd, top->held_fd, ends[0]);
    }
    if (terminal_fd >= 0)
        close(terminal_fd);
    if (ends[0] >= 0)
        close(ends[0]);
    if (!why) {
        top->end_fd = ends[1];
        give_to_program(top);
        return;
    }
    mt_cli_error("--top shows nothing: %s", why);
    top->viewer = 0;
    if (ends[1] >= 0)
        close(ends[1]);
    if (top->held_fd >= 0)
        close(top->held_fd);
}

void mt__run_top_end(struct mt_run_top *top)
{
    if (top->viewer <= 0)
        return;
    put_back(top);
    close(top->end_fd);
    while (waitpid(top->viewer, NULL, 0) == -1 && errno == EINTR)
        ;
    close(top->held_fd);
    top->viewer = 0;
}
