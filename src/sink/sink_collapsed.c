/* sink_collapsed.c - collapsed ("folded") stacks: what flamegraph.pl, inferno, speedscope and many more
 * make flame graphs of. One line for each distinct stack that took time of its own:
 *
 *     PROCESS (PID);THREAD (TID);FUNCTION (FILE:LINE);... SELF_NS
 *
 * Self time is what a call takes without the calls in it, in ns; calls that did not end count up to
 * their thread's last event. Time in which events were lost is of a function "(events lost)". What
 * is called deeper than MAX_DEPTH counts as "(deeper calls)", since a stack's line is as long as the stack.
 *
 * A track has a tree of its own: a node for each distinct stack. Time is added where the track is until
 * something happens on it. Its lines are written with its last run, in the order in which
 * the stacks came up, so they are the same however many threads work.
 *
 * Names keep what readers do not take for something else: no ';', no control characters and line
 * ends of any kind, and no spaces but in paths, because a number after one would be a count.
 *
 * Invariant: a node's parent has a smaller index, and two children of a node differ in their label.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/utf8.h"
#include "mtrace/sink.h"
#include "sink/label.h"

#define MAX_DEPTH 1024u
#define ROOT 0u /* of a tree: the thread outside of any call */

/* ";FUNCTION (FILE:LINE)". Functions with the same text have the same label. */
struct label {
    const char *data;
    uint32_t n_bytes;
};

struct node {
    uint64_t self_ns;
    uint32_t parent;
    uint32_t label;
    uint32_t depth;
    uint32_t latest; /* child that was looked for last; ROOT: none */
};

/* A track's stacks, and where it is. */
struct tree {
    struct node *nodes;
    size_t n_nodes, capacity;
    struct mt_map children; /* node << 32 | label -> node */
    uint32_t at;
    uint32_t n_beyond; /* calls below `at` that are too deep */
    uint64_t now_ns;
    uint64_t until_ns; /* above now_ns: events are missing from there until then */
};

/* Constant while runs are written, but for `trees`. */
struct collapsed {
    const struct mt_timeline *timeline;
    struct label *labels;
    uint32_t *label_of; /* function -> label */
    uint32_t n_labels;
    uint32_t lost, deeper; /* labels */
    struct tree *trees; /* by track */
    uint32_t *repeats;  /* by track: how many before it have the same text */
    struct mt_arena arena; /* the labels' texts */
};

/* --------------------------------------------------------------------------------------- labels */

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

static void append_label(struct mt_buf *out, struct mt_buf *scratch, const struct mt_func *func)
{
    mt_buf_clear(scratch);
    mt__label_func(scratch, func);
    mt_buf_append_char(out, ';');
    append_clean(out, scratch->data, scratch->n_bytes, false);
    if (func->file.n_bytes) {
        mt_buf_append_text(out, " (");
        append_clean(out, func->file.data, func->file.n_bytes, true);
        mt_buf_printf(out, ":%u)", func->line);
    }
    out->failed |= scratch->failed;
}

/* The label with the text of `text`, or a new one; MT_NONE: no memory. */
static uint32_t take_label(struct collapsed *collapsed, struct mt_map *by_hash,
                           const struct mt_buf *text)
{
    uint64_t hash = mt_hash_bytes(text->data, text->n_bytes, 0);
    bool is_new;
    uint32_t *known = mt_map_put(by_hash, hash, collapsed->n_labels, &is_new);
    if (!known || text->failed || text->n_bytes > UINT32_MAX)
        return MT_NONE;
    const struct label *label = &collapsed->labels[*known];
    if (!is_new && label->n_bytes == text->n_bytes &&
        !memcmp(label->data, text->data, text->n_bytes))
        return *known;
    char *data = mt_arena_bytes(&collapsed->arena, text->n_bytes);
    if (!data)
        return MT_NONE;
    memcpy(data, text->data, text->n_bytes);
    collapsed->labels[collapsed->n_labels] = (struct label){data, (uint32_t)text->n_bytes};
    return collapsed->n_labels++;
}

static uint32_t special_label(struct collapsed *collapsed, struct mt_map *by_hash, const char *name)
{
    struct mt_buf text = {0};
    mt_buf_append_text(&text, name);
    uint32_t label = take_label(collapsed, by_hash, &text);
    mt_buf_fini(&text);
    return label;
}

static bool make_labels(struct collapsed *collapsed)
{
    struct mt_buf text = {0}, scratch = {0};
    struct mt_map by_hash = {0};
    collapsed->lost = special_label(collapsed, &by_hash, ";(events lost)");
    collapsed->deeper = special_label(collapsed, &by_hash, ";(deeper calls)");
    bool good = collapsed->lost != MT_NONE && collapsed->deeper != MT_NONE;
    for (uint32_t i = 0; good && i < collapsed->timeline->n_funcs; i++) {
        mt_buf_clear(&text);
        append_label(&text, &scratch, &collapsed->timeline->funcs[i]);
        collapsed->label_of[i] = take_label(collapsed, &by_hash, &text);
        good = collapsed->label_of[i] != MT_NONE;
    }
    mt_map_fini(&by_hash);
    mt_buf_fini(&text);
    mt_buf_fini(&scratch);
    return good;
}

/* ---------------------------------------------------------------------------------------- tracks */

/* "PROCESS (PID);THREAD (TID)". */
static void append_track(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track)
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

/* A tid may be given anew, and a process has its pid still after exec. */
static bool count_repeats(struct collapsed *collapsed)
{
    struct mt_buf text = {0};
    struct mt_map counts = {0}; /* hash of the text -> how many have it */
    bool good = true;
    for (uint32_t i = 0; good && i < collapsed->timeline->n_tracks; i++) {
        mt_buf_clear(&text);
        append_track(&text, collapsed->timeline, i);
        uint32_t *count =
            mt_map_put(&counts, mt_hash_bytes(text.data, text.n_bytes, 0), 0, NULL);
        good = count && !text.failed;
        if (good)
            collapsed->repeats[i] = (*count)++;
    }
    mt_map_fini(&counts);
    mt_buf_fini(&text);
    return good;
}

/* ----------------------------------------------------------------------------------------- trees */

static uint32_t new_node(struct tree *tree, uint32_t parent, uint32_t label)
{
    if (tree->n_nodes == MT_NONE ||
        !MT_ARRAY_ROOM(tree->nodes, tree->capacity, tree->n_nodes + 1))
        return MT_NONE;
    uint32_t depth = parent == MT_NONE ? 0 : tree->nodes[parent].depth + 1;
    tree->nodes[tree->n_nodes] =
        (struct node){.parent = parent, .label = label, .depth = depth, .latest = ROOT};
    return (uint32_t)tree->n_nodes++;
}

/* MT_NONE: no memory. */
static uint32_t other_child(struct tree *tree, uint32_t parent, uint32_t label)
{
    uint64_t key = (uint64_t)parent << 32 | label;
    bool is_new;
    uint32_t *place = mt_map_put(&tree->children, key, MT_NONE, &is_new);
    if (!place)
        return MT_NONE;
    if (is_new)
        *place = new_node(tree, parent, label);
    if (*place != MT_NONE)
        tree->nodes[parent].latest = *place;
    return *place;
}

static inline uint32_t child(struct tree *tree, uint32_t parent, uint32_t label)
{
    uint32_t latest = tree->nodes[parent].latest;
    if (latest != ROOT && tree->nodes[latest].label == label)
        return latest;
    return other_child(tree, parent, label);
}

/* --------------------------------------------------------------------------------------- events */

/* Nothing is known of a part of the time that has passed. False: no memory. */
static bool pass_loss(const struct collapsed *collapsed, struct tree *tree, uint64_t ts_ns)
{
    uint64_t until_ns = ts_ns < tree->until_ns ? ts_ns : tree->until_ns;
    uint32_t lost = child(tree, tree->at, collapsed->lost);
    if (lost == MT_NONE)
        return false;
    tree->nodes[lost].self_ns += until_ns - tree->now_ns;
    tree->now_ns = until_ns;
    tree->until_ns = 0; /* something is known again */
    return true;
}

static inline bool pass_time(const struct collapsed *collapsed, struct tree *tree, uint64_t ts_ns)
{
    if (tree->until_ns > tree->now_ns && ts_ns > tree->now_ns &&
        !pass_loss(collapsed, tree, ts_ns))
        return false;
    tree->nodes[tree->at].self_ns += ts_ns - tree->now_ns;
    tree->now_ns = ts_ns;
    return true;
}

static bool enter(const struct collapsed *collapsed, struct tree *tree, uint32_t func)
{
    uint32_t label = collapsed->label_of[func];
    if (tree->nodes[tree->at].depth >= MAX_DEPTH) {
        if (tree->n_beyond++)
            return true;
        label = collapsed->deeper;
    }
    uint32_t node = child(tree, tree->at, label);
    if (node == MT_NONE)
        return false;
    tree->at = node;
    return true;
}

static inline void leave(struct tree *tree)
{
    if (tree->n_beyond > 1)
        tree->n_beyond--;
    else if (tree->at != ROOT) {
        tree->n_beyond = 0;
        tree->at = tree->nodes[tree->at].parent;
    }
}

static bool add_event(const struct collapsed *collapsed, struct tree *tree,
                      const struct mt_event *event)
{
    if (event->type != MT_EVENT_BEGIN && event->type != MT_EVENT_END &&
        event->type != MT_EVENT_LOST)
        return true;
    if (!pass_time(collapsed, tree, event->ts_ns))
        return false;
    if (event->type == MT_EVENT_BEGIN)
        return enter(collapsed, tree, event->func);
    if (event->type == MT_EVENT_END)
        leave(tree);
    else if (event->lost->until_ns > tree->until_ns)
        tree->until_ns = event->lost->until_ns;
    return true;
}

/* ---------------------------------------------------------------------------------------- lines */

/* The labels of a node's stack, outermost first, in front of a count. */
static void append_stack(const struct collapsed *collapsed, const struct tree *tree, uint32_t node,
                         struct mt_buf *out)
{
    uint32_t path[MAX_DEPTH + 2];
    size_t n = 0;
    for (; node != ROOT; node = tree->nodes[node].parent)
        path[n++] = tree->nodes[node].label;
    while (n > 0) {
        const struct label *label = &collapsed->labels[path[--n]];
        mt_buf_append(out, label->data, label->n_bytes);
    }
}

static void write_tree(const struct collapsed *collapsed, uint32_t track, struct mt_buf *out)
{
    const struct tree *tree = &collapsed->trees[track];
    struct mt_buf head = {0};
    append_track(&head, collapsed->timeline, track);
    if (collapsed->repeats[track])
        mt_buf_printf(&head, " #%u", collapsed->repeats[track] + 1);
    /* What a thread does outside of its calls is not recorded. */
    for (uint32_t i = ROOT + 1; i < tree->n_nodes; i++) {
        if (!tree->nodes[i].self_ns)
            continue;
        mt_buf_append(out, head.data, head.n_bytes);
        append_stack(collapsed, tree, i, out);
        mt_buf_append_char(out, ' ');
        mt_buf_append_u64(out, tree->nodes[i].self_ns);
        mt_buf_append_char(out, '\n');
    }
    out->failed |= head.failed;
    mt_buf_fini(&head);
}

static void free_tree(struct tree *tree)
{
    free(tree->nodes);
    mt_map_fini(&tree->children);
    *tree = (struct tree){0};
}

/* ---------------------------------------------------------------------------------- the interface */

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    const struct collapsed *collapsed = state;
    struct tree *tree = &collapsed->trees[run->track];
    if (run->n_events && !tree->n_nodes) {
        if (new_node(tree, MT_NONE, 0) == MT_NONE)
            return MT_NOMEM;
        tree->now_ns = run->events[0].ts_ns;
    }
    for (uint32_t i = 0; i < run->n_events; i++) {
        if (!add_event(collapsed, tree, &run->events[i]))
            return MT_NOMEM;
    }
    if (!run->last)
        return MT_OK;
    if (tree->n_nodes && tree->until_ns > tree->now_ns && !pass_time(collapsed, tree, tree->until_ns))
        return MT_NOMEM;
    write_tree(collapsed, run->track, out);
    free_tree(tree);
    return out->failed ? MT_NOMEM : MT_OK;
}

static void free_collapsed(struct collapsed *collapsed)
{
    for (uint32_t i = 0; collapsed->trees && i < collapsed->timeline->n_tracks; i++)
        free_tree(&collapsed->trees[i]);
    mt_arena_fini(&collapsed->arena);
    free(collapsed->trees);
    free(collapsed->repeats);
    free(collapsed->labels);
    free(collapsed->label_of);
    free(collapsed);
}

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    (void)out;
    size_t n_labels = (size_t)job->timeline->n_funcs + 2, n_tracks = job->timeline->n_tracks;
    struct collapsed *collapsed = calloc(1, sizeof *collapsed);
    if (!collapsed)
        return MT_NOMEM;
    collapsed->timeline = job->timeline;
    collapsed->labels = calloc(n_labels, sizeof *collapsed->labels);
    collapsed->label_of = calloc(n_labels, sizeof *collapsed->label_of);
    collapsed->trees = calloc(n_tracks + 1, sizeof *collapsed->trees);
    collapsed->repeats = calloc(n_tracks + 1, sizeof *collapsed->repeats);
    if (!collapsed->labels || !collapsed->label_of || !collapsed->trees || !collapsed->repeats ||
        !make_labels(collapsed) || !count_repeats(collapsed)) {
        free_collapsed(collapsed);
        return MT_NOMEM;
    }
    *state = collapsed;
    return MT_OK;
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    (void)outcome;
    free_collapsed(state);
    return out->failed ? MT_NOMEM : MT_OK;
}

const struct mt_sink mt_sink_collapsed = {
    .name = "collapsed",
    .suffix = ".collapsed",
    .summary = "stacks with their self time, for flame graphs",
    .needs = MT_NEEDS_SERIAL,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
