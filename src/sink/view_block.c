/* view_block.c - blocks of events as the page has them. Called by sink_view.c, on any thread.
 *
 * A block is, before it is compressed, all of it in varints:
 *
 *     n_names, then so many functions     0: functions are numbered as they are in the head
 *     n_segments, then for each: track, n_symbols, first_ns, n_open, then so many functions
 *     the lengths of what follows: symbols, times, extras
 *     the symbols of all segments, then their times, then their extras
 *
 * Functions have numbers by how often they are called in this very block, so that nearly all symbols
 * are one byte: where that saves more than the table of names costs.
 */
#define _GNU_SOURCE /* qsort_r */
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "sink/view_parts.h"

#define MAX_VARINT_BYTES 10u
/* A table of names must be used so many times. */
#define MIN_USES 16u

void mt__view_segment_fini(struct mt__view_segment *segment)
{
    free(segment->symbols);
    free(segment->open);
    mt_buf_fini(&segment->times);
    mt_buf_fini(&segment->extras);
    *segment = (struct mt__view_segment){0};
}

void mt__view_put_varint(struct mt_buf *out, uint64_t value)
{
    char *at = mt_buf_reserve(out, MAX_VARINT_BYTES);
    if (at)
        mt_buf_commit(out, (size_t)(mt__view_varint(at, value) - at));
}

/* ------------------------------------------------------------------------------------------- text */

/* Four characters for three bytes. */
static void put_base64(struct mt_buf *out, const uint8_t *data, size_t n_bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = mt_buf_reserve(out, n_bytes / 3 * 4 + 4);
    if (!at)
        return;
    char *start = at;
    size_t i = 0;
    for (; i + 3 <= n_bytes; i += 3, at += 4) {
        uint32_t bits = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
        at[0] = digits[bits >> 18];
        at[1] = digits[bits >> 12 & 63];
        at[2] = digits[bits >> 6 & 63];
        at[3] = digits[bits & 63];
    }
    if (i < n_bytes) {
        bool has_two = i + 2 == n_bytes;
        uint32_t bits = (uint32_t)data[i] << 16 | (has_two ? (uint32_t)data[i + 1] << 8 : 0);
        at[0] = digits[bits >> 18];
        at[1] = digits[bits >> 12 & 63];
        at[2] = has_two ? digits[bits >> 6 & 63] : '=';
        at[3] = '=';
        at += 4;
    }
    mt_buf_commit(out, (size_t)(at - start));
}

enum mt_status mt__view_element(const char *attributes, const struct mt_buf *bytes,
                                const struct mt_view_options *options, struct mt_buf *out)
{
    struct mt_buf packed = {0};
    bool good = !bytes->failed && options->deflate(bytes->data, bytes->n_bytes, &packed);
    if (good) {
        mt_buf_printf(out, "<script type=text/plain %s data-bytes=%zu>", attributes,
                      bytes->n_bytes);
        put_base64(out, (const uint8_t *)packed.data, packed.n_bytes);
        mt_buf_append_text(out, "</script>\n");
    }
    good = good && !out->failed && !packed.failed;
    mt_buf_fini(&packed);
    return good ? MT_OK : MT_NOMEM;
}

/* ---------------------------------------------------------------------------------------- numbers */

/* The numbers of functions in a block. */
struct numbers {
    uint32_t *number_of; /* by function: how often it is called, and then its number */
    uint32_t *names;     /* by number */
    size_t n_names;
    size_t n_uses;
};

static void count(const struct mt__view_segment *segment, struct numbers *numbers)
{
    for (size_t i = 0; i < segment->n_symbols; i++) {
        if (segment->symbols[i] >= MT__VIEW_FIRST_FUNC) {
            numbers->number_of[segment->symbols[i] - MT__VIEW_FIRST_FUNC]++;
            numbers->n_uses++;
        }
    }
}

/* The most called first. */
static int by_uses(const void *a, const void *b, void *context)
{
    const uint32_t *uses = context, x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (uses[x] != uses[y])
        return uses[x] < uses[y] ? 1 : -1;
    return x < y ? -1 : x > y;
}

static bool number(const struct mt__view_segment *const *segments, size_t n_segments,
                   uint32_t n_funcs, struct numbers *numbers)
{
    numbers->number_of = calloc((size_t)n_funcs + 1, sizeof *numbers->number_of);
    if (!numbers->number_of)
        return false;
    for (size_t i = 0; i < n_segments; i++)
        count(segments[i], numbers);
    size_t n_names = 0;
    for (uint32_t i = 0; i < n_funcs; i++)
        n_names += numbers->number_of[i] > 0;
    numbers->names = n_names * MIN_USES <= numbers->n_uses
                         ? calloc(n_names + 1, sizeof *numbers->names)
                         : NULL;
    if (n_names * MIN_USES > numbers->n_uses) {
        for (uint32_t i = 0; i < n_funcs; i++)
            numbers->number_of[i] = i;
        return true;
    }
    if (!numbers->names)
        return false;
    for (uint32_t i = 0; i < n_funcs; i++) {
        if (numbers->number_of[i])
            numbers->names[numbers->n_names++] = i;
    }
    qsort_r(numbers->names, n_names, sizeof *numbers->names, by_uses, numbers->number_of);
    for (uint32_t i = 0; i < n_names; i++)
        numbers->number_of[numbers->names[i]] = i;
    return true;
}

/* ----------------------------------------------------------------------------------------- blocks */

static void put_symbols(const struct mt__view_segment *segment, const uint32_t *number_of,
                        struct mt_buf *out)
{
    char *at = mt_buf_reserve(out, segment->n_symbols * 5), *start = at;
    for (size_t i = 0; at && i < segment->n_symbols; i++) {
        uint32_t symbol = segment->symbols[i];
        if (symbol >= MT__VIEW_FIRST_FUNC)
            symbol = number_of[symbol - MT__VIEW_FIRST_FUNC] + MT__VIEW_FIRST_FUNC;
        at = mt__view_varint(at, symbol);
    }
    if (at)
        mt_buf_commit(out, (size_t)(at - start));
}

static void put_segment_head(const struct mt__view_segment *segment, struct mt_buf *out)
{
    mt__view_put_varint(out, segment->track);
    mt__view_put_varint(out, segment->n_symbols);
    mt__view_put_varint(out, segment->first_ns);
    mt__view_put_varint(out, segment->n_open);
    for (size_t i = 0; i < segment->n_open; i++)
        mt__view_put_varint(out, segment->open[i]);
}

static void put_block(const struct mt__view_segment *const *segments, size_t n_segments,
                      const struct numbers *numbers, struct mt_buf *out)
{
    struct mt_buf symbols = {0};
    size_t n_times = 0, n_extras = 0;
    mt__view_put_varint(out, numbers->n_names);
    for (size_t i = 0; i < numbers->n_names; i++)
        mt__view_put_varint(out, numbers->names[i]);
    mt__view_put_varint(out, n_segments);
    for (size_t i = 0; i < n_segments; i++) {
        put_segment_head(segments[i], out);
        put_symbols(segments[i], numbers->number_of, &symbols);
        n_times += segments[i]->times.n_bytes;
        n_extras += segments[i]->extras.n_bytes;
        out->failed |= segments[i]->times.failed | segments[i]->extras.failed;
    }
    mt__view_put_varint(out, symbols.n_bytes);
    mt__view_put_varint(out, n_times);
    mt__view_put_varint(out, n_extras);
    mt_buf_append(out, symbols.data, symbols.n_bytes);
    for (size_t i = 0; i < n_segments; i++)
        mt_buf_append(out, segments[i]->times.data, segments[i]->times.n_bytes);
    for (size_t i = 0; i < n_segments; i++)
        mt_buf_append(out, segments[i]->extras.data, segments[i]->extras.n_bytes);
    out->failed |= symbols.failed;
    mt_buf_fini(&symbols);
}

enum mt_status mt__view_block(const struct mt__view_segment *const *segments, size_t n_segments,
                              uint32_t n_funcs, const struct mt_view_options *options,
                              struct mt_buf *out)
{
    struct numbers numbers = {0};
    struct mt_buf block = {0};
    enum mt_status status = MT_NOMEM;
    if (number(segments, n_segments, n_funcs, &numbers)) {
        put_block(segments, n_segments, &numbers, &block);
        char attributes[64]; /* several tracks have none: all of them are in this block */
        snprintf(attributes, sizeof attributes,
                 n_segments == 1 ? "class=block data-track=%u" : "class=block", segments[0]->track);
        status = mt__view_element(attributes, &block, options, out);
    }
    mt_buf_fini(&block);
    free(numbers.number_of);
    free(numbers.names);
    return status;
}
