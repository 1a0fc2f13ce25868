/* table.c - see table.h. Called by `report` and `diff`. */
#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/array.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/cli.h"

/* Texts are not made shorter than this, however narrow the terminal. */
#define MIN_TEXT_WIDTH 16u
static const char dots[] = "...";

bool mt_table_format_named(const char *name, enum mt_table_format *out)
{
    static const char *const names[MT_N_TABLE_FORMATS] = {"table", "markdown", "json", "csv"};
    for (unsigned i = 0; i < MT_N_TABLE_FORMATS; i++) {
        if (!strcmp(name, names[i])) {
            *out = (enum mt_table_format)i;
            return true;
        }
    }
    return false;
}

size_t mt_cli_output_width(const char *output)
{
    struct winsize size;
    if (strcmp(output, "-") != 0 || !isatty(STDOUT_FILENO))
        return 0;
    return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 100;
}

void mt_table_fini(struct mt_table *table)
{
    free(table->cells);
    mt_arena_fini(&table->arena);
    table->cells = NULL;
    table->n_rows = table->capacity = 0;
}

struct mt_cell *mt_table_add(struct mt_table *table)
{
    static struct mt_cell nowhere[32]; /* no memory: written to, never read */
    size_t n = table->n_rows * table->n_columns;
    if (!MT_ARRAY_ROOM(table->cells, table->capacity, n + table->n_columns)) {
        table->failed = true;
        return nowhere;
    }
    memset(&table->cells[n], 0, table->n_columns * sizeof *table->cells);
    table->n_rows++;
    return &table->cells[n];
}

struct mt_text mt_table_keep(struct mt_table *table, const char *data, size_t n_bytes)
{
    char *copy = n_bytes < UINT32_MAX ? mt_arena_bytes(&table->arena, n_bytes + 1) : NULL;
    if (!copy) {
        table->failed = true;
        return (struct mt_text){"", 0};
    }
    memcpy(copy, data, n_bytes);
    copy[n_bytes] = '\0';
    return (struct mt_text){copy, (uint32_t)n_bytes};
}

/* ----------------------------------------------------------------------------------- for people */

/* The length of what may be shown at `at`; 0: a byte that may not. */
static size_t printable(const char *at, size_t n_bytes)
{
    size_t n = mt_utf8_char(at, n_bytes);
    unsigned char c = (unsigned char)at[0];
    bool is_control = n == 1 ? c < 0x20 || c == 0x7f
                             : n == 2 && c == 0xc2 && (unsigned char)at[1] < 0xa0;
    return is_control ? 0 : n;
}

void mt_table_put_clean(struct mt_buf *out, const char *data, size_t n_bytes)
{
    for (size_t i = 0, n; i < n_bytes; i += n ? n : 1) {
        n = printable(data + i, n_bytes - i);
        if (n)
            mt_buf_append(out, data + i, n);
        else
            mt_buf_append_char(out, '?');
    }
}

/* In characters, of clean text. */
static size_t width_of(const char *data, size_t n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++)
        n += ((unsigned char)data[i] & 0xc0) != 0x80;
    return n;
}

static void put_seconds(struct mt_buf *out, uint64_t ns)
{
    uint64_t us = ns / 1000 + (ns % 1000 >= 500);
    mt_buf_printf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static uint64_t magnitude(int64_t i)
{
    return i < 0 ? -(uint64_t)i : (uint64_t)i;
}

/* A cell as people see it, clean. */
static void put_cell(const struct mt_cell *cell, enum mt_cell_kind kind, struct mt_buf *out)
{
    char text[32];
    if (cell->none)
        return;
    switch (kind) {
    case MT_CELL_COUNT: mt_buf_append_u64(out, cell->n); break;
    case MT_CELL_CALLS:
        mt_buf_append_u64(out, cell->n);
        if (cell->m != cell->n)
            mt_buf_printf(out, "/%" PRIu64, cell->m);
        break;
    case MT_CELL_SECONDS: put_seconds(out, cell->n); break;
    case MT_CELL_DURATION:
        mt_buf_append_text(out, mt_cli_duration_text(cell->n, text, sizeof text));
        break;
    case MT_CELL_CHANGE: mt_buf_printf(out, "%+" PRId64, cell->i); break;
    case MT_CELL_SECONDS_CHANGE:
        mt_buf_append_char(out, cell->i < 0 ? '-' : '+');
        put_seconds(out, magnitude(cell->i));
        break;
    case MT_CELL_PERCENT: mt_buf_printf(out, "%+.1f%%", cell->x); break;
    case MT_CELL_TEXT: mt_table_put_clean(out, cell->text.data, cell->text.n_bytes); break;
    case MT_CELL_FLAG: mt_buf_append_text(out, cell->n ? "yes" : ""); break;
    }
}

static void pad(struct mt_buf *out, size_t n)
{
    while (n--)
        mt_buf_append_char(out, ' ');
}

/* How wide the columns must be, and then how wide texts may be for lines of `width`. */
static void set_widths(const struct mt_table *table, size_t width, size_t *widths)
{
    struct mt_buf cell = {0};
    size_t n_fixed = 0, n_texts = 0;
    for (size_t c = 0; c < table->n_columns; c++) {
        const struct mt_column *column = &table->columns[c];
        bool is_shown = column->whom & MT_FOR_PEOPLE;
        widths[c] = is_shown ? width_of(column->title, strlen(column->title)) : 0;
        for (size_t r = 0; is_shown && r < table->n_rows; r++) {
            mt_buf_clear(&cell);
            put_cell(&table->cells[r * table->n_columns + c], column->kind, &cell);
            size_t n = width_of(cell.data, cell.n_bytes);
            widths[c] = n > widths[c] ? n : widths[c];
        }
        if (!is_shown)
            continue;
        n_texts += column->kind == MT_CELL_TEXT;
        n_fixed += column->kind == MT_CELL_TEXT ? 2 : widths[c] + 2;
    }
    mt_buf_fini(&cell);
    size_t n_left = width > n_fixed ? width - n_fixed + 2 : 0;
    for (size_t c = 0; width && c < table->n_columns; c++) {
        if (!(table->columns[c].whom & MT_FOR_PEOPLE) || table->columns[c].kind != MT_CELL_TEXT)
            continue;
        size_t share = n_left / n_texts;
        share = share < MIN_TEXT_WIDTH ? MIN_TEXT_WIDTH : share;
        widths[c] = widths[c] > share ? share : widths[c];
        n_left -= n_left > widths[c] ? widths[c] : n_left;
        n_texts -= n_texts > 1;
    }
}

/* The end of a text says more than its start: of a path the file, of a name the function. */
static void put_shortened(struct mt_buf *out, const struct mt_buf *text, size_t width)
{
    size_t n = width_of(text->data, text->n_bytes), at = 0;
    if (n <= width) {
        mt_buf_append(out, text->data, text->n_bytes);
        return;
    }
    for (size_t n_off = n - width + sizeof dots - 1; n_off; n_off--) {
        do
            at++;
        while (at < text->n_bytes && ((unsigned char)text->data[at] & 0xc0) == 0x80);
    }
    mt_buf_append_text(out, dots);
    mt_buf_append(out, text->data + at, text->n_bytes - at);
}

static void put_text_row(const struct mt_table *table, const struct mt_cell *cells,
                         const size_t *widths, struct mt_buf *out)
{
    struct mt_buf text = {0};
    size_t n_gap = 0; /* not at the end of a line */
    for (size_t c = 0; c < table->n_columns; c++) {
        const struct mt_column *column = &table->columns[c];
        if (!(column->whom & MT_FOR_PEOPLE))
            continue;
        mt_buf_clear(&text);
        if (cells)
            put_cell(&cells[c], column->kind, &text);
        else
            mt_buf_append_text(&text, column->title);
        bool is_text = column->kind == MT_CELL_TEXT;
        size_t n = width_of(text.data, text.n_bytes);
        n = n < widths[c] ? n : widths[c];
        pad(out, n_gap + (is_text ? 0 : widths[c] - n));
        if (cells)
            put_shortened(out, &text, widths[c]);
        else
            mt_buf_append(out, text.data, n); /* titles are ASCII */
        n_gap = 2 + (is_text ? widths[c] - n : 0);
    }
    mt_buf_append_char(out, '\n');
    mt_buf_fini(&text);
}

static void put_text(const struct mt_table *table, size_t width, struct mt_buf *out)
{
    size_t widths[32];
    set_widths(table, width, widths);
    put_text_row(table, NULL, widths, out);
    for (size_t r = 0; r < table->n_rows; r++)
        put_text_row(table, &table->cells[r * table->n_columns], widths, out);
}

/* Names come from programs: they neither end a cell nor begin markup. */
static void put_markdown_text(const struct mt_buf *text, struct mt_buf *out)
{
    for (size_t i = 0; i < text->n_bytes; i++) {
        if (strchr("\\`*_{}[]<>#|~&", text->data[i]) && text->data[i])
            mt_buf_append_char(out, '\\');
        mt_buf_append_char(out, text->data[i]);
    }
}

static void put_markdown(const struct mt_table *table, struct mt_buf *out)
{
    struct mt_buf text = {0};
    for (size_t r = 0; r < table->n_rows + 2; r++) {
        for (size_t c = 0; c < table->n_columns; c++) {
            const struct mt_column *column = &table->columns[c];
            if (!(column->whom & MT_FOR_PEOPLE))
                continue;
            mt_buf_append_text(out, "| ");
            mt_buf_clear(&text);
            if (r == 0)
                mt_buf_append_text(out, column->title);
            else if (r == 1)
                mt_buf_append_text(out, column->kind == MT_CELL_TEXT ? ":--" : "--:");
            else
                put_cell(&table->cells[(r - 2) * table->n_columns + c], column->kind, &text);
            put_markdown_text(&text, out);
            mt_buf_append_char(out, ' ');
        }
        mt_buf_append_text(out, "|\n");
    }
    mt_buf_fini(&text);
}

/* --------------------------------------------------------------------------------- for programs */

static void put_number(const struct mt_cell *cell, enum mt_cell_kind kind, struct mt_buf *out)
{
    if (kind == MT_CELL_PERCENT)
        mt_buf_printf(out, "%.3f", cell->x);
    else if (kind == MT_CELL_CHANGE || kind == MT_CELL_SECONDS_CHANGE)
        mt_buf_printf(out, "%" PRId64, cell->i);
    else
        mt_buf_append_u64(out, cell->n);
}

static void put_json_cell(const struct mt_cell *cell, enum mt_cell_kind kind, struct mt_buf *out)
{
    if (cell->none)
        mt_buf_append_text(out, "null");
    else if (kind == MT_CELL_TEXT)
        mt_json_string(out, cell->text.data, cell->text.n_bytes);
    else if (kind == MT_CELL_FLAG)
        mt_buf_append_text(out, cell->n ? "true" : "false");
    else
        put_number(cell, kind, out);
}

static void put_json(const struct mt_table *table, struct mt_buf *out)
{
    mt_buf_append_char(out, '[');
    for (size_t r = 0; r < table->n_rows; r++) {
        const char *before = r ? ",\n{" : "\n{";
        for (size_t c = 0; c < table->n_columns; c++) {
            const struct mt_column *column = &table->columns[c];
            if (!(column->whom & MT_FOR_PROGRAMS))
                continue;
            mt_buf_append_text(out, before);
            mt_json_string(out, column->key, strlen(column->key));
            mt_buf_append_char(out, ':');
            put_json_cell(&table->cells[r * table->n_columns + c], column->kind, out);
            before = ",";
        }
        mt_buf_append_char(out, '}');
    }
    mt_buf_append_text(out, "\n]");
}

/* Line ends are allowed within quotes; other control characters, and what is not UTF-8, become
 * U+FFFD. */
static void put_csv_text(const struct mt_text *text, struct mt_buf *out)
{
    bool quoted = false;
    for (size_t i = 0; i < text->n_bytes; i++)
        quoted |= text->data[i] && strchr(",\"\r\n", text->data[i]);
    if (quoted)
        mt_buf_append_char(out, '"');
    for (size_t i = 0, n; i < text->n_bytes; i += n ? n : 1) {
        const char *at = text->data + i;
        n = *at == '\n' || *at == '\r' || *at == '\t' ? 1 : printable(at, text->n_bytes - i);
        if (*at == '"')
            mt_buf_append_char(out, '"');
        if (n)
            mt_buf_append(out, at, n);
        else
            mt_buf_append_text(out, "\xef\xbf\xbd");
    }
    if (quoted)
        mt_buf_append_char(out, '"');
}

static void put_csv(const struct mt_table *table, struct mt_buf *out)
{
    for (size_t r = 0; r < table->n_rows + 1; r++) {
        const char *before = "";
        for (size_t c = 0; c < table->n_columns; c++) {
            const struct mt_column *column = &table->columns[c];
            const struct mt_cell *cell = r ? &table->cells[(r - 1) * table->n_columns + c] : NULL;
            if (!(column->whom & MT_FOR_PROGRAMS))
                continue;
            mt_buf_append_text(out, before);
            before = ",";
            if (!cell)
                mt_buf_append_text(out, column->key);
            else if (cell->none)
                continue;
            else if (column->kind == MT_CELL_TEXT)
                put_csv_text(&cell->text, out);
            else
                put_number(cell, column->kind, out);
        }
        mt_buf_append_text(out, "\r\n");
    }
}

void mt_table_put(const struct mt_table *table, enum mt_table_format format, size_t width,
                  struct mt_buf *out)
{
    if (format == MT_TABLE_TEXT)
        put_text(table, width, out);
    else if (format == MT_TABLE_MARKDOWN)
        put_markdown(table, out);
    else if (format == MT_TABLE_JSON)
        put_json(table, out);
    else
        put_csv(table, out);
}
