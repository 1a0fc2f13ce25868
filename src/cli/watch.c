/* watch.c - see watch.h. Called by cmd_top.c, on the main thread.
 *
 * The terminal is written to by ECMA-48's sequences, which every terminal knows that is in use: so
 * no database of terminals is needed, and the program runs where there is none.
 *
 * Invariant: whenever mtrace does not run (ended, stopped) or is in the background, the terminal is as it
 * was found; but for SIGKILL and SIGSTOP, which nobody can see coming.
 */
#define _GNU_SOURCE
#include "cli/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

/* Alternate screen on, cursor off; and back. */
#define ENTER "\x1b[?1049h\x1b[?25l"
#define LEAVE "\x1b[0m\x1b[?25h\x1b[?1049l"
#define CTRL_Z '\x1a'

static const int ending[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
#define N_ENDING (sizeof ending / sizeof *ending)

struct screen {
    uv_loop_t loop;
    uv_tty_t tty;
    uv_timer_t timer;
    uv_signal_t signals[N_ENDING], resized, stopping, continued;
    uv_poll_t until;
    const struct mt_watch *watch;
    int fd;
    int n_columns, n_rows;
    int ended_by;
    bool shown; /* the terminal is ours */
    bool back;  /* after a stop; its SIGCONT has nothing to tell */
    bool over;
    char input[512];
};

bool mt__watch_write(int fd, const char *data, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n = write(fd, data, n_bytes);
        if (n == -1 && errno == EAGAIN) { /* somebody who has it open, too, made it so */
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            n = poll(&ready, 1, -1) == -1 ? -1 : 0;
        }
        if (n == -1 && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            n_bytes -= (size_t)n;
        }
    }
    return true;
}

const char *mt__watch_refused(void)
{
    const char *term = getenv("TERM");
    if (!term || !*term)
        return "TERM is not set";
    return strcmp(term, "dumb") ? NULL : "TERM is dumb";
}

static void on_stopping(uv_signal_t *handle, int number);
static void make_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_input(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *buf);

void mt__watch_restore(int fd, const struct termios *modes)
{
    mt__watch_write(fd, LEAVE, sizeof LEAVE - 1);
    tcsetattr(fd, TCSADRAIN, modes);
}

/* A terminal that is not the session's has no foreground, and is whose it is given to. */
static bool in_foreground(const struct screen *screen)
{
    pid_t group = tcgetpgrp(screen->fd);
    return group == -1 || group == getpgrp();
}

static void leave(struct screen *screen)
{
    if (!screen->shown)
        return;
    screen->shown = false;
    uv_read_stop((uv_stream_t *)&screen->tty);
    if (!in_foreground(screen))
        return; /* whoever has it by now has put it right */
    mt__watch_write(screen->fd, LEAVE, sizeof LEAVE - 1);
    uv_tty_set_mode(&screen->tty, UV_TTY_MODE_NORMAL);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void go_on(struct screen *screen, bool more)
{
    if (more || screen->over)
        return;
    screen->over = true;
    leave(screen);
    uv_walk(&screen->loop, close_handle, NULL);
}

static void look_at_size(struct screen *screen)
{
    int n_columns = 80, n_rows = 24;
    uv_tty_get_winsize(&screen->tty, &n_columns, &n_rows);
    screen->n_columns = n_columns > 0 ? n_columns : 80;
    screen->n_rows = n_rows > 0 ? n_rows : 24;
    go_on(screen, screen->watch->size(screen->watch->context, screen->n_columns, screen->n_rows));
}

/* Takes the terminal, unless that is somebody else's at present. */
static void enter(struct screen *screen)
{
    if (screen->over || !in_foreground(screen))
        return;
    screen->shown = true;
    uv_tty_set_mode(&screen->tty,
                    UV_TTY_MODE_NORMAL); /* or it believes to be in raw mode already */
    uv_tty_set_mode(&screen->tty, UV_TTY_MODE_RAW);
    mt__watch_write(screen->fd, ENTER, sizeof ENTER - 1);
    uv_read_start((uv_stream_t *)&screen->tty, make_room, on_input);
    look_at_size(screen);
}

/* The terminal was somebody else's meanwhile, who has given it modes and contents of their own. */
static void come_back(struct screen *screen)
{
    screen->shown = false;
    uv_read_stop((uv_stream_t *)&screen->tty);
    enter(screen);
}

/* Stops as others are who do not know of a screen, and returns after a SIGCONT: at once, where no shell would
 * send one. */
static void stop(struct screen *screen, bool with_group)
{
    leave(screen);
    uv_signal_stop(&screen->stopping);
    if (with_group)
        kill(0, SIGTSTP);
    else
        raise(SIGTSTP);
    uv_signal_start(&screen->stopping, on_stopping, SIGTSTP);
    screen->back = true;
    enter(screen);
}

static void on_stopping(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data, false);
}

/* From SIGSTOP, or in the foreground again. */
static void on_continued(uv_signal_t *handle, int number)
{
    struct screen *screen = handle->data;
    (void)number;
    if (!screen->back || !screen->shown)
        come_back(screen);
    screen->back = false;
}

static void on_timer(uv_timer_t *timer)
{
    struct screen *screen = timer->data;
    const struct mt_watch *watch = screen->watch;
    screen->back = false;
    if (watch->goes_on && !watch->goes_on(watch->context)) {
        go_on(screen, false);
        return;
    }
    if (!screen->shown || !in_foreground(screen))
        come_back(screen);
    if (screen->shown)
        go_on(screen, screen->watch->tick(screen->watch->context));
}

static void on_ending(uv_signal_t *handle, int number)
{
    struct screen *screen = handle->data;
    screen->ended_by = number;
    go_on(screen, false);
}

static void on_resized(uv_signal_t *handle, int number)
{
    struct screen *screen = handle->data;
    (void)number;
    if (screen->shown)
        look_at_size(screen);
}

static void on_until(uv_poll_t *until, int status, int events)
{
    (void)status;
    (void)events;
    go_on(until->data, false);
}

static void make_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct screen *screen = handle->data;
    (void)suggested;
    *buf = uv_buf_init(screen->input, sizeof screen->input);
}

static void on_input(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *buf)
{
    struct screen *screen = stream->data;
    if (n_read < 0) { /* the terminal is gone */
        screen->ended_by = SIGHUP;
        go_on(screen, false);
    } else if (n_read == 1 && buf->base[0] == CTRL_Z) {
        stop(screen, true); /* as the terminal does, were it not in raw mode */
    } else if (n_read > 0) {
        go_on(screen, screen->watch->key(screen->watch->context, buf->base, (size_t)n_read));
    }
}

/* What was ignored stays so. */
static void watch_signal(struct screen *screen, uv_signal_t *handle, int number, uv_signal_cb each)
{
    struct sigaction action;
    uv_signal_init(&screen->loop, handle);
    handle->data = screen;
    if (sigaction(number, NULL, &action) != 0 || action.sa_handler != SIG_IGN)
        uv_signal_start(handle, each, number);
}

int mt__watch(int fd, const struct mt_watch *watch)
{
    struct screen screen = {.watch = watch, .fd = fd};
    int error = uv_loop_init(&screen.loop);
    if (error != 0)
        return error;
    error = uv_tty_init(&screen.loop, &screen.tty, fd, 0);
    if (error != 0)
        goto out;
    screen.tty.data = &screen;
    for (size_t i = 0; i < N_ENDING; i++)
        watch_signal(&screen, &screen.signals[i], ending[i], on_ending);
    watch_signal(&screen, &screen.resized, SIGWINCH, on_resized);
    watch_signal(&screen, &screen.stopping, SIGTSTP, on_stopping);
    watch_signal(&screen, &screen.continued, SIGCONT, on_continued);
    uv_timer_init(&screen.loop, &screen.timer);
    screen.timer.data = &screen;
    uv_timer_start(&screen.timer, on_timer, watch->interval_ms, watch->interval_ms);
    if (watch->until_fd >= 0) {
        uv_poll_init(&screen.loop, &screen.until, watch->until_fd);
        screen.until.data = &screen;
        uv_poll_start(&screen.until, UV_READABLE | UV_DISCONNECT, on_until);
    }
    /* The background must not be stopped for looking whether it is one. */
    void (*on_output)(int) = signal(SIGTTOU, SIG_IGN);
    enter(&screen);
    uv_run(&screen.loop, UV_RUN_DEFAULT);
    signal(SIGTTOU, on_output);
out:
    uv_loop_close(&screen.loop);
    return error != 0 ? error : screen.ended_by;
}
