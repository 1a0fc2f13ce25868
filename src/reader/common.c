/* common.c - the records that nearly all are: calls begin and end as they should. Called by cursor.c,
 * which does the others and knows everything about them.
 *
 * Whether a call begins or ends is what no processor can foresee, so here is no branch on it: a begin
 * and an end do the same to the innermost call's place on the stack, with other values. Whatever is
 * unusual ends the loop. State is in locals, since a store through any pointer might change it else.
 */
#include "base/array.h"
#include "reader/cursor.h"

/* What a kind of record does. `counts` has one number in each 16 bits: new Python calls, new C calls. */
struct common {
    uint64_t counts;
    uint32_t key; /* or'ed to the id */
    uint16_t flags;
    uint8_t is_end;
    bool is_call;
};

#define PYTHON_CALL UINT64_C(1)
#define C_CALL (UINT64_C(1) << 16)
#define C_KEY (UINT32_C(1) << MT_ID_BITS)
_Static_assert(MT__PIECE_WORDS < 1u << 16, "the counts of a piece fit");
_Static_assert(MT_EVENT_END == MT_EVENT_BEGIN + 1, "so that is_end can be added");
_Static_assert(MT__NO_FUNC &MT__CALL_REOPENED, "one test finds both");

static const struct common commons[MT_N_KINDS] = {
    [MT_KIND_PY_BEGIN] = {PYTHON_CALL, 0, 0, 0, true},
    [MT_KIND_PY_END] = {0, 0, 0, 1, true},
    [MT_KIND_PY_END_EXC] = {0, 0, MT_EVENT_EXCEPTION, 1, true},
    [MT_KIND_PY_SUSPEND] = {0, 0, MT_EVENT_SUSPEND, 1, true},
    [MT_KIND_PY_RESUME] = {0, 0, MT_EVENT_RESUME, 0, true},
    [MT_KIND_C_BEGIN] = {C_CALL, C_KEY, 0, 0, true},
    [MT_KIND_C_END] = {0, C_KEY, 0, 1, true},
    [MT_KIND_C_END_EXC] = {0, C_KEY, MT_EVENT_EXCEPTION, 1, true},
};

/* a, or b where `choose_b` is 1. */
static inline uint64_t select_64(uint64_t a, uint64_t b, uint64_t choose_b)
{
    return a ^ ((a ^ b) & -choose_b);
}

/* Whether begins and ends are all that may happen. */
static bool is_plain(const struct mt_cursor *cursor)
{
    return !cursor->n_reopening && !cursor->stack.n_beyond && !cursor->stack.counting;
}

void mt__decode_common(struct mt_cursor *cursor)
{
    const struct mt_desk *desk = cursor->desk;
    const struct mt__file *file = cursor->file;
    if (!is_plain(cursor))
        return;
    const uint64_t *const first = desk->words + (cursor->at - desk->base), *word = first;
    const uint64_t *const end = desk->words + desk->n_words;
    const struct mt__clock_piece piece = *cursor->piece;
    const uint32_t tick_shift = file->header.tick_shift;
    const uint32_t *const dense = file->dense, dense_base = file->dense_base;
    const uint32_t n_dense = file->n_dense;
    struct mt__call *const calls = cursor->stack.calls;
    const size_t capacity = cursor->stack.capacity;
    struct mt_event *event = desk->events + desk->n_events;
    const int64_t next_flow_ns = cursor->next_flow_ns;
    int64_t now_ns = cursor->now_ns, former_ns = cursor->former_ns;
    uint64_t tick = cursor->tick, counts = 0;
    size_t depth = cursor->stack.depth;

    for (; word < end; word++) {
        const struct common *common = &commons[mt_record_kind(*word)];
        uint32_t id = mt_record_id(*word), at = id - dense_base;
        uint64_t is_end = common->is_end;
        uint64_t tick_here = tick + ((uint64_t)mt_record_delta(*word) << tick_shift);
        size_t place = depth - is_end; /* no place below the outermost call: above any capacity */
        if (MT_UNLIKELY(!common->is_call || at >= n_dense || place >= capacity ||
                        tick_here - piece.tick >= piece.span))
            break;
        int64_t ns = (int64_t)mt__piece_ns_inside(&piece, tick_here);
        ns = ns > now_ns ? ns : now_ns;
        struct mt__call *call = &calls[place];
        uint32_t key = id | common->key;
        uint32_t func = (uint32_t)select_64(dense[at], call->func, is_end);
        uint64_t begin_ns = select_64((uint64_t)ns, call->begin_ns, is_end);
        if (MT_UNLIKELY((uint32_t)select_64(key, call->key, is_end) != key || ns >= next_flow_ns ||
                        func & MT__CALL_REOPENED))
            break;
        *call = (struct mt__call){.begin_ns = begin_ns, .key = key, .func = func};
        event->ts_ns = (uint64_t)ns;
        event->dur_ns = (uint64_t)ns - begin_ns;
        event->func = func;
        event->flags = common->flags;
        event->type = (uint16_t)(MT_EVENT_BEGIN + is_end);
        event++;
        depth = place + (is_end ^ 1);
        counts += common->counts;
        tick = tick_here;
        former_ns = now_ns;
        now_ns = ns;
    }

    if (word == first)
        return;
    cursor->at += (uint32_t)(word - first);
    cursor->tick = tick;
    cursor->now_ns = now_ns;
    cursor->former_ns = former_ns;
    cursor->after_loss = false;
    cursor->stack.depth = depth;
    cursor->counts.n_events += (uint64_t)(word - first);
    cursor->counts.n_python_calls += counts & 0xffff;
    cursor->counts.n_c_calls += counts >> 16;
    cursor->desk->n_events = (size_t)(event - desk->events);
}
