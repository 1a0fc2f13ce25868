/* scan.c - see scan.h. Three steps: walk the chunks and take in all definitions; then each event
 * chunk, in the file's order; then the tail behind the last chunk.
 */
#include "scan.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An incomplete record of several words: its payload, without the head. */
#define PAYLOAD_WORDS_MAX 3

__attribute__((format(printf, 2, 3))) static void fault(struct scan *s, const char *format, ...)
{
    va_list args;
    if (s->bad[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(s->bad, sizeof s->bad, format, args);
    va_end(args);
}

static uint64_t word_at(const struct scan *s, uint64_t offset)
{
    const unsigned char *b = s->data + offset;
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--)
        word = word << 8 | b[i];
    return word;
}

static uint32_t half_at(const struct scan *s, uint64_t offset)
{
    return (uint32_t)(word_at(s, offset & ~UINT64_C(7)) >> (offset & 4) * 8);
}

static void *grow(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return array;
    *room = *room == 0 ? 64 : *room * 2;
    return realloc(array, *room * size);
}

/* ---- definitions */

/* Functions and strings have number spaces of their own. */
static uint32_t *slot_of(const struct scan *s, bool string, uint32_t id)
{
    uint32_t at = (id * UINT32_C(2654435761) + string) & (s->n_index - 1);
    while (s->index[at] != 0) {
        const struct scan_def *def = &s->defs[s->index[at] - 1];
        if (def->id == id && (def->type == MT_DEF_STRING) == string)
            break;
        at = (at + 1) & (s->n_index - 1);
    }
    return &s->index[at];
}

static void index_def(struct scan *s, uint32_t n)
{
    const struct scan_def *def = &s->defs[n];
    if (def->type != MT_DEF_STRING && def->type != MT_DEF_CODE && def->type != MT_DEF_CFUNC)
        return;
    uint32_t *slot = slot_of(s, def->type == MT_DEF_STRING, def->id);
    if (*slot != 0)
        fault(s, "id %u is defined twice", def->id);
    *slot = n + 1;
}

static void add_def(struct scan *s, const struct scan_def *def)
{
    size_t room = s->room_defs;
    s->defs = grow(s->defs, s->n_defs, &room, sizeof *s->defs);
    s->room_defs = (uint32_t)room;
    s->defs[s->n_defs++] = *def;
    if (s->n_defs * 2 > s->n_index) {
        free(s->index);
        s->n_index = s->n_index == 0 ? 256 : s->n_index * 4;
        s->index = calloc(s->n_index, sizeof *s->index);
        for (uint32_t i = 0; i + 1 < s->n_defs; i++)
            index_def(s, i);
    }
    index_def(s, s->n_defs - 1);
}

/* One definition whose payload is n words at `offset`: its texts must fill them exactly. */
static void one_def(struct scan *s, uint32_t type, uint32_t id, uint64_t offset, uint32_t n)
{
    struct scan_def def = {.type = (enum mt_def)type, .id = id};
    uint64_t fixed = 16, texts;
    switch (type) {
    case MT_DEF_STRING:
        fixed = 8;
        def.n_text = half_at(s, offset);
        break;
    case MT_DEF_CODE:
        def.file_id = half_at(s, offset);
        def.first_line = half_at(s, offset + 4);
        def.flags = half_at(s, offset + 8);
        def.n_text = half_at(s, offset + 12);
        if (def.file_id != 0 && scan_string(s, def.file_id) == NULL)
            fault(s, "code %u: its file %u is no string so far", id, def.file_id);
        break;
    case MT_DEF_CFUNC:
        fixed = 8;
        def.n_owner = half_at(s, offset);
        def.n_text = half_at(s, offset + 4);
        break;
    case MT_DEF_THREAD:
    case MT_DEF_PROCESS:
    case MT_DEF_NOTE:
        def.tid = half_at(s, offset + 8);
        def.n_text = half_at(s, offset + 12);
        if (word_at(s, offset) == 0)
            fault(s, "a name without a time");
        break;
    default: fault(s, "definition of type %u", type); return;
    }
    texts = (uint64_t)def.n_owner + def.n_text;
    if (n != (fixed + texts + 7) / 8) {
        fault(s, "definition of %u: %u words for %llu bytes", id, n,
              (unsigned long long)(fixed + texts));
        return;
    }
    if (def.n_owner > MT_TEXT_MAX_BYTES || def.n_text > MT_TEXT_MAX_BYTES)
        fault(s, "definition of %u: too long", id);
    if ((type == MT_DEF_CODE || type == MT_DEF_CFUNC) && (id == 0 || id >= MT_ID_UNKNOWN))
        fault(s, "a definition of %u, which is no id", id);
    def.owner = (const char *)s->data + offset + fixed;
    def.text = def.owner + def.n_owner;
    if (memchr(def.owner, '\0', texts) != NULL)
        fault(s, "definition of %u: NUL in a text", id);
    add_def(s, &def);
}

static void def_chunk(struct scan *s, uint64_t offset, uint32_t bytes)
{
    uint64_t at = offset + 64, end = offset + bytes;
    while (at < end) {
        uint64_t head = word_at(s, at);
        uint32_t n = (uint32_t)(head >> 48);
        if (head == 0)
            break;
        if (at + 8 + (uint64_t)n * 8 > end) {
            fault(s, "definition at %llu: beyond its chunk", (unsigned long long)at);
            return;
        }
        one_def(s, (uint32_t)(head >> 32) & 0xffff, (uint32_t)head, at + 8, n);
        at += 8 + (uint64_t)n * 8;
    }
}

/* ---- events */

static struct scan_thread *thread_of(struct scan *s, const struct mt_chunk_header *chunk)
{
    if (chunk->thread == 0 || chunk->thread > 1000000 || chunk->tid == 0) {
        fault(s, "thread %u, tid %u", chunk->thread, chunk->tid);
        return NULL;
    }
    if (chunk->thread > s->n_threads) {
        uint32_t room = s->n_threads;
        s->n_threads = chunk->thread;
        s->threads = realloc(s->threads, s->n_threads * sizeof *s->threads);
        memset(s->threads + room, 0, (s->n_threads - room) * sizeof *s->threads);
    }
    struct scan_thread *t = &s->threads[chunk->thread - 1];
    if (t->tid == 0) {
        t->number = chunk->thread;
        t->tid = chunk->tid;
    }
    if (t->tid != chunk->tid)
        fault(s, "thread %u has tids %u and %u", t->number, t->tid, chunk->tid);
    return t;
}

static void mark(struct scan *s, struct scan_thread *t, uint32_t type, uint64_t payload, uint32_t n)
{
    struct scan_mark m = {.type = (enum mt_ext)type, .at = t->n_records, .tick = t->tick};
    if (type == MT_EXT_LOST && n == 3) {
        memcpy(&m.lost, s->data + payload, sizeof m.lost);
        if (m.lost.reason == MT_LOSS_NONE || m.lost.reason >= MT_N_LOSSES)
            fault(s, "LOST with reason %u", m.lost.reason);
        if (m.lost.last_tick < t->tick)
            fault(s, "LOST before the last event");
        t->tick = m.lost.last_tick;
        t->n_restated = 0; /* the rest of a RESYNC's calls did not fit */
    } else if (type == MT_EXT_RESYNC && n == 2) {
        memcpy(&m.resync, s->data + payload, sizeof m.resync);
        if (m.resync.reason == MT_RESYNC_NONE || m.resync.reason >= MT_N_RESYNCS)
            fault(s, "RESYNC with reason %u", m.resync.reason);
        if (t->n_restated > 0)
            fault(s, "RESYNC among the calls of a RESYNC");
        t->n_restated = m.resync.depth;
    } else {
        fault(s, "extension %u of %u words", type, n);
    }
    t->marks = grow(t->marks, t->n_marks, &t->room_marks, sizeof *t->marks);
    t->marks[t->n_marks++] = m;
}

static bool is_lost(const struct scan_thread *t)
{
    return t->n_marks > 0 && t->marks[t->n_marks - 1].type == MT_EXT_LOST &&
           t->marks[t->n_marks - 1].at == t->n_records;
}

static void record(struct scan *s, struct scan_thread *t, uint32_t kind, uint32_t id)
{
    if (kind > MT_KIND_C_END_EXC)
        fault(s, "record of kind %u", kind);
    if (id == 0 || (id != MT_ID_UNKNOWN && scan_function(s, id) == NULL))
        fault(s, "id %u is not defined (thread %u, record %zu)", id, t->number, t->n_records);
    if (t->n_restated > 0 && kind != MT_KIND_PY_BEGIN)
        fault(s, "a record of kind %u among the calls of a RESYNC", kind);
    if (is_lost(t))
        fault(s, "a record after LOST without RESYNC");
    t->n_restated -= t->n_restated > 0;
    t->records = grow(t->records, t->n_records, &t->room_records, sizeof *t->records);
    t->records[t->n_records++] = (struct scan_record){t->tick, kind, id};
}

/* Behind the first zero word: nothing, but for the payload of a record without head where the
 * thread has come no further. */
static void rest_of_chunk(struct scan *s, uint64_t zero, uint64_t end, bool last)
{
    uint64_t may = last ? zero + 8 + PAYLOAD_WORDS_MAX * 8 : zero;
    for (uint64_t at = may; at < end; at += 8) {
        if (word_at(s, at) != 0)
            fault(s, "a word at %llu, behind the end of the records at %llu",
                  (unsigned long long)at, (unsigned long long)zero);
    }
}

static void event_chunk(struct scan *s, uint64_t offset, const struct mt_chunk_header *chunk,
                        struct scan_thread *t)
{
    uint64_t at = offset + 64, end = offset + chunk->size_bytes;
    bool last = chunk->seq + 1 == t->n_chunks;
    if (chunk->start_tick < t->tick)
        fault(s, "thread %u: chunk %u begins before the end of the former", t->number, chunk->seq);
    t->tick = chunk->start_tick;
    t->chunk_bytes += chunk->size_bytes;
    t->last_chunk = offset;
    while (at < end) {
        uint64_t word = word_at(s, at);
        uint32_t kind = (uint32_t)word >> 28, id = (uint32_t)word & 0xfffffff, n = 0;
        if (word == 0) {
            rest_of_chunk(s, at, end, last);
            return;
        }
        if (kind == 0)
            fault(s, "record of kind 0 at %llu", (unsigned long long)at);
        if (kind == MT_KIND_GAP)
            n = id;
        else if (kind == MT_KIND_EXT)
            n = id & 0xfff;
        if (at + 8 + (uint64_t)n * 8 > end) {
            fault(s, "record at %llu: beyond its chunk", (unsigned long long)at);
            return;
        }
        t->tick += word >> 32;
        if (kind == MT_KIND_GAP) {
            uint64_t tick = n == 3 ? word_at(s, at + 8) : 0;
            if (tick < t->tick || word_at(s, at + 16) == 0 || word_at(s, at + 24) == 0)
                fault(s, "GAP at %llu: time goes back", (unsigned long long)at);
            t->tick = tick;
            t->n_gaps++;
        } else if (kind == MT_KIND_EXT) {
            mark(s, t, id >> 12, at + 8, n);
        } else {
            record(s, t, kind, id);
        }
        at += 8 + (uint64_t)n * 8;
    }
}

/* ---- the file */

static bool chunk_at(struct scan *s, uint64_t offset, struct mt_chunk_header *chunk)
{
    if (offset + 64 > s->size || word_at(s, offset) == 0)
        return false;
    memcpy(chunk, s->data + offset, sizeof *chunk);
    if (chunk->magic != MT_CHUNK_MAGIC || chunk->size_bytes < 4096 ||
        chunk->size_bytes % 4096 != 0 || chunk->size_bytes > MT_CHUNK_MAX_BYTES)
        fault(s, "chunk at %llu: bad header", (unsigned long long)offset);
    else if (offset + chunk->size_bytes > s->size)
        fault(s, "chunk at %llu: beyond the file's end", (unsigned long long)offset);
    else if (chunk->pair.tick == 0 || chunk->pair.mono_ns == 0 || chunk->pair.real_ns == 0)
        fault(s, "chunk at %llu: no clock readings", (unsigned long long)offset);
    return s->bad[0] == '\0';
}

/* What a writer may leave behind its last chunk: room it did not come to use, and the header of a
 * chunk without magic. */
static void tail(struct scan *s)
{
    for (uint64_t at = s->end; at < s->size; at += 8) {
        if (word_at(s, at) != 0 && (at < s->end + 8 || at >= s->end + 64))
            fault(s, "a word at %llu, behind the last chunk", (unsigned long long)at);
    }
}

static void check_header(struct scan *s)
{
    const struct mt_file_header *h = &s->header;
    memcpy(&s->header, s->data, sizeof s->header);
    s->unborn = h->magic == 0;
    if (s->unborn)
        return;
    if (h->magic != UINT64_C(0x0a45434152544d89) || h->major != 1 || h->header_bytes != 4096)
        fault(s, "bad magic, version or size");
    else if (h->tick_shift != 0 || h->tick_hz == 0 || h->pair.tick == 0 || h->pid == 0)
        fault(s, "the header is not filled in");
    else if (memchr(h->program, '\0', sizeof h->program) == NULL || h->program[0] == '\0')
        fault(s, "no program");
}

void scan_bytes(unsigned char *data, uint64_t size, struct scan *out)
{
    struct mt_chunk_header chunk;
    memset(out, 0, sizeof *out);
    out->data = data;
    out->size = size & ~UINT64_C(7);
    out->unborn = true;
    if (size < MT_FILE_HEADER_BYTES)
        return;
    check_header(out);
    if (out->unborn)
        return;
    out->n_index = 256;
    out->index = calloc(out->n_index, sizeof *out->index);
    for (out->end = 4096; chunk_at(out, out->end, &chunk); out->end += chunk.size_bytes) {
        struct scan_thread *t;
        if (chunk.type == MT_CHUNK_DEFS) {
            if (chunk.seq != out->n_def_chunks++)
                fault(out, "chunk of definitions %u is out of order", chunk.seq);
            def_chunk(out, out->end, chunk.size_bytes);
        } else if (chunk.type == MT_CHUNK_EVENTS && (t = thread_of(out, &chunk)) != NULL) {
            if (chunk.seq != t->n_chunks++)
                fault(out, "thread %u: chunk %u is out of order", t->number, chunk.seq);
        } else {
            fault(out, "chunk of type %u", chunk.type);
        }
    }
    uint64_t end = out->end;
    for (uint64_t at = 4096; at < end && chunk_at(out, at, &chunk); at += chunk.size_bytes) {
        if (chunk.type == MT_CHUNK_EVENTS)
            event_chunk(out, at, &chunk, &out->threads[chunk.thread - 1]);
    }
    tail(out);
}

bool scan_file(const char *path, struct scan *out)
{
    struct stat st;
    uint64_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(out, 0, sizeof *out);
    if (fd < 0)
        return false;
    unsigned char *data = fstat(fd, &st) == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    while (data != NULL && n < (uint64_t)st.st_size) {
        ssize_t got = read(fd, data + n, (size_t)st.st_size - n);
        if (got <= 0)
            break;
        n += (uint64_t)got;
    }
    close(fd);
    if (data != NULL)
        scan_bytes(data, n, out);
    return data != NULL;
}

void scan_free(struct scan *scan)
{
    for (uint32_t i = 0; i < scan->n_threads; i++) {
        free(scan->threads[i].records);
        free(scan->threads[i].marks);
    }
    free(scan->threads);
    free(scan->defs);
    free(scan->index);
    free(scan->data);
    memset(scan, 0, sizeof *scan);
}

static const struct scan_def *find(const struct scan *scan, bool string, uint32_t id)
{
    uint32_t n = *slot_of(scan, string, id);
    return n != 0 ? &scan->defs[n - 1] : NULL;
}

const struct scan_def *scan_function(const struct scan *scan, uint32_t id)
{
    return find(scan, false, id);
}

const struct scan_def *scan_string(const struct scan *scan, uint32_t id)
{
    return find(scan, true, id);
}

const struct scan_def *scan_last(const struct scan *scan, enum mt_def type, uint32_t id)
{
    for (uint32_t i = scan->n_defs; i > 0; i--) {
        if (scan->defs[i - 1].type == type && scan->defs[i - 1].id == id)
            return &scan->defs[i - 1];
    }
    return NULL;
}

bool scan_is(const struct scan_def *def, const char *text)
{
    return def != NULL && def->n_text == strlen(text) && memcmp(def->text, text, def->n_text) == 0;
}
