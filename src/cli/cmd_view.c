/* cmd_view.c - `mtrace view`: trace files in, one page for a browser out, and the browser opened on it.
 * Called by main.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/browser.h"
#include "cli/cli.h"
#include "cli/codec.h"
#include "cli/slice_options.h"
#include "cli/view_perfetto.h"
#include "sink/view.h"

static const char synopsis[] =
    "mtrace view [-o FILE] [--perfetto] [--perfetto-site URL] [-j N] [-q] [SLICE OPTION...] PATH...";
static const char summary[] =
    "Shows what was recorded in a browser: one page that holds all of it and needs no network. PATH is a\n"
    ".trace file or a directory with such files; they may still be growing. The page is a private file in\n"
    "$TMPDIR or /tmp, whose name is printed, and $BROWSER or xdg-open opens it.";

/* A browser has 16 bytes for a call, and levels of detail: about a gigabyte. */
#define MAX_EVENTS UINT64_C(50000000)

static struct mt_slice_options slicing; /* wrong usage leaves without freeing it */

struct words {
    const char *output, *jobs, *site;
    bool quiet, perfetto;
};

/* ---- a page of our own */

/* Makes a file that is only ours, and its folder. The path is to be freed; NULL: it is said why. */
static char *make_private(void)
{
    const char *tmp = getenv("TMPDIR");
    struct mt_buf path = {0};
    char *made = NULL;
    mt_buf_printf(&path, "%s/mtrace-view-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!*mt_buf_text(&path) || !mkdtemp(path.data)) {
        mt_cli_error("%s: cannot be made: %s", mt_buf_text(&path), strerror(errno));
    } else {
        mt_buf_append_text(&path, "/timeline.html");
        int fd = open(mt_buf_text(&path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      0600);
        made = fd >= 0 ? realpath(path.data, NULL) : NULL;
        if (!made)
            mt_cli_error("%s: cannot be made: %s", mt_buf_text(&path), strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    mt_buf_fini(&path);
    return made;
}

/* With its folder. */
static void remove_private(char *path)
{
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
}

/* As an address for a browser. */
static void put_address(struct mt_buf *out, const char *path)
{
    mt_buf_append_text(out, "file://");
    for (; *path; path++) {
        bool is_plain = (*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z') ||
                        (*path >= '0' && *path <= '9') || strchr("/-._~", *path);
        if (is_plain)
            mt_buf_append_char(out, *path);
        else
            mt_buf_printf(out, "%%%02X", (unsigned)(unsigned char)*path);
    }
}

static int open_page(const char *path)
{
    struct mt_buf address = {0};
    put_address(&address, path);
    puts(path);
    int exit_status = mt_cli_finish_stdout(MT_EXIT_OK);
    const char *trouble = mt__browser_open(mt_buf_text(&address));
    if (trouble)
        mt_cli_note("there is no browser to open it with: %s", trouble);
    mt_buf_fini(&address);
    return exit_status;
}

/* ---- the command */

static int write_page(struct mt_set *set, const char *path, const struct mt_merge *how)
{
    const struct mt_view_options *view = how->options;
    int exit_status = !strcmp(path, "-")
                          ? mt_cli_merge_set(set, STDOUT_FILENO, "standard output", how)
                          : mt_cli_merge_to_path(set, path, how);
    if (view->outcome->n_events > view->max_events)
        mt_cli_error(
            "a page holds at most 50 million events, and these are more: take a part of them, by "
            "--from and --to, --pid, --thread, --min-duration or --max-depth");
    return exit_status;
}

static int show(struct mt_set *set, const struct words *words, const struct mt_merge *how)
{
    if (words->output)
        return write_page(set, words->output, how);
    char *path = make_private();
    if (!path)
        return MT_EXIT_TROUBLE;
    int exit_status = write_page(set, path, how);
    struct stat st;
    bool is_there = !stat(path, &st) && st.st_size; /* also where a trace is damaged */
    int opened = is_there ? open_page(path) : MT_EXIT_OK;
    if (!is_there)
        remove_private(path);
    free(path);
    return exit_status != MT_EXIT_OK ? exit_status : opened;
}

static bool parse_jobs(const char *text, uint32_t *n_workers)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *n_workers = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    return *text >= '1' && *text <= '9' && !*end;
}

static int view_paths(char **paths, int n_paths, const struct words *words, uint32_t n_workers)
{
    struct mt_view_outcome outcome = {0};
    struct mt_view_options view = {.deflate = mt__codec_deflate,
                                   .max_events = MAX_EVENTS,
                                   .title = paths[0],
                                   .outcome = &outcome};
    struct mt_merge how = {.format = {.sink = &mt_sink_view},
                           .options = &view,
                           .n_workers = n_workers,
                           .shows_progress = !words->quiet};
    int exit_status;
    mt_cli_writes_output();
    struct mt_set *set = mt_cli_open_set(paths, n_paths);
    if (!set)
        return MT_EXIT_TROUBLE;
    /* Nothing that could be read: no page that looks like a result. */
    if ((!mt_set_n_files(set) && mt_set_n_errors(set)) || !mt_slice_options_apply(&slicing, set))
        exit_status = MT_EXIT_TROUBLE;
    else if (words->perfetto || words->site)
        exit_status = mt_view_perfetto(set, words->site, n_workers, !words->quiet);
    else
        exit_status = show(set, words, &how);
    mt_set_free(set);
    return exit_status;
}

int mt_cmd_view(int argc, char **argv)
{
    struct words words = {0};
    uint32_t n_workers = 0;
    const struct mt_option options[] = {
        {'o', "output", "FILE", "write the page there, and open nothing; - is standard output",
         NULL, &words.output},
        {0, "perfetto", NULL, "in Perfetto's own page instead, which needs the network",
         &words.perfetto, NULL},
        {0, "perfetto-site", "URL", "where that page is; default: " MT_PERFETTO_SITE, NULL,
         &words.site},
        {'j', "jobs", "N", "how many threads work on it; default: one for each core", NULL,
         &words.jobs},
        {'q', "quiet", NULL, "only errors on standard error", &words.quiet, NULL},
        MT_SLICE_OPTIONS(slicing),
        {0},
    };
    int exit_status;
    int n = mt_options_parse(argc, argv, options, synopsis, summary, false, &exit_status);
    if (n < 0)
        return exit_status;
    if (!n)
        return mt_cli_usage("view", "there is no PATH to view");
    if ((words.perfetto || words.site) && words.output)
        return mt_cli_usage("view", "-o and --perfetto are different things; for a file, merge");
    if (words.jobs && !parse_jobs(words.jobs, &n_workers))
        return mt_cli_usage("view", "-j is a number from 1 on, not %s", words.jobs);
    exit_status = mt_slice_options_parse(&slicing, "view");
    if (exit_status != MT_EXIT_OK)
        return exit_status;
    mt_cli_set_quiet(words.quiet);
    exit_status = view_paths(argv + 1, n, &words, n_workers);
    mt_slice_options_fini(&slicing);
    return exit_status;
}
