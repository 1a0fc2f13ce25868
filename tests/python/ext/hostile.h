/* hostile.h - what the files of the extension `hostile` are to each other: C code that does what C
 * code can do to an interpreter, for test_hostile_*.py. Each file has the functions of one kind.
 */
#ifndef MT_TESTS_HOSTILE_H_
#define MT_TESTS_HOSTILE_H_

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern PyMethodDef hostile_jumps[], hostile_threads[], hostile_processes[], hostile_objects[],
    hostile_ends[];

int hostile_add_types(PyObject *module); /* -1 with an exception */

/* Calls without arguments; an exception of it goes to sys.unraisablehook. */
static inline void hostile_call(PyObject *callable)
{
    PyObject *result = PyObject_CallObject(callable, NULL);
    if (result == NULL)
        PyErr_WriteUnraisable(callable);
    Py_XDECREF(result);
}

#endif /* MT_TESTS_HOSTILE_H_ */
