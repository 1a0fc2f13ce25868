/* array.h - growing plain arrays. An array is three variables that its owner names as it likes: a
 * pointer, a count and a capacity; what is here only makes room.
 */
#ifndef MT_BASE_ARRAY_H_
#define MT_BASE_ARRAY_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room for `count` items of `item_bytes` in the array whose pointer is at `items_at` and whose
 * capacity is *capacity items. False when there is no memory; nothing has changed then. Use
 * MT_ARRAY_ROOM. */
static inline bool mt_array_room(void *items_at, size_t *capacity, size_t count, size_t item_bytes)
{
    if (count <= *capacity)
        return true;
    size_t larger = *capacity ? *capacity : 8;
    while (larger < count) {
        if (larger > SIZE_MAX / 4)
            return false;
        larger *= 2;
    }
    if (larger > SIZE_MAX / 2 / item_bytes)
        return false;
    void *items; /* copied in and out: the pointer's own type is not void * */
    memcpy(&items, items_at, sizeof items);
    void *moved = realloc(items, larger * item_bytes);
    if (!moved)
        return false;
    memcpy(items_at, &moved, sizeof moved);
    *capacity = larger;
    return true;
}

/* MT_ARRAY_ROOM(set->files, set->capacity, set->n_files + 1) */
#define MT_ARRAY_ROOM(items, capacity, count)                                                      \
    mt_array_room(&(items), &(capacity), (count), sizeof *(items))

#endif /* MT_BASE_ARRAY_H_ */
