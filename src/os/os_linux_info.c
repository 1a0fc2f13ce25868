/* os_linux_info.c - what the recorder asks Linux about its process and machine: ids, names, clocks.
 * See os.h for what holds for all of it; memory and files are in os_linux.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "os/cancel.h"

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

bool mt_os_tid_exists(uint32_t tid)
{
    int saved = errno;
    bool exists = syscall(SYS_tgkill, mt_os_pid(), tid, 0) == 0 || errno != ESRCH;
    errno = saved;
    return exists;
}

static uint64_t read_ns(clockid_t clock);

/* Reads a small file of procfs or sysfs, which give what fits at once; returns its length, 0 on any
 * trouble; always NUL-terminated. */
static size_t slurp(const char *path, char *out, size_t size)
{
    ssize_t got = 0;
    int cancel_state = mt__forbid_cancel();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        do
            got = read(fd, out, size - 1);
        while (got < 0 && errno == EINTR);
        close(fd);
    }
    mt__allow_cancel(cancel_state);
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
    if (stat("/proc/self/ns/time", &st) == 0)
        out->time_ns = st.st_ino;
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
    if (inout->start_time == 0) {
        inout->start_time = start_time_of(inout->pid);
        /* In another time namespace the two moments are not near each other. */
        if (stat("/proc/self/ns/time", &st) == 0)
            inout->time_ns = st.st_ino;
    }
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
        uint64_t x = read_ns(CLOCK_REALTIME) ^ (uint64_t)mt_os_tid() << 40 ^ mt_os_monotonic_ns();
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

/* Where the counter must not be read, libc must not be asked for the time either: it reads the same
 * counter (vDSO). Set before recording starts. */
static bool ask_kernel;

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now = {0, 0};
    if (ask_kernel)
        syscall(SYS_clock_gettime, clock, &now);
    else
        clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t mt_os_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t mt_os_boot_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

#if defined(__x86_64__)
/* The kernel trusts the TSC itself, or the CPU says that it is invariant under a hypervisor whose
 * own clock the kernel prefers; and nobody has forbidden to read it. */
static bool tsc_trusted(void)
{
    char source[64];
    int mode = 0;
    if (prctl(PR_GET_TSC, &mode, 0, 0, 0) == 0 && mode != PR_TSC_ENABLE) {
        ask_kernel = true;
        return false;
    }
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
    uint64_t best = UINT64_MAX;
    out->tick = out->mono_ns = 0;
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
    uint64_t real = read_ns(CLOCK_REALTIME);
    out->real_ns = real - (mt_os_monotonic_ns() - out->mono_ns);
}
