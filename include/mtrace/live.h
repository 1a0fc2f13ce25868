/* live.h - a run while it goes on: what each thread is in now, what was hot in the last seconds.
 *
 *     struct mt_live *live;
 *     mt_live_new(&options, &live);
 *     for (;;) {
 *         mt_live_update(live, now_ns, &error);        every second or so
 *         const struct mt_live_view *view = mt_live_view(live);
 *         ... view->processes, view->threads, mt_live_stack(), mt_live_functions() ...
 *     }
 *
 * The growing files are read and nothing else; the processes do not notice. An update reads a limited
 * number of records: of threads that write more, it takes a sample of each part of the interval, and
 * the end. So counts and times are exact as long as view->n_words_read is view->n_words_new, and
 * estimates otherwise. What a thread is in now is always exact, but may be known in part only, from
 * the innermost call outwards, until as much of the file was read backwards as is needed.
 *
 * All times are CLOCK_MONOTONIC of the machine that recorded, in ns. Used by one thread at a time.
 */
#ifndef MTRACE_LIVE_H_
#define MTRACE_LIVE_H_

#include "mtrace/reader.h"

struct mt_live;

enum mt_live_state {
    MT_LIVE_ENDED,
    MT_LIVE_RUNNING,
    MT_LIVE_UNKNOWN, /* in a pid namespace that is not ours, say; taken for running */
};

struct mt_live_options {
    const char *directory;      /* borrowed; may have no trace yet, but must be there */
    const uint8_t *run_id;      /* 16 bytes, copied: only files of this run; NULL: all files */
    uint64_t window_ns;         /* how far mt_live_functions() looks back, in whole updates */
    uint64_t first_ns;          /* the first update looks back as far as this */
    uint64_t n_words_max;       /* an update reads about so many words of 8 bytes, */
    uint64_t n_words_max_first; /* and the first one so many */
    uint64_t n_words_calls;     /* and so many more, from which only the open calls are taken */
    /* Whether the process of that file exists. */
    enum mt_live_state (*state)(void *context, const struct mt_file_header *header);
    void *context;
};

struct mt_live_process {
    uint32_t pid;
    uint32_t ppid;
    uint32_t n_threads; /* with an open call */
    enum mt_live_state state;
    bool unfinished;      /* it has ended while calls were open */
    bool stopped;         /* recording was stopped in order */
    uint32_t loss_reason; /* enum mt_loss, the latest; if n_lost is not 0 */
    struct mt_text name;
    struct mt_text host;
    uint64_t n_lost;      /* events, since its beginning */
    uint64_t n_calls;     /* calls that began in the interval */
    uint64_t n_bytes;     /* of its files */
    uint64_t n_new_bytes; /* in the interval */
    uint64_t last_ns;     /* of its last record */
};

struct mt_live_thread {
    uint32_t process; /* index */
    uint32_t tid;
    uint32_t depth; /* known open calls */
    bool complete;  /* there are no others outside of these */
    bool idle;      /* in a C function, and nothing was recorded in the interval */
    bool losing;    /* its events are being lost */
    struct mt_text name;
    uint64_t n_calls; /* in the interval */
    uint64_t last_ns; /* of its last record; 0: it has none */
};

/* Valid until the next update. */
struct mt_live_view {
    const struct mt_live_process *processes; /* in the order in which they were found */
    const struct mt_live_thread *threads;    /* those of a process are neighbours */
    const struct mt_func *funcs;             /* indexes into it stay good */
    uint32_t n_processes;
    uint32_t n_threads;
    uint64_t now_ns;
    uint64_t interval_ns;  /* of the last update */
    uint64_t window_ns;    /* that mt_live_functions() spans */
    uint64_t n_words_new;  /* records of the interval, in words, */
    uint64_t n_words_read; /* and how many of them were read */
    uint32_t n_errors;     /* files that could not be read (on) */
};

/* MT_NOMEM. */
enum mt_status mt_live_new(const struct mt_live_options *options, struct mt_live **out);
void mt_live_free(struct mt_live *live); /* NULL is fine */

/* Reads what is new. MT_NOMEM; MT_IO, MT_DENIED if the directory cannot be listed. Faults of files
 * are counted. */
enum mt_status mt_live_update(struct mt_live *live, uint64_t now_ns, struct mt_error *error);
const struct mt_live_view *mt_live_view(const struct mt_live *live);

/* The open calls of a thread (an index into the view's), as functions, outermost first, at most
 * n_max of the innermost ones. Returns how many. */
uint32_t mt_live_stack(const struct mt_live *live, uint32_t thread, uint32_t *funcs,
                       uint32_t n_max);

/* A function in the last window_ns. */
struct mt_live_function {
    uint32_t func;    /* MT_NONE: calls that began before what was read */
    uint64_t self_ns; /* in it, and in no function that it called; of all threads */
    uint64_t idle_ns; /* of these, by idle threads */
    uint64_t n_calls;
};
/* Of one process (an index), or of all (MT_NONE); in no order. Valid until the next call here, or
 * update. MT_NOMEM. */
enum mt_status mt_live_functions(struct mt_live *live, uint32_t process,
                                 const struct mt_live_function **out, size_t *n);

#endif /* MTRACE_LIVE_H_ */
