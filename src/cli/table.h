/* table.h - one table, for people (aligned text, Markdown) or for programs (JSON, CSV). Used by the
 * commands that answer in numbers.
 *
 * Texts are borrowed and may hold any bytes: of names, control characters never reach a terminal,
 * JSON is always valid UTF-8, CSV is quoted as RFC 4180 says. Times are ns in cells, JSON and CSV,
 * and seconds or what fits for people.
 */
#ifndef MT_CLI_TABLE_H_
#define MT_CLI_TABLE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mtrace/event.h"
#include "mtrace/status.h"

enum mt_table_format {
    MT_TABLE_TEXT,
    MT_TABLE_MARKDOWN,
    MT_TABLE_JSON,
    MT_TABLE_CSV,
    MT_N_TABLE_FORMATS
};
/* "table", "markdown", "json", "csv"; false: no such format. */
bool mt_table_format_named(const char *name, enum mt_table_format *out);

/* How long lines may be on the terminal that `output` ("-" or a path) is; 0: it is none. */
size_t mt_cli_output_width(const char *output);

enum mt_cell_kind {
    MT_CELL_COUNT,          /* n */
    MT_CELL_CALLS,          /* n, and behind a slash m, if it is another number (people only) */
    MT_CELL_SECONDS,        /* n ns, as seconds with six decimals */
    MT_CELL_DURATION,       /* n ns, with the unit that fits */
    MT_CELL_CHANGE,         /* i, with its sign */
    MT_CELL_SECONDS_CHANGE, /* i ns */
    MT_CELL_PERCENT,        /* x, with its sign */
    MT_CELL_TEXT,
    MT_CELL_FLAG, /* n; JSON true or false */
};

/* Who sees a column. */
#define MT_FOR_PEOPLE 1u
#define MT_FOR_PROGRAMS 2u
#define MT_FOR_ALL 3u

struct mt_column {
    const char *title; /* for people */
    const char *key;   /* for programs */
    uint8_t kind;      /* enum mt_cell_kind */
    uint8_t whom;
};

struct mt_cell {
    union {
        uint64_t n;
        int64_t i;
        double x;
    };
    uint64_t m;
    struct mt_text text;
    bool none; /* nothing to say: empty, or null */
};

/* All zeros but for `columns` is an empty table. Owned by one thread at a time. */
struct mt_table {
    const struct mt_column *columns;
    size_t n_columns;
    struct mt_cell *cells; /* row by row */
    size_t n_rows, capacity;
    struct mt_arena arena; /* for texts that are made for this table */
    bool failed;           /* out of memory; looked at once, at the end */
};
void mt_table_fini(struct mt_table *table);

/* The next row's cells, all zeros; never NULL. Valid until the next call. */
struct mt_cell *mt_table_add(struct mt_table *table);
/* Copies a text into the table. */
struct mt_text mt_table_keep(struct mt_table *table, const char *data, size_t n_bytes);

/* The rows alone, in one of the formats; JSON as an array of objects. `width`: of lines of
 * MT_TABLE_TEXT, by shortening texts at their start; 0: any. */
void mt_table_put(const struct mt_table *table, enum mt_table_format format, size_t width,
                  struct mt_buf *out);

/* Appends a text for people: control characters, and what is not UTF-8, become question marks. */
void mt_table_put_clean(struct mt_buf *out, const char *data, size_t n_bytes);

#endif /* MT_CLI_TABLE_H_ */
