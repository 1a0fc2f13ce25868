/* sink_chrome.c - Chrome's Trace Event JSON, which Perfetto, chrome://tracing and many more read.
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
 * Nearly all lines are written by chrome_calls.c; here is what is rare, and X lines.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/json.h"
#include "sink/chrome.h"

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
    struct mt__chrome_texts texts;
    struct calls *calls; /* by track; NULL: B and E lines */
};

/* One run that is being written. */
struct writer {
    const struct chrome *chrome;
    struct mt_buf *out;
    struct calls *calls;
    struct mt__chrome_track track;
};

/* ---------------------------------------------------------------------------------------- times */

void mt__chrome_time(struct mt_buf *out, uint64_t ns)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char text[24];
    size_t at = sizeof text - 4;
    uint64_t us = ns / 1000;
    memcpy(text + at, (char[]){'.', (char)('0' + ns / 100 % 10)}, 2);
    memcpy(text + at + 2, &pairs[2 * (ns % 100)], 2);
    for (; us >= 100; us /= 100)
        memcpy(text + (at -= 2), &pairs[2 * (us % 100)], 2);
    memcpy(text + (at -= 2), &pairs[2 * us], 2);
    at += us < 10; /* no zero in front */
    mt_buf_append(out, text + at, sizeof text - at);
}

/* ---------------------------------------------------------------------------------------- lines */

/* B, or X where `dur_ns` is given. */
static void begin_line(struct writer *writer, uint64_t ts_ns, const uint64_t *dur_ns, uint32_t func,
                       uint16_t flags)
{
    const struct mt__chrome_texts *texts = &writer->chrome->texts;
    const struct mt__chrome_text *suffix = &texts->texts[func];
    struct mt_buf *out = writer->out;
    mt_buf_append_text(out, dur_ns ? ",\n{\"ph\":\"X\",\"ts\":" : ",\n{\"ph\":\"B\",\"ts\":");
    mt__chrome_time(out, ts_ns);
    if (dur_ns) {
        mt_buf_append_text(out, ",\"dur\":");
        mt__chrome_time(out, *dur_ns);
    }
    mt_buf_append(out, writer->track.text, writer->track.n_bytes);
    if (flags & MT_EVENT_REOPENED)
        mt__chrome_suffix(out, &writer->chrome->timeline->funcs[func], true);
    else
        mt_buf_append(out, mt__chrome_text_data(texts, suffix), suffix->n_bytes);
}

static void end_line(struct writer *writer, uint64_t ts_ns)
{
    mt_buf_append_text(writer->out, ",\n{\"ph\":\"E\",\"ts\":");
    mt__chrome_time(writer->out, ts_ns);
    mt_buf_append(writer->out, writer->track.text, writer->track.n_bytes);
    mt_buf_append_char(writer->out, '}');
}

static void lost_line(struct writer *writer, const struct mt_event *event)
{
    const struct mt_event_lost *lost = event->lost;
    struct mt_buf *out = writer->out;
    mt_buf_append_text(out, ",\n{\"ph\":\"i\",\"ts\":");
    mt__chrome_time(out, event->ts_ns);
    mt_buf_append(out, writer->track.text, writer->track.n_bytes);
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
    int n = snprintf(writer.track.text, sizeof writer.track.text, ",\"pid\":%u,\"tid\":%u",
                     chrome->timeline->processes[track->process].pid, track->tid);
    writer.track.n_bytes = (size_t)n;
    return writer;
}

static void unusual_line(struct writer *writer, const struct mt_event *event)
{
    if (event->type == MT_EVENT_BEGIN)
        begin_line(writer, event->ts_ns, NULL, event->func, event->flags);
    else if (event->type == MT_EVENT_END)
        end_line(writer, event->ts_ns);
    else if (event->type == MT_EVENT_LOST)
        lost_line(writer, event);
}

static enum mt_status begin_end_chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    const struct chrome *chrome = state;
    struct writer writer = writer_of(state, run, out);
    for (uint32_t i = 0; i < run->n_events; i++) {
        i = mt__chrome_calls(&chrome->texts, &writer.track, run, i, out);
        if (i < run->n_events)
            unusual_line(&writer, &run->events[i]);
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
    mt__chrome_texts_fini(&chrome->texts);
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
    if (is_complete)
        chrome->calls = calloc(timeline->n_tracks + 1, sizeof *chrome->calls);
    mt_buf_append_text(out, "[\n");
    if (mt__chrome_texts_init(&chrome->texts, timeline) != MT_OK ||
        (is_complete && !chrome->calls) || mt__chrome_metadata(timeline, out) != MT_OK) {
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
    mt_buf_printf(
        out, ",\"pid\":%u,\"tid\":%u,\"id\":%zu,\"name\":\"start\",\"cat\":\"process\"%s}",
        timeline->processes[track->process].pid, track->tid, id, leaves ? "" : ",\"bp\":\"e\"");
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
