"""A program of 10 processes with 10 threads each that makes some six million calls of the standard library's
functions: many_calls.py ROUNDS, of which one is that many."""
import argparse
import ast
import copy
import difflib
import fractions
import io
import json
import multiprocessing
import random
import re
import sys
import textwrap
import threading
import tokenize

SOURCES = []
for module in (json, ast, re, argparse, textwrap, difflib):
    with open(module.__file__, encoding="utf-8") as f:
        SOURCES.append(f.read())


def walk(n):
    for text in SOURCES[:n]:
        ast.NodeVisitor().visit(ast.parse(text))


def wrap(n):
    for text in SOURCES:
        textwrap.wrap(text[:4000 * n], 60)


def tokens(n):
    list(tokenize.generate_tokens(io.StringIO(SOURCES[n % len(SOURCES)][:20000]).readline))


def differences(n):
    first, second = (SOURCES[i % len(SOURCES)].splitlines()[:60] for i in (n, n + 1))
    list(difflib.ndiff(first, second))


def add(n):
    total = fractions.Fraction(1, 3)
    for i in range(1, 200 * n):
        total = (total + fractions.Fraction(1, i)).limit_denominator(1000)


def encode(n):
    json.JSONEncoder(indent=1, sort_keys=True).encode({str(i): list(range(i % 17)) for i in range(300 * n)})


def duplicate(n):
    copy.deepcopy([{str(i): [i, (i,), {"a": i}]} for i in range(100 * n)])


def deep(n):
    return n and deep(n - 1)


def work(seed, rounds):
    chance = random.Random(seed)
    for _ in range(rounds):
        chance.choice((walk, wrap, tokens, differences, add, encode, duplicate))(1 + chance.randrange(4))
        deep(chance.randrange(300))


def process(number, rounds):
    threads = [threading.Thread(target=work, args=(100 * number + i, rounds), name="worker %d" % i) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=process, args=(i, int(sys.argv[1]))) for i in range(10)]
    for child in children:
        child.start()
    for child in children:
        child.join()
