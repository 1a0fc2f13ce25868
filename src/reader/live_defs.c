/* live_defs.c - the definitions of a growing trace file that are new: functions, names. Called by live.c and
 * live_read.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "reader/file.h"
#include "reader/live_state.h"

void mt__live_funcs_fini(struct mt__live_funcs *funcs)
{
    free(funcs->funcs);
    free(funcs->sums);
    free(funcs->slot_of);
    mt_map_fini(&funcs->sparse);
    mt_map_fini(&funcs->string_of);
    free(funcs->strings);
    free(funcs->touched);
    *funcs = (struct mt__live_funcs){0};
}

/* The slot of a new function; 0: no memory. */
static uint32_t new_slot(struct mt__live_funcs *funcs, uint32_t func)
{
    if (!MT_ARRAY_ROOM(funcs->funcs, funcs->funcs_capacity, funcs->n + 1) ||
        !MT_ARRAY_ROOM(funcs->sums, funcs->sums_capacity, funcs->n + 1))
        return 0;
    funcs->sums[funcs->n] = (struct mt__live_sum){0};
    funcs->funcs[funcs->n] = func;
    return (uint32_t)funcs->n++;
}

static bool make_special(struct mt__live_funcs *funcs)
{
    static const uint32_t special[MT__LIVE_N_SPECIAL] = {
        [MT__LIVE_UNKNOWN] = MT_FUNC_UNKNOWN_PYTHON,
        [MT__LIVE_UNNAMED] = MT_FUNC_UNNAMED_PYTHON,
        [MT__LIVE_BELOW] = MT_NONE,
    };
    for (size_t i = 0; i < MT__LIVE_N_SPECIAL; i++) {
        if (!funcs->funcs || funcs->n <= i)
            new_slot(funcs, special[i]);
    }
    return funcs->n >= MT__LIVE_N_SPECIAL;
}

/* Ids are numbered one after the other, so an array is right; but a file can claim anything. */
static enum mt_status set_slot(struct mt__live_funcs *funcs, uint32_t id, uint32_t slot)
{
    if (!funcs->n_slot_of)
        funcs->base = id;
    uint32_t at = id - funcs->base;
    if (at >= funcs->n_slot_of && at < funcs->n * 8 + 1024) {
        size_t n = (size_t)at + 1;
        if (!MT_ARRAY_ROOM(funcs->slot_of, funcs->slot_of_capacity, n))
            return MT_NOMEM;
        memset(funcs->slot_of + funcs->n_slot_of, 0,
               (n - funcs->n_slot_of) * sizeof *funcs->slot_of);
        funcs->n_slot_of = n;
    }
    if (at < funcs->n_slot_of)
        funcs->slot_of[at] = funcs->slot_of[at] ? funcs->slot_of[at] : slot;
    else if (!mt_map_put(&funcs->sparse, id, slot, NULL))
        return MT_NOMEM;
    return MT_OK;
}

static enum mt_status add_func(struct mt_live *live, struct mt__live_file *file, uint32_t id,
                               const struct mt_func *func)
{
    uint32_t idx;
    if (!id || id >= MT_ID_UNKNOWN)
        return MT_OK;
    enum mt_status status = mt__names_func(&live->names, func, &idx);
    if (status != MT_OK)
        return status;
    uint32_t slot = new_slot(&file->funcs, idx);
    return slot ? set_slot(&file->funcs, id, slot) : MT_NOMEM;
}

static enum mt_status text_of(struct mt_live *live, const struct mt_text *raw, struct mt_text *out)
{
    return mt__names_text(&live->names, raw->data, raw->n_bytes, out);
}

static enum mt_status take_string(struct mt_live *live, struct mt__live_funcs *funcs,
                                  const struct mt__def *def)
{
    struct mt_text raw, text;
    bool is_new;
    if (!mt__def_string(def, &raw))
        return MT_OK;
    if (text_of(live, &raw, &text) != MT_OK ||
        !MT_ARRAY_ROOM(funcs->strings, funcs->strings_capacity, funcs->n_strings + 1) ||
        !mt_map_put(&funcs->string_of, def->id, (uint32_t)funcs->n_strings, &is_new))
        return MT_NOMEM;
    if (is_new)
        funcs->strings[funcs->n_strings++] = text;
    return MT_OK;
}

static enum mt_status take_code(struct mt_live *live, struct mt__live_file *file,
                                const struct mt__def *def)
{
    struct mt_def_code code;
    struct mt_text name;
    if (!mt__def_code(def, &code, &name))
        return MT_OK;
    struct mt_func func = {
        .kind = MT_FUNC_PYTHON, .line = code.first_line, .code_flags = code.flags};
    if (text_of(live, &name, &func.name) != MT_OK ||
        mt__names_text(&live->names, "", 0, &func.owner) != MT_OK)
        return MT_NOMEM;
    const uint32_t *path = mt_map_find(&file->funcs.string_of, code.file_id);
    func.file = path ? file->funcs.strings[*path] : func.owner;
    return add_func(live, file, def->id, &func);
}

static enum mt_status take_cfunc(struct mt_live *live, struct mt__live_file *file,
                                 const struct mt__def *def)
{
    struct mt_text owner, name;
    if (!mt__def_cfunc(def, &owner, &name))
        return MT_OK;
    struct mt_func func = {.kind = MT_FUNC_C};
    if (text_of(live, &name, &func.name) != MT_OK || text_of(live, &owner, &func.owner) != MT_OK ||
        mt__names_text(&live->names, "", 0, &func.file) != MT_OK)
        return MT_NOMEM;
    return add_func(live, file, def->id, &func);
}

static enum mt_status take_name(struct mt_live *live, struct mt__live_file *file,
                                const struct mt__def *def)
{
    struct mt_def_name head;
    struct mt_text raw, text;
    if (!mt__def_name(def, &head, &raw))
        return MT_OK;
    if (text_of(live, &raw, &text) != MT_OK)
        return MT_NOMEM;
    struct mt__live_thread *thread = NULL;
    if (def->type == MT_DEF_THREAD) {
        thread = mt__live_thread_at(file, def->id, head.tid); /* it may have no chunk yet */
        if (!thread)
            return MT_NOMEM;
    }
    struct mt_text *name = thread ? &thread->name : &file->name;
    uint64_t *name_tick = thread ? &thread->name_tick : &file->name_tick;
    if (name->data && head.tick < *name_tick)
        return MT_OK;
    *name = text;
    *name_tick = head.tick;
    return MT_OK;
}

static enum mt_status take_def(struct mt_live *live, struct mt__live_file *file,
                               const struct mt__def *def)
{
    switch (def->type) {
    case MT_DEF_STRING: return take_string(live, &file->funcs, def);
    case MT_DEF_CODE: return take_code(live, file, def);
    case MT_DEF_CFUNC: return take_cfunc(live, file, def);
    case MT_DEF_THREAD:
    case MT_DEF_PROCESS: return take_name(live, file, def);
    default: return MT_OK;
    }
}

/* More than any definition has that this version knows. */
#define DEF_WORDS 16384u

/* One read's worth of a chunk; *more: there may be more in it. */
static enum mt_status read_defs(struct mt_live *live, struct mt__live_file *file,
                                struct mt__live_def_chunk *chunk, uint64_t *words, bool *more)
{
    uint32_t n_left = chunk->n_words - chunk->at, n_read;
    uint32_t n_words = n_left < DEF_WORDS ? n_left : DEF_WORDS;
    uint64_t offset = chunk->offset + (uint64_t)chunk->at * sizeof(uint64_t);
    *more = false;
    if (mt__file_words(&file->input, offset, words, n_words, &n_read, NULL) != MT_OK)
        return MT_OK;
    struct mt__def_iter iter = {.words = words, .n_words = n_read};
    struct mt__def def;
    while (mt__def_next(&iter, &def) == MT__NEXT_ONE) {
        enum mt_status status = take_def(live, file, &def);
        if (status != MT_OK)
            return status;
    }
    *more = iter.at && n_read == DEF_WORDS && n_left > DEF_WORDS;
    chunk->at += (uint32_t)iter.at;
    return MT_OK;
}

enum mt_status mt__live_file_defs(struct mt_live *live, struct mt__live_file *file)
{
    if (!make_special(&file->funcs))
        return MT_NOMEM;
    uint64_t *words = malloc(DEF_WORDS * sizeof *words);
    enum mt_status status = words ? MT_OK : MT_NOMEM;
    while (status == MT_OK && file->def_chunk < file->n_def_chunks) {
        bool more = true;
        while (status == MT_OK && more)
            status = read_defs(live, file, &file->def_chunks[file->def_chunk], words, &more);
        /* The last one grows. One behind it means that this one is full. */
        if (file->def_chunk + 1 == file->n_def_chunks)
            break;
        file->def_chunk++;
    }
    free(words);
    return status;
}
