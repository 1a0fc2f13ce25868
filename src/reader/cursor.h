/* cursor.h - the inside of cursors and desks: cursor.c finds the records, emit.c makes balanced events
 * of them.
 */
#ifndef MT_READER_CURSOR_H_
#define MT_READER_CURSOR_H_

#include "reader/set.h"
#include "reader/slice.h"
#include "reader/stack.h"

/* A piece is about this many words of one chunk: enough to make what is done once for each cheap, few
 * enough that its events are still in the L2 cache when the sink takes them. */
#define MT__PIECE_WORDS 4096u

/* Where one end of an arrow was not met. */
#define MT__NO_END UINT64_MAX

/* A cursor writes only the ends on its own track. */
struct mt_flows {
    struct mt_flow *flows; /* by index of the set's flows */
    struct mt_flow *settled;
    size_t n_flows;
};

/* A loss that an event of the run refers to. */
struct mt__loss {
    size_t event; /* index */
    struct mt_event_lost lost;
};

struct mt_desk {
    struct mt__file *file; /* that `input` is open on; NULL: none */
    struct mt__input input;
    uint64_t *words; /* words[0] is word `base` of the cursor's chunk */
    size_t words_capacity;
    uint32_t base, n_words;
    /* The run that is being made. */
    struct mt_event *events;
    size_t n_events, events_capacity;
    struct mt__loss *losses;
    size_t n_losses, losses_capacity;
    /* What is left of it (slice.c); where the set has no slice, nothing is in these. */
    struct mt_event *sliced;
    size_t n_sliced, sliced_capacity;
    struct mt__loss *sliced_losses;
    size_t n_sliced_losses, sliced_losses_capacity;
    struct mt__flow_mark *marks;
    size_t n_marks, marks_capacity;
};

struct mt_cursor {
    struct mt_set *set;
    struct mt_flows *flows;
    struct mt_desk *desk; /* while a piece is being read */
    unsigned needs;
    enum mt_status status;

    uint32_t track;
    bool first; /* no run of this track was given out yet */
    bool over;  /* the last one was */

    /* Where: a word of a chunk of a thread of a file. */
    uint32_t segment, segments_end;
    struct mt__file *file;      /* of the segment; NULL: none yet */
    uint32_t chunk, chunks_end; /* the next one of the thread */
    uint32_t next_seq;          /* that it should have */
    uint64_t chunk_offset;      /* of the one at hand */
    uint32_t n_words, at;       /* of it, and the next record's first */

    /* When. Times are int64_t here because a clock may give what is before zero. */
    uint64_t tick;
    const struct mt__clock_piece *piece; /* of the file's clock, near `tick` */
    int64_t now_ns;                      /* of the record at hand; never decreases */
    int64_t former_ns;                   /* of the record before */

    /* What is known of the track here. */
    struct mt__stack stack;
    uint64_t n_reopening; /* so many begins are of calls that began earlier */
    bool after_loss;      /* nothing was recorded since a loss at loss_ns */
    int64_t loss_ns;
    struct mt_counts counts;
    uint64_t *seen; /* a bit for each function; NULL unless MT_NEEDS_FIRST */

    /* Arrows. */
    int64_t next_flow_ns;     /* from here on there is something to do */
    uint32_t flow, flows_end; /* those that leave the track */
    uint32_t flow_in;         /* arrives here and was not met yet, or MT_NONE */

    /* The slice. */
    const struct mt__slice *slice; /* the set's, or NULL where all events are shown */
    bool cut_short;                /* what there is of the track behind the slice is not read */
    struct mt__slicing slicing;
};

/* Puts a cursor, all zeros or used before, at the start of a track. MT_NOMEM. */
enum mt_status mt__cursor_init(struct mt_cursor *cursor, struct mt_set *set, uint32_t track,
                               unsigned needs, struct mt_flows *flows);
void mt__cursor_fini(struct mt_cursor *cursor);

/* common.c: takes records from the desk as long as they are calls that begin and end as expected. */
void mt__decode_common(struct mt_cursor *cursor);

/* emit.c. All of them need now_ns to be the record's time. */

/* A record of a call (mt__kind_has_func). */
void mt__emit_call(struct mt_cursor *cursor, uint32_t kind, uint32_t id);
/* Events are missing from now on, until until_ns. n_events 0: not known. */
void mt__emit_lost(struct mt_cursor *cursor, const struct mt_event_lost *lost);
/* The open calls are stated anew, `depth` of them. */
void mt__emit_resync(struct mt_cursor *cursor, uint64_t depth);
/* Arrows that are due by now_ns; called when that has reached next_flow_ns. */
void mt__emit_flows(struct mt_cursor *cursor);
/* The track is over. */
void mt__emit_end(struct mt_cursor *cursor);

#endif /* MT_READER_CURSOR_H_ */
