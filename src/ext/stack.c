/* stack.c - the calls that are open on a thread, read from the interpreter's frames: when a thread
 * is met in the middle, after a fork, and after a loss. Runs on the thread itself; with the GIL, for
 * any thread.
 */
#include "ext/hook.h"

bool mt__hide_open_calls;
bool mt__begins_outside, mt__starting;
__thread PyCodeObject *mt__off_stack;

/* The id of a frame's code; 0: our own. The frame may be NULL. */
static uint32_t id_of(PyCodeObject *code, PyFrameObject *frame)
{
    uint64_t value = mt_code_value(code);
    if (value & MT_VALUE_OWN)
        return 0;
    if (!mt_id_valid(mt__slot, (uint32_t)value))
        value = mt__code_define(code, frame);
    return value & MT_VALUE_OWN ? 0 : (uint32_t)value;
}

/* May calls of the thread be going to begin that are not its innermost one? */
static bool may_be_due(PyThreadState *tstate)
{
    return !mt__begins_outside &&
           mt_begins_may_be_due(tstate, !mt__starting && tstate == PyThreadState_Get());
}

/* Walks outwards from `frame` (a reference that is taken over). With ids: fills it from its end,
 * innermost last, n of them; without: counts. A call that is going to begin (`due`: there may be
 * such) is not open; of the thread's innermost one nobody but the caller can tell. The GIL may be
 * let go, so the thread's state is not looked at. */
static uint32_t walk(bool due, PyFrameObject *frame, bool innermost, uint32_t *ids, uint32_t n)
{
    uint32_t count = 0;
    for (; frame != NULL; innermost = false) {
        PyCodeObject *code = mt_frame_code_public(frame);
        bool later = due && !innermost && mt_frame_begins_later(frame, code);
        uint32_t id = later ? 0 : id_of(code, frame);
        if (id != 0) {
            count++;
            if (ids != NULL && count <= n)
                ids[n - count] = id;
        }
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    return count;
}

uint32_t mt__open_calls(enum mt_kind kind, uint32_t *ids, uint32_t cap, uint32_t *current_id)
{
    struct mt_pending pending;
    uint32_t count = 0;
    PyCodeObject *off_stack = mt__off_stack;
    uint32_t innermost = 0; /* that walk() does not find */
    bool begins = kind == MT_KIND_PY_BEGIN || kind == MT_KIND_PY_RESUME;
    bool of_c = kind == MT_KIND_C_BEGIN || kind == MT_KIND_C_END || kind == MT_KIND_C_END_EXC;
    if (mt__hide_open_calls)
        return 0;
    mt_pending_save(&pending);
    PyThreadState *tstate = PyThreadState_Get();
    bool due = may_be_due(tstate);
    PyFrameObject *frame = PyThreadState_GetFrame(tstate);
    if (off_stack != NULL) {
        uint32_t id = id_of(off_stack, NULL);
        if (current_id != NULL)
            *current_id = id;
        innermost = begins ? 0 : id;
    } else if (frame != NULL && current_id != NULL && !of_c) {
        *current_id = id_of(mt_frame_code_public(frame), frame);
    }
    if (ids == NULL)
        Py_CLEAR(frame); /* the one was asked for */
    if (frame != NULL && begins && off_stack == NULL) {
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    if (frame != NULL) {
        Py_INCREF(frame);
        count = walk(due, frame, !begins, NULL, 0);
        if (count > 0 && count <= cap)
            walk(due, frame, !begins, ids, count);
        else
            Py_DECREF(frame);
    }
    if (innermost != 0 && ids != NULL) {
        if (count < cap)
            ids[count] = innermost;
        count++;
    }
    PyErr_Clear();
    mt_pending_restore(&pending);
    return count;
}

/* The same for another thread, into pages that the caller unmaps (*cap ids; 0: none). */
uint32_t mt__stack_of(PyThreadState *tstate, uint32_t **ids, uint32_t *cap)
{
    struct mt_pending pending;
    uint32_t count = 0;
    *ids = NULL;
    *cap = 0;
    mt_pending_save(&pending);
    bool due = may_be_due(tstate);
    PyFrameObject *frame = PyThreadState_GetFrame(tstate);
    if (frame != NULL) {
        Py_INCREF(frame);
        count = walk(due, frame, true, NULL, 0);
        if (count > 0)
            *ids = mt_os_pages(count * sizeof **ids);
        if (*ids != NULL) {
            *cap = count;
            walk(due, frame, true, *ids, count);
        } else {
            count = 0;
            Py_DECREF(frame);
        }
    }
    PyErr_Clear();
    mt_pending_restore(&pending);
    return count;
}
