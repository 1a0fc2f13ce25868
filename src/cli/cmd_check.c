/* cmd_check.c - `mtrace check`: verifies trace files, each for itself. Called by main.c. */
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

static const char synopsis[] = "mtrace check [-q] PATH...";
static const char summary[] =
    "Verifies that trace files are what the format says, and names the first fault and where it is.\n"
    "PATH is a .trace file or a directory with such files; they may still be growing.";

static bool is_quiet_result; /* -q: only faults are told */

static int check_file(const char *path)
{
    struct mt_check_result result;
    struct mt_error error = {0};
    if (mt_check_path(path, &result, &error) != MT_OK) {
        mt_cli_print_error(&error);
        return MT_EXIT_TROUBLE;
    }
    if (is_quiet_result)
        return MT_EXIT_OK;
    mt_cli_put_text(stdout, path, strlen(path));
    if (result.empty) {
        puts(": ok, nothing is recorded in it");
        return MT_EXIT_OK;
    }
    printf(": ok, %llu events, %u threads, %u functions, %u chunks",
           (unsigned long long)result.n_events, result.n_threads, result.n_defs, result.n_chunks);
    if (result.n_lost)
        printf(", %llu events lost", (unsigned long long)result.n_lost);
    putchar('\n');
    return MT_EXIT_OK;
}

/* Goes on after a fault: every file is told of. */
static enum mt_status check_listed(void *context, const char *path)
{
    int *exit_status = context;
    if (check_file(path) != MT_EXIT_OK)
        *exit_status = MT_EXIT_TROUBLE;
    return MT_OK;
}

static int check_directory(const char *path)
{
    struct mt_error error = {0};
    int exit_status = MT_EXIT_OK;
    enum mt_status status = mt_each_trace(path, check_listed, &exit_status, &error);
    if (status == MT_OK)
        return exit_status;
    if (error.status != MT_OK)
        mt_cli_print_error(&error);
    else
        mt_cli_error("%s", mt_status_text(status));
    return MT_EXIT_TROUBLE;
}

int mt_cmd_check(int argc, char **argv)
{
    const struct mt_option options[] = {
        {'q', "quiet", NULL, "only faults, nothing of good files", &is_quiet_result, NULL},
        {0},
    };
    int exit_status;
    int n = mt_options_parse(argc, argv, options, synopsis, summary, false, &exit_status);
    if (n < 0)
        return exit_status;
    if (!n)
        return mt_cli_usage("check", "there is no PATH to check");
    mt_cli_writes_output();
    exit_status = MT_EXIT_OK;
    for (int i = 1; i <= n; i++) {
        struct stat st;
        bool is_directory = !stat(argv[i], &st) && S_ISDIR(st.st_mode);
        int one = is_directory ? check_directory(argv[i]) : check_file(argv[i]);
        exit_status = one == MT_EXIT_OK ? exit_status : one;
    }
    return mt_cli_finish_stdout(exit_status);
}
