/* chrome_calls.c - the lines of B and E events, of which a timeline consists. Called by sink_chrome.c for
 * whole runs, from several threads at once.
 *
 * Speed: what a line has of its function is made once, before the first line. What begins a line is made
 * once a millisecond; the rest of a time is looked up three digits at a time. Everything is copied in
 * steps of a fixed size, further than it goes, and what comes next overwrites the surplus: there is no
 * branch on a length, and none on B or E, which nobody can foresee. With many names the wait is for the
 * memory where they are, so it is asked for some events ahead.
 */
#include <stdlib.h>

#include "base/array.h"
#include "base/atomic.h"
#include "base/cpu.h"
#include "base/json.h"
#include "sink/chrome.h"
#include "sink/label.h"

#define BLOCK_BYTES MT__CHROME_BLOCK_BYTES
/* Of most names all of the text. What is copied in any case. */
#define COPIED_BYTES 128u
/* How many events ahead memory is asked for, and from which size of all texts on: that of an L2 cache. */
#define AHEAD 12u
#define CACHED_BYTES ((size_t)256 << 10)

/* The longest line without its suffix; with what is copied beyond its end. */
#define LINE_BYTES (sizeof(struct head) + 8u + MT__CHROME_TRACK_BYTES + COPIED_BYTES)

/* What lines of one millisecond begin with. */
struct head {
    char text[32]; /* all of it is copied */
};
#define HEAD_TEXT ",\n{\"ph\":\"B\",\"ts\":"
#define PHASE_AT 9
_Static_assert(sizeof HEAD_TEXT - 1 + 14 <= sizeof(struct head), "the digits of 2^64 ns fit");

/* -------------------------------------------------------------------------------------- suffixes */

static void append_text(struct mt_buf *out, const struct mt_text *text)
{
    uint32_t n_bytes = mt__label_repeated_bytes(text);
    mt_json_escape(out, text->data, n_bytes);
    if (n_bytes < text->n_bytes)
        mt_buf_append_text(out, "...");
}

static void append_name(struct mt_buf *out, const struct mt_func *func)
{
    mt_buf_append_text(out, ",\"name\":\"");
    if (func->owner.n_bytes) {
        append_text(out, &func->owner);
        mt_buf_append_char(out, '.');
    }
    append_text(out, &func->name);
    mt_buf_append_text(out, func->kind == MT_FUNC_C ? "\",\"cat\":\"c\"" : "\",\"cat\":\"python\"");
}

void mt__chrome_suffix(struct mt_buf *out, const struct mt_func *func, bool reopened)
{
    append_name(out, func);
    if (func->file.n_bytes || reopened)
        mt_buf_append_text(out, ",\"args\":{");
    if (func->file.n_bytes) {
        mt_buf_append_text(out, "\"file\":\"");
        append_text(out, &func->file);
        mt_buf_append_char(out, ':');
        mt_buf_append_u64(out, func->line);
        mt_buf_append_char(out, '"');
    }
    if (reopened)
        mt_buf_append_text(out, func->file.n_bytes ? ",\"open\":true" : "\"open\":true");
    mt_buf_append_text(out, func->file.n_bytes || reopened ? "}}" : "}");
}

/* Ends a text that began at `from`. False: no memory, or more of it than can be counted. */
static bool end_text(struct mt_buf *all, size_t from, struct mt__chrome_text *text)
{
    static const char zeros[BLOCK_BYTES];
    size_t n_bytes = all->n_bytes - from;
    if (all->failed || n_bytes > UINT32_MAX || from / BLOCK_BYTES > UINT32_MAX)
        return false;
    *text = (struct mt__chrome_text){(uint32_t)(from / BLOCK_BYTES), (uint32_t)n_bytes};
    mt_buf_append(all, zeros, -n_bytes % BLOCK_BYTES);
    return true;
}

/* All texts behind each other, that of an E line last. */
static bool make_texts(const struct mt_timeline *timeline, struct mt__chrome_text *texts,
                       struct mt_buf *all)
{
    bool good = true;
    for (uint32_t i = 0; good && i < timeline->n_funcs; i++) {
        size_t from = all->n_bytes;
        mt__chrome_suffix(all, &timeline->funcs[i], false);
        good = end_text(all, from, &texts[i]);
    }
    size_t from = all->n_bytes;
    mt_buf_append_char(all, '}');
    return good && end_text(all, from, &texts[timeline->n_funcs]);
}

enum mt_status mt__chrome_texts_init(struct mt__chrome_texts *texts,
                                     const struct mt_timeline *timeline)
{
    struct mt_buf all = {0};
    *texts = (struct mt__chrome_texts){.n_funcs = timeline->n_funcs, .has_avx2 = mt_cpu_has_avx2()};
    texts->texts = calloc((size_t)timeline->n_funcs + 1, sizeof *texts->texts);
    bool good = texts->texts && make_texts(timeline, texts->texts, &all) && !all.failed;
    /* What is copied in any case may reach beyond the last one. */
    size_t size = (all.n_bytes / BLOCK_BYTES + 1) * BLOCK_BYTES + COPIED_BYTES;
    texts->data = good ? aligned_alloc(BLOCK_BYTES, size) : NULL;
    if (texts->data) {
        memcpy(texts->data, all.data, all.n_bytes);
        memset(texts->data + all.n_bytes, 0, size - all.n_bytes);
    }
    texts->ahead = all.n_bytes > CACHED_BYTES ? AHEAD : 0;
    mt_buf_fini(&all);
    for (int i = 0; i < 1000; i++) {
        char digits[4] = {(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10),
                          '.'};
        memcpy(texts->thousand[i], digits, sizeof digits);
    }
    return texts->data ? MT_OK : MT_NOMEM;
}

void mt__chrome_texts_fini(struct mt__chrome_texts *texts)
{
    free(texts->texts);
    free(texts->data);
}

/* ----------------------------------------------------------------------------------------- lines */

/* Returns how long it is. */
static size_t make_head(struct head *head, uint64_t ms)
{
    char digits[20];
    size_t at = sizeof digits, n = sizeof HEAD_TEXT - 1;
    for (; ms; ms /= 10)
        digits[--at] = (char)('0' + ms % 10);
    memcpy(head->text, HEAD_TEXT, n);
    memcpy(head->text + n, digits + at, sizeof digits - at);
    return n + sizeof digits - at;
}

static inline __attribute__((always_inline)) void copy_blocks(char *to, const char *from,
                                                              size_t n_bytes)
{
    memcpy(to, from, COPIED_BYTES);
    for (size_t i = COPIED_BYTES; MT_UNLIKELY(i < n_bytes); i += BLOCK_BYTES)
        memcpy(to + i, from + i, BLOCK_BYTES);
}

static inline __attribute__((always_inline)) const struct mt__chrome_text *
text_of(const struct mt__chrome_texts *texts, const struct mt_event *event)
{
    uint32_t is_end = event->type == MT_EVENT_END;
    return &texts->texts[event->func + (texts->n_funcs - event->func) * is_end];
}

static inline __attribute__((always_inline)) void ask_for(const struct mt__chrome_texts *texts,
                                                          const struct mt_event *event)
{
    const char *data = mt__chrome_text_data(texts, text_of(texts, event));
    __builtin_prefetch(data);
    __builtin_prefetch(data + 64);
    __builtin_prefetch(data + 127);
}

/* Not the first millisecond: it has nothing in front, and JSON wants no leading zeros. */
static inline bool is_usual(const struct mt_event *event)
{
    return (event->type == MT_EVENT_BEGIN || event->type == MT_EVENT_END) &&
           !(event->flags & MT_EVENT_REOPENED) && event->ts_ns >= MT__NS_PER_MS;
}

static inline __attribute__((always_inline)) uint32_t
put_calls(const struct mt__chrome_texts *texts, const struct mt__chrome_track *track,
          const struct mt_run *run, uint32_t i, struct mt_buf *out)
{
    const struct mt__chrome_track own = *track; /* no store changes it */
    const uint32_t n_events = run->n_events, ahead = texts->ahead;
    struct head head;
    uint64_t ms_ns = 0; /* `head` is of this millisecond; the first is not usual */
    size_t head_bytes = 0;
    char *at = out->data + out->n_bytes, *end = out->data + out->capacity;

    for (; i < n_events; i++) {
        const struct mt_event *event = &run->events[i];
        if (MT_UNLIKELY(!is_usual(event)))
            break;
        if (ahead && i + ahead < n_events)
            ask_for(texts, event + ahead);
        const struct mt__chrome_text text = *text_of(texts, event);
        if (MT_UNLIKELY((size_t)(end - at) < LINE_BYTES + text.n_bytes)) {
            out->n_bytes = (size_t)(at - out->data);
            if (!mt_buf_grow(out, LINE_BYTES + text.n_bytes))
                return n_events;
            at = out->data + out->n_bytes;
            end = out->data + out->capacity;
        }
        if (MT_UNLIKELY(event->ts_ns - ms_ns >= MT__NS_PER_MS)) {
            head_bytes = make_head(&head, event->ts_ns / MT__NS_PER_MS);
            ms_ns = event->ts_ns - event->ts_ns % MT__NS_PER_MS;
        }
        uint32_t rest = (uint32_t)(event->ts_ns - ms_ns), us = rest / 1000;
        memcpy(at, head.text, sizeof head.text);
        at[PHASE_AT] = (char)('B' + 3 * (event->type == MT_EVENT_END));
        at += head_bytes;
        memcpy(at, texts->thousand[us], 4);
        memcpy(at + 4, texts->thousand[rest - us * 1000], 4);
        at += 7;
        memcpy(at, own.text, sizeof own.text);
        at += own.n_bytes;
        copy_blocks(at, mt__chrome_text_data(texts, &text), text.n_bytes);
        at += text.n_bytes;
    }
    out->n_bytes = out->data ? (size_t)(at - out->data) : 0;
    return i;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static uint32_t put_calls_avx2(const struct mt__chrome_texts *texts,
                                                               const struct mt__chrome_track *track,
                                                               const struct mt_run *run, uint32_t i,
                                                               struct mt_buf *out)
{
    return put_calls(texts, track, run, i, out);
}
#else
#define put_calls_avx2 put_calls
#endif

uint32_t mt__chrome_calls(const struct mt__chrome_texts *texts,
                          const struct mt__chrome_track *track, const struct mt_run *run,
                          uint32_t i, struct mt_buf *out)
{
    if (!mt_buf_reserve(out, LINE_BYTES))
        return run->n_events;
    return texts->has_avx2 ? put_calls_avx2(texts, track, run, i, out)
                           : put_calls(texts, track, run, i, out);
}
