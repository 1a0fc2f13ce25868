/* slice_options.c - texts of options to a struct mt_slice. Called by the commands at their start. */
#include "cli/slice_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* --------------------------------------------------------------------------------------- numbers */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 0: there is no such unit. */
static uint64_t unit_ns(const char *text)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"", 1000000000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!strcmp(text, units[i].name))
            return units[i].ns;
    }
    return 0;
}

bool mt_cli_parse_time(const char *text, uint64_t *ns)
{
    const char *at = text;
    uint64_t whole = 0, n_digits = 0;
    for (; is_digit(*at); at++, n_digits++) {
        if (whole > UINT64_MAX / 10 - 1)
            return false;
        whole = whole * 10 + (uint64_t)(*at - '0');
    }
    const char *fraction = "";
    if (*at == '.') {
        for (fraction = ++at; is_digit(*at); at++)
            n_digits++;
    }
    uint64_t unit = n_digits ? unit_ns(at) : 0;
    if (!unit || whole > INT64_MAX / unit)
        return false;
    *ns = whole * unit;
    for (uint64_t place = unit / 10; is_digit(*fraction); fraction++, place /= 10)
        *ns += (uint64_t)(*fraction - '0') * place;
    return *ns <= INT64_MAX;
}

/* Digits up to `end`. */
static bool parse_u32(const char *text, const char *end, uint32_t *out)
{
    uint64_t value = 0;
    if (text == end)
        return false;
    for (; text < end; text++) {
        if (!is_digit(*text))
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *out = (uint32_t)value;
    return true;
}

static int take_time(const char *command, const char *option, const char *text, uint64_t *ns)
{
    if (!text || mt_cli_parse_time(text, ns))
        return MT_EXIT_OK;
    return mt_cli_usage(command, "--%s wants a time such as 1.5s, 20ms, 300us or 10ns, not '%s'",
                        option, text);
}

/* ----------------------------------------------------------------------------------------- lists */

/* Behind the item that begins at `at`: its comma, or the text's end. */
static const char *item_end(const char *at)
{
    for (; *at && *at != ','; at++) {
        if (*at == '\\' && at[1])
            at++;
    }
    return at;
}

static int take_ids(const char *command, const char *option, const char *text, struct mt_ids *out)
{
    uint32_t *ids = NULL;
    size_t capacity = 0;
    for (bool more = text; more;) {
        const char *end = item_end(text);
        if (!MT_ARRAY_ROOM(ids, capacity, out->n + 1)) {
            mt_cli_error("%s", mt_status_text(MT_NOMEM));
            return MT_EXIT_TROUBLE;
        }
        out->ids = ids;
        if (!parse_u32(text, end, &ids[out->n++]))
            return mt_cli_usage(command, "--%s wants numbers, not '%.*s'", option,
                                (int)(end - text), text);
        more = *end;
        text = end + 1;
    }
    return MT_EXIT_OK;
}

/* Cuts the text at its commas. */
static int take_globs(const char *command, const char *option, const char *text,
                      struct mt_globs *out)
{
    const char **globs = NULL;
    size_t capacity = 0;
    char *at = (char *)(uintptr_t)text; /* the heap's, see take_value in options.c */
    for (bool more = at; more;) {
        char *end = at + (item_end(at) - at);
        if (end == at)
            return mt_cli_usage(command, "--%s has an empty name in its list", option);
        if (!MT_ARRAY_ROOM(globs, capacity, out->n + 1)) {
            mt_cli_error("%s", mt_status_text(MT_NOMEM));
            return MT_EXIT_TROUBLE;
        }
        more = *end;
        *end = '\0';
        globs[out->n++] = at;
        out->globs = globs;
        at = end + 1;
    }
    return MT_EXIT_OK;
}

/* -------------------------------------------------------------------------------------- together */

static int take_times(struct mt_slice_options *options, const char *command)
{
    struct mt_slice *slice = &options->slice;
    int status = take_time(command, "from", options->from, &slice->from_ns);
    if (status == MT_EXIT_OK)
        status = take_time(command, "to", options->to, &slice->to_ns);
    if (status == MT_EXIT_OK)
        status = take_time(command, "min-duration", options->min_duration, &slice->min_duration_ns);
    if (status == MT_EXIT_OK && options->to && slice->to_ns <= slice->from_ns)
        return mt_cli_usage(command, "--to %s is not after %s", options->to,
                            options->from ? options->from : "the beginning");
    return status;
}

static int take_depth(struct mt_slice_options *options, const char *command)
{
    const char *text = options->max_depth;
    uint32_t *depth = &options->slice.max_depth;
    if (!text || (parse_u32(text, text + strlen(text), depth) && *depth))
        return MT_EXIT_OK;
    return mt_cli_usage(command, "--max-depth wants a number from 1 on, not '%s'", text);
}

int mt_slice_options_parse(struct mt_slice_options *options, const char *command)
{
    struct mt_slice *slice = &options->slice;
    const struct {
        const char *name, *text;
        struct mt_globs *globs;
        struct mt_ids *ids;
    } lists[] = {
        {"pid", options->pids, NULL, &slice->pids},
        {"tid", options->tids, NULL, &slice->tids},
        {"process", options->processes, &slice->processes, NULL},
        {"thread", options->threads, &slice->threads, NULL},
        {"include", options->include, &slice->include, NULL},
        {"exclude", options->exclude, &slice->exclude, NULL},
    };
    int status = take_times(options, command);
    if (status == MT_EXIT_OK)
        status = take_depth(options, command);
    for (size_t i = 0; status == MT_EXIT_OK && i < sizeof lists / sizeof *lists; i++) {
        status = lists[i].ids ? take_ids(command, lists[i].name, lists[i].text, lists[i].ids)
                              : take_globs(command, lists[i].name, lists[i].text, lists[i].globs);
    }
    return status;
}

static void free_const(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void mt_slice_options_fini(struct mt_slice_options *options)
{
    struct mt_slice *slice = &options->slice;
    const void *owned[] = {options->pids,        options->tids,        options->processes,
                           options->threads,     options->include,     options->exclude,
                           slice->pids.ids,      slice->tids.ids,      slice->processes.globs,
                           slice->threads.globs, slice->include.globs, slice->exclude.globs};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free_const(owned[i]);
    *options = (struct mt_slice_options){0};
}

bool mt_slice_options_apply(const struct mt_slice_options *options, struct mt_set *set)
{
    enum mt_status status = mt_set_slice(set, &options->slice);
    if (status != MT_OK)
        mt_cli_error("%s", mt_status_text(status));
    return status == MT_OK;
}
