/* wellformed_binary.c - protobuf and marshal, and lines; see wellformed.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem, memrchr */
#endif
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "sink/perfetto.h"
#include "wellformed.h"

/* ------------------------------------------------------------------------------------- Perfetto */

enum message {
    TRACE,
    PACKET,
    SNAPSHOT,
    SNAPSHOT_CLOCK,
    EVENT,
    LEGACY,
    ANNOTATION,
    INTERNED,
    INTERNED_ENTRY,
    DESCRIPTOR,
    DESCRIPTOR_OF,
    TEXT, /* a string */
};

static const struct {
    uint8_t message;
    uint8_t field;
    uint8_t is; /* enum message */
} nested[] = {
    {TRACE, TRACE_PACKET, PACKET},
    {PACKET, PACKET_CLOCK_SNAPSHOT, SNAPSHOT},
    {PACKET, PACKET_TRACK_EVENT, EVENT},
    {PACKET, PACKET_INTERNED_DATA, INTERNED},
    {PACKET, PACKET_DEFAULTS, PACKET},
    {PACKET, PACKET_TRACK_DESCRIPTOR, DESCRIPTOR},
    {SNAPSHOT, SNAPSHOT_CLOCKS, SNAPSHOT_CLOCK},
    {EVENT, EVENT_ANNOTATIONS, ANNOTATION},
    {EVENT, EVENT_LEGACY, LEGACY},
    {INTERNED, INTERNED_CATEGORIES, INTERNED_ENTRY},
    {INTERNED, INTERNED_NAMES, INTERNED_ENTRY},
    {INTERNED, INTERNED_ANNOTATION_NAMES, INTERNED_ENTRY},
    {INTERNED, INTERNED_SOURCE_LOCATIONS, INTERNED_ENTRY},
    {DESCRIPTOR, DESCRIPTOR_PROCESS, DESCRIPTOR_OF},
    {DESCRIPTOR, DESCRIPTOR_THREAD, DESCRIPTOR_OF},
};

struct stream {
    const unsigned char *at;
    const char *fault;
    /* Of the packet at hand: */
    uint64_t sequence, event_type, track;
    bool has_track; /* names a track of its own: an arrow or loss of no sequence's track */
    size_t *depths; /* by sequence */
    size_t n_depths;
};

static bool varint(struct stream *stream, const unsigned char *end, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; stream->at < end && shift < 70; shift += 7) {
        unsigned char byte = *stream->at++;
        *out |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80))
            return true;
    }
    stream->fault = "a number that does not end";
    return false;
}

static void note_number(struct stream *stream, enum message message, uint64_t field, uint64_t value)
{
    if (message == PACKET && field == PACKET_SEQUENCE_ID)
        stream->sequence = value;
    if (message == EVENT && field == EVENT_TYPE)
        stream->event_type = value;
}

static void message(struct stream *stream, enum message kind, const unsigned char *end, int depth);

/* Begins and ends of a sequence. */
static void count_packet(struct stream *stream)
{
    uint64_t sequence = stream->sequence;
    if (!stream->event_type)
        return;
    if (sequence >= UINT16_MAX) {
        stream->fault = "a sequence that cannot be";
        return;
    }
    if (sequence >= stream->n_depths) {
        stream->depths = realloc(stream->depths, (sequence + 1) * sizeof *stream->depths);
        if (!stream->depths)
            abort();
        for (; stream->n_depths <= sequence; stream->n_depths++)
            stream->depths[stream->n_depths] = 0;
    }
    if (stream->event_type == EVENT_TYPE_BEGIN)
        stream->depths[sequence]++;
    else if (stream->event_type == EVENT_TYPE_END && !stream->depths[sequence]--)
        stream->fault = "an end without a begin";
}

static void field_of_bytes(struct stream *stream, enum message kind, uint64_t field, uint64_t n,
                           int depth)
{
    const unsigned char *end = stream->at + n;
    enum message is = TEXT;
    for (size_t i = 0; i < sizeof nested / sizeof *nested; i++) {
        if (nested[i].message == kind && nested[i].field == field)
            is = (enum message)nested[i].is;
    }
    if (is == PACKET && kind == TRACE)
        stream->sequence = stream->event_type = 0;
    if (is != TEXT) {
        message(stream, is, end, depth + 1);
        if (is == PACKET && kind == TRACE && !stream->fault)
            count_packet(stream);
        return;
    }
    size_t n_good;
    if (!mt_utf8_valid((const char *)stream->at, (size_t)n, &n_good))
        stream->fault = "a string that is not UTF-8";
    else
        stream->at = end;
}

static void message(struct stream *stream, enum message kind, const unsigned char *end, int depth)
{
    uint64_t tag, value;
    if (depth > 8)
        stream->fault = "too deep";
    while (!stream->fault && stream->at < end) {
        if (!varint(stream, end, &tag) || !varint(stream, end, &value))
            return;
        if (!(tag >> 3))
            stream->fault = "no field has number 0";
        else if ((tag & 7) == 0)
            note_number(stream, kind, tag >> 3, value);
        else if ((tag & 7) != 2)
            stream->fault = "a wire type that is not written";
        else if (value > (uint64_t)(end - stream->at))
            stream->fault = "a length that does not fit";
        else
            field_of_bytes(stream, kind, tag >> 3, value, depth);
    }
}

const char *wellformed_perfetto(const char *data, size_t n_bytes, size_t *at)
{
    const unsigned char *bytes = (const unsigned char *)data;
    struct stream stream = {.at = bytes};
    message(&stream, TRACE, bytes + n_bytes, 0);
    *at = (size_t)(stream.at - bytes);
    free(stream.depths);
    return stream.fault;
}

/* -------------------------------------------------------------------------------------- marshal */

struct marshal {
    const unsigned char *at, *end;
    const char *fault;
};

static const unsigned char *take(struct marshal *marshal, size_t n)
{
    const unsigned char *at = marshal->at;
    if ((size_t)(marshal->end - at) < n) {
        marshal->fault = "ends too early";
        return NULL;
    }
    marshal->at += n;
    return at;
}

static size_t take_u32(struct marshal *marshal)
{
    const unsigned char *at = take(marshal, 4);
    return at ? at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24 : 0;
}

static void marshal_text(struct marshal *marshal)
{
    size_t n = take_u32(marshal), n_good;
    const unsigned char *at = take(marshal, n);
    if (at && !mt_utf8_valid((const char *)at, n, &n_good))
        marshal->fault = "a string that is not UTF-8";
}

/* One object; false: the end of a dictionary, or a fault. */
static bool object(struct marshal *marshal, int depth)
{
    const unsigned char *type = depth > 8 ? NULL : take(marshal, 1);
    if (!type || marshal->fault)
        return false;
    switch (*type) {
    case '0': return false;
    case 'i':
    case 'g': take(marshal, *type == 'i' ? 4 : 8); break;
    case 'l': take(marshal, 2 * take_u32(marshal)); break;
    case 'u': marshal_text(marshal); break;
    case '(':
        for (size_t i = take_u32(marshal); i > 0 && !marshal->fault; i--) {
            if (!object(marshal, depth + 1))
                marshal->fault = "a tuple that is too short";
        }
        break;
    case '{':
        while (object(marshal, depth + 1)) {
            if (!object(marshal, depth + 1))
                marshal->fault = "a key without a value";
        }
        break;
    default: marshal->fault = "an unknown type";
    }
    return !marshal->fault;
}

const char *wellformed_pstats(const char *data, size_t n_bytes, size_t *at)
{
    const unsigned char *bytes = (const unsigned char *)data;
    struct marshal marshal = {.at = bytes, .end = bytes + n_bytes};
    if (!n_bytes || *bytes != '{')
        return "no dictionary";
    object(&marshal, 0);
    *at = (size_t)(marshal.at - bytes);
    return !marshal.fault && marshal.at < marshal.end ? "more than one object" : marshal.fault;
}

/* ---------------------------------------------------------------------------------------- lines */

/* NULL, or what `fault_of` finds in a line, given without its end. */
static const char *each_line(const char *text, size_t n_bytes, size_t *at,
                             bool (*is_good)(const char *line, const char *end), const char *fault)
{
    if (!n_bytes)
        return NULL;
    const char *end = text + n_bytes;
    for (const char *line = text, *stop; line < end; line = stop + 1) {
        *at = (size_t)(line - text);
        stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            return "the last line has no end";
        for (const char *c = line; c < stop; c++) {
            if (iscntrl((unsigned char)*c))
                return "a control character";
        }
        if (!is_good(line, stop))
            return fault;
    }
    return NULL;
}

static bool is_stack(const char *line, const char *end)
{
    const char *space = memrchr(line, ' ', (size_t)(end - line));
    if (!space || space == line || space + 1 == end)
        return false;
    for (const char *c = space + 1; c < end; c++) {
        if (!isdigit((unsigned char)*c))
            return false;
    }
    return *line != ';' && !memmem(line, (size_t)(space - line), ";;", 2);
}

const char *wellformed_collapsed(const char *text, size_t n_bytes, size_t *at)
{
    return each_line(text, n_bytes, at, is_stack, "no stack and number");
}

static bool is_callgrind(const char *line, const char *end)
{
    static const char *const heads[] = {"# callgrind format",
                                        "version: 1",
                                        "creator: mtrace",
                                        "pid: ",
                                        "cmd: ",
                                        "positions: line",
                                        "events: ns",
                                        "summary: ",
                                        "fl=(",
                                        "fn=(",
                                        "cfi=(",
                                        "cfn=(",
                                        "calls="};
    if (line == end || isdigit((unsigned char)*line))
        return true;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t n = strlen(heads[i]);
        if ((size_t)(end - line) >= n && !memcmp(line, heads[i], n))
            return true;
    }
    return false;
}

const char *wellformed_callgrind(const char *text, size_t n_bytes, size_t *at)
{
    return each_line(text, n_bytes, at, is_callgrind, "a line that the format does not have");
}

static bool is_utf8(const char *line, const char *end)
{
    size_t n_good;
    return mt_utf8_valid(line, (size_t)(end - line), &n_good);
}

const char *wellformed_text(const char *text, size_t n_bytes, size_t *at)
{
    return each_line(text, n_bytes, at, is_utf8, "not UTF-8");
}
