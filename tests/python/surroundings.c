/* surroundings.c - to be preloaded (LD_PRELOAD): a file system and clocks that are not what they
 * are here. Used by test_hostile_*.py. MTEST_SURROUNDINGS has words with commas between:
 *
 *   nfs            no fallocate, no MADV_POPULATE_WRITE, and a write takes one page at a time
 *   full-on-close  while a file "full" is in the current directory, what was written to a file that
 *                  can be read, too, turns out at close() to have had no place: NFS, quotas
 *   taken-over     after the third write of that kind its descriptor is the file "own" of the current
 *                  directory; counted once that is there and not empty
 *   frozen         no clock goes on
 *   set-back       CLOCK_REALTIME is set back by an hour with each reading
 *   backwards      CLOCK_MONOTONIC goes back by a second with each reading
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int has(const char *word)
{
    const char *words = getenv("MTEST_SURROUNDINGS");
    return words != NULL && strstr(words, word) != NULL;
}

int fallocate(int fd, int mode, off_t offset, off_t n)
{
    if (has("nfs")) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, offset, n);
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's names are not for programs */

int madvise(void *at, size_t n, int advice)
{
    if (has("nfs") && advice == MADV_POPULATE_WRITE) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, at, n, advice);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int n, off_t offset)
{
    struct iovec page;
    if (has("nfs") && n > 0) {
        page = pieces[0];
        page.iov_len = page.iov_len < 4096 ? page.iov_len : 4096;
        pieces = &page;
        n = 1;
    }
    ssize_t done = syscall(SYS_pwritev, fd, pieces, n, (long)offset, 0L);
    static int n_writes;
    struct stat st;
    if (has("taken-over") && stat("own", &st) == 0 && st.st_size > 0 && ++n_writes == 3) {
        int own = open("own", O_RDWR);
        if (own != -1)
            dup2(own, fd);
    }
    return done;
}

int close(int fd)
{
    int flags = has("full-on-close") ? fcntl(fd, F_GETFL) : -1;
    int status = (int)syscall(SYS_close, fd);
    if (flags == -1 || (flags & O_ACCMODE) != O_RDWR || access("full", F_OK) != 0)
        return status;
    errno = ENOSPC;
    return -1;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    static long n_real, n_mono;
    int status = (int)syscall(SYS_clock_gettime, clock, out);
    if (status != 0)
        return status;
    if (has("frozen"))
        *out = (struct timespec){.tv_sec = 1000000000};
    if (clock == CLOCK_REALTIME && has("set-back"))
        out->tv_sec -= 3600 * ++n_real % 100000000;
    if (clock == CLOCK_MONOTONIC && has("backwards"))
        out->tv_sec += 1000000 - ++n_mono % 1000000;
    return 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
