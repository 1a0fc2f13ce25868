/* merge.c - a set in, a sink's bytes out: the driver behind `mtrace merge` and `mtrace run -o`. On the
 * calling thread, but for what feed.c does.
 *
 * Invariant: a file with the output's name is complete, or was there before; a failed write is told
 * and never lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/output.h"

struct mt_set *mt_cli_open_set(char **paths, int n_paths)
{
    struct mt_set *set;
    enum mt_status status = mt_set_new(&mt_cli_reporter, &set);
    for (int i = 0; status == MT_OK && i < n_paths; i++)
        status = mt_set_add(set, paths[i]);
    if (status == MT_OK)
        status = mt_set_finish(set);
    if (status == MT_OK)
        return set;
    mt_cli_error("%s", mt_status_text(status));
    mt_set_free(set);
    return NULL;
}

bool mt_cli_write_set(struct mt_set *set, int fd, const char *shown, const struct mt_merge *how)
{
    struct mt_output output;
    mt__output_init(&output, fd, how->shows_progress);
    struct mt_feed feed = {.set = set,
                           .sink = how->format.sink,
                           .options = how->options,
                           .codec = how->format.codec,
                           .n_workers = how->n_workers,
                           .write = mt__output_write,
                           .progress = mt__output_progress,
                           .context = &output};
    enum mt_status status = mt_cli_feed(&feed);
    mt__output_fini(&output);
    if (output.error == EPIPE)
        return true;
    if (output.error)
        mt_cli_error("%s: cannot be written: %s", shown, strerror(output.error));
    else if (status != MT_OK)
        mt_cli_error("%s: cannot be made: %s", shown, mt_status_text(status));
    return !output.error && status == MT_OK;
}

int mt_cli_merge_set(struct mt_set *set, int out_fd, const char *out_name,
                     const struct mt_merge *how)
{
    bool written = mt_cli_write_set(set, out_fd, out_name, how);
    return written && !mt_set_n_errors(set) ? MT_EXIT_OK : MT_EXIT_TROUBLE;
}

/* ---- a file that appears when it is complete */

static char *volatile unfinished_path; /* read by the handler; NULL: nothing to remove */

static const int deadly_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define N_DEADLY (sizeof deadly_signals / sizeof *deadly_signals)

/* Takes the unfinished file away, and then lets the signal do what it would have done. */
static void remove_unfinished(int number)
{
    if (unfinished_path)
        unlink(unfinished_path);
    signal(number, SIG_DFL);
    raise(number);
}

static void guard_unfinished(char *path, struct sigaction old[N_DEADLY])
{
    unfinished_path = path;
    struct sigaction action = {.sa_handler = remove_unfinished};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < N_DEADLY; i++) {
        if (!sigaction(deadly_signals[i], NULL, &old[i]) && old[i].sa_handler == SIG_DFL)
            sigaction(deadly_signals[i], &action, NULL);
    }
}

static void unguard_unfinished(const struct sigaction old[N_DEADLY])
{
    unfinished_path = NULL;
    for (size_t i = 0; i < N_DEADLY; i++)
        sigaction(deadly_signals[i], &old[i], NULL);
}

/* Where the bytes go at last: a link's target, and not the link. To be freed; NULL: no memory. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

/* Makes FILE.PID.tmp beside the file, with its mode if it is there. Returns a descriptor, or -1. */
static int open_unfinished(const char *path, char **out)
{
    struct mt_buf name = {0};
    mt_buf_printf(&name, "%s.%ld.tmp", path, (long)getpid());
    *out = strdup(mt_buf_text(&name));
    mt_buf_fini(&name);
    if (!*out || !**out) {
        errno = ENOMEM;
        return -1;
    }
    struct stat st;
    bool is_there = !stat(path, &st);
    mode_t mode = is_there ? st.st_mode & 0777 : 0666;
    int fd = open(*out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd >= 0 && is_there)
        (void)!fchmod(fd, mode); /* what the umask took */
    return fd;
}

/* A terminal, pipe or /dev/null is written to as it is. */
static int merge_in_place(struct mt_set *set, const char *path, const struct mt_merge *how)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        mt_cli_error("%s: cannot be written: %s", path, strerror(errno));
        return MT_EXIT_TROUBLE;
    }
    int exit_status = mt_cli_merge_set(set, fd, path, how);
    close(fd);
    return exit_status;
}

int mt_cli_merge_to_path(struct mt_set *set, const char *path, const struct mt_merge *how)
{
    struct stat st;
    if (!stat(path, &st) && !S_ISREG(st.st_mode))
        return merge_in_place(set, path, how);
    char *unfinished = NULL, *real = resolve(path);
    int fd = real ? open_unfinished(real, &unfinished) : -1;
    bool made = false;
    if (fd < 0) {
        mt_cli_error("%s: cannot be written: %s", path, strerror(errno));
    } else {
        struct sigaction old[N_DEADLY];
        guard_unfinished(unfinished, old);
        made = mt_cli_write_set(set, fd, path, how);
        /* Closing brings out the last errors of some file systems. */
        if ((close(fd) || (made && rename(unfinished, real))) && made) {
            mt_cli_error("%s: cannot be written: %s", path, strerror(errno));
            made = false;
        }
        if (!made)
            unlink(unfinished);
        unguard_unfinished(old);
    }
    free(unfinished);
    free(real);
    return made && !mt_set_n_errors(set) ? MT_EXIT_OK : MT_EXIT_TROUBLE;
}
