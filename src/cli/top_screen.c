/* top_screen.c - one screen of `mtrace top`: four lines of head, the rows, under those of threads the
 * selected one's open calls, and a line of keys. Called by cmd_top.c.
 *
 * Invariant: every line of the screen is written, so nothing of a former one is left.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/top.h"

#define HEAD_LINES 4
#define FOOT_LINES 1

#define NORMAL "\x1b[0m"
#define BOLD "\x1b[0;1m"
#define DIM "\x1b[0;2m"
#define REVERSE "\x1b[0;7m"

/* A screen of 24 lines of 80 columns has all of it. */
static const char help[] =
    "1 2 3, Tab      processes, threads, functions\n"
    "Up Down, k j    select a row; also Page Up, Page Down, Home, End\n"
    "Enter           only the selected process, or the process of the selected thread\n"
    "Esc             all processes again; then, no filter\n"
    "s               sort by the next column: calls, bytes, threads, self, ...\n"
    "r               the other way round\n"
    "/               filter: rows with that text in a name, path or open call\n"
    "i               also the time of idle threads: in a C function, without events\n"
    "a               all: also what ended a minute ago, threads without a call\n"
    "p, Space        pause the screen; the program does not notice\n"
    "h, ?            this help\n"
    "q, Ctrl-C       leave\n"
    "\n"
    "IN       the innermost call that is open now, and where it was called from\n"
    "…        open calls that began before what was read; DEPTH has a + then\n"
    "FOR      since the thread's last event\n"
    "SELF     in the function and in none that it called, of all threads\n"
    "sampled  more was written than is read: rates and times are estimates\n"
    "unfinished  it ended while calls were open: killed, os._exit, or exec\n";

struct lines {
    struct mt_buf *out;
    struct mt_buf text; /* of the line that is being made */
    int n_columns, n_rows, at;
};

/* Writes the text that was made as the next line. */
static void put_line(struct lines *lines, const char *style)
{
    if (lines->at < lines->n_rows) {
        mt_buf_printf(lines->out, "\x1b[%d;1H%s", lines->at + 1, style);
        mt__top_put_cells(lines->out, lines->text.data, lines->text.n_bytes,
                          (size_t)lines->n_columns, !strcmp(style, REVERSE));
        mt_buf_append_text(lines->out, NORMAL "\x1b[K");
        lines->at++;
    }
    mt_buf_clear(&lines->text);
}

static void put_head(struct mt_top *top, struct lines *lines)
{
    mt_buf_printf(&lines->text, "mtrace top  %s%s", top->directory,
                  top->paused ? "  (paused)" : "");
    put_line(lines, BOLD);
    mt__top_put_head(top, &lines->text);
    put_line(lines, NORMAL);
    for (unsigned mode = 0; mode < MT_TOP_N_MODES; mode++)
        mt_buf_printf(&lines->text, mode == top->mode ? "[%u %s] " : " %u %s  ", mode + 1,
                      mt__top_mode_names[mode]);
    mt_buf_printf(&lines->text, " by %s%s", mt__top_sort_names[top->sort[top->mode]],
                  top->reversed[top->mode] ? ", reversed" : "");
    if (top->mode == MT_TOP_FUNCTIONS)
        mt_buf_printf(&lines->text, ", last %.0f s%s", (double)top->view->window_ns / 1e9,
                      top->idle ? ", with idle" : "");
    if (top->filter[0] || top->typing)
        mt_buf_printf(&lines->text, "  filter: %s", top->typing ? top->typed : top->filter);
    if (top->only_process != MT_NONE)
        mt_buf_printf(&lines->text, "  process: %" PRIu32,
                      top->view->processes[top->only_process].pid);
    if (top->all)
        mt_buf_append_text(&lines->text, "  all");
    put_line(lines, NORMAL);
    mt__top_put_titles(top, &lines->text);
    put_line(lines, REVERSE);
}

static bool is_over(const struct mt_top *top, const struct mt_top_row *row)
{
    const struct mt_live_view *view = top->view;
    if (top->mode == MT_TOP_FUNCTIONS)
        return false;
    uint32_t process = top->mode == MT_TOP_PROCESSES ? row->idx : view->threads[row->idx].process;
    return view->processes[process].state == MT_LIVE_ENDED;
}

static void put_rows(struct mt_top *top, struct lines *lines, int n_lines)
{
    size_t selected = mt__top_selected(top), *first = &top->first[top->mode];
    size_t n_shown = n_lines > 0 ? (size_t)n_lines : 0;
    top->n_body = n_lines > 0 ? n_lines : 1;
    if (selected < *first)
        *first = selected;
    if (n_shown && selected >= *first + n_shown)
        *first = selected - n_shown + 1;
    if (*first + n_shown > top->n_rows_found)
        *first = top->n_rows_found > n_shown ? top->n_rows_found - n_shown : 0;
    for (size_t i = 0; i < n_shown; i++) {
        size_t row = *first + i;
        bool any = row < top->n_rows_found;
        if (any)
            mt__top_put_row(top, &top->rows[row], &lines->text);
        put_line(lines, !any                            ? NORMAL
                        : row == selected               ? REVERSE
                        : is_over(top, &top->rows[row]) ? DIM
                                                        : NORMAL);
    }
}

/* The open calls of the selected thread, outermost first, as many of the innermost as fit. */
static void put_stack(struct mt_top *top, struct lines *lines, uint32_t thread, int n_lines)
{
    enum { DEEPEST = 256 };
    uint32_t funcs[DEEPEST];
    const struct mt_live_thread *about = &top->view->threads[thread];
    uint32_t n_max = n_lines > 2 ? (uint32_t)n_lines - 2 : 0;
    uint32_t n = mt_live_stack(top->live, thread, funcs, n_max < DEEPEST ? n_max : DEEPEST);
    mt_buf_printf(&lines->text, "open calls of thread %" PRIu32 ", outermost first:", about->tid);
    put_line(lines, BOLD);
    if (about->depth > n)
        mt_buf_printf(&lines->text, "  … %" PRIu32 " more", about->depth - n);
    else
        mt_buf_append_text(&lines->text, about->losing      ? "  (events are being lost)"
                                         : !about->complete ? "  …"
                                         : !n               ? "  (none)"
                                                            : "");
    if (lines->text.n_bytes)
        put_line(lines, NORMAL);
    for (uint32_t i = 0; i < n; i++) {
        mt_buf_append_text(&lines->text, "  ");
        mt__top_put_func(top, funcs[i], true, &lines->text);
        put_line(lines, NORMAL);
    }
}

static void put_body(struct mt_top *top, struct lines *lines)
{
    int n_lines = lines->n_rows - HEAD_LINES - FOOT_LINES, n_below = 0;
    if (top->mode == MT_TOP_THREADS && top->n_rows_found && n_lines >= 6) {
        uint32_t thread = top->rows[mt__top_selected(top)].idx;
        uint32_t wanted = top->view->threads[thread].depth + 2;
        n_below = wanted < (uint32_t)n_lines / 2 ? (int)wanted : n_lines / 2;
        put_rows(top, lines, n_lines - n_below);
        put_stack(top, lines, thread, n_below);
    } else {
        put_rows(top, lines, n_lines);
    }
}

static void put_help(struct lines *lines)
{
    for (const char *at = help, *end; (end = strchr(at, '\n')); at = end + 1) {
        if (lines->at >= lines->n_rows - FOOT_LINES)
            return;
        mt_buf_append(&lines->text, at, (size_t)(end - at));
        put_line(lines, NORMAL);
    }
}

enum mt_status mt__top_put_screen(struct mt_top *top, struct mt_buf *out)
{
    struct lines lines = {.out = out, .n_columns = top->n_columns, .n_rows = top->n_rows};
    enum mt_status status = mt__top_find_rows(top);
    if (status != MT_OK)
        return status;
    put_head(top, &lines);
    if (top->helping)
        put_help(&lines);
    else
        put_body(top, &lines);
    while (lines.at < lines.n_rows - FOOT_LINES)
        put_line(&lines, NORMAL);
    if (top->typing)
        mt_buf_printf(&lines.text, "/%s_   Enter: take it   Esc: no filter", top->typed);
    else
        mt_buf_append_text(&lines.text, "h help  1 2 3 view  s sort  / filter  p pause  q leave");
    put_line(&lines, DIM);
    bool failed = lines.text.failed || out->failed;
    mt_buf_fini(&lines.text);
    return failed ? MT_NOMEM : MT_OK;
}
