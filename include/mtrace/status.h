/* status.h - the one list of what can go wrong, shared by both wings.
 *
 * Functions return `enum mt_status`; results travel by out-parameter. MT_OK is zero. A status is a
 * kind of trouble; the sentence a person reads is made by whoever knows the file and the offset
 * (struct mt_error in reader.h).
 *
 * To add a status: one line in MT_STATUS_MAP.
 */
#ifndef MTRACE_STATUS_H_
#define MTRACE_STATUS_H_

#define MT_STATUS_MAP(X)                                                                           \
    X(OK, "no error")                                                                              \
    X(NOMEM, "out of memory")                                                                      \
    X(IO, "input/output error")                                                                    \
    X(NOT_A_TRACE, "not an mtrace file")                                                           \
    X(VERSION, "written by a newer mtrace; read it with that version")                             \
    X(TRUNCATED, "the file ends too early")                                                        \
    X(CORRUPT, "the file is damaged")                                                              \
    X(NO_SPACE, "no space left on the device")                                                     \
    X(LIMIT, "a resource limit was reached")                                                       \
    X(DENIED, "permission denied")                                                                 \
    X(GONE, "the file was removed or replaced")                                                    \
    X(STATE, "not possible in this state")                                                         \
    X(USAGE, "wrong usage")                                                                        \
    X(UNSUPPORTED, "not supported here")

enum mt_status {
#define X(name, text) MT_##name,
    MT_STATUS_MAP(X)
#undef X
        MT_N_STATUS
};

/* The text of a status; never NULL, also for numbers out of range. */
static inline const char *mt_status_text(enum mt_status status)
{
    static const char *const texts[] = {
#define X(name, text) text,
        MT_STATUS_MAP(X)
#undef X
    };
    return (unsigned)status < MT_N_STATUS ? texts[status] : "unknown status";
}

#endif /* MTRACE_STATUS_H_ */
