/* script_records.c - steps that write records and definitions; see script.h. */
#include <string.h>

#include "script_steps.h"

#define MAX_REPEATED 8192u

static uint64_t head(struct script *script, enum mt_kind kind, uint32_t id)
{
    struct script_file *file = script__file(script);
    uint64_t delta = file ? file->step & UINT32_MAX : 0;
    if (file)
        file->tick += delta;
    return mt_record_pack(delta, kind, id & MT_ID_MAX);
}

static void put_call(struct script *script, enum mt_kind kind, uint8_t operand)
{
    uint64_t word = head(script, kind, (uint32_t)script_number(operand));
    script__words(script, &word, 1);
}

#define OP_OF_KIND(name, kind)                                                                     \
    void name(struct script *script, const uint8_t *operands)                                      \
    {                                                                                              \
        put_call(script, kind, operands[0]);                                                       \
    }
OP_OF_KIND(script__op_py_begin, MT_KIND_PY_BEGIN)
OP_OF_KIND(script__op_py_end, MT_KIND_PY_END)
OP_OF_KIND(script__op_py_end_exc, MT_KIND_PY_END_EXC)
OP_OF_KIND(script__op_py_suspend, MT_KIND_PY_SUSPEND)
OP_OF_KIND(script__op_py_resume, MT_KIND_PY_RESUME)
OP_OF_KIND(script__op_c_begin, MT_KIND_C_BEGIN)
OP_OF_KIND(script__op_c_end, MT_KIND_C_END)
OP_OF_KIND(script__op_c_end_exc, MT_KIND_C_END_EXC)

void script__op_step(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    if (file)
        file->step = script_number(operands[0]);
}

void script__op_tick(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    if (file)
        file->tick = script_number(operands[0]);
}

void script__op_gap(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    if (!file)
        return;
    struct mt_clock_pair pair = script__pair(file->tick += script_number(operands[0]));
    const uint64_t words[] = {mt_record_pack(0, MT_KIND_GAP, 3), pair.tick, pair.mono_ns,
                              pair.real_ns};
    script__words(script, words, 4);
}

void script__op_wild_gap(struct script *script, const uint8_t *operands)
{
    const uint64_t words[] = {head(script, MT_KIND_GAP, 3), script_number(operands[0]),
                              script_number(operands[1]), script_number(operands[2])};
    script__words(script, words, 4);
}

void script__op_lost(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    const uint64_t words[] = {head(script, MT_KIND_EXT, mt_ext_id(MT_EXT_LOST, 3)),
                              script_number(operands[0]),
                              (file ? file->tick : 0) + script_number(operands[1]),
                              script_number(operands[2]) | UINT64_C(28) << 32};
    script__words(script, words, 4);
}

void script__op_resync(struct script *script, const uint8_t *operands)
{
    const uint64_t words[] = {
        head(script, MT_KIND_EXT, mt_ext_id(MT_EXT_RESYNC, 2)),
        (script_number(operands[0]) & UINT32_MAX) | script_number(operands[1]) << 32, 0};
    script__words(script, words, 3);
}

void script__op_extension(struct script *script, const uint8_t *operands)
{
    uint64_t words[33];
    uint32_t n = (uint32_t)script_number(operands[1]) & MT_EXT_WORDS_MAX;
    memset(words, 0x77, sizeof words);
    words[0] = head(script, MT_KIND_EXT, mt_ext_id((enum mt_ext)script_number(operands[0]), n));
    script__words(script, words, n > 32 ? 1 : 1 + n);
}

void script__op_word(struct script *script, const uint8_t *operands)
{
    uint64_t word = script_number(operands[0]) << 32 |
                    (script_number(operands[1]) & 15) << MT_ID_BITS |
                    (script_number(operands[2]) & MT_ID_MAX);
    script__words(script, &word, 1);
}

void script__op_wild_word(struct script *script, const uint8_t *operands)
{
    uint64_t word = script_number(operands[0]);
    script__words(script, &word, 1);
}

/* The last n words again, m times. */
void script__op_repeat(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    size_t n = (size_t)(script_number(operands[0]) & 63), m = (size_t)script_number(operands[1]);
    uint64_t words[64];
    if (!file || !file->events || !n ||
        file->events_at - file->events < MT_CHUNK_HEADER_BYTES + 8 * n)
        return;
    memcpy(words, file->data + file->events_at - 8 * n, 8 * n);
    m = m < MAX_REPEATED / n ? m : MAX_REPEATED / n;
    for (size_t i = 0; i < m; i++)
        script__words(script, words, n);
}

/* ---------------------------------------------------------------------------------- definitions */

static void put_def(struct script *script, enum mt_def type, uint32_t id, const void *fixed,
                    size_t fixed_bytes, struct mt_text text, struct mt_text more)
{
    struct script_file *file = script__file(script);
    size_t n_bytes = fixed_bytes + text.n_bytes + more.n_bytes, n_words = (n_bytes + 7) / 8;
    if (!file)
        return;
    if (script__room(file, file->defs, file->defs_at) < 8 + 8 * n_words)
        script__op_defs(script, NULL);
    if (script__room(file, file->defs, file->defs_at) < 8 + 8 * n_words)
        return;
    uint64_t word = mt_def_pack(type, id, (uint32_t)n_words);
    unsigned char *at = file->data + file->defs_at;
    memcpy(at, &word, 8);
    memcpy(at + 8, fixed, fixed_bytes);
    memcpy(at + 8 + fixed_bytes, text.data, text.n_bytes);
    memcpy(at + 8 + fixed_bytes + text.n_bytes, more.data, more.n_bytes);
    file->defs_at += 8 + 8 * n_words;
}

static const struct mt_text none = {"", 0};

void script__op_code(struct script *script, const uint8_t *operands)
{
    struct mt_text name = script_text(operands[1]);
    struct mt_def_code code = {.file_id = (uint32_t)script_number(operands[2]),
                               .first_line = (uint32_t)script_number(operands[3]),
                               .name_bytes = name.n_bytes};
    put_def(script, MT_DEF_CODE, (uint32_t)script_number(operands[0]), &code, sizeof code, name,
            none);
}

void script__op_cfunc(struct script *script, const uint8_t *operands)
{
    struct mt_text owner = script_text(operands[1]), name = script_text(operands[2]);
    struct mt_def_cfunc cfunc = {owner.n_bytes, name.n_bytes};
    put_def(script, MT_DEF_CFUNC, (uint32_t)script_number(operands[0]), &cfunc, sizeof cfunc, owner,
            name);
}

void script__op_string(struct script *script, const uint8_t *operands)
{
    struct mt_text text = script_text(operands[1]);
    struct mt_def_text fixed = {.n_bytes = text.n_bytes};
    put_def(script, MT_DEF_STRING, (uint32_t)script_number(operands[0]), &fixed, sizeof fixed, text,
            none);
}

void script__op_name(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    struct mt_text text = script_text(operands[3]);
    struct mt_def_name name = {.tick = file ? file->tick : 0,
                               .tid = (uint32_t)script_number(operands[2]),
                               .n_bytes = text.n_bytes};
    enum mt_def type = MT_DEF_THREAD + script_number(operands[0]) % 4; /* one is not known */
    put_def(script, type, (uint32_t)script_number(operands[1]), &name, sizeof name, text, none);
}

/* A head with any type, id and length, and one word of payload. */
void script__op_wild_def(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    if (!file || script__room(file, file->defs, file->defs_at) < 16)
        return;
    const uint64_t words[] = {mt_def_pack((enum mt_def)(script_number(operands[0]) & 0xffff),
                                          (uint32_t)script_number(operands[1]),
                                          (uint32_t)script_number(operands[2])),
                              script_number(operands[3])};
    memcpy(file->data + file->defs_at, words, 16);
    file->defs_at += 16;
}
