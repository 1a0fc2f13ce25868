/* cli.h - what the commands share. Each command is one file, cmd_NAME.c, and one row in main.c.
 *
 * To add a command:
 *   1. src/cli/cmd_NAME.c with `int mt_cmd_NAME(int argc, char **argv)`, argv[0] is the name
 *   2. its prototype below and its row in main.c
 *   3. tests/cli/test_NAME.sh
 *   4. docs/man/mtrace-NAME.1, and its lines in docs/man/mtrace.1: tests/cli/test_man.sh compares
 */
#ifndef MT_CLI_CLI_H_
#define MT_CLI_CLI_H_

#include <stdbool.h>
#include <stdio.h>

#include "mtrace/reader.h"
#include "mtrace/sink.h"

struct mt_buf;
struct mt_codec; /* codec.h */

/* Exit statuses; `run` gives the command's own. */
enum {
    MT_EXIT_OK = 0,
    MT_EXIT_TROUBLE = 1, /* trouble with a trace, or with writing the result */
    MT_EXIT_USAGE = 2,
};

int mt_cmd_run(int argc, char **argv);
int mt_cmd_merge(int argc, char **argv);
int mt_cmd_info(int argc, char **argv);
int mt_cmd_check(int argc, char **argv);
int mt_cmd_report(int argc, char **argv);
int mt_cmd_diff(int argc, char **argv);
int mt_cmd_top(int argc, char **argv);
int mt_cmd_view(int argc, char **argv);

/* ------------------------------------------------------------------------------- options.c */

/* An option of a command. Tables end with a zeroed row. `-x` and `--long`; a value is the next
 * argument, or follows `--long=` or `-x` directly. A row with the name "" is a heading for the rows
 * behind it; its `help` is the text. */
struct mt_option {
    char letter;            /* 0: none */
    const char *name;       /* long, without dashes; NULL: none */
    const char *value_name; /* for --help; NULL: a switch; with ",..." at its end: a list */
    const char *help;       /* a few words; wrapped if the line gets too long */
    bool *flag;             /* set by a switch */
    const char *
        *value; /* set by an option with a value; the last one counts. Of a list all
                 * count: joined by commas, on the heap, which is the caller's; NULL first */
};

/* Takes the options out of argv and moves the operands to argv[1..]; `--` ends the options. With
 * `stop_at_operand` the first operand ends them, too (`run`). `--help` prints and wants to exit.
 * Returns the number of operands, or -1 with `*exit_status` set: leave with it. */
int mt_options_parse(int argc, char **argv, const struct mt_option *options, const char *synopsis,
                     const char *summary, bool stop_at_operand, int *exit_status);

/* Said where mt_timeline_mixes_greenlets() holds. */
#define MT_CLI_GREENLETS                                                                           \
    "greenlets took turns: counts are right, but their times and callers are mixed up"

/* ------------------------------------------------------------------------------- message.c */

/* "mtrace: ..." on standard error. `quiet` silences notes, not errors. */
void mt_cli_set_quiet(bool quiet);
void mt_cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mt_cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints an error or note of the reader. */
void mt_cli_print_error(const struct mt_error *error);
/* A reporter that prints. */
extern const struct mt_reporter mt_cli_reporter;
/* Wrong usage: prints it and where help is; returns MT_EXIT_USAGE. */
int mt_cli_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints a text that came from a file: control characters do not reach the terminal. */
void mt_cli_put_text(FILE *out, const char *text, size_t n_bytes);
/* For commands whose result goes to standard output or a file: before they write. */
void mt_cli_writes_output(void);
/* Flushes standard output and says whether everything arrived. A closed pipe is no error. */
int mt_cli_finish_stdout(int exit_status);

/* -------------------------------------------------------------------------------- format.c */

struct mt_format {
    const struct mt_sink *sink;
    const struct mt_codec *codec; /* NULL: not compressed */
};
/* By the name of a sink, with ".gz" or ".zst" behind it or without. False: there is no such sink. */
bool mt_cli_format_of_name(const char *name, struct mt_format *out);
/* By the longest suffix that fits; Chrome's JSON where none does. */
void mt_cli_format_of_path(const char *path, struct mt_format *out);
/* Appends what there is, a line each. */
void mt_cli_formats_text(struct mt_buf *out);

/* ---------------------------------------------------------------------------------- feed.c */

/* A finished set through a sink. */
struct mt_feed {
    struct mt_set *set;
    const struct mt_sink *sink;
    const void *options;          /* struct mt_job */
    const struct mt_codec *codec; /* NULL: what the sink writes is handed on as it is */
    uint32_t n_workers; /* threads that read and format; 0: one for each core that we may use */
    /* Takes what the sink writes, in order, one call at a time, on any thread. False: nobody wants
     * more, everything ends soon. NULL where the sink writes nothing. */
    bool (*write)(void *context, const char *data, size_t n_bytes);
    /* How far it is, in any unit, now and then; as `write`. NULL: nobody asks. */
    void (*progress)(void *context, uint64_t n_done, uint64_t n_all);
    void *context;
};
/* MT_OK also when `write` said no. MT_NOMEM and what the sink returned. */
enum mt_status mt_cli_feed(const struct mt_feed *feed);

/* --------------------------------------------------------------------------------- merge.c */

/* Opens all paths as one finished set, which may be empty; says what is wrong with them. NULL: out of
 * memory, said already. */
struct mt_set *mt_cli_open_set(char **paths, int n_paths);

/* In what way. */
struct mt_merge {
    struct mt_format format;
    const void *options; /* struct mt_job */
    uint32_t n_workers;  /* struct mt_feed */
    bool shows_progress; /* on a terminal */
};

/* Writes a finished set to `out_fd` (left open). `out_name` is for messages.
 * Says what went wrong and returns an exit status; a closed pipe ends it quietly with MT_EXIT_OK.
 * Faults of the set's files are reported by its reporter and also give MT_EXIT_TROUBLE. */
int mt_cli_merge_set(struct mt_set *set, int out_fd, const char *out_name,
                     const struct mt_merge *how);
/* The same; true if all is written, or nobody wants more of it, whatever faults the files have. */
bool mt_cli_write_set(struct mt_set *set, int out_fd, const char *out_name,
                      const struct mt_merge *how);
/* The same into a file that appears under its name only when it is complete. */
int mt_cli_merge_to_path(struct mt_set *set, const char *path, const struct mt_merge *how);

/* ------------------------------------------------------------------------------- missing.c */

struct mt_missing {
    uint32_t n_children; /* forks of the process, theirs included, that could make no file: */
    const char *reason;
    uint32_t n_parts; /* files of the process before the last one that are not in the set */
};
void mt_cli_missing(const struct mt_set *set, const struct mt_process *process,
                    struct mt_missing *out);

/* ---------------------------------------------------------------------------------- text.c */

/* Numbers for people, into the caller's buffer (at least 32 bytes); they return it. */
const char *mt_cli_bytes_text(uint64_t n_bytes, char *text, size_t size);   /* "3.1 MB" */
const char *mt_cli_count_text(uint64_t n, char *text, size_t size);         /* "1,234,567" */
const char *mt_cli_duration_text(uint64_t dur_ns, char *text, size_t size); /* "1.250 s" */

#endif /* MT_CLI_CLI_H_ */
