/* cmd_run.c - `mtrace run`: records a program and everything it starts. Called by main.c.
 *
 * Order: take what was inherited, understand the options, find the home and the place of the files,
 * run the program (spawn.c), then look at what was recorded, merge it if -o says so, sum it up, and
 * leave with the program's status.
 *
 * The program's command line and PATH are never touched, only its environment: the variables of
 * env.h, and the boot directory in front of PYTHONPATH. A run inside a run is a run of its own,
 * with its own directory and id: what it starts belongs to it, and not to the outer one.
 *
 * Exit status: the program's; 128 + n when signal n ended it, which shells say, too; 127 and 126
 * when it was not found or cannot be executed, as shells have it; 2 for wrong usage. 1 when mtrace
 * cannot begin, or when the program was fine but the timeline of -o could not be made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run_place.h"
#include "cli/run_summary.h"
#include "cli/run_top.h"
#include "cli/spawn.h"
#include "mtrace/env.h"
#include "os/os.h"

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define MERGE_NOTE_BYTES (32u << 20)

static const char synopsis[] = "mtrace run [-d DIR] [-o FILE] [--engine E] [--no-c] [--all-calls] "
                               "[--python EXE] [--top] [-q] [--] COMMAND [ARG...]";
static const char summary[] =
    "Runs COMMAND and records every Python and C function call of it and of what it starts.\n"
    "COMMAND is a .py file, -m MODULE or -c CODE (run by python3), or any program. Each process\n"
    "writes PROGRAM.PID.trace in the current directory, unless -d or -o say otherwise.";

struct run_options {
    const char *dir, *output, *python, *engine;
    bool no_c, all_calls, quiet, top;
};

/* ---- the command line */

/* Whether an argument's value is the next argument: -d, -qd, --dir. */
static bool takes_next(const struct mt_option *options, const char *argument)
{
    for (const struct mt_option *o = options; o->letter != 0 || o->name != NULL; o++) {
        if (o->value == NULL)
            continue;
        const char *letter = argument[1] != '-' ? strchr(argument + 1, o->letter) : NULL;
        bool is_long = argument[1] == '-' && o->name != NULL && strcmp(argument + 2, o->name) == 0;
        if (is_long || (o->letter != 0 && letter != NULL && letter[1] == '\0'))
            return true;
    }
    return false;
}

/* Options end where the command begins, and a command may begin with Python's -m or -c. Returns the
 * index of that argument, or 0. */
static int find_python_switch(int argc, char **argv, const struct mt_option *options)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (argument[0] != '-' || argument[1] == '\0' || strcmp(argument, "--") == 0)
            return 0;
        if (argument[1] == 'm' || argument[1] == 'c')
            return i;
        i += takes_next(options, argument);
    }
    return 0;
}

static bool is_python_command(const char *first)
{
    size_t n = strlen(first);
    return (first[0] == '-' && (first[1] == 'm' || first[1] == 'c')) ||
           (n > 3 && strcmp(first + n - 3, ".py") == 0);
}

static bool is_engine(const char *name)
{
    static const char *const names[] = {"auto",
#define X(name, number, text) [number] = text,
                                        MT_ENGINE_MAP(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (i != MT_ENGINE_CORE && strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Wrong usage is printed; returns false then. */
static bool is_usage_right(const struct run_options *run, const char *first)
{
    if (first == NULL)
        mt_cli_usage("run", "there is no COMMAND to run");
    else if (run->python != NULL && !is_python_command(first))
        mt_cli_usage("run", "--python is for a .py file, -m or -c, and %s is none of them", first);
    else if (run->output != NULL && strcmp(run->output, "-") == 0)
        mt_cli_usage("run", "-o wants a file: standard output is the program's");
    else
        return true;
    return false;
}

/* Returns the program's command line, to be freed without its strings; NULL: leave with the status.
 */
static char **parse(int argc, char **argv, struct run_options *run, int *exit_status)
{
    const struct mt_option options[] = {
        {'d', "dir", "DIR", "the directory for the trace files; made if needed", NULL, &run->dir},
        {'o', "output", "FILE", "merge into the timeline FILE at the end; its suffix is the format",
         NULL, &run->output},
        {0, "engine", "E",
         "auto (the default), monitoring (3.12+), frame (3.9-3.11, with --no-c) or setprofile",
         NULL, &run->engine},
        {0, "no-c", NULL, "do not record calls of C functions", &run->no_c, NULL},
        {0, "all-calls", NULL, "record calls of types and other C objects, too (3.12+)",
         &run->all_calls, NULL},
        {0, "python", "EXE", "run a .py file, -m or -c by EXE, not by python3", NULL, &run->python},
        {0, "top", NULL, "show the run on the terminal meanwhile, as `mtrace top` does", &run->top,
         NULL},
        {'q', "quiet", NULL, "no summary", &run->quiet, NULL},
        {0},
    };
    int python_switch = find_python_switch(argc, argv, options);
    int n_own = python_switch > 0 ? python_switch : argc;
    int n = mt_options_parse(n_own, argv, options, synopsis, summary, true, exit_status);
    if (n < 0)
        return NULL;
    char **first = argv + 1;
    if (python_switch > 0) {
        first = argv + python_switch;
        n = argc - python_switch;
    }
    if (!is_usage_right(run, n > 0 ? first[0] : NULL)) {
        *exit_status = MT_EXIT_USAGE;
        return NULL;
    }
    if (!is_engine(run->engine)) { /* the program runs all the same, and is recorded */
        mt_cli_error("there is no engine %s (but auto, setprofile, monitoring and frame): "
                     "taking the one that fits best",
                     run->engine);
        run->engine = "auto";
    }
    bool is_python = is_python_command(first[0]);
    char **command = calloc((size_t)n + 2, sizeof *command);
    if (command == NULL) {
        mt_cli_error("out of memory");
        *exit_status = MT_EXIT_TROUBLE;
        return NULL;
    }
    if (is_python)
        command[0] = (char *)(run->python != NULL ? run->python : "python3");
    memcpy(command + is_python, first, (size_t)n * sizeof *command);
    return command;
}

/* ---- the environment */

static bool is_variable(const char *entry, const char *name)
{
    size_t n = strlen(name);
    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

static bool is_ours(const char *entry)
{
    static const char *const names[] = {MT_ENV_DIR,    MT_ENV_HOME,    MT_ENV_RUN,
                                        MT_ENV_PARENT, MT_ENV_OPTIONS, "PYTHONPATH"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_variable(entry, names[i]))
            return true;
    return false;
}

static char *python_path(const char *home)
{
    char *boot, *path;
    if (asprintf(&boot, "%s/boot", home) == -1)
        return NULL;
    /* Empty is the same as unset for Python; "boot:" would mean the current directory, too. */
    const char *old = getenv("PYTHONPATH");
    size_t n = strlen(boot);
    if (old != NULL && strncmp(old, boot, n) == 0 && (old[n] == ':' || old[n] == '\0'))
        old += n + (old[n] == ':'); /* a run inside a run */
    int status = old != NULL && *old != '\0' ? asprintf(&path, "PYTHONPATH=%s:%s", boot, old)
                                             : asprintf(&path, "PYTHONPATH=%s", boot);
    free(boot);
    return status == -1 ? NULL : path;
}

/* The program's. The first `n_own` strings were made here, the others are of mtrace's own. */
struct environment {
    char **items;
    size_t n_own;
};

static void environment_free(struct environment *env)
{
    for (size_t i = 0; i < env->n_own; i++)
        free(env->items[i]);
    free(env->items);
}

/* `text` is from malloc, or NULL: no memory. */
static bool environment_own(struct environment *env, char *text)
{
    if (text != NULL)
        env->items[env->n_own++] = text;
    return text != NULL;
}

static char *joined(const char *name, const char *value)
{
    char *text;
    return asprintf(&text, "%s=%s", name, value) == -1 ? NULL : text;
}

/* False: no memory. */
static bool environment_make(struct environment *env, const struct run_options *run,
                             const char *home, const char *dir, const uint8_t run_id[16])
{
    size_t n = 0;
    while (environ[n] != NULL)
        n++;
    env->items = calloc(n + 6, sizeof *env->items);
    if (env->items == NULL)
        return false;
    char id[2 * 16 + 1];
    for (size_t i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", run_id[i]);
    char words[64];
    bool automatic = strcmp(run->engine, "auto") == 0;
    snprintf(words, sizeof words, "%s%s%s%s",
             automatic ? "" : ",engine=", automatic ? "" : run->engine, run->no_c ? ",no-c" : "",
             run->all_calls ? ",all-calls" : "");
    const char *options = words[0] == ',' ? words + 1 : words;
    if (!environment_own(env, python_path(home)) ||
        !environment_own(env, joined(MT_ENV_DIR, dir)) ||
        !environment_own(env, joined(MT_ENV_HOME, home)) ||
        !environment_own(env, joined(MT_ENV_RUN, id)) ||
        (options[0] != '\0' && !environment_own(env, joined(MT_ENV_OPTIONS, options))))
        return false;
    size_t k = env->n_own;
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i]))
            env->items[k++] = environ[i];
    return true;
}

/* ---- before and after */

static int report_no_start(const char *program, int error)
{
    if (error == ENOENT && access(program, F_OK) == 0 && strchr(program, '/') != NULL)
        mt_cli_error("%s: the interpreter that its first line names was not found", program);
    else if (error == ENOENT)
        mt_cli_error("%s: program not found", program);
    else
        mt_cli_error("%s: cannot be executed: %s", program, strerror(error));
    return error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Where mtrace cannot stay with the program it becomes the program, recorded if that is possible. Also
 * where its variables make the environment too large. Returns when that fails, too, with an errno. */
static int run_instead(const struct mt_inherited *inherited, char **command, char **env,
                       const struct mt_run_place *place, const struct mt_spawn_outcome *outcome)
{
    int error = outcome->error;
    if (error != E2BIG) {
        mt_cli_error("cannot stay with the program: %s; there will be no summary%s%s",
                     strerror(error), place->temporary ? ", and the trace files are kept in " : "",
                     place->temporary ? place->path : "");
        error = mt__spawn_instead(inherited, command, env);
    }
    if (error != E2BIG)
        return error;
    mt__run_place_undo(place);
    mt_cli_error("the environment is too large with mtrace's variables: %s runs unrecorded",
                 command[0]);
    return mt__spawn_instead(inherited, command, environ);
}

static void merge(struct mt_run_result *result, bool quiet)
{
    struct timespec from, to;
    char bytes[32];
    /* It takes a while, and who ends it by Ctrl-C must know where the files are. */
    if (result->stats.n_bytes >= MERGE_NOTE_BYTES)
        mt_cli_note("merging %s of trace files in %s",
                    mt_cli_bytes_text(result->stats.n_bytes, bytes, sizeof bytes),
                    result->place->path);
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct mt_merge how = {.shows_progress = !quiet};
    mt_cli_format_of_path(result->output, &how.format);
    result->merged = mt_cli_merge_to_path(result->set, result->output, &how) == MT_EXIT_OK;
    clock_gettime(CLOCK_MONOTONIC, &to);
    result->merge_ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u + (uint64_t)to.tv_nsec -
                       (uint64_t)from.tv_nsec;
}

/* Returns false when the timeline of -o could not be made. */
static bool conclude(const struct run_options *run, struct mt_run_place *place, const char *home,
                     const uint8_t run_id[16])
{
    struct mt_run_result result;
    mt__run_result_open(&result, place, run_id, !run->quiet, &mt_cli_reporter);
    result.output = run->output;
    result.home = home;
    bool complete = run->output == NULL;
    if (run->output != NULL && result.set != NULL) {
        merge(&result, run->quiet);
        complete = result.merged;
    }
    /* What still runs still records; removing its file would be the end of that. */
    result.kept = !place->temporary || (result.set != NULL && !complete) ||
                  mt__run_n_running(&result) > 0;
    if (!run->quiet)
        mt__run_summary_print(&result);
    mt__run_untraced_remove(&result);
    if (!result.kept && !mt__run_place_remove(place))
        mt_cli_error("%s: cannot be removed: %s", place->path, strerror(errno));
    else if (place->temporary && result.kept && run->quiet)
        mt_cli_error("the trace files are kept in %s", place->path);
    mt__run_result_close(&result);
    return complete;
}

int mt_cmd_run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], MT_SPAWN_SECOND_HALF) == 0)
        mt__spawn_second_half(argv + 2);
    struct mt_inherited inherited;
    mt__inherited_take(&inherited);

    struct run_options run = {.engine = "auto"};
    int exit_status = MT_EXIT_TROUBLE;
    char **command = parse(argc, argv, &run, &exit_status);
    if (command == NULL)
        return exit_status;
    mt_cli_set_quiet(run.quiet);

    uint8_t run_id[16];
    mt_os_random(run_id, sizeof run_id);
    struct mt_run_place place = {0};
    struct environment env = {0};
    char *home = mt__run_home();
    if (home == NULL || (run.output != NULL && !mt__run_output_possible(run.output)) ||
        !mt__run_place_open(&place, run.dir, run.output != NULL && run.dir == NULL))
        goto out;
    if (!environment_make(&env, &run, home, place.path, run_id)) {
        mt_cli_error("out of memory");
        goto out;
    }

    struct mt_spawn_outcome outcome;
    struct mt_run_top top = {0};
    if (run.top)
        mt__run_top_start(&top, place.path, run_id);
    mt__spawn(&inherited, command, env.items, top.viewer, &outcome);
    mt__run_top_end(&top);
    if (outcome.error == E2BIG || (outcome.error != 0 && outcome.by_us))
        outcome.error = run_instead(&inherited, command, env.items, &place, &outcome);
    if (outcome.error != 0) {
        exit_status = report_no_start(command[0], outcome.error);
        mt__run_place_undo(&place);
        goto out;
    }
    exit_status = outcome.signal != 0 ? 128 + outcome.signal : outcome.exit_code;
    if (!conclude(&run, &place, home, run_id) && exit_status == 0)
        exit_status = MT_EXIT_TROUBLE;
out:
    mt__run_place_close(&place);
    environment_free(&env);
    free(home);
    free(command);
    return exit_status;
}
