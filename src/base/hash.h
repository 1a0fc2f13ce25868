/* hash.h - hashing for tables in memory. The values are never stored, and shown only where any number
 * will do that is likely to be unique.
 *
 * Names and ids come from files, and who makes a file could choose them so that they meet in one place of
 * a table: a megabyte of such names would be read for minutes, and what is told apart by its hash alone
 * would be mixed up. So tables hash with a secret of the process. Nothing that is put out may depend on
 * it: not on hashes made with it, nor on the order of a table's slots.
 */
#ifndef MT_BASE_HASH_H_
#define MT_BASE_HASH_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Set once by the program, before there are tables; 0 until then, and in tests. */
extern uint64_t mt_hash_secret;

/* Spreads the bits of a number (the finalizer of MurmurHash3). */
static inline uint64_t mt_hash_u64(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    x ^= x >> 33;
    return x;
}

/* `seed`: mt_hash_secret, or a hash that began with it. */
static inline uint64_t mt_hash_bytes(const void *data, size_t n_bytes, uint64_t seed)
{
    const unsigned char *at = data;
    uint64_t hash = seed ^ (n_bytes * UINT64_C(0x9e3779b97f4a7c15));
    for (; n_bytes >= 8; n_bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = mt_hash_u64(hash ^ word);
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < n_bytes; i++)
        tail |= (uint64_t)at[i] << (8 * i);
    return mt_hash_u64(hash ^ tail);
}

#endif /* MT_BASE_HASH_H_ */
