/* names.c - what threads and the process are called: threading's and multiprocessing's names, else the
 * kernel's, and when they change. Runs with the GIL, on a thread that is out of the hot path.
 */
#include "ext/hook.h"

/* ---- borrowed looks at the program's modules; NULL: not there */

PyObject *mt__module_named(const char *name)
{
    /* Not PyImport_GetModuleDict(): that one ends the process when the interpreter is going. */
    PyObject *modules = PySys_GetObject("modules");
    return modules != NULL && PyDict_Check(modules) ? PyDict_GetItemString(modules, name) : NULL;
}

PyObject *mt__module_attribute(const char *module, const char *name)
{
    PyObject *found = mt__module_named(module);
    PyObject *dict = found != NULL && PyModule_Check(found) ? PyModule_GetDict(found) : NULL;
    return dict != NULL ? PyDict_GetItemString(dict, name) : NULL;
}

/* ---- names */

/* UTF-8 of obj._name; *owner must be released. NULL: it has none. */
static const char *name_of(PyObject *object, Py_ssize_t *n, PyObject **owner)
{
    *owner = object != NULL ? PyObject_GetAttrString(object, "_name") : NULL;
    const char *text = NULL;
    if (*owner != NULL && PyUnicode_Check(*owner))
        text = PyUnicode_AsUTF8AndSize(*owner, n);
    if (text == NULL)
        PyErr_Clear();
    return text;
}

/* The threading.Thread of an ident, borrowed. */
static PyObject *thread_object(unsigned long ident)
{
    PyObject *active = mt__module_attribute("threading", "_active");
    PyObject *key = active != NULL && PyDict_Check(active) ? PyLong_FromUnsignedLong(ident) : NULL;
    PyObject *found = key != NULL ? PyDict_GetItem(active, key) : NULL;
    Py_XDECREF(key);
    return found;
}

/* True: it has a name now. */
bool mt__name_thread(unsigned long ident, uint32_t tid)
{
    Py_ssize_t n;
    PyObject *owner;
    const char *text = name_of(thread_object(ident), &n, &owner);
    bool named = text != NULL && mt_core_name_thread(tid, text, (size_t)n);
    Py_XDECREF(owner);
    return named;
}

/* The thread that calls this has just got its track. */
void mt__names_attached(void)
{
    struct mt_pending pending;
    uint32_t tid = mt_core_tid(), pid = mt_os_pid();
    PyCodeObject *off_stack = mt__off_stack; /* what is called here may be recorded, too */
    mt__code_in_process(pid);
    if (mt_core_inherit_name())
        return;
    mt_pending_save(&pending);
    if (!mt__name_thread(PyThreadState_Get()->thread_id, tid)) {
        char main_name[32], name[32];
        if (tid == pid) {
            mt_core_name_thread(tid, "MainThread", 10);
        } else {
            /* C code may have given it one; the process's name is none. */
            mt_os_thread_name(tid, name, sizeof name);
            mt_os_thread_name(pid, main_name, sizeof main_name);
            if (name[0] != '\0' && strcmp(name, main_name) != 0)
                mt_core_name_thread(tid, name, strlen(name));
        }
    }
    mt_pending_restore(&pending);
    mt__off_stack = off_stack;
}

/* A `threading` thread begins: it is not in the table yet, but an argument of this frame. */
void mt__names_thread_begun(void)
{
    struct mt_pending pending;
    Py_ssize_t n;
    PyObject *owner = NULL;
    mt_pending_save(&pending);
    PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());
    PyObject *self = frame != NULL ? mt_frame_self(frame) : NULL;
    const char *text = name_of(self, &n, &owner);
    if (text != NULL)
        mt_core_name_thread(mt_core_tid(), text, (size_t)n);
    Py_XDECREF(owner);
    Py_XDECREF(self);
    Py_XDECREF(frame);
    PyErr_Clear();
    mt_pending_restore(&pending);
}

/* Some thread was given another name: which, says the table. */
void mt__names_thread_renamed(void)
{
    struct mt_pending pending;
    mt_pending_save(&pending);
    for (PyThreadState *t = PyInterpreterState_ThreadHead(mt__interp); t != NULL;
         t = PyThreadState_Next(t)) {
        uint32_t tid = mt_tstate_tid(t);
        if (tid != 0)
            mt__name_thread(t->thread_id, tid);
    }
    mt_pending_restore(&pending);
}

void mt__names_process_renamed(void)
{
    struct mt_pending pending;
    Py_ssize_t n;
    PyObject *owner;
    mt_pending_save(&pending);
    PyObject *process = mt__module_attribute("multiprocessing.process", "_current_process");
    const char *text = name_of(process, &n, &owner);
    /* Not multiprocessing's name for what is no process of its own: the program has a better one. */
    if (text != NULL && strcmp(text, "MainProcess") != 0)
        mt_core_name_process(text, (size_t)n);
    Py_XDECREF(owner);
    mt_pending_restore(&pending);
}
