/* script.h - a small language of which every text is a set of trace files, for fuzzing.
 *
 * A trace file is mostly zeros, and nearly every random change of it is a header that is refused at once. A
 * script is dense: each byte of it means something, and what it makes has whole headers and chunks,
 * unless it says otherwise. Scripts are printable, so that a corpus can be read:
 *
 *     f5 C1m00 (1 B2mp [2 ]2 )1          a file of pid 5: main calls a C function
 *
 * A step is a letter and as many operands as script_ops says, one character each; other characters
 * are skipped. An operand is a number (script_number) or a text (script_text). What a step needs and
 * is not there yet (a file, a chunk) is made.
 */
#ifndef MT_TESTS_SCRIPT_H_
#define MT_TESTS_SCRIPT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtrace/reader.h"

#define SCRIPT_MAX_FILES 12
#define SCRIPT_MAX_GLOBS 4
/* Of all files together. What goes beyond is left out. */
#define SCRIPT_MAX_BYTES ((size_t)512 << 10)
#define SCRIPT_N_NUMBERS 8

/* Which lists of globs 'O' adds to. */
enum { SCRIPT_PROCESSES, SCRIPT_THREADS, SCRIPT_INCLUDE, SCRIPT_EXCLUDE, SCRIPT_N_LISTS };
/* Which numbers 'o' sets. */
enum {
    SCRIPT_FROM,
    SCRIPT_TO,
    SCRIPT_MIN_DURATION,
    SCRIPT_MAX_DEPTH,
    SCRIPT_PID,
    SCRIPT_TID,
    SCRIPT_KIND, /* the last two choose among what a command can do */
    SCRIPT_HOW,
};

struct script_file {
    unsigned char *data;
    size_t n_bytes;
    char name[16];
    /* Where the next step writes: offsets, 0: no chunk. */
    size_t events, events_at;
    size_t defs, defs_at;
    uint64_t tick; /* of the last record */
    uint64_t step; /* between two records */
    uint32_t n_def_chunks;
    uint32_t n_seqs[16]; /* by the low bits of the thread's number */
};

struct script {
    struct script_file files[SCRIPT_MAX_FILES];
    size_t n_files;
    size_t n_bytes; /* of all of them */
    uint64_t numbers[SCRIPT_N_NUMBERS];
    const char *globs[SCRIPT_N_LISTS][SCRIPT_MAX_GLOBS];
    size_t n_globs[SCRIPT_N_LISTS];
    bool slices; /* it asks for a slice */
};

/* Aborts when there is no memory. */
void script_build(struct script *script, const uint8_t *text, size_t n_bytes);
void script_fini(struct script *script);

/* What the slicing steps ask for; points into the script. `ids` has room for two. */
struct mt_slice script_slice(const struct script *script, uint32_t ids[2]);

/* 0 to 35, and what is at the edges of fields. */
uint64_t script_number(uint8_t operand);
/* Ends with a NUL that is not counted; may have others. */
struct mt_text script_text(uint8_t operand);

struct script_op {
    char letter;
    uint8_t n_operands;
    void (*run)(struct script *script, const uint8_t *operands);
};
extern const struct script_op script_ops[];
extern const size_t script_n_ops;

#endif /* MT_TESTS_SCRIPT_H_ */
