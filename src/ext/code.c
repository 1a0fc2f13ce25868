/* code.c - what code objects and C functions are called, and where their values are kept.
 *
 * A code object keeps its value in an extra slot, as a plain number: nothing is allocated for it,
 * and it dies with the code object, so programs that make code without end neither leak nor get a
 * wrong name. C functions have no such place: a table by the address of the method definition.
 * First sights only; runs with the GIL, where there is one.
 */
#include "ext/hook.h"

#include <string.h>

bool mt__layout_known;
Py_ssize_t mt__extra_index = -1;
Py_ssize_t mt__hot_index = PY_SSIZE_T_MAX;

static char home[4096]; /* our own files lie below it; with a slash at the end */
static size_t home_length;

/* ---- texts */

/* UTF-8 of a str, also where it has surrogates (file names may). *owner keeps it; may be NULL. */
static const char *utf8(PyObject *text, Py_ssize_t *n, PyObject **owner)
{
    *owner = NULL;
    *n = 0;
    if (text == NULL || !PyUnicode_Check(text))
        return "";
    const char *bytes = PyUnicode_AsUTF8AndSize(text, n);
    if (bytes != NULL)
        return bytes;
    PyErr_Clear();
    *owner = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (*owner == NULL) {
        PyErr_Clear();
        return "";
    }
    *n = PyBytes_GET_SIZE(*owner);
    return PyBytes_AS_STRING(*owner);
}

static bool ends_with(const char *text, Py_ssize_t n, const char *end)
{
    Py_ssize_t n_end = (Py_ssize_t)strlen(end);
    return n >= n_end && memcmp(text + n - n_end, end, (size_t)n_end) == 0;
}

void mt__code_set_home(const char *path)
{
    size_t n = strlen(path);
    home_length = 0;
    if (n == 0 || n + 2 > sizeof home)
        return;
    memcpy(home, path, n);
    if (home[n - 1] != '/')
        home[n++] = '/';
    home_length = n;
}

/* ---- values that threads see first at the same time
 *
 * Each gives the function an id, but one of the ids must stand: a begin and its end that have
 * different ones do not fit. So the first that is valid stays, and all go on with that. The other
 * id is a definition that nothing uses. Nor is an id replaced by an older one, which a thread may
 * still hold that was overtaken by another recording. With a GIL the last one is the better one: it
 * may be that of the same thread, which knows the qualified name by now. */

static bool stands(uint64_t present, uint64_t value)
{
    return MT_FREE_THREADED &&
           (mt_id_valid(mt__slot, (uint32_t)present) || (uint32_t)present >= (uint32_t)value);
}

/* The table of C functions: only where there is no GIL to guard it. */
static void lock_table(struct mt_os_mask *mask)
{
#if MT_FREE_THREADED
    mt_core_lock(mask);
#else
    (void)mask;
#endif
}

static void unlock_table(const struct mt_os_mask *mask)
{
#if MT_FREE_THREADED
    mt_core_unlock(mask);
#else
    (void)mask;
#endif
}

/* ---- code objects */

/* The home may be a site-packages: only what is ours in it. */
static bool is_own(const char *file, size_t n)
{
    static const char package[] = "mtrace/", boot[] = "boot/sitecustomize.py";
    if (home_length == 0 || n <= home_length || memcmp(file, home, home_length) != 0)
        return false;
    file += home_length;
    n -= home_length;
    return (n > sizeof package - 1 && memcmp(file, package, sizeof package - 1) == 0) ||
           (n == sizeof boot - 1 && memcmp(file, boot, n) == 0);
}

/* What the interpreter's own Python code tells us when it ends. */
static uint64_t flags_of(PyCodeObject *code, const char *file, Py_ssize_t n_file)
{
    if (is_own(file, (size_t)n_file))
        return MT_VALUE_OWN;
    const char *name = PyUnicode_AsUTF8(code->co_name);
    if (name == NULL) {
        PyErr_Clear();
        return 0;
    }
    /* Property setters have two arguments, getters one. */
    bool sets_name = strcmp(name, "name") == 0 && code->co_argcount == 2;
    if (ends_with(file, n_file, "/threading.py"))
        return sets_name ? MT_VALUE_NAMES_THREAD
               : strcmp(name, "<module>") == 0 ? MT_VALUE_IS_THREADING
               : strcmp(name, "_bootstrap_inner") == 0 ? MT_VALUE_BEGINS_THREAD
                                               : 0;
    if (ends_with(file, n_file, "/multiprocessing/process.py"))
        return sets_name ? MT_VALUE_NAMES_PROCESS : 0;
    /* What every version calls in the child, once it is the current process. */
    if (ends_with(file, n_file, "/multiprocessing/util.py"))
        return strcmp(name, "_run_after_forkers") == 0 ? MT_VALUE_NAMES_PROCESS : 0;
    return 0;
}

/* Before 3.11 a code object does not know its qualified name, but a function has it: a global of
 * that name, or something in the class of the first argument, or, for static methods, in any class
 * of the module. Borrowed; NULL: not found. */
static PyObject *qualname_of(PyObject *candidate, PyCodeObject *code)
{
    static const char *const inside[] = {"__func__", "fget", "fset", "fdel"};
    if (candidate == NULL)
        return NULL;
    PyTypeObject *type = Py_TYPE(candidate);
    if (type == &PyStaticMethod_Type || type == &PyClassMethod_Type || type == &PyProperty_Type) {
        PyObject *found = NULL;
        for (size_t i = 0; i < sizeof inside / sizeof inside[0] && found == NULL; i++) {
            PyObject *inner = PyObject_GetAttrString(candidate, inside[i]);
            if (inner == NULL)
                PyErr_Clear();
            else if (PyFunction_Check(inner))
                found = qualname_of(inner, code);
            Py_XDECREF(inner); /* the wrapper keeps it */
        }
        return found;
    }
    if (!PyFunction_Check(candidate) || PyFunction_GetCode(candidate) != (PyObject *)code)
        return NULL;
    return ((PyFunctionObject *)candidate)->func_qualname;
}

static PyObject *qualname_in_class(PyTypeObject *type, PyCodeObject *code)
{
    return type->tp_dict != NULL ? qualname_of(PyDict_GetItem(type->tp_dict, code->co_name), code)
                                 : NULL;
}

static PyObject *find_qualname(PyCodeObject *code, PyFrameObject *frame)
{
    PyObject *found = mt_code_qualname(code);
    if (found != NULL || frame == NULL)
        return found;
    PyObject *globals = mt_frame_globals(frame), *first = mt_frame_first_argument(frame);
    bool named = PyUnicode_GET_LENGTH(code->co_name) > 0 && /* not <lambda> and the like */
                 PyUnicode_READ_CHAR(code->co_name, 0) != '<';
    if (!named || globals == NULL || !PyDict_CheckExact(globals))
        return NULL;
    found = qualname_of(PyDict_GetItem(globals, code->co_name), code);
    PyTypeObject *type = first == NULL        ? NULL
                         : PyType_Check(first) ? (PyTypeObject *)first
                                               : Py_TYPE(first);
    PyObject *mro = type != NULL ? type->tp_mro : NULL;
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro) && found == NULL; i++) {
        PyObject *base = PyTuple_GET_ITEM(mro, i);
        if (PyType_Check(base))
            found = qualname_in_class((PyTypeObject *)base, code);
    }
    PyObject *value;
    for (Py_ssize_t i = 0; found == NULL && PyDict_Next(globals, &i, NULL, &value);) {
        if (PyType_Check(value))
            found = qualname_in_class((PyTypeObject *)value, code);
    }
    return found;
}

/* Puts the value into the code object, unless another thread was faster; returns what stands. */
static uint64_t keep(PyCodeObject *code, uint64_t value)
{
    uint64_t present = mt_code_value(code);
    while (present != value && (value == MT_VALUE_OWN || !stands(present, value))) {
        if (mt_code_extra_put(code, mt__extra_index, present, value) != 0) {
            PyErr_Clear();
            return value;
        }
        present = mt_code_value(code);
    }
    return present;
}

uint64_t mt__code_define(PyCodeObject *code, PyFrameObject *frame)
{
    struct mt_pending pending;
    PyObject *name_owner, *file_owner;
    Py_ssize_t n_name, n_file;
    mt_pending_save(&pending);
    PyObject *name_text = find_qualname(code, frame);
    const char *name = utf8(name_text != NULL ? name_text : code->co_name, &n_name, &name_owner);
    const char *file = utf8(code->co_filename, &n_file, &file_owner);
    uint64_t value = flags_of(code, file, n_file);
    if (!(value & MT_VALUE_OWN)) {
        uint32_t id =
            mt_core_define_code(name, (size_t)n_name, file, (size_t)n_file,
                                (uint32_t)code->co_firstlineno, (uint32_t)code->co_flags);
        value |= id;
    }
    /* What could not be written down is tried again next time. */
    if ((uint32_t)value != MT_ID_UNKNOWN)
        value = keep(code, value);
    Py_XDECREF(name_owner);
    Py_XDECREF(file_owner);
    mt_pending_restore(&pending);
    return value;
}

/* ---- C functions */

struct mt_cfuncs *mt__cfuncs;
static uint64_t n_cfuncs;
static uint32_t table_pid; /* whose values the table has */

/* The row of a definition, or the free one where it would be. */
static struct mt_cfunc *row_of(struct mt_cfuncs *table, const PyMethodDef *def)
{
    uint64_t i = mt__cfunc_hash(def) & table->mask;
    while (table->rows[i].def != NULL && table->rows[i].def != def)
        i = (i + 1) & table->mask;
    return &table->rows[i];
}

/* One without rows. NULL: no memory. */
static struct mt_cfuncs *new_table(uint64_t n)
{
    struct mt_cfuncs *table = mt_os_pages(sizeof *table + n * sizeof table->rows[0]);
    if (table != NULL)
        table->mask = n - 1;
    return table;
}

/* Twice the room, at half load. False: no memory. */
static bool grow(void)
{
    struct mt_cfuncs *old = mt__cfuncs;
    struct mt_cfuncs *table = new_table(old == NULL ? 1024 : (old->mask + 1) * 2);
    if (table == NULL)
        return false;
    for (uint64_t i = 0; old != NULL && i <= old->mask; i++) {
        if (old->rows[i].def != NULL)
            *row_of(table, old->rows[i].def) = old->rows[i];
    }
    mt_store_release(&mt__cfuncs, table); /* pairs with mt__cfunc_lookup() */
    return true;
}

/* No value of the parent's is good in the child of a fork. A page for those that it looks up anew
 * costs less than a copy of each page of the parent's table that they would be scattered over. The
 * latter is kept, as when the table grows. */
void mt__code_in_process(uint32_t pid)
{
    enum { ROWS_IN_A_PAGE = 64 };
    struct mt_os_mask mask;
    lock_table(&mask);
    struct mt_cfuncs *table = pid != table_pid ? new_table(ROWS_IN_A_PAGE) : NULL;
    if (table != NULL) {
        table_pid = pid;
        n_cfuncs = 0;
        mt_store_release(&mt__cfuncs, table); /* pairs with mt__cfunc_lookup() */
    }
    unlock_table(&mask);
}

/* Returns the value that stands. Calls nothing of Python. */
static uint64_t remember(const PyMethodDef *def, PyCFunction function, const char *name,
                         uint64_t value)
{
    size_t n = strlen(name);
    struct mt_os_mask mask;
    lock_table(&mask);
    uint64_t present = mt__cfunc_lookup(def, function, name);
    if (present != 0 && stands(present, value)) {
        value = present;
    } else if (n_cfuncs * 2 < mt__cfuncs->mask || grow()) {
        struct mt_cfunc *row = row_of(mt__cfuncs, def);
        n_cfuncs += row->def == NULL;
        /* In this order: mt__cfunc_lookup(). */
        mt_store_relaxed(&row->value, 0);
        mt_store_release(&row->function, function);
        mt_store_release(&row->text, mt__in_one_page(name) ? name : NULL);
        mt_store_release(&row->name, mt__name_head(name));
        mt_store_release(&row->name_mask, n >= 7 ? UINT64_MAX : (UINT64_C(1) << (8 * n + 8)) - 1);
        mt_store_release(&row->value, value);
        mt_store_release(&row->def, def);
    }
    unlock_table(&mask);
    return value;
}

/* All types share one definition of __new__. Each type that has one gets a row of its own, where a
 * definition at the type's address would have it. NULL: another function. */
static PyTypeObject *type_of_new(PyObject *callable, const PyMethodDef *def)
{
    PyObject *self = PyCFunction_Check(callable) ? PyCFunction_GET_SELF(callable) : NULL;
    bool is_new = self != NULL && PyType_Check(self) && strcmp(def->ml_name, "__new__") == 0;
    return is_new ? (PyTypeObject *)self : NULL;
}

uint64_t mt__cfunc_value_per_type(PyObject *callable)
{
    PyTypeObject *type = (PyTypeObject *)PyCFunction_GET_SELF(callable);
    return mt__cfunc_lookup((const PyMethodDef *)(void *)type,
                            (PyCFunction)(void (*)(void))type->tp_new, type->tp_name);
}

/* A type's name without its module: static types say it in front, types on the heap do not, and
 * from version to version many change from one to the other. */
static const char *type_name(PyTypeObject *type)
{
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        PyObject *name = ((PyHeapTypeObject *)type)->ht_qualname;
        const char *text = name != NULL ? PyUnicode_AsUTF8(name) : NULL;
        if (text != NULL)
            return text;
        PyErr_Clear();
    }
    const char *dot = strrchr(type->tp_name, '.');
    return dot != NULL ? dot + 1 : type->tp_name;
}

/* The type that defines the method, which may be a base of the object's, also one whose method the
 * object's type overrides; NULL: none of them. */
static PyTypeObject *defining_type(PyTypeObject *type, const PyMethodDef *def)
{
    PyObject *name = PyUnicode_FromString(def->ml_name), *mro = type->tp_mro;
    PyTypeObject *found = NULL;
    for (Py_ssize_t i = 0; name != NULL && mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        PyObject *method = PyType_Check(base) ? mt_type_item(base, name) : NULL;
        bool is_it = method != NULL &&
                     (Py_TYPE(method) == &PyMethodDescr_Type ||
                      Py_TYPE(method) == &PyClassMethodDescr_Type) &&
                     ((PyMethodDescrObject *)method)->d_method == def;
        mt_type_item_done(method);
        if (is_it) {
            found = base;
            break;
        }
    }
    Py_XDECREF(name);
    PyErr_Clear();
    return found;
}

static const char *owner_of(PyObject *callable, const PyMethodDef *def)
{
    if (!PyCFunction_Check(callable))
        return type_name(PyDescr_TYPE(callable));
    const char *owner = NULL;
    PyObject *self = ((PyCFunctionObject *)callable)->m_self;
    PyObject *module = ((PyCFunctionObject *)callable)->m_module;
    /* From 3.15 on, static methods have the module of their type. */
    if ((def->ml_flags & METH_STATIC) && self != NULL && PyType_Check(self))
        module = NULL;
    if (module != NULL && PyUnicode_Check(module))
        owner = PyUnicode_AsUTF8(module);
    else if (module != NULL && PyModule_Check(module))
        owner = PyModule_GetName(module);
    else if (self != NULL && PyModule_Check(self))
        owner = PyModule_GetName(self);
    else if (self != NULL) {
        PyTypeObject *type = NULL; /* a class method's, a method's, or whose static method it is */
        if (PyType_Check(self))
            type = defining_type((PyTypeObject *)self, def);
        if (type == NULL)
            type = defining_type(Py_TYPE(self), def);
        if (type == NULL)
            type = PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self);
        owner = type_name(type);
    }
    PyErr_Clear();
    return owner != NULL ? owner : "";
}

uint64_t mt__cfunc_define(PyObject *callable, const PyMethodDef *def)
{
    struct mt_pending pending;
    mt_pending_save(&pending);
    const char *owner = owner_of(callable, def);
    uint64_t value = 0;
    if (strcmp(owner, "mtrace._tracer") == 0)
        value = MT_VALUE_OWN;
    else if (strcmp(owner, "_thread") == 0 && strncmp(def->ml_name, "start_", 6) == 0)
        value = MT_VALUE_MAKES_THREADS;
    if (!(value & MT_VALUE_OWN))
        value |= mt_core_define_cfunc(owner, strlen(owner), def->ml_name, strlen(def->ml_name));
    PyTypeObject *type = type_of_new(callable, def);
    if (type != NULL)
        remember(def, def->ml_meth, def->ml_name, MT_VALUE_PER_TYPE);
    if ((uint32_t)value != MT_ID_UNKNOWN) {
        if (type != NULL)
            value = remember((const PyMethodDef *)(void *)type,
                             (PyCFunction)(void (*)(void))type->tp_new, type->tp_name, value);
        else
            value = remember(def, def->ml_meth, def->ml_name, value);
    }
    mt_pending_restore(&pending);
    return value;
}

/* ---- other objects that are called
 *
 * They have no definition; in the table, the address of what they are known by stands for it, made
 * odd so that it is nobody's else. `function`, which is mixed with the whole name, tells whether that
 * address has been given to something new. */

struct known_by {
    const PyMethodDef *key;
    PyCFunction function;
    const char *owner, *name;
};

static PyCFunction mixed(void *function, const char *name)
{
    uintptr_t hash = (uintptr_t)function;
    for (; *name != '\0'; name++) /* FNV-1a */
        hash = (hash ^ (unsigned char)*name) * (uintptr_t)0x100000001b3;
    return (PyCFunction)(void (*)(void))hash;
}

static struct known_by known_by(PyObject *callable)
{
    PyTypeObject *type = Py_TYPE(callable);
    struct known_by by;
    if (PyType_Check(callable)) { /* int("3") */
        type = (PyTypeObject *)callable;
        by = (struct known_by){(const PyMethodDef *)(const void *)((char *)type + 1),
                               NULL, "", type_name(type)};
        by.function = mixed((void *)type->tp_new, by.name);
    } else if (type == &PyWrapperDescr_Type) { /* (1).__add__(2) */
        PyWrapperDescrObject *descriptor = (PyWrapperDescrObject *)callable;
        by = (struct known_by){(const PyMethodDef *)(const void *)((char *)callable + 3),
                               NULL, type_name(PyDescr_TYPE(callable)),
                               descriptor->d_base->name};
        by.function = mixed(descriptor->d_wrapped, by.owner);
    } else { /* functools.partial(f)() */
        by = (struct known_by){(const PyMethodDef *)(const void *)((char *)type + 5),
                               NULL, type_name(type), "__call__"};
        by.function = mixed((void *)type->tp_call, by.owner);
    }
    return by;
}

uint64_t mt__object_value(PyObject *callable)
{
    struct known_by by = known_by(callable);
    return mt__cfunc_lookup(by.key, by.function, by.name);
}

uint64_t mt__object_define(PyObject *callable)
{
    struct mt_pending pending;
    mt_pending_save(&pending);
    struct known_by by = known_by(callable);
    uint64_t id = mt_core_define_cfunc(by.owner, strlen(by.owner), by.name, strlen(by.name));
    if (id != MT_ID_UNKNOWN)
        id = remember(by.key, by.function, by.name, id);
    mt_pending_restore(&pending);
    return id;
}

/* ---- start */

/* Does this interpreter keep things where compat.h says? Tried on a frame that is running now. */
static bool check_layout(void)
{
    bool good = false;
    PyInterpreterState *interp = PyInterpreterState_Get();
    PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());
    if (frame == NULL)
        return false;
    PyCodeObject *code = mt_frame_code_public(frame);
    void *before = NULL, *after = NULL;
    void *probe = (void *)(uintptr_t)MT_VALUE_OWN;
    if (mt_code_extra_get_public((PyObject *)code, mt__extra_index, &before) == 0 &&
        mt_code_extra_set((PyObject *)code, mt__extra_index, probe) == 0) {
        mt_code_extra_get_public((PyObject *)code, mt__extra_index, &after);
        good = after == probe && mt_frame_code_private(frame) == code &&
               mt_code_extra_private(code, mt__extra_index) == (uint64_t)(uintptr_t)probe &&
               mt_thread_head_private(interp) == PyInterpreterState_ThreadHead(interp);
        mt_code_extra_set((PyObject *)code, mt__extra_index, before);
    }
    PyErr_Clear();
    Py_DECREF(frame);
    return good;
}

int mt__code_init(void)
{
    if (mt__extra_index >= 0)
        return 0;
    Py_ssize_t index = mt_code_extra_request(NULL);
    if (index < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no free slot in code objects");
        return -1;
    }
    if (!grow()) {
        PyErr_NoMemory();
        return -1;
    }
    table_pid = mt_os_pid();
    mt__extra_index = index;
    mt__layout_known = check_layout();
    if (mt__layout_known)
        mt__hot_index = index;
    return 0;
}
