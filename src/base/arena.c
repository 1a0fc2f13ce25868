/* arena.c - the arena of arena.h. Used for texts that live as long as their owner.
 *
 * Invariant: next has n_free bytes, in the newest block that was made for sharing.
 */
#include "base/arena.h"

#include <stdlib.h>

struct mt_arena_block {
    struct mt_arena_block *older;
    char bytes[];
};

/* Larger than any few names, small beside a process. */
#define BLOCK_BYTES ((size_t)64 << 10)

void mt_arena_fini(struct mt_arena *arena)
{
    for (struct mt_arena_block *block = arena->blocks, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    *arena = (struct mt_arena){0};
}

char *mt_arena_bytes(struct mt_arena *arena, size_t n_bytes)
{
    if (n_bytes <= arena->n_free) {
        char *bytes = arena->next;
        arena->next += n_bytes;
        arena->n_free -= n_bytes;
        return bytes;
    }
    size_t size = n_bytes > BLOCK_BYTES / 4 ? n_bytes : BLOCK_BYTES;
    struct mt_arena_block *block = malloc(sizeof *block + size);
    if (!block)
        return NULL;
    block->older = arena->blocks;
    arena->blocks = block;
    if (size - n_bytes > arena->n_free) { /* a large piece gets its own block and spoils none */
        arena->next = block->bytes + n_bytes;
        arena->n_free = size - n_bytes;
    }
    return block->bytes;
}
