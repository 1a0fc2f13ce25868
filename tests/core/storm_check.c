/* storm_check.c - see storm.h: compares what a storm has left with what its writers had done.
 *
 * Twice: by scan.h, which knows each event that must be there, and by mtrace's own reader.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mtrace/reader.h"
#include "storm.h"

struct check {
    const struct storm *storm;
    struct storm_sums *sums;
    uint64_t found[STORM_WRITERS]; /* events, by writer */
    bool has_file[STORM_PROCESSES];
    uint64_t n_events;
};

__attribute__((format(printf, 1, 2))) static _Noreturn void violation(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("storm: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(STORM_VIOLATION);
}

/* ---- threads */

/* Is the record event n of writer w, or, as PY_BEGIN, one of the calls that are stated anew there? */
static bool is_about(const struct scan *s, const struct scan_record *r, uint32_t w,
                     enum mt_kind kind, enum storm_function function, uint32_t generation)
{
    char name[40], other[40];
    const struct scan_def *def = scan_function(s, r->id);
    storm_name(name, sizeof name, w, function, generation);
    int n_other = storm_owner(other, sizeof other, w);
    if (r->kind != kind || !scan_is(def, name))
        return false;
    if (function == STORM_C)
        return def->n_owner == (uint32_t)n_other && memcmp(def->owner, other, def->n_owner) == 0;
    return def->first_line == generation && scan_is(scan_string(s, def->file_id), other);
}

/* Whose thread it is, by the name of its first record. */
static uint32_t writer_of(const struct check *c, const struct scan *s, const struct scan_thread *t)
{
    unsigned w = STORM_WRITERS;
    char name[40] = "";
    const struct scan_def *def = scan_function(s, t->records[0].id);
    if (def != NULL && def->n_text < sizeof name)
        memcpy(name, def->text, def->n_text);
    if (sscanf(name, "S%u.", &w) != 1 || w >= STORM_WRITERS)
        violation("pid %u, thread %u: its first record is no writer's", s->header.pid, t->number);
    if (c->storm->writers[w].pid != s->header.pid)
        violation("pid %u has events of writer %u, which is of pid %u", s->header.pid, w,
                  c->storm->writers[w].pid);
    return w;
}

static void follow(struct check *c, const struct scan *s, const struct scan_thread *t)
{
    uint32_t w = writer_of(c, s, t);
    uint64_t n = 0;
    size_t mark = 0, restated = 0;
    enum storm_function open[2];
    for (size_t i = 0; i < t->n_records; i++) {
        for (; mark < t->n_marks && t->marks[mark].at == i; mark++) {
            if (t->marks[mark].type == MT_EXT_LOST)
                violation("writer %u lost events", w);
            restated = t->marks[mark].resync.depth;
            if (restated != storm_open(n, open))
                violation("writer %u, event %llu: %zu calls are stated", w, (unsigned long long)n,
                          restated);
        }
        struct storm_event e = storm_event(n);
        if (restated > 0) {
            e.kind = MT_KIND_PY_BEGIN;
            e.function = open[t->marks[mark - 1].resync.depth - restated];
            e.generation = (uint32_t)(n / 32) / (e.function == STORM_OUTER ? 1 : 4);
        }
        if (!is_about(s, &t->records[i], w, e.kind, e.function, e.generation))
            violation("pid %u, writer %u: record %zu is not event %llu", s->header.pid, w, i,
                      (unsigned long long)n);
        if (restated > 0)
            restated--;
        else
            n++;
    }
    if (c->found[w] != 0)
        violation("writer %u has two threads", w);
    if (n == c->storm->writers[w].done + 1 && t->tick < c->storm->writers[w].tick)
        violation("writer %u: event %llu is older than its caller", w, (unsigned long long)n - 1);
    c->found[w] = n;
}

/* ---- files */

static uint32_t process_of(const struct check *c, uint32_t pid)
{
    for (uint32_t i = 0; i < STORM_PROCESSES; i++) {
        if (c->storm->pids[i] == pid)
            return i;
    }
    return STORM_PROCESSES;
}

static void check_file(struct check *c, const char *name)
{
    char path[400];
    unsigned pid = 0;
    int end = 0;
    struct scan s;
    struct mt_check_result result;
    struct mt_error error;
    if (sscanf(name, "storm.%u.trace%n", &pid, &end) != 1 || end == 0 || name[end] != '\0')
        violation("a file called %s", name);
    uint32_t process = process_of(c, pid);
    if (pid == 0 || process == STORM_PROCESSES)
        violation("%s is of no process", name);
    snprintf(path, sizeof path, "%s/%s", lab_dir, name);
    CHECK(scan_file(path, &s));
    if (s.bad[0] != '\0')
        violation("%s: %s", name, s.bad);
    if (mt_check_path(path, &result, &error) != MT_OK)
        violation("%s: mtrace check: %s", name, error.message);
    c->has_file[process] = true;
    if (result.empty != s.unborn || (s.unborn && !c->storm->was_killed[process]))
        violation("%s has no header", name);
    c->sums->n_unborn += s.unborn;
    if (!s.unborn && (s.header.pid != pid || s.header.part != 0 || s.header.n_lost != 0))
        violation("%s: pid %u, part %u, %llu lost", name, s.header.pid, s.header.part,
                  (unsigned long long)s.header.n_lost);
    for (uint32_t i = 0; i < s.n_threads; i++) {
        if (s.threads[i].n_records > 0)
            follow(c, &s, &s.threads[i]);
    }
    scan_free(&s);
}

static void check_directory(struct check *c)
{
    DIR *d = opendir(lab_dir);
    CHECK(d != NULL);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            check_file(c, entry->d_name);
    }
    closedir(d);
}

static void check_writers(struct check *c)
{
    for (uint32_t w = 0; w < STORM_WRITERS; w++) {
        uint64_t done = c->storm->writers[w].done, found = c->found[w];
        if (found < done || found > done + 1)
            violation("writer %u of pid %u: %llu events done, %llu in the file", w,
                      c->storm->writers[w].pid, (unsigned long long)done,
                      (unsigned long long)found);
        c->n_events += found;
        c->sums->n_writers += done > 0;
        c->sums->n_unpublished += found - done;
    }
    for (uint32_t i = 0; i < STORM_PROCESSES; i++) {
        c->sums->n_processes += c->has_file[i];
        c->sums->n_kills += c->has_file[i] && c->storm->was_killed[i];
    }
    c->sums->n_events += c->n_events;
}

/* ---- mtrace's own reader, on all of them together */

static void report(void *context, const struct mt_error *error)
{
    (void)context;
    if (error->status != MT_OK)
        violation("%s: %s", error->file != NULL ? error->file : "", error->message);
}

static void check_set(struct check *c)
{
    const struct mt_reporter reporter = {report, NULL};
    struct mt_set *set;
    struct mt_set_stats stats;
    CHECK_EQ(mt_set_new(&reporter, &set), MT_OK);
    CHECK_EQ(mt_set_add(set, lab_dir), MT_OK);
    CHECK_EQ(mt_set_finish(set), MT_OK);
    CHECK_EQ(mt_set_stats(set, &stats, NULL), MT_OK);
    if (stats.counts.n_events != c->n_events || stats.counts.n_lost != 0 ||
        stats.counts.n_unknown_ids != 0 || stats.counts.n_unknown_kinds != 0 ||
        stats.counts.n_repaired != 0 || stats.counts.n_dropped != 0)
        violation("of %llu events the set has %llu; lost %llu, without name %llu, repaired %llu, "
                  "dropped %llu",
                  (unsigned long long)c->n_events, (unsigned long long)stats.counts.n_events,
                  (unsigned long long)stats.counts.n_lost,
                  (unsigned long long)stats.counts.n_unknown_ids,
                  (unsigned long long)stats.counts.n_repaired,
                  (unsigned long long)stats.counts.n_dropped);
    mt_set_free(set);
}

void storm_check(const struct storm *storm, struct storm_sums *sums)
{
    struct check *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->storm = storm;
    c->sums = sums;
    check_directory(c);
    check_writers(c);
    if (c->n_events > 0) /* else perhaps there is not even a file */
        check_set(c);
    free(c);
}
