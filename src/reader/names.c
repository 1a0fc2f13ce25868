/* names.c - interning of texts and functions. Called by defs.c and set.c while a set is opened.
 *
 * Invariant: two entries of a table are never equal; no more than half of the slots are in use.
 */
#include "reader/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"

#define MAX_ENTRIES (UINT32_C(1) << 31)

static uint64_t hash_text(const struct mt_text *text)
{
    return mt_hash_bytes(text->data, text->n_bytes, mt_hash_secret);
}

static bool same_text(const struct mt_text *a, const struct mt_text *b)
{
    return a->n_bytes == b->n_bytes && !memcmp(a->data, b->data, a->n_bytes);
}

/* Texts of functions are interned, so their addresses tell them apart. */
static uint64_t hash_func(const struct mt_func *func)
{
    uint64_t hash = mt_hash_u64(mt_hash_secret ^ (uint64_t)(uintptr_t)func->name.data);
    hash = mt_hash_u64(hash ^ (uint64_t)(uintptr_t)func->owner.data);
    hash = mt_hash_u64(hash ^ (uint64_t)(uintptr_t)func->file.data);
    hash = mt_hash_u64(hash ^ ((uint64_t)func->line << 32 | func->code_flags));
    return hash ^ func->kind;
}

static bool same_func(const struct mt_func *a, const struct mt_func *b)
{
    return a->name.data == b->name.data && a->owner.data == b->owner.data &&
           a->file.data == b->file.data && a->line == b->line && a->kind == b->kind &&
           a->code_flags == b->code_flags;
}

static bool enlarge_slots(uint32_t **slots, size_t *n_slots, size_t n_entries)
{
    if ((n_entries + 1) * 2 <= *n_slots)
        return true;
    size_t n = *n_slots ? *n_slots * 2 : 64;
    uint32_t *fresh = calloc(n, sizeof *fresh);
    if (!fresh)
        return false;
    free(*slots);
    *slots = fresh;
    *n_slots = n;
    return true;
}

static void put_slot(uint32_t *slots, size_t n_slots, uint64_t hash, size_t entry)
{
    size_t at = (size_t)hash & (n_slots - 1);
    while (slots[at])
        at = (at + 1) & (n_slots - 1);
    slots[at] = (uint32_t)entry + 1;
}

static bool room_for_text(struct mt__names *names)
{
    size_t before = names->n_text_slots;
    if (!enlarge_slots(&names->text_slots, &names->n_text_slots, names->n_texts) ||
        !MT_ARRAY_ROOM(names->texts, names->texts_capacity, names->n_texts + 1))
        return false;
    for (size_t i = 0; before != names->n_text_slots && i < names->n_texts; i++)
        put_slot(names->text_slots, names->n_text_slots, hash_text(&names->texts[i]), i);
    return true;
}

static bool room_for_func(struct mt__names *names)
{
    size_t before = names->n_func_slots;
    if (!enlarge_slots(&names->func_slots, &names->n_func_slots, names->n_funcs) ||
        !MT_ARRAY_ROOM(names->funcs, names->funcs_capacity, names->n_funcs + 1))
        return false;
    for (size_t i = 0; before != names->n_func_slots && i < names->n_funcs; i++)
        put_slot(names->func_slots, names->n_func_slots, hash_func(&names->funcs[i]), i);
    return true;
}

enum mt_status mt__names_text(struct mt__names *names, const char *data, size_t n_bytes,
                              struct mt_text *out)
{
    if (names->n_texts >= MAX_ENTRIES || n_bytes > UINT32_MAX)
        return MT_LIMIT;
    if (!room_for_text(names))
        return MT_NOMEM;
    struct mt_text text = {n_bytes ? data : "", (uint32_t)n_bytes};
    uint64_t hash = hash_text(&text);
    size_t mask = names->n_text_slots - 1;
    for (size_t at = (size_t)hash & mask; names->text_slots[at]; at = (at + 1) & mask) {
        *out = names->texts[names->text_slots[at] - 1];
        if (same_text(out, &text))
            return MT_OK;
    }
    char *copy = mt_arena_bytes(&names->arena, n_bytes + 1);
    if (!copy)
        return MT_NOMEM;
    memcpy(copy, text.data, n_bytes);
    copy[n_bytes] = '\0';
    text.data = copy;
    put_slot(names->text_slots, names->n_text_slots, hash, names->n_texts);
    names->texts[names->n_texts++] = text;
    *out = text;
    return MT_OK;
}

enum mt_status mt__names_func(struct mt__names *names, const struct mt_func *func, uint32_t *out)
{
    if (names->n_funcs >= MAX_ENTRIES)
        return MT_LIMIT;
    if (!room_for_func(names))
        return MT_NOMEM;
    uint64_t hash = hash_func(func);
    size_t mask = names->n_func_slots - 1;
    for (size_t at = (size_t)hash & mask; names->func_slots[at]; at = (at + 1) & mask) {
        *out = names->func_slots[at] - 1;
        if (same_func(&names->funcs[*out], func))
            return MT_OK;
    }
    *out = (uint32_t)names->n_funcs;
    put_slot(names->func_slots, names->n_func_slots, hash, names->n_funcs);
    names->funcs[names->n_funcs++] = *func;
    return MT_OK;
}

static enum mt_status add_special(struct mt__names *names, const char *name, uint32_t kind)
{
    struct mt_func func = {.kind = kind};
    uint32_t idx;
    enum mt_status status = mt__names_text(names, "", 0, &func.owner);
    func.file = func.owner;
    if (status == MT_OK)
        status = mt__names_text(names, name, strlen(name), &func.name);
    return status == MT_OK ? mt__names_func(names, &func, &idx) : status;
}

enum mt_status mt__names_init(struct mt__names *names)
{
    *names = (struct mt__names){0};
    enum mt_status status = add_special(names, "(unknown)", MT_FUNC_PYTHON);
    if (status == MT_OK)
        status = add_special(names, "(unknown)", MT_FUNC_C);
    if (status == MT_OK)
        status = add_special(names, "(unnamed)", MT_FUNC_PYTHON);
    if (status == MT_OK)
        status = add_special(names, "(unnamed)", MT_FUNC_C);
    return status;
}

void mt__names_fini(struct mt__names *names)
{
    free(names->texts);
    free(names->text_slots);
    free(names->funcs);
    free(names->func_slots);
    mt_arena_fini(&names->arena);
    *names = (struct mt__names){0};
}
