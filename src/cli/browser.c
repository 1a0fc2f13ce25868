/* browser.c - opens a page in the user's browser. Called by cmd_view.c and view_perfetto.c, on the main thread. */
#define _GNU_SOURCE
#include "cli/browser.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define MAX_WORDS 32

/* Starts argv[0], searched as execvp does. Some openers stay for as long as the browser does. */
static bool start(char **argv)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    pid_t pid;
    if (posix_spawn_file_actions_init(&files))
        return false;
    bool good = !posix_spawnattr_init(&how);
    if (good) {
        good = !posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) &&
               !posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) &&
               !posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) &&
               !posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID) &&
               !posix_spawnp(&pid, argv[0], &files, &how, argv, environ);
        posix_spawnattr_destroy(&how);
    }
    posix_spawn_file_actions_destroy(&files);
    return good;
}

/* The word with each %s replaced by the address. To be freed. */
static char *fill_in(const char *word, const char *address)
{
    struct mt_buf text = {0};
    for (const char *at; (at = strstr(word, "%s")); word = at + 2) {
        mt_buf_append(&text, word, (size_t)(at - word));
        mt_buf_append_text(&text, address);
    }
    mt_buf_append_text(&text, word);
    char *filled = text.failed ? NULL : strdup(mt_buf_text(&text));
    mt_buf_fini(&text);
    return filled;
}

/* One of the commands of $BROWSER; its text is taken to pieces. */
static bool start_command(char *command, const char *address)
{
    char *argv[MAX_WORDS + 2] = {NULL}, *rest = NULL;
    size_t n = 0;
    bool has_address = strstr(command, "%s");
    bool good = true;
    for (char *word = strtok_r(command, " \t", &rest); word && good && n < MAX_WORDS;
         word = strtok_r(NULL, " \t", &rest)) {
        argv[n] = fill_in(word, address);
        good = argv[n++];
    }
    if (!has_address && good && n)
        good = (argv[n++] = strdup(address));
    good = good && n && start(argv);
    for (size_t i = 0; i < n; i++)
        free(argv[i]);
    return good;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

const char *mt__browser_open(const char *address)
{
    if (!is_set("BROWSER")) {
        char opener[] = "xdg-open";
        if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"))
            return "BROWSER is not set, and there is no display";
        return start_command(opener, address) ? NULL : "BROWSER is not set, and xdg-open not there";
    }
    char *commands = strdup(getenv("BROWSER")), *rest = NULL;
    bool opened = false;
    for (char *command = commands ? strtok_r(commands, ":", &rest) : NULL; command && !opened;
         command = strtok_r(NULL, ":", &rest))
        opened = start_command(command, address);
    free(commands);
    return opened ? NULL : "no command in BROWSER can be started";
}
