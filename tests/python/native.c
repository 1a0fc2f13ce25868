/* native.c - C code that forks and starts threads without telling Python, and a frame evaluation
 * hook. Loaded with ctypes by the programs of test_fork_in_c.py and test_engines.py: by PyDLL where
 * the caller keeps the GIL, by CDLL where it does not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_FORKS 1000

/* ---- forks */

long native_fork(int raw);
long native_fork_and_leave(int raw);
int native_start_forking(int n, int raw);
int native_n_forks(void);
int native_child(int i);
int native_is_child(void);

/* raw: the system call, so that neither libc nor its pthread_atfork handlers know. */
long native_fork(int raw)
{
    if (!raw)
        return fork();
#ifdef SYS_fork
    return syscall(SYS_fork);
#else
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

long native_fork_and_leave(int raw)
{
    long pid = native_fork(raw);
    if (pid == 0)
        _exit(0);
    return pid;
}

static volatile sig_atomic_t n_forks, max_forks, raw_forks, is_child;
static pid_t children[MAX_FORKS];

/* One shot after a time that is never the same, for every place of the program to be met. */
static void set_alarm(void)
{
    static unsigned state = 1;
    state = state * 1103515245 + 12345;
    struct itimerval timer = {.it_value = {0, 20 + (state >> 16) % 400}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Whatever it interrupts, the child goes on with it. Children have no such timer. */
static void on_alarm(int number)
{
    int saved = errno;
    (void)number;
    long pid = native_fork((int)raw_forks);
    if (pid == 0) {
        is_child = 1;
    } else {
        if (pid > 0)
            children[n_forks++] = (pid_t)pid;
        if (n_forks < max_forks)
            set_alarm();
    }
    errno = saved;
}

/* Forks n times in a signal handler. */
int native_start_forking(int n, int raw)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    max_forks = n < MAX_FORKS ? n : MAX_FORKS;
    raw_forks = raw;
    if (sigaction(SIGALRM, &action, NULL) != 0)
        return -1;
    set_alarm();
    return 0;
}

int native_n_forks(void)
{
    return (int)n_forks;
}

int native_child(int i)
{
    return children[i];
}

int native_is_child(void)
{
    return (int)is_child;
}

/* ---- threads */

typedef void native_callback(int argument);

struct native_thread {
    pthread_t thread;
    native_callback *callback;
    int argument, n_calls;
    char name[16];
};

int native_thread_start(struct native_thread *thread);
int native_thread_join(struct native_thread *thread);

static void *thread_main(void *argument)
{
    struct native_thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    for (int i = 0; i < thread->n_calls; i++)
        thread->callback(thread->argument);
    return NULL;
}

int native_thread_start(struct native_thread *thread)
{
    return pthread_create(&thread->thread, NULL, thread_main, thread);
}

int native_thread_join(struct native_thread *thread)
{
    return pthread_join(thread->thread, NULL);
}

/* ---- frame evaluation (PEP 523), and the C stack */

typedef void *native_evaluate(void *tstate, void *frame, int throwing);

long native_stack_left(void);
void native_set_evaluate(native_evaluate *function);
void *native_eval(void *tstate, void *frame, int throwing);
long native_n_evaluated(void);

/* Bytes that this thread's stack has left, its guard not counted. */
long native_stack_left(void)
{
    pthread_attr_t attr;
    void *lowest = NULL;
    size_t bytes = 0, guard = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return -1;
    pthread_attr_getstack(&attr, &lowest, &bytes);
    pthread_attr_getguardsize(&attr, &guard);
    pthread_attr_destroy(&attr);
    return (char *)__builtin_frame_address(0) - (char *)lowest - (long)guard;
}

static native_evaluate *evaluate; /* the interpreter's own */
static long n_evaluated;

void native_set_evaluate(native_evaluate *function)
{
    evaluate = function;
}

/* A hook, as a debugger or a compiler installs it. */
void *native_eval(void *tstate, void *frame, int throwing)
{
    n_evaluated++;
    return evaluate(tstate, frame, throwing);
}

long native_n_evaluated(void)
{
    return n_evaluated;
}
