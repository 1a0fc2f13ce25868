"""python -m tests.cpython: see compare.py."""
import sys

from tests.cpython import compare

sys.exit(compare.main(sys.argv[1:]))
