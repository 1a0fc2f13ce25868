/* thread_list.c - the interpreter's list of threads, and the profile function of one of them.
 *
 * Who holds the GIL may read the list, and follow it from one thread to the next. But CPython's own
 * way to set a profile function raises an audit event, and an audit hook in Python may let go of the
 * GIL; so may whatever else runs Python. Threads end meanwhile, and their states are freed. So a
 * thread is known by its number from then on, and found anew; new threads have higher numbers.
 *
 * With a GIL only. Runs on any thread of the interpreter.
 */
#include "ext/hook.h"

PyThreadState *mt__thread_below(uint64_t number)
{
    PyThreadState *found = NULL;
    for (PyThreadState *t = PyInterpreterState_ThreadHead(mt__interp); t != NULL;
         t = PyThreadState_Next(t)) {
        if (t->id < number && (found == NULL || t->id > found->id))
            found = t;
    }
    return found;
}

PyThreadState *mt__thread_numbered(uint64_t number)
{
    PyThreadState *t = mt__thread_below(number + 1);
    return t != NULL && t->id == number ? t : NULL;
}

#if MT_COUNTS_PROFILED
static int unused(PyObject *object, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)object;
    (void)frame;
    (void)what;
    (void)arg;
    return 0;
}

/* CPython's number of threads that have a profile function, by which it switches events on and off:
 * one more or one less, by way of this thread's own function, which ends up as it was. */
static int count_profiled(bool more)
{
    PyThreadState *self = PyThreadState_Get();
    Py_tracefunc function = self->c_profilefunc;
    PyObject *object = self->c_profileobj;
    int done;
    Py_XINCREF(object);
    if (more) {
        self->c_profilefunc = NULL;
        done = _PyEval_SetProfile(self, function != NULL ? function : unused, object);
        Py_XDECREF(object);
    } else {
        self->c_profilefunc = unused;
        done = _PyEval_SetProfile(self, NULL, NULL);
        if (done == 0)
            self->c_profileobj = object;
        else
            Py_XDECREF(object);
    }
    self->c_profilefunc = function;
    return done;
}
#else
static int count_profiled(bool more)
{
    (void)more;
    return 0;
}
#endif

int mt__thread_set_profile(uint64_t number, Py_tracefunc function)
{
    PyThreadState *self = PyThreadState_Get();
    if (self->id == number)
        return _PyEval_SetProfile(self, function, NULL);
    if (function != NULL && count_profiled(true) != 0)
        return -1;
    PyThreadState *tstate = mt__thread_numbered(number);
    bool changes = tstate != NULL && (tstate->c_profilefunc == NULL) == (function != NULL) &&
                   !mt_tstate_ended(tstate);
    if (changes)
        mt_tstate_set_profile(tstate, function);
    /* It may have ended meanwhile. */
    return (function == NULL) == changes ? count_profiled(false) : 0;
}
