/* sink_perfetto.c - Perfetto's own format, a protobuf stream (protos/perfetto/trace of its sources).
 *
 * A file is a row of packets. Each track has a sequence of packets of its own, which has its own table of
 * names and source locations, and a clock that counts from packet to packet:
 *
 *   first   perfetto_meta.c: the wall clock, names and order of processes and threads
 *   a run   a clock snapshot, from which the run's first packet counts: so runs can be made in any order
 *           (in the track's first run with the sequence's defaults), and a packet for each event:
 *             call begins   sequence, delta, type, iid of the name, iid of the source location (Python)
 *                           or category "c"; in the first call of a function also its name and location
 *             call ends     sequence, delta, type; "exception" and "repaired" where it was so
 *             events lost   an instant with count, reason, errno, until (ns)
 *   last    arrows, and losses that no track told
 *
 * A call that never ends has no end. Packets do not say that they need their sequence's tables: it would
 * be 2 bytes an event, and is for readers of streams of which a part may be missing.
 *
 * Speed: an event's packet is put together from three pieces without a branch on what they are: the head,
 * which is the track's; the delta; and the body, which is made once for each function.
 */
#include <stdlib.h>

#include "base/atomic.h"
#include "profile/label.h"
#include "sink/label.h"
#include "sink/perfetto.h"
#include "sink/proto.h"

/* What a packet has behind its time: the track event. */
#define BODY_BYTES 23
struct body {
    char bytes[BODY_BYTES];
    uint8_t n_bytes;
};

/* Bodies of ends are by the event's flags; only two of these make a difference. Bodies of begins come
 * behind them. */
#define N_ENDS 32u
#define SPECIAL_END (MT_EVENT_EXCEPTION | MT_EVENT_REPAIRED)
#define SPECIAL_BEGIN (MT_EVENT_REOPENED | MT_EVENT_FIRST)

/* Constant while runs are written. */
struct perfetto {
    const struct mt_timeline *timeline;
    struct body *bodies; /* N_ENDS, and one for each function */
};

/* Room for an event's packet, which is at most 2 + 6 + 11 + BODY_BYTES, and for what is stored beyond
 * it. */
#define HEAD_BYTES 16
#define EVENT_BYTES 64

/* One run that is being written. */
struct writer {
    const struct perfetto *perfetto;
    struct mt_buf *out;
    uint32_t sequence;
    char head
        [HEAD_BYTES]; /* of a packet, up to the tag of its time; its second byte is the length */
    uint32_t head_bytes;
    uint64_t now_ns; /* of the event before */
};

/* Above this many functions their bodies are not in the cache when they are needed. */
#define MANY_FUNCS 8192u
#define PREFETCH_AHEAD 16

/* ---------------------------------------------------------------------------------------- bodies */

/* Names and source locations are numbered alike. */
static uint64_t iid_of(uint32_t func)
{
    return (uint64_t)func + 1;
}

static void annotate(struct mt_buf *out, uint64_t name_iid)
{
    size_t start = mt__proto_open(out, EVENT_ANNOTATIONS);
    mt__proto_number(out, ANNOTATION_NAME_IID, name_iid);
    mt__proto_number(out, ANNOTATION_BOOL, 1);
    mt__proto_close(out, start);
}

static void begin_event(struct mt_buf *out, const struct mt_func *func, uint64_t iid,
                        uint32_t flags)
{
    size_t event = mt__proto_open(out, PACKET_TRACK_EVENT);
    mt__proto_number(out, EVENT_TYPE, EVENT_TYPE_BEGIN);
    mt__proto_number(out, EVENT_NAME_IID, iid);
    if (func->kind == MT_FUNC_C)
        mt__proto_number(out, EVENT_CATEGORY_IIDS, CATEGORY_C);
    if (func->file.n_bytes)
        mt__proto_number(out, EVENT_SOURCE_LOCATION_IID, iid);
    if (flags & MT_EVENT_REOPENED)
        annotate(out, ANNOTATION_OPEN);
    mt__proto_close(out, event);
}

static void end_event(struct mt_buf *out, uint32_t flags)
{
    size_t event = mt__proto_open(out, PACKET_TRACK_EVENT);
    mt__proto_number(out, EVENT_TYPE, EVENT_TYPE_END);
    if (flags & MT_EVENT_EXCEPTION)
        annotate(out, ANNOTATION_EXCEPTION);
    if (flags & MT_EVENT_REPAIRED)
        annotate(out, ANNOTATION_REPAIRED);
    mt__proto_close(out, event);
}

/* Takes what is in `made` and empties it. */
static void keep(struct body *body, struct mt_buf *made)
{
    body->n_bytes = (uint8_t)made->n_bytes; /* at most 19 */
    memcpy(body->bytes, made->data, made->n_bytes);
    mt_buf_clear(made);
}

static bool make_bodies(struct perfetto *perfetto)
{
    const struct mt_timeline *timeline = perfetto->timeline;
    struct mt_buf made = {0};
    if (!mt_buf_reserve(&made, EVENT_BYTES)) /* so none of the following fails */
        return false;
    for (uint32_t flags = 0; flags < N_ENDS; flags++) {
        end_event(&made, flags);
        keep(&perfetto->bodies[flags], &made);
    }
    for (uint32_t i = 0; i < timeline->n_funcs; i++) {
        begin_event(&made, &timeline->funcs[i], iid_of(i), 0);
        keep(&perfetto->bodies[N_ENDS + i], &made);
    }
    mt_buf_fini(&made);
    return true;
}

/* ---------------------------------------------------------------------------------- most events */

/* There must be room for 10 bytes. Returns where it ends. */
static char *put_large(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

/* The same without a branch on how many bytes it is, where it is at most 4: in which deltas differ.
 * Little-endian, as trace files are. */
static inline char *put_delta(char *at, uint64_t value)
{
    if (MT_UNLIKELY(value >> 28))
        return put_large(at, value);
    uint32_t bits = (uint32_t)value;
    uint32_t n_more = (uint32_t)(31 - __builtin_clz(bits | 1)) * 37 >> 8; /* by 7 */
    uint32_t bytes = (bits & 0x7f) | (bits & 0x3f80) << 1 | (bits & 0x1fc000) << 2 |
                     (bits & 0xfe00000) << 3;
    bytes |= UINT32_C(0x80808080) & ((UINT32_C(1) << 8 * n_more) - 1);
    memcpy(at, &bytes, sizeof bytes);
    return at + n_more + 1;
}

/* All ones for the begin of a call, else 0: which of two it is cannot be predicted, so it is no branch. */
static inline uint32_t begin_mask(const struct mt_event *event)
{
    return 0 - (uint32_t)(event->type == MT_EVENT_BEGIN);
}

/* Whether the event's packet has a body that is ready. */
static inline bool is_plain(const struct mt_event *event)
{
    bool is_call = (unsigned)event->type - MT_EVENT_BEGIN <= MT_EVENT_END - MT_EVENT_BEGIN;
    return is_call & !(event->flags & SPECIAL_BEGIN & begin_mask(event));
}

static inline uint32_t body_of(const struct mt_event *event)
{
    uint32_t mask = begin_mask(event);
    return ((N_ENDS + event->func) & mask) | (event->flags & SPECIAL_END & ~mask);
}

/* Writes events up to one that is not plain, which it returns, or `end`. There must be room. */
static inline const struct mt_event *put_events(struct writer *writer, char *start,
                                                const struct mt_event *event,
                                                const struct mt_event *end, bool is_prefetching)
{
    const struct body *bodies = writer->perfetto->bodies;
    const uint32_t head_bytes = writer->head_bytes;
    uint64_t now_ns = writer->now_ns;
    char head[HEAD_BYTES], *at = start;
    memcpy(head, writer->head, sizeof head);
    for (; event < end && MT_LIKELY(is_plain(event)); event++) {
        if (is_prefetching && end - event > PREFETCH_AHEAD)
            __builtin_prefetch(&bodies[body_of(event + PREFETCH_AHEAD)]);
        const struct body *body = &bodies[body_of(event)];
        memcpy(at, head, sizeof head);
        char *to = put_delta(at + head_bytes, event->ts_ns - now_ns);
        now_ns = event->ts_ns;
        memcpy(to, body->bytes, sizeof body->bytes);
        to += body->n_bytes;
        at[1] = (char)(to - at - 2);
        at = to;
    }
    writer->now_ns = now_ns;
    mt_buf_commit(writer->out, (size_t)(at - start));
    return event;
}

/* ---------------------------------------------------------------------------------- other events */

static void intern_func(struct mt_buf *out, const struct mt_func *func, uint64_t iid)
{
    struct mt_buf name = {0};
    mt_label_put_name(func, &name);
    size_t interned = mt__proto_open(out, PACKET_INTERNED_DATA);
    size_t entry = mt__proto_open(out, INTERNED_NAMES);
    mt__proto_number(out, INTERNED_IID, iid);
    mt__proto_text(out, INTERNED_NAME, name.data, name.n_bytes);
    mt__proto_close(out, entry);
    if (func->file.n_bytes) {
        entry = mt__proto_open(out, INTERNED_SOURCE_LOCATIONS);
        mt__proto_number(out, INTERNED_IID, iid);
        mt__proto_text(out, LOCATION_FILE, func->file.data, func->file.n_bytes);
        mt__proto_text(out, LOCATION_FUNCTION, name.data, name.n_bytes);
        mt__proto_number(out, LOCATION_LINE, func->line);
        mt__proto_close(out, entry);
    }
    mt__proto_close(out, interned);
    out->failed |= name.failed;
    mt_buf_fini(&name);
}

static void special_begin(struct writer *writer, const struct mt_event *event)
{
    struct mt_buf *out = writer->out;
    const struct mt_func *func = &writer->perfetto->timeline->funcs[event->func];
    size_t packet = mt__perfetto_open(out, writer->sequence);
    mt__proto_number(out, PACKET_TIMESTAMP, event->ts_ns - writer->now_ns);
    if (event->flags & MT_EVENT_FIRST)
        intern_func(out, func, iid_of(event->func));
    begin_event(out, func, iid_of(event->func), event->flags);
    mt__proto_close(out, packet);
    writer->now_ns = event->ts_ns;
}

static void put_special(struct writer *writer, const struct mt_event *event)
{
    if (event->type == MT_EVENT_BEGIN) {
        special_begin(writer, event);
    } else if (event->type == MT_EVENT_LOST) {
        mt__perfetto_lost(writer->out, writer->sequence, event->ts_ns - writer->now_ns,
                          event->lost);
        writer->now_ns = event->ts_ns;
    }
}

/* ---------------------------------------------------------------------------------- the interface */

static struct writer writer_of(const struct perfetto *perfetto, const struct mt_run *run,
                               struct mt_buf *out)
{
    struct writer writer = {
        .perfetto = perfetto,
        .out = out,
        .sequence = mt__perfetto_sequence(run->track),
        .now_ns = run->n_events ? run->events[0].ts_ns : 0,
    };
    char *at = writer.head;
    *at++ = TRACE_PACKET << 3 | 2;
    at++;
    *at++ = PACKET_SEQUENCE_ID << 3;
    at = put_large(at, writer.sequence);
    *at++ = PACKET_TIMESTAMP << 3;
    writer.head_bytes = (uint32_t)(at - writer.head); /* at most 9 */
    return writer;
}

/* So much room is made at once. */
#define BLOCK_EVENTS 1024

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    struct writer writer = writer_of(state, run, out);
    const struct mt_event *event = run->events, *end = run->events + run->n_events;
    bool is_prefetching = run->timeline->n_funcs > MANY_FUNCS;
    mt__perfetto_run_head(out, run);
    while (event < end && !out->failed) {
        const struct mt_event *block = end - event > BLOCK_EVENTS ? event + BLOCK_EVENTS : end;
        char *start = mt_buf_reserve(out, (size_t)(block - event + 1) * EVENT_BYTES);
        if (!start)
            break;
        event = is_prefetching ? put_events(&writer, start, event, block, true)
                               : put_events(&writer, start, event, block, false);
        if (event < block)
            put_special(&writer, event++);
    }
    return out->failed ? MT_NOMEM : MT_OK;
}

static void free_perfetto(struct perfetto *perfetto)
{
    free(perfetto->bodies);
    free(perfetto);
}

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    struct perfetto *perfetto = calloc(1, sizeof *perfetto);
    if (!perfetto)
        return MT_NOMEM;
    perfetto->timeline = job->timeline;
    perfetto->bodies = calloc(N_ENDS + (size_t)job->timeline->n_funcs, sizeof *perfetto->bodies);
    if (!perfetto->bodies || !make_bodies(perfetto) ||
        mt__perfetto_metadata(job->timeline, out) != MT_OK) {
        free_perfetto(perfetto);
        return MT_NOMEM;
    }
    *state = perfetto;
    return MT_OK;
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    struct perfetto *perfetto = state;
    if (outcome)
        mt__perfetto_outcome(out, perfetto->timeline, outcome);
    free_perfetto(perfetto);
    return out->failed ? MT_NOMEM : MT_OK;
}

const struct mt_sink mt_sink_perfetto = {
    .name = "perfetto",
    .suffix = ".perfetto-trace",
    .summary = "Perfetto's own format, a sixth of the size",
    .needs = MT_NEEDS_FIRST,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
