/* module.c - mtrace._tracer: glue between src/python/mtrace and the recorder. Nothing here is on a
 * hot path. State is of the process, not of the module: importing it twice, also under another
 * name, gives the same tracer.
 */
#include "ext/hook.h"

#include <errno.h>

PyInterpreterState *mt__interp;
bool mt__c_functions;

static const struct mt_hook *active; /* NULL: not recording */

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
             "open(directory, program, executable, home, run_id, parent_id, boot, c_functions)\n"
             "--\n\n"
             "Makes the file of this process, DIRECTORY/PROGRAM.PID.trace, that start() records\n"
             "into. run_id and parent_id are 16 bytes or none. boot: the interpreter is just\n"
             "starting; the calls that are open at start() are its own and not recorded.\n"
             "Raises OSError if the file cannot be made, RuntimeError if there is one already or\n"
             "this interpreter cannot be recorded.");

static PyObject *tracer_open(PyObject *self, PyObject *args)
{
    PyObject *directory, *executable;
    const char *program, *home, *run_id, *parent_id;
    Py_ssize_t n_run_id, n_parent_id;
    int boot, c_functions, error;
    (void)self;
    if (!PyArg_ParseTuple(args, "O&sO&sy#y#pp", PyUnicode_FSConverter, &directory, &program,
                          PyUnicode_FSConverter, &executable, &home, &run_id, &n_run_id,
                          &parent_id, &n_parent_id, &boot, &c_functions))
        return NULL;
    PyObject *result = NULL;
    struct mt_core_config config = {
        .directory = PyBytes_AS_STRING(directory),
        .program = program,
        .executable = PyBytes_AS_STRING(executable),
        .origin = boot ? MT_ORIGIN_BOOT : MT_ORIGIN_API,
        .engine = MT_ENGINE_SETPROFILE,
        .options = c_functions ? MT_OPTION_C_FUNCTIONS : 0,
        .python_version = running_version(),
        .ops = {.open_calls = mt__open_calls, .attached = mt__threads_attached},
    };
    if (!copy_id(config.run_id, run_id, n_run_id) ||
        !copy_id(config.parent_id, parent_id, n_parent_id))
        goto out;
    if (MT_FREE_THREADED) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the setprofile engine cannot record a free-threaded CPython");
        goto out;
    }
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "a subinterpreter cannot be recorded");
        goto out;
    }
    if (mt__code_init() != 0)
        goto out;
    mt__interp = PyInterpreterState_Get();
    mt__c_functions = c_functions;
    mt__hide_open_calls = boot;
    mt__code_set_home(home);
    enum mt_status status = mt_core_start(&config, &error);
    if (status != MT_OK) {
        raise_status(status, error, config.directory);
        goto out;
    }
    mt_core_note(MT_NOTE_ENGINE, "setprofile: works on every version");
    Py_INCREF(Py_None);
    result = Py_None;
out:
    Py_DECREF(directory);
    Py_DECREF(executable);
    return result;
}

PyDoc_STRVAR(start_doc, "start()\n--\n\n"
                        "Records all threads into the file of open(). Raises RuntimeError if there\n"
                        "is none, or recording is on.");

static PyObject *tracer_start(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    if (!mt_core_recording() || active != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "no file is open, or recording is on");
        return NULL;
    }
    if (mt__hook_setprofile.start() != 0) {
        mt_core_stop();
        return NULL;
    }
    mt__hide_open_calls = false;
    active = &mt__hook_setprofile;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop()\n--\n\nEnds recording and closes the file; does nothing if there is none.");

static PyObject *tracer_stop(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    if (active != NULL)
        active->stop();
    active = NULL;
    mt_core_stop();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(recording_doc, "recording()\n--\n\nTrue while this process is recorded.");

static PyObject *tracer_recording(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyBool_FromLong(mt_core_recording());
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
    (void)self;
    (void)unused;
    return PyUnicode_DecodeFSDefault(mt_core_path());
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

PyMODINIT_FUNC PyInit__tracer(void);
PyMODINIT_FUNC PyInit__tracer(void)
{
    return PyModuleDef_Init(&module);
}
