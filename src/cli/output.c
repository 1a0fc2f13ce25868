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
#include <poll.h>
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

/* The kernel lets pages pile up and then stops whoever writes, until the disk has caught up. So a big
 * file is sent on its way window by window, with two of them under way, from the size on at which the
 * kernel would begin, too, a tenth of the memory. What is on the disk is dropped from memory, which is
 * then used again for the next window: three times as fast as a plain write, and worth more than
 * having in memory a part of a file that no viewer opens at once. Smaller files stay there. */
#define WINDOW_BYTES (UINT64_C(32) << 20)
#define MEMORY_SHARE 10
#define FALLBACK_BYTES (UINT64_C(1) << 30)

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t windows_from(void)
{
    long n_pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    if (n_pages <= 0 || page_bytes <= 0)
        return FALLBACK_BYTES;
    return (uint64_t)n_pages / MEMORY_SHARE * (uint64_t)page_bytes;
}

void mt__output_init(struct mt_output *output, int fd, bool progress)
{
    struct stat st;
    bool known = !fstat(fd, &st);
    *output = (struct mt_output){.fd = fd, .is_regular = known && S_ISREG(st.st_mode)};
    output->shows_progress = progress && isatty(STDERR_FILENO) && !isatty(fd);
    output->start_ns = output->last_ns = now_ns();
    output->next_window = output->is_regular ? windows_from() : UINT64_MAX;
    if (known && S_ISFIFO(st.st_mode) && fcntl(fd, F_GETPIPE_SZ) < PIPE_BYTES)
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* or not */
}

/* Sends a part of the file on its way, or waits until it has arrived. What went wrong on the way is told
 * here and nowhere else; that it cannot be done with such a file is nothing wrong. */
static void sync_part(struct mt_output *output, off_t from, off_t to, unsigned flags)
{
    if (sync_file_range(output->fd, from, to - from, flags) < 0 &&
        (errno == EIO || errno == ENOSPC || errno == EDQUOT))
        output->error = errno;
}

/* A window is full: off with it; and wait for the one before. */
static void send_window(struct mt_output *output)
{
    off_t end = lseek(output->fd, 0, SEEK_CUR), from = (off_t)output->sent_from;
    off_t to = (off_t)output->sent_to;
    output->next_window = output->n_bytes + WINDOW_BYTES;
    if (end <= to)
        return;
    if (to > from) {
        sync_part(output, from, to,
                  SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
        posix_fadvise(output->fd, from, to - from, POSIX_FADV_DONTNEED);
    }
    sync_part(output, to, end, SYNC_FILE_RANGE_WRITE);
    output->sent_from = output->sent_to;
    output->sent_to = (uint64_t)end;
}

/* A terminal or pipe may be set to not wait by whoever else has it. */
static bool await_room(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    return poll(&room, 1, -1) >= 0 || errno == EINTR;
}

bool mt__output_write(void *context, const char *at, size_t n_left)
{
    struct mt_output *output = context;
    while (n_left) {
        ssize_t n = write(output->fd, at, n_left);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && await_room(output->fd))))
            continue;
        if (n < 0) {
            output->error = errno;
            return false;
        }
        at += n;
        n_left -= (size_t)n;
        output->n_bytes += (uint64_t)n;
    }
    if (output->n_bytes >= output->next_window)
        send_window(output);
    return !output->error;
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
