/* check.c - verifies one file strictly against format.h: its header and its chunks here, what is in
 * the chunks in check_defs.c and check_records.c. Called by `mtrace check` and by tests.
 *
 * A file that is being written to, or whose process was killed at any instruction, is without fault:
 * the same snapshot is taken as by every other reader (file.h).
 */
#include "reader/check.h"

#include <stdio.h>
#include <string.h>

bool mt__check_fault(struct mt__check *check, uint64_t offset, const char *format, ...)
{
    if (check->error.status != MT_OK)
        return false;
    check->error.status = MT_CORRUPT;
    check->error.file = check->file.source.name;
    check->error.offset = offset;
    va_list args;
    va_start(args, format);
    vsnprintf(check->error.message, sizeof check->error.message, format, args);
    va_end(args);
    return false;
}

/* What the lenient parts of the reader tell. */
static void note_told(void *context, const struct mt_error *error)
{
    struct mt__check *check = context;
    if (error->status != MT_OK && check->error.status == MT_OK)
        check->error = *error;
}

/* --------------------------------------------------------------------------------------- header */

static bool all_zero(const void *data, size_t n_bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < n_bytes; i++) {
        if (at[i])
            return false;
    }
    return true;
}

/* NUL-padded, with at least one NUL. */
static bool check_text(struct mt__check *check, const char *text, size_t size, size_t offset,
                       const char *name)
{
    const char *nul = memchr(text, '\0', size);
    if (!nul)
        return mt__check_fault(check, offset, "the header's %s does not end", name);
    if (!all_zero(nul, size - (size_t)(nul - text)))
        return mt__check_fault(check, offset + (size_t)(nul - text),
                               "the header's %s has something behind its end", name);
    return true;
}

#define FIELD(name) offsetof(struct mt_file_header, name)

static bool check_numbers(struct mt__check *check, const struct mt_file_header *header)
{
    if (all_zero(header->file_id, sizeof header->file_id))
        return mt__check_fault(check, FIELD(file_id), "the header has no file_id");
    if (!header->pid)
        return mt__check_fault(check, FIELD(pid), "the header has no pid");
    if (!header->origin || (header->origin >= MT_N_ORIGINS && !check->is_newer))
        return mt__check_fault(check, FIELD(origin), "the header's origin is %u", header->origin);
    if (!header->clock || (header->clock > MT_CLOCK_MONOTONIC && !check->is_newer))
        return mt__check_fault(check, FIELD(clock), "the header's clock is %u", header->clock);
    if (!header->tick_hz)
        return mt__check_fault(check, FIELD(tick_hz), "the header has no tick_hz");
    if (!header->pair.mono_ns || !header->pair.real_ns)
        return mt__check_fault(check, FIELD(pair), "the header has no clock readings");
    if (!header->engine || (header->engine > MT_ENGINE_CORE && !check->is_newer))
        return mt__check_fault(check, FIELD(engine), "the header's engine is %u", header->engine);
    if (header->loss_reason >= MT_N_LOSSES && !check->is_newer)
        return mt__check_fault(check, FIELD(loss_reason), "the header's loss_reason is %u",
                               header->loss_reason);
    if ((header->flags & MT_FLAG_STOPPED) && header->end_tick < header->pair.tick)
        return mt__check_fault(check, FIELD(end_tick), "recording ended before it began");
    return true;
}

static bool check_reserved(struct mt__check *check, const struct mt_file_header *header)
{
    if (check->is_newer)
        return true;
    if ((header->options & ~MT_OPTION_C_FUNCTIONS) != 0)
        return mt__check_fault(check, FIELD(options), "the header has unknown options");
    if ((header->flags & ~MT_FLAG_STOPPED) != 0)
        return mt__check_fault(check, FIELD(flags), "the header has unknown flags");
    if (!all_zero(header->reserved0, sizeof header->reserved0))
        return mt__check_fault(check, FIELD(reserved0), "reserved bytes of the header are used");
    if (!all_zero(header->reserved1, sizeof header->reserved1))
        return mt__check_fault(check, FIELD(reserved1), "reserved bytes of the header are used");
    if (!all_zero(header->reserved2, sizeof header->reserved2))
        return mt__check_fault(check, FIELD(reserved2), "reserved bytes of the header are used");
    return true;
}

static bool check_header(struct mt__check *check)
{
    struct mt_file_header header; /* as it is in the file: parsing ends the texts */
    size_t n_read;
    if (mt__input_read(&check->input, 0, &header, sizeof header, &n_read, &check->error) != MT_OK)
        return false;
    if (n_read < sizeof header)
        return mt__check_fault(check, n_read, "ends within its header");
    check->is_newer = header.minor > MT_FORMAT_MINOR;
    return check_numbers(check, &header) && check_reserved(check, &header) &&
           check_text(check, header.host, sizeof header.host, FIELD(host), "host") &&
           check_text(check, header.program, sizeof header.program, FIELD(program), "program") &&
           check_text(check, header.executable, sizeof header.executable, FIELD(executable),
                      "executable");
}

/* --------------------------------------------------------------------------------------- chunks */

/* What a thread's next chunk must say. */
struct expected {
    struct mt_map next_seq; /* thread number -> seq */
    struct mt_map tid;      /* thread number -> tid */
    uint32_t next_def_seq;
};

#define CHUNK_FIELD(offset, name) ((offset) + offsetof(struct mt_chunk_header, name))

static bool check_events_chunk(struct mt__check *check, const struct mt_chunk_header *header,
                               uint64_t offset, struct expected *expected)
{
    if (!header->thread)
        return mt__check_fault(check, CHUNK_FIELD(offset, thread), "a chunk has no thread");
    if (!header->tid)
        return mt__check_fault(check, CHUNK_FIELD(offset, tid), "a chunk has no tid");
    uint32_t *seq = mt_map_put(&expected->next_seq, header->thread, 0, NULL);
    uint32_t *tid = mt_map_put(&expected->tid, header->thread, header->tid, NULL);
    if (!seq || !tid)
        return mt__check_fault(check, offset, "out of memory");
    if (header->seq != *seq)
        return mt__check_fault(check, CHUNK_FIELD(offset, seq),
                               "chunk %u of thread %u comes where %u should be", header->seq,
                               header->thread, *seq);
    if (header->tid != *tid)
        return mt__check_fault(check, CHUNK_FIELD(offset, tid),
                               "thread %u has tid %u and before had %u", header->thread,
                               header->tid, *tid);
    ++*seq;
    if (!header->pair.mono_ns || !header->pair.real_ns)
        return mt__check_fault(check, CHUNK_FIELD(offset, pair), "a chunk has no clock readings");
    return true;
}

static bool check_chunk(struct mt__check *check, const struct mt_chunk_header *header,
                        uint64_t offset, struct expected *expected)
{
    if (header->type != MT_CHUNK_EVENTS && header->type != MT_CHUNK_DEFS && !check->is_newer)
        return mt__check_fault(check, CHUNK_FIELD(offset, type), "a chunk has the unknown type %u",
                               header->type);
    if ((header->flags || header->reserved) && !check->is_newer)
        return mt__check_fault(check, CHUNK_FIELD(offset, flags),
                               "reserved bytes of a chunk's header are used");
    if (header->type == MT_CHUNK_EVENTS)
        return check_events_chunk(check, header, offset, expected);
    if (header->type == MT_CHUNK_DEFS && header->seq != expected->next_def_seq++)
        return mt__check_fault(check, CHUNK_FIELD(offset, seq),
                               "chunk %u of definitions comes where %u should be", header->seq,
                               expected->next_def_seq - 1);
    return true;
}

/* The index has found them sound; here is the rest of their headers. */
static bool check_chunks(struct mt__check *check)
{
    struct expected expected = {0};
    uint64_t offset = MT_FILE_HEADER_BYTES;
    bool good = true;
    while (good && offset < check->file.index_end) {
        struct mt_chunk_header header;
        size_t n_read;
        good = mt__input_read(&check->input, offset, &header, sizeof header, &n_read,
                              &check->error) == MT_OK;
        if (good && (n_read < sizeof header || !header.size_bytes))
            good = mt__check_fault(check, offset, "was cut while it was being read");
        good = good && check_chunk(check, &header, offset, &expected);
        offset += good ? header.size_bytes : 0;
        check->result->n_chunks += good;
    }
    mt_map_fini(&expected.next_seq);
    mt_map_fini(&expected.tid);
    return good;
}

/* -------------------------------------------------------------------------------------- together */

static bool found_fault(const struct mt__check *check, enum mt_status status)
{
    return status != MT_OK || check->error.status != MT_OK;
}

/* The snapshot, in the order of file.h, with all that its parts tell being faults. */
static enum mt_status check_content(struct mt__check *check)
{
    struct mt__file *file = &check->file;
    if (!check_header(check))
        return MT_OK;
    enum mt_status status = mt__file_index(file, &check->input, &check->trouble);
    if (found_fault(check, status))
        return status;
    status = mt__file_extents(file, &check->input, &check->trouble);
    if (!found_fault(check, status))
        status = mt__file_index_defs(file, &check->input, &check->trouble);
    if (found_fault(check, status) || !check_chunks(check) || !mt__check_defs(check))
        return status;
    status = mt__file_defs(file, &check->input, &check->names, &check->trouble);
    if (!found_fault(check, status))
        mt__check_records(check);
    check->result->n_threads = (uint32_t)file->n_threads;
    check->result->n_defs = file->n_defs;
    return status;
}

static enum mt_status check_source(const struct mt__source *source, struct mt_check_result *out,
                                   struct mt_error *error)
{
    struct mt__check check = {.file = {.source = *source}, .result = out};
    check.trouble.reporter = (struct mt_reporter){note_told, &check};
    *out = (struct mt_check_result){0};
    enum mt_status status = mt__names_init(&check.names);
    if (status == MT_OK)
        status = mt__input_open(&check.input, &check.file.source, &check.error);
    if (status == MT_OK)
        status = mt__file_header(&check.input, &check.file.header, &out->empty, &check.error);
    if (status == MT_OK && !out->empty)
        status = check_content(&check);
    if (status != MT_OK && check.error.status == MT_OK)
        mt_error_set(&check.error, status, source->name, MT_NO_OFFSET, "%s",
                     mt_status_text(status));
    check.error.file = source->name; /* and not our copy of it */
    if (error)
        *error = check.error;
    mt__input_close(&check.input);
    mt__file_fini(&check.file);
    mt__names_fini(&check.names);
    return check.error.status;
}

enum mt_status mt_check_path(const char *path, struct mt_check_result *out, struct mt_error *error)
{
    struct mt__source source = {.name = path};
    return check_source(&source, out, error);
}

enum mt_status mt_check_memory(const char *name, const void *data, size_t n_bytes,
                               struct mt_check_result *out, struct mt_error *error)
{
    struct mt__source source = {.name = name, .data = data ? data : "", .n_bytes = n_bytes};
    return check_source(&source, out, error);
}

enum mt_status mt_read_header(const char *path, struct mt_file_header *out, struct mt_error *error)
{
    struct mt__source source = {.name = path};
    struct mt__input input;
    bool empty;
    enum mt_status status = mt__input_open(&input, &source, error);
    if (status == MT_OK)
        status = mt__file_header(&input, out, &empty, error);
    if (status == MT_OK && empty)
        status = mt_error_set(error, MT_TRUNCATED, path, 0, "nothing is recorded in it");
    if (error && !error->file)
        error->file = path;
    mt__input_close(&input);
    return status;
}
