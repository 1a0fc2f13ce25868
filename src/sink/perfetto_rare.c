/* perfetto_rare.c - what the Perfetto sink writes seldom: the head of a run, losses, arrows. Called by
 * sink_perfetto.c, for several runs at a time.
 */
#include "sink/perfetto.h"
#include "sink/proto.h"

size_t mt__perfetto_open(struct mt_buf *out, uint32_t sequence)
{
    size_t start = mt__proto_open(out, TRACE_PACKET);
    mt__proto_number(out, PACKET_SEQUENCE_ID, sequence);
    return start;
}

static void intern(struct mt_buf *out, uint32_t field, uint64_t iid, const char *name)
{
    size_t start = mt__proto_open(out, field);
    mt__proto_number(out, INTERNED_IID, iid);
    mt__proto_text(out, INTERNED_NAME, name, strlen(name));
    mt__proto_close(out, start);
}

/* Packets of the sequence that do not say otherwise are of this track, and their times are relative to
 * each other. */
static void begin_sequence(struct mt_buf *out, const struct mt_run *run)
{
    mt__proto_number(out, PACKET_SEQUENCE_FLAGS, SEQUENCE_STATE_CLEARED);
    size_t defaults = mt__proto_open(out, PACKET_DEFAULTS);
    mt__proto_number(out, PACKET_TIMESTAMP_CLOCK_ID, CLOCK_TRACK_ID);
    size_t event = mt__proto_open(out, PACKET_TRACK_EVENT);
    mt__proto_number(out, EVENT_TRACK_UUID, mt__perfetto_track_uuid(run->timeline, run->track));
    mt__proto_close(out, event);
    mt__proto_close(out, defaults);
    size_t interned = mt__proto_open(out, PACKET_INTERNED_DATA);
    intern(out, INTERNED_CATEGORIES, CATEGORY_C, "c");
    intern(out, INTERNED_CATEGORIES, CATEGORY_MTRACE, "mtrace");
    intern(out, INTERNED_ANNOTATION_NAMES, ANNOTATION_OPEN, "open");
    intern(out, INTERNED_ANNOTATION_NAMES, ANNOTATION_EXCEPTION, "exception");
    intern(out, INTERNED_ANNOTATION_NAMES, ANNOTATION_REPAIRED, "repaired");
    mt__proto_close(out, interned);
}

static void track_clock(struct mt_buf *out, uint64_t ts_ns)
{
    size_t snapshot = mt__proto_open(out, PACKET_CLOCK_SNAPSHOT);
    size_t clock = mt__proto_open(out, SNAPSHOT_CLOCKS);
    mt__proto_number(out, CLOCK_ID, CLOCK_TRACK_ID);
    mt__proto_number(out, CLOCK_TIMESTAMP, ts_ns);
    mt__proto_number(out, CLOCK_IS_INCREMENTAL, 1);
    mt__proto_close(out, clock);
    clock = mt__proto_open(out, SNAPSHOT_CLOCKS);
    mt__proto_number(out, CLOCK_ID, CLOCK_BOOTTIME_ID);
    mt__proto_number(out, CLOCK_TIMESTAMP, ts_ns);
    mt__proto_close(out, clock);
    mt__proto_close(out, snapshot);
}

void mt__perfetto_run_head(struct mt_buf *out, const struct mt_run *run)
{
    if (!run->first && !run->n_events)
        return;
    size_t packet = mt__perfetto_open(out, mt__perfetto_sequence(run->track));
    if (run->first)
        begin_sequence(out, run);
    if (run->n_events)
        track_clock(out, run->events[0].ts_ns);
    mt__proto_close(out, packet);
}

/* ----------------------------------------------------------------------------------------- losses */

static void annotate_number(struct mt_buf *out, const char *name, uint64_t value)
{
    size_t start = mt__proto_open(out, EVENT_ANNOTATIONS);
    mt__proto_text(out, ANNOTATION_NAME, name, strlen(name));
    mt__proto_number(out, ANNOTATION_UINT, value);
    mt__proto_close(out, start);
}

static void annotate_text(struct mt_buf *out, const char *name, const char *text)
{
    size_t start = mt__proto_open(out, EVENT_ANNOTATIONS);
    mt__proto_text(out, ANNOTATION_NAME, name, strlen(name));
    mt__proto_text(out, ANNOTATION_STRING, text, strlen(text));
    mt__proto_close(out, start);
}

static const char lost_name[] = "events lost";

void mt__perfetto_lost(struct mt_buf *out, uint32_t sequence, uint64_t delta_ns,
                       const struct mt_event_lost *lost)
{
    size_t packet = mt__perfetto_open(out, sequence);
    mt__proto_number(out, PACKET_TIMESTAMP, delta_ns);
    size_t event = mt__proto_open(out, PACKET_TRACK_EVENT);
    mt__proto_number(out, EVENT_TYPE, EVENT_TYPE_INSTANT);
    mt__proto_number(out, EVENT_CATEGORY_IIDS, CATEGORY_MTRACE);
    mt__proto_text(out, EVENT_NAME, lost_name, sizeof lost_name - 1);
    if (lost->n_events)
        annotate_number(out, "count", lost->n_events);
    annotate_text(out, "reason", lost->text);
    if (lost->error)
        annotate_number(out, "errno", lost->error);
    annotate_number(out, "until", lost->until_ns);
    mt__proto_close(out, event);
    mt__proto_close(out, packet);
}

/* A mark on the process. */
static void process_loss(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t idx,
                         uint64_t n_lost)
{
    const struct mt_process *process = &timeline->processes[idx];
    size_t packet = mt__perfetto_open(out, mt__perfetto_sequence(timeline->n_tracks));
    mt__proto_number(out, PACKET_TIMESTAMP, process->first_lost_ns);
    size_t event = mt__proto_open(out, PACKET_TRACK_EVENT);
    mt__proto_number(out, EVENT_TYPE, EVENT_TYPE_INSTANT);
    mt__proto_number(out, EVENT_TRACK_UUID, mt__perfetto_process_uuid(timeline, idx));
    mt__proto_text(out, EVENT_CATEGORIES, "mtrace", 6);
    mt__proto_text(out, EVENT_NAME, lost_name, sizeof lost_name - 1);
    annotate_number(out, "count", n_lost);
    annotate_number(out, "until", process->last_lost_ns);
    mt__proto_close(out, event);
    mt__proto_close(out, packet);
}

/* ----------------------------------------------------------------------------------------- arrows */

/* One end, as Chrome's traces have it: it belongs to the call that is open on the track at that time,
 * so there need be no event for it. Flow ids of later date are fields of the begin of a call, which
 * was written when nobody knew of an arrow. */
static void flow_end(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track,
                     uint64_t ts_ns, size_t id, bool leaves)
{
    size_t packet = mt__perfetto_open(out, mt__perfetto_sequence(timeline->n_tracks));
    mt__proto_number(out, PACKET_TIMESTAMP, ts_ns);
    size_t event = mt__proto_open(out, PACKET_TRACK_EVENT);
    mt__proto_number(out, EVENT_TRACK_UUID, mt__perfetto_track_uuid(timeline, track));
    mt__proto_text(out, EVENT_CATEGORIES, "process", 7);
    mt__proto_text(out, EVENT_NAME, "start", 5);
    size_t legacy = mt__proto_open(out, EVENT_LEGACY);
    mt__proto_number(out, LEGACY_PHASE, leaves ? 's' : 'f');
    mt__proto_number(out, LEGACY_UNSCOPED_ID, id);
    if (!leaves)
        mt__proto_number(out, LEGACY_BIND_TO_ENCLOSING, 1);
    mt__proto_close(out, legacy);
    mt__proto_close(out, event);
    mt__proto_close(out, packet);
}

void mt__perfetto_outcome(struct mt_buf *out, const struct mt_timeline *timeline,
                          const struct mt_outcome *outcome)
{
    for (size_t i = 0; i < outcome->n_flows; i++) {
        const struct mt_flow *flow = &outcome->flows[i];
        flow_end(out, timeline, flow->from_track, flow->from_ns, i + 1, true);
        flow_end(out, timeline, flow->to_track, flow->to_ns, i + 1, false);
    }
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        const struct mt_process *process = &timeline->processes[i];
        if (process->n_lost > outcome->n_lost_told[i])
            process_loss(out, timeline, i, process->n_lost - outcome->n_lost_told[i]);
    }
}
