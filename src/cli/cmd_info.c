/* cmd_info.c - `mtrace info`: tells what is in trace files, process by process. Called by main.c.
 *
 * Everything is read once (a walk over all tracks), as for merging; the lines of --records are made
 * in info_records.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/info.h"

static const char synopsis[] = "mtrace info [--records] [-q] PATH...";
static const char summary[] =
    "Tells what is in trace files: processes, threads, calls, losses, notes. PATH is a .trace file or\n"
    "a directory with such files; they may still be growing.";

/* What the threads of a process lost, by reason. */
struct losses {
    uint64_t n_events[MT_N_LOSSES];
    uint32_t n_times[MT_N_LOSSES];
    const char *text[MT_N_LOSSES];
};

struct totals {
    struct mt_counts counts;
    uint64_t n_bytes;
    uint64_t n_lost;
    uint64_t end_ns;
    uint32_t n_processes;
};

#define LABEL "  %-10s "

static void put(const struct mt_text *text)
{
    mt_cli_put_text(stdout, text->data, text->n_bytes);
}

static const char *count(uint64_t n)
{
    static char texts[4][32]; /* so many in one printf */
    static unsigned next;
    char *text = texts[next++ % 4];
    return mt_cli_count_text(n, text, sizeof texts[0]);
}

static const char *duration(uint64_t dur_ns)
{
    static char text[32];
    return mt_cli_duration_text(dur_ns, text, sizeof text);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* -------------------------------------------------------------------------------------- headers */

static const char *engine_name(uint32_t engine)
{
    switch (engine) {
#define X(name, number, text)                                                                      \
    case number: return text;
        MT_ENGINE_MAP(X)
#undef X
    default: return "unknown";
    }
}

static const char *origin_text(uint32_t origin)
{
    switch (origin) {
#define X(name, number, text)                                                                      \
    case number: return text;
        MT_ORIGIN_MAP(X)
#undef X
    default: return "unknown";
    }
}

static const char *clock_text(uint32_t clock)
{
    switch (clock) {
#define X(name, number, text)                                                                      \
    case number: return text;
        MT_CLOCK_MAP(X)
#undef X
    default: return "unknown";
    }
}

/* PY_VERSION_HEX: "3.14.0rc1" */
static void print_python(uint32_t version)
{
    uint32_t level = version >> 4 & 15;
    if (!version) {
        printf("no Python");
        return;
    }
    printf("CPython %u.%u.%u", version >> 24, version >> 16 & 255, version >> 8 & 255);
    if (level != 15)
        printf("%s%u", level == 10 ? "a" : level == 11 ? "b" : "rc", version & 15);
}

static void print_wall_time(uint64_t real_ns)
{
    time_t seconds = (time_t)(real_ns / 1000000000);
    struct tm tm;
    char text[64];
    if (localtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
        printf("%s.%03u", text, (unsigned)(real_ns / 1000000 % 1000));
}

static void print_head(const struct mt_timeline *timeline, const struct mt_process *process,
                       const struct mt_file_header *header)
{
    printf("process %u ", process->real_pid);
    put(&process->name);
    if (process->pid != process->real_pid)
        printf(" (in timelines %u)", process->pid);
    printf("\n" LABEL, "program");
    mt_cli_put_text(stdout, header->program, strlen(header->program));
    printf(", ");
    print_python(header->python_version);
    printf(", engine %s%s\n", engine_name(header->engine),
           header->options & MT_OPTION_C_FUNCTIONS ? "" : ", without C functions");
    printf(LABEL "%s\n", "origin", origin_text(header->origin));
    printf(LABEL "%u", "parent", process->ppid);
    if (process->parent == MT_NONE) {
        printf(", not recorded");
    } else if (timeline->processes[process->parent].real_pid != process->ppid) {
        printf(", nearest recorded %u ", timeline->processes[process->parent].real_pid);
        put(&timeline->processes[process->parent].name);
    }
    putchar('\n');
    if (process->former != MT_NONE)
        printf(LABEL "this process was recorded before: it has called exec, or started anew\n",
               "image");
    if (timeline->n_hosts > 1) {
        printf(LABEL, "host");
        put(&process->host);
        putchar('\n');
    }
}

static void print_files(const struct mt_set *set, const struct mt_process *process,
                        struct totals *totals)
{
    char bytes[32];
    for (uint32_t i = 0; i < process->n_files; i++) {
        struct mt_file_info file;
        mt_set_file(set, process->first_file + i, &file);
        printf(LABEL, i ? "" : "files");
        mt_cli_put_text(stdout, file.path, strlen(file.path));
        printf(", %s, %u chunks, %s functions\n",
               mt_cli_bytes_text(file.n_bytes, bytes, sizeof bytes), file.n_chunks,
               count(file.n_defs));
        totals->n_bytes += file.n_bytes;
    }
}

static void print_time(const struct mt_set *set, const struct mt_process *process,
                       struct totals *totals)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct mt_file_info first, file;
    uint64_t end_ns = 0;
    mt_set_file(set, process->first_file, &first);
    for (uint32_t i = 0; i < process->n_files; i++) {
        mt_set_file(set, process->first_file + i, &file);
        end_ns = file.end_ns > end_ns ? file.end_ns : end_ns;
    }
    printf(LABEL, "time");
    print_wall_time(timeline->zero_real_ns + process->start_ns);
    printf(", at %.6f s", (double)process->start_ns / 1e9);
    printf(", for %s, clock: %s\n",
           duration(end_ns > process->start_ns ? end_ns - process->start_ns : 0),
           clock_text(first.header->clock));
    totals->end_ns = end_ns > totals->end_ns ? end_ns : totals->end_ns;
}

/* ---------------------------------------------------------------------------------------- calls */

/* Walks a track; what it lost is added to `losses`. */
static struct mt_counts walk_track(struct mt_walk *walk, uint32_t track, struct losses *losses)
{
    struct mt_run run;
    mt_walk_start(walk, track);
    while (mt_walk_next(walk, &run)) {
        for (uint32_t i = 0; i < run.n_events; i++) {
            if (run.events[i].type != MT_EVENT_LOST)
                continue;
            const struct mt_event_lost *lost = run.events[i].lost;
            uint32_t reason = lost->reason < MT_N_LOSSES ? lost->reason : MT_LOSS_NONE;
            losses->n_events[reason] += lost->n_events;
            losses->n_times[reason]++;
            losses->text[reason] = lost->text;
        }
    }
    return *mt_walk_counts(walk);
}

static void print_track(const struct mt_track *track, const struct mt_counts *counts)
{
    printf("    %-10u %14s %14s %14s  ", track->real_tid, count(counts->n_events),
           count(counts->n_python_calls), count(counts->n_c_calls));
    put(&track->name);
    if (track->tid != track->real_tid)
        printf(" (in timelines %u)", track->tid);
    putchar('\n');
}

static struct mt_counts print_threads(const struct mt_timeline *timeline,
                                      const struct mt_process *process, struct mt_walk *walk,
                                      struct losses *losses)
{
    struct mt_counts sum = {0};
    printf(LABEL "%u\n", "threads", process->n_tracks);
    if (process->n_tracks)
        printf("    %-10s %14s %14s %14s  name\n", "tid", "events", "Python calls", "C calls");
    for (uint32_t i = 0; i < process->n_tracks; i++) {
        struct mt_counts counts = walk_track(walk, process->first_track + i, losses);
        print_track(&timeline->tracks[process->first_track + i], &counts);
        mt_counts_add(&sum, &counts);
    }
    return sum;
}

static void print_counts(const struct mt_timeline *timeline, const struct mt_counts *counts)
{
    printf(LABEL "%s Python, %s C, %s unfinished\n", "calls", count(counts->n_python_calls),
           count(counts->n_c_calls), count(counts->n_unfinished));
    if (counts->n_repaired)
        printf(LABEL "%s call%s must have ended, but no record says so\n", "repaired",
               count(counts->n_repaired), plural(counts->n_repaired));
    if (mt_timeline_mixes_greenlets(timeline, counts->n_repaired))
        printf(LABEL MT_CLI_GREENLETS "\n", "mixed");
    if (counts->n_dropped)
        printf(LABEL "%s end%s of calls that began before recording, or without a record\n",
               "left out", count(counts->n_dropped), plural(counts->n_dropped));
    if (counts->n_unknown_ids)
        printf(LABEL "%s record%s of functions without a definition\n", "unknown",
               count(counts->n_unknown_ids), plural(counts->n_unknown_ids));
    if (counts->n_unknown_kinds)
        printf(LABEL "%s record%s of a kind that this mtrace does not know\n", "skipped",
               count(counts->n_unknown_kinds), plural(counts->n_unknown_kinds));
}

static void print_losses(const struct losses *losses, const struct mt_process *process,
                         uint64_t n_told)
{
    for (uint32_t reason = 0; reason < MT_N_LOSSES; reason++) {
        uint64_t n = losses->n_events[reason];
        if (!losses->n_times[reason])
            continue;
        printf(LABEL, "lost");
        if (n)
            printf("%s event%s", count(n), plural(n));
        else
            printf("an unknown number of events");
        printf(", %u time%s: %s\n", losses->n_times[reason], plural(losses->n_times[reason]),
               losses->text[reason]);
    }
    if (process->n_lost > n_told)
        printf(LABEL "%s event%s, by threads that could not say so themselves, from %.6f s on\n",
               "lost", count(process->n_lost - n_told), plural(process->n_lost - n_told),
               (double)process->first_lost_ns / 1e9);
}

/* What no file has: children without one, and files that are not here. */
static void print_missing(const struct mt_set *set, const struct mt_process *process)
{
    struct mt_missing missing;
    mt_cli_missing(set, process, &missing);
    if (missing.n_children > 0)
        printf(LABEL "%u forked process%s could make no file, and %s not recorded: %s\n",
               "untraced", missing.n_children, missing.n_children == 1 ? "" : "es",
               missing.n_children == 1 ? "is" : "are", missing.reason);
    if (missing.n_parts > 0)
        printf(LABEL "%u file%s of this process %s missing\n", "lost", missing.n_parts,
               plural(missing.n_parts), missing.n_parts == 1 ? "is" : "are");
}

static void print_notes(const struct mt_set *set, const struct mt_process *process)
{
    for (uint32_t i = 0; i < process->n_files; i++) {
        struct mt_file_info file;
        mt_set_file(set, process->first_file + i, &file);
        for (uint32_t k = 0; k < file.n_notes; k++) {
            struct mt_note_info note;
            mt_set_note(set, process->first_file + i, k, &note);
            printf(LABEL, "note");
            put(&note.text);
            putchar('\n');
        }
        if (file.header->n_displaced)
            printf(LABEL "the program's own profile functions displaced ours %u time%s\n", "hooks",
                   file.header->n_displaced, plural(file.header->n_displaced));
    }
}

static void print_process(struct mt_set *set, uint32_t idx, struct mt_walk *walk,
                          struct totals *totals)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    const struct mt_process *process = &timeline->processes[idx];
    struct mt_file_info file;
    struct losses losses = {0};
    mt_set_file(set, process->first_file, &file);
    print_head(timeline, process, file.header);
    print_files(set, process, totals);
    print_time(set, process, totals);
    struct mt_counts counts = print_threads(timeline, process, walk, &losses);
    print_counts(timeline, &counts);
    print_losses(&losses, process, counts.n_lost);
    print_missing(set, process);
    print_notes(set, process);
    putchar('\n');
    mt_counts_add(&totals->counts, &counts);
    totals->n_lost += counts.n_lost > process->n_lost ? counts.n_lost : process->n_lost;
    totals->n_processes += process->former == MT_NONE;
}

/* -------------------------------------------------------------------------------------- command */

static enum mt_status print_set(struct mt_set *set)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    struct totals totals = {0};
    struct mt_walk *walk;
    char bytes[32];
    enum mt_status status = mt_walk_new(set, 0, &walk);
    if (status != MT_OK)
        return status;
    for (uint32_t i = 0; i < timeline->n_processes; i++)
        print_process(set, i, walk, &totals);
    printf("total\n");
    printf(LABEL "%u in %u file%s, %s\n", "processes", totals.n_processes, mt_set_n_files(set),
           plural(mt_set_n_files(set)), mt_cli_bytes_text(totals.n_bytes, bytes, sizeof bytes));
    printf(LABEL "%u\n", "threads", timeline->n_tracks);
    printf(LABEL "%s\n", "events", count(totals.counts.n_events));
    print_counts(timeline, &totals.counts);
    printf(LABEL "%s event%s\n", "lost", count(totals.n_lost), plural(totals.n_lost));
    printf(LABEL "%s\n", "time", duration(totals.end_ns));
    status = mt_walk_status(walk);
    mt_walk_free(walk);
    return status;
}

int mt_cmd_info(int argc, char **argv)
{
    bool records = false, quiet = false;
    const struct mt_option options[] = {
        {0, "records", NULL, "print every record, one a line", &records, NULL},
        {'q', "quiet", NULL, "only errors on standard error", &quiet, NULL},
        {0},
    };
    int exit_status;
    int n = mt_options_parse(argc, argv, options, synopsis, summary, false, &exit_status);
    if (n < 0)
        return exit_status;
    if (!n)
        return mt_cli_usage("info", "there is no PATH to tell about");
    mt_cli_set_quiet(quiet);
    mt_cli_writes_output();
    struct mt_set *set = mt_cli_open_set(argv + 1, n);
    if (!set)
        return MT_EXIT_TROUBLE;
    enum mt_status status = MT_OK;
    if (mt_set_n_files(set))
        status = records ? mt__info_records(set) : print_set(set);
    if (status != MT_OK)
        mt_cli_error("%s", mt_status_text(status));
    exit_status = status != MT_OK || mt_set_n_errors(set) ? MT_EXIT_TROUBLE : MT_EXIT_OK;
    mt_set_free(set);
    return mt_cli_finish_stdout(exit_status);
}
