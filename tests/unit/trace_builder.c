/* trace_builder.c - see trace_builder.h. */
#include "trace_builder.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static struct mt_clock_pair pair_at(uint64_t tick)
{
    return (struct mt_clock_pair){tick, TB_MONO_NS + tick, TB_REAL_NS + TB_MONO_NS + tick};
}

static void *extend(struct tb *tb, size_t n_bytes)
{
    tb->data = realloc(tb->data, tb->n_bytes + n_bytes);
    if (!tb->data)
        abort();
    void *fresh = memset(tb->data + tb->n_bytes, 0, n_bytes);
    tb->n_bytes += n_bytes;
    return fresh;
}

static void set_text(char *field, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size)
        abort();
    memcpy(field, text, n);
}

struct mt_file_header *tb_header(struct tb *tb)
{
    return (struct mt_file_header *)(void *)tb->data;
}

void tb_init(struct tb *tb, uint32_t pid)
{
    *tb = (struct tb){0};
    struct mt_file_header *header = extend(tb, sizeof *header);
    *header = (struct mt_file_header){
        .magic = MT_FILE_MAGIC,
        .major = MT_FORMAT_MAJOR,
        .minor = 0, /* the oldest, which stays readable */
        .header_bytes = MT_FILE_HEADER_BYTES,
        .pid_ns = 7,
        .pid = pid,
        .ppid = 1,
        .start_time = 50,
        .origin = MT_ORIGIN_BOOT,
        .clock = MT_CLOCK_MONOTONIC,
        .tick_hz = 1000000000,
        .pair = pair_at(0),
        .engine = MT_ENGINE_SETPROFILE,
        .options = MT_OPTION_C_FUNCTIONS,
        .python_version = 0x030b02f0,
    };
    for (int i = 0; i < 16; i++) {
        header->file_id[i] = (uint8_t)(pid >> (i % 4 * 8)) ^ 0x55;
        header->boot_id[i] = 0xb0;
        header->run_id[i] = 0x11;
    }
    set_text(header->host, sizeof header->host, "host");
    set_text(header->program, sizeof header->program, "app");
    set_text(header->executable, sizeof header->executable, "/usr/bin/python3");
    tb->next_string = 1;
    tb->defs = tb_new_defs(tb, 1);
}

void tb_fini(struct tb *tb)
{
    free(tb->data);
    *tb = (struct tb){0};
}

void tb_set_parent(struct tb *tb, struct tb *parent)
{
    memcpy(tb_header(tb)->parent_id, tb_header(parent)->file_id, 16);
    tb_header(tb)->ppid = tb_header(parent)->pid;
}

/* --------------------------------------------------------------------------------------- chunks */

static size_t new_chunk(struct tb *tb, const struct mt_chunk_header *header)
{
    if (tb->n_chunks == TB_MAX_CHUNKS)
        abort();
    struct tb_chunk *chunk = &tb->chunks[tb->n_chunks];
    chunk->offset = tb->n_bytes;
    chunk->at = chunk->offset + MT_CHUNK_HEADER_BYTES;
    chunk->end = chunk->offset + header->size_bytes;
    chunk->tick = header->start_tick;
    chunk->thread = header->thread;
    memcpy(extend(tb, header->size_bytes), header, sizeof *header);
    return tb->n_chunks++;
}

size_t tb_events_of(struct tb *tb, uint32_t thread, uint32_t tid, uint64_t start_tick,
                    uint32_t n_pages)
{
    struct mt_chunk_header header = {
        .magic = MT_CHUNK_MAGIC,
        .size_bytes = n_pages * MT_PAGE_BYTES,
        .type = MT_CHUNK_EVENTS,
        .thread = thread,
        .tid = tid,
        .pair = pair_at(start_tick),
        .start_tick = start_tick,
    };
    for (size_t i = 0; i < tb->n_chunks; i++)
        header.seq += tb->chunks[i].thread == thread;
    return new_chunk(tb, &header);
}

size_t tb_events(struct tb *tb, uint32_t thread, uint32_t tid, uint64_t start_tick)
{
    return tb_events_of(tb, thread, tid, start_tick, 1);
}

size_t tb_new_defs(struct tb *tb, uint32_t n_pages)
{
    struct mt_chunk_header header = {
        .magic = MT_CHUNK_MAGIC,
        .size_bytes = n_pages * MT_PAGE_BYTES,
        .type = MT_CHUNK_DEFS,
        .seq = tb->n_def_chunks++,
        .pair = pair_at(0),
    };
    return new_chunk(tb, &header);
}

struct mt_chunk_header *tb_chunk_header(struct tb *tb, size_t chunk)
{
    return (struct mt_chunk_header *)(void *)(tb->data + tb->chunks[chunk].offset);
}

size_t tb_word(struct tb *tb, size_t chunk, uint64_t word)
{
    struct tb_chunk *to = &tb->chunks[chunk];
    size_t offset = to->at;
    if (offset + sizeof word > to->end)
        abort();
    memcpy(tb->data + offset, &word, sizeof word);
    to->at += sizeof word;
    return offset;
}

static void put_bytes(struct tb *tb, size_t chunk, const void *data, size_t n_bytes)
{
    for (size_t at = 0; at < n_bytes; at += 8) {
        uint64_t word = 0;
        memcpy(&word, (const char *)data + at, n_bytes - at < 8 ? n_bytes - at : 8);
        tb_word(tb, chunk, word);
    }
}

/* -------------------------------------------------------------------------------------- records */

size_t tb_record(struct tb *tb, size_t chunk, uint64_t tick, enum mt_kind kind, uint32_t id)
{
    uint32_t shift = tb_header(tb)->tick_shift;
    uint64_t delta = (tick - tb->chunks[chunk].tick) >> shift;
    if (delta > MT_RECORD_DELTA_MAX)
        abort();
    tb->chunks[chunk].tick += delta << shift;
    return tb_word(tb, chunk, mt_record_pack(delta, kind, id));
}

size_t tb_gap(struct tb *tb, size_t chunk, uint64_t tick)
{
    struct mt_gap gap = {tick, TB_MONO_NS + tick, TB_REAL_NS + TB_MONO_NS + tick};
    size_t offset = tb_word(tb, chunk, mt_record_pack(0, MT_KIND_GAP, 3));
    put_bytes(tb, chunk, &gap, sizeof gap);
    tb->chunks[chunk].tick = tick;
    return offset;
}

size_t tb_resync(struct tb *tb, size_t chunk, uint64_t tick, enum mt_resync reason, uint32_t depth)
{
    struct mt_resync_payload payload = {.reason = reason, .depth = depth};
    size_t offset = tb_record(tb, chunk, tick, MT_KIND_EXT, mt_ext_id(MT_EXT_RESYNC, 2));
    put_bytes(tb, chunk, &payload, sizeof payload);
    return offset;
}

size_t tb_lost(struct tb *tb, size_t chunk, uint64_t n_events, uint64_t last_tick,
               enum mt_loss reason)
{
    struct mt_lost payload = {.n_events = n_events, .last_tick = last_tick, .reason = reason};
    size_t offset = tb_record(tb, chunk, tb->chunks[chunk].tick, MT_KIND_EXT,
                              mt_ext_id(MT_EXT_LOST, 3));
    put_bytes(tb, chunk, &payload, sizeof payload);
    return offset;
}

static enum mt_kind kind_of(char letter)
{
    switch (letter) {
#define X(name, number, kind_letter, text)                                                         \
    case kind_letter: return MT_KIND_##name;
        MT_KIND_MAP(X)
#undef X
    default: abort();
    }
}

void tb_records(struct tb *tb, size_t chunk, uint64_t step, const char *records)
{
    while (*records) {
        if (isspace((unsigned char)*records)) {
            records++;
            continue;
        }
        char *end;
        enum mt_kind kind = kind_of(*records);
        uint32_t id = (uint32_t)strtoul(records + 1, &end, 10);
        assert(end > records + 1);
        records = end;
        tb_record(tb, chunk, tb->chunks[chunk].tick + step, kind, id);
    }
}

/* ---------------------------------------------------------------------------------- definitions */

static size_t put_def(struct tb *tb, enum mt_def type, uint32_t id, const void *head,
                      size_t head_bytes, const char *text, const char *more)
{
    char payload[2048] = {0};
    size_t n_text = strlen(text), n_more = strlen(more);
    size_t n_bytes = head_bytes + n_text + n_more;
    if (n_bytes > sizeof payload)
        abort();
    memcpy(payload, head, head_bytes);
    memcpy(payload + head_bytes, text, n_text);
    memcpy(payload + head_bytes + n_text, more, n_more);
    size_t n_words = (n_bytes + 7) / 8;
    size_t offset = tb_word(tb, tb->defs, mt_def_pack(type, id, (uint32_t)n_words));
    put_bytes(tb, tb->defs, payload, n_words * 8);
    return offset;
}

size_t tb_string(struct tb *tb, uint32_t id, const char *text)
{
    struct mt_def_text head = {.n_bytes = (uint32_t)strlen(text)};
    return put_def(tb, MT_DEF_STRING, id, &head, sizeof head, text, "");
}

size_t tb_code(struct tb *tb, uint32_t id, const char *name, const char *file, uint32_t line)
{
    struct mt_def_code head = {.first_line = line, .name_bytes = (uint32_t)strlen(name)};
    if (file) {
        head.file_id = tb->next_string++;
        tb_string(tb, head.file_id, file);
    }
    return put_def(tb, MT_DEF_CODE, id, &head, sizeof head, name, "");
}

size_t tb_cfunc(struct tb *tb, uint32_t id, const char *owner, const char *name)
{
    struct mt_def_cfunc head = {(uint32_t)strlen(owner), (uint32_t)strlen(name)};
    return put_def(tb, MT_DEF_CFUNC, id, &head, sizeof head, owner, name);
}

size_t tb_name(struct tb *tb, enum mt_def type, uint32_t id, uint64_t tick, uint32_t tid,
               const char *text)
{
    struct mt_def_name head = {.tick = tick, .tid = tid, .n_bytes = (uint32_t)strlen(text)};
    return put_def(tb, type, id, &head, sizeof head, text, "");
}
