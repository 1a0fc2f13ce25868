/* check_defs.c - verifies the definitions of a file strictly. Called by check.c. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "reader/check.h"

/* A definition that is being verified. */
struct at {
    struct mt__check *check;
    const struct mt__def *def;
    uint64_t offset; /* of its head in the file */
};

/* What the definitions before it said. */
struct defined {
    struct mt_map strings; /* their ids */
    struct mt_map funcs;
};

static uint64_t payload_offset(const struct at *at, const void *place)
{
    const char *begin = (const char *)at->def->payload;
    return at->offset + sizeof(uint64_t) + (uint64_t)((const char *)place - begin);
}

/* Nothing but UTF-8 without NUL. */
static bool check_text(const struct at *at, const struct mt_text *text)
{
    size_t n_good;
    if (!mt_utf8_valid(text->data, text->n_bytes, &n_good))
        return mt__check_fault(at->check, payload_offset(at, text->data + n_good),
                               "a text is not UTF-8");
    const char *nul = memchr(text->data, '\0', text->n_bytes);
    if (nul)
        return mt__check_fault(at->check, payload_offset(at, nul), "a text has a NUL in it");
    return true;
}

/* The payload ends with the word in which its last text ends, and zeros fill that. */
static bool check_padding(const struct at *at, const struct mt_text *last)
{
    const char *end = last->data + last->n_bytes;
    const char *payload_end = (const char *)(at->def->payload + at->def->n_payload);
    if (payload_end - end >= 8)
        return mt__check_fault(at->check, at->offset, "a definition is longer than what it says");
    for (; end < payload_end; end++) {
        if (*end)
            return mt__check_fault(at->check, payload_offset(at, end),
                                   "there is something behind a text's end");
    }
    return true;
}

static bool too_short(const struct at *at)
{
    return mt__check_fault(at->check, at->offset, "a definition is shorter than what it says");
}

static bool check_new(const struct at *at, struct mt_map *defined, uint32_t first, uint32_t end)
{
    bool is_new;
    uint32_t id = at->def->id;
    if (id < first || id >= end)
        return mt__check_fault(at->check, at->offset, "a definition has the impossible id %u", id);
    if (!mt_map_put(defined, id, 0, &is_new))
        return mt__check_fault(at->check, at->offset, "out of memory");
    if (!is_new)
        return mt__check_fault(at->check, at->offset, "id %u is defined again", id);
    return true;
}

static bool check_string(const struct at *at, struct defined *defined)
{
    struct mt_text text;
    if (!mt__def_string(at->def, &text))
        return too_short(at);
    return check_new(at, &defined->strings, 1, UINT32_MAX) && check_text(at, &text) &&
           check_padding(at, &text);
}

static bool check_code(const struct at *at, struct defined *defined)
{
    struct mt_def_code code;
    struct mt_text name;
    if (!mt__def_code(at->def, &code, &name))
        return too_short(at);
    if (code.file_id && !mt_map_find(&defined->strings, code.file_id))
        return mt__check_fault(at->check, payload_offset(at, at->def->payload),
                               "string %u is not defined yet", code.file_id);
    return check_new(at, &defined->funcs, 1, MT_ID_UNKNOWN) && check_text(at, &name) &&
           check_padding(at, &name);
}

static bool check_cfunc(const struct at *at, struct defined *defined)
{
    struct mt_text owner, name;
    if (!mt__def_cfunc(at->def, &owner, &name))
        return too_short(at);
    return check_new(at, &defined->funcs, 1, MT_ID_UNKNOWN) && check_text(at, &owner) &&
           check_text(at, &name) && check_padding(at, &name);
}

static bool check_name(const struct at *at)
{
    struct mt_def_name head;
    struct mt_text text;
    uint32_t id = at->def->id;
    if (!mt__def_name(at->def, &head, &text))
        return too_short(at);
    bool good_id = at->def->type == MT_DEF_THREAD    ? id != 0
                   : at->def->type == MT_DEF_PROCESS ? id == 0
                                                     : id != 0 && id <= MT_NOTE_UNTRACED;
    if (!good_id && !at->check->is_newer)
        return mt__check_fault(at->check, at->offset, "a name has the impossible id %u", id);
    return check_text(at, &text) && check_padding(at, &text);
}

static bool check_def(const struct at *at, struct defined *defined)
{
    switch (at->def->type) {
    case MT_DEF_STRING: return check_string(at, defined);
    case MT_DEF_CODE: return check_code(at, defined);
    case MT_DEF_CFUNC: return check_cfunc(at, defined);
    case MT_DEF_THREAD:
    case MT_DEF_PROCESS:
    case MT_DEF_NOTE: return check_name(at);
    default:
        return at->check->is_newer ||
               mt__check_fault(at->check, at->offset, "a definition has the unknown type %u",
                               at->def->type);
    }
}

static bool check_chunk(struct mt__check *check, const struct mt__def_chunk *chunk, uint64_t *words,
                        struct defined *defined)
{
    uint32_t n_read;
    if (mt__file_words(&check->input, chunk->offset, words, chunk->n_words, &n_read,
                       &check->error) != MT_OK)
        return false;
    struct mt__def_iter iter = {.words = words, .n_words = n_read};
    struct mt__def def;
    enum mt__next next;
    bool good = true;
    while (good && (next = mt__def_next(&iter, &def)) != MT__NEXT_END) {
        struct at at = {.check = check, .def = &def};
        at.offset = chunk->offset + MT_CHUNK_HEADER_BYTES + def.at * sizeof(uint64_t);
        if (next == MT__NEXT_FAULT)
            good = mt__check_fault(check, at.offset, "a definition goes beyond its chunk");
        else
            good = check_def(&at, defined);
    }
    return good;
}

bool mt__check_defs(struct mt__check *check)
{
    struct defined defined = {0};
    uint64_t *words = mt__file_new_words(&check->file);
    bool good = words || mt__check_fault(check, MT_NO_OFFSET, "out of memory");
    for (size_t i = 0; good && i < check->file.n_def_chunks; i++)
        good = check_chunk(check, &check->file.def_chunks[i], words, &defined);
    mt_map_fini(&defined.strings);
    mt_map_fini(&defined.funcs);
    free(words);
    return good;
}
