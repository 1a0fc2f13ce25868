/* testpoint.h - names for the moments after each step of the writer that a reader of the file, or
 * a child of a fork, can observe. In the shipped build they are nothing; core_testpoints, built
 * with MT_TESTPOINTS, calls a function at each, so that a test can kill or fork exactly there.
 *
 * Every name stands once in the code; tests/core/test_kill.c takes the list from MT_TESTPOINT_MAP.
 */
#ifndef MT_CORE_TESTPOINT_H_
#define MT_CORE_TESTPOINT_H_

/* X(name): what has just become visible */
#define MT_TESTPOINT_MAP(X)                                                                        \
    X(record_ready)   /* nothing: the record is about to be stored */                              \
    X(record_stored)  /* the record; `next` still points at it */                                  \
    X(payload_stored) /* words behind a head that is still zero: nothing to a reader */            \
    X(head_stored)    /* a record of several words */                                              \
    X(file_created)   /* a file of zeros under its name */                                         \
    X(header_filled)  /* a file header without magic */                                            \
    X(header_stored)  /* a trace file without chunks */                                            \
    X(chunk_appended) /* zeros behind the last chunk */                                            \
    X(chunk_filled)   /* a chunk header without magic */                                           \
    X(chunk_stored)   /* an empty chunk */                                                         \
    X(chunk_switched) /* the thread writes into the new chunk; the old one is unmapped */          \
    X(def_filled)     /* a definition without head */                                              \
    X(def_stored)     /* a definition that nobody uses yet */                                      \
    X(lost_stored)    /* the mark of a loss */

#ifdef MT_TESTPOINTS
enum mt_testpoint {
#define X(name) MT_AT_##name,
    MT_TESTPOINT_MAP(X)
#undef X
        MT_N_TESTPOINTS
};
/* Set by a test before recording starts; called on the thread that records. */
extern void (*mt_testpoint)(enum mt_testpoint);
#define MT_TESTPOINT(name)                                                                         \
    do {                                                                                           \
        if (mt_testpoint != NULL)                                                                  \
            mt_testpoint(MT_AT_##name);                                                            \
    } while (0)
#else
#define MT_TESTPOINT(name) ((void)0)
#endif

#endif /* MT_CORE_TESTPOINT_H_ */
