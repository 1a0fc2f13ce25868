/* message.c - what the commands say on standard error. One line each: "mtrace: FILE: what".
 *
 * On any thread. Texts may come from files and their names: control characters do not reach the terminal.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static bool is_quiet; /* set by a command's -q before anything is said */

void mt_cli_set_quiet(bool quiet)
{
    is_quiet = quiet;
}

void mt_cli_put_text(FILE *out, const char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        putc(iscntrl((unsigned char)text[i]) ? '?' : text[i], out);
}

__attribute__((format(printf, 2, 0))) static void say(const char *before, const char *format,
                                                      va_list args)
{
    char text[2 * 4096 + 512]; /* room for two paths */
    vsnprintf(text, sizeof text, format, args);
    flockfile(stderr); /* workers speak, too */
    fputs("mtrace: ", stderr);
    fputs(before, stderr);
    mt_cli_put_text(stderr, text, strlen(text));
    putc('\n', stderr);
    funlockfile(stderr);
}

void mt_cli_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
}

void mt_cli_note(const char *format, ...)
{
    if (is_quiet)
        return;
    va_list args;
    va_start(args, format);
    say("note: ", format, args);
    va_end(args);
}

void mt_cli_print_error(const struct mt_error *error)
{
    const char *file = error->file ? error->file : "";
    const char *colon = error->file ? ": " : "";
    void (*print)(const char *format, ...) = error->status == MT_OK ? mt_cli_note : mt_cli_error;
    if (error->offset == MT_NO_OFFSET)
        print("%s%s%s", file, colon, error->message);
    else
        print("%s%s%s (at byte %llu)", file, colon, error->message,
              (unsigned long long)error->offset);
}

static void report(void *context, const struct mt_error *error)
{
    (void)context;
    mt_cli_print_error(error);
}

const struct mt_reporter mt_cli_reporter = {report, NULL};

int mt_cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
    if (command)
        fprintf(stderr, "mtrace: `mtrace %s --help` tells how to use it\n", command);
    else
        fputs("mtrace: `mtrace --help` lists the commands\n", stderr);
    return MT_EXIT_USAGE;
}

void mt_cli_writes_output(void)
{
    /* A closed pipe and the file-size limit become errors of write(), which are told. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int mt_cli_finish_stdout(int exit_status)
{
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout))
        return exit_status;
    if (errno == EPIPE)
        return exit_status;
    mt_cli_error("standard output: cannot be written: %s", errno ? strerror(errno) : "an error");
    return exit_status == MT_EXIT_OK ? MT_EXIT_TROUBLE : exit_status;
}
