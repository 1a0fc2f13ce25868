/* events.c - the slow half of every engine: an event whose function has no valid id yet, or is
 * special. Runs on the thread that records.
 */
#include "ext/cfuncs.h"

#include <errno.h>

static void special(uint64_t value, enum mt_kind kind)
{
    bool begins = kind == MT_KIND_PY_BEGIN || kind == MT_KIND_C_BEGIN;
    if (begins) {
        if (value & MT_VALUE_BEGINS_THREAD)
            mt__names_thread_begun();
        return;
    }
    if (value & MT_VALUE_NAMES_THREAD)
        mt__names_thread_renamed();
    if (value & MT_VALUE_NAMES_PROCESS)
        mt__names_process_renamed();
    if (value & MT_VALUE_IS_THREADING)
        mt__threads_imported();
    if (value & MT_VALUE_MAKES_THREADS)
        mt__threads_walk();
}

void mt__python_slow(PyCodeObject *code, PyFrameObject *frame, enum mt_kind kind)
{
    int saved = errno;
    uint64_t value = mt_code_value(code);
    if (!(value & MT_VALUE_OWN) && mt_core_ready(kind)) {
        if (!mt_id_valid(mt__slot, (uint32_t)value))
            value = mt__code_define(code, frame);
        if (!(value & MT_VALUE_OWN)) {
            mt_emit(mt__slot, kind, (uint32_t)value);
            special(value, kind);
        }
    }
    errno = saved;
}

void mt__c_slow(PyObject *callable, const PyMethodDef *def, enum mt_kind kind)
{
    int saved = errno;
    uint64_t value = mt_cfunc_value(def);
    if (kind == MT_KIND_C_BEGIN)
        mt_callee_drop(mt__slot);
    if (value & MT_VALUE_PER_TYPE)
        value = mt__cfunc_value_per_type(callable);
    if (!(value & MT_VALUE_OWN) && mt_core_ready(kind)) {
        if (!mt_id_valid(mt__slot, (uint32_t)value))
            value = mt__cfunc_define(callable, def);
        if (!(value & MT_VALUE_OWN)) {
            mt_emit(mt__slot, kind, (uint32_t)value);
            special(value, kind);
        }
    }
    errno = saved;
}

void mt__object_slow(PyObject *callable, enum mt_kind kind)
{
    int saved = errno;
    /* A method of an object is told of by what it calls. */
    if (!PyFunction_Check(callable) && !PyMethod_Check(callable) && mt_core_ready(kind)) {
        uint64_t value = mt__object_value(callable);
        if (!mt_id_valid(mt__slot, value))
            value = mt__object_define(callable);
        mt_emit(mt__slot, kind, (uint32_t)value);
    }
    errno = saved;
}
