/* top.h - the parts of `mtrace top`:
 *
 *   cmd_top.c     options; once, again and again, or on a terminal (watch.h)
 *   top_keys.c    what keys do
 *   top_rows.c    what is in a view: which rows, in which order
 *   top_text.c    views as lines of text, for a terminal or a file
 *   top_screen.c  one screen: head, view, selection, help
 *   top_json.c    the same for programs
 */
#ifndef MT_CLI_TOP_H_
#define MT_CLI_TOP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mtrace/live.h"

enum mt_top_mode { MT_TOP_PROCESSES, MT_TOP_THREADS, MT_TOP_FUNCTIONS, MT_TOP_N_MODES };

enum mt_top_sort {
    MT_TOP_BY_CALLS,
    MT_TOP_BY_SELF,
    MT_TOP_BY_BYTES,
    MT_TOP_BY_THREADS,
    MT_TOP_BY_DEPTH,
    MT_TOP_BY_LOST,
    MT_TOP_BY_PID,
    MT_TOP_BY_NAME,
    MT_TOP_N_SORTS
};

/* How long a process that has ended stays on the screen. */
#define MT_TOP_ENDED_NS UINT64_C(60000000000)

/* A row: an index into the view's processes, threads, or into `functions`. */
struct mt_top_row {
    uint32_t idx;
    uint64_t id; /* stays the same while the row moves; never 0 */
};

struct mt_top {
    struct mt_live *live;
    const struct mt_live_view *view;
    const char *directory;
    enum mt_top_mode mode;
    enum mt_top_sort sort[MT_TOP_N_MODES];
    bool reversed[MT_TOP_N_MODES];
    bool idle;             /* time of idle threads counts */
    bool all;              /* also what has ended long ago */
    uint32_t only_process; /* index, or MT_NONE */
    char filter[64];       /* part of a name; without regard to case */

    /* Of the terminal. */
    bool paused, helping, typing;
    int signal_number;                 /* what the key that it was left by stands for; 0: none */
    char typed[64];                    /* the filter before Enter */
    uint64_t selected[MT_TOP_N_MODES]; /* id; 0: the first row */
    size_t first[MT_TOP_N_MODES];      /* row on the screen */
    int n_columns, n_rows;
    int n_body; /* rows that the view has on the screen */

    /* What top_rows.c has found. */
    struct mt_top_row *rows;
    size_t n_rows_found, rows_capacity;
    const struct mt_live_function *functions;
    size_t n_functions;
    struct mt_buf name; /* scratch */
};

/* ---- top_rows.c */

/* Finds the rows of the present mode. MT_NOMEM. */
enum mt_status mt__top_find_rows(struct mt_top *top);
extern const char *const mt__top_mode_names[MT_TOP_N_MODES];
extern const char *const mt__top_sort_names[MT_TOP_N_SORTS];
/* By name; false: there is none, or the mode does not have it. */
bool mt__top_sort_named(enum mt_top_mode mode, const char *name, enum mt_top_sort *out);
/* The next one that the mode has. */
enum mt_top_sort mt__top_next_sort(enum mt_top_mode mode, enum mt_top_sort sort);
/* The row that is selected; 0 where there is none. */
size_t mt__top_selected(const struct mt_top *top);
/* Time that counts, of a function. */
static inline uint64_t mt__top_self(const struct mt_top *top, const struct mt_live_function *func)
{
    return top->idle ? func->self_ns : func->self_ns - func->idle_ns;
}
static inline double mt__top_per_second(uint64_t n, uint64_t dur_ns)
{
    return dur_ns ? (double)n * 1e9 / (double)dur_ns : 0;
}

/* ---- top_text.c: appended to `out` as clean text, no wider than `width` (0: any), without line end */

void mt__top_put_head(const struct mt_top *top, struct mt_buf *out);
void mt__top_put_titles(const struct mt_top *top, struct mt_buf *out);
void mt__top_put_row(struct mt_top *top, const struct mt_top_row *row, struct mt_buf *out);
/* A function as name and place; MT_NONE: what is not known. */
void mt__top_put_func(const struct mt_top *top, uint32_t func, bool place, struct mt_buf *out);
const char *mt__top_process_state(const struct mt_live_process *process);
/* Appends `text`, which is any bytes, as at most n_cells cells of a terminal, with `pad` exactly as many;
 * returns how many have text. */
size_t mt__top_put_cells(struct mt_buf *out, const char *text, size_t n_bytes, size_t n_cells,
                         bool pad);
/* All views, as they are now. MT_NOMEM. */
enum mt_status mt__top_put_all(struct mt_top *top, size_t width, struct mt_buf *out);

/* ---- top_screen.c */
enum mt_status mt__top_put_screen(struct mt_top *top, struct mt_buf *out);

/* ---- top_keys.c: false: leave */
bool mt__top_take_keys(struct mt_top *top, const char *bytes, size_t n_bytes);

/* ---- top_json.c: one object and a line end. MT_NOMEM. */
enum mt_status mt__top_put_json(struct mt_top *top, struct mt_buf *out);

/* ---- cmd_top.c, for `mtrace run --top` */

struct mt_top_run {
    const char *directory;
    const uint8_t *run_id;          /* 16 bytes */
    int fd;                         /* the terminal */
    int until_fd;                   /* can be read when the run is over */
    bool (*goes_on)(void *context); /* asked at each look */
    void *context;
};

/* Shows the run until it is over, does not go on, or the user leaves; *signal_number: by a key that stands
 * for this signal, or 0. */
int mt__top_show(const struct mt_top_run *run, int *signal_number);

#endif /* MT_CLI_TOP_H_ */
