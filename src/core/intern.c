/* intern.c - definitions: what ids, threads and processes are called. First sights only.
 *
 * Invariant: a definition is committed (its head stored) before its id is returned, so no record
 * can use an id that the file does not explain, whatever instruction the process dies at.
 */
#include <errno.h>
#include <string.h>

#include "core/state.h"

/* A piece of a definition's payload. */
struct part {
    const void *data;
    size_t n;
};

/* Not longer than MT_TEXT_MAX_BYTES, cut before a UTF-8 continuation byte, and before a NUL. */
static size_t cut(const char *text, size_t n)
{
    if (n > MT_TEXT_MAX_BYTES) {
        n = MT_TEXT_MAX_BYTES;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    const char *nul = memchr(text, '\0', n);
    return nul != NULL ? (size_t)(nul - text) : n;
}

/* Room for `words` in a chunk of definitions. Lock held. False: none. */
static bool make_room(uint32_t words)
{
    struct mt_process *process = mt__process;
    if (process->defs_next != NULL && process->defs_next + words <= process->defs_end)
        return true;
    if (process->defs_retry_tick != 0 && mt__now() < process->defs_retry_tick)
        return false;
    uint32_t need = (MT_CHUNK_HEADER_BYTES + words * 8 + MT_PAGE_BYTES - 1) & ~(MT_PAGE_BYTES - 1);
    uint32_t bytes = process->n_def_chunks == 0 ? MT_DEFS_FIRST_BYTES : MT_DEFS_LARGEST_BYTES;
    if (bytes < need)
        bytes = need;
    void *map;
    int error = mt__file_append(&bytes, need, &map);
    if (error != 0) {
        mt__count_loss(error, 0);
        process->defs_retry_tick = mt__now() +
                                   mt__kept.tick_hz / (UINT64_C(1000000000) / MT_RETRY_NS);
        return false;
    }
    struct mt_chunk_header *chunk = map;
    chunk->type = MT_CHUNK_DEFS;
    chunk->seq = process->n_def_chunks++;
    mt_os_clock_pair(mt__kept.clock, &chunk->pair);
    mt__chunk_commit(chunk, bytes);
    if (process->defs_map != NULL)
        mt_os_unmap(process->defs_map, process->defs_bytes);
    process->defs_map = map;
    process->defs_bytes = bytes;
    process->defs_next = (uint64_t *)(chunk + 1);
    process->defs_end = (uint64_t *)(void *)((char *)map + bytes);
    process->defs_retry_tick = 0;
    return true;
}

/* Appends a definition. Lock held. False: no room. */
static bool put(enum mt_def type, uint32_t id, const struct part *parts, int n_parts)
{
    struct mt_process *process = mt__process;
    size_t n_bytes = 0;
    for (int i = 0; i < n_parts; i++)
        n_bytes += parts[i].n;
    uint32_t words = (uint32_t)((n_bytes + 7) / 8);
    if (words > MT_DEF_WORDS_MAX || !make_room(1 + words))
        return false;
    uint64_t *head = process->defs_next;
    char *at = (char *)(head + 1);
    for (int i = 0; i < n_parts; i++) {
        if (parts[i].n > 0)
            memcpy(at, parts[i].data, parts[i].n);
        at += parts[i].n;
    }
    MT_TESTPOINT(def_filled);
    /* Pairs with the reader's look at the head: what it vouches for is there. */
    mt_store_release(head, mt_def_pack(type, id, words));
    MT_TESTPOINT(def_stored);
    process->defs_next = head + 1 + words;
    return true;
}

/* FNV-1a, then mixed; strings are few and short. Never zero. */
static uint64_t hash_of(const char *text, size_t n)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 32;
    return hash != 0 ? hash : 1;
}

/* The id of a string, from a cache of fixed size (a program may make names without end): one that
 * was pushed out is merely defined again. 0: no room. */
static uint32_t string_id(const char *text, size_t n)
{
    struct mt_process *process = mt__process;
    uint64_t hash = hash_of(text, n);
    struct mt_string_entry *entry = &process->strings[hash % MT_STRING_ENTRIES];
    if (entry->id != 0 && entry->hash == hash && entry->n_bytes == n)
        return entry->id;
    struct mt_def_text def = {.n_bytes = (uint32_t)n};
    struct part parts[] = {{&def, sizeof def}, {text, n}};
    uint32_t id = process->next_string;
    if (!put(MT_DEF_STRING, id, parts, 2))
        return 0;
    process->next_string = id + 1;
    *entry = (struct mt_string_entry){.hash = hash, .n_bytes = (uint32_t)n, .id = id};
    return id;
}

/* Defines the next id, in room that was made before: an id that is taken belongs to the present
 * file. MT_ID_UNKNOWN when all are used up. */
static uint32_t new_id(enum mt_def type, const struct part *parts, int n_parts)
{
    uint32_t id = mt__kept.next_id;
    if (id >= MT_ID_UNKNOWN) {
        mt_store_relaxed(&mt__process->header->loss_reason, (uint32_t)MT_LOSS_IDS);
        return MT_ID_UNKNOWN;
    }
    mt__kept.next_id = id + 1;
    return put(type, id, parts, n_parts) ? id : MT_ID_UNKNOWN;
}

/* Words of a definition with `n` bytes of payload, its head included. */
static uint32_t words_of(size_t n)
{
    return 1 + (uint32_t)((n + 7) / 8);
}

uint32_t mt_core_define_code(const char *name, size_t n_name, const char *file, size_t n_file,
                             uint32_t first_line, uint32_t flags)
{
    struct mt_os_mask mask;
    n_name = cut(name, n_name);
    n_file = cut(file, n_file);
    struct mt_def_code def = {.first_line = first_line, .flags = flags};
    def.name_bytes = (uint32_t)n_name;
    struct part parts[] = {{&def, sizeof def}, {name, n_name}};
    uint32_t id = MT_ID_UNKNOWN;
    if (!mt__lock_armed(&mask))
        return MT_ID_UNKNOWN;
    /* Room for both definitions before either: making room may begin a new file, and what refers
     * to each other must lie in the same one. */
    if (make_room(words_of(sizeof(struct mt_def_text) + n_file) + words_of(sizeof def + n_name))) {
        def.file_id = n_file > 0 ? string_id(file, n_file) : 0;
        id = new_id(MT_DEF_CODE, parts, 2);
    }
    mt__unlock(&mask);
    return id;
}

uint32_t mt_core_define_cfunc(const char *owner, size_t n_owner, const char *name, size_t n_name)
{
    struct mt_os_mask mask;
    n_owner = cut(owner, n_owner);
    n_name = cut(name, n_name);
    struct mt_def_cfunc def = {.owner_bytes = (uint32_t)n_owner, .name_bytes = (uint32_t)n_name};
    struct part parts[] = {{&def, sizeof def}, {owner, n_owner}, {name, n_name}};
    uint32_t id = MT_ID_UNKNOWN;
    if (!mt__lock_armed(&mask))
        return MT_ID_UNKNOWN;
    if (make_room(words_of(sizeof def + n_owner + n_name)))
        id = new_id(MT_DEF_CFUNC, parts, 3);
    mt__unlock(&mask);
    return id;
}

/* Lock held. */
static bool put_name(enum mt_def type, uint32_t id, uint32_t tid, const char *text, size_t n)
{
    n = cut(text, n);
    struct mt_def_name def = {.tick = mt__now(), .tid = tid, .n_bytes = (uint32_t)n};
    struct part parts[] = {{&def, sizeof def}, {text, n}};
    return put(type, id, parts, 2);
}

bool mt_core_name_thread(uint32_t tid, const char *name, size_t n_name)
{
    struct mt_os_mask mask;
    bool found = false;
    if (!mt__lock_armed(&mask))
        return false;
    for (uint32_t i = 0; i < mt__kept.n_slots && !found; i++) {
        struct mt_thread *thread = mt__thread_at(i);
        if (!thread->live || thread->tid != tid || thread->slot->thread != thread ||
            thread->epoch != mt__process->epoch)
            continue;
        uint32_t hash = (uint32_t)hash_of(name, n_name) | 1;
        found = thread->name_hash == hash ||
                put_name(MT_DEF_THREAD, thread->number, tid, name, n_name);
        if (found) {
            thread->name_hash = hash;
            thread->name_bytes = n_name <= sizeof thread->name ? (uint32_t)n_name : 0;
            memcpy(thread->name, name, thread->name_bytes);
        }
    }
    mt__unlock(&mask);
    return found;
}

bool mt_core_inherit_name(void)
{
    struct mt_os_mask mask;
    bool found = false;
    if (!mt__lock_armed(&mask))
        return false;
    struct mt_thread *thread = mt__slot->thread;
    if (thread != NULL && thread->name_bytes != 0 && thread->epoch == mt__process->epoch)
        found = thread->name_hash != 0 || put_name(MT_DEF_THREAD, thread->number, thread->tid,
                                                   thread->name, thread->name_bytes);
    if (found)
        thread->name_hash = (uint32_t)hash_of(thread->name, thread->name_bytes) | 1;
    mt__unlock(&mask);
    return found;
}

void mt_core_name_process(const char *name, size_t n_name)
{
    struct mt_os_mask mask;
    if (!mt__lock_armed(&mask))
        return;
    put_name(MT_DEF_PROCESS, 0, 0, name, n_name);
    mt__unlock(&mask);
}

void mt_core_note(enum mt_note about, const char *text)
{
    struct mt_os_mask mask;
    if (!mt__lock_armed(&mask))
        return;
    put_name(MT_DEF_NOTE, about, 0, text, strlen(text));
    mt__unlock(&mask);
}

void mt_core_engine(enum mt_engine engine)
{
    mt__kept.engine = engine;
    if (mt__process != NULL && mt__process->header != NULL)
        mt_store_relaxed(&mt__process->header->engine, (uint32_t)engine);
}

void mt_core_displaced(void)
{
    if (mt__process != NULL && mt__process->header != NULL)
        mt_add_relaxed(&mt__process->header->n_displaced, 1);
}
