"""How long a fork takes until the child has done something: from os.fork() in the parent until the
child's answer is read from a pipe. Under a tracer the child has recorded by then: its call of
os.write() is an event. Prints a JSON list of seconds.

    python fork.py NUMBER
"""
import json
import os
import sys
from time import perf_counter


def answer(end):
    os.write(end, b"x")
    os._exit(0)


def main():
    found = []
    read_end, write_end = os.pipe()
    for _ in range(int(sys.argv[1])):
        start = perf_counter()
        child = os.fork()
        if child == 0:
            answer(write_end)
        os.read(read_end, 1)
        found.append(perf_counter() - start)
        os.waitpid(child, 0)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
