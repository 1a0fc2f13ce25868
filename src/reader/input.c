/* input.c - reading bytes of trace files. Called by file.c, walk.c, records.c and check.c.
 *
 * Invariant: an input never returns bytes of another file than the one its source met first.
 */
#include "reader/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum mt_status open_error(const char *name, int number, struct mt_error *error)
{
    enum mt_status status = number == EACCES || number == EPERM ? MT_DENIED
                            : number == ENOENT                  ? MT_GONE
                                                                : MT_IO;
    return mt_error_set(error, status, name, MT_NO_OFFSET, "cannot be opened: %s",
                        strerror(number));
}

/* The second and later times it must be the file of the first time. */
static enum mt_status identify(struct mt__source *source, const struct stat *st,
                               struct mt_error *error)
{
    if (!S_ISREG(st->st_mode))
        return mt_error_set(error, MT_NOT_A_TRACE, source->name, MT_NO_OFFSET,
                            "is not a regular file");
    if (!source->device && !source->inode) {
        source->device = st->st_dev;
        source->inode = st->st_ino;
    }
    if (source->device != st->st_dev || source->inode != st->st_ino)
        return mt_error_set(error, MT_GONE, source->name, MT_NO_OFFSET,
                            "was replaced while it was being read");
    return MT_OK;
}

enum mt_status mt__input_open(struct mt__input *input, struct mt__source *source,
                              struct mt_error *error)
{
    *input = (struct mt__input){.fd = -1};
    if (source->data) {
        input->source = source;
        return MT_OK;
    }
    /* O_NONBLOCK: a pipe with such a name must not keep us waiting. */
    int fd = open(source->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return open_error(source->name, errno, error);
    struct stat st;
    enum mt_status status = fstat(fd, &st) ? open_error(source->name, errno, error)
                                           : identify(source, &st, error);
    if (status != MT_OK) {
        close(fd);
        return status;
    }
    input->source = source;
    input->fd = fd;
    return MT_OK;
}

void mt__input_close(struct mt__input *input)
{
    if (input->source && input->fd >= 0)
        close(input->fd);
    *input = (struct mt__input){.fd = -1};
}

enum mt_status mt__input_size(const struct mt__input *input, uint64_t *n_bytes,
                              struct mt_error *error)
{
    struct stat st;
    if (input->source->data) {
        *n_bytes = input->source->n_bytes;
        return MT_OK;
    }
    if (fstat(input->fd, &st))
        return mt_error_set(error, MT_IO, input->source->name, MT_NO_OFFSET,
                            "cannot be looked at: %s", strerror(errno));
    *n_bytes = (uint64_t)st.st_size;
    return MT_OK;
}

static size_t read_memory(const struct mt__source *source, uint64_t offset, void *data,
                          size_t n_bytes)
{
    if (offset >= source->n_bytes)
        return 0;
    size_t left = source->n_bytes - (size_t)offset;
    size_t n = n_bytes < left ? n_bytes : left;
    memcpy(data, (const char *)source->data + offset, n);
    return n;
}

enum mt_status mt__input_read(const struct mt__input *input, uint64_t offset, void *data,
                              size_t n_bytes, size_t *n_read, struct mt_error *error)
{
    *n_read = 0;
    if (input->source->data) {
        *n_read = read_memory(input->source, offset, data, n_bytes);
        return MT_OK;
    }
    while (*n_read < n_bytes) {
        ssize_t n = pread(input->fd, (char *)data + *n_read, n_bytes - *n_read,
                          (off_t)(offset + *n_read));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return mt_error_set(error, MT_IO, input->source->name, offset + *n_read,
                                "cannot be read: %s", strerror(errno));
        if (n == 0)
            break;
        *n_read += (size_t)n;
    }
    return MT_OK;
}
