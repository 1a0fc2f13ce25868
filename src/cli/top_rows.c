/* top_rows.c - which rows a view of `mtrace top` has, and in which order. Called by cmd_top.c and
 * top_screen.c.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/top.h"

const char *const mt__top_mode_names[MT_TOP_N_MODES] = {
    [MT_TOP_PROCESSES] = "processes",
    [MT_TOP_THREADS] = "threads",
    [MT_TOP_FUNCTIONS] = "functions",
};

const char *const mt__top_sort_names[MT_TOP_N_SORTS] = {
    [MT_TOP_BY_CALLS] = "calls",     [MT_TOP_BY_SELF] = "self",   [MT_TOP_BY_BYTES] = "bytes",
    [MT_TOP_BY_THREADS] = "threads", [MT_TOP_BY_DEPTH] = "depth", [MT_TOP_BY_LOST] = "lost",
    [MT_TOP_BY_PID] = "pid",         [MT_TOP_BY_NAME] = "name",
};

#define BIT(sort) (1u << MT_TOP_BY_##sort)
static const unsigned sorts_of[MT_TOP_N_MODES] = {
    [MT_TOP_PROCESSES] = BIT(CALLS) | BIT(BYTES) | BIT(THREADS) | BIT(LOST) | BIT(PID) | BIT(NAME),
    [MT_TOP_THREADS] = BIT(CALLS) | BIT(DEPTH) | BIT(PID) | BIT(NAME),
    [MT_TOP_FUNCTIONS] = BIT(SELF) | BIT(CALLS) | BIT(NAME),
};

bool mt__top_sort_named(enum mt_top_mode mode, const char *name, enum mt_top_sort *out)
{
    for (unsigned i = 0; i < MT_TOP_N_SORTS; i++) {
        if ((sorts_of[mode] >> i & 1) && !strcmp(name, mt__top_sort_names[i])) {
            *out = (enum mt_top_sort)i;
            return true;
        }
    }
    return false;
}

enum mt_top_sort mt__top_next_sort(enum mt_top_mode mode, enum mt_top_sort sort)
{
    do
        sort = (enum mt_top_sort)((sort + 1) % MT_TOP_N_SORTS);
    while (!(sorts_of[mode] >> sort & 1));
    return sort;
}

/* -------------------------------------------------------------------------------------- which rows */

static bool matches(const struct mt_top *top, const char *text, size_t n_bytes)
{
    const char *filter = top->typing ? top->typed : top->filter;
    size_t n = strlen(filter);
    for (size_t i = 0; i + n <= n_bytes; i++) {
        if (!strncasecmp(text + i, filter, n))
            return true;
    }
    return false;
}

static bool is_shown(const struct mt_top *top, uint32_t idx)
{
    const struct mt_live_process *process = &top->view->processes[idx];
    if (top->only_process != MT_NONE && top->mode != MT_TOP_PROCESSES && top->only_process != idx)
        return false;
    return top->all || process->state != MT_LIVE_ENDED ||
           process->last_ns + MT_TOP_ENDED_NS > top->view->now_ns;
}

static enum mt_status add(struct mt_top *top, uint32_t idx, uint64_t id)
{
    if (!MT_ARRAY_ROOM(top->rows, top->rows_capacity, top->n_rows_found + 1))
        return MT_NOMEM;
    top->rows[top->n_rows_found++] = (struct mt_top_row){idx, id};
    return MT_OK;
}

static enum mt_status find_processes(struct mt_top *top)
{
    enum mt_status status = MT_OK;
    for (uint32_t i = 0; i < top->view->n_processes && status == MT_OK; i++) {
        const struct mt_text *name = &top->view->processes[i].name;
        if (is_shown(top, i) && matches(top, name->data, name->n_bytes))
            status = add(top, i, UINT64_C(1) + i);
    }
    return status;
}

/* A thread is found by its name, and by any of its open calls. */
static bool thread_matches(struct mt_top *top, uint32_t idx)
{
    enum { DEEPEST = 256 };
    const struct mt_live_thread *thread = &top->view->threads[idx];
    const struct mt_text *process = &top->view->processes[thread->process].name;
    if (matches(top, thread->name.data, thread->name.n_bytes) ||
        matches(top, process->data, process->n_bytes))
        return true;
    uint32_t funcs[DEEPEST], n = mt_live_stack(top->live, idx, funcs, DEEPEST);
    for (uint32_t i = 0; i < n; i++) {
        mt_buf_clear(&top->name);
        mt__top_put_func(top, funcs[i], true, &top->name);
        if (matches(top, top->name.data, top->name.n_bytes))
            return true;
    }
    return false;
}

static enum mt_status find_threads(struct mt_top *top)
{
    enum mt_status status = MT_OK;
    for (uint32_t i = 0; i < top->view->n_threads && status == MT_OK; i++) {
        const struct mt_live_thread *thread = &top->view->threads[i];
        bool over = !thread->depth && thread->complete && !thread->losing && !thread->n_calls;
        if (is_shown(top, thread->process) && (!over || top->all) && thread_matches(top, i))
            status = add(top, i, ((uint64_t)thread->process + 1) << 32 | thread->tid);
    }
    return status;
}

static enum mt_status find_functions(struct mt_top *top)
{
    enum mt_status status = mt_live_functions(top->live, top->only_process, &top->functions,
                                              &top->n_functions);
    for (uint32_t i = 0; i < top->n_functions && status == MT_OK; i++) {
        const struct mt_live_function *func = &top->functions[i];
        if (!func->n_calls && !mt__top_self(top, func))
            continue;
        mt_buf_clear(&top->name);
        mt__top_put_func(top, func->func, true, &top->name);
        if (matches(top, top->name.data, top->name.n_bytes))
            status = add(top, i, (uint64_t)func->func + 1);
    }
    return status;
}

/* ------------------------------------------------------------------------------------- which order */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a > b ? -1 : a < b; /* the largest first */
}

static int compare_texts(const struct mt_text *a, const struct mt_text *b)
{
    size_t n = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    int order = memcmp(a->data, b->data, n);
    return order ? order : (a->n_bytes > b->n_bytes) - (a->n_bytes < b->n_bytes);
}

static int compare_processes(const struct mt_top *top, uint32_t x, uint32_t y)
{
    const struct mt_live_process *a = &top->view->processes[x], *b = &top->view->processes[y];
    switch (top->sort[MT_TOP_PROCESSES]) {
    case MT_TOP_BY_CALLS: return compare_numbers(a->n_calls, b->n_calls);
    case MT_TOP_BY_BYTES: return compare_numbers(a->n_bytes, b->n_bytes);
    case MT_TOP_BY_THREADS: return compare_numbers(a->n_threads, b->n_threads);
    case MT_TOP_BY_LOST: return compare_numbers(a->n_lost, b->n_lost);
    case MT_TOP_BY_PID: return compare_numbers(b->pid, a->pid);
    default: return compare_texts(&a->name, &b->name);
    }
}

static int compare_threads(const struct mt_top *top, uint32_t x, uint32_t y)
{
    const struct mt_live_thread *a = &top->view->threads[x], *b = &top->view->threads[y];
    uint32_t pid_a = top->view->processes[a->process].pid;
    uint32_t pid_b = top->view->processes[b->process].pid;
    switch (top->sort[MT_TOP_THREADS]) {
    case MT_TOP_BY_CALLS: return compare_numbers(a->n_calls, b->n_calls);
    case MT_TOP_BY_DEPTH: return compare_numbers(a->depth, b->depth);
    case MT_TOP_BY_PID: return compare_numbers(pid_b, pid_a);
    default: return compare_texts(&a->name, &b->name);
    }
}

static int compare_functions(const struct mt_top *top, uint32_t x, uint32_t y)
{
    const struct mt_live_function *a = &top->functions[x], *b = &top->functions[y];
    if (top->sort[MT_TOP_FUNCTIONS] == MT_TOP_BY_SELF)
        return compare_numbers(mt__top_self(top, a), mt__top_self(top, b));
    if (top->sort[MT_TOP_FUNCTIONS] == MT_TOP_BY_CALLS)
        return compare_numbers(a->n_calls, b->n_calls);
    if (a->func == MT_NONE || b->func == MT_NONE)
        return compare_numbers(b->func, a->func);
    return compare_texts(&top->view->funcs[a->func].name, &top->view->funcs[b->func].name);
}

static int compare_rows(const void *a, const void *b, void *context)
{
    static int (*const compare[MT_TOP_N_MODES])(const struct mt_top *, uint32_t, uint32_t) = {
        [MT_TOP_PROCESSES] = compare_processes,
        [MT_TOP_THREADS] = compare_threads,
        [MT_TOP_FUNCTIONS] = compare_functions,
    };
    const struct mt_top_row *x = a, *y = b;
    const struct mt_top *top = context;
    int order = compare[top->mode](top, x->idx, y->idx);
    if (top->reversed[top->mode])
        order = -order;
    return order ? order : (x->idx > y->idx) - (x->idx < y->idx);
}

enum mt_status mt__top_find_rows(struct mt_top *top)
{
    static enum mt_status (*const find[MT_TOP_N_MODES])(struct mt_top *) = {
        [MT_TOP_PROCESSES] = find_processes,
        [MT_TOP_THREADS] = find_threads,
        [MT_TOP_FUNCTIONS] = find_functions,
    };
    top->n_rows_found = 0;
    enum mt_status status = find[top->mode](top);
    if (status == MT_OK && top->n_rows_found)
        qsort_r(top->rows, top->n_rows_found, sizeof *top->rows, compare_rows, top);
    return status;
}

size_t mt__top_selected(const struct mt_top *top)
{
    for (size_t i = 0; i < top->n_rows_found; i++) {
        if (top->rows[i].id == top->selected[top->mode])
            return i;
    }
    return 0;
}
