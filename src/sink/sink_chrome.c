/* sink_chrome.c - Chrome's Trace Event JSON, which Perfetto, chrome://tracing and speedscope read.
 *
 * One array without anything around it, since that loads even when it is cut off; one event a line:
 *   B, E  calls; B has name, cat ("python" or "c") and, where known, args.file ("path:line").
 *         args.open is true for a call that began before recording could see its begin.
 *   X     calls from begin to end, by mt_sink_chrome_complete; calls that never ended stay B
 *   s, f  an arrow from the call that started a process to that process's first call
 *   i     events were lost from here on: args.count (where known), reason, until, errno
 *   M     names and order of processes and threads (chrome_meta.c)
 * Times are microseconds with three decimals.
 *
 * Speed: what a line has of its function is made once, before the first line; what it has of its track
 * once for each run; times are looked up three digits at a time, behind digits that are made once a
 * millisecond.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/json.h"
#include "sink/chrome.h"

#define NS_PER_MS 1000000u

/* What follows pid and tid in a B or X line of a function. */
struct suffix {
    const char *data;
    uint32_t n_bytes;
};

/* An open call, for X lines only. */
struct open_call {
    uint64_t begin_ns;
    uint32_t func;
    uint16_t flags;
    bool written; /* as B; its end is an E then */
};

/* The open calls of a track, for X lines only. */
struct calls {
    struct open_call *calls;
    size_t n_calls, capacity;
    size_t n_unfinished; /* of them, already written */
};

/* Constant while runs are written, but for `calls`. */
struct chrome {
    const struct mt_timeline *timeline;
    struct suffix *suffixes; /* by function */
    struct mt_arena arena;   /* their texts */
    struct calls *calls;     /* by track; NULL: B and E lines */
    char thousand[1000][4];  /* "000." to "999." */
};

/* One run that is being written. */
struct writer {
    const struct chrome *chrome;
    struct mt_buf *out;
    struct calls *calls;
    char track[48]; /* ,"pid":P,"tid":T */
    size_t track_bytes;
    uint64_t ms_ns; /* the digits below are of this millisecond */
    char ms_digits[16];
    size_t ms_bytes;
};

/* ---------------------------------------------------------------------------------------- times */

void mt__chrome_time(struct mt_buf *out, uint64_t ns)
{
    char decimals[4] = {'.', (char)('0' + ns / 100 % 10), (char)('0' + ns / 10 % 10),
                        (char)('0' + ns % 10)};
    mt_buf_append_u64(out, ns / 1000);
    mt_buf_append(out, decimals, sizeof decimals);
}

static void set_ms(struct writer *writer, uint64_t ns)
{
    char digits[20];
    size_t at = sizeof digits;
    for (uint64_t ms = ns / NS_PER_MS; ms; ms /= 10)
        digits[--at] = (char)('0' + ms % 10);
    writer->ms_ns = ns - ns % NS_PER_MS;
    writer->ms_bytes = sizeof digits - at; /* at most 14 */
    memcpy(writer->ms_digits, digits + at, writer->ms_bytes);
}

/* Writes the time and returns where it ends; there must be room for 32 bytes. */
static inline char *put_time(struct writer *writer, char *at, uint64_t ns)
{
    if (ns - writer->ms_ns >= NS_PER_MS)
        set_ms(writer, ns);
    uint32_t rest = (uint32_t)(ns - writer->ms_ns);
    uint32_t us = rest / 1000;
    memcpy(at, writer->ms_digits, sizeof writer->ms_digits);
    at += writer->ms_bytes;
    /* In the first millisecond there is nothing in front, and JSON wants no leading zeros. */
    uint32_t skip = writer->ms_bytes ? 0 : us < 10 ? 2 : us < 100 ? 1 : 0;
    memcpy(at, writer->chrome->thousand[us] + skip, 4);
    memcpy(at + 4 - skip, writer->chrome->thousand[rest % 1000], 4);
    return at + 7 - skip;
}

/* --------------------------------------------------------------------------------------- suffix */

static void append_name(struct mt_buf *out, const struct mt_func *func)
{
    mt_buf_append_text(out, ",\"name\":\"");
    if (func->owner.n_bytes) {
        mt_json_escape(out, func->owner.data, func->owner.n_bytes);
        mt_buf_append_char(out, '.');
    }
    mt_json_escape(out, func->name.data, func->name.n_bytes);
    mt_buf_append_text(out, func->kind == MT_FUNC_C ? "\",\"cat\":\"c\"" : "\",\"cat\":\"python\"");
}

static void append_suffix(struct mt_buf *out, const struct mt_func *func, bool reopened)
{
    append_name(out, func);
    if (func->file.n_bytes || reopened)
        mt_buf_append_text(out, ",\"args\":{");
    if (func->file.n_bytes) {
        mt_buf_append_text(out, "\"file\":\"");
        mt_json_escape(out, func->file.data, func->file.n_bytes);
        mt_buf_append_char(out, ':');
        mt_buf_append_u64(out, func->line);
        mt_buf_append_char(out, '"');
    }
    if (reopened)
        mt_buf_append_text(out, func->file.n_bytes ? ",\"open\":true" : "\"open\":true");
    mt_buf_append_text(out, func->file.n_bytes || reopened ? "}}" : "}");
}

static bool make_suffixes(struct chrome *chrome)
{
    struct mt_buf scratch = {0};
    bool good = true;
    for (uint32_t i = 0; good && i < chrome->timeline->n_funcs; i++) {
        mt_buf_clear(&scratch);
        append_suffix(&scratch, &chrome->timeline->funcs[i], false);
        char *data = scratch.failed || scratch.n_bytes > UINT32_MAX
                         ? NULL
                         : mt_arena_bytes(&chrome->arena, scratch.n_bytes);
        good = data;
        if (!good)
            break;
        memcpy(data, scratch.data, scratch.n_bytes);
        chrome->suffixes[i] = (struct suffix){data, (uint32_t)scratch.n_bytes};
    }
    mt_buf_fini(&scratch);
    return good;
}

/* ---------------------------------------------------------------------------------------- lines */

/* A comma and the line's phase and time. Longer than any of them. */
#define HEAD_BYTES 64u

#define PUT(at, text) (memcpy((at), (text), sizeof(text) - 1), (at) + sizeof(text) - 1)

static inline char *put_track(const struct writer *writer, char *at)
{
    memcpy(at, writer->track, sizeof writer->track);
    return at + writer->track_bytes;
}

/* B, or X where `dur_ns` is given. */
static inline void begin_line(struct writer *writer, uint64_t ts_ns, const uint64_t *dur_ns,
                              uint32_t func, uint16_t flags)
{
    const struct suffix *suffix = &writer->chrome->suffixes[func];
    char *start =
        mt_buf_reserve(writer->out, 2 * HEAD_BYTES + sizeof writer->track + suffix->n_bytes);
    if (!start)
        return;
    char *at = PUT(start, ",\n{\"ph\":\"");
    *at++ = dur_ns ? 'X' : 'B';
    at = PUT(at, "\",\"ts\":");
    at = put_time(writer, at, ts_ns);
    if (dur_ns) {
        at = PUT(at, ",\"dur\":");
        at = put_time(writer, at, *dur_ns);
    }
    at = put_track(writer, at);
    bool reopened = flags & MT_EVENT_REOPENED;
    if (!reopened) {
        memcpy(at, suffix->data, suffix->n_bytes);
        at += suffix->n_bytes;
    }
    mt_buf_commit(writer->out, (size_t)(at - start));
    if (reopened)
        append_suffix(writer->out, &writer->chrome->timeline->funcs[func], true);
}

static inline void end_line(struct writer *writer, uint64_t ts_ns)
{
    char *start = mt_buf_reserve(writer->out, HEAD_BYTES + sizeof writer->track + 1);
    if (!start)
        return;
    char *at = PUT(start, ",\n{\"ph\":\"E\",\"ts\":");
    at = put_track(writer, put_time(writer, at, ts_ns));
    *at++ = '}';
    mt_buf_commit(writer->out, (size_t)(at - start));
}

static void lost_line(struct writer *writer, const struct mt_event *event)
{
    const struct mt_event_lost *lost = event->lost;
    struct mt_buf *out = writer->out;
    mt_buf_append_text(out, ",\n{\"ph\":\"i\",\"ts\":");
    mt__chrome_time(out, event->ts_ns);
    mt_buf_append(out, writer->track, writer->track_bytes);
    mt_buf_append_text(out, ",\"s\":\"t\",\"name\":\"events lost\",\"cat\":\"mtrace\",\"args\":{");
    if (lost->n_events)
        mt_buf_printf(out, "\"count\":%llu,", (unsigned long long)lost->n_events);
    mt_buf_append_text(out, "\"reason\":");
    mt_json_string(out, lost->text, strlen(lost->text));
    if (lost->error)
        mt_buf_printf(out, ",\"errno\":%u", lost->error);
    mt_buf_append_text(out, ",\"until\":");
    mt__chrome_time(out, lost->until_ns);
    mt_buf_append_text(out, "}}");
}

/* ----------------------------------------------------------------------------------- X lines only */

/* Readers sort lines by ts and keep the order of equal ones, while an X line is written when its
 * call ends. So if something else begins at the very time at which the innermost call began, that
 * call is written as B here and now. */
static void pin_innermost(struct writer *writer, uint64_t ts_ns)
{
    struct calls *calls = writer->calls;
    struct open_call *call = calls->n_calls ? &calls->calls[calls->n_calls - 1] : NULL;
    if (!call || call->written || call->begin_ns != ts_ns)
        return;
    begin_line(writer, ts_ns, NULL, call->func, call->flags);
    call->written = true;
}

static void open_call(struct writer *writer, const struct mt_event *event)
{
    struct calls *calls = writer->calls;
    pin_innermost(writer, event->ts_ns);
    if (!MT_ARRAY_ROOM(calls->calls, calls->capacity, calls->n_calls + 1)) {
        writer->out->failed = true;
        return;
    }
    calls->calls[calls->n_calls++] = (struct open_call){
        .begin_ns = event->ts_ns, .func = event->func, .flags = event->flags};
}

static void close_call(struct writer *writer, const struct mt_event *event)
{
    struct calls *calls = writer->calls;
    if (!calls->n_calls)
        return;
    const struct open_call *call = &calls->calls[--calls->n_calls];
    if (call->written)
        end_line(writer, event->ts_ns);
    else
        begin_line(writer, call->begin_ns, &event->dur_ns, call->func, call->flags);
}

/* They come outermost first, as they lie in `calls`. */
static void leave_open(struct writer *writer, const struct mt_event *event)
{
    struct calls *calls = writer->calls;
    size_t at = calls->n_unfinished++;
    if (at < calls->n_calls && !calls->calls[at].written)
        begin_line(writer, event->ts_ns, NULL, event->func, event->flags);
}

/* ---------------------------------------------------------------------------------- the interface */

static struct writer writer_of(struct chrome *chrome, const struct mt_run *run, struct mt_buf *out)
{
    const struct mt_track *track = &chrome->timeline->tracks[run->track];
    struct writer writer = {
        .chrome = chrome,
        .out = out,
        .calls = chrome->calls ? &chrome->calls[run->track] : NULL,
    };
    int n = snprintf(writer.track, sizeof writer.track, ",\"pid\":%u,\"tid\":%u",
                     chrome->timeline->processes[track->process].pid, track->tid);
    writer.track_bytes = (size_t)n; /* at most 34 */
    return writer;
}

static enum mt_status begin_end_chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct writer writer = writer_of(state, run, out);
    for (uint32_t i = 0; i < run->n_events; i++) {
        const struct mt_event *event = &run->events[i];
        if (event->type == MT_EVENT_BEGIN)
            begin_line(&writer, event->ts_ns, NULL, event->func, event->flags);
        else if (event->type == MT_EVENT_END)
            end_line(&writer, event->ts_ns);
        else if (event->type == MT_EVENT_LOST)
            lost_line(&writer, event);
    }
    return out->failed ? MT_NOMEM : MT_OK;
}

static enum mt_status complete_chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct writer writer = writer_of(state, run, out);
    for (uint32_t i = 0; i < run->n_events; i++) {
        const struct mt_event *event = &run->events[i];
        switch (event->type) {
        case MT_EVENT_BEGIN: open_call(&writer, event); break;
        case MT_EVENT_END: close_call(&writer, event); break;
        case MT_EVENT_LOST: lost_line(&writer, event); break;
        case MT_EVENT_UNFINISHED: leave_open(&writer, event); break;
        default: break;
        }
    }
    return out->failed ? MT_NOMEM : MT_OK;
}

static void free_chrome(struct chrome *chrome)
{
    for (uint32_t i = 0; chrome->calls && i < chrome->timeline->n_tracks; i++)
        free(chrome->calls[i].calls);
    mt_arena_fini(&chrome->arena);
    free(chrome->suffixes);
    free(chrome->calls);
    free(chrome);
}

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state,
                            bool is_complete)
{
    const struct mt_timeline *timeline = job->timeline;
    struct chrome *chrome = calloc(1, sizeof *chrome);
    if (!chrome)
        return MT_NOMEM;
    chrome->timeline = timeline;
    chrome->suffixes = calloc(timeline->n_funcs + 1, sizeof *chrome->suffixes);
    if (is_complete)
        chrome->calls = calloc(timeline->n_tracks + 1, sizeof *chrome->calls);
    for (int i = 0; i < 1000; i++) {
        char digits[4] = {(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10),
                          '.'};
        memcpy(chrome->thousand[i], digits, sizeof digits);
    }
    mt_buf_append_text(out, "[\n");
    if (!chrome->suffixes || (is_complete && !chrome->calls) || !make_suffixes(chrome) ||
        mt__chrome_metadata(timeline, out) != MT_OK) {
        free_chrome(chrome);
        return MT_NOMEM;
    }
    *state = chrome;
    return MT_OK;
}

static enum mt_status begin_events(const struct mt_job *job, struct mt_buf *out, void **state)
{
    return begin(job, out, state, false);
}

static enum mt_status begin_complete(const struct mt_job *job, struct mt_buf *out, void **state)
{
    return begin(job, out, state, true);
}

/* Losses of threads that could not write so into their own records: a mark on the process. */
static void process_losses(const struct chrome *chrome, const struct mt_outcome *outcome,
                           struct mt_buf *out)
{
    for (uint32_t i = 0; i < chrome->timeline->n_processes; i++) {
        const struct mt_process *process = &chrome->timeline->processes[i];
        uint64_t n_told = outcome->n_lost_told[i];
        if (process->n_lost <= n_told)
            continue;
        mt_buf_append_text(out, ",\n{\"ph\":\"i\",\"ts\":");
        mt__chrome_time(out, process->first_lost_ns);
        mt_buf_printf(out,
                      ",\"pid\":%u,\"tid\":%u,\"s\":\"p\",\"name\":\"events lost\","
                      "\"cat\":\"mtrace\",\"args\":{\"count\":%llu,\"until\":",
                      process->pid, process->pid, (unsigned long long)(process->n_lost - n_told));
        mt__chrome_time(out, process->last_lost_ns);
        mt_buf_append_text(out, "}}");
    }
}

static void flow_line(const struct mt_timeline *timeline, struct mt_buf *out, uint32_t track_idx,
                      uint64_t ts_ns, size_t id, bool leaves)
{
    const struct mt_track *track = &timeline->tracks[track_idx];
    mt_buf_append_text(out, leaves ? ",\n{\"ph\":\"s\",\"ts\":" : ",\n{\"ph\":\"f\",\"ts\":");
    mt__chrome_time(out, ts_ns);
    mt_buf_printf(out, ",\"pid\":%u,\"tid\":%u,\"id\":%zu,\"name\":\"start\",\"cat\":\"process\"%s}",
                  timeline->processes[track->process].pid, track->tid, id,
                  leaves ? "" : ",\"bp\":\"e\"");
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct chrome *chrome = state;
    for (size_t i = 0; outcome && i < outcome->n_flows; i++) {
        const struct mt_flow *flow = &outcome->flows[i];
        flow_line(chrome->timeline, out, flow->from_track, flow->from_ns, i + 1, true);
        flow_line(chrome->timeline, out, flow->to_track, flow->to_ns, i + 1, false);
    }
    if (outcome)
        process_losses(chrome, outcome, out);
    mt_buf_append_text(out, "\n]\n");
    free_chrome(chrome);
    return out->failed ? MT_NOMEM : MT_OK;
}

const struct mt_sink mt_sink_chrome = {
    .name = "chrome",
    .suffix = ".json",
    .summary = "Chrome's JSON, for Perfetto and others",
    .begin = begin_events,
    .chunk = begin_end_chunk,
    .end = end,
};

const struct mt_sink mt_sink_chrome_complete = {
    .name = "chrome-complete",
    .suffix = ".json",
    .summary = "the same with complete (X) events",
    .needs = MT_NEEDS_PAIRS | MT_NEEDS_SERIAL,
    .begin = begin_complete,
    .chunk = complete_chunk,
    .end = end,
};
