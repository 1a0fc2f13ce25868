/* cfuncs.h - the values of C functions: the table that the hot path looks into, and the shorter way
 * from a function's begin to its end.
 */
#ifndef MT_EXT_CFUNCS_H_
#define MT_EXT_CFUNCS_H_

#include "ext/hook.h"

int mt__cfuncs_init(void); /* -1 with an exception */
/* A thread has attached; it may be the first of a child. */
void mt__cfuncs_in_process(uint32_t pid);

/* ---- the table */

/* One row of the table of C functions, found by the address of the method definition. Definitions
 * on the heap are freed and their addresses used again, that of the name too, so what it says is
 * compared: function, and name. */
struct mt_cfunc {
    const PyMethodDef *def; /* NULL: free */
    PyCFunction function;
    uint64_t name;      /* its first 8 bytes, or fewer, with the NUL */
    uint64_t name_mask; /* which of them count */
    uint64_t value;
    const char *text;   /* where the name was; NULL: it lies in two pages */
    uint64_t name_rest; /* of a longer name: mt__name_rest() */
    uint64_t n_longer;  /* its bytes, with the NUL; 0: the first 8 are all */
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

/* 8 bytes at `text`, beyond its end too. They must lie in one page with its first one, so that they
 * do not lie in unmapped memory. */
static inline bool mt__in_one_page(const char *text, size_t n_bytes)
{
    return ((uintptr_t)text & 4095) + (n_bytes < 8 ? 8 : n_bytes) <= 4096;
}
__attribute__((no_sanitize_address)) static inline uint64_t mt__first_8(const char *text)
{
    return *(const mt__unaligned_word *)(const void *)text;
}

/* What distinguishes a name of n > 8 bytes, NUL included, from others with the same first 8: the
 * last 8, and what is in between, mixed. */
static inline uint64_t mt__name_rest(const char *text, uint64_t n)
{
    uint64_t mix = 0;
    const char *last = text + n - 8;
    for (text += 8; text < last; text += 8)
        mix = (mix ^ mt__first_8(text)) * UINT64_C(0x9e3779b97f4a7c15);
    return mix ^ mt__first_8(last);
}

/* The same, wherever they lie; what is behind the end in another page is 0. */
__attribute__((no_sanitize_address)) static inline uint64_t mt__name_head(const char *text)
{
    uint64_t head = 0;
    if (MT_LIKELY(mt__in_one_page(text, 8)))
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

/* Is the row of a longer name of `name`, whose first 8 bytes fit? */
static inline bool mt__same_rest(const struct mt_cfunc *row, const char *name)
{
    uint64_t n = mt_shared_load(&row->n_longer);
    return n == 0 ||
           (strnlen(name, n) == n - 1 && mt_shared_load(&row->name_rest) == mt__name_rest(name, n));
}

/* What the table says of a key, if the rest of the row fits too; 0: nothing. Without a GIL the row may
 * change meanwhile: remember() takes the value out first and puts it back last, and here it is read
 * last, so a value is never taken with what was said before of another function. */
static inline uint64_t mt__cfunc_lookup(const PyMethodDef *key, PyCFunction function,
                                        const char *name)
{
    const struct mt_cfunc *row = mt__cfunc_row(key);
    bool same = row != NULL && mt_shared_load(&row->function) == function &&
                ((mt_shared_load(&row->name) ^ mt__name_head(name)) &
                 mt_shared_load(&row->name_mask)) == 0 &&
                mt__same_rest(row, name);
    return same ? mt_shared_load(&row->value) : 0;
}

/* The value of a C function, or 0: ask mt_cfunc_value(). */
static inline uint64_t mt_cfunc_value_hot(const PyMethodDef *def)
{
    const struct mt_cfunc *row = mt__cfunc_row(def);
    if (MT_UNLIKELY(row == NULL || mt_shared_load(&row->function) != def->ml_meth ||
                    mt_shared_load(&row->text) != def->ml_name))
        return 0;
    const char *name = def->ml_name;
    if (MT_UNLIKELY((mt_shared_load(&row->name) ^ mt__first_8(name)) &
                    mt_shared_load(&row->name_mask)))
        return 0;
    uint64_t n = mt_shared_load(&row->n_longer);
    if (n != 0) { /* it is in one page, whatever is there now */
        if (MT_UNLIKELY(mt_shared_load(&row->name_rest) != mt__name_rest(name, n)))
            return 0;
    }
    return mt_shared_load(&row->value);
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

/* ---- from begin to end */

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

#endif /* MT_EXT_CFUNCS_H_ */
