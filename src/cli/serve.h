/* serve.h - gives one file to one page in a browser, once, over HTTP on this machine. Used by
 * view_perfetto.c.
 */
#ifndef MT_CLI_SERVE_H_
#define MT_CLI_SERVE_H_

#include <stdbool.h>
#include <stdint.h>

struct mt_serve {
    int fd;             /* the file */
    uint64_t n_bytes;   /* of it */
    uint16_t port;      /* on 127.0.0.1 */
    const char *path;   /* "/..." that the address must have, which nobody can guess */
    const char *origin; /* "https://ui.perfetto.dev": pages of others get nothing */
    uint64_t wait_ms;   /* so long nobody has to ask for it */
    /* Called when it can be asked for. */
    void (*listening)(void *context);
    void *context;
};

enum mt_served {
    MT_SERVED,       /* all of it, to the page */
    MT_SERVE_UNUSED, /* nobody came */
    MT_SERVE_FAILED, /* see *error, an errno */
};

/* Returns when it was fetched. Requests with another Host or Origin, for another path, or after the
 * first are refused. */
enum mt_served mt__serve(const struct mt_serve *serve, int *error);

#endif /* MT_CLI_SERVE_H_ */
