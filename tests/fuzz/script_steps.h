/* script_steps.h - the steps of scripts, for the files that make them up.
 *
 * Invariant: `events` and `defs` of a file are 0 or offsets of chunks whose header lies in it.
 */
#ifndef MT_TESTS_SCRIPT_STEPS_H_
#define MT_TESTS_SCRIPT_STEPS_H_

#include "script.h"

/* script_files.c */

/* The file that steps write to. NULL: there can be none. */
struct script_file *script__file(struct script *script);
/* Bytes between `at` and the chunk's end, whatever its header says. No chunk: none. */
size_t script__room(const struct script_file *file, size_t chunk, size_t at);
/* Appends words to the file's chunk of records, or to a new one like it. */
void script__words(struct script *script, const void *words, size_t n);
/* A moment on all clocks. */
struct mt_clock_pair script__pair(uint64_t tick);

/* The steps; script.c says what their operands are. */
void script__op_file(struct script *script, const uint8_t *operands);
void script__op_parent(struct script *script, const uint8_t *operands);
void script__op_header(struct script *script, const uint8_t *operands);
void script__op_header_id(struct script *script, const uint8_t *operands);
void script__op_header_text(struct script *script, const uint8_t *operands);
void script__op_copy(struct script *script, const uint8_t *operands);
void script__op_cut(struct script *script, const uint8_t *operands);
void script__op_poke(struct script *script, const uint8_t *operands);
void script__op_events(struct script *script, const uint8_t *operands);
void script__op_chunk_header(struct script *script, const uint8_t *operands);
void script__op_defs(struct script *script, const uint8_t *operands);

/* script_records.c */
void script__op_step(struct script *script, const uint8_t *operands);
void script__op_tick(struct script *script, const uint8_t *operands);
void script__op_py_begin(struct script *script, const uint8_t *operands);
void script__op_py_end(struct script *script, const uint8_t *operands);
void script__op_py_end_exc(struct script *script, const uint8_t *operands);
void script__op_py_suspend(struct script *script, const uint8_t *operands);
void script__op_py_resume(struct script *script, const uint8_t *operands);
void script__op_c_begin(struct script *script, const uint8_t *operands);
void script__op_c_end(struct script *script, const uint8_t *operands);
void script__op_c_end_exc(struct script *script, const uint8_t *operands);
void script__op_gap(struct script *script, const uint8_t *operands);
void script__op_wild_gap(struct script *script, const uint8_t *operands);
void script__op_lost(struct script *script, const uint8_t *operands);
void script__op_resync(struct script *script, const uint8_t *operands);
void script__op_extension(struct script *script, const uint8_t *operands);
void script__op_word(struct script *script, const uint8_t *operands);
void script__op_wild_word(struct script *script, const uint8_t *operands);
void script__op_repeat(struct script *script, const uint8_t *operands);
void script__op_code(struct script *script, const uint8_t *operands);
void script__op_cfunc(struct script *script, const uint8_t *operands);
void script__op_string(struct script *script, const uint8_t *operands);
void script__op_name(struct script *script, const uint8_t *operands);
void script__op_wild_def(struct script *script, const uint8_t *operands);

#endif /* MT_TESTS_SCRIPT_STEPS_H_ */
