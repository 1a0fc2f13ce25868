/* run_summary.c - what a run has recorded, and the lines that `mtrace run` ends with. Called by
 * cmd_run.c after the program has ended.
 *
 * Only files with the run's id count: the directory may hold older traces, and the program's
 * processes may still be writing. The notes of interpreters that could not be recorded have no id;
 * those made since the run began are taken for its own. Whatever the text comes from, a file or its
 * name, control characters do not reach the terminal.
 */
#define _GNU_SOURCE
#include "cli/run_summary.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/alive.h"
#include "cli/cli.h"
#include "mtrace/env.h"
#include "os/os.h"

#define SETTLE_STEPS 20
#define SETTLE_STEP_US 5000
#define MAX_SHOWN_PIDS 5
#define MAX_SHOWN_REASONS 4
#define REASON_BYTES 240
#define VIEWER "https://ui.perfetto.dev"

/* ---- which files, which processes */

struct search {
    const uint8_t *run_id;
    bool running; /* one of the processes goes on */
};

static bool runs(const struct mt_file_header *header)
{
    return mt__process_state(NULL, header) == MT_LIVE_RUNNING;
}

static bool is_of_run(void *context, int fd)
{
    struct search *search = context;
    struct mt_file_header header;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        header.magic != MT_FILE_MAGIC ||
        memcmp(header.run_id, search->run_id, sizeof header.run_id) != 0)
        return false;
    search->running = search->running || runs(&header);
    return true;
}

static bool is_recent(void *context, int fd)
{
    const struct timespec *since = context;
    struct stat status;
    return fstat(fd, &status) == 0 &&
           (status.st_ctim.tv_sec > since->tv_sec ||
            (status.st_ctim.tv_sec == since->tv_sec && status.st_ctim.tv_nsec >= since->tv_nsec));
}

static struct mt_set *open_set(const struct mt_run_paths *paths, const uint8_t run_id[16],
                               const struct mt_reporter *reporter)
{
    struct mt_set *set;
    if (mt_set_new(reporter, &set) != MT_OK)
        return NULL;
    mt_set_only_run(set, run_id);
    enum mt_status status = MT_OK;
    for (size_t i = 0; i < paths->n && status == MT_OK; i++)
        status = mt_set_add(set, paths->items[i]);
    if (status == MT_OK)
        status = mt_set_finish(set);
    if (status == MT_OK && mt_set_n_files(set) > 0)
        return set;
    mt_set_free(set);
    return NULL;
}

void mt__run_result_open(struct mt_run_result *result, const struct mt_run_place *place,
                         const uint8_t run_id[16], bool count, const struct mt_reporter *reporter)
{
    memset(result, 0, sizeof *result);
    result->place = place;
    struct mt_run_paths paths;
    for (int step = 0;; step++) {
        struct search search = {.run_id = run_id};
        bool listed = mt__run_place_list(place, MT_FILE_SUFFIX, is_of_run, &search, &paths);
        result->list_error = listed ? 0 : errno;
        if (!search.running || step == SETTLE_STEPS)
            break;
        mt__run_paths_free(&paths);
        usleep(SETTLE_STEP_US);
    }
    if (paths.n > 0)
        result->set = open_set(&paths, run_id, reporter);
    mt__run_paths_free(&paths);
    if (result->set != NULL && count && mt_set_stats(result->set, &result->stats, NULL) != MT_OK)
        memset(&result->stats.counts, 0, sizeof result->stats.counts);
    struct timespec since = place->since;
    mt__run_place_list(place, MT_UNTRACED_SUFFIX, is_recent, &since, &result->untraced);
}

void mt__run_result_close(struct mt_run_result *result)
{
    mt_set_free(result->set);
    mt__run_paths_free(&result->untraced);
    memset(result, 0, sizeof *result);
}

/* Fills in the first `max` pids; returns how many there are. */
static uint32_t running_pids(const struct mt_run_result *result, uint32_t *pids, uint32_t max)
{
    uint32_t n = 0, last = 0, n_files = result->set != NULL ? mt_set_n_files(result->set) : 0;
    for (uint32_t i = 0; i < n_files; i++) {
        struct mt_file_info info;
        mt_set_file(result->set, i, &info);
        /* The files of one process are neighbours, so are its images. */
        if (info.header->pid == last || !runs(info.header))
            continue;
        last = info.header->pid;
        if (n < max)
            pids[n] = last;
        n++;
    }
    return n;
}

uint32_t mt__run_n_running(const struct mt_run_result *result)
{
    return running_pids(result, NULL, 0);
}

void mt__run_untraced_remove(const struct mt_run_result *result)
{
    for (size_t i = 0; i < result->untraced.n; i++)
        unlink(result->untraced.items[i]);
}

/* ---- what could not be traced */

struct reason {
    char who[80];
    uint32_t n; /* interpreters with this reason */
    char text[REASON_BYTES];
};

struct reasons {
    struct reason items[MAX_SHOWN_REASONS];
    uint32_t n;
    uint32_t n_more; /* interpreters with yet other reasons */
};

static void make_printable(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    for (size_t n = strlen(text); n > 0 && (text[n - 1] == ' ' || text[n - 1] == '.'); n--)
        text[n - 1] = '\0';
}

/* `path` is a file named PROGRAM.PID.suffix. */
static void reasons_add(struct reasons *reasons, const char *path, const char *text)
{
    struct reason new = {.n = 1};
    const char *slash = strrchr(path, '/');
    snprintf(new.who, sizeof new.who, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strrchr(new.who, '.');
    if (dot != NULL)
        *dot = '\0';
    snprintf(new.text, sizeof new.text, "%s", text);
    make_printable(new.who);
    make_printable(new.text);
    for (uint32_t i = 0; i < reasons->n; i++)
        if (strcmp(reasons->items[i].text, new.text) == 0) {
            reasons->items[i].n++;
            return;
        }
    if (reasons->n < MAX_SHOWN_REASONS)
        reasons->items[reasons->n++] = new;
    else
        reasons->n_more++;
}

static void reasons_from_notes(struct reasons *reasons, const struct mt_run_result *result,
                               bool (*wanted)(const struct mt_note_info *))
{
    uint32_t n_files = result->set != NULL ? mt_set_n_files(result->set) : 0;
    for (uint32_t i = 0; i < n_files; i++) {
        struct mt_file_info info;
        mt_set_file(result->set, i, &info);
        for (uint32_t k = 0; k < info.n_notes; k++) {
            struct mt_note_info note;
            mt_set_note(result->set, i, k, &note);
            if (wanted(&note))
                reasons_add(reasons, info.path, note.text.data);
        }
    }
}

static bool is_untraced(const struct mt_note_info *note)
{
    return note->topic == MT_NOTE_UNTRACED;
}

/* Not the engine that was asked for: its note says so with a "but". */
static bool is_other_engine(const struct mt_note_info *note)
{
    return note->topic == MT_NOTE_ENGINE && strstr(note->text.data, ", but ") != NULL;
}

static void reasons_collect(struct reasons *reasons, const struct mt_run_result *result)
{
    for (size_t i = 0; i < result->untraced.n; i++) {
        char text[REASON_BYTES] = "";
        FILE *file = fopen(result->untraced.items[i], "re");
        if (file != NULL) {
            if (fgets(text, sizeof text, file) == NULL)
                text[0] = '\0';
            fclose(file);
        }
        reasons_add(reasons, result->untraced.items[i],
                    *text != '\0' ? text : "no space for a trace file, nor for the reason");
    }
    reasons_from_notes(reasons, result, is_untraced);
}

/* ---- the lines */

#define LABEL "  %-10s"

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static const char *plural_es(uint64_t n)
{
    return n == 1 ? "" : "es";
}

static void print_counts(FILE *out, const struct mt_run_result *result)
{
    const struct mt_set_stats *stats = &result->stats;
    char processes[32], threads[32], python[32], c[32];
    fprintf(out, "mtrace: %s process%s, %s thread%s, %s Python call%s",
            mt_cli_count_text(stats->n_processes, processes, sizeof processes),
            plural_es(stats->n_processes),
            mt_cli_count_text(stats->n_threads, threads, sizeof threads), plural(stats->n_threads),
            mt_cli_count_text(stats->counts.n_python_calls, python, sizeof python),
            plural(stats->counts.n_python_calls));
    struct mt_file_info first;
    mt_set_file(result->set, 0, &first);
    if (stats->counts.n_c_calls > 0 || (first.header->options & MT_OPTION_C_FUNCTIONS))
        fprintf(out, ", %s C call%s", mt_cli_count_text(stats->counts.n_c_calls, c, sizeof c),
                plural(stats->counts.n_c_calls));
    fputc('\n', out);
}

static void print_files(FILE *out, const struct mt_run_result *result)
{
    const struct mt_run_place *place = result->place;
    char bytes[32], files[32];
    fprintf(out, LABEL "%s, %s", "files",
            mt_cli_count_text(result->stats.n_files, files, sizeof files),
            mt_cli_bytes_text(result->stats.n_bytes, bytes, sizeof bytes));
    if (!result->kept)
        fputs(", removed after merging\n", out);
    else if (*place->shown == '\0')
        fputs(", in the current directory\n", out);
    else
        fprintf(out, ", in %s\n", place->shown);
}

static void print_losses(FILE *out, const struct mt_run_result *result)
{
    static const char *const texts[] = {
#define X(name, number, text) [number] = text,
        MT_LOSS_MAP(X)
#undef X
    };
    uint64_t n_events[MT_N_LOSSES + 1] = {0};
    uint32_t n_processes[MT_N_LOSSES + 1] = {0};
    const struct mt_timeline *timeline = mt_set_timeline(result->set);
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        const struct mt_process *process = &timeline->processes[i];
        if (process->n_lost == 0)
            continue;
        uint32_t reason = process->loss_reason < MT_N_LOSSES ? process->loss_reason : MT_N_LOSSES;
        n_events[reason] += process->n_lost;
        n_processes[reason]++;
    }
    for (uint32_t reason = 0; reason <= MT_N_LOSSES; reason++) {
        char events[32];
        if (n_events[reason] == 0)
            continue;
        fprintf(out, LABEL "%s event%s in %" PRIu32 " process%s: %s\n", "lost",
                mt_cli_count_text(n_events[reason], events, sizeof events),
                plural(n_events[reason]), n_processes[reason], plural_es(n_processes[reason]),
                reason > 0 && reason < MT_N_LOSSES ? texts[reason] : "the reason is not known");
    }
}

/* Children without a file, by the reason, and files that were taken away. */
static void print_missing(FILE *out, const struct mt_run_result *result)
{
    const struct mt_timeline *timeline = mt_set_timeline(result->set);
    uint64_t n_children = 0, n_parts = 0;
    uint32_t n_incomplete = 0;
    const char *reason = NULL;
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        struct mt_missing missing;
        mt_cli_missing(result->set, &timeline->processes[i], &missing);
        n_children += missing.n_children;
        n_parts += missing.n_parts;
        n_incomplete += missing.n_parts > 0;
        if (missing.n_children > 0)
            reason = missing.reason;
    }
    if (n_children > 0)
        fprintf(out, LABEL "%" PRIu64 " forked process%s could make no file: %s\n", "untraced",
                n_children, plural_es(n_children), reason);
    if (n_parts > 0)
        fprintf(
            out, LABEL "%" PRIu64 " file%s of %" PRIu32 " process%s missing: removed or moved\n",
            "lost", n_parts, plural(n_parts), n_incomplete, n_incomplete == 1 ? " is" : "es are");
}

/* Interpreters that another user starts find nothing there, and cannot say so. */
static void print_hidden_home(FILE *out, const struct mt_run_result *result)
{
    for (uint32_t i = 0; i < mt_set_n_files(result->set); i++) {
        struct mt_file_info file;
        mt_set_file(result->set, i, &file);
        if (file.header->uid == geteuid() || mt__run_home_is_public(result->home))
            continue;
        fprintf(out, LABEL "what user %" PRIu32 " started anew: other users cannot read %s\n",
                "untraced", file.header->uid, result->home);
        return;
    }
}

static void print_reasons(FILE *out, const char *label, const struct reasons *reasons)
{
    for (uint32_t i = 0; i < reasons->n; i++) {
        const struct reason *reason = &reasons->items[i];
        fprintf(out, LABEL "%s", label, reason->who);
        if (reason->n > 1)
            fprintf(out, " and %" PRIu32 " more", reason->n - 1);
        fprintf(out, ": %s\n", reason->text);
    }
    if (reasons->n_more > 0)
        fprintf(out, LABEL "%" PRIu32 " more, for other reasons\n", label, reasons->n_more);
}

static uint32_t print_untraced(FILE *out, const struct mt_run_result *result)
{
    struct reasons reasons = {.n = 0}, engines = {.n = 0};
    reasons_collect(&reasons, result);
    print_reasons(out, "untraced", &reasons);
    reasons_from_notes(&engines, result, is_other_engine);
    print_reasons(out, "engine", &engines);
    return reasons.n;
}

static void print_greenlets(FILE *out, const struct mt_run_result *result)
{
    if (mt_timeline_mixes_greenlets(mt_set_timeline(result->set), result->stats.counts.n_repaired))
        fprintf(out, LABEL MT_CLI_GREENLETS "\n", "mixed");
}

static void print_running(FILE *out, const struct mt_run_result *result)
{
    uint32_t pids[MAX_SHOWN_PIDS];
    uint32_t n = running_pids(result, pids, MAX_SHOWN_PIDS);
    if (n == 0)
        return;
    fprintf(out, LABEL "%" PRIu32 " process%s still running, and recording (pid", "running", n,
            plural_es(n));
    for (uint32_t i = 0; i < n && i < MAX_SHOWN_PIDS; i++)
        fprintf(out, "%s %" PRIu32, i > 0 ? "," : "", pids[i]);
    fputs(n > MAX_SHOWN_PIDS ? ", ...)\n" : ")\n", out);
}

/* A path as an argument for a shell; the files in it, too. */
static void print_shell_files(FILE *out, const char *dir)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./+,:@%=";
    size_t n = strlen(dir);
    if (n > 0 && strspn(dir, plain) == n) {
        fputs(dir, out);
    } else if (n > 0) {
        fputc('\'', out);
        for (const char *c = dir; *c != '\0'; c++)
            fputs(*c == '\'' ? "'\\''" : (const char[]){*c, '\0'}, out);
        fputc('\'', out);
    }
    fputs(n > 0 && dir[n - 1] != '/' ? "/*" MT_FILE_SUFFIX : "*" MT_FILE_SUFFIX, out);
}

static void print_timeline(FILE *out, const struct mt_run_result *result)
{
    char duration[32];
    if (result->merged) {
        fprintf(out, LABEL "%s, merged in %s; open it in " VIEWER "\n", "timeline", result->output,
                mt_cli_duration_text(result->merge_ns, duration, sizeof duration));
    } else {
        fprintf(out, LABEL "mtrace merge ", "timeline");
        print_shell_files(out, result->place->shown);
        fputs(" > all.json, to be opened in " VIEWER "\n", out);
        fprintf(out, LABEL "mtrace view ", "browser");
        print_shell_files(out, result->place->shown);
        fputc('\n', out);
    }
}

static void print_nothing(FILE *out, const struct mt_run_result *result)
{
    fputs("mtrace: no process was traced", out);
    if (result->list_error != 0)
        fprintf(out, ", as far as can be seen: %s cannot be listed: %s\n", result->place->path,
                strerror(result->list_error));
    else if (!mt__run_place_is_same(result->place))
        fputs(": the directory for the files was replaced while the program ran\n", out);
    else if (result->untraced.n > 0)
        fputc('\n', out);
    else if (mt__run_place_is_full(result->place))
        fprintf(out, ": there is no space left in %s\n", result->place->path);
    else
        fputs(": the program started no Python that could be followed (it is not Python, or runs\n"
              "        with -E, -I or -S, or without the environment that it was given)\n",
              out);
    print_untraced(out, result);
}

void mt__run_summary_print(const struct mt_run_result *result)
{
    /* One write, so that it stays together while processes that still run print, too. */
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    if (out == NULL)
        return;
    if (result->set == NULL) {
        print_nothing(out, result);
    } else {
        print_counts(out, result);
        print_files(out, result);
        print_losses(out, result);
        print_missing(out, result);
        print_hidden_home(out, result);
        print_untraced(out, result);
        print_greenlets(out, result);
        print_running(out, result);
        print_timeline(out, result);
    }
    if (fclose(out) == 0)
        (void)!write(STDERR_FILENO, text, n_bytes);
    free(text);
}
