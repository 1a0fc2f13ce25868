/* set.h - what is inside of a struct mt_set, for the files of the reader that build and walk it.
 *
 * A set is finished in this order, each step in its file:
 *   set.c      files are opened, one by one
 *   align.c    one clock for all of them, and the timeline's zero
 *   process.c  files -> processes, their parents, their order, their pids
 *   host.c     how the hosts are called
 *   track.c    threads -> tracks, their tids
 *   flow.c     where the arrows between processes begin and end
 */
#ifndef MT_READER_SET_H_
#define MT_READER_SET_H_

#include "base/map.h"
#include "reader/file.h"

/* The part of a track that is in one file. */
struct mt__segment {
    uint32_t file;   /* index into the set's files */
    uint32_t thread; /* index into the file's threads */
};

/* What only the reader knows of a track; beside struct mt_track. */
struct mt__track {
    uint32_t first_segment; /* its segments are neighbours, in the order of time */
    uint32_t n_segments;
    bool has_events;
    uint64_t last_ns;
    uint32_t first_flow; /* arrows that leave it are neighbours, by ts_ns */
    uint32_t n_flows;
    uint32_t flow_in; /* the arrow that arrives at its first event, or MT_NONE */
};

/* An arrow from a parent to its child. */
struct mt__flow {
    uint32_t from_track;
    uint32_t to_track;
    uint64_t ts_ns;       /* when it leaves */
    uint64_t deadline_ns; /* when it arrives */
};

struct mt_set {
    struct mt__trouble trouble;
    struct mt__names names;
    bool only_run;
    uint8_t run_id[16];
    bool finished;

    struct mt__file **files; /* after process.c: those of a process are neighbours, by part */
    size_t n_files, files_capacity;
    struct mt_map file_of; /* hash of file_id -> index into files */

    struct mt_process *processes;
    size_t n_processes, processes_capacity;
    struct mt_track *tracks;
    size_t n_tracks, tracks_capacity;
    struct mt__track *track_data; /* n_tracks */
    struct mt__segment *segments;
    size_t n_segments, segments_capacity;
    struct mt__flow *flows;
    size_t n_flows, flows_capacity;
    struct mt_timeline timeline;
    struct mt__slice *slice; /* what is left out; NULL: nothing */
};

/* Pids and tids that no kernel gives out (PID_MAX_LIMIT is 2^22): for those that cannot keep theirs. */
#define MT__FIRST_SYNTHETIC_ID ((UINT32_C(1) << 22) + 1)

bool mt__same_identity(const struct mt_file_header *a, const struct mt_file_header *b);
bool mt__same_boot(const struct mt_file_header *a, const struct mt_file_header *b);
/* The file with this id, or NULL. Zeros are no id. */
struct mt__file *mt__set_find_file(const struct mt_set *set, const uint8_t file_id[16]);
/* After the files were put into another order. */
void mt__set_refresh_file_ids(struct mt_set *set);
static inline bool mt__id_is_zero(const uint8_t id[16])
{
    for (int i = 0; i < 16; i++) {
        if (id[i])
            return false;
    }
    return true;
}

/* ns of the timeline at a tick of a file; 0 for what is before its zero. */
static inline uint64_t mt__file_ns(const struct mt__file *file, uint64_t tick)
{
    int64_t ns = mt__clock_ns(&file->clock, tick);
    return ns < 0 ? 0 : (uint64_t)ns;
}

/* When the file was last written to, as far as it says: a sign that its process was alive. */
uint64_t mt__file_end_ns(const struct mt__file *file);

/* The steps. MT_NOMEM. */
enum mt_status mt__set_count_hosts(struct mt_set *set);
enum mt_status mt__set_host_labels(struct mt_set *set);
enum mt_status mt__set_align(struct mt_set *set);
enum mt_status mt__set_processes(struct mt_set *set);
enum mt_status mt__set_tracks(struct mt_set *set);
enum mt_status mt__set_flows(struct mt_set *set);

/* How many calls a track leaves open. MT_NOMEM. */
enum mt_status mt__walk_open_calls(struct mt_set *set, uint32_t track, uint64_t *n_open);

#endif /* MT_READER_SET_H_ */
