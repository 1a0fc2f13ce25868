/* trouble.c - reporting and counting errors. Called by every file of the reader that opens or walks,
 * on the thread that does so.
 */
#include "reader/trouble.h"

#include <stdio.h>

#include "base/atomic.h"

void mt__trouble_tell(struct mt__trouble *trouble, const char *file, struct mt_error *error)
{
    if (!error->file)
        error->file = file;
    if (error->status != MT_OK)
        mt_add_relaxed(&trouble->n_errors, 1);
    if (trouble->reporter.report)
        trouble->reporter.report(trouble->reporter.context, error);
}

void mt__trouble_note(struct mt__trouble *trouble, const char *file, const char *format, ...)
{
    struct mt_error note = {.status = MT_OK, .file = file, .offset = MT_NO_OFFSET};
    va_list args;
    va_start(args, format);
    vsnprintf(note.message, sizeof note.message, format, args);
    va_end(args);
    mt__trouble_tell(trouble, file, &note);
}
