/* top_json.c - what `mtrace top` knows, as one line of JSON. Called by cmd_top.c. Times are ns. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/top.h"

static void put_key(struct mt_buf *out, const char *key, const struct mt_text *text)
{
    mt_buf_printf(out, "\"%s\":", key);
    mt_json_string(out, text->data, text->n_bytes);
}

static void put_rate(struct mt_buf *out, const char *key, uint64_t n, uint64_t dur_ns)
{
    mt_buf_printf(out, "\"%s\":%.3f", key, mt__top_per_second(n, dur_ns));
}

/* "function":"main","file":"/srv/app.py","line":3 */
static void put_func(struct mt_top *top, uint32_t func, struct mt_buf *out)
{
    if (func == MT_NONE) {
        mt_buf_append_text(out, "\"function\":null,\"file\":null,\"line\":null");
        return;
    }
    const struct mt_func *about = &top->view->funcs[func];
    mt_buf_clear(&top->name);
    mt__top_put_func(top, func, false, &top->name);
    mt_buf_append_text(out, "\"function\":");
    mt_json_string(out, top->name.data, top->name.n_bytes);
    if (!about->file.n_bytes) {
        mt_buf_append_text(out, ",\"file\":null,\"line\":null");
        return;
    }
    mt_buf_append_text(out, ",");
    put_key(out, "file", &about->file);
    mt_buf_printf(out, ",\"line\":%" PRIu32, about->line);
}

static void put_process(struct mt_top *top, uint32_t idx, struct mt_buf *out)
{
    const struct mt_live_process *process = &top->view->processes[idx];
    uint64_t interval_ns = top->view->interval_ns;
    mt_buf_printf(out, "{\"pid\":%" PRIu32 ",\"ppid\":%" PRIu32 ",", process->pid, process->ppid);
    put_key(out, "name", &process->name);
    mt_buf_append_text(out, ",");
    put_key(out, "host", &process->host);
    mt_buf_printf(out, ",\"state\":\"%s\",\"threads\":%" PRIu32 ",\"calls\":%" PRIu64 ",",
                  mt__top_process_state(process), process->n_threads, process->n_calls);
    put_rate(out, "calls_per_s", process->n_calls, interval_ns);
    mt_buf_printf(out, ",\"bytes\":%" PRIu64 ",", process->n_bytes);
    put_rate(out, "bytes_per_s", process->n_new_bytes, interval_ns);
    mt_buf_printf(out, ",\"lost\":%" PRIu64 "}", process->n_lost);
}

static void put_thread(struct mt_top *top, uint32_t idx, struct mt_buf *out)
{
    enum { DEEPEST = 1024 };
    uint32_t funcs[DEEPEST], n = mt_live_stack(top->live, idx, funcs, DEEPEST);
    const struct mt_live_view *view = top->view;
    const struct mt_live_thread *thread = &view->threads[idx];
    mt_buf_printf(out, "{\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",",
                  view->processes[thread->process].pid, thread->tid);
    put_key(out, "name", &thread->name);
    mt_buf_printf(out, ",\"calls\":%" PRIu64 ",", thread->n_calls);
    put_rate(out, "calls_per_s", thread->n_calls, view->interval_ns);
    if (thread->last_ns)
        mt_buf_printf(out, ",\"since_ns\":%" PRIu64,
                      view->now_ns > thread->last_ns ? view->now_ns - thread->last_ns : 0);
    else
        mt_buf_append_text(out, ",\"since_ns\":null");
    mt_buf_printf(out,
                  ",\"idle\":%s,\"losing\":%s,\"depth\":%" PRIu32 ",\"complete\":%s,\"stack\":[",
                  thread->idle ? "true" : "false", thread->losing ? "true" : "false", thread->depth,
                  thread->complete && n == thread->depth ? "true" : "false");
    for (uint32_t i = 0; i < n; i++) {
        mt_buf_append_text(out, i ? ",{" : "{");
        put_func(top, funcs[i], out);
        mt_buf_append_text(out, "}");
    }
    mt_buf_append_text(out, "]}");
}

static void put_function(struct mt_top *top, uint32_t idx, struct mt_buf *out)
{
    const struct mt_live_function *func = &top->functions[idx];
    mt_buf_append_text(out, "{");
    put_func(top, func->func, out);
    mt_buf_printf(out, ",\"self_ns\":%" PRIu64 ",\"idle_ns\":%" PRIu64 ",\"calls\":%" PRIu64 ",",
                  func->self_ns, func->idle_ns, func->n_calls);
    put_rate(out, "calls_per_s", func->n_calls, top->view->window_ns);
    mt_buf_append_text(out, "}");
}

enum mt_status mt__top_put_json(struct mt_top *top, struct mt_buf *out)
{
    static void (*const put[MT_TOP_N_MODES])(struct mt_top *, uint32_t, struct mt_buf *) = {
        [MT_TOP_PROCESSES] = put_process,
        [MT_TOP_THREADS] = put_thread,
        [MT_TOP_FUNCTIONS] = put_function,
    };
    const struct mt_live_view *view = top->view;
    mt_buf_printf(out,
                  "{\"interval_ns\":%" PRIu64 ",\"window_ns\":%" PRIu64 ",\"records\":%" PRIu64
                  ",\"records_read\":%" PRIu64 ",\"unreadable_files\":%" PRIu32,
                  view->interval_ns, view->window_ns, view->n_words_new, view->n_words_read,
                  view->n_errors);
    enum mt_status status = MT_OK;
    for (unsigned mode = 0; mode < MT_TOP_N_MODES && status == MT_OK; mode++) {
        top->mode = (enum mt_top_mode)mode;
        status = mt__top_find_rows(top);
        mt_buf_printf(out, ",\"%s\":[", mt__top_mode_names[mode]);
        for (size_t i = 0; i < top->n_rows_found && status == MT_OK; i++) {
            if (i)
                mt_buf_append_text(out, ",");
            put[mode](top, top->rows[i].idx, out);
        }
        mt_buf_append_text(out, "]");
    }
    mt_buf_append_text(out, "}\n");
    return out->failed ? MT_NOMEM : status;
}
