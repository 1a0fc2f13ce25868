/* threads.c - every thread gets the hook.
 *
 * There is no callback for a new thread. So: `threading` installs our object in its threads by
 * itself (threading.setprofile); a walk over the interpreter's list of threads finds all others,
 * when `_thread` has just made one, or when the list has a new head (C code made one). The same
 * walk gives the hook back to threads that lost it: a profiler in the program, up to 3.11 also
 * cProfile, takes the place of ours without a word, but not without an audit event.
 *
 * A hook that the program has set is never displaced, and sees what it would see without us. Runs
 * with the GIL; without one, only what follows sys.setprofile does, each time of the own thread.
 */
#include "ext/hook.h"

#include <errno.h>

uint64_t mt__seen_thread;

static Py_tracefunc the_hook; /* NULL: not recording */
static bool setting;          /* the audit event is our own */
/* `threading` gives this thread our object: it loses no hook. */
static __thread bool threading_sets __attribute__((tls_model("initial-exec")));
static bool walking;
static unsigned installing; /* calls of sys.setprofile under way, on all threads; atomic */
static bool foreign_noted;

/* ---- threading's own installation */

/* What threading.setprofile() gets: called once in each new thread, as a profile function, it puts
 * the C hook in its own place. */
static PyObject *thread_hook_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *frame, *arg;
    const char *event;
    (void)self;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "OsO", &frame, &event, &arg))
        return NULL;
    PyThreadState *tstate = PyThreadState_Get();
    setting = true;
    int done = _PyEval_SetProfile(tstate, the_hook, NULL);
    setting = false;
    if (done != 0)
        PyErr_Clear(); /* an audit hook of the program forbids it */
    else if (the_hook != NULL && PyFrame_Check(frame)) {
        mt__profile_event((PyFrameObject *)frame, event, arg);
        mt__name_thread(tstate->thread_id, mt_core_tid());
    }
    Py_RETURN_NONE;
}

static PyTypeObject thread_hook_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "mtrace._tracer.ThreadHook",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Installs the C hook in a new thread (threading.setprofile).",
    .tp_call = thread_hook_call,
};
static PyObject *thread_hook; /* the one instance */

/* `threading` has just been imported, or recording starts. */
void mt__threads_imported(void)
{
    struct mt_pending pending;
    if (the_hook == NULL)
        return; /* an engine that needs no help */
    mt_pending_save(&pending);
    PyObject *module = mt__module_named("threading");
    PyObject *present = mt__module_attribute("threading", "_profile_hook");
    if (module != NULL && present == Py_None) {
        PyObject *done = PyObject_CallMethod(module, "setprofile", "O", thread_hook);
        Py_XDECREF(done);
    }
    Py_XDECREF(present);
    Py_XDECREF(module);
    PyErr_Clear();
    mt_pending_restore(&pending);
}

/* ---- installing */

static void note_foreign(void)
{
    if (foreign_noted)
        return;
    foreign_noted = true;
    mt_core_note(MT_NOTE_HOOK, "a thread has a profile function of the program's own; it is not "
                               "recorded while that is set");
}

/* The kernel's id of a thread; 0: unknown, or not born: until its own first step a new thread's
 * state names the thread that made it (up to 3.11). */
static uint32_t tid_of(PyThreadState *tstate)
{
    for (PyThreadState *t = PyInterpreterState_ThreadHead(mt__interp);
         t != NULL && tstate != PyThreadState_Get(); t = PyThreadState_Next(t)) {
        if (t != tstate && t->thread_id == tstate->thread_id)
            return 0;
    }
    return mt_tstate_tid(tstate);
}

/* A track for a thread that runs already, with the calls that it has open. The GIL may be let go: a
 * frame object that is made for it may start a garbage collection, a name run Python. */
static void adopt(PyThreadState *tstate, uint32_t tid)
{
    unsigned long ident = tstate->thread_id;
    uint32_t *ids, n;
    uint32_t count = mt__stack_of(tstate, &ids, &n);
    bool all_ends = MT_HAVE_MONITORING || the_hook != NULL; /* the frame engine misses theirs */
    mt_core_adopt(tid, ids, count, MT_STATED_MAY_BEGIN && all_ends && !mt__hide_open_calls);
    if (ids != NULL)
        mt_os_unmap(ids, n * sizeof *ids);
    mt__name_thread(ident, tid);
}

void mt__threads_adopt(void)
{
    struct mt_pending pending;
    mt_core_ready(MT_KIND_PY_END); /* this thread first: it names what the others have open */
    if (MT_FREE_THREADED)
        return; /* the others do not stop for us: they state their calls at their next event */
    mt_pending_save(&pending);
    for (PyThreadState *t = mt__thread_below(UINT64_MAX); t != NULL;) {
        uint64_t number = t->id;
        uint32_t tid = t != PyThreadState_Get() ? tid_of(t) : 0;
        if (tid != 0)
            adopt(t, tid);
        t = mt__thread_below(number);
    }
    mt_pending_restore(&pending);
}

/* True: the GIL may have been let go meanwhile. */
static bool follow(PyThreadState *tstate, bool starting)
{
    if (tstate->c_profilefunc == the_hook || tstate->c_profileobj == thread_hook)
        return false;
    if (tstate->c_profilefunc != NULL) {
        note_foreign();
        return false;
    }
    uint64_t number = tstate->id;
    uint32_t tid = tid_of(tstate);
    if (starting && tid != 0 && tstate != PyThreadState_Get()) {
        adopt(tstate, tid);
    } else if (!starting && tid != 0 && mt_core_resync(tid, MT_RESYNC_HOOK)) {
        mt_core_displaced(); /* it had the hook once */
    }
    setting = true;
    if (mt__thread_set_profile(number, the_hook) != 0)
        PyErr_Clear();
    setting = false;
    return true;
}

static void walk(bool starting)
{
    struct mt_pending pending;
    int saved = errno;
    /* In the middle of an installation (a destructor of what was there may run Python) CPython
     * would refuse our function, and then not refuse the next one. setprofile() looks later. */
    if (walking || the_hook == NULL || (installing != 0 && !starting))
        return;
    walking = true;
    mt_pending_save(&pending);
    mt__seen_thread = mt_newest_thread(mt__interp);
    for (PyThreadState *t = PyInterpreterState_ThreadHead(mt__interp);
         t != NULL && the_hook != NULL;) {
        uint64_t number = t->id;
        t = follow(t, starting) ? mt__thread_below(number) : PyThreadState_Next(t);
    }
    mt_pending_restore(&pending);
    walking = false;
    errno = saved;
}

void mt__threads_walk(void)
{
    walk(false);
}

/* ---- losing and regaining the hook */

/* The thread on which a hook is being changed, and the Python call in which that is done, by its frame
 * and the instruction. While that has not ended, what runs inside may be a destructor in the middle
 * of the change, after which CPython would undo what we do. NULL: any thread may look. */
static PyThreadState *changing;
static const PyFrameObject *changing_frame; /* only to compare */
static int changing_at;

static void set_changing(PyThreadState *tstate)
{
    PyFrameObject *frame = tstate != NULL ? PyThreadState_GetFrame(tstate) : NULL;
    changing = tstate;
    changing_frame = frame;
    changing_at = frame != NULL ? mt_frame_lasti(frame) : 0;
    Py_XDECREF(frame);
}

static bool in_the_middle(void)
{
    bool found = false;
    if (PyThreadState_Get() != changing || changing_frame == NULL)
        return false;
    for (PyFrameObject *frame = PyThreadState_GetFrame(changing), *back; frame != NULL;
         frame = back) {
        found = found || (frame == changing_frame && mt_frame_lasti(frame) == changing_at);
        back = found ? NULL : PyFrame_GetBack(frame);
        Py_DECREF(frame);
    }
    return found;
}

static int on_pending_call(void *unused)
{
    (void)unused;
    if (!in_the_middle())
        walk(false);
    return 0;
}

/* Pending calls run on the main thread, which may be waiting for the one that lost its hook. Where
 * frame evaluation can be hooked for a moment, the next Python call of that one looks after all. */
#if MT_HAVE_FRAME_HOOK
static PyObject *eval_once(PyThreadState *tstate, mt_eval_frame *frame, int throwing)
{
    if (changing == NULL || (tstate == changing && !in_the_middle())) {
        changing = NULL;
        if (_PyInterpreterState_GetEvalFrameFunc(mt__interp) == eval_once)
            _PyInterpreterState_SetEvalFrameFunc(mt__interp, _PyEval_EvalFrameDefault);
        walk(false);
    }
    return _PyEval_EvalFrameDefault(tstate, frame, throwing);
}

static bool walk_at_next_call(void)
{
    bool due = _PyInterpreterState_GetEvalFrameFunc(mt__interp) == eval_once;
    if (_PyInterpreterState_GetEvalFrameFunc(mt__interp) == _PyEval_EvalFrameDefault)
        _PyInterpreterState_SetEvalFrameFunc(mt__interp, eval_once);
    return due;
}
#else
static bool walk_at_next_call(void)
{
    return false;
}
#endif

/* At all threads: on the main thread, or at the next call of any followed one. `tstate`: its hook is
 * being changed, NULL: has been. */
static void look_later(PyThreadState *tstate)
{
    mt__seen_thread = 0;
    bool due = walk_at_next_call();
    if (due && changing != tstate)
        tstate = NULL; /* of several the first that calls looks */
    else if (due && tstate != NULL)
        return; /* the change inside of a change: the outer one counts */
    set_changing(MT_HAVE_FRAME_HOOK ? tstate : NULL); /* else nobody comes a second time */
    Py_AddPendingCall(on_pending_call, NULL);
}

/* `threading` forgets our object: its threads are found by the walk alone. */
static void leave_threading(void)
{
    PyObject *module = mt__module_named("threading");
    PyObject *present = mt__module_attribute("threading", "_profile_hook");
    if (module != NULL && present == thread_hook &&
        PyObject_SetAttrString(module, "_profile_hook", Py_None) != 0)
        PyErr_Clear();
    Py_XDECREF(present);
    Py_XDECREF(module);
}

/* Somebody is about to set a profile function, or to take one away, on this thread.
 * Somebody adds an audit hook: it may forbid sys.setprofile, which `threading` calls with our
 * object, and a thread that is refused does not run. */
static int on_audit(const char *event, PyObject *args, void *data)
{
    (void)args;
    (void)data;
    if (event[0] != 's' || the_hook == NULL || setting)
        return 0;
    bool sets = strcmp(event, "sys.setprofile") == 0;
    if ((!sets && strcmp(event, "sys.addaudithook") != 0) || PyInterpreterState_Get() != mt__interp)
        return 0; /* another interpreter may have a GIL of its own, and not ours */
    if (!sets)
        leave_threading();
    else if (!threading_sets)
        look_later(PyThreadState_Get());
    return 0;
}

/* ---- sys.setprofile, as the program calls it
 *
 * CPython reports the return of a C function when there was a profile function at its call, and
 * reports it to the one that is there now. So a function that the program sets would see the return
 * of sys.setprofile as its first event, which it does not when untraced: Python's `profile` ends
 * with an AssertionError. That one event has to be caught, by a profile function that lies on top
 * of the program's until then; and for that sys.setprofile has to be followed through, by way of
 * its method definition. What the program sees, the function object, stays as it is. */

static bool sees_all_calls; /* of sys.setprofile, too */
static PyMethodDef *setprofile_def;
static PyCFunction setprofile_meth; /* CPython's own */
static Py_tracefunc program_hook;   /* below once(); CPython has but one for all Python functions */

static int once(PyObject *object, PyFrameObject *frame, int what, PyObject *arg)
{
    PyThreadState *tstate = PyThreadState_Get();
    if (tstate->c_profilefunc == once)
        tstate->c_profilefunc = program_hook;
    if (what == PyTrace_C_RETURN && arg != NULL && PyCFunction_Check(arg) &&
        ((PyCFunctionObject *)arg)->m_ml == setprofile_def)
        return 0;
    return program_hook(object, frame, what, arg);
}

static PyObject *setprofile(PyObject *module, PyObject *function)
{
    PyThreadState *tstate = PyThreadState_Get();
    if ((the_hook == NULL && !sees_all_calls) || PyThreadState_GetInterpreter(tstate) != mt__interp)
        return setprofile_meth(module, function);
    /* By `threading`, in a new thread. A look at all would be a pending call: while the main thread is in
     * another one, 3.11 comes no further there with the next Python function that is profiled. */
    if (function == thread_hook) {
        threading_sets = true;
        PyObject *done = setprofile_meth(module, function);
        threading_sets = false;
        return done;
    }
    bool seen = sees_all_calls || tstate->c_profilefunc == the_hook;
    mt_add_relaxed(&installing, 1);
    PyObject *result = setprofile_meth(module, function);
    mt_add_relaxed(&installing, -1u);
    Py_tracefunc now = tstate->c_profilefunc;
    if (seen && result != NULL && now != NULL && now != the_hook && now != once &&
        tstate->c_profileobj == function && function != thread_hook) {
        program_hook = now;
        tstate->c_profilefunc = once;
    }
    if (the_hook != NULL)
        look_later(NULL);
    return result;
}

/* `sees_all`: an engine that observes the C calls of all threads, without a profile function. */
void mt__threads_follow_setprofile(bool sees_all)
{
    sees_all_calls = sees_all;
    PyObject *function = PySys_GetObject("setprofile");
    if (setprofile_def != NULL || function == NULL || !PyCFunction_Check(function) ||
        PyCFunction_GET_FLAGS(function) != METH_O ||
        strcmp(((PyCFunctionObject *)function)->m_ml->ml_name, "setprofile") != 0)
        return;
    setprofile_def = ((PyCFunctionObject *)function)->m_ml;
    setprofile_meth = setprofile_def->ml_meth;
    setprofile_def->ml_meth = setprofile;
}

/* ---- start and stop */

int mt__threads_start(Py_tracefunc hook)
{
    static bool audited;
    if (thread_hook == NULL) {
        if (PyType_Ready(&thread_hook_type) != 0)
            return -1;
        thread_hook = PyObject_New(PyObject, &thread_hook_type);
        if (thread_hook == NULL)
            return -1;
    }
    if (!audited) {
        if (PySys_AddAuditHook(on_audit, NULL) != 0)
            PyErr_Clear(); /* refused by another audit hook: then without */
        audited = true;
    }
    the_hook = hook;
    foreign_noted = false;
    mt__threads_follow_setprofile(false);
    mt__threads_imported();
    mt_core_ready(MT_KIND_PY_END); /* this thread first: it names what the others have open */
    walk(true);
    return 0;
}

void mt__threads_stop(void)
{
    Py_tracefunc hook = the_hook;
    the_hook = NULL;
    setting = true;
    for (PyThreadState *t = mt__thread_below(UINT64_MAX); t != NULL;) {
        uint64_t number = t->id;
        if (t->c_profilefunc == hook && mt__thread_set_profile(number, NULL) != 0)
            PyErr_Clear();
        t = mt__thread_below(number);
    }
    setting = false;
    leave_threading();
}
