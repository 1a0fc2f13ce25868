/* set.c - a set of trace files: adding files, and finishing in the order that set.h tells. Used by
 * the commands, on one thread.
 *
 * Invariant: no two files of a set have the same file_id.
 */
#include "reader/set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/atomic.h"
#include "base/hash.h"
#include "reader/slice.h"

enum mt_status mt_set_new(const struct mt_reporter *reporter, struct mt_set **out)
{
    *out = NULL;
    struct mt_set *set = calloc(1, sizeof *set);
    if (!set)
        return MT_NOMEM;
    if (reporter)
        set->trouble.reporter = *reporter;
    if (mt__names_init(&set->names) != MT_OK) {
        mt_set_free(set);
        return MT_NOMEM;
    }
    *out = set;
    return MT_OK;
}

static void free_file(struct mt__file *file)
{
    mt__file_fini(file);
    if (!file->source.data)
        free((char *)(uintptr_t)file->source.name); /* the copy made by add_path */
    free(file);
}

void mt_set_free(struct mt_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->n_files; i++)
        free_file(set->files[i]);
    free(set->files);
    mt_map_fini(&set->file_of);
    mt__names_fini(&set->names);
    free(set->processes);
    free(set->tracks);
    free(set->track_data);
    free(set->segments);
    free(set->flows);
    mt__slice_free(set->slice);
    free(set);
}

void mt_set_only_run(struct mt_set *set, const uint8_t run_id[16])
{
    set->only_run = true;
    memcpy(set->run_id, run_id, sizeof set->run_id);
}

uint32_t mt_set_n_errors(const struct mt_set *set)
{
    return mt_load_relaxed(&set->trouble.n_errors);
}

/* --------------------------------------------------------------------------------- adding files */

static uint64_t hash_id(const uint8_t id[16])
{
    return mt_hash_bytes(id, 16, mt_hash_secret);
}

struct mt__file *mt__set_find_file(const struct mt_set *set, const uint8_t file_id[16])
{
    const uint32_t *idx = mt__id_is_zero(file_id) ? NULL
                                                  : mt_map_find(&set->file_of, hash_id(file_id));
    if (!idx || memcmp(set->files[*idx]->header.file_id, file_id, 16) != 0)
        return NULL;
    return set->files[*idx];
}

void mt__set_refresh_file_ids(struct mt_set *set)
{
    for (size_t i = 0; i < set->n_files; i++) {
        uint32_t *idx = mt_map_find(&set->file_of, hash_id(set->files[i]->header.file_id));
        if (idx)
            *idx = (uint32_t)i;
    }
}

/* Another run's file may be anything; it is none of our business. */
static bool wanted(const struct mt_set *set, struct mt__file *file)
{
    struct mt__input input;
    struct mt_file_header header;
    bool empty;
    if (!set->only_run)
        return true;
    bool ours = mt__input_open(&input, &file->source, NULL) == MT_OK &&
                mt__file_header(&input, &header, &empty, NULL) == MT_OK && !empty &&
                !memcmp(header.run_id, set->run_id, sizeof header.run_id);
    mt__input_close(&input);
    return ours;
}

/* Two copies of a file: the longer one is used. Takes `file` over. */
static void choose_copy(struct mt_set *set, struct mt__file *file, struct mt__file *twin)
{
    const char *name = file->source.name, *other = twin->source.name;
    if (!strcmp(name, other))
        mt__trouble_note(&set->trouble, name, "was given twice; used once");
    else if (file->n_bytes <= twin->n_bytes)
        mt__trouble_note(&set->trouble, name, "is the same file as %s; used once", other);
    else
        mt__trouble_note(&set->trouble, name, "is the same file as %s, but longer; used instead",
                         other);
    if (file->n_bytes > twin->n_bytes) {
        uint32_t idx = *mt_map_find(&set->file_of, hash_id(twin->header.file_id));
        set->files[idx] = file;
        file = twin;
    }
    free_file(file);
}

/* Takes the file over, also when it fails. */
static enum mt_status add_file(struct mt_set *set, struct mt__file *file)
{
    bool usable = false;
    enum mt_status status = MT_OK;
    if (!MT_ARRAY_ROOM(set->files, set->files_capacity, set->n_files + 1))
        status = MT_NOMEM;
    else if (wanted(set, file))
        status = mt__file_open(file, &set->names, &set->trouble, &usable);
    struct mt__file *twin = usable ? mt__set_find_file(set, file->header.file_id) : NULL;
    if (status == MT_OK && twin) {
        choose_copy(set, file, twin);
        return MT_OK;
    }
    if (status == MT_OK && usable &&
        !mt_map_put(&set->file_of, hash_id(file->header.file_id), (uint32_t)set->n_files, NULL))
        status = MT_NOMEM;
    if (status == MT_OK && usable)
        set->files[set->n_files++] = file;
    else
        free_file(file);
    return status;
}

enum mt_status mt_set_add_memory(struct mt_set *set, const char *name, const void *data,
                                 size_t n_bytes)
{
    struct mt__file *file = calloc(1, sizeof *file);
    if (!file)
        return MT_NOMEM;
    file->source = (struct mt__source){.name = name, .data = data ? data : "", .n_bytes = n_bytes};
    return add_file(set, file);
}

static enum mt_status add_path(struct mt_set *set, const char *path)
{
    struct mt__file *file = calloc(1, sizeof *file);
    char *copy = strdup(path);
    if (!file || !copy) {
        free(file);
        free(copy);
        return MT_NOMEM;
    }
    file->source.name = copy;
    return add_file(set, file);
}

static enum mt_status add_listed(void *context, const char *path)
{
    return add_path(context, path);
}

enum mt_status mt_set_add(struct mt_set *set, const char *path)
{
    struct stat st;
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return add_path(set, path);
    struct mt_error error = {0};
    enum mt_status status = mt_each_trace(path, add_listed, set, &error);
    bool passed_over = status == MT_GONE && set->only_run; /* none at all is none of the run */
    if (error.status != MT_OK && !passed_over)
        mt__trouble_tell(&set->trouble, path, &error);
    return error.status == MT_OK ? status : MT_OK;
}

/* ------------------------------------------------------------------------------------ finishing */

static void note_runs(struct mt_set *set)
{
    uint32_t n_runs = 0;
    struct mt_map seen = {0};
    for (size_t i = 0; i < set->n_files; i++) {
        bool is_new = false;
        const uint8_t *run_id = set->files[i]->header.run_id;
        if (!mt__id_is_zero(run_id))
            mt_map_put(&seen, hash_id(run_id), 0, &is_new);
        n_runs += is_new;
    }
    mt_map_fini(&seen);
    if (n_runs > 1)
        mt__trouble_note(&set->trouble, NULL, "these files are of %u different runs", n_runs);
}

enum mt_status mt_set_finish(struct mt_set *set)
{
    note_runs(set);
    struct mt_timeline *timeline = &set->timeline;
    timeline->funcs = set->names.funcs;
    timeline->n_funcs = (uint32_t)set->names.n_funcs;
    enum mt_status status = mt__set_count_hosts(set);
    if (status == MT_OK)
        status = mt__set_align(set);
    if (status == MT_OK)
        status = mt__set_processes(set);
    if (status == MT_OK)
        status = mt__set_host_labels(set);
    timeline->processes = set->processes;
    timeline->n_processes = (uint32_t)set->n_processes;
    if (status == MT_OK)
        status = mt__set_tracks(set);
    timeline->tracks = set->tracks;
    timeline->n_tracks = (uint32_t)set->n_tracks;
    if (status == MT_OK)
        status = mt__set_flows(set);
    set->finished = status == MT_OK;
    return status;
}

const struct mt_timeline *mt_set_timeline(const struct mt_set *set)
{
    return &set->timeline;
}

uint32_t mt_set_n_files(const struct mt_set *set)
{
    return (uint32_t)set->n_files;
}

uint64_t mt__file_end_ns(const struct mt__file *file)
{
    uint64_t end_ns = mt__file_ns(file, file->header.pair.tick);
    if (file->header.flags & MT_FLAG_STOPPED)
        end_ns = mt__file_ns(file, file->header.end_tick);
    for (size_t i = 0; i < file->n_threads; i++) {
        uint64_t last_ns = mt__file_ns(file, file->threads[i].last_tick);
        if (file->threads[i].has_events && last_ns > end_ns)
            end_ns = last_ns;
    }
    return end_ns;
}

void mt_set_file(const struct mt_set *set, uint32_t file_idx, struct mt_file_info *out)
{
    const struct mt__file *file = set->files[file_idx];
    *out = (struct mt_file_info){
        .path = file->source.name,
        .header = &file->header,
        .n_bytes = file->n_bytes,
        .n_chunks = (uint32_t)(file->n_chunks + file->n_def_chunks),
        .n_threads = (uint32_t)file->n_threads,
        .n_defs = file->n_defs,
        .n_notes = (uint32_t)file->n_notes,
        .process = file->process,
        .start_ns = mt__file_ns(file, file->header.pair.tick),
        .end_ns = mt__file_end_ns(file),
    };
}

void mt_set_note(const struct mt_set *set, uint32_t file_idx, uint32_t note_idx,
                 struct mt_note_info *out)
{
    const struct mt__file *file = set->files[file_idx];
    const struct mt__note *note = &file->notes[note_idx];
    *out = (struct mt_note_info){
        .ts_ns = mt__file_ns(file, note->tick), .topic = note->topic, .text = note->text};
}
