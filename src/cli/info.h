/* info.h - the two halves of `mtrace info`. */
#ifndef MT_CLI_INFO_H_
#define MT_CLI_INFO_H_

#include "mtrace/reader.h"

/* Prints every record of every file on standard output, thread by thread; see info_records.c. */
enum mt_status mt__info_records(struct mt_set *set);

#endif /* MT_CLI_INFO_H_ */
