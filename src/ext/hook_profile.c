/* hook_profile.c - the `setprofile` engine: a C profile function per thread, on every version.
 * The reference that other engines are compared with.
 *
 * The hook runs on the thread that it records, with the GIL, and with profiling of this thread
 * suspended by the interpreter. It returns 0 whatever happens and leaves a pending exception and
 * errno alone. What it takes for an event whose function is known is inline: its id, and mt_emit().
 * All else is out of line.
 *
 * Generators and coroutines: each resumption is a call and each yield a return to this hook, so
 * they are recorded as begin and end.
 */
#include "ext/cfuncs.h"

static inline void on_python(PyFrameObject *frame, enum mt_kind kind)
{
    struct mt_slot *slot = mt__slot;
    PyCodeObject *code = mt_frame_code_private(frame);
    uint64_t value = mt_code_value_hot(code);
    if (MT_LIKELY(mt_id_valid(slot, value)))
        mt_emit(slot, kind, (uint32_t)value);
    else
        mt__python_slow(code, frame, kind);
}

static inline void on_definition(PyObject *callable, enum mt_kind kind)
{
    const PyMethodDef *def = ((PyCFunctionObject *)callable)->m_ml;
    uint64_t value = mt_cfunc_value_hot(def);
    struct mt_slot *slot = mt__slot; /* late: the registers are few */
    if (MT_UNLIKELY(!mt_id_valid(slot, value))) {
        mt__c_slow(callable, def, kind);
        return;
    }
    if (MT_PROFILE_HOLDS_CALLEE && kind == MT_KIND_C_BEGIN)
        mt_callee_set(slot, callable, value);
    mt_emit(slot, kind, (uint32_t)value);
}

/* Not exactly a builtin function, or an end that is not that of the last begin. */
__attribute__((noinline)) static void on_other(PyObject *callable, enum mt_kind kind)
{
    if (PyCFunction_Check(callable))
        on_definition(callable, kind);
}

static inline void on_c_begin(PyObject *callable)
{
    if (MT_LIKELY(Py_TYPE(callable) == &PyCFunction_Type))
        on_definition(callable, MT_KIND_C_BEGIN);
    else
        on_other(callable, MT_KIND_C_BEGIN);
}

static inline void on_c_end(PyObject *callable, enum mt_kind kind)
{
    struct mt_slot *slot = mt__slot;
    uint64_t id = MT_PROFILE_HOLDS_CALLEE ? mt_callee_take(slot, callable) : 0;
    if (MT_LIKELY(mt_id_valid(slot, id)))
        mt_emit(slot, kind, (uint32_t)id);
    else
        on_other(callable, kind);
}

/* Python functions, the slow ways: C code may have made a thread, or the interpreter's layout is not
 * as stated in compat.h. */
__attribute__((noinline, cold)) static void on_frame_slow(PyFrameObject *frame, enum mt_kind kind)
{
    if (kind == MT_KIND_PY_BEGIN && mt_newest_thread(mt__interp) != mt__seen_thread)
        mt__threads_walk();
    mt__python_slow(mt_frame_code_public(frame), frame, kind);
}

/* Every branch ends in a jump: the common ones need no stack frame. */
static inline void on_event(PyFrameObject *frame, int what, PyObject *arg, bool c_functions)
{
    if (what == PyTrace_CALL) {
        /* A new thread is first in the list. */
        if (MT_LIKELY(mt__layout_known && mt_newest_thread_private(mt__interp) == mt__seen_thread))
            on_python(frame, MT_KIND_PY_BEGIN);
        else
            on_frame_slow(frame, MT_KIND_PY_BEGIN);
    } else if (what == PyTrace_RETURN) {
        enum mt_kind kind = mt_left_by_exception(frame, arg) ? MT_KIND_PY_END_EXC : MT_KIND_PY_END;
        if (MT_LIKELY(mt__layout_known))
            on_python(frame, kind);
        else
            on_frame_slow(frame, kind);
    } else if (c_functions && what == PyTrace_C_CALL) {
        on_c_begin(arg);
    } else if (c_functions && what == PyTrace_C_RETURN) {
        on_c_end(arg, MT_KIND_C_END);
    } else if (c_functions && what == PyTrace_C_EXCEPTION) {
        on_c_end(arg, MT_KIND_C_END_EXC);
    }
}

MT_HOT static int hook_all(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self;
    on_event(frame, what, arg, true);
    return 0;
}

MT_HOT static int hook_python(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self;
    on_event(frame, what, arg, false);
    return 0;
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
            on_event(frame, events[i].what, arg, mt__c_functions);
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
