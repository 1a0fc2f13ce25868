"""Makes trace files: many_traces.py DIRECTORY FILES EVENTS. The events are of one thread of the first
file; the others have three threads with a few calls each, all at the same time."""
import os
import struct
import sys

PAGE = 4096
BEGIN, END = 1, 2


def padded(data, size):
    return data + bytes(size - len(data))


def header(pid):
    text = struct.pack("<QHHI16s16s16s16sQIIQQIIII", 0x0a45434152544d89, 1, 0, PAGE, struct.pack("<QQ", pid, 1),
                       b"\x11" * 16, bytes(16), b"\xb0" * 16, 7, pid, 1, pid, 0, 0, 0, 1, 0)
    text += struct.pack("<QIIQQQQIIII", 0, 3, 0, 10**9, 0, 10**9, 17 * 10**17, 4, 1, 0, 0)
    text = padded(text, 320) + padded(b"host", 64) + padded(b"many", 64) + padded(b"/usr/bin/python3", 512)
    return padded(text, PAGE)


def chunk(kind, seq, thread, tid, tick, words):
    content = struct.pack("<%dQ" % len(words), *words)
    size = -(-(64 + len(content)) // PAGE) * PAGE
    head = struct.pack("<IIHHIIIQQQQQ", 0x314b434d, size, kind, 0, seq, thread, tid, tick, 10**9 + tick,
                       17 * 10**17 + tick, tick, 0)
    return padded(head + content, size)


def definitions(n):
    words = []
    for i in range(1, n + 1):
        name = b"function_%d" % i
        n_words = 2 + -(-len(name) // 8)
        text = struct.pack("<IIII", 0, i, 3, len(name)) + padded(name, 8 * (n_words - 2))
        words += [n_words << 48 | 2 << 32 | i, *struct.unpack("<%dQ" % n_words, text)]
    return words


def calls(n):
    """n events in nested calls; 3 ns each."""
    words, open_calls = [], []
    for i in range(n):
        left = n - i
        if len(open_calls) < left and (not open_calls or i * 2654435761 >> 7 & 1):
            open_calls.append(1 + i % 50)
            words.append(3 << 32 | BEGIN << 28 | open_calls[-1])
        else:
            words.append(3 << 32 | END << 28 | open_calls.pop())
    return words


def main(directory, n_files, n_events):
    os.mkdir(directory)
    n_each = 10
    n_long = n_events - (n_files - 1) * 3 * n_each
    for i in range(n_files):
        pid = 1000 + 10 * i
        with open(os.path.join(directory, "many.%d.trace" % pid), "wb") as f:
            f.write(header(pid) + chunk(2, 0, 0, 0, 0, definitions(50)))
            if i:
                for thread in range(3):
                    f.write(chunk(1, 0, thread + 1, pid + thread, 1000 * i, calls(n_each)))
                continue
            words, at = calls(n_long), 0
            while at * 32000 < len(words):
                f.write(chunk(1, at, 1, pid, at * 32000 * 3, words[at * 32000:(at + 1) * 32000]))
                at += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
