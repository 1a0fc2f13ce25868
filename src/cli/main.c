/* main.c - the program: looks up the command in a table, and little else. */
#include <string.h>

#include "base/hash.h"
#include "cli/cli.h"
#include "os/os.h"

#define PROGRAM_VERSION "0.1.0"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", mt_cmd_run, "record a program and everything it starts"},
    {"merge", mt_cmd_merge, "make one timeline of trace files"},
    {"view", mt_cmd_view, "show what was recorded, in a browser"},
    {"report", mt_cmd_report, "tell how often and how long each function ran"},
    {"diff", mt_cmd_diff, "compare two runs, function by function"},
    {"top", mt_cmd_top, "show what runs now, live, in all processes of a run"},
    {"info", mt_cmd_info, "tell what is in trace files"},
    {"check", mt_cmd_check, "verify trace files, name the first fault"},
};

static int help(void)
{
    puts("usage: mtrace COMMAND [OPTION...] [ARGUMENT...]\n\n"
         "Records every function call of every thread and process of a Python program, and makes\n"
         "timelines, profiles and tables of that.\n\n"
         "commands:");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts(
        "\noptions:\n"
        "  -h, --help  this text\n"
        "  --version   print the version\n\n"
        "`mtrace COMMAND --help` tells how to use a command, `man mtrace-COMMAND` tells all of it.");
    return mt_cli_finish_stdout(MT_EXIT_OK);
}

int main(int argc, char **argv)
{
    mt_os_random((uint8_t *)&mt_hash_secret, sizeof mt_hash_secret);
    if (argc < 2)
        return mt_cli_usage(NULL, "there is no command");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return help();
    if (!strcmp(argv[1], "--version")) {
        puts("mtrace " PROGRAM_VERSION);
        return mt_cli_finish_stdout(MT_EXIT_OK);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    }
    return mt_cli_usage(NULL, "there is no command %s", argv[1]);
}
