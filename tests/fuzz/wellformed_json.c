/* wellformed_json.c - JSON, and the two sinks that write it; see wellformed.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem, memrchr */
#endif
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "wellformed.h"

#define MAX_DEPTH 64

struct reader {
    const char *at, *end;
    const char *fault;
};

static bool wrong(struct reader *reader, const char *what)
{
    if (!reader->fault)
        reader->fault = what;
    return false;
}

static bool take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
        reader->at++;
}

static size_t skip_digits(struct reader *reader)
{
    const char *from = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return (size_t)(reader->at - from);
}

static bool number(struct reader *reader)
{
    take(reader, '-');
    bool has_zero = take(reader, '0');
    if (!has_zero && !skip_digits(reader))
        return wrong(reader, "no value where one should be");
    if (has_zero && skip_digits(reader))
        return wrong(reader, "a number with a zero in front");
    if (take(reader, '.') && !skip_digits(reader))
        return wrong(reader, "a number that ends with its point");
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '-'))
            take(reader, '+');
        if (!skip_digits(reader))
            return wrong(reader, "a number without its exponent");
    }
    return true;
}

static bool escape(struct reader *reader)
{
    if (reader->at == reader->end || !strchr("\"\\/bfnrtu", *reader->at) || !*reader->at)
        return wrong(reader, "an unknown escape");
    if (*reader->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, reader->at++) {
        if (reader->at == reader->end || !strchr("0123456789abcdefABCDEF", *reader->at) ||
            !*reader->at)
            return wrong(reader, "an escape without its four digits");
    }
    return true;
}

static bool string(struct reader *reader)
{
    if (!take(reader, '"'))
        return wrong(reader, "no string where one should be");
    while (reader->at < reader->end) {
        unsigned char c = (unsigned char)*reader->at;
        size_t n = mt_utf8_char(reader->at, (size_t)(reader->end - reader->at));
        if (c < 0x20)
            return wrong(reader, "a control character in a string");
        if (!n)
            return wrong(reader, "a string that is not UTF-8");
        reader->at += n;
        if (c == '"')
            return true;
        if (c == '\\' && !escape(reader))
            return false;
    }
    return wrong(reader, "a string without end");
}

static bool value(struct reader *reader, int depth);

/* What is between brackets or braces. */
static bool members(struct reader *reader, char close, int depth)
{
    skip_space(reader);
    if (take(reader, close))
        return true;
    do {
        skip_space(reader);
        if (close == '}') {
            if (!string(reader))
                return false;
            skip_space(reader);
            if (!take(reader, ':'))
                return wrong(reader, "a name without a value");
        }
        if (!value(reader, depth))
            return false;
        skip_space(reader);
    } while (take(reader, ','));
    return take(reader, close) || wrong(reader, "no comma and no end");
}

static bool word(struct reader *reader, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, text, n) != 0)
        return false;
    reader->at += n;
    return true;
}

static bool value(struct reader *reader, int depth)
{
    if (depth > MAX_DEPTH)
        return wrong(reader, "too deep");
    skip_space(reader);
    if (take(reader, '{'))
        return members(reader, '}', depth + 1);
    if (take(reader, '['))
        return members(reader, ']', depth + 1);
    if (reader->at < reader->end && *reader->at == '"')
        return string(reader);
    return word(reader, "true") || word(reader, "false") || word(reader, "null") || number(reader);
}

const char *wellformed_json(const char *text, size_t n_bytes, size_t *at)
{
    struct reader reader = {.at = text, .end = text + n_bytes};
    if (!n_bytes)
        return "nothing";
    if (value(&reader, 0)) {
        skip_space(&reader);
        if (reader.at < reader.end)
            wrong(&reader, "more than one value");
    }
    *at = (size_t)(reader.at - text);
    return reader.fault;
}

/* --------------------------------------------------------------------------------------- Chrome */

struct track {
    unsigned pid, tid;
    size_t depth;
};

struct tracks {
    struct track *tracks;
    size_t n;
};

/* Those of a fuzzed set are few. */
static struct track *track_of(struct tracks *tracks, unsigned pid, unsigned tid)
{
    for (size_t i = tracks->n; i-- > 0;) {
        if (tracks->tracks[i].pid == pid && tracks->tracks[i].tid == tid)
            return &tracks->tracks[i];
    }
    tracks->tracks = realloc(tracks->tracks, (tracks->n + 1) * sizeof *tracks->tracks);
    if (!tracks->tracks)
        abort();
    tracks->tracks[tracks->n] = (struct track){pid, tid, 0};
    return &tracks->tracks[tracks->n++];
}

/* What follows `key` in a line, as a number; names cannot be mistaken for it, their quotes are escaped. */
static unsigned long long after(const char *line, const char *end, const char *key)
{
    const char *at = memmem(line, (size_t)(end - line), key, strlen(key));
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static const char *chrome_line(struct tracks *tracks, const char *line, const char *end)
{
    static const char head[] = "{\"ph\":\"";
    if ((size_t)(end - line) < sizeof head || memcmp(line, head, sizeof head - 1) != 0)
        return NULL;
    char phase = line[sizeof head - 1];
    if (phase != 'B' && phase != 'E')
        return NULL;
    struct track *track = track_of(tracks, (unsigned)after(line, end, ",\"pid\":"),
                                   (unsigned)after(line, end, ",\"tid\":"));
    if (phase == 'E' && !track->depth)
        return "an end without a begin";
    track->depth += phase == 'B' ? 1 : (size_t)-1;
    return NULL;
}

const char *wellformed_chrome(const char *text, size_t n_bytes, size_t *at)
{
    struct tracks tracks = {0};
    const char *fault = wellformed_json(text, n_bytes, at), *end = text + n_bytes;
    for (const char *line = text, *next; !fault && line < end; line = next) {
        next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next + 1 : end;
        fault = chrome_line(&tracks, line, next);
        *at = (size_t)(line - text);
    }
    free(tracks.tracks);
    return fault;
}

/* ----------------------------------------------------------------------------------- speedscope */

/* An event is {"type":"O","frame":123,"at":456}: on the stack of one profile. */
static const char *speedscope_event(const char *event, const char *end, unsigned long long **stack,
                                    size_t *depth, size_t *capacity)
{
    unsigned long long frame = after(event, end, "\"frame\":");
    if (event[9] == 'C')
        return *depth && (*stack)[--*depth] == frame ? NULL : "an end that is not the innermost's";
    if (*depth == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 64;
        *stack = realloc(*stack, *capacity * sizeof **stack);
        if (!*stack)
            abort();
    }
    (*stack)[(*depth)++] = frame;
    return NULL;
}

const char *wellformed_speedscope(const char *text, size_t n_bytes, size_t *at)
{
    static const char event[] = "{\"type\":\"";
    const char *fault = wellformed_json(text, n_bytes, at), *end = text + n_bytes;
    unsigned long long *stack = NULL;
    size_t depth = 0, capacity = 0;
    for (const char *from = text; !fault && from < end;) {
        const char *next = memmem(from, (size_t)(end - from), event, sizeof event - 1);
        if (!next)
            break;
        const char *close = memchr(next, '}', (size_t)(end - next));
        *at = (size_t)(next - text);
        from = next + sizeof event - 1;
        if (next[9] == 'e') /* a profile: "evented" */
            fault = depth ? "a call that does not end" : NULL;
        else if (next[9] == 'O' || next[9] == 'C')
            fault = speedscope_event(next, close ? close : end, &stack, &depth, &capacity);
    }
    free(stack);
    return !fault && depth ? "a call that does not end" : fault;
}
