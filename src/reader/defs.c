/* defs.c - the definitions of one file: functions, strings, names, notes. Called by mt__file_open and
 * check.c, on the thread that opens the set.
 *
 * Invariant: the first definition of an id is the one that counts; a malformed one is left out, the
 * others stay good.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "reader/file.h"

/* What is only needed while definitions are read. */
struct loader {
    struct mt__file *file;
    struct mt__names *names;
    struct mt_map string_of; /* id -> index into strings */
    struct mt_text *strings;
    size_t n_strings, strings_capacity;
    struct found { /* the functions, in the order of their definitions */
        uint32_t id, func;
    } *found;
    size_t n_found, found_capacity;
    uint64_t fault; /* offset of the first malformed definition, or MT_NO_OFFSET */
};

enum verdict { GOOD, MALFORMED, OUT_OF_MEMORY };

static enum verdict verdict_of(enum mt_status status)
{
    return status == MT_OK ? GOOD : OUT_OF_MEMORY;
}

static enum verdict load_string(struct loader *loader, const struct mt__def *def)
{
    struct mt_text raw, text;
    bool is_new;
    if (!mt__def_string(def, &raw))
        return MALFORMED;
    if (mt__names_text(loader->names, raw.data, raw.n_bytes, &text) != MT_OK ||
        !MT_ARRAY_ROOM(loader->strings, loader->strings_capacity, loader->n_strings + 1) ||
        !mt_map_put(&loader->string_of, def->id, (uint32_t)loader->n_strings, &is_new))
        return OUT_OF_MEMORY;
    if (is_new)
        loader->strings[loader->n_strings++] = text;
    return GOOD;
}

static enum verdict add_func(struct loader *loader, uint32_t id, const struct mt_func *func)
{
    uint32_t idx;
    if (!id || id >= MT_ID_UNKNOWN)
        return MALFORMED;
    if (mt__names_func(loader->names, func, &idx) != MT_OK ||
        !MT_ARRAY_ROOM(loader->found, loader->found_capacity, loader->n_found + 1))
        return OUT_OF_MEMORY;
    loader->found[loader->n_found++] = (struct found){id, idx};
    return GOOD;
}

static enum verdict load_code(struct loader *loader, const struct mt__def *def)
{
    struct mt_def_code code;
    struct mt_text name;
    if (!mt__def_code(def, &code, &name))
        return MALFORMED;
    struct mt_func func = {
        .kind = MT_FUNC_PYTHON, .line = code.first_line, .code_flags = code.flags};
    enum mt_status status = mt__names_text(loader->names, name.data, name.n_bytes, &func.name);
    if (status == MT_OK)
        status = mt__names_text(loader->names, "", 0, &func.owner);
    func.file = func.owner;
    const uint32_t *file = mt_map_find(&loader->string_of, code.file_id);
    if (file)
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): string_of has indices of strings. */
        func.file = loader->strings[*file];
    return status == MT_OK ? add_func(loader, def->id, &func) : OUT_OF_MEMORY;
}

static enum verdict load_cfunc(struct loader *loader, const struct mt__def *def)
{
    struct mt_text owner, name;
    if (!mt__def_cfunc(def, &owner, &name))
        return MALFORMED;
    struct mt_func func = {.kind = MT_FUNC_C};
    enum mt_status status = mt__names_text(loader->names, name.data, name.n_bytes, &func.name);
    if (status == MT_OK)
        status = mt__names_text(loader->names, owner.data, owner.n_bytes, &func.owner);
    if (status == MT_OK)
        status = mt__names_text(loader->names, "", 0, &func.file);
    return status == MT_OK ? add_func(loader, def->id, &func) : OUT_OF_MEMORY;
}

static enum verdict load_note(struct loader *loader, const struct mt__def *def,
                              const struct mt_def_name *head, const struct mt_text *text)
{
    struct mt__file *file = loader->file;
    if (!MT_ARRAY_ROOM(file->notes, file->notes_capacity, file->n_notes + 1))
        return OUT_OF_MEMORY;
    file->notes[file->n_notes++] = (struct mt__note){
        .tick = head->tick, .topic = def->id, .text = *text};
    return GOOD;
}

/* Keeps the latest name. */
static void rename_to(struct mt_text *name, uint64_t *name_tick, const struct mt_def_name *head,
                      const struct mt_text *text)
{
    if (name->data && head->tick < *name_tick)
        return;
    *name = *text;
    *name_tick = head->tick;
}

static enum verdict load_name(struct loader *loader, const struct mt__def *def)
{
    struct mt__file *file = loader->file;
    struct mt_def_name head;
    struct mt_text raw, text;
    if (!mt__def_name(def, &head, &raw))
        return MALFORMED;
    enum mt_status status = mt__names_text(loader->names, raw.data, raw.n_bytes, &text);
    if (status != MT_OK)
        return verdict_of(status);
    if (def->type == MT_DEF_NOTE)
        return load_note(loader, def, &head, &text);
    if (def->type == MT_DEF_PROCESS) {
        rename_to(&file->name, &file->name_tick, &head, &text);
        return GOOD;
    }
    const uint32_t *idx = mt_map_find(&file->thread_of, def->id);
    if (idx)
        rename_to(&file->threads[*idx].name, &file->threads[*idx].name_tick, &head, &text);
    return GOOD;
}

static enum verdict load_def(struct loader *loader, const struct mt__def *def)
{
    switch (def->type) {
    case MT_DEF_STRING: return load_string(loader, def);
    case MT_DEF_CODE: return load_code(loader, def);
    case MT_DEF_CFUNC: return load_cfunc(loader, def);
    case MT_DEF_THREAD:
    case MT_DEF_PROCESS:
    case MT_DEF_NOTE: return load_name(loader, def);
    default: return GOOD; /* of a later version: its length is all we need */
    }
}

static enum mt_status load_chunk(struct loader *loader, const struct mt__def_chunk *chunk,
                                 const uint64_t *words, uint32_t n_words)
{
    struct mt__def_iter iter = {.words = words, .n_words = n_words};
    struct mt__def def;
    enum mt__next next;
    while ((next = mt__def_next(&iter, &def)) != MT__NEXT_END) {
        enum verdict verdict = next == MT__NEXT_FAULT ? MALFORMED : load_def(loader, &def);
        if (verdict == OUT_OF_MEMORY)
            return MT_NOMEM;
        if (verdict == MALFORMED && loader->fault == MT_NO_OFFSET)
            loader->fault = chunk->offset + MT_CHUNK_HEADER_BYTES + def.at * sizeof(uint64_t);
        if (next == MT__NEXT_FAULT)
            break;
    }
    return MT_OK;
}

static enum mt_status load_chunks(struct loader *loader, const struct mt__input *input,
                                  struct mt__trouble *trouble)
{
    uint64_t *words = mt__file_new_words(loader->file);
    enum mt_status status = words ? MT_OK : MT_NOMEM;
    for (size_t i = 0; status == MT_OK && i < loader->file->n_def_chunks; i++) {
        const struct mt__def_chunk *chunk = &loader->file->def_chunks[i];
        struct mt_error error = {0};
        uint32_t n_read;
        if (mt__file_words(input, chunk->offset, words, chunk->n_words, &n_read, &error) != MT_OK)
            mt__trouble_tell(trouble, loader->file->source.name, &error);
        status = load_chunk(loader, chunk, words, n_read);
    }
    free(words);
    return status;
}

/* Ids are numbered one after the other, so an array is right; but a file can claim anything. */
static enum mt_status make_dense(struct mt__file *file, const struct found *found, size_t n_found,
                                 uint32_t low, uint32_t high)
{
    file->dense_base = low;
    file->n_dense = high - low + 1;
    file->dense = malloc(file->n_dense * sizeof *file->dense);
    if (!file->dense)
        return MT_NOMEM;
    memset(file->dense, 0xff, file->n_dense * sizeof *file->dense); /* MT__NO_FUNC */
    for (size_t i = 0; i < n_found; i++) {
        uint32_t *place = &file->dense[found[i].id - low];
        if (*place == MT__NO_FUNC)
            *place = found[i].func;
    }
    return MT_OK;
}

static enum mt_status make_ids(struct mt__file *file, const struct found *found, size_t n_found)
{
    uint32_t low = UINT32_MAX, high = 0;
    file->n_dense = 0;
    for (size_t i = 0; i < n_found; i++) {
        low = found[i].id < low ? found[i].id : low;
        high = found[i].id > high ? found[i].id : high;
    }
    if (n_found && high - low < n_found * 8 + 1024)
        return make_dense(file, found, n_found, low, high);
    for (size_t i = 0; i < n_found; i++) {
        if (!mt_map_put(&file->sparse, found[i].id, found[i].func, NULL))
            return MT_NOMEM;
    }
    return MT_OK;
}

enum mt_status mt__file_defs(struct mt__file *file, const struct mt__input *input,
                             struct mt__names *names, struct mt__trouble *trouble)
{
    struct loader loader = {.file = file, .names = names, .fault = MT_NO_OFFSET};
    enum mt_status status = load_chunks(&loader, input, trouble);
    if (status == MT_OK)
        status = make_ids(file, loader.found, loader.n_found);
    file->n_defs = (uint32_t)loader.n_found;
    if (loader.fault != MT_NO_OFFSET && !file->fault_told) {
        struct mt_error error = {0};
        mt_error_set(&error, MT_CORRUPT, NULL, loader.fault, "a definition is damaged");
        mt__trouble_tell(trouble, file->source.name, &error);
    }
    mt_map_fini(&loader.string_of);
    free(loader.strings);
    free(loader.found);
    return status;
}
