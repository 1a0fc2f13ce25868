/* hook_frame.c - the `frame` engine: a frame evaluation hook (PEP 523), 3.9 to 3.11, for Python
 * functions only. Interpreter-wide: it sees every thread from its first frame.
 *
 * A frame's begin is recorded before it is evaluated and its end after, so the two always match,
 * whatever happens in between; the code object is held over the evaluation, for its name may have
 * to be written anew at the end (a fork).
 *
 * The hook costs C stack, which a deep recursion that works untraced may not have. Where little is
 * left it steps aside: frames below are evaluated as if it were not there, until the one that
 * stepped aside returns. It steps aside for good when somebody else has the interpreter's hook.
 */
#include "ext/hook.h"

#if MT_HAVE_FRAME_HOOK

/* Less C stack than this is left to the program alone. */
#define MT_STACK_RESERVE (64u << 10)

/* Below this address of the C stack the hook steps aside. At first above every address: the thread
 * has not been looked at. */
static __thread uintptr_t stack_limit __attribute__((tls_model("initial-exec"))) = UINTPTR_MAX;

static PyObject *eval(PyThreadState *tstate, mt_eval_frame *frame, int throwing);

/* The thread's stack ends here: below it runs code on a C stack of its own (a library of coroutines),
 * of which nothing is known. */
static __thread uintptr_t stack_end __attribute__((tls_model("initial-exec")));

/* Where this thread's limit is; 0: unknown, never step aside. */
static uintptr_t find_limit(void)
{
    pthread_attr_t attr;
    void *lowest = NULL;
    size_t bytes = 0, guard = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return 0;
    if (pthread_attr_getstack(&attr, &lowest, &bytes) != 0)
        lowest = NULL;
    if (pthread_attr_getguardsize(&attr, &guard) != 0)
        guard = 0;
    pthread_attr_destroy(&attr);
    if (lowest == NULL)
        return 0;
    /* A very small stack keeps half of itself for the program. */
    stack_end = (uintptr_t)lowest;
    size_t reserve = bytes / 2 < MT_STACK_RESERVE ? bytes / 2 : MT_STACK_RESERVE;
    return (uintptr_t)lowest + guard + reserve;
}

static inline bool emit_fast(PyCodeObject *code, enum mt_kind kind)
{
    struct mt_slot *slot = mt__slot;
    uint64_t value = mt_code_value_hot(code);
    return MT_LIKELY(mt_id_valid(slot, value)) &&
           mt__emit_fast(slot, (uint32_t)kind << MT_ID_BITS | (uint32_t)value);
}

/* The frame is not on the stack that the slow path may have to state: not yet, or not any more. */
__attribute__((noinline, cold)) static void emit_slow(PyCodeObject *code, PyFrameObject *frame,
                                                      enum mt_kind kind)
{
    mt__off_stack = code;
    mt__python_slow(code, frame, kind);
    mt__off_stack = NULL; /* not left behind: another engine may be next, when the code is gone */
}

static inline PyObject *record(PyThreadState *tstate, mt_eval_frame *frame, int throwing)
{
    PyCodeObject *code = mt_eval_code(frame);
    if (mt_eval_makes_generator(frame))
        return _PyEval_EvalFrameDefault(tstate, frame, throwing);
    Py_INCREF(code);
    if (MT_UNLIKELY(!emit_fast(code, MT_KIND_PY_BEGIN)))
        emit_slow(code, mt_eval_object(frame), MT_KIND_PY_BEGIN);
    PyObject *result = _PyEval_EvalFrameDefault(tstate, frame, throwing);
    enum mt_kind kind = result != NULL ? MT_KIND_PY_END : MT_KIND_PY_END_EXC;
    if (MT_UNLIKELY(!emit_fast(code, kind)))
        emit_slow(code, NULL, kind);
    Py_DECREF(code);
    return result;
}

/* Little C stack is left, or this is the thread's first frame. */
__attribute__((noinline, cold)) static PyObject *eval_low(PyThreadState *tstate,
                                                          mt_eval_frame *frame, int throwing)
{
    static bool noted;
    if (stack_limit == UINTPTR_MAX)
        stack_limit = find_limit();
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (here >= stack_limit || here < stack_end)
        return record(tstate, frame, throwing);
    if (!noted) {
        noted = true;
        mt_core_note(MT_NOTE_UNTRACED, "a recursion left little C stack: the calls below it were "
                                       "not recorded (frame engine)");
    }
    _PyInterpreterState_SetEvalFrameFunc(mt__interp, _PyEval_EvalFrameDefault);
    PyObject *result = _PyEval_EvalFrameDefault(tstate, frame, throwing);
    if (mt_core_recording() &&
        _PyInterpreterState_GetEvalFrameFunc(mt__interp) == _PyEval_EvalFrameDefault)
        _PyInterpreterState_SetEvalFrameFunc(mt__interp, eval);
    return result;
}

MT_HOT static PyObject *eval(PyThreadState *tstate, mt_eval_frame *frame, int throwing)
{
    if (MT_UNLIKELY((uintptr_t)__builtin_frame_address(0) < stack_limit))
        return eval_low(tstate, frame, throwing);
    return record(tstate, frame, throwing);
}

static bool available(bool c_functions, const char **why_not)
{
    _PyFrameEvalFunction present = _PyInterpreterState_GetEvalFrameFunc(PyInterpreterState_Get());
    *why_not = c_functions              ? "it does not see C functions"
               : !mt_eval_is_complete() ? "before 3.11.4 it does not see calls of __getitem__"
                                        : "another tool evaluates this interpreter's frames";
    return !c_functions && mt_eval_is_complete() && present == _PyEval_EvalFrameDefault;
}

static int start(void)
{
    mt__threads_adopt();
    _PyInterpreterState_SetEvalFrameFunc(mt__interp, eval);
    return 0;
}

static void stop(void)
{
    if (_PyInterpreterState_GetEvalFrameFunc(mt__interp) == eval)
        _PyInterpreterState_SetEvalFrameFunc(mt__interp, _PyEval_EvalFrameDefault);
    else
        mt_core_note(MT_NOTE_HOOK, "another tool took the frame evaluation hook; since then "
                                   "nothing was recorded");
}

const struct mt_hook mt__hook_frame = {
    .engine = MT_ENGINE_FRAME,
    .name = "frame",
    .available = available,
    .start = start,
    .stop = stop,
};

#endif /* MT_HAVE_FRAME_HOOK */
