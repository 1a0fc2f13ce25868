/* codec.h - compressed output, block by block, so that several threads can do it.
 *
 * Each block is complete by itself (a gzip member, a zstd frame); put one after the other they are a
 * file, which every reader of the format takes as one.
 *
 * To add a codec: its file, codec_NAME.c or a row's functions in codec.c, and its row in mt_codecs.
 */
#ifndef MT_CLI_CODEC_H_
#define MT_CLI_CODEC_H_

#include <stdbool.h>
#include <stddef.h>

struct mt_buf;

struct mt_codec {
    const char *suffix;         /* of file names and formats, with the dot */
    void *(*open)(void);        /* what one thread needs; NULL: no memory */
    void (*close)(void *state); /* NULL is fine */
    /* Appends one block, also for no bytes; n_bytes is below 2^31. False: no memory. */
    bool (*block)(void *state, const char *data, size_t n_bytes, struct mt_buf *out);
};

/* Ends with NULL. */
extern const struct mt_codec *const mt_codecs[];

/* Appends as many blocks as it takes; none for no bytes. */
bool mt__codec_pack(const struct mt_codec *codec, void *state, const char *data, size_t n_bytes,
                    struct mt_buf *out);

/* Appends all of it as raw deflate, by isa-l where it is there and else by zlib; n_bytes is below 2^31.
 * On any thread. False: no memory. */
bool mt__codec_deflate(const void *data, size_t n_bytes, struct mt_buf *out);

/* codec_igzip.c: gzip by isa-l. NULL: this machine, or this build, has none. On any thread. */
const struct mt_codec *mt__codec_igzip(void);
/* The same of raw deflate: false also where there is none. */
bool mt__codec_igzip_deflate(const void *data, size_t n_bytes, struct mt_buf *out);

#endif /* MT_CLI_CODEC_H_ */
