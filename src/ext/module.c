/* module.c - mtrace._tracer: glue between src/python/mtrace and the recorder. Nothing here is on a
 * hot path. State is of the process, not of the module: importing it twice, also under another
 * name, gives the same tracer.
 */
#include "ext/hook.h"

#include <errno.h>
#include <limits.h>

PyInterpreterState *mt__interp;
bool mt__c_functions;
bool mt__all_calls;

/* In the order in which `auto` prefers them. To add an engine: hook.h. */
static const struct mt_hook *const hooks[] = {
#if MT_HAVE_MONITORING
    &mt__hook_monitoring,
#endif
#if MT_HAVE_FRAME_HOOK
    &mt__hook_frame,
#endif
    &mt__hook_setprofile,
};
enum { N_HOOKS = sizeof hooks / sizeof hooks[0] };

static const struct mt_hook *chosen; /* for the file that is open; NULL: none */
static const struct mt_hook *active; /* NULL: not recording */

/* ---- one at a time: open(), start() and stop() */

#if MT_FREE_THREADED
/* In pages that forks clear: the child of a fork in another thread does not wait for ever. The
 * holder may come again: what an engine calls may run an audit hook of the program's. */
static struct {
    PyMutex mutex;
    unsigned long owner; /* 0: nobody */
    unsigned depth;
} *turn;

static bool init_turn(void)
{
    bool wiped;
    if (turn == NULL)
        turn = mt_os_wiped_pages(sizeof *turn, &wiped);
    return turn != NULL;
}

static void begin_turn(void)
{
    unsigned long me = PyThread_get_thread_ident();
    if (mt_load_relaxed(&turn->owner) != me) {
        PyMutex_Lock(&turn->mutex); /* waits detached: the world can be stopped */
        mt_store_relaxed(&turn->owner, me);
    }
    turn->depth++;
}

static void end_turn(void)
{
    if (mt_load_relaxed(&turn->owner) != PyThread_get_thread_ident() || --turn->depth != 0)
        return; /* not the outermost, or the child of a fork in the middle */
    mt_store_relaxed(&turn->owner, 0);
    PyMutex_Unlock(&turn->mutex);
}
#else
static bool init_turn(void)
{
    return true;
}
static void begin_turn(void)
{
}
static void end_turn(void)
{
}
#endif

/* ---- choosing an engine */

/* The engine for what is asked for, and, in `why`, the reason in words. NULL: none can record. */
static const struct mt_hook *choose(const char *wanted, bool c_functions, char *why, size_t n)
{
    static const char *const names[] = {
#define X(name, number, text) text,
        MT_ENGINE_MAP(X)
#undef X
    };
    const char *why_not = NULL;
    bool automatic = strcmp(wanted, "auto") == 0 || wanted[0] == '\0', known = automatic;
    char refused[160] = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !known; i++)
        known = strcmp(wanted, names[i]) == 0;
    for (int i = 0; i < N_HOOKS && !automatic; i++) {
        if (strcmp(wanted, hooks[i]->name) != 0)
            continue;
        if (hooks[i]->available(c_functions, &why_not)) {
            snprintf(why, n, "%s: asked for", wanted);
            return hooks[i];
        }
        snprintf(refused, sizeof refused, "; %s was asked for, but %s", wanted, why_not);
    }
    if (!automatic && refused[0] == '\0')
        snprintf(refused, sizeof refused, "; %.60s was asked for, but %s", wanted,
                 known ? "this version of CPython has no such engine" : "there is no such engine");
    for (int i = 0; i < N_HOOKS; i++) {
        if (!hooks[i]->available(c_functions, &why_not))
            continue;
        snprintf(why, n, "%s: the fastest here for what is recorded%s", hooks[i]->name, refused);
        return hooks[i];
    }
    snprintf(why, n, "%s", why_not);
    return NULL;
}

static PyObject *raise_status(enum mt_status status, int error, const char *directory)
{
    if (error != 0) {
        errno = error;
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, directory);
    }
    PyErr_Format(PyExc_RuntimeError, "%s", mt_status_text(status));
    return NULL;
}

/* The extension fits every 3.x.*: the version that it was built with says less. */
static uint32_t running_version(void)
{
    PyObject *version = PySys_GetObject("hexversion");
    unsigned long number = version != NULL ? PyLong_AsUnsignedLong(version) : 0;
    if (PyErr_Occurred() != NULL) {
        PyErr_Clear();
        number = 0;
    }
    return number != 0 ? (uint32_t)number : MT_PYTHON_VERSION;
}

static bool copy_id(uint8_t out[16], const char *bytes, Py_ssize_t n)
{
    if (n != 0 && n != 16) {
        PyErr_SetString(PyExc_ValueError, "an id has 16 bytes");
        return false;
    }
    if (n == 16)
        memcpy(out, bytes, 16);
    return true;
}

PyDoc_STRVAR(open_doc,
             "open(directory, program, executable, home, run_id, parent_id, boot, c_functions,\n"
             "     all_calls, engine)\n"
             "--\n\n"
             "Makes the file of this process, DIRECTORY/PROGRAM.PID.trace, that start() records\n"
             "into. run_id and parent_id are 16 bytes or none. boot: the interpreter is just\n"
             "starting; the calls that are open at start() are its own and not recorded.\n"
             "engine: 'auto' or a name; another engine records, and a note in the file says so,\n"
             "where that one cannot.\n"
             "Raises OSError if the file cannot be made, RuntimeError if there is one already or\n"
             "this interpreter cannot be recorded.");

static PyObject *tracer_open(PyObject *self, PyObject *args)
{
    PyObject *directory, *executable, *home;
    const char *program, *run_id, *parent_id, *engine;
    Py_ssize_t n_run_id, n_parent_id;
    int boot, c_functions, all_calls, error;
    char why[320];
    (void)self;
    if (!PyArg_ParseTuple(args, "O&sO&O&y#y#ppps", PyUnicode_FSConverter, &directory, &program,
                          PyUnicode_FSConverter, &executable, PyUnicode_FSConverter, &home, &run_id,
                          &n_run_id, &parent_id, &n_parent_id, &boot, &c_functions, &all_calls,
                          &engine))
        return NULL;
    PyObject *result = NULL;
    begin_turn();
    struct mt_core_config config = {
        .directory = PyBytes_AS_STRING(directory),
        .program = program,
        .executable = PyBytes_AS_STRING(executable),
        .origin = boot ? MT_ORIGIN_BOOT : MT_ORIGIN_API,
        .options = c_functions ? MT_OPTION_C_FUNCTIONS : 0,
        .python_version = running_version(),
        .ops = {.open_calls = mt__open_calls, .attached = mt__names_attached},
    };
    if (!copy_id(config.run_id, run_id, n_run_id) ||
        !copy_id(config.parent_id, parent_id, n_parent_id))
        goto out;
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "a subinterpreter cannot be recorded");
        goto out;
    }
    if (mt__code_init() != 0)
        goto out;
    chosen = choose(engine, c_functions, why, sizeof why);
    if (chosen == NULL) {
        PyErr_SetString(PyExc_RuntimeError, why);
        goto out;
    }
    config.engine = chosen->engine;
    mt__interp = PyInterpreterState_Get();
    mt__c_functions = c_functions;
    mt__all_calls = all_calls && c_functions;
    mt__hide_open_calls = boot;
    mt__begins_outside = chosen->engine == MT_ENGINE_FRAME;
    mt__code_set_home(PyBytes_AS_STRING(home));
    enum mt_status status = mt_core_start(&config, &error);
    if (status != MT_OK) {
        raise_status(status, error, config.directory);
        goto out;
    }
    if (mt__all_calls && chosen->engine != MT_ENGINE_MONITORING) {
        size_t n = strlen(why);
        snprintf(why + n, sizeof why - n,
                 "; all calls were asked for, but only monitoring sees them");
    }
    mt_core_note(MT_NOTE_ENGINE, why);
    Py_INCREF(Py_None);
    result = Py_None;
out:
    end_turn();
    Py_DECREF(directory);
    Py_DECREF(executable);
    Py_DECREF(home);
    return result;
}

/* The chosen engine did not start (an exception says why): the one that works everywhere, unless it
 * was that one. False: with the exception. */
static bool fall_back(void)
{
    const char *why_not;
    struct mt_pending pending;
    char why[320];
    if (chosen == &mt__hook_setprofile || !mt__hook_setprofile.available(mt__c_functions, &why_not))
        return false;
    mt_pending_save(&pending);
    snprintf(why, sizeof why, "setprofile: %s did not start; all its places may be taken",
             chosen->name);
    if (mt__hook_setprofile.start() != 0) {
        PyErr_Clear();
        mt_pending_restore(&pending);
        return false;
    }
    chosen = &mt__hook_setprofile;
    mt_core_engine(chosen->engine);
    mt_core_note(MT_NOTE_ENGINE, why);
    mt_pending_restore(&pending);
    PyErr_Clear();
    return true;
}

PyDoc_STRVAR(start_doc,
             "start()\n--\n\n"
             "Records all threads into the file of open(). Raises RuntimeError if there\n"
             "is none, or recording is on.");

static PyObject *tracer_start(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    bool done = false;
    begin_turn();
    mt__starting = true;
    if (!mt_core_recording() || active != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "no file is open, or recording is on");
    } else if (chosen->start() != 0 && !fall_back()) {
        mt_core_stop(!MT_FREE_THREADED);
    } else {
        mt__hide_open_calls = false;
        active = chosen;
        done = true;
    }
    mt__starting = false;
    end_turn();
    if (!done)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc,
             "stop()\n--\n\nEnds recording and closes the file; does nothing if there is none.");

static PyObject *tracer_stop(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    begin_turn();
    if (MT_FREE_THREADED)
        mt_core_stop(false); /* no record begins any more, and the engine stops the world: */
    if (active != NULL)
        active->stop();
    active = NULL;
    mt_core_stop(true); /* no thread is inside mt_emit() */
    end_turn();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(recording_doc, "recording()\n--\n\nTrue while this process is recorded. Asked by an "
                            "interpreter that is not, the file gets\na note of that.");

static PyObject *tracer_recording(PyObject *self, PyObject *unused)
{
    static uint32_t noted;
    (void)self;
    (void)unused;
    bool recording = mt_core_recording();
    if (recording && PyInterpreterState_Get() != mt__interp && mt_add_relaxed(&noted, 1) == 0)
        mt_core_note(MT_NOTE_UNTRACED,
                     "there was another interpreter in this process; what it called "
                     "was not recorded");
    return PyBool_FromLong(recording);
}

PyDoc_STRVAR(file_id_doc, "file_id()\n--\n\nThe 16 bytes that name the present file; zeros: none.");

static PyObject *tracer_file_id(PyObject *self, PyObject *unused)
{
    uint8_t id[16];
    (void)self;
    (void)unused;
    mt_core_file_id(id);
    return PyBytes_FromStringAndSize((const char *)id, sizeof id);
}

PyDoc_STRVAR(path_doc, "path()\n--\n\nThe path of the present file; '': none.");

static PyObject *tracer_path(PyObject *self, PyObject *unused)
{
    char path[PATH_MAX];
    (void)self;
    (void)unused;
    mt_core_copy_path(path, sizeof path);
    return PyUnicode_DecodeFSDefault(path);
}

static PyMethodDef methods[] = {
    {"open", tracer_open, METH_VARARGS, open_doc},
    {"start", tracer_start, METH_NOARGS, start_doc},
    {"stop", tracer_stop, METH_NOARGS, stop_doc},
    {"recording", tracer_recording, METH_NOARGS, recording_doc},
    {"file_id", tracer_file_id, METH_NOARGS, file_id_doc},
    {"path", tracer_path, METH_NOARGS, path_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil /* without it an import turns the GIL of a free-threaded build back on */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mtrace._tracer",
    .m_doc = "The recorder; see the package mtrace for what to use.",
    .m_methods = methods,
    .m_slots = slots,
};

/* NOLINTNEXTLINE(misc-use-internal-linkage): CPython finds it by name. */
PyMODINIT_FUNC PyInit__tracer(void);
PyMODINIT_FUNC PyInit__tracer(void)
{
    mt_core_early();
    if (!init_turn())
        return PyErr_NoMemory();
    return PyModuleDef_Init(&module);
}
