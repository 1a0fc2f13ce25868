/* slow.c - where the hot path goes when it cannot go on: not attached, full, forked, losing, or a
 * time that does not fit. Runs on the thread that records.
 *
 * Invariant: a word behind `next` is zero until the very store that commits a record. So whatever
 * happens in here (a kill, no space, no memory), the file is complete up to `next`.
 */
#include <errno.h>
#include <string.h>

#include "core/state.h"

#ifdef MT_TESTPOINTS
void (*mt_testpoint)(enum mt_testpoint);
#endif

uint64_t mt__now(void)
{
    return mt__kept.clock == MT_CLOCK_MONOTONIC ? mt_os_monotonic_ns() : mt_os_counter();
}

/* Lock held: who begins a new part clears it. */
static void set_end(struct mt_thread *thread)
{
    char *map_end = (char *)thread->map + thread->map_bytes;
    mt_store_relaxed(&thread->slot->end, (uint64_t *)(void *)map_end - MT_RESERVE_WORDS);
}

/* Is there still the recording that the thread is enrolled in? Lock held, or to be asked again. */
static bool goes_on(const struct mt_thread *thread)
{
    const struct mt_process *process = mt__process;
    return mt_load_relaxed(&process->state) == MT_PROCESS_ARMED &&
           thread->epoch == mt_load_relaxed(&process->epoch);
}

/* Another thread has cleared `end` to get attention: there is a new part, a resync is due, or
 * recording has stopped. */
static void give_attention(struct mt_thread *thread)
{
    struct mt_os_mask mask;
    mt__lock(&mask);
    bool same = thread->part == mt__process->part && goes_on(thread);
    if (same)
        set_end(thread);
    mt__unlock(&mask);
    if (!same) /* definitions go to the new part now, so must the events that use them */
        mt__take_chunk(thread, mt__now());
}

/* This process's file and this thread's slot. NULL: not to be had now. */
static struct mt_thread *present(void)
{
    struct mt_process *process = mt__process;
    if (mt_load_acquire(&process->state) != MT_PROCESS_ARMED && !mt__arm_child())
        return NULL;
    struct mt_thread *thread = mt__slot->thread;
    if (thread == NULL)
        thread = mt__attach();
    else if (thread->epoch != process->epoch)
        mt__enroll(thread, MT_RESYNC_START);
    return thread;
}

/* Is the thread's first event, of `kind`, the begin of the innermost call that was stated as open?
 * Then one fewer is open before it. Unblocks signals. */
static bool begun_already(struct mt_thread *thread, enum mt_kind kind,
                          const struct mt_os_mask *mask)
{
    uint32_t stated = thread->stated, id = thread->stated_id, none, current_id = 0;
    bool begins = kind == MT_KIND_PY_BEGIN || kind == MT_KIND_PY_RESUME;
    thread->stated = 0;
    mt_os_restore_signals(mask);
    return begins && mt__kept.ops.open_calls != NULL &&
           mt__kept.ops.open_calls(kind, &none, 0, &current_id) == stated - 1 && current_id == id;
}

/* Makes the calling thread ready to record: afterwards signals are blocked until the caller
 * restores *mask. NULL, and signals are as they were: not recording now, or not this event. */
struct mt_thread *mt__ready(enum mt_kind kind, uint32_t *current_id, struct mt_os_mask *mask)
{
    /* Stating many calls in files with little room may begin file after file. */
    enum { RESYNCS_MAX = 3 };
    for (int resyncs = 0;;) {
        if (!mt_load_acquire(&mt__kept.recording)) /* pairs with mt_core_stop() */
            return NULL;
        mt_os_block_signals(mask);
        struct mt_thread *thread = present();
        if (thread == NULL) {
            mt_os_restore_signals(mask);
            return NULL;
        }
        if (thread->stated != 0) {
            if (begun_already(thread, kind, mask))
                return NULL;
            continue;
        }
        if (thread->greet) {
            thread->greet = 0;
            mt_os_restore_signals(mask);
            if (mt__kept.ops.attached != NULL)
                mt__kept.ops.attached();
            continue;
        }
        if (thread->map != NULL && !thread->losing && mt_load_relaxed(&thread->slot->end) == NULL)
            give_attention(thread);
        if (thread->resync == MT_RESYNC_NONE || thread->losing || resyncs++ == RESYNCS_MAX)
            return thread;
        mt__resync_now(thread, kind, current_id, mask);
        mt_os_restore_signals(mask);
    }
}

bool mt_core_ready(enum mt_kind kind)
{
    /* Functions that are looked up by more than their definition come here at every call. */
    const struct mt_slot *slot = mt__slot;
    if (mt_load_relaxed(&slot->next) < mt_load_relaxed(&slot->end))
        return true;
    int saved = errno;
    struct mt_os_mask mask;
    bool ready = mt__ready(kind, NULL, &mask) != NULL;
    if (ready)
        mt_os_restore_signals(&mask);
    errno = saved;
    return ready;
}

/* ---- losing */

static void lose(struct mt_thread *thread, uint64_t now)
{
    struct mt_lost *lost = thread->lost;
    if (lost != NULL) {
        mt_store_relaxed(&lost->n_events, lost->n_events + 1);
        mt_store_relaxed(&lost->last_tick, now);
    }
    mt__count_loss(0, now);
}

/* The chunk is full and there is no other: marks that in the reserve. */
static void begin_loss(struct mt_thread *thread, int error)
{
    struct mt_slot *slot = thread->slot;
    if (!thread->losing && thread->map != NULL) {
        uint64_t *at = slot->next;
        struct mt_lost *lost = (struct mt_lost *)(at + 1);
        lost->n_events = 0;
        lost->last_tick = slot->last;
        lost->reason = mt__loss_of(error);
        lost->error = (uint32_t)error;
        MT_TESTPOINT(payload_stored);
        mt_store_release(at, mt_record_pack(0, MT_KIND_EXT, mt_ext_id(MT_EXT_LOST, 3)));
        MT_TESTPOINT(lost_stored);
        thread->lost = lost;
    }
    thread->losing = 1;
    slot->next = NULL;
    mt_store_relaxed(&slot->end, NULL);
}

/* ---- chunks */

void mt__release_chunk(struct mt_thread *thread)
{
    if (thread->map != NULL)
        mt_os_unmap(thread->map, thread->map_bytes);
    thread->map = NULL;
    thread->losing = 0;
    thread->lost = NULL;
    mt_store_relaxed(&thread->slot->next, NULL);
    mt_store_relaxed(&thread->slot->end, NULL);
}

/* Gives the thread an empty chunk that begins at `now`. False: there is none, and the loss has begun;
 * or its recording is over. */
bool mt__take_chunk(struct mt_thread *thread, uint64_t now)
{
    struct mt_process *process = mt__process;
    struct mt_slot *slot = thread->slot;
    struct mt_os_mask mask;
    uint32_t bytes = thread->next_bytes;
    void *map = NULL;
    if (now < slot->last)
        now = slot->last; /* a counter that went back: time stands still instead */
    mt__lock(&mask);
    if (!goes_on(thread)) {
        mt__unlock(&mask);
        return false;
    }
    int error = mt__file_append(&bytes, MT_CHUNK_FIRST_BYTES, &map);
    if (error != 0) {
        mt__count_loss(error, 0);
        mt__unlock(&mask);
        begin_loss(thread, error);
        thread->retry_tick = now + mt__kept.tick_hz / (UINT64_C(1000000000) / MT_RETRY_NS);
        return false;
    }
    if (thread->part != process->part) {
        thread->part = process->part;
        thread->seq = 0;
        thread->resync = MT_RESYNC_FILE;
        slot->first_id = process->first_id;
        slot->n_ids = MT_ID_UNKNOWN - process->first_id;
    }
    if (thread->losing)
        thread->resync = MT_RESYNC_LOSS;
    struct mt_chunk_header *chunk = map;
    chunk->type = MT_CHUNK_EVENTS;
    chunk->seq = thread->seq++;
    chunk->thread = thread->number;
    chunk->tid = thread->tid;
    chunk->start_tick = now;
    mt_os_clock_pair(mt__kept.clock, &chunk->pair);
    mt__chunk_commit(chunk, bytes);
    mt__release_chunk(thread);
    thread->map = map;
    thread->map_bytes = bytes;
    if (bytes == thread->next_bytes && bytes < MT_CHUNK_LARGEST_BYTES)
        thread->next_bytes = bytes * MT_CHUNK_GROWTH;
    slot->last = now;
    slot->next = (uint64_t *)(chunk + 1);
    set_end(thread);
    mt__unlock(&mask);
    MT_TESTPOINT(chunk_switched);
    return true;
}

/* ---- records */

/* What a record takes at most: itself, and the clock's gap before it. */
#define RECORD_WORDS (1 + 1 + (uint32_t)sizeof(struct mt_gap) / 8)

/* Room for n words; false: none, and the loss has begun or goes on. */
static bool make_room(struct mt_thread *thread, uint32_t n, uint64_t now)
{
    struct mt_slot *slot = thread->slot;
    if (thread->losing && now < thread->retry_tick)
        return false;
    if (!thread->losing && slot->next != NULL && slot->next + n <= mt_load_relaxed(&slot->end))
        return true;
    return mt__take_chunk(thread, now);
}

static void put_words(struct mt_slot *slot, uint64_t head, const uint64_t *payload, uint32_t n)
{
    uint64_t *at = slot->next;
    for (uint32_t i = 0; i < n; i++)
        mt_store_relaxed(at + 1 + i, payload[i]);
    if (n > 0)
        MT_TESTPOINT(payload_stored);
    mt_store_release(at, head);
    MT_TESTPOINT(head_stored);
    slot->next = at + 1 + n;
}

/* Appends one record, with the clock's gap before it where its time needs that. An id that the
 * chunk's file does not know, because there is a new file since it was looked up, becomes unknown.
 * With `part`: only into that part. False: it could not be written. */
bool mt__put(struct mt_thread *thread, uint32_t word, const uint64_t *payload, uint32_t n_words,
             const uint32_t *part)
{
    struct mt_slot *slot = thread->slot;
    uint64_t now = mt__now();
    if (!make_room(thread, RECORD_WORDS + n_words, now) || (part != NULL && thread->part != *part))
        return false;
    if (mt_record_kind(word) < MT_KIND_GAP && !mt_id_valid(slot, mt_record_id(word)))
        word |= MT_ID_UNKNOWN;
    if (now < slot->last)
        now = slot->last;
    if (now - slot->last > MT_RECORD_DELTA_MAX) {
        struct mt_clock_pair pair;
        mt_os_clock_pair(mt__kept.clock, &pair);
        if (pair.tick < slot->last)
            pair.tick = slot->last;
        uint64_t gap[3] = {pair.tick, pair.mono_ns, pair.real_ns};
        put_words(slot, mt_record_pack(0, MT_KIND_GAP, 3), gap, 3);
        slot->last = pair.tick;
        now = pair.tick;
    }
    put_words(slot, (now - slot->last) << 32 | word, payload, n_words);
    slot->last = now;
    return true;
}

/* Where the clock is a call. */
static bool emit_by_clock(uint32_t word)
{
    struct mt_slot *slot = mt__slot;
    uint64_t *next = slot->next;
    if (slot->counter != 0 || next >= mt_load_relaxed(&slot->end))
        return false;
    return mt__emit_at(slot, next, mt_os_monotonic_ns(), word);
}

void mt__emit_slow(uint32_t word)
{
    if (emit_by_clock(word))
        return;
    int saved = errno;
    enum mt_kind kind = mt_record_kind(word);
    uint32_t id = mt_record_id(word), current_id = 0;
    struct mt_os_mask mask;
    for (bool stated = false, asked = false;;) {
        struct mt_thread *thread = mt__ready(kind, &current_id, &mask);
        if (thread == NULL)
            break;
        uint64_t now = mt__now();
        bool room = make_room(thread, RECORD_WORDS, now);
        if (room && thread->resync != MT_RESYNC_NONE && !stated) {
            stated = true; /* the new chunk begins with the open calls */
            mt_os_restore_signals(&mask);
            continue;
        }
        bool valid = mt_id_valid(thread->slot, id) || id == MT_ID_UNKNOWN;
        if (room && !valid && current_id == 0 && !asked && mt__kept.ops.open_calls != NULL) {
            asked = true; /* its name was looked up before a fork, or a new file */
            mt_os_restore_signals(&mask);
            mt__kept.ops.open_calls(kind, NULL, 0, &current_id);
            continue;
        }
        bool done = room &&
                    mt__put(thread, (uint32_t)kind << MT_ID_BITS | (valid ? id : current_id), NULL,
                            0, NULL);
        bool over = !done && !goes_on(thread); /* stopped meanwhile, and perhaps started: no loss */
        if (!done && !over)
            lose(thread, now);
        mt_os_restore_signals(&mask);
        if (!over)
            break;
    }
    errno = saved;
}
