/* chrome.h - what the files of Chrome's JSON share: sink_chrome.c, chrome_calls.c, chrome_meta.c. */
#ifndef MT_SINK_CHROME_H_
#define MT_SINK_CHROME_H_

#include "base/buf.h"
#include "mtrace/sink.h"

#define MT__NS_PER_MS UINT64_C(1000000)

/* --- chrome_meta.c */

/* The metadata events of all processes and tracks, the first one without a comma before it. */
enum mt_status mt__chrome_metadata(const struct mt_timeline *timeline, struct mt_buf *out);

/* --- sink_chrome.c */

/* ns as microseconds with exactly three decimals. */
void mt__chrome_time(struct mt_buf *out, uint64_t ns);

/* --- chrome_calls.c */

/* Texts begin at multiples of this, and that much is copied at a time. */
#define MT__CHROME_BLOCK_BYTES 32u

/* Where a text is. */
struct mt__chrome_text {
    uint32_t block; /* it begins at this many blocks */
    uint32_t n_bytes;
};

/* What of a line is known before the first event. Constant then. */
struct mt__chrome_texts {
    struct mt__chrome_text *texts; /* suffixes by function; behind the last one that of E lines */
    char *data;                    /* aligned and padded */
    uint32_t n_funcs;
    uint32_t ahead; /* so many events ahead of their use suffixes are fetched from memory */
    bool has_avx2;
    char thousand[1000][4]; /* "000." to "999." */
};
/* MT_NOMEM; mt__chrome_texts_fini is called in any case. */
enum mt_status mt__chrome_texts_init(struct mt__chrome_texts *texts,
                                     const struct mt_timeline *timeline);
void mt__chrome_texts_fini(struct mt__chrome_texts *texts);

static inline const char *mt__chrome_text_data(const struct mt__chrome_texts *texts,
                                               const struct mt__chrome_text *text)
{
    return texts->data + (size_t)text->block * MT__CHROME_BLOCK_BYTES;
}

/* Appends what follows pid and tid in a B or X line. */
void mt__chrome_suffix(struct mt_buf *out, const struct mt_func *func, bool reopened);

/* ,"pid":P,"tid":T */
#define MT__CHROME_TRACK_BYTES 48u
struct mt__chrome_track {
    char text[MT__CHROME_TRACK_BYTES];
    size_t n_bytes; /* at most 34 */
};

/* Writes B and E lines for a run's events from the i-th on, as long as they are usual ones. Returns the
 * first that it left; the run's end when memory runs out. */
uint32_t mt__chrome_calls(const struct mt__chrome_texts *texts,
                          const struct mt__chrome_track *track, const struct mt_run *run,
                          uint32_t i, struct mt_buf *out);

#endif /* MT_SINK_CHROME_H_ */
