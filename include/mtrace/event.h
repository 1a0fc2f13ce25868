/* event.h - decoded events: where the reader and the sinks meet, and nothing else.
 *
 * A timeline is what a set of trace files says, put in order: processes, their tracks (a track is
 * one thread of one process), the functions, and runs of events. The reader makes it, a sink turns
 * it into bytes, and a test can make one by hand.
 *
 * All times are ns since the timeline's zero, which is the earliest event of the set. What a sink
 * may rely on, because the reader repairs what it finds:
 *   - on a track, times never decrease; no time is above INT64_MAX;
 *   - on a track, an END always ends the innermost call that is open;
 *   - indexes into funcs, processes and tracks are in range;
 *   - texts are borrowed from the reader, end with a NUL that n_bytes does not count, and may hold
 *     anything else, also bytes that are not UTF-8.
 *
 * Arrows between processes are no events: an arrow has two ends on two tracks, which may be read at
 * the same time by different threads, and is known when both are. A sink gets all of them at its end.
 *
 * To add an event type: a line in enum mt_event_type, its member in struct mt_event where it needs
 * one, the place in src/reader/emit.c that makes it; sinks skip types that they do not know.
 */
#ifndef MTRACE_EVENT_H_
#define MTRACE_EVENT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "No such process", "no such track". */
#define MT_NONE UINT32_MAX

/* A borrowed text; never NULL. Empty: n_bytes is 0. */
struct mt_text {
    const char *data;
    uint32_t n_bytes;
};

enum mt_func_kind {
    MT_FUNC_PYTHON,
    MT_FUNC_C,
};

struct mt_func {
    struct mt_text name;  /* Python: the qualified name */
    struct mt_text owner; /* C: module or defining type; else empty */
    struct mt_text file;  /* Python: path, may be empty */
    uint32_t line;        /* of its first line */
    uint32_t kind;        /* enum mt_func_kind */
    uint32_t code_flags;  /* Python: co_flags */
};

/* Functions that are in every timeline: what stands for an id without a definition
 * ("(unknown)"), and for a call whose name could not be recorded ("(unnamed)"). */
enum mt_func_special {
    MT_FUNC_UNKNOWN_PYTHON,
    MT_FUNC_UNKNOWN_C,
    MT_FUNC_UNNAMED_PYTHON,
    MT_FUNC_UNNAMED_C,
    MT_N_FUNC_SPECIAL
};

/* One image (between two execs) of one process. Images of one process share `pid`. */
struct mt_process {
    uint32_t pid;      /* as shown; differs from real_pid where another process has that number */
    uint32_t real_pid; /* in its own pid namespace */
    uint32_t ppid;     /* as the kernel said */
    uint32_t image;
    uint32_t parent;      /* index of a process, or MT_NONE */
    uint32_t former;      /* index of the same process before exec, or MT_NONE */
    uint32_t first_track; /* its tracks are neighbours; their order is the one to show */
    uint32_t n_tracks;
    uint32_t first_file; /* index into the set's files (reader.h) */
    uint32_t n_files;
    struct mt_text name; /* the latest it gave itself, else its program's */
    struct mt_text
        host;          /* its name; "web1 (boot 2)" where several boots of a host are in the set */
    uint64_t start_ns; /* when recording began */
    uint64_t n_lost;   /* events, all threads, also those that have no track */
    uint64_t first_lost_ns; /* these three: only where n_lost is not 0 */
    uint64_t last_lost_ns;
    uint32_t loss_reason; /* the latest, enum mt_loss */
    bool left_out; /* by a slice (reader.h), with all its images and tracks: not to be shown */
};

/* One thread of one process. Two tracks of a process never share (pid, tid) unless the earlier one
 * is over and left no call open. */
struct mt_track {
    uint32_t process;
    uint32_t tid;        /* as shown */
    uint32_t real_tid;   /* the kernel's */
    uint32_t n_segments; /* in how many files it has records */
    struct mt_text name; /* the latest, may be empty */
    uint64_t first_ns;   /* of its first event */
    bool left_out;       /* by a slice: not to be shown, and there is no run of it */
};

struct mt_timeline {
    const struct mt_process *processes; /* parents before children, in the order to show */
    const struct mt_track *tracks;
    const struct mt_func *funcs; /* the first MT_N_FUNC_SPECIAL are the special ones */
    uint32_t n_processes;
    uint32_t n_tracks;
    uint32_t n_funcs;
    uint32_t n_hosts;      /* how many hosts and boots the set spans */
    uint64_t zero_real_ns; /* CLOCK_REALTIME at the timeline's zero */
};

enum mt_event_type {
    MT_EVENT_BEGIN = 1,  /* func; a call begins, or goes on (flags) */
    MT_EVENT_END,        /* func, dur_ns; the innermost call ends, or pauses (flags) */
    MT_EVENT_LOST,       /* lost; events are missing from here on */
    MT_EVENT_UNFINISHED, /* func; only for sinks that need pairs, after a track's last event,
                          * outermost first: a call that never ended, ts_ns is when it began */
};

#define MT_EVENT_REOPENED                                                                          \
    1u /* BEGIN and END: the call began earlier, see struct mt_resync_payload; or                  \
        * it was open already where a slice begins (reader.h) */
#define MT_EVENT_RESUME 2u    /* BEGIN: a generator or coroutine goes on; not a new call */
#define MT_EVENT_SUSPEND 4u   /* END: a generator or coroutine yields */
#define MT_EVENT_EXCEPTION 8u /* END: by an exception */
#define MT_EVENT_REPAIRED 16u /* END: no record says so, but the call must have ended by then */
#define MT_EVENT_FIRST 32u    /* BEGIN: the first of its function on its track (MT_NEEDS_FIRST) */
#define MT_EVENT_CUT 64u      /* END: the call goes on, but a slice ends here (reader.h) */

/* What MT_EVENT_LOST refers to. */
struct mt_event_lost {
    uint64_t n_events; /* 0: not known */
    uint64_t until_ns; /* when the last of them was lost; at least the event's ts_ns */
    uint32_t reason;   /* enum mt_loss; MT_LOSS_NONE: a part of the file is missing */
    uint32_t error;    /* errno, or 0 */
    const char *text;  /* the reason as a sentence without full stop */
};

struct mt_event {
    uint64_t ts_ns;
    union {
        uint64_t dur_ns;                  /* END: since its BEGIN on this track */
        const struct mt_event_lost *lost; /* LOST: valid until the sink's call returns */
    };
    uint32_t func;  /* index into the timeline's funcs */
    uint16_t flags; /* MT_EVENT_... */
    uint16_t type;  /* enum mt_event_type */
};

/* An arrow from the call that started a process to that process's first call. At both ends a call is
 * open, and from_ns is not after to_ns. */
struct mt_flow {
    uint32_t from_track;
    uint32_t to_track;
    uint64_t from_ns;
    uint64_t to_ns;
};

/* What is known when everything was read. */
struct mt_outcome {
    const struct mt_flow *flows; /* by from_track and from_ns */
    size_t n_flows;
    const uint64_t *n_lost_told; /* by process: what MT_EVENT_LOST of its tracks told */
};

/* What a sink needs beyond the balanced events of each track (sink.h, mt_walk_new). */
#define MT_NEEDS_PAIRS                                                                             \
    1u /* MT_EVENT_UNFINISHED; with END.dur_ns that is each call from both ends */
#define MT_NEEDS_FIRST 2u        /* MT_EVENT_FIRST */
#define MT_NEEDS_SERIAL 4u       /* runs of a track one after the other, see mt_sink.chunk */
#define MT_NEEDS_WHOLE_TRACKS 8u /* all runs of a track before those of the next, in their order */
#define MT_NEEDS_NO_ORDER                                                                          \
    16u /* chunk() writes nothing: tracks may take turns as it suits the threads */

/* Consecutive events of one track. */
struct mt_run {
    const struct mt_timeline *timeline;
    const struct mt_event *events;
    uint32_t n_events; /* may be 0 */
    uint32_t track;
    uint32_t worker; /* two runs with the same number are never handled at the same time */
    bool first;      /* the track begins, or ends, with this run */
    bool last;
};

#endif /* MTRACE_EVENT_H_ */
