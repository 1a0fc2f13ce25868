/* hook_monitoring.c - the `monitoring` engine: sys.monitoring (PEP 669), 3.12 and later.
 *
 * Interpreter-wide: one registration sees every thread, also those that C code makes, from their
 * first frame; and no event needs a frame object. The callbacks are objects of a C type with a
 * vectorcall slot of its own: the interpreter calls straight into them.
 *
 * What holds: a callback returns None whatever happens, leaves errno and a pending exception
 * alone, and never asks to be disabled (DISABLE is wrong for C calls, whose site may call another
 * function next time, and is an error for some events in some versions).
 *
 * To agree with the profile hook, C functions are builtin functions and method descriptors; what
 * else is callable (types, partial objects, slot wrappers) is recorded when asked for (--all-calls).
 */
#include "ext/cfuncs.h"

#include <stdarg.h>

#if MT_HAVE_MONITORING

/* The events that are used, by their names in sys.monitoring.events: numbers differ from version
 * to version. X(NAME, needs C functions) */
#define MT_MONITORING_MAP(X)                                                                       \
    X(PY_START, false)                                                                             \
    X(PY_RESUME, false)                                                                            \
    X(PY_THROW, false)                                                                             \
    X(PY_RETURN, false)                                                                            \
    X(PY_YIELD, false)                                                                             \
    X(PY_UNWIND, false)                                                                            \
    X(CALL, true)                                                                                  \
    X(C_RETURN, true)                                                                              \
    X(C_RAISE, true)

static PyObject *monitoring; /* sys.monitoring; borrowed, it lives as long as we record */
static PyObject *missing;    /* sys.monitoring.MISSING; a reference for good */
static int tool = -1;        /* our id; -1: none */

/* ---- slow ends of the callbacks: jumped to, so that the callbacks need no stack frame */

__attribute__((noinline, cold)) static PyObject *emit_slow(uint32_t word)
{
    mt__emit_slow(word);
    Py_RETURN_NONE;
}

__attribute__((noinline, cold)) static PyObject *python_slow(PyCodeObject *code, enum mt_kind kind)
{
    mt__python_slow(code, NULL, kind);
    Py_RETURN_NONE;
}

__attribute__((noinline, cold)) static PyObject *c_slow(PyObject *callable, const PyMethodDef *def,
                                                        enum mt_kind kind)
{
    mt__c_slow(callable, def, kind);
    Py_RETURN_NONE;
}

static inline PyObject *emit(struct mt_slot *slot, enum mt_kind kind, uint64_t id)
{
    uint32_t word = (uint32_t)kind << MT_ID_BITS | (uint32_t)id;
    if (MT_UNLIKELY(!mt__emit_fast(slot, word)))
        return emit_slow(word);
    Py_RETURN_NONE;
}

/* What the interpreter calls. */
#define CALLBACK(name, expression)                                                                 \
    MT_HOT static PyObject *on_##name(PyObject *self, PyObject *const *args, size_t n,             \
                                      PyObject *names)                                             \
    {                                                                                              \
        (void)self;                                                                                \
        (void)n;                                                                                   \
        (void)names;                                                                               \
        return expression;                                                                         \
    }

/* Did C code fire this event, for something that is no code object? Then the rest of the arguments may be
 * anything, too. Recorded is what CPython runs. */
static inline bool fired_by_c(PyObject *const *args)
{
    return MT_EVENTS_FROM_C && MT_UNLIKELY(!PyCode_Check(args[0]));
}

/* ---- Python frames */

static inline PyObject *on_python(PyObject *const *args, enum mt_kind kind)
{
    struct mt_slot *slot = mt__slot;
    if (fired_by_c(args))
        Py_RETURN_NONE;
    PyCodeObject *code = (PyCodeObject *)args[0];
    uint64_t value = mt_code_value_hot(code);
    if (MT_UNLIKELY(!mt_id_valid(slot, value)))
        return python_slow(code, kind);
    return emit(slot, kind, value);
}

CALLBACK(PY_START, on_python(args, MT_KIND_PY_BEGIN))
CALLBACK(PY_RESUME, on_python(args, MT_KIND_PY_RESUME))
CALLBACK(PY_THROW, on_python(args, MT_KIND_PY_RESUME))
CALLBACK(PY_RETURN, on_python(args, MT_KIND_PY_END))
CALLBACK(PY_YIELD, on_python(args, MT_KIND_PY_SUSPEND))
CALLBACK(PY_UNWIND, on_python(args, MT_KIND_PY_END_EXC))

/* ---- C functions */

static inline PyObject *on_definition(PyObject *callable, const PyMethodDef *def, enum mt_kind kind)
{
    uint64_t value = mt_cfunc_value_hot(def);
    struct mt_slot *slot = mt__slot; /* late: the registers are few */
    if (MT_UNLIKELY(!mt_id_valid(slot, value)))
        return c_slow(callable, def, kind);
    if (kind == MT_KIND_C_BEGIN)
        mt_callee_set(slot, callable, value);
    return emit(slot, kind, value);
}

/* Neither a Python function nor exactly a builtin one or a method descriptor with its object. */
__attribute__((noinline)) static PyObject *on_other(PyObject *callable, enum mt_kind kind)
{
    PyTypeObject *type = Py_TYPE(callable);
    /* Without an object it is an error of the program's, of which no call comes. */
    if (type == &PyMethodDescr_Type)
        mt_callee_drop(mt__slot);
    else if (!PyType_Check(callable) && PyType_IsSubtype(type, &PyCFunction_Type))
        return on_definition(callable, ((PyCFunctionObject *)callable)->m_ml, kind);
    if (mt__all_calls)
        mt__object_slow(callable, kind);
    Py_RETURN_NONE;
}

static inline PyObject *on_c(PyObject *const *args, enum mt_kind kind)
{
    if (fired_by_c(args))
        Py_RETURN_NONE;
    PyObject *callable = args[2];
    PyTypeObject *type = Py_TYPE(callable);
    if (type == &PyCFunction_Type)
        return on_definition(callable, ((PyCFunctionObject *)callable)->m_ml, kind);
    if (type == &PyMethodDescr_Type && args[3] != missing)
        return on_definition(callable, ((PyMethodDescrObject *)callable)->d_method, kind);
    if (type == &PyFunction_Type) /* its own events tell of it */
        Py_RETURN_NONE;
    return on_other(callable, kind);
}

__attribute__((noinline)) static PyObject *on_other_end(PyObject *const *args, enum mt_kind kind)
{
    return on_c(args, kind);
}

static inline PyObject *on_c_end(PyObject *const *args, enum mt_kind kind)
{
    struct mt_slot *slot = mt__slot;
    if (fired_by_c(args))
        Py_RETURN_NONE;
    uint64_t id = mt_callee_take(slot, args[2]);
    if (!mt_id_valid(slot, id))
        return on_other_end(args, kind);
    return emit(slot, kind, id);
}

CALLBACK(CALL, on_c(args, MT_KIND_C_BEGIN))
CALLBACK(C_RETURN, on_c_end(args, MT_KIND_C_END))
CALLBACK(C_RAISE, on_c_end(args, MT_KIND_C_END_EXC))

/* ---- callbacks as objects */

struct callback {
    PyObject_HEAD
    vectorcallfunc vectorcall;
};

static PyTypeObject callback_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "mtrace._tracer.Callback",
    .tp_basicsize = sizeof(struct callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_doc = "Records one kind of event of sys.monitoring.",
    .tp_vectorcall_offset = offsetof(struct callback, vectorcall),
    .tp_call = PyVectorcall_Call,
};

static const struct {
    const char *name;
    bool of_c;
    vectorcallfunc function;
} events[] = {
#define X(name, of_c) {#name, of_c, on_##name},
    MT_MONITORING_MAP(X)
#undef X
};
/* One for each of them, made at the first start and kept: without a GIL another thread may be
 * inside one when the interpreter drops it. */
static PyObject *callbacks[sizeof events / sizeof events[0]];
enum { N_EVENTS = sizeof events / sizeof events[0] };

/* Calls monitoring.NAME(...) and drops the result. */
static int call(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PyObject *function = PyObject_GetAttrString(monitoring, name);
    PyObject *tuple = function != NULL ? Py_VaBuildValue(format, args) : NULL;
    va_end(args);
    PyObject *result = tuple != NULL ? PyObject_CallObject(function, tuple) : NULL;
    Py_XDECREF(function);
    Py_XDECREF(tuple);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/* The number of an event in this version; 0: none, with an exception. */
static long event_number(const char *name)
{
    PyObject *numbers = PyObject_GetAttrString(monitoring, "events");
    PyObject *number = numbers != NULL ? PyObject_GetAttrString(numbers, name) : NULL;
    long value = number != NULL ? PyLong_AsLong(number) : 0;
    Py_XDECREF(numbers);
    Py_XDECREF(number);
    return value > 0 ? value : 0;
}

/* Takes a free tool id: first those that nobody has a claim to by convention (0 is the debugger's,
 * 1 coverage's, 2 cProfile's, 5 an optimizer's), never 2, and never one that is in use. */
static int take_tool(void)
{
    static const int order[] = {4, 3, 5, 1, 0};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (call("use_tool_id", "(is)", order[i], "mtrace") == 0) {
            tool = order[i];
            return 0;
        }
        PyErr_Clear();
    }
    PyErr_SetString(PyExc_RuntimeError, "all tool ids of sys.monitoring are in use");
    return -1;
}

/* Takes everything back, as far as it was done. Keeps a pending exception. On a free-threaded
 * interpreter set_events and register_callback stop the world, which waits until all threads are
 * between two instructions, or detached. */
static void stop(void)
{
    struct mt_pending pending;
    if (tool < 0)
        return;
    mt__threads_follow_setprofile(false);
    mt_pending_save(&pending);
    if (call("set_events", "(ii)", tool, 0) != 0)
        PyErr_Clear();
    for (int i = 0; i < N_EVENTS; i++) {
        long number = event_number(events[i].name);
        if (number == 0 || call("register_callback", "(ilO)", tool, number, Py_None) != 0)
            PyErr_Clear();
    }
    if (call("free_tool_id", "(i)", tool) != 0)
        PyErr_Clear();
    tool = -1;
    mt_pending_restore(&pending);
}

static bool have_callback(int i)
{
    if (callbacks[i] != NULL)
        return true;
    struct callback *callback = PyObject_New(struct callback, &callback_type);
    if (callback == NULL)
        return false;
    callback->vectorcall = events[i].function;
    callbacks[i] = (PyObject *)callback;
    return true;
}

static int start(void)
{
    long all = 0;
    if (PyType_Ready(&callback_type) != 0 || take_tool() != 0)
        return -1;
    for (int i = 0; i < N_EVENTS; i++) {
        if (events[i].of_c && !mt__c_functions)
            continue;
        long number = event_number(events[i].name);
        if (number == 0 || !have_callback(i) ||
            call("register_callback", "(ilO)", tool, number, callbacks[i]) != 0)
            goto fail;
        all |= number;
    }
    mt__threads_follow_setprofile(mt__c_functions);
    mt__threads_adopt();
    /* C_RETURN and C_RAISE come with CALL and have no switch of their own in every version. */
    if (call("set_events", "(il)", tool, all) != 0)
        goto fail;
    return 0;
fail:
    stop();
    return -1;
}

static bool available(bool c_functions, const char **why_not)
{
    (void)c_functions;
    monitoring = PySys_GetObject("monitoring");
    *why_not = "sys.monitoring is missing";
    if (monitoring == NULL)
        return false;
    if (missing == NULL) {
        missing = PyObject_GetAttrString(monitoring, "MISSING");
        PyErr_Clear();
    }
    return missing != NULL;
}

const struct mt_hook mt__hook_monitoring = {
    .engine = MT_ENGINE_MONITORING,
    .name = "monitoring",
    .available = available,
    .start = start,
    .stop = stop,
};

#endif /* MT_HAVE_MONITORING */
