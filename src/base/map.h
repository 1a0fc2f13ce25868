/* map.h - a hash map from 64-bit numbers to 32-bit numbers: ids to indexes, mostly.
 *
 * Open addressing, never more than half full. All zeros is an empty map. Owned by one thread at a
 * time; looking up does not change it.
 */
#ifndef MT_BASE_MAP_H_
#define MT_BASE_MAP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mt_map_slot {
    uint64_t key;
    uint32_t value;
    uint32_t used;
};

struct mt_map {
    struct mt_map_slot *slots;
    size_t n_slots; /* a power of two, or 0 */
    size_t n_used;
};

void mt_map_fini(struct mt_map *map);

/* The value's place, or NULL if the key is not there. Valid until the next mt_map_put. */
uint32_t *mt_map_find(const struct mt_map *map, uint64_t key);

/* The value's place, made with `initial` if the key is new (*is_new, may be NULL). NULL when there
 * is no memory. Valid until the next mt_map_put. */
uint32_t *mt_map_put(struct mt_map *map, uint64_t key, uint32_t initial, bool *is_new);

#endif /* MT_BASE_MAP_H_ */
