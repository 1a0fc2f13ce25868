/* events_text.c - see events_text.h. */
#include "events_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void report(void *context, const struct mt_error *error)
{
    struct told *told = context;
    told->n_errors += error->status != MT_OK;
    told->n_notes += error->status == MT_OK;
    if (error->status != MT_OK && told->first.status == MT_OK)
        told->first = *error;
    mt_buf_printf(&told->text, "%d %s %lld %s\n", (int)error->status,
                  error->file ? error->file : "-", (long long)error->offset, error->message);
}

struct mt_set *set_of(struct tb *const *files, size_t n, struct told *told)
{
    static const char *const names[] = {"0.trace", "1.trace", "2.trace", "3.trace",
                                        "4.trace", "5.trace", "6.trace", "7.trace"};
    struct mt_reporter reporter = {report, told};
    struct mt_set *set;
    if (told)
        *told = (struct told){0};
    assert_int_equal(mt_set_new(told ? &reporter : NULL, &set), MT_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(mt_set_add_memory(set, names[i], files[i]->data, files[i]->n_bytes),
                         MT_OK);
    assert_int_equal(mt_set_finish(set), MT_OK);
    return set;
}

void told_fini(struct told *told)
{
    mt_buf_fini(&told->text);
}

static void append_flags(struct mt_buf *out, const struct mt_event *event)
{
    static const struct {
        uint16_t flag;
        char letter;
    } flags[] = {{MT_EVENT_REOPENED, 'o'},  {MT_EVENT_RESUME, 'r'},   {MT_EVENT_SUSPEND, 's'},
                 {MT_EVENT_EXCEPTION, 'x'}, {MT_EVENT_REPAIRED, 'f'}, {MT_EVENT_CUT, 'c'}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (event->flags & flags[i].flag)
            mt_buf_append_char(out, flags[i].letter);
    }
}

static void append_event(struct mt_buf *out, const struct mt_run *run, const struct mt_event *event)
{
    const struct mt_func *func = &run->timeline->funcs[event->func];
    unsigned long long ts_ns = event->ts_ns;
    if (out->n_bytes)
        mt_buf_append_char(out, ' ');
    switch (event->type) {
    case MT_EVENT_LOST:
        mt_buf_printf(out, "L %llu@%llu..%llu", (unsigned long long)event->lost->n_events, ts_ns,
                      (unsigned long long)event->lost->until_ns);
        return;
    default: break;
    }
    mt_buf_append_char(out, event->type == MT_EVENT_BEGIN ? 'B'
                            : event->type == MT_EVENT_END ? 'E'
                                                          : 'U');
    append_flags(out, event);
    mt_buf_printf(out, " %s@%llu", func->name.data, ts_ns);
    if (event->type == MT_EVENT_END)
        mt_buf_printf(out, "+%llu", (unsigned long long)event->dur_ns);
}

void append_run_text(struct mt_buf *out, const struct mt_run *run)
{
    for (uint32_t i = 0; i < run->n_events; i++)
        append_event(out, run, &run->events[i]);
}

char *events_text(struct mt_set *set, uint32_t track, struct mt_counts *counts)
{
    struct mt_buf out = {0};
    struct mt_walk *walk;
    struct mt_run run;
    assert_int_equal(mt_walk_new(set, MT_NEEDS_PAIRS, &walk), MT_OK);
    bool first = true, last = false;
    for (mt_walk_start(walk, track); mt_walk_next(walk, &run); first = false) {
        assert_int_equal(run.first, first);
        assert_false(last);
        last = run.last;
        append_run_text(&out, &run);
    }
    assert_true(last != mt_set_timeline(set)->tracks[track].left_out);
    assert_int_equal(mt_walk_status(walk), MT_OK);
    if (counts)
        *counts = *mt_walk_counts(walk);
    mt_walk_free(walk);
    mt_buf_text(&out);
    return out.data;
}

void assert_track(struct mt_set *set, uint32_t track, const char *expected)
{
    char *text = events_text(set, track, NULL);
    assert_string_equal(text, expected);
    free(text);
}

void assert_events(struct tb *tb, const char *expected)
{
    struct told told;
    struct mt_set *set = set_of(&tb, 1, &told);
    assert_string_equal(mt_buf_text(&told.text), "");
    assert_int_equal(mt_set_timeline(set)->n_tracks, 1);
    assert_track(set, 0, expected);
    mt_set_free(set);
    told_fini(&told);
}
