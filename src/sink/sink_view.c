/* sink_view.c - the page of `mtrace view`: events in, one HTML file out.
 *
 * First comes the page itself (src/view), then blocks of events of one track each, as tracks fill them;
 * last what is known in the end only: short tracks, several of them in a block, the overview and the
 * head. So nothing is kept but the beginnings of blocks; the page's script runs when all is there.
 *
 * A track's events are kept as symbols and times (view_parts.h) until they fill a block. What is written
 * for a run depends on the runs of its track before it, hence MT_NEEDS_SERIAL; tracks come one after the
 * other, so that few blocks are begun at a time.
 */
#include <stdlib.h>

#include "base/array.h"
#include "base/atomic.h"
#include "sink/view_parts.h"
#include "view/page.h"

#define BLOCK_SYMBOLS (512u << 10)
/* Of shorter tracks several share a block. */
#define OWN_BLOCK_SYMBOLS (16u << 10)
#define MAX_VARINT_BYTES 10u
/* In the page a function has 24 bits beside a call's flags. */
#define MAX_FUNCS (1u << 24)

#define BEGIN_FLAGS (MT_EVENT_REOPENED | MT_EVENT_RESUME)
#define END_FLAGS (MT_EVENT_SUSPEND | MT_EVENT_EXCEPTION | MT_EVENT_REPAIRED | MT_EVENT_CUT)

struct track {
    struct mt__view_segment segment;
    struct mt__view_bins bins;
    uint32_t *open; /* functions, outermost first */
    size_t n_open, open_capacity;
    uint64_t now_ns; /* of the last event */
    bool has_blocks; /* so all of it is in blocks of its own: short tracks are whole */
};

/* Constant while runs are written, but for what is a track's own. */
struct view {
    const struct mt_timeline *timeline;
    const struct mt_view_options *options;
    struct track *tracks;
    struct mt__view_sums *sums;
};

/* ----------------------------------------------------------------------------------------- events */

static bool add_symbol(struct mt__view_segment *segment, uint32_t symbol)
{
    if (MT_UNLIKELY(segment->n_symbols == segment->symbols_capacity) &&
        !MT_ARRAY_ROOM(segment->symbols, segment->symbols_capacity, segment->n_symbols + 1))
        return false;
    segment->symbols[segment->n_symbols++] = symbol;
    return true;
}

static bool add_flags(struct mt__view_segment *segment, uint32_t symbol, uint32_t flags)
{
    mt__view_put_varint(&segment->extras, flags);
    return add_symbol(segment, symbol);
}

static bool add_begin(struct track *track, struct mt__view_sums *sums, const struct mt_event *event)
{
    uint32_t flags = event->flags & BEGIN_FLAGS;
    bool good = true;
    if (MT_UNLIKELY(flags == MT_EVENT_RESUME))
        good = add_symbol(&track->segment, MT__VIEW_NEXT_RESUMES);
    else if (MT_UNLIKELY(flags))
        good = add_flags(&track->segment, MT__VIEW_NEXT_FLAGS, flags);
    sums->n_reopened += (flags & MT_EVENT_REOPENED) > 0;
    good = good && add_symbol(&track->segment, MT__VIEW_FIRST_FUNC + event->func);
    if (MT_UNLIKELY(track->n_open == track->open_capacity))
        good = good && MT_ARRAY_ROOM(track->open, track->open_capacity, track->n_open + 1);
    if (MT_UNLIKELY(track->n_open == sums->n_rows)) {
        good = good && MT_ARRAY_ROOM(sums->rows, sums->rows_capacity, sums->n_rows + 1);
        if (good)
            sums->rows[sums->n_rows++] = 0;
    }
    if (!good)
        return false;
    sums->rows[track->n_open]++;
    track->open[track->n_open++] = event->func;
    return true;
}

static bool add_end(struct track *track, const struct mt_event *event)
{
    uint32_t flags = event->flags & END_FLAGS;
    track->n_open -= track->n_open > 0;
    if (MT_LIKELY(!flags))
        return add_symbol(&track->segment, MT__VIEW_END);
    if (flags == MT_EVENT_EXCEPTION)
        return add_symbol(&track->segment, MT__VIEW_END_EXCEPTION);
    if (flags == MT_EVENT_SUSPEND)
        return add_symbol(&track->segment, MT__VIEW_END_SUSPEND);
    return add_flags(&track->segment, MT__VIEW_END_FLAGS, flags);
}

static bool add_lost(struct mt__view_segment *segment, const struct mt_event *event)
{
    const struct mt_event_lost *lost = event->lost;
    size_t n_text = strlen(lost->text);
    mt__view_put_varint(&segment->extras, lost->n_events);
    mt__view_put_varint(&segment->extras, lost->until_ns - event->ts_ns);
    mt__view_put_varint(&segment->extras, lost->reason);
    mt__view_put_varint(&segment->extras, lost->error);
    mt__view_put_varint(&segment->extras, n_text);
    mt_buf_append(&segment->extras, lost->text, n_text);
    return add_symbol(segment, MT__VIEW_LOST);
}

/* There must be room in `times`. */
static bool add_event(struct track *track, struct mt__view_sums *sums, const struct mt_event *event)
{
    struct mt_buf *times = &track->segment.times;
    if (track->n_open && event->ts_ns > track->now_ns &&
        !mt__view_bins_add(&track->bins, track->open[track->n_open - 1], track->now_ns,
                           event->ts_ns))
        return false;
    char *at = times->data + times->n_bytes;
    times->n_bytes += (size_t)(mt__view_varint(at, event->ts_ns - track->now_ns) - at);
    track->now_ns = event->ts_ns;
    if (event->type == MT_EVENT_BEGIN)
        return add_begin(track, sums, event);
    return event->type == MT_EVENT_END ? add_end(track, event) : add_lost(&track->segment, event);
}

/* ----------------------------------------------------------------------------------------- blocks */

static bool start_segment(struct track *track, uint32_t track_idx, uint64_t first_ns)
{
    struct mt__view_segment *segment = &track->segment;
    segment->track = track_idx;
    segment->first_ns = track->now_ns = first_ns;
    segment->open = track->n_open ? malloc(track->n_open * sizeof *segment->open) : NULL;
    if (track->n_open && !segment->open)
        return false;
    if (track->n_open)
        memcpy(segment->open, track->open, track->n_open * sizeof *segment->open);
    segment->n_open = track->n_open;
    return true;
}

static enum mt_status write_segment(const struct view *view, struct track *track,
                                    struct mt_buf *out)
{
    const struct mt__view_segment *segment = &track->segment;
    enum mt_status status = mt__view_block(&segment, 1, view->timeline->n_funcs, view->options,
                                           out);
    mt__view_segment_fini(&track->segment);
    return status;
}

static bool add_run(const struct view *view, struct track *track, const struct mt_run *run)
{
    struct mt__view_sums *sums = &view->sums[run->track];
    struct mt__view_segment *segment = &track->segment;
    if (run->n_events && !mt_buf_reserve(&segment->times, (size_t)run->n_events * MAX_VARINT_BYTES))
        return false;
    for (uint32_t i = 0; i < run->n_events; i++) {
        const struct mt_event *event = &run->events[i];
        bool is_known = event->type >= MT_EVENT_BEGIN && event->type <= MT_EVENT_LOST;
        if (is_known && !add_event(track, sums, event))
            return false;
        if (event->type == MT_EVENT_LOST && event->lost->until_ns > sums->last_ns)
            sums->last_ns = event->lost->until_ns;
    }
    if (track->now_ns > sums->last_ns)
        sums->last_ns = track->now_ns;
    return !segment->extras.failed;
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    const struct view *view = state;
    struct track *track = &view->tracks[run->track];
    uint64_t n_before = mt_add_relaxed(&view->options->outcome->n_events, run->n_events);
    if (n_before + run->n_events > view->options->max_events)
        return MT_LIMIT;
    if (run->n_events && !track->segment.n_symbols) {
        uint64_t first_ns = track->n_open ? track->now_ns : run->events[0].ts_ns;
        if (!start_segment(track, run->track, first_ns))
            return MT_NOMEM;
    }
    if (!add_run(view, track, run))
        return MT_NOMEM;
    bool is_full = track->segment.n_symbols >= BLOCK_SYMBOLS;
    bool is_over = run->last && track->segment.n_symbols &&
                   (track->has_blocks || track->segment.n_symbols >= OWN_BLOCK_SYMBOLS);
    if (!is_full && !is_over)
        return MT_OK;
    track->has_blocks = true;
    return write_segment(view, track, out);
}

/* ------------------------------------------------------------------------------- what comes last */

/* Short tracks, in as few blocks as it takes. */
static enum mt_status write_rest(const struct view *view, struct mt_buf *out)
{
    uint32_t n_tracks = view->timeline->n_tracks;
    const struct mt__view_segment **segments = calloc((size_t)n_tracks + 1, sizeof *segments);
    enum mt_status status = segments ? MT_OK : MT_NOMEM;
    size_t n = 0, n_symbols = 0;
    for (uint32_t i = 0; status == MT_OK && i < n_tracks; i++) {
        const struct mt__view_segment *segment = &view->tracks[i].segment;
        if (segment->n_symbols) {
            segments[n++] = segment;
            n_symbols += segment->n_symbols;
        }
        if (n && (n_symbols >= BLOCK_SYMBOLS || i + 1 == n_tracks)) {
            status = mt__view_block(segments, n, view->timeline->n_funcs, view->options, out);
            n = n_symbols = 0;
        }
    }
    free(segments);
    return status;
}

/* All tracks' bins, of the same width. */
static enum mt_status write_overview(const struct view *view, unsigned *shift, struct mt_buf *out)
{
    struct mt_buf bytes = {0};
    uint32_t n_tracks = view->timeline->n_tracks;
    for (uint32_t i = 0; i < n_tracks; i++)
        *shift = view->tracks[i].bins.shift > *shift ? view->tracks[i].bins.shift : *shift;
    for (uint32_t i = 0; i < n_tracks; i++) {
        mt__view_bins_widen(&view->tracks[i].bins, *shift);
        mt__view_bins_put(&view->tracks[i].bins, &bytes);
    }
    enum mt_status status = mt__view_element("id=overview", &bytes, view->options, out);
    mt_buf_fini(&bytes);
    return status;
}

static enum mt_status write_end(const struct view *view, const struct mt_outcome *outcome,
                                struct mt_buf *out)
{
    struct mt__view_end end = {.timeline = view->timeline,
                               .options = view->options,
                               .outcome = outcome,
                               .sums = view->sums,
                               .n_bins = mt__view_n_bins(view->timeline->n_tracks)};
    struct mt_buf head = {0};
    enum mt_status status = write_rest(view, out);
    if (status == MT_OK)
        status = write_overview(view, &end.shift, out);
    if (status == MT_OK) {
        mt__view_head(&end, &head);
        status = mt__view_element("id=head", &head, view->options, out);
    }
    mt_buf_fini(&head);
    mt_buf_append(out, mt_view_behind, mt_view_behind_bytes);
    return status;
}

/* ---------------------------------------------------------------------------------- the interface */

static void free_view(struct view *view)
{
    for (uint32_t i = 0; view->tracks && i < view->timeline->n_tracks; i++) {
        mt__view_segment_fini(&view->tracks[i].segment);
        free(view->tracks[i].bins.bins);
        free(view->tracks[i].open);
    }
    for (uint32_t i = 0; view->sums && i < view->timeline->n_tracks; i++)
        free(view->sums[i].rows);
    free(view->tracks);
    free(view->sums);
    free(view);
}

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    uint32_t n_tracks = job->timeline->n_tracks;
    if (job->timeline->n_funcs > MAX_FUNCS)
        return MT_LIMIT;
    struct view *view = calloc(1, sizeof *view);
    if (!view)
        return MT_NOMEM;
    view->timeline = job->timeline;
    view->options = job->options;
    view->tracks = calloc((size_t)n_tracks + 1, sizeof *view->tracks);
    view->sums = calloc((size_t)n_tracks + 1, sizeof *view->sums);
    if (!view->tracks || !view->sums) {
        free_view(view);
        return MT_NOMEM;
    }
    for (uint32_t i = 0; i < n_tracks; i++)
        view->tracks[i].bins.n_bins = mt__view_n_bins(n_tracks);
    mt_buf_append(out, mt_view_before, mt_view_before_bytes);
    *state = view;
    return MT_OK;
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct view *view = state;
    enum mt_status status = outcome ? write_end(view, outcome, out) : MT_OK;
    free_view(view);
    return status != MT_OK || !out->failed ? status : MT_NOMEM;
}

const struct mt_sink mt_sink_view = {
    .name = "view",
    .suffix = ".html",
    .summary = "a page to look at in a browser",
    .needs = MT_NEEDS_SERIAL | MT_NEEDS_WHOLE_TRACKS,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
