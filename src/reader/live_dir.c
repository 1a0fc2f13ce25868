/* live_dir.c - the directory of a run: which files are new in it, and which are gone. Called by live.c.
 *
 * The recorder makes a file of a new name for each process; a name is used again only after somebody has
 * removed the former file.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/hash.h"
#include "reader/live_state.h"

/* A directory that has not changed for this long was listed since, whatever the grain of its times is. */
#define SETTLED_NS UINT64_C(1000000000)
/* But some file systems have no such times. */
#define LIST_NS UINT64_C(10000000000)

/* Names of files that were not there before. */
struct names {
    struct name {
        char *text;
        uint64_t inode;
    } *items;
    size_t n, capacity;
};

static const char *name_of(const struct mt__live_file *file)
{
    const char *slash = strrchr(file->path, '/');
    return slash ? slash + 1 : file->path;
}

/* Names that hash alike are put one further. NULL: it is new; then *free_at is where it may be put. */
static struct mt__live_file *find(const struct mt_live *live, const char *name, uint64_t *free_at)
{
    uint64_t hash = mt_hash_bytes(name, strlen(name), mt_hash_secret);
    bool any = false;
    const uint32_t *idx;
    for (; (idx = mt_map_find(&live->file_of, hash)); hash++) {
        struct mt__live_file *file = live->files[*idx];
        if (file->path && !strcmp(name_of(file), name))
            return file;
        if (!file->path && !any) {
            *free_at = hash;
            any = true;
        }
    }
    if (!any)
        *free_at = hash;
    return NULL;
}

/* Makes room first, so that nothing is half done. */
static enum mt_status add(struct mt_live *live, const struct name *name)
{
    uint64_t free_at = 0;
    if (!MT_ARRAY_ROOM(live->files, live->files_capacity, live->n_files + 1) ||
        !MT_ARRAY_ROOM(live->active, live->active_capacity, live->n_active + 1))
        return MT_NOMEM;
    find(live, name->text, &free_at);
    uint32_t *idx = mt_map_put(&live->file_of, free_at, 0, NULL);
    struct mt__live_file *file = calloc(1, sizeof *file);
    struct mt_buf path = {0};
    mt_buf_printf(&path, "%s/%s", live->options.directory, name->text);
    if (file && !path.failed)
        file->path = strdup(mt_buf_text(&path));
    mt_buf_fini(&path);
    if (!file || !idx || !file->path) {
        free(file);
        return MT_NOMEM;
    }
    file->source.name = file->path;
    file->inode = name->inode;
    file->n_lists = live->n_lists;
    file->input.fd = -1;
    file->process = file->next = MT_NONE;
    *idx = (uint32_t)live->n_files;
    live->active[live->n_active++] = *idx;
    live->files[live->n_files++] = file;
    return MT_OK;
}

/* Whether the name is another file's by now. */
static bool is_replaced(const struct mt__live_file *file)
{
    struct stat status;
    return (file->source.device || file->source.inode) && stat(file->path, &status) == 0 &&
           (status.st_dev != file->source.device || status.st_ino != file->source.inode);
}

static enum mt_status look_at_entry(struct mt_live *live, const struct dirent *entry,
                                    struct names *names)
{
    size_t n = strlen(entry->d_name), n_suffix = strlen(MT_FILE_SUFFIX);
    uint64_t free_at;
    if (n <= n_suffix || strcmp(entry->d_name + n - n_suffix, MT_FILE_SUFFIX) != 0)
        return MT_OK;
    struct mt__live_file *file = find(live, entry->d_name, &free_at);
    if (file && file->inode != entry->d_ino) {
        file->inode = entry->d_ino;
        if (is_replaced(file)) {
            mt__live_file_gone(live, file);
            file = NULL;
        }
    }
    if (file) {
        file->n_lists = live->n_lists;
        return MT_OK;
    }
    if (!MT_ARRAY_ROOM(names->items, names->capacity, names->n + 1))
        return MT_NOMEM;
    struct name *name = &names->items[names->n];
    *name = (struct name){strdup(entry->d_name), entry->d_ino};
    names->n += name->text != NULL;
    return name->text ? MT_OK : MT_NOMEM;
}

static int compare(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static enum mt_status list(struct mt_live *live, DIR *directory)
{
    struct names names = {0};
    enum mt_status status = MT_OK;
    live->n_lists++;
    for (struct dirent *entry = readdir(directory); entry && status == MT_OK;
         entry = readdir(directory))
        status = look_at_entry(live, entry, &names);
    if (names.n)
        qsort(names.items, names.n, sizeof *names.items, compare);
    for (size_t i = 0; i < names.n; i++) {
        if (status == MT_OK)
            status = add(live, &names.items[i]);
        free(names.items[i].text);
    }
    free(names.items);
    /* Those that are not over tell by themselves that they are gone, when they are opened. */
    for (size_t i = 0; i < live->n_files && status == MT_OK; i++) {
        struct mt__live_file *file = live->files[i];
        if (file->over && file->path && file->n_lists != live->n_lists)
            mt__live_file_gone(live, file);
    }
    return status;
}

/* Whether nothing can have been made or removed since the last listing. */
static bool is_same(struct mt_live *live)
{
    struct stat status;
    if (stat(live->options.directory, &status) != 0)
        return false;
    if (!live->n_lists || status.st_mtim.tv_sec != live->dir_time.tv_sec ||
        status.st_mtim.tv_nsec != live->dir_time.tv_nsec) {
        live->dir_time = status.st_mtim;
        live->dir_since_ns = live->now_ns;
        return false;
    }
    return live->listed_ns - live->dir_since_ns >= SETTLED_NS &&
           live->now_ns - live->listed_ns < LIST_NS;
}

enum mt_status mt__live_list(struct mt_live *live, struct mt_error *error)
{
    const char *path = live->options.directory;
    if (is_same(live))
        return MT_OK;
    DIR *directory = opendir(path);
    if (!directory)
        return mt_error_set(error, errno == EACCES ? MT_DENIED : MT_IO, path, MT_NO_OFFSET,
                            "cannot be listed: %s", strerror(errno));
    enum mt_status status = list(live, directory);
    closedir(directory);
    live->listed_ns = live->now_ns;
    return status;
}
