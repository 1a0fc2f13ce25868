/* follow.c - the half of lab.h that looks at files: loads a directory's traces with scan.h, and
 * follows one writer through them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

static bool is_trace(const char *name)
{
    size_t n = strlen(name);
    return n > 6 && strcmp(name + n - 6, ".trace") == 0;
}

uint32_t lab_count_files(const char *directory)
{
    uint32_t n = 0;
    DIR *d = opendir(directory);
    CHECK(d != NULL);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        n += is_trace(entry->d_name);
    closedir(d);
    return n;
}

/* By process, then in the order in which a process made them. */
static int order(const void *a, const void *b)
{
    const struct mt_file_header *x = &((const struct scan *)a)->header;
    const struct mt_file_header *y = &((const struct scan *)b)->header;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return x->part < y->part ? -1 : x->part > y->part;
}

void lab_load(struct lab_set *set, const char *directory, uint32_t *unborn)
{
    char path[400];
    DIR *d = opendir(directory);
    CHECK(d != NULL);
    set->n = 0;
    set->files = calloc(LAB_FILES_MAX, sizeof *set->files);
    if (unborn != NULL)
        *unborn = 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (!is_trace(entry->d_name))
            continue;
        struct scan *s = &set->files[set->n];
        CHECK(set->n < LAB_FILES_MAX - 1);
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        CHECK(scan_file(path, s));
        if (s->bad[0] != '\0') {
            char text[700];
            snprintf(text, sizeof text, "%s: %s", path, s->bad);
            lab_fail(__FILE__, __LINE__, text);
        }
        if (!s->unborn) {
            set->n++;
            continue;
        }
        CHECK(unborn != NULL);
        ++*unborn;
        scan_free(s);
    }
    closedir(d);
    qsort(set->files, set->n, sizeof *set->files, order);
}

void lab_unload(struct lab_set *set)
{
    for (uint32_t i = 0; i < set->n; i++)
        scan_free(&set->files[i]);
    free(set->files);
    *set = (struct lab_set){0};
}

/* ---- one writer */

struct follower {
    char tag;
    uint32_t index;
    uint64_t n; /* of the next event */
    struct lab_tally *tally;
};

/* Does the record name this event of the writer? */
static bool is_event(const struct scan *s, const struct scan_record *r, const struct follower *f,
                     uint32_t kind)
{
    char name[40];
    if (r->kind == kind && r->id == MT_ID_UNKNOWN) {
        f->tally->unnamed++;
        return true;
    }
    snprintf(name, sizeof name, "%c.%u.%u", f->tag, f->index, (uint32_t)(f->n / 2 % LAB_IDS));
    return r->kind == kind && scan_is(scan_function(s, r->id), name);
}

static bool is_writers(const struct scan *s, const struct scan_thread *t, const struct follower *f)
{
    char prefix[40];
    size_t n = (size_t)snprintf(prefix, sizeof prefix, "%c.%u.", f->tag, f->index);
    const struct scan_def *def = t->n_records > 0 ? scan_function(s, t->records[0].id) : NULL;
    return def != NULL && def->n_text > n && memcmp(def->text, prefix, n) == 0;
}

static size_t follow_mark(const struct scan *s, const struct scan_thread *t, size_t at,
                          const struct scan_mark *m, struct follower *f)
{
    if (m->type == MT_EXT_LOST) {
        f->n += m->lost.n_events;
        f->tally->lost += m->lost.n_events;
        return at;
    }
    /* Before an end, its call is open; before a begin, nothing is. Cut short by a kill: fine. */
    CHECK_EQ(m->resync.depth, f->n % 2);
    f->tally->resyncs[m->resync.reason]++;
    /* Its call, unless that did not fit: then another mark follows at once. */
    bool alone = m + 1 < t->marks + t->n_marks && m[1].at == at;
    if (m->resync.depth == 1 && at < t->n_records && !alone) {
        CHECK(is_event(s, &t->records[at], f, MT_KIND_PY_BEGIN));
        at++;
    }
    return at;
}

static void follow_thread(const struct scan *s, const struct scan_thread *t, struct follower *f)
{
    size_t mark = 0, i = 0;
    while (i < t->n_records || mark < t->n_marks) {
        if (mark < t->n_marks && t->marks[mark].at == i) {
            size_t next = follow_mark(s, t, i, &t->marks[mark++], f);
            CHECK(next == i || mark == t->n_marks || t->marks[mark].at >= next);
            i = next;
            continue;
        }
        if (!is_event(s, &t->records[i], f, lab_kind(f->n))) {
            char text[200];
            snprintf(text, sizeof text, "%c.%u: record %zu of %zu (event %llu): kind %u, id %u",
                     f->tag, f->index, i, t->n_records, (unsigned long long)f->n,
                     t->records[i].kind, t->records[i].id);
            lab_fail(__FILE__, __LINE__, text);
        }
        f->n++;
        f->tally->recorded++;
        i++;
    }
}

void lab_follow(const struct lab_set *set, uint32_t pid, char tag, uint32_t index,
                struct lab_tally *out)
{
    struct follower f = {.tag = tag, .index = index, .tally = out};
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < set->n; i++) {
        const struct scan *s = &set->files[i];
        if (s->header.pid != pid)
            continue;
        for (uint32_t j = 0; j < s->n_threads; j++) {
            const struct scan_thread *t = &s->threads[j];
            /* In a later part it may have but a mark. */
            if (t->tid == 0 || !(is_writers(s, t, &f) || t->number == out->number))
                continue;
            out->n_threads += t->number != out->number;
            out->n_parts++;
            out->number = t->number;
            out->tid = t->tid;
            follow_thread(s, t, &f);
        }
    }
}

void lab_only(const struct lab_set *set, uint32_t pid, char tag)
{
    for (uint32_t i = 0; i < set->n; i++) {
        const struct scan *s = &set->files[i];
        for (uint32_t j = 0; s->header.pid == pid && j < s->n_defs; j++) {
            if (s->defs[j].type == MT_DEF_CODE)
                CHECK(s->defs[j].n_text > 0 && s->defs[j].text[0] == tag);
        }
    }
}

uint64_t lab_header_lost(const struct lab_set *set, uint32_t pid)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < set->n; i++)
        n += set->files[i].header.pid == pid ? set->files[i].header.n_lost : 0;
    return n;
}
