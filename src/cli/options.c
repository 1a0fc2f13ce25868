/* options.c - command lines: a table of options beside each command makes both the parser and
 * `--help`. Called by the commands at their start.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define HELP_COLUMNS 100

/* The bytes up to a place where the line may end: a space that is not between brackets. */
static size_t unbroken_bytes(const char *text)
{
    size_t n = 0;
    for (int depth = 0; text[n] && (depth > 0 || text[n] != ' '); n++)
        depth += (text[n] == '[') - (text[n] == ']');
    return n;
}

/* Goes on in `column`; further lines begin at `indent`. */
static void put_wrapped(const char *text, size_t column, size_t indent)
{
    for (const char *at = text; *at;) {
        size_t n = unbroken_bytes(at);
        if (at > text && column + 1 + n > HELP_COLUMNS) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (at > text) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)n, at);
        column += n;
        at += n + (at[n] == ' ');
    }
    putchar('\n');
}

/* Further lines begin below the first thing that follows "mtrace COMMAND". */
static void print_usage(const char *synopsis)
{
    static const char before[] = "usage: ";
    const char *command = strchr(synopsis, ' '), *rest = command ? strchr(command + 1, ' ') : NULL;
    fputs(before, stdout);
    put_wrapped(synopsis, sizeof before - 1,
                sizeof before + (rest ? (size_t)(rest - synopsis) : 0));
}

#define HELP_INDENT 27

static void print_option(const struct mt_option *option)
{
    char left[48];
    const char *value = option->value_name ? option->value_name : "";
    if (option->letter && option->name)
        snprintf(left, sizeof left, "-%c, --%s %s", option->letter, option->name, value);
    else if (option->name)
        snprintf(left, sizeof left, "    --%s %s", option->name, value);
    else
        snprintf(left, sizeof left, "-%c %s", option->letter, value);
    int n = printf("  %-24s ", left);
    put_wrapped(option->help, n > 0 ? (size_t)n : 0, HELP_INDENT);
}

static bool is_row(const struct mt_option *option)
{
    return option->letter || option->name;
}

static bool is_heading(const struct mt_option *option)
{
    return !option->letter && option->name && !*option->name;
}

/* Up to the next heading or the end of the table, which is returned. */
static const struct mt_option *print_group(const struct mt_option *options)
{
    for (; is_row(options) && !is_heading(options); options++)
        print_option(options);
    return options;
}

static void print_help(const struct mt_option *options, const char *synopsis, const char *summary)
{
    print_usage(synopsis);
    printf("\n%s\n\noptions:\n", summary);
    const struct mt_option *heading = print_group(options);
    printf("  %-24s %s\n", "-h, --help", "this text");
    while (is_row(heading)) {
        printf("\n%s:\n", heading->help);
        heading = print_group(heading + 1);
    }
}

static const struct mt_option *find_long(const struct mt_option *options, const char *name,
                                         size_t n_bytes)
{
    for (; is_row(options); options++) {
        if (n_bytes && options->name && strlen(options->name) == n_bytes &&
            !memcmp(options->name, name, n_bytes))
            return options;
    }
    return NULL;
}

static const struct mt_option *find_letter(const struct mt_option *options, char letter)
{
    for (; is_row(options); options++) {
        if (options->letter == letter)
            return options;
    }
    return NULL;
}

struct parser {
    int argc;
    char **argv;
    const struct mt_option *options;
    int at; /* the next argument */
    const char *command;
};

static bool is_list(const struct mt_option *option)
{
    size_t n = strlen(option->value_name);
    return n > 4 && !strcmp(option->value_name + n - 4, ",...");
}

/* Adds to what the list has already. */
static bool join(const char **list, const char *value)
{
    size_t n_old = *list ? strlen(*list) + 1 : 0;
    char *joined = realloc((char *)(uintptr_t)*list, n_old + strlen(value) + 1);
    if (!joined) {
        mt_cli_error("%s", mt_status_text(MT_NOMEM));
        return false;
    }
    if (n_old)
        joined[n_old - 1] = ',';
    memcpy(joined + n_old, value, strlen(value) + 1);
    *list = joined;
    return true;
}

/* Gives the option its value: what is attached to it, or the next argument. */
static bool take_value(struct parser *parser, const struct mt_option *option, const char *attached,
                       const char *shown)
{
    if (!attached && parser->at < parser->argc)
        attached = parser->argv[parser->at++];
    if (!attached) {
        mt_cli_usage(parser->command, "%s wants a value: %s", shown, option->value_name);
        return false;
    }
    if (is_list(option))
        return join(option->value, attached);
    *option->value = attached;
    return true;
}

/* --name, --name=value, --name value */
static bool parse_long(struct parser *parser, const char *argument)
{
    const char *equals = strchr(argument, '=');
    size_t n_bytes = (equals ? (size_t)(equals - argument) : strlen(argument)) - 2;
    const struct mt_option *option = find_long(parser->options, argument + 2, n_bytes);
    if (!option) {
        mt_cli_usage(parser->command, "there is no option %.*s", (int)n_bytes + 2, argument);
        return false;
    }
    if (option->value)
        return take_value(parser, option, equals ? equals + 1 : NULL, argument);
    if (equals) {
        mt_cli_usage(parser->command, "--%s has no value", option->name);
        return false;
    }
    *option->flag = true;
    return true;
}

/* -x, -xy, -xVALUE, -x VALUE */
static bool parse_letters(struct parser *parser, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        char shown[3] = {'-', *letter, '\0'};
        const struct mt_option *option = find_letter(parser->options, *letter);
        if (!option) {
            mt_cli_usage(parser->command, "there is no option %s", shown);
            return false;
        }
        if (option->value)
            return take_value(parser, option, letter[1] ? letter + 1 : NULL, shown);
        *option->flag = true;
    }
    return true;
}

int mt_options_parse(int argc, char **argv, const struct mt_option *options, const char *synopsis,
                     const char *summary, bool stop_at_operand, int *exit_status)
{
    struct parser parser = {
        .argc = argc, .argv = argv, .options = options, .at = 1, .command = argv[0]};
    int n_operands = 0;
    bool only_operands = false;
    while (parser.at < argc) {
        char *argument = argv[parser.at++];
        if (only_operands || argument[0] != '-' || !argument[1]) {
            argv[1 + n_operands++] = argument;
            only_operands |= stop_at_operand;
            continue;
        }
        if (!strcmp(argument, "--")) {
            only_operands = true;
            continue;
        }
        if (!strcmp(argument, "--help") || !strcmp(argument, "-h")) {
            print_help(options, synopsis, summary);
            *exit_status = mt_cli_finish_stdout(MT_EXIT_OK);
            return -1;
        }
        bool good = argument[1] == '-' ? parse_long(&parser, argument)
                                       : parse_letters(&parser, argument);
        if (!good) {
            *exit_status = MT_EXIT_USAGE;
            return -1;
        }
    }
    return n_operands;
}
