/* perfetto_meta.c - names, order and numbers of processes and threads as Perfetto's track descriptors.
 * Called by sink_perfetto.c, once, before any event is written.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "sink/label.h"
#include "sink/perfetto.h"
#include "sink/proto.h"

/* ---------------------------------------------------------------------------------------- numbers */

static uint64_t process_hash(const struct mt_timeline *timeline, uint32_t idx)
{
    const struct mt_process *process = &timeline->processes[idx];
    uint64_t hash = mt_hash_bytes(process->host.data, process->host.n_bytes, 0);
    hash = mt_hash_u64(hash ^ ((uint64_t)process->real_pid << 32 | process->pid));
    return mt_hash_u64(hash ^ (timeline->zero_real_ns + process->start_ns));
}

/* 0 is the root of all tracks. */
static uint64_t uuid_of(uint64_t hash)
{
    return hash ? hash : 1;
}

uint64_t mt__perfetto_process_uuid(const struct mt_timeline *timeline, uint32_t process)
{
    while (timeline->processes[process].former != MT_NONE)
        process = timeline->processes[process].former;
    return uuid_of(process_hash(timeline, process));
}

uint64_t mt__perfetto_track_uuid(const struct mt_timeline *timeline, uint32_t track_idx)
{
    const struct mt_track *track = &timeline->tracks[track_idx];
    uint64_t hash = mt__perfetto_process_uuid(timeline, track->process);
    return uuid_of(mt_hash_u64(hash ^ mt_hash_u64((uint64_t)track->tid + 1)));
}

/* ------------------------------------------------------------------------------------ descriptors */

static void append_text(struct mt_buf *out, uint32_t field, struct mt_buf *text)
{
    mt__proto_text(out, field, text->data, text->n_bytes);
    out->failed |= text->failed;
    mt_buf_fini(text);
}

/* Its time as the trace's clock has it, so that the viewer can tell the time of day. */
static void wall_clock(struct mt_buf *out, const struct mt_timeline *timeline)
{
    const uint64_t clocks[][2] = {{CLOCK_BOOTTIME_ID, 0},
                                  {CLOCK_REALTIME_ID, timeline->zero_real_ns}};
    size_t packet = mt__perfetto_open(out, mt__perfetto_sequence(timeline->n_tracks));
    mt__proto_number(out, PACKET_SEQUENCE_FLAGS, SEQUENCE_STATE_CLEARED);
    size_t snapshot = mt__proto_open(out, PACKET_CLOCK_SNAPSHOT);
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        size_t clock = mt__proto_open(out, SNAPSHOT_CLOCKS);
        mt__proto_number(out, CLOCK_ID, clocks[i][0]);
        mt__proto_number(out, CLOCK_TIMESTAMP, clocks[i][1]);
        mt__proto_close(out, clock);
    }
    mt__proto_number(out, SNAPSHOT_PRIMARY_CLOCK, CLOCK_BOOTTIME_ID);
    mt__proto_close(out, snapshot);
    mt__proto_close(out, packet);
}

/* Descriptors are of no sequence: readers would take the last thread that is described on a sequence
 * for the one which all of the sequence is about. */

/* Ranks count. Viewers that do not know these fields sort by themselves. */
static void root_descriptor(struct mt_buf *out)
{
    size_t packet = mt__proto_open(out, TRACE_PACKET);
    size_t descriptor = mt__proto_open(out, PACKET_TRACK_DESCRIPTOR);
    mt__proto_number(out, DESCRIPTOR_UUID, 0);
    mt__proto_number(out, DESCRIPTOR_PROCESS_ORDERING, ORDERING_EXPLICIT);
    mt__proto_number(out, DESCRIPTOR_THREAD_ORDERING, ORDERING_EXPLICIT);
    mt__proto_close(out, descriptor);
    mt__proto_close(out, packet);
}

/* `named` is the process's last image, which has the names of all. */
static void process_descriptor(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t idx,
                               uint32_t named)
{
    const struct mt_process *process = &timeline->processes[idx];
    struct mt_buf label = {0};
    size_t packet = mt__proto_open(out, TRACE_PACKET);
    size_t descriptor = mt__proto_open(out, PACKET_TRACK_DESCRIPTOR);
    mt__proto_number(out, DESCRIPTOR_UUID, mt__perfetto_process_uuid(timeline, idx));
    size_t fields = mt__proto_open(out, DESCRIPTOR_PROCESS);
    mt__proto_number(out, PROCESS_PID, process->pid);
    mt__name_process(&label, timeline, named);
    append_text(out, PROCESS_NAME, &label);
    if (process->pid != process->real_pid) {
        mt_buf_printf(&label, "pid %u", process->real_pid);
        append_text(out, PROCESS_LABELS, &label);
    }
    if (timeline->n_hosts > 1) {
        mt_buf_append_text(&label, "host ");
        mt_buf_append(&label, process->host.data, process->host.n_bytes);
        append_text(out, PROCESS_LABELS, &label);
    }
    mt__proto_close(out, fields);
    mt__proto_number(out, DESCRIPTOR_RANK, idx);
    mt__proto_close(out, descriptor);
    mt__proto_close(out, packet);
}

/* `named` is a track of the same thread that has a name, if there is one. */
static void track_descriptor(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t idx,
                             uint32_t named)
{
    const struct mt_track *track = &timeline->tracks[idx];
    const struct mt_process *process = &timeline->processes[track->process];
    struct mt_buf label = {0};
    size_t packet = mt__proto_open(out, TRACE_PACKET);
    size_t descriptor = mt__proto_open(out, PACKET_TRACK_DESCRIPTOR);
    mt__proto_number(out, DESCRIPTOR_UUID, mt__perfetto_track_uuid(timeline, idx));
    size_t fields = mt__proto_open(out, DESCRIPTOR_THREAD);
    mt__proto_number(out, THREAD_PID, process->pid);
    mt__proto_number(out, THREAD_TID, track->tid);
    mt__name_track(&label, timeline, named);
    if (label.n_bytes)
        append_text(out, THREAD_NAME, &label);
    mt__proto_close(out, fields);
    mt__proto_number(out, DESCRIPTOR_RANK, idx - process->first_track);
    mt__proto_close(out, descriptor);
    mt__proto_close(out, packet);
}

/* `last` is of the first image of each process its last one. */
static void process_descriptors(struct mt_buf *out, const struct mt_timeline *timeline,
                                const uint32_t *last)
{
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        if (timeline->processes[i].former == MT_NONE && !timeline->processes[i].left_out)
            process_descriptor(out, timeline, i, last[i]);
    }
}

static bool describe_processes(struct mt_buf *out, const struct mt_timeline *timeline)
{
    size_t n = timeline->n_processes + (size_t)1;
    uint32_t *first = malloc(n * sizeof *first);
    uint32_t *last = malloc(n * sizeof *last);
    for (uint32_t i = 0; first && last && i < timeline->n_processes; i++) {
        uint32_t former = timeline->processes[i].former; /* it comes before */
        first[i] = former == MT_NONE ? i : first[former];
        last[first[i]] = i;
    }
    if (first && last)
        process_descriptors(out, timeline, last);
    bool good = first && last;
    free(first);
    free(last);
    return good;
}

static uint64_t thread_key(const struct mt_timeline *timeline, uint32_t track)
{
    uint32_t process = timeline->tracks[track].process;
    return (uint64_t)timeline->processes[process].pid << 32 | timeline->tracks[track].tid;
}

/* Tracks that share (pid, tid) are one to Perfetto, too: mostly the main thread before and after an
 * exec, which goes on within the call that did it. */
static bool describe_tracks(struct mt_buf *out, const struct mt_timeline *timeline)
{
    struct mt_map named = {0}; /* the last one with a name; MT_NONE: described */
    bool good = true;
    for (uint32_t i = 0; good && i < timeline->n_tracks; i++) {
        if (timeline->tracks[i].left_out)
            continue;
        uint32_t *track = mt_map_put(&named, thread_key(timeline, i), i, NULL);
        good = track;
        if (good && timeline->tracks[i].name.n_bytes)
            *track = i;
    }
    for (uint32_t i = 0; good && i < timeline->n_tracks; i++) {
        if (timeline->tracks[i].left_out)
            continue;
        uint32_t *track = mt_map_find(&named, thread_key(timeline, i));
        if (*track != MT_NONE)
            track_descriptor(out, timeline, i, *track);
        *track = MT_NONE;
    }
    mt_map_fini(&named);
    return good;
}

enum mt_status mt__perfetto_metadata(const struct mt_timeline *timeline, struct mt_buf *out)
{
    wall_clock(out, timeline);
    root_descriptor(out);
    bool good = describe_processes(out, timeline) && describe_tracks(out, timeline);
    return good && !out->failed ? MT_OK : MT_NOMEM;
}
