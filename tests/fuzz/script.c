/* script.c - the table of steps, and running them; see script.h. */
#include <stdlib.h>
#include <string.h>

#include "script_steps.h"

static void op_number(struct script *script, const uint8_t *operands)
{
    size_t which = (size_t)(script_number(operands[0]) % SCRIPT_N_NUMBERS);
    script->numbers[which] = script_number(operands[1]);
    script->slices |= which < SCRIPT_KIND;
}

static void op_glob(struct script *script, const uint8_t *operands)
{
    size_t which = (size_t)(script_number(operands[0]) % SCRIPT_N_LISTS);
    if (script->n_globs[which] == SCRIPT_MAX_GLOBS)
        return;
    script->globs[which][script->n_globs[which]++] = script_text(operands[1]).data;
    script->slices = true;
}

struct mt_slice script_slice(const struct script *script, uint32_t ids[2])
{
    const uint64_t *numbers = script->numbers;
    uint64_t from_ns = numbers[SCRIPT_FROM], to_ns = numbers[SCRIPT_TO];
    if (to_ns && to_ns <= from_ns) /* nobody may ask for that */
        to_ns = 0;
    ids[0] = (uint32_t)numbers[SCRIPT_PID];
    ids[1] = (uint32_t)numbers[SCRIPT_TID];
#define GLOBS(which)                                                                               \
    {                                                                                              \
        script->globs[which], script->n_globs[which]                                               \
    }
    return (struct mt_slice){
        .from_ns = from_ns,
        .to_ns = to_ns,
        .min_duration_ns = numbers[SCRIPT_MIN_DURATION],
        .max_depth = (uint32_t)numbers[SCRIPT_MAX_DEPTH],
        .pids = {&ids[0], ids[0] != 0},
        .tids = {&ids[1], ids[1] != 0},
        .processes = GLOBS(SCRIPT_PROCESSES),
        .threads = GLOBS(SCRIPT_THREADS),
        .include = GLOBS(SCRIPT_INCLUDE),
        .exclude = GLOBS(SCRIPT_EXCLUDE),
    };
#undef GLOBS
}

/* ---------------------------------------------------------------------------------------- steps */

const struct script_op script_ops[] = {
    {'f', 1, script__op_file},         /* pid */
    {'p', 1, script__op_parent},       /* file: it forked this one, now */
    {'h', 2, script__op_header},       /* field, number */
    {'i', 2, script__op_header_id},    /* which, number in all its bytes */
    {'t', 2, script__op_header_text},  /* which, text */
    {'y', 1, script__op_copy},         /* file */
    {'X', 1, script__op_cut},          /* bytes */
    {'z', 3, script__op_poke},         /* page, offset, byte */
    {'e', 3, script__op_events},       /* thread, tid, pages - 1 */
    {'k', 2, script__op_chunk_header}, /* field, number */
    {'d', 0, script__op_defs},
    {'(', 1, script__op_py_begin}, /* id */
    {')', 1, script__op_py_end},
    {'!', 1, script__op_py_end_exc},
    {'s', 1, script__op_py_suspend},
    {'r', 1, script__op_py_resume},
    {'[', 1, script__op_c_begin},
    {']', 1, script__op_c_end},
    {'?', 1, script__op_c_end_exc},
    {'/', 1, script__op_step},      /* ticks between records */
    {'=', 1, script__op_tick},      /* of the next chunk */
    {'g', 1, script__op_gap},       /* ticks */
    {'G', 3, script__op_wild_gap},  /* tick, mono, real */
    {'L', 3, script__op_lost},      /* events, ticks, reason */
    {'R', 2, script__op_resync},    /* reason, depth */
    {'x', 2, script__op_extension}, /* subtype, words */
    {'w', 3, script__op_word},      /* delta, kind, id */
    {'v', 1, script__op_wild_word},
    {'*', 2, script__op_repeat},   /* words, times */
    {'C', 4, script__op_code},     /* id, name, file, line */
    {'B', 3, script__op_cfunc},    /* id, owner, name */
    {'S', 2, script__op_string},   /* id, text */
    {'N', 4, script__op_name},     /* type, id, tid, text */
    {'D', 4, script__op_wild_def}, /* type, id, words, payload */
    {'o', 2, op_number},           /* which, number */
    {'O', 2, op_glob},             /* list, text */
};
const size_t script_n_ops = sizeof script_ops / sizeof *script_ops;

static const struct script_op *op_of(uint8_t letter)
{
    for (size_t i = 0; i < script_n_ops; i++) {
        if ((uint8_t)script_ops[i].letter == letter)
            return &script_ops[i];
    }
    return NULL;
}

void script_build(struct script *script, const uint8_t *text, size_t n_bytes)
{
    memset(script, 0, sizeof *script);
    for (size_t at = 0; at < n_bytes;) {
        const struct script_op *op = op_of(text[at++]);
        if (!op)
            continue;
        if (op->n_operands > n_bytes - at)
            return;
        op->run(script, text + at);
        at += op->n_operands;
    }
}

void script_fini(struct script *script)
{
    for (size_t i = 0; i < script->n_files; i++)
        free(script->files[i].data);
    script->n_files = 0;
}
