/* parse.c - the format's pieces out of memory. Called by file.c, defs.c, walk.c, check.c and fuzzed.
 *
 * Invariant: no byte outside of the memory given is touched, whatever the bytes say.
 */
#include "reader/parse.h"

#include <string.h>

static bool all_zero(const unsigned char *data, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        if (data[i])
            return false;
    }
    return true;
}

static enum mt_status header_fault(struct mt_error *error, size_t offset, const char *what,
                                   uint64_t value)
{
    return mt_error_set(error, MT_CORRUPT, NULL, offset, "the header is damaged: %s %llu", what,
                        (unsigned long long)value);
}

static enum mt_status check_fields(const struct mt_file_header *header, struct mt_error *error)
{
    if (header->major != MT_FORMAT_MAJOR)
        return mt_error_set(error, MT_VERSION, NULL, offsetof(struct mt_file_header, major),
                            "has format version %u.%u, this mtrace reads %d.x; use the mtrace "
                            "that wrote it",
                            header->major, header->minor, MT_FORMAT_MAJOR);
    if (header->header_bytes != MT_FILE_HEADER_BYTES)
        return header_fault(error, offsetof(struct mt_file_header, header_bytes), "its size is",
                            header->header_bytes);
    if (header->tick_shift >= 32)
        return header_fault(error, offsetof(struct mt_file_header, tick_shift), "tick_shift is",
                            header->tick_shift);
    return MT_OK;
}

enum mt_status mt__parse_header(const void *data, size_t n_bytes, struct mt_file_header *out,
                                bool *empty, struct mt_error *error)
{
    uint64_t magic = 0;
    memcpy(&magic, data, n_bytes < sizeof magic ? n_bytes : sizeof magic);
    *empty = all_zero(data, n_bytes < sizeof magic ? n_bytes : sizeof magic);
    if (*empty) {
        memset(out, 0, sizeof *out);
        return MT_OK;
    }
    uint64_t expected = 0; /* as much of it as the file is long */
    memcpy(&expected, &(uint64_t){MT_FILE_MAGIC}, n_bytes < sizeof magic ? n_bytes : sizeof magic);
    if (magic != expected)
        return mt_error_set(error, MT_NOT_A_TRACE, NULL, 0, "is not an mtrace file");
    if (n_bytes < sizeof *out)
        return mt_error_set(error, MT_TRUNCATED, NULL, n_bytes, "ends within its header");
    memcpy(out, data, sizeof *out);
    out->host[sizeof out->host - 1] = '\0';
    out->program[sizeof out->program - 1] = '\0';
    out->executable[sizeof out->executable - 1] = '\0';
    return check_fields(out, error);
}

enum mt_status mt__parse_chunk(const struct mt_chunk_header *header, uint64_t offset,
                               enum mt__chunk_kind *kind, struct mt_error *error)
{
    *kind = MT__CHUNK_NO_MORE;
    if (!header->magic && !header->size_bytes)
        return MT_OK;
    if (header->magic != MT_CHUNK_MAGIC)
        return mt_error_set(error, MT_CORRUPT, NULL, offset, "no chunk begins where one should");
    uint32_t size = header->size_bytes;
    if (size < MT_PAGE_BYTES || size > MT_CHUNK_MAX_BYTES || size % MT_PAGE_BYTES)
        return mt_error_set(error, MT_CORRUPT, NULL,
                            offset + offsetof(struct mt_chunk_header, size_bytes),
                            "a chunk has the impossible size of %u bytes", size);
    *kind = header->type == MT_CHUNK_EVENTS ? MT__CHUNK_EVENTS
            : header->type == MT_CHUNK_DEFS ? MT__CHUNK_DEFS
                                            : MT__CHUNK_OTHER;
    if (*kind == MT__CHUNK_OTHER && (header->flags & MT_CHUNK_MUST_UNDERSTAND))
        return mt_error_set(
            error, MT_VERSION, NULL, offset + offsetof(struct mt_chunk_header, type),
            "has a chunk of type %u that only a newer mtrace understands", header->type);
    return MT_OK;
}

enum mt__next mt__record_next(struct mt__record_iter *iter, struct mt__record *out)
{
    if (iter->at >= iter->n_words || !iter->words[iter->at])
        return MT__NEXT_END;
    uint64_t word = iter->words[iter->at];
    uint32_t n_payload = mt__record_payload(word);
    out->kind = mt_record_kind(word);
    out->id = mt_record_id(word);
    out->at = iter->at;
    out->n_payload = n_payload;
    out->payload = iter->words + iter->at + 1;
    if (out->kind == MT_KIND_NONE || n_payload > iter->n_words - iter->at - 1)
        return MT__NEXT_FAULT;
    iter->tick += (uint64_t)mt_record_delta(word) << iter->tick_shift;
    if (out->kind == MT_KIND_GAP && n_payload * sizeof(uint64_t) >= sizeof(struct mt_gap))
        iter->tick = out->payload[offsetof(struct mt_gap, tick) / sizeof(uint64_t)];
    out->tick = iter->tick;
    iter->at += 1 + (size_t)n_payload;
    return MT__NEXT_ONE;
}

enum mt__next mt__def_next(struct mt__def_iter *iter, struct mt__def *out)
{
    if (iter->at >= iter->n_words || !iter->words[iter->at])
        return MT__NEXT_END;
    uint64_t head = iter->words[iter->at];
    *out = (struct mt__def){
        .type = mt_def_type(head),
        .id = mt_def_id(head),
        .n_payload = mt_def_words(head),
        .payload = iter->words + iter->at + 1,
        .at = iter->at,
    };
    if (!out->type || out->n_payload > iter->n_words - iter->at - 1)
        return MT__NEXT_FAULT;
    iter->at += 1 + (size_t)out->n_payload;
    return MT__NEXT_ONE;
}

/* Copies the payload's fixed head; false when it is shorter than that. */
static bool take_head(const struct mt__def *def, void *head, size_t head_bytes)
{
    if ((size_t)def->n_payload * sizeof(uint64_t) < head_bytes)
        return false;
    memcpy(head, def->payload, head_bytes);
    return true;
}

/* The text of n_bytes at `offset` of the payload. */
static bool take_text(const struct mt__def *def, size_t offset, uint32_t n_bytes,
                      struct mt_text *text)
{
    if (n_bytes > MT_TEXT_MAX_BYTES || offset + n_bytes > (size_t)def->n_payload * sizeof(uint64_t))
        return false;
    *text = (struct mt_text){(const char *)def->payload + offset, n_bytes};
    return true;
}

bool mt__def_string(const struct mt__def *def, struct mt_text *text)
{
    struct mt_def_text head;
    return take_head(def, &head, sizeof head) && take_text(def, sizeof head, head.n_bytes, text);
}

bool mt__def_code(const struct mt__def *def, struct mt_def_code *code, struct mt_text *name)
{
    return take_head(def, code, sizeof *code) &&
           take_text(def, sizeof *code, code->name_bytes, name);
}

bool mt__def_cfunc(const struct mt__def *def, struct mt_text *owner, struct mt_text *name)
{
    struct mt_def_cfunc head;
    return take_head(def, &head, sizeof head) &&
           take_text(def, sizeof head, head.owner_bytes, owner) &&
           take_text(def, sizeof head + head.owner_bytes, head.name_bytes, name);
}

bool mt__def_name(const struct mt__def *def, struct mt_def_name *head, struct mt_text *text)
{
    return take_head(def, head, sizeof *head) && take_text(def, sizeof *head, head->n_bytes, text);
}
