/* cancel.h - keeps pthread_cancel() out of the recorder's system calls; for src/os only.
 *
 * None of them may be a cancellation point: a thread would end in the middle of one, maybe with the
 * recorder's lock, at a place of the program that is none.
 */
#ifndef MT_OS_CANCEL_H_
#define MT_OS_CANCEL_H_

#include <pthread.h>
#include <stddef.h>

/* Returns what must be given to mt__allow_cancel(). */
static inline int mt__forbid_cancel(void)
{
    int state = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    return state;
}

/* Where the thread may be cancelled at any time, and was meanwhile, it ends here: as if at a cancellation
 * point, because glibc's pthread_setcancelstate() would end it without PTHREAD_CANCELED. */
static inline void mt__allow_cancel(int state)
{
    int type;
    if (state != PTHREAD_CANCEL_ENABLE)
        return;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    pthread_setcancelstate(state, NULL);
    if (type == PTHREAD_CANCEL_DEFERRED)
        return;
    pthread_testcancel();
    pthread_setcanceltype(type, NULL);
}

#endif /* MT_OS_CANCEL_H_ */
