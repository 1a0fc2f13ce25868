/* error.c - filling in struct mt_error. Used by the whole reader and by the commands. */
#include <stdio.h>

#include "mtrace/reader.h"

enum mt_status mt_error_set(struct mt_error *error, enum mt_status status, const char *file,
                            uint64_t offset, const char *format, ...)
{
    if (!error)
        return status;
    error->status = status;
    error->file = file;
    error->offset = offset;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}
