/* arena.h - memory that is given out piece by piece and freed at once. Pieces never move.
 * All zeros is an empty arena. Owned by one thread at a time.
 */
#ifndef MT_BASE_ARENA_H_
#define MT_BASE_ARENA_H_

#include <stddef.h>

struct mt_arena_block;

struct mt_arena {
    struct mt_arena_block *blocks; /* the newest first */
    char *next;
    size_t n_free; /* bytes at next */
};

void mt_arena_fini(struct mt_arena *arena);

/* Bytes without a particular alignment; NULL when there is no memory. */
char *mt_arena_bytes(struct mt_arena *arena, size_t n_bytes);

#endif /* MT_BASE_ARENA_H_ */
