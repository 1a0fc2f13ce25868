/* map.c - the hash map of map.h. Used by the reader.
 *
 * Invariant: n_used * 2 <= n_slots, so that a search always meets a free slot.
 */
#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"

void mt_map_fini(struct mt_map *map)
{
    free(map->slots);
    *map = (struct mt_map){0};
}

/* The slot that has the key, or the free one where it belongs. */
static struct mt_map_slot *slot_of(const struct mt_map *map, uint64_t key)
{
    size_t mask = map->n_slots - 1;
    size_t at = (size_t)mt_hash_u64(key ^ mt_hash_secret) & mask;
    while (map->slots[at].used && map->slots[at].key != key)
        at = (at + 1) & mask;
    return &map->slots[at];
}

uint32_t *mt_map_find(const struct mt_map *map, uint64_t key)
{
    if (!map->n_slots)
        return NULL;
    struct mt_map_slot *slot = slot_of(map, key);
    return slot->used ? &slot->value : NULL;
}

static bool enlarge(struct mt_map *map)
{
    struct mt_map larger = {.n_slots = map->n_slots ? map->n_slots * 2 : 16, .n_used = map->n_used};
    larger.slots = calloc(larger.n_slots, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < map->n_slots; i++) {
        if (map->slots[i].used)
            *slot_of(&larger, map->slots[i].key) = map->slots[i];
    }
    free(map->slots);
    *map = larger;
    return true;
}

uint32_t *mt_map_put(struct mt_map *map, uint64_t key, uint32_t initial, bool *is_new)
{
    if ((map->n_used + 1) * 2 > map->n_slots && !enlarge(map))
        return NULL;
    struct mt_map_slot *slot = slot_of(map, key);
    if (is_new)
        *is_new = !slot->used;
    if (!slot->used) {
        *slot = (struct mt_map_slot){.key = key, .value = initial, .used = 1};
        map->n_used++;
    }
    return &slot->value;
}
