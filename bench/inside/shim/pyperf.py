"""Stands in for the module `pyperf` that the programs of pyperformance expect. The real one starts
many processes and calibrates; this one hands each benchmark to `measure` in this process.
"""
import argparse
import asyncio
from time import perf_counter

__all__ = ["Runner", "perf_counter", "python_implementation"]

# Set by macro.py for each program: measure(name, once), where once() returns seconds; and how often
# the benchmark is to be run in one go.
measure = None
loops = 1


def python_implementation():
    return "cpython"


class Runner:
    def __init__(self, *args, **kwargs):
        self.argparser = argparse.ArgumentParser()
        self.metadata = {}
        self.args = None

    def parse_args(self, args=None):
        self.args = self.argparser.parse_args(args)
        return self.args

    def bench_time_func(self, name, func, *args, **kwargs):
        measure(name, lambda: func(loops, *args))

    def bench_func(self, name, func, *args, **kwargs):
        def once():
            start = perf_counter()
            for _ in range(loops):
                func(*args)
            return perf_counter() - start
        measure(name, once)

    def bench_async_func(self, name, func, *args, **kwargs):
        async def repeat():
            start = perf_counter()
            for _ in range(loops):
                await func(*args)
            return perf_counter() - start
        measure(name, lambda: asyncio.run(repeat()))
