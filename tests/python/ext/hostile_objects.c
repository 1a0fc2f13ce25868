/* hostile_objects.c - functions whose definitions come and go, and types of C that call Python when
 * they are freed.
 */
#include "hostile.h"

#include <structmember.h>

/* ---- functions made at run time, as binding generators make them: their definition dies with them */

struct definition {
    PyMethodDef def;
    char name[64];
};

static struct definition *at; /* where the next one lies; all lie there, one after another */

static PyObject *called(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromVoidPtr(PyCapsule_GetPointer(self, NULL));
}

static PyObject *called_too(PyObject *self, PyObject *unused)
{
    return called(self, unused);
}

/* make(name, other): a function of that name, whose definition and name lie where the last one's
 * lay, which must be gone. With `other` its code is another. */
static PyObject *make(PyObject *module, PyObject *args)
{
    const char *name;
    int other;
    (void)module;
    if (!PyArg_ParseTuple(args, "sp", &name, &other))
        return NULL;
    if (at == NULL)
        at = PyMem_RawCalloc(1, sizeof *at);
    snprintf(at->name, sizeof at->name, "%s", name);
    at->def = (PyMethodDef){at->name, other ? called_too : called, METH_NOARGS, NULL};
    PyObject *self = PyCapsule_New(at, NULL, NULL);
    PyObject *function = self != NULL ? PyCFunction_New(&at->def, self) : NULL;
    Py_XDECREF(self);
    return function;
}

/* ---- a type of C with every kind of method, which calls Python at odd moments */

struct object {
    PyObject_HEAD
    PyObject *at_end; /* called when it is freed */
    PyObject *weakrefs;
    vectorcallfunc vectorcall;
};

static PyObject *as_vector(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    (void)self;
    (void)args;
    (void)names;
    return PyLong_FromSsize_t(PyVectorcall_NARGS(n));
}

static int object_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *at_end = NULL;
    struct object *object = (struct object *)self;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "|O", &at_end))
        return -1;
    Py_XINCREF(at_end);
    Py_XSETREF(object->at_end, at_end);
    object->vectorcall = as_vector;
    return 0;
}

static int object_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((struct object *)self)->at_end);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int object_clear(PyObject *self)
{
    Py_CLEAR(((struct object *)self)->at_end);
    return 0;
}

/* Calls Python while the object goes, whatever exception is on its way. Nested ones go through the
 * trashcan. */
static void object_dealloc(PyObject *self)
{
    struct object *object = (struct object *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, object_dealloc);
    if (object->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    PyObject *at_end = object->at_end;
    object->at_end = NULL;
    if (at_end != NULL) {
        if (PyCallable_Check(at_end)) {
            PyObject *exception, *value, *traceback;
            PyErr_Fetch(&exception, &value, &traceback);
            hostile_call(at_end);
            PyErr_Restore(exception, value, traceback);
        }
        Py_DECREF(at_end);
    }
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END;
}

static PyObject *no_arguments(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_RETURN_NONE;
}

static PyObject *fast(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    (void)self;
    (void)args;
    return PyLong_FromSsize_t(n);
}

static PyObject *with_names(PyObject *self, PyObject *args, PyObject *kwargs)
{
    (void)self;
    (void)args;
    return PyLong_FromSsize_t(kwargs != NULL ? PyDict_Size(kwargs) : 0);
}

static PyObject *of_class(PyObject *self, PyTypeObject *defining, PyObject *const *args,
                          Py_ssize_t n, PyObject *names)
{
    (void)self;
    (void)args;
    (void)n;
    (void)names;
    return PyUnicode_FromString(strrchr(defining->tp_name, '.') + 1);
}

#define CAST(f) (PyCFunction)(void (*)(void))(f)
static PyMethodDef object_methods[] = {
    {"no_arguments", no_arguments, METH_NOARGS, NULL},
    {"fast", CAST(fast), METH_FASTCALL, NULL},
    {"with_names", CAST(with_names), METH_VARARGS | METH_KEYWORDS, NULL},
    {"of_class", CAST(of_class), METH_METHOD | METH_FASTCALL | METH_KEYWORDS, NULL},
    {"of_the_class", no_arguments, METH_NOARGS | METH_CLASS, NULL},
    {"static", no_arguments, METH_NOARGS | METH_STATIC, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef object_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct object, weakrefs), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct object, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot object_slots[] = {
    {Py_tp_init, object_init},         {Py_tp_dealloc, object_dealloc},
    {Py_tp_traverse, object_traverse}, {Py_tp_clear, object_clear},
    {Py_tp_methods, object_methods},   {Py_tp_members, object_members},
    {Py_tp_call, PyVectorcall_Call},   {0, NULL},
};
static PyType_Spec object_spec = {
    .name = "hostile.Object",
    .basicsize = sizeof(struct object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = object_slots,
};

int hostile_add_types(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &object_spec, NULL);
    if (type == NULL)
        return -1;
    if (PyModule_AddObject(module, "Object", type) != 0) {
        Py_DECREF(type);
        return -1;
    }
    return 0;
}

PyMethodDef hostile_objects[] = {
    {"make", make, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
