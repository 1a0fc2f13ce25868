/* code.c - what code objects are called, and where their values are kept.
 *
 * A code object keeps its value in an extra slot, or from 3.14 on in a word of its own, as a plain number:
 * it dies with the code object, so programs that make code without end neither leak nor get a
 * wrong name. First sights only; runs with the GIL, where there is one.
 */
#include "ext/cfuncs.h"

#include <string.h>

bool mt__layout_known;
Py_ssize_t mt__extra_index = -1;
Py_ssize_t mt__hot_index = PY_SSIZE_T_MAX;
#if MT_HAVE_CODE_WORD
uint64_t mt__word_key = MT_NO_WORDS;
#endif

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
        return sets_name                               ? MT_VALUE_NAMES_THREAD
               : strcmp(name, "<module>") == 0         ? MT_VALUE_IS_THREADING
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
static PyObject *qualname_of_function(PyObject *function, PyCodeObject *code)
{
    if (!PyFunction_Check(function) || PyFunction_GetCode(function) != (PyObject *)code)
        return NULL;
    return ((PyFunctionObject *)function)->func_qualname;
}

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
            else
                found = qualname_of_function(inner, code);
            Py_XDECREF(inner); /* the wrapper keeps it */
        }
        return found;
    }
    return qualname_of_function(candidate, code);
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
    PyTypeObject *type = first == NULL         ? NULL
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

/* ---- where values are kept */

#if MT_HAVE_CODE_WORD
/* A code object has one flag at most. */
static uint32_t pack(uint64_t value)
{
    uint32_t flag = (uint32_t)(value >> 32);
    return (uint32_t)value | (flag != 0 ? (uint32_t)__builtin_ctz(flag) + 1 : 0) << MT_ID_BITS;
}

static uint64_t unpack(uint32_t packed)
{
    uint32_t flag = packed >> MT_ID_BITS;
    return (packed & MT_ID_MAX) | (flag != 0 ? UINT64_C(1) << (31 + flag) : 0);
}

/* Are the words of code objects free? Another copy of this extension may be using them. */
static bool claim_words(void)
{
    PyObject *shared = PyInterpreterState_GetDict(PyInterpreterState_Get()); /* borrowed */
    PyObject *owner = shared != NULL ? PyDict_GetItemString(shared, "mtrace.code_words") : NULL;
    if (owner != NULL)
        return PyLong_AsVoidPtr(owner) == &mt__word_key;
    owner = PyLong_FromVoidPtr(&mt__word_key);
    bool good = shared != NULL && owner != NULL &&
                PyDict_SetItemString(shared, "mtrace.code_words", owner) == 0;
    Py_XDECREF(owner);
    return good;
}
#endif

uint64_t mt_code_value(PyCodeObject *code)
{
#if MT_HAVE_CODE_WORD
    if (mt_code_has_word(code)) {
        uint64_t packed = mt_code_value_hot(code);
        return packed <= UINT32_MAX ? unpack((uint32_t)packed) : 0;
    }
#endif
    if (mt__layout_known)
        return mt_code_extra_private(code, mt__extra_index);
    void *value = NULL;
    mt_code_extra_get_public((PyObject *)code, mt__extra_index, &value);
    return (uint64_t)(uintptr_t)value;
}

/* In place of `present`; -1 with an exception. */
static int put(PyCodeObject *code, uint64_t present, uint64_t value)
{
#if MT_HAVE_CODE_WORD
    if (mt_code_has_word(code)) {
        mt_code_word(code) = (Py_ssize_t)(pack(value) ^ mt_code_mark(code));
        return 0;
    }
#endif
    return mt_code_extra_put(code, mt__extra_index, present, value);
}

/* Puts the value into the code object, unless another thread was faster; returns what stands. */
static uint64_t keep(PyCodeObject *code, uint64_t value)
{
    uint64_t present = mt_code_value(code);
    while (present != value && (value == MT_VALUE_OWN || !mt_value_stands(present, value))) {
        if (put(code, present, value) != 0) {
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
        uint32_t id = mt_core_define_code(name, (size_t)n_name, file, (size_t)n_file,
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
    if (mt__cfuncs_init() != 0)
        return -1;
    mt__extra_index = index;
    mt__layout_known = check_layout();
    if (mt__layout_known)
        mt__hot_index = index;
#if MT_HAVE_CODE_WORD
    if (claim_words())
        mt__word_key = MT_WORD_KEY;
    PyErr_Clear();
#endif
    return 0;
}
