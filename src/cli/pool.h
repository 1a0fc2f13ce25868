/* pool.h - threads that do one job together, and the gate at which they meet. */
#ifndef MT_CLI_POOL_H_
#define MT_CLI_POOL_H_

#include <stdbool.h>
#include <stdint.h>

/* More workers than this only wait for one another. */
#define MT_POOL_MAX_WORKERS 16u

/* How many workers are worth while: cores that this process may use, and no more than the maximum. */
uint32_t mt__pool_n_useful(void);

/* Calls work(context, 0) on this thread and, at the same time, work(context, 1 .. n_workers - 1) on
 * others; returns when all have returned. Where the system gives fewer threads, the higher numbers
 * are not called: the work must be such that any number of workers does all of it. */
void mt__pool_run(uint32_t n_workers, void (*work)(void *context, uint32_t worker), void *context);

/* A lock with a place to sleep. */
struct mt_gate;
struct mt_gate *mt__gate_new(void);       /* NULL: no memory */
void mt__gate_free(struct mt_gate *gate); /* NULL is fine */
void mt__gate_lock(struct mt_gate *gate);
void mt__gate_unlock(struct mt_gate *gate);
/* Holding the lock, which is not held meanwhile: until woken, or for no reason. */
void mt__gate_sleep(struct mt_gate *gate);
/* Holding the lock: everyone who sleeps. */
void mt__gate_wake(struct mt_gate *gate);

#endif /* MT_CLI_POOL_H_ */
