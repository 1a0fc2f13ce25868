/* hash.c - the secret of hash.h; of the whole process, as no table outlives it. */
#include "base/hash.h"

uint64_t mt_hash_secret;
