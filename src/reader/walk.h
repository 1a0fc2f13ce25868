/* walk.h - the inside of a walk: walk.c finds the records, emit.c makes balanced events of them. */
#ifndef MT_READER_WALK_H_
#define MT_READER_WALK_H_

#include "reader/set.h"
#include "reader/stack.h"

/* A run has about this many events: enough to make calls cheap, few enough for the L1 cache. */
#define MT__RUN_EVENTS 1024u
/* Losses in one run; their details lie beside the events. */
#define MT__RUN_LOSSES 32u

struct mt_walk {
    struct mt_set *set;
    unsigned needs;
    enum mt_status status;

    uint32_t track;
    bool first; /* no run of this track was given out yet */
    bool over;  /* the last one was */

    /* Where: a record of a chunk of a thread of a file. */
    uint32_t segment, segments_end;
    struct mt__file *file; /* of the segment; NULL: none yet */
    struct mt__input input; /* open on it */
    uint32_t chunk, chunks_end; /* the next one of the thread */
    uint32_t next_seq;          /* that it should have */
    uint64_t chunk_offset;      /* of the one in `words` */
    uint64_t *words;
    size_t words_capacity; /* enough for any chunk of the file */
    uint32_t n_words, at;

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

    /* Arrows. */
    int64_t next_flow_ns;  /* from here on there is something to do */
    uint32_t flow, flows_end; /* those that leave the track */
    uint32_t flow_in;      /* arrives here and was not given out yet, or MT_NONE */
    uint8_t *flow_placed;  /* by flow: its start was given out */

    /* The run that is being made. */
    struct mt_event *events;
    size_t n_events, events_capacity; /* capacity >= MT__RUN_EVENTS + 1 */
    struct mt_event_lost losses[MT__RUN_LOSSES];
    uint32_t n_losses;
};

/* emit.c. All of them need now_ns to be the record's time. */

/* A record of a call (mt__kind_has_func). */
void mt__emit_call(struct mt_walk *walk, uint32_t kind, uint32_t id);
/* Events are missing from now on, until until_ns. n_events 0: not known. */
void mt__emit_lost(struct mt_walk *walk, const struct mt_event_lost *lost);
/* The open calls are stated anew, `depth` of them. */
void mt__emit_resync(struct mt_walk *walk, uint64_t depth);
/* Arrows that are due by now_ns; called when that has reached next_flow_ns. */
void mt__emit_flows(struct mt_walk *walk);
/* The track is over. */
void mt__emit_end(struct mt_walk *walk);

#endif /* MT_READER_WALK_H_ */
