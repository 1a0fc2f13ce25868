/* hostile_threads.c - threads that C code makes, and their unusual ends. */
#include "hostile.h"

#include <pthread.h>
#include <semaphore.h>

/* ---- threads that call back */

struct work {
    PyObject *callable;
    long n_calls;
    const char *mode;
};

static void *call_back(void *argument)
{
    const struct work *work = argument;
    bool keep = strchr(work->mode, 'k') != NULL;   /* one state for all calls */
    bool nested = strchr(work->mode, 'n') != NULL; /* a state inside a state */
    bool let_go = strchr(work->mode, 'r') != NULL; /* and the GIL is let go of in between */
    PyGILState_STATE outer = PyGILState_UNLOCKED, inner = PyGILState_LOCKED;
    if (keep)
        outer = PyGILState_Ensure();
    for (long i = 0; i < work->n_calls; i++) {
        if (!keep)
            outer = PyGILState_Ensure();
        if (nested)
            inner = PyGILState_Ensure();
        hostile_call(work->callable);
        if (nested)
            PyGILState_Release(inner);
        if (let_go) {
            Py_BEGIN_ALLOW_THREADS;
            sched_yield();
            Py_END_ALLOW_THREADS;
        }
        if (!keep)
            PyGILState_Release(outer);
    }
    if (keep)
        PyGILState_Release(outer);
    return NULL;
}

/* call_from_threads(f, n_threads, n_calls, mode): in as many threads at once; waits for them. */
static PyObject *call_from_threads(PyObject *module, PyObject *args)
{
    enum { MAX = 256 };
    pthread_t threads[MAX];
    struct work work;
    int n;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oils", &work.callable, &n, &work.n_calls, &work.mode))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    for (int i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, call_back, &work);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

/* ---- ends in the middle of a call */

static void *call_on_thread(void *argument)
{
    PyGILState_STATE state = PyGILState_Ensure();
    hostile_call(argument);
    PyGILState_Release(state);
    return NULL;
}

static sem_t waits;

static PyObject *run_thread(PyObject *callable, int cancel)
{
    pthread_t thread;
    void *end = NULL;
    Py_BEGIN_ALLOW_THREADS;
    pthread_create(&thread, NULL, call_on_thread, callable);
    if (cancel) {
        sem_wait(&waits);
        pthread_cancel(thread);
    }
    pthread_join(thread, &end);
    Py_END_ALLOW_THREADS;
    return PyBool_FromLong(end == PTHREAD_CANCELED);
}

/* run_in_thread(f): waits for it. */
static PyObject *run_in_thread(PyObject *module, PyObject *callable)
{
    (void)module;
    return run_thread(callable, 0);
}

/* cancel_in_thread(f): once f has come to wait_for_cancel(), which never returns. */
static PyObject *cancel_in_thread(PyObject *module, PyObject *callable)
{
    (void)module;
    sem_init(&waits, 0, 0);
    return run_thread(callable, 1);
}

static PyObject *wait_for_cancel(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyEval_SaveThread(); /* the state stays in the interpreter's list */
    sem_post(&waits);
    for (;;)
        pause();
    return NULL;
}

/* exit_thread(): the calling thread ends here. */
static PyObject *exit_thread(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyEval_SaveThread();
    pthread_exit(NULL);
}

/* start_thread(f): runs on, whatever becomes of the interpreter. */
static PyObject *start_thread(PyObject *module, PyObject *callable)
{
    pthread_t thread;
    (void)module;
    Py_INCREF(callable);
    pthread_create(&thread, NULL, call_on_thread, callable);
    pthread_detach(thread);
    Py_RETURN_NONE;
}

/* check_signals(n): as loops in C do; with the exception of a handler. */
static PyObject *check_signals(PyObject *module, PyObject *times)
{
    (void)module;
    for (long n = PyLong_AsLong(times); n > 0; n--) {
        if (PyErr_CheckSignals() != 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef hostile_threads[] = {
    {"call_from_threads", call_from_threads, METH_VARARGS, NULL},
    {"run_in_thread", run_in_thread, METH_O, NULL},
    {"cancel_in_thread", cancel_in_thread, METH_O, NULL},
    {"wait_for_cancel", wait_for_cancel, METH_NOARGS, NULL},
    {"exit_thread", exit_thread, METH_NOARGS, NULL},
    {"start_thread", start_thread, METH_O, NULL},
    {"check_signals", check_signals, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
