/* refuse.c - seccomp filters, as a sandbox installs them: the system calls of a given name are
 * answered with an error, all others work. Loaded with ctypes by the programs of test_hostile_*.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By which system call the recorder asks for something may differ: all that do the same. */
static const struct {
    const char *name;
    int number;
} calls[] = {
    {"open", SYS_openat},
#ifdef SYS_open
    {"open", SYS_open},
#endif
    {"stat", SYS_fstat},          {"stat", SYS_newfstatat},     {"chmod", SYS_fchmod},
    {"write", SYS_pwritev},       {"close", SYS_close},         {"mmap", SYS_mmap},
    {"munmap", SYS_munmap},       {"madvise", SYS_madvise},     {"futex", SYS_futex},
    {"getpid", SYS_getpid},       {"gettid", SYS_gettid},       {"geteuid", SYS_geteuid},
    {"getppid", SYS_getppid},     {"random", SYS_getrandom},    {"uname", SYS_uname},
    {"limits", SYS_prlimit64},    {"mask", SYS_rt_sigprocmask}, {"pending", SYS_rt_sigpending},
    {"clock", SYS_clock_gettime},
};
enum { N_CALLS = sizeof calls / sizeof calls[0] };

int refuse(const char *name, int error);
int refuse_kill(const char *name);

static int install(const char *name, unsigned action)
{
    struct sock_filter code[2 * N_CALLS + 4];
    unsigned short n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    for (int i = 0; i < N_CALLS; i++) {
        if (strcmp(calls[i].name, name) != 0)
            continue;
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)calls[i].number, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
    }
    if (n == 1) {
        errno = EINVAL;
        return -1;
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* From now on, on this thread and those that it starts. */
int refuse(const char *name, int error)
{
    return install(name, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA));
}

int refuse_kill(const char *name)
{
    return install(name, SECCOMP_RET_KILL);
}
