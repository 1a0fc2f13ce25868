/* hostile_processes.c - children that C code makes in every way, and descriptors that it closes. */
#define _GNU_SOURCE
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* clone(2) as the kernel has it, without CLONE_VM: a fork that libc does not know of. */
static pid_t raw_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* fork(how): in the child 0, as os.fork(), but Python is not told. */
static PyObject *fork_(PyObject *module, PyObject *how)
{
    const char *text = PyUnicode_AsUTF8(how);
    (void)module;
    return PyLong_FromLong(strcmp(text, "clone") == 0 ? raw_clone() : fork());
}

static pid_t vforked(char **argv)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

/* spawn(how, path, argument...): the child's status. */
static PyObject *spawn(PyObject *module, PyObject *args)
{
    char *argv[8] = {NULL};
    int status = 0;
    pid_t pid = -1;
    (void)module;
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    const char *how = PyUnicode_AsUTF8(PyTuple_GET_ITEM(args, 0));
    for (Py_ssize_t i = 1; i < n && i < 8; i++)
        argv[i - 1] = (char *)PyUnicode_AsUTF8(PyTuple_GET_ITEM(args, i));
    if (strcmp(how, "vfork") == 0)
        pid = vforked(argv);
    else if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0)
        pid = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(status);
}

/* close_from(n): every descriptor from n on, as daemons do. */
static PyObject *close_from(PyObject *module, PyObject *lowest)
{
    long first = PyLong_AsLong(lowest);
    (void)module;
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0) != 0) {
        for (int fd = (int)first; fd < 1024; fd++)
            close(fd);
    }
    Py_RETURN_NONE;
}

PyMethodDef hostile_processes[] = {
    {"fork", fork_, METH_O, NULL},
    {"spawn", spawn, METH_VARARGS, NULL},
    {"close_from", close_from, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
