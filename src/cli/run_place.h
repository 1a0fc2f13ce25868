/* run_place.h - where the files of a run go, and what is needed on disk to start it. Used by
 * cmd_run.c and run_summary.c. */
#ifndef MT_CLI_RUN_PLACE_H_
#define MT_CLI_RUN_PLACE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct mt_run_place {
    char *path;            /* absolute, of the directory that gets the files */
    const char *shown;     /* the same as the user said it; "" is the current directory */
    bool made;             /* by us */
    bool temporary;        /* made for -o, removed after merging */
    struct timespec since; /* when it was opened, in the clock of file times */
    uint64_t dev, ino;     /* which directory it was then */
};

/* `dir` is -d's value or NULL, `temporary` says that there is -o and no -d. Prints what is wrong
 * and returns false. */
bool mt__run_place_open(struct mt_run_place *place, const char *dir, bool temporary);
/* Nothing was recorded: takes back a directory that was made, if nothing is in it. */
void mt__run_place_undo(const struct mt_run_place *place);
/* Is it still the directory that was opened, or was that removed, and perhaps replaced? */
bool mt__run_place_is_same(const struct mt_run_place *place);
/* Is there no space even for a trace file's header? */
bool mt__run_place_is_full(const struct mt_run_place *place);
/* Removes a temporary directory with the trace files in it; false: something is left. */
bool mt__run_place_remove(struct mt_run_place *place);
void mt__run_place_close(struct mt_run_place *place);

/* The paths, sorted, of the files in `place` that end with `suffix` and for which `wanted` says yes
 * (it gets a descriptor of the regular file, open for reading). False: the directory cannot be
 * listed, see errno. */
struct mt_run_paths {
    char **items;
    size_t n;
};
bool mt__run_place_list(const struct mt_run_place *place, const char *suffix,
                        bool (*wanted)(void *context, int fd), void *context,
                        struct mt_run_paths *out);
void mt__run_paths_free(struct mt_run_paths *paths);

/* The absolute path of mtrace itself, also where there is no /proc; "" if it is not known. */
const char *mt__run_own_path(void);

/* The home: an absolute path, to be freed. Prints what is wrong and returns NULL. */
char *mt__run_home(void);

/* May every user read what interpreters need of the home? Only then can programs that give up root
 * start others that are recorded. */
bool mt__run_home_is_public(const char *home);

/* Whether -o FILE can be made, asked before the program has run for hours. */
bool mt__run_output_possible(const char *file);

#endif /* MT_CLI_RUN_PLACE_H_ */
