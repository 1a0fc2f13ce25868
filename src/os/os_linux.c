/* os_linux.c - the recorder's memory, files and signals on Linux. See os.h for what holds for all of it;
 * what it asks about process and machine is in os_linux_info.c.
 *
 * Facts that shaped it: a sparse shared mapping raises SIGBUS on a full disk, a written one does
 * not, so pages are written (pwrite) before they are mapped; MAP_POPULATE does not make pages of a
 * shared file mapping writable, MADV_POPULATE_WRITE does (5.14), touching them does everywhere.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "os/cancel.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* What is written to make room; small enough for the CPU's first cache. Never written, but not const
 * either: as pages of the extension's file, each child of a fork would have to map them anew. */
static char zeros[16384] __attribute__((used));

/* What one page of the MMU's tables covers, where pages have 4 KiB. */
#define TABLE_BYTES ((uintptr_t)2 << 20)

/* ---- memory */

void *mt_os_pages(size_t bytes)
{
    int saved = errno;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return at == MAP_FAILED ? NULL : at;
}

void *mt_os_wiped_pages(size_t bytes, bool *wiped)
{
    int saved = errno;
    void *at = mt_os_pages(bytes);
    *wiped = at != NULL && madvise(at, bytes, MADV_WIPEONFORK) == 0;
    errno = saved;
    return at;
}

void mt_os_unmap(void *at, size_t bytes)
{
    int saved = errno;
    munmap(at, bytes);
    errno = saved;
}

void mt_os_seal(void *at, size_t bytes)
{
    int saved = errno;
    (void)mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
}

/* The kernel reads it, and says what a load would die of. It does not wait, not even for a word that
 * happens to be the one: the time is over. */
bool mt_os_readable(const void *at)
{
    enum { UNLIKELY = 0x6d747263 };
    int saved = errno;
    const struct timespec none = {0, 0};
    bool readable = syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, UNLIKELY, &none, NULL, 0) == 0 ||
                    errno == EAGAIN || errno == ETIMEDOUT;
    errno = saved;
    return readable;
}

/* ---- files */

/* This thread's signals are blocked by mt_os_block_signals(). A handler of the program never sees
 * it set. */
static __thread bool blocked __attribute__((tls_model("initial-exec")));

void mt_os_block_signals(struct mt_os_mask *mask)
{
    int saved = errno;
    sigset_t all;
    mask->outermost = !blocked;
    if (mask->outermost) {
        mask->cancel_state = mt__forbid_cancel();
        sigfillset(&all);
        /* A filter may refuse it. Then there is no mask to go back to. */
        mask->masked = pthread_sigmask(SIG_SETMASK, &all, &mask->saved) == 0;
        mt_store_relaxed(&blocked, mask->masked);
    }
    errno = saved;
}

void mt_os_restore_signals(const struct mt_os_mask *mask)
{
    int saved = errno;
    if (mask->outermost) {
        mt_store_relaxed(&blocked, false);
        if (mask->masked)
            pthread_sigmask(SIG_SETMASK, &mask->saved, NULL);
        errno = saved;
        mt__allow_cancel(mask->cancel_state);
    }
    errno = saved;
}

static bool xfsz_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
}

/* The signal that came with EFBIG: not the program's business. */
static void take_back_xfsz(void)
{
    const struct timespec now = {0, 0};
    sigset_t xfsz;
    sigemptyset(&xfsz);
    sigaddset(&xfsz, SIGXFSZ);
    sigtimedwait(&xfsz, NULL, &now);
}

/* In one call, because a file system that has large folios makes one of what one call writes. */
static int write_zeros(int fd, uint64_t offset, uint32_t bytes)
{
    enum { PIECES = 16 };
    struct iovec pieces[PIECES];
    /* Asked first, because the kernel's answer comes with SIGXFSZ. The limit may shrink in between:
     * then the signal is taken back, unless the program had one coming. */
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        offset + bytes > limit.rlim_cur)
        return EFBIG;
    bool had_xfsz = xfsz_pending();
    while (bytes > 0) {
        int n = 0;
        for (size_t left = bytes; left > 0 && n < PIECES; left -= pieces[n++].iov_len) {
            pieces[n].iov_base = zeros;
            pieces[n].iov_len = left < sizeof zeros ? left : sizeof zeros;
        }
        ssize_t done = pwritev(fd, pieces, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            int error = errno;
            if (error == EFBIG && !had_xfsz && xfsz_pending())
                take_back_xfsz();
            return error;
        }
        if (done == 0)
            return EIO;
        offset += (uint64_t)done;
        bytes -= (uint32_t)done;
    }
    return 0;
}

static bool within_table(const void *at, size_t bytes)
{
    return ((uintptr_t)at ^ ((uintptr_t)at + bytes - 1)) < TABLE_BYTES;
}

/* An address with room for `bytes`, within one page of the MMU's tables; NULL: none was found. */
static void *find_room(size_t bytes)
{
    char *room = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                      0);
    if (room == MAP_FAILED)
        return NULL;
    munmap(room, 2 * bytes);
    size_t to_table = -(uintptr_t)room & (TABLE_BYTES - 1);
    return to_table < bytes ? room + to_table : room;
}

/* Maps a part of a file, within one page of the MMU's tables where that can be: only there does one
 * fault make all of a large folio writable; else each page takes a fault of its own, and looks at
 * the whole folio. */
static void *map_part(int fd, uint64_t offset, uint32_t bytes)
{
    const int prot = PROT_READ | PROT_WRITE;
    void *at = mmap(NULL, bytes, prot, MAP_SHARED, fd, (off_t)offset);
    if (at == MAP_FAILED || within_table(at, bytes))
        return at;
    munmap(at, bytes);
    /* A wish, no more: what lies there by now stays. */
    return mmap(find_room(bytes), bytes, prot, MAP_SHARED, fd, (off_t)offset);
}

static bool is_file(int fd, const struct mt_os_file *file, struct stat *st)
{
    return fstat(fd, st) == 0 && st->st_dev == file->dev && st->st_ino == file->ino;
}

/* EBADF: another thread has closed the descriptor meanwhile, and the number may be the program's. */
static int map_present(int fd, const struct mt_os_file *file, uint64_t offset, uint32_t bytes,
                       void **map)
{
    struct stat st;
    char *at = map_part(fd, offset, bytes);
    if (at == MAP_FAILED)
        return errno;
    /* It named the file before, and does now: it did when it was mapped. */
    if (!is_file(fd, file, &st)) {
        munmap(at, bytes);
        return EBADF;
    }
    if (madvise(at, bytes, MADV_POPULATE_WRITE) != 0) {
        for (uint32_t i = 0; i < bytes; i += MT_PAGE_BYTES)
            mt_store_relaxed(at + i, 0);
    }
    *map = at;
    return 0;
}

/* Makes room in the open file, and maps it. Returns an errno; closes the descriptor unless it is not
 * ours any more. */
static int write_and_map(int fd, const struct mt_os_file *file, uint64_t offset, uint32_t bytes,
                         void **map)
{
    int error = write_zeros(fd, offset, bytes);
    if (error == 0)
        error = map_present(fd, file, offset, bytes, map);
    if (error == EBADF || close(fd) == 0 || error != 0 || errno == EINTR)
        return error;
    /* Some file systems (NFS, quotas) find out about want of space only now. */
    error = errno;
    munmap(*map, bytes);
    return error;
}

int mt_os_create(const char *path, uint32_t bytes, struct mt_os_file *file, void **map)
{
    int saved = errno;
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) {
        int error = errno;
        errno = saved;
        return error;
    }
    int error = fstat(fd, &st) == 0 ? 0 : errno;
    /* The program's umask may have taken what is needed to open the file again. */
    if (error == 0 && (st.st_mode & 0777) != 0600 && fchmod(fd, 0600) != 0)
        error = errno;
    if (error == 0) {
        *file = (struct mt_os_file){.dev = st.st_dev, .ino = st.st_ino};
        error = write_and_map(fd, file, 0, bytes, map);
    } else {
        close(fd);
    }
    if (error != 0)
        unlink(path);
    errno = saved;
    return error;
}

/* Once; EBADF: to be tried again. */
static int append(const char *path, const struct mt_os_file *file, uint64_t offset, uint32_t bytes,
                  void **map)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno;
    if (is_file(fd, file, &st) && st.st_nlink != 0 && (uint64_t)st.st_size >= offset)
        return write_and_map(fd, file, offset, bytes, map);
    int error = fstat(fd, &st) == 0 ? ESTALE : errno;
    if (error != EBADF)
        close(fd);
    return error;
}

int mt_os_append(const char *path, const struct mt_os_file *file, uint64_t offset, uint32_t bytes,
                 void **map)
{
    enum { TRIES = 3 };
    int saved = errno, error = EBADF;
    for (int i = 0; i < TRIES && error == EBADF; i++)
        error = append(path, file, offset, bytes, map);
    errno = saved;
    return error;
}

void mt_os_futex_wait(const uint32_t *word, uint32_t while_value)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_value, NULL, NULL, 0);
    errno = saved;
}

void mt_os_futex_wake(const uint32_t *word)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}
