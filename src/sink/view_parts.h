/* view_parts.h - what the files of the page's sink share: how its data is laid out, and who writes what.
 * docs/view.md tells the layout to people; src/view/decode.js reads it.
 */
#ifndef MT_SINK_VIEW_PARTS_H_
#define MT_SINK_VIEW_PARTS_H_

#include "base/buf.h"
#include "sink/view.h"

#define MT__VIEW_VERSION 1

/* An event is a symbol and the ns since the event before; the two are kept apart. */
enum mt__view_symbol {
    MT__VIEW_END,
    MT__VIEW_END_EXCEPTION,
    MT__VIEW_END_SUSPEND,
    MT__VIEW_END_FLAGS,    /* flags in the extras */
    MT__VIEW_NEXT_RESUMES, /* no event: the next begin has MT_EVENT_RESUME */
    MT__VIEW_NEXT_FLAGS,   /* no event: the next begin has flags, which are in the extras */
    MT__VIEW_LOST,       /* count, ns until, reason, errno, text's length and text in the extras */
    MT__VIEW_FIRST_FUNC, /* + number of the function: it begins */
};

/* Consecutive events of a track. */
struct mt__view_segment {
    uint32_t track;
    uint64_t first_ns; /* the first event's delta counts from it */
    uint32_t *symbols; /* functions by their index in the timeline */
    size_t n_symbols, symbols_capacity;
    struct mt_buf times, extras; /* varints */
    uint32_t *open;              /* functions that are open at its start, outermost first */
    size_t n_open;
};
void mt__view_segment_fini(struct mt__view_segment *segment);

/* Bins of the picture that is painted before anything is decoded. A bin is 2^shift ns. */
struct mt__view_bin {
    uint64_t busy_ns;
    uint64_t weight_ns; /* by which `func` leads over all others */
    uint32_t func;      /* the one that took the most time of its own, if it took half of it */
};
struct mt__view_bins {
    struct mt__view_bin *bins; /* NULL: no time has passed */
    uint32_t n_bins;           /* a power of two */
    unsigned shift;
};

/* ------------------------------------------------------------------------ view_overview.c */

/* How many bins a track of so many has. */
uint32_t mt__view_n_bins(uint32_t n_tracks);
/* A function was the innermost from one time to another. False: no memory. */
bool mt__view_bins_add(struct mt__view_bins *bins, uint32_t func, uint64_t from_ns, uint64_t to_ns);
/* Makes bins wider, two of them one, until they are 2^shift ns. */
void mt__view_bins_widen(struct mt__view_bins *bins, unsigned shift);
/* Appends numbers of functions + 1, or 0, as varints, and shares of 255. */
void mt__view_bins_put(const struct mt__view_bins *bins, struct mt_buf *out);

/* -------------------------------------------------------------------------- view_block.c */

static inline char *mt__view_varint(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}
void mt__view_put_varint(struct mt_buf *out, uint64_t value);

/* Appends segments as one block: compressed, as text, in an element of the page. */
enum mt_status mt__view_block(const struct mt__view_segment *const *segments, size_t n_segments,
                              uint32_t n_funcs, const struct mt_view_options *options,
                              struct mt_buf *out);
/* Appends any bytes in the same way; `attributes` of the element are put as they are. */
enum mt_status mt__view_element(const char *attributes, const struct mt_buf *bytes,
                                const struct mt_view_options *options, struct mt_buf *out);

/* --------------------------------------------------------------------------- view_head.c */

/* What is known of a track in the end. */
struct mt__view_sums {
    uint64_t *rows; /* by depth: how many begins */
    size_t n_rows, rows_capacity;
    uint64_t n_reopened; /* of them; they are no new calls */
    uint64_t last_ns;
};

struct mt__view_end {
    const struct mt_timeline *timeline;
    const struct mt_view_options *options;
    const struct mt_outcome *outcome;
    const struct mt__view_sums *sums; /* by track */
    uint32_t n_bins;
    unsigned shift;
};
/* Appends names, processes, tracks, arrows and losses, as JSON. */
void mt__view_head(const struct mt__view_end *end, struct mt_buf *out);

#endif /* MT_SINK_VIEW_PARTS_H_ */
