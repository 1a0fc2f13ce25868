/* sink_collapsed.c - collapsed ("folded") stacks: what flamegraph.pl, inferno, speedscope and many more
 * make flame graphs of. One line for each distinct stack that took time of its own:
 *
 *     PROCESS (PID);THREAD (TID);FUNCTION (FILE:LINE);... SELF_NS
 *
 * Self time is what a call takes without the calls in it, in ns; calls that did not end count up to
 * their thread's last event. Time in which events were lost is of a function "(events lost)". What
 * is called deeper than MAX_DEPTH, or where the line would be longer than MAX_LINE_BYTES, counts as
 * "(deeper calls)", since a stack's line is as long as the stack.
 *
 * A track has a tree of its own: a node for each distinct stack. Time is added where the track is until
 * something happens on it. Its lines are written with its last run, in the order in which the stacks
 * came up, so they are the same however many threads work. Where they would be longer than
 * MAX_LINES_BYTES, those that there are, are written, and it begins anew: a stack has several lines then,
 * which every reader adds up.
 *
 * Invariant: a node's parent has a smaller index, and two children of a node differ in their label.
 */
#include <stdlib.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/map.h"
#include "mtrace/sink.h"
#include "sink/stack_labels.h"

#define MAX_DEPTH 1024u
#define MAX_LINE_BYTES (128u << 10)
#define MAX_LINES_BYTES ((uint64_t)16 << 20)
#define ROOT 0u /* of a tree: the thread outside of any call */

struct node {
    uint64_t self_ns;
    uint32_t parent;
    uint32_t label;
    uint32_t depth;
    uint32_t line_bytes; /* of its stack in a line, or UINT32_MAX */
    uint32_t latest;     /* child that was looked for last; ROOT: none */
};

/* A track's stacks, and where it is. */
struct tree {
    struct node *nodes;
    size_t n_nodes, capacity;
    struct mt_map children; /* node << 32 | label -> node */
    uint64_t lines_bytes;   /* of all nodes */
    uint32_t at;
    uint32_t n_beyond; /* calls below `at` that are too deep */
    uint64_t now_ns;
    uint64_t until_ns; /* above now_ns: events are missing from there until then */
};

/* Constant while runs are written, but for `trees`. */
struct collapsed {
    const struct mt_timeline *timeline;
    struct mt__stack_labels labels;
    struct tree *trees; /* by track */
    uint32_t *repeats;  /* by track: how many before it have the same text */
};

/* ---------------------------------------------------------------------------------------- tracks */

/* A tid may be given anew, and a process has its pid still after exec. */
static bool count_repeats(struct collapsed *collapsed)
{
    struct mt_buf text = {0};
    struct mt_map counts = {0}; /* hash of the text -> how many have it */
    bool good = true;
    for (uint32_t i = 0; good && i < collapsed->timeline->n_tracks; i++) {
        mt_buf_clear(&text);
        mt__stack_append_track(&text, collapsed->timeline, i);
        uint32_t *count = mt_map_put(
            &counts, mt_hash_bytes(text.data, text.n_bytes, mt_hash_secret), 0, NULL);
        good = count && !text.failed;
        if (good)
            collapsed->repeats[i] = (*count)++;
    }
    mt_map_fini(&counts);
    mt_buf_fini(&text);
    return good;
}

/* ----------------------------------------------------------------------------------------- trees */

static uint32_t new_node(const struct collapsed *collapsed, struct tree *tree, uint32_t parent,
                         uint32_t label)
{
    if (tree->n_nodes == MT_NONE || !MT_ARRAY_ROOM(tree->nodes, tree->capacity, tree->n_nodes + 1))
        return MT_NONE;
    struct node node = {.parent = parent, .label = label, .latest = ROOT};
    if (parent != MT_NONE) {
        uint64_t n_bytes = (uint64_t)tree->nodes[parent].line_bytes +
                           collapsed->labels.labels[label].n_bytes;
        node.depth = tree->nodes[parent].depth + 1;
        node.line_bytes = n_bytes < UINT32_MAX ? (uint32_t)n_bytes : UINT32_MAX;
    }
    tree->lines_bytes += node.line_bytes;
    tree->nodes[tree->n_nodes] = node;
    return (uint32_t)tree->n_nodes++;
}

/* MT_NONE: no memory. */
static uint32_t other_child(const struct collapsed *collapsed, struct tree *tree, uint32_t parent,
                            uint32_t label)
{
    uint64_t key = (uint64_t)parent << 32 | label;
    bool is_new;
    uint32_t *place = mt_map_put(&tree->children, key, MT_NONE, &is_new);
    if (!place)
        return MT_NONE;
    if (is_new)
        *place = new_node(collapsed, tree, parent, label);
    if (*place != MT_NONE)
        tree->nodes[parent].latest = *place;
    return *place;
}

static inline uint32_t child(const struct collapsed *collapsed, struct tree *tree, uint32_t parent,
                             uint32_t label)
{
    uint32_t latest = tree->nodes[parent].latest;
    if (latest != ROOT && tree->nodes[latest].label == label)
        return latest;
    return other_child(collapsed, tree, parent, label);
}

/* --------------------------------------------------------------------------------------- events */

/* Nothing is known of a part of the time that has passed. False: no memory. */
static bool pass_loss(const struct collapsed *collapsed, struct tree *tree, uint64_t ts_ns)
{
    uint64_t until_ns = ts_ns < tree->until_ns ? ts_ns : tree->until_ns;
    uint32_t lost = child(collapsed, tree, tree->at, collapsed->labels.lost);
    if (lost == MT_NONE)
        return false;
    tree->nodes[lost].self_ns += until_ns - tree->now_ns;
    tree->now_ns = until_ns;
    tree->until_ns = 0; /* something is known again */
    return true;
}

static inline bool pass_time(const struct collapsed *collapsed, struct tree *tree, uint64_t ts_ns)
{
    if (tree->until_ns > tree->now_ns && ts_ns > tree->now_ns && !pass_loss(collapsed, tree, ts_ns))
        return false;
    tree->nodes[tree->at].self_ns += ts_ns - tree->now_ns;
    tree->now_ns = ts_ns;
    return true;
}

static bool enter(const struct collapsed *collapsed, struct tree *tree, uint32_t func)
{
    uint32_t label = collapsed->labels.label_of[func];
    const struct node *at = &tree->nodes[tree->at];
    if (tree->n_beyond || at->depth >= MAX_DEPTH ||
        at->line_bytes + collapsed->labels.labels[label].n_bytes > MAX_LINE_BYTES) {
        if (tree->n_beyond++)
            return true;
        label = collapsed->labels.deeper;
    }
    uint32_t node = child(collapsed, tree, tree->at, label);
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

/* Deeper are only "(deeper calls)" and "(events lost)". */
#define MAX_PATH (MAX_DEPTH + 2)

/* The labels of a node's stack, innermost first; returns how many. */
static size_t path_of(const struct tree *tree, uint32_t node, uint32_t path[MAX_PATH])
{
    size_t n = 0;
    for (; node != ROOT; node = tree->nodes[node].parent)
        path[n++] = tree->nodes[node].label;
    return n;
}

static void append_stack(const struct collapsed *collapsed, const struct tree *tree, uint32_t node,
                         struct mt_buf *out)
{
    uint32_t path[MAX_PATH];
    size_t n = path_of(tree, node, path);
    while (n > 0) {
        const struct mt__stack_label *label = &collapsed->labels.labels[path[--n]];
        mt_buf_append(out, label->data, label->n_bytes);
    }
}

static void write_tree(const struct collapsed *collapsed, uint32_t track, struct mt_buf *out)
{
    const struct tree *tree = &collapsed->trees[track];
    struct mt_buf head = {0};
    mt__stack_append_track(&head, collapsed->timeline, track);
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

/* Leaves the stack that is open, without the time that it has taken. False: no memory. */
static bool restart_tree(const struct collapsed *collapsed, struct tree *tree)
{
    uint32_t path[MAX_PATH];
    size_t n = path_of(tree, tree->at, path);
    mt_map_fini(&tree->children);
    tree->n_nodes = 0;
    tree->at = new_node(collapsed, tree, MT_NONE, 0);
    while (n > 0 && tree->at != MT_NONE)
        tree->at = child(collapsed, tree, tree->at, path[--n]);
    tree->lines_bytes = 0; /* of what is to come */
    return tree->at != MT_NONE;
}

/* ---------------------------------------------------------------------------------- the interface */

static bool add_run(const struct collapsed *collapsed, struct tree *tree, const struct mt_run *run)
{
    if (run->n_events && !tree->n_nodes) {
        tree->now_ns = run->events[0].ts_ns;
        if (new_node(collapsed, tree, MT_NONE, 0) == MT_NONE)
            return false;
    }
    for (uint32_t i = 0; i < run->n_events; i++) {
        if (!add_event(collapsed, tree, &run->events[i]))
            return false;
    }
    bool ends_lost = run->last && tree->until_ns > tree->now_ns;
    return !ends_lost || pass_time(collapsed, tree, tree->until_ns);
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    const struct collapsed *collapsed = state;
    struct tree *tree = &collapsed->trees[run->track];
    if (!add_run(collapsed, tree, run))
        return MT_NOMEM;
    bool is_full = tree->lines_bytes > MAX_LINES_BYTES;
    if (run->last || is_full)
        write_tree(collapsed, run->track, out);
    if (run->last)
        free_tree(tree);
    else if (is_full && !restart_tree(collapsed, tree))
        return MT_NOMEM;
    return out->failed ? MT_NOMEM : MT_OK;
}

static void free_collapsed(struct collapsed *collapsed)
{
    for (uint32_t i = 0; collapsed->trees && i < collapsed->timeline->n_tracks; i++)
        free_tree(&collapsed->trees[i]);
    mt__stack_labels_fini(&collapsed->labels);
    free(collapsed->trees);
    free(collapsed->repeats);
    free(collapsed);
}

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    (void)out;
    size_t n_tracks = job->timeline->n_tracks;
    struct collapsed *collapsed = calloc(1, sizeof *collapsed);
    if (!collapsed)
        return MT_NOMEM;
    collapsed->timeline = job->timeline;
    collapsed->trees = calloc(n_tracks + 1, sizeof *collapsed->trees);
    collapsed->repeats = calloc(n_tracks + 1, sizeof *collapsed->repeats);
    if (!collapsed->trees || !collapsed->repeats ||
        !mt__stack_labels_init(&collapsed->labels, job->timeline) || !count_repeats(collapsed)) {
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
