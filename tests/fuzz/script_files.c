/* script_files.c - steps that make files, headers and chunks; see script.h. */
#include <stdlib.h>
#include <string.h>

#include "script_steps.h"

#define REAL_NS UINT64_C(1700000000000000000)
#define MONO_NS UINT64_C(1000000000)

struct mt_clock_pair script__pair(uint64_t tick)
{
    return (struct mt_clock_pair){tick, MONO_NS + tick, REAL_NS + MONO_NS + tick};
}

static void put_text(char *field, size_t size, struct mt_text text)
{
    memset(field, 0, size); /* a text that fills it has no NUL at its end */
    memcpy(field, text.data, text.n_bytes < size ? text.n_bytes : size);
}

/* Makes it longer by zeros; false: that is too much. */
static bool extend(struct script *script, struct script_file *file, size_t n_bytes)
{
    if (n_bytes > SCRIPT_MAX_BYTES - script->n_bytes)
        return false;
    file->data = realloc(file->data, file->n_bytes + n_bytes);
    if (!file->data)
        abort();
    memset(file->data + file->n_bytes, 0, n_bytes);
    file->n_bytes += n_bytes;
    script->n_bytes += n_bytes;
    return true;
}

static struct script_file *add_file(struct script *script)
{
    if (script->n_files == SCRIPT_MAX_FILES)
        return NULL;
    struct script_file *file = &script->files[script->n_files];
    *file = (struct script_file){.step = 1, .tick = 1000};
    memcpy(file->name, "0.trace", 8);
    file->name[0] = (char)('a' + script->n_files++);
    return file;
}

void script__op_file(struct script *script, const uint8_t *operands)
{
    uint32_t pid = (uint32_t)script_number(operands[0]);
    struct script_file *file = add_file(script);
    struct mt_file_header header = {
        .magic = MT_FILE_MAGIC,
        .major = MT_FORMAT_MAJOR,
        .minor = MT_FORMAT_MINOR,
        .header_bytes = MT_FILE_HEADER_BYTES,
        .pid_ns = 7,
        .pid = pid,
        .ppid = 1,
        .start_time = 50,
        .origin = MT_ORIGIN_BOOT,
        .clock = MT_CLOCK_MONOTONIC,
        .tick_hz = 1000000000,
        .pair = script__pair(0),
        .engine = MT_ENGINE_SETPROFILE,
        .options = MT_OPTION_C_FUNCTIONS,
        .python_version = 0x030b02f0,
    };
    if (!file || !extend(script, file, sizeof header))
        return;
    memset(header.file_id, (int)(script->n_files + 16), 16);
    memset(header.run_id, 0x11, 16);
    memset(header.boot_id, 0xb0, 16);
    put_text(header.host, sizeof header.host, script_text('h'));
    put_text(header.program, sizeof header.program, script_text('a'));
    put_text(header.executable, sizeof header.executable, script_text('1'));
    memcpy(file->data, &header, sizeof header);
}

struct script_file *script__file(struct script *script)
{
    if (!script->n_files)
        script__op_file(script, (const uint8_t[]){'5'});
    struct script_file *file = script->n_files ? &script->files[script->n_files - 1] : NULL;
    return file && file->data ? file : NULL;
}

/* A copy of the header to change; false: the file is shorter than that. */
static bool take_header(struct script *script, struct mt_file_header *header)
{
    struct script_file *file = script__file(script);
    if (!file || file->n_bytes < sizeof *header)
        return false;
    memcpy(header, file->data, sizeof *header);
    return true;
}

static void give_header(struct script *script, const struct mt_file_header *header)
{
    memcpy(script__file(script)->data, header, sizeof *header);
}

void script__op_parent(struct script *script, const uint8_t *operands)
{
    struct mt_file_header header, parent;
    if (!take_header(script, &header))
        return;
    const struct script_file *from = &script->files[script_number(operands[0]) % script->n_files];
    if (from->n_bytes < sizeof parent)
        return;
    memcpy(&parent, from->data, sizeof parent);
    memcpy(header.parent_id, parent.file_id, 16);
    header.ppid = parent.pid;
    header.parent_start_time = parent.start_time;
    header.origin = MT_ORIGIN_FORK;
    header.parent_tid = parent.pid;
    header.fork_tick = from->tick;
    header.pair = script__pair(from->tick);
    script__file(script)->tick = from->tick;
    give_header(script, &header);
}

void script__op_header(struct script *script, const uint8_t *operands)
{
    struct mt_file_header header;
    uint64_t value = script_number(operands[1]);
    if (!take_header(script, &header))
        return;
    switch (script_number(operands[0]) % 31) {
    case 0: header.magic = value; break;
    case 1: header.major = (uint16_t)value; break;
    case 2: header.minor = (uint16_t)value; break;
    case 3: header.header_bytes = (uint32_t)value; break;
    case 4: header.pid_ns = value; break;
    case 5: header.pid = (uint32_t)value; break;
    case 6: header.ppid = (uint32_t)value; break;
    case 7: header.start_time = value; break;
    case 8: header.parent_start_time = value; break;
    case 9: header.image = (uint32_t)value; break;
    case 10: header.part = (uint32_t)value; break;
    case 11: header.origin = (uint32_t)value; break;
    case 12: header.parent_tid = (uint32_t)value; break;
    case 13: header.fork_tick = value; break;
    case 14: header.clock = (uint32_t)value; break;
    case 15: header.tick_shift = (uint32_t)value; break;
    case 16: header.tick_hz = value; break;
    case 17: header.pair.tick = value; break;
    case 18: header.pair.mono_ns = value; break;
    case 19: header.pair.real_ns = value; break;
    case 20: header.engine = (uint32_t)value; break;
    case 21: header.options = (uint32_t)value; break;
    case 22: header.python_version = (uint32_t)value; break;
    case 23: header.n_lost = value; break;
    case 24: header.loss_reason = (uint32_t)value; break;
    case 25: header.loss_error = (uint32_t)value; break;
    case 26: header.first_lost_tick = value; break;
    case 27: header.last_lost_tick = value; break;
    case 28: header.flags = (uint32_t)value; break;
    case 29: header.n_displaced = (uint32_t)value; break;
    default: header.end_tick = value; break;
    }
    give_header(script, &header);
}

void script__op_header_id(struct script *script, const uint8_t *operands)
{
    struct mt_file_header header;
    if (!take_header(script, &header))
        return;
    uint8_t *const ids[] = {header.file_id, header.run_id, header.parent_id, header.boot_id};
    memset(ids[script_number(operands[0]) % 4], (int)(script_number(operands[1]) & 255), 16);
    give_header(script, &header);
}

void script__op_header_text(struct script *script, const uint8_t *operands)
{
    struct mt_file_header header;
    struct mt_text text = script_text(operands[1]);
    if (!take_header(script, &header))
        return;
    switch (script_number(operands[0]) % 3) {
    case 0: put_text(header.host, sizeof header.host, text); break;
    case 1: put_text(header.program, sizeof header.program, text); break;
    default: put_text(header.executable, sizeof header.executable, text); break;
    }
    give_header(script, &header);
}

void script__op_copy(struct script *script, const uint8_t *operands)
{
    if (!script->n_files)
        return;
    const struct script_file *from = &script->files[script_number(operands[0]) % script->n_files];
    struct script_file *file = add_file(script);
    if (!file || !extend(script, file, from->n_bytes))
        return;
    if (from->n_bytes)
        memcpy(file->data, from->data, from->n_bytes);
    char letter = file->name[0];
    struct script_file copy = *from;
    copy.data = file->data;
    *file = copy;
    file->name[0] = letter;
}

void script__op_cut(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    size_t n = (size_t)(script_number(operands[0]) & 0xffff);
    if (!file)
        return;
    n = n < file->n_bytes ? n : file->n_bytes;
    file->n_bytes -= n;
    script->n_bytes -= n;
    file->events = file->defs = 0;
}

void script__op_poke(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    if (!file || !file->n_bytes)
        return;
    size_t page = script_number(operands[0]) & 63, offset = script_number(operands[1]) & 4095;
    file->data[(page * 4096 + offset) % file->n_bytes] = (uint8_t)script_number(operands[2]);
}

/* --------------------------------------------------------------------------------------- chunks */

/* Returns its offset, or 0. */
static size_t add_chunk(struct script *script, struct script_file *file, enum mt_chunk type,
                        uint32_t thread, uint32_t tid, uint32_t n_pages)
{
    size_t offset = file->n_bytes;
    struct mt_chunk_header header = {
        .magic = MT_CHUNK_MAGIC,
        .size_bytes = n_pages * MT_PAGE_BYTES,
        .type = (uint16_t)type,
        .thread = thread,
        .tid = tid,
        .pair = script__pair(file->tick),
        .start_tick = file->tick,
    };
    if (!extend(script, file, header.size_bytes))
        return 0;
    header.seq = type == MT_CHUNK_DEFS ? file->n_def_chunks++ : file->n_seqs[thread & 15]++;
    memcpy(file->data + offset, &header, sizeof header);
    return offset;
}

static struct mt_chunk_header header_at(const struct script_file *file, size_t chunk)
{
    struct mt_chunk_header header;
    memcpy(&header, file->data + chunk, sizeof header);
    return header;
}

size_t script__room(const struct script_file *file, size_t chunk, size_t at)
{
    size_t end = chunk ? chunk + header_at(file, chunk).size_bytes : 0;
    if (end > file->n_bytes)
        end = file->n_bytes;
    return end > at ? end - at : 0;
}

void script__op_events(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    if (!file)
        return;
    file->events = add_chunk(script, file, MT_CHUNK_EVENTS, (uint32_t)script_number(operands[0]),
                             (uint32_t)script_number(operands[1]),
                             (uint32_t)(script_number(operands[2]) & 15) + 1);
    file->events_at = file->events + MT_CHUNK_HEADER_BYTES;
}

void script__op_defs(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    (void)operands;
    if (!file)
        return;
    file->defs = add_chunk(script, file, MT_CHUNK_DEFS, 0, 0, 2);
    file->defs_at = file->defs + MT_CHUNK_HEADER_BYTES;
}

void script__op_chunk_header(struct script *script, const uint8_t *operands)
{
    struct script_file *file = script__file(script);
    uint64_t value = script_number(operands[1]);
    if (!file || !file->events)
        return;
    struct mt_chunk_header header = header_at(file, file->events);
    switch (script_number(operands[0]) % 11) {
    case 0: header.magic = (uint32_t)value; break;
    case 1: header.size_bytes = (uint32_t)value; break;
    case 2: header.type = (uint16_t)value; break;
    case 3: header.flags = (uint16_t)value; break;
    case 4: header.seq = (uint32_t)value; break;
    case 5: header.thread = (uint32_t)value; break;
    case 6: header.tid = (uint32_t)value; break;
    case 7: header.pair.tick = value; break;
    case 8: header.pair.mono_ns = value; break;
    case 9: header.pair.real_ns = value; break;
    default: header.start_tick = value; break;
    }
    memcpy(file->data + file->events, &header, sizeof header);
}

/* Whether n words fit into the chunk at hand; if not, a new one is begun like it. */
static bool room_for_words(struct script *script, struct script_file *file, size_t n)
{
    if (script__room(file, file->events, file->events_at) >= 8 * n)
        return true;
    struct mt_chunk_header former = {.thread = 1, .tid = 5};
    if (file->events)
        former = header_at(file, file->events);
    file->events = add_chunk(script, file, MT_CHUNK_EVENTS, former.thread, former.tid,
                             n > 500 ? 9 : 1);
    file->events_at = file->events + MT_CHUNK_HEADER_BYTES;
    return script__room(file, file->events, file->events_at) >= 8 * n;
}

void script__words(struct script *script, const void *words, size_t n)
{
    struct script_file *file = script__file(script);
    if (!file || !room_for_words(script, file, n))
        return;
    memcpy(file->data + file->events_at, words, 8 * n);
    file->events_at += 8 * n;
}
