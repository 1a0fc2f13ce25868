/* unload.c - a library with a function for Python, which test_hostile_ends.py loads by dlopen(), under
 * another name each time, and unloads. It knows the interpreter by the symbols that it finds there.
 */
#include <stddef.h>
#include <stdio.h>

/* PyMethodDef, as every version has it. */
struct definition {
    const char *name;
    void *(*function)(void *self, void *argument);
    int flags;
    const char *doc;
};

void Py_IncRef(void *object);
struct definition *unload_definition(const char *name);

static void *called(void *self, void *argument)
{
    (void)self;
    Py_IncRef(argument);
    return argument;
}

static char the_name[64];
static struct definition the_definition = {the_name, called, 8 /* METH_O */, NULL};

struct definition *unload_definition(const char *name)
{
    snprintf(the_name, sizeof the_name, "%s", name);
    return &the_definition;
}
