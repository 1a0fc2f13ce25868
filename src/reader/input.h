/* input.h - where the bytes of a trace come from: memory, or a file that is read piece by piece.
 *
 * Files are not mapped: they may be truncated under us, and a mapping would answer with SIGBUS.
 */
#ifndef MT_READER_INPUT_H_
#define MT_READER_INPUT_H_

#include <stddef.h>
#include <stdint.h>

#include "mtrace/reader.h"

/* What to open. Made once, opened as often as needed (descriptors are scarce, files are not). */
struct mt__source {
    const char *name; /* borrowed; of the file, for messages too */
    const void *data; /* NULL: it is a file */
    size_t n_bytes;   /* of data */
    uint64_t device;  /* which file it was at first; 0 and 0: not opened yet */
    uint64_t inode;
};

/* An open source. Used by one thread at a time. */
struct mt__input {
    const struct mt__source *source; /* NULL: closed */
    int fd;
};

/* MT_IO, MT_DENIED, MT_GONE (it is another file now), MT_NOT_A_TRACE (no regular file). */
enum mt_status mt__input_open(struct mt__input *input, struct mt__source *source,
                              struct mt_error *error);
void mt__input_close(struct mt__input *input);

enum mt_status mt__input_size(const struct mt__input *input, uint64_t *n_bytes,
                              struct mt_error *error);

/* Reads up to n_bytes at `offset`; fewer only at the end of the file. */
enum mt_status mt__input_read(const struct mt__input *input, uint64_t offset, void *data,
                              size_t n_bytes, size_t *n_read, struct mt_error *error);

#endif /* MT_READER_INPUT_H_ */
