/* top_text.c - what `mtrace top` says, as text. Called by top_screen.c and cmd_top.c.
 *
 * Invariant: names come from traces and may hold anything; nothing gets past put_cells() that moves a
 * terminal's cursor, changes its state, or turns the direction of writing.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <time.h>
#include <wchar.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/top.h"
#include "profile/label.h"

/* ----------------------------------------------------------------------------------------- cells */

/* How many cells a character takes; -1: it must not be shown. */
static int cells_of(const char *at, size_t n_bytes)
{
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)at[0] & first_bits[n_bytes];
    for (size_t i = 1; i < n_bytes; i++)
        c = c << 6 | ((unsigned char)at[i] & 0x3f);
    bool turns = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                 (c >= 0x2066 && c <= 0x2069);
    bool breaks = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
    if (turns || breaks)
        return -1;
    if (c < 0x7f || !utf8)
        return 1;
    locale_t former = uselocale(utf8);
    int n_cells = wcwidth((wchar_t)c);
    uselocale(former);
    return n_cells;
}

size_t mt__top_put_cells(struct mt_buf *out, const char *text, size_t n_bytes, size_t n_cells,
                         bool pad)
{
    size_t n_used = 0;
    for (size_t i = 0; i < n_bytes;) {
        size_t n = mt_utf8_char(text + i, n_bytes - i);
        int n_more = n ? cells_of(text + i, n) : -1;
        if (n_used + (n_more < 0 ? 1 : (size_t)n_more) > n_cells)
            break;
        if (n_more < 0)
            mt_buf_append_char(out, '?');
        else
            mt_buf_append(out, text + i, n);
        n_used += n_more < 0 ? 1 : (size_t)n_more;
        i += n ? n : 1;
    }
    for (size_t i = n_used; pad && i < n_cells; i++)
        mt_buf_append_char(out, ' ');
    return n_used;
}

static void put_padded(struct mt_buf *out, const struct mt_text *text, size_t n_cells)
{
    mt__top_put_cells(out, text->data, text->n_bytes, n_cells, true);
    mt_buf_append_text(out, "  ");
}

/* "1,234" and, where that is too long, "12.3M". */
static const char *rate_text(double rate, char *text, size_t size)
{
    static const char units[] = "kMGTPE";
    if (rate < 999999.5)
        return mt_cli_count_text((uint64_t)(rate + 0.5), text, size);
    size_t unit = 0;
    for (rate /= 1000; rate >= 999.95 && unit + 1 < sizeof units - 1; unit++)
        rate /= 1000;
    snprintf(text, size, "%.1f%c", rate, units[unit]);
    return text;
}

/* ----------------------------------------------------------------------------------------- names */

void mt__top_put_func(const struct mt_top *top, uint32_t func, bool place, struct mt_buf *out)
{
    if (func == MT_NONE) {
        mt_buf_append_text(out, "…");
        return;
    }
    const struct mt_func *function = &top->view->funcs[func];
    mt_label_put_name(function, out);
    if (!place || !function->file.n_bytes)
        return;
    mt_buf_append_text(out, "  ");
    mt_buf_append(out, function->file.data, function->file.n_bytes);
    mt_buf_printf(out, ":%" PRIu32, function->line);
}

const char *mt__top_process_state(const struct mt_live_process *process)
{
    return process->state == MT_LIVE_ENDED     ? process->unfinished ? "unfinished" : "ended"
           : process->stopped                  ? "stopped"
           : process->state == MT_LIVE_UNKNOWN ? "unknown"
                                               : "running";
}

/* The open calls, the innermost first, since lines are cut at their end. */
static void put_stack(const struct mt_top *top, uint32_t thread, struct mt_buf *out)
{
    enum { DEEPEST = 64 };
    uint32_t funcs[DEEPEST], n = mt_live_stack(top->live, thread, funcs, DEEPEST);
    const struct mt_live_thread *about = &top->view->threads[thread];
    if (about->losing)
        mt_buf_append_text(out, "(events are being lost)");
    else if (!n && about->complete)
        mt_buf_append_text(out, "(no open call)");
    for (uint32_t i = n; i-- > 0;) {
        mt__top_put_func(top, funcs[i], false, out);
        if (i)
            mt_buf_append_text(out, " < ");
    }
    if (!about->complete || about->depth > n)
        mt_buf_append_text(out, n ? " < …" : "…");
}

/* ------------------------------------------------------------------------------------------ lines */

void mt__top_put_head(const struct mt_top *top, struct mt_buf *out)
{
    const struct mt_live_view *view = top->view;
    uint32_t n_running = 0, n_threads = 0;
    uint64_t n_calls = 0, n_bytes = 0, n_lost = 0;
    char a[32], b[32];
    for (uint32_t i = 0; i < view->n_processes; i++) {
        const struct mt_live_process *process = &view->processes[i];
        bool runs = process->state != MT_LIVE_ENDED;
        n_running += runs;
        n_threads += runs ? process->n_threads : 0;
        n_calls += process->n_calls;
        n_bytes += process->n_bytes;
        n_lost += process->n_lost;
    }
    mt_buf_printf(out, "%" PRIu32 " process%s, %" PRIu32 " running, %" PRIu32 " thread%s; ",
                  view->n_processes, view->n_processes == 1 ? "" : "es", n_running, n_threads,
                  n_threads == 1 ? "" : "s");
    mt_buf_printf(out, "%s calls/s; %s",
                  rate_text(mt__top_per_second(n_calls, view->interval_ns), a, sizeof a),
                  mt_cli_bytes_text(n_bytes, b, sizeof b));
    double share = view->n_words_new
                       ? 100.0 * (double)view->n_words_read / (double)view->n_words_new
                       : 100.0;
    if (view->n_words_read < view->n_words_new)
        mt_buf_printf(out, share < 1 ? "; sampled %.1f %%" : "; sampled %.0f %%", share);
    if (n_lost)
        mt_buf_printf(out, "; %s events lost", mt_cli_count_text(n_lost, a, sizeof a));
    if (view->n_errors)
        mt_buf_printf(out, "; %" PRIu32 " file%s unreadable", view->n_errors,
                      view->n_errors == 1 ? "" : "s");
}

/* What a thread is in is to be seen on 80 columns, too. */
static bool is_narrow(const struct mt_top *top)
{
    return top->n_columns < 100;
}

void mt__top_put_titles(const struct mt_top *top, struct mt_buf *out)
{
    static const char *const titles[][MT_TOP_N_MODES] = {
        {
            "    PID  NAME                STATE       THREADS    CALLS/S     SIZE   SIZE/S       LOST  IN",
            "    PID      TID  NAME                   CALLS/S   FOR       DEPTH  IN",
            "  SELF %     SELF    CALLS/S       CALLS  FUNCTION",
        },
        {
            "    PID  NAME          STATE       THREADS    CALLS/S     SIZE  IN",
            "    PID      TID  NAME           CALLS/S   FOR       DEPTH  IN",
            "  SELF %     SELF    CALLS/S       CALLS  FUNCTION",
        },
    };
    mt_buf_append_text(out, titles[is_narrow(top)][top->mode]);
}

/* The thread whose call stands for the process: the one with the most calls, else its first. */
static uint32_t busiest(const struct mt_live_view *view, uint32_t process)
{
    uint32_t found = MT_NONE;
    for (uint32_t i = 0; i < view->n_threads; i++) {
        const struct mt_live_thread *thread = &view->threads[i];
        if (thread->process != process || !thread->depth)
            continue;
        if (found == MT_NONE || thread->n_calls > view->threads[found].n_calls)
            found = i;
    }
    return found;
}

static void put_process(struct mt_top *top, uint32_t idx, struct mt_buf *out)
{
    const struct mt_live_view *view = top->view;
    const struct mt_live_process *process = &view->processes[idx];
    char calls[32], bytes[32], new_bytes[32], lost[32];
    mt_buf_printf(out, "%7" PRIu32 "  ", process->pid);
    put_padded(out, &process->name, is_narrow(top) ? 12 : 18);
    rate_text(mt__top_per_second(process->n_calls, view->interval_ns), calls, sizeof calls);
    mt_cli_bytes_text(process->n_bytes, bytes, sizeof bytes);
    mt_cli_bytes_text((uint64_t)mt__top_per_second(process->n_new_bytes, view->interval_ns),
                      new_bytes, sizeof new_bytes);
    rate_text((double)process->n_lost, lost, sizeof lost);
    mt_buf_printf(out, "%-10s  %7" PRIu32 " %10s %8s ", mt__top_process_state(process),
                  process->n_threads, calls, bytes);
    if (!is_narrow(top))
        mt_buf_printf(out, "%8s %10s ", new_bytes, process->n_lost ? lost : "");
    mt_buf_append_char(out, ' ');
    uint32_t thread = busiest(view, idx), func;
    if (thread != MT_NONE && mt_live_stack(top->live, thread, &func, 1))
        mt__top_put_func(top, func, true, out);
}

static void put_thread(struct mt_top *top, uint32_t idx, struct mt_buf *out)
{
    const struct mt_live_view *view = top->view;
    const struct mt_live_thread *thread = &view->threads[idx];
    const struct mt_live_process *process = &view->processes[thread->process];
    char calls[32], ago[32] = "";
    mt_buf_printf(out, "%7" PRIu32 "  %7" PRIu32 "  ", process->pid, thread->tid);
    put_padded(out, &thread->name, is_narrow(top) ? 12 : 20);
    rate_text(mt__top_per_second(thread->n_calls, view->interval_ns), calls, sizeof calls);
    if (thread->last_ns && thread->last_ns < view->now_ns)
        mt_cli_duration_text(view->now_ns - thread->last_ns, ago, sizeof ago);
    mt_buf_printf(out, "%8s  %9s %5" PRIu32 "%s  ", calls, ago, thread->depth,
                  thread->complete ? " " : "+");
    put_stack(top, idx, out);
}

static void put_function(const struct mt_top *top, uint32_t idx, struct mt_buf *out)
{
    const struct mt_live_function *func = &top->functions[idx];
    char self[32], rate[32], calls[32];
    uint64_t window_ns = top->view->window_ns, self_ns = mt__top_self(top, func);
    rate_text(mt__top_per_second(func->n_calls, window_ns), rate, sizeof rate);
    rate_text((double)func->n_calls, calls, sizeof calls);
    mt_buf_printf(out, "%8.1f %8s %10s  %10s  ",
                  window_ns ? 100.0 * (double)self_ns / (double)window_ns : 0,
                  mt_cli_duration_text(self_ns, self, sizeof self), rate, calls);
    mt__top_put_func(top, func->func, true, out);
}

void mt__top_put_row(struct mt_top *top, const struct mt_top_row *row, struct mt_buf *out)
{
    if (top->mode == MT_TOP_PROCESSES)
        put_process(top, row->idx, out);
    else if (top->mode == MT_TOP_THREADS)
        put_thread(top, row->idx, out);
    else
        put_function(top, row->idx, out);
}

/* ------------------------------------------------------------------------------------ all of them */

/* Cuts what was appended behind `from`, cleans it and ends the line. */
static void end_line(struct mt_buf *line, size_t width, struct mt_buf *out)
{
    mt__top_put_cells(out, line->data, line->n_bytes, width ? width : SIZE_MAX, false);
    while (out->n_bytes && out->data[out->n_bytes - 1] == ' ')
        out->n_bytes--;
    mt_buf_append_char(out, '\n');
    mt_buf_clear(line);
}

enum mt_status mt__top_put_all(struct mt_top *top, size_t width, struct mt_buf *out)
{
    struct mt_buf line = {0};
    enum mt_status status = MT_OK;
    top->n_columns = width && width < INT_MAX ? (int)width : INT_MAX;
    mt__top_put_head(top, &line);
    end_line(&line, width, out);
    for (unsigned mode = 0; mode < MT_TOP_N_MODES && status == MT_OK; mode++) {
        top->mode = (enum mt_top_mode)mode;
        status = mt__top_find_rows(top);
        mt_buf_append_char(out, '\n');
        mt__top_put_titles(top, &line);
        end_line(&line, width, out);
        for (size_t i = 0; i < top->n_rows_found && status == MT_OK; i++) {
            mt__top_put_row(top, &top->rows[i], &line);
            end_line(&line, width, out);
        }
    }
    bool failed = line.failed || out->failed;
    mt_buf_fini(&line);
    return failed ? MT_NOMEM : status;
}
