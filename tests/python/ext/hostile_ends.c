/* hostile_ends.c - interpreters inside of this one, and code that runs when this one ends. */
#include "hostile.h"

#include <unistd.h>

static void say(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        return;
}

/* ---- interpreters */

/* in_interpreter(code, own_gil): runs it in a new one, which then ends. True: it raised nothing. */
static PyObject *in_interpreter(PyObject *module, PyObject *args)
{
    const char *code;
    int own_gil, failed;
    (void)module;
    if (!PyArg_ParseTuple(args, "sp", &code, &own_gil))
        return NULL;
    PyThreadState *before = PyThreadState_Get(), *inside = NULL;
#if PY_VERSION_HEX >= 0x030c0000
    if (own_gil) {
        const PyInterpreterConfig config = {.allow_threads = 1,
                                            .check_multi_interp_extensions = 1,
                                            .gil = PyInterpreterConfig_OWN_GIL};
        PyStatus status = Py_NewInterpreterFromConfig(&inside, &config);
        if (PyStatus_Exception(status))
            inside = NULL;
    } else
#endif
    {
        inside = Py_NewInterpreter();
    }
    if (inside == NULL) {
        PyThreadState_Swap(before);
        PyErr_SetString(PyExc_RuntimeError, "no interpreter");
        return NULL;
    }
    failed = PyRun_SimpleString(code);
    Py_EndInterpreter(inside);
    PyThreadState_Swap(before);
    return PyBool_FromLong(failed == 0);
}

/* ---- ends */

static void after_python(void)
{
    say("hostile: Py_AtExit\n");
}

/* at_exit(): a function that runs when Python is gone. */
static PyObject *at_exit(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyBool_FromLong(Py_AtExit(after_python) == 0);
}

static PyObject *at_unload;

/* at_unload(f): the library's destructor calls it, if there still is a Python. */
static PyObject *set_at_unload(PyObject *module, PyObject *callable)
{
    (void)module;
    Py_INCREF(callable);
    at_unload = callable;
    Py_RETURN_NONE;
}

__attribute__((destructor)) static void on_unload(void)
{
    if (at_unload == NULL)
        return;
    say(Py_IsInitialized() ? "hostile: destructor, with Python\n" : "hostile: destructor\n");
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        hostile_call(at_unload);
        PyGILState_Release(state);
    }
}

/* exit(status): libc's, in the middle of everything. */
static PyObject *exit_(PyObject *module, PyObject *status)
{
    (void)module;
    exit((int)PyLong_AsLong(status));
}

PyMethodDef hostile_ends[] = {
    {"in_interpreter", in_interpreter, METH_VARARGS, NULL},
    {"at_exit", at_exit, METH_NOARGS, NULL},
    {"at_unload", set_at_unload, METH_O, NULL},
    {"exit", exit_, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
