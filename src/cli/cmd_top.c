/* cmd_top.c - `mtrace top`: shows a run while it goes on. Called by main.c, and for `run --top` by
 * run_top.c.
 *
 * It reads the growing trace files and asks /proc whether their processes exist; nothing else of the
 * machine, and nothing of the processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/alive.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/top.h"
#include "cli/watch.h"

static const char synopsis[] = "mtrace top [--interval S] [-n N] [--window S] [--once] [--json] "
                               "[-s KEY] [--filter TEXT] [-i] [-a] [--max-records N] DIR";
static const char summary[] =
    "Shows what runs in all processes that write trace files into DIR: calls per second, what each\n"
    "thread is in now, and the functions with the most time of their own in the last seconds.\n"
    "It reads the files and nothing else, so the processes do not notice. h tells the keys.";

/* Words of 8 bytes that are read per second at most, and at first: what is new of the threads, and
 * backwards until their open calls are known. */
#define WORDS_PER_S 1500000.0
#define WORDS_CALLS_PER_S 12000000.0
#define WORDS_AT_FIRST 16000000u
#define WORDS_ONCE 32000000u

struct words {
    const char *interval, *n, *window, *sort, *filter, *max_records;
    bool once, json, idle, all;
};

struct how {
    double interval_s, window_s;
    unsigned long n_updates; /* 0: without end */
    bool once;
    unsigned long n_records; /* that a look reads at most; 0: as above */
    int fd, until_fd;
    bool (*goes_on)(void *context); /* asked at each look; NULL: yes */
    void *context;
    bool gone; /* the terminal */
    struct mt_top top;
    struct mt_buf out;
    enum mt_status status;
    struct mt_error error;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------------------------------ understanding */

static bool parse_seconds(const char *text, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && *out >= 0.05 && *out <= 86400;
}

static bool parse_count(const char *text, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *text != '-' && *out > 0;
}

/* A key is for each view that has it. */
static bool set_sort(struct mt_top *top, const char *name)
{
    bool any = false;
    for (unsigned mode = 0; mode < MT_TOP_N_MODES; mode++)
        any = mt__top_sort_named((enum mt_top_mode)mode, name, &top->sort[mode]) || any;
    return any;
}

static void init_top(struct mt_top *top, const char *directory)
{
    *top = (struct mt_top){
        .directory = directory,
        .sort = {MT_TOP_BY_CALLS, MT_TOP_BY_CALLS, MT_TOP_BY_SELF},
        .only_process = MT_NONE,
        .n_columns = 80,
        .n_rows = 24,
    };
}

/* What was asked for; false: that is wrong usage, and said. */
static bool understand(const struct words *words, struct how *how)
{
    if (!parse_seconds(words->interval, &how->interval_s))
        mt_cli_usage("top", "--interval is a number of seconds from 0.05 on, not %s",
                     words->interval);
    else if (!parse_seconds(words->window, &how->window_s))
        mt_cli_usage("top", "--window is a number of seconds from 0.05 on, not %s", words->window);
    else if (words->n && !parse_count(words->n, &how->n_updates))
        mt_cli_usage("top", "-n is a number from 1 on, not %s", words->n);
    else if (words->max_records && !parse_count(words->max_records, &how->n_records))
        mt_cli_usage("top", "--max-records is a number from 1 on, not %s", words->max_records);
    else if (words->sort && !set_sort(&how->top, words->sort))
        mt_cli_usage("top",
                     "--sort is calls, self, bytes, threads, depth, lost, pid or name, not %s",
                     words->sort);
    else if (strlen(words->filter) >= sizeof how->top.filter)
        mt_cli_usage("top", "--filter is at most %zu bytes long", sizeof how->top.filter - 1);
    else {
        strcpy(how->top.filter, words->filter);
        how->top.idle = words->idle;
        how->top.all = words->all;
        how->once = words->once;
        how->n_updates = words->once ? 1 : how->n_updates;
        return true;
    }
    return false;
}

static enum mt_status open_live(struct how *how, const char *directory, const uint8_t *run_id)
{
    double window_s = how->window_s > how->interval_s ? how->window_s : how->interval_s;
    struct mt_live_options options = {
        .directory = directory,
        .run_id = run_id,
        .window_ns = (uint64_t)(window_s * 1e9),
        .first_ns = (uint64_t)(how->interval_s * 1e9),
        .n_words_max = (uint64_t)(how->interval_s * WORDS_PER_S),
        .n_words_calls = (uint64_t)(how->interval_s * WORDS_CALLS_PER_S),
        .n_words_max_first = how->once ? WORDS_ONCE : WORDS_AT_FIRST,
        .state = mt__process_state,
    };
    if (how->n_records) {
        options.n_words_max = options.n_words_max_first = how->n_records;
        options.n_words_calls = 0;
    }
    enum mt_status status = mt_live_new(&options, &how->top.live);
    if (status == MT_OK)
        how->top.view = mt_live_view(how->top.live);
    return status;
}

static void close_live(struct how *how)
{
    mt_live_free(how->top.live);
    free(how->top.rows);
    mt_buf_fini(&how->top.name);
    mt_buf_fini(&how->out);
}

/* ----------------------------------------------------------------------------------- without screen */

static void sleep_until(uint64_t ns)
{
    struct timespec at = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static enum mt_status put(struct how *how, bool json)
{
    how->status = mt_live_update(how->top.live, now_ns(), &how->error);
    if (how->status != MT_OK)
        return how->status;
    mt_buf_clear(&how->out);
    how->status = json ? mt__top_put_json(&how->top, &how->out)
                       : mt__top_put_all(&how->top, mt_cli_output_width("-"), &how->out);
    return how->status;
}

static void print_updates(struct how *how, bool json)
{
    uint64_t next = now_ns();
    for (unsigned long i = 0; !how->n_updates || i < how->n_updates; i++) {
        if (i) {
            next += (uint64_t)(how->interval_s * 1e9);
            sleep_until(next);
        }
        if (put(how, json) != MT_OK)
            return;
        if (i && !json)
            putchar('\n');
        fwrite(how->out.data, 1, how->out.n_bytes, stdout);
        if (fflush(stdout) != 0)
            return;
    }
}

/* -------------------------------------------------------------------------------------- on a screen */

static bool show(struct how *how)
{
    mt_buf_clear(&how->out);
    how->status = mt__top_put_screen(&how->top, &how->out);
    if (how->status != MT_OK)
        return false;
    how->gone = !mt__watch_write(how->fd, how->out.data, how->out.n_bytes);
    return !how->gone;
}

static bool on_tick(void *context)
{
    struct how *how = context;
    if (how->top.paused)
        return true;
    how->status = mt_live_update(how->top.live, now_ns(), &how->error);
    if (how->status != MT_OK || !show(how))
        return false;
    if (how->n_updates == 0)
        return true;
    how->n_updates--;
    return how->n_updates != 0;
}

static bool goes_on(void *context)
{
    struct how *how = context;
    return !how->goes_on || how->goes_on(how->context);
}

static bool on_key(void *context, const char *bytes, size_t n_bytes)
{
    struct how *how = context;
    return mt__top_take_keys(&how->top, bytes, n_bytes) && show(how);
}

static bool on_size(void *context, int n_columns, int n_rows)
{
    struct how *how = context;
    bool first = how->top.view->interval_ns == 0;
    how->top.n_columns = n_columns;
    how->top.n_rows = n_rows;
    return first ? on_tick(how) : show(how);
}

static int watch(struct how *how)
{
    struct mt_watch what = {
        .interval_ms = (uint64_t)(how->interval_s * 1e3),
        .goes_on = goes_on,
        .tick = on_tick,
        .key = on_key,
        .size = on_size,
        .context = how,
        .until_fd = how->until_fd,
    };
    int ended_by = mt__watch(how->fd, &what);
    if (how->gone)
        ended_by = SIGHUP;
    if (ended_by < 0)
        mt_cli_error("the terminal cannot be used: %s", strerror(-ended_by));
    return ended_by < 0 ? MT_EXIT_TROUBLE : ended_by > 0 ? 128 + ended_by : MT_EXIT_OK;
}

/* A terminal to read keys from and to write to: what a shell gives is that, what was opened for one of
 * both (`< /dev/tty`) is not. -1: there is none. */
static int open_terminal(void)
{
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++) {
        if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
            return fd;
    }
    return open("/dev/tty", O_RDWR | O_CLOEXEC);
}

/* Says what kept it from going on. */
static int conclude(struct how *how, int exit_status)
{
    if (how->status == MT_OK)
        return exit_status;
    if (how->status == MT_NOMEM)
        mt_cli_error("out of memory");
    else
        mt_cli_print_error(&how->error);
    return MT_EXIT_TROUBLE;
}

int mt__top_show(const struct mt_top_run *run, int *signal_number)
{
    struct how how = {.interval_s = 1,
                      .window_s = 10,
                      .fd = run->fd,
                      .until_fd = run->until_fd,
                      .goes_on = run->goes_on,
                      .context = run->context};
    init_top(&how.top, run->directory);
    int exit_status = MT_EXIT_TROUBLE;
    how.status = open_live(&how, run->directory, run->run_id);
    if (how.status == MT_OK)
        exit_status = watch(&how);
    exit_status = conclude(&how, exit_status);
    *signal_number = how.top.signal_number;
    close_live(&how);
    return exit_status;
}

/* -------------------------------------------------------------------------------------- the command */

static bool is_directory(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        mt_cli_error("%s: cannot be looked at: %s", path, strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        mt_cli_error("%s: is no directory; `top` wants the one that trace files are written to",
                     path);
    else
        return true;
    return false;
}

int mt_cmd_top(int argc, char **argv)
{
    struct words words = {.interval = "1", .window = "10", .filter = ""};
    const struct mt_option options[] = {
        {0, "interval", "S", "seconds between two looks; default: 1", NULL, &words.interval},
        {'n', "updates", "N", "leave after N looks", NULL, &words.n},
        {0, "window", "S", "seconds that the functions are of; default: 10", NULL, &words.window},
        {0, "once", NULL, "print all views once, of the last interval, and leave", &words.once,
         NULL},
        {0, "json", NULL, "print an object for each look, a line each", &words.json, NULL},
        {'s', "sort", "KEY",
         "calls, self, bytes, threads, depth, lost, pid or name, in the views that have it", NULL,
         &words.sort},
        {0, "filter", "TEXT", "only rows with TEXT in a name, a path or an open call", NULL,
         &words.filter},
        {'i', "idle", NULL, "time of idle threads counts, too", &words.idle, NULL},
        {0, "max-records", "N",
         "how many records a look reads; default: 1.5 million for each second, more at first", NULL,
         &words.max_records},
        {'a', "all", NULL, "also processes that ended more than a minute ago", &words.all, NULL},
        {0},
    };
    struct how how = {.fd = -1, .until_fd = -1};
    int exit_status;
    int n = mt_options_parse(argc, argv, options, synopsis, summary, false, &exit_status);
    if (n < 0)
        return exit_status;
    if (n != 1)
        return mt_cli_usage("top", n ? "there is more than one DIR" : "there is no DIR to look at");
    init_top(&how.top, argv[1]);
    if (!understand(&words, &how))
        return MT_EXIT_USAGE;
    bool screen = !words.once && !words.json;
    if (screen && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        return mt_cli_usage("top", "this is no terminal; --once and --json need none");
    if (screen && mt__watch_refused())
        return mt_cli_usage("top", "%s, so there is no screen; --once and --json need none",
                            mt__watch_refused());
    if (!is_directory(argv[1]))
        return MT_EXIT_TROUBLE;
    if (screen)
        how.fd = open_terminal();
    if (screen && how.fd < 0) {
        mt_cli_error("the terminal cannot be opened: %s", strerror(errno));
        return MT_EXIT_TROUBLE;
    }
    mt_cli_writes_output();
    exit_status = MT_EXIT_OK;
    how.status = open_live(&how, argv[1], NULL);
    if (how.status == MT_OK && screen)
        exit_status = watch(&how);
    else if (how.status == MT_OK)
        print_updates(&how, words.json);
    exit_status = conclude(&how, exit_status);
    close_live(&how);
    return screen ? exit_status : mt_cli_finish_stdout(exit_status);
}
