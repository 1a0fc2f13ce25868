/* thread.c - which thread has which slot: attaching, adopting, detaching.
 *
 * A slot (wiped by forks) and a struct mt_thread (kept) with the same index belong together and to
 * one thread from its first event until it ends; a slot that was given back is used again. Blocks
 * of slots are never freed: another thread's pointer into them must stay good.
 */
#include <errno.h>
#include <string.h>

#include "core/state.h"

struct mt_slot mt__empty_slot; /* never written: next >= end holds, so no record passes */
__thread struct mt_slot *mt__slot = &mt__empty_slot;
__thread struct mt_thread *mt__thread;

static pthread_key_t end_key; /* its destructor runs when a thread ends */

struct mt_thread *mt__thread_at(uint32_t index)
{
    return &mt__kept.threads[index / MT_SLOTS_PER_BLOCK][index % MT_SLOTS_PER_BLOCK];
}

/* A free slot's index; UINT32_MAX when there is none. Lock held. */
static uint32_t take_index(void)
{
    struct mt_process *process = mt__process;
    if (process->free_slot != 0) {
        uint32_t index = process->free_slot - 1;
        process->free_slot = mt__thread_at(index)->number; /* the link, while it is free */
        return index;
    }
    uint32_t index = mt__kept.n_slots, block = index / MT_SLOTS_PER_BLOCK;
    if (block >= MT_MAX_BLOCKS)
        return UINT32_MAX;
    if (mt__kept.slots[block] == NULL) {
        bool wiped;
        void *slots = mt_os_wiped_pages(MT_SLOTS_PER_BLOCK * sizeof(struct mt_slot), &wiped);
        void *threads = mt_os_pages(MT_SLOTS_PER_BLOCK * sizeof(struct mt_thread));
        if (slots == NULL || threads == NULL) {
            if (slots != NULL)
                mt_os_unmap(slots, MT_SLOTS_PER_BLOCK * sizeof(struct mt_slot));
            if (threads != NULL)
                mt_os_unmap(threads, MT_SLOTS_PER_BLOCK * sizeof(struct mt_thread));
            return UINT32_MAX;
        }
        mt__kept.threads[block] = threads;
        mt__kept.slots[block] = slots;
    }
    mt__kept.n_slots++;
    return index;
}

/* Gives the thread a number in the present recording. Lock held or thread not visible yet. */
static void enroll(struct mt_thread *thread, enum mt_resync reason)
{
    struct mt_process *process = mt__process;
    struct mt_slot *slot = thread->slot;
    mt__release_chunk(thread); /* of the former recording */
    thread->number = ++process->n_numbers;
    thread->epoch = process->epoch;
    thread->part = process->part;
    thread->seq = 0;
    thread->name_hash = 0;
    thread->name_bytes = 0;
    thread->next_bytes = MT_CHUNK_FIRST_BYTES;
    thread->retry_tick = 0;
    thread->resync = reason;
    thread->greet = 1;
    thread->stated = 0;
    slot->first_id = process->first_id;
    slot->n_ids = MT_ID_UNKNOWN - process->first_id;
    slot->counter = mt__kept.clock != MT_CLOCK_MONOTONIC;
}

/* A slot for the kernel's thread `tid`. Lock held. NULL: none to be had. */
static struct mt_thread *allot(uint32_t tid, enum mt_resync reason)
{
    uint32_t index = take_index();
    if (index == UINT32_MAX)
        return NULL;
    struct mt_thread *thread = mt__thread_at(index);
    struct mt_slot *slot = &mt__kept.slots[index / MT_SLOTS_PER_BLOCK][index % MT_SLOTS_PER_BLOCK];
    memset(slot, 0, sizeof *slot);
    memset(thread, 0, sizeof *thread);
    thread->slot = slot;
    thread->index = index;
    thread->tid = tid;
    thread->live = 1;
    enroll(thread, reason);
    slot->thread = thread;
    return thread;
}

static struct mt_thread *find(uint32_t tid)
{
    for (uint32_t i = 0; i < mt__kept.n_slots; i++) {
        struct mt_thread *thread = mt__thread_at(i);
        /* A slot without thread: of the parent, before the fork. */
        if (thread->live && thread->tid == tid && thread->slot->thread == thread)
            return thread;
    }
    return NULL;
}

struct mt_thread *mt__attach(void)
{
    struct mt_os_mask mask;
    uint32_t tid = mt_os_tid();
    /* A thread that had a slot which is empty now has been through a fork. */
    enum mt_resync reason = mt__thread != NULL ? MT_RESYNC_FORK : MT_RESYNC_LATE;
    struct mt_thread *thread = NULL;
    mt__lock(&mask);
    if (mt__process->n_numbers == 0 && reason == MT_RESYNC_LATE)
        reason = MT_RESYNC_START; /* the one that starts the recording */
    if (mt__process->n_adopted > 0) {
        thread = find(tid);
        if (thread != NULL && thread->adopted) {
            thread->adopted = 0;
            mt__process->n_adopted--;
        } else {
            thread = NULL;
        }
    }
    if (thread == NULL) {
        thread = allot(tid, reason);
        if (thread != NULL && reason == MT_RESYNC_FORK) {
            thread->name_bytes = mt__thread->name_bytes;
            memcpy(thread->name, mt__thread->name, mt__thread->name_bytes);
        }
    }
    mt__unlock(&mask);
    if (thread == NULL)
        return NULL;
    mt__slot = thread->slot;
    mt__thread = thread;
    pthread_setspecific(end_key, thread);
    return thread;
}

void mt__enroll(struct mt_thread *thread, enum mt_resync reason)
{
    struct mt_os_mask mask;
    mt__lock(&mask);
    enroll(thread, reason);
    mt__unlock(&mask);
}

/* pthread's destructor: this thread ends. */
static void on_thread_end(void *value)
{
    struct mt_thread *thread = value;
    struct mt_os_mask mask;
    mt__lock(&mask);
    /* Else the slot was wiped by a fork, and the entry is of the parent's. */
    if (thread == mt__thread && mt__slot->thread == thread) {
        mt__release_chunk(thread);
        mt__slot = &mt__empty_slot;
        mt__thread = NULL;
        thread->slot->thread = NULL;
        thread->live = 0;
        thread->number = mt__process->free_slot;
        mt__process->free_slot = thread->index + 1;
    }
    mt__unlock(&mask);
}

int mt__thread_init(void)
{
    return pthread_key_create(&end_key, on_thread_end);
}

/* Writes RESYNC and the calls of `ids`. Where they do not all fit, into one file and before a loss,
 * another RESYNC is due. */
static void state_calls(struct mt_thread *thread, enum mt_resync reason, const uint32_t *ids,
                        uint32_t n_ids)
{
    struct mt_resync_payload payload = {.reason = reason, .depth = n_ids};
    uint64_t words[2];
    memcpy(words, &payload, sizeof words);
    if (!mt__put(thread, mt_record_pack(0, MT_KIND_EXT, mt_ext_id(MT_EXT_RESYNC, 2)) & UINT32_MAX,
                 words, 2, NULL))
        return;
    uint32_t part = thread->part;
    for (uint32_t i = 0; i < n_ids; i++) {
        if (!mt__put(thread, (uint32_t)MT_KIND_PY_BEGIN << MT_ID_BITS | ids[i], NULL, 0, &part))
            return;
    }
}

/* Writes the open calls. Returns with signals blocked, but perhaps in another process. */
void mt__resync_now(struct mt_thread *thread, enum mt_kind kind, uint32_t *current_id,
                    struct mt_os_mask *mask)
{
    enum mt_resync reason = thread->resync;
    uint32_t here[256], *ids = here, room = 256, n = 0;
    thread->resync = MT_RESYNC_NONE;
    mt_os_restore_signals(mask);
    if (mt__kept.ops.open_calls != NULL)
        n = mt__kept.ops.open_calls(kind, ids, room, current_id);
    if (n > room) {
        room = n;
        ids = mt_os_pages(room * sizeof *ids);
        if (ids == NULL) { /* the outermost ones must do */
            ids = here;
            n = 256;
        } else {
            n = mt__kept.ops.open_calls(kind, ids, room, current_id);
            n = n < room ? n : room;
        }
    }
    mt_os_block_signals(mask);
    /* A thread's own beginning needs no words. */
    if (mt__slot->thread == thread &&
        (n > 0 || (reason != MT_RESYNC_LATE && reason != MT_RESYNC_START)))
        state_calls(thread, reason, ids, n);
    if (ids != here)
        mt_os_unmap(ids, room * sizeof *ids);
}

void mt_core_adopt(uint32_t tid, const uint32_t *ids, uint32_t n_ids, bool may_begin)
{
    struct mt_os_mask mask;
    struct mt_thread *thread = NULL;
    struct mt_os_mask outer;
    if (!mt_core_recording())
        return;
    mt_os_block_signals(&outer);
    if (!mt__lock_armed(&mask)) {
        mt_os_restore_signals(&outer);
        return;
    }
    struct mt_thread *known = find(tid);
    if (known == NULL) {
        thread = allot(tid, MT_RESYNC_NONE);
        if (thread != NULL) {
            thread->adopted = 1;
            mt__process->n_adopted++;
        }
    } else if (known->epoch != mt__process->epoch) {
        enroll(known, MT_RESYNC_NONE); /* it was there in an earlier recording */
        thread = known;
    }
    mt__unlock(&mask);
    if (thread != NULL) {
        state_calls(thread, MT_RESYNC_START, ids, n_ids);
        if (may_begin) {
            thread->stated = n_ids;
            thread->stated_id = n_ids > 0 ? ids[n_ids - 1] : 0;
            mt_store_relaxed(&thread->slot->end, NULL); /* its first event takes the slow path */
        }
    }
    mt_os_restore_signals(&outer);
}

bool mt_core_resync(uint32_t tid, enum mt_resync reason)
{
    struct mt_os_mask mask;
    if (!mt__lock_armed(&mask))
        return false;
    struct mt_thread *thread = find(tid);
    bool known = thread != NULL && thread->epoch == mt__process->epoch;
    if (known) {
        thread->resync = reason;
        mt_store_relaxed(&thread->slot->end, NULL); /* its next event takes the slow path */
    }
    mt__unlock(&mask);
    return known;
}

uint32_t mt_core_tid(void)
{
    return mt__slot->thread != NULL ? mt__slot->thread->tid : 0;
}
