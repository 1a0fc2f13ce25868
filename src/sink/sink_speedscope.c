/* sink_speedscope.c - the file format of speedscope (https://www.speedscope.app): a flame graph of each
 * thread, in time order, left heavy, and as a table.
 *
 * A timeline is one JSON object. Its frames are the timeline's functions by their index, used or not,
 * and after them "(events lost)". Each track with events is a profile:
 *   O, C        begin and end of calls, ns since the timeline's zero
 *   endValue    the last event's time, or when the last loss was over
 *   name        process and thread; calls that did not end, and events lost
 * The members that are known at the end of a track only come last. The format wants every call to
 * end, so those that did not are closed at endValue. A loss is a call of "(events lost)" as long as
 * nothing else is known of that time.
 *
 * The first track that is not left out is always a profile, since nobody knows when the next begins
 * whether it is to have a comma before it; activeProfileIndex says which is the first that has events.
 *
 * Invariant: a track's `lines` have been written in the order of its events, and each profile is closed
 * by its track's last run.
 */
#include <stdlib.h>

#include "base/array.h"
#include "base/json.h"
#include "mtrace/sink.h"
#include "profile/label.h"
#include "sink/label.h"

#define NS_PER_MS 1000000u

/* Between the event's letter and its time. */
struct frame_text {
    char text[16]; /* 123,"at": */
    uint32_t n_bytes;
};

/* What is kept of a track from run to run. */
struct lines {
    uint64_t last_ns;  /* of the last event */
    uint64_t lost_ns;  /* a loss that is not yet written: from when ... */
    uint64_t until_ns; /* ... until when */
    bool is_lost;
    bool has_profile;
    bool has_lines;
    uint64_t n_lost;
    uint64_t n_losses;    /* losses of an unknown number of events */
    uint32_t *unfinished; /* functions, outermost first */
    size_t n_unfinished, capacity;
};

/* Constant while runs are written, but for `lines`. */
struct speedscope {
    const struct mt_timeline *timeline;
    struct frame_text *frames; /* by function; then that of losses */
    struct lines *lines;       /* by track */
    uint32_t first_track;
    char thousand[1000][4]; /* "000" to "999" */
};

/* One run that is being written. */
struct writer {
    const struct speedscope *speedscope;
    struct lines *lines;
    struct mt_buf *out;
    uint64_t ms_ns; /* the digits below are of this millisecond; 0: there are none */
    char ms_digits[16];
    size_t ms_bytes;
};

/* ---------------------------------------------------------------------------------------- lines */

static void set_ms(struct writer *writer, uint64_t ns)
{
    char digits[20];
    size_t at = sizeof digits;
    for (uint64_t ms = ns / NS_PER_MS; ms; ms /= 10)
        digits[--at] = (char)('0' + ms % 10);
    writer->ms_ns = ns - ns % NS_PER_MS;
    writer->ms_bytes = sizeof digits - at; /* at most 13 */
    memcpy(writer->ms_digits, digits + at, writer->ms_bytes);
}

/* Writes the time and returns where it ends; there must be room for 24 bytes. */
static inline char *put_time(struct writer *writer, char *at, uint64_t ns)
{
    if (ns - writer->ms_ns >= NS_PER_MS)
        set_ms(writer, ns);
    uint32_t rest = (uint32_t)(ns - writer->ms_ns);
    memcpy(at, writer->ms_digits, sizeof writer->ms_digits);
    at += writer->ms_bytes;
    char digits[8];
    memcpy(digits, writer->speedscope->thousand[rest / 1000], 4);
    memcpy(digits + 3, writer->speedscope->thousand[rest % 1000], 4);
    /* In the first millisecond there is nothing in front, and JSON wants no leading zeros. */
    uint32_t skip = 0;
    if (!writer->ms_bytes)
        while (skip < 5 && digits[skip] == '0')
            skip++;
    memcpy(at, digits + skip, 6 - skip);
    return at + 6 - skip;
}

#define OPEN_HEAD ",\n{\"type\":\"O\",\"frame\":"
#define CLOSE_HEAD ",\n{\"type\":\"C\",\"frame\":"
#define HEAD_BYTES (sizeof OPEN_HEAD - 1)

static inline void line(struct writer *writer, const char head[HEAD_BYTES], uint32_t frame,
                        uint64_t ns)
{
    const struct frame_text *text = &writer->speedscope->frames[frame];
    uint32_t skip = writer->lines->has_lines ? 0 : 1; /* the comma */
    char *start = mt_buf_reserve(writer->out, HEAD_BYTES + sizeof text->text + 32);
    if (!start)
        return;
    writer->lines->has_lines = true;
    memcpy(start, head + skip, HEAD_BYTES - skip);
    char *at = start + HEAD_BYTES - skip;
    memcpy(at, text->text, sizeof text->text);
    at = put_time(writer, at + text->n_bytes, ns);
    *at++ = '}';
    mt_buf_commit(writer->out, (size_t)(at - start));
}

/* Time has gone on to `ns`, or the track is over (UINT64_MAX). */
static void finish_loss(struct writer *writer, uint64_t ns)
{
    struct lines *lines = writer->lines;
    uint32_t frame = writer->speedscope->timeline->n_funcs;
    uint64_t until_ns = lines->until_ns < ns ? lines->until_ns : ns;
    lines->is_lost = false;
    line(writer, OPEN_HEAD, frame, lines->lost_ns);
    line(writer, CLOSE_HEAD, frame, until_ns);
    if (until_ns > lines->last_ns)
        lines->last_ns = until_ns;
}

static void note_loss(struct lines *lines, const struct mt_event *event)
{
    const struct mt_event_lost *lost = event->lost;
    if (!lines->is_lost) {
        lines->lost_ns = event->ts_ns;
        lines->until_ns = event->ts_ns;
    }
    lines->is_lost = true;
    if (lost->until_ns > lines->until_ns)
        lines->until_ns = lost->until_ns;
    lines->n_lost += lost->n_events;
    lines->n_losses += !lost->n_events;
}

/* ------------------------------------------------------------------------------------- profiles */

static void begin_profile(struct writer *writer, uint32_t track, uint64_t start_ns)
{
    mt_buf_append_text(writer->out, track == writer->speedscope->first_track ? "" : ",\n");
    mt_buf_append_text(writer->out,
                       "{\"type\":\"evented\",\"unit\":\"nanoseconds\",\"startValue\":");
    mt_buf_append_u64(writer->out, start_ns);
    mt_buf_append_text(writer->out, ",\"events\":[");
    writer->lines->has_profile = true;
    writer->lines->last_ns = start_ns;
}

static void append_number(struct mt_buf *out, uint64_t n, const char *one, const char *many)
{
    if (n)
        mt_buf_printf(out, ", %llu %s", (unsigned long long)n, n == 1 ? one : many);
}

/* Escaped: only the labels need it. */
static void append_title(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track)
{
    struct mt_buf label = {0};
    mt__label_process(&label, timeline, timeline->tracks[track].process);
    mt_buf_append_text(&label, ", ");
    mt__label_track(&label, timeline, track);
    mt_json_escape(out, label.data, label.n_bytes);
    out->failed |= label.failed;
    mt_buf_fini(&label);
}

static void end_profile(struct writer *writer, uint32_t track)
{
    struct lines *lines = writer->lines;
    struct mt_buf *out = writer->out;
    if (lines->is_lost)
        finish_loss(writer, UINT64_MAX);
    for (size_t i = lines->n_unfinished; i > 0; i--)
        line(writer, CLOSE_HEAD, lines->unfinished[i - 1], lines->last_ns);
    mt_buf_append_text(out, "\n],\"endValue\":");
    mt_buf_append_u64(out, lines->last_ns);
    mt_buf_append_text(out, ",\"name\":\"");
    append_title(out, writer->speedscope->timeline, track);
    append_number(out, lines->n_unfinished, "unfinished call", "unfinished calls");
    append_number(out, lines->n_lost, "lost event", "lost events");
    append_number(out, lines->n_losses, "gap", "gaps");
    mt_buf_append_text(out, "\"}");
    free(lines->unfinished);
    lines->unfinished = NULL;
}

/* ---------------------------------------------------------------------------------- the interface */

static void leave_open(struct writer *writer, uint32_t func)
{
    struct lines *lines = writer->lines;
    if (MT_ARRAY_ROOM(lines->unfinished, lines->capacity, lines->n_unfinished + 1))
        lines->unfinished[lines->n_unfinished++] = func;
    else
        writer->out->failed = true;
}

static inline void write_event(struct writer *writer, const struct mt_event *event)
{
    struct lines *lines = writer->lines;
    if (event->type == MT_EVENT_UNFINISHED) {
        leave_open(writer, event->func);
        return;
    }
    if (lines->is_lost && event->ts_ns > lines->lost_ns)
        finish_loss(writer, event->ts_ns);
    lines->last_ns = event->ts_ns;
    if (event->type == MT_EVENT_BEGIN)
        line(writer, OPEN_HEAD, event->func, event->ts_ns);
    else if (event->type == MT_EVENT_END)
        line(writer, CLOSE_HEAD, event->func, event->ts_ns);
    else if (event->type == MT_EVENT_LOST)
        note_loss(lines, event);
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct speedscope *speedscope = state;
    struct writer writer = {
        .speedscope = speedscope, .lines = &speedscope->lines[run->track], .out = out};
    if (!writer.lines->has_profile && run->n_events)
        begin_profile(&writer, run->track, run->events[0].ts_ns);
    for (uint32_t i = 0; i < run->n_events; i++)
        write_event(&writer, &run->events[i]);
    if (run->last && run->track == speedscope->first_track && !writer.lines->has_profile)
        begin_profile(&writer, run->track, 0);
    if (run->last && writer.lines->has_profile)
        end_profile(&writer, run->track);
    return out->failed ? MT_NOMEM : MT_OK;
}

static void append_frames(struct mt_buf *out, const struct mt_timeline *timeline)
{
    struct mt_buf label = {0};
    for (uint32_t i = 0; i < timeline->n_funcs; i++) {
        const struct mt_func *func = &timeline->funcs[i];
        mt_buf_clear(&label);
        mt_label_put_name(func, &label);
        mt_buf_append_text(out, "{\"name\":");
        mt_json_string(out, label.data, label.n_bytes);
        if (func->file.n_bytes) {
            mt_buf_append_text(out, ",\"file\":");
            mt_json_string(out, func->file.data, func->file.n_bytes);
            mt_buf_append_text(out, ",\"line\":");
            mt_buf_append_u64(out, func->line);
        }
        mt_buf_append_text(out, "},\n");
    }
    mt_buf_append_text(out, "{\"name\":\"(events lost)\"}");
    out->failed |= label.failed;
    mt_buf_fini(&label);
}

static void make_texts(struct speedscope *speedscope)
{
    for (uint32_t i = 0; i < 1000; i++) {
        char digits[4] = {(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10)};
        memcpy(speedscope->thousand[i], digits, sizeof digits);
    }
    for (uint32_t i = 0; i <= speedscope->timeline->n_funcs; i++) {
        struct frame_text *frame = &speedscope->frames[i];
        char digits[10];
        size_t at = sizeof digits;
        uint32_t rest = i;
        do {
            digits[--at] = (char)('0' + rest % 10);
            rest /= 10;
        } while (rest);
        memcpy(frame->text, digits + at, sizeof digits - at);
        memcpy(frame->text + sizeof digits - at, ",\"at\":", 6);
        frame->n_bytes = (uint32_t)(sizeof digits - at + 6);
    }
}

static void free_speedscope(struct speedscope *speedscope)
{
    for (uint32_t i = 0; speedscope->lines && i < speedscope->timeline->n_tracks; i++)
        free(speedscope->lines[i].unfinished);
    free(speedscope->lines);
    free(speedscope->frames);
    free(speedscope);
}

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    const struct mt_timeline *timeline = job->timeline;
    struct speedscope *speedscope = calloc(1, sizeof *speedscope);
    if (!speedscope)
        return MT_NOMEM;
    speedscope->timeline = timeline;
    while (speedscope->first_track < timeline->n_tracks &&
           timeline->tracks[speedscope->first_track].left_out)
        speedscope->first_track++;
    speedscope->frames = calloc((size_t)timeline->n_funcs + 1, sizeof *speedscope->frames);
    speedscope->lines = calloc((size_t)timeline->n_tracks + 1, sizeof *speedscope->lines);
    mt_buf_append_text(out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
                            "\"exporter\":\"mtrace\",\"shared\":{\"frames\":[\n");
    append_frames(out, timeline);
    mt_buf_append_text(out, "\n]},\"profiles\":[\n");
    if (!speedscope->frames || !speedscope->lines || out->failed) {
        free_speedscope(speedscope);
        return MT_NOMEM;
    }
    make_texts(speedscope);
    *state = speedscope;
    return MT_OK;
}

/* Losses of threads that could not write so into their own records are nobody's but the file's. */
static uint64_t n_untold(const struct mt_timeline *timeline, const struct mt_outcome *outcome)
{
    uint64_t n = 0;
    for (uint32_t i = 0; outcome && i < timeline->n_processes; i++) {
        const struct mt_process *process = &timeline->processes[i];
        uint64_t n_told = outcome->n_lost_told[i];
        n += !process->left_out && process->n_lost > n_told ? process->n_lost - n_told : 0;
    }
    return n;
}

static uint32_t first_to_show(const struct speedscope *speedscope)
{
    uint32_t first = speedscope->first_track, n_tracks = speedscope->timeline->n_tracks;
    if (first == n_tracks || speedscope->lines[first].has_lines)
        return 0;
    for (uint32_t i = first + 1; i < n_tracks; i++) {
        if (speedscope->lines[i].has_profile)
            return 1;
    }
    return 0;
}

/* The first process, and how many more there are. */
static void append_name(struct mt_buf *out, const struct mt_timeline *timeline)
{
    uint32_t first = MT_NONE, n_further = 0;
    struct mt_buf name = {0};
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        const struct mt_process *process = &timeline->processes[i];
        if (first == MT_NONE && !process->left_out)
            first = i;
        else if (!process->left_out && process->former == MT_NONE) /* images count once */
            n_further++;
    }
    if (first == MT_NONE)
        mt_buf_append_text(&name, "nothing");
    else
        mt__label_process(&name, timeline, first);
    mt_json_escape(out, name.data, name.n_bytes);
    append_number(out, n_further, "more process", "more processes");
    out->failed |= name.failed;
    mt_buf_fini(&name);
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct speedscope *speedscope = state;
    mt_buf_append_text(out, "\n],\"activeProfileIndex\":");
    mt_buf_append_u64(out, first_to_show(speedscope));
    mt_buf_append_text(out, ",\"name\":\"");
    append_name(out, speedscope->timeline);
    append_number(out, n_untold(speedscope->timeline, outcome), "lost event outside of any thread",
                  "lost events outside of any thread");
    mt_buf_append_text(out, "\"}\n");
    free_speedscope(speedscope);
    return out->failed ? MT_NOMEM : MT_OK;
}

const struct mt_sink mt_sink_speedscope = {
    .name = "speedscope",
    .suffix = ".speedscope.json",
    .summary = "flame graphs over time, for speedscope",
    .needs = MT_NEEDS_PAIRS | MT_NEEDS_SERIAL | MT_NEEDS_WHOLE_TRACKS,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
