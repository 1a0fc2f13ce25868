/* names.c - what threads and the process are called: threading's and multiprocessing's names, else the
 * kernel's, and when they change. Runs with the GIL, where there is one, on a thread that is out of
 * the hot path.
 */
#include "ext/cfuncs.h"

/* ---- looks at the program's modules: new references; NULL: not there */

PyObject *mt__module_named(const char *name)
{
    /* Not PyImport_GetModuleDict(): that one ends the process when the interpreter is going. */
    PyObject *modules = PySys_GetObject("modules");
    return modules != NULL && PyDict_Check(modules) ? mt_dict_get_string(modules, name) : NULL;
}

PyObject *mt__module_attribute(const char *module, const char *name)
{
    PyObject *found = mt__module_named(module);
    PyObject *dict = found != NULL && PyModule_Check(found) ? PyModule_GetDict(found) : NULL;
    PyObject *attribute = dict != NULL ? mt_dict_get_string(dict, name) : NULL;
    Py_XDECREF(found);
    return attribute;
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

/* The threading.Thread of an ident, a new reference. */
static PyObject *thread_object(unsigned long ident)
{
    PyObject *active = mt__module_attribute("threading", "_active");
    PyObject *key = active != NULL && PyDict_Check(active) ? PyLong_FromUnsignedLong(ident) : NULL;
    PyObject *found = key != NULL ? mt_dict_get(active, key) : NULL;
    Py_XDECREF(key);
    Py_XDECREF(active);
    return found;
}

/* True: it has a name now. */
bool mt__name_thread(unsigned long ident, uint32_t tid)
{
    Py_ssize_t n;
    PyObject *owner, *thread = thread_object(ident);
    const char *text = name_of(thread, &n, &owner);
    bool named = text != NULL && mt_core_name_thread(tid, text, (size_t)n);
    Py_XDECREF(owner);
    Py_XDECREF(thread);
    return named;
}

/* The thread that calls this has just got its track. */
void mt__names_attached(void)
{
    struct mt_pending pending;
    uint32_t tid = mt_core_tid(), pid = mt_os_pid();
    PyCodeObject *off_stack = mt__off_stack; /* what is called here may be recorded, too */
    mt__cfuncs_in_process(pid);
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

#if MT_FREE_THREADED
/* Threads that end change the list of threads under our feet. But the setter's frame, which ends,
 * has the thread, and the thread its kernel id, once it runs. */
static void renamed(void)
{
    PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());
    PyObject *self = frame != NULL ? mt_frame_self(frame) : NULL, *owner = NULL;
    PyObject *id = self != NULL ? PyObject_GetAttrString(self, "_native_id") : NULL;
    unsigned long tid = id != NULL && PyLong_Check(id) ? PyLong_AsUnsignedLong(id) : 0;
    Py_ssize_t n;
    const char *text = name_of(self, &n, &owner);
    if (text != NULL && tid != 0 && tid <= UINT32_MAX)
        mt_core_name_thread((uint32_t)tid, text, (size_t)n);
    Py_XDECREF(owner);
    Py_XDECREF(id);
    Py_XDECREF(self);
    Py_XDECREF(frame);
    PyErr_Clear();
}
#else
/* Which it was, says the table of `threading`. To ask it may run Python, so that threads end: first a
 * list of them, then their names. */
static void renamed(void)
{
    struct known {
        unsigned long ident;
        uint32_t tid;
    } *list;
    size_t n = 0, i = 0;
    PyThreadState *head = PyInterpreterState_ThreadHead(mt__interp);
    for (PyThreadState *t = head; t != NULL; t = PyThreadState_Next(t))
        n++;
    list = mt_os_pages(n * sizeof *list);
    if (list == NULL)
        return;
    for (PyThreadState *t = head; t != NULL && i < n; t = PyThreadState_Next(t), i++)
        list[i] = (struct known){t->thread_id, mt_tstate_tid(t)};
    for (i = 0; i < n; i++) {
        if (list[i].tid != 0)
            mt__name_thread(list[i].ident, list[i].tid);
    }
    mt_os_unmap(list, n * sizeof *list);
}
#endif

/* Some thread was given another name. */
void mt__names_thread_renamed(void)
{
    struct mt_pending pending;
    mt_pending_save(&pending);
    renamed();
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
    Py_XDECREF(process);
    mt_pending_restore(&pending);
}
