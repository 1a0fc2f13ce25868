/* cfuncs.c - what C functions are called, and the table of their values: they have no place for one,
 * as code objects do, so they are found by the address of the method definition. With --all-calls
 * also what else is called and is no Python function.
 *
 * First sights only; runs with the GIL, where there is one.
 */
#include "ext/cfuncs.h"

#include <string.h>

/* ---- the table */

struct mt_cfuncs *mt__cfuncs;
static uint64_t n_cfuncs;
static uint32_t table_pid; /* whose values the table has */

/* Only where there is no GIL to guard it. */
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

int mt__cfuncs_init(void)
{
    if (!grow()) {
        PyErr_NoMemory();
        return -1;
    }
    table_pid = mt_os_pid();
    return 0;
}

/* No value of the parent's is good in the child of a fork. A page for those that it looks up anew
 * costs less than a copy of each page of the parent's table that they would be scattered over. The
 * latter is kept, as when the table grows. */
void mt__cfuncs_in_process(uint32_t pid)
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
    if (present != 0 && mt_value_stands(present, value)) {
        value = present;
    } else if (n_cfuncs * 2 < mt__cfuncs->mask || grow()) {
        struct mt_cfunc *row = row_of(mt__cfuncs, def);
        n_cfuncs += row->def == NULL;
        /* In this order: mt__cfunc_lookup(). */
        mt_store_relaxed(&row->value, 0);
        mt_store_release(&row->function, function);
        mt_store_release(&row->text, mt__in_one_page(name, n + 1) ? name : NULL);
        mt_store_release(&row->name, mt__name_head(name));
        mt_store_release(&row->name_mask, n >= 7 ? UINT64_MAX : (UINT64_C(1) << (8 * n + 8)) - 1);
        mt_store_release(&row->n_longer, n >= 8 ? n + 1 : 0);
        mt_store_release(&row->name_rest, n >= 8 ? mt__name_rest(name, n + 1) : 0);
        mt_store_release(&row->value, value);
        mt_store_release(&row->def, def);
    }
    unlock_table(&mask);
    return value;
}

/* ---- builtin functions and methods */

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
        by = (struct known_by){(const PyMethodDef *)(const void *)((char *)type + 1), NULL, "",
                               type_name(type)};
        by.function = mixed((void *)type->tp_new, by.name);
    } else if (type == &PyWrapperDescr_Type) { /* (1).__add__(2) */
        PyWrapperDescrObject *descriptor = (PyWrapperDescrObject *)callable;
        by = (struct known_by){(const PyMethodDef *)(const void *)((char *)callable + 3), NULL,
                               type_name(PyDescr_TYPE(callable)), descriptor->d_base->name};
        by.function = mixed(descriptor->d_wrapped, by.owner);
    } else { /* functools.partial(f)() */
        by = (struct known_by){(const PyMethodDef *)(const void *)((char *)type + 5), NULL,
                               type_name(type), "__call__"};
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
