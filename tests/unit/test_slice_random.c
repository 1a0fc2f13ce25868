/* Random slices of random traces: what the reader gives out is compared with a plain implementation,
 * which makes the whole tree of calls, filters it and writes down what is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events_text.h"

#define N_TRACES 300
#define N_SLICES 40
#define N_FUNCS 6

/* xorshift64: the same in every run. */
static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);
static uint64_t below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

/* ------------------------------------------------------------------------------- the plain slice */

struct call {
    size_t begin_idx, end_idx; /* of its events; end_idx SIZE_MAX: it never ends */
    uint64_t begin_ns, end_ns;
    uint32_t func, begin_flags, end_flags;
    size_t parent;  /* index, or SIZE_MAX */
    uint32_t depth; /* shown calls down to it, itself included */
    bool shown;
};

/* All events of a track, unsliced. */
struct plain {
    struct mt_event events[40000];
    struct mt_event_lost losses[40000]; /* by event */
    size_t n;
    struct call uncut[40000];
    struct call calls[40000]; /* the same, cut by the slice at hand */
    size_t n_calls;
    size_t begins[40000], ends[40000]; /* event -> call, of those that begin and end with it */
    uint64_t alive_ns;
};

static void read_plain(struct mt_set *set, struct plain *plain)
{
    struct mt_walk *walk;
    struct mt_run run;
    static size_t stack[40000];
    size_t depth = 0;
    plain->n = plain->n_calls = 0;
    assert_int_equal(mt_walk_new(set, 0, &walk), MT_OK);
    for (mt_walk_start(walk, 0); mt_walk_next(walk, &run);) {
        for (uint32_t i = 0; i < run.n_events; i++) {
            const struct mt_event *event = &run.events[i];
            size_t at = plain->n++;
            assert_true(at < 40000);
            plain->events[at] = *event;
            if (event->type == MT_EVENT_LOST)
                plain->losses[at] = *event->lost;
            if (event->type == MT_EVENT_BEGIN) {
                plain->uncut[plain->n_calls] = (struct call){
                    .begin_idx = at,
                    .end_idx = SIZE_MAX,
                    .begin_ns = event->ts_ns,
                    .func = event->func,
                    .begin_flags = event->flags,
                    .parent = depth ? stack[depth - 1] : SIZE_MAX,
                };
                plain->begins[at] = plain->n_calls;
                stack[depth++] = plain->n_calls++;
            } else if (event->type == MT_EVENT_END) {
                struct call *call = &plain->uncut[stack[--depth]];
                call->end_idx = at;
                call->end_ns = event->ts_ns;
                call->end_flags = event->flags;
                plain->ends[at] = stack[depth];
            }
        }
    }
    mt_walk_free(walk);
    struct mt_file_info file;
    mt_set_file(set, 0, &file);
    plain->alive_ns = file.end_ns;
}

/* The functions are called a, b, ...; include and exclude are such names. */
static bool has_letter(const struct mt_globs *globs, char letter)
{
    for (size_t i = 0; i < globs->n; i++) {
        if (globs->globs[i][0] == letter)
            return true;
    }
    return false;
}

static void write_flags(struct mt_buf *out, uint32_t flags)
{
    static const char letters[] = "orsxf-c";
    for (int bit = 0; bit < 7; bit++) {
        if (flags >> bit & 1)
            mt_buf_append_char(out, letters[bit]);
    }
}

static void write_call(struct mt_buf *out, char type, const struct call *call, uint64_t ts_ns,
                       uint32_t flags, char letter)
{
    mt_buf_append_text(out, out->n_bytes ? " " : "");
    mt_buf_append_char(out, type);
    write_flags(out, flags);
    mt_buf_printf(out, " %c@%llu", letter, (unsigned long long)ts_ns);
    if (type == 'E')
        mt_buf_printf(out, "+%llu", (unsigned long long)(ts_ns - call->begin_ns));
}

static void write_loss(struct mt_buf *out, uint64_t ts_ns, const struct mt_event_lost *lost,
                       uint64_t to_ns)
{
    uint64_t until_ns = lost->until_ns < to_ns ? lost->until_ns : to_ns;
    mt_buf_append_text(out, out->n_bytes ? " " : "");
    mt_buf_printf(out, "L %llu@%llu..%llu", (unsigned long long)lost->n_events,
                  (unsigned long long)ts_ns, (unsigned long long)until_ns);
}

/* Cuts the calls at the slice's edges and says which are shown. [first, last) are the events in it. */
static void cut_calls(struct plain *plain, const struct mt_slice *slice, size_t first, size_t last,
                      uint64_t to_ns, const char *letters)
{
    uint64_t alive_ns = plain->alive_ns < to_ns ? plain->alive_ns : to_ns;
    memcpy(plain->calls, plain->uncut, plain->n_calls * sizeof *plain->calls);
    for (size_t i = 0; i < plain->n_calls; i++) {
        struct call *call = &plain->calls[i];
        bool inside = call->begin_idx < last && call->end_idx >= first;
        char letter = letters[call->func];
        if (call->begin_idx < first) {
            call->begin_ns = slice->from_ns;
            call->begin_flags = MT_EVENT_REOPENED;
        }
        if (call->end_idx >= last && last < plain->n) {
            call->end_idx = last;
            call->end_ns = to_ns;
            call->end_flags = MT_EVENT_CUT;
        }
        if (call->begin_flags & MT_EVENT_REOPENED)
            call->end_flags |= MT_EVENT_REOPENED;
        call->depth = call->parent == SIZE_MAX ? 0 : plain->calls[call->parent].depth;
        bool named = (!slice->include.n || has_letter(&slice->include, letter)) &&
                     !has_letter(&slice->exclude, letter);
        call->depth += named;
        uint64_t end_ns = call->end_idx == SIZE_MAX ? alive_ns : call->end_ns;
        call->shown = inside && named && (!slice->max_depth || call->depth <= slice->max_depth) &&
                      end_ns >= call->begin_ns && end_ns - call->begin_ns >= slice->min_duration_ns;
    }
}

static char *plain_slice(struct plain *plain, const struct mt_slice *slice, const char *letters)
{
    struct mt_buf out = {0};
    uint64_t from_ns = slice->from_ns, to_ns = slice->to_ns ? slice->to_ns : UINT64_MAX;
    size_t first = 0, last;
    while (first < plain->n &&
           (plain->events[first].ts_ns < from_ns ||
            (plain->events[first].ts_ns == from_ns && plain->events[first].type == MT_EVENT_END)))
        first++;
    for (last = first; last < plain->n; last++) {
        const struct mt_event *event = &plain->events[last];
        if (event->ts_ns > to_ns || (event->ts_ns == to_ns && event->type != MT_EVENT_END))
            break;
    }
    if (first == plain->n && plain->alive_ns < from_ns) {
        mt_buf_text(&out);
        return out.data;
    }
    cut_calls(plain, slice, first, last, to_ns, letters);
    for (size_t i = 0; i < plain->n_calls; i++) {
        const struct call *call = &plain->calls[i];
        if (call->shown && call->begin_idx < first)
            write_call(&out, 'B', call, from_ns, call->begin_flags, letters[call->func]);
    }
    for (size_t i = 0; i < first; i++) {
        if (plain->events[i].type == MT_EVENT_LOST && plain->losses[i].until_ns >= from_ns)
            write_loss(&out, from_ns, &plain->losses[i], to_ns);
    }
    for (size_t i = first; i < last; i++) {
        const struct call *begun = &plain->calls[plain->begins[i]];
        const struct call *ended = &plain->calls[plain->ends[i]];
        if (plain->events[i].type == MT_EVENT_LOST)
            write_loss(&out, plain->events[i].ts_ns, &plain->losses[i], to_ns);
        else if (plain->events[i].type == MT_EVENT_BEGIN && begun->shown)
            write_call(&out, 'B', begun, begun->begin_ns, begun->begin_flags, letters[begun->func]);
        else if (plain->events[i].type == MT_EVENT_END && ended->shown)
            write_call(&out, 'E', ended, ended->end_ns, ended->end_flags, letters[ended->func]);
    }
    for (size_t i = plain->n_calls; last < plain->n && i-- > 0;) {
        const struct call *call = &plain->calls[i];
        if (call->shown && call->end_idx == last)
            write_call(&out, 'E', call, to_ns, call->end_flags, letters[call->func]);
    }
    for (size_t i = 0; i < plain->n_calls; i++) {
        const struct call *call = &plain->calls[i];
        if (call->shown && call->end_idx == SIZE_MAX)
            write_call(&out, 'U', call, call->begin_ns, call->begin_flags & MT_EVENT_REOPENED,
                       letters[call->func]);
    }
    mt_buf_text(&out);
    return out.data;
}

/* ------------------------------------------------------------------------------ traces and slices */

static void random_record(struct tb *tb, size_t chunk, uint64_t *tick, uint32_t *n_losses)
{
    static const enum mt_kind kinds[] = {MT_KIND_PY_BEGIN, MT_KIND_PY_BEGIN,   MT_KIND_PY_BEGIN,
                                         MT_KIND_PY_END,   MT_KIND_PY_END,     MT_KIND_PY_RESUME,
                                         MT_KIND_PY_END,   MT_KIND_PY_END_EXC, MT_KIND_PY_SUSPEND};
    *tick += below(3) ? below(3) : below(40);
    if (*n_losses < 3 && !below(500)) { /* more of them become one where they wait */
        ++*n_losses;
        tb_record(tb, chunk, *tick, MT_KIND_PY_END, 99);
        tb_lost(tb, chunk, 1 + below(9), *tick + below(300), MT_LOSS_IO);
        uint32_t depth = (uint32_t)below(4);
        *tick += below(300);
        if (below(2))
            return;
        tb_resync(tb, chunk, *tick, MT_RESYNC_LOSS, depth);
        for (uint32_t i = 0; i < depth; i++)
            tb_record(tb, chunk, *tick, MT_KIND_PY_BEGIN, 1 + (uint32_t)below(N_FUNCS));
        return;
    }
    tb_record(tb, chunk, *tick, kinds[below(sizeof kinds / sizeof *kinds)],
              1 + (uint32_t)below(N_FUNCS));
}

/* One thread, in a few chunks; now and then so long that a chunk has several pieces. */
static uint64_t random_trace(struct tb *tb)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    bool is_long = !below(20);
    uint64_t tick = 1000;
    uint32_t n_losses = 0;
    tb_init(tb, 100);
    for (uint32_t i = 0; i < N_FUNCS; i++)
        tb_code(tb, 1 + i, names[i], NULL, 0);
    for (uint64_t chunks = 1 + below(4); chunks > 0; chunks--) {
        size_t chunk = tb_events_of(tb, 1, 100, tick, is_long ? 20 : 1);
        uint64_t n = is_long ? 4000 + below(4000) : below(120);
        for (uint64_t i = 0; i < n; i++)
            random_record(tb, chunk, &tick, &n_losses);
        tick += below(100);
    }
    /* Another thread, so that the process may live longer than the first one. */
    tb_record(tb, tb_events(tb, 2, 101, 1000), 1000 + below(tick), MT_KIND_PY_END, 1);
    return tick - 1000;
}

static const char *const globs[] = {"a", "b", "c", "d"};

static void random_slice(struct mt_slice *slice, uint64_t end_ns)
{
    *slice = (struct mt_slice){0};
    if (below(3))
        slice->from_ns = below(end_ns + 50);
    if (below(3))
        slice->to_ns = slice->from_ns + 1 + below(below(3) ? end_ns + 50 : 20);
    if (below(2))
        slice->min_duration_ns = below(4) ? below(60) : below(end_ns + 10);
    if (!below(3))
        slice->max_depth = 1 + (uint32_t)below(8);
    if (!below(3))
        slice->include = (struct mt_globs){globs, 1 + below(3)};
    if (!below(3))
        slice->exclude = (struct mt_globs){globs + below(3), 1};
}

/* The first difference, with something around it. */
static void assert_same(const char *is, const char *wanted, const struct mt_slice *slice)
{
    size_t at = 0;
    if (!strcmp(is, wanted))
        return;
    while (is[at] == wanted[at])
        at++;
    at = at > 60 ? at - 60 : 0;
    fail_msg("from %llu to %llu min %llu depth %u include %zu exclude %zu\nis:     ...%.120s\n"
             "wanted: ...%.120s",
             (unsigned long long)slice->from_ns, (unsigned long long)slice->to_ns,
             (unsigned long long)slice->min_duration_ns, slice->max_depth, slice->include.n,
             slice->exclude.n, is + at, wanted + at);
}

static void test_random_slices(void **state)
{
    (void)state;
    static struct plain plain;
    size_t n_compared = 0;
    for (int i = 0; i < N_TRACES; i++) {
        struct tb tb, *file = &tb;
        uint64_t end_ns = random_trace(&tb);
        struct mt_set *set = set_of(&file, 1, NULL);
        const struct mt_timeline *timeline = mt_set_timeline(set);
        char letters[64];
        assert_true(timeline->n_funcs <= sizeof letters);
        for (uint32_t k = 0; k < timeline->n_funcs; k++)
            letters[k] = timeline->funcs[k].name.data[0];
        read_plain(set, &plain);
        mt_set_free(set);
        for (int k = 0; k < N_SLICES; k++) {
            struct mt_slice slice;
            random_slice(&slice, end_ns);
            set = set_of(&file, 1, NULL);
            assert_int_equal(mt_set_slice(set, &slice), MT_OK);
            char *wanted = plain_slice(&plain, &slice, letters);
            char *is = events_text(set, 0, NULL);
            assert_same(is, wanted, &slice);
            n_compared += *is != '\0';
            free(wanted);
            free(is);
            mt_set_free(set);
        }
        tb_fini(&tb);
    }
    assert_true(n_compared > N_TRACES * N_SLICES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_slices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
