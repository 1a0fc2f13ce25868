/* codec.c - the codecs: gzip, by isa-l where it is there (codec_igzip.c) and else by zlib, and zstd.
 * Called by feed.c, by each worker with its own state.
 */
#include "cli/codec.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"

/* Timelines repeat themselves: the fastest levels make a tenth of them, the best ones a fifteenth. */
#define GZIP_LEVEL 1
#define ZSTD_LEVEL 1
#define DEFLATE_LEVEL 1
#define RAW_WINDOW_BITS (-15)
/* A gzip header and trailer, as deflateInit2 counts them. */
#define GZIP_WINDOW_BITS (15 + 16)
#define MAX_BLOCK_BYTES ((size_t)16 << 20)

bool mt__codec_pack(const struct mt_codec *codec, void *state, const char *data, size_t n_bytes,
                    struct mt_buf *out)
{
    while (n_bytes) {
        size_t n = n_bytes < MAX_BLOCK_BYTES ? n_bytes : MAX_BLOCK_BYTES;
        if (!codec->block(state, data, n, out))
            return false;
        data += n;
        n_bytes -= n;
    }
    return true;
}

/* ---- zlib */

static void *zlib_open(void)
{
    z_stream *stream = calloc(1, sizeof *stream);
    if (stream && deflateInit2(stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                               Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        stream = NULL;
    }
    return stream;
}

static void zlib_close(void *state)
{
    if (state)
        deflateEnd(state);
    free(state);
}

static bool zlib_block(void *state, const char *data, size_t n_bytes, struct mt_buf *out)
{
    z_stream *stream = state;
    deflateReset(stream);
    size_t bound = deflateBound(stream, n_bytes);
    char *to = mt_buf_reserve(out, bound);
    if (!to)
        return false;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)n_bytes;
    stream->next_out = (Bytef *)to;
    stream->avail_out = (uInt)bound;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    mt_buf_commit(out, bound - stream->avail_out);
    return true;
}

static const struct mt_codec zlib_codec = {".gz", zlib_open, zlib_close, zlib_block};

/* ---- gzip, by whatever is there */

static const struct mt_codec *gzip(void)
{
    const struct mt_codec *fast = mt__codec_igzip();
    return fast ? fast : &zlib_codec;
}

static void *gzip_open(void)
{
    return gzip()->open();
}

static void gzip_close(void *state)
{
    gzip()->close(state);
}

static bool gzip_block(void *state, const char *data, size_t n_bytes, struct mt_buf *out)
{
    return gzip()->block(state, data, n_bytes, out);
}

bool mt__codec_deflate(const void *data, size_t n_bytes, struct mt_buf *out)
{
    if (mt__codec_igzip())
        return mt__codec_igzip_deflate(data, n_bytes, out);
    z_stream stream = {0};
    if (deflateInit2(&stream, DEFLATE_LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return false;
    bool good = zlib_block(&stream, data, n_bytes, out);
    deflateEnd(&stream);
    return good;
}

static const struct mt_codec gzip_codec = {".gz", gzip_open, gzip_close, gzip_block};

/* ---- zstd */

static void *zstd_open(void)
{
    return ZSTD_createCCtx();
}

static void zstd_close(void *state)
{
    ZSTD_freeCCtx(state);
}

static bool zstd_block(void *state, const char *data, size_t n_bytes, struct mt_buf *out)
{
    size_t bound = ZSTD_compressBound(n_bytes);
    char *to = mt_buf_reserve(out, bound);
    if (!to)
        return false;
    size_t n = ZSTD_compressCCtx(state, to, bound, data, n_bytes, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return false;
    mt_buf_commit(out, n);
    return true;
}

static const struct mt_codec zstd_codec = {".zst", zstd_open, zstd_close, zstd_block};

const struct mt_codec *const mt_codecs[] = {&gzip_codec, &zstd_codec, NULL};
