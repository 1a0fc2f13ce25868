/* hooks.c - _mtbench: hooks that record nothing, to measure mtrace beside. One does nothing at all:
 * what CPython's dispatch costs. One reads the clock that mtrace reads, and drops it: the floor of
 * any tracer. Built by bench/BUILD for every CPython; used by bench/inside/tools.py.
 *
 * The hooks are installed the way the engines of src/ext install theirs, and stay to the end of the
 * process; PyEval_SetProfile sees the calling thread only.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <frameobject.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "os/os.h"

static bool has_counter; /* else the clock is CLOCK_MONOTONIC */

static inline void read_clock(void)
{
    uint64_t now = __builtin_expect(has_counter, 1) ? mt_os_counter() : mt_os_monotonic_ns();
    __asm__ volatile("" : : "r"(now));
}

/* ---- setprofile */

static int profile_empty(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self, (void)frame, (void)what, (void)arg;
    return 0;
}

static int profile_clock(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self, (void)frame, (void)what, (void)arg;
    read_clock();
    return 0;
}

/* ---- monitoring, 3.12 and later */

#if PY_VERSION_HEX >= 0x030c0000
struct callback {
    PyObject_HEAD
    vectorcallfunc vectorcall;
};

static PyObject *monitoring_empty(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    (void)self, (void)args, (void)n, (void)names;
    Py_RETURN_NONE;
}

static PyObject *monitoring_clock(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    (void)self, (void)args, (void)n, (void)names;
    read_clock();
    Py_RETURN_NONE;
}

static PyTypeObject callback_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_mtbench.Callback",
    .tp_basicsize = sizeof(struct callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(struct callback, vectorcall),
    .tp_call = PyVectorcall_Call,
};

/* What sys.monitoring.register_callback() is to be given. */
static PyObject *callback(PyObject *self, PyObject *args)
{
    int clock;
    (void)self;
    if (!PyArg_ParseTuple(args, "p", &clock) || PyType_Ready(&callback_type) != 0)
        return NULL;
    struct callback *made = PyObject_New(struct callback, &callback_type);
    if (made != NULL)
        made->vectorcall = clock ? monitoring_clock : monitoring_empty;
    return (PyObject *)made;
}
#endif

/* ---- frame, up to 3.11 */

#if PY_VERSION_HEX < 0x030c0000
#if PY_VERSION_HEX >= 0x030b0000
typedef struct _PyInterpreterFrame eval_frame;
#else
typedef PyFrameObject eval_frame;
#endif

static PyObject *eval_empty(PyThreadState *tstate, eval_frame *frame, int throwing)
{
    return _PyEval_EvalFrameDefault(tstate, frame, throwing);
}

static PyObject *eval_clock(PyThreadState *tstate, eval_frame *frame, int throwing)
{
    read_clock();
    PyObject *result = _PyEval_EvalFrameDefault(tstate, frame, throwing);
    read_clock();
    return result;
}

static PyObject *set_frame(PyObject *self, PyObject *args)
{
    int clock;
    (void)self;
    if (!PyArg_ParseTuple(args, "p", &clock))
        return NULL;
    _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(), clock ? eval_clock : eval_empty);
    Py_RETURN_NONE;
}
#endif

static PyObject *set_profile(PyObject *self, PyObject *args)
{
    int clock;
    (void)self;
    if (!PyArg_ParseTuple(args, "p", &clock))
        return NULL;
    PyEval_SetProfile(clock ? profile_clock : profile_empty, NULL);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"set_profile", set_profile, METH_VARARGS, "set_profile(clock)"},
#if PY_VERSION_HEX >= 0x030c0000
    {"callback", callback, METH_VARARGS, "callback(clock)"},
#else
    {"set_frame", set_frame, METH_VARARGS, "set_frame(clock)"},
#endif
    {NULL, NULL, 0, NULL},
};

static int exec(PyObject *module)
{
    (void)module;
    has_counter = mt_os_clock_choose() != MT_CLOCK_MONOTONIC;
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)exec},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_mtbench", .m_doc = "Hooks that record nothing.",
    .m_methods = methods,  .m_slots = slots,
};

/* NOLINTNEXTLINE(misc-use-internal-linkage): CPython finds it by name. */
PyMODINIT_FUNC PyInit__mtbench(void);
PyMODINIT_FUNC PyInit__mtbench(void)
{
    return PyModuleDef_Init(&module);
}
