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

#define MT_VALUE_OWN (UINT64_C(1) << 32)            /* our own code: record nothing */
#define MT_VALUE_NAMES_THREAD (UINT64_C(1) << 33)   /* at its end a thread may be renamed */
#define MT_VALUE_NAMES_PROCESS (UINT64_C(1) << 34)  /* at its end the process may be renamed */
#define MT_VALUE_MAKES_THREADS (UINT64_C(1) << 35)  /* at its end there is a new thread */
#define MT_VALUE_IS_THREADING (UINT64_C(1) << 36)   /* at its end `threading` is imported */
#define MT_VALUE_BEGINS_THREAD (UINT64_C(1) << 37)  /* at its begin a thread has its name */
#define MT_VALUE_PER_TYPE (UINT64_C(1) << 39)       /* of many functions: ask for this one */

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
extern bool mt__all_calls;             /* and what else is called and is not Python, if the engine can */

/* code.c */
extern Py_ssize_t mt__extra_index;
int mt__code_init(void); /* -1 with an exception */
void mt__code_in_process(uint32_t pid); /* a thread has attached; it may be the first of a child */
void mt__code_set_home(const char *home);

/* Where mt_code_value_hot() looks: mt__extra_index, or nowhere if the layout is not as stated. */
extern Py_ssize_t mt__hot_index;

/* The value of a code object, or 0: ask mt_code_value(). */
static inline uint64_t mt_code_value_hot(PyCodeObject *code)
{
    return mt_code_extra_private(code, mt__hot_index);
}

/* The value of a code object, 0: none yet. */
static inline uint64_t mt_code_value(PyCodeObject *code)
{
    if (MT_LIKELY(mt__layout_known))
        return mt_code_extra_private(code, mt__extra_index);
    void *value = NULL;
    mt_code_extra_get_public((PyObject *)code, mt__extra_index, &value);
    return (uint64_t)(uintptr_t)value;
}
/* The value after a definition, if one was due. `frame` may be NULL. After mt_core_ready(). */
uint64_t mt__code_define(PyCodeObject *code, PyFrameObject *frame);

/* One row of the table of C functions, found by the address of the method definition. Definitions
 * on the heap are freed and their addresses used again, so what it says is compared: function,
 * and the first bytes of the name. */
struct mt_cfunc {
    const PyMethodDef *def; /* NULL: free */
    PyCFunction function;
    uint64_t name;      /* its first 8 bytes, or fewer, with the NUL */
    uint64_t name_mask; /* which of them count */
    uint64_t value;
    const char *text;   /* where the name was; NULL: its first 8 bytes lie in two pages */
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct mt_cfunc) == 64, "one cache line");
struct mt_cfuncs {
    uint64_t mask; /* rows - 1 */
    uint64_t reserved[7];
    struct mt_cfunc rows[];
};
/* The present table. Replaced as a whole when it grows, and the former one is kept: without a GIL
 * another thread may be looking into it. */
extern struct mt_cfuncs *mt__cfuncs;

typedef uint64_t __attribute__((aligned(1), may_alias)) mt__unaligned_word;

static inline uint64_t mt__cfunc_hash(const PyMethodDef *def)
{
    return (uintptr_t)def * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

/* The first 8 bytes at `text`, beyond its end too. They must lie in one page, so that they do not
 * lie in unmapped memory. */
static inline bool mt__in_one_page(const char *text)
{
    return ((uintptr_t)text & 4095) <= 4088;
}
__attribute__((no_sanitize_address)) static inline uint64_t mt__first_8(const char *text)
{
    return *(const mt__unaligned_word *)(const void *)text;
}

/* The same, wherever they lie; what is behind the end in another page is 0. */
__attribute__((no_sanitize_address)) static inline uint64_t mt__name_head(const char *text)
{
    uint64_t head = 0;
    if (MT_LIKELY(mt__in_one_page(text)))
        return mt__first_8(text);
    for (int i = 0; i < 8 && text[i] != '\0'; i++)
        head |= (uint64_t)(unsigned char)text[i] << (8 * i);
    return head;
}

/* The row of a key, NULL: none. What it says is not compared yet. */
static inline const struct mt_cfunc *mt__cfunc_row(const PyMethodDef *key)
{
    const struct mt_cfuncs *table = mt_load_acquire(&mt__cfuncs); /* pairs with grow() */
    for (uint64_t i = mt__cfunc_hash(key) & table->mask;; i = (i + 1) & table->mask) {
        const struct mt_cfunc *row = &table->rows[i];
        const PyMethodDef *found = mt_load_acquire(&row->def); /* pairs with remember() */
        if (MT_LIKELY(found == key))
            return row;
        if (found == NULL)
            return NULL;
    }
}

/* What the table says of a key, if the rest of the row fits too; 0: nothing. Without a GIL the row may
 * change meanwhile: remember() takes the value out first and puts it back last, and here it is read
 * last, so a value is never taken with what was said before of another function. */
static inline uint64_t mt__cfunc_lookup(const PyMethodDef *key, PyCFunction function, const char *name)
{
    const struct mt_cfunc *row = mt__cfunc_row(key);
    bool same = row != NULL && mt_shared_load(&row->function) == function &&
                ((mt_shared_load(&row->name) ^ mt__name_head(name)) &
                 mt_shared_load(&row->name_mask)) == 0;
    return same ? mt_shared_load(&row->value) : 0;
}

/* The value of a C function, or 0: ask mt_cfunc_value(). */
static inline uint64_t mt_cfunc_value_hot(const PyMethodDef *def)
{
    const struct mt_cfunc *row = mt__cfunc_row(def);
    if (MT_UNLIKELY(row == NULL || mt_shared_load(&row->function) != def->ml_meth ||
                    mt_shared_load(&row->text) != def->ml_name))
        return 0;
    uint64_t name = mt__first_8(def->ml_name);
    bool same = ((mt_shared_load(&row->name) ^ name) & mt_shared_load(&row->name_mask)) == 0;
    return MT_LIKELY(same) ? mt_shared_load(&row->value) : 0;
}

/* The value of a C function, 0: none yet. */
static inline uint64_t mt_cfunc_value(const PyMethodDef *def)
{
    return mt__cfunc_lookup(def, def->ml_meth, def->ml_name);
}
/* `callable` is a builtin function or a method descriptor, `def` its definition. */
uint64_t mt__cfunc_value_per_type(PyObject *callable); /* after MT_VALUE_PER_TYPE */
uint64_t mt__cfunc_define(PyObject *callable, const PyMethodDef *def);
/* The same for what is neither a Python nor a builtin function: types, other objects of C. */
uint64_t mt__object_value(PyObject *callable);
uint64_t mt__object_define(PyObject *callable);

/* A C function's end mostly follows its begin. Where the object that is called lives from the one to
 * the other, the same address is the same function, and its id need not be looked up again. A begin
 * is good for one end, and every begin sets or drops the callee. */
static inline void mt_callee_set(struct mt_slot *slot, PyObject *callable, uint64_t id)
{
    slot->callee = callable;
    slot->callee_id = (uint32_t)id;
}

/* The id of the callee; 0: look it up. */
static inline uint64_t mt_callee_take(struct mt_slot *slot, PyObject *callable)
{
    if (MT_UNLIKELY(slot->callee != callable))
        return 0;
    slot->callee = NULL;
    return slot->callee_id;
}

static inline void mt_callee_drop(struct mt_slot *slot)
{
    if (slot->thread != NULL) /* the empty slot is everybody's */
        slot->callee = NULL;
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
extern bool mt__hide_open_calls; /* while an interpreter boots: they are ours or its own */

/* threads.c */
extern uint64_t mt__seen_thread; /* number of the newest one, when the list was last walked */
int mt__threads_start(Py_tracefunc hook); /* -1 with an exception */
void mt__threads_stop(void);
void mt__threads_adopt(void); /* for an engine that sees all threads by itself */
void mt__threads_follow_setprofile(bool sees_all);
void mt__threads_walk(void);
void mt__threads_imported(void);

/* names.c */
PyObject *mt__module_named(const char *name); /* a new reference; NULL: not imported */
PyObject *mt__module_attribute(const char *module, const char *name); /* the same; NULL: not there */
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
