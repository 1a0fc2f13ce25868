/* trouble.h - how the reader tells what it meets, and counts it. */
#ifndef MT_READER_TROUBLE_H_
#define MT_READER_TROUBLE_H_

#include <stdint.h>

#include "mtrace/reader.h"

/* Shared by a set and its walks; n_errors is only added to, relaxed, by any of their threads. */
struct mt__trouble {
    struct mt_reporter reporter; /* report may be NULL */
    uint32_t n_errors;
};

/* Reports an error, or a note (status MT_OK). A NULL file or one without a name gets `file`. */
void mt__trouble_tell(struct mt__trouble *trouble, const char *file, struct mt_error *error);

void mt__trouble_note(struct mt__trouble *trouble, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* MT_READER_TROUBLE_H_ */
