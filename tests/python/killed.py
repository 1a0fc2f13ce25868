"""What test_kills.py traces and kills: processes with threads that call new functions all the time, and say in a shared
file how many calls have returned.

    killed.py FILE [FIRST]     FIRST: a process started by another one, from that slot on

Slot n of the file has three words: pid, thread id, and how many calls have returned. The call i of slot n is one of the
function w<n>_<i // FRESH>, and raises where i % RAISES is 0.
"""
import mmap
import multiprocessing
import os
import subprocess
import sys
import threading

FRESH, RAISES = 20, 7
THREADS = 2  # of each process
PROCESSES = 5
SLOTS = THREADS * PROCESSES
BYTES = SLOTS * 3 * 8

SOURCE = """
def w%d_%d(i):
    len("")
    if i %% %d == 0:
        raise ValueError
"""


def run(view, slot):
    """Calls without end. A word of the view is stored at once, so a kill leaves it whole."""
    view[3 * slot + 1] = threading.get_native_id()
    view[3 * slot] = os.getpid()
    i = 0
    while True:
        if i % FRESH == 0:
            space = {}
            name = "w%d_%d" % (slot, i // FRESH)
            exec(SOURCE % (slot, i // FRESH, RAISES), space)
        try:
            space[name](i)
        except ValueError:
            pass
        i += 1
        view[3 * slot + 2] = i


def threads(view, first):
    """All threads of a process but the main one, which has the slot `first`."""
    for k in range(1, THREADS):
        threading.Thread(target=run, args=(view, first + k), daemon=True).start()


def process(view, first):
    threads(view, first)
    run(view, first)


def forked(view, first):
    """While other threads run: a child by os.fork(), and its child by multiprocessing."""
    pid = os.fork()
    if pid == 0:
        threads(view, first)
        multiprocessing.get_context("fork").Process(target=process, args=(view, first + THREADS)).start()
        run(view, first)


def main():
    with open(sys.argv[1], "r+b") as f:
        view = memoryview(mmap.mmap(f.fileno(), BYTES)).cast("Q")
    if len(sys.argv) > 2:
        process(view, int(sys.argv[2]))
    subprocess.Popen([sys.executable, "-W", "ignore", __file__, sys.argv[1], str(THREADS)])
    threads(view, 0)
    forked(view, 2 * THREADS)
    multiprocessing.get_context("fork").Process(target=process, args=(view, 4 * THREADS)).start()
    run(view, 0)


if __name__ == "__main__":
    main()
