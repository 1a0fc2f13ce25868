/* hook.h - what the files of src/ext are to each other.
 *
 * An engine (hook_*.c) turns the interpreter's events into mt_emit(). To add one: a file
 * hook_<name>.c with a const struct mt_hook, its row in module.c's table, its number in
 * format.h's MT_ENGINE_MAP, its cost in bench/, and its tests: tests/python run for each engine.
 *
 * A value is what is remembered for a code object or a C function: its id in the low 32 bits, and
 * flags above, which make the value no valid id, so that what is special takes the slow path and
 * the hot path needs no test for it.
 */
#ifndef MT_EXT_HOOK_H_
#define MT_EXT_HOOK_H_

#include "ext/compat.h"

#include <string.h>

#include "core/core.h"

#define MT_VALUE_OWN (UINT64_C(1) << 32)           /* our own code: record nothing */
#define MT_VALUE_NAMES_THREAD (UINT64_C(1) << 33)  /* at its end a thread may be renamed */
#define MT_VALUE_NAMES_PROCESS (UINT64_C(1) << 34) /* at its end the process may be renamed */
#define MT_VALUE_MAKES_THREADS (UINT64_C(1) << 35) /* at its end there is a new thread */
#define MT_VALUE_IS_THREADING (UINT64_C(1) << 36)  /* at its end `threading` is imported */
#define MT_VALUE_BEGINS_THREAD (UINT64_C(1) << 37) /* at its begin a thread has its name */
#define MT_VALUE_PER_TYPE (UINT64_C(1) << 39)      /* of many functions: ask for this one */

/* An engine. Functions are called by the thread that starts or stops recording. */
struct mt_hook {
    enum mt_engine engine;
    const char *name; /* of --engine */
    /* Can it record what is asked for in this interpreter? If not, says why in a few words. */
    bool (*available)(bool c_functions, const char **why_not);
    int (*start)(void); /* for all threads; -1 with an exception: nothing is installed */
    /* For all threads. Without a GIL: when it returns, no thread is inside an event that had begun
     * before, but for what of it calls Python. */
    void (*stop)(void);
};

/* module.c */
extern PyInterpreterState *mt__interp; /* the one that is recorded */
extern bool mt__c_functions;           /* record them */
extern bool mt__all_calls; /* and what else is called and is not Python, if the engine can */

/* code.c */
extern Py_ssize_t mt__extra_index;
int mt__code_init(void); /* -1 with an exception */
void mt__code_set_home(const char *path);

/* Where mt_code_value_hot() looks: mt__extra_index, or nowhere if the layout is not as stated. */
extern Py_ssize_t mt__hot_index;

#if MT_HAVE_CODE_WORD
/* What a code object's word is made of: its number in the high half, all of it turned by mt__word_key, so
 * that what dead code objects have left in the word is of no value here, and pointers, small numbers and the
 * like hardly ever. In the low half are the id, and in the four bits above it which flag there is.
 * MT_NO_WORDS: nobody's key; the values are in extra slots. */
#define MT_WORD_KEY (UINT64_C(0x9e3779b9) << 32)
#define MT_NO_WORDS (~MT_WORD_KEY)
extern uint64_t mt__word_key;

static inline uint64_t mt_code_mark(PyCodeObject *code)
{
    return (uint64_t)mt_code_number(code) << 32 ^ mt__word_key;
}
static inline bool mt_code_has_word(PyCodeObject *code)
{
    return mt__word_key != MT_NO_WORDS && mt_code_number(code) != 0;
}
#endif

/* The value of a code object, or what is no valid id: ask mt_code_value(). */
static inline uint64_t mt_code_value_hot(PyCodeObject *code)
{
#if MT_HAVE_CODE_WORD
    return (uint64_t)mt_code_word(code) ^ mt_code_mark(code);
#else
    return mt_code_extra_private(code, mt__hot_index);
#endif
}

uint64_t mt_code_value(PyCodeObject *code); /* the value of a code object; 0: none yet */
/* The value after a definition, if one was due. `frame` may be NULL. After mt_core_ready(). */
uint64_t mt__code_define(PyCodeObject *code, PyFrameObject *frame);

/* Is `present`, what another thread has remembered meanwhile, to stay in place of `value`?
 *
 * Threads that see a function first at the same time each give it an id, but one of the ids must
 * stand: a begin and its end that have different ones do not fit. So the first that is valid stays,
 * and all go on with that. The other id is a definition that nothing uses. Nor is an id replaced by
 * an older one, which a thread may still hold that was overtaken by another recording. With a GIL
 * the last one is the better one: it may be that of the same thread, which knows the qualified name
 * by now. */
static inline bool mt_value_stands(uint64_t present, uint64_t value)
{
    return MT_FREE_THREADED &&
           (mt_id_valid(mt__slot, (uint32_t)present) || (uint32_t)present >= (uint32_t)value);
}

/* events.c: events whose function needs more than its value; keep errno. */
__attribute__((noinline, cold)) void mt__python_slow(PyCodeObject *code, PyFrameObject *frame,
                                                     enum mt_kind kind);
__attribute__((noinline, cold)) void mt__c_slow(PyObject *callable, const PyMethodDef *def,
                                                enum mt_kind kind);
__attribute__((noinline, cold)) void mt__object_slow(PyObject *callable, enum mt_kind kind);

/* stack.c */
uint32_t mt__open_calls(enum mt_kind kind, uint32_t *ids, uint32_t cap, uint32_t *current_id);
uint32_t mt__stack_of(PyThreadState *tstate, uint32_t **ids, uint32_t *cap);
/* The code of this thread's event when its frame is not on the stack (frame evaluation hook: not yet,
 * or not any more); NULL: it is, or there is none. */
extern __thread PyCodeObject *mt__off_stack __attribute__((tls_model("initial-exec")));
/* The engine records the begin of a frame before the interpreter does anything for it. */
extern bool mt__begins_outside;
extern bool mt__starting;        /* an engine starts: this is no event of ours */
extern bool mt__hide_open_calls; /* while an interpreter boots: they are ours or its own */

/* thread_list.c: numbers are those of PyThreadState_GetID(). With a GIL only. */
PyThreadState *mt__thread_below(uint64_t number);    /* the newest that is older; NULL: none */
PyThreadState *mt__thread_numbered(uint64_t number); /* NULL: it has ended */
/* -1 with an exception: an audit hook forbids it. The GIL may be let go: no thread state but the own
 * one is known any more. Threads that have another function keep it. NULL: takes it away. */
int mt__thread_set_profile(uint64_t number, Py_tracefunc function);

/* threads.c */
extern uint64_t mt__seen_thread; /* number of the newest one, when the list was last walked */
int mt__threads_start(Py_tracefunc hook); /* -1 with an exception */
void mt__threads_stop(void);
void mt__threads_adopt(void); /* for an engine that sees all threads by itself */
void mt__threads_follow_setprofile(bool sees_all);
void mt__threads_walk(void);
void mt__threads_imported(void);

/* names.c */
/* New references; NULL: not imported, not there. */
PyObject *mt__module_named(const char *name);
PyObject *mt__module_attribute(const char *module, const char *name);
bool mt__name_thread(unsigned long ident, uint32_t tid); /* false: it has no name yet */
void mt__names_attached(void);
void mt__names_thread_renamed(void);
void mt__names_thread_begun(void);
void mt__names_process_renamed(void);

/* hook_profile.c, hook_monitoring.c, hook_frame.c */
extern const struct mt_hook mt__hook_setprofile;
#if MT_HAVE_MONITORING
extern const struct mt_hook mt__hook_monitoring;
#endif
#if MT_HAVE_FRAME_HOOK
extern const struct mt_hook mt__hook_frame;
#endif
int mt__profile_event(PyFrameObject *frame, const char *event, PyObject *arg);

#endif /* MT_EXT_HOOK_H_ */
