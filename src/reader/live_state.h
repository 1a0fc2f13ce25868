/* live_state.h - what is inside of a struct mt_live.
 *
 *   live.c         the order of an update; what it may read, and who gets how much of that
 *   live_dir.c     the directory: files that are new, and those that are gone
 *   live_process.c which files are one process, and whether it exists
 *   live_file.c    a growing file: its chunks, its clock; what is kept when it is over
 *   live_defs.c    its definitions
 *   live_view.c    what the caller is shown
 *   live_read.c    which records of a thread are read: all that are new, or a sample
 *   live_records.c what they say
 *   live_stack.c   the open calls, also where their begins were not read yet
 *   live_window.c  functions over the last updates
 */
#ifndef MT_READER_LIVE_STATE_H_
#define MT_READER_LIVE_STATE_H_

#include <time.h>

#include "base/map.h"
#include "mtrace/live.h"
#include "reader/input.h"
#include "reader/names.h"
#include "reader/parse.h"

/* ---------------------------------------------------------------------------- live_stack.c */

/* The calls that are open at some record of a thread, read from some chunk's beginning up to there.
 *
 * What was open at that beginning is not known. It lies below `calls`, and ends[i] is a record which
 * ended the then innermost of it: ends[0] the first. Reading the chunk before, the calls open at its
 * end are what lies there; ends take from them, what is left goes below `calls` (mt__live_join). */
struct mt__live_stack {
    uint32_t *calls; /* ids, outermost first */
    size_t n_calls, calls_capacity;
    uint32_t *ends; /* ids */
    size_t n_ends, ends_capacity;
    bool complete; /* nothing was open at that beginning, or all of it is in `calls` */
    bool lost;     /* events were lost; a RESYNC will follow */
};

/* Deeper calls, as a damaged file may have, are not kept: the stack is never complete then. */
#define MT__LIVE_MAX_DEPTH (1u << 20)

void mt__live_stack_fini(struct mt__live_stack *stack);
void mt__live_stack_reset(struct mt__live_stack *stack, bool complete);
/* Gives back room that is not used. */
void mt__live_stack_trim(struct mt__live_stack *stack);
/* MT_NOMEM. */
enum mt_status mt__live_stack_copy(struct mt__live_stack *to, const struct mt__live_stack *from);
/* MT_NOMEM. */
enum mt_status mt__live_push(struct mt__live_stack *stack, uint32_t id);
/* An end that does not match the innermost call. *below: it ended a call that began earlier. */
enum mt_status mt__live_end_slow(struct mt__live_stack *stack, uint32_t id, bool *below);
/* Takes calls from words[0..n_words) as long as they begin and end as expected; returns how many words. */
uint32_t mt__live_take_calls(struct mt__live_stack *stack, const uint64_t *words, uint32_t n_words);
/* `stack` goes on where `before` stops; `before` is used up. */
enum mt_status mt__live_join(struct mt__live_stack *stack, struct mt__live_stack *before);

/* ----------------------------------------------------------------- live_file.c, live_defs.c */

/* What a function has of the interval, of the thread that is being read. */
struct mt__live_sum {
    uint64_t ticks;
    uint32_t n_calls;
    bool touched;
};

/* The functions of a file; `slot` is an index into these arrays. The first ones are special. */
struct mt__live_funcs {
    uint32_t *funcs; /* index into names */
    size_t n, funcs_capacity;
    struct mt__live_sum *sums;
    size_t sums_capacity;
    uint32_t *slot_of; /* of id base + i; 0: none */
    size_t n_slot_of, slot_of_capacity;
    uint32_t base;
    struct mt_map sparse;    /* of other ids */
    struct mt_map string_of; /* id -> index into strings */
    struct mt_text *strings;
    size_t n_strings, strings_capacity;
    uint32_t *touched; /* slots whose sums are not zero */
    size_t n_touched, touched_capacity;
};
enum { MT__LIVE_UNKNOWN, MT__LIVE_UNNAMED, MT__LIVE_BELOW, MT__LIVE_N_SPECIAL };

struct mt__live_chunk {
    uint64_t offset;
    uint64_t start_tick;
    uint32_t n_words;
};

struct mt__live_thread {
    uint32_t number, tid;
    struct mt__live_chunk *chunks;
    size_t n_chunks, chunks_capacity;
    struct mt_text name;
    uint64_t name_tick;

    size_t chunk; /* the next record to read: word `at` of this chunk */
    uint32_t at;
    uint64_t tick;        /* of the last record read */
    uint64_t last_tick;   /* the same, of a call; 0: none yet */
    uint64_t sum_tick;    /* up to here time was added up */
    uint32_t n_reopening; /* so many begins are of calls that began earlier */
    struct mt__live_stack stack;
    size_t back; /* the stack was read from the beginning of this chunk on */
    /* All calls that are open at the beginning of chunk `anchor_chunk`: what was read before records
     * were left out, or none where the thread begins. Going backwards ends there. */
    struct mt__live_stack anchor;
    size_t anchor_chunk;
    bool anchored;

    /* Of the interval. */
    uint64_t n_calls;
    uint64_t below_ticks;   /* in the call below stack.calls, which has not ended since */
    uint64_t covered;       /* ticks that were looked at */
    uint64_t n_new, n_read; /* words */
    bool active;            /* something was recorded */
    bool started;           /* an interval was read */
    bool went_on;           /* in a later file of its process */
};

struct mt__live_def_chunk {
    uint64_t offset;
    uint32_t n_words, at;
};

struct mt__live_file {
    char *path;       /* NULL: gone */
    uint64_t inode;   /* as the directory says */
    uint32_t n_lists; /* the listing that had it last */
    struct mt__source source;
    struct mt__input input; /* open during an update */
    bool known;             /* the header was read, and the file is wanted */
    bool unwanted;          /* of another run, or no trace */
    bool denied;            /* cannot be opened, now */
    bool broken;            /* nothing can be found behind index_end */
    bool over;              /* nothing more will come; see mt__live_file_release */
    uint64_t over_ns;       /* since then */
    uint32_t process;       /* index */
    uint32_t next;          /* file of the process, of a larger part, or MT_NONE */
    uint32_t n_retries;     /* of definitions, in this update */
    uint64_t n_bytes, n_bytes_before;
    /* Of the header. */
    uint8_t file_id[16];
    uint32_t part, flags, loss_reason, tick_shift;
    uint64_t n_lost;
    uint64_t index_end;
    struct mt__live_thread **threads;
    size_t n_threads, threads_capacity;
    struct mt_map thread_of; /* number -> index */
    struct mt__live_def_chunk *def_chunks;
    size_t n_def_chunks, def_chunks_capacity, def_chunk;
    struct mt__live_funcs funcs;
    struct mt_text name; /* of the process */
    uint64_t name_tick;
    struct mt_clock_pair first_pair, pair; /* the header's, the latest */
    double ns_per_tick;
};

struct mt_live;
/* Opens it and reads the header into *header. False: there is nothing to read, now. */
bool mt__live_file_open(struct mt_live *live, struct mt__live_file *file,
                        struct mt_file_header *header);
void mt__live_file_fini(struct mt__live_file *file);
/* The file is over: frees all but the threads and their open calls, which are indexes into the
 * names from now on. */
void mt__live_file_release(struct mt_live *live, struct mt__live_file *file);
/* There is no such file any more: its name may be another one's, and its threads are not known. */
void mt__live_file_gone(struct mt_live *live, struct mt__live_file *file);
/* Drops threads; but_open: those without open calls. Only of a file that is over. */
void mt__live_file_drop_threads(struct mt__live_file *file, bool but_open);
/* The thread of that number, made if it is new. NULL: no memory. */
struct mt__live_thread *mt__live_thread_at(struct mt__live_file *file, uint32_t number,
                                           uint32_t tid);
/* Finds chunks that are new, at most *budget, which is reduced. MT_NOMEM. */
enum mt_status mt__live_file_index(struct mt__live_file *file, uint32_t *budget);
void mt__live_funcs_fini(struct mt__live_funcs *funcs);
/* Reads definitions that are new. MT_NOMEM. */
enum mt_status mt__live_file_defs(struct mt_live *live, struct mt__live_file *file);
/* What no clock can say is as far away as 146 years. */
static inline uint64_t mt__live_clamped(double value)
{
    return value <= 0 ? 0 : value >= 0x1p62 ? UINT64_C(1) << 62 : (uint64_t)value;
}
uint64_t mt__live_tick(const struct mt__live_file *file, uint64_t ns);
uint64_t mt__live_ns(const struct mt__live_file *file, uint64_t tick);
/* MT__LIVE_UNKNOWN: no definition. */
static inline uint32_t mt__live_slot(const struct mt__live_funcs *funcs, uint32_t id)
{
    if (id - funcs->base < funcs->n_slot_of)
        return funcs->slot_of[id - funcs->base];
    const uint32_t *slot = mt_map_find(&funcs->sparse, id);
    return slot ? *slot : id == MT_ID_UNKNOWN ? MT__LIVE_UNNAMED : MT__LIVE_UNKNOWN;
}

/* ----------------------------------------------------------------------------- live_read.c */

/* Words of a thread that are new, but for those of its last chunk. */
uint64_t mt__live_backlog(const struct mt__live_thread *thread);
/* Reads what is new of a thread, of its backlog about n_words; with `through` the rest of it too, but
 * for the open calls alone. MT_NOMEM. */
enum mt_status mt__live_read(struct mt_live *live, struct mt__live_file *file,
                             struct mt__live_thread *thread, uint64_t n_words, bool through);
/* Whether more of the open calls can be found. */
bool mt__live_can_go_back(const struct mt__live_thread *thread);
/* Reads one chunk more backwards; *n_words is reduced by its words. MT_NOMEM. */
enum mt_status mt__live_read_back(struct mt_live *live, struct mt__live_file *file,
                                  struct mt__live_thread *thread, uint64_t *n_words);
/* Time up to now, and hands all that was added up to the window. MT_NOMEM. */
enum mt_status mt__live_settle(struct mt_live *live, struct mt__live_file *file,
                               struct mt__live_thread *thread);

/* --------------------------------------------------------------------------- live_window.c */

struct mt__live_entry {
    uint32_t process;
    struct mt_live_function sum;
};

struct mt__live_slice { /* of one update */
    struct mt__live_entry *entries;
    size_t n, capacity;
    uint64_t dur_ns;
};

struct mt__live_window {
    struct mt__live_slice *slices; /* the newest last */
    size_t n_slices, slices_capacity;
    struct mt_live_function *rows; /* the answer to the last question */
    size_t n_rows, rows_capacity;
    uint32_t *row_of; /* of each function: index + 1 */
    size_t row_of_capacity;
};
void mt__live_window_fini(struct mt__live_window *window);
/* Begins the slice of an update. MT_NOMEM. */
enum mt_status mt__live_window_next(struct mt__live_window *window, uint64_t dur_ns,
                                    uint64_t window_ns);
enum mt_status mt__live_window_add(struct mt__live_window *window, uint32_t process,
                                   const struct mt_live_function *sum);
uint64_t mt__live_window_ns(const struct mt__live_window *window);

/* ------------------------------------------------------------------------------------ live.c */

/* How much is read at a time; more than any record has. */
#define MT__LIVE_READ_WORDS 8192u

struct mt__live_process {
    uint32_t first_file; /* the others behind it by `next` */
    uint32_t former;     /* process with the same pid and start: another image; or MT_NONE */
    /* Until it has ended, for the options' `state`; owned. */
    struct mt_file_header *header;
    uint64_t start_time, pid_ns;
    uint8_t boot_id[16];
    uint32_t pid, ppid, image;
    struct mt_text program, host;
    uint64_t last_ns; /* of the last record that was shown */
    enum mt_live_state state;
    bool replaced; /* by exec, or by another recording */
    bool ended;    /* before the files were listed, so all of them are known */
    bool settled;  /* its view is the last one: nothing changes any more */
};

/* -------------------------------------------------------- live_dir.c, live_process.c, live_view.c */

/* Adds the files that are new to `files` and `active`. MT_NOMEM; MT_IO, MT_DENIED. */
enum mt_status mt__live_list(struct mt_live *live, struct mt_error *error);
/* Asks which processes exist. */
void mt__live_ask(struct mt_live *live);
/* Finds the process of a file that is new. MT_NOMEM. */
enum mt_status mt__live_place(struct mt_live *live, uint32_t file,
                              const struct mt_file_header *header);
/* Makes the view. MT_NOMEM. */
enum mt_status mt__live_make_view(struct mt_live *live);

struct mt_live {
    struct mt_live_options options;
    uint8_t run_id[16];
    struct mt__names names;
    struct mt__live_file **files;
    size_t n_files, files_capacity;
    uint32_t *active; /* files that may still change: indexes, in order */
    size_t n_active, active_capacity;
    struct mt_map file_of; /* hash of the name -> index; see live_dir.c */
    uint32_t n_lists;
    struct timespec dir_time; /* of the last change that was seen, */
    uint64_t dir_since_ns;    /* since then */
    uint64_t listed_ns;
    struct mt__live_process *processes;
    size_t n_processes, processes_capacity;
    struct mt_map process_of; /* hash of what identifies it -> index of the latest image */
    struct mt__live_window window;
    uint64_t words[MT__LIVE_READ_WORDS];
    bool started;
    uint32_t n_updates;
    uint64_t since_ns, now_ns; /* the interval */

    uint32_t n_errors; /* files that are not active any more, and could not be read (on) */
    struct mt_live_view view;
    struct mt_live_process *view_processes;
    size_t view_processes_capacity;
    struct mt_live_thread *view_threads;
    size_t view_threads_capacity;
    struct place { /* of a thread of the view */
        uint32_t file, thread;
    } *places;
    size_t places_capacity;
};

#endif /* MT_READER_LIVE_STATE_H_ */
