/* view_perfetto.c - see view_perfetto.h. Called by cmd_view.c, on the main thread. */
#define _GNU_SOURCE
#include "cli/view_perfetto.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/browser.h"
#include "cli/serve.h"
#include "os/os.h"

#define PORT 9001
#define WAIT_MINUTES 10

/* "https://ui.perfetto.dev" of an address of the site; false: it is none. */
static bool put_origin(struct mt_buf *out, const char *site)
{
    size_t n_scheme = !strncasecmp(site, "https://", 8)  ? 8
                      : !strncasecmp(site, "http://", 7) ? 7
                                                         : 0;
    size_t n_host = n_scheme ? strcspn(site + n_scheme, "/?#") : 0;
    for (size_t i = 0; i < n_scheme + n_host; i++) {
        if (!isalnum((unsigned char)site[i]) && !strchr(":/.-[]", site[i]))
            return false;
        mt_buf_append_char(out, (char)tolower((unsigned char)site[i]));
    }
    return n_host;
}

/* "/", 128 random bits and a name that the page shows. */
static void put_path(struct mt_buf *out)
{
    uint8_t secret[16];
    mt_os_random(secret, sizeof secret);
    mt_buf_append_char(out, '/');
    for (size_t i = 0; i < sizeof secret; i++)
        mt_buf_printf(out, "%02x", secret[i]);
    mt_buf_append_text(out, "/mtrace.perfetto-trace");
}

static void on_listening(void *context)
{
    const char *address = context;
    puts(address);
    fflush(stdout);
    const char *trouble = mt__browser_open(address);
    if (trouble)
        mt_cli_note("there is no browser to open it with: %s; open this address in one, within %d "
                    "minutes",
                    trouble, WAIT_MINUTES);
}

/* A file that only we have; -1: it is said why. */
static int make_private(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/mtrace-view-XXXXXX", tmp && *tmp ? tmp : "/tmp") == -1)
        return -1;
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        mt_cli_error("%s: cannot be made: %s", path, strerror(errno));
    else
        unlink(path);
    free(path);
    return fd;
}

static int serve(int fd, const char *site, const char *origin)
{
    struct mt_buf path = {0}, address = {0};
    struct stat status;
    int error, exit_status = MT_EXIT_TROUBLE;
    put_path(&path);
    size_t n_site = strcspn(site, "#");
    bool slash = n_site && site[n_site - 1] == '/';
    mt_buf_printf(&address, "%.*s%s#!/?url=http://127.0.0.1:%d%s", (int)n_site, site,
                  slash ? "" : "/", PORT, mt_buf_text(&path));
    if (path.failed || address.failed || fstat(fd, &status) != 0) {
        mt_cli_error("out of memory");
        goto out;
    }
    struct mt_serve what = {.fd = fd,
                            .n_bytes = (uint64_t)status.st_size,
                            .port = PORT,
                            .path = mt_buf_text(&path),
                            .origin = origin,
                            .wait_ms = UINT64_C(60000) * WAIT_MINUTES,
                            .listening = on_listening,
                            .context = (void *)(uintptr_t)mt_buf_text(&address)};
    enum mt_served served = mt__serve(&what, &error);
    if (served == MT_SERVED)
        exit_status = MT_EXIT_OK;
    else if (served == MT_SERVE_UNUSED)
        mt_cli_error("nobody has fetched the timeline for %d minutes", WAIT_MINUTES);
    else if (error == EADDRINUSE)
        mt_cli_error("port %d is in use, by another `mtrace view` perhaps, and Perfetto's page "
                     "fetches from no other; end that, or merge into a .perfetto-trace file",
                     PORT);
    else
        mt_cli_error("port %d: the timeline cannot be served: %s", PORT, strerror(error));
out:
    mt_buf_fini(&path);
    mt_buf_fini(&address);
    return exit_status;
}

int mt_view_perfetto(struct mt_set *set, const char *site, uint32_t n_workers, bool shows_progress)
{
    struct mt_buf origin = {0};
    struct mt_merge how = {.format = {.sink = &mt_sink_perfetto},
                           .n_workers = n_workers,
                           .shows_progress = shows_progress};
    int exit_status = MT_EXIT_TROUBLE;
    site = site ? site : MT_PERFETTO_SITE;
    if (!put_origin(&origin, site)) {
        mt_buf_fini(&origin);
        return mt_cli_usage("view", "--perfetto-site is an http or https address, not %s", site);
    }
    int fd = make_private();
    if (fd >= 0) {
        /* A part of it would look like all. */
        if (mt_cli_write_set(set, fd, "the timeline", &how))
            exit_status = serve(fd, site, mt_buf_text(&origin));
        if (mt_set_n_errors(set))
            exit_status = MT_EXIT_TROUBLE;
        close(fd);
    }
    mt_buf_fini(&origin);
    return exit_status;
}
