/* compat.h - what differs between CPython 3.9 and 3.15, and nothing else. The only file that asks
 * for PY_VERSION_HEX; code elsewhere is written as for the newest version.
 *
 * Three things are read from the interpreter's private structures because the public way costs
 * calls and reference counts on the hot path: the code object of a frame, the word that we keep in
 * a code object, and the newest thread. Where they lie is stated per version below and checked once at start
 * (mt__code_init()) against what the public functions say; if they differ, the public functions
 * are used.
 */
#ifndef MT_EXT_COMPAT_H_
#define MT_EXT_COMPAT_H_

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <frameobject.h>
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
/* The frame that an evaluation hook gets is private. */
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#endif
#if PY_VERSION_HEX >= 0x030b0000
#include <opcode.h>
#endif
#if PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
#define MT_GENERATOR_SUSPENDED (-1) /* of PyGenObject.gi_frame_state */
#endif

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/atomic.h"
#include "os/os.h"

#if PY_VERSION_HEX < 0x03090000 || PY_VERSION_HEX >= 0x03100000
#error "mtrace supports CPython 3.9 to 3.15"
#endif

/* The version that the extension was built with; it fits every release of the same minor one. */
#define MT_PYTHON_VERSION PY_VERSION_HEX

#ifdef Py_GIL_DISABLED
#define MT_FREE_THREADED 1
#else
#define MT_FREE_THREADED 0
#endif

/* Of what threads share: with a GIL it orders them, and these are plain accesses. */
#if MT_FREE_THREADED
#define mt_shared_load(p) mt_load_acquire(p)
#define mt_shared_store(p, v) mt_store_release(p, v)
#else
#define mt_shared_load(p) (*(p))
#define mt_shared_store(p, v) ((void)(*(p) = (v)))
#endif

#define MT_HAVE_MONITORING (PY_VERSION_HEX >= 0x030c0000)
#define MT_HAVE_FRAME_HOOK (PY_VERSION_HEX < 0x030c0000)

/* Can C code fire events of sys.monitoring (PyMonitoring_Fire...), with whatever it has for a code
 * object? */
#define MT_EVENTS_FROM_C (PY_VERSION_HEX >= 0x030d0000)

/* ---- hooks */

/* Exported by every version; from 3.13 on declared in a private header only. */
/* NOLINTNEXTLINE(readability-redundant-declaration) */
PyAPI_FUNC(int) _PyEval_SetProfile(PyThreadState *tstate, Py_tracefunc func, PyObject *arg);

/* ---- frames */

/* Words from the interpreter's own frame to its code object, and tag bits in that word. */
#if PY_VERSION_HEX >= 0x030c0000
#define MT_FRAME_CODE_WORD 0
#elif PY_VERSION_HEX >= 0x030b0000
#define MT_FRAME_CODE_WORD 4
#endif
#if PY_VERSION_HEX >= 0x030e0000
#define MT_FRAME_CODE_TAGS ((uintptr_t)3)
#else
#define MT_FRAME_CODE_TAGS ((uintptr_t)0)
#endif

/* False: the layout is not as stated here; ask the public functions. */
extern bool mt__layout_known;

/* Borrowed: the frame keeps it. */
static inline PyCodeObject *mt_frame_code_public(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    Py_DECREF(code);
    return code;
}

#ifdef MT_FRAME_CODE_WORD
struct mt__frame_head {
    PyObject_HEAD
    PyFrameObject *back;
    uintptr_t *frame;
};
static inline PyCodeObject *mt_frame_code_private(PyFrameObject *frame)
{
    uintptr_t word = ((struct mt__frame_head *)frame)->frame[MT_FRAME_CODE_WORD];
    return (PyCodeObject *)(word & ~MT_FRAME_CODE_TAGS);
}
#else
static inline PyCodeObject *mt_frame_code_private(PyFrameObject *frame)
{
    return frame->f_code;
}
#endif

static inline PyCodeObject *mt_frame_code(PyFrameObject *frame)
{
    if (mt__layout_known)
        return mt_frame_code_private(frame);
    return mt_frame_code_public(frame);
}

/* The first argument of a frame that has just begun; borrowed, NULL if unknown. Only where code
 * objects do not know their qualified names, to find it out. */
static inline PyObject *mt_frame_first_argument(PyFrameObject *frame)
{
#if PY_VERSION_HEX < 0x030b0000
    return frame->f_code->co_argcount > 0 ? frame->f_localsplus[0] : NULL;
#else
    (void)frame;
    return NULL;
#endif
}

/* `self` of a method's frame: a new reference, or NULL, perhaps with an exception. */
static inline PyObject *mt_frame_self(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyFrame_GetVarString(frame, "self");
#elif PY_VERSION_HEX >= 0x030b0000
    PyObject *locals = PyFrame_GetLocals(frame);
    PyObject *self = locals != NULL ? PyMapping_GetItemString(locals, "self") : NULL;
    Py_XDECREF(locals);
    return self;
#else
    PyObject *self = mt_frame_first_argument(frame);
    Py_XINCREF(self);
    return self;
#endif
}

/* Where in its code a frame is; changes whenever it goes on. */
static inline int mt_frame_lasti(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030b0000
    return PyFrame_GetLasti(frame);
#else
    return frame->f_lasti;
#endif
}

static inline PyObject *mt_frame_globals(PyFrameObject *frame)
{
#if PY_VERSION_HEX < 0x030b0000
    return frame->f_globals;
#else
    (void)frame;
    return NULL;
#endif
}

/* What a frame evaluation hook (PEP 523) is given, up to 3.11. */
#if PY_VERSION_HEX < 0x030b0000
typedef PyFrameObject mt_eval_frame;
static inline PyCodeObject *mt_eval_code(mt_eval_frame *frame)
{
    return frame->f_code;
}
static inline PyFrameObject *mt_eval_object(mt_eval_frame *frame)
{
    return frame;
}
/* Does this evaluation only make the generator? Up to 3.10 none does. */
static inline bool mt_eval_makes_generator(mt_eval_frame *frame)
{
    (void)frame;
    return false;
}
#elif PY_VERSION_HEX < 0x030c0000
typedef struct _PyInterpreterFrame mt_eval_frame;
static inline PyCodeObject *mt_eval_code(mt_eval_frame *frame)
{
    return frame->f_code;
}
/* The frame as an object, where it is one; else NULL. */
static inline PyFrameObject *mt_eval_object(mt_eval_frame *frame)
{
    (void)frame;
    return NULL;
}
static inline bool mt_eval_makes_generator(mt_eval_frame *frame)
{
    return (frame->f_code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0 &&
           frame->owner != FRAME_OWNED_BY_GENERATOR;
}
#endif

#if MT_HAVE_FRAME_HOOK
/* Does every evaluation of a frame come to the hook? Before 3.11.4 that of a __getitem__ does not
 * (gh-104405); the extension fits them all, so ask the one that runs. */
static inline bool mt_eval_is_complete(void)
{
#if PY_VERSION_HEX >= 0x030b0000
    return Py_Version >= 0x030b0400;
#else
    return true;
#endif
}
#endif

/* ---- code objects */

#if PY_VERSION_HEX >= 0x030c0000
#define mt_code_extra_request PyUnstable_Eval_RequestCodeExtraIndex
#define mt_code_extra_get_public PyUnstable_Code_GetExtra
#define mt_code_extra_set PyUnstable_Code_SetExtra
#else
#define mt_code_extra_request _PyEval_RequestCodeExtraIndex
#define mt_code_extra_get_public _PyCode_GetExtra
#define mt_code_extra_set _PyCode_SetExtra
#endif

struct mt__code_extra {
    Py_ssize_t size;
    void *words[1];
};
static inline uint64_t mt_code_extra_private(PyCodeObject *code, Py_ssize_t index)
{
    const struct mt__code_extra *extra = (const struct mt__code_extra *)mt_shared_load(
        &code->co_extra);
    if (MT_LIKELY(extra != NULL && extra->size > index))
        return (uint64_t)(uintptr_t)mt_shared_load(&extra->words[index]);
    return 0;
}

/* Sets our own slot, which has no free function. The interpreter would make room for every slot
 * that is in use by now, and when the code object dies it hands what is in them to their owners'
 * free functions, NULL as well, against what is documented: these may not expect that, or be gone.
 * So room is made here, for no slot behind ours. Only in place of `before`: where another thread has
 * put something else meanwhile, that stays. 0, or -1 with an exception. */
#if MT_FREE_THREADED
/* The smaller block stays, for others may be reading it; nobody but another tool makes one. */
static inline struct mt__code_extra *mt__code_extra_room(PyCodeObject *code, Py_ssize_t index)
{
    for (;;) {
        struct mt__code_extra *old = (struct mt__code_extra *)mt_shared_load(&code->co_extra);
        void *expected = old;
        Py_ssize_t size = old != NULL ? old->size : 0;
        if (size > index)
            return old;
        size_t n_bytes = sizeof *old + (size_t)index * sizeof old->words[0];
        struct mt__code_extra *extra = (struct mt__code_extra *)PyMem_Calloc(1, n_bytes);
        if (extra == NULL)
            return NULL;
        for (Py_ssize_t i = 0; i < size; i++)
            extra->words[i] = old->words[i];
        extra->size = index + 1;
        if (mt_cas_release(&code->co_extra, &expected,
                           (void *)extra)) /* pairs with the loads of it */
            return extra;
        PyMem_Free(extra);
    }
}
#else
static inline struct mt__code_extra *mt__code_extra_room(PyCodeObject *code, Py_ssize_t index)
{
    struct mt__code_extra *extra = (struct mt__code_extra *)code->co_extra;
    Py_ssize_t size = extra != NULL ? extra->size : 0;
    if (size > index)
        return extra;
    size_t n_bytes = sizeof *extra + (size_t)index * sizeof extra->words[0];
    extra = (struct mt__code_extra *)PyMem_Realloc(extra, n_bytes);
    if (extra == NULL)
        return NULL;
    while (size <= index)
        extra->words[size++] = NULL;
    extra->size = size;
    code->co_extra = extra;
    return extra;
}
#endif

static inline int mt_code_extra_put(PyCodeObject *code, Py_ssize_t index, uint64_t before,
                                    uint64_t value)
{
    void *expected = (void *)(uintptr_t)before, *word = (void *)(uintptr_t)value;
    if (!mt__layout_known)
        return mt_code_extra_set((PyObject *)code, index, word);
    struct mt__code_extra *extra = mt__code_extra_room(code, index);
    if (extra == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    mt_cas_release(&extra->words[index], &expected, word); /* pairs with the loads of it */
    return 0;
}

/* A word of the code object itself. From 3.14 on CPython takes code that has extra data for code that has
 * a state, which no other interpreter can be given (Interpreter.call(), InterpreterPoolExecutor). Where there
 * is a GIL this field is neither set nor read, so it holds anything until somebody writes it; and the number
 * is no other code object's, or 0 when all have been given out. */
#define MT_HAVE_CODE_WORD (PY_VERSION_HEX >= 0x030e0000 && !MT_FREE_THREADED)
#if MT_HAVE_CODE_WORD
#define mt_code_word(code) ((code)->_co_unique_id)
#define mt_code_number(code) ((code)->co_version)
_Static_assert(sizeof mt_code_word((PyCodeObject *)NULL) == sizeof(uint64_t), "a word");
#endif

/* The qualified name, borrowed; NULL: the code object does not know it. */
static inline PyObject *mt_code_qualname(PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030b0000
    return code->co_qualname;
#else
    (void)code;
    return NULL;
#endif
}

/* ---- events */

/* Is the object that a profile hook is given of a C function the same at its begin and its end, and
 * alive in between? From 3.12 on a method's is made anew for each event. */
#define MT_PROFILE_HOLDS_CALLEE (PY_VERSION_HEX < 0x030c0000)

/* Of a thread that waits for the GIL at the entry of a frame: may the frame's begin still come? Where
 * a former recording, or another tool, had its events, the GIL is let go of before it: on 3.11, and
 * from 3.13 on. */
#define MT_STATED_MAY_BEGIN (PY_VERSION_HEX >= 0x030b0000)

/* May the begin of a call that is open, but not the innermost, still come? At the entry of a function,
 * before its begin, the interpreter calls what it has pending, handlers of signals for one: on 3.11,
 * and from 3.13 on. On 3.11 it does so after the begin as well, and nothing tells these apart.
 * `in_event`: asked in an event of ours, for its own thread. */
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
#define MT_ENTRY_OPCODE(opcode) ((opcode) == RESUME || (opcode) == RESUME_QUICK)
#elif PY_VERSION_HEX >= 0x030d0000 && !(MT_FREE_THREADED && PY_VERSION_HEX >= 0x030e0000)
#define MT_ENTRY_OPCODE(opcode) ((opcode) == INSTRUMENTED_RESUME)
#endif
static inline bool mt_begins_may_be_due(PyThreadState *tstate, bool in_event)
{
    (void)tstate;
    (void)in_event;
#if !defined(MT_ENTRY_OPCODE)
    return false;
#elif PY_VERSION_HEX < 0x030c0000
    return tstate->c_profilefunc != NULL || tstate->c_tracefunc != NULL;
#else
    return in_event || tstate->tracing == 0; /* not inside of a tool that is just told of one */
#endif
}
static inline bool mt_frame_begins_later(PyFrameObject *frame, PyCodeObject *code)
{
#ifdef MT_ENTRY_OPCODE
    enum { WHERE = 3 }; /* bits of the argument; 0: at the start of the function */
    const unsigned char *bytes = (const unsigned char *)code->co_code_adaptive;
    int at = PyFrame_GetLasti(frame);
    return at >= 0 && MT_ENTRY_OPCODE(bytes[at]) && (bytes[at + 1] & WHERE) == 0;
#else
    (void)frame;
    (void)code;
    return false;
#endif
}

/* Was the frame left by an exception? `arg` is what came with its PyTrace_RETURN. */
static inline bool mt_left_by_exception(PyFrameObject *frame, PyObject *arg)
{
#if PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
    /* 3.12 passes None for exceptions, too; the instruction that ran tells. */
    if (arg != Py_None)
        return arg == NULL;
    PyCodeObject *code = mt_frame_code(frame);
    PyObject *bytes = PyCode_GetCode(code); /* kept by the code object from the first time on */
    if (bytes == NULL) {
        PyErr_Clear();
        return false;
    }
    int at = PyFrame_GetLasti(frame);
    int opcode = at >= 0 && at < PyBytes_GET_SIZE(bytes)
                     ? (unsigned char)PyBytes_AS_STRING(bytes)[at]
                     : 0;
    Py_DECREF(bytes);
    if (opcode == YIELD_VALUE && mt__layout_known) {
        /* A yield, or an exception thrown in where the generator had yielded. */
        char *own = (char *)((struct mt__frame_head *)frame)->frame;
        PyGenObject *generator = (PyGenObject *)(void *)(own - offsetof(PyGenObject, gi_iframe));
        return generator->gi_frame_state != MT_GENERATOR_SUSPENDED;
    }
    return opcode != RETURN_VALUE && opcode != RETURN_CONST && opcode != YIELD_VALUE;
#else
    (void)frame;
    return arg == NULL;
#endif
}

/* ---- types and dictionaries */

/* A new reference, NULL: it is not there; no exception. What another thread may take out of the
 * dictionary must not be borrowed where there is no GIL. */
static inline PyObject *mt_dict_get(PyObject *dict, PyObject *key)
{
    PyObject *found = NULL;
#if PY_VERSION_HEX >= 0x030d0000
    if (PyDict_GetItemRef(dict, key, &found) < 0)
        PyErr_Clear();
#else
    found = PyDict_GetItem(dict, key);
    Py_XINCREF(found);
#endif
    return found;
}
static inline PyObject *mt_dict_get_string(PyObject *dict, const char *key)
{
    PyObject *found = NULL;
#if PY_VERSION_HEX >= 0x030d0000
    if (PyDict_GetItemStringRef(dict, key, &found) < 0)
        PyErr_Clear();
#else
    found = PyDict_GetItemString(dict, key);
    Py_XINCREF(found);
#endif
    return found;
}

/* What a type itself has by that name; NULL: nothing. Then call mt_type_item_done(). With a GIL no
 * reference is counted where it need not be: in the child of a fork each one is a page copied. */
static inline PyObject *mt_type_item(PyTypeObject *type, PyObject *name)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyObject *dict = PyType_GetDict(type);
#if MT_FREE_THREADED
    PyObject *item = dict != NULL ? mt_dict_get(dict, name) : NULL;
#else
    PyObject *item = dict != NULL ? PyDict_GetItem(dict, name) : NULL;
#endif
    Py_XDECREF(dict); /* the type keeps it */
    return item;
#else
    return type->tp_dict != NULL ? PyDict_GetItem(type->tp_dict, name) : NULL;
#endif
}
static inline void mt_type_item_done(PyObject *item)
{
#if MT_FREE_THREADED
    Py_XDECREF(item);
#else
    (void)item;
#endif
}

/* ---- threads */

/* The number of the newest thread state; 0: there is none. Its address will not do: that of a
 * thread which has ended becomes the next one's. */
static inline uint64_t mt_newest_thread(PyInterpreterState *interp)
{
    PyThreadState *head = PyInterpreterState_ThreadHead(interp);
    return head != NULL ? head->id : 0;
}

/* The same, of an interpreter that has a thread and whose layout is as stated here. */
#if PY_VERSION_HEX < 0x030b0000
#define MT_INTERP_HEAD_WORD 1
#elif PY_VERSION_HEX < 0x030c0000
#define MT_INTERP_HEAD_WORD 2
#endif
static inline PyThreadState *mt_thread_head_private(PyInterpreterState *interp)
{
#ifdef MT_INTERP_HEAD_WORD
    return mt_load_relaxed(&((PyThreadState **)(void *)interp)[MT_INTERP_HEAD_WORD]);
#else
    return PyInterpreterState_ThreadHead(interp);
#endif
}
static inline uint64_t mt_newest_thread_private(PyInterpreterState *interp)
{
    return mt_thread_head_private(interp)->id;
}

/* Puts a profile function without an object on a thread, or takes it away: what CPython's own setter
 * does to the thread's state, and no more. It raises no audit event, so it does not let go of the
 * GIL. From 3.12 on CPython also counts the threads that have one. */
#define MT_COUNTS_PROFILED (PY_VERSION_HEX >= 0x030c0000)
static inline void mt_tstate_set_profile(PyThreadState *tstate, Py_tracefunc function)
{
    tstate->c_profilefunc = function;
#if PY_VERSION_HEX < 0x030a0000
    tstate->use_tracing = function != NULL || tstate->c_tracefunc != NULL;
#elif PY_VERSION_HEX < 0x030b0000
    tstate->cframe->use_tracing = function != NULL || tstate->c_tracefunc != NULL;
#elif PY_VERSION_HEX < 0x030c0000
    bool use = tstate->tracing == 0 && (function != NULL || tstate->c_tracefunc != NULL);
    tstate->cframe->use_tracing = use ? 255 : 0;
#endif
}

/* The kernel's id of a thread of this process that has not ended; 0: unknown. A thread that ended in
 * the middle of a call (pthread_exit in C) leaves its state behind, and its stack, where libc looks
 * for the id, may be unmapped or another's by now. */
static inline uint32_t mt_tstate_tid(PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030b0000
    uint32_t native = (uint32_t)tstate->native_thread_id;
    if (native != 0)
        return mt_os_tid_exists(native) ? native : 0;
#endif
    /* A thread's CPU clock is named by its kernel id: linux/posix-timers.h. */
    enum { WITHIN = 1024 }; /* of what libc keeps of a thread, more than up to its id */
    const char *kept = (const char *)tstate->thread_id;
    clockid_t clock;
    if (kept == NULL || !mt_os_readable(kept) || !mt_os_readable(kept + WITHIN) ||
        pthread_getcpuclockid((pthread_t)tstate->thread_id, &clock) != 0)
        return 0;
    uint32_t tid = ~((uint32_t)clock >> 3) & 0x1fffffffu;
    return mt_os_tid_exists(tid) ? tid : 0;
}

/* Has it ended like that? Then what its state points to may be gone. */
static inline bool mt_tstate_ended(PyThreadState *tstate)
{
    return tstate != PyThreadState_Get() && tstate->thread_id != 0 && mt_tstate_tid(tstate) == 0;
}

/* ---- exceptions: out of the way and back, whatever is done in between */

struct mt_pending {
#if PY_VERSION_HEX >= 0x030c0000
    PyObject *raised;
#else
    PyObject *type, *value, *traceback;
#endif
};
static inline void mt_pending_save(struct mt_pending *pending)
{
#if PY_VERSION_HEX >= 0x030c0000
    pending->raised = PyErr_GetRaisedException();
#else
    PyErr_Fetch(&pending->type, &pending->value, &pending->traceback);
#endif
}
static inline void mt_pending_restore(struct mt_pending *pending)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(pending->raised);
#else
    PyErr_Restore(pending->type, pending->value, pending->traceback);
#endif
}

#endif /* MT_EXT_COMPAT_H_ */
