/* hook_profile.c - the `setprofile` engine: a C profile function per thread, on every version.
 * The reference that other engines are compared with.
 *
 * The hook runs on the thread that it records, with the GIL, and with profiling of this thread
 * suspended by the interpreter. It returns 0 whatever happens and leaves a pending exception and
 * errno alone. What it takes for an event whose function is known: two loads for the id, and
 * mt_emit(). All else is out of line.
 *
 * Generators and coroutines: each resumption is a call and each yield a return to this hook, so
 * they are recorded as begin and end.
 */
#include "ext/hook.h"

static inline void on_python(PyFrameObject *frame, enum mt_kind kind)
{
    struct mt_slot *slot = mt__slot;
    PyCodeObject *code = mt_frame_code(frame);
    uint64_t value = mt_code_value(code);
    if (MT_LIKELY(mt_id_valid(slot, value)))
        mt_emit(slot, kind, (uint32_t)value);
    else
        mt__python_slow(code, frame, kind);
}

static inline void on_c(PyObject *callable, enum mt_kind kind)
{
    if (MT_UNLIKELY(!PyCFunction_Check(callable)))
        return;
    struct mt_slot *slot = mt__slot;
    const PyMethodDef *def = ((PyCFunctionObject *)callable)->m_ml;
    uint64_t value = mt_cfunc_value(def);
    if (MT_LIKELY(mt_id_valid(slot, value)))
        mt_emit(slot, kind, (uint32_t)value);
    else
        mt__c_slow(callable, def, kind);
}

static inline int on_event(PyFrameObject *frame, int what, PyObject *arg, bool c_functions)
{
    switch (what) {
    case PyTrace_CALL:
        /* A new thread is first in the list: C code may have made one. */
        if (MT_UNLIKELY(mt_newest_thread(mt__interp) != mt__seen_thread))
            mt__threads_walk();
        on_python(frame, MT_KIND_PY_BEGIN);
        break;
    case PyTrace_RETURN:
        on_python(frame, mt_left_by_exception(frame, arg) ? MT_KIND_PY_END_EXC : MT_KIND_PY_END);
        break;
    case PyTrace_C_CALL:
        if (c_functions)
            on_c(arg, MT_KIND_C_BEGIN);
        break;
    case PyTrace_C_RETURN:
        if (c_functions)
            on_c(arg, MT_KIND_C_END);
        break;
    case PyTrace_C_EXCEPTION:
        if (c_functions)
            on_c(arg, MT_KIND_C_END_EXC);
        break;
    default:
        break;
    }
    return 0;
}

static int hook_all(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self;
    return on_event(frame, what, arg, true);
}

static int hook_python(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self;
    return on_event(frame, what, arg, false);
}

/* The same event as the interpreter's Python-level trampoline states it. */
int mt__profile_event(PyFrameObject *frame, const char *event, PyObject *arg)
{
    static const struct {
        const char *name;
        int what;
    } events[] = {{"call", PyTrace_CALL},
                  {"return", PyTrace_RETURN},
                  {"c_call", PyTrace_C_CALL},
                  {"c_return", PyTrace_C_RETURN},
                  {"c_exception", PyTrace_C_EXCEPTION}};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (strcmp(event, events[i].name) == 0)
            return on_event(frame, events[i].what, arg, mt__c_functions);
    }
    return 0;
}

static bool available(bool c_functions, const char **why_not)
{
    (void)c_functions;
    *why_not = "a free-threaded CPython crashes when hooks are set per thread";
    return !MT_FREE_THREADED;
}

static int start(void)
{
    return mt__threads_start(mt__c_functions ? hook_all : hook_python);
}

const struct mt_hook mt__hook_setprofile = {
    .engine = MT_ENGINE_SETPROFILE,
    .name = "setprofile",
    .available = available,
    .start = start,
    .stop = mt__threads_stop,
};
