/* reader.h - open trace files, alone or as a set, and iterate over what is in them.
 *
 *     struct mt_set *set;
 *     mt_set_new(&reporter, &set);
 *     mt_set_add(set, "app.17.trace");              any number of files and directories
 *     mt_set_finish(set);                           now the timeline is known
 *     const struct mt_timeline *timeline = mt_set_timeline(set);
 *     struct mt_walk *walk;
 *     mt_walk_new(set, 0, &walk);
 *     for (uint32_t i = 0; i < timeline->n_tracks; i++)
 *         for (mt_walk_start(walk, i); mt_walk_next(walk, &run);)
 *             ... run.events[0 .. run.n_events) ...
 *
 * A set is a snapshot: events that are recorded after mt_set_add are not in it. Files may grow, be
 * cut or vanish meanwhile. Nothing in a file is trusted; what could be read before a fault is used,
 * and the fault is reported. Memory grows with the number of chunks and of functions, not of events.
 *
 * Threads: a set may be used by one thread at a time until it is finished, and then by any number
 * of walks, each used by one thread at a time.
 */
#ifndef MTRACE_READER_H_
#define MTRACE_READER_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtrace/event.h"
#include "mtrace/format.h"
#include "mtrace/status.h"

/* ------------------------------------------------------------------------------------- errors */

#define MT_NO_OFFSET UINT64_MAX
#define MT_ERROR_MESSAGE_BYTES 320

/* What is wrong, with what, and where. */
struct mt_error {
    enum mt_status status; /* MT_OK: not an error but a note worth telling */
    const char *file;      /* borrowed from whoever named the file; NULL: no file in particular */
    uint64_t offset;       /* bytes from the file's start, or MT_NO_OFFSET */
    char message[MT_ERROR_MESSAGE_BYTES]; /* one sentence without file, offset and full stop */
};

/* Fills `error`, which may be NULL; returns `status`, so that it can be returned further. */
enum mt_status mt_error_set(struct mt_error *error, enum mt_status status, const char *file,
                            uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Who is told of errors and notes while a set is opened and walked; called on the thread that
 * called the reader. */
struct mt_reporter {
    void (*report)(void *context, const struct mt_error *error);
    void *context;
};

/* --------------------------------------------------------------------------------------- sets */

struct mt_set;

/* `reporter` may be NULL; it is copied. MT_NOMEM. */
enum mt_status mt_set_new(const struct mt_reporter *reporter, struct mt_set **out);
void mt_set_free(struct mt_set *set); /* NULL is fine */

/* Only files of this run (header.run_id) are taken from now on, others are passed over silently.
 * For whoever started the run and shares the directory with older traces. */
void mt_set_only_run(struct mt_set *set, const uint8_t run_id[16]);

/* Adds a file, or each *.trace file of a directory (a directory without one is reported). Faults
 * of files are reported, counted and not returned: MT_OK, or MT_NOMEM. */
enum mt_status mt_set_add(struct mt_set *set, const char *path);
/* Adds a file that is in memory; `data` and `name` are borrowed and must outlive the set. */
enum mt_status mt_set_add_memory(struct mt_set *set, const char *name, const void *data,
                                 size_t n_bytes);

/* Finds processes, parents, tracks and the clock. Nothing can be added afterwards. MT_NOMEM. */
enum mt_status mt_set_finish(struct mt_set *set);

/* Valid until mt_set_free; only after mt_set_finish. */
const struct mt_timeline *mt_set_timeline(const struct mt_set *set);

/* Calls `each` with the path of every *.trace file of a directory, in the order of their names, until
 * it returns something else than MT_OK, which is returned. MT_IO: the directory cannot be listed,
 * MT_GONE: it has none; `error` says so. MT_NOMEM. */
enum mt_status mt_each_trace(const char *directory,
                             enum mt_status (*each)(void *context, const char *path), void *context,
                             struct mt_error *error);

/* How many errors (not notes) were reported so far, by the set and by its walks. */
uint32_t mt_set_n_errors(const struct mt_set *set);

/* A file of a finished set, as far as it could be read. Files of a process are neighbours. */
struct mt_file_info {
    const char *path;                    /* as it was given or found */
    const struct mt_file_header *header; /* a copy; its texts end with a NUL */
    uint64_t n_bytes;                    /* of the file */
    uint32_t n_chunks;
    uint32_t n_threads;
    uint32_t n_defs;   /* code objects and C functions */
    uint32_t n_notes;  /* mt_set_note */
    uint32_t process;  /* index into the timeline's processes */
    uint64_t start_ns; /* of the timeline: when the file was made, or its first event */
    uint64_t end_ns;   /* the end of recording, or the last event */
};
uint32_t mt_set_n_files(const struct mt_set *set);
void mt_set_file(const struct mt_set *set, uint32_t file_idx, struct mt_file_info *out);

/* A sentence for the user that the recorder left in a file. */
struct mt_note_info {
    uint64_t ts_ns;
    uint32_t topic; /* enum mt_note */
    struct mt_text text;
};
void mt_set_note(const struct mt_set *set, uint32_t file_idx, uint32_t note_idx,
                 struct mt_note_info *out);

/* ------------------------------------------------------------------------------------- slicing */

/* What of a set is wanted: whoever reads it afterwards, by walk or plan, sees no more than that. All
 * conditions must hold. Zeros ask for nothing. docs/slicing.md has the meaning of the edges.
 *
 * A glob is matched with the whole text: * is any part of it, also / and ., ? is one character, [a-z]
 * and [!a-z] are one of a set, \ takes the next character as it is. */
struct mt_globs {
    const char *const *globs;
    size_t n; /* 0: everything */
};
struct mt_ids {
    const uint32_t *ids;
    size_t n; /* 0: all */
};
struct mt_slice {
    uint64_t from_ns;         /* of the timeline; what is open there begins there */
    uint64_t to_ns;           /* what is open there ends there; above from_ns, or 0: no end */
    uint64_t min_duration_ns; /* shorter calls are left out, with all they contain */
    uint32_t max_depth;       /* calls within so many shown ones are left out; 0: none is */
    struct mt_ids pids;       /* as shown: mt_process.pid, mt_track.tid */
    struct mt_ids tids;
    struct mt_globs processes; /* by name */
    struct mt_globs threads;
    /* By name, "owner.name", or the file's path, whole or behind any of its slashes. A function
     * is shown if one of `include` matches, or there is none, and none of `exclude`; what it calls moves up. */
    struct mt_globs include;
    struct mt_globs exclude;
};

/* For a finished set of which nothing was read yet, once. What matches nothing is noted. The slice is
 * not needed afterwards. The timeline stays as it is, but for `left_out` (event.h) and for losses that
 * are not in the slice. mt_counts are of what had to be read, also where it is not shown.
 * MT_NOMEM. */
enum mt_status mt_set_slice(struct mt_set *set, const struct mt_slice *slice);

/* -------------------------------------------------------------------------------------- walks */

/* What a walk met on a track. Every field is a plain sum, so tracks can be added up. */
struct mt_counts {
    uint64_t n_events;       /* records of calls, without those of calls that began earlier */
    uint64_t n_python_calls; /* begins; resumed and reopened calls are not counted */
    uint64_t n_c_calls;
    uint64_t n_unfinished;    /* calls that were open at the end */
    uint64_t n_lost;          /* as the thread's own records say */
    uint64_t n_losses;        /* how many times events were lost, and parts of files missing */
    uint64_t n_repaired;      /* calls that must have ended, but no record says so */
    uint64_t n_dropped;       /* ends without a call */
    uint64_t n_unknown_ids;   /* records whose function has no definition */
    uint64_t n_unknown_kinds; /* records that this reader had to skip */
};
void mt_counts_add(struct mt_counts *sum, const struct mt_counts *counts);

/* ---- one thread: everything, track by track */

/* A walk's `needs` are those of the sink it feeds (event.h). MT_NOMEM. */
struct mt_walk;
enum mt_status mt_walk_new(struct mt_set *set, unsigned needs, struct mt_walk **out);
void mt_walk_free(struct mt_walk *walk); /* NULL is fine */

/* Begins with a track from its start. */
void mt_walk_start(struct mt_walk *walk, uint32_t track);
/* The next run; false when the track is over. Events are valid until the next call. */
bool mt_walk_next(struct mt_walk *walk, struct mt_run *run);
/* Of the current track so far. */
const struct mt_counts *mt_walk_counts(const struct mt_walk *walk);
/* MT_NOMEM if a track was cut short for it. Faults of files are reported, not returned. */
enum mt_status mt_walk_status(const struct mt_walk *walk);
/* What a sink is told at its end, of the tracks walked so far. Valid until the walk goes on. */
const struct mt_outcome *mt_walk_outcome(struct mt_walk *walk);

/* ---- several threads: pieces of tracks
 *
 *     struct mt_plan plan;      the order of the work: plan.steps[0 .. plan.n_steps)
 *     struct mt_flows *flows;   one, shared by all cursors
 *     struct mt_cursor *cursor; one for each track
 *     struct mt_desk *desk;     one for each thread
 *
 * A step is one piece of its track. The steps of a track are taken in their order and not at the same
 * time, by any threads; those of different tracks at any time. A run lies on the desk, so what
 * is done with it may go on while another thread takes the track's next step with another desk. */

struct mt_step {
    uint32_t track;
    uint32_t n_words; /* of the file, at most: how long it takes */
};
struct mt_plan {
    struct mt_step *steps; /* by time, or track by track where WHOLE_TRACKS was asked for */
    size_t n_steps;
};
/* MT_NOMEM. */
enum mt_status mt_plan_init(struct mt_plan *plan, const struct mt_set *set, unsigned needs);
void mt_plan_fini(struct mt_plan *plan);

/* Where the arrows are, as far as cursors have met their ends. */
struct mt_flows;
enum mt_status mt_flows_new(const struct mt_set *set, struct mt_flows **out);
void mt_flows_free(struct mt_flows *flows); /* NULL is fine */
/* Those of which both ends were met; all cursors must be done. Valid until mt_flows_free. */
const struct mt_flow *mt_flows_settled(struct mt_flows *flows, size_t *n);

/* The buffers of one thread. MT_NOMEM. */
struct mt_desk;
enum mt_status mt_desk_new(const struct mt_set *set, struct mt_desk **out);
void mt_desk_free(struct mt_desk *desk); /* NULL is fine */

/* A place on a track, and the calls that are open there. MT_NOMEM. */
struct mt_cursor;
enum mt_status mt_cursor_new(struct mt_set *set, uint32_t track, unsigned needs,
                             struct mt_flows *flows, struct mt_cursor **out);
void mt_cursor_free(struct mt_cursor *cursor); /* NULL is fine */
/* The next piece; false when the track is over (a track may have fewer pieces than the plan has
 * steps for it). The run is valid until the desk is used again. */
bool mt_cursor_next(struct mt_cursor *cursor, struct mt_desk *desk, struct mt_run *run);
const struct mt_counts *mt_cursor_counts(const struct mt_cursor *cursor);
enum mt_status mt_cursor_status(const struct mt_cursor *cursor); /* as mt_walk_status */

/* Walks everything and adds it up. `per_track`, if not NULL, has room for every track. */
struct mt_set_stats {
    uint32_t n_files;
    uint32_t n_processes; /* images of one process count once */
    uint32_t n_threads;   /* tracks */
    uint64_t n_bytes;     /* of the files */
    uint64_t n_lost;      /* events */
    uint64_t dur_ns;      /* from the first event to the last */
    struct mt_counts counts;
};
enum mt_status mt_set_stats(struct mt_set *set, struct mt_set_stats *out,
                            struct mt_counts *per_track);

/* Whether repaired calls are those of greenlets (gevent, eventlet), which share the track of their
 * thread: then they seem to nest in another, and their times are mixed up. */
bool mt_timeline_mixes_greenlets(const struct mt_timeline *timeline, uint64_t n_repaired);

/* ------------------------------------------------------------------------------- single records */

/* A record as it is in the file, for `info --records` and tests. */
struct mt_record {
    uint64_t offset; /* of its first word in the file */
    uint64_t tick;   /* absolute */
    uint64_t ts_ns;
    uint32_t thread; /* number in the file */
    uint32_t tid;
    uint32_t kind; /* enum mt_kind; others are possible */
    uint32_t id;   /* MT_KIND_EXT: subtype and words */
    uint32_t n_payload;
    const uint64_t *payload;    /* valid during the call */
    const struct mt_func *func; /* NULL where the kind has none */
};

/* Calls `each` for every record of every thread of a file, thread by thread; stops when it returns
 * false. MT_OK, MT_NOMEM. */
enum mt_status mt_set_each_record(struct mt_set *set, uint32_t file_idx,
                                  bool (*each)(void *context, const struct mt_record *record),
                                  void *context);

/* --------------------------------------------------------------------------------------- check */

struct mt_check_result {
    bool empty; /* the process ended, or still is, before the file's header was complete */
    uint32_t n_chunks;
    uint32_t n_threads;
    uint32_t n_defs;
    uint64_t n_events;
    uint64_t n_lost;
};

/* Verifies one file strictly against format.h. MT_OK, or the first fault with its offset. */
enum mt_status mt_check_path(const char *path, struct mt_check_result *out, struct mt_error *error);
enum mt_status mt_check_memory(const char *name, const void *data, size_t n_bytes,
                               struct mt_check_result *out, struct mt_error *error);

/* Reads and validates only the header of a file; its texts end with a NUL. */
enum mt_status mt_read_header(const char *path, struct mt_file_header *out, struct mt_error *error);

#endif /* MTRACE_READER_H_ */
