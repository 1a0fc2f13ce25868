/* output.c - writes a timeline's bytes into a descriptor and says how far it is. Called by feed.c, on
 * whichever thread has the next bytes, one call at a time.
 *
 * Pipes get write() and not vmsplice(): a reader may splice our pages on, into pipes of its own (as pv
 * does), so there is no moment from which they could be used again, and pages that are new each time
 * cost as much as the copy.
 */
#define _GNU_SOURCE
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

/* What an unprivileged process may ask for. A reader and a writer wake each other less often. */
#define PIPE_BYTES (1 << 20)
/* At most ten times a second, and nothing for what is over at once. */
#define SHOW_EACH_NS UINT64_C(100000000)
#define SHOW_AFTER_NS UINT64_C(500000000)
/* Back to the line's start, and away with what is there. */
#define WIPE "\r\33[K"

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void mt__output_init(struct mt_output *output, int fd, bool progress)
{
    struct stat st;
    bool known = !fstat(fd, &st);
    *output = (struct mt_output){.fd = fd, .is_regular = known && S_ISREG(st.st_mode)};
    output->shows_progress = progress && isatty(STDERR_FILENO) && !isatty(fd);
    output->start_ns = output->last_ns = now_ns();
    if (known && S_ISFIFO(st.st_mode) && fcntl(fd, F_GETPIPE_SZ) < PIPE_BYTES)
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* or not */
}

bool mt__output_write(void *context, const char *at, size_t n_left)
{
    struct mt_output *output = context;
    while (n_left) {
        ssize_t n = write(output->fd, at, n_left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            output->error = errno;
            return false;
        }
        at += n;
        n_left -= (size_t)n;
        output->n_bytes += (uint64_t)n;
    }
    return true;
}

/* ---- progress */

static void show(const struct mt_output *output, uint64_t dur_ns, uint64_t n_done, uint64_t n_all)
{
    char bytes[32], rate[32];
    double seconds = (double)dur_ns / 1e9;
    double left = seconds / (double)n_done * (double)(n_all - n_done);
    fprintf(stderr, WIPE "%3.0f %%, %s, %s/s, %.0f s left", 100.0 * (double)n_done / (double)n_all,
            mt_cli_bytes_text(output->n_bytes, bytes, sizeof bytes),
            mt_cli_bytes_text((uint64_t)((double)output->n_bytes / seconds), rate, sizeof rate),
            left);
    fflush(stderr);
}

void mt__output_progress(void *context, uint64_t n_done, uint64_t n_all)
{
    struct mt_output *output = context;
    if (!output->shows_progress || !n_done)
        return;
    uint64_t ns = now_ns();
    if (ns - output->start_ns < SHOW_AFTER_NS || ns - output->last_ns < SHOW_EACH_NS)
        return;
    output->last_ns = ns;
    output->shown = true;
    show(output, ns - output->start_ns, n_done, n_all);
}

void mt__output_fini(struct mt_output *output)
{
    if (!output->shown)
        return;
    fputs(WIPE, stderr);
    fflush(stderr);
}
