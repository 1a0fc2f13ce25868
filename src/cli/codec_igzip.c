/* codec_igzip.c - gzip by isa-l, four to five times as fast as zlib. Called by codec.c.
 *
 * What it makes of the same bytes differs now and then by some bytes from one process to the next, with
 * where things lie in memory: only what comes out of it again is always the same.
 *
 * The library is looked for when the first block is made, and not linked: a program that does not
 * start where it is missing would be too much for this.
 */
#include "cli/codec.h"

#ifndef MT_HAVE_ISAL

const struct mt_codec *mt__codec_igzip(void)
{
    return NULL;
}

bool mt__codec_igzip_deflate(const void *data, size_t n_bytes, struct mt_buf *out)
{
    (void)data, (void)n_bytes, (void)out;
    return false;
}

#else

#include <dlfcn.h>
#include <isa-l/igzip_lib.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* What isa-l keeps compatible goes by this name. */
#define LIBRARY "libisal.so.2"
/* Around a block, and for each 64 KiB of it that cannot be made shorter. */
#define AROUND_BYTES 64u
#define STORED_BYTES 8u

static struct {
    pthread_once_t once;
    void (*init)(struct isal_zstream *stream);
    int (*deflate)(struct isal_zstream *stream); /* NULL: there is no library */
} library = {.once = PTHREAD_ONCE_INIT};

static void load(void)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void *init = handle ? dlsym(handle, "isal_deflate_stateless_init") : NULL;
    void *deflate = handle ? dlsym(handle, "isal_deflate_stateless") : NULL;
    if (!init || !deflate)
        return;
    *(void **)&library.init = init; /* POSIX's way; C has none */
    *(void **)&library.deflate = deflate;
}

struct igzip {
    struct isal_zstream stream;
    uint8_t level_buf[ISAL_DEF_LVL1_DEFAULT];
};

static void *igzip_open(void)
{
    return malloc(sizeof(struct igzip));
}

static bool pack(struct igzip *igzip, uint16_t gzip_flag, const char *data, size_t n_bytes,
                 struct mt_buf *out)
{
    struct isal_zstream *stream = &igzip->stream;
    size_t bound = n_bytes + (n_bytes / 65535 + 1) * STORED_BYTES + AROUND_BYTES;
    char *to = mt_buf_reserve(out, bound);
    if (!to)
        return false;
    /* It looks at state that it has not set. The tokens at the end of level_buf are written before they
     * are read. */
    memset(stream, 0, sizeof *stream);
    memset(igzip->level_buf, 0, ISAL_DEF_LVL1_REQ);
    library.init(stream);
    stream->level = 1;
    stream->level_buf = igzip->level_buf;
    stream->level_buf_size = sizeof igzip->level_buf;
    stream->gzip_flag = gzip_flag;
    stream->end_of_stream = 1;
    stream->next_in = (uint8_t *)(uintptr_t)data;
    stream->avail_in = (uint32_t)n_bytes;
    stream->next_out = (uint8_t *)to;
    stream->avail_out = (uint32_t)bound;
    if (library.deflate(stream) != COMP_OK)
        return false;
    mt_buf_commit(out, bound - stream->avail_out);
    return true;
}

static bool igzip_block(void *state, const char *data, size_t n_bytes, struct mt_buf *out)
{
    return pack(state, IGZIP_GZIP, data, n_bytes, out);
}

bool mt__codec_igzip_deflate(const void *data, size_t n_bytes, struct mt_buf *out)
{
    struct igzip *igzip = igzip_open();
    bool good = igzip && mt__codec_igzip() && pack(igzip, IGZIP_DEFLATE, data, n_bytes, out);
    free(igzip);
    return good;
}

static const struct mt_codec igzip_codec = {".gz", igzip_open, free, igzip_block};

const struct mt_codec *mt__codec_igzip(void)
{
    pthread_once(&library.once, load);
    return library.deflate ? &igzip_codec : NULL;
}

#endif
