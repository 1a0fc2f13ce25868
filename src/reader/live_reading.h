/* live_reading.h - records of one thread on their way into what is known of it: live_records.c takes them,
 * live_read.c says which.
 */
#ifndef MT_READER_LIVE_READING_H_
#define MT_READER_LIVE_READING_H_

#include "reader/live_state.h"

/* Where records go: to the thread, or (stack only) to a stack for mt__live_join. */
struct mt__live_reading {
    struct mt_live *live;
    struct mt__live_file *file;
    struct mt__live_thread *thread;
    struct mt__live_stack *stack;
    uint64_t tick;
    uint64_t since_tick; /* calls from here on are counted */
    uint32_t n_reopening;
    bool sums; /* add up times and calls */
    enum mt_status status;
};

/* The sum of a function of the thread's file, in this interval; the definition is looked for. */
struct mt__live_sum *mt__live_sum_of(struct mt__live_reading *reading, uint32_t id);
/* Time up to the tick belongs to the innermost call. */
void mt__live_add_time(struct mt__live_reading *reading, uint64_t tick);
/* The call below those that are known stays unknown. */
void mt__live_give_up_below(struct mt__live_reading *reading);
/* Records of a chunk from word *at on, at most about n_words; *at is then behind them. True: all that
 * are written were read. */
bool mt__live_take_chunk(struct mt__live_reading *reading, const struct mt__live_chunk *chunk,
                         uint32_t *at, uint64_t n_words);

#endif /* MT_READER_LIVE_READING_H_ */
