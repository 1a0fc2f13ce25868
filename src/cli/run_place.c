/* run_place.c - the directory that gets the files of a run, and the home. Called by cmd_run.c and
 * run_summary.c.
 *
 * Programs may change their uid after they were started (gunicorn --user as root). So what root
 * makes is a drop box: others may create files in it, and neither list it nor touch what is not
 * theirs. A directory that existed is the user's and is left as it is. In a drop box anybody can
 * put anything, so nothing here follows links or opens what is not a regular file.
 */
#define _GNU_SOURCE
#include "cli/run_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mtrace/env.h"
#include "mtrace/format.h"

#define BOOT_FILE "boot/sitecustomize.py"

/* ---- the directory */

static bool make_ready(const char *path)
{
    if (geteuid() == 0 && chmod(path, 01733) != 0) {
        mt_cli_error("%s: cannot set its mode: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool open_temporary(struct mt_run_place *place)
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || *base == '\0')
        base = "/tmp";
    char *real = realpath(base, NULL);
    char *path = NULL;
    if (real == NULL || asprintf(&path, "%s/mtrace-XXXXXX", real) == -1 || mkdtemp(path) == NULL) {
        mt_cli_error("%s: cannot make a temporary directory: %s; name another in TMPDIR, or use -d",
                     base, strerror(errno));
        free(path);
        free(real);
        return false;
    }
    free(real);
    place->path = path;
    place->shown = path;
    place->made = true;
    return make_ready(path);
}

static bool open_named(struct mt_run_place *place, const char *dir)
{
    if (mkdir(dir, 0700) == 0) {
        place->made = true;
        (void)!chmod(dir, 0700); /* the umask may have taken what is needed */
    } else if (errno == ENOENT) {
        mt_cli_error("%s: the directory that shall hold it does not exist; make it first", dir);
        return false;
    } else if (errno != EEXIST) {
        mt_cli_error("%s: cannot make this directory: %s", dir, strerror(errno));
        return false;
    }
    place->shown = dir;
    place->path = realpath(dir, NULL);
    if (place->path == NULL) {
        mt_cli_error("%s: %s", dir, strerror(errno));
        return false;
    }
    return !place->made || make_ready(place->path);
}

static bool open_current(struct mt_run_place *place)
{
    place->shown = "";
    place->path = realpath(".", NULL);
    if (place->path == NULL)
        mt_cli_error("the current directory: %s; name another with -d", strerror(errno));
    return place->path != NULL;
}

bool mt__run_place_open(struct mt_run_place *place, const char *dir, bool temporary)
{
    memset(place, 0, sizeof *place);
    place->temporary = temporary;
    /* File times come from the kernel's coarse clock. */
    clock_gettime(CLOCK_REALTIME_COARSE, &place->since);
    if (temporary     ? !open_temporary(place)
        : dir != NULL ? !open_named(place, dir)
                      : !open_current(place))
        return false;
    struct stat status;
    bool found = stat(place->path, &status) == 0;
    if (found && !S_ISDIR(status.st_mode)) {
        mt_cli_error("%s: not a directory", place->shown);
        return false;
    }
    place->dev = found ? status.st_dev : 0;
    place->ino = found ? status.st_ino : 0;
    if (access(place->path, W_OK | X_OK) != 0) {
        mt_cli_error("%s: no trace files can be made here: %s; name another directory with -d",
                     place->path, strerror(errno));
        return false;
    }
    return true;
}

bool mt__run_place_is_same(const struct mt_run_place *place)
{
    struct stat status;
    return stat(place->path, &status) == 0 && status.st_dev == place->dev &&
           status.st_ino == place->ino;
}

bool mt__run_place_is_full(const struct mt_run_place *place)
{
    struct statvfs status;
    return statvfs(place->path, &status) == 0 &&
           ((uint64_t)status.f_bavail * status.f_frsize < MT_FILE_HEADER_BYTES ||
            (status.f_files != 0 && status.f_favail == 0));
}

void mt__run_place_undo(const struct mt_run_place *place)
{
    if (place->made)
        rmdir(place->path); /* fails if something is in it, as it should */
}

void mt__run_place_close(struct mt_run_place *place)
{
    free(place->path);
    place->path = NULL;
}

/* ---- what is in it */

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), n_suffix = strlen(suffix);
    return n > n_suffix && strcmp(name + n - n_suffix, suffix) == 0;
}

static bool is_wanted(int dir_fd, const char *name, bool (*wanted)(void *, int), void *context)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.StdCLibraryFunctions): dir_fd is a directory that is open. */
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1)
        return false;
    struct stat status;
    bool yes = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && wanted(context, fd);
    close(fd);
    return yes;
}

static void paths_add(struct mt_run_paths *paths, const char *dir, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", dir, name) == -1)
        return;
    char **items = reallocarray(paths->items, paths->n + 1, sizeof *items);
    if (items == NULL) {
        free(path);
        return;
    }
    paths->items = items;
    paths->items[paths->n++] = path;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool mt__run_place_list(const struct mt_run_place *place, const char *suffix,
                        bool (*wanted)(void *context, int fd), void *context,
                        struct mt_run_paths *out)
{
    memset(out, 0, sizeof *out);
    DIR *dir = opendir(place->path);
    if (dir == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (ends_with(entry->d_name, suffix) &&
            is_wanted(dirfd(dir), entry->d_name, wanted, context))
            paths_add(out, place->path, entry->d_name);
    closedir(dir);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, compare_paths);
    return true;
}

void mt__run_paths_free(struct mt_run_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->items[i]);
    free(paths->items);
    memset(paths, 0, sizeof *paths);
}

bool mt__run_place_remove(struct mt_run_place *place)
{
    DIR *dir = opendir(place->path);
    if (dir == NULL)
        return errno == ENOENT;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (ends_with(entry->d_name, MT_FILE_SUFFIX) ||
            ends_with(entry->d_name, MT_UNTRACED_SUFFIX))
            /* NOLINTNEXTLINE(clang-analyzer-unix.StdCLibraryFunctions): opendir() gave it one. */
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    return rmdir(place->path) == 0;
}

/* ---- other places */

static bool is_home(const char *path)
{
    char *file;
    if (asprintf(&file, "%s/" BOOT_FILE, path) == -1)
        return false;
    bool yes = access(file, R_OK) == 0;
    free(file);
    return yes;
}

const char *mt__run_own_path(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        return path;
    }
    const char *started = (const char *)getauxval(AT_EXECFN); /* there is no /proc */
    return started != NULL && realpath(started, path) != NULL ? path : "";
}

/* The home's absolute path, to be freed; NULL, and a word why: it cannot be used. */
static char *usable_home(const char *path)
{
    char *home = realpath(path, NULL);
    if (home == NULL || strchr(home, ':') == NULL)
        return home;
    mt_cli_error("%s: mtrace's home cannot be in PYTHONPATH, because of the colon in its name; "
                 "install it elsewhere",
                 home);
    free(home);
    return NULL;
}

char *mt__run_home(void)
{
    const char *named = getenv(MT_ENV_HOME);
    if (named != NULL && *named != '\0' && is_home(named))
        return usable_home(named);

    char exe[PATH_MAX], installed[PATH_MAX + 32];
    snprintf(exe, sizeof exe, "%s", mt__run_own_path());
    char *slash = strrchr(exe, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(installed, sizeof installed, "%s/../lib/mtrace", exe);
    if (is_home(installed))
        return usable_home(installed);
    mt_cli_error("mtrace is not installed completely: there is no " BOOT_FILE
                 " in %s%s%s/../lib/mtrace; install it again, or name its home in " MT_ENV_HOME,
                 named != NULL ? named : "", named != NULL ? " or " : "", exe);
    return NULL;
}

static bool is_open_to_all(const char *path, mode_t mode)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & mode) == mode;
}

bool mt__run_home_is_public(const char *home)
{
    char path[PATH_MAX + sizeof BOOT_FILE + 1];
    snprintf(path, sizeof path, "%s/" BOOT_FILE, home);
    if (!is_open_to_all(path, S_IROTH))
        return false;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (!is_open_to_all(path, S_IROTH | S_IXOTH))
        return false;
    while ((slash = strrchr(path, '/')) != NULL && slash != path) {
        *slash = '\0';
        if (!is_open_to_all(path, S_IXOTH))
            return false;
    }
    return true;
}

bool mt__run_output_possible(const char *file)
{
    struct stat status;
    if (stat(file, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            mt_cli_error("%s: is a directory; -o names a file, -d a directory", file);
            return false;
        }
        if (!S_ISREG(status.st_mode))
            return true; /* written in place */
    }
    const char *slash = strrchr(file, '/');
    char *dir = slash == NULL ? strdup(".") : strndup(file, (size_t)(slash - file) + 1);
    bool possible = dir != NULL && access(dir, W_OK | X_OK) == 0;
    if (!possible)
        mt_cli_error("%s: cannot be written: %s", file, strerror(errno));
    free(dir);
    return possible;
}
