/* sink_chrome.c - Chrome's Trace Event JSON, which Perfetto, chrome://tracing and speedscope read.
 *
 * One array without anything around it, since that loads even when it is cut off; one event a line:
 *   B, E  calls; B has name, cat ("python" or "c") and, where known, args.file ("path:line").
 *         args.open is true for a call that began before recording could see its begin.
 *   X     calls from begin to end, by mt_sink_chrome_complete; calls that never ended stay B
 *   s, f  an arrow from the call that started a process to that process's first call
 *   i     events were lost from here on: args.count (where known), reason, until, errno
 *   M     names and order of processes and threads (chrome_meta.c)
 * Times are microseconds with three decimals. The driver calls this on one thread.
 *
 * Speed: what a line has of its function and of its track is made once and copied; times are looked
 * up three digits at a time, behind digits that are made once a millisecond.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/json.h"
#include "sink/chrome.h"

#define NS_PER_MS 1000000u

/* What follows pid and tid in a B or X line of a function; made at its first use. */
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

struct chrome {
    const struct mt_timeline *timeline;
    bool is_complete; /* X lines */
    struct suffix *suffixes; /* by function */
    struct mt_arena arena;   /* their texts */
    struct mt_buf scratch;
    uint64_t *n_lost_seen; /* by process: what its tracks told */

    char track[48]; /* ,"pid":P,"tid":T of the current track */
    size_t track_bytes;
    uint64_t ms_ns; /* the digits below are of this millisecond */
    char ms_digits[16];
    size_t ms_bytes;
    char thousand[1000][4]; /* "000." to "999." */

    struct open_call *calls;
    size_t n_calls, calls_capacity;
    size_t n_unfinished; /* of them, already written */
};

/* ---------------------------------------------------------------------------------------- times */

void mt__chrome_time(struct mt_buf *out, uint64_t ns)
{
    char decimals[4] = {'.', (char)('0' + ns / 100 % 10), (char)('0' + ns / 10 % 10),
                        (char)('0' + ns % 10)};
    mt_buf_append_u64(out, ns / 1000);
    mt_buf_append(out, decimals, sizeof decimals);
}

static void set_ms(struct chrome *chrome, uint64_t ns)
{
    char digits[20];
    size_t at = sizeof digits;
    for (uint64_t ms = ns / NS_PER_MS; ms; ms /= 10)
        digits[--at] = (char)('0' + ms % 10);
    chrome->ms_ns = ns - ns % NS_PER_MS;
    chrome->ms_bytes = sizeof digits - at; /* at most 14 */
    memcpy(chrome->ms_digits, digits + at, chrome->ms_bytes);
}

/* Writes the time and returns where it ends; there must be room for 32 bytes. */
static inline char *put_time(struct chrome *chrome, char *at, uint64_t ns)
{
    if (ns - chrome->ms_ns >= NS_PER_MS)
        set_ms(chrome, ns);
    uint32_t rest = (uint32_t)(ns - chrome->ms_ns);
    uint32_t us = rest / 1000;
    memcpy(at, chrome->ms_digits, sizeof chrome->ms_digits);
    at += chrome->ms_bytes;
    /* In the first millisecond there is nothing in front, and JSON wants no leading zeros. */
    uint32_t skip = chrome->ms_bytes ? 0 : us < 10 ? 2 : us < 100 ? 1 : 0;
    memcpy(at, chrome->thousand[us] + skip, 4);
    memcpy(at + 4 - skip, chrome->thousand[rest % 1000], 4);
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

static bool make_suffix(struct chrome *chrome, uint32_t func)
{
    mt_buf_clear(&chrome->scratch);
    append_suffix(&chrome->scratch, &chrome->timeline->funcs[func], false);
    if (chrome->scratch.failed || chrome->scratch.n_bytes > UINT32_MAX)
        return false;
    char *data = mt_arena_bytes(&chrome->arena, chrome->scratch.n_bytes);
    if (!data)
        return false;
    memcpy(data, chrome->scratch.data, chrome->scratch.n_bytes);
    chrome->suffixes[func] = (struct suffix){data, (uint32_t)chrome->scratch.n_bytes};
    return true;
}

/* ---------------------------------------------------------------------------------------- lines */

/* A comma and the line's phase and time. Longer than any of them. */
#define HEAD_BYTES 64u

#define PUT(at, text) (memcpy((at), (text), sizeof(text) - 1), (at) + sizeof(text) - 1)

static inline char *put_track(const struct chrome *chrome, char *at)
{
    memcpy(at, chrome->track, sizeof chrome->track);
    return at + chrome->track_bytes;
}

/* B, or X where `dur_ns` is given. */
static inline void begin_line(struct chrome *chrome, struct mt_buf *out, uint64_t ts_ns,
                              const uint64_t *dur_ns, uint32_t func, uint16_t flags)
{
    const struct suffix *suffix = &chrome->suffixes[func];
    if (!suffix->data && !make_suffix(chrome, func)) {
        out->failed = true;
        return;
    }
    char *start = mt_buf_reserve(out, 2 * HEAD_BYTES + sizeof chrome->track + suffix->n_bytes);
    if (!start)
        return;
    char *at = PUT(start, ",\n{\"ph\":\"");
    *at++ = dur_ns ? 'X' : 'B';
    at = PUT(at, "\",\"ts\":");
    at = put_time(chrome, at, ts_ns);
    if (dur_ns) {
        at = PUT(at, ",\"dur\":");
        at = put_time(chrome, at, *dur_ns);
    }
    at = put_track(chrome, at);
    bool reopened = flags & MT_EVENT_REOPENED;
    if (!reopened) {
        memcpy(at, suffix->data, suffix->n_bytes);
        at += suffix->n_bytes;
    }
    mt_buf_commit(out, (size_t)(at - start));
    if (reopened)
        append_suffix(out, &chrome->timeline->funcs[func], true);
}

static inline void end_line(struct chrome *chrome, struct mt_buf *out, uint64_t ts_ns)
{
    char *start = mt_buf_reserve(out, HEAD_BYTES + sizeof chrome->track + 1);
    if (!start)
        return;
    char *at = PUT(start, ",\n{\"ph\":\"E\",\"ts\":");
    at = put_track(chrome, put_time(chrome, at, ts_ns));
    *at++ = '}';
    mt_buf_commit(out, (size_t)(at - start));
}

/* The rare lines. */
static void other_line(struct chrome *chrome, struct mt_buf *out, char phase, uint64_t ts_ns)
{
    mt_buf_printf(out, ",\n{\"ph\":\"%c\",\"ts\":", phase);
    mt__chrome_time(out, ts_ns);
    mt_buf_append(out, chrome->track, chrome->track_bytes);
}

static void lost_line(struct chrome *chrome, struct mt_buf *out, const struct mt_event *event)
{
    const struct mt_event_lost *lost = event->lost;
    other_line(chrome, out, 'i', event->ts_ns);
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

static void flow_line(struct chrome *chrome, struct mt_buf *out, const struct mt_event *event)
{
    bool leaves = event->type == MT_EVENT_FLOW_OUT;
    other_line(chrome, out, leaves ? 's' : 'f', event->ts_ns);
    mt_buf_printf(out, ",\"id\":%llu,\"name\":\"start\",\"cat\":\"process\"%s}",
                  (unsigned long long)event->flow, leaves ? "" : ",\"bp\":\"e\"");
}

/* ----------------------------------------------------------------------------------- X lines only */

/* Readers sort lines by ts and keep the order of equal ones, while an X line is written when its
 * call ends. So if something else begins at the very time at which the innermost call began, that
 * call is written as B here and now. */
static void pin_innermost(struct chrome *chrome, struct mt_buf *out, uint64_t ts_ns)
{
    struct open_call *call = chrome->n_calls ? &chrome->calls[chrome->n_calls - 1] : NULL;
    if (!call || call->written || call->begin_ns != ts_ns)
        return;
    begin_line(chrome, out, ts_ns, NULL, call->func, call->flags);
    call->written = true;
}

static void open_call(struct chrome *chrome, struct mt_buf *out, const struct mt_event *event)
{
    pin_innermost(chrome, out, event->ts_ns);
    if (!MT_ARRAY_ROOM(chrome->calls, chrome->calls_capacity, chrome->n_calls + 1)) {
        out->failed = true;
        return;
    }
    chrome->calls[chrome->n_calls++] = (struct open_call){
        .begin_ns = event->ts_ns, .func = event->func, .flags = event->flags};
}

static void close_call(struct chrome *chrome, struct mt_buf *out, const struct mt_event *event)
{
    if (!chrome->n_calls)
        return;
    const struct open_call *call = &chrome->calls[--chrome->n_calls];
    if (call->written)
        end_line(chrome, out, event->ts_ns);
    else
        begin_line(chrome, out, call->begin_ns, &event->dur_ns, call->func, call->flags);
}

/* They come outermost first, as they lie in `calls`. */
static void leave_open(struct chrome *chrome, struct mt_buf *out, const struct mt_event *event)
{
    size_t at = chrome->n_unfinished++;
    if (at < chrome->n_calls && !chrome->calls[at].written)
        begin_line(chrome, out, event->ts_ns, NULL, event->func, event->flags);
}

/* ---------------------------------------------------------------------------------- the interface */

static void start_track(struct chrome *chrome, uint32_t idx)
{
    const struct mt_track *track = &chrome->timeline->tracks[idx];
    int n = snprintf(chrome->track, sizeof chrome->track, ",\"pid\":%u,\"tid\":%u",
                     chrome->timeline->processes[track->process].pid, track->tid);
    chrome->track_bytes = (size_t)n; /* at most 34 */
    chrome->n_calls = 0;
    chrome->n_unfinished = 0;
}

static void other_event(struct chrome *chrome, struct mt_buf *out, const struct mt_run *run,
                        const struct mt_event *event)
{
    switch (event->type) {
    case MT_EVENT_LOST:
        chrome->n_lost_seen[chrome->timeline->tracks[run->track].process] += event->lost->n_events;
        lost_line(chrome, out, event);
        return;
    case MT_EVENT_FLOW_OUT:
    case MT_EVENT_FLOW_IN:
        pin_innermost(chrome, out, event->ts_ns);
        flow_line(chrome, out, event);
        return;
    case MT_EVENT_UNFINISHED: leave_open(chrome, out, event); return;
    default: return;
    }
}

static void begin_end_events(struct chrome *chrome, struct mt_buf *out, const struct mt_run *run)
{
    for (uint32_t i = 0; i < run->n_events; i++) {
        const struct mt_event *event = &run->events[i];
        if (event->type == MT_EVENT_BEGIN)
            begin_line(chrome, out, event->ts_ns, NULL, event->func, event->flags);
        else if (event->type == MT_EVENT_END)
            end_line(chrome, out, event->ts_ns);
        else
            other_event(chrome, out, run, event);
    }
}

static void complete_events(struct chrome *chrome, struct mt_buf *out, const struct mt_run *run)
{
    for (uint32_t i = 0; i < run->n_events; i++) {
        const struct mt_event *event = &run->events[i];
        if (event->type == MT_EVENT_BEGIN)
            open_call(chrome, out, event);
        else if (event->type == MT_EVENT_END)
            close_call(chrome, out, event);
        else
            other_event(chrome, out, run, event);
    }
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct chrome *chrome = state;
    if (run->first)
        start_track(chrome, run->track);
    if (chrome->is_complete)
        complete_events(chrome, out, run);
    else
        begin_end_events(chrome, out, run);
    return out->failed ? MT_NOMEM : MT_OK;
}

static void free_chrome(struct chrome *chrome)
{
    mt_arena_fini(&chrome->arena);
    mt_buf_fini(&chrome->scratch);
    free(chrome->suffixes);
    free(chrome->n_lost_seen);
    free(chrome->calls);
    free(chrome);
}

static enum mt_status begin(const struct mt_timeline *timeline, struct mt_buf *out, void **state,
                            bool is_complete)
{
    struct chrome *chrome = calloc(1, sizeof *chrome);
    if (!chrome)
        return MT_NOMEM;
    chrome->timeline = timeline;
    chrome->is_complete = is_complete;
    chrome->suffixes = calloc(timeline->n_funcs + 1, sizeof *chrome->suffixes);
    chrome->n_lost_seen = calloc(timeline->n_processes + 1, sizeof *chrome->n_lost_seen);
    for (int i = 0; i < 1000; i++) {
        char digits[4] = {(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10),
                          '.'};
        memcpy(chrome->thousand[i], digits, sizeof digits);
    }
    mt_buf_append_text(out, "[\n");
    if (!chrome->suffixes || !chrome->n_lost_seen ||
        mt__chrome_metadata(timeline, out) != MT_OK) {
        free_chrome(chrome);
        return MT_NOMEM;
    }
    *state = chrome;
    return MT_OK;
}

static enum mt_status begin_events(const struct mt_timeline *timeline, struct mt_buf *out,
                                   void **state)
{
    return begin(timeline, out, state, false);
}

static enum mt_status begin_complete(const struct mt_timeline *timeline, struct mt_buf *out,
                                     void **state)
{
    return begin(timeline, out, state, true);
}

/* Losses of threads that could not write so into their own records: a mark on the process. */
static void process_losses(struct chrome *chrome, struct mt_buf *out)
{
    for (uint32_t i = 0; i < chrome->timeline->n_processes; i++) {
        const struct mt_process *process = &chrome->timeline->processes[i];
        uint64_t n_seen = chrome->n_lost_seen[i];
        if (process->n_lost <= n_seen)
            continue;
        mt_buf_append_text(out, ",\n{\"ph\":\"i\",\"ts\":");
        mt__chrome_time(out, process->first_lost_ns);
        mt_buf_printf(out,
                      ",\"pid\":%u,\"tid\":%u,\"s\":\"p\",\"name\":\"events lost\","
                      "\"cat\":\"mtrace\",\"args\":{\"count\":%llu,\"until\":",
                      process->pid, process->pid, (unsigned long long)(process->n_lost - n_seen));
        mt__chrome_time(out, process->last_lost_ns);
        mt_buf_append_text(out, "}}");
    }
}

static enum mt_status end(void *state, struct mt_buf *out)
{
    struct chrome *chrome = state;
    process_losses(chrome, out);
    mt_buf_append_text(out, "\n]\n");
    free_chrome(chrome);
    return out->failed ? MT_NOMEM : MT_OK;
}

const struct mt_sink mt_sink_chrome = {
    .name = "chrome",
    .suffix = ".json",
    .summary = "Chrome's JSON, for Perfetto and others",
    .begin = begin_events,
    .chunk = chunk,
    .end = end,
};

const struct mt_sink mt_sink_chrome_complete = {
    .name = "chrome-complete",
    .suffix = ".json",
    .summary = "the same with complete (X) events",
    .needs = MT_NEEDS_PAIRS,
    .begin = begin_complete,
    .chunk = chunk,
    .end = end,
};
