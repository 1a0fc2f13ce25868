/* info_records.c - `mtrace info --records`: the records of files as they are, for whoever debugs a
 * recorder or writes a test. Called by cmd_info.c.
 *
 *     # app.17.trace
 *     4160 1 17 0.000 ( main app.py:3
 *
 * Columns: offset in the file, number of the thread, its tid, time in us (of the timeline), the kind's
 * letter (MT_KIND_MAP), and what the record says.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/info.h"

static char letter_of(uint32_t kind)
{
    switch (kind) {
#define X(name, number, letter, text)                                                              \
    case number: return letter;
        MT_KIND_MAP(X)
#undef X
    default: return '~';
    }
}

static const char *loss_name(uint32_t reason)
{
    switch (reason) {
#define X(name, number, text)                                                                      \
    case number: return #name;
        MT_LOSS_MAP(X)
#undef X
    default: return "?";
    }
}

static const char *resync_name(uint32_t reason)
{
    switch (reason) {
#define X(name, number, text)                                                                      \
    case number: return #name;
        MT_RESYNC_MAP(X)
#undef X
    default: return "?";
    }
}

static void print_func(const struct mt_func *func)
{
    if (func->owner.n_bytes) {
        mt_cli_put_text(stdout, func->owner.data, func->owner.n_bytes);
        putchar('.');
    }
    mt_cli_put_text(stdout, func->name.data, func->name.n_bytes);
    if (func->file.n_bytes) {
        putchar(' ');
        mt_cli_put_text(stdout, func->file.data, func->file.n_bytes);
        printf(":%u", func->line);
    }
}

static void print_words(const struct mt_record *record)
{
    for (uint32_t i = 0; i < record->n_payload; i++)
        printf(" %" PRIu64, record->payload[i]);
}

static void print_extension(const struct mt_record *record)
{
    uint32_t subtype = mt_ext_subtype(record->id);
    struct mt_lost lost;
    struct mt_resync_payload resync;
    size_t n_bytes = record->n_payload * sizeof(uint64_t);
    if (subtype == MT_EXT_LOST && n_bytes >= sizeof lost) {
        memcpy(&lost, record->payload, sizeof lost);
        printf("LOST %" PRIu64 " until tick %" PRIu64 " %s errno %u", lost.n_events, lost.last_tick,
               loss_name(lost.reason), lost.error);
    } else if (subtype == MT_EXT_RESYNC && n_bytes >= sizeof resync) {
        memcpy(&resync, record->payload, sizeof resync);
        printf("RESYNC %s depth %u", resync_name(resync.reason), resync.depth);
    } else {
        printf("EXT %u:", subtype);
        print_words(record);
    }
}

static bool print_record(void *context, const struct mt_record *record)
{
    (void)context;
    printf("%" PRIu64 " %u %u %" PRIu64 ".%03u %c ", record->offset, record->thread, record->tid,
           record->ts_ns / 1000, (unsigned)(record->ts_ns % 1000), letter_of(record->kind));
    if (record->func) {
        print_func(record->func);
    } else if (record->kind == MT_KIND_EXT) {
        print_extension(record);
    } else {
        printf("%s:", record->kind == MT_KIND_GAP ? "GAP" : "unknown");
        print_words(record);
    }
    putchar('\n');
    return !ferror(stdout);
}

enum mt_status mt__info_records(struct mt_set *set)
{
    enum mt_status status = MT_OK;
    for (uint32_t i = 0; status == MT_OK && i < mt_set_n_files(set) && !ferror(stdout); i++) {
        struct mt_file_info file;
        mt_set_file(set, i, &file);
        printf("# ");
        mt_cli_put_text(stdout, file.path, strlen(file.path));
        putchar('\n');
        status = mt_set_each_record(set, i, print_record, NULL);
    }
    return status;
}
