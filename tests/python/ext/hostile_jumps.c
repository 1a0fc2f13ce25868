/* hostile_jumps.c - C code that leaves calls by longjmp, also those of Python functions, and that
 * runs Python on C stacks of its own. The interpreter is told as little as it needs to go on.
 */
#include "hostile.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030d0000
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#endif

/* ---- where the interpreter is: as much as a library of coroutines keeps for each */

struct place {
#if PY_VERSION_HEX < 0x030b0000
    struct _frame *frame;
    int depth;
#if PY_VERSION_HEX >= 0x030a0000
    struct _cframe *cframe;
#endif
#elif PY_VERSION_HEX < 0x030d0000
    _PyCFrame *cframe;
    struct _PyInterpreterFrame *frame;
    int depth, c_depth;
#else
    struct _PyInterpreterFrame *frame;
    int depth, c_depth;
#endif
};

/* Where the interpreter's own stack of Python frames goes on: each C stack needs one. */
struct data_stack {
#if PY_VERSION_HEX >= 0x030b0000
    _PyStackChunk *chunk;
    PyObject **top, **limit;
#else
    char none;
#endif
};

static void keep_place(struct place *place)
{
    PyThreadState *tstate = PyThreadState_Get();
#if PY_VERSION_HEX < 0x030b0000
    place->frame = tstate->frame;
    place->depth = tstate->recursion_depth;
#if PY_VERSION_HEX >= 0x030a0000
    place->cframe = (struct _cframe *)tstate->cframe;
#endif
#elif PY_VERSION_HEX < 0x030d0000
    place->cframe = tstate->cframe;
    place->frame = tstate->cframe->current_frame;
#if PY_VERSION_HEX < 0x030c0000
    place->depth = tstate->recursion_remaining;
#else
    place->depth = tstate->py_recursion_remaining;
    place->c_depth = tstate->c_recursion_remaining;
#endif
#else
    place->frame = tstate->current_frame;
    place->depth = tstate->py_recursion_remaining;
#if PY_VERSION_HEX < 0x030e0000
    place->c_depth = tstate->c_recursion_remaining;
#endif
#endif
}

static void go_back_to(const struct place *place)
{
    PyThreadState *tstate = PyThreadState_Get();
#if PY_VERSION_HEX < 0x030b0000
    tstate->frame = place->frame;
    tstate->recursion_depth = place->depth;
#if PY_VERSION_HEX >= 0x030a0000
    ((CFrame *)place->cframe)->use_tracing = tstate->cframe->use_tracing;
    tstate->cframe = (CFrame *)place->cframe;
#endif
#elif PY_VERSION_HEX < 0x030d0000
#if PY_VERSION_HEX < 0x030c0000
    place->cframe->use_tracing = tstate->cframe->use_tracing;
    tstate->recursion_remaining = place->depth;
#else
    tstate->py_recursion_remaining = place->depth;
    tstate->c_recursion_remaining = place->c_depth;
#endif
    tstate->cframe = place->cframe;
    tstate->cframe->current_frame = place->frame;
#else
    tstate->current_frame = place->frame;
    tstate->py_recursion_remaining = place->depth;
#if PY_VERSION_HEX < 0x030e0000
    tstate->c_recursion_remaining = place->c_depth;
#endif
#endif
}

static void keep_data_stack(struct data_stack *data)
{
#if PY_VERSION_HEX >= 0x030b0000
    PyThreadState *tstate = PyThreadState_Get();
    *data = (struct data_stack){tstate->datastack_chunk, tstate->datastack_top,
                                tstate->datastack_limit};
#else
    (void)data;
#endif
}

static void go_back_to_data_stack(const struct data_stack *data)
{
#if PY_VERSION_HEX >= 0x030b0000
    PyThreadState *tstate = PyThreadState_Get();
    tstate->datastack_chunk = data->chunk;
    tstate->datastack_top = data->top;
    tstate->datastack_limit = data->limit;
#else
    (void)data;
#endif
}

/* ---- longjmp */

static struct catcher {
    jmp_buf where;
    struct place place;
    struct catcher *outer;
} *innermost;

/* catch(f): what f() returns, or the number that a jump() inside it gave. The Python calls between
 * the two are never ended; what they hold leaks. */
static PyObject *catch(PyObject *module, PyObject *callable)
{
    struct catcher catcher = {.outer = innermost};
    PyObject *volatile result = NULL;
    (void)module;
    keep_place(&catcher.place);
    innermost = &catcher;
    int number = setjmp(catcher.where);
    if (number == 0) {
        result = PyObject_CallObject(callable, NULL);
    } else {
        go_back_to(&catcher.place);
        result = PyLong_FromLong(number);
    }
    innermost = catcher.outer;
    return result;
}

static PyObject *jump(PyObject *module, PyObject *number)
{
    (void)module;
    longjmp(innermost->where, (int)PyLong_AsLong(number));
}

/* Within one C function: no Python call is left. */
static __attribute__((noinline)) void jump_out(jmp_buf where)
{
    longjmp(where, 1);
}
static PyObject *jump_inside(PyObject *module, PyObject *unused)
{
    jmp_buf where;
    volatile long n = 0;
    (void)module;
    (void)unused;
    if (setjmp(where) != 0)
        n++;
    if (n < 1)
        jump_out(where);
    return PyLong_FromLong(n);
}

/* ---- a bad access in C code, caught on a stack of its own */

static sigjmp_buf after_fault;

static void on_fault(int number)
{
    siglongjmp(after_fault, number);
}

/* fault(f or None): calls f, then reads where nothing is, which is caught. */
static PyObject *fault(PyObject *module, PyObject *callable)
{
    static char stack_bytes[65536];
    stack_t stack = {.ss_sp = stack_bytes, .ss_size = sizeof stack_bytes}, old_stack;
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK}, old;
    volatile int number = 0;
    (void)module;
    char *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, &old_stack);
    sigaction(SIGSEGV, &action, &old);
    if (callable != Py_None)
        hostile_call(callable);
    number = sigsetjmp(after_fault, 1);
    if (number == 0)
        number = *(volatile char *)nothing;
    sigaction(SIGSEGV, &old, NULL);
    sigaltstack(&old_stack, NULL);
    munmap(nothing, 4096);
    return PyLong_FromLong(number);
}

/* ---- other C stacks */

enum { STACK_BYTES = 1 << 20, N_STACKS = 4 };
static struct strand {
    ucontext_t context;
    struct place place;
    struct data_stack data;
    PyObject *callable, *result;
    void *stack;
    int done;
} strands[N_STACKS], home_strand;
static int current = -1; /* of strands; -1: home */

static struct strand *strand_at(int i)
{
    return i < 0 ? &home_strand : &strands[i];
}

static void switch_to(int i)
{
    struct strand *from = strand_at(current);
    keep_place(&from->place);
    keep_data_stack(&from->data);
    current = i;
    swapcontext(&from->context, &strand_at(i)->context);
    go_back_to(&from->place);
    go_back_to_data_stack(&from->data);
}

static void strand_main(void)
{
    struct strand *strand = strand_at(current);
    go_back_to_data_stack(&(struct data_stack){0});
    strand->result = PyObject_CallObject(strand->callable, NULL);
    strand->done = 1;
    switch_to(-1);
}

/* run_strands(f, ...): each on a C stack of its own, in turns; they switch by turn(). */
static PyObject *run_strands(PyObject *module, PyObject *args)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    PyObject *results = PyList_New(0);
    (void)module;
    memset(strands, 0, sizeof strands);
    for (Py_ssize_t i = 0; i < n && i < N_STACKS; i++) {
        struct strand *strand = &strands[i];
        strand->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                             -1, 0);
        strand->callable = PyTuple_GET_ITEM(args, i);
        getcontext(&strand->context);
        strand->context.uc_stack.ss_sp = strand->stack;
        strand->context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&strand->context, strand_main, 0);
    }
    for (int left = (int)n; left > 0;) {
        left = 0;
        for (int i = 0; i < n; i++) {
            if (strands[i].done)
                continue;
            switch_to(i);
            left += !strands[i].done;
        }
    }
    for (int i = 0; i < n; i++) {
        munmap(strands[i].stack, STACK_BYTES);
        if (strands[i].result == NULL) {
            Py_DECREF(results);
            return NULL;
        }
        PyList_Append(results, strands[i].result);
        Py_DECREF(strands[i].result);
    }
    return results;
}

/* turn(): the others' turn, until it is ours again. */
static PyObject *turn(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    int me = current;
    switch_to(-1);
    return PyLong_FromLong(me);
}

PyMethodDef hostile_jumps[] = {
    {"catch", catch, METH_O, NULL},
    {"jump", jump, METH_O, NULL},
    {"jump_inside", jump_inside, METH_NOARGS, NULL},
    {"fault", fault, METH_O, NULL},
    {"run_strands", run_strands, METH_VARARGS, NULL},
    {"turn", turn, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
