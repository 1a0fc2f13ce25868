/* slice.h - what is left out of a set (struct mt_slice): rules made once by slice_rules.c, and what a
 * cursor keeps of its track between two runs for slice.c.
 */
#ifndef MT_READER_SLICE_H_
#define MT_READER_SLICE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtrace/reader.h"

struct mt_cursor;
struct mt_desk;
struct mt__chunk;
struct mt__file;

/* Constant once the set has it. */
struct mt__slice {
    int64_t from_ns;
    int64_t to_ns; /* INT64_MAX: no end */
    uint64_t min_ns;
    uint32_t max_depth;
    bool only_tracks;   /* all events of tracks that are not left out are shown */
    uint64_t *hidden;   /* a bit for each function; NULL: none is */
    uint64_t *alive_ns; /* by process: its last sign of life */
};
void mt__slice_free(struct mt__slice *slice); /* NULL is fine */

/* A call that is open where the slice stands. */
struct mt__slice_call {
    uint64_t begin_ns; /* not before the slice's */
    uint32_t func;
    uint16_t flags; /* of its BEGIN */
    bool is_shown;  /* by its function and its depth; short ones are found out later */
};

/* More that wait at a time become one. */
#define MT__MAX_WAITING_LOSSES 4

struct mt__waiting_loss {
    uint64_t ts_ns;
    size_t depth; /* so many of the open calls began before it */
    struct mt_event_lost lost;
};

/* A cursor's place in the slice. */
struct mt__slicing {
    enum { MT__SLICE_BEFORE, MT__SLICE_INSIDE, MT__SLICE_AFTER } state;
    struct mt__slice_call *calls; /* all that are open */
    size_t depth, capacity;
    size_t
        n_given; /* BEGINs of calls[0..n_given) were given out; calls[n_given], if any, is shown */
    size_t n_shown, n_shown_given; /* of them */
    struct mt__waiting_loss losses[MT__MAX_WAITING_LOSSES];
    size_t n_losses;
    /* Ends of arrows in calls of which it is not known yet whether they are long enough. */
    size_t first_flow, flows_end;
    uint32_t flow_in; /* or MT_NONE */
};

/* Where an arrow leaves or arrives, before it is known whether a call is shown there. */
struct mt__flow_mark {
    size_t event; /* index of the desk's event before which it is */
    uint64_t ts_ns;
    uint32_t flow;
    bool arrives;
};

/* Brings the desk's events into the slice. `at_end`: there are no more. Returns whether the track is
 * over in the slice. The cursor's status may become MT_NOMEM. */
bool mt__slice_run(struct mt_cursor *cursor, bool at_end);

/* slice_edges.c: the first of the desk's events, from `at` on, that is behind the moment. What ends just
 * then is before it, what begins just then is behind it. */
size_t mt__slice_edge(const struct mt_desk *desk, size_t at, int64_t ns);
/* Makes `slicing.calls` the functions of the calls that are open before the event `at`, from those that
 * the cursor has behind the last one. False: no memory. */
bool mt__slice_rewind(struct mt_cursor *cursor, size_t at);
/* Whether what is behind the slice is read, too. */
bool mt__slice_reads_on(const struct mt_set *set, uint32_t track);
/* Whether the slice ends before a chunk of the track, the one that should have `next_seq`. */
bool mt__slice_ends_before(const struct mt_set *set, uint32_t track, const struct mt__file *file,
                           const struct mt__chunk *chunk, uint32_t next_seq);

/* slice_match.c: * is any text, ? one byte, [a-z] one of these, [!a-z] none of these, \ takes the next
 * character as it is. */
bool mt__glob_matches(const char *glob, const struct mt_text *text);
/* The name, owner.name, or the file's path, whole or behind any of its slashes. */
bool mt__glob_matches_func(const char *glob, const struct mt_func *func);

#endif /* MT_READER_SLICE_H_ */
