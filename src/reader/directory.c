/* directory.c - the trace files of a directory. Called by set.c and by the commands. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mtrace/reader.h"

static int is_trace(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name), n_suffix = strlen(MT_FILE_SUFFIX);
    return n > n_suffix && !strcmp(entry->d_name + n - n_suffix, MT_FILE_SUFFIX);
}

enum mt_status mt_each_trace(const char *directory,
                             enum mt_status (*each)(void *context, const char *path), void *context,
                             struct mt_error *error)
{
    struct dirent **entries;
    int n = scandir(directory, &entries, is_trace, alphasort);
    if (n < 0)
        return mt_error_set(error, MT_IO, directory, MT_NO_OFFSET, "cannot be listed: %s",
                            strerror(errno));
    enum mt_status status = MT_OK;
    if (!n)
        status = mt_error_set(error, MT_GONE, directory, MT_NO_OFFSET, "has no %s files",
                              MT_FILE_SUFFIX);
    struct mt_buf path = {0};
    size_t n_name = strlen(directory);
    const char *slash = n_name > 0 && directory[n_name - 1] == '/' ? "" : "/";
    for (int i = 0; i < n; i++) {
        mt_buf_clear(&path);
        mt_buf_printf(&path, "%s%s%s", directory, slash, entries[i]->d_name);
        if (status == MT_OK && path.failed)
            status = MT_NOMEM;
        if (status == MT_OK)
            status = each(context, mt_buf_text(&path));
        free(entries[i]);
    }
    free(entries);
    mt_buf_fini(&path);
    return status;
}
