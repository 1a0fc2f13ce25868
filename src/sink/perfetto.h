/* perfetto.h - what the files of the Perfetto sink share: the numbers of the fields that it writes, as in
 * Perfetto's public schema (protos/perfetto/trace), and who writes what.
 */
#ifndef MT_SINK_PERFETTO_H_
#define MT_SINK_PERFETTO_H_

#include "base/buf.h"
#include "mtrace/sink.h"

enum mt__perfetto_field {
    TRACE_PACKET = 1,

    PACKET_CLOCK_SNAPSHOT = 6,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE_ID = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED_DATA = 12,
    PACKET_SEQUENCE_FLAGS = 13,
    PACKET_DEFAULTS = 59, /* its fields have the numbers of the packet's */
    PACKET_TIMESTAMP_CLOCK_ID = 58,
    PACKET_TRACK_DESCRIPTOR = 60,

    SNAPSHOT_CLOCKS = 1,
    SNAPSHOT_PRIMARY_CLOCK = 2,
    CLOCK_ID = 1,
    CLOCK_TIMESTAMP = 2,
    CLOCK_IS_INCREMENTAL = 3,

    EVENT_CATEGORY_IIDS = 3,
    EVENT_ANNOTATIONS = 4,
    EVENT_LEGACY = 6,
    EVENT_TYPE = 9,
    EVENT_NAME_IID = 10,
    EVENT_TRACK_UUID = 11,
    EVENT_CATEGORIES = 22,
    EVENT_NAME = 23,
    EVENT_SOURCE_LOCATION_IID = 34,

    LEGACY_PHASE = 2,
    LEGACY_UNSCOPED_ID = 6,
    LEGACY_BIND_TO_ENCLOSING = 12,

    ANNOTATION_NAME_IID = 1,
    ANNOTATION_BOOL = 2,
    ANNOTATION_UINT = 3,
    ANNOTATION_STRING = 6,
    ANNOTATION_NAME = 10,

    INTERNED_CATEGORIES = 1,
    INTERNED_NAMES = 2,
    INTERNED_ANNOTATION_NAMES = 3,
    INTERNED_SOURCE_LOCATIONS = 4,
    INTERNED_IID = 1, /* in each of them */
    INTERNED_NAME = 2,
    LOCATION_FILE = 2,
    LOCATION_FUNCTION = 3,
    LOCATION_LINE = 4,

    DESCRIPTOR_UUID = 1,
    DESCRIPTOR_PROCESS = 3,
    DESCRIPTOR_THREAD = 4,
    DESCRIPTOR_RANK = 12,
    DESCRIPTOR_PROCESS_ORDERING = 19,
    DESCRIPTOR_THREAD_ORDERING = 20,
    PROCESS_PID = 1,
    PROCESS_NAME = 6,
    PROCESS_LABELS = 8,
    THREAD_PID = 1,
    THREAD_TID = 2,
    THREAD_NAME = 5,
};

enum { SEQUENCE_STATE_CLEARED = 1 };
enum { ORDERING_EXPLICIT = 1 };
enum { EVENT_TYPE_BEGIN = 1, EVENT_TYPE_END = 2, EVENT_TYPE_INSTANT = 3 };

/* REALTIME is CLOCK_REALTIME. BOOTTIME is what all times of a trace become; here it is ns since the
 * timeline's zero. From 64 on they belong to one sequence: TRACK counts from packet to packet. */
enum { CLOCK_REALTIME_ID = 1, CLOCK_BOOTTIME_ID = 6, CLOCK_TRACK_ID = 64 };

/* iids of what every track's sequence interns first. */
enum { CATEGORY_C = 1, CATEGORY_MTRACE };
enum { ANNOTATION_OPEN = 1, ANNOTATION_EXCEPTION, ANNOTATION_REPAIRED };

/* Each track has a packet sequence of its own; what is of no track in particular has the one behind. */
static inline uint32_t mt__perfetto_sequence(uint32_t track)
{
    return track + 1;
}

/* ------------------------------------------------------------------------- perfetto_meta.c */

/* The wall clock, and names and order of all processes and tracks. */
enum mt_status mt__perfetto_metadata(const struct mt_timeline *timeline, struct mt_buf *out);

/* Numbers that stay the same whatever else is in the timeline. Images of one process have one number,
 * and so have tracks that share (pid, tid). */
uint64_t mt__perfetto_process_uuid(const struct mt_timeline *timeline, uint32_t process);
uint64_t mt__perfetto_track_uuid(const struct mt_timeline *timeline, uint32_t track_idx);

/* ------------------------------------------------------------------------- perfetto_rare.c */

/* Opens a packet of a sequence, as mt__proto_open. */
size_t mt__perfetto_open(struct mt_buf *out, uint32_t sequence);

/* What comes before a run's events: from where its clock counts. In the track's first run also all that
 * its sequence needs. */
void mt__perfetto_run_head(struct mt_buf *out, const struct mt_run *run);

/* The event as a packet, `delta_ns` after the one before. */
void mt__perfetto_lost(struct mt_buf *out, uint32_t sequence, uint64_t delta_ns,
                       const struct mt_event_lost *lost);

/* What comes after all events: losses of threads that could not write so into their own records, and
 * arrows. */
void mt__perfetto_outcome(struct mt_buf *out, const struct mt_timeline *timeline,
                          const struct mt_outcome *outcome);

#endif /* MT_SINK_PERFETTO_H_ */
