"""Makes a trace file: colliding_names.py FILE N.  It defines N functions whose names all have the same
hash, for who knows no secret: the hash of src/base/hash.h, backwards."""
import sys

from many_traces import chunk, header

MASK = (1 << 64) - 1
FACTORS = (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53)


def mixed(x):
    for factor in FACTORS:
        x = ((x ^ x >> 33) * factor) & MASK
    return x ^ x >> 33


def unmixed(x):
    x ^= x >> 33
    for factor in reversed(FACTORS):
        x = (x * pow(factor, -1, 1 << 64)) & MASK
        x ^= x >> 33
    return x


def main(path, n):
    start, goal = 16 * 0x9e3779b97f4a7c15 & MASK, unmixed(7)
    with open(path, "wb") as f:
        f.write(header(1000) + chunk(1, 0, 1, 1000, 0, [1 << 32 | 1 << 28 | 1, 1 << 32 | 2 << 28 | 1]))
        per_chunk = 25000
        for seq in range(-(-n // per_chunk)):
            words = []
            for i in range(seq * per_chunk, min(n, (seq + 1) * per_chunk)):
                names = (i, mixed(start ^ i) ^ goal)
                words += [4 << 48 | 2 << 32 | i + 1, 1 << 32, 16 << 32 | 3, *names]
            f.write(chunk(2, seq, 0, 0, 0, words))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
