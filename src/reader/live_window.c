/* live_window.c - what functions did over the last updates: a list for each update, the newest last, added
 * up when somebody asks. Called by live.c and live_read.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "reader/live_state.h"

void mt__live_window_fini(struct mt__live_window *window)
{
    for (size_t i = 0; i < window->n_slices; i++)
        free(window->slices[i].entries);
    free(window->slices);
    free(window->rows);
    free(window->row_of);
    *window = (struct mt__live_window){0};
}

uint64_t mt__live_window_ns(const struct mt__live_window *window)
{
    uint64_t dur_ns = 0;
    for (size_t i = 0; i < window->n_slices; i++)
        dur_ns += window->slices[i].dur_ns;
    return dur_ns;
}

enum mt_status mt__live_window_next(struct mt__live_window *window, uint64_t dur_ns,
                                    uint64_t window_ns)
{
    uint64_t spanned_ns = mt__live_window_ns(window) + dur_ns;
    while (window->n_slices && spanned_ns - window->slices[0].dur_ns >= window_ns) {
        spanned_ns -= window->slices[0].dur_ns;
        free(window->slices[0].entries);
        memmove(window->slices, window->slices + 1, --window->n_slices * sizeof *window->slices);
    }
    if (!MT_ARRAY_ROOM(window->slices, window->slices_capacity, window->n_slices + 1))
        return MT_NOMEM;
    window->slices[window->n_slices++] = (struct mt__live_slice){.dur_ns = dur_ns};
    return MT_OK;
}

enum mt_status mt__live_window_add(struct mt__live_window *window, uint32_t process,
                                   const struct mt_live_function *sum)
{
    struct mt__live_slice *slice = &window->slices[window->n_slices - 1];
    if (!MT_ARRAY_ROOM(slice->entries, slice->capacity, slice->n + 1))
        return MT_NOMEM;
    slice->entries[slice->n++] = (struct mt__live_entry){process, *sum};
    return MT_OK;
}

/* The row of a function; NULL: no memory. Index 0 of row_of is for MT_NONE. */
static struct mt_live_function *row(struct mt__live_window *window, uint32_t func)
{
    size_t at = func + 1; /* wraps */
    if (!window->row_of[at]) {
        if (!MT_ARRAY_ROOM(window->rows, window->rows_capacity, window->n_rows + 1))
            return NULL;
        window->rows[window->n_rows] = (struct mt_live_function){.func = func};
        window->row_of[at] = (uint32_t)++window->n_rows;
    }
    return &window->rows[window->row_of[at] - 1];
}

enum mt_status mt_live_functions(struct mt_live *live, uint32_t process,
                                 const struct mt_live_function **out, size_t *n)
{
    struct mt__live_window *window = &live->window;
    window->n_rows = 0;
    if (!MT_ARRAY_ROOM(window->row_of, window->row_of_capacity, live->names.n_funcs + 1))
        return MT_NOMEM;
    memset(window->row_of, 0, (live->names.n_funcs + 1) * sizeof *window->row_of);
    for (size_t i = 0; i < window->n_slices; i++) {
        for (size_t k = 0; k < window->slices[i].n; k++) {
            const struct mt__live_entry *entry = &window->slices[i].entries[k];
            if (process != MT_NONE && entry->process != process)
                continue;
            struct mt_live_function *sum = row(window, entry->sum.func);
            if (!sum)
                return MT_NOMEM;
            sum->self_ns += entry->sum.self_ns;
            sum->idle_ns += entry->sum.idle_ns;
            sum->n_calls += entry->sum.n_calls;
        }
    }
    *out = window->rows;
    *n = window->n_rows;
    return MT_OK;
}
