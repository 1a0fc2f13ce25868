/* os_linux.c - the recorder's system calls on Linux. See os.h for what holds for all of them.
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
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/atomic.h"

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

/* ---- identity */

uint32_t mt_os_pid(void)
{
    return (uint32_t)syscall(SYS_getpid);
}

uint32_t mt_os_tid(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

uint32_t mt_os_uid(void)
{
    return (uint32_t)syscall(SYS_geteuid);
}

/* Nothing here may be a cancellation point: a thread would end in the middle of it, at a place of the
 * program that is none. Returns what must be given to allow_cancel(). */
static int forbid_cancel(void)
{
    int state = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    return state;
}

/* Where the thread may be cancelled at any time, and was meanwhile, it ends here: as if at a cancellation
 * point, because glibc's pthread_setcancelstate() would end it without PTHREAD_CANCELED. */
static void allow_cancel(int state)
{
    int type;
    if (state != PTHREAD_CANCEL_ENABLE)
        return;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    pthread_setcancelstate(state, NULL);
    if (type == PTHREAD_CANCEL_DEFERRED)
        return;
    pthread_testcancel();
    pthread_setcanceltype(type, NULL);
}

/* Reads a small file of procfs or sysfs, which give what fits at once; returns its length, 0 on any
 * trouble; always NUL-terminated. */
static size_t slurp(const char *path, char *out, size_t size)
{
    ssize_t got = 0;
    int cancel_state = forbid_cancel();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        do
            got = read(fd, out, size - 1);
        while (got < 0 && errno == EINTR);
        close(fd);
    }
    allow_cancel(cancel_state);
    size_t n = got > 0 ? (size_t)got : 0;
    out[n] = '\0';
    return n;
}

/* "/proc/", the number, then the rest. */
static void proc_path(char *out, const char *before, uint32_t number, const char *rest)
{
    char digits[12];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    out = stpcpy(out, before);
    while (n > 0)
        *out++ = digits[--n];
    stpcpy(out, rest);
}

/* Field 22 of /proc/PID/stat; the second field may hold blanks and parentheses. */
static uint64_t start_time_of(uint32_t pid)
{
    char path[64], text[1024];
    proc_path(path, "/proc/", pid, "/stat");
    if (slurp(path, text, sizeof text) == 0)
        return 0;
    const char *at = strrchr(text, ')');
    if (at == NULL)
        return 0;
    for (int field = 2; field < 22; field++) {
        at = strchr(at + 1, ' ');
        if (at == NULL)
            return 0;
    }
    uint64_t value = 0;
    for (at++; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

static void read_boot_id(uint8_t out[16])
{
    char text[64];
    memset(out, 0, 16);
    if (slurp("/proc/sys/kernel/random/boot_id", text, sizeof text) == 0)
        return;
    size_t n = 0;
    for (const char *at = text; *at != '\0' && n < 32; at++) {
        int digit;
        if (*at >= '0' && *at <= '9')
            digit = *at - '0';
        else if (*at >= 'a' && *at <= 'f')
            digit = *at - 'a' + 10;
        else
            continue;
        out[n / 2] = (uint8_t)(out[n / 2] << 4 | digit);
        n++;
    }
}

void mt_os_process_info(struct mt_os_process *out)
{
    int saved = errno;
    struct utsname name;
    struct stat st;
    memset(out, 0, sizeof *out);
    out->pid = mt_os_pid();
    out->ppid = (uint32_t)syscall(SYS_getppid);
    out->uid = mt_os_uid();
    out->start_time = start_time_of(out->pid);
    out->parent_start_time = out->ppid != 0 ? start_time_of(out->ppid) : 0;
    if (stat("/proc/self/ns/pid", &st) == 0)
        out->pid_ns = st.st_ino;
    read_boot_id(out->boot_id);
    if (uname(&name) == 0) {
        size_t n = strnlen(name.nodename, sizeof out->host - 1);
        memcpy(out->host, name.nodename, n);
    }
    errno = saved;
}

/* The start time of a process that began between `forked_ns` and now; 0: cannot be told. The kernel
 * says it in clock ticks of 10 ms, and both moments mostly lie in the same one. To ask it costs as
 * much as to make a file. */
static uint64_t start_time_since(uint64_t forked_ns)
{
    const uint64_t ns = UINT64_C(10000000);
    return forked_ns != 0 && forked_ns / ns == mt_os_boot_ns() / ns ? forked_ns / ns : 0;
}

void mt_os_process_child(struct mt_os_process *inout, uint64_t forked_ns)
{
    int saved = errno;
    struct stat st;
    uint32_t parent = inout->pid;
    uint64_t parent_start_time = inout->start_time;
    inout->pid = mt_os_pid();
    inout->ppid = (uint32_t)syscall(SYS_getppid);
    inout->uid = mt_os_uid();
    inout->start_time = start_time_since(forked_ns);
    if (inout->start_time == 0)
        inout->start_time = start_time_of(inout->pid);
    if (inout->ppid == parent) { /* which a child in a new namespace would not see: it would be 0 */
        inout->parent_start_time = parent_start_time;
    } else {
        inout->parent_start_time = inout->ppid != 0 ? start_time_of(inout->ppid) : 0;
        if (stat("/proc/self/ns/pid", &st) == 0)
            inout->pid_ns = st.st_ino;
    }
    errno = saved;
}

void mt_os_random(uint8_t *out, size_t n)
{
    int saved = errno;
    if (getrandom(out, n, GRND_NONBLOCK) != (ssize_t)n) {
        /* Early boot or a filter: what tells two files of one machine apart is enough. */
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t x = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
        x ^= (uint64_t)mt_os_tid() << 40 ^ mt_os_counter();
        for (size_t i = 0; i < n; i++) { /* splitmix64 */
            x += UINT64_C(0x9e3779b97f4a7c15);
            uint64_t z = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
            out[i] = (uint8_t)((z ^ z >> 27) * UINT64_C(0x94d049bb133111eb) >> 56);
        }
    }
    errno = saved;
}

void mt_os_thread_name(uint32_t tid, char *out, size_t size)
{
    int saved = errno;
    char path[64];
    proc_path(path, "/proc/self/task/", tid, "/comm");
    size_t n = slurp(path, out, size);
    if (n > 0 && out[n - 1] == '\n')
        out[n - 1] = '\0';
    /* Any bytes may be in it, cut anywhere. */
    for (char *at = out; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
    errno = saved;
}

/* ---- clock */

uint64_t mt_os_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t mt_os_boot_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
/* The kernel trusts the TSC itself, or the CPU says that it is invariant under a hypervisor whose
 * own clock the kernel prefers; and nobody has forbidden to read it. */
static bool tsc_trusted(void)
{
    char source[64];
    int mode = 0;
    if (prctl(PR_GET_TSC, &mode, 0, 0, 0) == 0 && mode != PR_TSC_ENABLE)
        return false;
    slurp("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
          sizeof source);
    if (strncmp(source, "tsc", 3) == 0)
        return true;
    if (strncmp(source, "kvm-clock", 9) != 0 && strncmp(source, "hyperv", 6) != 0)
        return false;
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 1u << 8) != 0;
}
#endif

enum mt_clock mt_os_clock_choose(void)
{
#if defined(__x86_64__)
    int saved = errno;
    bool trusted = tsc_trusted();
    errno = saved;
    return trusted ? MT_CLOCK_TSC : MT_CLOCK_MONOTONIC;
#elif defined(__aarch64__)
    return MT_CLOCK_CNTVCT;
#else
    return MT_CLOCK_MONOTONIC;
#endif
}

void mt_os_clock_pair(enum mt_clock clock, struct mt_clock_pair *out)
{
    struct timespec real;
    uint64_t best = UINT64_MAX;
    /* The reading with the smallest distance between its two counter values was disturbed least. */
    for (int i = 0; i < 3; i++) {
        uint64_t before = clock == MT_CLOCK_MONOTONIC ? mt_os_monotonic_ns() : mt_os_counter();
        uint64_t mono = mt_os_monotonic_ns();
        uint64_t after = clock == MT_CLOCK_MONOTONIC ? mono : mt_os_counter();
        if (after - before >= best)
            continue;
        best = after - before;
        out->tick = clock == MT_CLOCK_MONOTONIC ? mono : before + best / 2;
        out->mono_ns = mono;
    }
    clock_gettime(CLOCK_REALTIME, &real);
    uint64_t since = mt_os_monotonic_ns() - out->mono_ns;
    out->real_ns = (uint64_t)real.tv_sec * UINT64_C(1000000000) + (uint64_t)real.tv_nsec - since;
}

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
    mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
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
        mask->cancel_state = forbid_cancel();
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &mask->saved);
        mt_store_relaxed(&blocked, true);
    }
    errno = saved;
}

void mt_os_restore_signals(const struct mt_os_mask *mask)
{
    int saved = errno;
    if (mask->outermost) {
        mt_store_relaxed(&blocked, false);
        pthread_sigmask(SIG_SETMASK, &mask->saved, NULL);
        errno = saved;
        allow_cancel(mask->cancel_state);
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

static int map_present(int fd, uint64_t offset, uint32_t bytes, void **map)
{
    char *at = map_part(fd, offset, bytes);
    if (at == MAP_FAILED)
        return errno;
    if (madvise(at, bytes, MADV_POPULATE_WRITE) != 0) {
        for (uint32_t i = 0; i < bytes; i += MT_PAGE_BYTES)
            mt_store_relaxed(at + i, 0);
    }
    *map = at;
    return 0;
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
    if (error == 0)
        error = write_zeros(fd, 0, bytes);
    if (error == 0)
        error = map_present(fd, 0, bytes, map);
    close(fd);
    if (error != 0)
        unlink(path);
    else
        *file = (struct mt_os_file){.dev = st.st_dev, .ino = st.st_ino};
    errno = saved;
    return error;
}

int mt_os_append(const char *path, const struct mt_os_file *file, uint64_t offset, uint32_t bytes,
                 void **map)
{
    int saved = errno, error = 0;
    struct stat st;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        error = errno;
        errno = saved;
        return error;
    }
    if (fstat(fd, &st) != 0)
        error = errno;
    else if (st.st_dev != file->dev || st.st_ino != file->ino || st.st_nlink == 0 ||
             (uint64_t)st.st_size < offset)
        error = ESTALE;
    if (error == 0)
        error = write_zeros(fd, offset, bytes);
    if (error == 0)
        error = map_present(fd, offset, bytes, map);
    close(fd);
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
