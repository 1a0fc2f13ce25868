/* stack_labels.c - see stack_labels.h. Used by sink_collapsed.c, before and while it writes lines.
 */
#include "sink/stack_labels.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/utf8.h"
#include "profile/label.h"
#include "sink/label.h"

/* U+0080 to U+009F are control characters; U+2028 and U+2029 end lines. */
static bool is_special(const char *at, size_t n_bytes)
{
    const unsigned char *c = (const unsigned char *)at;
    return (n_bytes == 2 && c[0] == 0xc2 && c[1] < 0xa0) ||
           (n_bytes == 3 && c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9));
}

static void append_clean(struct mt_buf *out, const char *text, size_t n_bytes, bool keeps_spaces)
{
    for (size_t at = 0, length; at < n_bytes; at += length ? length : 1) {
        unsigned char c = (unsigned char)text[at];
        length = mt_utf8_char(text + at, n_bytes - at);
        if (!length)
            mt_buf_append_text(out, "\xef\xbf\xbd");
        else if (c == ';')
            mt_buf_append_char(out, ':');
        else if (c < 0x20 || c == 0x7f || (c == ' ' && !keeps_spaces) ||
                 is_special(text + at, length))
            mt_buf_append_char(out, '_');
        else
            mt_buf_append(out, text + at, length);
    }
}

static void append_repeated(struct mt_buf *out, const char *data, size_t n_bytes, bool keeps_spaces)
{
    const struct mt_text text = {data, n_bytes < UINT32_MAX ? (uint32_t)n_bytes : UINT32_MAX};
    uint32_t n_kept = mt__label_repeated_bytes(&text);
    append_clean(out, data, n_kept, keeps_spaces);
    if (n_kept < n_bytes)
        mt_buf_append_text(out, "...");
}

static void append_label(struct mt_buf *out, struct mt_buf *scratch, const struct mt_func *func)
{
    mt_buf_clear(scratch);
    mt_label_put_name(func, scratch);
    mt_buf_append_char(out, ';');
    if (!scratch->n_bytes) /* readers take a frame without a name for none */
        mt_buf_append_text(out, "(unnamed)");
    append_repeated(out, scratch->data, scratch->n_bytes, false);
    if (func->file.n_bytes) {
        mt_buf_append_text(out, " (");
        append_repeated(out, func->file.data, func->file.n_bytes, true);
        mt_buf_printf(out, ":%u)", func->line);
    }
    out->failed |= scratch->failed;
}

/* The label with the text of `text`, or a new one; MT_NONE: no memory. */
static uint32_t take_label(struct mt__stack_labels *labels, struct mt_map *by_hash,
                           const struct mt_buf *text)
{
    uint64_t hash = mt_hash_bytes(text->data, text->n_bytes, mt_hash_secret);
    bool is_new;
    uint32_t *known = mt_map_put(by_hash, hash, labels->n_labels, &is_new);
    if (!known || text->failed || text->n_bytes > UINT32_MAX)
        return MT_NONE;
    const struct mt__stack_label *label = &labels->labels[*known];
    if (!is_new && label->n_bytes == text->n_bytes &&
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): every label that is known has text. */
        !memcmp(label->data, text->data, text->n_bytes))
        return *known;
    char *data = mt_arena_bytes(&labels->arena, text->n_bytes);
    if (!data)
        return MT_NONE;
    memcpy(data, text->data, text->n_bytes);
    labels->labels[labels->n_labels] = (struct mt__stack_label){data, (uint32_t)text->n_bytes};
    return labels->n_labels++;
}

static uint32_t special_label(struct mt__stack_labels *labels, struct mt_map *by_hash,
                              const char *name)
{
    struct mt_buf text = {0};
    mt_buf_append_text(&text, name);
    uint32_t label = take_label(labels, by_hash, &text);
    mt_buf_fini(&text);
    return label;
}

static bool label_funcs(struct mt__stack_labels *labels, const struct mt_timeline *timeline)
{
    struct mt_buf text = {0}, scratch = {0};
    struct mt_map by_hash = {0};
    labels->lost = special_label(labels, &by_hash, ";(events lost)");
    labels->deeper = special_label(labels, &by_hash, ";(deeper calls)");
    bool good = labels->lost != MT_NONE && labels->deeper != MT_NONE;
    for (uint32_t i = 0; good && i < timeline->n_funcs; i++) {
        mt_buf_clear(&text);
        append_label(&text, &scratch, &timeline->funcs[i]);
        labels->label_of[i] = take_label(labels, &by_hash, &text);
        good = labels->label_of[i] != MT_NONE;
    }
    mt_map_fini(&by_hash);
    mt_buf_fini(&text);
    mt_buf_fini(&scratch);
    return good;
}

bool mt__stack_labels_init(struct mt__stack_labels *labels, const struct mt_timeline *timeline)
{
    size_t n_labels = (size_t)timeline->n_funcs + 2; /* with the two that are no function's */
    labels->labels = calloc(n_labels, sizeof *labels->labels);
    labels->label_of = calloc(n_labels, sizeof *labels->label_of);
    return labels->labels && labels->label_of && label_funcs(labels, timeline);
}

void mt__stack_labels_fini(struct mt__stack_labels *labels)
{
    mt_arena_fini(&labels->arena);
    free(labels->labels);
    free(labels->label_of);
    *labels = (struct mt__stack_labels){0};
}

void mt__stack_append_track(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track)
{
    struct mt_buf label = {0};
    mt__label_process(&label, timeline, timeline->tracks[track].process);
    append_clean(out, label.data, label.n_bytes, true);
    mt_buf_append_char(out, ';');
    mt_buf_clear(&label);
    mt__label_track(&label, timeline, track);
    append_clean(out, label.data, label.n_bytes, true);
    out->failed |= label.failed;
    mt_buf_fini(&label);
}
