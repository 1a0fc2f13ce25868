/* check.h - the parts of a strict verification: check.c (header, chunks), check_defs.c,
 * check_records.c. Each part stops at its first fault. */
#ifndef MT_READER_CHECK_H_
#define MT_READER_CHECK_H_

#include "reader/file.h"

struct mt__check {
    struct mt__file file;
    struct mt__input input;
    struct mt__names names;
    struct mt__trouble trouble; /* reports into `error` */
    struct mt_check_result *result;
    struct mt_error error; /* the first fault; status MT_OK: none yet */
    bool is_newer;         /* a later MINOR: what we do not know may be right */
};

/* Notes a fault unless there was one before; returns false, so that it can be returned further. */
bool mt__check_fault(struct mt__check *check, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* False: a fault was found. */
bool mt__check_defs(struct mt__check *check);
bool mt__check_records(struct mt__check *check);

#endif /* MT_READER_CHECK_H_ */
