/* hostile_module.c - the module: all functions of the other files. */
#include "hostile.h"

static void on_free(void *module)
{
    static const char text[] = "hostile: module freed\n";
    (void)module;
    if (getenv("HOSTILE_SAYS_FREED") != NULL && write(1, text, sizeof text - 1) < 0)
        return;
}

static int on_exec(PyObject *module)
{
    PyMethodDef *const all[] = {hostile_jumps, hostile_threads, hostile_processes, hostile_objects,
                                hostile_ends};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (PyModule_AddFunctions(module, all[i]) != 0)
            return -1;
    }
    return hostile_add_types(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)on_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "hostile",
    .m_slots = slots,
    .m_free = on_free,
};

PyMODINIT_FUNC PyInit_hostile(void);
PyMODINIT_FUNC PyInit_hostile(void)
{
    return PyModuleDef_Init(&module);
}
